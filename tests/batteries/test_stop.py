"""The stop of a real server, with clients connected: who is told what, and that it ends in time."""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import websockets

from tests.batteries.commands import free_port

SOURCE = Path(__file__).with_name("stopping.py")
PATIENCE = 20.0  # seconds; a bound on hangs, never a measure
SLACK = 2.0  # seconds behind the graceful timeout
SERVERS = [
    pytest.param(("app:app", "--server", "uvicorn"), id="uvicorn"),
    pytest.param(("app:app", "--server", "uvicorn", "--workers", "2"), id="uvicorn-2"),
    pytest.param(("app:app", "--server", "granian"), id="granian"),
    pytest.param(("app:app", "--server", "granian", "--workers", "2"), id="granian-2"),
    pytest.param(("app:rsgi", "--server", "granian"), id="rsgi"),
]
WITH_SOCKETS = SERVERS[:4]


class Running:
    """A server, with what it writes in a file."""

    def __init__(self, process, port, output):
        self.process = process
        self.port = port
        self.output = output

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def stop(self, sent=signal.SIGTERM):
        """Tell it to stop, and wait for its end; the seconds that took."""
        begun = time.monotonic()
        self.process.send_signal(sent)
        return await self.ended(begun)

    async def ended(self, begun):
        """Wait for its end; the seconds since then."""
        while self.process.poll() is None:
            assert time.monotonic() - begun < PATIENCE
            await asyncio.sleep(0.02)
        assert self.process.returncode == 0
        return time.monotonic() - begun


def started(folder, *command):
    """A server for `stopping.py`, which is starting."""
    shutil.copy(SOURCE, folder / "app.py")
    port, output = free_port(), folder / "output"
    with output.open("wb") as file:
        whole = [sys.executable, "-u", "-m", *command, "--port", str(port)]
        return Running(subprocess.Popen(whole, cwd=folder, stdout=file, stderr=file), port, output)


