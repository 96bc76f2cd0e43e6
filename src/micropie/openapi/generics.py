"""Annotations with types in place of their type variables: the `list[T]` in `Page` is `list[int]` in `Page[int]`."""

import inspect
import operator
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar, get_args, get_origin

Types = Mapping[Any, Any]
"""Types by the variables that they stand for."""


def hints_of(cls: type, arguments: Sequence[Any] = ()) -> dict[str, Any]:
    """The annotations of a class, resolved, with its type arguments, and itself for `Self`, in place.

    None at all if one can't be resolved.
    """
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:
        return {}
    known, itself = types_by_class(cls, arguments), cls[tuple(arguments)] if arguments else cls  # type: ignore[index]
    return {name: substituted(hint, {**known[_owner(cls, name)], Self: itself}) for name, hint in hints.items()}


def _owner(cls: type, name: str) -> type:
    """The class in whose body an annotation stands: a type variable means in each what its own arguments say."""
    return next((base for base in cls.__mro__ if name in inspect.get_annotations(base)), cls)


def types_by_class(cls: type, arguments: Sequence[Any]) -> dict[type, dict[Any, Any]]:
    """The types of the type variables, of a class and of each of its bases."""
    variables = getattr(cls, "__parameters__", ())
    # Variables of other kinds, such as `*Ts`, do not stand for one argument each.
    own = dict(zip(variables, arguments, strict=False)) if all(isinstance(one, TypeVar) for one in variables) else {}
    found: dict[type, dict[Any, Any]] = {}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if isinstance(origin, type):
            found |= types_by_class(origin, [substituted(one, own) for one in get_args(base)])
    inherited = {variable: kind for types in found.values() for variable, kind in types.items()}
    return {**found, cls: {**inherited, **own}}


def substituted(annotation: Any, meant: Types) -> Any:
    """The annotation with the types in place of its variables, and of `Self`; those that have none stay."""
    if isinstance(annotation, TypeVar) or annotation is Self:
        return meant.get(annotation, annotation)
    parts = get_args(annotation)
    made = tuple(substituted(part, meant) for part in parts)
    if all(map(operator.is_, parts, made)):
        return annotation
    origin: Any = get_origin(annotation)
    return (typing.Union if origin is types.UnionType else origin)[made if len(made) > 1 else made[0]]


def aliased(annotation: Any) -> Any:
    """The type that a NewType, a `type` statement or a type variable stands for; None for any other annotation."""
    if isinstance(annotation, TypeVar):
        return _meant_by(annotation)
    if (supertype := getattr(annotation, "__supertype__", None)) is not None:
        return supertype
    alias = get_origin(annotation) or annotation
    value = getattr(alias, "__value__", None)
    if value is None or isinstance(alias, type):
        return None
    types = dict(zip(getattr(alias, "__type_params__", ()), get_args(annotation), strict=False))
    carrier = type("Carrier", (), {"__annotations__": {"it": value}, "__module__": alias.__module__})
    return substituted(hints_of(carrier).get("it", value), types)


def _meant_by(variable: TypeVar) -> Any:
    """The default of a type variable (PEP 696), else the type or the types that it is bound to."""
    if getattr(variable, "has_default", bool)():
        return getattr(variable, "__default__", None)
    return typing.Union[variable.__constraints__] if variable.__constraints__ else variable.__bound__  # noqa: UP007
