"""examples/database, on SQLite and on PostgreSQL."""

import asyncio

import pytest

from tests.client import run, visitor
from tests.examples.postgresql_server import running_postgresql

pytestmark = pytest.mark.needs("jinja2")

PROBLEM = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def postgresql():
    """The URL of a server."""
    with running_postgresql() as url:
        yield f"postgresql+asyncpg:{url}"


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request, monkeypatch):
    """The application, with an empty database."""
    url = "sqlite+aiosqlite:///shop.db" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    monkeypatch.setenv("DATABASE_URL", url)
    example = request.getfixturevalue("example")

    async def empty():
        engine = example.create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(example.Base.metadata.drop_all)
        await engine.dispose()

    run(empty())
    return example.app


def test_a_book_is_added_sold_and_shown(client):
    """An author first; the page and the API have both, and nobody sees the address."""
    author = client.post("/authors", data={"name": "Jane Austen", "email": "jane@example.com"})
    assert (author.status_code, author.json()) == (201, {"id": 1, "name": "Jane Austen", "books": []})
    book = client.post("/books", json={"title": "<Emma>", "author": "Jane Austen", "stock": 2})
    emma = {"id": 1, "title": "<Emma>", "stock": 2}
    assert (book.status_code, book.json(), book.headers["location"]) == (201, emma, "/books/1")
    assert client.get("/books/1").json() == emma
    assert client.post("/books/sell/1", data={"count": "2"}).json() == {**emma, "stock": 0}
    assert client.get("/authors").json() == [{"id": 1, "name": "Jane Austen", "books": [{**emma, "stock": 0}]}]
    assert "<li>&lt;Emma&gt;: sold out</li>" in client.get("/").text


def test_what_the_database_refuses(client):
    """A second author of a name; a book of nobody's; what is not there."""
    assert client.post("/authors", data={"name": "Ann"}).status_code == 201
    assert client.post("/authors", data={"name": "Ann"}).text == "409 Conflict: There is such an author"
    fault = client.post("/books", json={"title": "Emma", "author": "Bob"}, headers=PROBLEM).json()["errors"]
    assert fault == [{"in": "body", "name": "author", "message": "is not known"}]
    assert client.get("/books/9").status_code == 404
    assert client.post("/books/sell/9").status_code == 409


def test_the_last_one_is_sold_once(app):
    """Ten want three at the same time."""

    async def main():
        async with visitor(app) as client:
            await client.post("/authors", data={"name": "Ann"})
            await client.post("/books", json={"title": "Emma", "author": "Ann", "stock": 3})
            answers = await asyncio.gather(*(client.post("/books/sell/1") for _ in range(10)))
            return sorted(answer.status_code for answer in answers), (await client.get("/books/1")).json()["stock"]

    assert run(main()) == ([200] * 3 + [409] * 7, 0)


def test_health_asks_the_database(client):
    """It is there."""
    assert client.get("/health/ready").status_code == 200
