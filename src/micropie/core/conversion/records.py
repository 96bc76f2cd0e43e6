"""Record types: classes that say by annotations which members they have.

Dataclasses and TypedDicts are the standard library's; attrs classes, `msgspec.Struct`s and what pydantic makes are
recognised by what their makers leave on the class, so none of these packages is imported here. Any of them may be
generic: `Page[Note]` is a record as `Page` is.
"""

import inspect
import operator
from collections import deque
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    NotRequired,
    Protocol,
    Required,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from micropie.core.basics.optional import lazy_import

UNIONS = (Union, UnionType)
MANY = (
    *(list, set, frozenset, tuple, deque),
    *(Sequence, MutableSequence, Collection, Iterable, AbstractSet, MutableSet),
)


Value = TypeVar("Value")


class TypeTable(Generic[Value]):
    """A table by types, not all of which could be keys of a dict: `Annotated[int, {}]`."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, Value]] = []

    def get(self, kind: Any) -> Value | None:
        """The value that was added last for the type; None if none was."""
        return next((known for other, known in reversed(self._pairs) if other == kind), None)

    def add(self, kind: Any, known: Value) -> None:
        """Let it be known of the type."""
        self._pairs.append((kind, known))


def class_of(kind: Any) -> Any:
    """The class of a type: `Page` of `Page[Note]`."""
    return get_origin(kind) or kind


def is_dataclass_type(kind: Any) -> bool:
    """True if it is a class that `@dataclass` made."""
    return _has(kind, "__dataclass_fields__")


def is_typed_dict(kind: Any) -> bool:
    """True if it is a TypedDict, of `typing` or of `typing_extensions`."""
    return _has(kind, "__required_keys__") and dict in class_of(kind).__mro__


def is_struct(kind: Any) -> bool:
    """True if it is a `msgspec.Struct`."""
    return _has(kind, "__struct_fields__")


def is_attrs(kind: Any) -> bool:
    """True if it is a class that attrs made."""
    return _has(kind, "__attrs_attrs__")


def is_pydantic(kind: Any) -> bool:
    """True if it is a model or a dataclass of pydantic's."""
    return _has(kind, "__pydantic_validator__")


def _has(kind: Any, mark: str) -> bool:
    cls = class_of(kind)
    return isinstance(cls, type) and hasattr(cls, mark)


def is_named_tuple(kind: Any) -> bool:
    """True if it is a NamedTuple, which JSON has as a list."""
    return _has(kind, "_fields") and issubclass(class_of(kind), tuple)


def is_record(kind: Any) -> bool:
    """True if it is a record of any make."""
    tests = (is_dataclass_type, is_typed_dict, is_struct, is_attrs, is_pydantic)
    return any(test(kind) for test in tests)


def strip_wrappers(annotation: Any) -> Any:
    """The type without `Annotated` around it, and without `| None`."""
    if get_origin(annotation) is Annotated:
        return strip_wrappers(annotation.__origin__)
    if get_origin(annotation) in UNIONS:
        others = [kind for kind in get_args(annotation) if kind is not NoneType]
        return strip_wrappers(others[0]) if len(others) == 1 else annotation
    meant = aliased(annotation)
    return annotation if meant is None else strip_wrappers(meant)


def aliased(annotation: Any) -> Any:
    """The type that a NewType, a `type` alias or a type variable stands for; None for other types."""
    if isinstance(annotation, TypeVar):
        return _of_variable(annotation)
    try:
        meant = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
        if meant is None:
            return None
        carrier = type("Carrier", (), {"__annotations__": {"it": meant}, "__module__": annotation.__module__})
        variables = getattr(get_origin(annotation), "__type_params__", ())
        meant = get_type_hints(carrier, include_extras=True)["it"]
        return _substituted(meant, dict(zip(variables, get_args(annotation), strict=True)))
    except Exception:  # what an alias stands for is only evaluated now, and may be text
        return None


def _of_variable(variable: TypeVar) -> Any:
    """The type of a variable that no argument stands for: its default (PEP 696), or its bound."""
    if getattr(variable, "has_default", bool)():
        return getattr(variable, "__default__", Any)
    return Union[variable.__constraints__] if variable.__constraints__ else variable.__bound__ or Any  # noqa: UP007


def is_record_type(annotation: Any) -> bool:
    """True if the type is made of all fields of a place: a record, or one of several."""
    kind = strip_wrappers(annotation)
    if get_origin(kind) in UNIONS:
        return all(is_record_type(one) for one in get_args(kind) if one is not NoneType)
    return is_record(kind)


def records_in(annotation: Any) -> Iterator[Any]:
    """The records that a value of the type may be."""
    kind = strip_wrappers(annotation)
    if get_origin(kind) in UNIONS:
        for one in get_args(kind):
            yield from records_in(one)
    elif is_record(kind):
        yield kind


def is_collection(annotation: Any) -> bool:
    """True if the type is a collection, whose values a form has as repeated fields."""
    kind = strip_wrappers(annotation)
    return (get_origin(kind) or kind) in MANY


class Member(NamedTuple):
    """One member: its attribute's name, the key that it has in JSON, its type, and whether it must be there.

    Of members that are taken `name` is the keyword by which the record's class takes it.
    """

    name: str
    key: str
    annotation: Any
    required: bool


