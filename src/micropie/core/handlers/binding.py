"""A handler's signature, read once into a `Plan`; a plan and a request, bound into arguments.

In signature order each parameter takes the next path segment, else it is looked up by its name: query,
body, files, session, its default. Of a handler that declares only verbs with bodies the body comes before the query: a
link to the page of a form can't put something else in place of what is typed there. HTTP and WebSocket handlers go the
same way. Where annotations ask for it the values are converted, and everything that is wrong with them is said at once.
"""

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from micropie.core import late
from micropie.core.basics.errors import ConversionError, HTTPError, SurplusSegments, log
from micropie.core.handlers.parameter import (
    AUTO,
    CONTEXT,
    COOKIE_SOURCE,
    HEADER,
    KEYWORD,
    PATH,
    POSITIONAL,
    PROVIDER,
    QUERY,
    REQUIRED,
    REST,
    SESSION,
    VARIADIC,
    Parameter,
    is_hashable,
    takes_segment,
)
from micropie.core.handlers.signature import read_signature
from micropie.core.requests.body import has_json_object, members_for_keywords
from micropie.core.requests.request import Request

if TYPE_CHECKING:
    from micropie.core.handlers.results import ResultFilter
    from micropie.core.handlers.sources import ParameterBinder

_OF_GUARDS = (CONTEXT, COOKIE_SOURCE, HEADER, PROVIDER, QUERY, SESSION)  # what there is before the body is looked at
_NOT_IN_BODY: Any = object()
_NO_KEYWORDS: dict[str, Any] = {}  # `**` copies it
Arguments = tuple[list[Any], dict[str, Any]]


class Plan:
    """A handler's parameters: `positional` and `keywords` are pairs of a name and its default (or `REQUIRED`).

    `parameters` and `returns` are its signature, `provided` the providers in it, `shape` what `returns` makes of
    results, `problems` what cannot be served as it reads. `slots` are the parameters if any of them is typed, or has a
    mutable default; else empty. `find` gives the value of a name; with `body_first` the query comes behind the body.
    """

    __slots__ = (
        "body_first",
        "direct",
        "find",
        "from_path",
        "keywords",
        "parameters",
        "plain",
        "positional",
        "problems",
        "provided",
        "returns",
        "shape",
        "size",
        "slots",
        "taken",
        "takes_any_keyword",
        "takes_faults",
        "variadic",
    )

    def __init__(self, handler: Callable[..., Any], *, skip: int = 0, body_first: bool = False) -> None:
        signature = read_signature(handler, skip)
        self.body_first = body_first
        self.find = _by_name_in_body_first if body_first else _by_name
        self.parameters, self.returns, self.taken = signature.parameters, signature.returns, signature.taken
        self.slots: list[ParameterBinder] = []
        self.provided: tuple[Any, ...] = ()
        self.takes_faults = False
        problems = signature.problems
        if not all(map(_is_untyped, self.parameters)):
            problems += self._read_types()
        self.shape, no_shape = _shape(self.returns)
        self.problems = (*problems, *_unreachable(self.parameters), *no_shape)
        if skip and any(p.is_body for p in self.parameters):
            self.problems += ("a WebSocket has no body to take a parameter from: send it as a message",)
        kinds = {p.kind for p in self.parameters}
        self.positional = [(p.name, p.default) for p in self.parameters if p.kind == POSITIONAL]
        self.keywords = [(p.name, p.default) for p in self.parameters if p.kind == KEYWORD]
        self.variadic = VARIADIC in kinds
        self.takes_any_keyword = REST in kinds
        self.from_path = [slot.converter.text for slot in self.slots if slot.takes_segment]
        self.size = sum(map(takes_segment, self.parameters))
        self.plain = not (self.slots or self.keywords or self.takes_any_keyword)
        # So many segments make all the arguments there are; -1: no number of them does.
        self.direct = self.size if self.size == len(self.parameters) else -1
        _warn(handler, self.problems)

    def _read_types(self) -> tuple[str, ...]:
        """Make the slots; what is wrong with the types of parameters. One whose type is unknown counts as untyped."""
        slots, problems = late.slots_of(self.parameters, body_first=self.body_first)
        self.parameters = tuple(slot.parameter for slot in slots)
        self.provided = late.providers_of(slots)
        self.takes_faults = any(slot.wanted is late.Faults for slot in slots)
        if any(map(late.is_typed, slots)):
            self.slots = slots
        return tuple(problems)

    def outstanding(self, request: Request, segments: list[str]) -> list[str]:
        """The parameters that a form may fill. None at all stands for the whole form."""
        if self.slots:
            return late.outstanding_values(self, request, segments)
        if self.takes_any_keyword:
            return []
        parameters = [*self.positional[len(segments) :], *self.keywords]
        return [name for name, _ in parameters if self.body_first or name not in request.query_params]


