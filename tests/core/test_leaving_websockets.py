"""A client leaves while the handler sends, on a server that tells only those who receive, as most servers do."""

import asyncio
import contextlib
import gc
import logging
import weakref
from typing import Any

import pytest

from micropie import App, ConnectionClosed, WebSocket, WebSocketMiddleware
from tests.client import run, watching

WHILE = 0.7  # seconds without a receive, after which the socket looks by itself


class Server:
    """A connection whose `send` says nothing, and which counts what the application has taken of its events."""

    def __init__(self):
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.events.put_nowait({"type": "websocket.connect"})
        self.taken = -1  # the connect is none of the client's
        self.closed = []

    async def receive(self):
        event = await self.events.get()
        self.taken += 1
        if isinstance(event, Exception):
            raise event
        return event

    async def send(self, message):
        if message["type"] == "websocket.close":
            self.closed.append(message["code"])

    def say(self, *texts):
        for text in texts:
            self.events.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self, code=1001):
        self.events.put_nowait({"type": "websocket.disconnect", "code": code, "reason": "bye"})


class Acting(App):
    """A socket handler given by the test."""

    def __init__(self, script):
        super().__init__()
        self._script = script

    async def ws_index(self, ws):
        await self._script(ws)


async def serve(script, server):
    await Acting(script)({"type": "websocket", "path": "/"}, server.receive, server.send)


def play(script, after=0.0, act=lambda server: None):
    """Run an application whose handler is `script`, and `act` on the connection after so many seconds."""

    async def main():
        server = Server()
        async with asyncio.timeout(10), watching():
            serving = asyncio.create_task(serve(script, server))
            await asyncio.sleep(after)
            act(server)
            await serving
        return server

    return run(main())


async def send_for_ever(ws):
    await ws.accept()
    while True:
        await ws.send_text("tick")
        await asyncio.sleep(0.01)


async def send_without_rest(ws):
    await ws.accept()
    while True:
        await ws.send_bytes(b"tick")


async def send_after_a_message(ws):
    await ws.accept()
    await ws.receive_text()
    while True:
        await ws.send_json("tick")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("script", [send_for_ever, send_without_rest, send_after_a_message])
@pytest.mark.parametrize("after", [0, WHILE])
def test_a_handler_that_only_sends_ends(script, after, caplog):
    """When its client has left, whatever it sends raises; that is nothing for the log, nor is anybody left to close."""
    server = play(script, after, lambda server: (server.say("hello"), server.leave()))
    assert server.closed == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "send", [lambda ws: ws.send_text(""), lambda ws: ws.send_bytes(b""), lambda ws: ws.send_json(0)]
)
def test_the_next_send_raises(send):
    """Not the one after it: with the code and the reason of the client, again and again."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await send(ws)
            seen.append((caught.value.code, caught.value.reason))

    play(script, 0, Server.leave)
    assert seen == [(1001, "bye")] * 2


def test_the_next_send_after_a_long_receive_raises():
    """A handler that has waited for a message is looked after from then on."""

    async def script(ws):
        await ws.accept()
        await ws.receive_text()
        await asyncio.sleep(WHILE)
        with pytest.raises(ConnectionClosed):
            await ws.send_text("x")

    assert play(script, WHILE, lambda server: (server.say("hello"), server.leave())).taken == 2


def test_the_next_send_after_a_receive_that_was_given_up_raises():
    """A handler that waits for messages with a time limit is looked after too."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive_text(), WHILE)
        await asyncio.sleep(WHILE)
        with pytest.raises(ConnectionClosed):
            await ws.send_text("x")

    play(script, WHILE + 0.1, Server.leave)


