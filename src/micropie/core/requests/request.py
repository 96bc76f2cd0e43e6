"""Request and WebSocketRequest: what the client asks, read from the ASGI scope on demand.

Nothing is decoded before somebody wants it. A `lazy` value is computed at its first use and is a plain
attribute from then on, which middlewares may also assign.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from micropie.core.basics.background import Stopping
from micropie.core.basics.errors import HTTPError
from micropie.core.basics.headers import header_dict
from micropie.core.basics.json_codec import dumps, exact_loads, has_inexact_number, loads
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.basics.types import ASGIApp, Message, Params, RawHeaders, Receive, Scope
from micropie.core.requests.accept import preferred
from micropie.core.requests.session import Session
from micropie.core.requests.state import State

if TYPE_CHECKING:
    from typing import Self

    from micropie.core.handlers.faults import Faults
    from micropie.core.pipeline.mounts import SubApp
    from micropie.core.requests.upload import Upload
    from micropie.core.routing.router import Router
    from micropie.core.routing.targets import Target

MOUNTED = "micropie.mounted"  # in a scope: what of the tree led from an outer application of ours to this one
RELATIVE_PATH = "micropie.relative_path"  # in a scope: `root_path` is no part of `path`, whatever it looks like
TEMPLATE_CONTEXT = "micropie.template_context"  # in a scope: what hooks give to templates
MAX_QUERY_FIELDS = 1000  # as many as a form may have; more are an attack on hash tables and patience
_ORIGIN_FORM = "(?i)(?:http|ws)s?://[^/]*"
Closer = Callable[[], Awaitable[None]]
RouteKey = tuple[str, str | None, str]
T = TypeVar("T")
Default = TypeVar("Default")


class lazy(Generic[T]):  # noqa: N801 - reads like the decorator it is
    """A value made from the instance at its first use; then, or once assigned, an attribute like any other."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Self": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "T | Self":
        if instance is None:
            return self
        value = self.make(instance)
        setattr(instance, self.name, value)
        return value

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: T) -> None: ...

        def __delete__(self, instance: object) -> None: ...


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    if not text.isascii():
        return str(lazy_import("urllib.parse").unquote(text))
    # PERF: 0.8 µs; unquote, which looks for what is not ASCII, takes 1.6 µs.
    return str(lazy_import("urllib.parse").unquote_to_bytes(text), "utf-8", "replace")


def parse_query(query: str) -> Params:
    """The fields of an urlencoded text, as `urllib.parse.parse_qs` reads them: blank values count as absent."""
    # PERF: five pairs in 0.8 µs; parse_qs takes 3.5 µs.
    if "+" in query:
        query = query.replace("+", " ")
    fields: Params = {}
    escaped = "%" in query
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if value:
            if escaped and "%" in pair:
                name, value = _unescape(name), _unescape(value)
            if name in fields:
                fields[name].append(value)
            else:
                fields[name] = [value]
    return fields


def _raw_segments(raw: bytes, path: str) -> list[str] | None:
    """The segments of the path as it was sent, where `%2F` is no separator; None if `path` is another one by now."""
    try:
        decode = lazy_import("urllib.parse").unquote_to_bytes
        segments = [str(decode(segment), "utf-8") for segment in raw.split(b"/")]
    except UnicodeDecodeError:
        if "\ufffd" in path:  # what the server made of it
            raise HTTPError(400, "The path is not valid UTF-8") from None
        return None
    if "/".join(segments) != path:
        return None
    return segments[1:] if segments[0] == "" and len(segments) > 1 else segments


def use_origin_form(scope: Scope) -> None:
    """Make a path of a target that is a whole URL (RFC 9112 §3.2.2), and end `root_path` without a slash.

    Most servers hand on such a target as it is; Uvicorn puts a `root_path` in front of whatever comes, with its slash.
    """
    root: str = scope.get("root_path") or ""
    scope["path"] = _origin_form(scope["path"], root)
    if scope.get("raw_path"):
        scope["raw_path"] = _origin_form(scope["raw_path"].decode("latin-1"), root).encode("latin-1")
    if root:
        scope["root_path"] = root.rstrip("/")


def _origin_form(path: str, root: str) -> str:
    above, rest = (root, path[len(root) :]) if path.startswith(root) else ("", path)
    if (found := lazy_pattern(_ORIGIN_FORM).match(rest)) is not None:
        rest = rest[found.end() :] or "/"
    elif not above.endswith("/"):
        return path
    return above.rstrip("/") + "/" + rest.removeprefix("/")


def _is_text(path: str) -> bool:
    """True if it has no lone surrogates, which stand for bytes that some server could not decode."""
    return path.encode("utf-8", "replace").decode() == path


