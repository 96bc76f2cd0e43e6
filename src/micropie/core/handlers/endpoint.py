"""One handler, and how it must be called."""

from collections.abc import Callable, Sequence
from typing import Any

from micropie.core import late
from micropie.core.handlers.binding import GuardPlan, Plan
from micropie.core.handlers.parameter import PATH, REQUIRED, Parameter, takes_many, takes_segment
from micropie.core.handlers.user_function import UserFunction
from micropie.core.requests.body import BODY_METHODS
from micropie.core.requests.limits import Limits

WEBSOCKET = "ws_"


class Guard:
    """A controller's `_before` and `_after`, where its class defines them, and the plan of the former's parameters."""

    __slots__ = ("after", "before", "plan")

    def __init__(self, before: UserFunction | None, after: UserFunction | None, plan: GuardPlan | None) -> None:
        self.before = before
        self.after = after
        self.plan = plan


Guards = tuple[Guard, ...]


class ErrorHandler(UserFunction):
    """An `_on_error`, whose results have the shape of its return annotation."""

    __slots__ = ("plan",)

    def __init__(self, handler: Callable[..., Any]) -> None:
        super().__init__(handler)
        self.plan = Plan(handler, skip=1)  # the exception is not bound by name
        if self.plan.shape is not None:
            self.call = late.with_filtered_result(handler, self.plan.returns, self.plan.shape)


ErrorHandlers = tuple[ErrorHandler, ...]  # those of the innermost branch first, the application's last


class Endpoint(UserFunction):
    """One handler: its name, the bound method, its plan, the verbs that it declares, and how it must be called.

    `call` is the handler, its results in the shape of its return annotation.
    """

    __slots__ = (
        "error_handlers",
        "first_argument",
        "guards",
        "identities",
        "is_bare",
        "is_direct",
        "is_nested",
        "keeps_slash",
        "limits",
        "name",
        "plan",
        "route",
        "verbs",
    )

    is_choice = False

    def __init__(
        self,
        name: str,
        handler: Callable[..., Any],
        route: Any,
        limits: Limits,
        *,
        guards: Guards = (),
        error_handlers: ErrorHandlers = (),
        verbs: tuple[str, ...] = (),
        identities: tuple[str, ...] = (),
        is_nested: bool = False,
        takes_socket: bool = False,
    ) -> None:
        super().__init__(handler)
        self.name = name
        self.route = route  # a `MatchedRoute`
        self.limits = limits  # of its requests' bodies
        self.guards = guards
        self.error_handlers = error_handlers
        self.verbs = verbs
        self.identities = identities  # its parameters that segments before its own path fill
        self.is_nested = is_nested  # below a controller
        # The socket is not bound by name.
        body_first = bool(verbs) and BODY_METHODS.issuperset(verbs)
        self.plan = Plan(handler, skip=1 if takes_socket else 0, body_first=body_first)
        if self.plan.shape is not None:
            self.call = late.with_filtered_result(handler, self.plan.returns, self.plan.shape)
        first = self._first
        self.first_argument = None if first is None else first.name  # to it a segment behind its path would go
        self.keeps_slash = self.plan.variadic
        # All there is to do is to call it.
        self.is_direct = self.is_coroutine and not (guards or self.plan.provided)
        self.is_bare = self.is_direct and not self.plan.parameters  # with nothing

    @property
    def takes_segments(self) -> bool:
        """True if segments behind its path can be arguments."""
        return self.plan.variadic or any(map(takes_segment, self._own_parameters))

    def needs_segment(self, verb: str) -> bool:
        """True if the path is where a required argument belongs; the arguments of POST may all be the body's."""
        if verb == "POST":
            return self.needs_path
        first = self._first
        is_first = first is not None and first.default is REQUIRED and not takes_many(first)
        return is_first or self.needs_path

    @property
    def _first(self) -> Parameter | None:
        return next(filter(takes_segment, self._own_parameters), None)

    @property
    def _own_parameters(self) -> list[Parameter]:
        return [one for one in self.plan.parameters if one.name not in self.identities]

    def takes(self, segments: Sequence[str]) -> bool:
        """True if all of these segments can be arguments, less what a trailing slash makes."""
        count = len(segments) - (segments[-1:] == [""] and not self.keeps_slash)
        return self.plan.variadic or count <= self.plan.size

    @property
    def needs_path(self) -> bool:
        """True if nothing but the path can fill a required parameter."""
        return any(one.source == PATH and one.default is REQUIRED for one in self._own_parameters)
