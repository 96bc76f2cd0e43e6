"""How a WebSocket and its handler end: close codes, idle connections, handlers that wait for something else."""

import asyncio
import contextlib
import gc
import logging
import time
import weakref
from typing import Any

import pytest

from micropie import App, ConnectionClosed, Controller, Mount, WebSocket, WebSocketMiddleware, limits
from micropie.testing import TestClient
from tests.client import run
from tests.wire import websocket

SOON = 3  # seconds; far more than it takes


class Script(App):
    """A socket handler given by the test, and what it has noted."""

    def __init__(self, script, **keywords):
        super().__init__(**keywords)
        self.noted = []
        self._script = script

    async def ws_index(self, ws):
        await ws.accept()
        await self._script(ws, self.noted)


def left(script, *, send=(), stay=0.0, **keywords):
    """What the handler has noted once its client has come, sent something, stayed, and left with 4001."""

    async def main():
        app = Script(script, **keywords)
        async with TestClient(app, timeout=SOON) as client, client.websocket("/") as ws:
            for message in send:
                await ws.send_text(message)
            await asyncio.sleep(stay)
            await ws.close(4001, "bye")
        return app.noted

    return run(main())


def silent_client():
    """The `receive` of a client that connects, and says nothing more."""
    events = [{"type": "websocket.connect"}]

    async def receive():
        if not events:
            await asyncio.Event().wait()
        return events.pop()

    return receive


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# Handlers that wait for something else.


async def waiting_for_a_queue(ws):
    await asyncio.Queue().get()


async def waiting_for_a_future(ws):
    await asyncio.get_running_loop().create_future()


async def waiting_for_tasks(ws):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.Event().wait())
        tasks.create_task(asyncio.sleep(60))


async def polling(ws):
    for _ in range(10_000):
        await asyncio.sleep(0.01)


async def gathering(ws):
    await asyncio.gather(asyncio.Event().wait(), asyncio.sleep(60))


WAITS = (waiting_for_a_queue, waiting_for_a_future, waiting_for_tasks, polling, gathering)


@pytest.mark.parametrize("stay", [0.0, 0.7])
@pytest.mark.parametrize("wait", WAITS)
def test_what_a_handler_waits_for_is_cancelled_when_its_client_has_left(wait, stay, caplog):
    """It is a cancellation in the handler, whose clean-up may wait; the log is told of nothing."""

    async def script(ws, noted):
        try:
            await wait(ws)
        except asyncio.CancelledError:
            noted.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0.01)
            noted.append((ws.close_code, ws.close_reason, ws.peer_left))

    assert left(script, stay=stay) == ["cancelled", (4001, "bye", True)]
    assert errors(caplog) == []


def test_messages_that_nobody_has_received_change_nothing():
    """The client may have said something before it left."""

    async def script(ws, noted):
        try:
            await asyncio.Event().wait()
        finally:
            noted.append(await ws.receive_text())

    assert left(script, send=["unread", "as well"]) == ["unread"]


def test_a_handler_is_interrupted_once():
    """Who catches the cancellation may wait again."""

    async def script(ws, noted):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(0.8)
        noted.append("done")

    assert left(script) == ["done"]


def test_what_is_shielded_is_completed():
    """The handler ends, the work goes on."""

    async def main():
        done = asyncio.Event()
        tasks = []

        async def work():
            await asyncio.sleep(1.2)
            done.set()

        async def script(ws, noted):
            tasks.append(asyncio.create_task(work()))
            await asyncio.shield(tasks[0])

        app = Script(script)
        async with TestClient(app, timeout=SOON) as client, client.websocket("/") as ws:
            await ws.close()
            assert not done.is_set()
            await asyncio.wait_for(done.wait(), SOON)

    run(main())


@pytest.mark.parametrize("act", [lambda ws: ws.receive_text(), lambda ws: ws.send_text("tick")])
def test_a_handler_that_is_told_is_not_interrupted(act):
    """After a ConnectionClosed it takes its time, whatever it waits for."""

    async def script(ws, noted):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await act(ws)
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.8)
        noted.append("done")

    assert left(script, stay=0.6) == ["done"]


