"""Sessions and their cookie through each server."""

import pytest

from tests.servers.serving import Server


def test_a_session_counts_the_visits_of_one_client(server: Server):
    """The README's counter: each client has its own."""
    with server.client() as one, server.client() as other:
        assert one.get("/visit").text == "You have visited 1 times."
        assert one.get("/visit").text == "You have visited 2 times."
        assert other.get("/visit").text == "You have visited 1 times."


def test_the_cookie_on_loopback_is_not_secure(server: Server):
    """A browser keeps the cookie of a plain local server, guarded in every other way."""
    (cookie,) = server.get("/visit").headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("session_id=")
    assert len(name) >= len("session_id=") + 22
    assert set(attributes) == {"Path=/", "SameSite=Lax", "HttpOnly"}


@pytest.mark.parametrize(
    "headers", [{"Host": "shop.example"}, {"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}]
)
def test_the_cookie_is_secure_when_anything_stands_between(server: Server, headers: dict[str, str]):
    """Another host, or a proxy's header, means that this is no local development."""
    with server.client() as client:
        (cookie,) = client.get("/visit", headers=headers).headers.get_list("set-cookie")
    assert set(cookie.split("; ")[1:]) == {"Path=/", "SameSite=Lax", "HttpOnly", "Secure"}


def test_a_reply_with_the_cookie_is_private(server: Server):
    """No cache between may keep somebody's session."""
    reply = server.get("/visit")
    assert reply.headers["cache-control"] == "private"
    assert "cookie" in reply.headers["vary"].lower()


def test_a_reply_that_used_no_session_sets_no_cookie(server: Server):
    """Who stores nothing gets nothing."""
    assert "set-cookie" not in server.get("/").headers


def test_an_unknown_id_is_not_adopted(server: Server):
    """A session never takes an id that the server did not give."""
    fixed = "a" * 32
    with server.client() as client:
        reply = client.get("/visit", headers={"Cookie": f"session_id={fixed}"})
    assert reply.text == "You have visited 1 times."
    assert fixed not in reply.headers["set-cookie"]


def test_an_emptied_session_expires_its_cookie(server: Server):
    """After the logout the client has no cookie, and its old one is worth nothing."""
    with server.client() as client:
        client.get("/visit")
        old = client.cookies["session_id"]
        assert client.get("/leave").text == "Goodbye."
        assert "session_id" not in client.cookies
        assert client.get("/visit", headers={"Cookie": f"session_id={old}"}).text == "You have visited 1 times."
