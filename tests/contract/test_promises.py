"""What we promise to those who run it: PROMISES.md, line by line, where the other modules have not shown it yet."""

import asyncio
import gc
import itertools
import logging
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, SessionBackend
from tests.client import ahttp, http, run
from tests.wire import awebsocket, lifespan, websocket, wire

FAILED = (500, b"500 Internal Server Error")
FORM_DATA = [("Content-Type", "multipart/form-data; boundary=XX")]
PIECE = b"x" * 65_536

needs_multipart = pytest.mark.needs("multipart")


def file_head(name):
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()


def text_part(name, value):
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


END = b"--XX--\r\n"


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# 1. Only handlers answer.


class Guarded(App):
    """Notes every name that somebody looks up and that is not there."""

    looked_up: list[str] = []
    data = "data"

    async def index(self):
        return "index"

    async def open(self):
        return "open"

    def __getattr__(self, name):
        self.looked_up.append(name)
        raise AttributeError(name)


def test_p1_of_all_names_only_the_methods_answer():
    """Every name of the object and of its class is tried as a URL: two are routes."""
    app = Guarded()
    names = {*dir(app), *vars(app), *dir(App), *dir(type), *dir(object)}
    answering = {name for name in names if http(app, path=f"/{name}").status_code != 404}
    assert answering == {"index", "open"}


def test_p1_no_request_looks_a_name_up():
    """A request's path never reaches `getattr`."""
    app = Guarded()
    app.looked_up.clear()
    http(app, path="/from_the_client")
    websocket(app, "/from_the_client")
    assert [name for name in app.looked_up if "from_the_client" in name] == []


# 2. No input is silently dropped.


class Echo(App):
    async def index(self):
        return {"query": self.request.query_params, "form": self.request.body_params}


def test_p2_undecodable_bytes_are_replaced():
    """In query and form nothing disappears."""
    answer = wire(Echo(), "POST", query=b"a=%FFb", body=b"a=%FFb")
    assert answer.json() == {"query": {"a": ["\ufffdb"]}, "form": {"a": ["\ufffdb"]}}


def test_p2_repeated_fields_are_all_there():
    """All values, in order."""
    assert http(Echo(), query="a=1&b=2&a=3").json()["query"] == {"a": ["1", "3"], "b": ["2"]}


# 3. Bounded by default.


@needs_multipart
def test_p3_256_mb_through_a_slow_handler_cost_less_than_16_mb():
    """An upload is buffered by bytes, with real back-pressure."""

    class Slow(App):
        async def index(self, file):
            length = 0
            await asyncio.sleep(0.3)  # time enough to take all of it, if nothing held it back
            async for chunk in file:
                length += len(chunk)
                await asyncio.sleep(0)
            return length

    body = itertools.chain([file_head("file")], itertools.repeat(PIECE, 4096), [b"\r\n" + END])
    app = Slow()
    tracemalloc.start()
    try:
        answer = wire(app, "POST", body=body, headers=FORM_DATA, timeout=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.json() == 4096 * len(PIECE)
    assert peak < 16 * 2**20


@needs_multipart
@pytest.mark.parametrize("kind", ["late field", "sync", "ignored"])
def test_p3_an_upload_that_waits_is_not_in_memory(kind):
    """Waiting for a later field, for a sync handler, or for nobody: it is on disk, or nowhere."""

    class Waiting(App):
        async def late(self, file, title):
            return sum([len(chunk) async for chunk in file])

        def sync(self, file):
            return sum(map(len, iter(file["content"].get_nowait, None)))

        async def ignored(self, file):
            return 64 * 2**20

    path = {"late field": "/late", "sync": "/sync", "ignored": "/ignored"}[kind]
    body = itertools.chain(
        [file_head("file")], itertools.repeat(PIECE, 1024), [b"\r\n" + text_part("title", "t") + END]
    )
    app = Waiting()
    tracemalloc.start()
    try:
        answer = wire(app, "POST", path, body=body, headers=FORM_DATA, timeout=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.json() == 64 * 2**20
    assert peak < 16 * 2**20


# 4. Bounded in time.


@needs_multipart
@pytest.mark.parametrize("multipart", [False, True])
def test_p4_nothing_spins_while_waiting(multipart):
    """Waiting for a slow client costs no CPU."""

    class Reading(App):
        async def index(self, file=None):
            return "x" if file is None else len(await file.read())

    async def stalled():
        yield file_head("file") + PIECE if multipart else b"a=1"
        await asyncio.sleep(60)

    app = Reading(body_timeout=0.5)
    headers = FORM_DATA if multipart else []
    before = time.process_time()
    assert wire(app, "POST", body=stalled(), headers=headers).status_code == 408
    assert time.process_time() - before < 0.3


READS: dict[str, Any] = {
    "nothing": [],
    "first": ["a"],
    "second": ["b"],
    "both": ["a", "b"],
    "reversed": ["b", "a"],
}


@needs_multipart
@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "t"])))
@pytest.mark.parametrize("reads", READS)
def test_p4_no_handler_dead_locks_whatever_it_reads_or_leaves(reads, order):
    """Two files of 2 MiB and a field in any order; the handler reads what it likes, in the order it likes."""
    size = 2 * 2**20
    parts = {
        "a": [file_head("a"), *[PIECE] * 32, b"\r\n"],
        "b": [file_head("b"), *[PIECE] * 32, b"\r\n"],
        "t": [text_part("t", "title")],
    }

    class Reader(App):
        async def index(self, a, b, t):
            files = {"a": a, "b": b}
            return [t, [len(await files[name].read()) for name in READS[reads]]]

    body = [*itertools.chain.from_iterable(parts[name] for name in order), END]
    assert wire(Reader(), "POST", body=body, headers=FORM_DATA).json() == ["title", [size] * len(READS[reads])]


