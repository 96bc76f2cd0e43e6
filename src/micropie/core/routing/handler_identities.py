"""Identities above a handler: the segments of the path before the names of what is `Nested`, as its first arguments."""

from collections.abc import Callable
from typing import Any

from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint
from micropie.core.handlers.parameter import takes_segment
from micropie.core.handlers.user_function import function_name


def give_identities(endpoint: Endpoint, *, are_taken: bool) -> None:
    """Let a handler be called with the identities above it, or without them where its controller has none taken.

    TypeError for a handler whose first parameters from the path are not these identities.
    """
    if are_taken:
        _check_takes_identities(endpoint)
    else:
        endpoint.call = _without_first(len(endpoint.identities), endpoint.call)


def _check_takes_identities(endpoint: Endpoint) -> None:
    wanted = endpoint.identities
    found = tuple(one.name for one in endpoint.plan.parameters if takes_segment(one))
    if found[: len(wanted)] != wanted:
        names = ", ".join(wanted)
        first = "self, ws" if endpoint.name.startswith(WEBSOCKET) else "self"
        raise TypeError(
            f"{function_name(endpoint.handler) or endpoint.name} is nested in {names}, which it must take of the path "
            f"before all else, but takes {', '.join(found) or 'nothing'}: "
            f"write def {endpoint.name}({first}, {names}, ...)"
        )


def _without_first(count: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called without so many of its arguments."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args[count:], **kwargs)

    return call
