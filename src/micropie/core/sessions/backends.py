"""Where sessions live between requests: what a backend must do, and the one that keeps them in memory.

A backend knows ids and plain dicts; which id a client gets, when something is saved, and what the cookie
says is decided by the `SessionStore`, the same for every backend.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import finalize

from micropie.core.basics.optional import MissingDependency, lazy_import
from micropie.core.requests.session import Session, clone, handle_of

Kept = TypeVar("Kept")

SESSION_TIMEOUT = 8 * 3600
"""The seconds after which a session ends that is not used, unless an `App` is told otherwise: eight hours.

App(session_timeout=SESSION_TIMEOUT // 2)
"""


class SessionBackend(ABC):
    """Stores sessions. Subclass it to keep them in a database; `RuntimeError`s and the like become a 500.

    Two more coroutines are optional, and never bring back a session that is not stored any more:
    `update(session_id, changes, removed, timeout)` writes the items of the dict `changes`, and deletes the names in
    `removed`, on top of what is stored, in one step, and returns False if nothing is stored under the id: then the
    change goes where the session has gone by `rotate()`; `touch(session_id, timeout)` pushes the expiry. Without them
    the session is loaded again and saved, one request after another, which several processes can't promise each other.

        class Files(SessionBackend):
            async def load(self, session_id): ...
            async def save(self, session_id, data, timeout): ...
    """

    in_cookie = False
    """True: what `save`, `update` and `touch` return is the cookie's value, and what `load` is given."""

    keeps_rotations = False
    """True: `load` and `save` also take ids with a space in them, which no cookie has, beside the sessions.

    Under such an id is noted for a minute where a session went by `rotate()`, so that all processes know. Without it
    each process knows of its own rotations.
    """

    @abstractmethod
    async def load(self, session_id: str) -> dict[str, Any] | None:
        """The data of the session `session_id`; empty or None if it is unknown or expired."""

    @abstractmethod
    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> str | None:
        """Keep the `data` of `session_id` for `timeout` seconds; delete the session if it is empty.

        A backend that keeps it `in_cookie` returns the cookie's value, None if there is none: it begins with the id, or
        with the first two parts between dots of the value that it is given in the id's place.
        """

    async def check(self) -> None:
        """Raise if sessions can't be read now, for checks of health: one that nobody has is looked up."""
        await self.load("health")

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections and threads, since the application shuts down; it may be used again afterwards."""

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """The data of all sessions that `session.bind(user_id)` has bound to a user, by their handles.

        A handle is the SHA-256 of the id in hexadecimal digits, `session.handle`. NotImplementedError if the backend
        can't list sessions; one that can finds the text of the user's id in the item `_user_id` of the data.
        """
        raise NotImplementedError(f"{type(self).__name__} can't list the sessions of a user: define sessions_of()")

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """End all sessions of a user, `user_id`, or the one with this `handle`; the number of those that ended.

        That with the handle `keep` stays. NotImplementedError if the backend can't.
        """
        raise NotImplementedError(f"{type(self).__name__} can't end the sessions of a user: define end_sessions()")


class InMemorySessionBackend(SessionBackend):
    """Keeps sessions in this process: they end with it, and several workers don't share them.

    `sessions` and `last_access` (seconds since the epoch) may be looked at; `last_access[id] = 0` expires a session.

        backend = InMemorySessionBackend()
        app = MyApp(backend)
        print(len(backend.sessions))
    """

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, Any]] = {}
        self.last_access: dict[str, float] = {}
        self._timeouts: dict[str, int] = {}
        self._due: deque[str] = deque()  # every id once, in the order of the next look at it

    async def load(self, session_id: str) -> dict[str, Any]:
        """A copy of the session's data; `{}` if it is unknown or expired."""
        return self.stored(session_id)

    def stored(self, session_id: str) -> dict[str, Any]:
        """What `load` gives, without a wait."""
        data, now = self.sessions.get(session_id), time.time()
        if data is None:
            self._sweep(now)
            return {}
        if self._is_expired(session_id, now):
            self._delete(session_id)
            return {}
        return clone(data)

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        """Keep a copy of the data for `timeout` seconds; delete the session if `data` is empty."""
        if not data:
            self._delete(session_id)
            return
        self.sessions[session_id] = clone(data)
        self._keep(session_id, timeout, time.time())

    async def update(self, session_id: str, changes: dict[str, Any], removed: list[str], timeout: int) -> bool:
        """Change these values of the session; False if it does not live any more."""
        return self.change(session_id, changes, removed, timeout)

    def change(self, session_id: str, changes: dict[str, Any], removed: list[str], timeout: int) -> bool:
        """Do what `update` does, without a wait."""
        data, now = self.sessions.get(session_id), time.time()
        if data is None or self._is_expired(session_id, now):
            return False
        data.update(clone(changes))
        for name in removed:
            data.pop(name, None)
        if data:
            self._keep(session_id, timeout, now)
        else:
            self._delete(session_id)
        return True

    async def touch(self, session_id: str, timeout: int) -> None:
        """Let the session live for another `timeout` seconds, if it still does."""
        self.push(session_id, timeout)

    def push(self, session_id: str, timeout: int) -> None:
        """Do what `touch` does, without a wait."""
        now = time.time()
        if session_id in self.sessions and not self._is_expired(session_id, now):
            self._timeouts[session_id] = timeout
            self.last_access[session_id] = now

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """Copies of the data of a user's sessions, by their handles."""
        return {handle_of(session_id): clone(self.sessions[session_id]) for session_id in self._bound_to(user_id)}

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """End all sessions of a user, or the one with this handle, but not `keep`; the number of those that ended."""
        handles = {session_id: handle_of(session_id) for session_id in self._bound_to(user_id)}
        ended = [found for found, its in handles.items() if its != keep and handle in (None, its)]
        for session_id in ended:
            self._delete(session_id)
        return len(ended)

    def _bound_to(self, user_id: object) -> list[str]:
        return [
            session_id
            for session_id, data in self.sessions.items()
            if data.get(Session.USER) == str(user_id) and not self._is_expired(session_id, time.time())
        ]

    def _keep(self, session_id: str, timeout: int, now: float) -> None:
        """Note when the session is used, and look at another one; at two for a new one, so that old ones go sooner."""
        self.last_access[session_id] = now
        if session_id not in self._timeouts:
            self._due.append(session_id)
            self._sweep(now)
        self._timeouts[session_id] = timeout
        self._sweep(now)

    def _is_expired(self, session_id: str, now: float) -> bool:
        return self.last_access.get(session_id, now) + self._timeouts.get(session_id, SESSION_TIMEOUT) < now

    def _delete(self, session_id: str) -> None:
        self.sessions.pop(session_id, None)
        self.last_access.pop(session_id, None)

    def _sweep(self, now: float) -> None:
        """Look at the session whose turn it is, so that no request pays for all."""
        if not self._due:
            return
        session_id = self._due.popleft()
        if self._is_expired(session_id, now):
            self._delete(session_id)
        if session_id in self.sessions:
            self._due.append(session_id)
        else:
            self._timeouts.pop(session_id, None)


class OfBackends(Generic[Kept]):
    """Something for each backend, as long as it lives: several applications may have one backend.

    Backends are told apart by what they are, and not by what they equal: a dataclass has no hash.
    """

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make
        self._kept: dict[int, Kept] = {}

    def __getitem__(self, backend: SessionBackend) -> Kept:
        if id(backend) not in self._kept:
            self._kept[id(backend)] = self._make()
            finalize(backend, self._kept.pop, id(backend)).atexit = False
        return self._kept[id(backend)]


def backend_of(chosen: SessionBackend | str | None, *, in_development: bool) -> SessionBackend:
    """The backend that `App` is given, by itself or as a URL; for None that in memory, or one that survives a reload.

    ValueError for a URL that names none; `MissingDependency` in the one-file form, which knows no URLs.
    """
    if chosen is not None and not isinstance(chosen, str):
        return chosen
    if chosen is None and not in_development:
        return InMemorySessionBackend()
    try:
        sessions = lazy_import("micropie.sessions")
    except ModuleNotFoundError as error:
        raise MissingDependency("A session backend by its URL needs the whole package: pip install micropie") from error
    made: SessionBackend = sessions.development_backend() if chosen is None else sessions.backend_from_url(chosen)
    return made
