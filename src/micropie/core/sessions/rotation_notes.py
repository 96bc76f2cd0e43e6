"""Where sessions went by `rotate()`, for requests that were under way with the old id.

To change this, know what the old id must not do, since whoever planted or stole it may hold a request open with it: it
opens nothing, and nothing that was stored when the session was rotated, or later, is given to who came with it. What
such a request has changed itself goes on, as if it had come first: nothing that was stored since is changed by it.
"""

import time
from typing import Any, NamedTuple

from micropie.core.basics.optional import lazy_import
from micropie.core.requests.session import Session
from micropie.core.sessions.backends import OfBackends, SessionBackend

NOTED_FOR = 60  # seconds, for requests that are under way
MAX_STEPS = 8  # rotations one after another that a request is led through

Notes = dict[str, tuple[float, dict[str, Any]]]  # until when they count, the oldest first
Changes = tuple[dict[str, Any], list[str]]  # values by their names, and the names that are gone

_notes: OfBackends[Notes] = OfBackends(dict)


class Successor(NamedTuple):
    """The living session that another one has become by `rotate()`."""

    id: str
    rotations: int  # that lead to it
    names: frozenset[str]  # of what was changed with them
    data: dict[str, Any]

    def is_log_in_of(self, session: Session) -> bool:
        """True if a late request has logged the same user in, and nothing has come to this session since its log-in.

        Then nobody has to be kept out. What came later may be a second factor, which the late request has not shown.
        """
        user = session.changes()[0].get(Session.USER)
        is_same_user = user is not None and user == self.data.get(Session.USER)
        known = {*self.names, *session}
        return is_same_user and self.rotations == 1 and self.data.keys() <= known

    def changes_before(self, session: Session) -> Changes:
        """What is left of a late request's changes, as if they had come before the rotation and all that followed.

        Nothing of a log-in, which is of one session alone, and nothing where its session has ended as what it was.
        """
        changed, removed = session.changes()
        if Session.USER in changed or self._is_another(session):
            return {}, []
        left = {name: value for name, value in changed.items() if self._is_untouched(name, session)}
        return left, [name for name in removed if self._is_untouched(name, session)]

    def _is_another(self, session: Session) -> bool:
        """True if a late request's user has logged out since, or nothing is left of what it has loaded."""
        has_left = session.was_bound and not self._is_untouched(Session.USER, session)
        return has_left or session.is_gone_from(self.data)

    def _is_untouched(self, name: str, session: Session) -> bool:
        """True if nobody has changed the item since the late request loaded its session."""
        return name not in self.names and session.is_as_loaded(name, self.data)


class RotationNotes:
    """Notes of where sessions went, kept by the backend or else in this process; none of sessions in cookies.

    What a note says is of use only to who knows the old id: the new one is masked by it.
    """

    def __init__(self, backend: SessionBackend) -> None:
        self._backend = backend
        self._notes = _notes[backend]

    async def note(self, old_id: str, new_id: str, changes: Changes) -> None:
        """Note where a session went, and what was changed with that."""
        changed, removed = changes
        note = {"to": masked(new_id.encode(), old_id).hex(), "names": [*changed, *removed]}
        if self._backend.keeps_rotations:
            await self._backend.save(id_of_note(old_id), note, NOTED_FOR)
        elif not self._backend.in_cookie:
            now = time.time()
            while self._notes and (oldest := next(iter(self._notes.items())))[1][0] < now:
                del self._notes[oldest[0]]
            self._notes[old_id] = now + NOTED_FOR, note

    async def forget(self, old_id: str) -> None:
        """Forget where a session went: somebody has ended it, and a late request is not to go on with it."""
        if self._backend.keeps_rotations:
            await self._backend.save(id_of_note(old_id), {}, 0)
        self._notes.pop(old_id, None)

    async def successor(self, old_id: str) -> Successor | None:
        """What a session has become, if it was rotated within the last minute and lives."""
        names: list[str] = []
        for rotations in range(1, MAX_STEPS + 1):
            if not (note := await self._noted(old_id)):
                return None
            old_id = masked(bytes.fromhex(note["to"]), old_id).decode()
            names += note["names"]
            if data := await self._backend.load(old_id):
                return Successor(old_id, rotations, frozenset(names), data)
        return None

    async def _noted(self, old_id: str) -> dict[str, Any] | None:
        if self._backend.keeps_rotations:
            return await self._backend.load(id_of_note(old_id))
        expires, note = self._notes.get(old_id, (0.0, None))
        return note if expires >= time.time() else None


def id_of_note(old_id: str) -> str:
    """The name of a note in the backend, which no cookie can have."""
    return f"rotated {old_id}"


def masked(text: bytes, old_id: str) -> bytes:
    """An id that only who knows the old one can read, and such a text read: stores have ids as their hashes only."""
    mask = lazy_import("hashlib").shake_256(old_id.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, mask, strict=True))
