"""A connection that is opened right before Uvicorn stops: its first request is answered."""

import asyncio
import importlib.util
import time

import pytest
import uvicorn
import websockets
from uvicorn.protocols.http import auto, h11_impl

from micropie import App
from micropie.core.run.arrivals import ARRIVING, patient_protocol
from tests.client import run

PATIENCE = 10  # seconds; a bound on hangs
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Site(App):
    def __init__(self):
        super().__init__()
        self.is_held = asyncio.Event()

    async def index(self):
        return "Hello"

    async def held(self):
        await self.is_held.wait()
        return "Held"

    async def ws_echo(self, ws):
        await ws.accept()
        await ws.send_text(await ws.receive_text())


class Stopping:
    """A server, and how it stops while it has connections."""

    def __init__(self, http):
        self.app = Site()
        config = uvicorn.Config(self.app, port=0, http=http, log_level="error", lifespan="off")
        self.server = uvicorn.Server(config)
        self.writers = []

    async def begin(self):
        """Start to serve."""
        self.server.config.load()
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)
        await self.server.startup()

    async def connect(self, *sent):
        """A connection that the server knows of, and what was sent on it has come."""
        known = len(self.server.server_state.connections)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.writelines(sent)
        self.writers.append(writer)
        await until(lambda: len(self.server.server_state.connections) > known)
        return reader, writer

    async def leave(self):
        """Close what the clients have open."""
        for writer in self.writers:
            writer.close()
            await writer.wait_closed()

    async def stop(self):
        """Stop; the seconds that took."""
        begun = time.monotonic()
        await self.server.shutdown()
        return time.monotonic() - begun


async def until(is_true):
    """Wait for something that happens in the loop."""
    while not is_true():  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.01)


@pytest.fixture(params=["httptools", "h11"])
def http(request, monkeypatch):
    """The option `http` of Uvicorn, as we set it, with each of its parsers."""
    if request.param == "h11":
        monkeypatch.setattr(auto, "AutoHTTPProtocol", h11_impl.H11Protocol)
    else:
        assert importlib.util.find_spec("httptools")
    return patient_protocol


def served(http, scenario):
    """Run a scenario with a server; nothing is left that the loop complains of."""

    async def main():
        async with asyncio.timeout(PATIENCE):
            stopping = Stopping(http)
            await stopping.begin()
            try:
                return await scenario(stopping)
            finally:
                await stopping.leave()

    return run(main())


def test_a_request_that_is_on_its_way_is_answered(http):
    """Who has connected before the stop, and says only then what it wants, gets it."""

    async def scenario(stopping):
        reader, writer = await stopping.connect()
        ending = asyncio.create_task(stopping.stop())
        await asyncio.sleep(0)
        writer.write(GET)
        answer = await reader.read()
        await ending
        return answer

    assert served(http, scenario).startswith(b"HTTP/1.1 200 OK")


def test_who_says_nothing_is_not_waited_for(http):
    """A connection without a request, as browsers open them, is closed after a moment, and the stop ends."""

    async def scenario(stopping):
        reader, _ = await stopping.connect()
        return await stopping.stop(), await reader.read()

    seconds, said = served(http, scenario)
    assert said == b""
    assert ARRIVING < seconds < PATIENCE / 2


def test_who_leaves_meanwhile_is_forgotten(http):
    """A client that goes before the moment is over leaves nothing to be closed."""

    async def scenario(stopping):
        _, writer = await stopping.connect()
        ending = asyncio.create_task(stopping.stop())
        await asyncio.sleep(0)
        writer.close()
        await ending
        await asyncio.sleep(ARRIVING)
        return stopping.server.server_state.connections

    assert served(http, scenario) == set()


def test_what_is_in_flight_is_waited_for_as_ever(http):
    """A request that has begun is answered, however long that takes, and its connection closed behind it."""

    async def scenario(stopping):
        reader, _ = await stopping.connect(GET.replace(b"/ ", b"/held "))
        await until(lambda: stopping.server.server_state.tasks)
        ending = asyncio.create_task(stopping.stop())
        await asyncio.sleep(2 * ARRIVING)
        assert not ending.done()
        stopping.app.is_held.set()
        answer = await reader.read()
        await ending
        return answer

    assert served(http, scenario).endswith(b"Held")


def test_a_websocket_that_is_opened_meanwhile_is_not_cut_off(http):
    """What has become a WebSocket is no idle connection when the moment is over."""

    async def scenario(stopping):
        _, writer = await stopping.connect()
        socket = writer.get_extra_info("socket").dup()
        ending = asyncio.create_task(stopping.stop())
        await asyncio.sleep(0)
        async with websockets.connect("ws://localhost/echo", sock=socket) as connection:
            await asyncio.sleep(2 * ARRIVING)
            await connection.send("still here")
            answer = await connection.recv()
        await ending
        return answer

    assert served(http, scenario) == "still here"
