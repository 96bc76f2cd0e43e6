"""`url_for`: the URL of a handler, from the tree that also finds the handler for the URL.

The handler itself is its name, so a renamed method or a moved branch leaves no dead link behind.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import zip_longest
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from micropie.core import late
from micropie.core.basics.errors import counted
from micropie.core.basics.optional import lazy_import
from micropie.core.handlers.endpoint import WEBSOCKET, Endpoint
from micropie.core.handlers.parameter import AUTO, KEYWORD, PATH, POSITIONAL, QUERY, REQUIRED, takes_segment
from micropie.core.requests.origin import origin_of
from micropie.core.requests.request import MOUNTED, current_request
from micropie.core.routing.addressing import client_parameters, is_verb_method, own_path, verbs_of
from micropie.core.routing.controller import INDEX, Controller, Mount, is_private
from micropie.core.routing.path_templates import Identity, Template, identities_in, joined
from micropie.core.routing.router import Router, routers
from micropie.core.routing.targets import ByVerb, MountedApp, declared_endpoint
from micropie.core.routing.tree import Branch, branches
from micropie.core.routing.url_values import SEVERAL, text_of, texts_of

if TYPE_CHECKING:
    from micropie.core.routing.query_records import QueryRecord

_DOTS = (".", "..")
Pairs = list[tuple[str, str]]
Addressable = Callable[..., Any] | Controller | Mount  # what has a URL: a handler, a controller, a mount


class HandlerLocation(NamedTuple):
    """Where something stands: below `above` (the path of its application), in `branch`; `entry` is what of it."""

    above: Template
    branch: Branch
    entry: "Address | MountedApp | None"  # None: the branch itself


def url_for(handler: Addressable, /, *args: Any, external: Any = False, **query: Any) -> str:
    """The path and query that lead to a handler with these arguments, such as `/blog/post/7?page=2`.

    `handler` is the method itself, a controller, or a mount; `args` are its arguments, those of a mount paths below it;
    `query` are arguments by their names. Values are percent-encoded; lists repeat their field, None leaves it out. A
    record that takes the whole query is spread: its members may be given by their names, beside it or alone, and those
    that are equal to their defaults are left out.
    `root_path` of the current request stands in front. TypeError for arguments that the handler does not take,
    LookupError for a handler that no application has. With `external` scheme and host of the current request stand
    before it: LookupError without one, `HTTPError` 400 if it has no host.

        url_for(self.blog.post, 7, page=2)
        url_for(self.files, "css/site.css")
        url_for(self.confirm, token, external=True)         # https://shop.example/confirm/…
    """
    place, path, pairs = _path_and_fields(handler, args, query)
    origin = _origin_here(place) if external else ""
    return origin + path + ("?" + lazy_import("urllib.parse").urlencode(pairs) if pairs else "")


def form_action(handler: Addressable, /, *args: Any, **path: Any) -> str:
    """The `action` of a form whose fields are the parameters of a handler.

    It is what `url_for` says, but required parameters may be missing, since the form has them: only what must be in the
    path is given, by position in `args` or by name in `path`. TypeError for what would stand in the query, which
    browsers leave out of the action of a GET form: a hidden field has it.

        form_action(self.search)        # /search, though self.search(q) needs a q
    """
    _, action, pairs = _path_and_fields(handler, args, path, by_form=True)
    if pairs:
        raise TypeError(f"form_action(): {handler!r} has {pairs[0][0]!r} in the query: put it into a hidden field")
    return action


def _path_and_fields(
    handler: Any, args: tuple[Any, ...], query: dict[str, Any], *, by_form: bool = False
) -> tuple[HandlerLocation, str, Pairs]:
    """Where a handler stands, the path to it, and the fields of the query; a form has what is left out."""
    root, place = _located(handler)
    above, args = _with_identities(place.above, args, query)
    if isinstance(place.entry, Address):
        own, pairs = place.entry.of(args, query, by_form=by_form)
    else:
        own, args = _with_identities(place.branch.path if place.entry is None else place.entry.path, args, query)
        if args and place.entry is None:
            below, added = _below_controller(place.branch.owner, args)
            args, query = (below,), {**added, **query}
        own, pairs = own + _segments_below(args), _query_fields(query)
    return place, joined(root + above + own) or "/", pairs


def _with_identities(
    template: Template, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The template with arguments in place of its identities, and the arguments left; what is named is taken out."""
    values = list(args)
    for place, name in enumerate(identities_in(template)):
        if place >= len(args) and name not in keywords:
            raise TypeError(f"url_for(): {joined(template)} needs {name!r}, the arguments are {args!r}")
        if place >= len(args):
            values.append(keywords.pop(name))
    count = len(identities_in(template))
    if any(value is None or isinstance(value, SEVERAL) for value in values[:count]):
        raise TypeError(f"url_for(): {joined(template)} can't have {values[:count]!r} in it: a segment is one value")
    return filled(template, [*map(text_of, values[:count])]), tuple(values[count:])


