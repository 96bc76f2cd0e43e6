"""Suggestions for a request without a route: the routes that look most like it."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import NamedTuple

from micropie import Route

_MIN_SIMILARITY = 0.6  # from 0 to 1
_MAX_SUGGESTIONS = 5
_MAX_LENGTH = 200  # characters of a path that are compared


class Suggestion(NamedTuple):
    """A route, and in words why it does not fit the request; empty if it is the spelling alone."""

    route: Route
    misfit: str


def suggestions(routes: Iterable[Route], verb: str, segments: list[str]) -> list[Suggestion]:
    """The routes that are most like the request, the nearest first; of those equally near the best fitting first."""
    rated = [(similarity(route, segments), misfit(route, verb, segments), route) for route in routes]
    similar = [one for one in rated if one[0] >= _MIN_SIMILARITY]
    similar.sort(key=lambda one: (-one[0], one[1] != "", -len(fixed_segments(one[2]))))
    return [Suggestion(route, reason) for _, reason, route in similar[:_MAX_SUGGESTIONS]]


def similarity(route: Route, segments: list[str]) -> float:
    """The similarity of a path to the fixed segments of a route, from 0 to 1; case does not count."""
    fixed = fixed_segments(route)
    if route.kind != "http" or not fixed:
        return 0
    asked = "/".join(segments[: len(fixed)])[:_MAX_LENGTH].lower()
    return SequenceMatcher(None, asked, "/".join(fixed)[:_MAX_LENGTH].lower(), autojunk=False).ratio()


def fixed_segments(route: Route) -> list[str]:
    """The segments of a route's path that are no parameters."""
    return [name for name in route.path.split("/") if name and not name.startswith("{")]


def misfit(route: Route, verb: str, segments: list[str]) -> str:
    """The reason, in words, why a route does not fit a request; empty if it is the spelling alone."""
    if route.verbs and verb not in route.verbs:
        return f"answers {', '.join(route.verbs)} only"
    given = len([segment for segment in segments if segment]) - len(fixed_segments(route))
    least = route.path.count("/{") - route.path.count("*}")
    most = len([one for one in route.parameters if one.kind == "positional" and not one.is_body])
    if given < least:
        return f"{counted(least - given)} missing"
    if given > most and not any(one.kind == "variadic" for one in route.parameters):
        return f"{counted(given - most)} too many"
    return ""


def counted(number: int) -> str:
    """A number of segments, in words."""
    return f"{number} segment{'' if number == 1 else 's'}"
