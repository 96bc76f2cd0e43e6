"""Properties: whatever comes, in whatever pieces and order, the server sees one legal sequence of messages.

The driver checks the sequence, that no exception escapes, and that no task is left behind. Here the requests are
generated, and the answers are checked for what must not be in them.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micropie import (
    App,
    ConnectionClosed,
    HTTPError,
    HttpMiddleware,
    InMemorySessionBackend,
    WebSocketMiddleware,
)
from tests.client import run
from tests.wire import awebsocket, awire, check_http, check_websocket

MARKER = "internal-marker"
SECRETS = (MARKER.encode(), b"Traceback", b'File "', b"site-packages", b".py", b"object at 0x", b"Error:")
STATUSES = {200, 204, 302, 400, 403, 404, 408, 413, 500}

pytestmark = pytest.mark.filterwarnings("error")


def some(examples):
    """The settings of a property: repeatable, and never slow."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


class Site(App):
    """Handlers of every kind."""

    async def index(self, *segments):
        return list(segments)

    async def echo(self, a, b="b"):
        return f"{a!s}{b!s}"

    def sync(self, a="a", *, b="b", **rest):
        return [str(a), str(b), sorted(rest)]

    async def rest(self, **rest):
        return sorted(rest)

    async def json(self):
        return {"json": self.request.get_json, "params": self.request.body_params}

    async def members(self):
        request = self.request
        return [request.query("a"), request.form("a"), request.json("a"), len(request.headers)]

    async def visit(self, a="x"):
        self.request.session["a"] = str(a)
        return (200, "noted", {"X-A": str(a)})

    async def login(self):
        self.request.regenerate_session()
        self.request.session["user"] = 1

    async def leave(self):
        self.request.session.clear()
        return self._redirect("/")

    async def go(self, a="/"):
        return self._redirect(str(a), [("X-A", str(a))])

    async def refuse(self, a="no"):
        raise HTTPError(403, str(a), [("X-A", str(a))])

    async def fail(self):
        raise RuntimeError(MARKER)

    def sync_fail(self):
        raise KeyError(MARKER)

    async def stream(self, a="x"):
        for character in str(a):
            yield character
            await asyncio.sleep(0)

    def sync_stream(self, a="x"):
        yield from str(a)

    async def endless(self):
        while True:
            yield "x"

    async def whole(self):
        return [[name, len(await file.read())] for name, file in self.request.files.items()]

    async def file(self, f):
        return str(f) if isinstance(f, str) else str(len(await f.read()))

    async def unread(self, f, g=None):
        return "unread"

    async def files(self, f, g):
        return [len(each) if isinstance(each, str) else len(await each.read()) for each in (g, f)]

    def sync_file(self, f):
        return f if isinstance(f, str) else str(len(f.read()))

    async def pipe(self, f):
        if isinstance(f, str):
            yield f
        else:
            async for chunk in f:
                yield chunk

    async def about_us(self):
        return "about"

    def _private(self):
        raise AssertionError(MARKER)

    async def ws_index(self, ws, *segments):
        await ws.accept()

    async def ws_echo(self, ws, a="a"):
        await ws.accept()
        async for message in ws:
            await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))

    async def ws_text(self, ws):
        await ws.accept(session_id=ws.session_id)
        self.request.session["n"] = self.request.session.get("n", 0) + 1
        await ws.send_text(await ws.receive_text())

    async def ws_json(self, ws):
        await ws.accept(subprotocol="json")
        await ws.send_json(await ws.receive_json())

    async def ws_late(self, ws):
        with contextlib.suppress(RuntimeError):
            await ws.receive_text()
        await ws.accept()
        with contextlib.suppress(ConnectionClosed, ValueError):
            while True:
                await ws.receive_bytes()
        await ws.send_text("too late")

    async def ws_refuse(self, ws, a="no"):
        raise HTTPError(403, a)

    async def ws_close(self, ws, a="bye"):
        await ws.close(4000, a)

    async def ws_fail(self, ws):
        await ws.accept()
        raise RuntimeError(MARKER)


HANDLERS = [name.removeprefix("ws_") for name in vars(Site) if not name.startswith("__")]


