"""The tests of the link board: `pytest` in this folder runs them."""

import json

import pytest

import accounts
from app import LinkBoard
from database import DATA, query
from micropie.testing import TestClient

PASSWORD, OTHER = "correct horse battery", "another horse battery"
SCRIPT = "<script>alert(1)</script>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


async def hash_password(password):
    """What takes no time; the real one has tests of its own."""
    return f"hash of {password}"


async def verify_password(password, password_hash):
    return password_hash == f"hash of {password}"


@pytest.fixture
def app(monkeypatch):
    monkeypatch.setattr(accounts, "hash_password", hash_password)
    monkeypatch.setattr(accounts, "verify_password", verify_password)
    yield LinkBoard()
    for table in ("users", "links", "votes", "comments"):
        query(f"DELETE FROM {table}")


@pytest.fixture
def person(app):
    """Makes members, each with a browser of their own."""
    clients = []

    def make(name):
        clients.append(TestClient(app, follow_redirects=True, client=(f"127.0.0.{len(clients)}", 4711)))
        client = clients[-1].__enter__()
        assert f"Welcome, {name}!" in client.post("/join", data={"name": name, "password": PASSWORD}).text
        return client

    yield make
    for client in reversed(clients):
        client.__exit__(None, None, None)


def add(client, title="Hot pies", url="https://example.com/pies"):
    """Add a link, and give its path."""
    page = client.post("/links", data={"title": title, "url": url})
    assert "Your link is on the board." in page.text
    return page.url.path


def score(client, path):
    return client.get(f"/api{path}").json()["score"]


def test_a_link_is_on_the_board(person, client):
    path = add(person("ann"))
    page = client.get("/").text
    assert '<a class="title" href="https://example.com/pies" rel="nofollow ugc noreferrer">Hot pies</a>' in page
    assert "example.com</span>" in page
    assert score(client, path) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": ""}, "Title required"),
        ({"title": " "}, "Title is empty"),
        ({"title": "x" * 121}, "Title expected at most 120"),
        ({"url": "example.com"}, "Address begins with https://"),
        ({"url": "javascript:alert(1)"}, "Address begins with https://"),
        ({"url": "JAVASCRIPT://x/%0aalert(1)"}, "Address begins with https://"),
        ({"url": "data:text/html,x"}, "Address begins with https://"),
        ({"url": "https://[::1"}, "Address begins with https://"),
        ({"url": "https://x/\n" + SCRIPT}, "Address begins with https://"),
    ],
)
def test_what_is_no_link_is_shown_again(person, fields, said):
    page = person("ann").post("/links", data={"title": "Pies", "url": "https://example.com", **fields})
    assert (page.status_code, said in page.text) == (422, True)
    assert query("SELECT * FROM links") == []


def test_texts_are_texts(person):
    ann = person("ann")
    path = add(ann, SCRIPT, f"https://example.com/?q={SCRIPT}")
    ann.post(f"{path}/comments", data={"text": SCRIPT})
    for page in (ann.get("/"), ann.get(path)):
        assert "<script>" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]


