"""The RSGI end: Granian's own protocol, for the same pipeline. HTTP only, and only for those who ask for it.

A GET and a small body go straight through, without a scope and without messages. Whatever is rarer (streams,
sub-applications, an own `_send_response`) speaks ASGI with `RSGIRequest._receive` and `RSGISend`. In RSGI 1.6 the
`response_` methods are sync, a client that has left is a `RuntimeError`, and `headers` are copied at every access.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from micropie.core.app import App, overrides
from micropie.core.basics.errors import HTTPError, log, shortened
from micropie.core.basics.headers import content_length
from micropie.core.basics.types import HeaderPairs, Message, RawHeaders, Scope
from micropie.core.engine import Engine
from micropie.core.lifespan.lifespan import shutdown, startup
from micropie.core.pipeline.http import serve_http
from micropie.core.replies.asgi import WholeMessages, whole_headers
from micropie.core.replies.file_body import PATHSEND, PATHSEND_RANGE
from micropie.core.replies.ready_headers import ReadyPairs, text_pairs
from micropie.core.replies.reply import BODYLESS, PLAIN_TYPES, PRIVATE, Reply, plain
from micropie.core.requests.body_stream import MIN_RATE
from micropie.core.requests.request import Request, RouteKey, lazy

_ASGI_METHODS = "__call__", "_asgi_app_http", "_asgi_app_lifespan"
_PLAIN_HEADERS = {media: [("content-type", media)] for media in PLAIN_TYPES}  # Granian adds the length


class RSGI:
    """An application for Granian's own protocol, which takes less CPU than ASGI; HTTP only.

    `TypeError` for what it would go past: ASGI middleware around the application, and overridden ASGI methods.

        rsgi_app = RSGI(MyApp())  # granian --interface rsgi app:rsgi_app
    """

    def __init__(self, app: App) -> None:
        if not isinstance(app, App):
            raise TypeError(f"RSGI() serves an App, {app!r} is none: serve it with --interface asgi")
        # On the instance too, as instrumentation does.
        if any(overrides(app, name) or name in vars(app) for name in _ASGI_METHODS):
            name = type(app).__name__
            raise TypeError(f"RSGI() would go past the ASGI methods of {name}: serve it with --interface asgi")
        self._engine = app._micropie

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the startup handlers; Granian ends if one raises."""
        self._engine.state = {}
        loop.run_until_complete(startup(self._engine))

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the shutdown handlers."""
        loop.run_until_complete(shutdown(self._engine))

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Serve one HTTP request; refuse a WebSocket."""
        if scope.proto != "http":
            refuse(scope, protocol)
            return
        send = RSGISend(protocol)
        try:
            await serve_http(self._engine, RSGIRequest(scope, protocol, self._engine), send, whole_rsgi, plain_rsgi)
        except Exception:
            await send.hold()
            raise


def refuse(scope: Any, protocol: Any) -> None:
    """Refuse a WebSocket with 403, and tell the log how to have WebSockets."""
    path = shortened(scope.path)
    log.error("The WebSocket %r is refused: RSGI(app) has HTTP only, start Granian with --interface asgi", path)
    protocol.close(None)


class RSGIRequest(Request):
    """A request of RSGI. Its `scope` is ASGI's, made when somebody asks for it and authoritative from then on."""

    _known_scope: Scope | None = None
    _chunks: Any = None
    _missing: int | None = None  # bytes of a body of known length
    _body_over = False

    def __init__(self, native: Any, protocol: Any, engine: Engine) -> None:
        self._native = native
        self._protocol = protocol
        self._engine = engine
        self._native_headers = native.headers
        self.method = native.method

    @lazy
    def scope(self) -> Scope:
        """The request as ASGI describes it, but for a raw path."""
        self._known_scope = asgi_scope(self._native, self._raw_headers, self._engine.state)
        if self._target is not None:
            self._known_scope.update(endpoint=self._target.handler, route=self._target.route)
        return self._known_scope

    @lazy
    def _raw_headers(self) -> RawHeaders:
        fields = [(name.encode(), value.encode()) for name, value in self._native_headers.items()]
        if self._native.authority and "host" not in self._native_headers:  # HTTP/2
            fields.append((b"host", self._native.authority.encode()))
        return fields

    @property
    def _preset(self) -> Scope:
        return {} if self._known_scope is None else self._known_scope

    def _header_bytes(self, name: bytes, default: bytes) -> bytes:
        value: str | None = self._native_headers.get(name.decode())
        return default if value is None else value.encode()

    _header_once = _header_bytes  # no dict is made for it

    def _read_headers(self) -> Callable[[bytes, bytes], bytes]:
        return self._header_bytes

    def _use_headers(self, headers: RawHeaders) -> None:
        super()._use_headers(headers)
        vars(self)["_cookies"] = super()._cookies

    def _cookies(self) -> str:
        if "cookie" not in self._native_headers:  # PERF: most requests end here, 0.1 µs
            return ""
        return "; ".join(self._native_headers.get_all("cookie"))

    def _route_key(self) -> RouteKey:
        return (self._native.path, "", self.method) if self._known_scope is None else super()._route_key()

    def _has_plain_path(self) -> bool:
        return self._known_scope is None or super()._has_plain_path()

    def _path_without_root(self) -> str:
        return self._native.path if self._known_scope is None else super()._path_without_root()

    def _segments(self) -> list[str]:
        path: str = self._native.path if self._known_scope is None else self._known_scope["path"]
        if "\ufffd" in path:  # what Granian makes of bytes that are no UTF-8
            raise HTTPError(400, "The path is not valid UTF-8")
        return path.removeprefix("/").split("/") if self._known_scope is None else super()._segments()

    def _query_string(self) -> str:
        return self._native.query_string if self._known_scope is None else super()._query_string()

    async def _receive(self) -> Message:
        """ASGI's `receive`: the body, then the client's leaving."""
        try:
            if self._body_over:
                await self._protocol.client_disconnect()
            elif self._chunks is None and self._is_small():
                self._body_over = True
                return {"type": "http.request", "body": await self._protocol(), "more_body": False}
            else:
                return await self._chunk_message()
        except RuntimeError as error:
            log.debug("The client left before its body was there: %s", error)
        return {"type": "http.disconnect"}

    def _is_small(self) -> bool:
        """True if one window of the minimum rate is all the time that the body has, so its parts need no clock."""
        self._missing = content_length(self._header_bytes(b"content-length", b""))
        limits = (self._target and self._target.limits) or self._engine.limits
        return (
            self._missing is not None
            and limits.body_timeout is not None
            and self._missing <= MIN_RATE * limits.body_timeout
        )

    async def _chunk_message(self) -> Message:
        if self._chunks is None:
            self._chunks = aiter(self._protocol)
        chunk = await self._chunk()
        if not chunk:
            # Granian ends a body with an empty chunk, and with two if it is broken off.
            if self._missing or await self._chunk() is not None:
                raise RuntimeError("The body is not whole")
        elif self._missing is not None:
            self._missing -= len(chunk)
        self._body_over = not chunk or self._missing == 0
        return {"type": "http.request", "body": chunk, "more_body": not self._body_over}

    async def _chunk(self) -> bytes | None:
        try:
            chunk: bytes = await anext(self._chunks)
            return chunk  # noqa: TRY300
        except StopAsyncIteration:
            return None


