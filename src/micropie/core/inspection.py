"""For tools: the routes that an application answers, and what it is made with."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from micropie.core.basics.service import Service
from micropie.core.engine import ERROR_FORMS, Engine
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint, Guards
from micropie.core.handlers.parameter import AUTO, PATH, POSITIONAL, REQUIRED, Parameter
from micropie.core.handlers.providers import Provider
from micropie.core.handlers.user_function import place_of
from micropie.core.routing.addressing import client_parameters, path_template, verbs_of
from micropie.core.routing.class_warnings import class_warnings
from micropie.core.routing.path_templates import Template, identities_in, joined, names_in
from micropie.core.routing.router import Router
from micropie.core.routing.targets import MountedApp
from micropie.core.routing.tree import Branch
from micropie.core.sessions.backends import SessionBackend

if TYPE_CHECKING:
    from micropie.core.app import App


class Route(NamedTuple):
    """One thing that an application answers.

    `kind` is `"http"`, `"websocket"` or `"mount"`; `path` a template such as `/notes/{id}`, with `{rest*}` for what
    `*args` take; `verbs` are empty where every method is answered; `name` leads from the application to the handler.
    The `source` of each parameter says where a client puts it: `"path"`, `"query"`, `"body"`, `"header"` and so on.
    `problems` say what of its signature can't be served as it reads. `identities` are the parameters that stand between
    the names of the path; those above an `App` or a `Mount` are no parameters of the handler itself. `providers` are
    those that it and the guards before it ask for, behind those that these ask for: each has its class, `kind`, and its
    `parameters`. `guard_parameters` are those of the guards, but for identities.
    `error_results` are the return annotations of the `_on_error`s that are asked of what goes wrong, innermost first;
    `errors` is the form of what they don't answer, by `App(errors=...)`.

        for route in routes(app):
            print(route.path, route.name)
    """

    kind: str
    path: str
    verbs: tuple[str, ...]
    name: str
    owner: Any
    """The `App` or controller that has the handler."""
    handler: Any
    """The bound method; of a mount the other application."""
    parameters: tuple[Parameter, ...] = ()
    returns: Any = Any
    """The return annotation; `Any` without one."""
    file: str | None = None
    """The file in which the handler is written."""
    line: int | None = None
    """The line of that file."""
    doc: str = ""
    """The handler's docstring."""
    problems: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    providers: tuple[Provider, ...] = ()
    error_results: tuple[Any, ...] = ()
    errors: str = ERROR_FORMS[0]
    guard_parameters: tuple[Parameter, ...] = ()


class _Asked(NamedTuple):
    """What the guards of a branch ask for."""

    providers: tuple[Provider, ...] = ()
    parameters: tuple[Parameter, ...] = ()


def routes(app: "App") -> list[Route]:
    """All routes of an application, `app`, and of the applications of ours below it, in order of definition.

    for route in routes(app):
        print(*route.verbs, route.path, route.name)
    """
    router = app._micropie.router
    return list(_routes_below(router, router.root, (), "", _Asked()))


def _routes_below(router: Router, branch: Branch, above: Template, name: str, asked: _Asked) -> Iterator[Route]:
    """The routes of a branch, below the path and the name of its application, whose guards ask for something, too."""
    for entry in branch.entries:
        if isinstance(entry, Branch):
            yield from _routes_below(router, entry, above, name, asked)
        elif isinstance(entry, MountedApp):
            own = dotted(name, *names_in(branch.path), entry.name)
            yield from _routes_of_handover(entry, above, own, _asked_by(router, entry.guards, asked))
        elif (verbs := verbs_of(branch, entry)) is not None:
            own = dotted(name, *names_in(branch.path), entry.name)
            yield _route(router, branch, entry, verbs, above, own, _asked_by(router, entry.guards, asked))


def _asked_by(router: Router, guards: Guards, above: _Asked) -> _Asked:
    """What these guards of an application ask for, behind what those above it do."""
    plans = [guard.plan for guard in guards if guard.plan is not None]
    kinds = [kind for plan in plans for kind in plan.provided]
    parameters = [one for plan in plans for one in plan.parameters if one.source not in (AUTO, PATH)]
    return _Asked((*above.providers, *router.providers.needed(kinds)), (*above.parameters, *parameters))


def _routes_of_handover(handover: MountedApp, above: Template, name: str, asked: _Asked) -> Iterator[Route]:
    path = above + handover.path
    if handover.is_micropie:
        yield from _routes_below(handover.router, handover.router.root, path, name, asked)
    else:
        above = identities_in(path)
        parameters = tuple(map(_identity, above))
        yield Route("mount", joined(path), (), name, handover.owner, handover.app, parameters, identities=above)


def _route(
    router: Router,
    branch: Branch,
    endpoint: Endpoint,
    verbs: tuple[str, ...],
    above: Template,
    name: str,
    asked: _Asked,
) -> Route:
    file, line = place_of(endpoint.handler) or (None, None)
    identities = identities_in(above)
    return Route(
        "websocket" if endpoint.name.startswith(WEBSOCKET) else "http",
        joined(above) + path_template(branch, endpoint) or "/",
        verbs,
        name,
        branch.owner,
        endpoint.handler,
        (*map(_identity, identities), *client_parameters(branch, endpoint)),
        endpoint.plan.returns,
        file,
        line,
        inspect.getdoc(endpoint.handler) or "",
        endpoint.plan.problems,
        identities + endpoint.identities,
        tuple(dict.fromkeys((*asked.providers, *router.providers.needed(endpoint.plan.provided)))),
        tuple(handler.plan.returns for handler in endpoint.error_handlers),
        branch.owners[0]._micropie.errors,
        asked.parameters,
    )


def _identity(name: str) -> Parameter:
    """A segment above an application, which its handlers are not given."""
    return Parameter(name, Any, (), PATH, name, REQUIRED, POSITIONAL, is_body=False)


def dotted(*names: str) -> str:
    """The names with dots between them, without empty ones."""
    return ".".join(filter(None, names))


class Configuration:
    """The parts that an application is made with, to be read by tools.

    `session_backend` keeps its sessions; `applications` are the `App`s that are branches of it, at any depth of its own
    controllers; `services` are what is started and stopped with it; `oversights` are sentences on what in its classes
    is probably not meant as it stands; `surplus_path_status` answers path segments that no parameter takes.

        configuration(app).templates.globals["shop"] = "Pies"
    """

    def __init__(self, app: "App") -> None:
        engine: Engine = app._micropie
        self.session_backend: SessionBackend = engine.sessions.backend
        self.applications: list[Any] = [found.app for found in engine.router.mounted_apps if found.is_micropie]
        self.services: list[Service] = engine.router.services()
        self.oversights: tuple[str, ...] = tuple(class_warnings(engine.router.root))
        self.surplus_path_status: int = engine.surplus_path_status
        self._templates = engine.templates

    @property
    def templates(self) -> Any:
        """The `jinja2.Environment`. `MissingDependency` without Jinja2."""
        return self._templates.environment


def configuration(app: "App") -> Configuration:
    """The configuration of an application, `app`.

    for sentence in configuration(app).oversights:
        print(sentence)
    """
    return Configuration(app)
