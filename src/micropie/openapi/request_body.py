"""The Request Body Object of a handler (§4.8.13 of OpenAPI 3.1.1)."""

from inspect import Parameter as Signature

from micropie import Parameter
from micropie.openapi.json_values import default
from micropie.openapi.schemas import FILE, Schema, Schemas, object_schema
from micropie.openapi.text_schemas import form_schema

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def request_body(parameters: tuple[Parameter, ...], schemas: Schemas) -> Schema:
    """The Request Body Object of a handler's parameters; empty where none of them is in the body."""
    taken = [one for one in parameters if one.source in ("body", "file") and one.kind != "rest"]
    if not taken:
        return {}
    needed = any(is_needed(one, schemas) for one in taken)
    return {"content": content_of(taken, schemas), **({"required": True} if needed else {})}


def content_of(taken: list[Parameter], schemas: Schemas) -> Schema:
    """A schema by media type: JSON, and a form where that is equal; multipart with files; a text or bytes alone."""
    if len(taken) == 1 and taken[0].is_body and taken[0].annotation in (str, bytes):
        return plain(taken[0], schemas)
    objects = [schemas.constrained(one.annotation, one.metadata) for one in taken if one.is_body]
    if fields := [one for one in taken if one.source == "body" and not one.is_body]:
        objects.append(members(fields, schemas))
    if files := [one for one in taken if one.source == "file"]:
        return multipart(objects, files, schemas)
    both = json_or_form(objects, schemas)
    return dict(reversed(both.items())) if fields else both  # what a form is for comes first as a form


def plain(parameter: Parameter, schemas: Schemas) -> Schema:
    """A body that is read neither as JSON nor as a form."""
    if parameter.annotation is bytes:
        return {"application/octet-stream": {"schema": FILE}}
    return {"text/plain": {"schema": schemas.constrained(str, parameter.metadata)}}


def is_needed(parameter: Parameter, schemas: Schemas) -> bool:
    """Whether a request must have a body for this parameter. None at all counts as an object without members."""
    schema = schemas.resolved(schemas.constrained(parameter.annotation, parameter.metadata))
    may_be_empty = parameter.is_body and "properties" in schema and "required" not in schema
    return parameter.default is Signature.empty and not may_be_empty


def members(fields: list[Parameter], schemas: Schemas) -> Schema:
    """The object whose members are the handler's parameters."""
    plain = {one.key: schemas.constrained(one.annotation, one.metadata) for one in fields}
    properties = {one.key: {**plain[one.key], **default(one.default)} for one in fields}
    return object_schema(properties, [one.key for one in fields if one.default is Signature.empty])


def json_or_form(objects: list[Schema], schemas: Schemas) -> Schema:
    """The JSON schema of the objects together, and that of the form which is equal to it, if there is one."""
    form = form_schema(objects, schemas)
    content = {JSON: {"schema": objects[0] if len(objects) == 1 else {"allOf": objects}}}
    return content if form is None else {**content, FORM: {"schema": form}}


def multipart(objects: list[Schema], files: list[Parameter], schemas: Schemas) -> Schema:
    """A multipart form: the files, and the fields beside them."""
    form = form_schema(objects, schemas) or object_schema({}, [])
    properties = {**form["properties"], **{one.key: file_schema(one) for one in files}}
    required = [*form.get("required", ()), *(one.key for one in files if one.default is Signature.empty)]
    return {MULTIPART: {"schema": object_schema(properties, required)}}


def file_schema(parameter: Parameter) -> Schema:
    """The schema of a form's field that is a file, or several."""
    several = getattr(parameter.annotation, "__origin__", None) is list
    return {"type": "array", "items": FILE} if several else FILE
