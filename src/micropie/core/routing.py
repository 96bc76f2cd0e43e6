"""A class, read once into its routes; a request's path, matched to a route and its segments.

Only methods that the user's own classes define are routes. They are found by looking at the classes, never
by `getattr` on the instance: a request evaluates no property and touches no attribute.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from types import FunctionType, MethodType
from typing import Any

from micropie.core.binding import Plan
from micropie.core.errors import HTTPError
from micropie.core.request import Request
from micropie.core.shape import shaped

INDEX = "index"
WEBSOCKET = "ws_"
NO_WEBSOCKET = "No matching WebSocket route"

Match = tuple["Route", list[str]]


class Route:
    """One handler: its name, the bound method, its plan, and how it must be called.

    `call` is the handler, its results in the shape of its return annotation.
    """

    __slots__ = ("blocking", "call", "handler", "in_thread", "is_bare", "is_coroutine", "name", "plan")

    def __init__(self, name: str, handler: Callable[..., Any]) -> None:
        self.name = name
        self.handler = handler
        self.plan = Plan(handler, skip=1 if name.startswith(WEBSOCKET) else 0)  # the socket is not bound by name
        self.call = shaped(handler, self.plan.returns, self.plan.shape)
        innermost = inspect.unwrap(handler)
        self.is_coroutine = inspect.iscoroutinefunction(handler)
        self.blocking = not (inspect.iscoroutinefunction(innermost) or inspect.isasyncgenfunction(innermost))
        # Calling a generator function runs nothing of it yet.
        self.in_thread = self.blocking and not inspect.isgeneratorfunction(innermost)
        self.is_bare = self.is_coroutine and self.plan.direct == 0  # nothing to bind, nothing but itself to await


class Router:
    """The routes of one application object: the methods of its class, below `base` in the line of inheritance."""

    def __init__(self, owner: object, base: type) -> None:
        self._owner = owner
        self._instance = vars(owner)  # live: methods may be bound to the instance at run time
        self._replaced: dict[str, Route] = {}
        self._methods = {name: Route(name, handler) for name, handler in _methods(owner, base)}
        # PERF: the paths without parameters, found in one step.
        public = {name: route for name, route in self._methods.items() if not is_private(name)}
        self._exact = {f"/{name}": route for name, route in public.items()}
        if INDEX in public:
            self._exact["/"] = public[INDEX]

    def find(self, request: Request) -> Match:
        """The HTTP route and the path's parameters. `HTTPError` 404 if there is none."""
        if request._route_handler is not None:
            return self._explicit(request._route_handler, request)
        route = self._exact.get(request._plain_path())
        if route is not None and route.name not in self._instance:
            return route, []
        return _accepted(request, *self._match(request._segments()))

    def find_websocket(self, request: Request) -> Match:
        """The WebSocket route and the path's parameters. `HTTPError` 404 if there is none, or the name is private."""
        if request._ws_route_handler is not None:
            return self._explicit(request._ws_route_handler, request)
        first, *segments = request._segments()
        if first.startswith("_"):
            raise HTTPError(404, "Private handler not allowed")
        route = None if first.startswith(WEBSOCKET) else self._named(WEBSOCKET + (first or INDEX))
        if route is None:
            raise HTTPError(404, NO_WEBSOCKET)
        return _accepted(request, route, segments)

    def _explicit(self, name: str, request: Request) -> Match:
        """The method that a middleware has chosen, be it a private one."""
        route = self._on_instance(name) or self._methods.get(name)
        if route is None:
            raise HTTPError(404)
        return route, list(request.path_params)

    def _match(self, segments: list[str]) -> Match:
        first = segments[0] or INDEX
        if is_private(first):
            raise HTTPError(404)
        route = self._named(first)
        if route is not None:
            return route, segments[1:]
        index = self._named(INDEX)
        if index is None or not (index.plan.size or index.plan.variadic):
            raise HTTPError(404)
        return index, segments

    def _named(self, name: str) -> Route | None:
        """The method of that name, else the one spelled with `_` for `-`."""
        route = self._on_instance(name) or self._methods.get(name)
        if route is None and "-" in name:
            spelled = name.replace("-", "_")
            # `-x` and `ws-x` are no way in to private names; `ws_-x` is none to `ws__x`.
            if is_private(spelled) == is_private(name) and not spelled.startswith(("_", "ws__")):
                return self._on_instance(spelled) or self._methods.get(spelled)
        return route

    def _on_instance(self, name: str) -> Route | None:
        """A method that was bound to the owner at run time: `app.x = f.__get__(app)`."""
        method = self._instance.get(name)
        if not isinstance(method, MethodType) or method.__self__ is not self._owner:
            return None
        route = self._replaced.get(name)
        if route is None or route.handler is not method:
            route = self._replaced[name] = Route(name, method)
        return route


def _accepted(request: Request, route: Route, segments: list[str]) -> Match:
    """The match, as the request's path parameters; one trailing slash is dropped, but for `*args`."""
    if segments and segments[-1] == "" and not route.plan.variadic:
        segments.pop()
    request.path_params = segments
    return route, segments


def is_private(name: str) -> bool:
    """Whether no URL may name this method."""
    return name.startswith(("_", WEBSOCKET))


def _methods(owner: object, base: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Name and bound method of each route, private ones included, nearest class first."""
    framework = base.__mro__
    reserved = {name for cls in framework for name in (*vars(cls), *vars(cls).get("__annotations__", ()))}
    for cls in type(owner).__mro__:
        if cls in framework:
            continue
        for name, attribute in vars(cls).items():
            if name not in reserved and _is_method(attribute):
                yield name, attribute.__get__(owner, type(owner))
            reserved.add(name)  # it hides what farther classes define


def _is_method(attribute: Any) -> bool:
    """Whether an instance makes a bound callable of this class attribute, without running a property of the user's."""
    if isinstance(attribute, FunctionType | staticmethod | classmethod | partialmethod):
        return True
    # What decorators make, such as functools.cache; no properties, nested classes or callable data. A `partial` is
    # data, though from Python 3.14 on it binds itself.
    is_data = isinstance(attribute, type | partial)
    return callable(attribute) and not is_data and hasattr(type(attribute), "__get__")