def test_a_task_that_is_told_tells_its_group():
    """The group ends with ConnectionClosed, and its handler is not cancelled."""

    async def script(ws, noted):
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ws.receive_text())
                tasks.create_task(asyncio.Event().wait())
        except* ConnectionClosed:
            await asyncio.sleep(0.8)
            noted.append("told")

    assert left(script) == ["told"]


def test_a_handler_that_has_closed_may_wait_on():
    """It knows."""

    async def script(ws, noted):
        await ws.close()
        await asyncio.sleep(1.2)
        noted.append("done")

    assert left(script) == ["done"]


def test_a_cancellation_by_others_goes_on():
    """That of the connection's task, before the client has left or while the handler is being interrupted."""

    async def main(*, interrupted):
        started, ending = asyncio.Event(), asyncio.Event()

        async def script(ws, noted):
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                noted.append("ended")
                ending.set()
                if interrupted:
                    await asyncio.sleep(SOON)

        events: list[dict[str, Any]] = [{"type": "websocket.connect"}]
        if interrupted:
            events.append({"type": "websocket.disconnect", "code": 1000})

        async def receive():
            if not events:
                await asyncio.Event().wait()
            return events.pop(0)

        async def send(message):
            pass

        app = Script(script)
        task = asyncio.create_task(app({"type": "websocket", "path": "/", "headers": []}, receive, send))
        await started.wait()
        if interrupted:
            await asyncio.wait_for(ending.wait(), SOON)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return app.noted, task.cancelled()

    assert run(main(interrupted=False)) == (["ended"], True)
    assert run(main(interrupted=True)) == (["ended"], True)


def test_a_cancellation_of_a_receive_goes_on():
    """Also of one that waits behind what is read ahead."""

    async def main():
        waiting = asyncio.Event()

        async def script(ws, noted):
            await asyncio.sleep(0.6)
            waiting.set()
            await ws.receive_text()

        receive = silent_client()

        async def send(message):
            pass

        task = asyncio.create_task(Script(script)({"type": "websocket", "path": "/", "headers": []}, receive, send))
        await waiting.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert run(main())


def test_what_a_handler_raises_when_it_is_interrupted_is_its_failure(caplog):
    """An exception of the clean-up is in the log."""

    async def script(ws, noted):
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("the till is locked")

    with pytest.raises(RuntimeError, match="the till is locked"):
        left(script)
    assert len(errors(caplog)) == 1


def test_an_interrupted_handler_keeps_its_session():
    """And the hooks behind it are called: it is an end like any other."""
    seen = []

    class Seeing(WebSocketMiddleware):
        async def after_websocket(self, request):
            seen.append("hook")

    class Site(App):
        async def index(self):
            return dict(self.request.session)

        async def ws_wait(self, ws):
            self.request.session["seen"] = True
            await ws.accept()
            await asyncio.Event().wait()

    app = Site()
    app.ws_middlewares.append(Seeing())
    with TestClient(app, timeout=SOON) as client:
        with client.websocket("/wait"):
            pass
        assert client.get("/").json() == {"seen": True}
    assert seen == ["hook"]


def test_a_plain_wait_before_the_handshake_is_left_alone():
    """Nothing is read ahead of an accept."""

    class Slow(App):
        async def ws_index(self, ws):
            await asyncio.sleep(0.05)
            await ws.accept()
            await ws.send_text("hello")

    assert websocket(Slow()).sent == ["hello"]


# Idle connections.


@pytest.mark.parametrize("receive", [WebSocket.receive_text, WebSocket.receive_json, WebSocket.receive])
def test_an_idle_connection_is_closed_with_1001(receive):
    """A handler that receives gets ConnectionClosed, with the code and the reason."""

    async def script(ws, noted):
        with pytest.raises(ConnectionClosed) as caught:
            await receive(ws)
        noted.append((caught.value.code, caught.value.reason, ws.peer_left))

    assert idling(script) == ([(1001, "Idle for too long", False)], (1001, "Idle for too long"))


