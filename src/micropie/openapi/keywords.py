"""Metadata of an annotation, such as `Ge(1)` and `Field(description="…")`, in the keywords of JSON Schema."""

from typing import Any

from micropie.openapi.json_values import said

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

EXTRA = ("json_schema_extra", "extra_json_schema")
"""The names under which pydantic's Field and msgspec.Meta keep keywords in JSON Schema's own words."""


def keywords(metadata: Any, kind: str) -> dict[str, Any]:
    """The keywords for one piece of metadata of a value of this type; none for metadata that is not about the value."""
    if isinstance(metadata, str | type):
        return {}
    shortest, longest = LENGTHS.get(kind, LENGTHS["string"])
    lengths = {"min_length": shortest, "max_length": longest}
    values = [(ours, getattr(metadata, theirs, None)) for theirs, ours in (LIMITS | WORDS | lengths).items()]
    # Limits that JSON has a form for; that of a date has none.
    found = {ours: value for ours, value in values if isinstance(value, str | int | float | list) and said(ours, value)}
    if is_deprecated(metadata):
        found["deprecated"] = True
    for inner in getattr(metadata, "metadata", ()):  # pydantic's Field keeps its limits as a list of such
        found.update(keywords(inner, kind))
    return {**found, **_extra(metadata)}


def is_deprecated(metadata: Any) -> bool:
    """True if the metadata is `deprecated("…")` itself, or a Field with such words."""
    return bool(getattr(metadata, "deprecated", None)) or type(metadata).__name__ == "deprecated"


def _extra(metadata: Any) -> dict[str, Any]:
    extra = [getattr(metadata, name, None) for name in EXTRA]
    return {key: value for one in extra if isinstance(one, dict) for key, value in one.items() if said(key, value)}


def discriminator_of(metadata: Any) -> str | None:
    """The member's name that tells which one of a union a value is, if the metadata names it."""
    name = getattr(metadata, "discriminator", None)
    name = getattr(name, "discriminator", name)  # pydantic's Discriminator, by itself or in a Field
    return name if isinstance(name, str) else None
