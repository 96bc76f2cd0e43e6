"""Applications that misbehave: hooks, backends and streams that raise, never end, or ignore what they are told.

Whatever they do, the server sees one legal reply, the client learns nothing, and nothing is left behind.
"""

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
from typing import Any

import pytest

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, Mount, SessionBackend
from tests.client import http, run
from tests.wire import awire, wire

MARKER = "internal-marker"
FAILED = "500 Internal Server Error"


class Site(App):
    """Handlers for the hooks and backends to spoil."""

    async def index(self):
        return "index"

    async def visit(self):
        self.request.session["seen"] = True
        return "noted"

    async def look(self):
        return dict(self.request.session)

    async def stream(self):
        yield "a"
        yield "b"

    async def json(self):
        return {"a": 1}


def site(*middlewares, backend=None):
    """Give the application with these hooks."""
    app = Site(backend)
    app.middlewares.extend(middlewares)
    return app


class Before(HttpMiddleware):
    def __init__(self, action):
        self.action = action

    async def before_request(self, request):
        return self.action(request)


class After(HttpMiddleware):
    def __init__(self, action):
        self.action = action

    async def after_request(self, request, status_code, response_body, extra_headers):
        return self.action(extra_headers)


def raising(error):
    """Give a function that raises it."""

    def action(*_):
        raise error

    return action


ERRORS = [
    RuntimeError(MARKER),
    OSError(MARKER),
    ConnectionRefusedError(MARKER),
    TimeoutError(MARKER),
    UnicodeDecodeError("utf-8", b"x", 0, 1, MARKER),
    ExceptionGroup(MARKER, [ValueError(MARKER)]),
    StopAsyncIteration(MARKER),
    MemoryError(MARKER),
    SystemExit(MARKER),
]
PATHS = ["/", "/visit", "/look", "/stream", "/json", "/nowhere"]


# Handlers.


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("sync", [True, False])
def test_a_handler_may_raise_anything(method, error, sync):
    """Any exception is a bare 500, in a thread or on the loop."""

    class Raising(App):
        async def a(self):
            raise error

        def s(self):
            raise error

    answer = http(Raising(), method, "/s" if sync else "/a")
    assert (answer.status_code, answer.text) == (500, "" if method == "HEAD" else FAILED)


@pytest.mark.parametrize("threads", [0, 1])
def test_a_handler_may_raise_stop_iteration(threads):
    """What no coroutine and no future can carry is a 500 too."""

    class Raising(App):
        async def a(self):
            raise StopIteration(MARKER)

        def s(self):
            raise StopIteration(MARKER)

    app = Raising(sync_threads=threads)
    assert [http(app, path=path).status_code for path in ("/a", "/s")] == [500, 500]


def test_a_cancellation_that_is_not_ours_is_500():
    """A handler that waits for a task which somebody cancels has failed; the request itself is not cancelled."""

    class Cancelled(App):
        async def direct(self):
            raise asyncio.CancelledError(MARKER)

        async def awaited(self):
            task = asyncio.ensure_future(asyncio.sleep(60))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

    for path in ("/direct", "/awaited"):
        answer = http(Cancelled(), path=path)
        assert (answer.status_code, answer.text) == (500, FAILED)


