"""Hostile request lines, headers and scopes: each gets the contract's answer, never the framework's insides."""

import time
from typing import Any

import pytest

from micropie import App
from tests.client import http
from tests.wire import websocket, wire

BAD_REQUEST = "400 Bad Request"
NOT_FOUND = "404 Not Found"
SERVER_ERROR = "500 Internal Server Error"


class Site(App):
    """Handlers with something to hide."""

    secret = "marker-of-a-data-attribute"

    @property
    def trap(self):
        raise AssertionError("a property was evaluated")

    class Nested:
        def __call__(self):
            raise AssertionError("a nested class was called")

    async def index(self):
        return "index"

    async def echo(self, segment):
        return {"segment": segment}

    async def every(self, *segments):
        return list(segments)

    async def search(self, q="nothing"):
        return {"q": q}

    async def rest(self, **rest):
        return rest

    def sync_rest(self, **rest):
        return rest

    def keywords(self, *, function="f", context="c"):
        return [function, context]

    async def about_us(self):
        return "about"

    async def visit(self):
        self.request.session["seen"] = True
        return "noted"

    async def count(self, number: int):
        return [number, len(self.request.headers)]

    def _private(self):
        raise AssertionError("a private method was called")

    def __mangled(self):
        raise AssertionError("a mangled method was called")

    async def ws_index(self, ws):
        await ws.accept()

    async def ws_rest(self, ws, **rest):
        await ws.accept()
        await ws.send_json(rest)

    async def _ws_private(self, ws):
        raise AssertionError("a private method was called")


class CatchAll(App):
    """Every path that is no other's comes to `index`."""

    async def index(self, *segments):
        return list(segments)

    def _private(self):
        raise AssertionError("a private method was called")


# Paths.


@pytest.mark.parametrize(
    "path",
    [
        "/_private",
        "/%5fprivate",
        "/%5Fprivate",
        "/_%70rivate",
        "/%5f%70%72%69%76%61%74%65",
        "/-private",
        "/%2dprivate",
        "/_-private",
        "/__mangled",
        "/_Site__mangled",
        "/_Site--mangled",
        "/__class__",
        "/__init__",
        "/__dict__",
        "/_asgi_app_http",
        "/_router",
        "/_started",
        "/ws_index",
        "/ws-index",
        "/%77s_index",
        "/ws%5findex",
        "/ws%2dindex",
        "/ws_",
        "/_",
        "/__",
        "/request",
        "/middlewares",
        "/startup_handlers",
        "/startup-handlers",
        "/secret",
        "/trap",
        "/Nested",
        "/INDEX",
        "/Echo",
        "/index%00",
        "/%00",
        "/%00index",
        "/index%20",
        "/%20index",
        "/index%0a",
        "/..%2findex",
        "/%2e%2e",
        "/.",
        "/%252e",
        "/%255fprivate",
        "/index%2f",
        "/%EF%BD%89ndex",  # FULLWIDTH LATIN SMALL LETTER I: an identifier that NFKC makes `index`
        "/about\u2013us",  # an en dash
        "/about%E2%80%90us",
        "/*",
        "/%",
        "/%zz",
        "/" + "a" * 100_000,
        "/" + "%61" * 30_000,
        "/-" * 5_000,
    ],
)
def test_no_path_reaches_what_is_no_route(path):
    """Private names in any encoding, attributes, look-alikes and nonsense are 404."""
    answer = http(Site(), path=path)
    assert (answer.status_code, answer.text) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/_private", "/%5fprivate", "/__class__/x", "/ws_x", "/%77%73_x/y", "/_"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_a_catch_all_does_not_catch_private_names(method, path):
    """Private names are 404 also where `index` takes every path."""
    assert http(CatchAll(), method, path).status_code == 404


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/%2e%2e/%2e%2e/etc/passwd", ["..", "..", "etc", "passwd"]),
        ("/../..", ["..", ".."]),
        ("/a%2fb", ["a/b"]),
        ("/a%2Fb%2f/c", ["a/b/", "c"]),
        ("/a%00b", ["a\0b"]),
        ("/a%0d%0ab", ["a\r\nb"]),
        ("/a%252fb", ["a%2fb"]),
        ("/%", ["%"]),
        ("/%4", ["%4"]),
        ("/%zz", ["%zz"]),
        ("/a+b", ["a+b"]),
        ("/a;b=c", ["a;b=c"]),
        ("/x/_private", ["x", "_private"]),
        ("/%F0%9F%A5%A7", ["🥧"]),
    ],
)
def test_hostile_segments_arrive_decoded_once(path, segments):
    """A segment is decoded exactly once, and `%2F` does not split it."""
    assert http(CatchAll(), path=path).json() == segments