def test_one_votes_once(person, client):
    ann, bob = person("ann"), person("bob")
    path = add(ann)
    for _ in range(3):
        bob.post(f"{path}/votes", data={"up": "yes"})
    assert score(client, path) == 2
    for _ in range(2):
        bob.post(f"{path}/votes", data={"up": "no"})
    assert score(client, path) == 1
    assert bob.post("/links/999/votes", data={"up": "yes"}).status_code == 404


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_vote_leads_nowhere_else(person, back):
    ann = person("ann")
    reply = ann.post(f"{add(ann)}/votes", data={"up": "yes", "back": back}, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/")


def test_orders(person, client):
    ann, bob = person("ann"), person("bob")
    first = add(ann, "First")
    add(ann, "Second")
    bob.post(f"{first}/votes", data={"up": "yes"})
    titles = {
        order: [link["title"] for link in client.get("/api/links", params={"order": order}).json()]
        for order in ("hot", "new", "best")
    }
    assert titles == {"hot": ["First", "Second"], "new": ["Second", "First"], "best": ["First", "Second"]}
    query("UPDATE links SET at = at - 100 * 3600 WHERE title = 'First'")
    assert [link["title"] for link in client.get("/api/links").json()] == ["Second", "First"]
    assert client.get("/?order=id; DROP TABLE links").status_code == client.get("/?page=0").status_code == 400


def test_a_thread(person):
    ann, bob = person("ann"), person("bob")
    path = add(ann)
    for text, parent in [("one", None), ("two", None), ("answer", 1), ("again", 2)]:
        ids = [row["id"] for row in query("SELECT id FROM comments ORDER BY id")]
        data = {"text": text, "parent": parent and ids[[0, 2][parent - 1]]}
        page = bob.post(f"{path}/comments", data={key: value for key, value in data.items() if value})
        assert page.status_code == 200
    page = ann.get(path).text
    assert [page.index(f'<p class="text">{text}</p>') for text in ("one", "answer", "again", "two")] == sorted(
        page.index(f'<p class="text">{text}</p>') for text in ("one", "answer", "again", "two")
    )
    assert 'class="depth-2"' in page


def test_a_deep_thread(person):
    ann = person("ann")
    path = add(ann)
    insert = "INSERT INTO comments SELECT :id, (SELECT id FROM links), :parent, (SELECT id FROM users), 'deep', 0"
    for number in range(1, 400):
        query(insert, id=number, parent=number - 1 or None)
    assert ann.get(path).text.count(">deep</p>") == 399


@pytest.mark.parametrize(
    ("text", "said"), [("", "required"), (" \n", "is empty"), ("x" * 2001, "expected at most 2000")]
)
def test_what_is_no_comment_is_shown_again(person, text, said):
    ann = person("ann")
    page = ann.post(f"{add(ann)}/comments", data={"text": text})
    assert (page.status_code, said in page.text) == (422, True)


def test_an_answer_stays_with_its_link(person):
    ann = person("ann")
    one, other = add(ann), add(ann)
    ann.post(f"{one}/comments", data={"text": "here"})
    (comment,) = query("SELECT id FROM comments")
    page = ann.post(f"{other}/comments", data={"text": "there", "parent": comment["id"]})
    assert page.status_code == 422
    assert len(query("SELECT id FROM comments")) == 1


def test_others_things_stay(person):
    ann, bob = person("ann"), person("bob")
    path = add(ann)
    ann.post(f"{path}/comments", data={"text": "mine"})
    (comment,) = query("SELECT id FROM comments")
    for target in (f"{path}/comments/remove/{comment['id']}", path.replace("links/", "links/remove/")):
        assert bob.post(target).status_code == 404
    page = bob.get(path).text
    assert ("Take back" in page, "Delete the link" in page, "mine" in page) == (False, False, True)
    assert "Taken back" in ann.post(f"{path}/comments/remove/{comment['id']}").text
    assert "Your link is deleted." in ann.post(path.replace("links/", "links/remove/")).text
    assert ann.get(path).status_code == 404


def test_strangers_look(person, client):
    path = add(person("ann"))
    for target in (path, "/links/new", "/"):
        assert client.get(target).status_code == 200
    for target in ("/links", f"{path}/votes", f"{path}/comments", f"{path}/comments/remove/1", "/account"):
        reply = client.post(target, data={"text": "x", "title": "x", "url": "https://x.example", "up": "yes"})
        assert (reply.status_code, reply.headers["location"]) == (303, "/login")
    assert query("SELECT * FROM comments") == []


def test_one_logs_in(person, client):
    person("ann")
    for fields in ({"password": OTHER}, {"name": "nobody"}):
        page = client.post("/login", data={"name": "ann", "password": PASSWORD, **fields})
        assert (page.status_code, "Password does not belong to that name." in page.text) == (403, True)
    assert client.post("/login", data={"name": "ANN", "password": PASSWORD}).status_code == 303
    before = client.cookies["session_id"]
    assert "Log out" in client.get("/").text
    client.post("/logout")
    assert client.get("/account", cookies={"session_id": before}).status_code == 303


def picture_of(page):
    return page.text.split('src="/avatars/')[1].split('"')[0]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a" + SCRIPT.encode(), "image/gif"),
    ],
)
def test_a_picture_is_shown(person, content, kind):
    ann = person("ann")
    page = ann.post("/account", files={"picture": ("../../app.py", content, "text/html")})
    assert "That is how others see you now." in page.text
    shown = ann.get(f"/avatars/{picture_of(page)}")
    assert (shown.content, shown.headers["content-type"]) == (content, kind)
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"\x89PN", b"xGIF89a"]
)
def test_what_is_no_picture_is_refused(person, content):
    page = person("ann").post("/account", files={"picture": ("me.png", content, "image/png")})
    assert (page.status_code, "is no PNG" in page.text or "required" in page.text) == (422, True)


