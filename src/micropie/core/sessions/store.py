"""A request's session: loaded before the hooks, saved behind them; and the rules of its cookie."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Literal

from micropie.core import late
from micropie.core.basics.headers import WHITESPACE, cookie_values, is_token, set_cookie
from micropie.core.basics.settings import check_setting, is_whole
from micropie.core.basics.types import Scope
from micropie.core.replies.reply import PRIVATE, Reply, add_header
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session, creation_time, new_session_id
from micropie.core.sessions.backends import InMemorySessionBackend, OfBackends, SessionBackend
from micropie.core.sessions.rotations import Rotations, Successor

SESSION_LIFETIME = 30 * 24 * 3600  # seconds, however busy
SAMESITE = ("Lax", "Strict", "None")
SameSite = Literal["Lax", "Strict", "None"]
MAX_COOKIE = 4096  # bytes with its name and attributes that every browser keeps (RFC 6265 §6.1)
MAX_NAMED = 8  # cookies of our name that are looked up; more are an attack


class CookieRules:
    """How the session's cookie is called and set (RFC 6265 §4.1); `secure` may be `"auto"`.

    ValueError for what no browser would keep.
    """

    __slots__ = ("domain", "max_age", "name", "path", "samesite", "secure")

    def __init__(
        self, name: str, path: str, domain: str | None, samesite: str, max_age: int | None, *, secure: bool | str
    ) -> None:
        self.name = name
        self.path = path
        self.domain = domain
        self.samesite = samesite
        self.max_age = max_age
        self.secure = secure
        self._check()

    def _check(self) -> None:
        name: Any = self.name
        texts: list[tuple[str, Any]] = [("path", self.path), ("domain", self.domain or "")]
        if not isinstance(name, str) or not is_token(name):
            raise ValueError(f"session_cookie={self.name!r}: a cookie's name is a token, such as 'session_id'")
        for keyword, value in texts:
            if not isinstance(value, str) or not value.isprintable() or not value.isascii() or ";" in value:
                raise ValueError(f"session_cookie_{keyword}={value!r}: printable ASCII without ';' is accepted")
        if not self.path.startswith("/"):
            raise ValueError(f"session_cookie_path={self.path!r}: a path begins with '/'")
        if self.samesite not in SAMESITE:
            raise ValueError(f"session_cookie_samesite={self.samesite!r}: one of {', '.join(SAMESITE)} is accepted")
        if self.max_age is not None and not is_whole(self.max_age, 1):
            raise ValueError(f"session_cookie_max_age={self.max_age!r}: seconds, at least 1, or None, are accepted")
        if self.secure not in (True, False, "auto"):
            raise ValueError(f"session_cookie_secure={self.secure!r}: True, False or 'auto' is accepted")
        if self.is_kept_if_secure and self.secure is False:
            said = "session_cookie_samesite='None'" if self.samesite == "None" else f"session_cookie={self.name!r}"
            raise ValueError(f"{said}: browsers keep such a cookie only if it is Secure")
        if self._has_prefix("__host-") and (self.path != "/" or self.domain):
            wanted = "the path '/' and no domain"
            raise ValueError(f"session_cookie={self.name!r}: browsers keep such a cookie only with {wanted}")

    @property
    def is_kept_if_secure(self) -> bool:
        """True if browsers keep the cookie only if it is Secure (RFC 6265bis §4.1.3 and §5.7)."""
        return self.samesite == "None" or self._has_prefix("__secure-") or self._has_prefix("__host-")

    def _has_prefix(self, prefix: str) -> bool:
        return self.name.lower().startswith(prefix)


class Turns:
    """Lets the requests of one session change it one after another."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}  # with as many items as there are requests

    @asynccontextmanager
    async def taken(self, session_id: str) -> AsyncIterator[None]:
        """Wait until nobody else has the session, and have it."""
        lock, waiting = self._locks.setdefault(session_id, (asyncio.Lock(), []))
        waiting.append(None)
        try:
            async with lock:
                yield
        finally:
            waiting.pop()
            if not waiting:
                del self._locks[session_id]


