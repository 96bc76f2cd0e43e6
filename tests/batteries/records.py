"""Classes of records that Hypothesis makes, of all the libraries, one inside the other, with values for them.

A value is drawn in three forms: what a client sends, what a reply shows of it, and the row that a database may have for
it, which holds more than is declared. What nobody may set a client sends as `SET`; what is not shown is `LEFT_OUT`.
"""

import dataclasses
import datetime as dt
import types
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, Generic, Literal, NamedTuple, NotRequired, TypeVar, Union
from uuid import UUID

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
from hypothesis import strategies as st
from typing_extensions import TypedDict

KEPT, SET, LEFT_OUT = "kept", "s3t", "left 0ut"

T = TypeVar("T")
numbers = count()


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Value(NamedTuple):
    """One value in its three forms."""

    sent: Any
    shown: Any
    row: Any


class Kind(NamedTuple):
    """A type and its values."""

    annotation: Any
    values: st.SearchStrategy[Value]


class Member(NamedTuple):
    """A member of a class: how it is declared is the beginning of its name, too."""

    how: str
    name: str
    key: str
    kind: Kind


PRIVATE, OPTIONAL, REQUIRED, AUTOMATIC, EXCLUDED, COMPUTED = (
    "_private",
    "optional",
    "required",
    "auto",
    "excluded",
    "computed",
)
NOT_TAKEN, NOT_SHOWN = (PRIVATE, AUTOMATIC, COMPUTED), (PRIVATE, EXCLUDED)


def kind_of(annotation: Any, values: st.SearchStrategy[Any]) -> Kind:
    """A type whose values look the same in all forms."""
    return Kind(annotation, values.map(lambda value: Value(value, value, value)))


WORDS = st.text("abcé ", min_size=1, max_size=5)
MOMENTS = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1))  # noqa: DTZ001 - in UTC, see below
SCALARS = [
    kind_of(int, st.integers(-(2**53), 2**53)),
    kind_of(str, WORDS),
    kind_of(bool, st.booleans()),
    kind_of(float, st.integers(-1000, 1000).map(lambda number: number + 0.5)),
    kind_of(Decimal, st.decimals(-1000, 1000, places=2).map(str)),
    kind_of(UUID, st.uuids().map(str)),
    kind_of(dt.date, st.dates().map(str)),
    kind_of(dt.datetime, MOMENTS.map(lambda moment: f"{moment.isoformat()}Z")),
    kind_of(Color, st.sampled_from(["red", "blue"])),
    kind_of(Literal["a", 1], st.sampled_from(["a", 1])),
]

DATACLASS, TYPED_DICT, ATTRS, STRUCT, MODEL, MODEL_DATACLASS = LIBRARIES = (
    "dataclass", "TypedDict", "attrs class", "Struct", "model", "dataclass of pydantic's"
)  # fmt: skip
OF_PYDANTIC = (MODEL, MODEL_DATACLASS)
IN_PYDANTIC = (DATACLASS, TYPED_DICT, *OF_PYDANTIC)

WAYS = {
    DATACLASS: (REQUIRED, OPTIONAL, PRIVATE, AUTOMATIC),
    TYPED_DICT: (REQUIRED, OPTIONAL),
    ATTRS: (REQUIRED, OPTIONAL, PRIVATE, AUTOMATIC),
    STRUCT: (REQUIRED, OPTIONAL, PRIVATE),
    MODEL: (REQUIRED, OPTIONAL, PRIVATE, EXCLUDED, COMPUTED),
    MODEL_DATACLASS: (REQUIRED, OPTIONAL, PRIVATE, AUTOMATIC, EXCLUDED, COMPUTED),
}
"""How a member of each library's records may be declared."""


# -- types --------------------------------------------------------------------------------------------


@st.composite
def bodies(draw: st.DrawFn) -> Kind:
    """What a handler may take and return: a record, a generic one, one of several, or a collection of such."""
    shape = draw(st.sampled_from(["record", "union", "list", "dict"]))
    kind: Kind = draw(records(LIBRARIES, 2))
    if shape == "union":
        other: Kind = draw(records(LIBRARIES, 1))
        return Kind(Union[kind.annotation, other.annotation], kind.values | other.values)  # noqa: UP007
    return kind if shape == "record" else draw(collections_of(kind, shape))


