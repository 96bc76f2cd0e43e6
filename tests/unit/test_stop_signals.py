"""The stop signals of a server, which an application sees first; and the bound of a stop in this process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from micropie import App
from micropie.core.run import stop_bound
from micropie.core.run.servers import KILLING, impatient
from micropie.core.run.stop_bound import BoundedASGI, BoundedRSGI, StopBound
from tests.client import run
from tests.wire import running


@contextmanager
def handled(seen, *numbers):
    """A server that handles these signals as Uvicorn does, and notes them."""
    before = {number: signal.signal(number, lambda number, _frame: seen.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Holding(App):
    """Has a WebSocket that parts when it is told to."""

    def __init__(self):
        super().__init__()
        self.may_part = asyncio.Event()
        self.told = asyncio.Event()

    async def ws_index(self, ws):
        await ws.accept()
        await self.request.stopping
        self.told.set()
        await self.may_part.wait()


async def connected(app):
    """A WebSocket in the middle of its conversation."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    accepted = asyncio.Event()

    async def send(message):
        accepted.set()

    serving = asyncio.create_task(app({"type": "websocket", "path": "/", "headers": []}, messages.get, send))
    await accepted.wait()
    return serving


def handed_on(handler, number, frame):
    handler(number, frame)


async def turns(count=10):
    for _ in range(count):
        await asyncio.sleep(0.01)


def test_the_server_learns_of_a_signal_when_the_websockets_are_closed():
    """Before, it would cut them; a second SIGTERM changes nothing."""
    seen: list[Any] = []

    async def main():
        app = Holding()
        async with running(app):
            serving = await connected(app)
            os.kill(os.getpid(), signal.SIGTERM)
            await app.told.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await turns()
            assert seen == []
            app.may_part.set()
            await serving
            await turns()
            assert seen == [signal.SIGTERM]
            os.kill(os.getpid(), signal.SIGTERM)
            await turns()
            assert seen == [signal.SIGTERM] * 2

    with handled(seen, signal.SIGINT, signal.SIGTERM):
        run(main())


def test_who_is_impatient_need_not_wait():
    """A second Ctrl-C reaches the server at once, with the first."""
    seen: list[Any] = []

    async def main():
        app = Holding()
        async with running(app):
            serving = await connected(app)
            os.kill(os.getpid(), signal.SIGINT)
            await app.told.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await turns()
            assert seen == [signal.SIGINT] * 2
            app.may_part.set()
            await serving

    with handled(seen, signal.SIGINT, signal.SIGTERM):
        run(main())


@pytest.mark.parametrize("other", [signal.SIGUSR1, signal.SIGTERM])
def test_a_server_that_handles_signals_in_its_event_loop(other):
    """As Granian and gunicorn do: that is told later too, and of other signals as ever; afterwards all is as before."""
    seen: list[Any] = []

    async def main():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGUSR1):
            loop.add_signal_handler(number, seen.append, number)
        app = Holding()
        async with running(app):
            serving = await connected(app)
            os.kill(os.getpid(), signal.SIGTERM)
            await app.told.wait()
            os.kill(os.getpid(), signal.SIGUSR1)
            await turns()
            assert seen == [signal.SIGUSR1]
            app.may_part.set()
            await serving
            await turns()
            assert seen == [signal.SIGUSR1, signal.SIGTERM]
        os.kill(os.getpid(), other)
        await turns()
        assert seen[2:] == [other]

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGUSR1, before[1])


def test_handlers_that_others_set_later_stay():
    """A signal handler and a wakeup fd that came after ours are left alone, and still lead to the server."""
    seen: list[Any] = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "usr1")
        async with running(App()):
            ours = signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, partial(handed_on, ours))
            theirs = signal.getsignal(signal.SIGTERM)
            loop.add_signal_handler(signal.SIGUSR2, seen.append, "usr2")
        assert signal.getsignal(signal.SIGTERM) is theirs
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR2)
        await turns()
        assert seen == [signal.SIGTERM, "usr2"]

    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    with handled(seen, signal.SIGTERM):
        run(main())
    signal.signal(signal.SIGUSR1, before[0])
    signal.signal(signal.SIGUSR2, before[1])


