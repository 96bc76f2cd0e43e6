"""What a path can lead to: a handler, a choice of handlers by the verb, another application, or nothing.

Each is made once, when the application is, and knows the guards that stand before it, outermost first.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from micropie.core.basics.types import ASGIApp
from micropie.core.handlers.endpoint import Endpoint, Guards
from micropie.core.requests.request import Request
from micropie.core.routing.controller import Mount


class ByVerb:
    """Handlers by the verb that each answers; GET's answers HEAD too unless that has its own (RFC 9110 §9.3.2).

    `by_query` are those that need a segment which this path does not have: they answer where a query may name it.
    """

    __slots__ = ("allow", "by_query", "guards", "name", "verbs")

    is_bare = is_direct = False
    keeps_slash = True  # whether it is dropped depends on the handler chosen

    def __init__(
        self,
        name: str,
        verbs: Mapping[str, Endpoint],
        guards: Guards,
        by_query: Mapping[str, Endpoint] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.guards = guards
        self.verbs = _with_head(verbs)
        self.by_query = _with_head(by_query)
        self.allow = ", ".join(sorted({*self.verbs, "OPTIONS"}))

    def choose(self, request: Request) -> Endpoint | None:
        """The handler for the request's verb."""
        verb = request.method
        if verb not in self.verbs and request._query_string():
            return self.by_query.get(verb)
        return self.verbs.get(verb)


def _with_head(verbs: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    return {"HEAD": verbs["GET"], **verbs} if "GET" in verbs else dict(verbs)


class MountedApp:
    """Another application, which gets the branch: at `segments` of its owner's path."""

    __slots__ = ("app", "guards", "is_micropie", "name", "owner", "path", "segments", "what")

    is_bare = is_direct = False
    keeps_slash = True

    def __init__(
        self, name: str, what: Any, segments: tuple[str, ...], *, owner: Any, above: tuple[str, ...], guards: Guards
    ) -> None:
        self.name = name
        self.what = what  # the value of the attribute
        self.app: ASGIApp = what.app if isinstance(what, Mount) else what
        self.segments = segments
        self.owner = owner  # the controller or application that has it
        self.path = above + segments
        self.guards = guards
        self.is_micropie = False  # an `App`: it takes the path without what led to it


class NoHandler:
    """No handler, which is only said once the guards have let the request pass."""

    __slots__ = ("guards",)

    is_bare = is_direct = False
    keeps_slash = True
    name = ""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards


Target = Endpoint | ByVerb | MountedApp | NoHandler
