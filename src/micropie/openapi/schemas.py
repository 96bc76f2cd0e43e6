"""JSON Schemas of annotations (2020-12, which OpenAPI 3.1 speaks); classes become the document's named components.

A body's schema says what is taken, a reply's what is sent: of the same class they may differ. Types that pydantic
validates are described by pydantic, in its own words.
"""

import datetime
import re
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Annotated, Any, Literal, TypeAlias, Union, Unpack, get_args, get_origin
from uuid import UUID

from micropie import UploadedFile
from micropie.openapi.docstring import own_docstring
from micropie.openapi.generics import aliased
from micropie.openapi.json_values import said
from micropie.openapi.keywords import discriminator_of, keywords
from micropie.openapi.members import Member, is_named_tuple, is_record, items_of, members_of, tag_field
from micropie.openapi.pydantic_schemas import is_of_pydantic, made_by_pydantic

Schema: TypeAlias = dict[str, Any]

NULL: Schema = {"type": "null"}
NUMBER: Schema = {"type": "number"}
FILE: Schema = {"type": "string", "format": "binary"}
DECIMAL: Schema = {"type": "string", "format": "decimal", "pattern": r"^-?([0-9]+(\.[0-9]+)?|\.[0-9]+)$"}

SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: NUMBER,
    str: {"type": "string"},
    bytes: {"type": "string"},
    Decimal: {"anyOf": [DECIMAL, NUMBER]},
    UUID: {"type": "string", "format": "uuid"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "string", "format": "duration"},
    type(None): NULL,
    UploadedFile: FILE,
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    dict: {"type": "object"},
}


def _zoned_or_local(form: str) -> Schema:
    """RFC 3339's times have a zone; the OpenAPI Format Registry has other names for those of naive values."""
    return {"anyOf": [{"type": "string", "format": form}, {"type": "string", "format": f"{form}-local"}]}


SENT_SCALARS: dict[Any, Schema] = {
    **SCALARS,
    Decimal: {"type": "string", "format": "decimal"},
    datetime.datetime: _zoned_or_local("date-time"),
    datetime.time: _zoned_or_local("time"),
}
"""The schemas of scalars in a reply, of which there is one form only; whether a time has a zone is not known."""

UNIONS = (Union, types.UnionType)


Named: TypeAlias = dict[str, tuple[Any, Schema]]
"""What each name of a component stands for: its class, or the library that names it; and its schema."""