@needs_multipart
@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "t"])))
def test_p4_a_sync_handler_does_not_dead_lock(order):
    """The same for a sync handler on one thread."""
    parts = {"a": [file_head("a"), *[PIECE] * 32, b"\r\n"], "b": [file_head("b"), *[PIECE] * 32, b"\r\n"]}
    parts["t"] = [text_part("t", "title")]

    class Reader(App):
        def index(self, a, b, t):
            return [t, len(b.read()), len(a.read())]

    body = [*itertools.chain.from_iterable(parts[name] for name in order), END]
    answer = wire(Reader(sync_threads=1), "POST", body=body, headers=FORM_DATA)
    assert answer.json() == ["title", 2 * 2**20, 2 * 2**20]


def test_p4_more_sync_requests_than_threads():
    """They wait for their turn."""

    class Sync(App):
        def index(self, number):
            time.sleep(0.01)
            return number

    async def main():
        app = Sync(sync_threads=2)
        answers = await asyncio.gather(*(ahttp(app, path=f"/index/{number}") for number in range(20)))
        return [answer.text for answer in answers]

    assert run(main()) == [str(number) for number in range(20)]


# 5. A broken or vanished client.


def descriptors():
    gc.collect()
    return len(list(Path("/dev/fd").iterdir()))


@needs_multipart
@pytest.mark.parametrize("path", ["/reads", "/late", "/sync", "/ignores"])
def test_p5_no_descriptor_stays_behind(path, caplog):
    """An upload that has gone to disk, and whose client vanishes, leaves no file open and no traceback."""

    class Uploads(App):
        async def reads(self, file):
            return len(await file.read())

        async def late(self, file, title):
            return "late"

        def sync(self, file):
            return "sync"

        async def ignores(self, file):
            return "ignored"

    app = Uploads(sync_threads=0)
    body = [file_head("file"), *[PIECE] * 64]
    wire(app, "POST", path, body=body, headers=FORM_DATA, disconnect=True)
    before = descriptors()
    for _ in range(3):
        wire(app, "POST", path, body=body, headers=FORM_DATA, disconnect=True)
    assert descriptors() == before
    assert errors(caplog) == []


def test_p5_a_client_that_leaves_a_stream_is_no_error(caplog):
    """No traceback for a client that has seen enough."""

    class Streams(App):
        async def index(self):
            while True:
                yield "x"
                await asyncio.sleep(0)

    for send_fails in (False, True):
        wire(Streams(), leave_after=2, send_fails=send_fails)
    assert errors(caplog) == []


def test_p5_a_client_that_leaves_before_its_reply_is_no_error(caplog):
    """Nor for one that does not wait for the answer."""

    class Slow(App):
        async def index(self):
            await asyncio.sleep(0)
            return "x"

    for send_fails in (False, True):
        wire(Slow(), leave_after=0, send_fails=send_fails)
    assert errors(caplog) == []


