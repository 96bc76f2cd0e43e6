"""Where the blog keeps its posts: SQLAlchemy's async ORM on SQLite, brought up to date when the application starts."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from micropie import Request

DATA = Path(os.environ.get("DATA") or Path(__file__).with_name("data"))
DATA.mkdir(parents=True, exist_ok=True)

# Each step leads from one version of the database to the next. What has been released is never changed: append.
MIGRATIONS = (
    ["CREATE TABLE posts (id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, title TEXT NOT NULL, text TEXT NOT NULL)"],
    [
        "ALTER TABLE posts ADD COLUMN published DATETIME",
        "ALTER TABLE posts ADD COLUMN changed DATETIME NOT NULL DEFAULT '2026-01-01 00:00:00'",
        "CREATE INDEX posts_published ON posts (published)",
    ],
    ["ALTER TABLE posts ADD COLUMN summary TEXT NOT NULL DEFAULT ''"],
)


def migrate(file):
    """Bring the database up to date: all of it or nothing, and by one of several workers, while the others wait."""
    with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise RuntimeError(f"{file} is of a newer application: its version is {version}, ours {len(MIGRATIONS)}")
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")


def now():
    """The time in UTC, as the database has it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


class Base(DeclarativeBase):
    """What all tables share."""


class Post(Base):
    """A post; as long as it is not published, a draft."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str]
    text: Mapped[str]
    published: Mapped[datetime | None]
    changed: Mapped[datetime] = mapped_column(default=now, onupdate=now)


PUBLISHED = select(Post).where(Post.published.is_not(None)).order_by(Post.published.desc(), Post.id.desc())
COUNT = select(func.count()).where(Post.published.is_not(None))


@asynccontextmanager
async def opened(file):
    """A maker of sessions, as long as the application runs."""
    migrate(file)
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    try:
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        await engine.dispose()


class SessionOfRequest:
    """A session of the database for a request; what no handler has committed is undone."""

    @classmethod
    async def __provide__(cls, request: Request) -> AsyncIterator[AsyncSession]:
        async with request.app.new_session() as session:
            yield session


Db = Annotated[AsyncSession, SessionOfRequest]
