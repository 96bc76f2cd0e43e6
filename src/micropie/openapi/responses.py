"""The Responses Object of a handler, made of its return annotation and docstring (§4.8.16 of OpenAPI 3.1.1)."""

from collections.abc import AsyncIterable, Iterator
from http import HTTPStatus
from typing import Annotated, Any, get_args, get_origin

from micropie import Route
from micropie.openapi.docstring import Told
from micropie.openapi.request_body import JSON
from micropie.openapi.schemas import REFERENCE, UNIONS, Schema, Schemas

HTML, PROBLEM, ANYTHING = "text/html", "application/problem+json", "*/*"
TEXT: Schema = {"type": "string"}
OK, NO_CONTENT, BAD_REQUEST = 200, 204, 400

FAULT: Schema = {
    "type": "object",
    "properties": {
        "in": {"enum": ["path", "query", "body", "header", "cookie", "session", "file"]},
        "name": {"type": "string"},
        "message": {"type": "string"},
    },
    "required": ["in", "name", "message"],
}

PROBLEM_SCHEMA: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": FAULT},
    },
}

ERROR_CONTENT: Schema = {PROBLEM: {"schema": {"$ref": f"{REFERENCE}Problem"}}, HTML: {"schema": TEXT}}

SHARED: Schema = {
    "Invalid": {"description": "Something is missing, or is not what it should be.", "content": ERROR_CONTENT},
    "Error": {"description": "Any other error.", "content": ERROR_CONTENT},
}
"""The responses that most handlers have, as components."""


def responses(route: Route, told: Told, schemas: Schemas) -> Schema:
    """Responses by status: those of the annotation and of the docstring, and the errors that any handler may give."""
    found = {**{status: {} for status in told.statuses}, **returned(route.returns, told, schemas)}
    invalid = {"400": {"$ref": "#/components/responses/Invalid"}}
    return {
        **{str(status): response(status, told, found[status]) for status in sorted(found)},
        **(invalid if takes_input(route) and BAD_REQUEST not in found else {}),
        "default": {"$ref": "#/components/responses/Error"},
    }


def response(status: int, told: Told, content: Schema) -> Schema:
    """The Response Object of a status (§4.8.17)."""
    shown = ERROR_CONTENT if status >= BAD_REQUEST else content
    return {"description": told.statuses.get(status) or phrase(status), **({"content": shown} if shown else {})}


def phrase(status: int) -> str:
    """The meaning of a status in the words of RFC 9110."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Answer"


def takes_input(route: Route) -> bool:
    """Whether a client can send the handler something wrong."""
    return any(one.source not in ("session", "context") for one in route.parameters)


def returned(annotation: Any, told: Told, schemas: Schemas) -> dict[int, Schema]:
    """The content by status. No status is annotated: the first one below 400 in the docstring is meant."""
    good = [status for status in told.statuses if status < BAD_REQUEST]
    filled = next((status for status in good if status != NO_CONTENT), OK)
    found: dict[int, Schema] = {}
    for outcome in outcomes(annotation):
        if outcome is Any:
            found.setdefault(good[0] if good else OK, {})
        elif outcome is type(None):
            found.setdefault(NO_CONTENT, {})
        else:
            found[filled] = {**found.get(filled, {}), **content(outcome, schemas)}
    return found


def outcomes(annotation: Any) -> Iterator[Any]:
    """The types of body that a return annotation declares; `Any` for one of which nothing is known."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from outcomes(args[0])
    elif origin in UNIONS:
        for one in args:
            yield from outcomes(one)
    elif origin is tuple and len(args) in (2, 3) and ... not in args:
        yield from _with_status(*args[1:])
    else:
        yield type(None) if annotation is None else annotation


def _with_status(body: Any, headers: Any = None) -> Iterator[Any]:
    """The types of body in `(status, body, headers)`. None makes no 204 here; headers may name a text's media type."""
    for one in outcomes(body):
        is_text = isinstance(one, type) and issubclass(one, str)
        yield Any if one is type(None) else bytes if is_text and headers is not None else one


def content(outcome: Any, schemas: Schemas) -> Schema:
    """A schema by media type for one type of body; empty for a body that may be anything."""
    kind = get_origin(outcome) or outcome
    if isinstance(kind, type) and issubclass(kind, (bytes, bytearray, memoryview, AsyncIterable, Iterator)):
        return {ANYTHING: {}}
    if isinstance(kind, type) and issubclass(kind, str):
        return {HTML: {"schema": TEXT}}
    schema = schemas.of(outcome)
    return {JSON: {"schema": schema}} if schema else {}
