"""examples/sessions."""

import pytest

from micropie.sessions import SQLiteSessionBackend
from tests.client import http

STRANGER = "Hello, stranger. This is visit number 1."


def login(client, cookies=None):
    """The reply to alice's log-in."""
    return client.post("/login", data={"user": "alice", "password": "apple"}, cookies=cookies or {})


def test_visits_are_counted_in_the_file(client, example):
    """The counter goes on in another process, that is, with another backend on the same file."""
    first = client.get("/")
    assert first.text == STRANGER
    other = http(example.Members(SQLiteSessionBackend("sessions.db")), cookies=first.cookies)
    assert other.text == "Hello, stranger. This is visit number 2."


def test_login_gives_a_fresh_id_and_logout_forgets(client):
    """Old ids are worth nothing after log-in and log-out; the news are shown once."""
    before = client.get("/").cookies
    answer = login(client, before)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.cookies["session_id"] != before["session_id"]
    assert client.get("/", cookies=answer.cookies).text == "You are logged in. Hello, alice. This is visit number 2."
    assert client.get("/", cookies=answer.cookies).text == "Hello, alice. This is visit number 3."
    assert client.get("/", cookies=before).text == STRANGER
    assert client.post("/logout", cookies=answer.cookies).status_code == 303
    assert client.get("/", cookies=answer.cookies).text == STRANGER


def test_logout_everywhere(client):
    """The other browser is logged out, too."""
    here, there = login(client).cookies, login(client).cookies
    assert client.get("/", cookies=here).text == "You are logged in. Hello, alice. This is visit number 1."
    assert client.post("/logout_everywhere", cookies=there).status_code == 303
    assert client.get("/", cookies=here).text == STRANGER
    assert client.post("/logout_everywhere").status_code == 303


@pytest.mark.parametrize(("user", "password"), [("alice", "plum"), ("mallory", "apple"), ("alice", "äpfel")])
def test_wrong_passwords_are_refused(client, user, password):
    """Name and password must belong together."""
    answer = client.post("/login", data={"user": user, "password": password})
    assert (answer.status_code, answer.text) == (403, "Wrong name or password")


@pytest.mark.parametrize("path", ["/login/alice/apple", "/logout", "/logout_everywhere"])
def test_get_changes_nothing(client, path):
    """Logging in or out needs a POST."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
