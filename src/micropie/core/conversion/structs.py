"""msgspec's Structs and constraints: msgspec validates them, JSON by its strict rules and text by its lax ones.

What msgspec would take from anybody is seen to before: private members stay inside, sets and dicts with other keys than
text are bounded, and what others have made (dataclasses, attrs classes, models) is made by the rules for it.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, get_args, get_origin

from micropie.core.basics.errors import MAX_FAULTS, MISSING, ConversionError
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.conversion.constraints import as_msgspec_has_it
from micropie.core.conversion.converter import (
    MAX_SET,
    VALID,
    Converter,
    UncheckedConstraintError,
    UnknownTypeError,
    check_size,
    form_taken_by,
    gathered,
)
from micropie.core.conversion.records import (
    aliased,
    class_of,
    hints_of,
    is_collection,
    is_named_tuple,
    is_struct,
    is_typed_dict,
    records_in,
)

Compile = Callable[[Any], Converter]
Prepare = Callable[[Any], Any]

_AT = " - at `"  # what msgspec writes before the path, in front of which is the value
_UNKNOWN_FIELD = "Object contains unknown field"
_ABSENT_FIELD = r"Object missing required field `([^`]*)`"
_EXPECTED = r"Expected (.*?)(?:, got .*)?"

_SALTED_KEYS = ("StrType", "AnyType", "EnumType", "LiteralType")
_ARRAYS = ("ListType", "VarTupleType", "CollectionType", "SetType", "FrozenSetType", "TupleType", "NamedTupleType")


def struct_converter(annotation: Any, compile_other: Compile) -> Converter:
    """The converter of a type that msgspec validates; `compile_other` makes that of another type inside of it.

    ImportError if msgspec is not installed; what msgspec raises for a type that it does not know.
    """
    refuse_unchecked(annotation)
    msgspec = lazy_import("msgspec")
    described = lazy_import("msgspec.inspect").type_info(annotation)
    prepare = Preparation(compile_other).of(described)

    def validated(given: Any, *, strict: bool) -> Any:
        value = given if prepare is None else prepare(given)
        try:
            return msgspec.convert(value, annotation, strict=strict, str_keys=True)
        except msgspec.ValidationError as error:
            raise ConversionError(_fault_of(error)) from None

    def of_text(given: Any) -> Any:
        return validated(given, strict=False)

    return Converter(
        of_text,
        lambda given: validated(given, strict=True),
        of_text if is_collection(annotation) else None,
        form_taken_by(of_text, frozenset(_lists_of_structs(annotation))),
        takes_files=True,
        reads_decimals=any(_sort_of(part) == "DecimalType" for part in _all_parts(described)),
    )


def refuse_unchecked(annotation: Any) -> None:
    """Raise `UncheckedConstraintError` for constraints of other packages, which msgspec would pass over."""
    line: list[tuple[str, Any]] = [("", annotation)]
    for place, kind in line:  # which grows meanwhile
        for item, instead in as_msgspec_has_it(getattr(kind, "__metadata__", ())):
            raise UncheckedConstraintError(f"{place or annotation}: msgspec does not check {item!r}: {instead}")
        inside = [(place, one) for one in (*get_args(kind), aliased(kind), getattr(kind, "__origin__", None))]
        if is_struct(kind) or is_typed_dict(kind) or is_named_tuple(kind):
            hints = [(name, hint) for name, hint in hints_of(kind).items() if get_origin(hint) is not ClassVar]
            inside += [(f"{class_of(kind).__name__}.{name}", hint) for name, hint in hints]
        line += [one for one in inside if one not in line]


def _lists_of_structs(annotation: Any) -> Iterator[str]:
    """The members of Structs that are collections, by the names that they have in a form."""
    for kind in filter(is_struct, records_in(annotation)):
        cls, hints = class_of(kind), hints_of(kind)
        for name, key in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True):
            if is_collection(hints[name]):
                yield key


class Preparation:
    """Compiles, from msgspec's description of a type, what is done to a value before msgspec sees it."""

    def __init__(self, compile_other: Compile) -> None:
        self._compile_other = compile_other
        self._made: dict[int, Prepare] = {}  # a Struct may be inside of itself
        self._makers: dict[str, Callable[[Any], Prepare | None]] = {
            "StructType": self._struct,
            "DictType": self._dict,
            "TypedDictType": lambda part: _each(
                Mapping, {field.encode_name: self.of(field.type) for field in part.fields}
            ),
            "UnionType": self._union,
            "DataclassType": self._other,
            "CustomType": self._other,
            "TupleType": lambda part: _each(list, dict(enumerate(map(self.of, part.item_types)))),
            "NamedTupleType": lambda part: _each(
                list, {position: self.of(field.type) for position, field in enumerate(part.fields)}
            ),
            "Metadata": lambda part: self.of(part.type),
            **dict.fromkeys(("SetType", "FrozenSetType"), self._set),
            **dict.fromkeys(("ListType", "VarTupleType", "CollectionType"), self._list),
        }

    def of(self, part: Any) -> Prepare | None:
        """The preparation of a value of a type; None where there is nothing to do."""
        if not any(map(self._is_special, _all_parts(part))):
            return None
        if id(part) not in self._made:
            self._made[id(part)] = lambda value: value if made is None else made(value)
            made = self._makers[_sort_of(part)](part)
        return self._made[id(part)]

    def _is_special(self, part: Any) -> bool:
        if _sort_of(part) == "StructType":
            return any(map(_stays_inside, part.fields))
        if _sort_of(part) == "DictType":
            return _sort_of(part.key_type) not in _SALTED_KEYS
        return _sort_of(part) in ("SetType", "FrozenSetType", "DataclassType", "CustomType")

    def _struct(self, part: Any) -> Prepare:
        if part.array_like:
            return self._array(part)
        private = {field.encode_name for field in part.fields if _stays_inside(field)}
        prepare = _each(
            Mapping, {field.encode_name: self.of(field.type) for field in part.fields if not _stays_inside(field)}
        )

        def prepared(value: Any) -> Any:
            if not isinstance(value, Mapping) or private.isdisjoint(value):
                return prepare(value)
            if part.forbid_unknown_fields:
                raise ConversionError(("", VALID))
            return prepare({key: member for key, member in value.items() if key not in private})

        return prepared

    def _array(self, part: Any) -> Prepare:
        """The preparation of a Struct that is a list in JSON: it ends before its first private member."""
        start = 0 if part.tag is None else 1  # the tag comes first
        taken = list(itertools.takewhile(lambda field: not _stays_inside(field), part.fields))
        prepare = _each(list, {place: self.of(field.type) for place, field in enumerate(taken, start)})
        return lambda value: prepare(value[: start + len(taken)] if isinstance(value, list) else value)

    def _dict(self, part: Any) -> Prepare:
        limit = None if _sort_of(part.key_type) in _SALTED_KEYS else MAX_SET
        prepare = self.of(part.value_type)

        def prepared(value: Any) -> Any:
            if not isinstance(value, Mapping):
                return value
            check_size(value, limit)
            if prepare is None:
                return value
            return dict(zip(value, gathered(prepare, value.values(), where="[...]"), strict=True))

        return prepared

    def _set(self, part: Any) -> Prepare:
        prepare = self._list(part)

        def prepared(value: Any) -> Any:
            if isinstance(value, list):
                check_size(value, MAX_SET)
            return prepare(value)

        return prepared

    def _list(self, part: Any) -> Prepare:
        prepare = self.of(part.item_type)
        if prepare is None:
            return lambda value: value
        return lambda value: gathered(prepare, value) if isinstance(value, list) else value

    def _union(self, part: Any) -> Prepare:
        """Of the types in a union at most one takes a certain value: that is the rule for what msgspec takes."""
        members = [(one, prepare) for one in part.types if (prepare := self.of(one)) is not None]

        def prepared(value: Any) -> Any:
            return next((prepare(value) for one, prepare in members if _is_meant(one, value)), value)

        return prepared

    def _other(self, part: Any) -> Prepare | None:
        try:
            return self._compile_other(part.cls).value
        except UnknownTypeError:  # msgspec takes instances of it
            return None


