"""The arguments of a typed signature: values are converted, and everything that is wrong with them is said at once."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from micropie.core.basics.errors import MAX_FAULTS, Fault, InvalidInput, SurplusSegments
from micropie.core.conversion.compiler import Compiler
from micropie.core.conversion.constraints import checks_of, package_named
from micropie.core.conversion.converter import Converter, UnknownTypeError, as_it_is
from micropie.core.conversion.records import is_record_type
from micropie.core.handlers.faults import Faults
from micropie.core.handlers.parameter import (
    AUTO,
    BODY,
    CONTEXT,
    COOKIE_SOURCE,
    FILE,
    HEADER,
    KEYWORD,
    PATH,
    POSITIONAL,
    PROVIDER,
    QUERY,
    REST,
    SESSION,
    VARIADIC,
    Parameter,
)
from micropie.core.handlers.sources import AS_IT_CAME, FILE_EXPECTED, ParameterBinder, RawValue
from micropie.core.requests.body import has_json_object, members_for_keywords
from micropie.core.requests.request import Request
from micropie.core.requests.uploaded_file import UploadedFile

if TYPE_CHECKING:
    from micropie.core.handlers.binding import Arguments, Plan

_NOT_THERE: Any = object()  # a segment; None may be one that a hook has set
_NOT_SENT: RawValue = CONTEXT, as_it_is, None  # that a client has sent


def slots_of(parameters: Iterable[Parameter], *, body_first: bool = False) -> tuple[list[ParameterBinder], list[str]]:
    """A slot for each parameter, and what is wrong with their types; one that is unknown counts as none.

    With `body_first` what has no place of its own is looked for in the body before it is in the query.
    """
    slots, problems = [], []
    for parameter in parameters:
        compiler = Compiler({UploadedFile: FILE_EXPECTED})
        try:
            converter = _converter(parameter, compiler)
            reads_decimals = compiler.reads_decimals
            slot = ParameterBinder(parameter, converter, reads_decimals=reads_decimals, body_first=body_first)
        except UnknownTypeError as error:
            problems.append(
                f"parameter {parameter.name!r} gets its value as it comes, since {error}: "
                "annotate it with a type that the reference lists, or leave the annotation out"
            )
            untyped = parameter._replace(annotation=Any, metadata=(), is_body=parameter.source == BODY)
            slot = ParameterBinder(untyped, AS_IT_CAME, body_first=body_first)
        slots.append(slot)
        problems += [f"of parameter {parameter.name!r} {problem}" for problem in compiler.problems]
    return slots, problems


def providers_of(slots: list[ParameterBinder]) -> tuple[Any, ...]:
    """The providers that parameters ask for, each once."""
    return tuple(dict.fromkeys(slot.wanted for slot in slots if slot.parameter.source == PROVIDER))


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


def is_typed(slot: ParameterBinder) -> bool:
    """True if the parameter is more than a name and a default to be used as it is."""
    return slot.parameter.annotation is not Any or slot.parameter.source != AUTO or slot.copies_default


def typed_arguments(plan: "Plan", request: Request, segments: list[str]) -> "Arguments":
    """Positional and keyword arguments. `SurplusSegments`, or `InvalidInput` with all that is wrong."""
    if len(segments) > plan.size and not plan.variadic:
        raise SurplusSegments
    faults: list[Fault] = []
    if plan.takes_faults:
        request._faults = Faults(faults, partial(_sent_values, plan, request, segments))
    arguments = _collected(plan, request, segments, faults)
    if faults and not plan.takes_faults:
        raise InvalidInput(faults)
    return arguments


def _collected(plan: "Plan", request: Request, segments: list[str], faults: list[Fault]) -> "Arguments":
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


def _sent_values(plan: "Plan", request: Request, segments: list[str]) -> dict[str, Any]:
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


def _rest(plan: "Plan", request: Request, slot: ParameterBinder, faults: list[Fault]) -> dict[str, Any]:
    """The values for `**kwargs`, of body and query. A fault has the parameter's name, not the client's."""
    convert = slot.converter
    if has_json_object(request):
        found = {name: (BODY, convert.value, value) for name, value in members_for_keywords(request).items()}
    else:
        found = {name: (BODY, convert.from_texts, values) for name, values in request.body_params.items()}
    query = {name: (QUERY, convert.from_texts, values) for name, values in request.query_params.items()}
    found = {**query, **found} if plan.body_first else {**found, **query}
    rest = {}
    for name, one in found.items():
        if name not in plan.taken and len(faults) < MAX_FAULTS:
            rest[name] = slot.value(request, one, faults)
    return rest


def guard_arguments(
    slots: list[tuple[ParameterBinder, int | None]], request: Request, segments: list[str]
) -> "Arguments":
    """The arguments of a guard: each slot with the segment that is its identity's. `InvalidInput` for misfits."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    faults: list[Fault] = []
    for slot, index in slots:
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


def outstanding_values(plan: "Plan", request: Request, segments: list[str]) -> list[str]:
    """The parameters of a typed signature that a form may fill: a list, or the whole body, needs all of it."""
    remaining = iter(segments)
    slots = [slot for slot in plan.slots if not (slot.takes_segment and next(remaining, _NOT_THERE) is not _NOT_THERE)]
    wanted = [slot for slot in slots if slot.parameter.source in (AUTO, FILE) or slot.parameter.is_body]
    if plan.takes_any_keyword or any(slot.needs_whole_form for slot in wanted):
        return []
    named = [slot for slot in wanted if slot.parameter.kind in (POSITIONAL, KEYWORD)]
    return [
        slot.key
        for slot in named
        if plan.body_first or slot.parameter.source == FILE or slot.key not in request.query_params
    ]
