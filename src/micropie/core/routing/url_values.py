"""Values as a URL has them: text that binding reads as the same value."""

from collections import deque
from enum import Enum
from typing import Any

from micropie.core.basics.json_codec import duration
from micropie.core.basics.optional import lazy_import

SEVERAL = (list, tuple, set, frozenset, deque)  # each item is a field of its own


def texts_of(value: Any) -> list[str]:
    """The texts of a query field: one for each item of a list, none for None."""
    return [text_of(one) for one in (value if isinstance(value, SEVERAL) else (value,)) if one is not None]


def text_of(value: Any) -> str:
    """A value as the path and the query have it, and as binding reads it. TypeError for one that has no text."""
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "isoformat"):  # dates and times
        return str(value.isoformat())
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"url_for() puts text into URLs, {value!r} are bytes: decode them first")
    if hasattr(value, "total_seconds"):
        return duration(value)
    if not _has_text(value):
        raise TypeError(
            f"url_for() can't write {value!r} into a URL: it takes text, numbers, booleans, dates, times, Enums, "
            "what else has a text by its __str__, lists of these, and a record where a parameter takes the whole query"
        )
    text = str(value)
    if "e" in text.lower() and isinstance(value, float | lazy_import("decimal").Decimal):
        return f"{lazy_import('decimal').Decimal(text):f}"
    return text


def _has_text(value: Any) -> bool:
    """True if `str()` makes more of a value than what a programmer is shown, which no handler reads."""
    if isinstance(value, int | float):
        return True
    shown_by: Any = type(value).__str__
    is_shown_by_pydantic = getattr(shown_by, "__module__", None) == "pydantic.main"
    is_secret = hasattr(value, "get_secret_value")  # pydantic's, whose text is asterisks
    return shown_by is not object.__str__ and not is_shown_by_pydantic and not is_secret
