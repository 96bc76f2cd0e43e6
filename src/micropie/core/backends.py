"""Where sessions live between requests, and the rules of their cookie.

A backend knows ids and plain dicts; which id a client gets, when something is saved, and what the cookie
says is decided here, the same for every backend.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from micropie.core.headers import is_local, set_cookie
from micropie.core.request import Request
from micropie.core.session import Session, clone, creation_time, new_session_id
from micropie.core.types import Scope

SESSION_TIMEOUT = 8 * 3600  # seconds without a request
SESSION_LIFETIME = 30 * 24 * 3600  # seconds, however busy
COOKIE = "session_id"
MAX_ENDED = 10_000  # more than there are requests under way


class SessionBackend(ABC):
    """Stores sessions. Subclass it to keep them in a database; `RuntimeError`s and the like become a 500.

    An optional `async touch(session_id, timeout)` pushes the expiry without writing the data; without it an unchanged
    session is saved again.

        class Files(SessionBackend):
            async def load(self, session_id): ...
            async def save(self, session_id, data, timeout): ...
    """

    @abstractmethod
    async def load(self, session_id: str) -> dict[str, Any] | None:
        """The session's data; empty or None if it is unknown or expired."""

    @abstractmethod
    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        """Keep the data for `timeout` seconds; delete the session if `data` is empty."""


class InMemorySessionBackend(SessionBackend):
    """Keeps sessions in this process: they end with it, and several workers don't share them.

    `sessions` and `last_access` (seconds since the epoch) may be looked at; `last_access[id] = 0` expires a session.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.last_access: dict[str, float] = {}
        self._timeouts: dict[str, int] = {}
        self._due: deque[str] = deque()  # every id once, in the order of the next look at it

    async def load(self, session_id: str) -> dict[str, Any]:
        """A copy of the session's data; `{}` if it is unknown or expired."""
        data = self.sessions.get(session_id)
        if data is None:
            return {}
        if self._is_expired(session_id):
            self._delete(session_id)
            return {}
        return clone(data)

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        """Keep a copy of the data for `timeout` seconds; delete the session if `data` is empty."""
        if not data:
            self._delete(session_id)
            return
        self.sessions[session_id] = clone(data)
        self.last_access[session_id] = time.time()
        is_new = session_id not in self._timeouts
        self._timeouts[session_id] = timeout
        if is_new:
            self._due.append(session_id)
            self._sweep()

    async def touch(self, session_id: str, timeout: int) -> None:
        """Let the session live for another `timeout` seconds, if it still does."""
        if session_id in self.sessions:
            self._timeouts[session_id] = timeout
            self.last_access[session_id] = time.time()

    def _is_expired(self, session_id: str) -> bool:
        now = time.time()
        return self.last_access.get(session_id, now) + self._timeouts.get(session_id, SESSION_TIMEOUT) < now

    def _delete(self, session_id: str) -> None:
        self.sessions.pop(session_id, None)
        self.last_access.pop(session_id, None)

    def _sweep(self) -> None:
        """Look at two sessions, so that expired ones go sooner than new ones come, and no request pays for all."""
        for _ in range(min(2, len(self._due))):
            session_id = self._due.popleft()
            if self._is_expired(session_id):
                self._delete(session_id)
            if session_id in self.sessions:
                self._due.append(session_id)
            else:
                self._timeouts.pop(session_id, None)


class SessionPolicy:
    """Loads and saves the sessions of requests, and writes their cookie."""

    def __init__(
        self,
        backend: SessionBackend,
        *,
        timeout: int,
        lifetime: int | None,
        secure: bool | str,
        parse_cookies: Callable[[str], dict[str, str]],
    ) -> None:
        self.backend = backend
        self._timeout = timeout
        self._lifetime = lifetime
        self._secure = secure
        self._parse_cookies = parse_cookies
        # The last ids that were given up, oldest first: a slower request that loaded such a session must not revive it.
        self._ended: dict[str, None] = {}
        self._touch: Callable[[str, int], Awaitable[None]] | None = getattr(backend, "touch", None)

    async def load(self, request: Request, cookie: str) -> None:
        """Give the request the session that its Cookie header names, if the backend knows it."""
        session_id = self._parse_cookies(cookie).get(COOKIE)
        if session_id is None or (made_at := creation_time(session_id)) is None:
            return
        # An id that the backend does not know is not adopted: an attacker could have planted it.
        if data := await self.backend.load(session_id):
            if self._lifetime is not None and made_at + self._lifetime < time.time():
                await self._delete(session_id)
                return
            request._session_id = session_id
            request._stored_session = data

    async def save(self, request: Request, new_id: str | None = None) -> str | None:
        """Store what changed, and push the expiry of what did not; the Set-Cookie value that the client must get.

        A session without an id gets `new_id`, or a fresh one.
        """
        if request._session is None and request._session_id is not None:  # nobody looked at it
            await self._push(request._session_id, request._stored_session or {})
            return None
        session = request._session or request.session  # PERF: mostly the first, 0.05 µs
        if request._session_is_outer:
            return None
        for retired in session.retired:
            await self._delete(retired)
        if not session:
            return await self._end(session, request)
        if session.id is None:
            return await self._create(session, request, new_id)
        if not session.changed:
            await self._push(session.id, session)
        elif session.id not in self._ended:
            await self.backend.save(session.id, dict(session), self._timeout)
        return None

    def cookie(self, session_id: str, scope: Scope, *, expire: bool = False) -> str:
        """The value of Set-Cookie for the session."""
        return set_cookie(COOKIE, session_id, secure=self._is_secure(scope), expire=expire)

    async def _create(self, session: Session, request: Request, new_id: str | None) -> str:
        session.id = new_id or new_session_id()
        self._ended.pop(session.id, None)
        await self.backend.save(session.id, dict(session), self._timeout)
        return self.cookie(session.id, request.scope)

    async def _delete(self, session_id: str) -> None:
        self._ended[session_id] = None
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        await self.backend.save(session_id, {}, 0)

    async def _push(self, session_id: str, data: dict[str, Any]) -> None:
        if self._touch is not None:
            await self._touch(session_id, self._timeout)
        elif session_id not in self._ended:
            await self.backend.save(session_id, dict(data), self._timeout)

    async def _end(self, session: Session, request: Request) -> str | None:
        """An emptied session is deleted, and the cookie that the client has for it expires."""
        if session.id is not None:
            await self._delete(session.id)
        elif not session.retired:
            return None
        session.id = None
        return self.cookie("", request.scope, expire=True)

    def _is_secure(self, scope: Scope) -> bool:
        if self._secure != "auto":
            return bool(self._secure)
        fields: dict[bytes, bytes] = dict(scope.get("headers") or ())
        plain = (scope.get("scheme") or "http") in ("http", "ws")
        return not (plain and is_local(scope.get("client"), fields))
