"""A handler's signature, read once into a `Plan`; a plan and a request, bound into arguments.

In signature order each parameter takes the next path segment, else it is looked up by its name: query,
body, files, session, its default. HTTP and WebSocket handlers go the same way. Where annotations ask for it the values
are converted, and everything that is wrong with them is said at once.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from micropie.core.basics.errors import (
    MAX_FAULTS,
    ConversionError,
    Fault,
    HTTPError,
    InvalidInput,
    SurplusSegments,
    log,
)
from micropie.core.conversion.compiler import Compiler
from micropie.core.conversion.constraints import checks_of, package_named
from micropie.core.conversion.converter import Converter, UnknownTypeError, as_it_is
from micropie.core.conversion.records import is_record_type
from micropie.core.handlers.annotations import (
    AUTO,
    BODY,
    CONTEXT,
    COOKIE_SOURCE,
    FILE,
    HEADER,
    PATH,
    PROVIDER,
    QUERY,
    REQUIRED,
    SESSION,
)
from micropie.core.handlers.faults import Faults
from micropie.core.handlers.results import ResultFilter, result_filter
from micropie.core.handlers.signature import KEYWORD, POSITIONAL, REST, VARIADIC, Parameter, read_signature
from micropie.core.handlers.sources import (
    AS_IT_CAME,
    FILE_EXPECTED,
    ParameterBinder,
    RawValue,
    has_json_object,
    members_for_keywords,
)
from micropie.core.requests.request import Request
from micropie.core.requests.uploaded_file import UploadedFile

_NOT_THERE: Any = object()  # a segment; None may be one that a hook has set
_OF_GUARDS = (CONTEXT, COOKIE_SOURCE, HEADER, PROVIDER, QUERY, SESSION)  # what there is before the body is looked at
_NOT_SENT: RawValue = CONTEXT, as_it_is, None  # that a client has sent
_NO_KEYWORDS: dict[str, Any] = {}  # `**` copies it
Arguments = tuple[list[Any], dict[str, Any]]


class Plan:
    """A handler's parameters: `positional` and `keywords` are pairs of a name and its default (or `REQUIRED`).

    `parameters` and `returns` are its signature, `provided` the providers in it, `shape` what `returns` makes of
    results, `problems` what cannot be served as it reads. `slots` are the parameters if any of them is typed, or has a
    mutable default; else empty.
    """

    __slots__ = (
        "direct",
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

    def __init__(self, handler: Callable[..., Any], *, skip: int = 0) -> None:
        parameters, self.returns, self.taken, problems = read_signature(handler, skip)
        self.slots, more_problems = _slots(parameters)
        self.parameters = tuple(slot.parameter for slot in self.slots)
        self.shape, no_shape = _shape(self.returns)
        self.problems: tuple[str, ...] = (*problems, *more_problems, *_unreachable(self.parameters), *no_shape)
        if skip and any(p.is_body for p in self.parameters):
            self.problems += ("a WebSocket has no body to take a parameter from: send it as a message",)
        kinds = {p.kind for p in self.parameters}
        self.positional = [(p.name, p.default) for p in self.parameters if p.kind == POSITIONAL]
        self.keywords = [(p.name, p.default) for p in self.parameters if p.kind == KEYWORD]
        self.variadic = VARIADIC in kinds
        self.takes_any_keyword = REST in kinds
        self.provided = _providers_of(self.slots)
        self.takes_faults = any(slot.wanted is Faults for slot in self.slots)
        self.from_path = [slot.converter.text for slot in self.slots if slot.takes_segment]
        self.size = len(self.from_path)
        if not any(map(_is_typed, self.slots)):
            self.slots = []
        self.plain = not (self.slots or self.keywords or self.takes_any_keyword)
        # So many segments make all the arguments there are; -1: no number of them does.
        self.direct = self.size if self.size == len(self.parameters) else -1
        _warn(handler, self.problems)

    def outstanding(self, request: Request, segments: list[str]) -> list[str]:
        """The parameters that neither path nor query fill: a form may. None at all stands for the whole form."""
        if self.slots:
            return _outstanding(self, request, segments)
        if self.takes_any_keyword:
            return []
        parameters = [*self.positional[len(segments) :], *self.keywords]
        return [name for name, _ in parameters if name not in request.query_params]


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
        slots, problems = _slots(tuple(parameters))
        self._slots = [(slot, _index(slot.parameter, identities)) for slot in slots]
        self.parameters = tuple(slot.parameter for slot in slots)
        self.provided = _providers_of(slots)
        self.problems: tuple[str, ...] = (*signature.problems, *problems) if slots else ()

    @property
    def is_empty(self) -> bool:
        """True for a guard that is called without arguments."""
        return not self._slots

    def bind(self, request: Request, segments: list[str]) -> Arguments:
        """The arguments of a guard before what the segments lead to. `InvalidInput` for values that do not fit."""
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        faults: list[Fault] = []
        for slot, index in self._slots:
            if slot.parameter.source == AUTO:
                value = slot.value(request, None, faults)
            elif index is None or index >= len(segments):
                value = slot.value(request, slot.find(request, slot), faults)
            else:
                value = slot.value(request, slot.segment(segments[index]), faults)
            if slot.parameter.kind == KEYWORD:
                keywords[slot.parameter.name] = value
            else:
                positional.append(value)
        if faults:
            raise InvalidInput(faults)
        return positional, keywords


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
        found = [_by_name(request, name, default) for name, default in plan.positional[count:]]
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
        return _typed_arguments(plan, request, segments)
    if len(segments) > plan.size and not plan.variadic:
        raise SurplusSegments
    named = [_by_name(request, name, default) for name, default in plan.positional[len(segments) :]]
    return [*segments, *named], _keyword_arguments(plan, request)


def _keyword_arguments(plan: Plan, request: Request) -> dict[str, Any]:
    arguments = {name: _by_name(request, name, default) for name, default in plan.keywords}
    if plan.takes_any_keyword:
        body = members_for_keywords(request) if has_json_object(request) else _first_values(request.body_params)
        rest = {**body, **_first_values(request.query_params)}
        arguments.update((name, value) for name, value in rest.items() if name not in plan.taken)
    return arguments


def _by_name(request: Request, name: str, default: Any) -> Any:
    """The value that the request has for a parameter, wherever it is."""
    if name in request.query_params:
        return request.query_params[name][0]
    if has_json_object(request) and name in request.get_json:
        return request.get_json[name]
    if name in (fields := request._form_fields()):
        return fields[name][0]
    if name in request.files:
        return request.files[name]
    if request._has_in_session(name):
        return request.session[name]
    if default is REQUIRED:
        raise HTTPError(400, f"Missing required parameter {name!r}")
    return default


def _first_values(params: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in params.items()}


def _slots(parameters: tuple[Parameter, ...]) -> tuple[list[ParameterBinder], list[str]]:
    """A slot for each parameter, and what is wrong with their types; one that is unknown counts as none."""
    slots, problems = [], []
    for parameter in parameters:
        compiler = Compiler({UploadedFile: FILE_EXPECTED})
        try:
            converter = _converter(parameter, compiler)
            slots.append(ParameterBinder(parameter, converter, reads_decimals=compiler.reads_decimals))
        except UnknownTypeError as error:
            problems.append(
                f"parameter {parameter.name!r} gets its value as it comes, since {error}: "
                "annotate it with a type that the reference lists, or leave the annotation out"
            )
            untyped = parameter._replace(annotation=Any, metadata=(), is_body=parameter.source == BODY)
            slots.append(ParameterBinder(untyped, AS_IT_CAME))
        problems += [f"of parameter {parameter.name!r} {problem}" for problem in compiler.problems]
    return slots, problems


def _providers_of(slots: list[ParameterBinder]) -> tuple[Any, ...]:
    """The providers that parameters ask for, each once."""
    return tuple(dict.fromkeys(slot.wanted for slot in slots if slot.parameter.source == PROVIDER))


def _unreachable(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        if parameter.source == PATH and parameter.kind in (KEYWORD, REST):
            yield (
                f"nothing fills parameter {parameter.name!r}, since no path segment goes to a keyword: "
                "move it before the *, or take the FromPath() off"
            )


def _converter(parameter: Parameter, compiler: Compiler) -> Converter:
    if parameter.source in (HEADER, COOKIE_SOURCE, PATH) and is_record_type(parameter.annotation):
        raise UnknownTypeError(f"no {parameter.source} is a {parameter.annotation!r}")
    if parameter.source == PROVIDER:
        return AS_IT_CAME
    if parameter.source in (CONTEXT, FILE):
        if any(checks_of(parameter.metadata)) or package_named(parameter.metadata):
            compiler.problems.append(f"the constraints {parameter.metadata!r} are not checked")
        return AS_IT_CAME
    if parameter.metadata:
        return compiler.converter(Annotated[(parameter.annotation, *parameter.metadata)])
    return compiler.converter(parameter.annotation)


def _is_typed(slot: ParameterBinder) -> bool:
    """True if the parameter is more than a name and a default to be used as it is."""
    return slot.parameter.annotation is not Any or slot.parameter.source != AUTO or slot.copies_default


def _of_guard(parameter: Parameter, identities: tuple[str, ...]) -> Parameter:
    """A parameter as a guard has it: from the path, from where its marker says, or (`AUTO`) from its default alone."""
    if parameter.source in (AUTO, PATH) and parameter.name in identities:
        return parameter._replace(source=PATH, is_body=False)
    if parameter.source in _OF_GUARDS and parameter.annotation is not Faults:  # those of the handler are not there yet
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


def _shape(returns: Any) -> tuple[ResultFilter | None, list[str]]:
    try:
        return result_filter(returns), []
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


def _typed_arguments(plan: Plan, request: Request, segments: list[str]) -> Arguments:
    if len(segments) > plan.size and not plan.variadic:
        raise SurplusSegments
    faults: list[Fault] = []
    if plan.takes_faults:
        request._faults = Faults(faults, partial(_sent_values, plan, request, segments))
    arguments = _collected(plan, request, segments, faults)
    if faults and not plan.takes_faults:
        raise InvalidInput(faults)
    return arguments


def _collected(plan: Plan, request: Request, segments: list[str], faults: list[Fault]) -> Arguments:
    """All arguments, and what is wrong with any of them."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    remaining = iter(segments)
    for slot in plan.slots:
        if slot.parameter.kind == VARIADIC:
            positional += [slot.value(request, slot.segment(text), faults) for text in remaining]
        elif slot.parameter.kind == REST:
            keywords.update(_rest(plan, request, slot, faults))
        else:
            given = next(remaining, _NOT_THERE) if slot.takes_segment else _NOT_THERE
            value = slot.value(
                request, slot.find(request, slot) if given is _NOT_THERE else slot.segment(given), faults
            )
            if slot.parameter.kind == KEYWORD:
                keywords[slot.parameter.name] = value
            else:
                positional.append(value)
    return positional, keywords


