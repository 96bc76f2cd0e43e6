"""The names of routes: the method that answers one, and the class of that."""

import inspect

from micropie import Route


def method_name(route: Route) -> str:
    """The name of the method that answers a route, in its class; of a handler that stands beside it, its own name."""
    name = route.name.rpartition(".")[2]
    is_there = inspect.getattr_static(route.owner, name, None) is not None
    return name if is_there else str(route.handler.__name__)


def handler_name(route: Route) -> str:
    """The class and the method that answer a route, `Notes.get`; of a mount the name of the application."""
    if route.kind == "mount":
        return getattr(route.handler, "__name__", type(route.handler).__name__)
    return f"{type(route.owner).__name__}.{method_name(route)}"
