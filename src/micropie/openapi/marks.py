"""Marks on handlers and controllers, which say how the document shows them."""

import inspect
from collections.abc import Iterator
from typing import Any, TypeVar

from micropie import App, Mount, Nested, Route

UNLISTED = "__micropie_unlisted__"
FORM = "__micropie_form__"

F = TypeVar("F")


def unlisted(handler: F) -> F:
    """Leave a handler out of every document; a controller, a `Mount` or an `App` with all that is below it.

    @unlisted
    async def health(self): ...
    """
    setattr(handler, UNLISTED, True)
    return handler


def form(handler: F) -> F:
    """Describe the body of a handler, or of all below a controller, as a form; it is taken as JSON too, as any body is.

    @form
    @methods("POST")
    async def login(self, name: str, password: str): ...
    """
    setattr(handler, FORM, True)
    return handler


def is_marked(mark: str, app: App, route: Route) -> bool:
    """True if the mark is on the handler of a route, or on anything that leads to it."""
    return any(getattr(one, mark, None) is True for one in way_to(app, route))


def way_to(app: App, route: Route) -> Iterator[Any]:
    """All that a mark may stand on: the application, the controllers on the way, the attribute, and the handler."""
    found: Any = app
    for name in route.name.split("."):
        yield found
        found = inspect.getattr_static(type(found), name, None)  # as it was written: a static method, for one
        while isinstance(found, Mount | Nested):
            yield found
            found = found.app if isinstance(found, Mount) else found.below
    yield found
    yield route.handler
