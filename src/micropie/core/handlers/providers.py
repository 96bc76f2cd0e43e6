"""Providers: classes, or objects, that make what handlers ask for by the annotation of a parameter.

They are read when the application is made, each once, with all that they ask for themselves.
"""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from micropie.core.handlers.binding import Plan
from micropie.core.handlers.parameter import (
    AUTO,
    CONTEXT,
    COOKIE_SOURCE,
    HEADER,
    POSITIONAL,
    PROVIDE,
    PROVIDER,
    QUERY,
    SESSION,
    Parameter,
)
from micropie.core.handlers.signature import read_signature
from micropie.core.handlers.user_function import UserFunction, place_of

_ALLOWED = (CONTEXT, COOKIE_SOURCE, HEADER, PROVIDER, QUERY, SESSION)


class Provider:
    """A class or an object with `__provide__`: its `kind`, and how that is called. TypeError if it can't be."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.title = f"{name_of(kind)}.{PROVIDE}"
        of_class = isinstance(kind, type)
        if of_class and not isinstance(inspect.getattr_static(kind, PROVIDE), classmethod | staticmethod):
            raise self._wrong("is no @classmethod")
        function = getattr(kind, PROVIDE)
        self.function = UserFunction(function)
        first = read_signature(function, 0).parameters[:1]
        if not first or first[0].kind != POSITIONAL or first[0].source not in (AUTO, CONTEXT):
            raise self._wrong("does not take the request first")
        self.plan = Plan(function, skip=1)
        for parameter in self.parameters:
            if parameter.source not in _ALLOWED or self.plan.takes_faults:
                raise self._wrong(self._unfilled(parameter))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters behind the request."""
        return self.plan.parameters

    def _unfilled(self, parameter: Parameter) -> str:
        known = "".join(f" ({problem})" for problem in self.plan.problems)
        return (
            f"takes {parameter.name!r}, which nothing fills{known}: say where it is by Header(), Cookie(), FromQuery() "
            "or FromSession(), or annotate it with a provider"
        )

    def _wrong(self, what: str) -> TypeError:
        place = place_of(inspect.unwrap(getattr(self.kind, PROVIDE)))
        where = "" if place is None else f" ({place[0]}, line {place[1]})"
        return TypeError(f"{self.title}{where} {what}: write @classmethod def {PROVIDE}(cls, request)")


def name_of(kind: Any) -> str:
    """The name of a provider's class."""
    name: str = (kind if isinstance(kind, type) else type(kind)).__qualname__
    return name


class Providers(dict[Any, Provider]):
    """The providers of an application by what asks for them; one that is not there yet is read."""

    def __missing__(self, kind: Any) -> Provider:
        self.add(kind)
        return self[kind]

    def add(self, kind: Any, above: tuple[Any, ...] = ()) -> None:
        """Read a provider that those above ask for, and what it asks for itself. TypeError if they go in a circle."""
        if kind in above:
            circle = " -> ".join(name_of(one) for one in (*above[above.index(kind) :], kind))
            raise TypeError(f"Providers ask for each other in a circle: {circle}")
        if kind not in self:
            provider = Provider(kind)
            for needed in provider.plan.provided:
                self.add(needed, (*above, kind))
            self[kind] = provider

    def needed(self, kinds: Iterable[Any]) -> Iterator[Provider]:
        """The providers of these kinds, behind those that they ask for; one may come several times."""
        for kind in kinds:
            yield from self.needed(self[kind].plan.provided)
            yield self[kind]
