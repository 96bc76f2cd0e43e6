"""A request's path, matched to what answers it and the segments that are left as arguments."""

import inspect
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from micropie.core import late
from micropie.core.basics.background import Background
from micropie.core.basics.errors import log
from micropie.core.handlers.endpoint import Endpoint
from micropie.core.requests.limits import Limits
from micropie.core.requests.request import Request, WebSocketRequest, use_origin_form
from micropie.core.routing.class_reader import read_tree
from micropie.core.routing.controller import INDEX, Controller, Mount, Nested, is_private
from micropie.core.routing.path_templates import names_in
from micropie.core.routing.targets import NO_WEBSOCKET, ByVerb, Match, MountedApp, NoHandler, Target
from micropie.core.routing.tree import Branch, branches

if TYPE_CHECKING:
    from micropie.core.basics.service import Service
    from micropie.core.handlers.providers import Providers

routers: WeakValueDictionary[int, "Router"] = WeakValueDictionary()  # those of all applications, oldest first
_numbers = count()


def let_url_for_find(router: "Router") -> None:
    """Let `url_for` look into the routes of an application, also where another one serves the request or none does."""
    routers[next(_numbers)] = router


class Router:
    """The routes of one application object, whose framework's base class is `base`."""

    def __init__(self, owner: Any, base: type, limits: Limits) -> None:
        self.root = read_tree(owner, base, limits)
        self._nothing = NoHandler(NO_WEBSOCKET, self.root.rules.error_handlers)
        self._no_url = NoHandler("Private handler not allowed", self.root.rules.error_handlers)
        self._instance = self.root.instance
        self._owners = {id(branch.owner): branch.owners for branch in reversed([*branches(self.root)])}
        entries = [entry for branch in branches(self.root) for entry in branch.entries]
        self.mounted_apps = [entry for entry in entries if isinstance(entry, MountedApp)]
        guards = [guard.plan for branch in branches(self.root) for guard in branch.rules.guards if guard.plan]
        self.endpoints = [entry for entry in entries if isinstance(entry, Endpoint)]
        asked = [*(plan.provided for plan in guards), *(one.plan.provided for one in self.endpoints)]
        self.uses_providers = any(asked)
        for kind in chain.from_iterable(asked):
            self.providers.add(kind)
        # PERF: the paths without parameters, found in one step.
        self._static = dict(_static_paths(self.root))
        # PERF: the application's own handlers, found by the first segment.
        taken = {mount.segments[0] for mount in self.root.mounts}
        self._first = {name: target for name, target in _public(self.root) if name not in taken}
        self.background = Background()
        self.locations: Any = None  # of handlers, by what `url_for` knows them by; made at its first use

    @cached_property
    def providers(self) -> "Providers":
        """The providers that handlers and guards ask for."""
        return late.Providers()

    @property
    def session_backend(self) -> Any:
        """The `SessionBackend` of the application."""
        return self.root.owner._micropie.sessions.backend

    def find(self, request: Request) -> Match:
        """The target of an HTTP request, and the path's parameters; `NoHandler` if nothing answers.

        `HTTPError` 400 for a path that is no UTF-8.
        """
        request._router = self
        target: Target | None
        if request._route_handler is not None:  # a middleware has chosen a method, be it a private one
            target, segments = self.root.exactly(request._route_handler) or self._nothing, given_params(request)
        else:
            if request._known_scope is None or (scope := request.scope).get("root_path"):
                path = request._path_without_root()
            else:  # PERF: the usual one in place, 0.05 µs
                path = scope["path"]
            target = self._static.get(path)
            if target is None or target.name in self._instance:
                target, segments = self._search(request)
            elif not target.is_nested:
                segments = []
            elif request._has_plain_path():  # `/api%2Fusers` is not `/api/users`
                request.path_params = segments = []
            else:
                target, segments = self._search(request)
        if target.is_choice:
            target, segments = chosen(target, request, segments)
        request._target = target
        # PERF: in place, not in a method of the request, 0.1 µs.
        if (known := request._known_scope) is not None:
            known["endpoint"], known["route"] = target.handler, target.route
        return target, segments

    def find_websocket(self, request: Request) -> Match:
        """The target of a WebSocket, and the path's parameters; `NoHandler` if nothing answers."""
        request._router = self
        target: Target
        if (chosen_name := request._ws_route_handler) is not None:
            target, segments = self.root.for_websocket(chosen_name) or self._nothing, given_params(request)
        elif (segments := of_path(request._segments(), request))[0].startswith("_"):
            target = self._no_url
        else:
            target, segments = self.root.find_websocket(segments)
            request.path_params = segments = without_slash(target, segments)
        request._target = target
        request.scope.update(endpoint=target.handler, route=target.route)
        return target, segments

    def find_again(self, request: Request, match: Match) -> Match:
        """The match of a request that a hook has led elsewhere; path parameters that the hook has set stay."""
        if vars(request).get("path_params") is match[1]:
            del request.path_params
        return self.find_websocket(request) if isinstance(request, WebSocketRequest) else self.find(request)

    def owners_of(self, controller: Any) -> tuple[Any, ...]:
        """The application, the controllers on the way to this one, and itself; of several ways the first."""
        return self._owners.get(id(controller), (self.root.owner, controller))

    def services(self) -> "list[Service]":
        """The services of the application and its controllers, in order of definition, each once."""
        found = (value for branch in branches(self.root) for value in class_values(type(branch.owner)))
        return list({id(value): value for value in found if isinstance(value, late.Service)}.values())

    def tell_if_stray(self, owner: object, name: str, value: Any) -> None:
        """Log that a controller or a mount stands on an instance, where no path leads to it."""
        if isinstance(value, Controller | Mount | Nested) and id(value) not in self._owners and not is_private(name):
            log.warning(
                "%s.%s is set on the instance, where it answers nothing: write %s = %s(...) in the class body",
                type(owner).__name__,
                name,
                name,
                type(value).__name__,
            )

    def _search(self, request: Request) -> Match:
        segments = request._segments()
        target: Target | None = self._first.get(segments[0])
        if target is not None and target.name not in self._instance:
            del segments[0]
        else:
            target, segments = self.root.find(of_path(segments, request))
        if segments and segments[-1] == "":
            segments = without_slash(target, segments)
        if not isinstance(target, NoHandler):
            request.path_params = segments
        return target, segments


