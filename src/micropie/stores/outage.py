"""A store that does not answer: a 503 to clients, one line to the log."""

import logging

from micropie import HTTPError

log = logging.getLogger("micropie")
ANSWERED = "requests are answered 503"
RETRY_AFTER = 1  # seconds; who asks again finds out by that whether it is over


class Outage:
    """What is known of a store's being away, as each use of it tells; the log has one line when that changes.

    `what` is kept there, in the plural: "Sessions". `consequence` is for the log: what comes of it for clients.

    Writing can fail while reading goes on (a locked file, a full memory): then only writing tells that it is over.
    """

    def __init__(self, what: str, store: str, consequence: str = ANSWERED) -> None:
        self.what = what
        self.store = store
        self.consequence = consequence
        self.of_reading = False
        self.of_writing = False

    def begin(self, reason: object, *, writing: bool) -> HTTPError:
        """The store has not answered: the error to raise."""
        if not self.of_writing:
            log.error("%s are not available, %s: %s: %s", self.what, self.consequence, self.store, reason)
        self.of_writing = True
        self.of_reading = self.of_reading or not writing
        return self.error()

    def end(self, *, writing: bool) -> None:
        """The store has answered."""
        if self.of_writing and (writing or self.of_reading):
            self.of_reading = self.of_writing = False
            log.warning("%s are available again: %s", self.what, self.store)

    def error(self) -> HTTPError:
        """The answer to a client."""
        return HTTPError(503, f"{self.what} are not available at the moment", [("Retry-After", str(RETRY_AFTER))])