def test_signals_that_no_server_handles_are_left_alone():
    """So in a thread, and where Python's own handlers are in place."""
    handlers = []

    async def main():
        async with running(App()):
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run, args=[main()])
    thread.start()
    thread.join()
    run(main())
    assert handlers == [before, before]


# -- the bound ------------------------------------------------------------------------------------------


def test_the_bound_ends_the_process(monkeypatch):
    """When the time is over, what is served is cancelled; a moment later the process is ended, with the status 0."""
    seen: list[Any] = []
    ends, cancelled = threading.Event(), []

    def end(status):
        seen.append(status)
        ends.set()

    monkeypatch.setattr(stop_bound, "ENDING", 0.2)
    monkeypatch.setattr(os, "_exit", end)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.startup.complete"})
        else:
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.append(True)

    async def nothing(*_):
        return {}

    async def main():
        bound = StopBound(0.05, lambda: seen.append("last"))
        bounded = BoundedASGI(app, bound)
        await bounded({"type": "lifespan"}, nothing, nothing)
        serving = asyncio.create_task(bounded({"type": "http"}, nothing, nothing))
        await turns(1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait({serving})
        assert cancelled == [True]
        await asyncio.to_thread(ends.wait, 5)
        bound.end()

    with handled(seen, signal.SIGTERM):
        run(main())
    assert seen == [signal.SIGTERM, "last", 0]


def test_an_application_without_a_lifespan_is_bounded_too():
    """It raises for that scope, and is served all the same; an end in time is none by force."""
    seen: list[Any] = []

    async def app(scope, receive, send):
        raise ValueError(scope["type"])

    async def nothing(*_):
        return {}

    async def main():
        bound = StopBound(0.05)
        with pytest.raises(ValueError, match="lifespan"):
            await BoundedASGI(app, bound)({"type": "lifespan"}, nothing, nothing)
        os.kill(os.getpid(), signal.SIGTERM)
        await turns()
        bound.end()

    with handled(seen, signal.SIGTERM):
        run(main())
    assert seen == [signal.SIGTERM]


def test_an_application_that_fails_later_is_bounded_once():
    """What its lifespan raises behind the startup is its own."""
    seen: list[Any] = []

    async def app(scope, receive, send):
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("later")

    async def nothing(*_):
        return {}

    async def main():
        bound = StopBound(0.05)
        with pytest.raises(ValueError, match="later"):
            await BoundedASGI(app, bound)({"type": "lifespan"}, nothing, nothing)
        bound.end()

    with handled(seen, signal.SIGTERM):
        run(main())


def test_a_bare_rsgi_application():
    """It may be a function, without a startup and a shutdown."""
    seen: list[Any] = []

    async def app(scope, protocol):
        seen.append((scope, protocol))

    bounded = BoundedRSGI(app, StopBound(1))
    loop = asyncio.new_event_loop()
    bounded.__rsgi_init__(loop)
    loop.run_until_complete(bounded.__rsgi__("scope", "protocol"))
    bounded.__rsgi_del__(loop)
    loop.close()
    assert seen == [("scope", "protocol")]


@pytest.mark.parametrize("method", ["restart", "shutdown", "join_all"])
@pytest.mark.parametrize("reload", [True, False])
def test_a_worker_that_can_not_end_itself_is_killed(method, reload):
    """Uvicorn's supervisors wait for their workers without a limit, one of which may be held up by C code."""

    class Waiting:
        def __init__(self):
            self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            self.processes = [self]
            self.sockets = [socket.socket()]

        def restart(self):
            self.process.wait()

        shutdown = join_all = restart

    options: Any = SimpleNamespace(reload=reload, graceful_timeout=0.1 - KILLING)
    supervisor = impatient(Waiting, options)()
    with supervisor.sockets[0]:
        getattr(supervisor, method)()
    assert supervisor.process.returncode == -signal.SIGKILL


def test_the_bound_of_a_stop_begins_with_the_first_signal():
    """Another one goes to the server, and moves nothing."""
    seen: list[int] = []

    async def main():
        bound = StopBound(5)
        bound.watch(asyncio.get_running_loop())
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        bound.end()

    with handled(seen, signal.SIGTERM):
        run(main())
    assert seen == [signal.SIGTERM] * 2