@st.composite
def kinds(draw: st.DrawFn, libraries: tuple[str, ...], depth: int) -> Kind:
    """A member's type."""
    shapes = ["scalar", "scalar", "list", "dict", "keyed", "none", *["record"] * 3 * bool(depth)]
    shape = draw(st.sampled_from(shapes))
    if shape == "scalar":
        scalar: Kind = draw(st.sampled_from(SCALARS))
        return scalar
    inner: Kind = draw(records(libraries, depth - 1) if shape == "record" else kinds(libraries, depth))
    return inner if shape == "record" else draw(collections_of(inner, shape))


def collections_of(inner: Kind, shape: str) -> st.SearchStrategy[Kind]:
    """A list of the type, a dict of it, one with numbers as keys, or the type or none."""
    if shape == "none":
        return st.just(Kind(inner.annotation | None, inner.values | kind_of(None, st.none()).values))
    if shape == "list":
        many = st.lists(inner.values, max_size=2)
        return st.just(Kind(generic(list, inner.annotation), many.map(lambda values: joined(list, enumerate(values)))))
    keys = WORDS if shape == "dict" else st.integers(-5, 5).map(str)
    pairs = st.dictionaries(keys, inner.values, max_size=2)
    annotation = generic(dict, str if shape == "dict" else int, inner.annotation)
    return st.just(Kind(annotation, pairs.map(lambda values: joined(dict, values.items()))))


def generic(kind: Any, *arguments: Any) -> Any:
    """The type with its arguments."""
    return kind[arguments if len(arguments) > 1 else arguments[0]]


def joined(kind: type, pairs: Iterable[tuple[Any, Value]]) -> Value:
    """The values as one, a list or a dict of them."""
    found = list(pairs)
    forms = ([(key, getattr(value, form)) for key, value in found] for form in Value._fields)
    return Value(*(dict(form) if kind is dict else [one for _, one in form] for form in forms))


# -- records ------------------------------------------------------------------------------------------


@st.composite
def records(draw: st.DrawFn, libraries: tuple[str, ...], depth: int) -> Kind:
    """A class of a record, maybe a generic one, with an argument. Its first member none of the others has."""
    library = draw(st.sampled_from(libraries))
    inside = tuple(one for one in libraries if library not in OF_PYDANTIC or one in IN_PYDANTIC)
    ways = [REQUIRED, *draw(st.lists(st.sampled_from(WAYS[library]), max_size=4))]
    members = [member(library, way, draw(kinds(inside, depth)), is_aliased=draw(st.booleans())) for way in ways]
    types_of = {one.name: one.kind.annotation for one in members}
    argument = None
    # A generic dataclass of pydantic's does not know its argument when it is shown without an annotation.
    if (library != MODEL_DATACLASS or members[0].kind in SCALARS) and draw(st.booleans()):
        argument, types_of[members[0].name] = types_of[members[0].name], T
    cls = made(library, members, types_of, is_generic=argument is not None)
    annotation = cls if argument is None else generic(cls, argument)
    values = [values_of(library, one) for one in members]
    return Kind(annotation, st.tuples(*values).map(whole))


def member(library: str, how: str, kind: Kind, *, is_aliased: bool) -> Member:
    """A member with a name that no other has; some libraries give it another one in JSON."""
    name = f"{how}{next(numbers)}"
    if how in (PRIVATE, AUTOMATIC, EXCLUDED, COMPUTED):
        return Member(how, name, name, kind_of(str, st.just(KEPT)))
    key = f"{name}Key" if is_aliased and library in (STRUCT, *OF_PYDANTIC) else name
    if how == OPTIONAL and library != TYPED_DICT:
        kind = Kind(kind.annotation | None, kind.values)
    return Member(how, name, key, kind)


