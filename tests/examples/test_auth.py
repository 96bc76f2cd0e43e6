"""examples/auth."""

import re
import time
from collections.abc import Iterator

import argon2
import pytest

from micropie.testing import BlockingClient, TestClient

pytestmark = pytest.mark.needs("jinja2")

PASSWORD, OTHER = "correct horse battery", "another horse battery"
ANN = {"name": "ann", "email": "ann@example.com", "password": PASSWORD}
WRONG = "Password does not belong to that name."


@pytest.fixture
def browser(app):
    """Makes browsers, each with cookies and a name of its own."""

    def make(name: str = "Firefox") -> TestClient:
        return TestClient(
            app,
            base_url="http://localhost",
            client=("127.0.0.1", 4711),
            raise_exceptions=False,
            headers={"User-Agent": name},
            follow_redirects=True,
        )

    return make


@pytest.fixture
def client(browser) -> Iterator[BlockingClient]:
    """A visitor of the example, on this machine."""
    with browser() as client:
        yield client


def login(client, password=PASSWORD, name="ann"):
    return client.post("/login", data={"name": name, "password": password})


def is_member(client):
    return client.get("/account", follow_redirects=False).status_code == 200


def found(pattern: str, text: str, flags: int = 0) -> str:
    """What the group of a pattern matches."""
    match = re.search(pattern, text, flags)
    assert match is not None
    return str(match[1])


def link_in(capsys):
    return found(r"http://localhost(/reset/\S+)", capsys.readouterr().out)


def without_nonce(page):
    return re.sub(r'nonce="[\w-]+"', "", page.text)


def test_a_visitor_signs_up(client):
    """And is logged in; the password is in the database as a hash."""
    page = client.post("/sign_up", data={**ANN, "name": " Ann "})
    assert page.status_code == 200
    assert "Welcome! This is your account." in page.text
    assert "Hello, ann" in page.text
    assert "Welcome!" not in client.get("/account").text


def test_the_password_is_stored_as_a_hash(client, example):
    """Whatever the sessions have, it is not there either."""
    client.post("/sign_up", data=ANN)
    assert example.find_user("ann")["password"].startswith("$argon2id$")
    for file in ("users.db", "sessions.db", "sessions.db-wal"):
        assert PASSWORD.encode() not in (example.HERE / file).read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "A"}, "Name has 2 to 30 small letters"),
        ({"name": "ann\r\nadmin"}, "Name has 2 to 30 small letters"),
        ({"name": ""}, "Name required"),
        ({"email": "nobody"}, "E-mail is no e-mail address"),
        ({"email": "a@b.example\nBcc: c@d.example"}, "E-mail is no e-mail address"),
        ({"password": "short"}, "Password has 15 characters or more"),
        ({"password": "x" * 1001}, "Password is too long"),
    ],
)
def test_a_form_comes_back_with_what_is_wrong(client, change, said):
    """Beside its field; the password is not in it."""
    page = client.post("/sign_up", data={**ANN, **change})
    assert page.status_code == 422
    assert said in page.text
    assert page.text.count('class="wrong hint"') == page.text.count('aria-invalid="true"') == 1
    assert {**ANN, **change}["password"] not in page.text


@pytest.mark.parametrize("field", ["name", "email", "password"])
def test_json_has_the_rules_of_the_form(client, example, field):
    """There a blank text is a text, and no account is made of one."""
    assert client.post("/sign_up", json={**ANN, field: ""}).status_code == 422
    assert example.query("SELECT * FROM users") == []


def test_a_name_is_somebodys(client, browser):
    """In capitals, too."""
    client.post("/sign_up", data=ANN)
    with browser() as other:
        page = other.post("/sign_up", data={**ANN, "name": "ANN", "password": OTHER})
    assert (page.status_code, "Name has an account already." in page.text) == (422, True)
    assert login(client, OTHER).status_code == 403


