"""Checks of the keywords of `App` and of limits: what they don't accept is refused when it is given."""

from collections.abc import Iterable
from typing import Any

from micropie.core.basics.optional import lazy_pattern

_ORIGIN = r"[a-z][a-z0-9+.-]*://[^/?#@\s]+"  # RFC 6454 §6.2


def is_whole(value: Any, least: int = 0) -> bool:
    """True if it is an int, but no bool, of at least so much."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_setting(name: str, value: Any, accepted: str, *, fits: bool) -> None:
    """ValueError that says what is accepted, unless the value fits."""
    if not fits:
        raise ValueError(f"App({name}={value!r}): {accepted} accepted")


def checked_origins(origins: Any) -> frozenset[str]:
    """The origins in lower case. ValueError for what no browser would send."""
    is_list = isinstance(origins, Iterable) and not isinstance(origins, str | bytes)
    check_setting("allowed_origins", origins, "a list of origins, as ['https://friend.example'], is", fits=is_list)
    return frozenset(map(_origin, origins))


def _origin(origin: Any) -> str:
    known = origin.lower().rstrip("/") if isinstance(origin, str) else ""
    fits = known in ("*", "null") or lazy_pattern(_ORIGIN).fullmatch(known) is not None
    check_setting("allowed_origins", [origin], "origins such as 'https://friend.example' are", fits=fits)
    return known
