"""The Responses Object of a handler, made of its return annotation and docstring (§4.8.16 of OpenAPI 3.1.1)."""

import re
from collections.abc import AsyncIterable, Iterator
from http import HTTPStatus
from typing import Any, get_origin

from micropie import Faults, Reply, Route, ServerSentEvent, ServerSentEvents
from micropie.openapi.components import REFERENCE
from micropie.openapi.docstring import Told
from micropie.openapi.outcomes import Outcome, items_of_stream, outcomes, outcomes_of
from micropie.openapi.request_body import JSON
from micropie.openapi.schemas import FILE, Schema, Schemas, any_of

HTML, PROBLEM, ANYTHING = "text/html", "application/problem+json", "*/*"
EVENTS, JSON_LINES = "text/event-stream", "application/x-ndjson"
ITEM = "x-itemSchema"
"""The schema of each object of a stream, which OpenAPI calls `itemSchema` from 3.2 on."""

TEXT: Schema = {"type": "string"}
OK, NO_CONTENT, NOT_MODIFIED, BAD_REQUEST, UNAUTHORIZED, UNPROCESSABLE = 200, 204, 304, 400, 401, 422
OURS = ("session", "context", "provider")
"""The places of values that no client sends."""


MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(;.*)?")
CHUNKS = (bytes, bytearray, memoryview, AsyncIterable, Iterator)
"""Bodies that are sent as they are, at once or in pieces."""

UNKNOWN = (Any, Reply)
"""Results that may be anything."""

UNDESCRIBED = (ANYTHING, EVENTS, JSON_LINES, "application/jsonl", "application/json-seq")
"""Media types without a schema: what is not known, and sequences, which OpenAPI has no schema for before 3.2."""

EVENT_FIELDS: Schema = {"event": TEXT, "id": TEXT, "retry": {"type": "integer", "minimum": 0}}
"""The fields of a server-sent event beside its data."""

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
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "errors": {"type": "array", "items": FAULT},
    },
    "required": ["type", "title", "status"],
}

AS_PROBLEM: Schema = {PROBLEM: {"schema": {"$ref": f"{REFERENCE}Problem"}}}
ERROR_CONTENT: dict[str, Schema] = {"negotiated": {**AS_PROBLEM, HTML: {"schema": TEXT}}, "problem": AS_PROBLEM}
"""What errors are sent as, by `App(errors=...)`."""

INVALID, ERROR = "Something is missing, or is not what it should be.", "Any other error."


def shared_responses(shown: list[Route]) -> Schema:
    """The responses that most handlers have, as components; an application below another may have others."""
    found: Schema = {}
    for form in dict.fromkeys([route.errors for route in shown] or ["negotiated"]):
        invalid, error = names_of_shared(form)
        found[invalid] = {"description": INVALID, "content": ERROR_CONTENT[form]}
        found[error] = {"description": ERROR, "content": ERROR_CONTENT[form]}
    return found


def names_of_shared(form: str) -> tuple[str, str]:
    """The names of the shared responses, to wrong input and to anything else."""
    return ("InvalidProblem", "ErrorProblem") if form == "problem" else ("Invalid", "Error")


def responses(route: Route, told: Told, schemas: Schemas, *, is_guarded: bool) -> Schema:
    """Responses by status: those of the annotations and of the docstring, and the errors that any handler may give."""
    errors = ERROR_CONTENT[route.errors]
    invalid, error = (f"#/components/responses/{name}" for name in names_of_shared(route.errors))
    in_place = in_place_of_errors(route)
    found = {**{status: {} for status in told.statuses}, **returned(route, told, in_place, schemas)}
    answers_faults = any(one.annotation is Faults for one in route.parameters)
    may_be_invalid = not answers_faults and any(one.source not in OURS for one in route.parameters)
    if answers_faults:
        found.setdefault(UNPROCESSABLE, {HTML: {"schema": TEXT}})
    if is_guarded:
        found.setdefault(UNAUTHORIZED, {})
    for status, sent in found.items():
        if status >= BAD_REQUEST and (not sent or status in in_place or (may_be_invalid and status == BAD_REQUEST)):
            found[status] = {**errors, **sent}
    others = in_place.get(None, [])
    return {
        **{str(status): response(status, told, found[status]) for status in sorted(found)},
        **({"400": {"$ref": invalid}} if may_be_invalid and BAD_REQUEST not in found else {}),
        "default": {"description": ERROR, "content": {**errors, **any_content(others, schemas)}}
        if others
        else {"$ref": error},
    }


