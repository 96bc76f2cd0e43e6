"""An annotation, compiled once into a `Converter`: collections, unions, constraints and records of single values.

Everything that is wrong with a value is found in one go, up to `MAX_FAULTS`.
"""

import inspect
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, MutableSequence, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from micropie.core.basics.errors import MAX_FAULTS, MISSING, ConversionError, counted
from micropie.core.basics.types import Params
from micropie.core.conversion.constraints import Check, checks_of, package_named
from micropie.core.conversion.converter import (
    MAX_RECORDS,
    MAX_SET,
    OBJECT,
    Converter,
    UncheckedConstraintError,
    UnknownTypeError,
    as_it_is,
    check_size,
    deferred,
    gathered,
    refusing,
    taking,
)
from micropie.core.conversion.models import is_model, model_converter
from micropie.core.conversion.records import (
    Member,
    TypeTable,
    aliased,
    class_of,
    is_attrs,
    is_dataclass_type,
    is_record_type,
    is_struct,
    is_typed_dict,
    members_taken,
    strip_wrappers,
)
from micropie.core.conversion.scalars import choices, one_of, scalar
from micropie.core.conversion.structs import struct_converter

array = taking((list, tuple, set, frozenset), "expected a list")


NOTHING: Mapping[Any, Any] = MappingProxyType({})


# What unions have made of the lists and objects inside the value that is being converted.
_outcomes: ContextVar[dict[tuple[int, int], Any] | None] = ContextVar("outcomes", default=None)


# Of a union the narrower types are tried first: any text is a `str`, any integer a `float`.
_BREADTH: dict[Any, int] = {float: 1, str: 2, bytes: 3, object: 4, Any: 4}


class Compiler:
    """Compiles annotations; `problems` are the parts of records that stay as they come.

    It `reads_decimals` if any of the types that it has met so far does. `instances` are types whose values no text or
    JSON becomes, each with the words that refuse those.
    """

    def __init__(self, instances: Mapping[type, str] = NOTHING) -> None:
        self.problems: list[str] = []
        self.reads_decimals = False
        self._instances = instances
        self._known: TypeTable[Converter] = TypeTable()  # what is inside of a record or an alias may be it again
        self._by_origin: dict[Any, Callable[[Any], Converter]] = {
            Annotated: self._annotated,
            Union: self._union,
            UnionType: self._union,
            Literal: _literal,
            **dict.fromkeys(
                (list, Sequence, MutableSequence, Iterable, Collection), lambda kind: self._collection(kind, list)
            ),
            **dict.fromkeys((set, AbstractSet, MutableSet), lambda kind: self._collection(kind, set)),
            deque: lambda kind: self._collection(kind, deque),
            frozenset: lambda kind: self._collection(kind, frozenset),
            tuple: self._tuple,
            dict: self._mapping,
            Mapping: self._mapping,
        }

    def converter(self, annotation: Any) -> Converter:
        """The converter of a type. `UnknownTypeError` if there is none."""
        try:
            found = scalar(annotation)
            if found is None:
                make = self._by_origin.get(class_of(annotation), self._other)
                found = make(annotation)
        except (UnknownTypeError, UncheckedConstraintError):
            raise
        except Exception as error:  # whatever a foreign annotation is, or does
            raise UnknownTypeError(f"{annotation!r}: {error}") from error
        self.reads_decimals |= found.reads_decimals
        return found

    def _other(self, annotation: Any) -> Converter:
        if (known := self._known.get(annotation)) is not None:
            return known
        if isinstance(annotation, type) and annotation in self._instances:
            handed_over = taking(annotation, self._instances[annotation])
            return Converter(handed_over, handed_over, takes_files=True)
        if is_model(annotation):
            return model_converter(annotation)
        if is_struct(annotation):
            return struct_converter(annotation, self.converter)
        if is_dataclass_type(annotation) or is_typed_dict(annotation) or is_attrs(annotation):
            return self._record(annotation)
        if (meant := aliased(annotation)) is not None:
            return self._alias(annotation, meant)
        raise UnknownTypeError(f"no value of a request can become {annotation!r}")

    def _alias(self, annotation: Any, meant: Any) -> Converter:
        """The converter of what an alias stands for, in which it may stand again: `type Json = str | list[Json]`."""
        self._known.add(annotation, deferred(lambda: found))
        found = self.converter(meant)
        return found

    def _annotated(self, annotation: Any) -> Converter:
        """A type with constraints: ours to check, or those of a package that checks them itself."""
        kind, metadata = annotation.__origin__, annotation.__metadata__
        package = package_named(metadata)
        if package == "pydantic":
            return model_converter(annotation)
        if package == "msgspec":
            return struct_converter(annotation, self.converter)
        checks, unknown = checks_of(metadata)
        self.problems += [f"the constraint {item!r} is not checked" for item in unknown]
        base = self.converter(kind)
        return _checked(base, checks) if checks else base

    def _union(self, annotation: Any) -> Converter:
        kinds = sorted((kind for kind in get_args(annotation) if kind is not NoneType), key=_breadth)
        members = [self.converter(kind) for kind in kinds]
        one = members[0] if len(members) == 1 else _first_of(members, _tag_of(kinds))
        if NoneType not in get_args(annotation):
            return one
        return one._replace(value=lambda value: None if value is None else one.value(value))

    def _collection(self, annotation: Any, build: Callable[[list[Any]], Any]) -> Converter:
        kind = (*get_args(annotation), Any)[0]
        item = self.converter(kind)
        limit = MAX_SET if build in (set, frozenset) else MAX_RECORDS if is_record_type(kind) else None

        def made(convert: Callable[[Any], Any], values: Any) -> Any:
            check_size(values, limit)
            return _built(build, gathered(convert, values))

        return Converter(
            lambda text: made(item.text, [text]),
            lambda value: made(item.value, array(value)),
            lambda texts: made(item.text, texts),
            takes_files=item.takes_files,
        )

    def _tuple(self, annotation: Any) -> Converter:
        kinds = get_args(annotation)
        if not kinds or kinds[-1] is Ellipsis:
            return self._collection(annotation, tuple)
        items = [self.converter(kind) for kind in kinds]

        def made(converts: list[Callable[[Any], Any]], values: Any) -> Any:
            if len(values) != len(converts):
                raise ConversionError(("", f"expected {counted(len(converts), 'item')}"))
            pairs = list(zip(converts, values, strict=True))
            return tuple(gathered(lambda pair: pair[0](pair[1]), pairs))

        return Converter(
            lambda text: made([item.text for item in items], [text]),
            lambda value: made([item.value for item in items], array(value)),
            lambda texts: made([item.text for item in items], texts),
            takes_files=any(item.takes_files for item in items),
        )

    def _mapping(self, annotation: Any) -> Converter:
        key, item = get_args(annotation) or (str, Any)
        keys = self.converter(key)
        limit = None if key in (str, Any) else MAX_SET

        def made(convert: Callable[[Any], Any], members: Any) -> Any:
            if not isinstance(members, Mapping):
                raise ConversionError(("", OBJECT))
            check_size(members, limit)
            # Whatever is wrong with a member is said without its name, which is the client's.
            return dict(gathered(lambda pair: (keys.text(pair[0]), convert(pair[1])), members.items(), where=".*"))

        item_converter = self.converter(item)

        def fields_of(form: Mapping[str, Any]) -> Mapping[str, Any]:
            return {name: one for name, one in form.items() if item_converter.takes_files or isinstance(one[0], str)}

        return Converter(
            refusing(OBJECT),
            lambda value: made(item_converter.value, value),
            None,
            lambda form: made(item_converter.from_field, fields_of(form)),
        )

    def _record(self, kind: Any) -> Converter:
        members = members_taken(kind)
        if not is_typed_dict(kind):
            _check_constructor(class_of(kind), members)
        record = Record(kind)
        # Known before its members are: one of them may be another such record.
        found = Converter(refusing(OBJECT), record.from_value, None, record.from_form)
        self._known.add(kind, found)
        for member in members:
            try:
                converter = self.converter(member.annotation)
            except UnknownTypeError as error:
                of = f"member {member.key!r} of {class_of(kind).__name__}"
                self.problems.append(f"{of} stays as it comes, since {error}")
                converter = Converter(as_it_is, as_it_is)
            record.members.append((member, converter))
        return found


