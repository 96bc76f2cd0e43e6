"""The lifespan protocol: an application's handlers run at startup and shutdown (the ASGI specification, "Lifespan")."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from micropie.core.errors import log
from micropie.core.types import Receive, Send

Handler = Callable[..., Awaitable[None] | None]
Phase = Callable[[], Awaitable[None]]


async def serve_lifespan(receive: Receive, send: Send, startup: Phase, shutdown: Phase) -> None:
    """Answer each event when its phase is done; one that raises is answered with `failed`, and ends the protocol."""
    phases = {"lifespan.startup": startup, "lifespan.shutdown": shutdown}
    done = False
    while not done:
        event = (await receive())["type"]
        if event not in phases:  # of a later version of the protocol
            continue
        failure = await _failure(event, phases[event])
        if failure is None:
            await send({"type": f"{event}.complete"})
        else:
            await send({"type": f"{event}.failed", "message": failure})
        done = failure is not None or event == "lifespan.shutdown"


async def _failure(event: str, phase: Phase) -> str | None:
    try:
        await phase()
    except Exception as error:
        log.exception("%s failed", event)
        return str(error) or type(error).__name__
    return None


async def start(handlers: list[Handler], state: dict[str, Any]) -> None:
    """Call the handlers in order; the first that raises ends it."""
    for handler in handlers:
        await _call_handler(handler, state)


async def stop(handlers: list[Handler], state: dict[str, Any]) -> None:
    """Call the handlers in order, all of them; then raise what they raised, as an ExceptionGroup if it is several."""
    failures = []
    for handler in handlers:
        try:
            await _call_handler(handler, state)
        except Exception as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("; ".join(map(str, failures)), failures)


async def _call_handler(handler: Handler, state: dict[str, Any]) -> None:
    """Call one; if it takes a parameter, with the lifespan state, which requests find in `scope["state"]`."""
    result = handler(state) if _takes_state(handler) else handler()
    if inspect.isawaitable(result):
        await result


def _takes_state(handler: Handler) -> bool:
    try:
        parameters = inspect.signature(handler).parameters.values()
    except ValueError:  # some builtins have none
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
