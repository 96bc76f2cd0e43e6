"""RSGI(app), in process: a server that speaks RSGI as Granian does, and applications that can't tell the difference."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

import pytest

from micropie import (
    RSGI,
    App,
    Controller,
    Cookie,
    FileBody,
    Header,
    HttpMiddleware,
    Mount,
    Reply,
    ReplyHeaders,
    Resource,
    TrustedProxies,
    current_request,
    url_for,
)

LEFT = RuntimeError("RSGI transport is closed")
FORM = ("content-type", "application/x-www-form-urlencoded")
CHUNKED = ("transfer-encoding", "chunked")
HTML = ("content-type", "text/html; charset=utf-8")


class Headers:
    """Header fields as RSGI shows them: the first of a name, or all of them."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self._pairs if key == name), None)

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def items(self) -> list[tuple[str, str]]:
        return list(self._pairs)


@dataclass
class Scope:
    """What a server knows of a request."""

    path: str = "/"
    method: str = "GET"
    query_string: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=lambda: [("host", "localhost")])
    proto: str = "http"
    http_version: str = "1.1"
    scheme: str = "http"
    client: str = "127.0.0.1:40000"
    server: str = "127.0.0.1:8000"
    authority: str | None = None

    @property
    def headers(self) -> Headers:
        return Headers(self.pairs)


class Protocol:
    """One request's end at the server: its body comes in these chunks, and what is answered is kept."""

    def __init__(self, *chunks: bytes | None, leaves_after: int | None = None) -> None:
        self.chunks = list(chunks)  # None: the client has left
        self.leaves_after = leaves_after  # chunks of the stream; None: it stays
        self.gone = asyncio.Event()
        self.waiting = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.whole = False
        self.closed_with: list[int | None] = []

    async def __call__(self) -> bytes:
        if None in self.chunks:
            raise LEFT
        return b"".join(chunk for chunk in self.chunks if chunk)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        chunk = self.chunks.pop(0)
        if chunk is None:
            self.chunks.append(b"")  # Granian's second empty chunk
        return chunk or b""

    async def client_disconnect(self) -> None:
        self.waiting.set()
        await self.gone.wait()

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._answer(status, headers)
        self.whole = True

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert type(body) is bytes
        self._answer(status, headers)
        self.body, self.whole = [body] if body else [], True

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        self.response_bytes(status, headers, Path(file).read_bytes())

    def response_file_range(self, status: int, headers: list[tuple[str, str]], file: str, start: int, end: int) -> None:
        self.response_bytes(status, headers, Path(file).read_bytes()[start:end])

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Self:
        self._answer(status, headers)
        return self

    async def send_bytes(self, chunk: bytes) -> None:
        if self.leaves_after == len(self.body):
            raise LEFT
        assert type(chunk) is bytes
        self.body.append(chunk)

    def close(self, status: int | None) -> None:
        self.closed_with.append(status)

    def _answer(self, status: int, headers: list[tuple[str, str]]) -> None:
        assert self.status == 0, "a request is answered once"
        assert 100 <= status <= 599
        assert all(type(pair) is tuple and list(map(type, pair)) == [str, str] for pair in headers)
        self.status, self.headers = status, headers


def serve(app: App, scope: Scope, protocol: Protocol | None = None) -> Protocol:
    """Serve one request to its end."""

    async def main() -> Protocol:
        server = protocol or Protocol(b"")
        await asyncio.wait_for(RSGI(app).__rsgi__(scope, server), 10)
        return server

    return asyncio.run(main())


def post(path: str, *pairs: tuple[str, str]) -> Scope:
    """A POST with these headers."""
    return Scope(path, "POST", pairs=list(pairs))


class Shop(App):
    async def index(self):
        return "Open"

    async def greet(self, name="Guest"):
        return {"hello": name}

    async def mirror(self):
        return {"json": self.request.get_json, "form": self.request.body_params}

    async def tag(self, value):
        return 200, "tagged", [("X-Tag", value)]

    async def nothing(self):
        return None

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return str(self.request.session["visits"])

    async def scope(self):
        return {"keys": " ".join(sorted(self.request.scope)), "client": self.request.scope["client"]}

    async def headers(self):
        return self.request.headers

    async def count(self):
        async def numbers() -> AsyncIterator[bytes]:
            yield b"one"
            yield b""
            yield b"two"

        return numbers()