def _below(root: str, segments: list[str]) -> list[str]:
    prefix = root.strip("/").split("/")
    return (segments[len(prefix) :] or [""]) if segments[: len(prefix)] == prefix else segments


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()


async def never() -> Message:
    """The `receive` of a request that no server stands behind: it never returns."""
    forever: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await forever


class Request:
    """One HTTP request.

    `query_params` and `body_params` are `dict[str, list[str]]`, `get_json` the value of a JSON body (`{}` without one),
    `files` the uploads by field name, `session` this client's data, `headers` lower-case names to values; `scope` is
    the ASGI scope.

        async def search(self):
            return self.request.query("q", "nothing")
    """

    # What only few requests have stands on the class until then.
    body: bytes = b""
    """The bytes of a body that is not multipart."""
    request_id: str | None = None
    """The name that the log of failures knows it by, else its `X-Request-ID`; None until a middleware sets it."""
    start_waits: bool = False
    """True while the start of a streamed reply is to wait for its first chunk, however long that takes."""
    body_parsed: bool = False
    method: str
    """The HTTP method, in capitals; `GET` of a WebSocket."""
    _is_large: bool = False  # a multipart form, or another body that takes its time
    _late_params: Callable[[], Params] | None = None  # the fields of a body that is no form by its type
    _upload: "Upload | None" = None  # a multipart form
    _failure: bool = False  # an exception was not handled, or the session can't be had: it is not saved
    _raised: BaseException | None = None  # any exception that has ended the handler, or the sending of its reply
    _provided: dict[Any, Any]  # the values that providers have given it, by those; not there before that
    _closers: "list[Closer] | None" = None  # to be called when all is over, the last one first
    _faults: "Faults | None" = None  # of the handler's values, where it asks for them
    _stream_failed: bool = False  # before its first chunk
    _after_reply: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None = None  # what is called then
    _stopping: Stopping | None = None  # once its handler has asked for it, and ends by itself
    _debug_page: tuple[Any, Any] | None = None  # the body that visitors would see, and the reply shown in its place
    _session: Session | None = None  # as soon as somebody has looked at it
    _stored_session: tuple[str, dict[str, Any]] | None = None  # the id, and what the backend knows by it
    _hooks_reached: int | None = None  # so many middlewares, if a before hook has ended its way
    _route_handler: str | None = None
    _ws_route_handler: str | None = None
    _has_path_values: bool = False  # a hook has set path parameters that are no text
    _subapp: ASGIApp | None = None
    _subapp_path: str | None = None
    _subapp_mount_path: str | None = None
    _mount: "SubApp | None" = None  # the other application that answers, if the path has led to one
    _router: "Router | None" = None  # of the application that serves it
    _target: "Target | None" = None  # what the path leads to

    _known_scope: Scope | None  # what others may have looked into; None as long as nobody has asked for `scope`

    def __init__(self, scope: Scope, receive: Receive = never) -> None:
        self.scope = self._known_scope = scope
        self._receive = receive
        try:
            headers, self.method = scope["headers"], scope["method"]
        except KeyError:  # of a WebSocket, or of a test
            headers, self.method = scope.get("headers"), scope.get("method", "GET")
        self._raw_headers: RawHeaders = headers if type(headers) is list else list(headers or ())

    # What the steps of a request ask for. They don't look into the scope, which other protocols make only when asked.

    @property
    def _preset(self) -> Scope:
        """Where an outer application may have left the session, or what it read of the body: the scope."""
        return self.scope

    @lazy
    def _header_bytes(self) -> Callable[[bytes, bytes], bytes]:
        """A function: the value of a header field by its lower-case name, of repeated ones any; or a default."""
        return dict(self._raw_headers).get

    def _read_headers(self) -> Callable[[bytes, bytes], bytes]:
        """The function `_header_bytes`, which more than one will ask."""
        self._header_bytes = read = dict(self._raw_headers).get  # PERF: not by way of `lazy`, 0.15 µs
        return read

    def _header_once(self, name: bytes, default: bytes) -> bytes:
        """What `_header_bytes` says, for a stream that lives long: no dict stays."""
        return dict(self._raw_headers).get(name, default)

    def _use_headers(self, headers: RawHeaders) -> None:
        """Go on with other header fields than those that came."""
        self._raw_headers = headers
        self._header_bytes = dict(headers).get
        vars(self).pop("headers", None)

    def _cookies(self) -> str:
        """All Cookie fields as one, `""` if there is none."""
        # PERF: a bare loop over the raw pairs, 0.2 µs for ten headers; decoding them would cost 2 µs, a dict 0.4 µs.
        found = b""
        for name, value in self._raw_headers:
            if name == b"cookie":
                if found:  # HTTP/2 has one for each cookie
                    found = b"; ".join([value for name, value in self._raw_headers if name == b"cookie"])
                    break
                found = value
        return found.decode("latin-1") if found else ""

    def _route_key(self) -> RouteKey:
        """All that a route depends on, to tell whether a hook has changed it."""
        scope = self.scope
        return scope["path"], scope.get("root_path"), self.method

    def _has_plain_path(self) -> bool:
        """True if the path was sent as it reads, without percent-encoding."""
        return b"%" not in (self.scope.get("raw_path") or b"")

    def _path_without_root(self) -> str:
        """The path; `""` if there is a `root_path`, which may be a part of it."""
        scope = self.scope
        return "" if scope.get("root_path") else scope["path"]

    def _segments(self) -> list[str]:
        """The path's segments below `root_path`, percent-decoded; never empty. `HTTPError` 400 if they are no UTF-8."""
        scope = self.scope
        path: str = scope["path"]
        root = scope.get("root_path")
        if root and (root[-1] == "/" or "://" in path):
            use_origin_form(scope)
            path, root = scope["path"], scope.get("root_path")
        raw: bytes = scope.get("raw_path") or b""
        segments = _raw_segments(raw, path) if b"%" in raw else None
        if segments is None:
            if not path.isascii() and not _is_text(path):
                raise HTTPError(400, "The path is not valid UTF-8")
            segments = path.removeprefix("/").split("/")
        return _below(root, segments) if root and not scope.get(RELATIVE_PATH) else segments

    def _query_string(self) -> str:
        return (self.scope.get("query_string") or b"").decode("utf-8", "replace")

    # What users ask for.

    @lazy
    def path_params(self) -> list[str]:
        """The path's segments behind the handler's name, percent-decoded."""
        return self._segments()[1:]

    @lazy
    def headers(self) -> dict[str, str]:
        """The header fields by lower-case name; repeated ones are joined."""
        return header_dict(self._raw_headers)

    @lazy
    def template_context(self) -> dict[str, Any]:
        """Values that hooks give to all templates rendered for this request, in applications below this one too.

        What `_template_context` and the keywords of `_render_template` give counts over them.
        """
        values: dict[str, Any] = self.scope.setdefault(TEMPLATE_CONTEXT, {})
        return values

    @lazy
    def query_params(self) -> Params:
        """The query's fields. `HTTPError` 400 if there are more than 1,000."""
        query = self._query_string()
        if query.count("&") >= MAX_QUERY_FIELDS:
            self.query_params = {}  # hooks that look at the query of a refused request see none
            raise HTTPError(400, "Too many query fields")
        return parse_query(query) if query else {}

    @lazy
    def get_json(self) -> Any:
        """The value of the JSON body, of any type; `{}` without one."""
        return self._preset.get("get_json", {})

    @lazy
    def exact_json(self) -> Any:
        """`get_json`, but with a Decimal for each number that a float would lose digits of.

        `HTTPError` 400 if one of those has more than 100 characters.
        """
        # What a hook has put in place of the body counts as it is.
        if not has_inexact_number(self.body) or loads(self.body) != self.get_json:
            return self.get_json
        try:
            return exact_loads(self.body)
        except ValueError:
            raise HTTPError(400, "Bad JSON") from None

    @lazy
    def body_params(self) -> Params:
        """The form's fields, or the members of a JSON object: strings as they are, other values as JSON text.

        Those of a multipart form come in while the handler runs.
        """
        if "body_params" in self._preset:
            preset: Params = self._preset["body_params"]
            return preset
        if self._late_params is not None:
            return self._late_params()
        if not isinstance(self.get_json, dict):
            return {}
        return {name: [_json_text(value)] for name, value in self.get_json.items()}

    @lazy
    def files(self) -> dict[str, Any]:
        """The uploaded files by field name, each as soon as its part has begun to arrive."""
        preset: dict[str, Any] = self._preset.get("files") or {}
        return preset

    @overload
    def header(self, name: str) -> str | None: ...

    @overload
    def header(self, name: str, default: Default) -> str | Default: ...

    def header(self, name: str, default: Any = None) -> Any:
        """One header field by its lower-case `name`, or `default`, without the price of reading all others."""
        # PERF: a bare loop, 0.4 µs for ten headers; a dict of them takes twice as long.
        wanted, found = name.encode(), None
        for field, value in self._raw_headers:
            if field == wanted:
                if found is not None:
                    value = found + (b"; " if wanted == b"cookie" else b", ") + value  # noqa: PLW2901 - so far
                found = value
        return default if found is None else found.decode("latin-1").strip(" \t")

    def accepts(self, *media_types: str) -> str | None:
        """The one of the `media_types` that the client wants most, None if it wants none of them (RFC 9110 §12.5.1).

        By the weights of its Accept field, then by how closely a range describes a type, then by your order: who sends
        none, or `*/*`, gets the first. The reply depends on it, which `Vary: Accept` tells caches. ValueError for what
        is no media type.

            if self.request.accepts("text/html", "application/json") == "application/json":
                return 200, pie, {"Vary": "Accept"}
        """
        for media_type in media_types:
            if "/" not in media_type or "*" in media_type:
                raise ValueError(f"accepts() takes media types such as 'text/html', {media_type!r} is none")
        return preferred(self.header("accept", ""), media_types)

    @overload
    def query(self, name: str) -> str | None: ...

    @overload
    def query(self, name: str, default: Default) -> str | Default: ...

    def query(self, name: str, default: Any = None) -> Any:
        """The first value of the query field `name`, or `default`."""
        values = self.query_params.get(name)
        return values[0] if values else default

    @overload
    def form(self, name: str) -> str | None: ...

    @overload
    def form(self, name: str, default: Default) -> str | Default: ...

    def form(self, name: str, default: Any = None) -> Any:
        """The first value of the form field `name`, or a member of a JSON object as a text; or `default`."""
        if self._has_json_fields() and name in self.get_json:
            return _json_text(self.get_json[name])
        values = self._form_fields().get(name)
        return values[0] if values else default

    def _has_json_fields(self) -> bool:
        """True if `body_params` would have to be made of a JSON object, which may have a million members."""
        if "body_params" in vars(self) or not self.get_json or not isinstance(self.get_json, dict):
            return False
        return "body_params" not in self._preset

    def _form_fields(self) -> Params:
        """The fields of `body_params` that are in no JSON object."""
        return {} if self._has_json_fields() else self.body_params

    def json(self, name: str | None = None, default: Any = None) -> Any:
        """The JSON body, or its member `name`, `default` if it has none."""
        if name is None:
            return self.get_json
        return self.get_json.get(name, default) if isinstance(self.get_json, dict) else default

    @lazy
    def state(self) -> State:
        """Free attributes, for whoever serves the request: hooks, guards, handlers, mounted applications.

        They begin with those of the lifespan's state, of which a server gives each request a copy of its own.
        """
        # ASGI, "Lifespan State": the copy is in the scope, which is where other frameworks keep theirs too.
        if not isinstance(self.scope.get("state"), dict):
            self.scope["state"] = dict(self.scope.get("state") or {})
        return State(self.scope["state"])

    @property
    def session(self) -> Session:
        """This client's data, kept between requests; see `Session`. Assigning a dict replaces the contents."""
        if self._session is None:
            if "session" in self._preset:
                self._session = self._preset["session"]
            else:
                session_id, data = self._stored_session or (None, {})
                self._session = session = Session(data, session_id)
                session._router = self._router
        return self._session

    @session.setter
    def session(self, data: dict[str, Any]) -> None:
        session = self.session
        if data is not session:
            replacement = dict(data)
            session.clear()
            session.update(replacement)

    @property
    def app(self) -> Any:
        """The application that serves it, of several the innermost. LookupError before it was routed."""
        if self._router is None:
            raise LookupError("The request is not routed yet: no application is known to serve it")
        return self._router.root.owner

    @property
    def stopping(self) -> Stopping:
        """The stop of the server: true once it has begun, else to be awaited.

        Who has asked for it ends by itself: its stream or WebSocket is ended only shortly before the stop's end.
        """
        if self._stopping is None:
            self._stopping = Stopping() if self._router is None else self._router.background.stopping
        return self._stopping

    def _has_in_session(self, name: str) -> bool:
        """True if the session has a value of this name, without a look at others."""
        if self._session is None and "session" not in self._preset:
            return self._stored_session is not None and name in self._stored_session[1]
        return name in self.session

    def regenerate_session(self) -> None:
        """Give the session a fresh id, as one does at login: the same as `request.session.rotate()`."""
        if not isinstance(self.session, Session):
            raise TypeError("This session belongs to an outer application, which alone can renew its id")
        self.session.rotate()


class WebSocketRequest(Request):
    """The handshake of a WebSocket; everything that a `Request` has, but for a body.

    async def before_websocket(self, request):
        log.info("from %s", request.header("origin"))
    """


current_request: ContextVar[Request] = ContextVar("current_request")
"""The context variable behind `App.request`, for code without an application. LookupError outside of a request.

language = current_request.get().header("accept-language", "en")
"""
# PERF: bound once, 0.1 µs a request; a method of what a module has imported is looked up and bound at each call.
enter_request, leave_request, request_here = current_request.set, current_request.reset, current_request.get
