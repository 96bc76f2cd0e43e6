"""Annotations with types in place of their type variables: the `list[T]` in `Page` is `list[int]` in `Page[int]`."""

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

Types = Mapping[Any, Any]
"""Types by the variables that they stand for."""


def hints_of(cls: type, arguments: Sequence[Any] = ()) -> dict[str, Any]:
    """The annotations of a class, resolved, with its type arguments in place; none at all if one can't be resolved."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:
        return {}
    types = types_by_class(cls, arguments)
    return {name: substituted(hint, types[_owner(cls, name)]) for name, hint in hints.items()}


def _owner(cls: type, name: str) -> type:
    """The class in whose body an annotation stands: a type variable means in each what its own arguments say."""
    return next((base for base in cls.__mro__ if name in inspect.get_annotations(base)), cls)


def types_by_class(cls: type, arguments: Sequence[Any]) -> dict[type, dict[Any, Any]]:
    """The types of the type variables, of a class and of each of its bases."""
    own = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    found: dict[type, dict[Any, Any]] = {}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if isinstance(origin, type):
            found |= types_by_class(origin, [substituted(one, own) for one in get_args(base)])
    inherited = {variable: kind for types in found.values() for variable, kind in types.items()}
    return {**found, cls: {**inherited, **own}}


def substituted(annotation: Any, types: Types) -> Any:
    """The annotation with the types in place of its variables; those that have none stay."""
    if isinstance(annotation, TypeVar):
        return types.get(annotation, annotation)
    variables = getattr(annotation, "__parameters__", ()) if get_origin(annotation) is not None else ()
    if not variables:
        return annotation
    return annotation[tuple(types.get(one, one) for one in variables)]


def is_generic_alias(origin: Any) -> bool:
    """Whether it is what a `type` statement with type parameters makes."""
    return hasattr(origin, "__type_params__") and hasattr(origin, "__value__")


def aliased(origin: Any, arguments: Sequence[Any]) -> Any:
    """The type that a generic alias stands for: of `type Pair[T] = tuple[T, T]`, `Pair[int]` is `tuple[int, int]`."""
    return substituted(origin.__value__, dict(zip(origin.__type_params__, arguments, strict=False)))