@pytest.mark.parametrize(
    "raw",
    [
        b"%ff",
        b"%80",
        b"a%c3",
        b"%c3%28",
        b"%c0%af",  # overlong "/"
        b"%c1%9c",  # overlong "\"
        b"%e0%80%af",
        b"%f0%80%80%af",
        b"%f8%88%80%80%80",
        b"%f4%90%80%80",  # beyond U+10FFFF
        b"%ed%a0%80",  # a surrogate
        b"%ed%a0%80%ed%b0%80",
        b"%fe%ff",
    ],
)
@pytest.mark.parametrize("errors", ["replace", "surrogateescape"])
@pytest.mark.parametrize("with_raw_path", [True, False])
def test_a_path_that_is_no_utf_8_is_400(raw, errors, with_raw_path):
    """Whatever a server makes of the bytes, invalid UTF-8 is a 400 where it can be told."""
    decoded = bytes.fromhex(raw.decode().replace("%", "").replace("a", "", raw.startswith(b"a")))
    path = "/" + ((b"a" if raw.startswith(b"a") else b"") + decoded).decode("utf-8", errors)
    scope: dict[str, Any] = {"path": path, "raw_path": b"/" + raw if with_raw_path else None}
    if errors == "replace" and not with_raw_path:
        # U+FFFD may have been sent: it is text like any other.
        assert wire(CatchAll(), scope=scope).status_code == 200
    else:
        answer = wire(CatchAll(), scope=scope)
        assert (answer.status_code, answer.text.partition(":")[0]) == (400, BAD_REQUEST)


def test_a_replacement_character_that_was_sent_is_text():
    """U+FFFD itself, correctly encoded, is no error."""
    assert http(CatchAll(), path="/%EF%BF%BD").json() == ["\ufffd"]


@pytest.mark.parametrize(
    "scope",
    [
        {"raw_path": None},
        {"raw_path": b""},
        {"raw_path": b"/echo/other"},
        {"raw_path": b"/%5fprivate"},
        {"raw_path": b"/echo/%5fprivate"},
        {"raw_path": b"/echo/x?q=%41"},
        {"raw_path": b"http://testserver/echo/%78"},
        {"raw_path": b"%"},
        {"raw_path": b"/echo/%ff"},
        {"root_path": None},
        {"root_path": "/"},
        {"root_path": "//"},
        {"root_path": "/other"},
        {"root_path": "/ech"},
        {"root_path": "/echo/x/y"},
    ],
)
def test_a_raw_or_root_path_that_does_not_fit_is_ignored(scope):
    """`path` decides; what contradicts it is no way around the routing."""
    assert wire(Site(), path="/echo/x", scope=scope).json() == {"segment": "x"}


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        ("/api", "/api/echo/x", 200),
        ("/api/", "/api/echo/x", 200),
        ("api", "/api/echo/x", 200),
        ("/api", "/apiecho/x", 404),
        ("/api", "/api_private", 404),
        ("/api", "/api/_private", 404),
        ("/api", "/api/ws_index", 404),
        ("/_api", "/_api/echo/x", 200),
        ("/_private", "/_private", 200),  # index
        ("/a/b", "/a/b/echo/x", 200),
        ("/a/b", "/a/echo/x", 404),
        ("/api", "/API/echo/x", 404),
    ],
)
def test_a_root_path_is_cut_off_at_a_segment_only(root, path, status):
    """Below the root path the same names are private as ever."""
    assert wire(Site(), path=path, scope={"root_path": root}).status_code == status


