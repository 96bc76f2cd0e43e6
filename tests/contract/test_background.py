"""`after_reply`, `spawn` and `request.stopping`."""

import asyncio
import gc
import os
import signal
import threading
from contextlib import contextmanager
from typing import Any

import pytest

from micropie import (
    App,
    ConnectionClosed,
    HTTPError,
    Mount,
    Request,
    ServerSentEvent,
    Service,
    Stopping,
    after_reply,
    spawn,
    stopping,
)
from micropie.testing import TestClient
from tests.client import http, run, visitor
from tests.wire import websocket, wire


async def is_cancelled(app, path="/"):
    """Cancel a request in the midst of it, as a server may; whether it ends by that."""
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    serving = asyncio.create_task(app(scope, forever, lambda message: asyncio.sleep(0)))
    await asyncio.sleep(0.02)
    serving.cancel()
    await asyncio.wait({serving})
    return serving.cancelled()


async def forever():
    """The messages of a client that says nothing."""
    return await asyncio.Queue[Any]().get()


# -- after_reply ----------------------------------------------------------------------------------------


class Noting(App):
    """Notes what is called after its replies."""

    def __init__(self):
        super().__init__()
        self.notes = []

    async def _note(self, *what):
        self.notes.append((*what, self.request.scope["path"]))

    def _note_in_thread(self, what):
        self.notes.append((what, threading.current_thread() is threading.main_thread()))

    async def _fail(self):
        raise LookupError("nobody is there")

    async def _exit(self):
        raise SystemExit(3)

    async def index(self):
        after_reply(self._note, "first")
        after_reply(self._note_in_thread, "second")
        after_reply(self._fail)
        after_reply(self._exit)
        after_reply(self._note, "last", 2)
        assert self.notes == []
        return "Hello"

    def thread(self):
        after_reply(self._note, "of a thread")
        return "Hello"

    async def chained(self):
        async def again():
            after_reply(self._note, "again")

        after_reply(again)

    async def refused(self):
        after_reply(self._note, "refused")
        raise HTTPError(403)

    async def fails(self):
        after_reply(self._note, "failed")
        raise RuntimeError("no order")

    async def stream(self):
        after_reply(self._note, "streamed")
        yield "a"
        assert self.notes == []
        yield "b"

    async def breaks(self):
        after_reply(self._note, "broken")
        yield "a"
        raise RuntimeError("no more")

    async def hangs(self):
        after_reply(self._note, "cancelled")
        await asyncio.Event().wait()

    async def hangs_on(self):
        after_reply(self._note, "cancelled")
        yield "a"
        await asyncio.Event().wait()

    async def upload(self, file):
        after_reply(self._note, file["filename"])
        return "kept"

    async def ws_index(self, ws):
        await ws.accept()
        after_reply(self._note, "conversed")
        await ws.send_text("Hello")
        assert self.notes == []

    async def ws_fails(self, ws):
        after_reply(self._note, "failed")
        raise RuntimeError("no handshake")

    async def ws_breaks(self, ws):
        after_reply(self._note, "failed")
        await ws.accept()
        raise RuntimeError("no words")

    async def ws_closes(self, ws):
        after_reply(self._note, "told")
        await ws.accept()
        raise HTTPError(403)


def test_calls_after_the_reply(caplog):
    """They are made in order, each whatever became of the one before, with `self.request`."""
    app = Noting()
    assert http(app).text == "Hello"
    assert app.notes == [("first", "/"), ("second", False), ("last", 2, "/")]
    named = [record.getMessage() for record in caplog.records]
    assert named == [
        "Noting._fail, called after the reply to GET '/' in Noting.index, failed",
        "Noting._exit, called after the reply to GET '/' in Noting.index, failed",
    ]
    assert "nobody is there" in caplog.text


@pytest.mark.parametrize(
    ("path", "notes"),
    [
        ("/thread", [("of a thread", "/thread")]),
        ("/chained", [("again", "/chained")]),
        ("/refused", [("refused", "/refused")]),
        ("/fails", []),
        ("/stream", [("streamed", "/stream")]),
    ],
)
def test_calls_after_replies_of_all_kinds(path, notes):
    """From threads, from calls, behind a refusal and the end of a stream; not if the handler has failed."""
    app = Noting()
    http(app, path=path)
    assert app.notes == notes


def test_no_calls_after_a_stream_that_breaks():
    """Its handler has failed, though its start is out."""
    app = Noting()
    assert not wire(app, path="/breaks", raises=RuntimeError).is_complete
    assert app.notes == []


