"""How a handler is addressed: its path, its verbs, and where a client puts its parameters."""

from typing import TYPE_CHECKING, Any

from micropie.core import late
from micropie.core.basics.optional import lazy_pattern
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint
from micropie.core.handlers.parameter import (
    AUTO,
    BODY,
    PATH,
    QUERY,
    REQUIRED,
    VARIADIC,
    Parameter,
    takes_many,
    takes_segment,
)
from micropie.core.requests.body import BODY_METHODS
from micropie.core.routing.controller import INDEX, is_private
from micropie.core.routing.path_templates import Template, joined

if TYPE_CHECKING:
    from micropie.core.routing.targets import ByVerb
    from micropie.core.routing.tree import Branch

_IDENTITY = r"(\w+_)?(id|uuid|slug)|key"


def own_path(branch: "Branch", endpoint: Endpoint, *, with_segments: bool) -> Template:
    """The names in the path of a handler, and the identities between them; segments may follow."""
    name = endpoint.name.removeprefix(WEBSOCKET)
    if is_verb_method(branch, endpoint) or endpoint.name == INDEX or (name == INDEX and not with_segments):
        return branch.path
    return (*branch.path, name)  # `ws_index` too: it takes no segments but behind its name


def is_verb_method(branch: "Branch", endpoint: Endpoint) -> bool:
    """True if it answers a verb on its resource's own path."""
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
    choices = [one for one in (own, branch.exactly(endpoint.name)) if one and not isinstance(one, Endpoint)]
    if own is not None or choices:
        return _verbs_that_lead_to(endpoint, *choices)
    return _verbs_that_lead_to(endpoint, branch.collection, branch.resource) or None


def _verbs_that_lead_to(endpoint: Endpoint, *choices: "ByVerb | None") -> tuple[str, ...]:
    found = {verb for choice in choices if choice for verb, other in choice.verbs.items() if other is endpoint}
    return tuple(sorted(found, key=lambda verb: (verb not in ("GET", "HEAD"), verb)))


def with_client_source(endpoint: Endpoint, *, is_verb_method: bool, verbs: tuple[str, ...]) -> tuple[Parameter, ...]:
    """The parameters of a handler, each with the one place that a client should put it; binding looks at more.

    Of GET, HEAD and DELETE, and of a handler that answers any of them: the leading required ones are in the path, the
    others in the query. Of POST, PUT and PATCH: those that identify something are in the path, the others in the body.
    """
    parameters = endpoint.plan.parameters
    has_record = any(one.is_body for one in parameters)  # it takes the body whole
    others = BODY if _always_have_body(verbs) and not has_record else QUERY
    in_path = _names_in_path(endpoint, is_verb_method=is_verb_method, verbs=verbs)
    return tuple(one._replace(source=_source_of(one, in_path, others)) for one in parameters)


def _source_of(parameter: Parameter, in_path: set[str], others: str) -> str:
    if parameter.name in in_path or parameter.kind == VARIADIC:
        return PATH
    if parameter.source != AUTO:
        return parameter.source
    return BODY if parameter.is_body else others


def _names_in_path(endpoint: Endpoint, *, is_verb_method: bool, verbs: tuple[str, ...]) -> set[str]:
    """The parameters that are in the path: from the first on, since a segment goes to the first that can take it.

    What stands before `*args`, or before one that only the path can fill, is never elsewhere, nor are identities.
    """
    takers = [one for one in endpoint.plan.parameters if takes_segment(one)]
    above = len(endpoint.identities)
    certain = [number for number, one in enumerate(takers, 1) if one.source == PATH or endpoint.plan.variadic]
    count = max(above, *certain) if certain else above
    while count < len(takers):
        if not _leads(takers[count], is_first=count == above, is_verb_method=is_verb_method, verbs=verbs):
            break
        count += 1
    return {one.name for one in takers[:count]}


def _leads(parameter: Parameter, *, is_first: bool, is_verb_method: bool, verbs: tuple[str, ...]) -> bool:
    """True if a client puts a parameter into the path if all before it are there."""
    if parameter.default is not REQUIRED or takes_many(parameter):
        return False
    if not _always_have_body(verbs):
        return True
    if is_verb_method and verbs == ("POST",):  # what a resource is to make has no identity yet
        return False
    return (is_verb_method and is_first) or _is_identity(parameter)


def _always_have_body(verbs: tuple[str, ...]) -> bool:
    return bool(verbs) and BODY_METHODS.issuperset(verbs)


def _is_identity(parameter: Parameter) -> bool:
    """True if its name or its type says that it tells one thing from others of its kind."""
    if lazy_pattern(_IDENTITY).fullmatch(parameter.name) is not None:
        return True
    return parameter.annotation is not Any and _is_uuid(parameter.annotation)


def _is_uuid(annotation: Any) -> bool:
    kind = late.strip_wrappers(annotation)
    kind = late.aliased(kind) or kind
    return (getattr(kind, "__module__", ""), getattr(kind, "__qualname__", "")) == ("uuid", "UUID")


def path_template(branch: "Branch", endpoint: Endpoint) -> str:
    """The path that a client should use, such as `/notes/{id}`, with `{rest*}` for what `*args` take; `""` for `/`."""
    parameters = client_parameters(branch, endpoint)
    placeholders = "".join(_placeholder(one) for one in parameters if one.name not in endpoint.identities)
    return joined(own_path(branch, endpoint, with_segments=bool(placeholders))) + placeholders


def client_parameters(branch: "Branch", endpoint: Endpoint) -> tuple[Parameter, ...]:
    """The parameters of a handler in its branch, each with the one place that a client should put it."""
    verbs = verbs_of(branch, endpoint) or ()
    return with_client_source(endpoint, is_verb_method=is_verb_method(branch, endpoint), verbs=verbs)


def _placeholder(parameter: Parameter) -> str:
    if parameter.source != PATH:
        return ""
    return f"/{{{parameter.name}*}}" if parameter.kind == VARIADIC else f"/{{{parameter.name}}}"
