"""The hooks around a WebSocket: called in the order of the middlewares, until one refuses the connection."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micropie.core.engine import is_awaitable
from micropie.core.failures.error_replies import CAUGHT, note_failure, reraise_cancellation
from micropie.core.hooks.hooks import check_session_unseen
from micropie.core.hooks.middleware import WebSocketMiddleware, check_instances, no_before_routing
from micropie.core.requests.request import WebSocketRequest
from micropie.core.websockets.closing import FAILED, REFUSED, Closing, checked_code


async def websocket_routing_hooks(
    middlewares: Sequence[WebSocketMiddleware], request: WebSocketRequest
) -> Closing | None:
    """Call the hooks that come before everything else, in order until one refuses."""
    try:
        for middleware in middlewares:
            refusal = await refusal_by(getattr(middleware, "before_routing", no_before_routing), request)
            if refusal is not None:
                return refusal
    except TypeError:  # PERF: what a class in place of an instance leads to costs nothing where there is none
        check_instances(middlewares)
        raise
    check_session_unseen(request)
    return None


async def before_websocket_hooks(
    middlewares: Sequence[WebSocketMiddleware], request: WebSocketRequest, entered: list[WebSocketMiddleware]
) -> Closing | None:
    """Call the hooks in order until one refuses; those that are called, be it in vain, are `entered`."""
    for middleware in middlewares:
        entered.append(middleware)
        refusal = await refusal_by(middleware.before_websocket, request)
        if refusal is not None:
            return refusal
    return None


async def refusal_by(hook: Callable[[WebSocketRequest], Any], request: WebSocketRequest) -> Closing | None:
    """How to close if a hook refuses the connection."""
    refusal = hook(request)
    if is_awaitable(refusal):
        refusal = await refusal
    if not refusal:
        return None
    return Closing(checked_code(refusal.get("code") or REFUSED), str(refusal.get("reason") or "Middleware rejected"))


async def after_websocket_hooks(entered: Iterable[WebSocketMiddleware], request: WebSocketRequest) -> Closing | None:
    """Call the hooks of all who were entered, even if others raise; how to close if one does."""
    closing = None
    for middleware in entered:
        try:
            result: Any = middleware.after_websocket(request)
            if is_awaitable(result):
                await result
        except CAUGHT as error:
            reraise_cancellation(error)
            note_failure(request, error)
            closing = FAILED
    return closing
