"""Uvicorn's connections in a stop: one that has just been opened may still say what it wants.

Uvicorn closes every connection without a request in flight, and so cuts off clients whose first request is on its way:
under load several in each stop, and a proxy that opens a connection for each request answers them with a 502.
"""

import functools
from typing import Any

from micropie.core.basics.optional import lazy_import

ARRIVING = 0.25  # seconds for the first request of a connection to arrive, once the server stops


def patient_protocol(**keywords: Any) -> Any:
    """A connection of Uvicorn, for its option `http`."""
    return patient_class(lazy_import("uvicorn.protocols.http.auto").AutoHTTPProtocol)(**keywords)


@functools.cache
def patient_class(protocol_class: Any) -> Any:
    """Uvicorn's class for HTTP, with a `shutdown` that waits for a first request."""

    class Protocol(protocol_class):  # type: ignore[misc]  # the core knows Uvicorn at run time only
        def shutdown(self) -> None:
            if self.cycle is None:
                self.loop.call_later(ARRIVING, self.shutdown_in_time)
            else:
                super().shutdown()

        def shutdown_in_time(self) -> None:
            if self in self.connections:  # else it has ended, or has become a WebSocket
                super().shutdown()

    return Protocol
