"""Record types: classes that say by annotations which members they have.

Dataclasses and TypedDicts are the standard library's; attrs classes, `msgspec.Struct`s and what pydantic makes are
recognised by what their makers leave on the class, so none of these packages is imported here.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from micropie.core.basics.optional import lazy_import

UNIONS = (Union, UnionType)
MANY = (list, set, frozenset, tuple)


def is_dataclass_type(kind: Any) -> bool:
    """Whether it is a class that `@dataclass` made."""
    return isinstance(kind, type) and hasattr(kind, "__dataclass_fields__")


def is_typed_dict(kind: Any) -> bool:
    """Whether it is a TypedDict, of `typing` or of `typing_extensions`."""
    return isinstance(kind, type) and dict in kind.__mro__ and hasattr(kind, "__required_keys__")


def is_struct(kind: Any) -> bool:
    """Whether it is a `msgspec.Struct`."""
    return isinstance(kind, type) and hasattr(kind, "__struct_fields__")


def is_attrs(kind: Any) -> bool:
    """Whether it is a class that attrs made."""
    return isinstance(kind, type) and hasattr(kind, "__attrs_attrs__")


def is_pydantic(kind: Any) -> bool:
    """Whether it is a model or a dataclass of pydantic's."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_validator__")


def is_record(kind: Any) -> bool:
    """Whether it is a record of any make."""
    tests = (is_dataclass_type, is_typed_dict, is_struct, is_attrs, is_pydantic)
    return any(test(kind) for test in tests)


def strip_wrappers(annotation: Any) -> Any:
    """The type without `Annotated` around it, and without `| None`."""
    if get_origin(annotation) is Annotated:
        return strip_wrappers(annotation.__origin__)
    if get_origin(annotation) in UNIONS:
        others = [kind for kind in get_args(annotation) if kind is not NoneType]
        return strip_wrappers(others[0]) if len(others) == 1 else annotation
    return annotation


def aliased(annotation: Any) -> Any:
    """The type that a NewType, or what the `type` statement makes, stands for; None for others."""
    return getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)


def is_record_type(annotation: Any) -> bool:
    """Whether the type is made of all fields of a place: a record, or one of several."""
    kind = strip_wrappers(annotation)
    if get_origin(kind) in UNIONS:
        return all(is_record_type(one) for one in get_args(kind) if one is not NoneType)
    return is_record(kind)


def is_collection(annotation: Any) -> bool:
    """Whether the type is a collection, whose values a form has as repeated fields."""
    kind = strip_wrappers(annotation)
    return (get_origin(kind) or kind) in MANY


class Member(NamedTuple):
    """One member: the attribute's name, the key it has in JSON, its type, and whether it may be left out."""

    name: str
    key: str
    annotation: Any
    required: bool


def members_taken(kind: type) -> list[Member]:
    """What a dataclass or TypedDict takes from a client. Private members with a default are none of its business.

    Whatever evaluating the annotations raises.
    """
    if is_typed_dict(kind):
        return list(_typed_dict_members(kind))
    return [one for one in _dataclass_members(kind) if one.required or not one.name.startswith("_")]


def members_shown(kind: Any) -> list[Member]:
    """The members that a record of any make but pydantic's has in JSON. Whatever evaluating the annotations raises."""
    if is_typed_dict(kind):
        return list(_typed_dict_members(kind))
    hints = get_type_hints(kind, include_extras=True)
    if is_struct(kind):
        names = list(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    else:
        fields = kind.__attrs_attrs__ if is_attrs(kind) else lazy_import("dataclasses").fields(kind)
        names = [(field.name, field.name) for field in fields]
    return [Member(name, key, hints.get(name, Any), required=True) for name, key in names if not name.startswith("_")]


def _dataclass_members(kind: Any) -> Iterator[Member]:
    """The parameters of its `__init__`: fields, and what is only there for `__post_init__`."""
    dataclasses = lazy_import("dataclasses")
    hints = get_type_hints(kind, include_extras=True)
    for name, field in kind.__dataclass_fields__.items():
        hint = hints[name]
        if not field.init or hint is ClassVar or get_origin(hint) is ClassVar:
            continue
        annotation = hint.type if isinstance(hint, dataclasses.InitVar) else hint
        missing = dataclasses.MISSING
        required = field.default is missing and field.default_factory is missing
        yield Member(name, name, annotation, required)


def _typed_dict_members(kind: Any) -> Iterator[Member]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        annotation, required = hint, name in kind.__required_keys__
        # Python 3.11 does not see these in annotations that are text, and leaves them to us.
        while (wrapper := get_origin(annotation)) in (Required, NotRequired) or _is_read_only(wrapper):
            required = required if _is_read_only(wrapper) else wrapper is Required
            annotation = get_args(annotation)[0]
        yield Member(name, name, annotation, required)


def _is_read_only(wrapper: Any) -> bool:
    """Whether it is `ReadOnly` (PEP 705), which says nothing to us."""
    return getattr(wrapper, "_name", None) == "ReadOnly"