class Spoiler(HttpMiddleware):
    """Raises or answers where the generated plan says so."""

    def __init__(self, before, after):
        self.before, self.after = before, after

    async def before_request(self, request):
        return self.before()

    async def after_request(self, request, status_code, response_body, extra_headers):
        extra_headers.append(("X-Seen", str(status_code)))
        return self.after()


class SocketSpoiler(WebSocketMiddleware):
    def __init__(self, before, after):
        self.before, self.after = before, after

    async def before_websocket(self, request):
        return self.before()

    async def after_websocket(self, request):
        self.after()


class Moody(InMemorySessionBackend):
    """Raises where the generated plan says so."""

    def __init__(self, broken):
        super().__init__()
        self.broken = broken

    async def load(self, session_id):
        self._pass("load")
        return await super().load(session_id) or {"user": "alice"}

    async def save(self, session_id, data, timeout):
        self._pass("save")
        await super().save(session_id, data, timeout)

    async def touch(self, session_id, timeout):
        self._pass("touch")

    def _pass(self, where):
        if where in self.broken:
            raise ConnectionRefusedError(MARKER)


def nothing():
    return None


def failing():
    raise RuntimeError(MARKER)


# What is generated.

texts = st.text(st.characters(codec="utf-8"), max_size=12)
nasty = st.sampled_from(
    [
        "",
        "\r\n",
        "\0",
        "%",
        "%00",
        "%ff",
        "%2f",
        "%5f",
        "..",
        "_",
        "ws_",
        "é",
        "🥧",
        "a=1",
        ";",
        "&",
        "+",
        "<b>",
        '"',
        "\\",
    ]
)
pieces_of_text = st.lists(st.one_of(texts, nasty, st.sampled_from(HANDLERS)), max_size=4).map("".join)
names = st.one_of(st.sampled_from(["a", "b", "f", "g", "self", "function", "session", "session_id"]), texts)

segments = st.one_of(
    st.sampled_from(HANDLERS), st.sampled_from(["", "_private", "%5fx", "ws_echo", "%ff"]), pieces_of_text
)
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts).replace("?", "%3F"))
queries = st.one_of(
    st.binary(max_size=40),
    st.lists(st.tuples(names, pieces_of_text), max_size=4).map(lambda fs: "&".join(f"{n}={v}" for n, v in fs).encode()),
)
scopes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "root_path": st.sampled_from([None, "", "/", "/echo", "/_private", "//"]),
        "raw_path": st.one_of(st.none(), st.binary(max_size=20)),
        "query_string": st.one_of(st.none(), st.binary(max_size=20)),
        "scheme": st.sampled_from(["http", "https", None]),
        "client": st.sampled_from([None, ("127.0.0.1", 1), ["::1", 2], ("", 0)]),
        "extensions": st.just({}),
    },
)
header_values = st.one_of(st.binary(max_size=30), pieces_of_text.map(str.encode))
headers = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([b"x-a", b"accept", b"origin", b"host", b"forwarded", b"content-length"]), header_values
        ),
        st.tuples(
            st.just(b"cookie"),
            st.one_of(
                header_values,
                st.sampled_from([b"session_id=" + b"x" * 32, b"session_id=a; session_id=b", b'session_id="aaaaaaaa"']),
            ),
        ),
        st.tuples(
            st.just(b"content-type"),
            st.one_of(
                header_values,
                st.sampled_from(
                    [b"application/json", b"application/x-www-form-urlencoded", b"text/plain; application/json"]
                ),
            ),
        ),
    ),
    max_size=5,
)

json_bodies = st.one_of(
    st.sampled_from([b"", b"{}", b"[", b"NaN", b'{"a":1,"b":"x","self":2}', b'{"a":"\\ud800"}', b"null", b"[" * 300]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=60),
)


def split(body, cuts):
    """Cut a body at these places, counted from the start of each piece."""
    parts = []
    for cut in cuts:
        parts.append(body[:cut])
        body = body[cut:]
    return [*parts, body]


def bodies(contents):
    """Bodies split anyhow."""
    return st.builds(split, contents, st.lists(st.integers(0, 12), max_size=12))


