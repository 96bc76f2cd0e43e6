"""Content negotiation: which media types a client wants, and how much, by its Accept field (RFC 9110 §12.5.1)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from micropie.core.basics.headers import MAX_LOOKED_AT, is_json_type, parse_media_type
from micropie.core.basics.optional import lazy_pattern

_MAX_RANGES = 100  # of an Accept field that are read; browsers name up to ten
_WEIGHT = r"[01](\.\d*)?|\.\d+"  # §12.4.2, and Java's `.2`
_LISTED = r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+'  # of a list, whose quoted texts may have commas (§5.6.1, §5.6.4)
BY_PARAMETERS, NAMED, BY_TYPE, BY_ANYTHING = 4, 3, 2, 1  # how closely a range describes a media type
_CHARSET = "charset"  # which says nothing of the type: some clients send it with every range


class Wish(NamedTuple):
    """How much a client wants a kind of answer, and how closely it has described it; compared in this order."""

    weight: float
    closeness: int

    def __bool__(self) -> bool:
        return self.weight > 0


NO_WISH = Wish(0, 0)


class Range(NamedTuple):
    """A media range of an Accept field: `text/html;level=1`, `text/*`, `*/*`."""

    name: str
    parameters: dict[str, str]
    weight: float

    def closeness_to(self, media_type: str, parameters: dict[str, str]) -> int:
        """How closely it describes a media type; 0 if it is not of the range."""
        if not self.parameters.items() <= parameters.items():
            return 0
        if self.name == media_type:
            return BY_PARAMETERS if self.parameters else NAMED
        return {f"{media_type.partition('/')[0]}/*": BY_TYPE, "*/*": BY_ANYTHING}.get(self.name, 0)


def accepted(accept: str) -> tuple[Wish, Wish]:
    """The wishes in an Accept field for HTML, and for JSON. None of it, and an empty one, accepts everything alike."""
    ranges = ranges_of(accept)
    html = (one.weight for one in ranges if one.name == "text/html")
    json = (one.weight for one in ranges if is_json_type(one.name))
    return _wish(html, "text/*", ranges), _wish(json, "application/*", ranges)


def preferred(accept: str, media_types: Sequence[str]) -> str | None:
    """The media type that a client wants most, of several the first; None if it wants none of them."""
    ranges = ranges_of(accept)
    best, wish = None, NO_WISH
    for media_type in media_types:
        name, parameters = parse_media_type(media_type)
        described = [(one.closeness_to(name, parameters), one.weight) for one in ranges]
        closeness, weight = max(described)  # the closest description of it counts
        if closeness and Wish(weight, closeness) > wish:
            best, wish = media_type, Wish(weight, closeness)
    return best if wish else None


def ranges_of(accept: str) -> list[Range]:
    """The media ranges of an Accept field, the first hundred."""
    accept = accept[:MAX_LOOKED_AT].strip() or "*/*"
    items = lazy_pattern(_LISTED).findall(accept) if '"' in accept else accept.split(",", _MAX_RANGES)
    return [_range(item) for item in items[:_MAX_RANGES]]


def _range(item: str) -> Range:
    name, parameters = parse_media_type(item)
    weight = parameters.get("q", "1")
    own = {key: value for key, value in parameters.items() if key not in ("q", _CHARSET)}
    return Range(name, own, min(float(weight), 1) if lazy_pattern(_WEIGHT).fullmatch(weight) else 1)


def _wish(named: Iterable[float], by_type: str, ranges: list[Range]) -> Wish:
    """The wish for a kind of answer: the closest description of it counts."""
    for closeness, weights in (
        (NAMED, [*named]),
        (BY_TYPE, [one.weight for one in ranges if one.name == by_type]),
        (BY_ANYTHING, [one.weight for one in ranges if one.name == "*/*"]),
    ):
        if weights:
            return Wish(max(weights), closeness)
    return NO_WISH
