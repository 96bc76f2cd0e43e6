"""HttpMiddleware and WebSocketMiddleware: hooks around every request, in the order of the application's lists.

An object in `App.middlewares` that is both has hooks around both, without a place in `ws_middlewares`.
"""

import inspect
from collections.abc import Iterable, Sequence
from types import FunctionType
from typing import Any, Protocol, TypeGuard

from micropie.core.basics.types import HeaderPairs, Message, Send, async_or_plain
from micropie.core.replies.ready_headers import ReadyPairs, ReplyHeaders
from micropie.core.requests.request import Request, WebSocketRequest


class HttpMiddleware:
    """Hooks around an HTTP request; a subclass defines those that it needs, `async def` or plain.

    class Timing(HttpMiddleware):
        def before_routing(self, request):
            request.state.start = time.perf_counter()

        def after_request(self, request, status_code, response_body, extra_headers):
            ms = 1000 * (time.perf_counter() - request.state.start)
            extra_headers.append(("Server-Timing", f"app;dur={ms:.1f}"))

    app.middlewares.insert(0, Timing())     # the first one sees every request
    """

    of_one_process: str | None = None
    """What several workers would each have of their own, and what to do: for `micropie check`, as of a `Service`."""

    def before_routing(self, request: Request) -> Any:
        """Called first of all, when neither route, body nor session are known.

        A dict answers, as that of `before_request` does. What it sets in `request.scope` counts for all that follows.
        """
        return None

    @async_or_plain
    async def before_request(self, request: Request) -> dict[str, Any] | None:
        """Called when body and session of `request` are there. A dict of `body`, `status_code`, `headers` answers."""
        return None

    @async_or_plain
    async def after_request(
        self, request: Request, status_code: int, response_body: Any, extra_headers: HeaderPairs
    ) -> dict[str, Any] | None:
        """Called with the reply to `request`, errors included: its `status_code` and its `response_body`.

        Append to `extra_headers`, or return a dict with what to replace. What is refused or answered early has passed
        no `before_request`: a broken body, say, or what another middleware's `before_routing` has answered.
        """
        return None

    def reply_headers(self, request: Request) -> ReplyHeaders | None:
        """Headers for the reply to `request`, whatever that is: those of mounted applications too; a plain function.

        They are added in the place of `after_request`, but cost less, and a reply's own headers win.

            class ServedBy(HttpMiddleware):
                headers = ReplyHeaders({"X-Served-By": "us"})

                def reply_headers(self, request):
                    return self.headers
        """
        return None

    def before_sending(
        self, request: Request, status_code: int, response_body: Any, headers: Sequence[tuple[str, str]]
    ) -> None:
        """Called last of all with the reply to `request`, whoever has made it, to log it say; a plain function.

        Its result, and changes of `status_code`, `response_body` or `headers`, are not looked at.
        """

    def streamed_send(self, request: Request, send: Send) -> Send:
        """A `send` for the reply to `request` if that is a stream, to see or change what is sent; a plain function.

        Here chunks are bytes, whatever the handler has yielded, and the start says of what type they are.
        """
        return send

    def mounted_send(self, request: Request, send: Send) -> Send:
        """The ASGI `send` for a mounted application, whose replies `after_request` does not see; a plain function.

        Its messages pass the middlewares in the order of the list, as other replies do.

            def mounted_send(self, request, send):
                async def with_header(message):
                    if message["type"] == "http.response.start":
                        message = {**message, "headers": [*message.get("headers", ()), (b"x-served-by", b"us")]}
                    await send(message)

                return with_header
        """
        return send


class WebSocketMiddleware:
    """Hooks around a WebSocket connection; a subclass defines those that it needs, `async def` or plain.

    class MembersOnly(WebSocketMiddleware):
        async def before_websocket(self, request):
            if "user" not in request.session:
                return {"code": 1008, "reason": "Log in first"}
    """

    def before_routing(self, request: Request) -> Any:
        """Called first of all, when neither route nor session of `request` are known. A dict refuses the connection."""
        return None

    @async_or_plain
    async def before_websocket(self, request: WebSocketRequest) -> dict[str, Any] | None:
        """Called before the handler of `request`. A dict with `code` (1008) and `reason` refuses the connection."""
        return None

    @async_or_plain
    async def after_websocket(self, request: WebSocketRequest) -> None:
        """Called when the handler of `request` is done, however it ended."""


_NEEDING_SELF = ("before_routing", "before_request", "after_request", "before_websocket", "after_websocket")


class Hooked(Protocol):
    """An application's lists of middlewares."""

    middlewares: list[HttpMiddleware]
    ws_middlewares: list[WebSocketMiddleware]


def websocket_middlewares(app: Hooked) -> Sequence[WebSocketMiddleware]:
    """The middlewares with hooks around WebSockets, each once: those among `middlewares`, then `ws_middlewares`."""
    both = [one for one in app.middlewares if hooks_websockets(one)]
    return [*both, *(one for one in app.ws_middlewares if not any(one is other for other in both))]


def hooks_websockets(one: object) -> TypeGuard[WebSocketMiddleware]:
    """True if it has hooks around WebSockets, and of a class in its place: that is not left out, but refused."""
    return isinstance(one, WebSocketMiddleware) or (isinstance(one, type) and issubclass(one, WebSocketMiddleware))


def check_instances(middlewares: Iterable[object]) -> None:
    """TypeError for a class in place of its instance. One whose hooks need no `self` will do."""
    for one in middlewares:
        if isinstance(one, type) and any(
            isinstance(inspect.getattr_static(one, name, None), FunctionType) for name in _NEEDING_SELF
        ):
            name = one.__name__
            raise TypeError(f"{name} among the middlewares is a class, an instance of it is needed: write {name}()")


def mounted_send(app: Hooked, request: Request, send: Send) -> Send:
    """The `send` for a mounted application, as the middlewares have changed it."""
    for middleware in reversed(app.middlewares):
        send = getattr(middleware, "mounted_send", same_send)(request, send)
        if defines(middleware, "reply_headers"):
            send = send_with_headers(middleware, request, send)
    return send


def send_with_headers(middleware: HttpMiddleware, request: Request, send: Send) -> Send:
    """A `send` for a mounted application, which adds what the middleware's `reply_headers` returns."""

    async def send_message(message: Message) -> None:
        if message["type"] == "http.response.start" and (added := middleware.reply_headers(request)) is not None:
            raw = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            pairs: list[Any] = [*raw]
            added.add_to(pairs)
            message = {**message, "headers": [*raw, *ReadyPairs(pairs[len(raw) :]).fields]}
        await send(message)

    return send_message


def defines(middleware: object, name: str) -> bool:
    """True if a middleware has a hook of its own. Any object with `before_request` and `after_request` is one."""
    inherited = getattr(HttpMiddleware, name)
    hook = getattr(middleware, name, None if name in ("before_request", "after_request") else inherited)
    return hook is not inherited and getattr(hook, "__func__", None) is not inherited


def no_before_routing(_request: Request) -> None:
    """The hook of a middleware that has none: any object with `before_request` and `after_request` is one."""


def streamed_send(app: Hooked, request: Request, send: Send) -> Send:
    """The `send` for a stream, as the middlewares have changed it."""
    for middleware in reversed(app.middlewares):
        send = getattr(middleware, "streamed_send", same_send)(request, send)
    return send


def same_send(_request: Request, send: Send) -> Send:
    """The hook of a middleware that has none."""
    return send
