"""The client: requests and WebSockets to an application in the same process, without a server or a socket."""

import asyncio
import copy
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Annotated, Any, Self, Unpack, get_origin
from urllib.parse import urljoin

from micropie import HttpMiddleware, Request
from micropie.testing.address import Address
from micropie.testing.app_call import Listener
from micropie.testing.asgi_types import ASGIApp
from micropie.testing.client_websocket import ClientWebSocket, WebSocketRefused, connected
from micropie.testing.cookies import Cookies
from micropie.testing.http_call import HttpCall
from micropie.testing.lifespan_call import LifespanCall
from micropie.testing.request_body import NOTHING, RequestBody, body_of
from micropie.testing.request_options import Handshake, HeaderFields, Options, Target, refuse_unknown
from micropie.testing.response import URL, Headers, Response
from micropie.testing.websocket_call import WebSocketCall

_MAX_REDIRECTS = 20  # as browsers have it
_SEE_OTHER, _MOVED = 303, (301, 302)
_WITH_BODY = ("POST", "PUT", "PATCH")  # a request of these says its length, even if that is 0 (RFC 9110 §8.6)
_log = logging.getLogger("micropie")
_running: dict[int, LifespanCall] = {}  # by the id of the application, which its lifespan keeps alive


class Client:
    """Talks to an application in the caller's event loop."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_url: str = "http://localhost",
        headers: HeaderFields = (),
        client: tuple[str, int] | None = ("127.0.0.1", 50000),
        follow_redirects: bool = False,
        raise_exceptions: bool = True,
        timeout: float | None = 10,
        provide: Mapping[Any, Any] = MappingProxyType({}),
    ) -> None:
        self.app: ASGIApp = app
        self.cookies: Cookies = Cookies()
        self._address = Address(base_url, headers, client)
        self._follow_redirects = follow_redirects
        self._raising = raise_exceptions
        self._timeout = timeout
        self._provide = {_provider_in(kind): given for kind, given in provide.items()}
        self._lifespan: LifespanCall | None = None
        self._keeps_lifespan = False  # else a client in another event loop does
        self._listener = Listener()

    @property
    def state(self) -> dict[str, Any]:
        """The lifespan's state, of which every request gets a copy."""
        return self._started().state

    # -- the block

    async def __aenter__(self) -> Self:
        if self._lifespan is not None:
            raise RuntimeError("This client is in use: make another TestClient, for each visitor one")
        if self._raising:
            _log.addHandler(self._listener)
        lifespan = await self._running_lifespan()
        is_first = lifespan is None
        if lifespan is None:
            lifespan = _running[id(self.app)] = LifespanCall(self.app, timeout=self._timeout, raising=self._raising)
        self._lifespan, self._keeps_lifespan = lifespan, lifespan.loop is asyncio.get_running_loop()
        lifespan.clients += self._keeps_lifespan
        try:
            await (lifespan.startup() if is_first else lifespan.started())
        except BaseException:
            await self._close(self._leave())
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        kept_alone = self._leave()
        try:
            if kept_alone is not None:
                await kept_alone.shutdown()
        except Exception:
            if error is None:  # what the block has raised says more
                raise
        finally:
            await self._close(kept_alone)

    async def _running_lifespan(self) -> LifespanCall | None:
        """The lifespan that another client keeps; one that ends is waited for."""
        while (lifespan := _running.get(id(self.app))) is not None and lifespan.is_ending_here():
            await lifespan.ended.wait()
        return lifespan

    def _leave(self) -> LifespanCall | None:
        """Leave the lifespan, which ends if it is given: nobody else keeps it."""
        lifespan, self._lifespan = self._started(), None
        lifespan.clients -= self._keeps_lifespan
        return lifespan if self._keeps_lifespan and not lifespan.clients else None

    async def _close(self, kept_alone: LifespanCall | None) -> None:
        _log.removeHandler(self._listener)
        if kept_alone is not None:
            del _running[id(self.app)]
            kept_alone.ended.set()
            await kept_alone.cancel()

    def _started(self) -> LifespanCall:
        if self._lifespan is None:
            raise RuntimeError(
                "The application is not started: use the client inside `async with TestClient(app) as client:`"
            )
        return self._lifespan

    # -- requests

    async def get(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a GET of `target` with its `args` and `options`; see `request`."""
        return await self.request("GET", target, *args, **options)

    async def head(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a HEAD of `target` with its `args` and `options`; see `request`."""
        return await self.request("HEAD", target, *args, **options)

    async def options(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to an OPTIONS of `target` with its `args` and `options`; see `request`."""
        return await self.request("OPTIONS", target, *args, **options)

    async def post(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a POST of `target` with its `args` and `options`; see `request`."""
        return await self.request("POST", target, *args, **options)

    async def put(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a PUT of `target` with its `args` and `options`; see `request`."""
        return await self.request("PUT", target, *args, **options)

    async def patch(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a PATCH of `target` with its `args` and `options`; see `request`."""
        return await self.request("PATCH", target, *args, **options)

    async def delete(self, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The reply to a DELETE of `target` with its `args` and `options`; see `request`."""
        return await self.request("DELETE", target, *args, **options)

    async def request(self, method: str, target: Target, /, *args: Any, **options: Unpack[Options]) -> Response:
        """The whole reply to `method`. `target` is a path, a URL, or a handler, whose `args` go to `url_for`.

        `options` are:

        - `params`: fields of the query; a list repeats its field, None leaves it out; handlers' `args` by name.
        - `headers`, `cookies`: for this request; headers take the place of the client's.
        - `json`, `data`, `content`: the body as a value, as the fields of a form, or as `bytes`, `str`, a `Path` or an
          iterator of bytes, sync or async, which is sent in chunks. `json=None` is `null`.
        - `files`: a multipart form, with `data` as its fields: `{"file": content}`, `(name, content)`, `(name, content,
          type)`, or a list of them; `content` is `bytes`, `str`, a `Path` or an open file.
        - `follow_redirects`, `timeout`: for this request; at most 20 redirects, none to other hosts.

        TypeError for any other.

            response = await client.request("PATCH", "/pies/3", json={"slices": 8})
            response = await client.get(app.pie, 3)
        """
        call, response = await self._send(method.upper(), target, args, options, streamed=False)
        await call.cancel()
        return response

    @asynccontextmanager
    async def stream(
        self, method: str, target: Target, /, *args: Any, **options: Unpack[Options]
    ) -> AsyncIterator[Response]:
        """The reply as soon as it starts, to be read while it is made. Leaving the block is the client's leaving.

        `method`, `target`, `args` and `options` are those of `request`.

            async with client.stream("GET", "/events") as response:
                async for line in response.aiter_lines():
                    print(line)
        """
        call, response = await self._send(method.upper(), target, args, options, streamed=True)
        try:
            yield response
            await call.leave()
            call.raise_failure()
        finally:
            await call.cancel()

    async def _send(
        self, method: str, target: Target, args: tuple[Any, ...], options: Options, *, streamed: bool
    ) -> tuple[HttpCall, Response]:
        """Send a request, and follow the redirects of its reply if that is wanted."""
        refuse_unknown(options, Options)
        url, body = self._address.url(target, args, options.get("params")), body_of(options)
        history: list[Response] = []
        while True:
            call, response = await self._ask(method, url, body, options, history, streamed=streamed)
            follow = options.get("follow_redirects", self._follow_redirects) and response.is_redirect
            onward = URL(urljoin(url, response.headers["location"])) if follow else url
            if not follow or not self._address.is_here(onward):
                return call, response
            await response.whole(call)
            await call.cancel()
            history = [*history, response]
            if len(history) > _MAX_REDIRECTS:
                raise RuntimeError(f"{history[0].url} redirects again and again, at last to {onward}")
            url = self._address.url(onward, (), None)
            # RFC 9110 §15.4: 303 always, 301 and 302 by custom, make a GET of it.
            if response.status_code == _SEE_OTHER or (response.status_code in _MOVED and method == "POST"):
                method, body = "HEAD" if method == "HEAD" else "GET", NOTHING

    async def _ask(
        self, method: str, url: URL, body: RequestBody, options: Options, history: list[Response], *, streamed: bool
    ) -> tuple[HttpCall, Response]:
        """One request, and its reply; of a streamed one the beginning."""
        scope = self._scope("http", url, options, _body_headers(method, body))
        scope["method"] = method
        timeout = options.get("timeout", self._timeout)
        call = HttpCall(self.app, scope, body.open(), is_read=streamed, timeout=timeout, raising=self._raising)
        try:
            await (call.until_started() if streamed else call.until_complete())
            response = Response(call.start or {}, method, url, history=history, call=call)
            if not streamed:
                await response.whole(call)
        except BaseException:
            await call.cancel()
            raise
        response.cookies.update(self._kept_cookies(response.headers, url))
        return call, response

    def _scope(self, kind: str, url: URL, options: Handshake, more: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
        cookie = self.cookies.header(url.path, options.get("cookies", {}), secure=url.scheme == "https")
        scope = self._address.scope(kind, url, (more, options.get("headers", ())), cookie)
        scope["state"] = self.state.copy()
        if self._provide:
            scope["micropie.provide"] = self._provide
        return scope

    def _kept_cookies(self, headers: Headers, url: URL) -> dict[str, str]:
        """Keep the cookies that a reply sets; those of them that are not expired."""
        stored = [self.cookies.store(line, url.path) for line in headers.get_list("set-cookie")]
        return dict(pair for pair in stored if pair is not None)

    # -- WebSockets

    @asynccontextmanager
    async def websocket(
        self, target: Target, /, *args: Any, subprotocols: Iterable[str] = (), **options: Unpack[Handshake]
    ) -> AsyncIterator[ClientWebSocket]:
        """A connection, when it is accepted; WebSocketRefused if it is not. Leaving the block closes it with 1000.

        `target` and `args` are those of `request`, and of its `options` there are `params`, `headers`, `cookies` and
        `timeout`. `subprotocols` are what the client offers.

            async with client.websocket("/chat", subprotocols=["chat.v2"]) as ws:
                await ws.send_json({"text": "Hi"})
        """
        refuse_unknown(options, Handshake)
        offered = list(subprotocols)
        more = [("Sec-WebSocket-Protocol", ", ".join(offered))] if offered else []
        url = self._address.url(target, args, options.get("params"))
        scope = self._scope("websocket", url, options, more)
        scope["subprotocols"] = offered
        scope["extensions"] = {"websocket.http.response": {}}
        call = WebSocketCall(self.app, scope, timeout=options.get("timeout", self._timeout), raising=self._raising)
        try:
            try:
                socket = await connected(call, url)
            except WebSocketRefused as refused:
                if refused.response is not None:
                    refused.response.cookies.update(self._kept_cookies(refused.response.headers, url))
                raise
            self._kept_cookies(socket.headers, url)
            yield socket
            await call.leave()
            call.raise_failure()
        finally:
            await call.cancel()

    # -- the session

    async def session(self, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A copy of the visitor's session, after `data` was added to it: `await client.session({"user": "ann"})`.

        It is a request of its own, that a middleware answers before the application's own: the session is stored in its
        backend, and the cookie comes as ever. TypeError if the application is no `App`.
        """
        middlewares = getattr(self.app, "middlewares", None)
        if not isinstance(middlewares, list):
            raise TypeError(
                f"session() works with an App, not with {self.app!r}: let the application log in by a request"
            )
        desk = _SessionDesk(data or {})
        middlewares.insert(0, desk)
        try:
            await self.get("/", headers={_MARK: desk.mark}, follow_redirects=False)
        finally:
            middlewares.remove(desk)
        return desk.session


def _provider_in(kind: Any) -> Any:
    """The provider that a test names, itself or by the annotation that it stands in. TypeError for what names none."""
    named = [*kind.__metadata__, kind.__origin__] if get_origin(kind) is Annotated else [kind]
    for one in named:
        if hasattr(one, "__provide__"):
            return one
    raise TypeError(f"TestClient(provide=...) takes providers and their values: {kind!r} has no __provide__")


_MARK = "X-MicroPie-Testing-Session"


class _SessionDesk(HttpMiddleware):
    """Answers the one request that bears its mark with a bare 204, and reads and changes its session before that."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.mark = str(id(self))
        self.session: dict[str, Any] = {}
        self._data = data

    async def before_request(self, request: Request) -> dict[str, Any] | None:
        """Add the data to the session, and keep a copy of the whole session."""
        if request.headers.get(_MARK.lower()) != self.mark:
            return None
        request.session.update(copy.deepcopy(dict(self._data)))
        self.session = copy.deepcopy(dict(request.session))
        return {"status_code": 204}


def _body_headers(method: str, body: RequestBody) -> list[tuple[str, str]]:
    """The headers that describe a body."""
    headers = [] if body.content_type is None else [("Content-Type", body.content_type)]
    if body.length is None:
        return [*headers, ("Transfer-Encoding", "chunked")]
    if body.length or method in _WITH_BODY:
        headers.append(("Content-Length", str(body.length)))
    return headers
