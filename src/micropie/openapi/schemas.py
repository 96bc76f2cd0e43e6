"""JSON Schemas of annotations (2020-12, which OpenAPI 3.1 speaks); classes become the document's named components.

Types that msgspec and pydantic validate are described by msgspec and pydantic, in their own words.
"""

import dataclasses
import datetime
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, NotRequired, Required, TypeAlias, Union, get_args, get_origin
from uuid import UUID

Schema: TypeAlias = dict[str, Any]

REFERENCE = "#/components/schemas/"

SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: {"type": "string"},
    Decimal: {"type": "string", "format": "decimal"},
    UUID: {"type": "string", "format": "uuid"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "string", "format": "duration"},
    type(None): {"type": "null"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    dict: {"type": "object"},
}

UNIONS = (Union, types.UnionType)

LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
"""A limit's name in annotated_types, msgspec.Meta and pydantic's Field, and its keyword in JSON Schema."""

LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}

WORDS = {"title": "title", "description": "description", "documentation": "description", "examples": "examples"}


class Schemas:
    """The schemas of one document: each class that is met becomes a component, and is referred to from then on."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._references: dict[type, Schema] = {}

    def of(self, annotation: Any) -> Schema:
        """The schema of an annotation; the empty one, which allows everything, where JSON Schema has no word for it."""
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self.constrained(args[0], annotation.__metadata__)
        if origin in (Required, NotRequired):
            return self.of(args[0])
        if origin in UNIONS:
            return {"anyOf": [self.of(one) for one in args]}
        if origin is Literal:
            return choice(args)
        if origin is not None:
            return self._generic(origin, args)
        return self._plain(annotation)

    def constrained(self, annotation: Any, metadata: Iterable[Any]) -> Schema:
        """The schema with the limits, and the words, that stand beside an annotation."""
        schema = dict(self.of(annotation))
        for one in metadata:
            schema.update(_limits(one, schema))
        return schema

    def resolved(self, schema: Schema) -> Schema:
        """The component that a schema refers to, or the schema."""
        reference = schema.get("$ref", "")
        return self.components[reference.removeprefix(REFERENCE)] if reference else schema

    def _plain(self, annotation: Any) -> Schema:
        if hasattr(annotation, "__supertype__"):  # a NewType
            return self.of(annotation.__supertype__)
        if hasattr(annotation, "__value__"):  # what the statement `type X = …` makes
            return self.of(annotation.__value__)
        if not isinstance(annotation, type):
            return {}
        if annotation in SCALARS:
            return SCALARS[annotation]
        make = _maker(annotation)
        return {} if make is None else self._component(annotation, make)

    def _generic(self, origin: Any, args: tuple[Any, ...]) -> Schema:
        if not isinstance(origin, type):
            return {}
        if issubclass(origin, tuple):
            return self._tuple(args)
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of((*args, Any, Any)[1])}
        if issubclass(origin, Collection):
            unique = {} if issubclass(origin, Sequence) else {"uniqueItems": True}
            return {"type": "array", "items": self.of((*args, Any)[0]), **unique}
        return self._plain(origin)

    def _tuple(self, args: tuple[Any, ...]) -> Schema:
        if not args:
            return {"type": "array"}
        if args[1:] == (...,):
            return {"type": "array", "items": self.of(args[0])}
        exactly = {"minItems": len(args), "maxItems": len(args)}
        return {"type": "array", "prefixItems": [self.of(one) for one in args], **exactly}

    def _component(self, cls: type, make: "Maker") -> Schema:
        """The reference to a class's component, which is made when the class is met first."""
        if cls not in self._references:
            make(self, cls)
        return self._references[cls]

    def refer(self, cls: type) -> str:
        """The name of a class's component: its own, with its module's where another class has that already."""
        full = re.sub(r"[^\w.-]", "_", f"{cls.__module__}.{cls.__qualname__}")
        free = full if cls.__name__ in self.components else cls.__name__
        self._references[cls] = {"$ref": REFERENCE + free}
        self.components[free] = {}  # a class may contain itself
        return free

    def adopt(self, cls: type, generate: Callable[[str], tuple[Schema, dict[str, Schema]]]) -> None:
        """Take the components that a library makes of a class; under its module's name where short ones are taken.

        A schema that the library can't make, or that JSON can't hold, becomes one that allows everything.
        """
        try:
            schema, components = generate(REFERENCE)
            as_json(components)
        except Exception:  # whatever the library says of a member
            self.components[self.refer(cls)] = _described(cls)
            return
        if any(self.components.get(name, part) != part for name, part in components.items()):
            prefix = f"{cls.__module__}."
            schema, made = generate(REFERENCE + prefix)
            components = {prefix + name: part for name, part in made.items()}
        self.components.update(components)
        self._references[cls] = schema


Maker: TypeAlias = Callable[[Schemas, Any], None]


def choice(values: Iterable[Any]) -> Schema:
    """The schema of one value out of some, with its type if they have one in common."""
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    kinds = [SCALARS.get(type(value), {}) for value in plain]
    shared = kinds[0] if kinds and all(kind == kinds[0] for kind in kinds) else {}
    known = [made["enum"] for value in plain if (made := said("enum", value))]
    return {**shared, "enum": known} if known or not plain else {}


