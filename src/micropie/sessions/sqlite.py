"""SQLiteSessionBackend: sessions in a SQLite file, which all processes of one machine share."""

import json
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from micropie import Session, SessionBackend
from micropie.sessions.database_thread import DatabaseThread
from micropie.sessions.values import hashed, to_json
from micropie.stores.outage import Outage

T = TypeVar("T")
NO_DATA = to_json({})
PRIVATE = 0o600  # to the user whose processes serve
EXPIRED_AT_ONCE = 20  # rows that a write deletes, so that none of them pays for all
LAZINESS = 20  # the expiry is pushed when a twentieth of the time has passed, so that few requests have to write
SCHEMA = """
CREATE TABLE IF NOT EXISTS micropie_sessions (
    id TEXT PRIMARY KEY, data TEXT NOT NULL, expires REAL NOT NULL, user_id TEXT
);
CREATE INDEX IF NOT EXISTS micropie_sessions_by_expiry ON micropie_sessions (expires);
CREATE INDEX IF NOT EXISTS micropie_sessions_by_user ON micropie_sessions (user_id) WHERE user_id IS NOT NULL;
"""
LOAD = "SELECT data FROM micropie_sessions WHERE id = ? AND expires > ?"
# Not REPLACE, which deletes a row and writes another one, with all its entries in the indexes.
SAVE = """
INSERT INTO micropie_sessions (id, data, expires, user_id) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET data = excluded.data, expires = excluded.expires, user_id = excluded.user_id
"""
LOAD_WITH_EXPIRY = "SELECT data, expires FROM micropie_sessions WHERE id = ? AND expires > ?"
CHANGE = "UPDATE micropie_sessions SET data = ? WHERE id = ?"  # which is in no index
DELETE = "DELETE FROM micropie_sessions WHERE id = ?"
IS_STALE = "SELECT 1 FROM micropie_sessions WHERE id = ? AND expires > ? AND expires NOT BETWEEN ? AND ?"
TOUCH = "UPDATE micropie_sessions SET expires = ? WHERE id = ? AND expires > ?"
DELETE_EXPIRED = """
DELETE FROM micropie_sessions WHERE id IN (SELECT id FROM micropie_sessions WHERE expires <= ? LIMIT ?)
"""
LIST = "SELECT id, data FROM micropie_sessions WHERE user_id = ? AND expires > ? ORDER BY expires DESC"
END = """
DELETE FROM micropie_sessions
WHERE user_id = :user_id AND expires > :now AND (:handle IS NULL OR id = :handle) AND id IS NOT :keep
"""


class SQLiteSessionBackend(SessionBackend):
    """Keeps sessions in a SQLite file, `path`, for all processes of one machine; they survive restarts and `kill -9`.

    What they hold is kept as JSON, and their ids hashed, so that who reads the file can't take a session over. A
    request that has to wait more than `timeout` seconds for the file is answered 503. With `own_folder` the file's
    folder is made with it, and left out of version control; else FileNotFoundError if there is none. ValueError for
    `":memory:"`, which names no file: `InMemorySessionBackend` is the one for that, and the default.

        app = MyApp(SQLiteSessionBackend("sessions.db"))
    """

    keeps_rotations = True

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 5, own_folder: bool = False) -> None:
        if os.fspath(path) == ":memory:":
            raise ValueError('SQLiteSessionBackend(":memory:"): sessions in memory are InMemorySessionBackend()')
        self.path: Path = Path(path).absolute()
        folder = self.path.parent
        if not own_folder and not folder.is_dir():
            raise FileNotFoundError(f"SQLiteSessionBackend({os.fspath(path)!r}): there is no folder {folder}")
        self._database = DatabaseThread(partial(opened, self.path, own_folder=own_folder), timeout)
        self._outage = Outage("Sessions", str(self.path))

    async def load(self, session_id: str) -> dict[str, Any]:
        """The session's data; `{}` if it is unknown or expired."""
        return await self._read(partial(load, handle=hashed(session_id)))

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        """Keep the data for `timeout` seconds; delete the session if `data` is empty."""
        row = hashed(session_id), to_json(data), data.get(Session.USER)
        await self._write(partial(save, row=row, timeout=timeout))

    async def update(self, session_id: str, changes: dict[str, Any], removed: list[str], timeout: int) -> bool:
        """Change these values of the session; False if it is not there any more."""
        change = partial(update, handle=hashed(session_id), changes=to_json(changes), removed=removed, timeout=timeout)
        return await self._write(change)

    async def touch(self, session_id: str, timeout: int) -> None:
        """Let the session live for another `timeout` seconds, if it still does and the time is worth it."""
        handle = hashed(session_id)
        if await self._read(partial(is_stale, handle=handle, timeout=timeout)):
            await self._write(partial(touch, handle=handle, timeout=timeout))

    async def sessions_of(self, user_id: object) -> dict[str, dict[str, Any]]:
        """The data of a user's sessions by their handles, the one that is used last first."""
        return await self._read(partial(sessions_of, user_id=str(user_id)))

    async def end_sessions(self, user_id: object, handle: str | None = None, *, keep: str | None = None) -> int:
        """End all sessions of a user, or the one with this handle, but not `keep`; the number of those that ended."""
        end = partial(end_sessions, user_id=str(user_id), handle=handle, keep=keep)
        return await self._write(end)

    async def aclose(self) -> None:
        """Close the file and end the thread, until the backend is used again."""
        await self._database.stop()

    async def _read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        return await self._answer(self._database.read(step), writing=False)

    async def _write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        return await self._answer(self._database.write(step), writing=True)

    async def _answer(self, answer: Awaitable[T], *, writing: bool) -> T:
        """The database's answer. `HTTPError` 503 if it does not in time."""
        try:
            result = await answer
        except TimeoutError as error:
            raise self._outage.begin(str(error) or "it is too slow", writing=writing) from error
        self._outage.end(writing=writing)
        return result