@pytest.mark.parametrize("key", ["headers", "query_string", "raw_path", "root_path", "scheme", "client", "server"])
@pytest.mark.parametrize("path", ["/", "/echo/x", "/visit"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_scope_without_an_entry_is_served(method, path, key, missing):
    """Entries that are missing or None count as empty."""
    site = Site()

    async def app(scope, receive, send):
        incomplete = {**scope, key: None}
        if missing:
            del incomplete[key]
        await site(incomplete, receive, send)

    assert http(app, method, path).status_code == 200


@pytest.mark.parametrize("key", ["headers", "query_string", "raw_path", "root_path", "scheme", "client", "server"])
@pytest.mark.parametrize("missing", [True, False])
def test_a_handshake_without_an_entry_is_served(key, missing):
    """The same for WebSockets."""
    site = Site()

    async def app(scope, receive, send):
        incomplete = {**scope, key: None}
        if missing:
            del incomplete[key]
        await site(incomplete, receive, send)

    assert websocket(app).accepted


# Queries.


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"", "nothing"),
        (b"q", "nothing"),
        (b"q=", "nothing"),
        (b"&&&q=1&&", "1"),
        (b"=x&q=1", "1"),
        (b"q=1&q=2", "1"),
        (b"q==", "="),
        (b"q=%", "%"),
        (b"q=%f", "%f"),
        (b"q=%ff", "\ufffd"),
        (b"q=\xff", "\ufffd"),
        (b"q=%00", "\0"),
        (b"q=a;q=b", "a;q=b"),
        (b"q=a%26b%3dc", "a&b=c"),
        (b"q=+%2b+", " + "),
        (b"%71=encoded", "encoded"),
        (b"q=%ed%a0%80", "\ufffd\ufffd\ufffd"),
        (b"q=\xc3\xa4", "ä"),
        (b"?q=x", "nothing"),
        (b"q[]=x", "nothing"),
        (b"q=" + b"x" * 100_000, "x" * 100_000),
    ],
)
def test_a_query_is_read_as_far_as_it_can_be(query, value):
    """A query is never an error but by its number of fields."""
    assert wire(Site(), path="/search", query=query).json() == {"q": value}


@pytest.mark.parametrize("field", [b"a=1", b"a", b"", b"q=1"])
@pytest.mark.parametrize(("number", "status"), [(1000, 200), (1001, 400), (100_000, 400)])
def test_a_query_of_too_many_fields_is_400(field, number, status):
    """A thousand fields are read, empty ones included, and not one more."""
    assert wire(Site(), path="/search", query=b"&".join([field] * number)).status_code == status


@pytest.mark.parametrize("name", ["function", "context", "args", "kwargs", "request", "session", "cls", "q"])
@pytest.mark.parametrize("path", ["/rest", "/sync_rest"])
def test_any_name_may_be_a_keyword(path, name):
    """`**rest` takes names that our own functions use for their parameters."""
    assert http(Site(), path=path, query=f"{name}=1").json() == {name: "1"}
    assert http(Site(), "POST", path, data={name: "1"}).json() == {name: "1"}
    assert http(Site(), "POST", path, json={name: "1"}).json() == {name: "1"}


@pytest.mark.parametrize("path", ["/rest", "/sync_rest"])
def test_a_client_cannot_pass_self(path):
    """A name that the method has bound already is left out of `**rest`."""
    assert http(Site(), path=path, query="self=1&x=2").json() == {"x": "2"}
    assert http(Site(), "POST", path, data={"self": "1", "x": "2"}).json() == {"x": "2"}
    assert http(Site(), "POST", path, json={"self": 1, "x": 2}).json() == {"x": 2}


