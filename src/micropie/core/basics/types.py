"""The shapes that cross the ASGI edge, by name.

ASGI speaks in dictionaries; these aliases say which one is meant. Any awaitable will do for
`receive` and `send`: Granian's are no coroutines.
"""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, ParamSpec

P = ParamSpec("P")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]  # others have types of their own for scope, receive and send
HeaderPairs = list[tuple[str, str]]
RawHeaders = list[tuple[bytes, bytes]]
Params = dict[str, list[str]]


def async_or_plain(hook: Callable[P, Coroutine[Any, Any, Any]]) -> Callable[P, Any]:
    """The hook itself; to type checkers one that a subclass may define as `async def` or as a plain function."""
    return hook


def of_any_kind(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook itself; to type checkers one with parameters of the subclass's own, or any object that is called."""
    return hook