@pytest.mark.parametrize(
    ("path", "notes"),
    [("/fails", []), ("/breaks", []), ("/closes", [("told", "/closes")]), ("/", [("conversed", "/")])],
)
def test_no_calls_after_a_websocket_that_fails(path, notes):
    """Neither before nor behind the handshake; they are made if it has been told why it is closed."""
    app = Noting()
    websocket(app, path)
    assert app.notes == notes


@pytest.mark.parametrize("path", ["/hangs", "/hangs_on"])
def test_no_calls_after_a_handler_that_is_cancelled(path):
    """There is no reply, or no end of it, that they could come after."""

    async def main():
        app = Noting()
        return await is_cancelled(app, path), app.notes

    assert run(main()) == (True, [])


@pytest.mark.needs("multipart")
def test_calls_after_an_upload():
    """A reply to a multipart form is a reply, too."""
    app = Noting()
    http(app, "POST", "/upload", files={"file": ("a.txt", b"text", "text/plain")})
    assert app.notes == [("a.txt", "/upload")]


def test_calls_after_a_websocket():
    """They are made when the connection is closed."""

    async def main():
        app = Noting()
        async with visitor(app) as client, client.websocket("/") as ws:
            assert await ws.receive_text() == "Hello"
        assert app.notes == [("conversed", "/")]

    run(main())


def test_calls_come_after_what_is_sent():
    """The reply is out when the first call is made."""
    events: list[str] = []

    class Site(App):
        async def index(self):
            after_reply(events.append, "called")
            return "Hello"

    async def main():
        async def send(message):
            events.append(message["type"])

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await Site()(scope, lambda: asyncio.sleep(0, {"type": "http.request", "body": b""}), send)

    run(main())
    assert events == ["http.response.start", "http.response.body", "called"]


def test_a_call_of_an_object(caplog):
    """What has no name of its own is shown as it is."""

    class Callback:
        def __call__(self):
            raise ValueError("no")

        def __repr__(self):
            return "<the callback>"

    class Site(App):
        async def index(self):
            after_reply(Callback())
            return "Hello"

    assert http(Site()).text == "Hello"
    assert "<the callback>, called after the reply to GET '/' in" in caplog.text
    with pytest.raises(LookupError):
        after_reply(print)


def test_what_is_no_function_is_refused():
    """A call in place of a function is told at once."""

    class Site(App):
        async def index(self):
            nothing: Any = None
            after_reply(nothing)

    async def main():
        async with TestClient(Site()) as client:
            with pytest.raises(TypeError, match="takes a function and its arguments, None is none"):
                await client.get("/")

    run(main())


def test_a_request_that_is_cancelled_leaves_its_calls_to_the_application():
    """What was begun after the reply goes on, and the shutdown waits for it."""
    notes = []

    class Site(App):
        async def _slow(self):
            await asyncio.sleep(0.1)
            notes.append("done")

        async def index(self):
            after_reply(self._slow)
            return "Hello"

    async def main():
        app = Site()
        async with TestClient(app):
            assert (await is_cancelled(app), notes) == (True, [])
        assert notes == ["done"]

    run(main())


def test_a_request_that_is_cancelled_while_its_values_are_closed_leaves_its_calls_too():
    """Its reply is out by then."""
    notes: list[str] = []

    class Connection:
        @classmethod
        async def __provide__(cls, request):
            yield cls()
            await asyncio.sleep(5)

    class Site(App):
        async def index(self, connection: Connection):
            after_reply(notes.append, "called")
            return "Hello"

    async def main():
        app = Site()
        async with TestClient(app):
            cancelled = await is_cancelled(app)
        return cancelled, notes

    assert run(main()) == (True, ["called"])


# -- spawn ----------------------------------------------------------------------------------------------