def test_a_client_cannot_pass_the_socket():
    """The same for the first two parameters of a WebSocket handler."""
    assert websocket(Site(), "/rest", query="self=1&ws=2&x=3").sent == ['{"x":"3"}']


def test_keyword_only_parameters_may_have_any_name():
    """A sync handler's parameters may be called as those of the function that runs it in a thread."""
    assert http(Site(), path="/keywords").json() == ["f", "c"]
    assert http(Site(), path="/keywords", query="function=1&context=2").json() == ["1", "2"]


# Headers and cookies.


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b";",
        b"=",
        b"session_id",
        b"session_id=",
        b'session_id=""',
        b"session_id=\xff\xfe",
        b"session_id=" + b"a" * 129,
        b"session_id=" + b"a" * 100_000,
        b"session_id=a b",
        b"session_id=a\tb",
        b"session_id=../../etc/passwd\0",
        b"session_id='; DROP TABLE sessions; --",
        b"session_id=a,b",
        b"session_id=a%0d%0ab",
        b"session_id=\\x",
        b"SESSION_ID=abcdef",
        b"\xa0session_id=abcdef",
        b"session_id\x85=abcdef",
        b"a=session_id=abcdef",
        b"session_id =\x0babcdef\x0c\x1c",
        b"session_id" * 5_000,
        b"x=1;" * 20_000,
    ],
)
def test_no_impossible_id_reaches_the_backend(cookie):
    """A cookie that cannot be a session's is none, and the client gets a fresh id of ours."""
    from micropie import InMemorySessionBackend

    class Backend(InMemorySessionBackend):
        loaded: list[str] = []

        async def load(self, session_id):
            self.loaded.append(session_id)
            return await super().load(session_id)

    backend = Backend()
    backend.loaded = []
    answer = wire(Site(backend), path="/visit", headers=[("cookie", cookie)])
    assert (answer.status_code, answer.text) == (200, "noted")
    assert backend.loaded == []
    assert list(backend.sessions) == [answer.cookies["session_id"]]


def test_an_unknown_id_is_never_adopted():
    """An id that somebody planted is replaced, however plausible."""
    planted = "AAAAAAAAAAAAAAAAAAAAAAAA.7fffffff"
    answer = http(Site(), path="/visit", cookies={"session_id": planted})
    assert answer.cookies["session_id"] != planted


@pytest.mark.parametrize(
    ("host", "client", "headers"),
    [
        ("127.evil.example", "127.0.0.1", []),
        ("127.0.0.1.evil.example", "127.0.0.1", []),
        ("localhost.evil.example", "127.0.0.1", []),
        ("evil.example", "127.0.0.1", []),
        ("localhost@evil.example", "127.0.0.1", []),
        ("localhost", "203.0.113.7", []),
        ("localhost", "127.0.0.1", [("x-forwarded-for", "203.0.113.7")]),
        ("localhost", "127.0.0.1", [("forwarded", "for=203.0.113.7")]),
        ("localhost", "127.0.0.1", [("via", "1.1 proxy")]),
        ("localhost", "127.0.0.1", [("x-cluster-client-ip", "203.0.113.7")]),
        ("localhost", "127.0.0.1", [("cf-connecting-ip", "203.0.113.7")]),
        ("localhost", "::ffff:203.0.113.7", []),
        ("", "127.0.0.1", []),
        (None, "127.0.0.1", []),
        ("localhost", "", []),
    ],
)
def test_the_cookie_is_secure_unless_all_is_local(host, client, headers):
    """Nothing that a remote client can send takes `Secure` away."""
    answer = wire(Site(), path="/visit", host=host, client=(client, 1), headers=headers)
    assert "Secure" in (answer.headers["set-cookie"] or "").split("; ")


