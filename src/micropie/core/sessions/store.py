"""A request's session: loaded before the hooks, and saved behind them."""

import time
from collections.abc import Awaitable
from functools import lru_cache
from typing import TYPE_CHECKING

from micropie.core import late
from micropie.core.basics.settings import check_setting, is_whole
from micropie.core.requests.request import Request, lazy
from micropie.core.requests.session import Session, creation_time
from micropie.core.sessions.backends import InMemorySessionBackend, SessionBackend
from micropie.core.sessions.cookie import SessionCookie

if TYPE_CHECKING:
    from micropie.core.sessions.rotations import Rotations
    from micropie.core.sessions.writer import SessionWriter

SESSION_LIFETIME = 30 * 24 * 3600  # seconds, however busy

# PERF: visitors come again, and the memory knows who they are, 0.3 µs.
_time_of_known = lru_cache(1024)(creation_time)


def has_session(request: Request) -> bool:
    """True if there is a session to save, or one that the reply may depend on."""
    return request._session is not None or request._stored_session is not None


class UnknownSessions:
    """The sessions of a backend that would have to be asked for them: there may be some."""

    sessions = True


class SessionStore:
    """Gives requests their sessions, and saves what they make of them, as the docstring of this folder says."""

    def __init__(self, backend: SessionBackend, *, timeout: int, lifetime: int | None, cookie: SessionCookie) -> None:
        check_setting("session_timeout", timeout, "seconds, at least 1, are", fits=is_whole(timeout, 1))
        fits = lifetime is None or is_whole(lifetime, 1)
        check_setting("session_lifetime", lifetime, "seconds, at least 1, or None for no limit, are", fits=fits)
        self.backend = backend
        self.cookie = cookie
        self._timeout = timeout
        self._lifetime = lifetime
        self._memory = backend if type(backend) is InMemorySessionBackend else None
        # Its `sessions` are true if there can be one to load: there can't as long as the memory has none.
        self.known = self._memory or UnknownSessions

    @lazy
    def _writer(self) -> "SessionWriter":
        return late.SessionWriter(self.backend, self._timeout)

    @lazy
    def _rotations(self) -> "Rotations":
        return late.Rotations(self.backend, self._writer)

    # -- load -----------------------------------------------------------------------------------------

    def load(self, request: Request, cookies: str) -> Awaitable[None] | None:
        """Give the request the session that its Cookie header names, if the backend knows it; what is left to await.

        If that fails, nothing is saved after this request: a fresh session would take the place of the visitor's own.
        """
        try:
            ids = self.cookie.ids_in(cookies)
            if self._memory is None or len(ids) != 1:
                return self._load_first(request, ids)
            # PERF: the memory is asked without a coroutine, 0.3 µs.
            if (data := self._memory.stored(ids[0])) and (made_at := _time_of_known(ids[0])) is not None:
                if not self._is_alive(made_at):
                    return self._writer.delete(ids[0])
                request._stored_session = ids[0], data
        except BaseException:
            request._failure = True
            raise
        return None

    async def load_waiting(self, request: Request, cookies: str) -> None:
        """Give the request the session that its Cookie header names, if the backend knows it."""
        if (waiting := self.load(request, cookies)) is not None:
            await waiting

    async def _load_first(self, request: Request, ids: list[str]) -> None:
        """Give the request the first of these sessions that the backend knows."""
        try:
            for session_id in ids:
                # Of a session that is kept in its cookie, the id is the beginning.
                made_at = creation_time(".".join(session_id.split(".")[:2]) if self.backend.in_cookie else session_id)
                # An id that the backend does not know is not adopted: an attacker could have planted it.
                if made_at is None or not (data := await self.backend.load(session_id)):
                    continue
                if self._is_alive(made_at):
                    request._stored_session = session_id, data
                    return
                await self._writer.delete(session_id)
        except BaseException:
            request._failure = True
            raise

    def _is_alive(self, made_at: float) -> bool:
        """True if a session from that time has not outlived its `session_lifetime`."""
        return self._lifetime is None or made_at + self._lifetime >= time.time()

    # -- save -----------------------------------------------------------------------------------------

    def save_at_once(self, request: Request) -> bool:
        """Save a session in the memory that keeps its id; False if there is more to do, which is up to `save`."""
        # PERF: no coroutines, 0.5 µs.
        session = request._session
        if self._memory is None:
            return False
        if session is None:  # nobody looked at it
            stored = request._stored_session
            assert stored is not None  # noqa: S101 - for the type checker: one of the two is there
            self._memory.push(stored[0], self._timeout)
            return True
        if type(session) is not Session or "session" in request._preset:
            return False
        if not session or session.id is None or session.retired:
            return False
        changes, removed = session.changes()
        if removed and Session.USER in removed:
            return False
        if changes or removed:
            is_there = self._memory.change(session.id, changes, removed, self._timeout)
        else:
            is_there = True
            self._memory.push(session.id, self._timeout)
        return is_there  # or it went elsewhere, or has ended

    async def save(self, request: Request, new_id: str | None = None) -> str | None:
        """Store what changed, and push the expiry of what did not; the Set-Cookie header that the client must get.

        A session without an id gets `new_id`, or a fresh one.
        """
        session = request._session
        if session is None:  # nobody looked at it
            stored = request._stored_session
            value = None if stored is None else await self._writer.push(stored[0])
        elif request._preset.get("session") is session:  # an outer application's, which saves it
            value = None
        else:
            value = await self._save(session, new_id)
        return None if value is None else self.cookie.header(value, request.scope)

    async def _save(self, session: Session, new_id: str | None) -> str | None:
        """Save a session that somebody has looked at; the cookie's value, as the `SessionWriter` gives it."""
        if session.id is None and not session.retired:
            return await self._writer.create(session, dict(session), new_id) if session else None
        if not session:
            return await self._rotations.end(session)
        if session.id is None:
            return await self._rotations.rotate(session, new_id)
        changes = changed, removed = session.changes()
        if Session.USER in removed:
            return await self._rotations.log_out(session, session.id)
        if changed or removed:
            return await self._rotations.change(session, session.id, changes)
        return await self._writer.push(session.id)
