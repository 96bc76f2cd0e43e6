"""Sessions: a visit counter, log-in and log-out, kept in SQLite so that they survive a restart."""

import hmac
import json
import sqlite3
import time
from pathlib import Path

from micropie import App, HTTPError, SessionBackend

PASSWORDS = {"alice": "apple", "bob": "plum"}  # an example; real ones are salted hashes


class SqliteSessions(SessionBackend):
    """Keeps sessions in one SQLite file, which several workers may share."""

    def __init__(self, file):
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, data TEXT, expires REAL)")

    async def load(self, session_id):
        """Return the session's data, or an empty dict when it is unknown or expired."""
        found = self._db.execute("SELECT data FROM sessions WHERE id = ? AND expires > ?", (session_id, time.time()))
        row = found.fetchone()
        return json.loads(row[0]) if row else {}

    async def save(self, session_id, data, timeout):
        """Keep the data for so many seconds; empty data deletes the session."""
        self._db.execute("DELETE FROM sessions WHERE id = ? OR expires <= ?", (session_id, time.time()))
        if data:
            row = (session_id, json.dumps(data), time.time() + timeout)
            self._db.execute("INSERT INTO sessions VALUES (?, ?, ?)", row)

    def close(self):
        """Close the file."""
        self._db.close()


class Members(App):
    """Counts visits; ``/login`` and ``/logout`` change who you are."""

    async def index(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return f"Hello, {session.get('user', 'stranger')}. This is visit number {session['visits']}."

    async def login(self, user, password):
        if self.request.method != "POST":  # a password has no place in a URL
            raise HTTPError(405, headers=[("Allow", "POST")])
        expected = PASSWORDS.get(user, "")
        if not expected or not hmac.compare_digest(expected.encode(), password.encode()):
            raise HTTPError(403, "Wrong name or password")
        self.request.session.rotate()  # a fresh id, so that an old one is worth nothing
        self.request.session["user"] = user
        return self._redirect("/", status=303)

    async def logout(self):
        if self.request.method != "POST":  # a link on another site must not log anybody out
            raise HTTPError(405, headers=[("Allow", "POST")])
        self.request.session.clear()
        return self._redirect("/", status=303)


sessions = SqliteSessions(Path(__file__).with_name("sessions.db"))
app = Members(sessions, session_timeout=3600)
app.shutdown_handlers.append(sessions.close)