@pytest.mark.parametrize(("version", "secure"), [("1.0", True), ("1", True), ("1.1", False), ("2", False)])
def test_the_cookie_is_secure_behind_an_old_protocol(version, secure):
    """nginx that was told this server's address alone speaks HTTP/1.0, and adds no header."""
    answer = wire(Site(), path="/visit", host="localhost", client=("127.0.0.1", 1), scope={"http_version": version})
    assert ("Secure" in answer.headers["set-cookie"].split("; ")) is secure


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", "null")],
        [("origin", "null"), ("host", "")],
        [("origin", "testserver"), ("host", "testserver")],
        [("origin", "http://evil.example"), ("host", "testserver")],
        [("origin", "http://testserver.evil.example"), ("host", "testserver")],
        [("origin", "http://evil.example/testserver"), ("host", "testserver")],
        [("origin", "http://testserver@evil.example"), ("host", "testserver")],
        [("origin", "http://evil.example#testserver"), ("host", "testserver")],
        [("origin", "://"), ("host", "")],
        [("origin", "http://"), ("host", "")],
        [("origin", "file://"), ("host", "testserver")],
    ],
)
def test_another_origin_gets_no_socket_with_our_cookie(headers):
    """Whatever shape the origin has, it is ours only if it names our host."""
    dialogue = websocket(Site(), host=None, headers=headers, cookies={"session_id": "x" * 32})
    assert dialogue.accepted == (not headers)


def test_many_headers_are_no_work_before_somebody_asks():
    """Ten thousand fields, some of them not text, change nothing."""
    headers = [(b"x-%d" % number, b"\xff\x00\x80" * 10) for number in range(10_000)]
    assert wire(Site(), headers=headers).text == "index"


LINEAR = 5  # seconds of CPU, for what takes less than one; what is quadratic takes 15 and more


@pytest.mark.parametrize(
    "headers",
    [
        [(b"cookie", b"a=b")] * 300_000,
        [(b"cookie", b"session_id=a")] * 200_000,
        [(b"x", b"y")] * 600_000,
        [(b"accept", b"json," * 8_000_000)],
    ],
    ids=["cookies", "sessions", "fields", "ranges"],
)
def test_megabytes_of_headers_hold_up_nobody(headers):
    """Some servers have no limit, Uvicorn with httptools for one: the work is that of reading them once."""
    app = Site()
    assert wire(app, path="/visit").status_code == 200  # so there are sessions to be looked for
    began = time.process_time()
    answers = [wire(app, path=path, headers=headers) for path in ("/count/1", "/count/one")]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert time.process_time() - began < LINEAR


@pytest.mark.parametrize("method", ["get", "PoSt", "BREW", "", "\r\n", "GET\0", "é", "X" * 10_000])
def test_odd_methods_are_served(method):
    """A method that nobody knows is answered like any other."""
    app = Site()

    async def upper_case_undone(scope, receive, send):
        await app({**scope, "method": method}, receive, send)

    assert http(upper_case_undone).text == "index"


@pytest.mark.parametrize("detail", ["<script>alert(1)</script>", "\"'&<>", "\r\nSet-Cookie: a=b", "\0", "🥧"])
def test_no_value_of_the_client_is_echoed_in_an_error(detail):
    """Error pages speak of our names, never of the client's values."""
    app = Site()
    for answer in (
        http(app, path=f"/{detail.replace('/', '')}", query={"q": detail}.__repr__()),
        http(app, path="/echo", query=f"wrong={detail}"),
        wire(
            app,
            "POST",
            "/echo",
            body=detail.encode(),
            headers=[("accept", "text/plain"), ("content-type", "application/json")],
        ),
        wire(app, "POST", "/echo", body=detail.encode(), headers=[("content-type", "multipart/form-data")]),
    ):
        assert answer.status_code in {400, 404}
        assert answer.text in {
            NOT_FOUND,
            f"{BAD_REQUEST}: Missing required parameter 'segment'",
            f"{BAD_REQUEST}: Bad JSON",
            f"{BAD_REQUEST}: Missing boundary",
        }
        assert answer.headers["x-content-type-options"] == "nosniff"