async def closed_with(ws):
    """The code and the reason that the application closes with, whatever it sends before."""
    try:
        while True:
            await ws.receive()
    except ConnectionClosed as closed:
        return closed.code, closed.reason


def idling(script, *, say=(), **keywords):
    """What a handler notes and what its client is closed with, when that says a few things and then nothing more."""

    async def main():
        app = Script(script, idle_timeout=0.2, **keywords)
        async with TestClient(app, timeout=SOON) as client, client.websocket("/") as ws:
            for message in say:
                await asyncio.sleep(0.1)
                await ws.send_text(message)
            return app.noted, await closed_with(ws)

    return run(main())


@pytest.mark.parametrize("wait", WAITS)
def test_an_idle_connection_ends_a_handler_that_waits_for_something_else(wait):
    """What it waits for is cancelled, as when the client leaves."""

    async def script(ws, noted):
        try:
            await wait(ws)
        finally:
            noted.append(ws.close_code)

    assert idling(script)[0] == [1001]


def test_a_loop_over_the_messages_ends_when_the_connection_is_idle():
    """What stands behind the loop runs; what was said in time is received."""

    async def script(ws, noted):
        async for message in ws:
            noted.append(message)
        noted.append("behind")

    assert idling(script, say=["a", "b", "c"])[0] == ["a", "b", "c", "behind"]


def test_what_the_application_sends_counts_as_well():
    """A connection with messages in either direction is not idle."""

    async def script(ws, noted):
        for _ in range(5):
            await asyncio.sleep(0.1)
            await ws.send_text("tick")
        noted.append("ticked")
        await ws.receive_text()

    assert idling(script)[0] == ["ticked"]


def test_messages_that_were_read_ahead_come_before_the_end():
    """A receive that waits for what follows them is told too."""

    async def script(ws, noted):
        await asyncio.sleep(0.6)
        async for message in ws:
            noted.append(message)

    async def main():
        app = Script(script, idle_timeout=0.9)
        async with TestClient(app, timeout=SOON) as client, client.websocket("/") as ws:
            await ws.send_text("early")
            with pytest.raises(ConnectionClosed):
                await ws.receive()
        return app.noted

    assert run(main()) == ["early"]


def test_an_idle_connection_of_a_task_ends_with_its_group():
    """The receive may be another task's."""

    async def script(ws, noted):
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ws.receive_text())
        finally:
            noted.append("ended")

    assert idling(script)[0] == ["ended"]


def test_a_handler_and_a_branch_have_idle_timeouts_of_their_own():
    """By the decorator, and by the attribute of a controller."""

    class Quick(Controller):
        idle_timeout = 0.05

        async def ws_index(self, ws):
            await ws.accept()
            await ws.receive_text()

        @limits(idle_timeout=None)
        async def ws_patient(self, ws):
            await ws.accept()
            await ws.send_text(await ws.receive_text())

    class Site(App):
        quick = Quick()

    with TestClient(Site(), timeout=SOON) as client:
        with client.websocket("/quick") as ws, pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert caught.value.code == 1001
        with client.websocket("/quick/patient") as ws:
            time.sleep(0.2)
            ws.send_text("late")
            assert ws.receive() == "late"


def test_a_handler_that_ends_as_its_connection_gets_idle():
    """There is nothing left to interrupt; the connection is closed for its idleness."""

    async def script(ws, noted):
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, over.set)
        time.sleep(0.4)  # noqa: ASYNC251 - both are due when others run again, this one first
        await over.wait()
        noted.append("ended")

    assert idling(script) == (["ended"], (1001, "Idle for too long"))


def test_a_refused_connection_is_not_watched():
    """Only an open one can be idle."""

    class Site(App):
        async def ws_index(self, ws):
            await ws.close(4003, "not you")
            await asyncio.sleep(0.1)

    assert websocket(Site(idle_timeout=0.05)).close == (4003, "not you")


