"""Schemas of values that arrive as text: path segments, queries, headers, cookies, form fields.

Text has no null, and a blank value counts as absent, so a required value is not blank.
"""

from inspect import Parameter as Signature

from micropie import Parameter
from micropie.openapi.schemas import DECIMAL, FILE, NULL, NUMBER, Schema, Schemas, object_schema

TEXT: Schema = {"type": "string"}
NESTED = ("object", "array", "null")
ABOUT = ("title", "description", "default", "examples")


def text_schema(parameter: Parameter, schemas: Schemas) -> Schema:
    """The schema of a parameter outside the body."""
    schema = without_null(schemas.constrained(parameter.annotation, parameter.metadata))
    if parameter.default is Signature.empty:
        return not_blank(schema or TEXT)
    # Without a type it arrives as text, but its default may be anything.
    return schema if schema or not isinstance(parameter.default, str | None) else TEXT


def without_null(schema: Schema) -> Schema:
    """The schema of a value in a text: without the alternative null, and without the number beside a decimal's text."""
    given = schema.get("anyOf", ())
    others = [one for one in given if one != NULL and not (one == NUMBER and DECIMAL in given)]
    rest = {name: part for name, part in schema.items() if name != "anyOf" and (name, part) != ("default", None)}
    if not others:
        return rest
    return {**others[0], **rest} if len(others) == 1 else {**rest, "anyOf": others}


def not_blank(schema: Schema) -> Schema:
    """The schema of a required value: text of one character at least."""
    return {**schema, "minLength": 1} if is_free_text(schema) else schema


def or_blank(schema: Schema) -> Schema:
    """The schema of a form's optional value, which may be blank."""
    if schema.get("type") == "array" or is_free_text(schema) or is_file(schema):
        return schema
    words = {name: part for name, part in schema.items() if name in ABOUT}
    rest = {name: part for name, part in schema.items() if name not in ABOUT}
    return {**words, "anyOf": [rest, {"type": "string", "maxLength": 0}]}


def is_file(schema: Schema) -> bool:
    """True if the schema is that of a file."""
    return FILE.items() <= schema.items()


def is_free_text(schema: Schema) -> bool:
    """True if the schema takes any text, a blank one too."""
    return schema.get("type") == "string" and not {"enum", "format", "minLength", "pattern"} & schema.keys()


def form_schema(objects: list[Schema], schemas: Schemas) -> Schema | None:
    """The form that is equal to the JSON objects together; None if a member is neither a text nor a list of texts."""
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for schema in objects:
        one = schemas.resolved(without_null(schema))
        members = {name: without_null(member) or TEXT for name, member in one.get("properties", {}).items()}
        if not members or not all(is_flat(member, schemas) for member in members.values()):
            return None
        required += one.get("required", [])
        properties.update(members)
    filled = {name: (not_blank if name in required else or_blank)(one) for name, one in properties.items()}
    return object_schema(filled, required)


def is_flat(schema: Schema, schemas: Schemas, *, in_list: bool = False) -> bool:
    """True if a form has a place for the value: one text, or a field that stands several times."""
    one = schemas.resolved(schema)
    if alternatives := one.get("anyOf") or one.get("oneOf"):
        return all(is_flat(other, schemas, in_list=in_list) for other in alternatives)
    if one.get("type") == "array" and not in_list:
        return is_flat(one.get("items", TEXT), schemas, in_list=True)
    return one.get("type", "string") not in NESTED
