"""SQLAlchemy's asyncio side: an engine as long as the application, a session for each request. SQLite or PostgreSQL."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, MaxLen
from sqlalchemy import ForeignKey, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from micropie import App, Fault, HTTPError, InvalidInput, Request, Resource, Service, methods
from micropie.health import Health
from micropie.openapi import Docs

URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")


class Base(AsyncAttrs, DeclarativeBase):
    """`AsyncAttrs`: `author.awaitable_attrs.books` loads what was not, which templates await by themselves."""


class Author(Base):
    """Who has written books."""

    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(default="")  # for us alone
    books: Mapped[list["Book"]] = relationship(back_populates="author", order_by="Book.title")


class Book(Base):
    """A book on the shelf."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    stock: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id), index=True)
    author: Mapped[Author] = relationship(back_populates="books")


class Database(Service):
    """The engine with its pool. A service starts before the first request and stops after the last."""

    async def start(self, app):
        self._engine = create_async_engine(URL)
        # An object stays readable after a commit, which would else load it again: at a place where nobody awaits it.
        self.session = async_sessionmaker(self._engine, expire_on_commit=False)
        async with self._engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)  # a site that lives longer takes Alembic

    async def stop(self):
        await self._engine.dispose()

    async def check(self):
        """Raise if the database is away: for ``/health/ready``."""
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def __provide__(self, request: Request) -> AsyncIterator[AsyncSession]:
        """Open a session for a request, and close it behind the reply: what nobody has committed is undone."""
        async with self.session() as session:
            yield session


database = Database()
Db = Annotated[AsyncSession, database]  # a handler asks for it by this type


@dataclass
class BookOut:
    """A book as clients see it. Whatever else a row has stays inside."""

    id: int
    title: str
    stock: int


@dataclass
class AuthorOut:
    """An author, without the address."""

    id: int
    name: str
    books: list[BookOut]


@dataclass
class Draft:
    """What a client says of a book."""

    title: Annotated[str, MaxLen(200)]
    author: Annotated[str, MaxLen(100)]
    stock: Annotated[int, Ge(0)] = 1


class Authors(Resource):
    """``/authors``."""

    @methods("GET")
    async def index(self, db: Db) -> list[AuthorOut]:
        """List all authors, with their books: one more query for all of them, not one for each."""
        return (await db.scalars(select(Author).options(selectinload(Author.books)).order_by(Author.name))).all()

    async def post(self, db: Db, name: Annotated[str, MaxLen(100)], email: str = "") -> tuple[Literal[201], AuthorOut]:
        """Add an author."""
        author = Author(name=name, email=email, books=[])
        db.add(author)
        await db.commit()  # in the handler: behind the reply nobody could be told that it failed
        return 201, author

    def _on_error(self, error):
        """Answer what the database has refused: it alone can tell when two send the same name at the same time."""
        if isinstance(error, IntegrityError):
            raise HTTPError(409, "There is such an author") from None


class Books(Resource):
    """``/books``."""

    async def get(self, id: int, db: Db) -> BookOut:
        """One book.

        404: There is no such book.
        """
        book = await db.get(Book, id)
        if book is None:
            raise HTTPError(404)
        return book

    async def post(self, draft: Draft, db: Db) -> tuple[Literal[201], BookOut, dict[str, str]]:
        """Add a book of an author who is known."""
        author = await db.scalar(select(Author).where(Author.name == draft.author))
        if author is None:
            raise InvalidInput([Fault("body", "author", "is not known")])
        book = Book(title=draft.title, stock=draft.stock, author=author)
        db.add(book)
        await db.commit()
        return 201, book, {"Location": f"/books/{book.id}"}

    @methods("POST")
    async def sell(self, id: int, db: Db, count: Annotated[int, Ge(1)] = 1) -> BookOut:
        """Sell some. One statement looks and takes, so that two at the same time can't sell the last one twice.

        409: There are not so many.
        """
        enough = update(Book).where(Book.id == id, Book.stock >= count)
        sold = await db.scalar(enough.values(stock=Book.stock - count).returning(Book))
        if sold is None:
            raise HTTPError(409)
        await db.commit()
        return sold


class Shop(App):
    """A page at ``/``, an API, its document, and whether the database is there."""

    database = database
    authors = Authors()
    books = Books()
    health = Health()
    docs = Docs(title="Database", version="1.0")

    def __init__(self):
        super().__init__(templates=Path(__file__).with_name("templates"), surplus_path_status=404)

    async def index(self, db: Db):
        authors = (await db.scalars(select(Author).order_by(Author.name))).all()
        return await self._render_template("index.html", authors=authors)


app = Shop()