def _sent_values(plan: Plan, request: Request, segments: list[str]) -> dict[str, Any]:
    """The values that the client has sent for the parameters, by their names there, as they came."""
    values: dict[str, Any] = {}
    remaining = iter(segments)
    for slot in plan.slots:
        if slot.parameter.kind == VARIADIC:
            values[slot.key] = list(remaining)
            continue
        text = next(remaining, _NOT_THERE) if slot.takes_segment else _NOT_THERE
        place, _, sent = (slot.find(request, slot) if text is _NOT_THERE else slot.segment(text)) or _NOT_SENT
        if place in (CONTEXT, PROVIDER, SESSION):
            continue
        values.update(sent if slot.is_whole and isinstance(sent, Mapping) else {slot.key: sent})
    return values


def _rest(plan: Plan, request: Request, slot: ParameterBinder, faults: list[Fault]) -> dict[str, Any]:
    """The values for `**kwargs`: the body's, then the query's. A fault has the parameter's name, not the client's."""
    convert = slot.converter
    if has_json_object(request):
        found = {name: (BODY, convert.value, value) for name, value in members_for_keywords(request).items()}
    else:
        found = {name: (BODY, convert.from_texts, values) for name, values in request.body_params.items()}
    found.update((name, (QUERY, convert.from_texts, values)) for name, values in request.query_params.items())
    rest = {}
    for name, one in found.items():
        if name not in plan.taken and len(faults) < MAX_FAULTS:
            rest[name] = slot.value(request, one, faults)
    return rest


def _outstanding(plan: Plan, request: Request, segments: list[str]) -> list[str]:
    """The parameters of a typed signature that only a form can fill: a list, or the whole body, needs all of it."""
    remaining = iter(segments)
    slots = [slot for slot in plan.slots if not (slot.takes_segment and next(remaining, _NOT_THERE) is not _NOT_THERE)]
    wanted = [slot for slot in slots if slot.parameter.source in (AUTO, FILE) or slot.parameter.is_body]
    if plan.takes_any_keyword or any(slot.needs_whole_form for slot in wanted):
        return []
    named = [slot for slot in wanted if slot.parameter.kind in (POSITIONAL, KEYWORD)]
    return [slot.key for slot in named if slot.parameter.source == FILE or slot.key not in request.query_params]