def test_a_log_in_needs_both(client):
    """With one answer, whichever is wrong; and the page of a member sends strangers there and back."""
    client.post("/sign_up", data=ANN)
    client.post("/logout")
    strange = client.get("/account", follow_redirects=False)
    assert (strange.status_code, strange.headers["location"]) == (303, "/login?next=/account")
    for name, password in (("ann", OTHER), ("bob", PASSWORD), ("", PASSWORD), ("ann", "é" * 2000)):
        page = login(client, password, name)
        assert (page.status_code, WRONG in page.text) == (403, True)
    answer = client.post("/login?next=/account", data={"name": "ANN", "password": PASSWORD}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert is_member(client)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_log_in_leads_nowhere_else(client, target):
    """However the link was made."""
    client.post("/sign_up", data=ANN)
    answer = client.post("/login", params={"next": target}, data=ANN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_an_old_hash_is_made_anew_at_the_log_in(client, example):
    """Since only then the password is there."""
    client.post("/sign_up", data=ANN)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    example.query("UPDATE users SET password = ?", weak)
    assert login(client).status_code == 200
    assert example.find_user("ann")["password"].startswith("$argon2id$v=19$m=19456,t=2,")
    assert login(client).status_code == 200


def test_devices_are_listed_and_logged_out(client, browser):
    """Here, there and everywhere."""
    client.post("/sign_up", data=ANN)
    with browser("<b>Phone</b>") as phone, browser("Mozilla/5.0 (iPad) Chrome/150.0 Safari/537.36") as tablet:
        login(phone)
        login(tablet)
        page = client.get("/account").text
        assert "&lt;b&gt;Phone&lt;/b&gt;" in page
        assert "Chrome on iPad" in page
        assert (page.count("Log out there"), page.count("this one")) == (2, 1)
        handle = found(r'Phone.*?value="(\w{64})"', page, re.DOTALL)
        assert "That device is logged out." in client.post("/account/end", data={"handle": handle}).text
        assert "was logged out already" in client.post("/account/end", data={"handle": handle}).text
        assert (is_member(client), is_member(phone), is_member(tablet)) == (True, False, True)
        assert "You are logged out everywhere." in tablet.post("/account/end_all").text
        assert (is_member(client), is_member(tablet)) == (False, False)


def test_nobody_ends_the_session_of_another(client, browser):
    """A handle is no secret, and of no use."""
    client.post("/sign_up", data=ANN)
    with browser() as other:
        other.post("/sign_up", data={**ANN, "name": "bob"})
        with browser() as phone:
            login(phone, name="bob")
            handle = found(r'value="(\w{64})"', other.get("/account").text)
        assert "was logged out already" in client.post("/account/end", data={"handle": handle}).text
        assert 'value="' + handle in other.get("/account").text


def test_a_new_password_logs_out_all_others(client, browser):
    """Whoever is there by the old one."""
    client.post("/sign_up", data=ANN)
    with browser() as thief:
        login(thief)
        for current, new, said in [
            (OTHER, OTHER, "is not your password"),
            (PASSWORD, "short", "has 15 characters or more"),
        ]:
            page = client.post("/account/password", data={"current": current, "new": new})
            assert (page.status_code, said in page.text) == (422, True)
        assert is_member(thief)
        page = client.post("/account/password", data={"current": PASSWORD, "new": OTHER})
        assert "You have a new password" in page.text
        assert (is_member(client), is_member(thief)) == (True, False)
        assert (login(thief).status_code, login(thief, OTHER).status_code) == (403, 200)


def test_who_forgot_the_password_gets_a_link(client, browser, capsys):
    """Good for one new password, which ends all sessions; strangers are told the same."""
    client.post("/sign_up", data=ANN)
    with browser() as elsewhere:
        told = without_nonce(elsewhere.post("/forgot", data={"name": "ann"}))
        link = link_in(capsys)
        assert without_nonce(elsewhere.post("/forgot", data={"name": "nobody"})) == told
        assert capsys.readouterr().out == ""
        assert "A new password" in elsewhere.get(link).text
        assert elsewhere.post(link, data={"password": "short"}).status_code == 422
        assert "Log in with it." in elsewhere.post(link, data={"password": OTHER}).text
        assert not is_member(client)
        for used in (elsewhere.get(link), elsewhere.post(link, data={"password": PASSWORD})):
            assert "That link is not valid any more." in used.text
        assert (login(elsewhere).status_code, login(elsewhere, OTHER).status_code) == (403, 200)


def test_a_link_expires(client, capsys, monkeypatch):
    """After an hour; a changed one is none."""
    client.post("/sign_up", data=ANN)
    client.post("/forgot", data={"name": "ann"})
    link = link_in(capsys)
    assert "not valid" in client.get(link[:-1] + ("A" if link[-1] != "A" else "B")).text
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3601)
    assert "not valid" in client.get(link).text


def test_passwords_are_tried_ten_times_a_minute(client):
    """Whatever the path is written like; looking at pages counts for nothing."""
    for path in ("/login", "/login/", "/forgot", "/login?next=/account"):
        client.post(path, data={"name": "ann", "password": "wrong"}, follow_redirects=False)
    for _ in range(6):
        assert login(client, "wrong").status_code == 403
    refused = login(client)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert client.get("/login").status_code == 200


@pytest.mark.parametrize("path", ["/sign_up", "/login", "/forgot", "/account/password", "/reset/abc"])
def test_nothing_that_hashes_or_guesses_is_without_a_limit(client, path):
    """Whatever is sent there."""
    statuses = [client.post(path, follow_redirects=False).status_code for _ in range(11)]
    assert (429 in statuses[:10], statuses[10]) == (False, 429)


def test_pages_have_a_policy_and_are_kept_by_nobody(client):
    """The style sheet is inside the page, by a nonce of its own; after a log-out "Back" shows nothing."""
    page = client.post("/sign_up", data=ANN)
    nonce = found(r'<style nonce="([\w-]+)">', page.text)
    assert f"style-src 'nonce-{nonce}'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert client.get("/").headers["cache-control"] == "private"
