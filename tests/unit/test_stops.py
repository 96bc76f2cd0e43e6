"""The ends of a stop that no server brings about at will."""

import asyncio
import threading

import pytest

from micropie import App
from micropie.core.basics.background import Background
from micropie.core.lifespan.going_away import LEAVE, GoingAway
from micropie.core.requests.request import WebSocketRequest
from micropie.core.run.stop_bound import StopBound
from micropie.core.websockets.interruption import UNTIL_TOLD, Interruption
from micropie.core.websockets.websocket import WebSocket
from tests.client import run


class Peer:
    """A connection that connects, and notes what it is sent."""

    def __init__(self):
        self.sent = []

    async def receive(self):
        if self.sent:
            await asyncio.Event().wait()
        return {"type": "websocket.connect"}

    async def send(self, message):
        self.sent.append(message["type"])


def parted(steps):
    """Run a connection's steps while the server stops, and give what was sent."""

    async def main():
        app, peer = App(), Peer()
        ws = WebSocket(peer.receive, peer.send)
        request = WebSocketRequest({"type": "websocket", "path": "/"}, peer.receive)
        request._router = app._micropie.router
        going_away = GoingAway(app._micropie, request, ws)
        request._router.background.begin_stop()
        await asyncio.sleep(0)
        await steps(ws)
        await asyncio.sleep(0)
        before = asyncio.get_running_loop().time()
        await going_away.end()
        assert asyncio.get_running_loop().time() - before < LEAVE / 2
        going_away.over()
        ws.release()
        return peer.sent

    return run(main())


def test_a_handshake_that_never_ends_is_waited_for_by_nobody():
    """The handler has ended without it."""

    async def steps(ws):
        await asyncio.sleep(0)

    assert parted(steps) == []


def test_a_connection_is_closed_as_soon_as_it_is_open():
    """Where the stop began during its handshake."""

    async def steps(ws):
        await asyncio.sleep(0)
        await ws.accept()
        await asyncio.sleep(0.01)

    assert parted(steps) == ["websocket.accept", "websocket.close"]


def test_a_connection_that_is_closed_is_not_closed_again():
    """By its handler, before the stop gets to it."""

    async def main():
        peer = Peer()
        ws = WebSocket(peer.receive, peer.send)
        await ws.accept()
        await ws.close()
        await ws.end(1001, "The server stops")
        return peer.sent

    assert run(main()) == ["websocket.accept", "websocket.close"]


def test_a_stop_begins_once():
    """Its bound is not moved by another signal."""

    async def main():
        background = Background()
        background.begin_stop()
        stopping = background.stopping
        background.begin_stop()
        return background.stopping is stopping and bool(stopping)

    assert run(main())


def test_a_bound_that_sees_no_signals_is_none():
    """In a thread that is not the main one nothing handles signals."""
    ended = []

    def serve():
        async def main():
            bound = StopBound(1)
            bound.watch(asyncio.get_running_loop())
            bound.end()
            ended.append(True)

        asyncio.run(main())

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(10)
    assert ended == [True]


@pytest.mark.parametrize("path", ["/none", "/short"])
def test_a_connection_that_is_over_at_once_is_not_parted_from(path):
    """One that comes when the server stops, and is refused or closed before anything waits, hears of that alone."""

    class Short(App):
        async def ws_short(self, ws):
            await ws.accept()

    async def main():
        app, peer = Short(), Peer()
        app._micropie.router.background.begin_stop()
        await app({"type": "websocket", "path": path, "headers": [], "query_string": b""}, peer.receive, peer.send)
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1
        return peer.sent

    assert run(main())[-2:].count("websocket.close") == 1


def test_who_is_forgotten_is_told_nothing():
    """Also where that was just about to happen, by another one who is told before."""
    told = []

    async def main():
        stopping = Background().stopping
        stopping.tell(lambda: stopping.forget(second))
        stopping.tell(second := lambda: told.append("second"))
        stopping.tell(lambda: told.append("third"))
        stopping.begin()
        stopping.tell(fourth := lambda: told.append("fourth"))
        stopping.forget(fourth)
        await asyncio.sleep(0)

    run(main())
    assert told == ["third"]


def test_a_handler_is_interrupted_once_though_two_ask_for_it():
    """A connection that is idle as its client leaves is over for two reasons; the clean-up of the handler may wait."""

    async def main():
        interruption = Interruption()
        interruption.enter()
        interruption.plan()
        asyncio.get_running_loop().call_soon(interruption.make)
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.Event().wait()
        await asyncio.sleep(UNTIL_TOLD + 0.1)
        return interruption.leave(caught.value)

    assert run(main())