@asynccontextmanager
async def serving(folder, *command):
    """A server of its own for `stopping.py`, ready."""
    running = started(folder, "micropie", "run", *command)
    process = running.process
    try:
        await until_it_answers(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def until_it_answers(running):
    for _ in range(600):
        try:
            async with httpx.AsyncClient() as client:
                if (await client.get(running.url)).status_code == 200:
                    return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise AssertionError(running.output.read_text())


async def text_of(running, path):
    """The whole text of a reply; an incomplete one raises."""
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        reply = await client.get(running.url + path, headers={"Accept": "text/event-stream"})
        return reply.text


async def close_of(running, path):
    """The messages of a WebSocket, and the code and reason that it is closed with."""
    messages = []
    async with websockets.connect(f"ws://127.0.0.1:{running.port}{path}") as socket:
        try:
            while True:
                messages.append(await socket.recv())
        except websockets.ConnectionClosed as closed:
            frame = closed.rcvd
            return messages, (None if frame is None else (frame.code, frame.reason))


async def begun(running, *coroutines):
    """Tasks whose requests have reached their handlers, however long that takes."""
    before = asked(running)
    tasks = [asyncio.create_task(one) for one in coroutines]
    async with asyncio.timeout(PATIENCE):
        while asked(running) < before + len(tasks):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return tasks


async def refused(running):
    """Connect until the system refuses it: whom it accepts when nobody serves any more, it cuts off in the end."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it stopped to listen just then
            continue
        await asyncio.sleep(0.02)


def asked(running):
    """How many requests have come to handlers."""
    return running.output.read_text().count("asked\n")


@pytest.mark.parametrize("server", WITH_SOCKETS)
def test_nobody_is_cut(tmp_path, server):
    """Fifty streams end whole, fifty WebSockets with 1001, what is in flight is answered, newcomers are refused."""

    async def main():
        async with serving(tmp_path, *server, "--graceful-timeout", "8") as running:
            streams = await begun(running, *(text_of(running, "/events") for _ in range(50)))
            sockets = await begun(
                running, *(close_of(running, path) for path in ("/echo", "/waits") for _ in range(25))
            )
            (slow,) = await begun(running, text_of(running, "/slow?seconds=3"))
            stop = asyncio.create_task(running.stop())
            await refused(running)
            assert not slow.done()
            took = await stop
            assert await slow == "done"
            for text in await asyncio.gather(*streams):
                assert re.fullmatch(r"(data: \d+\n\n)+", text)
            assert await asyncio.gather(*sockets) == [([], (1001, "The server stops"))] * 50
            assert took < 7
            assert "goodbye" in running.output.read_text()
            assert "Traceback" not in running.output.read_text()

    asyncio.run(main())


@pytest.mark.parametrize("server", WITH_SOCKETS[::2])
def test_who_has_asked_for_the_stop_ends_by_itself(tmp_path, server):
    """Such a stream says its last word, such a WebSocket closes as it likes."""

    async def main():
        async with serving(tmp_path, *server, "--graceful-timeout", "5") as running:
            stream, socket = await begun(running, text_of(running, "/own_events"), close_of(running, "/parts"))
            assert await running.stop(signal.SIGINT) < 4
            assert await stream == "data: hello\n\ndata: goodbye\n\n"
            assert await socket == (["goodbye"], (1012, "again"))

    asyncio.run(main())


@pytest.mark.parametrize("paths", [("/clings", "/blocks_a_thread", "/slow?seconds=60"), ("/blocks",)])
@pytest.mark.parametrize("server", SERVERS)
def test_no_handler_holds_up_the_end(tmp_path, server, paths):
    """Handlers that never end are given their time, and no more."""

    async def main():
        async with serving(tmp_path, *server, "--graceful-timeout", "1") as running:
            asking = await begun(running, *(text_of(running, path) for path in paths))
            assert 0.9 < await running.stop() < 1 + SLACK
            for task in asking:
                task.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("server", [SERVERS[0], SERVERS[2], SERVERS[4]])
def test_what_is_cancelled_may_clean_up(tmp_path, server):
    """A request that is out of time is cancelled once; then the shutdown handlers run."""

    async def main():
        async with serving(tmp_path, *server, "--graceful-timeout", "1") as running:
            (asking,) = await begun(running, text_of(running, "/cleans_up"))
            await running.stop()
            asking.cancel()
            assert re.search("cleaned up.*goodbye", running.output.read_text(), re.DOTALL)

    asyncio.run(main())


@pytest.mark.parametrize("server", [SERVERS[0], SERVERS[2], SERVERS[4]])
def test_spawned_tasks_are_waited_for(tmp_path, server):
    """What a handler has spawned ends before the shutdown handlers run."""

    async def main():
        async with serving(tmp_path, *server, "--graceful-timeout", "5") as running:
            assert await text_of(running, "/works_on") == "spawned"
            assert 0.5 < await running.stop() < 4
            assert re.search("worked.*goodbye", running.output.read_text(), re.DOTALL)

    asyncio.run(main())


@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_an_open_page_does_not_hold_up_a_reload(tmp_path, server):
    """In development mode a change is served within two seconds, whatever is open."""

    async def main():
        async with serving(tmp_path, "app:app", "--server", server, "--dev") as running:
            (stream, socket, slow) = await begun(
                running, text_of(running, "/events"), close_of(running, "/waits"), text_of(running, "/slow?seconds=60")
            )
            await asyncio.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
            changed = time.monotonic()
            source = SOURCE.read_text(encoding="utf-8").replace('return "Hello"', 'return "Changed"')
            (tmp_path / "app.py").write_text(source, encoding="utf-8")
            assert (await stream).endswith("\n\n")
            assert time.monotonic() - changed < 2
            assert (await socket)[1] == (1001, "The server stops")
            while not await changed_page(running):
                assert time.monotonic() - changed < PATIENCE
            slow.cancel()

    asyncio.run(main())


async def changed_page(running):
    try:
        return await text_of(running, "/") == "Changed"
    except httpx.TransportError:
        await asyncio.sleep(0.05)
        return False


@pytest.mark.parametrize("server", SERVERS[:2])
def test_a_request_that_is_on_its_way_is_answered(tmp_path, server):
    """Who connects right before Uvicorn stops, and says only then what it wants, gets it; others are let in no more."""

    async def answer():
        async with serving(tmp_path, *server) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            await asyncio.sleep(0.1)  # it is let in
            ending = asyncio.create_task(running.stop())
            await refused(running)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said = await reader.read()
            writer.close()
            assert await ending < SLACK + 1
            return said

    async def main():
        said = await answer()
        if not said:  # the machine was held up for longer than the moment lasts
            said = await answer()
        assert said.startswith(b"HTTP/1.1 200")

    asyncio.run(main())


def test_uvicorn_that_was_started_by_itself_parts_too(tmp_path):
    """Without `micropie run` streams and WebSockets end in the same way, if the server calls Python for a signal."""

    async def main():
        running = started(tmp_path, "uvicorn", "app:app")
        process = running.process
        try:
            await until_it_answers(running)
            stream, socket = await begun(running, text_of(running, "/events"), close_of(running, "/echo"))
            process.send_signal(signal.SIGTERM)
            assert (await stream).endswith("\n\n")
            assert await socket == ([], (1001, "The server stops"))
            assert await asyncio.to_thread(process.wait, PATIENCE) == -signal.SIGTERM
        finally:
            process.kill()
            process.wait()

    asyncio.run(main())
