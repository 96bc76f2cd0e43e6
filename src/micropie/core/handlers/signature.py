"""A handler's signature as data: what its parameters are called, what type they have, where they come from.

Annotations may be text (`from __future__ import annotations`), and may name what only a type checker imports. What
cannot be resolved counts as no annotation, and as a problem.
"""

import inspect
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from micropie.core.conversion.records import UNIONS, class_of, is_record_type, strip_wrappers
from micropie.core.handlers.annotations import (
    _LENIENT,
    AUTO,
    BODY,
    CONTEXT,
    FILE,
    PATH,
    PROVIDER,
    Resolver,
    _is_source,
    _sources,
)
from micropie.core.handlers.faults import Faults
from micropie.core.requests.request import Request, WebSocketRequest
from micropie.core.requests.session import Session
from micropie.core.requests.uploaded_file import UploadedFile

PROVIDE = "__provide__"  # the function of a class that makes a provider of it
POSITIONAL, KEYWORD, VARIADIC, REST = "positional", "keyword", "variadic", "rest"

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: POSITIONAL,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: KEYWORD,
    inspect.Parameter.VAR_POSITIONAL: VARIADIC,
    inspect.Parameter.VAR_KEYWORD: REST,
}


class Parameter(NamedTuple):
    """One parameter of a handler, as its signature says it.

    `name` is the parameter's. `annotation` is the type without `Annotated`, whose other contents are `metadata`;
    `source` is `auto` (a path segment, else by name), `context` (the request, the session, the faults), `provider`
    (what the type provides) or the one place to look in, `key` the name there. `is_body` is true of a record, which the
    whole body fills. `kind` is `positional`, `keyword`, `variadic` (`*args`) or `rest` (`**kwargs`); `default` is
    `inspect.Parameter.empty` for a required parameter.

        required = [one.name for one in routes(app)[0].parameters if one.default is inspect.Parameter.empty]
    """

    name: str
    annotation: Any
    metadata: tuple[Any, ...]
    source: str
    key: str
    default: Any
    kind: str
    is_body: bool


def takes_segment(parameter: Parameter) -> bool:
    """True if binding gives it the next segment of the path."""
    return parameter.kind == POSITIONAL and parameter.source in (AUTO, PATH) and not parameter.is_body


class Signature(NamedTuple):
    """A handler's parameters but for those that are filled already, its return annotation, and what is wrong.

    `taken` are the names that no keyword may fill again.
    """

    parameters: tuple[Parameter, ...]
    returns: Any
    taken: frozenset[str]
    problems: tuple[str, ...]


def read_signature(handler: Callable[..., Any], skip: int) -> Signature:
    """Read it; `skip` positional parameters are filled by other means. TypeError if it has none, or no `self`."""
    try:
        signature = inspect.signature(handler, **_LENIENT)
    except ValueError:
        raise TypeError(_unreadable(handler)) from None
    resolve = Resolver(handler)
    found = list(signature.parameters.values())
    skipped = [one for one in found if _KINDS[one.kind] == POSITIONAL][:skip]
    parameters = [_parameter(one, resolve) for one in found if one not in skipped]
    returns = _awaited(resolve("the return value", signature.return_annotation))
    taken = frozenset((*signature.parameters, *_implicit(handler)))
    return Signature(tuple(parameters), returns, taken, tuple(resolve.problems))


def _awaited(returns: Any) -> Any:
    """The type of a result that may be there only when it has been awaited: `Note` of `Awaitable[Note]`."""
    origin, arguments = class_of(returns), get_args(returns)
    if origin in UNIONS and (meant := tuple(map(_awaited, arguments))) != arguments:
        return Union[meant]  # noqa: UP007 - made of what is only known here
    return arguments[-1] if arguments and isinstance(origin, type) and issubclass(origin, Awaitable) else returns


def _unreadable(handler: Callable[..., Any]) -> str:
    """A sentence on a handler whose signature can't be read: mostly it does not take what it is bound to."""
    method = inspect.unwrap(handler)
    code = getattr(method, "__code__", None)
    if code is None:
        return f"{method!r} does not tell its parameters: call it in a method of its own"
    wanted = "cls" if isinstance(getattr(handler, "__self__", None), type) else "self"
    return (
        f"{method.__qualname__} takes no {wanted} ({code.co_filename}, line {code.co_firstlineno}): "
        f"write def {method.__name__}({wanted}), or make it a @staticmethod"
    )


def _implicit(handler: Callable[..., Any]) -> list[str]:
    """The name of the parameter that a bound method fills by itself."""
    if not isinstance(handler, MethodType):
        return []
    return list(inspect.signature(handler.__func__, **_LENIENT).parameters)[:1]


def _parameter(found: inspect.Parameter, resolve: "Resolver") -> Parameter:
    annotation = resolve(f"parameter {found.name!r}", found.annotation)
    metadata: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, metadata = annotation.__origin__, annotation.__metadata__
    source = next(_sources(annotation, metadata), None)
    place = source.place if source is not None else _natural_source(annotation, metadata)
    _check_one_provider(found, annotation, place)
    return Parameter(
        found.name,
        annotation,
        tuple(item for item in metadata if not _is_source(item)),
        place,
        found.name if source is None else source.key(found.name),
        found.default,
        _KINDS[found.kind],
        is_body=place == BODY or (place == AUTO and is_record_type(annotation)),
    )


def provider_in(annotation: Any, metadata: tuple[Any, ...]) -> Any:
    """The provider that a parameter asks for: what in its `Annotated` has `__provide__`, else its type; or None."""
    kinds = (*metadata, class_of(strip_wrappers(annotation)))
    return next((one for one in kinds if hasattr(one, PROVIDE)), None)


def _check_one_provider(found: inspect.Parameter, annotation: Any, place: str) -> None:
    """TypeError for a parameter that no single provider fills; a client must not fill it in its place."""
    is_many = found.kind in (found.VAR_POSITIONAL, found.VAR_KEYWORD)
    is_choice = place == AUTO and any(provider_in(one, ()) is not None for one in get_args(annotation))
    if (place == PROVIDER and is_many) or is_choice:
        raise TypeError(
            f"The parameter {str(found)!r} is of a provider's type, not just that: a provider has one value"
        )


def _natural_source(annotation: Any, metadata: tuple[Any, ...]) -> str:
    """The place that a type can only come from."""
    if provider_in(annotation, metadata) is not None:
        return PROVIDER
    kind = strip_wrappers(annotation)
    if kind in (Request, WebSocketRequest, Session, Faults):
        return CONTEXT
    if UploadedFile in (kind, *get_args(kind)):
        return FILE
    return AUTO