def _limits(metadata: Any, schema: Schema) -> Schema:
    """The keywords of JSON Schema for one piece of metadata; none for metadata that is not about the value."""
    if isinstance(metadata, str | type):
        return {}
    shortest, longest = LENGTHS.get(schema.get("type", ""), LENGTHS["string"])
    lengths = {"min_length": shortest, "max_length": longest}
    values = [(ours, getattr(metadata, theirs, None)) for theirs, ours in (LIMITS | WORDS | lengths).items()]
    # Limits that JSON has a form for; that of a date has none.
    found = {ours: value for ours, value in values if isinstance(value, str | int | float | list) and said(ours, value)}
    for inner in getattr(metadata, "metadata", ()):  # pydantic's Field keeps its limits as a list of such
        found.update(_limits(inner, schema))
    return found


# -- classes ------------------------------------------------------------------------------------------


def _maker(cls: type) -> Maker | None:
    """The function that makes the component of a class; None for a class that is no kind of data."""
    if issubclass(cls, Enum):
        return _of_enum
    if hasattr(cls, "__pydantic_core_schema__"):
        return _of_pydantic
    if hasattr(cls, "__struct_fields__") or hasattr(cls, "__attrs_attrs__"):
        return _of_msgspec
    if dataclasses.is_dataclass(cls):
        return _of_dataclass
    return _of_typed_dict if typing.is_typeddict(cls) else None


def _of_enum(schemas: Schemas, cls: type[Enum]) -> None:
    name = schemas.refer(cls)
    schemas.components[name] = {**_described(cls), **choice(cls)}


def _of_dataclass(schemas: Schemas, cls: Any) -> None:
    name = schemas.refer(cls)
    hints = _hints(cls)
    taken = {name: field for name, field in cls.__dataclass_fields__.items() if _is_taken(field, hints.get(name))}
    properties = {name: _field(schemas.of(_inside(hints.get(name, Any))), field) for name, field in taken.items()}
    required = [name for name, field in taken.items() if _is_needed(field)]
    schemas.components[name] = _object(cls, properties, required)


def _is_taken(field: "dataclasses.Field[Any]", hint: Any) -> bool:
    """Whether a client can send the field: a private one with a default is not taken."""
    is_of_class = hint is ClassVar or get_origin(hint) is ClassVar
    return field.init and not is_of_class and (_is_needed(field) or not field.name.startswith("_"))


def _is_needed(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _inside(hint: Any) -> Any:
    """The type inside `InitVar`, whose value is only there for `__post_init__`; any other hint itself."""
    return hint.type if isinstance(hint, dataclasses.InitVar) else hint


def _field(schema: Schema, field: "dataclasses.Field[Any]") -> Schema:
    """The schema of a field with its default, and with the description and the example of its metadata."""
    words: Schema = {}
    for name, kind in (("title", str), ("description", str), ("examples", list)):
        if isinstance(value := field.metadata.get(name), kind):
            words |= said(name, value)
    if "example" in field.metadata:
        words |= said("examples", [field.metadata["example"]])
    return {**schema, **default(field.default), **words}


def _of_typed_dict(schemas: Schemas, cls: Any) -> None:
    name = schemas.refer(cls)
    properties = {field: schemas.of(hint) for field, hint in _hints(cls).items()}
    required = [field for field in properties if field in cls.__required_keys__]
    schemas.components[name] = _object(cls, properties, required)


def _of_msgspec(schemas: Schemas, cls: type) -> None:
    import msgspec  # noqa: PLC0415 - only for those who have it

    def generate(prefix: str) -> tuple[Schema, dict[str, Schema]]:
        made, components = msgspec.json.schema_components([cls], ref_template=prefix + "{name}")
        return made[0], components

    schemas.adopt(cls, generate)


def _of_pydantic(schemas: Schemas, cls: Any) -> None:
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - only for those who have it

    def generate(prefix: str) -> tuple[Schema, dict[str, Schema]]:
        made, definitions = models_json_schema([(cls, "validation")], ref_template=prefix + "{model}")
        return made[cls, "validation"], definitions["$defs"]

    schemas.adopt(cls, generate)


def _object(cls: type, properties: dict[str, Schema], required: list[str]) -> Schema:
    needs = {"required": required} if required else {}
    return {"type": "object", **_described(cls), "properties": properties, **needs}


def _described(cls: type) -> Schema:
    """The class's own docstring, unless it is the one that `dataclass` writes."""
    text = cls.__dict__.get("__doc__") or ""
    written = text and not text.startswith(f"{cls.__name__}(")
    return {"description": " ".join(text.split())} if written else {}


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a class, resolved; none at all if one of them can't be."""
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:
        return {}


# -- values -------------------------------------------------------------------------------------------


def default(value: Any) -> Schema:
    """The keyword `default`, if there is a default and JSON has a form for it."""
    if value is None or value is dataclasses.MISSING or value is inspect.Parameter.empty:
        return {}
    return said("default", value)


def said(keyword: str, value: Any) -> Schema:
    """The keyword with its value; nothing for a value that JSON has no form for."""
    try:
        return {keyword: as_json(value)}
    except (TypeError, ValueError, RecursionError):
        return {}


def as_json(value: Any) -> Any:
    """The value in JSON's types. TypeError or ValueError for a value that has no JSON form."""
    return json.loads(json.dumps(value, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    """The stand-in for a value of a type that JSON does not have."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"JSON has no form for {value!r}")
