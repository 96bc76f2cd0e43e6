"""Where the links are kept. Each call opens the file: the shortest that is right in every thread and process."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

DATABASE = Path(__file__).with_name("links.db")


def query(sql, *values):
    """The rows of a statement, which is a transaction of its own."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(sql, values).fetchall()


def create_tables():
    """Begin with none."""
    query(
        "CREATE TABLE IF NOT EXISTS links (name TEXT PRIMARY KEY, url TEXT, key TEXT,"
        " clicks INTEGER NOT NULL DEFAULT 0, last_click REAL) WITHOUT ROWID"
    )


def count_click(name):
    """Called when the visitor is on the way already; the database adds, so that none is lost."""
    query("UPDATE links SET clicks = clicks + 1, last_click = ? WHERE name = ?", time.time(), name)
