"""How clients say who they are: security schemes of what guards a handler (§4.8.27 and §4.8.30 of OpenAPI 3.1.1).

Whatever stands before a handler may have an attribute `security`, a dict of a name and a Security Scheme Object: a
provider, a controller or its guard, an application, a middleware. Several names in one are alternatives; of several all
are needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter as Signature
from inspect import getattr_static
from itertools import product
from types import NoneType
from typing import Any, NamedTuple, get_args

from micropie import App, Controller, Parameter, Route, WebSocketMiddleware
from micropie.openapi.marks import way_to
from micropie.openapi.schemas import Schema

Requirement = dict[str, list[str]]

AUTHORIZATION: Schema = {"type": "apiKey", "in": "header", "name": "Authorization"}
"""The scheme of a handler that takes the header Authorization, where nothing says what is in it."""


class Guarded(NamedTuple):
    """The schemes of one thing that guards a handler; `is_optional` if it lets others pass too."""

    schemes: Mapping[str, Schema]
    is_optional: bool


def guarded(app: App, route: Route) -> list[Guarded]:
    """All that guards a handler and says by which schemes, outermost first; its providers come last."""
    around = [Guarded(schemes_of(one), is_optional=False) for one in _around(app, route)]
    providers = [Guarded(schemes_of(one.kind), _is_optional(one.kind, route)) for one in route.providers]
    return [one for one in (*around, *providers) if one.schemes]


def _around(app: App, route: Route) -> Iterator[Any]:
    """The applications, with their middlewares, and the controllers on the way to a handler."""
    for one in way_to(app, route):
        if isinstance(one, App):
            yield from middlewares_of(one, route)
        if isinstance(one, App | Controller):
            yield one
        if isinstance(one, Controller):
            yield getattr_static(type(one), "_before")


def middlewares_of(app: App, route: Route) -> Iterable[Any]:
    """The middlewares round a route's handler."""
    if route.kind != "websocket":
        return app.middlewares
    return [*(one for one in app.middlewares if isinstance(one, WebSocketMiddleware)), *app.ws_middlewares]


def _is_optional(kind: Any, route: Route) -> bool:
    """True if whoever asks for a provider can do without: `user: CurrentUser | None`."""
    asking = (
        *route.parameters,
        *route.guard_parameters,
        *(one for provider in route.providers for one in provider.parameters),
    )
    types = [(one.metadata, one.annotation, get_args(one.annotation)) for one in asking]
    found = [parts for metadata, whole, parts in types if kind in (*metadata, whole, *parts)]
    return bool(found) and all(NoneType in parts for parts in found)


def schemes_of(thing: Any) -> Mapping[str, Schema]:
    """The schemes that a thing has as its attribute `security`; a handler of that name is none."""
    found = getattr(thing, "security", None)
    return found if isinstance(found, Mapping) else {}


def requirements(guards: Iterable[Guarded], parameters: tuple[Parameter, ...]) -> list[Requirement]:
    """The Security Requirements of a handler, alternatives; an empty one: it can do without."""
    choices = [_alternatives(one) for one in guards]
    if not choices:
        return _of_header(parameters)
    found: list[Requirement] = []
    for choice in product(*choices):
        together = {name: scopes for one in choice for name, scopes in one.items()}
        if together not in found:
            found.append(together)
    return found


def _alternatives(guard: Guarded) -> list[Requirement]:
    """What one thing asks for: any of its schemes, or nothing where that will do."""
    found: list[Requirement] = [{name: []} for name in guard.schemes]
    return [*found, {}] if guard.is_optional else found


def _of_header(parameters: tuple[Parameter, ...]) -> list[Requirement]:
    """The requirements of a handler that takes the header Authorization by itself."""
    found = [one for one in parameters if one.source == "header" and one.key.lower() == "authorization"]
    if not found:
        return []
    is_needed = found[0].default is Signature.empty
    return [{"Authorization": []}, *([] if is_needed else [{}])]


def security_schemes(app: App, shown: list[Route]) -> dict[str, Schema]:
    """The schemes of all handlers by name. TypeError where a name means two."""
    schemes: dict[str, Schema] = {}
    for route in shown:
        for guard in guarded(app, route):
            for name, scheme in guard.schemes.items():
                if schemes.setdefault(name, scheme) != scheme:
                    raise TypeError(f"Two security schemes are called {name!r}: {schemes[name]!r} and {scheme!r}")
    return schemes
