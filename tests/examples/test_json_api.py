"""examples/json_api."""

import pytest


def test_a_pie_is_added_read_changed_and_removed(client):
    """The whole life of a pie."""
    added = client.post("/pies", json={"name": " apple "})
    assert (added.status_code, added.headers["location"], added.json()) == (
        201,
        "/pies/1",
        {"number": "1", "name": "apple"},
    )
    assert client.get("/pies").json() == [{"number": "1", "name": "apple"}]
    assert client.put("/pies/1", json={"name": "plum"}).json() == {"number": "1", "name": "plum"}
    assert client.get("/pies/1").json() == {"number": "1", "name": "plum"}
    removed = client.delete("/pies/1")
    assert (removed.status_code, removed.content) == (204, b"")
    gone = client.get("/pies/1")
    assert (gone.status_code, gone.text) == (404, "404 Not Found: No such pie")


@pytest.mark.parametrize("value", [{}, {"name": ""}, {"name": 7}, ["apple"], "apple", None])
def test_json_without_a_name_is_refused(client, value):
    """Whatever JSON arrives, a pie needs a name that is text."""
    answer = client.post("/pies", json=value)
    assert answer.status_code == 400
    assert client.get("/pies").json() == []


def test_broken_json_is_refused(client):
    """A body that is no JSON never reaches the handler."""
    answer = client.post("/pies", content=b"no json", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Bad JSON")


@pytest.mark.parametrize(("path", "allow"), [("/pies", "GET, POST"), ("/pies/1", "GET, PUT, DELETE")])
def test_other_methods_are_not_allowed(client, path, allow):
    """PATCH is 405, with the methods that are."""
    client.post("/pies", json={"name": "apple"})
    answer = client.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_surplus_segments_are_not_found(client):
    """/pies/1/2 is 404."""
    assert client.get("/pies/1/2").status_code == 404
