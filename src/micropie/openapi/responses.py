"""The Responses Object of a handler, made of its return annotation and docstring (§4.8.16 of OpenAPI 3.1.1)."""

import re
from collections.abc import AsyncIterable, Iterator
from http import HTTPStatus
from typing import Any, get_origin

from micropie import Faults, Route
from micropie.openapi.components import REFERENCE
from micropie.openapi.docstring import Told
from micropie.openapi.outcomes import Outcome, outcomes_of
from micropie.openapi.request_body import JSON
from micropie.openapi.schemas import FILE, Schema, Schemas, any_of

HTML, PROBLEM, ANYTHING = "text/html", "application/problem+json", "*/*"
TEXT: Schema = {"type": "string"}
OK, NO_CONTENT, NOT_MODIFIED, BAD_REQUEST, UNAUTHORIZED, UNPROCESSABLE = 200, 204, 304, 400, 401, 422
OURS = ("session", "context", "provider")
"""The places of values that no client sends."""


MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;.*)?")
CHUNKS = (bytes, bytearray, memoryview, AsyncIterable, Iterator)
"""Bodies that are sent as they are, at once or in pieces."""

UNDESCRIBED = (ANYTHING, "text/event-stream", "application/x-ndjson", "application/jsonl", "application/json-seq")
"""Media types without a schema: what is not known, and sequences, which OpenAPI has no schema for before 3.2."""

FAULT: Schema = {
    "type": "object",
    "properties": {
        "in": {"type": "string", "enum": ["path", "query", "body", "header", "cookie", "session", "file"]},
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


def responses(route: Route, told: Told, schemas: Schemas, *, is_guarded: bool) -> Schema:
    """Responses by status: those of the annotation and of the docstring, and the errors that any handler may give."""
    found = {**{status: {} for status in told.statuses}, **returned(route, told, schemas)}
    answers_faults = any(one.annotation is Faults for one in route.parameters)
    may_be_invalid = not answers_faults and any(one.source not in OURS for one in route.parameters)
    if answers_faults:
        found.setdefault(UNPROCESSABLE, {HTML: {"schema": TEXT}})
    if may_be_invalid and BAD_REQUEST in found:
        found[BAD_REQUEST] = {**ERROR_CONTENT, **found[BAD_REQUEST]}
    if is_guarded:
        found.setdefault(UNAUTHORIZED, {})
    invalid = {"400": {"$ref": "#/components/responses/Invalid"}}
    return {
        **{str(status): response(status, told, found[status]) for status in sorted(found)},
        **(invalid if may_be_invalid and BAD_REQUEST not in found else {}),
        "default": {"$ref": "#/components/responses/Error"},
    }


def response(status: int, told: Told, content: Schema) -> Schema:
    """The Response Object of a status (§4.8.17)."""
    shown = content or (ERROR_CONTENT if status >= BAD_REQUEST else {})
    return {"description": told.statuses.get(status) or phrase(status), **({"content": shown} if shown else {})}


def phrase(status: int) -> str:
    """The meaning of a status in the words of RFC 9110."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Answer"


def returned(route: Route, told: Told, schemas: Schemas) -> dict[int, Schema]:
    """The content by status."""
    good = [status for status in told.statuses if status < BAD_REQUEST]
    found: dict[int, list[Outcome]] = {}
    for outcome in outcomes_of(route):
        for status in outcome.statuses or (assumed(outcome, good),):
            found.setdefault(status, []).append(outcome)
    return {
        status: {} if status in (NO_CONTENT, NOT_MODIFIED) else content(of_status, schemas)
        for status, of_status in found.items()
    }


def assumed(outcome: Outcome, good: list[int]) -> int:
    """The status that no annotation says: the first below 400 in the docstring, else the usual one."""
    if outcome.kind is type(None) and not outcome.has_status:
        return NO_CONTENT
    if outcome.kind in (Any, type(None)):
        return next(iter(good), OK)
    return next((status for status in good if status != NO_CONTENT), OK)


# -- content ------------------------------------------------------------------------------------------


def content(outcomes: list[Outcome], schemas: Schemas) -> Schema:
    """A schema by media type for all that one status may bring; empty for what may be anything, or nothing."""
    by_type: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.kind is not type(None):
            by_type.setdefault(media_type(outcome), []).append(outcome)
    found = {name: schema_of(of_type, name, schemas) for name, of_type in by_type.items()}
    return {name: {"schema": schema} if schema else {} for name, schema in found.items() if schema or name != JSON}


def media_type(outcome: Outcome) -> str:
    """The media type in the annotation, `Annotated[bytes, "image/png"]`; else the one that goes out by itself.

    Headers beside a text, bytes or a stream name another, which is not known.
    """
    named = next(filter(is_media_type, outcome.metadata), None)
    if named is not None:
        return str(named)
    if is_kind(outcome, (str, *CHUNKS)):
        return ANYTHING if outcome.has_headers else HTML
    return JSON


def is_media_type(metadata: Any) -> bool:
    """True if a piece of metadata is the name of a media type."""
    return isinstance(metadata, str) and MEDIA_TYPE.fullmatch(metadata) is not None


def is_kind(outcome: Outcome, classes: tuple[type, ...]) -> bool:
    """True if a body is of one of these classes."""
    kind = get_origin(outcome.kind) or outcome.kind
    return isinstance(kind, type) and issubclass(kind, classes)


def schema_of(outcomes: list[Outcome], media_type: str, schemas: Schemas) -> Schema:
    """The schema of bodies of one media type."""
    if not any(is_kind(one, (str, *CHUNKS)) for one in outcomes):
        return schema_of_json(outcomes, schemas)
    if media_type.partition(";")[0] in UNDESCRIBED:
        return {}
    is_text = media_type.startswith("text/") or all(is_kind(one, (str,)) for one in outcomes)
    return TEXT if is_text else FILE


def schema_of_json(outcomes: list[Outcome], schemas: Schemas) -> Schema:
    """The schema of JSON bodies: those with the same metadata are one union."""
    grouped: list[tuple[list[Any], list[Any]]] = []
    for one in outcomes:
        words = [word for word in one.metadata if not is_media_type(word)]
        kinds = next((kinds for known, kinds in grouped if known == words), [])
        if not kinds:
            grouped.append((words, kinds))
        kinds.append(one.kind)
    return any_of(schemas.limited(schemas.union(kinds), words) for words, kinds in grouped)
