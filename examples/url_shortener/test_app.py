"""The tests of the URL shortener: `pytest` in this folder runs them."""

import pytest

import app as module
import database
from micropie.openapi import openapi
from micropie.testing import TestClient

PIES = "https://example.com/pies?size=9#top"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "DATABASE", tmp_path / "links.db")
    monkeypatch.setattr(module, "app", module.Shortener())
    return module.app


def make(client, url=PIES, **fields):
    reply = client.post("/api/links", json={"url": url, **fields})
    assert reply.status_code == 201, reply.text
    return reply.json()


def with_key(link):
    return {"headers": {"Authorization": f"Bearer {link['key']}"}}


def test_a_link_leads_there_and_is_counted(client):
    link = make(client)
    assert link["short"] == f"http://localhost/{link['name']}"
    for _ in range(3):
        reply = client.get(f"/{link['name']}")
        assert (reply.status_code, reply.headers["location"]) == (302, PIES)
        assert reply.headers["cache-control"] == "no-store"
    client.head(f"/{link['name']}")
    known = client.get(f"/api/links/{link['name']}", **with_key(link)).json()
    assert (known["url"], known["clicks"]) == (PIES, 3)
    assert known["last_click"].endswith("Z")
    assert "key" not in known


def test_a_page_shows_where_it_leads(client):
    link = make(client, "https://example.com/?q=<script>")
    page = client.get(f"/{link['name']}+")
    assert "https://example.com/?q=&lt;script&gt;" in page.text
    assert "Followed 0 times" in page.text


def test_a_name_of_ones_own(client):
    assert make(client, name="pies")["short"] == "http://localhost/pies"
    reply = client.post("/api/links", json={"url": "https://other.example", "name": "pies"})
    assert (reply.status_code, reply.json()["title"]) == (409, "Name taken")
    assert client.get("/pies").headers["location"] == PIES


@pytest.mark.parametrize("name", ["API", "a", "a b", "docs", "api", "static", "../x", "pies+", "x" * 31, "é" * 4])
def test_names_that_nobody_gets(client, name):
    reply = client.post("/api/links", json={"url": PIES, "name": name})
    assert reply.status_code == 400
    assert [error["name"] for error in reply.json()["errors"]] == ["name"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//evil.example",
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "ftp://example.com",
        "https:///pies",
        "https://",
        "https://[::1",
        "https://x:99999/",
        "https://bank.example@evil.example/",
        "https://evil.example\\@bank.example/",
        "https://exa mple.com/",
        "https://example.com/\r\nSet-Cookie: x=y",
        "http://localhost/pies",
        "http://LOCALHOST.:8000/pies",
        "http://loc\u00adalhost/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_addresses_that_lead_nowhere(client, url):
    reply = client.post("/api/links", json={"url": url})
    assert reply.status_code == 400
    assert [error["name"] for error in reply.json()["errors"]] == ["url"]


def test_addresses_of_any_script(client):
    link = make(client, "https://bücher.example/ü")
    assert client.get(f"/{link['name']}").headers["location"] == "https://xn--bcher-kva.example/%C3%BC"


def test_a_key_is_for_its_own_link(client):
    mine, other = make(client), make(client)
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/api/links/{mine['name']}", **with_key(other)).status_code == 404
        assert client.request(method, f"/api/links/{mine['name']}").status_code == 401
    assert client.get(f"/{mine['name']}").status_code == 302


def test_no_key_is_stored(client):
    link = make(client)
    assert [row["name"] for row in database.query("SELECT * FROM links WHERE key = ?", link["key"])] == []


def test_a_deleted_name_is_nobodys(client):
    link = make(client, name="pies")
    assert client.delete("/api/links/pies", **with_key(link)).status_code == 204
    assert client.get("/pies").status_code == client.get("/pies+").status_code == 410
    assert client.delete("/api/links/pies", **with_key(link)).status_code == 404
    assert client.post("/api/links", json={"url": PIES, "name": "pies"}).status_code == 409


@pytest.mark.parametrize("path", ["/nothing", "/'%20OR%201=1", "/%2e%2e", "/nothing+", "/a/b", "/_before"])
def test_what_leads_nowhere(client, path):
    make(client)
    assert client.get(path).status_code == 404


def test_short_addresses_are_made_of_our_own_names(client):
    assert client.post("/api/links", json={"url": PIES}, headers={"Host": "evil.example"}).status_code == 400


def test_there_is_an_end(client):
    for _ in range(10):
        make(client)
    assert client.post("/api/links", json={"url": PIES}).status_code == 429
    assert client.get("/").status_code == 200


def test_the_limit_is_an_address_own(app):
    with TestClient(app, client=("203.0.113.7", 4711)) as client:
        for _ in range(10):
            make(client)
    with TestClient(app, client=("203.0.113.8", 4711)) as other:
        make(other)


def test_the_document_says_it_all(app):
    document = openapi(app)
    assert sorted(document["paths"]) == ["/api/links", "/api/links/{name}"]
    assert {"201", "400", "409"} <= set(document["paths"]["/api/links"]["post"]["responses"])
    assert document["paths"]["/api/links/{name}"]["get"]["security"] == [{"key": []}]
    assert "key" in document["components"]["schemas"]["NewLink"]["properties"]
    assert "key" not in document["components"]["schemas"]["Link"]["properties"]


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/nothing/here", {}, 404),
        ("/", {"headers": {"Host": "evil.example"}}, 400),
        ("/api/links", {"content": bytes(2_000_000)}, 413),
        ("/api/links", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ],
)
def test_errors_have_a_page(client, path, options, status):
    headers = {"Accept": "text/html", **options.pop("headers", {})}
    reply = client.request("GET" if status == 404 else "POST", path, headers=headers, **options)
    assert (reply.status_code, "Back to the beginning" in reply.text) == (status, True)
    assert "Back to" not in client.get("/nothing/here").text
