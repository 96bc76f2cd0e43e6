"""Whether a value is of the type that an annotation says, as it is: nothing is converted."""

from collections.abc import Collection, Mapping
from types import NoneType
from typing import Annotated, Any, Literal, get_args

from micropie.core.conversion.records import (
    UNIONS,
    aliased,
    class_of,
    is_named_tuple,
    is_record,
    is_typed_dict,
    items_of,
)


def is_instance(value: Any, kind: Any) -> bool:
    """True if a value is of a type, be that a union, an alias or annotated, and what is in a collection of its."""
    if (meant := aliased(kind)) is not None:
        return is_instance(value, meant)
    origin = class_of(kind)
    if origin is Annotated:
        return is_instance(value, kind.__origin__)
    if origin in UNIONS:
        return any(is_instance(value, one) for one in get_args(kind))
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in get_args(kind))
    if kind is NoneType or is_typed_dict(kind):
        return kind is NoneType and value is None
    return isinstance(origin, type) and origin is not Any and isinstance(value, origin) and _has_items_of(kind, value)


def _has_items_of(kind: Any, value: Any) -> bool:
    """True if all that is in a list, a tuple or a dict is of the types that it says. Streams are not looked into."""
    types = items_of(kind) if is_named_tuple(kind) else get_args(kind)
    if not types or is_record(kind) or not isinstance(value, Collection):
        return True
    if isinstance(value, Mapping):
        return all(_is_item(one, types[-1]) for one in value.values())
    if isinstance(value, tuple) and types[1:] != (Ellipsis,):
        return len(value) == len(types) and all(map(_is_item, value, types))
    return all(_is_item(one, types[0]) for one in value)


def _is_item(value: Any, kind: Any) -> bool:
    return kind is Any or is_instance(value, kind) or (kind is float and isinstance(value, int))
