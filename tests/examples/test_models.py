"""examples/models."""

import pytest

ORDER = {"pieName": " Apple ", "price": "4.50", "pieces": 2, "how": {"kind": "delivery", "street": "Oven Lane"}}
SHOWN = {
    "pieName": "Apple",
    "size": "small",
    "price": "4.50",
    "pieces": 2,
    "wantedOn": None,
    "how": {"kind": "delivery", "street": "Oven Lane"},
    "total": "9.00",
}


def test_an_order_comes_back_as_clients_know_it(client):
    """By its aliases, with what is computed, without what is not for them."""
    answer = client.post("/orders", json={**ORDER, "coupon": "PIE"})
    assert (answer.status_code, answer.json()) == (201, SHOWN)
    assert client.get(answer.headers["location"]).json() == SHOWN
    assert client.get("/orders/9").status_code == 404


def faults(answer):
    """What is wrong, by name."""
    assert answer.status_code == 400
    return {fault["name"]: fault["message"] for fault in answer.json()["errors"]}


def test_all_that_is_wrong_with_an_order_is_told(client):
    """By the names that the client has used; what a rule of our own says stays inside."""
    wrong = client.post("/orders", json={"pieName": "mud", "price": -1, "how": {"kind": "delivery", "street": ""}})
    found = faults(wrong)
    assert sorted(name.partition(".")[0] for name in found) == ["how", "pieName", "price"]
    assert (found["pieName"], found["price"]) == ("expected a valid value", "expected a value greater than 0")
    assert list(faults(client.post("/orders", json={**ORDER, "how": {"kind": "pigeon"}}))) == ["how"]


def test_a_payment_is_told_by_its_tag(client):
    """What is private stays what it was, and is not shown; the amount keeps its digits."""
    paid = {"orderId": 1, "amount": "9.00", "by": {"type": "card", "last_digits": "0042"}}
    answer = client.post("/payments", json=paid)
    assert (answer.status_code, answer.json()) == (201, paid)
    cash = client.post("/payments", json={"orderId": 2, "amount": 1}).json()
    assert cash == {"orderId": 2, "amount": "1", "by": {"type": "cash"}}
    assert client.get("/payments?offset=1").json() == {"items": [cash], "total": 2}
    assert client.get("/payments?limit=1").json() == {"items": [paid], "total": 2}


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"orderId": 0, "amount": "9"}, "orderId"),
        ({"orderId": 1, "amount": "9", "by": {"type": "card", "last_digits": "42"}}, "by.last_digits"),
        ({"orderId": 1, "amount": "9", "_checkedBy": "me"}, "payment"),
        ({"orderId": 1, "amount": "9", "_checked_by": "me"}, "payment"),
    ],
)
def test_a_payment_that_breaks_a_rule(client, sent, name):
    """A pattern inside the union, a number, a member that is not the client's."""
    assert list(faults(client.post("/payments", json=sent))) == [name]


def test_single_parameters_have_rules(client):
    """As their annotations say."""
    assert client.post("/payments/split", data={"amount": "10", "guests": "3"}).json() == {"each": "3.33"}
    assert list(faults(client.post("/payments/split", data={"amount": "ten", "guests": "0"}))) == ["amount", "guests"]
    assert list(faults(client.get("/payments?limit=51"))) == ["limit"]


def test_the_document_has_the_rules(client):
    """Of both packages."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["Card"]["properties"]["last_digits"]["pattern"] == "^[0-9]{4}$"
    order = next(schema for name, schema in schemas.items() if "coupon" in schema.get("properties", {}))
    assert (order["properties"]["pieces"]["maximum"], "total" in order["properties"]) == (20, False)
