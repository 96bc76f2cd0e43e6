"""Where a request could have led that led nowhere: the routes that look most like it."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import NamedTuple

from micropie import Route

_ALIKE = 0.6  # how like the names in a path must be, from 0 to 1
_MAX_NEAR = 5
_MAX_LENGTH = 200  # characters of a path that are compared


class Near(NamedTuple):
    """A route, and what of the request does not fit it."""

    route: Route
    why: str


def near(routes: Iterable[Route], verb: str, segments: list[str]) -> list[Near]:
    """The routes that are most like the request, the nearest first; of those equally near the ones that fit best."""
    rated = [(likeness(route, segments), misfit(route, verb, segments), route) for route in routes]
    chosen = sorted(
        (one for one in rated if one[0] >= _ALIKE), key=lambda one: (-one[0], one[1] != "", -len(names_of(one[2])))
    )
    return [Near(route, why) for _, why, route in chosen[:_MAX_NEAR]]


def likeness(route: Route, segments: list[str]) -> float:
    """How like the names in the path are to the route's own, 1 if they are the same; case does not count."""
    names = names_of(route)
    if route.kind != "http" or not names:
        return 0
    asked = "/".join(segments[: len(names)])[:_MAX_LENGTH].lower()
    return SequenceMatcher(None, asked, "/".join(names)[:_MAX_LENGTH].lower(), autojunk=False).ratio()


def names_of(route: Route) -> list[str]:
    """The segments of its path that stand for themselves: what comes before the parameters."""
    return [name for name in route.path.split("/") if name and not name.startswith("{")]


def misfit(route: Route, verb: str, segments: list[str]) -> str:
    """What does not fit, in words; nothing if it is the spelling alone."""
    if route.verbs and verb not in route.verbs:
        return f"answers {', '.join(route.verbs)} only"
    given = len([segment for segment in segments if segment]) - len(names_of(route))
    least = route.path.count("/{") - route.path.count("*}")
    most = len([one for one in route.parameters if one.kind == "positional" and not one.is_body])
    if given < least:
        return f"{counted(least - given)} missing"
    if given > most and not any(one.kind == "variadic" for one in route.parameters):
        return f"{counted(given - most)} too many"
    return ""


def counted(number: int) -> str:
    """So many segments."""
    return f"{number} segment{'' if number == 1 else 's'}"
