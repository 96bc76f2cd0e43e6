"""The close of a WebSocket: its code, which of them may be sent, and its reason (RFC 6455 §7.4)."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from micropie.core.basics.errors import HTTPError
from micropie.core.replies.reply import Reply

MAX_REASON = 123  # bytes; a control frame carries 125, two of them the code (RFC 6455 §5.5)
_REGISTERED = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))

NORMAL, GOING_AWAY, UNSUPPORTED, REFUSED, TOO_BIG, BROKEN = 1000, 1001, 1003, 1008, 1009, 1011
NO_STATUS, ABNORMAL = 1005, 1006  # that are never sent: the peer has said nothing, or is gone
PRIVATE_CODES = 3000  # to be added: 4000 to 4999 are for private use (RFC 6455 §7.4.2)


def checked_code(code: Any) -> int:
    """A close code that an endpoint may send (RFC 6455 §7.4), else ValueError."""
    if isinstance(code, int) and (code in _REGISTERED or 3000 <= code <= 4999):  # noqa: PLR2004 - private ones
        return code
    raise ValueError(f"{code!r} is no close code that may be sent: 1000 to 1014 without 1004 to 1006, or 3000 to 4999")


def close_reason(reason: str | None) -> str:
    """A reason that fits into a close frame, cut at a character."""
    return (reason or "").encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


async def close_or_private(close: Callable[[int], Awaitable[None]], code: int) -> None:
    """Close with the code, or with a private one where the server refuses it: Daphne sends 1000 and 3000 to 4999 only.

    OSError if the peer is gone.
    """
    try:
        await close(code)
    except OSError:
        raise
    except Exception:  # servers have no common one for that
        await close(code + PRIVATE_CODES)


class Closing(NamedTuple):
    """How a connection is to be closed; `denial` refuses it in place of that, where the server can send a reply."""

    code: int
    reason: str
    denial: Reply | HTTPError | None = None


FAILED = Closing(BROKEN, "Internal server error", HTTPError(500))
ENDED = Closing(NORMAL, "")