def test_a_server_that_does_not_send_1001_gets_a_private_code():
    """Daphne sends 1000 and 3000 to 4999 only."""
    sent = []

    async def main():
        receive = silent_client()

        async def send(message):
            if message.get("code") == 1001:
                raise ValueError("invalid close code 1001")
            sent.append(message.get("code"))

        async def script(ws, noted):
            await asyncio.Event().wait()

        app = Script(script, idle_timeout=0.05)
        await asyncio.wait_for(app({"type": "websocket", "path": "/", "headers": []}, receive, send), SOON)

    run(main())
    assert sent == [None, 4001]


@pytest.mark.parametrize(("refused", "expected"), [((1001, 4001), [1000]), ((1000, 1001, 4001), [])])
def test_an_after_hook_is_called_though_an_idle_connection_can_not_be_closed(refused, expected):
    """The handler is over, whatever its server says to the close; it may still take another one."""
    sent, noted = [], []

    class Noting(WebSocketMiddleware):
        async def after_websocket(self, request):
            noted.append("after")

    async def main():
        receive = silent_client()

        async def send(message):
            if message.get("code") in refused:
                raise RuntimeError("no close")
            if message["type"] == "websocket.close":
                sent.append(message["code"])

        async def script(ws, noted):
            await asyncio.Event().wait()

        app = Script(script, idle_timeout=0.05)
        app.ws_middlewares.append(Noting())
        with contextlib.suppress(RuntimeError):
            await asyncio.wait_for(app({"type": "websocket", "path": "/", "headers": []}, receive, send), SOON)

    run(main())
    assert (sent, noted) == (expected, ["after"])


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("inf")])
def test_an_idle_timeout_is_seconds(timeout):
    """Anything else is refused when the application is made."""
    with pytest.raises(ValueError, match="idle_timeout"):
        App(idle_timeout=timeout)


# Close codes.


def test_an_open_connection_has_no_close_code():
    """Nor a reason."""
    noted = []

    class Site(App):
        async def ws_index(self, ws):
            noted.append((ws.close_code, ws.close_reason, ws.peer_left))
            await ws.accept()
            noted.append((ws.close_code, ws.close_reason, ws.peer_left))

    websocket(Site())
    assert noted == [(None, "", False)] * 2


def test_the_codes_of_the_peer_are_there_when_it_has_left():
    """Whoever notices it."""

    async def script(ws, noted):
        async for _ in ws:
            pass
        noted.append((ws.close_code, ws.close_reason, ws.peer_left))

    assert left(script) == [(4001, "bye", True)]


def test_the_codes_of_the_handler_are_its_own():
    """The client's answer to a close changes nothing."""

    async def script(ws, noted):
        await ws.close(4002, "enough")
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()
        noted.append((ws.close_code, ws.close_reason, ws.peer_left))

    assert left(script) == [(4002, "enough", False)]


def test_a_socket_made_by_hand_is_not_interrupted():
    """Nobody has asked for that."""

    async def main():
        events = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

        async def receive():
            return events.pop(0)

        async def send(message):
            pass

        ws = WebSocket(receive, send)
        await ws.accept()
        await asyncio.sleep(1.2)
        return ws.peer_left, ws.close_code

    assert run(main()) == (True, 1000)


@pytest.mark.parametrize("order", ["ab", "ba", "aab", "abb"])
def test_a_receive_behind_sends_that_fail_in_two_ways_ends(order):
    """Of one that says nothing of the client the look for its leaving has just begun when another one says it."""

    async def main():
        receive, go = silent_client(), asyncio.Event()

        async def send(message):
            if message["type"] == "websocket.send":
                await go.wait()
                raise RuntimeError("no") if message["text"] == "a" else OSError("gone")

        ws = WebSocket(receive, send)
        await ws.accept()
        sends = [asyncio.create_task(ws.send_text(text)) for text in order]
        await asyncio.sleep(0)
        go.set()
        told = await asyncio.gather(*sends, return_exceptions=True)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(ws.receive_text(), SOON)
        return {type(error) for error in told}

    assert run(main()) == {ConnectionClosed}


