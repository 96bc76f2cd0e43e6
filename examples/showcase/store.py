"""What the pages keep: one SQLite file, which all workers share. Its functions block: call them in a thread."""

import sqlite3
from contextlib import closing

from micropie import dumps, loads
from settings import DATA, FLAVOURS

KEPT = 200  # pies, and entries of the form

SCHEMA = """
PRAGMA journal_mode = wal;
CREATE TABLE IF NOT EXISTS votes (flavour TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pies (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
INSERT OR IGNORE INTO votes VALUES ('apple', 5), ('cherry', 8), ('plum', 3), ('pumpkin', 2), ('blueberry', 4);
INSERT OR IGNORE INTO pies VALUES (1,
    '{"name":"Sunday cherry","slices":8,"price":"18.50","contains":["gluten","milk"]}');
INSERT OR IGNORE INTO entries VALUES (1,
    '{"baker":"Ada","flavour":"plum","slices":12,"words":"Plums from behind the house."}');
"""


def connection():
    """A connection of the caller's own, which commits by itself."""
    db = sqlite3.connect(DATA / "showcase.db", timeout=10, isolation_level=None)
    db.execute("PRAGMA synchronous = normal")
    return db


def create():
    """Make the tables, unless they are there."""
    with closing(connection()) as db:
        db.executescript(SCHEMA)


def query(sql, *values):
    """The rows of a statement."""
    with closing(connection()) as db:
        return db.execute(sql, values).fetchall()


def votes():
    """How often each flavour was chosen."""
    counted = dict(query("SELECT flavour, number FROM votes"))
    return {flavour: counted[flavour] for flavour in FLAVOURS}


def vote(flavour):
    """Count a choice; how often each flavour was chosen by then."""
    query("UPDATE votes SET number = number + 1 WHERE flavour = ?", flavour)
    return votes()


def records(table, limit=KEPT):
    """The newest records of a table, with their ids."""
    found = query(f"SELECT id, record FROM {table} ORDER BY id DESC LIMIT ?", limit)  # noqa: S608 - our own names
    return [{"id": number, **loads(text)} for number, text in found]


def record(table, id):
    """One record of a table, with its id; None if there is none."""
    found = query(f"SELECT record FROM {table} WHERE id = ?", id)  # noqa: S608 - our own names
    return {"id": id, **loads(found[0][0])} if found else None


def add(table, record):
    """Keep a record, and no more than the newest of them; the record with its id."""
    with closing(connection()) as db:
        text = dumps(record).decode()
        number = db.execute(f"INSERT INTO {table} (record) VALUES (?)", (text,)).lastrowid  # noqa: S608
        db.execute(f"DELETE FROM {table} WHERE id <= ?", (number - KEPT,))  # noqa: S608
    return {"id": number, **loads(text)}


def remove(table, id):
    """Forget a record; False if there was none."""
    with closing(connection()) as db:
        return db.execute(f"DELETE FROM {table} WHERE id = ?", (id,)).rowcount == 1  # noqa: S608