# PERF: visitors come again, and the memory knows who they are, 0.3 µs.
_time_of_known = lru_cache(1024)(creation_time)
_turns = OfBackends(Turns)


class Unknown:
    """The sessions of a backend that would have to be asked for them: there may be some."""

    sessions = True


class SessionStore:
    """Loads and saves the sessions of requests, and writes their cookie."""

    def __init__(
        self,
        backend: SessionBackend,
        *,
        timeout: int,
        lifetime: int | None,
        cookie: CookieRules,
        parse_cookies: Callable[[str], dict[str, str]],
        parses_itself: bool = False,
    ) -> None:
        check_setting("session_timeout", timeout, "seconds, at least 1, are", fits=is_whole(timeout, 1))
        fits = lifetime is None or is_whole(lifetime, 1)
        check_setting("session_lifetime", lifetime, "seconds, at least 1, or None for no limit, are", fits=fits)
        self.backend = backend
        self.cookie_rules = cookie
        self._rotations = Rotations(backend)
        self._timeout = timeout
        self._lifetime = lifetime
        self._parse_cookies = parse_cookies
        self._parses_itself = parses_itself  # the application reads Cookie headers in a way of its own
        self._memory = backend if type(backend) is InMemorySessionBackend else None
        # Its `sessions` are true if there can be one to load: there can't as long as the memory has none.
        self.known = self._memory or Unknown
        self._update, self._touch = _optional(backend, "update"), _optional(backend, "touch")

    # -- load -----------------------------------------------------------------------------------------

    def load(self, request: Request, cookie: str) -> Awaitable[None] | None:
        """Give the request the session that its Cookie header names, if the backend knows it; what is left to await.

        If that fails, nothing is saved after this request: a fresh session would take the place of the visitor's own.
        """
        try:
            ids = self.ids_in(cookie)
            if self._memory is None or len(ids) != 1:
                return self._load(request, ids)
            # PERF: the memory is asked without a coroutine, 0.3 µs.
            if (data := self._memory.stored(ids[0])) and (made_at := _time_of_known(ids[0])) is not None:
                if not self._is_alive(made_at):
                    return self._delete(ids[0])
                request._stored_session = ids[0], data
        except BaseException:
            request._failure = True
            raise
        return None

    async def load_waiting(self, request: Request, cookie: str) -> None:
        """Do what `load` does, to the end."""
        if (waiting := self.load(request, cookie)) is not None:
            await waiting

    async def _load(self, request: Request, ids: list[str]) -> None:
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
                await self._delete(session_id)
        except BaseException:
            request._failure = True
            raise

    def _is_alive(self, made_at: float) -> bool:
        """True if a session from that time has not outlived its `session_lifetime`."""
        return self._lifetime is None or made_at + self._lifetime >= time.time()

    def ids_in(self, cookie: str) -> list[str]:
        """The ids in a Cookie header: several, if another site of the domain has set a cookie of that name."""
        name = self.cookie_rules.name
        if not self._parses_itself:
            if cookie.count(name) > 1:
                return cookie_values(cookie, name)[:MAX_NAMED]
            first, _, value = cookie.partition("=")
            if first == name and ";" not in value and '"' not in value:  # PERF: there is no other cookie, 0.2 µs
                return [value.strip(WHITESPACE)]
        session_id = self._parse_cookies(cookie).get(name)
        return [] if session_id is None else [session_id]

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
            self._memory.change(session.id, changes, removed, self._timeout)
        else:
            self._memory.push(session.id, self._timeout)
        return True

    async def save(self, request: Request, new_id: str | None = None) -> str | None:
        """Store what changed, and push the expiry of what did not; the Set-Cookie value that the client must get.

        A session without an id gets `new_id`, or a fresh one.
        """
        session = request._session
        if session is None:  # nobody looked at it
            stored = request._stored_session
            value = None if stored is None else await self._push(stored[0])
        elif request._preset.get("session") is session:  # an outer application's, which saves it
            value = None
        elif session.id is None:
            return await self._create(session, request, new_id)
        elif not session:
            return await self._end(session, request.scope)
        else:
            changes, removed = session.changes()
            if Session.USER in removed:
                value = await self._log_out(session, session.id, changes, removed)
            elif changes or removed:
                value = await self._change(session.id, changes, removed)
            else:
                value = await self._push(session.id)
        return None if value is None else self.cookie(value, request.scope)

    async def _create(self, session: Session, request: Request, new_id: str | None) -> str | None:
        """Store a session that has no id, or has lost it by `rotate()`."""
        if not session.retired:
            return self.cookie(await self._store(session, dict(session), new_id), request.scope) if session else None
        old_id = session.retired[0]
        value: str | None = ""
        async with self._turns().taken(turn_of_rotation(old_id)):
            if session:
                value = await self._rotate(session, old_id, new_id)
            else:  # emptied, too
                await self._end_successor(session, old_id)
            for retired in session.retired:
                await self._delete(retired)
        return None if value is None else self.cookie(value, request.scope, expire=not value)

    async def _rotate(self, session: Session, old_id: str, new_id: str | None) -> str | None:
        """Store a session under a fresh id, before the old one goes; the cookie's value, empty if it is to expire."""
        if stored := await self.backend.load(old_id):  # others may have changed it meanwhile
            value = await self._store(session, _applied(stored, *session.changes()), new_id)
            if await self.backend.load(old_id):
                await self._rotations.note(old_id, session.id or "", session.changes())
                return value
            await self._delete(session.id or "")  # the old one was gone before the new one was there
        if (successor := await self._rotations.successor(old_id)) is None:
            return await self._store(session, session.changes()[0], new_id)
        return await self._rotate_late(session, successor, new_id)

    async def _rotate_late(self, session: Session, successor: Successor, new_id: str | None) -> str | None:
        """Let a session go on that another request has rotated meanwhile.

        The other's cookie leads to what this one has changed; this one's not to what that one has stored, unless both
        have logged the same user in: who came with the old id may have planted or stolen it.
        """
        changes = session.changes()
        if new_id is None and successor.is_log_in_of(session):
            await self._change(successor.id, *changes)
            session.id = successor.id
            return successor.id
        await self._change(successor.id, *successor.changes_before(session))
        if new_id is None and session.is_bound_as_before:
            return None
        return await self._store(session, changes[0] if session.was_bound else dict(session), new_id)

    async def _store(self, session: Session, data: dict[str, Any], new_id: str | None) -> str:
        """Store the data under a fresh id; the cookie's value, which is empty if there are none."""
        if not data:
            session.id = None
            return ""
        session.id = new_id or new_session_id()
        return await self.backend.save(session.id, data, self._timeout) or session.id

    async def _end(self, session: Session, scope: Scope) -> str:
        """An emptied session is deleted, and the cookie that the client has for it expires."""
        session_id = session.id or ""
        async with self._turns().taken(turn_of_rotation(session_id)):
            await self._end_successor(session, session_id)
            await self._delete(session_id)
        session.id = None
        return self.cookie("", scope, expire=True)

    async def _log_out(
        self, session: Session, session_id: str, changes: dict[str, Any], removed: list[str]
    ) -> str | None:
        """Write what has changed in a session that is nobody's any more, also in what it has become meanwhile."""
        async with self._turns().taken(turn_of_rotation(session_id)):
            value = await self._change(session_id, changes, removed)
            if (successor := await self._rotations.successor(session_id)) is not None:
                await self._change(successor.id, *successor.changes_before(session))
        return value

    async def _end_successor(self, session: Session, old_id: str) -> None:
        """Let nobody go on with an ended session; what a user's has become by a rotation meanwhile ends, too.

        A visitor's has no say on that: who has planted its id can't log out who has logged in since.
        """
        successor = await self._rotations.successor(old_id) if session.was_bound else None
        await self._rotations.forget(old_id)
        if successor is not None and session.was_in(successor.data, Session.USER):
            await self._delete(successor.id)

    async def _change(self, session_id: str, changes: dict[str, Any], removed: list[str]) -> str | None:
        """Write what has changed on top of what is stored now, unless the session has ended meanwhile.

        The cookie's new value, if that is where the session is.
        """
        if self._update is not None:
            value: str | None = await self._update(session_id, changes, removed, self._timeout)
            return value if self.backend.in_cookie else None
        async with self._turns().taken(session_id):
            stored = await self.backend.load(session_id)
            if not stored:
                return None
            return await self.backend.save(session_id, _applied(stored, changes, removed), self._timeout)

    async def _push(self, session_id: str) -> str | None:
        """Push the expiry, unless the session has ended meanwhile; the cookie's new value, if that is where it is."""
        if self._touch is None:
            return await self._change(session_id, {}, [])
        value: str | None = await self._touch(session_id, self._timeout)
        return value

    async def _delete(self, session_id: str) -> None:
        if self._update is not None:
            await self.backend.save(session_id, {}, 0)
            return
        async with self._turns().taken(session_id):  # nobody may be about to save what was loaded before
            await self.backend.save(session_id, {}, 0)

    def _turns(self) -> Turns:
        return _turns[self.backend]

    # -- the cookie -----------------------------------------------------------------------------------

    def cookie(self, session_id: str, scope: Scope, *, expire: bool = False) -> str:
        """The value of Set-Cookie for the session."""
        rules = self.cookie_rules
        cookie = set_cookie(
            rules.name,
            session_id,
            secure=self._is_secure(scope),
            path=rules.path,
            domain=rules.domain,
            samesite=rules.samesite,
            max_age=0 if expire else rules.max_age,
        )
        if len(cookie) > MAX_COOKIE:
            raise ValueError(
                f"The session's cookie would have {len(cookie):,} bytes, browsers keep {MAX_COOKIE:,}: "
                "store less in the session, or keep it elsewhere, as with App(session_backend='sqlite:///sessions.db')"
            )
        return cookie

    def _is_secure(self, scope: Scope) -> bool:
        if self.cookie_rules.secure != "auto" or self.cookie_rules.is_kept_if_secure:
            return bool(self.cookie_rules.secure)
        plain = (scope.get("scheme") or "http") in ("http", "ws")
        return not (plain and late.is_local(scope))