class Schemas:
    """The schemas of all bodies, or of all replies: each class becomes a component, and is referred to from then on."""

    def __init__(self, named: Named, reference: str, *, sent: bool) -> None:
        self.components: dict[str, Schema] = {}
        self.reference = reference
        self.is_sent = sent
        self._named = named
        self._scalars = SENT_SCALARS if sent else SCALARS
        self._known: list[tuple[Any, Schema]] = []
        self._within: list[Any] = []

    def of(self, annotation: Any) -> Schema:
        """The schema of an annotation; the empty one, which allows everything, where JSON Schema has no word for it."""
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is None:
            return self._plain(annotation)
        if origin is Annotated:
            return self.constrained(args[0], annotation.__metadata__)
        if origin in UNIONS:
            return self.union(args)
        if origin is Literal:
            return choice(args)
        if (meant := aliased(annotation)) is not None:
            return self._alias(annotation, meant)
        return self._generic(annotation, origin, args)

    def constrained(self, annotation: Any, metadata: Iterable[Any]) -> Schema:
        """The schema with the limits, and the words, that stand beside an annotation."""
        return self.limited(self.of(annotation), metadata)

    def limited(self, schema: Schema, metadata: Iterable[Any]) -> Schema:
        """The schema with the limits, and the words, in metadata."""
        schema = dict(schema)
        for one in metadata:
            schema.update(keywords(one, _kind(schema)))
            if (name := discriminator_of(one)) is not None:
                schema = self._discriminated(schema, name)
        return schema

    def resolved(self, schema: Schema) -> Schema:
        """The component that a schema refers to, or the schema."""
        reference = schema.get("$ref", "")
        return self.components[reference.removeprefix(self.reference)] if reference else schema

    def _plain(self, annotation: Any) -> Schema:
        if (meant := aliased(annotation)) is not None:
            return self._alias(annotation, meant)
        if not isinstance(annotation, type):
            return {}
        if annotation in self._scalars:
            return self._scalars[annotation]
        return self._class(annotation, annotation, ())

    def _alias(self, annotation: Any, meant: Any) -> Schema:
        """The schema of what an alias stands for; inside of itself an alias may be anything."""
        if any(known is annotation or known == annotation for known in self._within):
            return {}
        self._within.append(annotation)
        schema = self.of(meant)
        self._within.pop()
        return schema

    def _class(self, annotation: Any, cls: type, args: tuple[Any, ...]) -> Schema:
        """The reference to the component of a class, which is made when the class is met first."""
        for known, schema in self._known:
            if known is annotation or known == annotation:
                return schema
        if issubclass(cls, Enum):
            return self._enum(cls)
        if is_of_pydantic(cls):
            return self._adopted(annotation)
        if is_record(cls):
            return self._component(annotation, lambda: self._record(cls, args))
        if is_named_tuple(cls) and self.is_sent:
            return self._component(annotation, lambda: self._tuple(items_of(cls, args)))
        return {}

    def _generic(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Schema:
        if not isinstance(origin, type):
            return {}
        if is_of_pydantic(origin) or is_record(origin) or is_named_tuple(origin):
            return self._class(annotation, origin, args)
        if issubclass(origin, tuple):
            return self._tuple(args)
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of((*args, Any, Any)[1])}
        if issubclass(origin, Collection):
            unique = {} if issubclass(origin, Sequence) else {"uniqueItems": True}
            return {"type": "array", "items": self.of((*args, Any)[0]), **unique}
        return {}

    def _tuple(self, args: tuple[Any, ...]) -> Schema:
        if not args or any(get_origin(one) is Unpack or getattr(one, "__unpacked__", False) for one in args):
            return {"type": "array"}
        if args[1:] == (...,):
            return {"type": "array", "items": self.of(args[0])}
        exactly = {"minItems": len(args), "maxItems": len(args)}
        return {"type": "array", "prefixItems": [self.of(one) for one in args], **exactly}

    # -- unions -------------------------------------------------------------------------------------------

    def union(self, args: Iterable[Any]) -> Schema:
        """The schema of what is of one of these types."""
        args = [one for one in args if not _is_unset(one)]
        schema = any_of(self.of(one) for one in args)
        fields = {tag_field(one) for one in args if one is not type(None)} - {None}
        return self._discriminated(schema, fields.pop()) if len(fields) == 1 else schema

    def _discriminated(self, schema: Schema, name: Any) -> Schema:
        """The schema of a union whose member of that name tells which one it is (§4.8.25)."""
        alternatives = [one for one in schema.get("anyOf", ()) if one != NULL]
        pairs = [(str(value), one["$ref"]) for one in alternatives for value in self._values(one, name)]
        mapping = dict(pairs)
        if not pairs or len(mapping) < len(pairs) or {*mapping.values()} != {one.get("$ref") for one in alternatives}:
            return schema  # it does not tell them apart
        told = {"oneOf": alternatives, "discriminator": {"propertyName": name, "mapping": mapping}}
        rest = {key: part for key, part in schema.items() if key != "anyOf"}
        return {**rest, "anyOf": [told, NULL]} if NULL in schema["anyOf"] else {**rest, **told}

    def _values(self, schema: Schema, name: Any) -> list[Any]:
        """The values that a member of a component may have."""
        member = self.resolved(schema).get("properties", {}).get(name, {}) if "$ref" in schema else {}
        found: list[Any] = [member["const"]] if "const" in member else member.get("enum", [])
        return found

    # -- components ---------------------------------------------------------------------------------------

    def _component(self, annotation: Any, make: Callable[[], Schema]) -> Schema:
        """The reference to a component of our own."""
        name = next(name for name in _names(annotation) if self._is_free(name, annotation))
        component = self._add(name, annotation, {})  # before it is made, since a class may contain itself
        component.update({**described(get_origin(annotation) or annotation), **make()})
        return {"$ref": self.reference + name}

    def _enum(self, cls: type[Enum]) -> Schema:
        schema = {**described(cls), **choice(cls)}
        name = next(name for name in _names(cls) if self._is_free(name, cls, schema))
        self._add(name, cls, schema)
        return {"$ref": self.reference + name}

    def _add(self, name: str, annotation: Any, component: Schema) -> Schema:
        self._known.append((annotation, {"$ref": self.reference + name}))
        self._named.setdefault(name, (annotation, component))
        self.components[name] = component
        return component

    def _is_free(self, name: str, owner: Any, schema: Schema | None = None) -> bool:
        """True if a component may have the name: it is nobody else's, or what has it is equal."""
        known_owner, known = self._named.get(name, (owner, schema))
        is_own = known_owner == owner and (schema is None or self.components.get(name, schema) == schema)
        return is_own or known == schema

    def _record(self, cls: type, args: tuple[Any, ...]) -> Schema:
        members = members_of(cls, args, shown=self.is_sent)
        config = getattr(cls, "__struct_config__", None)
        if config is not None and config.array_like and not self.is_sent:
            needed = sum(member.is_required for member in members)
            return {"type": "array", "prefixItems": [self._member(one) for one in members], "minItems": needed}
        properties = {member.key: self._member(member) for member in members}
        is_closed = config is not None and config.forbid_unknown_fields and not self.is_sent
        return {
            **object_schema(properties, [member.key for member in members if member.is_required]),
            **({"additionalProperties": False} if is_closed else {}),
        }

    def _member(self, member: Member) -> Schema:
        return {**self.of(member.annotation), **member.words}

    def _adopted(self, annotation: Any) -> Schema:
        """The schema that pydantic makes of a type. One that it can't make, or that JSON can't hold, allows everything.

        Components have longer names where others have theirs already.
        """
        tries = (self._made_by_pydantic(annotation, prefix) for prefix in _prefixes(annotation))
        try:
            schema, components = next((schema, parts) for schema, parts in tries if self._are_free(parts))
        except Exception:  # whatever pydantic says of a member
            return self._component(annotation, dict)
        for name, part in components.items():
            self.components[name] = part
            self._named.setdefault(name, ((PYDANTIC, name), part))
        self._known.append((annotation, schema))
        return schema

    def _made_by_pydantic(self, annotation: Any, prefix: str) -> tuple[Schema, dict[str, Schema]]:
        schema, components = made_by_pydantic(annotation, f"{self.reference}{prefix}{{model}}", sent=self.is_sent)
        return schema, {prefix + name: part for name, part in components.items()}

    def _are_free(self, components: dict[str, Schema]) -> bool:
        return all(self._is_free(name, (PYDANTIC, name), part) for name, part in components.items())


