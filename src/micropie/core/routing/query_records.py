"""A record as the fields of a query, for a parameter that takes the whole query: what binding reads, written.

What is written is read once before it leaves, by the parameter's own converter: what that makes of it has to be what
was given, whatever defaults, aliases and constraints the record's class has.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from micropie.core.basics.errors import MISSING, ConversionError
from micropie.core.basics.optional import lazy_import
from micropie.core.conversion.records import (
    class_of,
    is_pydantic,
    is_struct,
    is_typed_dict,
    members_taken,
    records_in,
)
from micropie.core.handlers.parameter import REQUIRED
from micropie.core.handlers.sources import ParameterBinder
from micropie.core.routing.url_values import texts_of

Fields = dict[str, list[str]]


class QueryRecord:
    """One parameter that takes the whole query, of the handler `title`: a record, or one of several."""

    def __init__(self, slot: ParameterBinder, title: str) -> None:
        self.name = slot.parameter.name
        self._title = title
        self._default = slot.parameter.default
        self._read = slot.converter.form or slot.converter.value
        self._kinds = list(records_in(slot.parameter.annotation))
        self._keys: dict[str, str] = {}  # in the query, by those and by the members' names
        for kind in self._kinds:
            self._keys |= keys_by_name(kind)
        self._keys |= {key: key for key in self._keys.values()}

    def has(self, name: str) -> bool:
        """True if a member has that name, or that key in the query."""
        return name in self._keys

    def fields(self, record: Any, members: Mapping[str, Any]) -> Fields:
        """The fields of a record, or of None, with other values for some of its members. TypeError if there are none.

        Members that are equal to their defaults are left out, and those whose new value is None or blank: a query that
        has a blank one reads as if it were absent.
        """
        if record is None and not members and self._default is not REQUIRED:
            return {}
        instead = {self._keys[name]: value for name, value in members.items()}
        kept = {} if record is None else self._members_of(record)
        kept = {key: value for key, value in kept.items() if key not in instead}
        texts = {key: _texts_or_none(value) for key, value in kept.items()}
        texts |= {key: texts_of(value) for key, value in instead.items()}
        filled = {key: some for key, found in texts.items() if (some := [one for one in found if one])}
        for fields in (self._without_defaults(filled), filled):
            if not (refusal := self._refusal(fields, record, kept)):
                return fields
        raise self._error(refusal)

    def _members_of(self, record: Any) -> dict[str, Any]:
        """The values of a record's members by their keys in the query."""
        if isinstance(record, Mapping):
            if unknown := [name for name in record if name not in self._keys]:
                raise self._error(f"has no member {unknown[0]!r} in {self.name!r}")
            return {self._keys[name]: value for name, value in record.items()}
        for kind in self._kinds:
            if not is_typed_dict(kind) and isinstance(record, class_of(kind)):
                found = {key: getattr(record, name, None) for name, key in keys_by_name(kind).items()}
                return {key: None if _is_unset(value) else value for key, value in found.items()} | _struct_tag(kind)
        names = " or ".join(class_of(kind).__name__ for kind in self._kinds)
        raise self._error(f"takes a {names} as {self.name!r}, not {record!r}")

    def _without_defaults(self, filled: Fields) -> Fields:
        """The fields without those that the record has too if they are not sent; all of them if that can't be told."""
        needed: Fields = {}
        while True:
            try:
                defaults = self._members_of(self._read(needed))
            except ConversionError as misfit:
                wanted = [where.removeprefix(".") for where, _ in misfit.faults]
                more = {key: filled[key] for key in wanted if key in filled and key not in needed}
                if not more:
                    return filled
                needed |= more
            else:
                return {
                    key: texts
                    for key, texts in filled.items()
                    if key in needed or texts != _texts_or_none(defaults.get(key))
                }

    def _refusal(self, fields: Fields, record: Any, kept: dict[str, Any]) -> str:
        """What is wrong with the fields of a record; nothing if they are read as it, with these values of members."""
        try:
            read = self._default if not fields and self._default is not REQUIRED else self._read(fields)
        except ConversionError as misfit:
            where, message = misfit.faults[0]
            key = where.removeprefix(".") or self.name
            if message == MISSING:
                return f"needs {key!r}"
            return f"can't have {fields.get(key, record)!r} as {key!r}: {message}"
        if not (record is None or read is None or isinstance(record, Mapping | type(read))):
            return f"can't have {record!r} in its query: that is read as a {type(read).__name__}"
        members = {} if read is None else self._members_of(read)
        for key, value in kept.items():
            if value != members.get(key) and sorted(texts_of(value)) != sorted(texts_of(members.get(key))):
                return f"can't have {value!r} as {key!r}: no query is read as that, but as {members.get(key)!r}"
        return ""

    def _error(self, what: str) -> TypeError:
        return TypeError(f"url_for(): {self._title} {what}")


def _texts_or_none(value: Any) -> list[str]:
    """The texts of a member; none for a value that has no text, which a default may be."""
    try:
        return texts_of(value)
    except TypeError:
        return []


def _is_unset(value: Any) -> bool:
    """True if it is msgspec's word for a member that is not there."""
    return type(value).__name__ == "UnsetType"


def _struct_tag(kind: Any) -> dict[str, Any]:
    """The member that tells a Struct from others, if it has one."""
    config = class_of(kind).__struct_config__ if is_struct(kind) else None
    return {} if config is None or config.tag is None else {config.tag_field: config.tag}


def keys_by_name(kind: Any) -> dict[str, str]:
    """The keys in a query of the members that a client may set, by the names of the members."""
    if is_pydantic(kind):
        return dict(_keys_of_model(class_of(kind)))
    if is_struct(kind):
        fields = lazy_import("msgspec").structs.fields(class_of(kind))
        taken = [one for one in fields if one.required or not one.name.startswith("_")]
        return {**{one.name: one.encode_name for one in taken}, **{key: key for key in _struct_tag(kind)}}
    return {member.key: member.key for member in members_taken(kind)}


def _keys_of_model(cls: Any) -> Iterator[tuple[str, str]]:
    """The names of the members of a pydantic model or dataclass, each with the first key by which it is read."""
    config = cls.model_config if hasattr(cls, "model_config") else cls.__pydantic_config__
    by_alias = (config or {}).get("validate_by_alias", True)
    for name, field in cls.__pydantic_fields__.items():
        if field.init is not False and (field.is_required() or not name.startswith("_")):
            alias = field.validation_alias if by_alias else None
            yield name, next((one for one in getattr(alias, "choices", [alias]) if isinstance(one, str)), name)