def values_of(library: str, one: Member) -> st.SearchStrategy[Value]:
    """What the member adds to a record: objects, which may be empty."""
    if one.how == PRIVATE:  # attrs would take it without the underscore
        return st.just(Value({one.name: SET, one.name.strip("_"): SET}, {}, {one.name: LEFT_OUT}))
    if one.how == AUTOMATIC:
        return st.just(Value({one.key: SET}, {one.key: KEPT}, {one.name: KEPT}))
    if one.how == COMPUTED:
        return st.just(Value({one.key: SET}, {one.key: KEPT}, {}))
    if one.how == EXCLUDED:
        return st.just(Value({one.key: LEFT_OUT}, {}, {one.name: LEFT_OUT}))
    there = one.kind.values.map(
        lambda value: Value({one.key: value.sent}, {one.key: value.shown}, {one.name: value.row})
    )
    if one.how == REQUIRED:
        return there
    return there | st.just(Value({}, {}, {}) if library == TYPED_DICT else Value({}, {one.key: None}, {one.name: None}))


def whole(values: tuple[Value, ...]) -> Value:
    """A record of what its members add, and of something that it does not know."""
    surplus = Value({"surplus": LEFT_OUT}, {}, {"surplus": LEFT_OUT})
    forms = ({key: part for value in (*values, surplus) for key, part in value[form].items()} for form in range(3))
    return Value(*forms)


# -- the libraries ------------------------------------------------------------------------------------


def made(library: str, members: list[Member], types_of: dict[str, Any], *, is_generic: bool) -> Any:
    """The class."""
    bases = [*BASES.get(library, ()), *([generic(Generic, T)] if is_generic else ())]
    declared = {one.name: types_of[one.name] for one in members if one.how != COMPUTED}
    if library == TYPED_DICT:
        may_be_left_out = [one.name for one in members if one.how == OPTIONAL]
        declared.update((name, generic(NotRequired, declared[name])) for name in may_be_left_out)
    defaults = {one.name: default for one in members if (default := DEFAULTS[library](one)) is not None}
    body = {"__annotations__": declared, "__module__": __name__, **defaults}
    options = {"kw_only": True} if library == STRUCT else {}
    cls = types.new_class(
        f"Record{next(numbers)}",
        tuple(bases),
        options,
        lambda space: space.update(body),
    )
    return DECORATORS.get(library, lambda kind: kind)(cls)


def computed() -> Any:
    """A property that a model shows."""

    def get(_self: Any) -> str:
        return KEPT

    return pydantic.computed_field(property(get))


def in_dataclass(one: Member) -> Any:
    if one.how == REQUIRED:
        return None
    return dataclasses.field(init=one.how != AUTOMATIC, default=None if one.how == OPTIONAL else KEPT)


def in_attrs(one: Member) -> Any:
    if one.how == REQUIRED:
        return None
    return attrs.field(init=one.how != AUTOMATIC, default=None if one.how == OPTIONAL else KEPT)


def in_struct(one: Member) -> Any:
    default = {REQUIRED: msgspec.NODEFAULT, OPTIONAL: None, PRIVATE: KEPT}[one.how]
    return msgspec.field(name=one.key, default=default)


def in_model(one: Member) -> Any:
    if one.how == PRIVATE:
        return pydantic.PrivateAttr(KEPT)
    return in_model_dataclass(one)


def in_model_dataclass(one: Member) -> Any:
    if one.how == COMPUTED:
        return computed()
    if one.how == PRIVATE:
        return KEPT
    if one.how == AUTOMATIC:
        return pydantic.Field(default=KEPT, init=False)
    if one.how == EXCLUDED:
        return pydantic.Field(default=KEPT, exclude=True)
    alias = None if one.key == one.name else one.key
    return pydantic.Field(alias=alias) if one.how == REQUIRED else pydantic.Field(default=None, alias=alias)


DEFAULTS: dict[str, Callable[[Member], Any]] = {
    DATACLASS: in_dataclass,
    TYPED_DICT: lambda _: None,
    ATTRS: in_attrs,
    STRUCT: in_struct,
    MODEL: in_model,
    MODEL_DATACLASS: in_model_dataclass,
}

BASES: dict[str, list[Any]] = {TYPED_DICT: [TypedDict], STRUCT: [msgspec.Struct], MODEL: [pydantic.BaseModel]}

DECORATORS: dict[str, Callable[[Any], Any]] = {
    DATACLASS: dataclasses.dataclass(kw_only=True),
    ATTRS: attrs.define(kw_only=True),
    MODEL_DATACLASS: pydantic.dataclasses.dataclass(kw_only=True),
}