def test_p5_a_websocket_client_that_vanishes_is_no_error(caplog):
    """Sending to one that is gone neither."""

    class Pushing(App):
        async def ws_index(self, ws):
            await ws.accept()
            async for _ in ws:
                pass
            await ws.send_text("too late")

        async def ws_gone(self, ws):
            await ws.accept()
            await ws.receive_text()

    websocket(Pushing(), "/gone")
    assert errors(caplog) == []


# 6. Every request ends in one legal sequence.


class Raising(HttpMiddleware):
    def __init__(self, where):
        self.where = where

    async def before_request(self, request):
        if self.where == "before":
            raise ArithmeticError("secret")

    async def after_request(self, request, status_code, response_body, extra_headers):
        if self.where == "after":
            raise ArithmeticError("secret")


class BrokenBackend(SessionBackend):
    def __init__(self, where):
        self.where = where

    async def load(self, session_id):
        if self.where == "load":
            raise ArithmeticError("secret")
        return {"user": "alice"}

    async def save(self, session_id, data, timeout):
        if self.where == "save":
            raise ArithmeticError("secret")


class Fragile(App):
    async def index(self):
        self.request.session["x"] = 1
        return "index"

    async def handler(self):
        raise ArithmeticError("secret")

    def sync(self):
        raise ArithmeticError("secret")

    async def encoder(self):
        return {"secret": object()}

    async def circle(self):
        circle: list[object] = []
        circle.append(circle)
        return circle

    async def shape(self):
        return "secret", 200

    async def deep(self):
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        return deep

    async def repr(self):
        class Hostile:
            def __repr__(self):
                raise ArithmeticError("secret")

        return Hostile(), "x"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/handler", ""),
        ("/sync", ""),
        ("/encoder", ""),
        ("/circle", ""),
        ("/deep", ""),
        ("/shape", ""),
        ("/repr", ""),
        ("/", "before"),
        ("/", "after"),
        ("/", "load"),
        ("/", "save"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_p6_a_failure_is_a_500_without_internals_logged_once(path, where, method, caplog):
    """Handler, hooks, session backend, encoder."""
    app = Fragile(BrokenBackend(where))
    app.middlewares.append(Raising(where))
    answer = wire(app, method, path, cookies={"session_id": "known"})
    assert (answer.status_code, answer.content) == (500, b"" if method == "HEAD" else FAILED[1])
    assert "secret" not in str(answer.messages)
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(100, "x"), (101, "x"), (199, None), (204, "x"), (205, "x"), (304, b"x"), (418, None)]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_p6_every_status_is_a_legal_reply(status, body, method):
    """Whatever status a handler gives, what goes out is legal, as the driver checks."""

    class Odd(App):
        async def index(self):
            return status, body

    assert wire(Odd(), method).is_complete


def test_p6_a_failing_stream_is_visibly_unfinished():
    """The final message is missing, and the exception is the server's to see."""

    class Breaking(App):
        async def index(self):
            yield "a"
            raise ArithmeticError

    assert not wire(Breaking(), raises=ArithmeticError).is_complete


def test_p6_a_stream_that_fails_at_once_is_a_500():
    """Before the first chunk nothing was sent, so the client hears of it."""

    class Breaking(App):
        async def index(self):
            raise ArithmeticError
            yield "never"

    answer = wire(Breaking())
    assert (answer.status_code, answer.text, answer.is_complete) == (500, "500 Internal Server Error", True)


# 7. Nothing is shared between requests.


def test_p7_concurrent_requests_see_themselves():
    """`self.request` is each request's own, across awaits and threads."""

    class Site(App):
        async def index(self, name):
            await asyncio.sleep(0.001)
            return [name, self.request.query("name")]

        def sync(self, name):
            time.sleep(0.001)
            return [name, self.request.query("name")]

    async def main():
        app = Site()
        calls = [(path, f"{number}") for number in range(25) for path in ("/", "/sync")]
        answers = await asyncio.gather(*(ahttp(app, path=path, query=f"name={name}") for path, name in calls))
        return [answer.json() for answer in answers] == [[name, name] for _, name in calls]

    assert run(main())


