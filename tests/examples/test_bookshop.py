"""examples/bookshop."""

import pytest

from micropie.openapi import openapi

pytestmark = [pytest.mark.needs("annotated_types"), pytest.mark.needs("multipart"), pytest.mark.needs("jinja2")]

ROOT = {"Authorization": "Bearer root", "Accept": "application/json"}


@pytest.fixture
def ann(client):
    """A user who has joined: her identity, and the headers that say who she is."""
    joined = client.post("/users", json={"name": "Ann", "email": "ann@example.com"})
    assert joined.status_code == 201
    return joined.json()["id"], {"Authorization": f"Bearer {joined.json()['token']}", "Accept": "application/json"}


def test_users_are_shown_without_their_tokens(client, ann):
    """Only joining gives one."""
    assert client.get(f"/users/{ann[0]}").json() == {"name": "Ann", "email": "ann@example.com", "id": ann[0]}
    assert client.get("/users/9").status_code == 404


def test_a_user_orders(client, ann):
    """Until there are too few, of which the problem tells how many."""
    number, headers = ann
    path = f"/users/{number}/orders"
    assert client.post(path, json={"book_id": 1, "count": 2}, headers=headers).status_code == 201
    assert client.get(path, headers=headers).json() == [{"book_id": 1, "count": 2, "id": 1}]
    assert client.get(f"{path}/1", headers=headers).json() == {"book_id": 1, "count": 2, "id": 1}
    assert client.get(f"{path}/2", headers=headers).status_code == 404
    problem = client.post(path, json={"book_id": 1, "count": 2}, headers=headers)
    assert (problem.status_code, problem.json()["title"], problem.json()["left"]) == (409, "Out of stock", 1)
    assert client.post(path, json={"book_id": 7}, headers=headers).json()["left"] == 0
    assert client.post(path, json={"book_id": 1, "count": 0}, headers=headers).status_code == 400


def test_orders_are_their_users(client, ann):
    """A stranger is asked who he is, also where there is nothing; another user is refused."""
    assert client.get("/users/1/orders").status_code == 401
    assert client.get("/users/1/orders/1/nothing").status_code == 401
    assert client.get("/users/1/orders", headers=ann[1]).status_code == 403


def test_the_staff_has_a_branch(client, ann, example, tmp_path):
    """For root alone: all orders, one after the other, and pictures."""
    assert client.get("/admin/sales").status_code == 401
    assert client.get("/admin/sales", headers=ann[1]).status_code == 403
    client.post("/users/1/orders", json={"book_id": 1}, headers=ROOT)
    sales = client.get("/admin/sales", headers=ROOT | {"Accept": "text/event-stream"})
    assert sales.text == 'data: {"book_id":1,"count":1,"id":1}\n\n'
    example.COVERS = tmp_path
    picture = {"picture": ("emma.png", b"PNG", "image/png")}
    assert client.put("/admin/covers/1", files=picture, headers=ROOT).json() == {"size": 3}
    assert (tmp_path / "1").read_bytes() == b"PNG"
    assert client.put("/admin/covers/9", files=picture, headers=ROOT).status_code == 404


def test_the_form_is_shown_again(client):
    """With what was typed; what fits is taken."""
    assert "<title>Feedback" in client.get("/feedback").text
    wrong = client.post("/feedback", data={"email": "a@b.example", "stars": "many"})
    assert wrong.status_code == 422
    assert 'value="many"></label> expected an integer' in wrong.text
    assert client.post("/feedback", data={"email": "a@b.example", "stars": "3"}).status_code == 303
    assert [book["title"] for book in client.get("/").json()] == ["Emma", "Ulysses"]


def test_the_document_says_it(app):
    """Who must say who he is, and what may go wrong."""
    paths = openapi(app)["paths"]
    order = paths["/users/{user_id}/orders"]["post"]
    assert order["security"] == paths["/admin/sales"]["get"]["security"] == [{"bearer": []}]
    assert order["responses"].keys() == {"201", "400", "401", "409", "default"}
    assert [*paths["/feedback"]["post"]["requestBody"]["content"]] == ["application/x-www-form-urlencoded"]
