"""Where the board keeps people, links, comments and votes: a file that all workers of the machine share."""

import os
import sqlite3
from functools import cache
from pathlib import Path

DATA = Path(os.environ.get("DATA") or Path(__file__).with_name("data"))

TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, password TEXT NOT NULL, avatar TEXT);
CREATE TABLE IF NOT EXISTS links (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL,
    at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS votes (
    link_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (link_id, user_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, link_id INTEGER NOT NULL, parent INTEGER, user_id INTEGER NOT NULL,
    text TEXT, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS comments_of ON comments (link_id, id);
"""

# A vote is a row of a table whose key is who votes for what, and a score is their number: no race counts one twice.
LINKS = """
SELECT links.*, name, avatar,
    (SELECT count(*) FROM votes WHERE link_id = links.id) AS score,
    (SELECT count(*) FROM comments WHERE link_id = links.id AND text NOTNULL) AS comments,
    EXISTS (SELECT 1 FROM votes WHERE link_id = links.id AND user_id = :me) AS is_voted
FROM links JOIN users ON users.id = links.user_id
"""
ORDERS = {
    "hot": "(score + 1) / ((:now - at) / 3600 + 2) / ((:now - at) / 3600 + 2) DESC, id DESC",  # half as hot in an hour
    "new": "id DESC",
    "best": "score DESC, id DESC",
}
COMMENTS = """
SELECT comments.*, name, avatar FROM comments JOIN users ON users.id = user_id WHERE link_id = :link_id ORDER BY id
"""


@cache
def connection():
    """The one connection of a worker. It waits up to five seconds while another worker writes."""
    db = sqlite3.connect(DATA / "board.db", isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")  # who reads waits for nobody who writes
    db.execute("PRAGMA synchronous = NORMAL")  # a crash of the machine may lose the last moments, and nothing else
    return db


def query(sql, **values):
    """The rows of a statement, which is a transaction of its own."""
    return connection().execute(sql, values).fetchall()


def create_tables():
    """Begin with nothing. Any number of workers may do so at the same time."""
    connection().executescript(TABLES)
