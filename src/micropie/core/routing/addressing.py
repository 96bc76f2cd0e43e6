"""How a handler is addressed: its path, its verbs, and where a client puts its parameters."""

from typing import TYPE_CHECKING

from micropie.core.conversion.records import is_collection
from micropie.core.handlers.annotations import AUTO, BODY, PATH, QUERY, REQUIRED
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint, takes_segment
from micropie.core.handlers.signature import KEYWORD, POSITIONAL, REST, VARIADIC, Parameter
from micropie.core.requests.body import BODY_METHODS
from micropie.core.routing.controller import INDEX, is_private
from micropie.core.routing.targets import ByVerb, joined

if TYPE_CHECKING:
    from micropie.core.routing.tree import Branch


def own_path(branch: "Branch", endpoint: Endpoint, *, with_segments: bool) -> tuple[str, ...]:
    """The names in the path of a handler, which segments may follow."""
    name = endpoint.name.removeprefix(WEBSOCKET)
    if is_verb_method(branch, endpoint) or endpoint.name == INDEX or (name == INDEX and not with_segments):
        return branch.path
    return (*branch.path, name)  # `ws_index` too: it takes no segments but behind its name


def is_verb_method(branch: "Branch", endpoint: Endpoint) -> bool:
    """Whether it answers a verb on its resource's own path."""
    return branch.resource is not None and endpoint.name not in branch.methods


def verbs_of(branch: "Branch", endpoint: Endpoint) -> tuple[str, ...] | None:
    """The verbs that lead to a handler, `()` for all of them; None if no request does."""
    if is_private(endpoint.name.removeprefix(WEBSOCKET)):
        return None
    if endpoint.name.startswith(WEBSOCKET):
        return ()
    own = branch.methods.get(endpoint.name)
    if branch.resource is not None and endpoint.name == INDEX:
        return _verbs_that_lead_to(endpoint, branch.collection, branch.resource)
    if own is not None:
        return _verbs_that_lead_to(endpoint, own) if isinstance(own, ByVerb) else ()
    return _verbs_that_lead_to(endpoint, branch.collection, branch.resource) or None


def _verbs_that_lead_to(endpoint: Endpoint, *choices: ByVerb | None) -> tuple[str, ...]:
    found = {verb for choice in choices if choice for verb, other in choice.verbs.items() if other is endpoint}
    return tuple(sorted(found, key=lambda verb: (verb not in ("GET", "HEAD"), verb)))


def with_client_source(endpoint: Endpoint, *, is_verb_method: bool, verbs: tuple[str, ...]) -> tuple[Parameter, ...]:
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


def path_template(branch: "Branch", endpoint: Endpoint) -> str:
    """The path that a client should use, such as `/notes/{id}`, with `{rest*}` for what `*args` take; `""` for `/`."""
    parameters = client_parameters(branch, endpoint)
    placeholders = "".join(map(_placeholder, parameters))
    return joined(own_path(branch, endpoint, with_segments=bool(placeholders))) + placeholders


def client_parameters(branch: "Branch", endpoint: Endpoint) -> tuple[Parameter, ...]:
    """The parameters of a handler in its branch, each with the one place that a client should put it."""
    verbs = verbs_of(branch, endpoint) or ()
    return with_client_source(endpoint, is_verb_method=is_verb_method(branch, endpoint), verbs=verbs)


def _placeholder(parameter: Parameter) -> str:
    if parameter.source != PATH:
        return ""
    return f"/{{{parameter.name}*}}" if parameter.kind == VARIADIC else f"/{{{parameter.name}}}"