def _check_constructor(cls: Any, members: list[Member]) -> None:
    """Raise `UnknownTypeError` for a class with an `__init__` of its own that does not take its members."""
    try:
        inspect.signature(cls).bind(**dict.fromkeys((member.name for member in members), None))
    except TypeError as error:
        raise UnknownTypeError(f"{cls.__name__} does not take its members: {error}") from None


class Record:
    """Makes dataclasses, attrs classes and TypedDicts of JSON objects and forms.

    Members that it does not know are left out.
    """

    def __init__(self, kind: Any) -> None:
        self._class = class_of(kind)
        self._is_object = not is_typed_dict(kind)
        # What a `__post_init__` says of values that don't go together; the validators of attrs raise both.
        self._refusals = (ValueError, TypeError) if is_attrs(kind) else (ValueError,)
        self.members: list[tuple[Member, Converter]] = []

    def from_value(self, value: Any) -> Any:
        """The record of a JSON object."""
        if self._is_object and isinstance(value, self._class):
            return value
        if not isinstance(value, Mapping):
            raise ConversionError(("", OBJECT))
        return self._made(value, lambda converter, member: converter.value(member))

    def from_form(self, form: Params) -> Any:
        """The record of a form's fields."""
        return self._made(form, Converter.from_field)

    def _made(self, given: Mapping[str, Any], convert: Callable[[Converter, Any], Any]) -> Any:
        arguments, faults = {}, []
        for member, converter in self.members:
            if member.key in given:
                try:
                    arguments[member.name] = convert(converter, given[member.key])
                except ConversionError as misfit:
                    faults += misfit.below(f".{member.key}")
            elif member.required:
                faults.append((f".{member.key}", MISSING))
        if faults:
            raise ConversionError(*faults[:MAX_FAULTS])
        try:
            return self._class(**arguments)
        except self._refusals:
            raise ConversionError(("", f"expected a valid {self._class.__name__}")) from None


