"""Startup and shutdown: a database that is opened before the first request and closed after the last."""

import os
import sqlite3

from micropie import App, HTTPError

LONGEST = 500


class Notes(App):
    """Keeps notes in SQLite: ``/`` lists them, a POST to ``/add`` adds one."""

    def __init__(self, file):
        super().__init__()
        self._file = file
        self._db = None
        self.startup_handlers.append(self._open)
        self.shutdown_handlers.append(self._close)

    async def _open(self):
        self._db = sqlite3.connect(self._file, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)")

    async def _close(self):
        self._db.close()
        self._db = None

    async def index(self):
        return [text for (text,) in self._db.execute("SELECT text FROM notes ORDER BY rowid")]

    async def add(self, text):
        if self.request.method != "POST":
            raise HTTPError(405, headers=[("Allow", "POST")])
        if len(text) > LONGEST:
            raise HTTPError(400, f"A note has at most {LONGEST} characters")
        self._db.execute("INSERT INTO notes VALUES (?)", (text,))
        return 201, {"added": text}


app = Notes(os.environ.get("NOTES_DB", "notes.db"))
