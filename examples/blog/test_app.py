"""The tests of the blog: `pytest` in this folder runs them."""

import base64
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

import database
from app import Blog
from desk import MEDIA, PASSWORD
from micropie.testing import TestClient
from texts import html_of, slug_of

ATOM = "{http://www.w3.org/2005/Atom}"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def authorization(name="author", password=PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def app():
    (database.DATA / "blog.db").unlink(missing_ok=True)
    for file in MEDIA.iterdir():
        file.unlink()
    return Blog()


@pytest.fixture
def author(app):
    with TestClient(app, headers=authorization(), follow_redirects=True) as author:
        yield author


def write(author, title="Hot pies", text="They are *hot*.", **fields):
    """Write a post, publish it unless told otherwise, and give its path at the desk."""
    fields = {"title": title, "text": text, "publish": "yes", **fields}
    page = author.post("/desk/posts", data=fields)
    assert page.status_code == 200, page.text
    return page.url.path


def test_what_is_published_is_read(author, client):
    write(author, summary="A crust is a promise.")
    assert "A crust is a promise." in client.get("/").text
    page = client.get("/posts/hot-pies").text
    assert "<h1>Hot pies</h1>" in page
    assert "<p>They are <em>hot</em>.</p>" in page


def test_a_draft_is_the_authors(author, client):
    path = write(author, publish="")
    for page in ("/", "/feed"):
        assert "Hot pies" not in client.get(page).text
    assert client.get("/posts/hot-pies").status_code == 404
    assert "<em>hot</em>" in author.get(path).text
    author.post(path.replace("posts/", "posts/save/"), data={"title": "Hot", "text": "x", "publish": "yes"})
    assert "<h1>Hot</h1>" in client.get("/posts/hot-pies").text
    author.post(path.replace("posts/", "posts/save/"), data={"title": "Hot", "text": "x"})
    assert client.get("/posts/hot-pies").status_code == 404


@pytest.mark.parametrize("path", ["/desk", "/desk/posts/new", "/desk/posts/1", "/desk/pictures", "/desk/nothing"])
def test_the_desk_is_the_authors(author, client, path):
    write(author)
    reply = client.get(path)
    assert (reply.status_code, reply.headers["www-authenticate"].split()[0]) == (401, "Basic")
    for wrong in (authorization(password="x"), authorization(name="admin"), authorization("", "")):
        assert client.get(path, headers=wrong).status_code == 401
    for target in ("/desk/posts", "/desk/posts/save/1", "/desk/posts/remove/1", "/desk/pictures"):
        assert client.post(target, data={"title": "x", "text": "x"}).status_code == 401
    assert "Hot pies" in client.get("/").text


def test_no_other_site_writes(author):
    path = write(author)
    for target in ("/desk/posts", path.replace("posts/", "posts/remove/"), "/desk/pictures"):
        assert author.post(target, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": ""}, "Title: "),
        ({"text": ""}, "Text: "),
        ({"title": "x" * 121}, "Title: expected at most 120"),
        ({"text": "x" * 100_001}, "Text: expected at most 100000"),
        ({"summary": "x" * 301}, "Summary: expected at most 300"),
    ],
)
def test_what_does_not_fit_is_shown_again(author, fields, said):
    path = write(author)
    for target in ("/desk/posts", path.replace("posts/", "posts/save/")):
        page = author.post(target, data={"title": "Title", "text": "My text", "publish": "yes", **fields})
        assert (page.status_code, said in page.text) == (422, True)
        assert "text" in fields or "My text" in page.text
        assert 'value="yes" checked' in page.text


def test_posts_of_one_title(author, client):
    write(author, text="first")
    write(author, text="second")
    assert "first" in client.get("/posts/hot-pies").text
    assert client.get("/").text.count('href="/posts/hot-pies') == 2


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Über Äpfel & Öfen", "uber-apfel-ofen"),
        ("../../etc/passwd", "etc-passwd"),
        ("蘋果", "post"),
        ("x " * 60, "x-" * 29 + "x"),
    ],
)
def test_addresses_are_plain(title, slug):
    assert slug_of(title) == slug


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](javascript:alert(1))",
        '[x](https://x.example "\\" onmouseover=\\"alert(1)")',
        "```html\n<script>alert(1)</script>\n```",
        '<https://x.example/"onclick="alert(1)>',
    ],
)
def test_no_text_runs_anything(author, client, text):
    write(author, text=text)
    page = client.get("/posts/hot-pies").text
    document = page.split('<div class="text">')[1].split("</article>")[0]
    assert not [
        part for part in ("<script", "<img src=x", 'href="j', 'href="J', 'src="j', 'href="data') if part in document
    ]
    assert '" on' not in document
    assert "script-src" not in client.get("/").headers["content-security-policy"]


def test_titles_are_texts(author):
    write(author, "<b>Pies</b>", summary="<i>&amp;")
    for path in ("/", "/posts/b-pies-b", "/desk"):
        page = author.get(path).text
        assert "<b>" not in page
        assert "&lt;b&gt;Pies&lt;/b&gt;" in page


def test_a_title_of_blanks_is_none(author, client):
    write(author, " \x00 ")
    assert "<h1>Untitled</h1>" in client.get("/posts/post").text


def test_headings_stand_below_the_title():
    assert html_of("# One\n\n###### Six") == "<h2>One</h2>\n<h6>Six</h6>\n"