# -- replies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/", "", b"Open"),
        ("/greet", "", b'{"hello":"Guest"}'),
        ("/greet", "name=J%C3%BCrgen", '{"hello":"Jürgen"}'.encode()),
        ("/greet/Zoë", "name=Bob", '{"hello":"Zoë"}'.encode()),
        ("/greet/Alice/", "", b'{"hello":"Alice"}'),
    ],
)
def test_a_whole_reply(path: str, query: str, body: bytes):
    """Path and query fill parameters, and the reply goes out in one call under its type."""
    reply = serve(Shop(), Scope(path, query_string=query))
    kind = ("content-type", "application/json") if body.startswith(b"{") else HTML
    assert (reply.status, reply.headers, reply.body, reply.whole) == (200, [kind], [body], True)


def test_typed_parameters_and_their_faults():
    """Path, cookie and header are converted; what does not fit is told as problem details who asks for JSON."""

    class Typed(App):
        async def index(self, n: int, theme: Annotated[str, Cookie()], token: Annotated[int, Header("X-Token")]):
            return [n, theme, token]

    pairs = [("cookie", "theme=dark"), ("x-token", "7"), ("accept", "application/json")]
    assert serve(Typed(), Scope("/5", pairs=pairs)).body == [b'[5,"dark",7]']
    reply = serve(Typed(), Scope("/x", pairs=pairs))
    assert (reply.status, reply.headers[0]) == (400, ("content-type", "application/problem+json"))
    assert b'"errors":[{"in":"path","name":"n","message":"expected an integer"}]' in reply.body[0]


def test_headers_of_the_handler_go_out_with_a_length():
    """A reply with headers of its own has our type and length beside them."""
    reply = serve(Shop(), Scope("/tag/x"))
    assert reply.headers == [HTML, ("x-tag", "x"), ("content-length", "6")]
    assert reply.body == [b"tagged"]


@pytest.mark.parametrize(("path", "own"), [("/", []), ("/tag/x", [("x-tag", "x")]), ("/nowhere", []), ("/nothing", [])])
def test_headers_of_a_middleware_are_those_of_every_reply(path: str, own: list[tuple[str, str]]):
    """Texts, replies with headers of their own, errors and replies without a body have them; their letters are kept."""

    class Adds(HttpMiddleware):
        headers = ReplyHeaders({"X-One": "Zoë"})

        def reply_headers(self, request):
            return self.headers

    app = Shop()
    app.middlewares.append(Adds())
    for _ in range(2):
        headers = serve(app, Scope(path)).headers
        assert [pair for pair in headers if pair[0] in ("x-tag", "x-one")] == [*own, ("x-one", "Zoë")]


def test_a_reply_may_be_of_any_type():
    """The type of a `Reply` goes out, whatever it is."""

    class Site(App):
        async def index(self):
            return Reply(200, "x", [], "text/plain")

    answer = serve(Site(), Scope("/"))
    assert ("content-type", "text/plain") in answer.headers


@pytest.mark.parametrize("value", ["Zoë", "\u20ac"])
def test_a_header_value_keeps_its_letters(value: str):
    """RSGI takes text, so what ASGI has as ISO 8859-1 or UTF-8 is text again."""
    assert ("x-tag", value) in serve(Shop(), Scope(f"/tag/{value}")).headers


def test_head_announces_the_body_and_sends_none():
    """The reply to HEAD is that to GET without the body."""
    reply = serve(Shop(), Scope(method="HEAD"))
    assert (reply.headers, reply.body) == ([HTML, ("content-length", "4")], [])


def test_none_is_no_content():
    """A 204 has neither body nor type nor length."""
    reply = serve(Shop(), Scope("/nothing"))
    assert (reply.status, reply.headers, reply.body) == (204, [], [])


@pytest.mark.parametrize(
    ("path", "status"), [("/nowhere", 404), ("/tag", 400), ("/greet/a/b", 500), ("/greet/\ufffd", 400)]
)
def test_errors_are_answered(path: str, status: int):
    """Unknown routes, missing parameters, surplus segments, and bytes that are no UTF-8, which Granian replaces."""
    assert serve(Shop(), Scope(path)).status == status


