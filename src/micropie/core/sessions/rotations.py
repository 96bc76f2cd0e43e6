"""Saves that race with `rotate()`: those that give a session another id, end it, make it nobody's, or change values.

Requests with the old id may be under way when a session is rotated, so each of these saves finds out what the session
has become meanwhile. One that moves or ends it takes a turn alone; changes share one, so that in this process each
comes before a rotation, which takes it along, or behind it, and follows. What a late request may do to the session's
successor is decided by `Successor`.
"""

from typing import Any

from micropie.core.requests.session import Session
from micropie.core.sessions.backends import OfBackends, SessionBackend
from micropie.core.sessions.rotation_notes import MAX_STEPS, Changes, RotationNotes
from micropie.core.sessions.writer import SessionWriter, Turns, with_changes

_rotation_turns = OfBackends(Turns)  # apart from those of writes, which most of these saves make several of


class Rotations:
    """Rotates, ends, logs out and changes sessions, in turns of the requests that came with one id.

    What the methods return is the value that the cookie gets with the reply: None if it stays as it is, and empty if it
    is to expire.
    """

    def __init__(self, backend: SessionBackend, writer: SessionWriter) -> None:
        self._backend = backend
        self._writer = writer
        self._notes = RotationNotes(backend)
        self._turns = _rotation_turns[backend]

    async def rotate(self, session: Session, new_id: str | None) -> str | None:
        """Store a session that `rotate()` was called of under `new_id`, or a fresh one; then the old one goes.

        In this order: who is cancelled in between has lost nothing.
        """
        old_id = session.retired[0]
        async with self._turns.taken(old_id):
            if stored := await self._backend.load(old_id):
                value = await self._go_on(session, old_id, with_changes(stored, *session.changes()), new_id)
            else:
                value = await self._rotate_late(session, old_id, new_id)
            for retired in session.retired:
                await self._writer.delete(retired)
        return value

    async def _go_on(self, session: Session, old_id: str, data: dict[str, Any], new_id: str | None) -> str | None:
        """Store all that is there, which others may have changed since this request has loaded it."""
        value = await self._writer.create(session, data, new_id)
        if session.id is None:  # others have dropped what this request has left
            return value
        if await self._backend.load(old_id):
            await self._notes.note(old_id, session.id, session.changes())
            return value
        await self._writer.delete(session.id)  # another process has ended the old one before the new one was there
        return await self._rotate_late(session, old_id, new_id)

    async def _rotate_late(self, session: Session, old_id: str, new_id: str | None) -> str | None:
        """Let a session go on that another request has rotated meanwhile, or ended: then with the changes alone.

        The other's cookie leads to what this one has changed; this one's not to what that one has stored, unless both
        have logged the same user in: who came with the old id may have planted or stolen it.
        """
        changed, removed = session.changes()
        if (successor := await self._notes.successor(old_id)) is None:
            return await self._writer.create(session, changed, new_id)
        if new_id is None and successor.is_log_in_of(session):
            await self._writer.change(successor.id, changed, removed)
            session.id = successor.id
            return successor.id
        await self._change_successor(old_id, session)
        if new_id is None and session.is_bound_as_before:
            return None
        return await self._writer.create(session, changed if session.was_bound else dict(session), new_id)

    async def change(self, session: Session, session_id: str, changes: Changes) -> str | None:
        """Write what a request has changed; if its session was rotated meanwhile, to what that has become."""
        async with self._turns.shared(session_id):
            value = await self._writer.change(session_id, *changes)
        if value is not False:
            return value
        await self._change_successor(session_id, session)
        return None

    async def log_out(self, session: Session, session_id: str) -> str | None:
        """Write the changes of a session that is nobody's any more, also in what it has become meanwhile."""
        async with self._turns.taken(session_id):
            value = await self._writer.change(session_id, *session.changes())
            await self._change_successor(session_id, session)
        return None if value is False else value

    async def end(self, session: Session) -> str:
        """Delete an emptied session, and let nobody go on with it; what a user's has become meanwhile ends, too.

        A visitor's has no say on that: who has planted its id can't log out who has logged in since.
        """
        ids = session.retired if session.id is None else (session.id,)
        async with self._turns.taken(ids[0]):
            successor = await self._notes.successor(ids[0]) if session.was_bound else None
            await self._notes.forget(ids[0])
            if successor is not None and session.is_as_loaded(Session.USER, successor.data):
                await self._writer.delete(successor.id)
            for session_id in ids:
                await self._writer.delete(session_id)
        session.id = None
        return ""

    async def _change_successor(self, old_id: str, session: Session) -> None:
        """Write what a late request has changed to what its session has become, if that lives."""
        for _ in range(MAX_STEPS):  # it may be rotated again at this moment
            if (successor := await self._notes.successor(old_id)) is None:
                return
            async with self._turns.shared(successor.id):
                if await self._writer.change(successor.id, *successor.changes_before(session)) is not False:
                    return