PYDANTIC = "pydantic"


def _names(annotation: Any) -> Iterator[str]:
    """Names for a component: the class's own, the one with its module, and as many others as it takes."""
    cls = get_origin(annotation) or annotation
    full = sanitized(f"{cls.__module__}.{cls.__qualname__}")
    yield from (_title(annotation), full)
    yield from (f"{full}.{number}" for number in count(2))


def _prefixes(annotation: Any) -> Iterator[str]:
    """Prefixes for names that pydantic gives: none, the module, and as many others as it takes."""
    module = sanitized(f"{annotation.__module__}.")
    yield from ("", module)
    yield from (f"{module}{number}." for number in count(2))


def _title(annotation: Any) -> str:
    """A type's short name: `Page_Note` for `Page[Note]`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _title(args[0])
    if origin in UNIONS:
        return "_or_".join(map(_title, args))
    if not args:
        return sanitized("None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation)))
    return "_".join([_title(origin), *map(_title, args)])


def sanitized(name: str) -> str:
    """The name in the characters that a component's may have (§4.8.7)."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _is_unset(annotation: Any) -> bool:
    """True if it is msgspec's word for a member that is not there."""
    return getattr(annotation, "__name__", None) == "UnsetType" and annotation.__module__ == "msgspec"


# -- schemas ------------------------------------------------------------------------------------------


def any_of(schemas: Iterable[Schema]) -> Schema:
    """The schema of what fits one of several, which stand side by side and each once."""
    alternatives: list[Schema] = []
    for schema in schemas:
        inner = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
        alternatives += [one for one in inner if one not in alternatives]
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def object_schema(properties: dict[str, Schema], required: list[str]) -> Schema:
    """The schema of an object."""
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def choice(values: Iterable[Any]) -> Schema:
    """The schema of one value out of some, with its type if they have one in common."""
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    kinds = [SCALARS.get(type(value), {}) for value in plain]
    shared = kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else {}
    known = [made["enum"] for value in plain if (made := said("enum", value))]
    return {**shared, "enum": known} if known or not plain else {}


def described(cls: Any) -> Schema:
    """The class's own docstring, unless it is the one that `dataclass` writes."""
    text = own_docstring(cls)
    written = text and not text.startswith(f"{cls.__name__}(")
    return {"description": " ".join(text.split())} if written else {}


def _kind(schema: Schema) -> str:
    """The JSON type of a value, be it of the first alternative."""
    kinds = [one.get("type", "") for one in (schema, *schema.get("anyOf", ()))]
    return next(filter(None, kinds), "")