class GuardPlan:
    """The parameters of a controller's `_before`: identities of its path, providers, what a marker names.

    Others keep their defaults: a client must not fill what a guard did not ask it for. TypeError for one without a
    default. `provided` and `problems` are those of a `Plan`.
    """

    __slots__ = ("_slots", "parameters", "problems", "provided")

    def __init__(self, guard: Callable[..., Any], identities: tuple[str, ...]) -> None:
        signature = read_signature(guard, 0)
        parameters = [_of_guard(one, identities) for one in signature.parameters if one.kind in (POSITIONAL, KEYWORD)]
        for one in parameters:
            if one.source == AUTO and one.default is REQUIRED:
                raise TypeError(_unfilled(guard, one.name, identities))
        while parameters and parameters[-1].source == AUTO:
            parameters.pop()
        slots, problems = late.slots_of(parameters) if parameters else ([], [])
        self._slots = [(slot, _index(slot.parameter, identities)) for slot in slots]
        self.parameters = tuple(slot.parameter for slot in slots)
        self.provided = late.providers_of(slots) if slots else ()
        self.problems: tuple[str, ...] = (*signature.problems, *problems) if slots else ()

    @property
    def is_empty(self) -> bool:
        """True for a guard that is called without arguments."""
        return not self._slots

    def bind(self, request: Request, segments: list[str]) -> Arguments:
        """The arguments of a guard before what the segments lead to. `InvalidInput` for values that do not fit."""
        return late.guard_arguments(self._slots, request, segments)


def bind(plan: Plan, request: Request, segments: list[str]) -> Arguments:
    """Positional and keyword arguments. `SurplusSegments`, or `HTTPError` 400 for a parameter that nothing fills.

    For a typed signature it is an `InvalidInput`.
    """
    if plan.plain:
        count = len(segments)
        if count == plan.size:  # PERF: most requests need no more, 0.3 µs
            return segments, _NO_KEYWORDS
        if count > plan.size and not plan.variadic:
            raise SurplusSegments
        find = plan.find
        found = [find(request, name, default) for name, default in plan.positional[count:]]
        return [*segments, *found], _NO_KEYWORDS
    if plan.slots:
        if len(segments) == plan.direct and not request._has_path_values:
            # PERF: path parameters need nothing else, 0.7 µs; a comprehension in place of `map` would take 0.2 µs.
            try:
                if plan.direct == 1:
                    return [plan.from_path[0](segments[0])], _NO_KEYWORDS
                return [*map(operator.call, plan.from_path, segments)], _NO_KEYWORDS
            except ConversionError:
                pass  # below all of them are found
        return late.typed_arguments(plan, request, segments)
    if len(segments) > plan.size and not plan.variadic:
        raise SurplusSegments
    named = [plan.find(request, name, default) for name, default in plan.positional[len(segments) :]]
    return [*segments, *named], _keyword_arguments(plan, request)


