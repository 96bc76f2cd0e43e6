"""examples/templates."""

import pytest

pytestmark = pytest.mark.needs("jinja2")


def test_the_form_extends_the_layout(client):
    """The page has the layout's title and navigation, and the choices."""
    page = client.get("/").text
    assert "<title>Order · Pies</title>" in page
    assert '<a href="/orders">Orders</a>' in page
    assert [kind for kind in ("apple", "cherry", "plum") if f">{kind}</option>" not in page] == []


def test_an_order_is_listed_escaped(client):
    """After the form one is sent to the list, where markup is text."""
    sent = client.post("/order", data={"name": "<b>Bob</b>", "kind": "plum"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/orders")
    assert "<li>plum for &lt;b&gt;Bob&lt;/b&gt;</li>" in client.get("/orders").text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "plum"}, ["Who is it for?"]),
        ({"name": "Ann", "kind": "stone"}, ["Choose a pie that we have."]),
        ({"x": "y"}, ["Who is it for?", "Choose a pie that we have."]),
    ],
)
def test_what_is_wrong_is_said(client, form, said):
    """A wrong form comes back with its errors, and nothing is ordered."""
    answer = client.post("/order", data=form)
    assert answer.status_code == 422
    known = ("Who is it for?", "Choose a pie that we have.")
    assert [text for text in known if text in answer.text] == said
    assert "None yet." in client.get("/orders").text


def test_what_was_typed_is_kept(client):
    """The name and the choice are still there in the form that comes back."""
    page = client.post("/order", data={"name": '"Ann', "kind": "stone"}).text
    assert 'value="&#34;Ann"' in page


def test_get_orders_nothing(client):
    """The form's address sends a GET back to the form."""
    answer = client.get("/order?name=Ann&kind=plum")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "None yet." in client.get("/orders").text
