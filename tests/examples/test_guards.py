"""examples/guards."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting

FRIEND = "https://friend.example"
HERE = {"Host": "localhost"}


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/staff", 401)])
def test_every_reply_is_guarded_and_logged(client, caplog, path, status):
    """It has the headers that browsers heed, and an id by which the log names it."""
    answer = client.get(path, headers=HERE)
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (status, "nosniff")
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "micropie.access"]
    assert (line["path"], line["status"], line["request_id"]) == (path, status, answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({**HERE, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**HERE, "Origin": "https://evil.example"}, 403),
        ({**HERE, "Sec-Fetch-Site": "same-origin"}, 201),
        (HERE, 201),
    ],
)
def test_who_may_order(client, headers, status):
    """Not another site's page, and nobody for another host."""
    assert client.post("/order", headers=headers).status_code == status


def test_five_orders_a_minute(client):
    """The sixth is told when to come back; who only looks is not counted."""
    assert [client.post("/order", headers=HERE).status_code for _ in range(6)] == [201] * 5 + [429]
    assert client.get("/prices", headers=HERE).status_code == 200


def test_a_friends_scripts_read_the_prices(client):
    """Once, since they have a hash; packed for who can unpack them."""
    asked = {**HERE, "Origin": FRIEND, "Access-Control-Request-Method": "GET"}
    assert client.options("/prices", headers=asked).headers["access-control-allow-origin"] == FRIEND
    headers = {**HERE, "Origin": FRIEND, "Accept-Encoding": "gzip"}
    first = client.get("/prices", headers=headers)
    assert (first.headers["content-encoding"], first.headers["access-control-allow-origin"]) == ("gzip", FRIEND)
    again = client.get("/prices", headers={**headers, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_back_room(client):
    """It is for who has the token."""
    assert client.get("/staff", headers={**HERE, "Authorization": "Bearer let-me-out"}).status_code == 401
    assert client.get("/staff", headers={**HERE, "Authorization": "Bearer let-me-in"}).text == "The back room"


def test_a_browser_takes_the_page(tmp_path):
    """Its style has the nonce of the policy, and its own form is let through."""
    with served("guards", tmp_path) as server, launched() as browser, visiting(browser, server) as page:
        assert page.locator("body").evaluate("body => getComputedStyle(body).maxWidth") != "none"
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text(re.compile("ordered"))
