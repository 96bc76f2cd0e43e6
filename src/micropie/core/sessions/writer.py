"""Writing to the sessions that a backend keeps, so that no request undoes what another one has stored.

To change this, know what two requests of one session must not do to each other: a value that only one of them has
changed is kept, and what has ended is not stored again. A backend's `update` and `touch` promise that in one step, for
all processes. For a backend without them requests take turns, between which each loads anew, in this process.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

from micropie.core.requests.session import Session, new_session_id
from micropie.core.sessions.backends import OfBackends, SessionBackend


class Turn:
    """Which requests have a session at the moment: one alone, or several that share it."""

    __slots__ = ("lock", "requests", "sharing", "unshared")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.requests = 0  # that have the session, or wait for it
        self.sharing = 0
        self.unshared = asyncio.Event()
        self.unshared.set()


class Turns:
    """Lets the requests of one session change it one after another, but for those that can share it."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    @asynccontextmanager
    async def taken(self, session_id: str) -> AsyncIterator[None]:
        """Wait until nobody else has the session, and have it."""
        with self._turn(session_id) as turn:
            async with turn.lock:
                await turn.unshared.wait()
                yield

    @asynccontextmanager
    async def shared(self, session_id: str) -> AsyncIterator[None]:
        """Wait until nobody has the session alone, or waits for that, and share it."""
        with self._turn(session_id) as turn:
            async with turn.lock:
                turn.sharing += 1
                turn.unshared.clear()
            try:
                yield
            finally:
                turn.sharing -= 1
                if not turn.sharing:
                    turn.unshared.set()

    @contextmanager
    def _turn(self, session_id: str) -> Iterator[Turn]:
        turn = self._turns.setdefault(session_id, Turn())
        turn.requests += 1
        try:
            yield turn
        finally:
            turn.requests -= 1
            if not turn.requests:
                del self._turns[session_id]


_turns = OfBackends(Turns)


class SessionWriter:
    """Creates, changes and deletes stored sessions.

    What the methods return is the value that the cookie gets with the reply: None if it stays as it is, and empty if it
    is to expire.
    """

    def __init__(self, backend: SessionBackend, timeout: int) -> None:
        self._backend = backend
        self._timeout = timeout
        self._update, self._touch = _optional(backend, "update"), _optional(backend, "touch")
        self._turns = _turns[backend]

    async def create(self, session: Session, data: dict[str, Any], new_id: str | None) -> str:
        """Store the data as this session's, under `new_id` or a fresh one, which it has from then on.

        No data are not stored, and the session has no id.
        """
        if not data:
            session.id = None
            return ""
        session.id = new_id or new_session_id()
        return self._cookie_value(await self._backend.save(session.id, data, self._timeout)) or session.id

    async def change(self, session_id: str, changes: dict[str, Any], removed: list[str]) -> str | Literal[False] | None:
        """Write what has changed on top of what is stored now; False if nothing is, which may have ended meanwhile."""
        if self._update is not None:
            returned = await self._update(session_id, changes, removed, self._timeout)
            return False if returned is False else self._cookie_value(returned)
        async with self._turns.taken(session_id):
            stored = await self._backend.load(session_id)
            if not stored:
                return False
            data = with_changes(stored, changes, removed)
            return self._cookie_value(await self._backend.save(session_id, data, self._timeout))

    async def push(self, session_id: str) -> str | None:
        """Push the expiry, unless the session has ended meanwhile."""
        if self._touch is None:
            value = await self.change(session_id, {}, [])
            return None if value is False else value
        return self._cookie_value(await self._touch(session_id, self._timeout))

    async def delete(self, session_id: str) -> None:
        """End the session, which may have ended already."""
        async with self._turns.taken(session_id):  # nobody may be about to save what was loaded before
            await self._backend.save(session_id, {}, 0)

    def _cookie_value(self, returned: str | None) -> str | None:
        """A cookie's value that a backend has returned; what others return, as the rows that were changed, is none."""
        return returned if self._backend.in_cookie else None


def with_changes(data: Mapping[str, Any], changes: Mapping[str, Any], removed: list[str]) -> dict[str, Any]:
    """The data with the changes of a session, and without the names that it has removed."""
    return {name: value for name, value in {**data, **changes}.items() if name not in removed}


def _optional(backend: SessionBackend, name: str) -> Callable[..., Any] | None:
    """A backend's own `update` or `touch`; None if it has none, or one that goes past a `load` or `save` of its own."""
    nearest = next(cls for cls in type(backend).__mro__ if not vars(cls).keys().isdisjoint((name, "load", "save")))
    return getattr(backend, name) if inspect.iscoroutinefunction(vars(nearest).get(name)) else None