def test_nothing_is_lost_and_all_is_in_order():
    """What the client sent before it left is there for later receives, though sends raise already."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        with pytest.raises(ConnectionClosed):
            await ws.send_text("x")
        seen.append(await ws.receive_text())
        seen.extend([message async for message in ws])
        with pytest.raises(ConnectionClosed) as caught:
            await ws.receive_text()
        seen.append(caught.value.code)

    play(script, 0, lambda server: (server.say("1", "2", "3"), server.leave()))
    assert seen == ["1", "2", "3", 1001]


def test_a_message_of_the_wrong_kind_may_be_kept():
    """It is an error for the receive that gets it, and for no other."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        with pytest.raises(ValueError):
            await ws.receive_bytes()
        seen.append(await ws.receive_text())

    play(script, 0, lambda server: server.say("1", "2"))
    assert seen == ["2"]


def test_a_receive_waits_for_what_is_looked_for():
    """It gets the very next message, and from then on nothing is read ahead of it."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        seen.append(await ws.receive_text())
        await asyncio.sleep(0)
        seen.append(await ws.receive_text())

    assert play(script, 2 * WHILE, lambda server: server.say("1", "2", "3")).taken == 2
    assert seen == ["1", "2"]


def test_a_receive_that_is_given_up_loses_nothing():
    """The message that comes later is the next receive's."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive_text(), 0.01)
        seen.append(await ws.receive_text())

    play(script, WHILE + 0.2, lambda server: server.say("1"))
    assert seen == ["1"]


@pytest.mark.parametrize("wait", [0, WHILE])
def test_two_receives_at_once_get_a_message_each(wait):
    """Whether the socket looks ahead or not, and the sender beside them is told of the end."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(wait)
        seen.extend(await asyncio.gather(ws.receive_text(), ws.receive_text()))
        await asyncio.sleep(WHILE)
        with pytest.raises(ConnectionClosed):
            await ws.send_text("x")

    play(script, 2 * WHILE, lambda server: (server.say("1", "2"), server.leave()))
    assert sorted(seen) == ["1", "2"]


@pytest.mark.parametrize(("length", "taken"), [(10_000, 7), (100_000, 1), (0, 1024)])
def test_a_client_is_held_back(length, taken):
    """Of what nobody receives 64 KiB are read, each message counting at least 64 bytes."""

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        await ws.send_text("x")

    assert play(script, 0, lambda server: server.say(*["x" * length] * 2000)).taken == taken


def test_what_was_held_back_is_read_when_there_is_room_again():
    """A handler that receives some of it and then only sends is told of the end as well."""
    seen: list[Any] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        seen.extend([await ws.receive_text() for _ in range(3)])
        await ws.send_text("nobody knows yet")
        await asyncio.sleep(WHILE)
        with pytest.raises(ConnectionClosed):
            await ws.send_text("x")
        seen.extend([message async for message in ws])

    messages = [str(number) * 10_000 for number in range(8)]
    play(script, 0, lambda server: (server.say(*messages), server.leave()))
    assert seen == messages


def test_a_receive_raises_what_reading_ahead_met():
    """A failure below us is not swallowed."""

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        with pytest.raises(LookupError, match="below"):
            await ws.receive_text()
        assert await ws.receive_text() == "then"

    play(script, 0, lambda server: (server.events.put_nowait(LookupError("below")), server.say("then")))


def test_closing_ends_a_receive_that_waits():
    """Another task's receive ends when the socket is closed, where it waits for what is looked for."""

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        receiving = asyncio.create_task(ws.receive_text())
        await asyncio.sleep(0)
        await ws.close(4000)
        with pytest.raises(ConnectionClosed) as caught:
            await receiving
        assert caught.value.code == 4000

    assert play(script).closed == [4000]


def test_what_came_before_our_own_close_is_not_received():
    """A socket that is closed gives nothing more, whatever was read ahead."""

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)
        await ws.close()
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()

    assert play(script, 0, lambda server: server.say("1")).taken == 1


def test_a_cancelled_connection_leaves_no_reader_behind():
    """A server that gives up a connection ends all that belongs to it."""

    async def main():
        server = Server()
        async with watching():
            serving = asyncio.create_task(serve(send_for_ever, server))
            await asyncio.sleep(WHILE)
            serving.cancel()
            await asyncio.wait({serving})
        return serving.cancelled()

    assert run(main())


