"""The types of body that a handler's return annotation declares, each with its status where that is annotated too."""

from collections.abc import AsyncIterable, Iterable, Iterator
from inspect import isasyncgenfunction, isgeneratorfunction, unwrap
from types import GenericAlias
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from micropie import Route
from micropie.openapi.generics import aliased
from micropie.openapi.members import is_named_tuple, items_of
from micropie.openapi.schemas import UNIONS

PIECES = (str, bytes, bytearray, memoryview)
"""The types that a stream sends as they are."""


class Outcome(NamedTuple):
    """One type of body that a handler returns; with its status and headers, where those are returned beside it."""

    kind: Any
    metadata: tuple[Any, ...] = ()
    statuses: tuple[int, ...] = ()
    has_status: bool = False
    has_headers: bool = False


def outcomes_of(route: Route) -> Iterable[Outcome]:
    """The outcomes of a handler. What a generator function yields are pieces of one body, whatever it says."""
    innermost = unwrap(route.handler)
    found = outcomes(route.returns)
    if not (isgeneratorfunction(innermost) or isasyncgenfunction(innermost)):
        return found
    return [one._replace(kind=GenericAlias(Iterator, _yielded(one.kind, (Iterable, AsyncIterable)))) for one in found]


def items_of_stream(outcome: Outcome) -> list[Any]:
    """The types of the objects in a stream; none of one whose pieces are text or bytes, or are not known."""
    (item,) = _yielded(outcome.kind, (Iterator, AsyncIterable))
    return [kind for kind, _ in alternatives(item) if kind not in (Any, type(None), *PIECES)]


def _yielded(kind: Any, streams: tuple[type, ...]) -> tuple[Any]:
    """The type of what a stream yields; `Any` where none of these classes says it."""
    origin, args = get_origin(kind), get_args(kind)
    return (args[0] if isinstance(origin, type) and issubclass(origin, streams) else Any,)


def outcomes(annotation: Any) -> Iterator[Outcome]:
    """The outcomes that a return annotation declares; one of kind `Any` where nothing is known."""
    for kind, metadata in alternatives(annotation):
        args = items_of(kind) if is_named_tuple(kind) else get_args(kind) if get_origin(kind) is tuple else ()
        if len(args) in (2, 3) and ... not in args:
            statuses, has_headers = statuses_of(args[0]), args[2:] not in ((), (None,), (type(None),))
            for body, words in alternatives(args[1]):
                yield Outcome(body, (*words, *metadata), statuses, has_status=True, has_headers=has_headers)
        else:
            yield Outcome(kind, metadata)


def alternatives(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types in a union, each with the metadata that stands beside it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inside = alternatives(annotation.__origin__)
        yield from ((kind, (*metadata, *annotation.__metadata__)) for kind, metadata in inside)
    elif origin in UNIONS:
        for one in get_args(annotation):
            yield from alternatives(one)
    elif (meant := aliased(annotation)) is not None:
        yield from alternatives(meant)
    else:
        yield type(None) if annotation is None else annotation, ()


def statuses_of(annotation: Any) -> tuple[int, ...]:
    """The statuses that a type names, `Literal[201]`; none for one that may be any."""
    kinds = [kind for kind, _ in alternatives(annotation)]
    named = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    is_known = all(get_origin(kind) is Literal for kind in kinds) and all(isinstance(value, int) for value in named)
    return tuple(int(value) for value in named) if is_known else ()
