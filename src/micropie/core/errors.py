"""What can go wrong, by name, and the one logger.

An `HTTPError` is an answer: its status and detail reach the client. Everything else that a handler
raises is a fault of the application: it reaches the log, and the client sees a bare 500.
"""

import logging
from typing import Any

log = logging.getLogger("micropie")


class HTTPError(Exception):
    """Answer the request with `status` (400 to 599, or any final one) and a short text.

    `detail` is shown to the client, HTML-escaped, behind the status and its phrase; `headers` are added to the
    reply, in any shape that a handler may return.
    Changes to the session are kept.

        raise HTTPError(403, "Members only")
    """

    def __init__(self, status: int, detail: str | None = None, headers: Any = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers


class ClientGone(HTTPError):  # noqa: N818 - what happened, not an error
    """The client left before its request was complete; nobody is there to read the answer."""

    def __init__(self) -> None:
        super().__init__(400, "Client disconnected")


class ConnectionClosed(Exception):  # noqa: N818 - the documented name
    """The WebSocket is closed; `code` and `reason` are the peer's (RFC 6455 §7.4)."""

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class MissingDependency(RuntimeError):  # noqa: N818 - says what is wrong better than MissingDependencyError
    """An optional package is needed and not installed; the message says what to install."""
