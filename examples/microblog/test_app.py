"""The tests of the microblog: `pytest` in this folder runs them."""

import json

import pytest

import accounts
import app as module
import database
from micropie.sessions import SQLiteSessionBackend
from micropie.testing import TestClient

PASSWORD, OTHER = "correct horse battery", "another horse battery"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "DATABASE", tmp_path / "microblog.db")
    monkeypatch.setattr(module, "SQLiteSessionBackend", lambda _: SQLiteSessionBackend(tmp_path / "sessions.db"))
    monkeypatch.setattr(accounts, "hash_password", hash_password)
    monkeypatch.setattr(accounts, "verify_password", verify_password)
    yield module.Microblog()
    database.connection().close()
    database.connection.cache_clear()


async def hash_password(password):
    """What takes no time; the real one has tests of its own."""
    return f"hash of {password}"


async def verify_password(password, password_hash):
    return password_hash == f"hash of {password}"


@pytest.fixture
def person(app):
    """Makes members, each with a browser of their own."""
    clients = []

    def make(name):
        client = TestClient(app, follow_redirects=True, client=(f"127.0.0.{len(clients)}", 4711))
        clients.append(client)
        client = client.__enter__()
        page = client.post("/join", data={"name": name, "password": PASSWORD})
        assert page.status_code == 200, page.text
        return client

    yield make
    for client in reversed(clients):
        client.__exit__(None, None, None)


def test_somebody_joins(person, client):
    ann = person(" Ann ")
    page = ann.get("/people/ann")
    assert "Log out" in page.text
    assert "<h1>ann</h1>" in client.get("/people/Ann").text
    assert "Welcome, ann!" not in page.text


def test_a_welcome_is_said_once(app):
    with TestClient(app, follow_redirects=True) as client:
        assert "Welcome, ann!" in client.post("/join", data={"name": "ann", "password": PASSWORD}).text
        assert "Welcome" not in client.get("/").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a"}, "Name has 2 to 20"),
        ({"name": "ann-bob"}, "Name has 2 to 20"),
        ({"name": SCRIPT}, "Name has 2 to 20"),
        ({"name": ""}, "Name required"),
        ({"name": "BOB"}, "is somebody else&#39;s"),
        ({"password": "short"}, "Password has 15 characters"),
        ({"password": "x" * 201}, "Password expected at most 200"),
    ],
)
def test_who_does_not_fit_is_told(person, client, fields, said):
    person("bob")
    page = client.post("/join", data={"name": "ann", "password": PASSWORD, **fields})
    assert (page.status_code, said in page.text) == (422, True)
    assert "<script>" not in page.text
    assert client.get("/people/ann").status_code == 404


@pytest.mark.parametrize("name", ["following", "index", "get", "post", "_before", "people", "login", "__class__"])
def test_any_name_is_a_person(person, client, name):
    someone = person(name)
    other = person("other")
    assert f"<h1>{name}</h1>" in client.get(f"/people/{name}").text
    page = other.post(f"/people/{name}/following", data={"wanted": "yes"})
    assert f"You follow {name}." in page.text
    assert "1 follower " in someone.get(f"/people/{name}").text


def test_one_logs_in_and_out(person):
    ann = person("ann")
    assert "You are logged out." in ann.post("/logout").text
    strange = ann.post("/posts", data={"text": "x"}, follow_redirects=False)
    assert (strange.status_code, strange.headers["location"]) == (303, "/login")
    assert ann.get("/live", follow_redirects=False).headers["location"] == "/login?next=%2Flive"
    for fields in ({"password": OTHER}, {"name": "nobody"}):
        page = ann.post("/login", data={"name": "ann", "password": PASSWORD, **fields})
        assert (page.status_code, "Password does not belong to that name." in page.text) == (403, True)
    assert "Log out" in ann.post("/login?next=/everybody", data={"name": "ANN", "password": PASSWORD}).text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_log_in_leads_nowhere_else(person, target):
    ann = person("ann")
    data = {"name": "ann", "password": PASSWORD}
    reply = ann.post("/login", params={"next": target}, data=data, follow_redirects=False)
    assert reply.headers["location"] == "/"


def test_a_planted_session_stays_a_strangers(app, person):
    person("ann")
    with TestClient(app) as attacker, TestClient(app) as victim:
        attacker.post("/logout")  # leaves a message, and so begins a session
        planted = attacker.cookies["session_id"]
        victim.post("/login", data={"name": "ann", "password": PASSWORD}, cookies={"session_id": planted})
        assert attacker.get("/live", cookies={"session_id": planted}).status_code == 303


def test_one_reads_whom_one_follows(person):
    ann, bob = person("ann"), person("bob")
    assert "pies" in ann.post("/posts", data={"text": "Hot pies"}).text
    assert "Hot pies" not in bob.get("/").text
    bob.post("/people/ann/following", data={"wanted": "yes"})
    assert "Hot pies" in bob.get("/").text
    assert "You no longer follow ann." in bob.post("/people/ann/following", data={"wanted": "no"}).text
    assert "Hot pies" not in bob.get("/").text


