"""What a path can lead to: a handler, a choice of handlers by the verb, another application, or nothing.

Each is made once, when the application is, and knows the guards that stand before it, outermost first.
"""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from micropie.core.binding import Plan
from micropie.core.controller import Mount
from micropie.core.records import bare
from micropie.core.request import Request
from micropie.core.shape import shaped
from micropie.core.signature import AUTO, POSITIONAL, REQUIRED, Parameter
from micropie.core.types import ASGIApp

WEBSOCKET = "ws_"
_COLLECTIONS = (list, set, frozenset, tuple)


class Action:
    """A function of the application, and how it must be called."""

    __slots__ = ("blocking", "call", "handler", "in_thread", "is_coroutine")

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.handler = handler
        self.call = handler
        innermost = inspect.unwrap(handler)
        self.is_coroutine = inspect.iscoroutinefunction(handler)
        self.blocking = not (inspect.iscoroutinefunction(innermost) or inspect.isasyncgenfunction(innermost))
        # Calling a generator function runs nothing of it yet.
        self.in_thread = self.blocking and not inspect.isgeneratorfunction(innermost)


class Guard(NamedTuple):
    """A controller's `_before` and `_after`, where its class defines them."""

    before: Action | None
    after: Action | None


Guards = tuple[Guard, ...]


class Endpoint(Action):
    """One handler: its name, the bound method, its plan, the verbs that it declares, and how it must be called.

    `call` is the handler, its results in the shape of its return annotation.
    """

    __slots__ = ("guards", "is_bare", "is_direct", "keeps_slash", "name", "plan", "verbs")

    def __init__(
        self, name: str, handler: Callable[..., Any], guards: Guards = (), verbs: tuple[str, ...] = ()
    ) -> None:
        super().__init__(handler)
        self.name = name
        self.guards = guards
        self.verbs = verbs
        self.plan = Plan(handler, skip=1 if name.startswith(WEBSOCKET) else 0)  # the socket is not bound by name
        self.call = shaped(handler, self.plan.returns, self.plan.shape)
        self.keeps_slash = self.plan.variadic
        self.is_direct = self.is_coroutine and not guards  # all there is to do is to call it
        self.is_bare = self.is_direct and not self.plan.parameters  # with nothing

    @property
    def takes_segments(self) -> bool:
        """Whether path segments can be arguments."""
        return self.plan.variadic or any(map(takes_segment, self.plan.parameters))

    @property
    def needs_segment(self) -> bool:
        """Whether the path is where a required argument belongs."""
        taking = filter(takes_segment, self.plan.parameters)
        return any(one.default is REQUIRED and not is_collection(one.annotation) for one in taking)


def takes_segment(parameter: Parameter) -> bool:
    """Whether binding gives it the next segment of the path."""
    return parameter.kind == POSITIONAL and parameter.source == AUTO and not parameter.is_body


def is_collection(annotation: Any) -> bool:
    """Whether several values are wanted, `list[int] | None` for one."""
    kind = bare(annotation)
    return getattr(kind, "__origin__", kind) in _COLLECTIONS


class Choice:
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


class Handover:
    """Another application, which gets the branch: at `segments` of its owner's path."""

    __slots__ = ("app", "guards", "is_ours", "name", "owner", "path", "segments", "what")

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
        self.is_ours = False  # an `App`: it takes the path without what led to it


class Nothing:
    """No handler, which is only said once the guards have let the request pass."""

    __slots__ = ("guards",)

    is_bare = is_direct = False
    keeps_slash = True
    name = ""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards


Target = Endpoint | Choice | Handover | Nothing