def opened(path: Path, *, own_folder: bool) -> sqlite3.Connection:
    """A connection to the file, which is made if there is none."""
    if own_folder:
        path.parent.mkdir(exist_ok=True)
        path.with_name(".gitignore").write_text("*\n", encoding="utf-8")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE))
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


# The steps, which run in the database's thread.


def load(connection: sqlite3.Connection, handle: str) -> dict[str, Any]:
    """The data of a session that has not expired."""
    row = connection.execute(LOAD, (handle, time.time())).fetchone()
    data: dict[str, Any] = {} if row is None else json.loads(row[0])
    return data


def save(connection: sqlite3.Connection, row: tuple[str, str, str | None], timeout: int) -> None:
    """Store a session, or delete one without data; and delete some that have expired."""
    handle, text, user_id = row
    if text == NO_DATA:
        connection.execute(DELETE, (handle,))
    else:
        connection.execute(SAVE, (handle, text, time.time() + timeout, user_id))
    connection.execute(DELETE_EXPIRED, (time.time(), EXPIRED_AT_ONCE))


def update(connection: sqlite3.Connection, handle: str, changes: str, removed: list[str], timeout: int) -> bool:
    """Change a session on top of what is stored; False if nothing is."""
    now = time.time()
    row = connection.execute(LOAD_WITH_EXPIRY, (handle, now)).fetchone()
    if row is None:
        return False
    data: dict[str, Any] = json.loads(row[0])
    user_id = data.get(Session.USER)
    data.update(json.loads(changes))
    for name in removed:
        data.pop(name, None)
    # PERF: where no index has to be changed, and nothing to be cleaned up, 15 µs.
    if data and data.get(Session.USER) == user_id and abs(row[1] - now - timeout) <= timeout / LAZINESS:
        connection.execute(CHANGE, (to_json(data), handle))
    else:
        save(connection, (handle, to_json(data), data.get(Session.USER)), timeout)
    return True


def is_stale(connection: sqlite3.Connection, handle: str, timeout: int) -> bool:
    """True if a session lives, and its expiry is worth a write."""
    now, laziness = time.time(), timeout / LAZINESS
    # Later than that it expires by a longer timeout, which the application had before.
    times = now + timeout - laziness, now + timeout + laziness
    return connection.execute(IS_STALE, (handle, now, *times)).fetchone() is not None


def touch(connection: sqlite3.Connection, handle: str, timeout: int) -> None:
    """Push the expiry of a session that lives."""
    now = time.time()
    connection.execute(TOUCH, (now + timeout, handle, now))


def sessions_of(connection: sqlite3.Connection, user_id: str) -> dict[str, dict[str, Any]]:
    """The data of a user's sessions."""
    return {handle: json.loads(text) for handle, text in connection.execute(LIST, (user_id, time.time()))}


def end_sessions(connection: sqlite3.Connection, user_id: str, handle: str | None, keep: str | None) -> int:
    """Delete a user's sessions."""
    values = {"user_id": user_id, "now": time.time(), "handle": handle, "keep": keep}
    return connection.execute(END, values).rowcount