def test_p7_concurrent_websockets_see_themselves():
    """WebSockets too."""

    class Site(App):
        async def ws_index(self, ws, name):
            await ws.accept()
            await asyncio.sleep(0.001)
            await ws.send_text(f"{name} {self.request.query('name')}")

    async def main():
        app = Site()
        dialogues = await asyncio.gather(*(awebsocket(app, query=f"name={number}") for number in range(20)))
        return [dialogue.sent for dialogue in dialogues]

    assert run(main()) == [[f"{number} {number}"] for number in range(20)]


def test_p7_a_result_kept_by_the_application_is_not_changed():
    """A dict or list that a handler returns again and again stays what it is."""
    kept = {"a": [1]}

    class Keeping(App):
        async def index(self):
            return kept

    class Changing(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Hook", "1"))

    app = Keeping()
    app.middlewares.append(Changing())
    assert [http(app).json(), http(app).json(), kept] == [{"a": [1]}] * 3


def test_p7_headers_do_not_pile_up():
    """What a hook appends to one reply is not in the next."""
    shared = {"status": (200, "x", [("X-Own", "1")])}

    class Sharing(App):
        async def index(self):
            return shared["status"]

    class Appending(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Hook", "1"))

    app = Sharing()
    app.middlewares.append(Appending())
    for _ in range(3):
        assert http(app).headers.get_list("x-hook") == ["1"]


def test_p7_http_error_instances_may_be_reused():
    """One exception object, raised twice, answers the same twice."""
    error = HTTPError(403, "No", [("X-Own", "1")])

    class Reusing(App):
        async def index(self):
            self.request.session["x"] = 1
            raise error

    app = Reusing()
    assert http(app).cookies != http(app).cookies
    assert error.headers == [("X-Own", "1")]


def test_p7_query_and_body_params_are_each_requests_own():
    """Changing them changes no other request's."""

    class Changing(App):
        async def index(self):
            request = self.request
            seen = [dict(values) for values in (request.query_params, request.body_params, request.files)]
            for values in (request.query_params, request.body_params, request.files):
                values["leak"] = ["1"]
            request.path_params.append("leak")
            return seen

    app = Changing()
    assert [http(app).json(), http(app).json()] == [[{}, {}, {}]] * 2


# 10. Sessions.


class Dict(SessionBackend):
    """A backend that never forgets by itself."""

    def __init__(self):
        self.stored: dict[str, dict[str, Any]] = {}

    async def load(self, session_id):
        return dict(self.stored.get(session_id, {}))

    async def save(self, session_id, data, timeout):
        self.stored[session_id] = data
        if not data:
            del self.stored[session_id]


class Login(App):
    async def index(self):
        return dict(self.request.session)

    async def put(self):
        self.request.session["user"] = "alice"
        return "ok"

    async def logout(self):
        self.request.session.clear()
        return "ok"


def test_p10_absolute_expiry(monkeypatch):
    """However busy it is, and whatever the backend keeps, a session ends one day."""
    backend = Dict()
    app = Login(backend)
    cookies = http(app, path="/put").cookies
    assert http(app, cookies=cookies).json() == {"user": "alice"}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400 * 24 * 3600)
    assert http(app, cookies=cookies).json() == {}


def test_p10_idle_expiry(monkeypatch):
    """Eight hours without a request end a session."""
    app = Login(InMemorySessionBackend())
    cookies = http(app, path="/put").cookies
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 28800 - 10)
    assert http(app, cookies=cookies).json() == {"user": "alice"}
    monkeypatch.setattr(time, "time", lambda: now + 2 * (28800 - 10))
    assert http(app, cookies=cookies).json() == {"user": "alice"}
    monkeypatch.setattr(time, "time", lambda: now + 3 * 28800)
    assert http(app, cookies=cookies).json() == {}


@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("backend_class", [Dict, InMemorySessionBackend])
def test_p10_logout_is_final(change, backend_class):
    """A request that was under way when its client logged out does not bring the session back."""

    async def main():
        entered, logged_out = asyncio.Event(), asyncio.Event()

        class Racing(Login):
            async def slow(self):
                if change:
                    self.request.session["late"] = True
                else:
                    self.request.session.get("user")
                entered.set()
                await logged_out.wait()
                return "slow"

        app = Racing(backend_class())
        cookies = (await ahttp(app, path="/put")).cookies
        slow = asyncio.create_task(ahttp(app, path="/slow", cookies=cookies))
        await entered.wait()
        await ahttp(app, path="/logout", cookies=cookies)
        logged_out.set()
        await slow
        return (await ahttp(app, cookies=cookies)).json()

    assert run(main()) == {}


