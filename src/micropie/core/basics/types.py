"""The shapes that cross the ASGI edge, by name.

ASGI speaks in dictionaries; these aliases say which one is meant. Any awaitable will do for
`receive` and `send`: Granian's are no coroutines.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
HeaderPairs = list[tuple[str, str]]
RawHeaders = list[tuple[bytes, bytes]]
Params = dict[str, list[str]]