@pytest.mark.parametrize(
    "result",
    [
        object(),
        (200,),
        (),
        (1, 2, 3, 4),
        ("200", "x"),
        (None, "x"),
        (True, "x"),
        (99, "x"),
        (600, "x"),
        (-1, "x"),
        (10**30, "x"),
        (200.0, "x"),
        (200, object()),
        (200, "x", "ab"),
        (200, "x", 5),
        (200, "x", [("a",)]),
        (200, "x", [("a", "b", "c")]),
        (200, "x", ["ab"]),
        (200, "x", [None]),
        {"a": object()},
        {object(): 1},
        {1, 2},
        "\ud800",
        ["\ud800"],
        (200, "\udfff", [("a", "b")]),
        lambda: 1,
        App,
        1j,
    ],
    ids=lambda result: repr(result)[:30],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("session", [True, False])
def test_a_result_that_means_nothing_is_500(method, result, session):
    """A wrong shape, status or value never reaches the wire in part."""

    class Wrong(App):
        async def index(self):
            if session:
                self.request.session["a"] = 1
            return result

    answer = http(Wrong(), method)
    assert (answer.status_code, answer.text) == (500, "" if method == "HEAD" else FAILED)
    assert answer.headers.get("set-cookie") is None


def test_a_circle_is_500():
    """A value that contains itself has no JSON."""

    class Circle(App):
        async def index(self):
            circle: list[Any] = [float("nan")]
            circle.append(circle)
            return circle

    assert http(Circle()).status_code == 500


class Splitting(App):
    """Puts a text wherever a header is made of one."""

    def __init__(self, text):
        super().__init__()
        self._text = text

    async def value(self):
        return 200, "x", [("X-Value", self._text)]

    async def bytes(self):
        return 200, "x", [(b"x-value", self._text.encode())]

    async def name(self):
        return 200, "x", [(self._text, "value")]

    async def stream(self):
        return 200, iter(["x"]), [("X-Value", self._text), (self._text, "value")]

    async def location(self):
        return self._redirect(self._text)

    async def extra(self):
        return self._redirect("/", [("X-Value", self._text)])

    async def error(self):
        raise HTTPError(400, self._text, [("X-Value", self._text), (self._text, "value")])

    async def kind(self):
        return 200, "x", [("Content-Type", self._text)]


HARMLESS = {"content-type", "content-length", "location", "vary", "x-content-type-options"}


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\0b", "\r\n\r\n<html>", "a\x0bb", "a\x7f"])
@pytest.mark.parametrize("path", [name for name in vars(Splitting) if not name.startswith("_")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_value_splits_a_header(method, path, text):
    """Neither in names nor in values, of a tuple, a redirect or an HTTPError."""
    assert {name for name, _ in http(Splitting(text), method, f"/{path}").headers.multi_items()} <= HARMLESS


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\0b"])
def test_no_hook_splits_a_header(text):
    """The same for what a hook appends."""
    answer = http(site(After(lambda headers: headers.append(("X-Value", text)))))
    assert (answer.status_code, answer.headers.get_list("x-value")) == (200, [])


@pytest.mark.parametrize(
    "values", [["5", "5"], ["5", "x"], ["abc"], [""], ["-1"], ["+5"], ["5, 5"], ["5 "], ["\u0665"]]
)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_reply_has_at_most_one_length(method, stream, values):
    """And that is a number: two lengths, or none that can be read, let proxies disagree where the reply ends."""

    class Measuring(App):
        async def index(self):
            return 200, iter(["hello"]) if stream else "hello", [("Content-Length", value) for value in values]

    length = http(Measuring(), method).headers.get("content-length")
    assert length in {None, "5"}


@pytest.mark.parametrize(
    "location",
    [
        "\ud800",
        "http://[",
        "http://[::1",
        "//",
        "///",
        "http://ä" * 50,
        "http://" + "ä" * 5000,
        "\\\\evil",
        "http://a@b:c@d",
    ],
)
def test_any_text_is_a_location(location):
    """A redirect to nonsense is nonsense in ASCII, not an error."""

    class Redirecting(App):
        async def index(self):
            return self._redirect(location)

    answer = http(Redirecting())
    assert answer.status_code == 302
    assert (answer.headers["location"] or "").isascii()


@pytest.mark.parametrize("error", [HTTPError("x"), HTTPError(None), HTTPError(99), HTTPError(600), HTTPError(True)])
def test_an_impossible_http_error_is_500(error):
    """A status that HTTP doesn't know is the application's fault."""

    class Raising(App):
        async def index(self):
            raise error

    answer = http(Raising())
    assert (answer.status_code, answer.text) == (500, FAILED)


@pytest.mark.parametrize("headers", ["x", [("a",)], [None], [("a", "b", "c")]])
def test_impossible_headers_of_an_http_error_are_500(headers):
    """The same for its headers."""

    class Raising(App):
        async def index(self):
            raise HTTPError(400, "x", headers)

    assert http(Raising()).status_code == 500


# Hooks.


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("hook", [Before, After])
@pytest.mark.parametrize("path", PATHS)
def test_a_hook_may_raise_anything(path, hook, error):
    """A hook that raises makes a bare 500 of whatever the reply was."""
    answer = http(site(hook(raising(error))), path=path)
    assert (answer.status_code, answer.text) == (500, FAILED)
    assert answer.headers.get("set-cookie") is None


@pytest.mark.parametrize("path", PATHS)
def test_a_before_hook_may_refuse(path):
    """An HTTPError of a hook is an answer, like a handler's."""
    answer = http(site(Before(raising(HTTPError(403, "No")))), path=path)
    assert (answer.status_code, answer.text) == (403, "403 Forbidden: No")


WRONG_ANSWERS = [
    True,
    1,
    "text",
    ["list"],
    ("status_code", 200),
    {"status_code": "200"},
    {"status_code": None},
    {"status_code": 0},
    {"status_code": 1000},
    {"body": object()},
    {"body": "\ud800"},
    {"body": {"a": object()}},
    {"headers": "text"},
    {"headers": 5},
    {"headers": [("a",)]},
    {"headers": [None]},
]


@pytest.mark.parametrize("change", WRONG_ANSWERS, ids=repr)
@pytest.mark.parametrize("hook", [Before, After])
@pytest.mark.parametrize("path", ["/", "/visit", "/nowhere"])
def test_a_wrong_answer_of_a_hook_is_500(path, hook, change):
    """What is no dict, or names what cannot be, never reaches the wire in part."""
    answer = http(site(hook(lambda _: change)), path=path)
    assert (answer.status_code, answer.text) == (500, FAILED)


@pytest.mark.parametrize("item", ["abc", ("a",), ("a", "b", "c"), None, 5, (), [[]]], ids=repr)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_a_hook_appends_must_be_a_header(method, path, item):
    """A malformed header in the list is a 500, or dropped, but never an exception in the server."""
    answer = http(site(After(lambda headers: headers.append(item))), method, path)
    assert answer.status_code in {200, 404, 500}


@pytest.mark.parametrize("item", [("X-Number", 5), (b"x-number", b"5"), ["X-Number", "5"], (b"x-number", 5)], ids=repr)
@pytest.mark.parametrize("path", ["/", "/visit", "/stream", "/nowhere"])
def test_a_header_that_a_hook_appends_may_be_of_any_type(path, item):
    """What works without a session works with one."""
    assert http(site(After(lambda headers: headers.append(item))), path=path).headers["x-number"] == "5"


@pytest.mark.parametrize("action", [list.clear, lambda headers: headers.extend([("a", "b")] * 1000)])
@pytest.mark.parametrize("path", PATHS)
def test_a_hook_may_do_what_it_likes_with_the_headers(path, action):
    """The list is the reply's own."""
    app = site(After(action))
    assert [http(app, path=path).status_code for _ in range(3)] == [http(Site(), path=path).status_code] * 3


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("hook", [Before, After])
def test_the_hooks_around_one_that_raises_are_paired(hook, position):
    """What was entered is left, whoever raises, and never twice."""
    calls: list[str] = []

    class Counting(HttpMiddleware):
        def __init__(self, name):
            self.name = name

        async def before_request(self, request):
            calls.append(f"+{self.name}")

        async def after_request(self, request, status_code, response_body, extra_headers):
            calls.append(f"-{self.name}")

    hooks: list[HttpMiddleware] = [Counting("a"), Counting("b")]
    hooks.insert(position, hook(raising(RuntimeError(MARKER))))
    assert http(site(*hooks)).status_code == 500
    assert sorted(calls, key=lambda call: call[1]) in (
        [[], ["+a", "-a"], ["+a", "-a", "+b", "-b"]][position : position + 1]
        if hook is Before
        else [["+a", "+b"], ["+a", "-a", "+b"], ["+a", "-a", "+b", "-b"]]
    )


# Session backends.


class Broken(SessionBackend):
    """Raises where it is told to, and knows every id."""

    def __init__(self, where, error):
        self.where, self.error = where, error

    def _pass(self, where):
        if where == self.where:
            raise self.error

    async def load(self, session_id):
        self._pass("load")
        return {"user": "alice"}

    async def save(self, session_id, data, timeout):
        self._pass("save")

    async def touch(self, session_id, timeout):
        self._pass("touch")


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize(
    ("where", "path"),
    [("load", path) for path in PATHS]
    + [("touch", "/"), ("touch", "/stream"), ("touch", "/nowhere"), ("save", "/visit")],
)
def test_a_backend_may_raise_anything(where, path, error):
    """A store that is down is a bare 500, and sets no cookie."""
    answer = http(Site(Broken(where, error)), path=path, cookies={"session_id": "x" * 32})
    assert (answer.status_code, answer.text) == (500, FAILED)
    assert answer.headers.get("set-cookie") is None


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_backend_may_raise_while_another_application_answers(error):
    """A store that is down is a 500 also for a request that was handed on, even if its error is an OSError."""

    def hand_on(request):
        request.session["seen"] = True
        request._subapp = Site()

    answer = http(site(Before(hand_on), backend=Broken("save", error)))
    assert (answer.status_code, answer.text) == (500, FAILED)


@pytest.mark.parametrize("where", ["before", "after", "load", "save"])
def test_a_cancellation_in_a_hook_or_a_backend_is_500(where):
    """Something that they waited for was cancelled, not the request."""
    cancelled = asyncio.CancelledError(MARKER)
    app = site(backend=Broken(where, cancelled))
    if where in {"before", "after"}:
        app.middlewares.append((Before if where == "before" else After)(raising(cancelled)))
    answer = http(app, path="/visit", cookies={"session_id": "x" * 32})
    assert (answer.status_code, answer.text) == (500, FAILED)


@pytest.mark.parametrize("segment", ["/", "/%41", "/a%2f"])
def test_a_path_of_many_segments_is_handed_on_at_once(segment):
    """Finding the sub-application's part of the path is no work to speak of."""

    def hand_on(request):
        request._subapp = Site()
        request._subapp_path = "/json"

    started = time.process_time()
    assert http(site(Before(hand_on)), path=segment * 6000).json() == {"a": 1}
    assert time.process_time() - started < 1  # second; 10 ms where the work grows with the path, not with its square


@pytest.mark.parametrize("data", [None, {}, [], 0, ""])
def test_a_session_that_the_backend_does_not_have_is_empty(data):
    """Whatever a backend says instead of `{}`."""

    class Empty(InMemorySessionBackend):
        async def load(self, session_id):
            return data

    assert http(Site(Empty()), path="/look", cookies={"session_id": "x" * 32}).json() == {}


def test_a_value_that_cannot_be_copied_is_500():
    """What the store cannot take costs the request, not the server."""

    class Locking(App):
        async def index(self):
            self.request.session["lock"] = threading.Lock()
            return "locked"

    assert http(Locking()).status_code == 500


def test_an_expired_session_that_is_saved_lives():
    """Saving starts the time anew, however long ago the last access was."""

    async def saved():
        backend = InMemorySessionBackend()
        await backend.save("a", {"x": 1}, 10)
        backend.last_access["a"] = 0
        await backend.save("a", {"x": 2}, 10)
        return await backend.load("a")

    assert run(saved()) == {"x": 2}


def test_forged_ids_never_reach_the_store():
    """Ids that look old but were never given out cost the store no writing."""
    writes = []

    class Watched(InMemorySessionBackend):
        async def save(self, session_id, data, timeout):
            writes.append(session_id)
            await super().save(session_id, data, timeout)

    app = Site(Watched())
    for number in range(10):
        http(app, path="/look", cookies={"session_id": f"{number:024d}.00000000"})
    assert writes == []


# Streams.


class Closing:
    """A sync iterator that knows whether it was closed."""

    def __init__(self, chunks=(), error=None):
        self.chunks, self.error, self.closed = iter(chunks), error, 0

    def __iter__(self):
        return self

    def __next__(self):
        for chunk in self.chunks:
            return chunk
        if self.error:
            raise self.error
        raise StopIteration

    def close(self):
        self.closed += 1


class Returning(App):
    """Returns what it was made with."""

    def __init__(self, result, **keywords):
        super().__init__(**keywords)
        self._result = result

    async def index(self):
        return self._result


@pytest.mark.parametrize("send_fails", [True, False])
@pytest.mark.parametrize("leave_after", [None, 0, 1, 3])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("threads", [0, 4])
def test_a_stream_is_closed_whenever_the_client_leaves(threads, method, leave_after, send_fails):
    """From before the first byte to after the last, closed is closed."""
    stream = Closing(["x"] * 10)
    app = Returning(stream, sync_threads=threads)

    async def exchange():
        await awire(app, method, leave_after=leave_after, send_fails=send_fails)
        for _ in range(100):
            if stream.closed:
                return
            await asyncio.sleep(0.01)  # a thread may have to end first

    run(exchange())
    assert stream.closed == 1


@pytest.mark.parametrize(
    "hook",
    [After(raising(RuntimeError(MARKER))), After(lambda _: {"body": "other"}), After(lambda _: {"status_code": "x"})],
)
def test_a_stream_that_a_hook_replaces_is_closed(hook):
    """Nobody else can: the handler is gone."""
    stream = Closing(["x"])
    app = Returning(stream)
    app.middlewares.append(hook)
    http(app)
    assert stream.closed == 1


def test_a_stream_is_closed_if_the_session_cannot_be_saved():
    """The 500 goes out, the stream does not."""
    stream = Closing(["x"])
    app = Returning(stream, session_backend=Broken("touch", OSError(MARKER)))
    assert http(app, cookies={"session_id": "x" * 32}).status_code == 500
    assert stream.closed == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("backend", [None, Broken("touch", OSError(MARKER))])
def test_a_stream_that_cannot_be_closed_is_the_logs_business(backend, method, caplog):
    """An exception of `close` reaches neither the server nor the client."""

    class Stuck(Closing):
        def close(self):
            raise RuntimeError(MARKER)

    answer = http(Returning(Stuck(["x"]), session_backend=backend), method, cookies={"session_id": "x" * 32})
    assert answer.status_code == (500 if backend else 200)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("before", [1, 100])
@pytest.mark.parametrize("kind", ["async", "sync", "iterator"])
def test_a_stream_that_breaks_is_cut_off(kind, before, error):
    """The reply stays unfinished, the exception is the server's to see, and the client gets none of it."""

    async def broken():
        for _ in range(before):
            yield "x"
        raise error

    def broken_too():
        for _ in range(before):
            yield "x"
        raise error

    made = {"async": broken, "sync": broken_too, "iterator": lambda: Closing(["x"] * before, error)}[kind]
    answer = wire(Returning(made()), raises=Exception)
    assert (answer.status_code, answer.content, answer.is_complete) == (200, b"x" * before, False)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("kind", ["async", "sync", "iterator"])
def test_a_stream_that_breaks_before_it_has_begun_is_a_500(kind, error):
    """Nothing was sent, so the client gets a whole reply, and nothing of the exception."""

    async def broken():
        raise error
        yield "x"

    def broken_too():
        raise error
        yield "x"

    made = {"async": broken, "sync": broken_too, "iterator": lambda: Closing([], error)}[kind]
    answer = wire(Returning(made()))
    assert (answer.status_code, answer.text, answer.is_complete) == (500, "500 Internal Server Error", True)


async def exiting(scope, receive, send):
    """An application that ends itself, at `/late` when its reply has begun."""
    if scope["path"] == "/late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
    sys.exit(MARKER)


class Override(App):
    async def _send_response(self, send, status_code, body, extra_headers=None):
        await exiting(self.request.scope, None, send)


class Naming(HttpMiddleware):
    async def before_request(self, request):
        request._subapp = exiting


class Mounting(App):
    early = late = Mount(exiting)


def naming():
    """Give an application whose hook names another one."""
    app = App()
    app.middlewares.append(Naming())
    return app


@pytest.mark.parametrize("make", [Override, naming, Mounting])
def test_an_exit_of_what_answers_ends_no_server(make, caplog):
    """Before the reply has begun it is a 500, later an exception like others."""
    early = wire(make(), path="/early")
    assert (early.status_code, early.text) == (500, FAILED)
    assert "SystemExit" in caplog.text
    assert not wire(make(), path="/late", raises=RuntimeError).is_complete


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_exit_of_a_stream_that_is_closed_is_the_logs_business(method, threads, caplog):
    """The reply is out already."""

    class Exiting(Closing):
        def close(self):
            sys.exit(MARKER)

    assert http(Returning(Exiting(["x"]), sync_threads=threads), method).status_code == 200
    deadline = time.monotonic() + 10
    while "SystemExit" not in caplog.text:
        assert time.monotonic() < deadline, "nothing was logged"
        time.sleep(0.005)


@pytest.mark.parametrize("chunk", [None, 5, object(), ["x"], ("x",), {"a": 1}, "\ud800"], ids=repr)
def test_a_chunk_that_is_none_cuts_the_stream_off(chunk, caplog):
    """Chunks are text or bytes."""
    answer = wire(Returning(iter(["a", chunk, "b"])), raises=Exception)
    assert (answer.content, answer.is_complete) == (b"a", False)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class Endless(App):
    """Streams that end only when they are made to; `closed` tells that they were, of those that have begun."""

    def __init__(self, before):
        super().__init__()
        self._before = before
        self._begun = []
        self._closed = []

    def _is_closed(self):
        return self._closed == self._begun

    @contextlib.contextmanager
    def _closing(self):
        self._begun.append(1)
        try:
            yield
        finally:
            self._closed.append(1)

    async def busy(self):
        with self._closing():
            while True:
                yield "x"

    async def sleeping(self):
        with self._closing():
            while True:
                await asyncio.sleep(0)
                yield "x"

    def sync(self):
        with self._closing():
            while True:
                yield "x"

    async def waiting(self):
        with self._closing():
            for _ in range(self._before):
                yield "x"
            await asyncio.Event().wait()

    async def deaf(self):
        with self._closing():
            for _ in range(self._before):
                yield "x"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield "still there"
            await asyncio.Event().wait()


@pytest.mark.parametrize("kind", ["busy", "sleeping", "waiting", "sync", "deaf"])
@pytest.mark.parametrize("leave_after", [0, 1, 2, 64, 65])
@pytest.mark.parametrize("send_fails", [True, False])
def test_an_endless_stream_ends_with_its_client(kind, leave_after, send_fails):
    """Whether it suspends or not, in a thread or on the loop, even if it ignores the first cancellation."""
    app = Endless(leave_after)

    async def exchange():
        answer = await awire(app, path=f"/{kind}", leave_after=leave_after, send_fails=send_fails)
        for _ in range(100):
            if app._is_closed():
                break
            await asyncio.sleep(0.01)  # a thread may have to end first
        return answer

    assert not run(exchange()).is_complete
    assert app._is_closed()
    assert app._begun or leave_after == 0  # a thread need not begin what nobody waits for


@pytest.mark.parametrize("kind", ["OSError", "RuntimeError"])
def test_a_receive_that_raises_while_we_stream_is_no_lost_exception(kind):
    """The listener for the disconnect is ours, and so are its exceptions."""
    error = {"OSError": OSError, "RuntimeError": RuntimeError}[kind](MARKER)
    sent: list[Any] = []

    class Slow(App):
        async def index(self):
            for _ in range(20):
                await asyncio.sleep(0.001)
                yield "x"

    async def receive():
        raise error

    async def send(message):
        sent.append(message)

    async def exchange():
        await Slow()({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}, receive, send)
        gc.collect()

    run(exchange())
    assert sent[0]["status"] == 200


# Cancellation from outside.


class Slow(App):
    """Takes its time in a handler, a thread, a stream."""

    def __init__(self, backend, release):
        super().__init__(backend)
        self._release = release

    async def handler(self):
        await asyncio.sleep(60)

    def thread(self):
        self._release.wait(10)

    async def stream(self):
        yield "x"
        await asyncio.sleep(60)

    def sync_stream(self):
        yield "x"
        self._release.wait(10)

    async def visit(self):
        self.request.session["a"] = 1
        return iter(["x"])


class SlowBackend(InMemorySessionBackend):
    """Takes its time when it is asked for the session, or given it."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    async def load(self, session_id):
        await asyncio.sleep(60 if self.where == "load" else 0)
        return {}

    async def save(self, session_id, data, timeout):
        await asyncio.sleep(60)


class SlowHooks(HttpMiddleware):
    """Takes its time before or after the handler."""

    def __init__(self, where):
        self.where = where

    async def before_request(self, request):
        await asyncio.sleep(60 if self.where == "before" else 0)

    async def after_request(self, request, status_code, response_body, extra_headers):
        await asyncio.sleep(60 if self.where == "after" else 0)


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("where", ["handler", "thread", "stream", "sync_stream", "before", "after", "load", "save"])
def test_a_request_can_be_cancelled_anywhere(where, turns):
    """A server that gives up the request gets its CancelledError, and nothing is left behind."""
    release = threading.Event()
    app = Slow(SlowBackend(where), release)
    app.middlewares.append(SlowHooks(where))
    path = f"/{where}" if where in vars(Slow) else "/visit"

    async def cancelled():
        task = asyncio.create_task(awire(app, path=path, cookies={"session_id": "x" * 32}, leave_after=1000))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        release.set()
        return task.cancelled()

    assert run(cancelled())