@pytest.mark.parametrize("leaves", ["it returns", "the client leaves", "it closes"])
def test_a_connection_that_is_over_is_freed_at_once(leaves):
    """No circle of objects is left, which would wait for the garbage collector: socket, request and scope go."""
    kept = []

    class Site(App):
        async def ws_index(self, ws):
            kept.extend([weakref.ref(ws), weakref.ref(self.request)])
            await ws.accept()
            await ws.receive_text()
            if leaves == "it closes":
                await ws.close()
            elif leaves == "the client leaves":
                await ws.receive_text()

    app = Site()
    gc.collect()
    gc.disable()
    try:
        websocket(app, send=["hello"])
        assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("has_session", [False, True])
@pytest.mark.parametrize("error", [None, LookupError()])
def test_an_accept_when_all_is_over(has_session, error):
    """A task beside the handler that accepts too late hears that the connection is closed."""

    class Site(App):
        async def ws_index(self, ws):
            if has_session:
                self.request.session["user"] = "ann"
            self.ws = ws
            if error is not None:
                raise error

    async def main():
        app = Site()
        await serve(app, [{"type": "websocket.connect"}])
        with pytest.raises(ConnectionClosed):
            await app.ws.accept()
        return app.ws.accepted

    assert run(main()) is False


async def serve(app, events):
    """Serve a connection from its first event to its end."""

    async def receive():
        return events.pop(0) if events else await asyncio.Event().wait()

    async def send(_message):
        pass

    await app({"type": "websocket", "path": "/", "headers": [], "query_string": b""}, receive, send)


def test_a_connection_that_is_cancelled_in_its_after_hook_is_waited_for_by_no_stop():
    """It is over for the server's stop, too."""

    class Slow(WebSocketMiddleware):
        def __init__(self):
            self.begun = asyncio.Event()

        async def after_websocket(self, request):
            self.begun.set()
            await asyncio.Event().wait()

    class Site(App):
        async def ws_index(self, ws):
            await ws.accept()

    async def main():
        app, slow = Site(), Slow()
        app.ws_middlewares.append(slow)
        serving = asyncio.create_task(serve(app, [{"type": "websocket.connect"}]))
        await slow.begun.wait()
        serving.cancel()
        await asyncio.wait({serving})
        background = app._micropie.router.background
        background.begin_stop()
        await asyncio.wait_for(background.until_parted(), 1)
        return serving.cancelled()

    assert run(main())


# What comes late, or in between.


class Line:
    """A connection whose client connects when it is told to, and which refuses some close codes."""

    def __init__(self, refused=()):
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent = []
        self._refused = refused

    def connect(self):
        self.events.put_nowait({"type": "websocket.connect"})

    async def send(self, message):
        await asyncio.sleep(0.01)
        if message.get("code") in self._refused:
            raise ValueError("invalid close code")
        self.sent.append((message["type"].removeprefix("websocket."), message.get("code")))

    async def serve(self, app, path="/"):
        scope = {"type": "websocket", "path": path, "headers": [], "query_string": b""}
        await app(scope, self.events.get, self.send)


def stopped_meanwhile(app, line, path="/", act=lambda line: None):
    """Serve a connection, begin a stop while its handler waits, and act then; the seconds from there to its end."""

    async def main():
        line.connect()
        serving = asyncio.create_task(line.serve(app, path))
        await asyncio.sleep(0.05)
        app._micropie.router.background.begin_stop()
        await asyncio.sleep(0)
        begun = time.monotonic()
        act(line)
        await asyncio.wait_for(serving, SOON)
        assert len(asyncio.all_tasks()) == 1
        return time.monotonic() - begun

    return run(main())


