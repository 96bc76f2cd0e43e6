"""Where the microblog keeps people and their posts."""

import sqlite3
from functools import cache
from pathlib import Path

DATABASE = Path(__file__).with_name("microblog.db")
SHOWN = 30  # posts of a page


@cache
def connection():
    """The one connection of a worker. It waits up to five seconds while another worker writes."""
    db = sqlite3.connect(DATABASE, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")  # who reads waits for nobody who writes
    db.execute("PRAGMA synchronous = NORMAL")  # a crash of the machine may lose the last moments, and nothing else
    return db


def query(sql, *values):
    """The rows of a statement, which is a transaction of its own."""
    return connection().execute(sql, values).fetchall()


def create_tables():
    """Begin with nobody."""
    query(
        "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, password TEXT NOT NULL)"
    )
    query(
        "CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, text TEXT, at REAL)"
    )
    query("CREATE INDEX IF NOT EXISTS posts_of ON posts (user_id, id)")
    query("CREATE TABLE IF NOT EXISTS follows (follower INTEGER, followed INTEGER, PRIMARY KEY (follower, followed))")


def posts_where(condition, *values, before=None):
    """A page of posts, the newest first; the condition is ours, the values are anybody's."""
    sql = "SELECT posts.*, name FROM posts JOIN users ON users.id = user_id WHERE "
    return query(
        f"{sql} ({condition}) AND posts.id < ? ORDER BY posts.id DESC LIMIT ?", *values, before or 2**62, SHOWN
    )