def test_following_is_done_once(person):
    ann, bob = person("ann"), person("bob")
    for _ in range(3):
        bob.post("/people/ann/following", data={"wanted": "yes"})
    ann.post("/people/ann/following", data={"wanted": "yes"})
    assert "1 follower " in ann.get("/people/ann").text
    assert bob.post("/people/ann/following", data={"wanted": "perhaps"}).status_code == 400
    assert bob.post("/people/nobody/following", data={"wanted": "yes"}).status_code == 404


def test_one_follows_as_many_as_one_can_read(person, monkeypatch):
    monkeypatch.setattr(module, "MOST_FOLLOWED", 0)
    person("ann")
    bob = person("bob")
    assert bob.post("/people/ann/following", data={"wanted": "yes"}).status_code == 409
    assert bob.post("/people/ann/following", data={"wanted": "no"}).status_code == 200


@pytest.mark.parametrize(
    ("text", "said"), [("", "required"), (" \r\n ", "is empty"), ("x" * 281, "expected at most 280")]
)
def test_what_is_no_post_is_shown_again(person, text, said):
    page = person("ann").post("/posts", data={"text": text})
    assert (page.status_code, said in page.text) == (422, True)
    assert database.query("SELECT * FROM posts") == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SCRIPT, "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("@bob", '<a href="/people/bob">@bob</a>'),
        ('@bob"onclick="x', '<a href="/people/bob">@bob</a>&#34;onclick=&#34;x'),
        ("@<b>x</b>", "@&lt;b&gt;x&lt;/b&gt;"),
        ("&amp; {{ 7 * 7 }}", "&amp;amp; {{ 7 * 7 }}"),
    ],
)
def test_a_post_is_text(person, text, shown):
    page = person("ann").post("/posts", data={"text": text}).text
    assert f'<p class="text">{shown}</p>' in page
    assert "<script>" not in page


def test_one_deletes_ones_own_posts(person):
    ann, bob = person("ann"), person("bob")
    ann.post("/posts", data={"text": "Hot pies"})
    (post,) = database.query("SELECT * FROM posts")
    assert bob.post(f"/posts/remove/{post['id']}").status_code == 404
    assert "Delete" not in bob.get("/people/ann").text
    assert "Hot pies" in ann.get("/").text
    assert "Your post is deleted." in ann.post(f"/posts/remove/{post['id']}").text
    assert "Hot pies" not in ann.get("/").text


def test_older_posts_are_on_other_pages(person, monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 2)
    monkeypatch.setattr(database, "SHOWN", 2)
    ann = person("ann")
    for number in range(5):
        ann.post("/posts", data={"text": f"number {number}"})
    for path in ("/", "/people/ann"):
        page = ann.get(path)
        assert ("number 4" in page.text, "number 2" in page.text) == (True, False)
        older = ann.get(f"{path}?before=4").text
        assert ("number 2" in older, "number 3" in older) == (True, False)
    assert ann.get("/?before=x").status_code == 400


def test_the_timeline_goes_on(person):
    ann, bob, cat = person("ann"), person("bob"), person("cat")
    bob.post("/people/ann/following", data={"wanted": "yes"})
    with bob.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as events:
        cat.post("/posts", data={"text": "not for bob"})
        ann.post("/posts", data={"text": f"for @bob {SCRIPT}"})
        ann.post("/posts/remove/2")
        lines = (line.removeprefix("data: ") for line in events.iter_lines() if line.startswith("data: "))
        said, gone = json.loads(next(lines)), json.loads(next(lines))
    assert 'for <a href="/people/bob">@bob</a> &lt;script&gt;' in said["html"]
    assert "Delete" not in said["html"]
    assert gone == {"id": 2, "html": ""}


def test_no_other_site_acts_for_a_member(person):
    ann = person("ann")
    for path in ("/posts", "/logout", "/people/ann/following", "/posts/remove/1"):
        assert ann.post(path, data={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert ann.get(path).status_code in (404, 405)


def test_nobody_guesses_passwords(person, client):
    person("ann")
    tries = [client.post("/login", data={"name": "ann", "password": f"guess {n}"}).status_code for n in range(11)]
    assert tries == [403] * 10 + [429]


def test_nobody_floods(person):
    ann = person("ann")
    codes = [ann.post("/posts", data={"text": "x"}).status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/nothing/here", {}, 404),
        ("/", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ("/login", {"content": bytes(2_000_000)}, 413),
        ("/login", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ],
)
def test_errors_have_a_page(client, path, options, status):
    headers = {"Accept": "text/html", **options.pop("headers", {})}
    reply = client.request("GET" if status == 404 else "POST", path, headers=headers, **options)
    assert (reply.status_code, "Back to the beginning" in reply.text) == (status, True)
    assert "Back to" not in client.get("/nothing/here").text


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": None}, {"name": ["ann"]}, {"password": ""}])
def test_json_has_the_rules_of_a_form(client, fields):
    reply = client.post("/join", json={"name": "ann", "password": PASSWORD, **fields})
    assert (reply.status_code, database.query("SELECT * FROM users")) == (422, [])


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 30])
def test_what_is_no_number_of_a_post(person, number):
    ann = person("ann")
    assert ann.get(f"/?before={number}").status_code == 400
    assert ann.get(f"/people/ann?before={number}").status_code == 400
    assert ann.post(f"/posts/remove/{number}").status_code == 400
