"""The annotations of a handler's signature: the type of each parameter, and the place that its value comes from."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, Union, get_args, get_origin

from micropie.core.conversion.records import UNIONS, class_of, is_record_type, strip_wrappers
from micropie.core.handlers.annotations import Resolver, _is_source, _sources
from micropie.core.handlers.faults import Faults
from micropie.core.handlers.parameter import AUTO, BODY, CONTEXT, FILE, KINDS, PROVIDE, PROVIDER, Parameter
from micropie.core.requests.request import Request, WebSocketRequest
from micropie.core.requests.session import Session
from micropie.core.requests.uploaded_file import UploadedFile


def read_annotations(
    handler: Callable[..., Any], found: Iterable[inspect.Parameter], returns: Any
) -> tuple[tuple[Parameter, ...], Any, tuple[str, ...]]:
    """The parameters of a handler, its return annotation, and what is wrong with any of its annotations."""
    resolve = Resolver(handler)
    parameters = tuple(_parameter(one, resolve) for one in found)
    returned = _awaited(resolve("the return value", returns))
    return parameters, returned, tuple(resolve.problems)


def _awaited(returns: Any) -> Any:
    """The type of a result that may be there only when it has been awaited: `Note` of `Awaitable[Note]`."""
    origin, arguments = class_of(returns), get_args(returns)
    if origin in UNIONS and (meant := tuple(map(_awaited, arguments))) != arguments:
        return Union[meant]  # noqa: UP007 - made of what is only known here
    return arguments[-1] if arguments and isinstance(origin, type) and issubclass(origin, Awaitable) else returns


def _parameter(found: inspect.Parameter, resolve: Resolver) -> Parameter:
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
        KINDS[found.kind],
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
