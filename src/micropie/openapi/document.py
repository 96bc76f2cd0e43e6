"""The OpenAPI document of an application, read from its routes.

https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from micropie import App, Route, routes
from micropie.openapi.components import Components
from micropie.openapi.docstring import own_docstring, told_by
from micropie.openapi.marks import FORM, UNLISTED, is_marked
from micropie.openapi.operation import describe, operations, with_providers
from micropie.openapi.responses import PROBLEM_SCHEMA, shared_responses
from micropie.openapi.schemas import Schema, Schemas
from micropie.openapi.security import AUTHORIZATION, Guarded, guarded, requirements, security_schemes
from micropie.openapi.settings import settings_of

VERSION = "3.1.1"

FIRST = "1.0.0"
"""The version of an API that does not say its own."""

NEEDED = ("paths", "security")
"""The parts of a document that are there if they are empty too."""

PLACEHOLDER = re.compile(r"{(.*?)}")


def openapi(
    app: App,
    *,
    title: str | None = None,
    version: str | None = None,
    description: str | None = None,
    servers: Iterable[str] = (),
    select: Callable[[Route], bool] | None = None,
) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application, `app`, as its `Docs` serves it.

    What you don't give is what the `Docs` in its class says, else the class: its name is the `title`, its docstring the
    `description`; the `version` is 1.0.0. `select(route)` says whether a `Route` is shown, `servers` are the URLs where
    they are served if not where the document is.

        document = openapi(app, title="Todo", version="2.1")
    """
    settings = settings_of(app)
    select = select or settings.select
    shown = [route for route in routes(app) if not is_marked(UNLISTED, app, route) and (not select or select(route))]
    components = Components({"Problem": PROBLEM_SCHEMA})
    told = next((one for one in (description, settings.description) if one is not None), own_docstring(type(app)))
    parts = {
        "openapi": VERSION,
        "info": {
            "title": title or settings.title or type(app).__name__,
            "version": version or settings.version or FIRST,
            **({"description": told} if told else {}),
        },
        "servers": [{"url": url} for url in servers] or [{"url": "/"}],  # which is the default (§4.8.1.1)
        "tags": tags(shown, app),
        "paths": paths(app, shown, components),
        "x-websockets": websockets(app, shown, components.taken),
    }
    parts["security"] = []  # what an operation says nothing of needs nothing, which checkers want to read
    document, schemas = components.joined({name: one for name, one in parts.items() if one or name in NEEDED})
    shared = shared_components(document, shown, security_schemes(app, shown))
    return {**document, "components": {"schemas": schemas, **shared}}


def tags(shown: list[Route], app: App) -> list[Schema]:
    """A tag for each class that has a handler, in their order; a controller's docstring describes it."""
    owners = {type(route.owner).__name__: route.owner for route in shown if route.kind != "mount"}
    return [{"name": name, **(described(owner) if owner is not app else {})} for name, owner in owners.items()]


def described(owner: object) -> Schema:
    """The description of a tag: the docstring of its class, unless that is inherited and so about something else."""
    text = own_docstring(type(owner))
    return {"description": text} if text else {}


def paths(app: App, shown: list[Route], components: Components) -> Schema:
    """The Paths Object: each path with its verbs."""
    found: dict[str, Schema] = {}
    paths_by_shape: dict[str, str] = {}
    for route in shown:
        if route.kind == "http":
            own = template(route.path)
            path = paths_by_shape.setdefault(PLACEHOLDER.sub("{}", own), own)
            item = found.setdefault(path, {})
            by_form = is_marked(FORM, app, route)
            named, guards = with_names_of(path, route), guarded(app, route)
            for verb, described in operations(named, components, guards, by_form=by_form).items():
                item.setdefault(verb.lower(), described)
    return {path: item for path, item in found.items() if item}


def with_names_of(path: str, route: Route) -> Route:
    """The route with the parameters' names of a path: two that differ in names only would be the same (§4.8.8)."""
    names = iter(PLACEHOLDER.findall(path))
    renamed = [one._replace(key=next(names)) if one.source == "path" else one for one in route.parameters]
    return route._replace(parameters=tuple(renamed))


def template(path: str) -> str:
    """The path as OpenAPI writes it: it has no word for the rest of a path, `{rest*}`."""
    return path.replace("*}", "}")


def websockets(app: App, shown: list[Route], schemas: Schemas) -> list[Schema]:
    """The WebSocket handlers, described like operations. OpenAPI has no place for them but an extension."""
    return [websocket(route, schemas, guarded(app, route)) for route in shown if route.kind == "websocket"]


def websocket(route: Route, schemas: Schemas, guards: list[Guarded]) -> Schema:
    """The description of one WebSocket handler."""
    route = with_providers(route)
    described = describe(route, told_by(route), schemas)
    security = requirements(guards, ())
    parts = {"path": template(route.path), "operationId": route.name, **described, "security": security}
    return {name: part for name, part in parts.items() if part}


def shared_components(document: Schema, shown: list[Route], schemes: dict[str, Schema]) -> Schema:
    """The components that are no schemas (§4.8.7): the responses of every handler, and how clients say who they are."""
    needed = [one for item in document["paths"].values() for one in item.values()]
    names = {name for one in needed for choice in one.get("security", ()) for name in choice}
    schemes = {"Authorization": AUTHORIZATION, **schemes} if "Authorization" in names else schemes
    return {"responses": shared_responses(shown), **({"securitySchemes": schemes} if schemes else {})}
