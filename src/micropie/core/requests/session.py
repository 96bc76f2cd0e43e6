"""Session: the dict that knows whether it changed.

To change this, know what counts as a change: another key, another value, and a value that was changed in
place. The first two are seen by comparing identities; the third, only possible with lists, dicts and the
like, by comparing a frozen form. A change seen where there is none costs one needless save; the opposite
would lose data.
"""

import marshal
import math
import time
from typing import TYPE_CHECKING, Any

from micropie.core.basics.optional import lazy_import, lazy_pattern

if TYPE_CHECKING:
    from micropie.core.routing.router import Router
    from micropie.core.sessions.backends import SessionBackend

# Copying a reference to one of these is copying the value.
_SCALARS = frozenset((str, int, float, bool, bytes, type(None)))
# marshal 2 neither depends on reference counts (as 3 and 4 do) nor on shared objects (as pickle does).
_MARSHAL = 2
# Our own are 24 + 1 + 8 characters; backends and `accept(session_id=…)` may use others, but no path on anybody's disk.
_POSSIBLE_ID = r"[A-Za-z0-9_-]{24}\.([0-9a-f]{8})|[A-Za-z0-9_-][A-Za-z0-9._~+=:@-]{0,127}"

SESSION_COOKIE = "session_id"  # the name of its cookie, unless `App(session_cookie=…)` names another


def new_session_id() -> str:
    """144 random bits from the operating system, and when they were drawn, which dates the session."""
    return f"{lazy_import('secrets').token_urlsafe(18)}.{int(time.time()):08x}"


def creation_time(session_id: str) -> float | None:
    """Seconds since the epoch when the id was made, infinite for a foreign one; None if no backend can know it.

    A client can send anything as a cookie, but it can't make a session younger: the whole id is the secret.
    """
    possible = lazy_pattern(_POSSIBLE_ID).fullmatch(session_id)
    if possible is None:
        return None
    return int(possible[1], 16) if possible[1] else math.inf


def handle_of(session_id: str) -> str:
    """A session's name where others can read it: the SHA-256 of its id, in hexadecimal digits."""
    return str(lazy_import("hashlib").sha256(session_id.encode()).hexdigest())


def is_flat(data: dict[str, Any]) -> bool:
    """True if no value can be changed in place."""
    for value in data.values():  # noqa: SIM110 - PERF: 0.07 µs for a value or two; a generator takes 0.3
        if type(value) not in _SCALARS:
            return False
    return True


def clone(data: dict[str, Any]) -> dict[str, Any]:
    """A copy that shares nothing that can be changed."""
    if is_flat(data):
        return data.copy()
    copied: dict[str, Any] = lazy_import("copy").deepcopy(data)
    return copied


class Session(dict[str, Any]):
    """A session's data: a dict whose changes are saved after the request.

    `rotate()` gives it a fresh id, as one does when somebody logs in, so that an id from before is worthless.
    Emptying it ends the session: it is deleted from the backend, and the cookie expires. `bind(user_id)` says whose it
    is, so that `backend` can list and end all sessions of that user.

        self.request.session["user"] = "alice"
        self.request.session.rotate()
    """

    USER = "_user_id"  # the item that says whose session it is

    __slots__ = ("_before", "_router", "id", "retired")

    def __init__(self, data: dict[str, Any] | None = None, session_id: str | None = None) -> None:
        data = data or {}
        self.update(data)
        self.id = session_id  # the backend knows this one; None: no backend knows this session yet
        self.retired: tuple[str, ...] = ()  # ids that rotate() left behind
        self._router: Router | None = None  # of the application whose session it is
        self._before = data if is_flat(data) else _snapshot(data)

    def settle(self) -> None:
        """Take what it is now for what was loaded: it has been saved."""
        self.retired = ()
        self._before = dict(self) if is_flat(self) else _snapshot(dict(self))

    def rotate(self) -> None:
        """Give the session a fresh id when it is saved, and drop the old one."""
        if self.id is not None:
            self.retired += (self.id,)
            self.id = None

    def bind(self, user_id: object) -> None:
        """Say whose session it is, until it ends. ValueError for None and `""`, which are nobody.

            self.request.session.rotate()
            self.request.session.bind(user.id)

        The id is kept as text. `session.backend` has `sessions_of(user_id)` and `end_sessions(user_id)`.
        """
        if user_id is None or user_id == "":
            raise ValueError(f"session.bind() takes the id of a user, {user_id!r} is nobody's")
        self[self.USER] = str(user_id)

    @property
    def backend(self) -> "SessionBackend":
        """Where the application keeps its sessions. LookupError for a session that no request brought."""
        if self._router is None:
            raise LookupError("This session is of no request, so it has no backend")
        backend: SessionBackend = self._router.session_backend
        return backend

    @property
    def user_id(self) -> str | None:
        """Whose session it is, as `bind` was told; None for a visitor's."""
        return self.get(self.USER)

    @property
    def handle(self) -> str | None:
        """The session's name in `backend.sessions_of`, as it is stored now; no secret. None if it is not stored yet."""
        stored_under = self.retired[0] if self.retired else self.id
        return None if stored_under is None else handle_of(stored_under)

    @property
    def was_bound(self) -> bool:
        """True if it was a user's when it was loaded."""
        return self.USER in self._before

    @property
    def is_bound_as_before(self) -> bool:
        """True if it was a user's when it was loaded, and is that user's still."""
        return self.was_bound and self.user_id == self._before[self.USER]

    def is_as_loaded(self, name: str, data: dict[str, Any]) -> bool:
        """True if the item `name` of other `data` is as it was in this session when that was loaded, or in neither."""
        has_it = name in data
        return has_it == (name in self._before) and (not has_it or _is_same(self._before[name], data[name]))

    def is_gone_from(self, data: dict[str, Any]) -> bool:
        """True if other `data` have none of the items that were loaded, whatever their values."""
        return self._before.keys().isdisjoint(data)

    @property
    def changed(self) -> bool:
        """True if it differs from what was loaded."""
        changed, removed = self.changes()
        return bool(changed or removed)

    def changes(self) -> tuple[dict[str, Any], list[str]]:
        """The values that are new or differ from what was loaded, and the names that are gone."""
        changed = {}
        before, kept = self._before, 0
        for name, value in self.items():  # PERF: most values are the same object, 0.05 µs each
            old = before.get(name, before)  # which is no value of its own
            kept += old is not before
            if old is not value and not _is_same(old, value):
                changed[name] = value
        return changed, [] if kept == len(before) else list(before.keys() - self.keys())  # PERF: 0.1 µs


def _snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """A copy to compare with later."""
    try:
        copied: dict[str, Any] = marshal.loads(marshal.dumps(data, _MARSHAL))  # noqa: S302 - our own, a moment ago
    except ValueError:  # other types than builtin ones
        copied = lazy_import("copy").deepcopy(data)
    return copied


def _is_same(old: Any, new: Any) -> bool:
    """True if a value is what it was; 1, True and 1.0 differ. What can't be told counts as changed: harmless."""
    if type(old) is not type(new):
        return False
    if old is new or type(new) in _SCALARS:
        return bool(old == new)
    try:
        return marshal.dumps(old, _MARSHAL) == marshal.dumps(new, _MARSHAL)
    except ValueError:
        return bool(old == new)
