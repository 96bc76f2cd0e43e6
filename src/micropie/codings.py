"""The content coding for a client, by its Accept-Encoding field (RFC 9110 §12.5.3): of replies, and of files."""

import re
from functools import lru_cache
from typing import NamedTuple

USUAL_FIELD = 200  # characters of a field that is remembered; a longer one may be hostile
_WEIGHTED = re.compile(r"\s*([^\s;,]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?", re.IGNORECASE)


class Choice(NamedTuple):
    """The coding for a client, None for the bare body; `must` is True if the client refuses that."""

    coding: str | None
    must: bool


def choice_of(field: str, codings: tuple[str, ...]) -> Choice:
    """The best of our codings by the weights of an Accept-Encoding field; of equal ones the first."""
    return (_usual_choice if len(field) < USUAL_FIELD else _choice)(field, codings)


def _choice(field: str, codings: tuple[str, ...]) -> Choice:
    weights = {}
    for part in field.lower().split(","):
        if (found := _WEIGHTED.fullmatch(part)) is not None:
            weights[found[1].removeprefix("x-")] = float(found[2] or 1)  # §8.4.1.3: x-gzip is gzip
    others = weights.get("*", 0.0)
    best = max(codings, key=lambda coding: weights.get(coding, others), default=None)
    weight = 0 if best is None else weights.get(best, others)
    bare = weights.get("identity", weights.get("*"))
    if weight == 0 or weight < weights.get("identity", 0):
        return Choice(None, must=False)
    return Choice(best, must=bare == 0)


_usual_choice = lru_cache(256)(_choice)
