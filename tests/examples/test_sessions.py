"""examples/sessions."""

import asyncio
import contextlib

import pytest

from tests.client import http


@pytest.fixture(autouse=True)
def _file_closed(example):
    """Close the file, as shutdown would."""
    yield
    example.sessions.close()


def test_visits_are_counted_in_the_file(client, example):
    """The counter goes on in another process, that is, with another backend on the same file."""
    first = client.get("/")
    assert first.text == "Hello, stranger. This is visit number 1."
    with contextlib.closing(example.SqliteSessions("sessions.db")) as sessions:
        other = http(example.Members(sessions), cookies=first.cookies)
    assert other.text == "Hello, stranger. This is visit number 2."


def test_login_gives_a_fresh_id_and_logout_forgets(client):
    """Old ids are worth nothing after log-in and log-out."""
    before = client.get("/").cookies
    login = client.post("/login", data={"user": "alice", "password": "apple"}, cookies=before)
    assert (login.status_code, login.headers["location"]) == (303, "/")
    assert login.cookies["session_id"] != before["session_id"]
    assert client.get("/", cookies=login.cookies).text == "Hello, alice. This is visit number 2."
    assert client.get("/", cookies=before).text == "Hello, stranger. This is visit number 1."
    assert client.post("/logout", cookies=login.cookies).status_code == 303
    assert client.get("/", cookies=login.cookies).text == "Hello, stranger. This is visit number 1."


@pytest.mark.parametrize(("user", "password"), [("alice", "plum"), ("mallory", "apple"), ("alice", "äpfel")])
def test_wrong_passwords_are_refused(client, user, password):
    """Name and password must belong together."""
    answer = client.post("/login", data={"user": user, "password": password})
    assert (answer.status_code, answer.text) == (403, "403 Forbidden: Wrong name or password")


@pytest.mark.parametrize("path", ["/login/alice/apple", "/logout"])
def test_get_changes_nothing(client, path):
    """Logging in or out needs a POST."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_expired_sessions_are_unknown_and_swept(app, example):
    """A session whose time is over is not loaded, and the next save removes it."""
    backend = example.sessions

    async def use() -> list[dict[str, int]]:
        await backend.save("old", {"a": 1}, -1)
        loaded = [await backend.load("old")]
        await backend.save("new", {"b": 2}, 60)
        loaded.append(await backend.load("new"))
        return loaded

    assert asyncio.run(use()) == [{}, {"b": 2}]
    assert backend._db.execute("SELECT id FROM sessions").fetchall() == [("new",)]


def test_the_file_is_closed_at_shutdown(app, example):
    """Shutdown closes the database."""

    assert http(app).status_code == 200
    with pytest.raises(example.sqlite3.ProgrammingError):
        example.sessions._db.execute("SELECT 1")
