"""examples/middleware."""

import re

import pytest


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", 200, "Welcome"),
        ("GET", "/admin", 401, "Who are you?"),
        ("GET", "/admin/", 401, "Who are you?"),
        ("GET", "/v1/pies", 200, '["apple"]'),
        ("DELETE", "/v1/pies", 404, "<h1>No pie here</h1>"),
        ("GET", "/_list_pies", 404, "<h1>No pie here</h1>"),
        ("GET", "/index/more", 404, "<h1>No pie here</h1>"),
        ("GET", "/drop", 500, "<h1>We dropped it</h1>"),
    ],
)
def test_each_reply_is_as_it_should_be_and_timed(client, method, path, status, text):
    """Guard, routes and error pages do their work, and every reply has the timing header."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.text) == (status, text)
    assert re.fullmatch(r"app;dur=\d+\.\d\d", answer.headers["server-timing"])


def test_the_token_opens_the_back_room(client):
    """With the token the handler answers."""
    answer = client.get("/admin", headers={"Authorization": "Bearer let-me-in"})
    assert (answer.status_code, answer.text) == (200, "The back room")


def test_the_back_room_has_no_side_door(client):
    """Other spellings of the path don't pass the guard."""
    for path in ("/%61dmin", "//admin", "/admin/x"):
        assert client.get(path).text != "The back room"


def test_the_table_routes_by_method(client):
    """POST adds a pie at the address where GET lists them."""
    answer = client.post("/v1/pies", data={"name": "plum"})
    assert (answer.status_code, answer.json()) == (201, ["apple", "plum"])


def test_a_broken_body_is_still_a_400(client):
    """The hooks stand a request that was refused before them."""
    answer = client.post("/", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Bad JSON")