def _optional(backend: SessionBackend, name: str) -> Callable[..., Any] | None:
    """A backend's own `update` or `touch`; None if it has none, or one that goes past a `load` or `save` of its own."""
    nearest = next(cls for cls in type(backend).__mro__ if not vars(cls).keys().isdisjoint((name, "load", "save")))
    return getattr(backend, name) if inspect.iscoroutinefunction(vars(nearest).get(name)) else None


def turn_of_rotation(session_id: str) -> str:
    """The turn that those take who rotate a session, or end it."""
    return f"rotation of {session_id}"


def _applied(data: Mapping[str, Any], changes: Mapping[str, Any], removed: list[str]) -> dict[str, Any]:
    return {name: value for name, value in {**data, **changes}.items() if name not in removed}


def set_session_cookie(reply: Reply, cookie: str) -> None:
    """Add the cookie, and keep caches from handing it to others."""
    add_header(reply, "Set-Cookie", cookie)
    keep_private(reply)


def keep_private(reply: Reply) -> None:
    """Say that the reply is for this client alone, unless it says otherwise (RFC 9111 §3.5, RFC 9110 §12.5.5)."""
    if not reply.headers:
        reply.headers = PRIVATE
        return
    names = {name.lower(): value.lower() for name, value in reply.headers}
    if "cache-control" not in names:
        add_header(reply, "Cache-Control", "private")
    if not {"*", "cookie"} & {field.strip() for field in names.get("vary", "").split(",")}:
        add_header(reply, "Vary", "Cookie")
