"""HttpMiddleware and WebSocketMiddleware: hooks around every request, in the order of the application's lists."""

from typing import Any

from micropie.core.basics.types import HeaderPairs
from micropie.core.requests.request import Request, WebSocketRequest


class HttpMiddleware:
    """Hooks around an HTTP request; a subclass defines either or both, `async def` or plain.

    class Timing(HttpMiddleware):
        async def before_request(self, request):
            request.start = time.perf_counter()

        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("Server-Timing", f"app;dur={1000 * (time.perf_counter() - request.start):.1f}"))
    """

    async def before_request(self, request: Request) -> dict[str, Any] | None:
        """Called when body and session are there. A dict of `body`, `status_code` (200), `headers` answers."""
        return None

    async def after_request(
        self, request: Request, status_code: int, response_body: Any, extra_headers: HeaderPairs
    ) -> dict[str, Any] | None:
        """Called with the reply, errors included. Append to `extra_headers`, or return a dict with what to replace."""
        return None


class WebSocketMiddleware:
    """Hooks around a WebSocket connection; a subclass defines either or both, `async def` or plain.

    class MembersOnly(WebSocketMiddleware):
        async def before_websocket(self, request):
            if "user" not in request.session:
                return {"code": 1008, "reason": "Log in first"}
    """

    async def before_websocket(self, request: WebSocketRequest) -> dict[str, Any] | None:
        """Called before the handler. A dict with `code` (1008) and `reason` refuses the connection."""
        return None

    async def after_websocket(self, request: WebSocketRequest) -> None:
        """Called when the handler is done, however it ended."""