class Spawning(App):
    def __init__(self):
        super().__init__()
        self.notes = []
        self.startup_handlers.append(self._begin)
        self.shutdown_handlers.append(self._end)

    async def _begin(self):
        spawn(self._note("spawned at startup", 0.01))

    async def _end(self):
        self.notes.append("shutdown")

    async def _note(self, what, seconds):
        await asyncio.sleep(seconds)
        self.notes.append(what)

    async def _forever(self):
        try:
            await asyncio.Event().wait()
        finally:
            self.notes.append("cancelled")

    async def _raise(self, error):
        raise error

    async def index(self):
        task = spawn(self._note("spawned", 0.05), name="noting")
        return task.get_name()

    async def result(self):
        return await spawn(asyncio.sleep(0, "result"))

    async def forever(self):
        spawn(self._forever())

    async def many(self):
        for _ in range(12):
            spawn(self._forever())

    async def cancelled(self):
        spawn(self._note("never", 0)).cancel()

    async def following(self):
        spawn(self._note_and_follow())

    async def _note_and_follow(self):
        await self._note("spawned", 0.03)
        spawn(self._note("its own", 0.03))

    async def fails(self):
        spawn(self._raise(LookupError("nobody is there")))

    async def exits(self):
        spawn(self._raise(SystemExit(3)))

    async def whose(self):
        async def note_path():
            self.notes.append(self.request.scope["path"])

        spawn(note_path())

    def thread(self):
        spawn(self._note("never", 0))

    async def no_coroutine(self):
        function: Any = print
        spawn(function)


def notes_after(path):
    async def main():
        app = Spawning()
        async with visitor(app) as client:
            reply = await client.get(path)
        return reply, app.notes

    return run(main())


def test_the_shutdown_waits_for_spawned_tasks():
    """They end before the shutdown handlers run."""
    reply, notes = notes_after("/")
    assert (reply.text, notes) == ("noting", ["spawned at startup", "spawned", "shutdown"])


def test_the_shutdown_waits_for_what_a_task_has_spawned(caplog):
    """Also if that was in the middle of the stop: it has what is left of the time."""
    _, notes = notes_after("/following")
    assert notes == ["spawned at startup", "spawned", "its own", "shutdown"]
    assert "did not end in time" not in caplog.text


def test_a_spawned_task_is_a_task():
    """Its result can be awaited."""
    assert notes_after("/result")[0].text == "result"


def test_a_task_that_does_not_end_is_cancelled(caplog):
    """It is named in the log, of many only some; the shutdown goes on."""
    _, notes = notes_after("/forever")
    assert notes == ["spawned at startup", "cancelled", "shutdown"]
    assert "did not end in time: Spawning._forever" in caplog.text
    _, notes = notes_after("/many")
    assert notes.count("cancelled") == 12
    assert "Spawning._forever and 2 more" in caplog.text


@pytest.mark.filterwarnings("error")
def test_a_task_that_is_cancelled_before_it_begins_is_none():
    """Nothing complains of a coroutine that was never awaited."""
    assert notes_after("/cancelled")[1] == ["spawned at startup", "shutdown"]
    gc.collect()


def test_a_task_that_fails_is_logged(caplog):
    """With its traceback; `sys.exit()` in it does not end the server."""
    notes_after("/fails")
    assert "The background task Spawning._raise failed" in caplog.text
    assert "LookupError: nobody is there" in caplog.text
    notes_after("/exits")
    assert "RuntimeError: The task raised SystemExit(3)" in caplog.text


def test_a_task_knows_its_request():
    """`self.request` is the one that has spawned it."""
    assert "/whose" in notes_after("/whose")[1]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/thread", "RuntimeError: spawn() is for async def: in a thread, after_reply() takes calls"),
        ("/no_coroutine", "TypeError: spawn() takes a coroutine, as in spawn(refresh()), <built-in function print>"),
    ],
)
def test_what_can_not_be_spawned(path, told, caplog):
    """It is told at once, with what to do."""
    assert notes_after(path)[0].status_code == 500
    assert told in caplog.text


def test_a_task_needs_an_owner():
    """Outside of requests and startups no application would know of it."""

    async def main():
        with pytest.raises(RuntimeError, match=r"spawn\(\) is for handlers and startup handlers"):
            spawn(asyncio.sleep(0))

    run(main())


async def until_closed(ws):
    """Receive until the server closes."""
    while True:
        await ws.receive_text()


class Looping(App):
    """Its loops tidy up, and sleep in between."""

    def __init__(self, seconds=60.0):
        super().__init__()
        self.startup_handlers.append(self._begin)
        self.shutdown_handlers.append(self._end)
        self.seconds = seconds
        self.notes = []
        self.busy = asyncio.Event()

    async def _begin(self):
        spawn(self._tidy_up("startup"))

    async def _end(self):
        self.notes.append("shutdown")

    async def _tidy_up(self, what):
        while await stopping().sleep(self.seconds):
            self.notes.append(what)
        self.notes.append(f"{what} ends")

    async def _work(self):
        self.busy.set()
        await asyncio.sleep(0.05)
        self.notes.append("done")
        assert not await stopping().sleep(60)

    async def index(self):
        spawn(self._tidy_up("request"))

    async def work(self):
        spawn(self._work())
        await self.busy.wait()

    def thread(self):
        return str(bool(stopping()))