# -- sessions and the scope ---------------------------------------------------------------------------


def test_a_session_is_kept_and_its_cookie_found_in_any_field():
    """The first reply sets the cookie, which HTTP/2 may send back in a field of its own."""
    app = Shop()
    first = serve(app, Scope("/visit"))
    cookie = dict(first.headers)["set-cookie"].partition(";")[0]
    second = serve(app, Scope("/visit", pairs=[("cookie", "a=b"), ("cookie", cookie)]))
    assert (first.body, second.body) == ([b"1"], [b"2"])
    assert "Secure" not in dict(first.headers)["set-cookie"]
    assert "set-cookie" not in dict(second.headers)


def test_the_scope_is_made_when_asked_for():
    """A handler that asks gets the dict that ASGI has, but for `raw_path`."""
    keys = b"asgi client endpoint extensions headers http_version method path query_string root_path route scheme"
    keys += b" server state type"
    assert serve(Shop(), Scope("/scope")).body == [b'{"keys":"' + keys + b'","client":["127.0.0.1",40000]}']


@pytest.mark.parametrize(("client", "shown"), [("[::1]:40000", '["::1",40000]'), ("", "null"), ("unix:", "null")])
def test_the_client_is_an_address_or_none(client: str, shown: str):
    """An IPv6 address has no brackets in ASGI, and a Unix socket's peer has no address."""
    assert serve(Shop(), Scope("/scope", client=client)).body[0].endswith(f'"client":{shown}}}'.encode())


def test_the_host_of_http_2_is_its_authority():
    """HTTP/2 may have no `Host`; to the application it is there all the same."""
    reply = serve(Shop(), Scope("/headers", pairs=[("a", "b"), ("a", "c")], authority="example.org"))
    assert reply.body == [b'{"a":"b, c","host":"example.org"}']


class Rewriting(HttpMiddleware):
    async def before_request(self, request):
        request.scope["path"] = "/greet"
        request.scope["query_string"] = b"name=Alice"


class Lending(HttpMiddleware):
    async def before_request(self, request):
        request.scope["session"] = {"visits": 41}


def test_a_hook_may_rewrite_the_scope():
    """Once it is made, the scope's path and query are the request's."""
    app = Shop()
    app.middlewares.append(Rewriting())
    assert serve(app, Scope("/nowhere", query_string="name=Bob")).body == [b'{"hello":"Alice"}']


def test_a_hook_may_lend_a_session():
    """A session in the scope is used, and not saved by us."""
    app = Shop()
    app.middlewares.append(Lending())
    reply = serve(app, Scope("/visit"))
    assert (reply.body, "set-cookie" in dict(reply.headers)) == ([b"42"], False)


# -- bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "chunks"),
    [
        ("12", [b"name=", b"Alice+B", b""]),  # taken whole
        ("13000", [b"name=", b"A" * 12995, b""]),  # in chunks, to the last byte
        (None, [b"name=", b"Alice+B", b""]),
        (None, [b"name=A"]),
        (None, [b""]),
    ],
)
def test_a_body_is_read_to_its_end(length: str | None, chunks: list[bytes]):
    """A body arrives whole however it is framed."""
    framing = CHUNKED if length is None else ("content-length", length)
    reply = serve(Shop(), post("/mirror", FORM, framing), Protocol(*chunks))
    value = b"".join(chunks).removeprefix(b"name=").replace(b"+", b" ").decode()
    expected = f'{{"json":{{}},"form":{{"name":["{value}"]}}}}' if value else '{"json":{},"form":{}}'
    assert reply.body == [expected.encode()]


@pytest.mark.parametrize(
    ("framing", "chunks"),
    [
        (("content-length", "13"), [b"name=", None]),
        (("content-length", "13000"), [b"name=", None]),
        (("content-length", "13000"), [b"name=", b""]),
        (CHUNKED, [b"name=", None]),
    ],
)
def test_a_body_that_breaks_off_runs_no_handler(framing: tuple[str, str], chunks: list[bytes | None]):
    """However RSGI tells it, half a body is none."""
    seen = []

    class Watched(App):
        async def index(self):
            seen.append(self.request.body)

    assert serve(Watched(), post("/", FORM, framing), Protocol(*chunks)).status == 400
    assert seen == []


