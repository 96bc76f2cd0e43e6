"""The encodings of precompressed files, and which of them a client takes (RFC 9110 §12.5.3)."""

from collections.abc import Collection
from functools import lru_cache

SUFFIXES = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}  # the first ones are preferred
_LONGEST = 200


def best_encoding(accepted: str, offered: Collection[str]) -> str | None:
    """The offered encoding that the client weighs most; None if it takes none of them."""
    weights = _weights(accepted) if len(accepted) <= _LONGEST else {}
    found = [(weights.get(one, weights.get("*", 0.0)), one) for one in SUFFIXES if one in offered]
    weight, encoding = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return encoding if weight > 0 and weight >= weights.get("identity", 0.0) else None


@lru_cache(256)
def _weights(accepted: str) -> dict[str, float]:
    weights = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    return weights


def _weight(parameter: str) -> float:
    name, found, value = parameter.partition("=")
    if not found or name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
