"""A request's path, matched to what answers it and the segments that are left as arguments."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

from micropie.core.basics.errors import HTTPError, Unrouted, log
from micropie.core.handlers.endpoint import Endpoint
from micropie.core.requests.request import Request
from micropie.core.routing.class_warnings import class_warnings
from micropie.core.routing.controller import is_private
from micropie.core.routing.targets import ByVerb, MountedApp, NoHandler, Target
from micropie.core.routing.tree import INDEX, Branch, Match

NO_WEBSOCKET = "No matching WebSocket route"
ROUTERS: WeakValueDictionary[int, "Router"] = WeakValueDictionary()  # those of all applications, oldest first
_numbers = itertools.count()


class Router:
    """The routes of one application object, whose framework's base class is `base`."""

    def __init__(self, owner: Any, base: type) -> None:
        self.root = Branch(owner, base)
        self._instance = self.root.instance
        self.mounted_apps = [entry for branch in branches(self.root) for entry in mounts_of(branch)]
        # PERF: the paths without parameters, found in one step.
        static = dict(_static_paths(self.root))
        names = self.root.branches  # what is in a branch has its controller to be found
        self._static = {path: target for path, target in static.items() if len(path) > 1 or path[0] in names}
        self._exact = {"/" + path[0]: target for path, target in static.items() if path not in self._static}
        # PERF: the application's own handlers, found by the first segment.
        taken = {mount.segments[0] for mount in self.root.mounts}
        self._first = {name: target for name, target in _public(self.root) if name not in taken}
        self.warnings = tuple(class_warnings(self.root))
        for warning in self.warnings:
            log.warning("%s", warning)
        self.places: Any = None  # of handlers, by what `url_for` knows them by; made at its first use
        self._share()
        ROUTERS[next(_numbers)] = self

    def find(self, request: Request) -> Match:
        """What answers the HTTP request, and the path's parameters. `Unrouted` if nothing does."""
        if request._route_handler is not None:
            return self._explicit(request._route_handler, request)
        target: Target | None = self._exact.get(request._path_without_root())
        if target is not None and target.name not in self._instance:
            return target, []
        segments = request._segments()
        target = self._first.get(segments[0])
        if target is not None and target.name not in self._instance:
            del segments[0]
        else:
            request._router = self  # a controller of several applications knows by that which of them it is in
            target, segments = self._search(segments)
        if segments and segments[-1] == "":
            segments = without_slash(target, segments)
        request.path_params = segments
        return target, segments

    def find_websocket(self, request: Request) -> Match:
        """What answers the WebSocket, and the path's parameters. `HTTPError` 404 if nothing does."""
        if request._ws_route_handler is not None:
            return self._explicit(request._ws_route_handler, request)
        request._router = self
        segments = request._segments()
        if segments[0].startswith("_"):
            raise HTTPError(404, "Private handler not allowed")
        target, segments = self.root.find_websocket(segments)
        if isinstance(target, NoHandler) and not target.guards:
            raise HTTPError(404, NO_WEBSOCKET)
        request.path_params = segments = without_slash(target, segments)
        return target, segments

    def _share(self) -> None:
        """Let requests know their application if it has a controller that another one has too, for `url_for`."""
        ours = {id(branch.owner) for branch in branches(self.root)}
        for other in list(ROUTERS.values()):
            is_alike = type(other.root.owner) is type(self.root.owner)  # each path is the same there
            if not is_alike and not ours.isdisjoint(id(branch.owner) for branch in branches(other.root)):
                other.note_requests()
                self.note_requests()

    def note_requests(self) -> None:
        """From now on leave word in each request that is routed here."""
        # In front of the methods: other applications need not pay for it.
        vars(self)["find"] = functools.partial(self._noted, Router.find)
        vars(self)["find_websocket"] = functools.partial(self._noted, Router.find_websocket)

    def _noted(self, find: Callable[["Router", Request], Match], request: Request) -> Match:
        request._router = self
        return find(self, request)

    def leads_elsewhere(self, request: Request) -> bool:
        """Whether the path belongs to another application, which reads the body itself."""
        return request._route_handler is None and isinstance(self.root.find(request._segments())[0], MountedApp)

    def _explicit(self, name: str, request: Request) -> Match:
        """The method that a middleware has chosen, be it a private one."""
        target = self.root.exactly(name)
        if target is None:
            raise Unrouted(404)
        return target, list(request.path_params)

    def _search(self, segments: list[str]) -> Match:
        # By segments, not by the path as a text: `/api%2Fusers` is not `/api/users`.
        target = self._static.get(tuple(segments))
        if target is not None:
            return target, []
        found = self.root.find(segments)
        if isinstance(found[0], NoHandler) and not found[0].guards:
            raise Unrouted(404)
        return found


def without_slash(target: Target, segments: list[str]) -> list[str]:
    """The segments less what one trailing slash makes, but for `*args`."""
    if segments and segments[-1] == "" and not target.keeps_slash:
        segments.pop()
    return segments


def branches(root: Branch) -> Iterator[Branch]:
    """The branch and all below it, in order of definition."""
    yield root
    for entry in root.entries:
        if isinstance(entry, Branch):
            yield from branches(entry)


def mounts_of(branch: Branch) -> list[MountedApp]:
    """The other applications that this branch itself has."""
    return [entry for entry in branch.entries if isinstance(entry, MountedApp)]


def _public(branch: Branch) -> Iterator[tuple[str, Endpoint | ByVerb]]:
    return ((name, target) for name, target in branch.methods.items() if not is_private(name))


def _static_paths(root: Branch) -> Iterator[tuple[tuple[str, ...], Endpoint | ByVerb]]:
    """The segments of each path without parameters, with what answers it."""
    for branch in branches(root):
        own = branch.collection or branch.methods.get(INDEX)
        paths = [((*branch.path, name), target) for name, target in _public(branch)]
        if own is not None:
            paths += [((*branch.path, ""), own), *([(branch.path, own)] if branch.path else [])]
        yield from ((path, target) for path, target in paths if root.find(list(path))[0] is target)