def test_a_body_over_the_limit_is_refused():
    """On its length before it is read, without a length at the first byte too many."""
    app = Shop(max_body_size=10)
    unread = Protocol(b"x" * 13, b"")
    assert serve(app, post("/mirror", FORM, ("content-length", "13")), unread).status == 413
    assert unread.chunks == [b"x" * 13, b""]
    assert serve(app, post("/mirror", FORM, CHUNKED), Protocol(b"x" * 8, b"x" * 8, b"y", b"")).status == 413


def test_a_body_that_stalls_is_given_up():
    """A small body that does not come in its time is a 408."""

    class Stalled(Protocol):
        async def __call__(self) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    app = Shop(body_timeout=0.05)
    assert serve(app, post("/mirror", FORM, ("content-length", "13")), Stalled()).status == 408


@pytest.mark.needs("multipart")
def test_an_upload_passes_in_pieces():
    """A file's chunks reach the handler as they come."""

    class Uploads(App):
        async def index(self, document):
            return [chunk.decode() async for chunk in document]

    head = b'--line\r\nContent-Disposition: form-data; name=document; filename="a"\r\n\r\n'
    multipart = ("content-type", "multipart/form-data; boundary=line")
    protocol = Protocol(head, b"one", b"two", b"\r\n--line--\r\n", b"")
    assert serve(Uploads(), post("/", multipart, CHUNKED), protocol).body == [b'["one","two"]']


@pytest.mark.parametrize("name", ["_asgi_app_http", "_asgi_app_lifespan"])
def test_an_asgi_method_that_is_replaced_on_the_instance_is_not_gone_past(name: str):
    """As instrumentation does it: RSGI has no way through it."""
    shop = Shop()
    setattr(shop, name, getattr(shop, name))
    with pytest.raises(TypeError, match="would go past the ASGI methods of Shop: serve it with --interface asgi"):
        RSGI(shop)


@pytest.mark.parametrize(("native", "expected"), [("1", "1.0"), ("1.0", "1.0"), ("1.1", "1.1"), ("2", "2")])
def test_the_scope_has_the_http_version_as_asgi_writes_it(native: str, expected: str):
    """Granian calls HTTP/1.0 `1`."""

    class Version(App):
        async def index(self):
            return self.request.scope["http_version"]

    assert serve(Version(), Scope(http_version=native)).body == [expected.encode()]


# -- streams ------------------------------------------------------------------------------------------


def test_a_stream_goes_out_in_its_chunks():
    """Each chunk is sent by itself, under the stream's headers."""
    reply = serve(Shop(), Scope("/count"))
    assert (reply.status, reply.headers, reply.body) == (200, [HTML], [b"one", b"two"])


def test_head_of_a_stream_is_its_head():
    """HEAD opens no stream."""
    reply = serve(Shop(), Scope("/count", "HEAD"))
    assert (reply.status, reply.headers, reply.body, reply.whole) == (200, [HTML], [], True)


def test_a_stream_ends_when_the_client_leaves():
    """A generator that waits is cancelled and closed when the client is gone."""
    seen = []

    class Idle(App):
        async def index(self):
            async def once() -> AsyncIterator[str]:
                try:
                    yield "only"
                    await asyncio.Event().wait()
                finally:
                    seen.append("closed")

            return once()

    async def main() -> Protocol:
        protocol = Protocol(b"")
        serving = asyncio.ensure_future(RSGI(Idle()).__rsgi__(Scope(), protocol))
        await asyncio.wait_for(protocol.waiting.wait(), 10)
        protocol.gone.set()
        await asyncio.wait_for(serving, 10)
        return protocol

    assert asyncio.run(main()).body == [b"only"]
    assert seen == ["closed"]


def test_a_chunk_for_a_client_that_is_gone_ends_the_stream():
    """RSGI's error for it is nobody's: the generator is closed, and nothing is raised."""
    seen = []

    class Endless(App):
        async def index(self):
            async def ticks() -> AsyncIterator[str]:
                try:
                    while True:
                        yield "tick"
                finally:
                    seen.append("closed")

            return ticks()

    assert serve(Endless(), Scope(), Protocol(b"", leaves_after=2)).body == [b"tick", b"tick"]
    assert seen == ["closed"]