def looped(path, seconds=60.0):
    async def main():
        app = Looping(seconds)
        async with visitor(app) as client:
            reply = await client.get(path)
            if seconds < 1:
                await asyncio.sleep(0.05)
        return reply.text, app.notes

    return run(main())


@pytest.mark.parametrize(
    ("path", "notes"),
    [("/", ["startup ends", "request ends", "shutdown"]), ("/work", ["startup ends", "done", "shutdown"])],
)
def test_a_loop_that_sleeps_ends_at_once(path, notes, caplog):
    """When the stop begins, whoever has spawned it; work that is under way is done."""
    assert looped(path)[1] == notes
    assert "did not end in time" not in caplog.text  # as it is said after the second that a test client gives a stop


def test_a_loop_goes_round_until_then():
    """Each time that it has slept."""
    _, notes = looped("/thread", 0.01)
    assert notes.count("startup") > 1
    assert notes[-2:] == ["startup ends", "shutdown"]


def test_the_stop_in_a_thread():
    """A sync handler may look at it."""
    assert looped("/thread")[0] == "False"


def test_nothing_stops_outside_of_an_application():
    """It is told at once, with what to do."""
    with pytest.raises(RuntimeError, match=r"stopping\(\) is for what is spawned"):
        stopping()


# -- stopping -------------------------------------------------------------------------------------------


@contextmanager
def stop_signals():
    """The SIGTERMs that reach a server, which handles them as Uvicorn does."""
    signals = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)


class Waiting(App):
    def __init__(self, below=None):
        super().__init__()
        self.notes = []

    async def index(self):
        assert not self.request.stopping
        await self.request.stopping
        await self.request.stopping
        assert self.request.stopping
        return "stopped"

    async def task(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.request.stopping.wait())
        return "stopped"

    async def gives_up(self):
        try:
            await asyncio.wait_for(self.request.stopping, 0.01)
        except TimeoutError:
            return "given up"

    async def events(self):
        yield ServerSentEvent("hello")
        try:
            await asyncio.sleep(60)
        finally:
            self.notes.append("closed")

    async def text_events(self):
        return 200, self._texts(), [("Content-Type", "text/event-stream; charset=utf-8")]

    async def _texts(self):
        yield "data: hello\n\n"
        await asyncio.sleep(60)

    async def clinging_events(self):
        yield ServerSentEvent("hello")
        for _ in range(3):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                yield ServerSentEvent("still here")

    async def silent_events(self):
        await asyncio.sleep(60)
        yield ServerSentEvent("never")

    async def waiting_events(self):
        self.request.start_waits = True
        await asyncio.sleep(60)
        yield ServerSentEvent("never")

    async def minding_events(self):
        assert not self.request.stopping
        yield ServerSentEvent("hello")
        await asyncio.sleep(60)

    async def parting_events(self):
        yield ServerSentEvent("hello")
        await self.request.stopping
        await asyncio.sleep(0.1)
        yield ServerSentEvent("goodbye")

    async def lines(self):
        yield {"a": 1}
        await asyncio.sleep(0.2)
        yield {"b": 2}

    async def ws_index(self, ws):
        await ws.accept()
        try:
            await ws.receive_text()
        finally:
            self.notes.append("left")

    async def ws_minds(self, ws):
        assert not self.request.stopping
        await ws.accept()
        await ws.receive_text()

    async def ws_waits(self, ws):
        await ws.accept()
        await asyncio.sleep(60)

    async def ws_sends(self, ws):
        await ws.accept()
        while True:
            await ws.send_text("more")
            await asyncio.sleep(0.01)


def text_at_stop(path, accept="text/event-stream", app=None):
    """The whole reply to a request that is in flight when the application stops."""

    async def main():
        async with visitor(app or Waiting()) as client:
            asking = asyncio.create_task(client.get(path, headers={"Accept": accept}))
            await asyncio.sleep(0.05)
        return (await asking).text

    return run(main())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "stopped"),
        ("/task", "stopped"),
        ("/gives_up", "given up"),
        ("/events", "data: hello\n\n"),
        ("/text_events", "data: hello\n\n"),
        ("/clinging_events", "data: hello\n\n"),
        ("/silent_events", ""),
        ("/waiting_events", ""),
        ("/minding_events", "data: hello\n\n"),
    ],
)
def test_requests_at_the_stop(path, text):
    """Handlers may wait for it; streams of events end whole, whatever they wait for."""
    assert text_at_stop(path) == text