def test_a_picture_has_its_size(person):
    ann = person("ann")
    assert ann.post("/account", files={"picture": ("me.png", PNG + bytes(600_000))}).status_code == 413
    assert ann.post("/links", data={"title": "x"}, files={"url": ("x", bytes(100))}).status_code == 413


def test_the_old_picture_goes(person):
    ann = person("ann")
    first = picture_of(ann.post("/account", files={"picture": ("a.png", PNG)}))
    second = picture_of(ann.post("/account", files={"picture": ("a.png", PNG)}))
    assert [file.name for file in (DATA / "avatars").iterdir() if file.name in first + second] == [second.split("?")[0]]


def test_the_numbers_change_while_one_looks(person, client):
    ann = person("ann")
    path = add(ann)
    with client.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as events:
        ann.post(f"{path}/comments", data={"text": "x"})
        ann.post(f"{path}/votes", data={"up": "no"})
        data = (json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: "))
        seen = [next(data), next(data)]
    assert [(one["score"], one["comments"]) for one in seen] == [(1, 1), (0, 1)]


def test_scripts_of_other_sites_read_the_api_alone(person, client):
    path = add(person("ann"))
    headers = {"Origin": "https://friend.example"}
    reply = client.get(f"/api{path}", headers=headers)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers
    assert sorted(reply.json()) == ["at", "by", "comments", "id", "score", "title", "url"]
    assert client.get("/api/links/999", headers=headers).headers["access-control-allow-origin"] == "*"
    assert client.get("/api/links/999").headers["content-type"] == "application/problem+json"
    for target in ("/", path, "/live"):
        with client.stream("GET", target, headers=headers) as page:
            assert "access-control-allow-origin" not in page.headers
    assert client.delete(f"/api{path}").status_code == 405


def test_no_other_site_acts_for_a_member(person):
    ann = person("ann")
    path = add(ann)
    for target in ("/links", f"{path}/votes", f"{path}/comments", "/account", "/logout", "/login"):
        assert ann.post(target, data={"up": "yes"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ann.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_nobody_guesses_passwords(person, client):
    person("ann")
    tries = [client.post("/login", data={"name": "ann", "password": f"guess {n}"}).status_code for n in range(11)]
    assert tries == [403] * 10 + [429]


def test_nobody_floods(person):
    ann = person("ann")
    path = add(ann)
    codes = [ann.post(f"{path}/votes", data={"up": "yes"}).status_code for _ in range(30)]
    assert codes == [200] * 29 + [429]


def test_it_says_whether_it_works(client):
    assert client.get("/health/ready").status_code == 200


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
    assert (reply.status_code, query("SELECT * FROM users")) == (422, [])


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 30])
def test_what_is_no_number_of_a_link(person, number):
    ann = person("ann")
    path = add(ann)
    for target in (f"/links/{number}", f"/api/links/{number}", f"/?page={number}"):
        assert ann.get(target).status_code == 400
    for target in (f"/links/{number}/votes", f"{path}/comments/remove/{number}", f"/links/remove/{number}"):
        assert ann.post(target, data={"up": "yes"}).status_code == 400
    assert ann.post(f"{path}/comments", data={"text": "x", "parent": number}).status_code == 422