def test_pages(author, client):
    for number in range(7):
        write(author, f"Post {number}")
    first, second = client.get("/").text, client.get("/?page=2").text
    assert ["Post 6" in first, "Post 2" in first, "Post 1" in first] == [True, True, False]
    assert ["Post 1" in second, "Post 0" in second, "Post 2" in second] == [True, True, False]
    assert 'href="/?page=2"' in first
    assert 'href="/"' in second
    assert client.get("/?page=3").status_code == 404
    assert client.get("/?page=0").status_code == client.get("/?page=x").status_code == 400


def test_the_feed(author, client):
    write(author, 'Pies & "crumbs" \x08\x1b', "A *hot* ]]> <b>text</b> \x00\ufffe", summary="<i>")
    reply = client.get("/feed")
    assert reply.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(reply.text)
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == 'Pies & "crumbs"'
    assert entry.findtext(f"{ATOM}id") == "http://localhost/posts/pies-crumbs"
    content = entry.findtext(f"{ATOM}content")
    assert content is not None
    assert "<em>hot</em> ]]&gt; &lt;b&gt;text" in content
    assert (entry.findtext(f"{ATOM}updated") or "").endswith("Z")


def test_an_empty_feed_is_one(client):
    assert ElementTree.fromstring(client.get("/feed").text).findall(f"{ATOM}entry") == []


@pytest.mark.parametrize("path", ["/", "/feed", "/posts/hot-pies"])
def test_who_has_it_is_told_so(author, client, path):
    write(author)
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    author.post("/desk/posts/save/1", data={"title": "Cold pies", "text": "x", "publish": "yes"})
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_long_pages_are_compressed(author, client):
    write(author, text="pies " * 500)
    assert client.get("/posts/hot-pies", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_the_desk_is_kept_by_nobody(author):
    assert author.get("/desk").headers["cache-control"] == "no-store"


def test_a_picture(author, client):
    page = author.post("/desk/pictures", files={"picture": ("../../x.html", PNG, "text/html")}).text
    (file,) = MEDIA.iterdir()
    assert f"![what it shows](/media/{file.name})" in page
    shown = client.get(f"/media/{file.name}")
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert "immutable" in shown.headers["cache-control"]
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content", [b"", b"<svg onload='alert(1)'/>", b"<html>", b"GIF88a"])
def test_what_is_no_picture_is_refused(author, content):
    assert author.post("/desk/pictures", files={"picture": ("x.png", content, "image/png")}).status_code == 422
    assert list(MEDIA.iterdir()) == []


def test_a_picture_has_its_size(author):
    assert author.post("/desk/pictures", files={"picture": ("x.png", PNG + bytes(9 << 20))}).status_code == 413
    assert author.post("/desk/posts", files={"text": ("x", bytes(100))}).status_code == 413
    assert list(MEDIA.iterdir()) == []


def test_it_is_deleted(author, client):
    path = write(author)
    author.post(path.replace("posts/", "posts/remove/"))
    assert client.get("/posts/hot-pies").status_code == 404
    assert author.post(path.replace("posts/", "posts/remove/")).status_code == 404
    assert author.post(path.replace("posts/", "posts/save/"), data={"title": "x", "text": "x"}).status_code == 404


def test_a_page_says_what_is_not_there(client):
    for path in ("/nothing", "/posts/nothing", "/posts/' OR 1=1", "/media/../blog.db", "/media/%2e%2e/blog.db"):
        reply = client.get(path)
        assert (reply.status_code, "Perhaps it was eaten." in reply.text) == (404, True)


def test_nobody_guesses_the_password(client):
    codes = [client.get("/desk", headers=authorization(password=f"guess {number}")).status_code for number in range(61)]
    assert codes == [401] * 60 + [429]
    assert client.get("/").status_code == 200


def test_an_old_database_is_brought_up_to_date(tmp_path):
    file = tmp_path / "blog.db"
    with sqlite3.connect(file) as db:
        for statement in database.MIGRATIONS[0]:
            db.execute(statement)
        db.execute("INSERT INTO posts VALUES (1, 'old', 'Old', 'A text')")
        db.execute("PRAGMA user_version = 1")
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(database.migrate, [file] * 4))
    row = db.execute("SELECT slug, text, published, summary FROM posts").fetchone()
    db.close()
    assert row == ("old", "A text", None, "")


def test_a_step_that_fails_leaves_what_was(tmp_path, monkeypatch):
    file = tmp_path / "blog.db"
    broken = ["ALTER TABLE posts ADD COLUMN more TEXT", "no SQL"]
    with monkeypatch.context() as changed:
        changed.setattr(database, "MIGRATIONS", [*database.MIGRATIONS, broken])
        with pytest.raises(sqlite3.OperationalError):
            database.migrate(file)
    database.migrate(file)


def test_a_newer_database_is_left_alone(tmp_path):
    file = tmp_path / "blog.db"
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(RuntimeError, match="of a newer application"):
        database.migrate(file)


@pytest.mark.parametrize("number", ["0", "-1", str(2**63), "9" * 30])
def test_what_is_no_number_of_a_post(author, number):
    for target in (f"/desk/posts/{number}", f"/?page={number}"):
        assert author.get(target).status_code == 400
    assert author.post(f"/desk/posts/remove/{number}").status_code == 400
