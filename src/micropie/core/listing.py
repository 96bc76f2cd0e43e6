"""What tools may know of an application: `routes(app)` is what it answers, `configuration(app)` what it is made with.

They are all that documentation, command lines and test clients read.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from micropie.core.application import Application
from micropie.core.backends import SessionBackend
from micropie.core.body import BODY_METHODS
from micropie.core.controller import is_private
from micropie.core.endpoint import WEBSOCKET, Choice, Endpoint, Handover, is_collection, takes_segment
from micropie.core.optional import late
from micropie.core.signature import AUTO, BODY, KEYWORD, PATH, POSITIONAL, QUERY, REQUIRED, REST, VARIADIC, Parameter
from micropie.core.tree import INDEX, Branch


class Route(NamedTuple):
    """One thing that an application answers.

    `kind` is `"http"`, `"websocket"` or `"mount"`; `path` a template such as `/notes/{id}`, with `{rest*}` for what
    `*args` take; `verbs` are empty where every method is answered; `name` leads from the application to the handler.
    The `source` of each parameter says where a client puts it: `"path"`, `"query"`, `"body"`, `"header"` and so on.
    `problems` say what of its signature can't be served as it reads.

        for route in routes(app):
            print(route.path, route.name)
    """

    kind: str
    path: str
    verbs: tuple[str, ...]
    name: str
    owner: Any
    handler: Any
    parameters: tuple[Parameter, ...] = ()
    returns: Any = Any
    file: str | None = None
    line: int | None = None
    doc: str = ""
    problems: tuple[str, ...] = ()


def routes(app: Application) -> list[Route]:
    """All routes of an application and of the applications of ours below it, in order of definition."""
    return list(_routes_below(app._micropie.router.root, "", ""))


def _routes_below(branch: Branch, path: str, name: str) -> Iterator[Route]:
    """The routes of a branch, at the path and the name of what is above its application."""
    for entry in branch.entries:
        if isinstance(entry, Branch):
            yield from _routes_below(entry, path, name)
        elif isinstance(entry, Handover):
            yield from _routes_of_handover(entry, path, dotted(name, *branch.path, entry.name))
        elif (verbs := verbs_of(branch, entry)) is not None:
            yield _route(branch, entry, verbs, path, dotted(name, *branch.path, entry.name))


def _routes_of_handover(handover: Handover, path: str, name: str) -> Iterator[Route]:
    path += joined(handover.path)
    if handover.is_ours:
        below: Any = handover.app
        yield from _routes_below(below._micropie.router.root, path, name)
    else:
        yield Route("mount", path, (), name, handover.owner, handover.app)


def _route(branch: Branch, endpoint: Endpoint, verbs: tuple[str, ...], path: str, name: str) -> Route:
    parameters = placed(endpoint, is_verb_method=is_verb_method(branch, endpoint), verbs=verbs)
    placeholders = "".join(map(_placeholder, parameters))
    template = path + joined(own_path(branch, endpoint, with_segments=bool(placeholders))) + placeholders
    code = getattr(inspect.unwrap(endpoint.handler), "__code__", None)
    return Route(
        "websocket" if endpoint.name.startswith(WEBSOCKET) else "http",
        template or "/",
        verbs,
        name,
        branch.owner,
        endpoint.handler,
        parameters,
        endpoint.plan.returns,
        None if code is None else code.co_filename,
        None if code is None else code.co_firstlineno,
        inspect.getdoc(endpoint.handler) or "",
        endpoint.plan.problems,
    )


def dotted(*names: str) -> str:
    """The names with dots between them, without empty ones."""
    return ".".join(filter(None, names))


def joined(segments: Sequence[str]) -> str:
    """A path of these segments, percent-encoded (RFC 3986 §3.3): a slash in one of them is no separator."""
    quote = late("urllib.parse").quote
    return "".join("/" + quote(segment, safe="") for segment in segments)


def _placeholder(parameter: Parameter) -> str:
    if parameter.source != PATH:
        return ""
    return f"/{{{parameter.name}*}}" if parameter.kind == VARIADIC else f"/{{{parameter.name}}}"


def own_path(branch: Branch, endpoint: Endpoint, *, with_segments: bool) -> tuple[str, ...]:
    """The names in the path of a handler, which segments may follow."""
    name = endpoint.name.removeprefix(WEBSOCKET)
    if is_verb_method(branch, endpoint) or endpoint.name == INDEX or (name == INDEX and not with_segments):
        return branch.path
    return (*branch.path, name)  # `ws_index` too: it takes no segments but behind its name


def is_verb_method(branch: Branch, endpoint: Endpoint) -> bool:
    """Whether it answers a verb on its resource's own path."""
    return branch.resource is not None and endpoint.name not in branch.methods