def filled(template: Template, values: list[str], *, in_websocket: bool = False) -> tuple[str, ...]:
    """The segments of a path, these values in place of its identities. ValueError for one that means something else."""
    remaining = iter(values)
    path: list[str] = []
    for segment, following in zip_longest(template, template[1:], fillvalue=""):
        if not isinstance(segment, Identity):
            path.append(segment)
            continue
        value = next(remaining)
        if value in _DOTS or not segment.branch.is_identity(value, str(following), in_websocket=in_websocket):
            raise ValueError(
                f"No URL leads to {joined(template)} with {value!r}: clients and routes read that otherwise"
            )
        path.append(value)
    return tuple(path)


def _origin_here(place: HandlerLocation) -> str:
    request = current_request.get(None)
    if request is None:
        raise LookupError("url_for(external=True) takes scheme and host from the current request, and there is none")
    is_websocket = isinstance(place.entry, Address) and place.entry.is_websocket
    return origin_of(request, "ws" if is_websocket else "http")


def _located(handler: Any) -> tuple[tuple[str, ...], HandlerLocation]:
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
        yield root, handover.router
        root = root[: len(root) - len(handover.path)]
    if request is not None and (router := request._router) is not None:
        yield root, router
    yield from ((root, other) for other in _everyone(scope.get(MOUNTED, ())[:1]))


def _everyone(mounted: tuple[MountedApp, ...]) -> list[Router]:
    """All routers: first that which has mounted the current one, last those that others have mounted."""
    # Not `values()`, which fails if another thread makes an application meanwhile.
    everyone = [router for known in routers.valuerefs() if (router := known()) is not None]
    below = {id(found.app) for router in everyone for found in router.mounted_apps}
    return sorted(
        everyone, key=lambda router: (not set(mounted) <= set(router.mounted_apps), id(router.root.owner) in below)
    )


def _place(router: Router, handler: Any) -> HandlerLocation | None:
    """The first place in an application, or in those of ours below it."""
    if router.locations is None:
        router.locations = dict(reversed([*_keyed_places(router)]))
    found: HandlerLocation | None = router.locations.get(key_of(handler)) or _replacement(router, handler)
    if found is None and hasattr(handler, "register"):  # what a singledispatchmethod makes at each look
        found = router.locations.get(id(inspect.unwrap(handler)))
    for handover in router.mounted_apps if found is None else ():
        if handover.is_micropie and (place := _place(handover.router, handler)) is not None:
            return place._replace(above=handover.path + place.above)
    return found


def _keyed_places(router: Router) -> Iterator[tuple[Any, HandlerLocation]]:
    for branch in branches(router.root):
        yield id(branch.owner), HandlerLocation((), branch, None)
        for entry in branch.entries:
            if isinstance(entry, MountedApp):
                yield id(entry.what), HandlerLocation((), branch, entry)
            elif isinstance(entry, Endpoint) and verbs_of(branch, entry) is not None:
                location = HandlerLocation((), branch, Address(branch, entry))
                yield key_of(entry.handler), location
                if hasattr(entry.handler, "register"):
                    yield id(inspect.unwrap(entry.handler)), location


def _replacement(router: Router, handler: Any) -> HandlerLocation | None:
    """The place of a method that was bound to the application at run time."""
    for name, value in list(router.root.instance.items()):
        target = router.root.exactly(name) if value is handler and not is_private(name) else None
        endpoint = None if target is None else declared_endpoint(target)
        if endpoint is not None and endpoint.handler is handler:
            return HandlerLocation((), router.root, Address(router.root, endpoint))
    return None