def test_a_socket_by_itself_looks_too():
    """`WebSocket(receive, send)` needs no application for it."""

    async def main():
        server = Server()
        server.leave()
        with pytest.raises(ConnectionClosed):
            await send_for_ever(WebSocket(server.receive, server.send))

    run(main())


def test_a_failing_send_does_not_hide_what_the_client_said():
    """Where the server raises as well, the code is the client's as soon as that is known."""
    seen: list[Any] = []

    class Failing(Server):
        async def send(self, message):
            if message["type"] == "websocket.send":
                await asyncio.sleep(WHILE)
                raise OSError

    async def main():
        server = Failing()
        ws = WebSocket(server.receive, server.send)
        await ws.accept()
        await asyncio.sleep(WHILE)
        server.leave(4001)
        with pytest.raises(ConnectionClosed) as caught:
            await ws.send_text("x")
        seen.append(caught.value.code)

    run(main())
    assert seen == [4001]


class Refusing(Server):
    """A server that knows before it tells that a client leaves, and raises an exception of its own, as Daphne does."""

    async def send(self, message):
        if message["type"] == "websocket.send":
            raise LookupError("Attempt to send on a closed protocol")


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("after", [0, 0.1])
def test_a_send_that_fails_since_the_client_leaves_is_that(after, listening):
    """The disconnect comes a moment later, to the socket itself or to the task that receives."""

    async def main():
        server = Refusing()
        ws = WebSocket(server.receive, server.send)
        await ws.accept()
        others = [asyncio.create_task(ws.receive_text()) for _ in range(listening)]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(after, server.leave)
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await ws.send_text("x")
            assert caught.value.code == 1001
        assert [type(error) for error in await asyncio.gather(*others, return_exceptions=True)] == (
            [ConnectionClosed] * listening
        )

    run(main())


@pytest.mark.parametrize("messages", [0, 2000])
def test_a_send_that_fails_otherwise_raises_what_it_met(messages):
    """A client that is there, and one that is held back, has nothing to do with it."""

    async def main():
        server = Refusing()
        server.say(*["x"] * messages)
        ws = WebSocket(server.receive, server.send)
        await ws.accept()
        for _ in range(2):
            with pytest.raises(LookupError):
                await asyncio.gather(ws.send_text("x"), ws.send_bytes(b"x"))
        await asyncio.sleep(WHILE)  # for the other one
        assert not ws.closed
        server.leave()
        seen = [message async for message in ws]
        assert len(seen) == messages

    run(main())


def test_a_send_on_its_way_while_another_task_closes_is_told_of_that():
    """The server may refuse it then; that is no failure of the handler's."""

    class Slow(Server):
        async def send(self, message):
            if message["type"] == "websocket.send":
                await asyncio.sleep(0.01)
                raise OSError

    async def main():
        server = Slow()
        ws = WebSocket(server.receive, server.send)
        await ws.accept()
        sending = asyncio.create_task(ws.send_text("x"))
        await asyncio.sleep(0)
        await ws.close(4000)
        with pytest.raises(ConnectionClosed) as caught:
            await sending
        assert caught.value.code == 4000

    run(main())


@pytest.mark.parametrize("name", ["websocket.accept", "websocket.send"])
def test_a_send_that_fails_before_it_is_open_raises_what_it_met(name):
    """A handshake that the server can't answer is its failure, told at once."""

    async def main():
        server = Server()

        async def send(message):
            if message["type"] == name:
                raise LookupError(name)

        ws = WebSocket(server.receive, send)
        if name == "websocket.send":
            await ws.accept()
            ws.release()
        with pytest.raises(LookupError, match=name):
            await (ws.accept() if name == "websocket.accept" else ws.send_text("x"))

    run(main())


