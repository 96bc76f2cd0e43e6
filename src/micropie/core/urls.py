"""`url_for`: the URL of a handler, from the tree that also finds the handler for the URL.

The handler itself is its name, so a renamed method or a moved branch leaves no dead link behind.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from types import MethodType
from typing import Any, NamedTuple
from urllib.parse import urlencode

from micropie.core.controller import is_private
from micropie.core.endpoint import Choice, Endpoint, Handover, takes_segment
from micropie.core.listing import is_verb_method, joined, own_path, placed, verbs_of
from micropie.core.request import MOUNTED, current_request
from micropie.core.routing import ROUTERS, Router, branches
from micropie.core.signature import AUTO, PATH, QUERY, REQUIRED, Parameter
from micropie.core.tree import INDEX, Branch

_SEVERAL = (list, tuple, set, frozenset)
_DOTS = (".", "..")

Pairs = list[tuple[str, str]]


class Place(NamedTuple):
    """Where something stands: below `above` (the path of its application), in `branch`; `entry` is what of it."""

    above: tuple[str, ...]
    branch: Branch
    entry: Endpoint | Handover | None  # None: the branch itself


def url_for(handler: Any, /, *args: Any, **query: Any) -> str:
    """The path and query that lead to a handler with these arguments, such as `/blog/post/7?page=2`.

    `handler` is the method itself, a controller, or a mount, whose arguments are paths below it. Values are
    percent-encoded; lists repeat their field, None leaves it out. `root_path` of the current request stands in front.
    TypeError for arguments that the handler does not take, LookupError for a handler that no application has.

        url_for(self.blog.post, 7, page=2)
        url_for(self.files, "css/site.css")
    """
    root, place = _located(handler)
    path = (*root, *place.above)
    if isinstance(place.entry, Endpoint):
        own, pairs = _address(place.branch, place.entry, args, query)
    else:
        own = place.branch.path if place.entry is None else place.entry.path
        own, pairs = own + _segments_below(args, place.entry), list(_query_fields(query))
    return (joined(path + own) or "/") + ("?" + urlencode(pairs) if pairs else "")


# -- where the handler is -----------------------------------------------------------------------------


def _located(handler: Any) -> tuple[tuple[str, ...], Place]:
    """The root path in front of it, and its place in the application of the current request; else in any."""
    for root, router in _candidates():
        if (place := _place(router, handler)) is not None:
            return root, place
    raise LookupError(
        f"url_for() finds {handler!r} in no application: it takes a public method, a controller or a mount of one, "
        "such as self.blog.post. Attach the controller as a class attribute of an App"
    )


def _candidates() -> Iterator[tuple[tuple[str, ...], Router]]:
    """The routers to look into, with the root path of each: of the current request from inside out, then others."""
    request = current_request.get(None)
    scope = {} if request is None else request.scope
    root = tuple(filter(None, (scope.get("root_path") or "").split("/")))
    for handover in reversed(scope.get(MOUNTED, ())):
        yield root, handover.app._micropie.router
        root = root[: len(root) - len(handover.segments)]
    if request is not None and request._router is not None:
        yield root, request._router
    for router in _everyone(scope.get(MOUNTED, ())[:1]):
        yield root, router


def _everyone(mounted: tuple[Handover, ...]) -> list[Router]:
    """All routers: first that which has mounted the current one, last those that others have mounted."""
    everyone = list(ROUTERS.values())
    below = {id(found.app) for router in everyone for found in router.handovers}
    outermost = {id(router) for router in everyone if not set(mounted) <= set(router.handovers)}
    return sorted(everyone, key=lambda router: (id(router) in outermost, id(router.root.owner) in below))


def _place(router: Router, handler: Any) -> Place | None:
    """The first place in an application, or in those of ours below it."""
    if router.places is None:
        router.places = dict(reversed([*_keyed_places(router)]))
    found: Place | None = router.places.get(key_of(handler)) or _replacement(router, handler)
    for handover in router.handovers if found is None else ():
        if handover.is_ours:
            below: Any = handover.app
            if (place := _place(below._micropie.router, handler)) is not None:
                return place._replace(above=handover.path + place.above)
    return found


def _keyed_places(router: Router) -> Iterator[tuple[Any, Place]]:
    for branch in branches(router.root):
        yield id(branch.owner), Place((), branch, None)
        for entry in branch.entries:
            if isinstance(entry, Handover):
                yield id(entry.what), Place((), branch, entry)
            elif isinstance(entry, Endpoint) and verbs_of(branch, entry) is not None:
                yield key_of(entry.handler), Place((), branch, entry)


def _replacement(router: Router, handler: Any) -> Place | None:
    """The place of a method that was bound to the application at run time."""
    for name, value in list(router.root.instance.items()):
        endpoint = router.root.exactly(name) if value is handler and not is_private(name) else None
        if isinstance(endpoint, Endpoint) and endpoint.handler is handler:
            return Place((), router.root, endpoint)
    return None


def key_of(handler: Any) -> Any:
    """What two looks at the same method have in common: each makes another bound method."""
    if isinstance(handler, MethodType):
        return id(handler.__self__), id(handler.__func__)
    return id(handler)


# -- what leads to it ---------------------------------------------------------------------------------


def _address(
    branch: Branch, endpoint: Endpoint, args: tuple[Any, ...], given: dict[str, Any]
) -> tuple[tuple[str, ...], Pairs]:
    """The segments of the path and the fields of the query."""
    call = Arrangement(branch, endpoint, {name: value for name, value in given.items() if value is not None})
    segments = call.segments(args)
    call.check()
    fields = list(_query_fields({call.key(name): value for name, value in call.keywords.items()}))
    path = own_path(branch, endpoint, with_segments=bool(segments))
    if path == branch.path and segments and not _leads_to(branch, endpoint, segments):
        if endpoint.name != INDEX:
            return path, call.in_query(segments, possible=_leads_to(branch, endpoint, [])) + fields
        path = (*path, INDEX)  # by its name it gets whatever there is
    for position, segment in enumerate(segments):
        if segment in _DOTS:  # which clients resolve, even percent-encoded (the WHATWG URL standard)
            return path + tuple(segments[:position]), call.in_query(segments, position) + fields
    if segments and segments[-1] == "" and not endpoint.keeps_slash:
        segments.append("")
    return path + tuple(segments), fields


def _leads_to(branch: Branch, endpoint: Endpoint, segments: list[str]) -> bool:
    target, rest = branch.find(list(segments))
    targets: Iterable[Any] = target.verbs.values() if isinstance(target, Choice) else (target,)
    return rest == segments and any(found is endpoint for found in targets)


class Arrangement:
    """What `url_for` was given for a handler, to be sorted into path and query."""

    def __init__(self, branch: Branch, endpoint: Endpoint, keywords: dict[str, Any]) -> None:
        self.endpoint = endpoint
        self.keywords = keywords
        self.parameters = placed(
            endpoint, is_verb_method=is_verb_method(branch, endpoint), verbs=verbs_of(branch, endpoint) or ()
        )
        self.in_path: list[str] = []  # names of the parameters that segments fill

    def segments(self, args: Sequence[Any]) -> list[str]:
        """The path's segments: the positional arguments, and the named ones that may follow them."""
        fillable = [p.name for p in self.endpoint.plan.parameters if takes_segment(p)]
        if len(args) > len(fillable) and not self.endpoint.plan.variadic:
            raise self.error(f"takes {len(fillable)} path segments, {len(args)} arguments were given")
        if twice := [name for name in fillable[: len(args)] if name in self.keywords]:
            raise self.error(f"got several values for {twice[0]!r}")
        values = list(args)
        self.in_path = fillable[: len(args)]
        required = {p.name for p in self.parameters if p.source == PATH}
        for name in fillable[len(args) :]:
            if name not in self.keywords or name not in required:
                break
            values.append(self.keywords.pop(name))
            self.in_path.append(name)
        return [self.segment(value) for value in values]

    def segment(self, value: Any) -> str:
        """The value as a segment; TypeError for None and for several."""
        if value is None or isinstance(value, _SEVERAL):
            raise self.error(f"can't have {value!r} in its path: a segment is one value")
        return text_of(value)

    def check(self) -> None:
        """TypeError for a keyword that the query can't bring, and for a required parameter that is missing."""
        known = {p.name: p for p in self.parameters}
        for name in self.keywords:
            parameter = known.get(name)
            if parameter is None and not self.endpoint.plan.takes_any_keyword:
                raise self.error(f"has no parameter {name!r}: declare it, or append the query yourself")
            if parameter is not None and not self.may_be_in_query(parameter):
                raise self.error(f"takes {name!r} from the {parameter.source}, which is no part of a URL")
        for parameter in self.parameters:
            if parameter.source in (PATH, QUERY) and self.is_missing(parameter):
                raise self.error(
                    f"needs {parameter.name!r}. If that is not in the URL, say so: "
                    '@methods("POST") for a form, Annotated[..., FromSession()] for the session'
                )

    def may_be_in_query(self, parameter: Parameter) -> bool:
        """Whether binding looks for it in the query."""
        original = next(p for p in self.endpoint.plan.parameters if p.name == parameter.name)
        return parameter.source == QUERY or (original.source == AUTO and not original.is_body)

    def is_missing(self, parameter: Parameter) -> bool:
        """Whether it is needed, and neither path nor query have it."""
        is_one = parameter.kind in ("positional", "keyword")
        given = parameter.name in self.in_path or parameter.name in self.keywords
        return is_one and parameter.default is REQUIRED and not given

    def key(self, name: str) -> str:
        """The name of a parameter in the query."""
        return next((p.key for p in self.parameters if p.name == name), name)

    def in_query(self, segments: list[str], start: int = 0, *, possible: bool = True) -> Pairs:
        """The segments from `start` on as fields, which are bound by name, since no path can have them."""
        if len(segments) > len(self.in_path) or not possible:
            raise ValueError(f"No URL leads to {self.name} with {segments!r}: clients and routes read that otherwise")
        return list(zip(self.in_path[start:], segments[start:], strict=True))

    @property
    def name(self) -> str:
        """What messages call the handler."""
        return getattr(self.endpoint.handler, "__qualname__", self.endpoint.name)

    def error(self, what: str) -> TypeError:
        """The error that says what is wrong with the arguments."""
        return TypeError(f"url_for(): {self.name} {what}")


def _segments_below(paths: Sequence[Any], mount: Handover | None) -> tuple[str, ...]:
    """The segments of paths below a mount."""
    if paths and mount is None:
        raise TypeError(f"url_for() of a controller takes no path, it got {paths!r}: name the method")
    segments = tuple(segment for path in paths for segment in text_of(path).removeprefix("/").split("/"))
    if any(segment in _DOTS for segment in segments):
        raise ValueError(f"url_for(): {paths!r} has dot segments, which clients resolve")
    return segments


def _query_fields(query: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        for one in value if isinstance(value, _SEVERAL) else (value,):
            if one is not None:
                yield name, text_of(one)


def text_of(value: Any) -> str:
    """A value as the path and the query have it, and as binding reads it."""
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):  # dates and times
        return str(value.isoformat())
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"url_for() puts text into URLs, {value!r} are bytes: decode them first")
    return str(value)
