"""Record types: classes that say by annotations which members they have.

Dataclasses and TypedDicts are the standard library's; attrs classes, `msgspec.Struct`s and what pydantic makes are
recognised by what their makers leave on the class, so none of these packages is imported here.
"""

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

UNIONS = (Union, UnionType)


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


def bare(annotation: Any) -> Any:
    """The type without `Annotated` around it, and without `| None`."""
    if get_origin(annotation) is Annotated:
        return bare(annotation.__origin__)
    if get_origin(annotation) in UNIONS:
        others = [kind for kind in get_args(annotation) if kind is not NoneType]
        return bare(others[0]) if len(others) == 1 else annotation
    return annotation
