"""How much of a body or a WebSocket's message is taken, and how long it may take: the limits, and what they may be."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

from micropie.core.basics.settings import is_whole


class LimitKeywords(TypedDict, total=False):
    """The limits that a handler may have for itself, as the keywords of `App` of the same names."""

    max_body_size: int | None
    max_form_field_size: int | None
    max_form_parts: int | None
    max_upload_size: int | None
    body_timeout: float | None
    max_message_size: int | None
    idle_timeout: float | None


class Limits(NamedTuple):
    """How much of a body is taken, in bytes, and how long it may take, in seconds; None is no limit.

    `max_message_size` is that of a WebSocket's messages, `idle_timeout` how long it may be without any.
    """

    max_body_size: int | None
    max_form_field_size: int | None
    max_form_parts: int | None
    max_upload_size: int | None
    body_timeout: float | None
    max_message_size: int | None = None
    idle_timeout: float | None = None

    @property
    def multipart_size(self) -> int | None:
        """The size of a whole multipart body: its files and everything else."""
        if self.max_upload_size is None or self.max_body_size is None:
            return None
        return self.max_upload_size + self.max_body_size


TIMES = ("body_timeout", "idle_timeout")  # in seconds; the other limits are whole numbers


def exceeds(number: int, limit: int | None) -> bool:
    """True if there is a limit, and the number is over it."""
    return limit is not None and number > limit


def check_limits(limits: Mapping[str, Any], title: str) -> None:
    """ValueError for a limit that is none; `title` says how one of them is written, as in `App({})`."""
    for name, value in limits.items():
        if name in TIMES:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            accepted, fits = "seconds, more than 0,", is_number and 0 < value < math.inf
        else:
            accepted, fits = "a whole number, at least 0,", is_whole(value)
        if value is not None and not fits:
            raise ValueError(f"{title.format(f'{name}={value!r}')}: {accepted} or None for no limit is accepted")
