"""examples/headers."""

import re

import pytest

from tests.examples.served import served

PLAIN = {"Content-Type": "text/plain"}


def test_a_reader_who_has_the_recipe_gets_it_once(client):
    """By its tag, also in a list and marked as weak; HEAD has the headers alone."""
    first = client.get("/recipe")
    assert (first.status_code, first.text, first.headers["cache-control"]) == (
        200,
        "Flour, butter, apples\n",
        "no-cache",
    )
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", first.headers["last-modified"])
    tag = first.headers["etag"]
    for sent in (tag, f'"old", W/{tag}'):
        again = client.get("/recipe", headers={"If-None-Match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/recipe", headers={"If-None-Match": '"old"'}).status_code == 200
    head = client.head("/recipe")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(first.content)))


def test_of_two_writers_the_second_is_told(client):
    """Who does not say which version is meant is asked for it."""
    tag = client.get("/recipe").headers["etag"]
    assert client.put("/recipe", content="Plums", headers=PLAIN).status_code == 428
    written = client.put("/recipe", content="Plums", headers={**PLAIN, "If-Match": tag})
    assert written.status_code == 204
    late = client.put("/recipe", content="Pears", headers={**PLAIN, "If-Match": tag})
    assert (late.status_code, late.headers["etag"]) == (412, written.headers["etag"])
    assert client.get("/recipe").text == "Plums"


@pytest.mark.parametrize(("path", "allow"), [("/recipe", "GET, HEAD, OPTIONS, PUT"), ("/cache", "OPTIONS, PURGE")])
def test_options_name_the_verbs(client, path, allow):
    """As does a 405."""
    for method, status in (("OPTIONS", 204), ("POST", 405)):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (status, allow)


def test_unusual_verbs_and_statuses(client):
    """Each with headers of its own."""
    assert client.request("PURGE", "/cache").status_code == 202
    tea = client.get("/tea")
    assert (tea.status_code, tea.headers["retry-after"], tea.headers["link"]) == (
        418,
        "never",
        "</recipe>; rel=alternate",
    )
    assert client.get("/").headers["x-oven"] == "warm"


@pytest.mark.parametrize(
    ("wanted", "language"), [("de-AT, en;q=0.5", "de"), ("es, fr", "fr"), ("es", "en"), ("", "en")]
)
def test_the_language_that_a_visitor_prefers(client, wanted, language):
    """Caches are told that it depends on the request."""
    answer = client.get("/greeting", headers={"Accept-Language": wanted})
    assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language")


def test_the_request_as_it_arrived(tmp_path):
    """Over the wire: repeated headers, and the target before decoding."""
    with served("headers", tmp_path) as server, server.client() as client:
        sent = [("X-Two", "a"), ("X-Two", "b")]
        shown = client.post("/raw/a%2Fb?c=%20d", content=b"bytes", headers=sent).json()
    assert [line for line in shown.pop("headers") if line.startswith("x-two")] == ["x-two: a", "x-two: b"]
    assert shown == {
        "method": "POST",
        "target": "/raw/a%2Fb",
        "query": "c=%20d",
        "http": "1.1",
        "bytes": 5,
        "rest": ["a/b"],
    }
