"""pydantic's core schemas: what it makes of a type, read and changed before a validator or a serializer is made of it.

`pydantic_core.core_schema` describes them: a tree of dicts, each with a `type`; recursive ones refer to `definitions`.
"""

from collections.abc import Callable
from typing import Any

from micropie.core.basics.optional import lazy_import

CoreSchema = dict[str, Any]

# Where a schema has others; what else it has is data, a default for one, that may only look like a schema.
_INSIDE = frozenset((
    "schema", "items_schema", "keys_schema", "values_schema", "extras_schema", "extras_keys_schema", "fields",
    "choices", "definitions", "steps", "lax_schema", "strict_schema", "json_schema", "python_schema",
    "arguments_schema", "var_args_schema", "var_kwargs_schema", "serialization", "return_schema", "computed_fields",
))  # fmt: skip

_COLLECTIONS = frozenset((
    "list", "set", "frozenset", "tuple", "deque", "generator", "dict", "frozendict", "ordered-dict", "counter"
))  # fmt: skip

_RECORDS = frozenset(("model", "dataclass", "typed-dict", "definition-ref"))


def rewritten(schema: CoreSchema, change: Callable[[CoreSchema], CoreSchema]) -> CoreSchema:
    """The schema, of which each one inside has become what `change` makes of it."""

    def inside(part: Any) -> Any:
        if isinstance(part, list | tuple):
            return type(part)(map(inside, part))
        if not isinstance(part, dict):
            return part
        if isinstance(part.get("type"), str):
            return rewritten(part, change)
        return {name: inside(one) for name, one in part.items()}

    return change({name: inside(part) if name in _INSIDE else part for name, part in schema.items()})


def schemas_in(schema: CoreSchema) -> list[CoreSchema]:
    """The schema and all that are inside of it."""
    found: list[CoreSchema] = []

    def seen(one: CoreSchema) -> CoreSchema:
        found.append(one)
        return one

    rewritten(schema, seen)
    return found


def is_optional(schema: CoreSchema) -> bool:
    """True if a member with this schema has a default."""
    while schema["type"] != "default" and "schema" in schema:
        schema = schema["schema"]
    return bool(schema["type"] == "default")


def is_strict(schema: CoreSchema) -> bool:
    """True if there is a type in it that takes nothing for something else."""
    return any(one.get("strict") or one.get("config", {}).get("strict") for one in schemas_in(schema))


def takes_other_json(schema: CoreSchema) -> bool:
    """True if JSON is read by other rules than Python's objects: strict types take dates from it, and tuples."""
    return is_strict(schema) or any("val_json_bytes" in one.get("config", {}) for one in schemas_in(schema))


def has_private(schema: CoreSchema) -> bool:
    """True if there is a dataclass with private fields in it: models have no such fields."""
    return any(one["type"] == "dataclass-field" and _is_private(one) for one in schemas_in(schema))


def without_private(schema: CoreSchema) -> CoreSchema:
    """The schema, in which private fields of dataclasses are not shown, nor taken if they have a default."""
    return rewritten(schema, _hidden)


def _hidden(schema: CoreSchema) -> CoreSchema:
    if schema["type"] != "dataclass-field" or not _is_private(schema):
        return schema
    return {**schema, "serialization_exclude": True, "init": not is_optional(schema["schema"])}


def _is_private(field: CoreSchema) -> bool:
    return bool(field["name"].startswith("_"))


def failing_fast(schema: CoreSchema, max_records: int) -> CoreSchema:
    """The schema, in which the first fault in a collection is the last that is looked for, and lists of models end."""

    def failing(one: CoreSchema) -> CoreSchema:
        if one["type"] not in _COLLECTIONS:
            return one
        is_of_records = one["type"] == "list" and any(part["type"] in _RECORDS for part in schemas_in(one))
        return {**({"max_length": max_records} if is_of_records else {}), **one, "fail_fast": True}

    return rewritten(schema, failing)


def validator(schema: CoreSchema) -> Any:
    """A validator by the schema, and by those that it has of models: not by what these have made of their own."""
    return _made("SchemaValidator", schema)


def serializer(schema: CoreSchema) -> Any:
    """A serializer by the schema, and by those that it has of models."""
    return _made("SchemaSerializer", schema)


def _made(name: str, schema: CoreSchema) -> Any:
    make = getattr(lazy_import("pydantic_core"), name)
    option = "_use_prebuilt"  # what models have made of their own schemas; older versions have no such thing
    return make(schema, **({option: False} if option in make.__text_signature__ else {}))


def member_paths(name: str, field: CoreSchema) -> list[list[Any]]:
    """Where a member may be found: under its name, or its alias, which may be several, or lead further down."""
    alias = field.get("validation_alias", name)
    if isinstance(alias, str):
        return [[one] for one in {name, alias}]
    return [[name], *(alias if isinstance(alias[0], list) else [alias])]
