"""The targets of a path: a handler, a choice of handlers by the verb, another application, or nothing.

Each is made once, when the application is, and knows the guards that stand before it, outermost first, and the
`_on_error`s that are asked of what goes wrong there, innermost first.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from micropie.core.basics.types import ASGIApp
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint, ErrorHandlers, Guards
from micropie.core.requests.request import Request, lazy
from micropie.core.routing.controller import Mount
from micropie.core.routing.path_templates import Template, identities_in, joined, names_in

if TYPE_CHECKING:
    from micropie.core.engine import Engine
    from micropie.core.routing.router import Router


NO_WEBSOCKET = "No matching WebSocket route"


class MatchedRoute:
    """Where a handler is, for hooks, tracers and error reporters, who find it as `scope["route"]`.

    `path` and `path_format` are the template, such as `/notes/{id}`; `name` leads from the application to the handler.
    """

    def __init__(self, name: str, make_path: Callable[[], str]) -> None:
        self.name = name
        self._make_path = make_path

    @lazy
    def path(self) -> str:
        """The template of the path, percent-encoded but for its parameters."""
        return self._make_path() or "/"

    @property
    def path_format(self) -> str:
        """The template of the path, by the name that OpenTelemetry reads."""
        return self.path


class ByVerb:
    """Handlers by the verb that each answers; GET's answers HEAD too unless that has its own (RFC 9110 §9.3.2).

    `by_query` are those that need a segment which this path does not have: they answer where the query names it.
    """

    __slots__ = ("by_query", "error_handlers", "guards", "is_nested", "name", "verbs")

    is_bare = is_direct = False
    is_choice = True
    keeps_slash = True  # whether it is dropped depends on the handler chosen
    limits = handler = route = None

    def __init__(
        self,
        name: str,
        verbs: Mapping[str, Endpoint],
        guards: Guards,
        by_query: Mapping[str, Endpoint] = MappingProxyType({}),
        *,
        error_handlers: ErrorHandlers,
        is_nested: bool = False,
    ) -> None:
        self.name = name
        self.is_nested = is_nested
        self.guards = guards
        self.error_handlers = error_handlers
        self.verbs = _with_head(verbs)
        self.by_query = _with_head(by_query)

    @property
    def takes_segments(self) -> bool:
        """True if segments behind its path can be arguments of one of the handlers."""
        return any(endpoint.takes_segments for endpoint in self.verbs.values())

    def choose(self, request: Request) -> Endpoint | None:
        """The handler for the request's verb."""
        found = self.verbs.get(request.method)
        if found is None and (by_query := self.by_query.get(request.method)) is not None:
            return by_query if by_query.first_argument in request.query_params else None
        return found

    def allow(self, segments: Sequence[str]) -> str:
        """The verbs that can be meant where these segments are left, as the field Allow has them (RFC 9110 §10.2.1)."""
        return ", ".join(sorted({"OPTIONS", *(verb for verb, one in self.verbs.items() if one.takes(segments))}))


def _with_head(verbs: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    return {"HEAD": verbs["GET"], **verbs} if "GET" in verbs else dict(verbs)


def by_declared_verbs(endpoint: Endpoint) -> Endpoint | ByVerb:
    """The target that a handler's own name leads to: itself, or a choice if it answers only the verbs it declares."""
    if not endpoint.verbs or endpoint.name.startswith(WEBSOCKET):
        return endpoint
    return ByVerb(
        endpoint.name,
        dict.fromkeys(endpoint.verbs, endpoint),
        endpoint.guards,
        error_handlers=endpoint.error_handlers,
        is_nested=endpoint.is_nested,
    )


def declared_endpoint(target: Endpoint | ByVerb) -> Endpoint:
    """The handler that a name of a class stands for: one for all the verbs that it declares, if it does."""
    return next(iter(target.verbs.values())) if isinstance(target, ByVerb) else target


class MountedApp:
    """Another application, which gets the branch: at `segments` of its owner's path."""

    __slots__ = (
        "app",
        "error_handlers",
        "guards",
        "identities",
        "is_micropie",
        "name",
        "owner",
        "path",
        "route",
        "segments",
        "what",
    )

    is_bare = is_direct = is_choice = False
    keeps_slash = True
    limits = None

    def __init__(
        self,
        name: str,
        what: Any,
        segments: tuple[str, ...],
        *,
        owner: Any,
        above: Template,
        guards: Guards,
        error_handlers: ErrorHandlers,
    ) -> None:
        self.name = name
        self.what = what  # the value of the attribute
        self.app: ASGIApp = what.app if isinstance(what, Mount) else what
        self.segments = segments
        self.owner = owner  # the controller or application that has it
        self.path: Template = above + segments
        self.identities = len(identities_in(self.path))  # so many segments are no part of the path below it
        self.route = MatchedRoute(".".join(names_in(self.path)), partial(joined, self.path))
        self.guards = guards
        self.error_handlers = error_handlers
        self.is_micropie = False  # an `App`: it takes the path without what led to it

    @property
    def handler(self) -> ASGIApp:
        """The application, as the one that answers."""
        return self.app

    @property
    def engine(self) -> "Engine":
        """The engine of the application, if it is an `App`."""
        app: Any = self.app
        return app._micropie  # type: ignore[no-any-return]

    @property
    def router(self) -> "Router":
        """The routes of the application, if it is an `App`."""
        return self.engine.router


class NoHandler:
    """No handler, which is only said once the guards have let the request pass."""

    __slots__ = ("error_handlers", "guards", "reason")

    is_bare = is_direct = is_choice = False
    keeps_slash = True
    name = ""
    limits = handler = route = None

    def __init__(self, reason: str, error_handlers: ErrorHandlers, guards: Guards = ()) -> None:
        self.guards = guards
        self.error_handlers = error_handlers
        self.reason = reason  # what a WebSocket is told


Target = Endpoint | ByVerb | MountedApp | NoHandler
Match = tuple[Target, list[str]]  # with the segments that are left as arguments