def members_taken(kind: Any) -> list[Member]:
    """The members that a dataclass, a TypedDict or an attrs class takes from a client.

    Private members with a default are none of its business. Whatever evaluating the annotations raises.
    """
    if is_typed_dict(kind):
        return list(_typed_dict_members(kind))
    members = _attrs_members(kind) if is_attrs(kind) else _dataclass_members(kind)
    return [one for one in members if one.required or not one.key.startswith("_")]


def members_shown(kind: Any) -> list[Member]:
    """The members that a record of any make but pydantic's has in JSON. Whatever evaluating the annotations raises."""
    if is_typed_dict(kind):
        return list(_typed_dict_members(kind))
    cls, hints = class_of(kind), hints_of(kind)
    if is_struct(kind):
        names = list(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    else:
        fields = cls.__attrs_attrs__ if is_attrs(kind) else lazy_import("dataclasses").fields(cls)
        names = [(field.name, field.name) for field in fields]
    return [Member(name, key, hints.get(name, Any), required=True) for name, key in names if not name.startswith("_")]


def _dataclass_members(kind: Any) -> Iterator[Member]:
    """The parameters of its `__init__`: fields, and what is only there for `__post_init__`."""
    hints = hints_of(kind)
    missing = lazy_import("dataclasses").MISSING
    for name, field in class_of(kind).__dataclass_fields__.items():
        if field.init and not (hints[name] is ClassVar or get_origin(hints[name]) is ClassVar):
            required = field.default is missing and field.default_factory is missing
            yield Member(name, name, hints[name], required)


def _attrs_members(kind: Any) -> Iterator[Member]:
    """The parameters of its `__init__`; one with a converter has the type that this takes, where it says that."""
    cls, hints = class_of(kind), hints_of(kind)
    missing = lazy_import("attrs").NOTHING
    for field in cls.__attrs_attrs__:
        if field.init:
            annotation = _given_to(field.converter) or hints.get(field.name, field.type or Any)
            yield Member(field.alias, field.name, annotation, field.default is missing)


def _typed_dict_members(kind: Any) -> Iterator[Member]:
    for name, hint in hints_of(kind).items():
        annotation, required = hint, name in class_of(kind).__required_keys__
        # Python 3.11 does not see these in annotations that are text, and leaves them to us.
        while (wrapper := get_origin(annotation)) in (Required, NotRequired) or _is_read_only(wrapper):
            required = required if _is_read_only(wrapper) else wrapper is Required
            annotation = get_args(annotation)[0]
        yield Member(name, name, annotation, required)


def _is_read_only(wrapper: Any) -> bool:
    """True if it is `ReadOnly` (PEP 705), which says nothing to us."""
    return getattr(wrapper, "_name", None) == "ReadOnly"


def items_of(kind: Any) -> tuple[Any, ...]:
    """The types of a NamedTuple's items. Whatever evaluating its annotations raises."""
    hints = hints_of(kind)
    return tuple(hints.get(name, Any) for name in class_of(kind)._fields)


def hints_of(kind: Any) -> dict[str, Any]:
    """The types of a record's members, inherited ones too; for type variables stands what they mean in `kind`.

    `Self` means `kind`.

    Whatever evaluating the annotations raises.
    """
    cls, variables = class_of(kind), _variables_by_class(kind)
    hints = get_type_hints(cls, include_extras=True)
    # What is only there for `__post_init__` stands for its type.
    hints = {name: hint.type if type(hint).__name__ == "InitVar" else hint for name, hint in hints.items()}
    # A TypedDict has the annotations of its bases among its own, and is not derived from them.
    line = variables if is_typed_dict(kind) else reversed(cls.__mro__)
    owners = {name: owner for owner in line for name in getattr(owner, "__annotations__", ())}
    return {name: _substituted(hint, {**variables.get(owners[name], {}), Self: kind}) for name, hint in hints.items()}


def _variables_by_class(kind: Any) -> dict[Any, dict[Any, Any]]:
    """Of the class, and of each class above it: what its type variables stand for in `kind`."""
    found: dict[Any, dict[Any, Any]] = {}
    line = [kind]
    for one in line:
        cls = class_of(one)
        if isinstance(cls, type):
            found[cls] = dict(zip(getattr(cls, "__parameters__", ()), get_args(one), strict=False))
            bases = vars(cls).get("__orig_bases__", cls.__bases__)
            line += [_substituted(base, found[cls]) for base in bases if class_of(base) not in (Generic, Protocol)]
    return found


def _substituted(hint: Any, meanings: dict[Any, Any]) -> Any:
    """The type with other types in place of its variables, and of `Self`; those that are not known stay."""
    if isinstance(hint, TypeVar) or hint is Self:
        return meanings.get(hint, hint)
    parts = get_args(hint)
    meant = tuple(_substituted(part, meanings) for part in parts)
    if all(map(operator.is_, parts, meant)):
        return hint
    if get_origin(hint) in UNIONS:
        return Union[meant]  # noqa: UP007 - made of what is only known here
    return class_of(hint)[meant if len(meant) > 1 else meant[0]]


def _given_to(converter: Any) -> Any:
    """The type that the converter of an attrs class takes; None where it does not say."""
    function = getattr(converter, "converter", converter)
    try:
        first = next(iter(inspect.signature(function).parameters))
        return None if isinstance(function, type) else get_type_hints(function, include_extras=True).get(first)
    except Exception:  # builtins have no signature, and annotations may name what is not there
        return None