def asgi_scope(native: Any, headers: RawHeaders, state: dict[str, Any]) -> Scope:
    """The scope that ASGI has for the same request. A stream's `send` raises OSError when the client has left."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0" if native.http_version == "1" else native.http_version,
        "method": native.method,
        "scheme": native.scheme,
        "path": native.path,
        "query_string": native.query_string.encode(),
        "root_path": "",
        "headers": headers,
        "client": address(native.client),
        "server": address(native.server),
        "state": dict(state),
        "extensions": {PATHSEND: {}, PATHSEND_RANGE: {}},
    }


def address(text: str) -> tuple[str, int] | None:
    """`"[::1]:8000"` as `("::1", 8000)`; None for what is no network address."""
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None


def plain_rsgi(result: Any, session: object | None) -> WholeMessages | None:
    """The two messages of a result that is `plain`, if it is; no cache may give to others what a session is behind."""
    if (reply := plain(result)) is None:
        return None
    body, content_type = reply
    if session is not None:
        return whole_rsgi(Reply(200, None, PRIVATE, content_type), body, "GET")
    return _messages(200, _PLAIN_HEADERS[content_type], body)


def whole_rsgi(reply: Reply, body: bytes, method: str) -> WholeMessages:
    """The two messages of a reply to a request of that method."""
    own = reply.headers
    if not ((own and type(own) is not ReadyPairs) or method == "HEAD" or reply.status in BODYLESS):
        headers = _PLAIN_HEADERS[reply.content_type]
        return _messages(reply.status, [*headers, *own.texts()] if type(own) is ReadyPairs else headers, body)
    headers = text_pairs(whole_headers(reply, len(body), method))
    return _messages(reply.status, headers, None if method == "HEAD" or reply.status in BODYLESS else body)


def _messages(status: int, headers: HeaderPairs, body: bytes | None) -> WholeMessages:
    """Messages like ASGI's, but the headers are text, as RSGI wants them, and it is told when there is no body."""
    start = {"type": "http.response.start", "status": status, "text_headers": headers}
    return start, {"type": "http.response.body", "body": body, "is_bodyless": body is None}


class RSGISend:
    """ASGI's `send`. The head of a stream goes out with its first chunk."""

    # What whole replies don't need stands on the class.
    _status: int
    _headers: HeaderPairs
    _stream: Any = None

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    async def __call__(self, message: Message) -> None:
        """Send an ASGI message. OSError if the client has left in the middle of a stream, not before it."""
        if message["type"] == "http.response.start":
            status: Any = message["status"]
            if not (isinstance(status, int) and 100 <= status <= 599):  # noqa: PLR2004 - Granian dies of others
                raise ValueError(f"A reply's status must be from 100 to 599, it is {status!r}")
            self._status = status
            self._headers = message.get("text_headers") or text_pairs(message.get("headers") or ())
        elif message.get("is_bodyless"):
            self.protocol.response_empty(self._status, self._headers)
        elif message["type"] == PATHSEND:
            self._send_file(message)
        elif self._stream is None and not message.get("more_body"):
            self.protocol.response_bytes(self._status, self._headers, bytes(message.get("body") or b""))
        else:
            try:
                await self._send_chunk(bytes(message.get("body") or b""))
            except RuntimeError as error:
                raise ConnectionResetError(str(error)) from error
            if not message.get("more_body"):
                self._stream = None  # which ends it

    async def _send_chunk(self, chunk: bytes) -> None:
        if self._stream is None:
            self._stream = self.protocol.response_stream(self._status, self._headers)
        if chunk:
            await self._stream.send_bytes(chunk)

    def _send_file(self, message: Message) -> None:
        if "start" in message:
            part = message["start"], message["end"]
            self.protocol.response_file_range(self._status, self._headers, message["path"], *part)
        else:
            self.protocol.response_file(self._status, self._headers, message["path"])

    async def hold(self) -> None:
        """Leave a stream that broke unended until the client has left: with an end it would look whole.

        One whose length is announced is cut off by the server.
        """
        if self._stream is not None and "content-length" not in dict(self._headers):
            await self.protocol.client_disconnect()
        self._stream = None  # whoever still holds the exception must not hold the connection
