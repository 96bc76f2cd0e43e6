"""A request's session: loaded before the hooks, saved behind them; and the rules of its cookie."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from micropie.core.basics.headers import is_local, set_cookie
from micropie.core.basics.types import Scope
from micropie.core.replies.reply import Reply
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session, creation_time, new_session_id
from micropie.core.sessions.backends import InMemorySessionBackend, SessionBackend

SESSION_LIFETIME = 30 * 24 * 3600  # seconds, however busy
COOKIE = "session_id"
MAX_ENDED = 10_000  # more than there are requests under way


class SessionStore:
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
        self._in_memory = backend if type(backend) is InMemorySessionBackend else None
        self._timeout = timeout
        self._lifetime = lifetime
        self._secure = secure
        self._parse_cookies = parse_cookies
        # The last ids that were given up, oldest first: a slower request that loaded such a session must not revive it.
        self._ended: dict[str, None] = {}
        self._touch: Callable[[str, int], Awaitable[None]] | None = getattr(backend, "touch", None)

    @property
    def may_be_known(self) -> bool:
        """Whether there can be a session to load: not while the memory has none."""
        return self._in_memory is None or bool(self._in_memory.sessions)

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

    def is_named_in(self, cookie: str) -> bool:
        """Whether a Cookie header has a session's cookie."""
        return COOKIE in self._parse_cookies(cookie)

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


def set_session_cookie(reply: Reply, cookie: str) -> None:
    """Add the cookie, and keep caches from handing it to others (RFC 9111 §3.5, RFC 9110 §12.5.5)."""
    names = {name.lower(): value.lower() for name, value in reply.headers}
    reply.headers.append(("Set-Cookie", cookie))
    if "cache-control" not in names:
        reply.headers.append(("Cache-Control", "private"))
    if not {"*", "cookie"} & {field.strip() for field in names.get("vary", "").split(",")}:
        reply.headers.append(("Vary", "Cookie"))