# 12. Any ASGI server.


class Site(App):
    async def index(self, name="Guest"):
        return f"Hello {name}"

    async def form(self):
        return self.request.body_params

    async def all(self):
        request = self.request
        return [request.headers, request.query_params, request.session, request.path_params]

    async def visit(self):
        self.request.session["x"] = 1
        return "ok"

    async def stream(self):
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text(await ws.receive_text())


async def serve(app, scope, events):
    """Call the app with exactly this scope, and give what it sent."""
    queue = [*events]
    sent: list[dict[str, Any]] = []

    async def receive():
        if not queue:
            await asyncio.sleep(60)
        return queue.pop(0)

    async def send(message):
        sent.append(message)

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return sent


MINIMAL: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
NONES: dict[str, Any] = {
    **MINIMAL,
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "scheme": None,
    "raw_path": None,
    "query_string": b"",
    "root_path": None,
    "client": None,
    "server": None,
    "extensions": None,
    "state": None,
}


@pytest.mark.parametrize("scope", [MINIMAL, NONES])
@pytest.mark.parametrize("path", ["/", "/all", "/visit", "/stream"])
def test_p12_optional_keys_may_be_missing_or_none(scope, path):
    """A scope with nothing but the necessary, or with None for the rest."""
    sent = run(serve(Site(), {**scope, "path": path}, [{"type": "http.request"}]))
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("scope", [MINIMAL, NONES])
def test_p12_message_keys_may_be_missing(scope):
    """`body` and `more_body` are optional; the body may be None-valued nowhere, but absent."""
    events = [
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"a=1", "more_body": True},
        {"type": "http.request"},
    ]
    sent = run(serve(Site(), {**scope, "method": "POST", "path": "/form"}, events))
    assert b"".join(message.get("body", b"") for message in sent) == b'{"a":["1"]}'


@pytest.mark.parametrize("headers", [[], (), [[b"host", b"x"]], iter([(b"host", b"x")])])
def test_p12_headers_are_any_iterable_of_pairs(headers):
    """Lists, tuples, lists of lists, an iterator even."""
    sent = run(serve(Site(), {**MINIMAL, "path": "/visit", "headers": headers}, [{"type": "http.request"}]))
    assert sent[0]["status"] == 200


class Awaitable:
    """An awaitable that is no coroutine, as Granian's: only `__await__`, whose iterator has no `throw`."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        return Steps(self.coroutine.__await__())


class Steps:
    def __init__(self, steps):
        self.steps = steps

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.steps)


@pytest.mark.parametrize("kind", ["future", "awaitable"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/", b"Hello Guest"), ("POST", "/form", b'{"a":["1"]}'), ("GET", "/stream", b"ab")],
)
def test_p12_any_awaitable_will_do(kind, method, path, body):
    """`receive` and `send` may give futures, or objects that have nothing but `__await__`."""

    def server(app):
        async def asgi(scope, receive, send):
            def wrap(function):
                def wrapped(*args):
                    coroutine = function(*args)
                    return asyncio.ensure_future(coroutine) if kind == "future" else Awaitable(coroutine)

                return wrapped

            before = asyncio.all_tasks()
            await app(scope, wrap(receive), wrap(send))
            left = asyncio.all_tasks() - before
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        return asgi

    assert wire(server(Site()), method, path, body=[b"a=", b"1"]).content == body


def test_p12_a_websocket_scope_with_the_necessary_only():
    """WebSockets too."""
    events = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hi", "bytes": None}]
    sent = run(serve(Site(), {"type": "websocket", "path": "/", "headers": []}, events))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]


@pytest.mark.parametrize("state", [None, {}, {"a": 1}])
def test_p12_a_lifespan_with_and_without_state(state):
    """Servers differ."""
    assert lifespan(Site(), state) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_p12_a_lifespan_scope_with_state_none():
    """None is none."""
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = run(serve(Site(), {"type": "lifespan", "asgi": {"version": "3.0"}, "state": None}, events))
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_p12_the_scope_is_the_servers():
    """The framework adds nothing to the server's scope but what tracers look for, the handler and its route."""
    scope = {**MINIMAL, "path": "/visit"}
    before = dict(scope)
    run(serve(Site(), scope, [{"type": "http.request"}]))
    assert scope == {**before, "endpoint": scope["endpoint"], "route": scope["route"]}