def _sort_of(part: Any) -> str:
    return type(part).__name__


def _stays_inside(field: Any) -> bool:
    return field.name.startswith("_") and not field.required


def _all_parts(root: Any) -> Iterator[Any]:
    """A type's description and all that are inside of it, each once."""
    line, seen = [root], {id(root)}
    for part in line:
        yield part
        inside = (
            *(field.type for field in getattr(part, "fields", ())),
            *getattr(part, "item_types", ()),
            *getattr(part, "types", ()),
            *(getattr(part, name) for name in ("item_type", "key_type", "value_type", "type") if hasattr(part, name)),
        )
        line += [one for one in inside if id(one) not in seen]
        seen.update(map(id, inside))


def _each(kind: Any, prepares: Mapping[Any, Prepare | None]) -> Prepare:
    """The preparation of an object or a list: of each member by its key, or by its position."""
    some = [(key, prepare) for key, prepare in prepares.items() if prepare is not None]

    def prepared(value: Any) -> Any:
        if not isinstance(value, kind):
            return value
        found: Any = list(value) if kind is list else dict(value)
        present = range(len(found)) if kind is list else found
        faults: list[tuple[str, str]] = []
        for key, prepare in some:
            if key in present:
                try:
                    found[key] = prepare(found[key])
                except ConversionError as misfit:
                    faults += misfit.below(f"[{key}]" if kind is list else f".{key}")
        if faults:
            raise ConversionError(*faults[:MAX_FAULTS])
        return found

    return prepared


def _is_meant(part: Any, value: Any) -> bool:
    """True if the value can only be of that one of the types in a union."""
    if _sort_of(part) == "CustomType":
        return value is not None
    if _sort_of(part) in _ARRAYS or getattr(part, "array_like", False):
        return isinstance(value, list) and (not getattr(part, "tag", None) or value[:1] == [part.tag])
    return isinstance(value, Mapping) and (not getattr(part, "tag", None) or value.get(part.tag_field) == part.tag)


def _fault_of(error: Exception) -> tuple[str, str]:
    """Where, and what is wrong, in words without the client's."""
    text = str(error)
    if error.__cause__ is not None or text.startswith(_UNKNOWN_FIELD):  # words of the application's, or the client's
        return "", VALID
    # No regular expression: the client's value may be in there, and look like a path again and again.
    end = text.rfind(_AT) if text.endswith("`") else -1
    what, path = (text, "") if end < 0 else (text[:end], text[end + len(_AT) : -1])
    where = path.removeprefix("key` in `").removeprefix("$")
    if absent := lazy_pattern(_ABSENT_FIELD).fullmatch(what):
        return f"{where}.{absent[1]}", MISSING
    if expected := lazy_pattern(_EXPECTED).fullmatch(what):
        return where, f"expected {expected[1].replace('`', '')}"
    return where, VALID