@pytest.mark.parametrize("leave", [lambda ws, server: server.leave(), lambda ws, server: ws.close()])
@pytest.mark.parametrize(
    "ask",
    [
        lambda ws: ws.receive_text(),
        lambda ws: ws.receive_json(),
        lambda ws: ws.send_text("tick"),
        lambda ws: anext(aiter(ws)),
    ],
)
def test_a_handler_that_insists_holds_up_nobody_else(leave, ask):
    """One that catches whatever is raised, and tries again and again: others get their turn in between."""
    turns: list[str] = []

    async def script(ws):
        await ws.accept()
        if (closing := leave(ws, server)) is not None:
            await closing
        asyncio.get_running_loop().call_later(0.001, turns.append, "others")
        for _ in range(20_000):
            with contextlib.suppress(ConnectionClosed, RuntimeError, StopAsyncIteration):
                await ask(ws)
            if turns:
                return
        turns.append("nobody")

    server = Server()

    async def main():
        async with watching():
            await serve(script, server)

    run(main())
    assert turns == ["others"]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_generator_is_no_handler_of_a_websocket(kind, caplog):
    """None of it would run: the log says what is wrong, and the connection is closed as for any failure."""

    class Site(App):
        if kind == "async":

            async def ws_index(self, ws):
                await ws.accept()
                yield "tick"
        else:

            def ws_index(self, ws):
                yield ws

    server = Server()

    async def main():
        async with watching():
            await Site()({"type": "websocket", "path": "/"}, server.receive, server.send)

    run(main())
    assert server.closed == [1011]
    assert "Site.ws_index yields, which a WebSocket handler can't: await ws.send_text" in caplog.text


def test_what_nobody_has_received_goes_with_the_handler():
    """Large messages are not kept until the garbage collector comes by."""

    class Text(str):
        """One that can be watched."""

        __slots__ = ("__weakref__",)

    watched: list[weakref.ref[Text]] = []

    async def script(ws):
        await ws.accept()
        await asyncio.sleep(WHILE)

    def say(server):
        text = Text("x" * 1_000_000)
        watched.append(weakref.ref(text))
        server.say(text)

    gc.disable()
    try:
        assert play(script, 0, say).taken == 1
        assert watched[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("ask", ["receive", "receive_json", "anext"])
@pytest.mark.parametrize("failing", [False, True])
def test_a_task_that_receives_on_behind_the_handler_does_not_hide_the_close(failing, ask):
    """The connection is closed, with 1011 after a failure, when a task that nobody has waited for asks in between."""
    heard = []

    async def listen(ws):
        await asyncio.sleep(0.01)
        try:
            await (anext(ws) if ask == "anext" else getattr(ws, ask)())
        except (ConnectionClosed, StopAsyncIteration):
            heard.append(ws.closed)

    class Slow(WebSocketMiddleware):
        async def after_websocket(self, request):
            await asyncio.sleep(0.02)

    async def script(ws):
        await ws.accept()
        ws.listening = asyncio.create_task(listen(ws))
        if failing:
            raise ValueError

    async def main():
        server, app = Server(), Acting(script)
        app.ws_middlewares.append(Slow())
        await app({"type": "websocket", "path": "/"}, server.receive, server.send)
        return server.closed

    assert run(main()) == [1011 if failing else 1000]
    assert heard == [False]


def test_a_task_that_accepts_behind_the_handler_does_not_hide_the_refusal():
    """A handler that ends before the handshake is accepted refuses it, whatever else asks to accept it."""
    heard = []

    async def accept(ws):
        await asyncio.sleep(0)
        with contextlib.suppress(ConnectionClosed):
            await ws.accept()
        heard.append(ws.accepted)

    class Slow(WebSocketMiddleware):
        async def after_websocket(self, request):
            await asyncio.sleep(0.02)

    async def script(ws):
        ws.accepting = asyncio.create_task(accept(ws))

    async def main():
        server, app = Server(), Acting(script)
        app.ws_middlewares.append(Slow())
        await app({"type": "websocket", "path": "/"}, server.receive, server.send)
        return server.closed

    assert run(main()) == [1000]
    assert heard == [False]
