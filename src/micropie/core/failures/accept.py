"""Content negotiation: how much a client wants HTML, and how much JSON, by its Accept field (RFC 9110 §12.5.1)."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from micropie.core.basics.headers import MAX_LOOKED_AT, is_json_type, parse_media_type

_MAX_RANGES = 100  # of an Accept field that are read; browsers name up to ten
_WEIGHT = re.compile(r"[01](\.\d*)?")  # §12.4.2
NAMED, BY_TYPE, BY_ANYTHING = 3, 2, 1  # how closely a range describes a media type: itself, `text/*`, `*/*`


class Wish(NamedTuple):
    """How much a client wants a kind of answer, and how closely it has described it; compared in this order."""

    weight: float
    closeness: int

    def __bool__(self) -> bool:
        return self.weight > 0


NO_WISH = Wish(0, 0)


class Accepted(NamedTuple):
    """What a client's Accept field says of HTML and of JSON, under whatever name."""

    html: Wish
    json: Wish


def accepted(accept: str) -> Accepted:
    """The wishes in an Accept field. None of it, and an empty one, accepts everything alike."""
    ranges = [
        _weighted(item) for item in (accept[:MAX_LOOKED_AT].strip() or "*/*").split(",", _MAX_RANGES)[:_MAX_RANGES]
    ]
    html = (weight for name, weight in ranges if name == "text/html")
    json = (weight for name, weight in ranges if is_json_type(name))
    return Accepted(_wish(html, "text/*", ranges), _wish(json, "application/*", ranges))


def _weighted(item: str) -> tuple[str, float]:
    name, parameters = parse_media_type(item)
    weight = parameters.get("q", "1")
    return name, min(float(weight), 1) if _WEIGHT.fullmatch(weight) else 1


def _wish(named: Iterable[float], by_type: str, ranges: list[tuple[str, float]]) -> Wish:
    """The wish for a kind of answer: the closest description of it counts."""
    for closeness, weights in (
        (NAMED, [*named]),
        (BY_TYPE, [weight for name, weight in ranges if name == by_type]),
        (BY_ANYTHING, [weight for name, weight in ranges if name == "*/*"]),
    ):
        if weights:
            return Wish(max(weights), closeness)
    return NO_WISH