def key_of(handler: Any) -> Any:
    """The identity of a method: each look at one makes another bound method."""
    if isinstance(handler, MethodType):
        return id(handler.__self__), id(handler.__func__)
    return id(handler)


class Address:
    """How one handler is addressed: worked out once, then filled with arguments."""

    def __init__(self, branch: Branch, endpoint: Endpoint) -> None:
        self._branch = branch
        self._endpoint = endpoint
        self._has_own_path = is_verb_method(branch, endpoint)
        originals = endpoint.plan.parameters
        parameters = client_parameters(branch, endpoint)
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._fillable = [p.name for p in originals if takes_segment(p)]  # by segments, in this order
        self._in_query = {p.name for p in parameters if p.source == QUERY} | {
            p.name for p in originals if p.source == AUTO and not p.is_body
        }
        self._only_in_path = {p.name for p in originals if p.source == PATH or p.name in endpoint.identities}
        self._whole = {slot.parameter.name: slot for slot in endpoint.plan.slots if slot.takes_query}
        self._needed = [
            p.name
            for p in parameters
            if p.source in (PATH, QUERY) and p.kind in (POSITIONAL, KEYWORD) and p.default is REQUIRED
            if p.name not in self._whole  # which know what they need
        ]

    def of(self, args: tuple[Any, ...], query: dict[str, Any], *, by_form: bool) -> tuple[tuple[str, ...], Pairs]:
        """The segments of the path, and the fields of the query. TypeError or ValueError if there are none.

        What is not in the path need not be there if a form has it.
        """
        keywords = {name: value for name, value in query.items() if value is not None}
        self._check_positional(args, keywords)
        in_path = self._names_in_path(len(args), keywords)
        segments = [self._segment(value) for value in (*args, *(keywords[name] for name in in_path[len(args) :]))]
        others = {name: value for name, value in keywords.items() if name not in in_path}
        self._check_keywords(others)
        self._check_needed(in_path, others, self._only_in_path if by_form else None)
        in_query = {name: value for name, value in query.items() if name not in in_path}
        fields = _query_fields(self._query(in_query, by_form=by_form))
        above = len(self._endpoint.identities)
        template, fields = self._divided(segments[above:], in_path[above:], fields)
        return filled(template, segments[:above], in_websocket=self.is_websocket), fields

    @cached_property
    def _records(self) -> "list[QueryRecord]":
        """The parameters that take the whole query."""
        return [late.QueryRecord(slot, self._name) for slot in self._whole.values()]

    def _query(self, given: dict[str, Any], *, by_form: bool) -> dict[str, Any]:
        """The values of the query's fields; records are spread, their members given by name in place of theirs."""
        named = {name: value for name, value in given.items() if name not in self._whole}
        fields = {self._key(name): value for name, value in named.items() if not self._is_member(name)}
        for record in self._records:
            members = {key: value for name, value in named.items() if record.has(key := self._key(name))}
            if not by_form or given.get(record.name) is not None or members:
                fields = {**record.fields(given.get(record.name), members), **fields}
        return fields

    def _is_member(self, name: str) -> bool:
        """True if it names no parameter, but a member of a record that takes the whole query."""
        return name not in self._parameters and any(record.has(name) for record in self._records)

    def _names_in_path(self, count: int, keywords: dict[str, Any]) -> list[str]:
        """The parameters that segments fill: by position, and those given by name right behind."""
        names = self._fillable[:count]
        for name in self._fillable[count:]:
            if name not in keywords or self._parameters[name].source != PATH:
                break
            names.append(name)
        return names

    def _divided(self, segments: list[str], in_path: list[str], fields: Pairs) -> tuple[Template, Pairs]:
        """The template and the fields of a URL; those segments that no path can have are fields too, bound by name."""
        path = own_path(self._branch, self._endpoint, with_segments=bool(segments))
        is_network_path = not path and segments[:1] == [""]  # `//host` is another site (RFC 3986 §4.2)
        if segments and path == self._branch.path and (is_network_path or not self._is_led_to_by(segments)):
            if self._has_own_path:
                return path, [*self._fields(segments, in_path, 0, possible=self._is_led_to_by([])), *fields]
            path = (*path, INDEX)  # by its name it gets whatever there is
        for position, segment in enumerate(segments):
            if segment in _DOTS:  # which clients resolve, even percent-encoded (the WHATWG URL standard)
                return path + tuple(segments[:position]), [*self._fields(segments, in_path, position), *fields]
        if segments and segments[-1] == "" and not self._endpoint.keeps_slash:
            segments.append("")
        return (*path, *segments), fields

    def _is_led_to_by(self, segments: list[str]) -> bool:
        target, rest = self._branch.find(list(segments))
        targets: Iterable[Any] = (target,)
        if isinstance(target, ByVerb):
            targets = (*target.verbs.values(), *target.by_query.values())
        return rest == segments and any(found is self._endpoint for found in targets)

    def _fields(self, segments: list[str], names: list[str], start: int, *, possible: bool = True) -> Pairs:
        """The segments from `start` on as fields."""
        if len(segments) > len(names) or not possible or not self._only_in_path.isdisjoint(names[start:]):
            raise ValueError(f"No URL leads to {self._name} with {segments!r}: clients and routes read that otherwise")
        return list(zip(names[start:], segments[start:], strict=True))

    def _segment(self, value: Any) -> str:
        if value is None or isinstance(value, SEVERAL):
            raise self._error(f"can't have {value!r} in its path: a segment is one value")
        return text_of(value)

    def _key(self, name: str) -> str:
        """The name of a parameter in the query."""
        return self._parameters[name].key if name in self._parameters else name

    def _check_positional(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if len(args) > len(self._fillable) and not self._endpoint.plan.variadic:
            raise self._error(f"takes {counted(len(self._fillable), 'path segment')}, {len(args)} arguments were given")
        if twice := [name for name in self._fillable[: len(args)] if name in keywords]:
            raise self._error(f"got several values for {twice[0]!r}")

    def _check_keywords(self, keywords: dict[str, Any]) -> None:
        for name in keywords:
            is_known = name in self._parameters or self._is_member(name)
            if not is_known and not self._endpoint.plan.takes_any_keyword:
                raise self._error(f"has no parameter {name!r}: declare it, or append the query yourself")
            if name in self._only_in_path:
                raise self._error(f"takes {name!r} from the path, behind others: give all that stand before it")
            if name in self._parameters and name not in self._in_query:
                raise self._error(f"takes {name!r} from the {self._parameters[name].source}, which is no part of a URL")

    def _check_needed(self, in_path: list[str], keywords: dict[str, Any], among: set[str] | None) -> None:
        for name in self._endpoint.identities:
            if name not in in_path:
                raise self._error(f"needs {name!r}, which is in the path to it")
        for name in self._needed:
            if name not in in_path and name not in keywords and (among is None or name in among):
                raise self._error(
                    f"needs {name!r}. If that is not in the URL, say so: form_action() or "
                    '@methods("POST") for a form, Annotated[..., FromSession()] for the session'
                )

    @property
    def is_websocket(self) -> bool:
        """True if the handler is one of WebSockets."""
        return self._endpoint.name.startswith(WEBSOCKET)

    @property
    def _name(self) -> str:
        return getattr(self._endpoint.handler, "__qualname__", self._endpoint.name)

    def _error(self, what: str) -> TypeError:
        return TypeError(f"url_for(): {self._name} {what}")


def _below_controller(owner: Any, paths: tuple[Any, ...]) -> tuple[str, dict[str, Any]]:
    """The path below a controller, and the query. TypeError for an `App`, and for a controller that has no paths."""
    controller = owner if isinstance(owner, Controller) else Controller()
    below: tuple[str, dict[str, Any]] = controller._url_below(*map(text_of, paths))
    return below


def _segments_below(paths: Sequence[Any]) -> tuple[str, ...]:
    """The segments of paths below a mount or a controller."""
    segments = tuple(segment for path in paths for segment in text_of(path).removeprefix("/").split("/"))
    if any(segment in _DOTS for segment in segments):
        raise ValueError(f"url_for(): {paths!r} has dot segments, which clients resolve")
    return segments


def _query_fields(query: dict[str, Any]) -> Pairs:
    return [(name, text) for name, value in query.items() for text in texts_of(value)]
