"""The Request Body Object of a handler (§4.8.13 of OpenAPI 3.1.1)."""

from inspect import Parameter as Signature
from typing import Any, get_args, get_origin

from micropie import Faults, Parameter, Route
from micropie.openapi.json_values import default
from micropie.openapi.schemas import FILE, UNIONS, Schema, Schemas, object_schema
from micropie.openapi.text_schemas import form_schema, is_file, without_null

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def request_body(route: Route, schemas: Schemas, *, by_form: bool) -> Schema:
    """The Request Body Object of a handler; empty if it takes nothing from the body."""
    taken = [one for one in route.parameters if one.source in ("body", "file") and one.kind != "rest"]
    if not taken and not by_form:
        return {}
    needed = any(is_needed(one, schemas) for one in taken)
    shows_form = any(one.annotation is Faults for one in route.parameters)
    content = as_form(route, taken, schemas) if by_form else as_it_needs(taken, schemas, shows_form=shows_form)
    return {"content": content, **({"required": True} if needed else {})}


def is_needed(parameter: Parameter, schemas: Schemas) -> bool:
    """True if a request must have a body for this parameter. None at all counts as an object without members."""
    schema = schemas.resolved(schemas.constrained(parameter.annotation, parameter.metadata))
    may_be_empty = parameter.is_body and "properties" in schema and "required" not in schema
    return parameter.default is Signature.empty and not may_be_empty


def objects_of(taken: list[Parameter], schemas: Schemas) -> list[Schema]:
    """The objects that are the body together: one for each parameter that takes it whole, one for all others."""
    whole = [schemas.constrained(one.annotation, one.metadata) for one in taken if one.is_body]
    fields = [one for one in taken if not one.is_body]
    return [*whole, members(fields, schemas)] if fields else whole


def members(fields: list[Parameter], schemas: Schemas) -> Schema:
    """The object whose members are the handler's parameters."""
    properties = {
        one.key: {
            **schemas.constrained(one.annotation, one.metadata),
            **(default(one.default) if one.source != "file" else {}),
        }
        for one in fields
    }
    return object_schema(properties, [one.key for one in fields if one.default is Signature.empty])


# -- media types --------------------------------------------------------------------------------------


def as_it_needs(taken: list[Parameter], schemas: Schemas, *, shows_form: bool) -> Schema:
    """A schema by media type: a multipart form where files are in it, a text or bytes as they are, else JSON.

    Of a handler that shows a form again, by its `Faults`, it is that form, if one can hold the values.
    """
    objects = objects_of(taken, schemas)
    if has_files(objects, schemas):
        files = [one for one in taken if one.source == "file"]
        return {MULTIPART: {"schema": form_schema(objects, schemas) or members(files, schemas)}}
    if len(taken) == 1 and taken[0].is_body and bare(taken[0].annotation) in (str, bytes):
        return plain(taken[0], schemas)
    if shows_form and (form := form_schema(objects, schemas)) is not None:
        return {FORM: {"schema": form}}
    return {JSON: {"schema": objects[0] if len(objects) == 1 else {"allOf": objects}}}


def as_form(route: Route, taken: list[Parameter], schemas: Schemas) -> Schema:
    """A form by its media type. TypeError if a form has no place for what the handler takes."""
    objects = objects_of(taken, schemas)
    form = form_schema(objects, schemas) if taken else {"type": "object"}
    if form is None:
        raise TypeError(
            f"{type(route.owner).__name__}.{route.handler.__name__} is marked with @form, and takes what a form has no "
            "place for: it holds texts, numbers and the like, lists of them, and files. Take the mark off"
        )
    return {MULTIPART if has_files(objects, schemas) else FORM: {"schema": form}}


def plain(parameter: Parameter, schemas: Schemas) -> Schema:
    """A body that is neither JSON nor a form. An empty one is none."""
    least = {"minLength": 1} if parameter.default is Signature.empty else {}
    if bare(parameter.annotation) is bytes:
        return {"application/octet-stream": {"schema": {**least, **FILE}}}
    return {"text/plain": {"schema": {**least, **schemas.constrained(str, parameter.metadata)}}}


def bare(annotation: Any) -> Any:
    """The type without the alternative None."""
    others = [one for one in get_args(annotation) if one is not type(None)]
    return others[0] if get_origin(annotation) in UNIONS and len(others) == 1 else annotation


def has_files(objects: list[Schema], schemas: Schemas) -> bool:
    """True if a file, or a list of files, is among the members of the body."""
    whole = [schemas.resolved(without_null(one)).get("properties", {}) for one in objects]
    shown = [without_null(member) for properties in whole for member in properties.values()]
    return any(is_file(one) or is_file(one.get("items", {})) for one in shown)