def class_values(owner: type) -> Iterator[Any]:
    """The attributes of a class, inherited ones included, as they stand in its body."""
    names = dict.fromkeys(name for base in reversed(owner.__mro__) for name in vars(base))
    return (inspect.getattr_static(owner, name) for name in names)


def given_params(request: Request) -> list[Any]:
    """The path parameters of a request whose handler a middleware has chosen; they may be values of any type."""
    params = list(request.path_params)
    request._has_path_values = not all(isinstance(value, str) for value in params)
    return params


def of_path(segments: list[str], request: Request) -> list[str]:
    """The segments of the path, where they are those of a whole URL."""
    if segments[0][-1:] != ":":
        return segments
    use_origin_form(request.scope)
    return request._segments()


def chosen(choice: Any, request: Request, segments: list[str]) -> Match:
    """The handler for the request's verb; the choice itself if it has none."""
    endpoint = choice.choose(request)
    if endpoint is None:
        return choice, segments
    return endpoint, without_slash(endpoint, segments)


def without_slash(target: Target, segments: list[str]) -> list[str]:
    """The segments less what one trailing slash makes, but for `*args`."""
    if segments and segments[-1] == "" and not target.keeps_slash:
        segments.pop()
    return segments


def _public(branch: Branch) -> Iterator[tuple[str, Endpoint | ByVerb]]:
    return ((name, target) for name, target in branch.methods.items() if not is_private(name))


def _static_paths(root: Branch) -> Iterator[tuple[str, Endpoint | ByVerb]]:
    """Each path without parameters, with what answers it."""
    for branch in branches(root):
        if branch.identities:
            continue
        own = branch.collection or branch.methods.get(INDEX)
        above = names_in(branch.path)
        paths = [((*above, name), target) for name, target in _public(branch)]
        if own is not None:
            paths += [((*above, ""), own), *([(above, own)] if above else [])]
        yield from (("/" + "/".join(path), target) for path, target in paths if root.find(list(path))[0] is target)