answers = st.sampled_from(
    [nothing, nothing, nothing, failing, dict, lambda: {"body": {"x": 1}}, lambda: {"status_code": 403}]
)
broken = st.sets(st.sampled_from(["load", "save", "touch"]), max_size=1)
lives = st.one_of(st.none(), st.none(), st.integers(0, 3))


def descriptors():
    """Count the file descriptors that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


async def exchange(app, method, path, **keywords):
    """Send one request; give the reply, or None if a stream broke, whose exception alone may come out of it."""
    before = descriptors()
    try:
        answer = await awire(app, method, path, timeout=20, **keywords)
    except AssertionError as failure:
        if not (isinstance(failure.__cause__, HTTPError) and "/pipe" in path):
            raise
        return None
    await settled(before)
    return answer


async def settled(before):
    """Wait until threads that close something have done so, and check that all is closed."""
    for _ in range(200):
        if descriptors() <= before:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("file descriptors are left open")


PROBLEM = b'{"type":"about:blank","title":"Internal Server Error","status":500}'


def check(answer):
    """Check that a reply has a status of ours, and nothing of our insides."""
    if answer is None or not answer.started:
        return
    assert answer.status_code in STATUSES, answer.status_code
    for secret in SECRETS:
        assert secret not in answer.content
        assert not any(secret in value.encode("latin-1") for _, value in answer.headers.multi_items())
    if answer.status_code == 500:
        assert answer.content in (b"500 Internal Server Error", PROBLEM, b'{"x":1}', b"")  # the third one is a hook's


def secretless(*values):
    """Whether what is sent holds none of the strings that must not come back."""
    blob = repr(values).encode()
    return not any(secret in blob for secret in SECRETS)


# HTTP.


@some(200)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "X"]),
    path=paths,
    query=queries,
    headers=headers,
    scope=scopes,
    body=bodies(st.one_of(st.binary(max_size=60), json_bodies)),
    leave_after=lives,
    send_fails=st.booleans(),
    disconnect=st.booleans(),
    before=answers,
    after=answers,
    broken=broken,
)
def test_any_request_has_a_legal_reply(
    method, path, query, headers, scope, body, leave_after, send_fails, disconnect, before, after, broken
):
    """Any method, path, query, headers, scope, body; a client that leaves any time; hooks and stores that fail."""
    app = Site(Moody(broken), max_body_size=100, surplus_path_status=404)
    app.middlewares.append(Spoiler(before, after))
    if "/endless" in path and leave_after is None:
        leave_after = 2
    answer = run(
        exchange(
            app,
            method,
            path,
            query=query,
            headers=headers,
            scope=scope,
            body=body,
            leave_after=leave_after,
            send_fails=send_fails,
            disconnect=disconnect,
        )
    )
    if secretless(path, query, body):
        check(answer)


@some(200)
@given(
    handler=st.sampled_from(HANDLERS),
    body=bodies(json_bodies),
    query=queries,
    content_type=st.sampled_from(["application/json", "Application/X+JSON; charset=x", "text/plain"]),
)
def test_any_json_has_a_legal_reply(handler, body, query, content_type):
    """Every handler, with every document and everything that is none."""
    leave_after = 2 if handler == "endless" else None
    headers = [("content-type", content_type)]
    answer = run(
        exchange(Site(), "POST", f"/{handler}", body=body, query=query, headers=headers, leave_after=leave_after)
    )
    check(answer)


parts = st.builds(
    lambda name, filename, kind, content: (
        b"--b\r\nContent-Disposition: form-data; name=" + name + filename + b"\r\n" + kind + b"\r\n" + content + b"\r\n"
    ),
    st.sampled_from([b'"f"', b'"g"', b"f", b'"a"', b'"\\""', b'""', b'"f', b"\xff", b'"f"; name="g"']),
    st.sampled_from(
        [b"", b'; filename="n"', b"; filename=..%2f", b'; filename="a/b"', b'; filename=""', b"; filename*=x''y"]
    ),
    st.sampled_from(
        [b"", b"Content-Type: text/plain\r\n", b"Content-Length: 3\r\n", b"X\r\n", b"X: " + b"y" * 5000 + b"\r\n"]
    ),
    st.one_of(
        st.binary(max_size=30), st.sampled_from([b"--b", b"\r\n--", b"\r\n--bx", b"x" * 70_000, b"x" * 1_100_000])
    ),
)
forms = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda parts, end: b"".join(parts) + end,
        st.lists(parts, max_size=5),
        st.sampled_from([b"--b--\r\n", b"--b--", b"--b", b""]),
    ),
)
boundaries = st.sampled_from(["b", '"b"', "b; boundary=b", "c", "", '"', "\xff", "x" * 300])


@pytest.mark.needs("multipart")
@some(200)
@given(
    handler=st.sampled_from(
        ["whole", "file", "unread", "files", "sync_file", "pipe", "echo", "fail", "rest", "stream", "no"]
    ),
    body=bodies(forms),
    boundary=st.one_of(st.just("b"), boundaries),
    limits=st.sampled_from([{}, {"max_upload_size": 50, "max_body_size": 50}, {"max_form_parts": 2}]),
    leave_after=lives,
    disconnect=st.booleans(),
    send_fails=st.booleans(),
)
def test_any_upload_has_a_legal_reply(handler, body, boundary, limits, leave_after, disconnect, send_fails):
    """Any form in any pieces, for handlers that read all, some or nothing of it, whenever the client leaves."""
    answer = run(
        exchange(
            Site(**limits),
            "POST",
            f"/{handler}",
            body=body,
            headers=[("content-type", f"multipart/form-data; boundary={boundary}")],
            leave_after=leave_after,
            disconnect=disconnect,
            send_fails=send_fails,
        )
    )
    check(answer)


@some(150)
@given(
    path=st.sampled_from(HANDLERS).map("/{}".format),
    body=bodies(json_bodies),
    turns=st.integers(0, 20),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    multipart=st.booleans(),
)
def test_any_request_can_be_cancelled(path, body, turns, method, multipart):
    """After any number of turns: what was sent so far is legal, and nothing is left behind."""

    async def cancelled():
        before = descriptors()
        kind = "multipart/form-data; boundary=b" if multipart else "application/json"
        request = exchange(Site(), method, path, body=body, headers=[("content-type", kind)], leave_after=100)
        task = asyncio.create_task(request)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            check(task.result())
        await settled(before)

    run(cancelled())


class Isolated(App):
    """Says after a while what it was asked, from everywhere that a request can be read."""

    async def coroutine(self, a):
        for _ in range(int(a) % 5):
            await asyncio.sleep(0)
        return self._seen(a)

    def thread(self, a):
        return self._seen(a)

    async def stream(self, a):
        for _ in range(int(a) % 5):
            await asyncio.sleep(0)
            yield ""
        yield self._seen(a)

    def sync_stream(self, a):
        yield ""
        yield self._seen(a)

    def _seen(self, a):
        request = self.request
        return " ".join(
            [a, str(request.query("a")), request.headers["x-a"], str(request.form("f")), request.scope["path"]]
        )


@some(60)
@given(calls=st.lists(st.sampled_from(["coroutine", "thread", "stream", "sync_stream"]), min_size=2, max_size=12))
def test_requests_at_the_same_time_do_not_mix(calls):
    """Each handler, thread and stream sees its own request only."""
    app = Isolated()

    async def together():
        begun = asyncio.Barrier(len(calls))  # the driver looks for tasks that are left when no call is under way

        async def entrance(scope, receive, send):
            await begun.wait()
            await app(scope, receive, send)

        def request(number, name):
            headers = [("x-a", str(number))]
            return awire(entrance, "POST", f"/{name}", query=f"a={number}", headers=headers, form={"f": number})

        return await asyncio.gather(*[request(number, name) for number, name in enumerate(calls)])

    for number, (name, answer) in enumerate(zip(calls, run(together()), strict=True)):
        assert answer.text == f"{number} {number} {number} {number} /{name}"


# Schedules that no well-behaved server has.

events = st.one_of(
    st.builds(
        lambda body, more: {"type": "http.request", "body": body, "more_body": more},
        st.one_of(st.none(), st.binary(max_size=20)),
        st.booleans(),
    ),
    st.just({"type": "http.request"}),
    st.just({"type": "http.disconnect"}),
    st.just({"type": "http.unknown"}),
    st.sampled_from(["pause", "raise"]),
)


@some(200)
@given(
    schedule=st.lists(events, max_size=8),
    handler=st.sampled_from([name for name in HANDLERS if name != "endless"]),
    method=st.sampled_from(["GET", "POST"]),
    kind=st.sampled_from([b"application/json", b"text/plain", b"multipart/form-data; boundary=b"]),
)
def test_any_schedule_of_receive_is_survived(schedule, handler, method, kind):
    """Messages in any order, pauses, unknown types and exceptions out of `receive`."""
    sent: list[Any] = []
    queue = iter(schedule)

    async def receive():
        for event in queue:
            if event == "pause":
                await asyncio.sleep(0)
            elif event == "raise":
                raise RuntimeError(MARKER)
            else:
                return event
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": method,
        "path": f"/{handler}",
        "query_string": b"",
        "headers": [(b"content-type", kind)],
    }

    async def served():
        async with asyncio.timeout(20):
            await Site()(scope, receive, send)

    run(served())
    check_http(sent, scope, unfinished=bool(sent) and handler in {"stream", "sync_stream", "pipe"})
    assert not any(secret in message.get("body", b"") for message in sent for secret in SECRETS)


# WebSocket.

socket_events = st.one_of(
    texts,
    st.binary(max_size=20),
    st.sampled_from(["{}", "[1]", "NaN", '"\\ud800"', "[" * 300]),
    st.builds(
        lambda text, data: {"type": "websocket.receive", "text": text, "bytes": data},
        st.one_of(st.none(), texts),
        st.one_of(st.none(), st.binary(max_size=10)),
    ),
    st.sampled_from(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive"},
            {"type": "websocket.unknown"},
            {"type": "websocket.disconnect"},
            {"type": "websocket.disconnect", "code": None, "reason": None},
            {"type": "websocket.disconnect", "code": 1006, "reason": "gone"},
        ]
    ),
)
refusals = st.sampled_from(
    [nothing, nothing, nothing, failing, dict, lambda: {"code": 4001, "reason": "é" * 200}, lambda: {"reason": "No"}]
)


@some(200)
@given(
    path=paths,
    query=queries,
    headers=headers,
    scope=scopes,
    messages=st.lists(socket_events, max_size=6),
    before=refusals,
    after=st.sampled_from([nothing, nothing, failing]),
    broken=broken,
)
def test_any_dialogue_is_legal(path, query, headers, scope, messages, before, after, broken):
    """Any handshake and any events, in any order, with hooks and stores that fail."""
    app = Site(Moody(broken))
    app.ws_middlewares.append(SocketSpoiler(before, after))
    scope.pop("extensions", None)
    options = {"query": query, "headers": headers, "scope": scope, "send": messages}
    dialogue = run(awebsocket(app, path, subprotocols=["json"], timeout=20, **options))
    if secretless(path, query, messages):
        blob = repr(dialogue.messages).encode()
        assert not any(secret in blob for secret in SECRETS)
    assert dialogue.close is None or dialogue.close[0] in {1000, 1008, 1011, 4000, 4001}


@some(150)
@given(
    path=st.sampled_from(HANDLERS).map("/{}".format),
    schedule=st.lists(
        st.one_of(socket_events.filter(lambda event: isinstance(event, dict)), st.just("raise")), max_size=6
    ),
    fails_at=st.integers(0, 4),
)
def test_any_socket_schedule_is_survived(path, schedule, fails_at):
    """Events in any order, `receive` that raises, and `send` that finds the client gone at any time."""
    sent: list[Any] = []
    queue = iter(schedule)

    async def receive():
        for event in queue:
            if event == "raise":
                raise RuntimeError(MARKER)
            return event
        return {"type": "websocket.disconnect"}

    async def send(message):
        if len(sent) >= fails_at:
            raise OSError(MARKER)
        sent.append(dict(message))

    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": []}

    async def served():
        async with asyncio.timeout(20):
            await Site()(scope, receive, send)

    run(served())
    check_websocket(sent, {**scope, "subprotocols": ["json"]}, unfinished=True)
    assert MARKER not in repr(sent)