def verbs_of(branch: Branch, endpoint: Endpoint) -> tuple[str, ...] | None:
    """The verbs that lead to a handler, `()` for all of them; None if no request does."""
    if is_private(endpoint.name.removeprefix(WEBSOCKET)):
        return None
    if endpoint.name.startswith(WEBSOCKET):
        return ()
    own = branch.methods.get(endpoint.name)
    if branch.resource is not None and endpoint.name == INDEX:
        return _verbs_that_lead_to(endpoint, branch.collection, branch.resource)
    if own is not None:
        return _verbs_that_lead_to(endpoint, own) if isinstance(own, Choice) else ()
    return _verbs_that_lead_to(endpoint, branch.collection, branch.resource) or None


def _verbs_that_lead_to(endpoint: Endpoint, *choices: Choice | None) -> tuple[str, ...]:
    found = {verb for choice in choices if choice for verb, other in choice.verbs.items() if other is endpoint}
    return tuple(sorted(found, key=lambda verb: (verb not in ("GET", "HEAD"), verb)))


# -- what it is made with -----------------------------------------------------------------------------


class Configuration:
    """What an application is made with, to be read by tools.

    `session_backend` keeps its sessions; `applications` are the `App`s that are branches of it, at any depth of its own
    controllers; `oversights` are sentences on what in its classes is probably not meant as it stands.
    """

    def __init__(self, app: Application) -> None:
        parts = app._micropie
        self.session_backend: SessionBackend = parts.sessions.backend
        self.applications: list[Any] = [found.app for found in parts.router.handovers if found.is_ours]
        self.oversights: tuple[str, ...] = parts.router.warnings
        self._templates = parts.templates

    @property
    def templates(self) -> Any:
        """The `jinja2.Environment`. `MissingDependency` without Jinja2."""
        return self._templates.environment


def configuration(app: Application) -> Configuration:
    """The configuration of an application.

    for sentence in configuration(app).oversights:
        print(sentence)
    """
    return Configuration(app)


# -- where a client puts a parameter ------------------------------------------------------------------


def placed(endpoint: Endpoint, *, is_verb_method: bool, verbs: tuple[str, ...]) -> tuple[Parameter, ...]:
    """The parameters of a handler, each with the one place that a client should put it; binding looks at more."""
    parameters = endpoint.plan.parameters
    has_form = bool(verbs) and BODY_METHODS.issuperset(verbs) and not any(p.is_body for p in parameters)
    named = BODY if has_form else QUERY
    usual = (PATH, QUERY) if is_verb_method or not has_form else (BODY, BODY)
    found: list[Parameter] = []
    within_reach = True  # of the path: a segment goes to the first parameter that can take one
    for parameter in parameters:
        source = _source_of(parameter, usual, named, variadic=endpoint.plan.variadic)
        if source == PATH and parameter.kind == POSITIONAL and not within_reach:
            source = QUERY
        within_reach = within_reach and (source == PATH or not takes_segment(parameter))
        found.append(parameter._replace(source=source))
    return tuple(found)


def _source_of(parameter: Parameter, usual: tuple[str, str], named: str, *, variadic: bool) -> str:
    """The place; `usual` are those of a required and of an optional scalar, `named` that of several values."""
    required, optional = usual
    if parameter.kind == VARIADIC:
        return PATH
    if parameter.source != AUTO:
        return parameter.source
    if parameter.is_body:
        return BODY
    if is_collection(parameter.annotation):
        return named
    if parameter.kind in (KEYWORD, REST):
        return optional
    return required if parameter.default is REQUIRED or variadic else optional