def in_place_of_errors(route: Route) -> dict[int | None, list[Outcome]]:
    """The outcomes of the `_on_error`s by status; by None where it may be any."""
    found: dict[int | None, list[Outcome]] = {}
    for outcome in (one for annotation in route.error_results for one in outcomes(annotation)):
        if outcome.kind is type(None) and not outcome.has_status:  # it is not theirs
            continue
        is_open = outcome.kind in UNKNOWN or outcome.has_status
        for status in outcome.statuses or ((None if is_open else OK),):
            found.setdefault(status, []).append(outcome)
    return found


def any_content(outcomes: list[Outcome], schemas: Schemas) -> Schema:
    """The content of what may have any status; of any type, where that is not known."""
    return {**content(outcomes, schemas), **({ANYTHING: {}} if any(one.kind in UNKNOWN for one in outcomes) else {})}


def response(status: int, told: Told, content: Schema) -> Schema:
    """The Response Object of a status (§4.8.17)."""
    return {"description": told.statuses.get(status) or phrase(status), **({"content": content} if content else {})}


def phrase(status: int) -> str:
    """The meaning of a status in the words of RFC 9110."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Answer"


def returned(
    route: Route, told: Told, in_place: dict[int | None, list[Outcome]], schemas: Schemas
) -> dict[int, Schema]:
    """The content by status: what the handler returns, and its branches in place of errors."""
    good = [status for status in told.statuses if status < BAD_REQUEST]
    found: dict[int, list[Outcome]] = {}
    for outcome in outcomes_of(route):
        for status in outcome.statuses or (assumed(outcome, good),):
            found.setdefault(status, []).append(outcome)
    for known, outcomes_in_place in in_place.items():
        if known is not None:
            found.setdefault(known, []).extend(outcomes_in_place)
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
            for name in media_types(outcome):
                by_type.setdefault(name, []).append(outcome)
    found = {name: media(of_type, name, schemas) for name, of_type in by_type.items()}
    return {name: described for name, described in found.items() if described or name != JSON}


def media_types(outcome: Outcome) -> tuple[str, ...]:
    """The media type in the annotation, `Annotated[bytes, "image/png"]`; else those that go out, as clients prefer.

    Headers beside a text, bytes or a stream name another, which is not known.
    """
    named = next(filter(is_media_type, outcome.metadata), None)
    if named is not None:
        return (str(named),)
    if not is_kind(outcome, (str, *CHUNKS)):
        return (JSON,)
    if outcome.has_headers:
        return (ANYTHING,)
    return (EVENTS, JSON_LINES) if items_of_stream(outcome) else (HTML,)


def media(outcomes: list[Outcome], name: str, schemas: Schemas) -> Schema:
    """The Media Type Object of bodies of one type (§4.8.14)."""
    schema = schema_of(outcomes, name, schemas)
    items = [item for outcome in outcomes for item in items_of_stream(outcome)]
    return {
        **({"schema": schema} if schema else {}),
        **({ITEM: item_schema(items, name, schemas)} if items and not schema else {}),
    }


def item_schema(items: list[Any], media_type: str, schemas: Schemas) -> Schema:
    """The schema of one object of a stream: of a server-sent event the data is its JSON."""
    is_known = not any(event in items for event in (ServerSentEvent, ServerSentEvents))
    schema = schemas.union(items) if is_known else {}
    if media_type.partition(";")[0] != EVENTS:
        return schema
    content = {"contentMediaType": JSON, "contentSchema": schema} if is_known else {}
    return {"type": "object", "properties": {**EVENT_FIELDS, "data": {**TEXT, **content}}}


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
