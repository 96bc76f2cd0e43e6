"""examples/todo_api."""

import pytest

PIE = {"title": "Bake a pie", "state": "open", "due": None}


def test_a_todo_is_added_read_changed_and_removed(client):
    """The whole life of a todo."""
    added = client.post("/todos", json={"title": "Bake a pie"})
    assert (added.status_code, added.headers["location"], added.json()) == (201, "/todos/1", {**PIE, "id": 1})
    assert client.get("/todos/1").json() == {**PIE, "id": 1}
    changed = client.patch("/todos/1", json={"state": "done", "due": "2030-01-31"}).json()
    assert changed == {**PIE, "id": 1, "state": "done", "due": "2030-01-31"}
    replaced = client.put("/todos/1", data={"title": "Eat it"}).json()
    assert replaced == {"title": "Eat it", "state": "open", "due": None, "id": 1}
    removed = client.delete("/todos/1")
    assert (removed.status_code, removed.content) == (204, b"")
    gone = client.get("/todos/1")
    assert (gone.status_code, gone.text) == (404, "404 Not Found: No such todo")


def test_todos_are_listed_filtered_and_counted(app, client):
    """By state, by day, by both."""
    for title, state, due in [("one", "open", "2030-01-01"), ("two", "done", "2030-01-01"), ("three", "open", None)]:
        client.post("/todos", json={"title": title, "state": state, "due": due})

    def titles(**params: str) -> list[str]:
        return [todo["title"] for todo in client.get("/todos", params=params).json()]

    assert titles() == ["one", "two", "three"]
    assert titles(state="open") == ["one", "three"]
    assert titles(before="2030-01-02") == ["one", "two"]
    assert titles(state="open", before="2030-01-02") == ["one"]
    assert client.get("/todos/count").json() == {"open": 2, "done": 1}


@pytest.mark.parametrize(
    ("method", "path", "options", "fault"),
    [
        ("GET", "/todos/one", {}, ("path", "id")),
        ("GET", "/todos?state=lost", {}, ("query", "state")),
        ("POST", "/todos", {"json": {"due": "2030-01-31"}}, ("body", "title")),
        ("POST", "/todos", {"json": {"title": "x", "due": "soon"}}, ("body", "due")),
    ],
)
def test_what_is_wrong_is_named(client, method, path, options, fault):
    """Where it stands, and what it is called."""
    answer = client.request(method, path, **options, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    (error,) = answer.json()["errors"]
    assert (error["in"], error["name"]) == fault


def test_other_verbs_are_not_allowed(client):
    """DELETE of all todos is 405."""
    answer = client.delete("/todos")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {*answer.headers["allow"].split(", ")}


def test_it_is_documented(client):
    """The page and the document are there."""
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json").json()
    assert {path: [*item] for path, item in document["paths"].items()} == {
        "/todos": ["get", "post"],
        "/todos/{id}": ["get", "put", "patch", "delete"],
        "/todos/count": ["get"],
    }
    assert document["components"]["schemas"].keys() == {"Change", "Draft", "Problem", "State", "Todo"}