def test_sync_streams_that_take_turns_keep_their_threads():
    """A database connection works in each, and slow readers keep no handler from its thread."""
    barrier = threading.Barrier(4)

    class Slow(Protocol):
        async def send_bytes(self, chunk: bytes) -> None:
            await super().send_bytes(chunk)
            await may_go_on.wait()

    class Rows(App):
        def index(self) -> Iterator[str]:
            with closing(sqlite3.connect(":memory:")) as database:
                database.executescript("create table t (n integer); insert into t values (1), (2), (3)")
                for (number,) in database.execute("select n from t"):
                    yield str(number)

        def together(self):
            barrier.wait(10)

    async def main() -> list[list[bytes]]:
        rsgi = RSGI(Rows(sync_threads=4))
        readers = [Slow(b"") for _ in range(200)]
        reading = [asyncio.ensure_future(rsgi.__rsgi__(Scope(), reader)) for reader in readers]
        while not all(reader.body for reader in readers):  # noqa: ASYNC110  a protocol has no event for it
            await asyncio.sleep(0.01)
        await asyncio.gather(*(rsgi.__rsgi__(Scope("/together"), Protocol(b"")) for _ in range(8)))
        may_go_on.set()
        await asyncio.gather(*reading)
        return [reader.body for reader in readers]

    may_go_on = asyncio.Event()
    assert asyncio.run(main()) == [[b"1", b"2", b"3"]] * 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_stream_that_fails_is_not_ended(announced: bool, caplog: pytest.LogCaptureFixture):
    """It would look whole, so it stays open until the client leaves; one of announced length is the server's to cut."""

    class Failing(App):
        async def index(self):
            async def half() -> AsyncIterator[str]:
                yield "half"
                raise RuntimeError("broken")

            return 200, half(), [("Content-Length", "9")] if announced else []

    async def main() -> bool:
        protocol = Protocol(b"")
        serving = asyncio.ensure_future(RSGI(Failing()).__rsgi__(Scope(), protocol))
        waiting = asyncio.ensure_future(protocol.waiting.wait())
        await asyncio.wait([serving, waiting], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        held = not serving.done()
        waiting.cancel()
        protocol.gone.set()
        with pytest.raises(RuntimeError, match="broken"):
            await serving
        return held

    assert asyncio.run(main()) is not announced
    assert [record.message for record in caplog.records] == ["GET '/' failed in Failing.index"]


# -- what speaks ASGI beneath -------------------------------------------------------------------------


class Handing(HttpMiddleware):
    def __init__(self, messages: Iterable[dict[str, Any]]) -> None:
        self.messages = messages
        self.received: list[Any] = []

    async def before_request(self, request):
        request.session["user"] = "alice"
        request._subapp = self.answer

    async def answer(self, scope, receive, send):
        self.received = [scope["path"], await receive()]
        for message in self.messages:
            await send(message)


def handed(*messages: dict[str, Any]) -> tuple[Handing, Protocol]:
    """A sub-application that sends these messages, and what goes out."""
    app, handing = Shop(), Handing(messages)
    app.middlewares.append(handing)
    return handing, serve(app, post("/any", FORM, ("content-length", "3")), Protocol(b"a=b"))


@pytest.mark.parametrize("parts", [[bytearray(b"whole")], [b"one", b"two"]])
def test_a_sub_application_answers(parts: list[bytes]):
    """It gets the scope and the body that was read; its messages become a reply, whole or streamed, with our cookie."""
    start = {"type": "http.response.start", "status": 201, "headers": [(b"x-sub", b"yes")]}
    bodies = [{"type": "http.response.body", "body": part, "more_body": part is not parts[-1]} for part in parts]
    handing, reply = handed(start, *bodies)
    assert (reply.status, reply.body, reply.whole) == (201, [bytes(part) for part in parts], len(parts) == 1)
    assert [name for name, _ in reply.headers] == ["x-sub", "set-cookie", "cache-control", "vary"]
    assert handing.received == ["/any", {"type": "http.request", "body": b"a=b", "more_body": False}]


def test_a_status_that_no_server_survives_is_refused(caplog: pytest.LogCaptureFixture):
    """Granian's worker would die of it."""
    with pytest.raises(ValueError, match="from 100 to 599"):
        handed({"type": "http.response.start", "status": 1000})
    assert caplog.records == []


def test_an_own_send_response_is_used():
    """What the documented method changes goes out."""

    class Signed(Shop):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            await super()._send_response(send, status_code, body, [*(extra_headers or []), ("X-Signed", "yes")])

    reply = serve(Signed(), Scope())
    assert reply.headers == [HTML, ("x-signed", "yes"), ("content-length", "4")]
    assert (reply.status, reply.body) == (200, [b"Open"])


# -- the life of the server ---------------------------------------------------------------------------


def test_lifespan_handlers_run_on_the_servers_loop():
    """Startup and shutdown run while the loop doesn't, and requests find the state."""
    seen = []

    class Stateful(App):
        async def index(self):
            return self.request.scope["state"]["shop"]

    async def open_shop(state):
        state["shop"] = "open"

    async def close_shop(state):
        seen.append(state["shop"])

    app = Stateful()
    app.startup_handlers.append(open_shop)
    app.shutdown_handlers.append(close_shop)
    rsgi = RSGI(app)
    loop = asyncio.new_event_loop()
    protocol = Protocol(b"")
    rsgi.__rsgi_init__(loop)
    loop.run_until_complete(rsgi.__rsgi__(Scope(), protocol))
    rsgi.__rsgi_del__(loop)
    loop.close()
    assert (protocol.body, seen) == ([b"open"], ["open"])


def test_a_websocket_is_refused(caplog: pytest.LogCaptureFixture):
    """It gets no handler, and the log says what would serve it."""
    protocol = serve(Shop(), Scope("/chat", proto="ws"))
    assert (protocol.closed_with, protocol.status) == ([None], 0)
    assert [record.message for record in caplog.records] == [
        "The WebSocket '/chat' is refused: RSGI(app) has HTTP only, start Granian with --interface asgi"
    ]


class OwnCall(App):
    async def __call__(self, scope, receive, send):
        await super().__call__(scope, receive, send)


class OwnHttp(App):
    async def _asgi_app_http(self, scope, receive, send):
        await super()._asgi_app_http(scope, receive, send)


class OwnLifespan(App):
    async def _asgi_app_lifespan(self, receive, send):
        await super()._asgi_app_lifespan(receive, send)


@pytest.mark.parametrize("wrong", [OwnCall(), OwnHttp(), OwnLifespan(), Shop()._asgi_app_http], ids=str)
def test_what_only_asgi_can_serve_is_refused(wrong: Any):
    """What RSGI would silently go past is an error at once, which names the way out."""
    with pytest.raises(TypeError, match="--interface asgi"):
        RSGI(wrong)


def test_the_request_is_current_and_then_no_more():
    """`current_request` is the request while it is served."""
    seen = []

    class Seeing(App):
        async def index(self):
            seen.append(current_request.get() is self.request)

    serve(Seeing(), Scope())
    assert seen == [True]
    assert current_request.get(None) is None


# A tree of controllers, and what is mounted in it.


async def teller(scope: Any, receive: Any, send: Any) -> None:
    """Tell what came, in two chunks."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-root", scope["root_path"].encode())]})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"|" + body})


class Cakes(Resource):
    async def get(self, kind):
        return f"{self.request.method} {kind}"

    async def where(self):
        return url_for(self.get, "a/b")


class Counter(Controller):
    cakes = Cakes()

    async def _after(self, reply):
        reply.headers.append(("X-After", str(reply.status)))


class Bakery(App):
    counter = Counter()
    files = Mount(teller)
    shop = Shop()

    async def index(self):
        return "Bakery"


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/counter/cakes/plum", 200, b"GET plum"),
        ("DELETE", "/counter/cakes/plum", 405, b"405 Method Not Allowed"),
        ("GET", "/counter/cakes/where", 200, b"/counter/cakes/a%2Fb"),
        ("GET", "/counter/nothing", 404, b"404 Not Found"),
    ],
)
def test_a_tree_answers(method, path, status, body):
    """Branches, verbs, guards and URLs."""
    protocol = serve(Bakery(), Scope(path, method))
    assert (protocol.status, protocol.body) == (status, [body])
    assert dict(protocol.headers)["x-after"] == str(status)


def test_a_mount_answers():
    """It speaks ASGI, and reads the body itself."""
    protocol = serve(Bakery(), post("/files/x", FORM, ("content-length", "3")), Protocol(b"a=1"))
    assert (protocol.status, b"".join(protocol.body)) == (200, b"/files/x|a=1")
    assert dict(protocol.headers)["x-root"] == "/files"


def test_an_application_below_answers():
    """It gets its part of the path."""
    assert serve(Bakery(), Scope("/shop/greet/Ann")).body == serve(Shop(), Scope("/greet/Ann")).body


def test_a_mount_starts_and_stops():
    """The lifespan of a mount runs from one hook of RSGI to the other."""
    events: list[str] = []

    async def speaking(scope, receive, send):
        for _ in range(2):
            event = (await receive())["type"]
            events.append(event)
            await send({"type": f"{event}.complete"})

    class Pages(App):
        part = Mount(speaking)

    loop = asyncio.new_event_loop()
    app = RSGI(Pages())
    app.__rsgi_init__(loop)
    assert events == ["lifespan.startup"]
    app.__rsgi_del__(loop)
    assert events == ["lifespan.startup", "lifespan.shutdown"]
    loop.close()


def test_trusted_proxies_tell_of_a_request():
    """A hook before routing may say who the client is; cookies are read as they came."""

    class Behind(HttpMiddleware):
        def before_routing(self, request):
            TrustedProxies("127.0.0.1", host=True).reveal(request)

    class Site(App):
        async def index(self, theme: Annotated[str, Cookie()]):
            scope = self.request.scope
            return [
                scope["client"][0],
                scope["scheme"],
                self.request.header("host"),
                self.request.headers["host"],
                theme,
            ]

    app = Site()
    app.middlewares.append(Behind())
    pairs = [
        ("host", "inner"),
        ("cookie", "theme=dark"),
        ("x-forwarded-for", "9.9.9.9"),
        ("x-forwarded-proto", "https"),
    ]
    reply = serve(app, Scope(pairs=[*pairs, ("x-forwarded-host", "shop.example")]))
    assert reply.body == [b'["9.9.9.9","https","shop.example","shop.example","dark"]']


def test_one_header():
    """`request.header` finds one field, without a scope, and that of HTTP/2 for the host."""

    class Site(App):
        async def index(self):
            return [self.request.header("x-a"), self.request.header("x-b"), self.request.header("host")]

    scope = Scope(pairs=[("x-a", "1"), ("x-a", "2")], authority="shop.example")
    assert serve(Site(), scope).body == [b'["1, 2",null,"shop.example"]']


def test_what_is_mounted_sends_through_the_middlewares():
    """`mounted_send` sees what a mounted application sends, and the error in its place if it fails."""

    class Marks(HttpMiddleware):
        def mounted_send(self, request, send):
            async def marked(message):
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"x-mark", b"1")]}
                await send(message)

            return marked

    async def foreign(scope, receive, send):
        if scope["path"] == "/files/fails":
            raise RuntimeError("secret")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"foreign"})

    class Site(App):
        files = Mount(foreign)

    app = Site()
    app.middlewares.append(Marks())
    found = [serve(app, Scope(path)) for path in ("/files/x", "/files/fails")]
    assert [(reply.status, ("x-mark", "1") in reply.headers) for reply in found] == [(200, True), (500, True)]


class Films(App):
    def whole(self, path):
        return 200, FileBody(path, Path(path).stat()), {"Content-Length": "7"}

    def part(self, path):
        return 206, FileBody(path, Path(path).stat(), 2, 3), {"Content-Length": "3"}


def test_files_are_the_servers_to_send(tmp_path):
    """Granian sends a file, or a part of it, by itself, and nothing for HEAD."""
    film = tmp_path / "film"
    film.write_bytes(b"the end")
    quoted = quote(str(film), safe="")
    found = [serve(Films(), Scope(f"/{name}", query_string=f"path={quoted}")) for name in ("whole", "part")]
    assert [(one.status, one.headers[1:], one.body) for one in found] == [
        (200, [("content-length", "7")], [b"the end"]),
        (206, [("content-length", "3")], [b"e e"]),
    ]
    head = serve(Films(), Scope("/whole", "HEAD", query_string=f"path={quoted}"))
    assert (head.status, head.body) == (200, [])
