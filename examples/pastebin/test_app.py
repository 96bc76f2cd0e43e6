"""The tests of the pastebin: `pytest` in this folder runs them."""

import re
import time

import pytest

import app as module
from micropie.testing import TestClient

BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DATABASE", tmp_path / "pastes.db")
    return module.Pastebin()


@pytest.fixture
def browser(app):
    """Somebody at a browser, while `client` is a program."""
    with TestClient(app, headers=BROWSER, follow_redirects=True) as browser:
        yield browser


def paste(client, text="print('pie')", **fields):
    reply = client.post("/p", data={"text": text, **fields}).raise_for_status()
    return reply.headers["location"]


def test_a_program_gets_the_text(client):
    reply = client.post("/p", data={"text": "one\r\ntwo", "language": "python"})
    assert reply.status_code == 201
    assert re.fullmatch(r"http://localhost/p/[a-z2-9]{16}\n", reply.text)
    kept = client.get(reply.text.strip())
    assert (kept.text, kept.headers["content-type"]) == ("one\ntwo", "text/plain; charset=utf-8")
    assert kept.headers["x-content-type-options"] == "nosniff"


def test_a_browser_gets_a_page(client, browser):
    page = browser.post("/p", data={"text": "def bake():\n    return 'pie'", "language": "python"})
    assert page.status_code == 200
    assert '<span class="k">def</span>' in page.text
    assert "Yours, in this browser" in browser.get("/").text
    assert client.get(page.url.path).text.startswith("def bake()")
    assert "Accept" in page.headers["vary"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": ""}, "required"),
        ({"text": " \n "}, "is empty"),
        ({"text": "x" * (module.LONGEST + 1)}, "expected at most"),
    ],
)
def test_what_does_not_fit_is_shown_again(client, browser, fields, said):
    page = browser.post("/p", data={"language": "go", **fields})
    assert (page.status_code, said in page.text, '<option value="go" selected>' in page.text) == (422, True, True)
    assert client.post("/p", data=fields).status_code == 400


@pytest.mark.parametrize("fields", [{"language": "../../etc"}, {"life": "999"}, {"once": "perhaps"}])
def test_choices_are_those_of_the_form(client, browser, fields):
    assert client.post("/p", data={"text": "x", **fields}).status_code == 400
    assert browser.post("/p", data={"text": "x", **fields}).status_code == 422


@pytest.mark.parametrize("language", module.LANGUAGES)
def test_nothing_is_run(browser, language):
    page = browser.post("/p", data={"text": f"{SCRIPT}\n'\"&", "language": language})
    assert "<script" not in page.text
    assert "&lt;" in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "<script" not in browser.get("/").text


def test_it_expires(client, browser, monkeypatch):
    path = paste(client, life="hour")
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start + 3601)
    assert client.get(path).status_code == browser.get(path).status_code == 404


def test_what_has_expired_is_deleted(app):
    with TestClient(app) as client:
        paste(client)
    module.query("UPDATE pastes SET expires = 0")
    with TestClient(app) as client:  # it tidies up when it starts, and each minute
        client.get("/")
    assert module.query("SELECT * FROM pastes") == []


def test_one_reader_gets_what_can_be_read_once(client, browser):
    path = paste(client, "the key", once="yes")
    assert "the key" not in browser.get(path).text
    assert client.get(path).status_code == client.get(path.replace("/p/", "/p/raw/")).status_code == 409
    opened = client.post(path.replace("/p/", "/p/open/"))
    assert opened.text == "the key"
    assert client.post(path.replace("/p/", "/p/open/")).status_code == 404
    assert browser.get(path).status_code == 404


def test_opening_keeps_what_can_be_read_often(client):
    path = paste(client)
    assert client.post(path.replace("/p/", "/p/open/")).status_code == 410
    assert client.get(path).status_code == 200


def test_only_who_pasted_it_deletes_it(client, browser):
    path = paste(client)
    remove = path.replace("/p/", "/p/remove/")
    assert browser.post(remove).status_code == 403
    assert "Delete" not in browser.get(path).text
    assert client.post(remove).status_code == 303
    assert client.get(path).status_code == 404


def test_a_cookie_of_ones_own_making_is_worth_nothing(client, browser):
    path = paste(client)
    browser.cookies.set("session_id", "a.b.c")
    assert browser.post(path.replace("/p/", "/p/remove/")).status_code == 403


def test_no_other_site_pastes_for_a_visitor(client):
    assert client.post("/p", data={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("id", ["", "x", "%00", "..%2f..%2fapp.py", "' OR 1=1 --", "_before", "get", "mine"])
def test_nothing_is_found_by_trying(client, id):
    paste(client)
    assert client.get(f"/p/{id}").status_code in (404, 405)


def test_there_is_an_end(client):
    for _ in range(10):
        paste(client)
    reply = client.post("/p", data={"text": "x"})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "6")
    assert client.get("/").status_code == 200


def test_all_shelves_are_full(client, monkeypatch):
    monkeypatch.setattr(module, "MOST", 0)
    assert client.post("/p", data={"text": "x"}).status_code == 503


def test_a_body_is_not_read_to_its_end_if_it_is_too_long(client):
    assert client.post("/p", content=b"text=" + b"x" * 2_000_000).status_code == 413


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/nothing/here", {}, 404),
        ("/", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ("/p", {"content": bytes(2_000_000)}, 413),
        ("/p", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ],
)
def test_errors_have_a_page(client, path, options, status):
    headers = {"Accept": "text/html", **options.pop("headers", {})}
    reply = client.request("GET" if status == 404 else "POST", path, headers=headers, **options)
    assert (reply.status_code, "Back to the beginning" in reply.text) == (status, True)
    assert "Back to" not in client.get("/nothing/here").text