@pytest.mark.parametrize("end", ["refused", "left", "elsewhere"])
def test_a_handshake_that_leads_to_nothing_delays_no_stop(end):
    """It is refused, or its client has left, or another application has answered it: there is nothing to close."""

    async def other(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.close"})  # too late, which changes nothing

    class Site(App):
        elsewhere = Mount(other)

        async def ws_refused(self, ws):
            await asyncio.sleep(0.1)
            await ws.close(4000)

        async def ws_left(self, ws):
            await asyncio.sleep(0.1)
            await ws.accept()

    def leave(line):
        if end == "elsewhere":
            line.events.put_nowait({"type": "websocket.disconnect", "code": 1001})

    class Connecting(Line):
        def connect(self):
            self.events.put_nowait({"type": "websocket.disconnect" if end == "left" else "websocket.connect"})

    assert stopped_meanwhile(Site(), Connecting(), f"/{end}", leave) < 0.5


def test_a_stopping_server_that_does_not_send_1001_sends_a_private_code():
    """Daphne sends 1000 and 3000 to 4999 only."""

    async def script(ws, noted):
        await asyncio.Event().wait()

    line = Line(refused=(1001,))
    stopped_meanwhile(Script(script), line)
    assert line.sent == [("accept", None), ("close", 4001)]


def test_a_close_that_a_client_never_takes_is_left_behind_by_no_stop():
    """It has a second, then nobody waits for it any more."""

    class Stuck(Line):
        async def send(self, message):
            if message["type"] == "websocket.close":
                await asyncio.Event().wait()

    async def script(ws, noted):
        await asyncio.Event().wait()

    assert 1 < stopped_meanwhile(Script(script), Stuck()) < 2.5


@pytest.mark.parametrize("ends", [4000, 1000])
def test_a_send_behind_the_end_never_reaches_the_server(ends):
    """A task beside the handler finds the connection closed, by whomever."""
    told = []

    async def speak(ws):
        await asyncio.sleep(0.1)
        for send in (ws.send_text("late"), ws.send_bytes(b"late"), ws.send_json("late")):
            with pytest.raises(RuntimeError, match="closed"):
                await send
            told.append((ws.closed, ws.close_code, ws.peer_left))

    async def script(ws, noted):
        noted.append(asyncio.create_task(speak(ws)))
        if ends != 1000:
            await ws.close(ends)

    async def main():
        app, line = Script(script), Line()
        line.connect()
        await line.serve(app)
        await asyncio.wait_for(app.noted[0], SOON)
        return line.sent

    assert run(main()) == [("accept", None), ("close", ends)]
    assert told == [(True, ends, False)] * 3


def test_an_accept_behind_a_refusal_never_reaches_the_server():
    """The server has said that somebody connects only when another task has refused that."""

    async def main():
        line = Line()
        ws = WebSocket(line.events.get, line.send)
        accepting = asyncio.create_task(ws.accept())
        await asyncio.sleep(0)
        await ws.close(4000)
        line.connect()
        with pytest.raises(ConnectionClosed):
            await accepting
        return line.sent, ws.accepted

    assert run(main()) == ([("close", 4000)], False)


def test_an_accept_on_its_way_opens_nothing_that_is_closed_meanwhile():
    """Another task has closed: no more is sent, and nobody looks for the client's leaving."""

    class Slow(Line):
        async def send(self, message):
            await asyncio.sleep(0.05 if message["type"] == "websocket.accept" else 0)
            await super().send(message)

    async def main():
        line = Slow()
        line.connect()
        ws = WebSocket(line.events.get, line.send)
        accepting = asyncio.create_task(ws.accept())
        await asyncio.sleep(0.005)
        await ws.close(4000)
        await accepting
        with pytest.raises(RuntimeError, match="closed"):
            await ws.send_text("late")
        await asyncio.sleep(0.6)
        assert len(asyncio.all_tasks()) == 1
        return line.sent

    assert sorted(run(main())) == [("accept", None), ("close", 4000)]


def test_a_close_to_a_client_that_is_gone_is_a_close():
    """The server says so by an OSError (ASGI 2.4): there is nothing left to do."""

    class Gone(Line):
        async def send(self, message):
            if message["type"] == "websocket.close":
                raise OSError

    async def main():
        line = Gone()
        line.connect()
        ws = WebSocket(line.events.get, line.send)
        await ws.accept()
        await ws.close(4000, "bye")
        return ws.closed, ws.close_code, ws.close_reason, ws.peer_left

    assert run(main()) == (True, 4000, "bye", False)
