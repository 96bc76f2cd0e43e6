"""The Operation Object of a handler: its description, its parameters, its body and its responses.

The sections are those of the OpenAPI Specification 3.1.1.
"""

from micropie import Route
from micropie.openapi.components import Components
from micropie.openapi.docstring import Told, told_by
from micropie.openapi.parameters import is_required, parameters
from micropie.openapi.request_body import request_body
from micropie.openapi.responses import responses
from micropie.openapi.schemas import Schema, Schemas
from micropie.openapi.security import Guarded, requirements

TAKES_BODY = ("POST", "PUT", "PATCH", "DELETE")
"""The verbs whose bodies MicroPie reads."""

VERBS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
"""The verbs that a Path Item has a place for (§4.8.9.1)."""


def operations(route: Route, components: Components, guards: list[Guarded], *, by_form: bool) -> dict[str, Schema]:
    """The Operation Objects of a handler by verb (§4.8.10); `by_form` describes its body as a form."""
    route = with_providers(route)
    told = told_by(route)
    takes_body = not {*TAKES_BODY}.isdisjoint(route.verbs or TAKES_BODY)
    body = request_body(route, components.taken, by_form=by_form) if takes_body else {}
    shared = {
        **describe(route, told, components.taken),
        "responses": responses(route, told, components.sent, is_guarded=bool(guards)),
        "security": requirements(guards, route.parameters),
        "deprecated": told.is_deprecated or bool(getattr(route.handler, "__deprecated__", None)),
    }
    shown = verbs(route, body)
    found: dict[str, Schema] = {}
    for verb in shown:
        name = route.name if verb == shown[0] else f"{route.name}.{verb.lower()}"
        parts = {**shared, "operationId": name, "requestBody": body if verb in TAKES_BODY else {}}
        found[verb] = {key: part for key, part in parts.items() if part}
    return found


def with_providers(route: Route) -> Route:
    """The route with the parameters of its guards and providers behind its own; what several take is one."""
    found = {(one.source, one.key): one for one in route.parameters}
    for one in (*route.guard_parameters, *(one for provider in route.providers for one in provider.parameters)):
        found.setdefault((one.source, one.key), one)
    return route._replace(parameters=tuple(found.values()))


def verbs(route: Route, body: Schema) -> list[str]:
    """The verbs of a handler in the document: the declared ones, else GET, and POST where there is a body to send."""
    if route.verbs:
        return [verb for verb in VERBS if verb in route.verbs and not (verb == "HEAD" and "GET" in route.verbs)]
    if not body:
        return ["GET"]
    is_needed = any(is_required(one) for one in route.parameters if one.source in ("body", "file"))
    return ["POST"] if is_needed else ["GET", "POST"]


def describe(route: Route, told: Told, schemas: Schemas) -> Schema:
    """The part of a description that HTTP and WebSocket handlers have in common."""
    return {
        "tags": [type(route.owner).__name__],
        "summary": told.summary or summary(route.name),
        "description": told.description,
        "parameters": parameters(route.parameters, schemas),
    }


def summary(name: str) -> str:
    """A summary of a handler without a docstring, made of its name in the tree: `Get notes` of `notes.get`."""
    *above, own = name.split(".")
    own = own.removeprefix("ws_")
    words = [own, *above[-1:]] if own.upper() in VERBS else above[-1:] if own == "index" and above else [own]
    text = " ".join(words).replace("_", " ").strip()
    return text[:1].upper() + text[1:]
