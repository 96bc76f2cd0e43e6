"""What a session backend says when its store does not answer: a 503 to clients, one line to the log."""

import logging

from micropie import HTTPError

log = logging.getLogger("micropie")
RETRY_AFTER = 1  # seconds; clients that ask again find out by themselves whether it is over


class Outage:
    """Whether a store answers, as told by each use of it; the log has one line when that changes."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.lasts = False

    def begin(self, reason: object) -> HTTPError:
        """The store has not answered: the error to raise."""
        if not self.lasts:
            self.lasts = True
            log.error("Sessions are not available, requests are answered 503: %s: %s", self.store, reason)
        return HTTPError(503, "Sessions are not available at the moment", [("Retry-After", str(RETRY_AFTER))])

    def end(self) -> None:
        """The store has answered."""
        if self.lasts:
            self.lasts = False
            log.warning("Sessions are available again: %s", self.store)