def _keyword_arguments(plan: Plan, request: Request) -> dict[str, Any]:
    arguments = {name: plan.find(request, name, default) for name, default in plan.keywords}
    if plan.takes_any_keyword:
        body = members_for_keywords(request) if has_json_object(request) else _first_values(request.body_params)
        query = _first_values(request.query_params)
        rest = {**query, **body} if plan.body_first else {**body, **query}
        arguments.update((name, value) for name, value in rest.items() if name not in plan.taken)
    return arguments


def _by_name(request: Request, name: str, default: Any) -> Any:
    """The value that the request has for a parameter, wherever it is."""
    if name in request.query_params:
        return request.query_params[name][0]
    if (found := _in_body(request, name)) is not _NOT_IN_BODY:
        return found
    if request._has_in_session(name):
        return request.session[name]
    if default is REQUIRED:
        raise HTTPError(400, f"Missing required parameter {name!r}")
    return default


def _by_name_in_body_first(request: Request, name: str, default: Any) -> Any:
    """The same, but what the body has goes before what the query has."""
    found = _in_body(request, name)
    return _by_name(request, name, default) if found is _NOT_IN_BODY else found


def _in_body(request: Request, name: str) -> Any:
    """The value of a member of the JSON object, a field of the form or a file; `_NOT_IN_BODY` if there is none."""
    if has_json_object(request) and name in request.get_json:
        return request.get_json[name]
    if name in (fields := request._form_fields()):
        return fields[name][0]
    return request.files.get(name, _NOT_IN_BODY)


def _first_values(params: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in params.items()}


def _is_untyped(parameter: Parameter) -> bool:
    """True if the parameter is a name, and a default that every call may have: text, a number, a tuple of them."""
    named_alone = parameter.annotation is Any and parameter.source == AUTO and not parameter.metadata
    return named_alone and is_hashable(parameter.default)


def _unreachable(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        if parameter.source == PATH and parameter.kind in (KEYWORD, REST):
            yield (
                f"nothing fills parameter {parameter.name!r}, since no path segment goes to a keyword: "
                "move it before the *, or take the FromPath() off"
            )


def _of_guard(parameter: Parameter, identities: tuple[str, ...]) -> Parameter:
    """A parameter as a guard has it: from the path, from where its marker says, or (`AUTO`) from its default alone."""
    if parameter.source in (AUTO, PATH) and parameter.name in identities:
        return parameter._replace(source=PATH, is_body=False)
    if (
        parameter.source in _OF_GUARDS and parameter.annotation is not late.Faults
    ):  # those of the handler are not there yet
        return parameter
    return parameter._replace(source=AUTO, annotation=Any, metadata=(), is_body=False)


def _index(parameter: Parameter, identities: tuple[str, ...]) -> int | None:
    return identities.index(parameter.name) if parameter.source == PATH else None


def _unfilled(guard: Callable[..., Any], name: str, identities: tuple[str, ...]) -> str:
    title = getattr(guard, "__qualname__", repr(guard))
    there = f"which has {', '.join(map(repr, identities))}" if identities else "which has none"
    return (
        f"{title} takes {name!r}, which nothing fills: a guard gets the identities of its path, {there}, and what a "
        "marker such as Header() or the type of a provider names. Give it a default, or leave it out"
    )


def _shape(returns: Any) -> tuple["ResultFilter | None", list[str]]:
    """How results become what the annotation declares, and what is wrong with that."""
    if returns is Any:
        return None, []
    try:
        return late.result_filter(returns), []
    except Exception as error:  # whatever evaluating a record's annotations raises
        problem = (
            f"replies go out whole, since the annotation '-> {returns!r}' cannot be used ({error}): "
            "make its names known where the program runs, or leave it out"
        )
        return None, [problem]


def _warn(handler: Callable[..., Any], problems: tuple[str, ...]) -> None:
    """Log each problem, but for private methods, which are seldom handlers."""
    name = getattr(handler, "__qualname__", repr(handler))
    if not name.rpartition(".")[2].startswith("_"):
        for problem in problems:
            log.warning("%s: %s", name, problem)