def _built(build: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    try:
        return items if build is list else build(items)
    except TypeError:  # lists and objects in a set
        raise ConversionError(("", "expected a list of simple values")) from None


def _literal(annotation: Any) -> Converter:
    return choices(_options(annotation))


def _options(literal: Any) -> list[tuple[Any, Any]]:
    """What a client may send for a `Literal`, and what the handler gets."""
    return [(value.value if isinstance(value, Enum) else value, value) for value in get_args(literal)]


def _breadth(kind: Any) -> int:
    return _BREADTH.get(kind.__origin__ if get_origin(kind) is Annotated else kind, 0)


def _checked(base: Converter, checks: list[Check]) -> Converter:
    """The converter with constraints on what comes out of it."""

    def then_check(convert: Callable[[Any], Any] | None) -> Any:
        if convert is None:
            return None

        def converted(given: Any) -> Any:
            value = convert(given)
            for check in checks:
                check(value)
            return value

        return converted

    text, value, texts, form = map(then_check, (base.text, base.value, base.texts, base.form))
    return base._replace(text=text, value=value, texts=texts, form=form)


class Tag(NamedTuple):
    """The member by which the records of a union are told apart, `kind: Literal["card"]`, and what it may be."""

    key: str
    message: str


def _tag_of(kinds: list[Any]) -> Tag | None:
    """The first member that is a `Literal` in all kinds; None if there is none, or one of them is no record of ours."""
    first, *others = [_literals_of(kind) for kind in kinds]
    for key, values in first.items():
        if all(key in literals for literals in others):
            return Tag(f".{key}", one_of([*values, *[value for literals in others for value in literals[key]]]))
    return None


def _literals_of(kind: Any) -> dict[str, list[Any]]:
    """The members of a record that are a `Literal`, and what a client may send for them."""
    kind = strip_wrappers(kind)
    if not (is_dataclass_type(kind) or is_typed_dict(kind) or is_attrs(kind)):
        return {}
    kinds = {member.key: strip_wrappers(member.annotation) for member in members_taken(kind)}
    return {key: [given for given, _ in _options(one)] for key, one in kinds.items() if get_origin(one) is Literal}


def _first_of(members: list[Converter], tag: Tag | None) -> Converter:
    """The converter of a union: the first member that fits. If none does, what is told is what the tagged one lacks."""

    def tried(converts: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def first(given: Any) -> Any:
            misfits = []
            for convert in converts:
                try:
                    return convert(given)
                except ConversionError as misfit:
                    misfits.append(misfit)
            raise _of_tagged(tag, misfits) or _of_all(misfits)

        return first

    many = any(member.texts is not None for member in members)
    forms = [member.form for member in members if member.form is not None]
    takes_files = any(member.takes_files for member in members)
    return Converter(
        tried([member.from_text_or_file if takes_files else member.text for member in members]),
        _once(tried([member.value for member in members])),
        tried([member.from_field for member in members]) if many else None,
        tried(forms) if len(forms) == len(members) else None,
        takes_files,
    )


def _once(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A union's conversion, made once of each list and object inside a value.

    Both members of a union ask the union inside them: of n such, the innermost would be asked 2**n times.
    """

    def converted(given: Any) -> Any:
        if not isinstance(given, dict | list):
            return convert(given)
        outcomes = _outcomes.get()
        if outcomes is None:
            return _outermost(convert, given)
        key = id(convert), id(given)
        if key not in outcomes:
            try:
                outcomes[key] = convert(given)
            except ConversionError as misfit:
                outcomes[key] = misfit
        if isinstance(outcomes[key], ConversionError):
            raise ConversionError(*outcomes[key].faults)
        return outcomes[key]

    return converted


def _outermost(convert: Callable[[Any], Any], given: Any) -> Any:
    """The conversion of the value, during which its parts stay where they are: their addresses name them."""
    token = _outcomes.set({})
    try:
        return convert(given)
    finally:
        _outcomes.reset(token)


def _of_tagged(tag: Tag | None, misfits: list[ConversionError]) -> ConversionError | None:
    """The error of the one record whose tag has come, or of the tag if it is nobody's; None if that is not told."""
    if tag is None:
        return None
    messages = [dict(misfit.faults).get(tag.key) for misfit in misfits]
    if messages.count(None) == 1:
        return misfits[messages.index(None)]
    if None in messages:
        return None
    return ConversionError((tag.key, MISSING if MISSING in messages else tag.message))


def _of_all(misfits: list[ConversionError]) -> ConversionError:
    """The error for a value that no member of a union takes: inside of it, if one member came so far."""
    inside = [misfit for misfit in misfits if misfit.faults[0][0]]
    if len(inside) == 1:
        return inside[0]
    messages = dict.fromkeys(_outside(*misfit.faults[0]).removeprefix("expected ") for misfit in misfits)
    return ConversionError(("", f"expected {' or '.join(messages)}"))


def _outside(where: str, message: str) -> str:
    """The message for a value as a whole, if something inside of it is wrong."""
    if not where:
        return message
    return "expected a valid list" if where.startswith("[") else "expected a valid object"