def test_other_streams_run_on():
    """What is no stream of events has an end of its own."""
    assert text_at_stop("/lines", accept="application/x-ndjson") == '{"a":1}\n{"b":2}\n'


def test_a_stream_that_begins_while_the_server_stops():
    """It is whole too: what it has at once, and its end."""

    async def main():
        with stop_signals() as signals:
            async with visitor(Waiting()) as client:
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(0.02)
                assert signals == [signal.SIGTERM]
                assert (await client.get("/events", headers={"Accept": "text/event-stream"})).text == "data: hello\n\n"

    run(main())


@pytest.mark.parametrize("path", ["/", "/minds", "/waits", "/sends"])
def test_websockets_at_the_stop(path):
    """They are closed with 1001, and their handlers end, whatever they wait for; nothing has failed."""

    async def main():
        with stop_signals() as signals:
            async with TestClient(Waiting()) as client, client.websocket(path) as ws:
                os.kill(os.getpid(), signal.SIGTERM)
                with pytest.raises(ConnectionClosed) as closed:
                    await until_closed(ws)
                assert (closed.value.code, closed.value.reason) == (1001, "The server stops")
            assert signals == [signal.SIGTERM]

    run(main())


def test_everybody_is_told():
    """Services, the applications below, and those that are no longer a request's."""
    told = []

    class Listening(Service):
        def __init__(self, name, error=None):
            self.name, self.error = name, error

        def begin_stop(self):
            told.append(self.name)
            if self.error is not None:
                raise self.error

    class Inner(App):
        service = Listening("inner")

        async def index(self):
            await self.request.stopping
            return "inner stopped"

    class Outer(App):
        service = Listening("outer", ValueError("no"))
        inner = Inner()
        other = Mount(Inner())

    assert text_at_stop("/inner", app=Outer()) == "inner stopped"
    assert told == ["outer", "inner", "inner"]


def test_a_stream_that_asks_for_the_stop_ends_by_itself():
    """It has a moment for its last words, where others are ended at once."""
    assert text_at_stop("/parting_events") == "data: hello\n\ndata: goodbye\n\n"


def test_an_application_starts_again():
    """The stop is over then."""

    async def main():
        app = Waiting()
        for _ in range(2):
            async with visitor(app) as client:
                assert (await client.get("/gives_up")).text == "given up"

    run(main())


def test_requests_without_an_application():
    """A request that nobody serves never stops, and has no application."""
    request = Request({"type": "http", "method": "GET"})
    assert not request.stopping
    assert isinstance(request.stopping, Stopping)
    with pytest.raises(LookupError, match="not routed yet"):
        request.app  # noqa: B018 - it is the looking that fails


def test_the_application_of_a_request():
    """`request.app` is the one that serves it, of several the innermost."""

    class Inner(App):
        async def index(self):
            return type(self.request.app).__name__

    class Outer(Inner):
        inner = Inner()

    assert (http(Outer()).text, http(Outer(), path="/inner").text) == ("Outer", "Inner")


def test_the_time_that_a_stop_may_take(monkeypatch):
    """A server that is not `micropie run` may be followed by a variable of the environment."""
    notes = []

    class Site(App):
        async def _forever(self):
            try:
                await asyncio.Event().wait()
            finally:
                notes.append("cancelled")

        async def index(self):
            spawn(self._forever())

    async def main():
        app = Site()
        events: asyncio.Queue[Any] = asyncio.Queue()
        answers: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = asyncio.create_task(app({"type": "lifespan"}, events.get, answers.put))
        events.put_nowait({"type": "lifespan.startup"})
        started = await answers.get()
        if started["type"] == "lifespan.startup.complete":
            scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
            await app(scope, events.get, lambda message: asyncio.sleep(0))
            events.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait_for(answers.get(), 2)
        await lifespan
        return started

    monkeypatch.setenv("MICROPIE_GRACEFUL_TIMEOUT", "0.1")
    run(main())
    assert notes == ["cancelled"]
    monkeypatch.setenv("MICROPIE_GRACEFUL_TIMEOUT", "soon")
    assert run(main())["message"] == "MICROPIE_GRACEFUL_TIMEOUT='soon': seconds are wanted"
