"""Handshake: what a WebSocket asks of the request that it began as."""

from functools import partial

from micropie.core.basics.headers import set_cookie
from micropie.core.basics.threads import WorkerThreads
from micropie.core.requests.session import SESSION_COOKIE
from micropie.core.requests.state import State

# The session cookie as it is set where nothing is known of the connection: for https only.
secure_cookie = partial(set_cookie, SESSION_COOKIE, secure=True)


class Handshake:
    """A handshake that nothing is known of, a handmade socket's: `Connection` in pipeline/websocket.py knows more."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state: State | None = None

    @property
    def subprotocols(self) -> tuple[str, ...] | None:
        """Those that the client offers; None where they are not known."""
        return None

    @property
    def threads(self) -> WorkerThreads | None:
        """The threads for large messages."""
        return None

    @property
    def state(self) -> State:
        """Free attributes."""
        if self._state is None:
            self._state = State({})
        return self._state

    def cookie(self, session_id: str) -> str:
        """The header that sets the session's cookie."""
        return secure_cookie(session_id)

    def session_id(self) -> str | None:
        """The id of the client's session; a fresh one if it has none."""
        return None

    def id_to_give(self) -> str | None:
        """An id for a client whose session has values that none of its cookies leads to; None if there are none."""
        return None
