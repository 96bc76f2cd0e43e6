"""The Parameter Objects of a handler (§4.8.12 of OpenAPI 3.1.1): what a client sends, but for the body."""

from collections.abc import Iterable, Iterator
from inspect import Parameter as Signature

from micropie import Parameter
from micropie.openapi.json_values import default
from micropie.openapi.schemas import Schema, Schemas
from micropie.openapi.text_schemas import TEXT, is_flat, not_blank, text_schema, without_null

PLACES = ("path", "query", "header", "cookie")

DESCRIBED_ELSEWHERE = ("accept", "content-type", "authorization")
"""Headers that are no parameters (§4.8.12.1): the content says the first two, `security` the last."""


def parameters(taken: Iterable[Parameter], schemas: Schemas) -> list[Schema]:
    """The Parameter Objects of a handler's parameters, of a record that takes the whole query those of its members.

    A member that is called like another parameter is the same field: of the two the one that is required is shown.
    """
    found: dict[tuple[str, str], Schema] = {}
    for one in filter(is_parameter, taken):
        for described in described_by(one, schemas):
            key = described["in"], described["name"]
            if key not in found or (described["required"] and not found[key]["required"]):
                found[key] = described
    return list(found.values())


def described_by(taken: Parameter, schemas: Schemas) -> list[Schema]:
    """The Parameter Objects of one parameter: of a record one for each member, else one."""
    schema = text_schema(taken, schemas)
    record = schemas.resolved(schema)
    if taken.source == "query" and "properties" in record:
        return list(of_members(record, schemas, is_needed=is_required(taken)))
    needed = taken.source == "path" or (is_required(taken) and not may_be_empty(record, schemas))
    described = parameter(taken.key, taken.source, {**schema, **default(taken.default)}, required=needed)
    # OpenAPI has no word for the rest of a path.
    return [{**described, **({"x-segments": True} if taken.kind == "variadic" else {})}]


def of_members(record: Schema, schemas: Schemas, *, is_needed: bool) -> Iterator[Schema]:
    """The Parameter Objects of a record's members. What a query can't hold is not shown, unless it has to be there."""
    for name, member in record["properties"].items():
        schema = without_null(member) or TEXT
        is_of_record = name in record.get("required", ())
        if is_of_record or is_flat(schema, schemas):
            required = is_of_record and is_needed
            yield parameter(name, "query", not_blank(schema) if required else schema, required=required)


def may_be_empty(schema: Schema, schemas: Schemas) -> bool:
    """True for one of several records of which one needs no field at all."""
    alternatives = [schemas.resolved(one) for one in schema.get("anyOf") or schema.get("oneOf", ())]
    return any(("properties" in one and "required" not in one) or may_be_empty(one, schemas) for one in alternatives)


def is_required(parameter: Parameter) -> bool:
    """True if the handler can't do without the parameter."""
    return parameter.default is Signature.empty and parameter.kind not in ("variadic", "rest")


def is_parameter(parameter: Parameter) -> bool:
    """True if a Parameter Object describes the parameter, and neither the body nor `security`."""
    is_header = parameter.source == "header"
    elsewhere = is_header and parameter.key.lower() in DESCRIBED_ELSEWHERE
    return parameter.source in PLACES and parameter.kind != "rest" and not elsewhere


def parameter(name: str, place: str, schema: Schema, *, required: bool) -> Schema:
    """A Parameter Object, which has the words of the schema beside it."""
    words: Schema = {word: schema[word] for word in ("description", "deprecated") if word in schema}
    return {
        "name": name,
        "in": place,
        "required": required,
        # A blank value counts as absent.
        **({"allowEmptyValue": True} if place == "query" and not required else {}),
        **words,
        "schema": {key: part for key, part in schema.items() if key not in words},
    }
