"""Every snippet of docs/guide.md runs, and answers what the page says."""

import asyncio
import hashlib
import inspect
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from micropie import App
from micropie.testing import TestClient
from tests.client import http
from tests.wire import awire, running, websocket, wire

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
FENCE = r"<!-- {}: (\S+) -->\n```\w+\n(.*?)^```$"
SNIPPETS = dict(re.findall(FENCE.format("snippet"), GUIDE, re.DOTALL | re.MULTILINE))
FILES = dict(re.findall(FENCE.format("file"), GUIDE, re.DOTALL | re.MULTILINE))
CHECK = "test_snippet_"


def run_snippet(name: str) -> dict[str, Any]:
    """Run a snippet in a fresh namespace, and give its names."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(SNIPPETS[name], f"docs/guide.md, {name}", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _databases_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a snippet leaves open until its process ends."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remember(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made.append(connect(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", remember)
    yield
    for database in made:
        database.close()


@pytest.fixture
def namespace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the snippet that the test is called after, run in an empty folder with the page's files."""
    name = request.function.__name__.removeprefix(CHECK).replace("_", "-")
    monkeypatch.chdir(tmp_path)
    for path, text in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    return run_snippet(name)


@pytest.fixture
def app(namespace: dict[str, Any]) -> App:
    """The snippet's application."""
    made = namespace["app"]
    assert isinstance(made, App)
    return made


def test_every_python_fence_is_a_named_snippet():
    """No Python in the guide escapes these tests."""
    assert GUIDE.count("```python") == len(SNIPPETS) == len(re.findall("<!-- snippet: ", GUIDE))


def test_every_snippet_has_a_check_and_every_check_a_snippet():
    """A snippet without a test, or a test without a snippet, is a mistake."""
    checks = {
        name.removeprefix(CHECK).replace("_", "-") for name in dir(sys.modules[__name__]) if name.startswith(CHECK)
    }
    assert checks == set(SNIPPETS)


def test_the_table_of_settings_names_every_keyword_of_app():
    """The table has each keyword of `App` once, in the order in which it is documented."""
    table = GUIDE.partition("## Limits and settings")[2].partition("## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    keywords = [name for name, p in inspect.signature(App).parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert sorted(named) == sorted(keywords)


@pytest.mark.parametrize(
    ("keyword", "written"),
    [
        ("max_body_size", "16 MiB"),
        ("max_form_field_size", "1 MiB"),
        ("max_form_parts", "1,000"),
        ("max_upload_size", "1 GiB"),
        ("body_timeout", "5 s"),
        ("sync_threads", "32"),
        ("session_timeout", "8 h, in seconds"),
        ("session_lifetime", "30 days, in seconds"),
        ("session_cookie_secure", '`"auto"`'),
        ("surplus_path_status", "500"),
        ("errors", '`"negotiated"`'),
        ("allowed_origins", "`()`"),
        ("templates", '`"templates"`'),
    ],
)
def test_the_table_of_settings_says_the_defaults(keyword, written):
    """What the table calls the default is the default."""
    values = {
        "16 MiB": 16 * 1024**2,
        "1 MiB": 1024**2,
        "1,000": 1000,
        "1 GiB": 1024**3,
        "5 s": 5,
        "32": 32,
        "8 h, in seconds": 8 * 3600,
        "30 days, in seconds": 30 * 24 * 3600,
        '`"auto"`': "auto",
        '`"negotiated"`': "negotiated",
        "500": 500,
        "`()`": (),
        '`"templates"`': "templates",
    }
    assert f"| `{keyword}` | {written} |" in GUIDE
    assert inspect.signature(App).parameters[keyword].default == values[written]


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("/", "", "Pies!"),
        ("/pie/apple", "", "A medium apple pie"),
        ("/pie/apple/large", "", "A large apple pie"),
        ("/pie", "kind=apple&size=large", "A large apple pie"),
        ("/about-us", "", "We bake."),
        ("/about_us", "", "We bake."),
        ("/files/a/b/c", "", "a > b > c"),
    ],
)
def test_snippet_routing(app, path, query, text):
    """Each address in the comments reaches its method with its arguments."""
    answer = http(app, "GET", path, query=query)
    assert (answer.status_code, answer.text) == (200, text)


def test_routing_private_names_are_not_found():
    """/_recipe is 404."""
    assert http(run_snippet("routing")["app"], "GET", "/_recipe").status_code == 404


def test_routing_a_missing_parameter_is_a_400_that_names_it():
    """The text of the 400 is the one in the guide."""
    answer = http(run_snippet("routing")["app"], "GET", "/pie")
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'kind'")
    assert f"`{answer.text}`" in GUIDE


def test_routing_surplus_segments_are_a_500():
    """Path segments that no parameter takes are a 500."""
    assert http(run_snippet("routing")["app"], "GET", "/about-us/more").status_code == 500


def test_snippet_typed(app):
    """Values are converted, faults are told at once, and the body fills a dataclass."""
    assert http(app, path="/price/3", query="vip=yes").json() == 6
    assert http(app, path="/price/x").text == (
        "400 Bad Request: Invalid value for parameter 'slices': expected an integer"
    )
    assert http(app, path="/menu", query="day=2024-02-29&size=small&size=large").json() == {
        "day": "2024-02-29",
        "sizes": ["small", "large"],
    }
    assert http(app, "POST", "/order", json={"pie": "plum", "extras": ["cream"], "x": 1}).json() == {
        "pie": "plum",
        "slices": 1,
        "extras": ["cream"],
    }
    assert http(app, "POST", "/order", data={"pie": "plum", "slices": "2"}).json()["slices"] == 2


def test_snippet_nested(app):
    """The identity goes to the guard and the handlers; `url_for` has it in the path."""
    assert http(app, path="/users/7").json() == {"user": 7}
    assert http(app, path="/users/7/posts/3").json() == {"user": 7, "post": 3}
    made = http(app, "POST", "/users/7/posts", json={"text": "Hello"})
    assert (made.status_code, made.json()) == (201, {"url": "/users/7/posts/4"})
    assert http(app, path="/users/8/posts/3").status_code == 404


def test_snippet_controllers(app):
    """The branch answers below its name, behind its guard, sockets too."""
    token = [("X-Token", "let-me-in")]
    assert http(app).text == "Home"
    assert http(app, "GET", "/admin/users", headers=token).json() == ["Ann", "Bob"]
    shown = http(app, "GET", "/admin/users/show/1", headers=token)
    assert (shown.text, shown.headers["cache-control"]) == ("Bob", "no-store")
    for path in ("/admin/users", "/admin/nothing"):
        refused = http(app, "GET", path)
        assert (refused.status_code, refused.headers["cache-control"]) == (401, "no-store")
    assert http(app, "GET", "/admin/nothing", headers=token).status_code == 404
    assert websocket(app, "/admin/log", headers=token).sent == ["ready"]
    assert not websocket(app, "/admin/log").accepted


def test_snippet_verbs(app):
    """Each verb reaches its method; others are refused."""
    assert http(app, "GET", "/notes").json() == {"1": "Buy apples"}
    assert http(app, "GET", "/notes/1").text == "Buy apples"
    assert http(app, "GET", "/notes/2").status_code == 404
    assert http(app, "PUT", "/notes/2", json={"text": "Eat pie"}).status_code == 201
    assert http(app, "GET", "/notes/search", query="q=pie").json() == ["Eat pie"]
    assert http(app, "DELETE", "/notes/2").status_code == 204
    refused = http(app, "POST", "/notes")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert http(app, "POST", "/subscribe", data={"email": "a@b"}).text == "a@b is subscribed"
    assert http(app, "GET", "/subscribe/a@b").status_code == 405


def test_snippet_urls(app):
    """The URLs are those in the comments."""
    assert http(app, "GET", "/blog/post/7").json() == {
        "next": "/blog/post/7?page=2",
        "home": "/",
        "tagged": "/blog/post/a%2Fb?tags=x&tags=y",
    }


def test_snippet_request(app):
    """Query, form and JSON bind alike; the request's own methods read them too."""
    for how in ({"query": "username=ann"}, {"form": {"username": "ann"}}, {"json": {"username": "ann"}}):
        assert wire(app, "POST", "/signup", **how).text == "ann on free"
    found = wire(app, "GET", "/search", query="q=pie&tag=a&tag=b", headers=[("User-Agent", "me")])
    assert found.json() == {"q": "pie", "tags": ["a", "b"], "agent": "me"}
    assert wire(app, "GET", "/search").json() == {"q": "everything", "tags": [], "agent": None}
    assert wire(app, "POST", "/order", json={"items": [1], "note": "soon"}).json() == {"items": [1], "note": "soon"}
    assert wire(app, "POST", "/order", form={"note": "soon"}).json() == {"items": [], "note": "soon"}
    refused = wire(app, "GET", "/order")
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
    assert wire(app, "POST", "/order", body=b"{", headers=[("Content-Type", "application/json")]).status_code == 400


def test_snippet_replies(app):
    """Each reply has the status, type and body that its comment says."""
    text = http(app, "GET", "/text")
    assert (text.status_code, text.headers["content-type"], text.text) == (
        200,
        "text/html; charset=utf-8",
        "<h1>Pie</h1>",
    )
    raw = http(app, "GET", "/raw")
    assert (raw.headers["content-type"], raw.content) == ("image/png", b"\x89PNG")
    data = http(app, "GET", "/data")
    assert (data.headers["content-type"], data.json()) == ("application/json", {"pies": ["apple", "plum"]})
    created = http(app, "GET", "/created")
    assert (created.status_code, created.json()) == (201, {"id": 7})
    nothing = http(app, "GET", "/nothing")
    assert (nothing.status_code, nothing.content) == (204, b"")
    for path, status in (("/old", 302), ("/moved", 301)):
        answer = http(app, "GET", path)
        assert (answer.status_code, answer.headers["location"]) == (status, "/text")
    missing = http(app, "GET", "/missing")
    assert (missing.status_code, missing.text) == (404, "404 Not Found: No such pie")


def test_snippet_sync(app):
    """A plain function answers, and sees the request."""
    assert http(app, "GET", "/report/tax").json() == {"report": "tax", "path": "/report/tax"}


def test_snippet_streaming(app):
    """Async and sync generators send each chunk as a message; events have their type."""
    count = wire(app, "GET", "/count/2")
    assert [chunk for chunk in count.chunks if chunk] == [b"0\n", b"1\n"]
    rows = wire(app, "GET", "/rows")
    assert [chunk for chunk in rows.chunks if chunk] == [b"id,name\n", b"1,apple\n"]
    events = wire(app, "GET", "/events", headers=[("accept", "text/event-stream")])
    assert events.headers["content-type"] == "text/event-stream"
    assert next(chunk for chunk in events.chunks if chunk) == b'event: tick\ndata: {"n":0}\n\n'
    assert wire(app, "GET", "/events").text.splitlines()[1] == '{"event":"tick","data":{"n":1}}'


def test_snippet_sessions(app):
    """The counter counts, login renews the id, logout forgets."""
    first = http(app)
    assert first.text == "Visit number 1"
    second = http(app, cookies=first.cookies)
    assert second.text == "Visit number 2"
    assert http(app, "GET", "/account", cookies=first.cookies).status_code == 401
    login = http(app, "POST", "/login", data={"user": "ann"}, cookies=first.cookies)
    assert login.text == "Welcome, ann"
    assert login.cookies["session_id"] != first.cookies["session_id"]
    assert http(app, "GET", "/account", cookies=login.cookies).text == "ann"
    assert http(app, "GET", "/account", cookies=first.cookies).status_code == 401
    assert [http(app, "GET", path, cookies=login.cookies).status_code for path in ("/login/ann", "/logout")] == [
        405,
        405,
    ]
    assert http(app, "POST", "/logout", cookies=login.cookies).text == "Bye"
    assert http(app, "GET", "/account", cookies=login.cookies).status_code == 401


def test_sessions_cookie_has_the_attributes_named():
    """The cookie is HttpOnly, SameSite=Lax and Secure, but for plain HTTP on loopback."""
    app = run_snippet("sessions")["app"]
    cookie = http(app).headers.get("set-cookie") or ""
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))
    local = wire(app, host="127.0.0.1:8000", client=("127.0.0.1", 4711)).headers.get("set-cookie") or ""
    assert "Secure" not in local.split("; ")
    assert "HttpOnly" in local.split("; ")


def test_snippet_session_backend(namespace):
    """The counter lives in the file, whichever worker asks."""
    app = namespace["app"]
    first = http(app)
    assert first.text == "1"
    other_worker = namespace["Visits"](namespace["SqliteSessions"]("sessions.db"))
    assert http(other_worker, cookies=first.cookies).text == "2"
    stored = sqlite3.connect("sessions.db").execute("SELECT data FROM sessions").fetchall()
    assert stored == [('{"visits": 2}',)]
    backend = namespace["SqliteSessions"]("sessions.db")
    asyncio.run(backend.save(first.cookies["session_id"], {}, 0))
    assert http(app, cookies=first.cookies).text == "1"


def test_snippet_middleware(app):
    """Without the token nobody comes in; every reply says how long it took."""
    refused = http(app)
    assert (refused.status_code, refused.text, refused.headers["www-authenticate"]) == (401, "Who are you?", "Bearer")
    assert re.fullmatch(r"app;dur=\d+\.\d", refused.headers["server-timing"] or "")
    inside = http(app, headers=[("Authorization", "Bearer let-me-in")])
    assert (inside.status_code, inside.text) == (200, "Inside")
    assert re.fullmatch(r"app;dur=\d+\.\d", inside.headers["server-timing"] or "")
    broken = http(app, "POST", "/", content=b"{", headers=[("Content-Type", "application/json")])
    assert broken.status_code == 400


def test_snippet_error_pages(app):
    """The hook replaces the 404 and the 500, which keeps its status."""
    missing = http(app, "GET", "/nowhere")
    assert (missing.status_code, missing.text) == (404, "<h1>No pie here</h1>")
    dropped = http(app, "GET", "/drop")
    assert (dropped.status_code, dropped.text) == (500, "<h1>We dropped it</h1>")
    assert http(app).text == "Home"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/v1/pies", 200, "Pie: all"),
        ("/v1/pies/plum", 200, "Pie: plum"),
        ("/_show_pie", 404, "404 Not Found"),
        ("/admin", 200, "Admin home"),
        ("/admin/user/7", 200, "User 7"),
    ],
)
def test_snippet_explicit_routing(app, path, status, text):
    """The hook sends requests to a private handler and to a sub-application."""
    answer = http(app, "GET", path)
    assert (answer.status_code, answer.text) == (status, text)


def test_snippet_websockets(app):
    """Both sockets answer, and the middleware refuses guests."""
    assert websocket(app, "/echo/Alice", send=["hi"]).sent == ["Alice: hi"]
    assert websocket(app, "/echo", query="name=Bob", send=["hi"]).sent == ["Bob: hi"]
    added = websocket(app, "/add", send=["[1, 2, 3]"])
    assert (added.sent, added.close) == (['{"sum":6}'], (1000, ""))
    refused = websocket(app, "/echo", query="guest=1")
    assert (refused.accepted, refused.close) == (False, (1008, "Members only"))


def test_snippet_lifespan(app, capsys):
    """The database is open from startup until the last shutdown handler is done."""

    async def use() -> str:
        async with running(app):
            return (await awire(app, path="/count")).text

    assert asyncio.run(use()) == "1"
    assert capsys.readouterr().out == "Pies left: 1\n"
    with pytest.raises(sqlite3.ProgrammingError):
        app._db.execute("SELECT 1")


@pytest.mark.needs("jinja2")
def test_snippet_templates(app):
    """The page shows the name, and what every page gets, escaped."""
    assert "<p>Hello, Guest!</p>" in http(app).text
    page = http(app, query="name=%3Cb%3E").text
    assert "<p>Hello, &lt;b&gt;!</p>" in page
    assert "<title>Pies &amp; more</title>" in page


@pytest.mark.needs("multipart")
def test_snippet_uploads(app):
    """The file is read in chunks; a text field of that name is refused."""
    content = bytes(range(256)) * 1000
    head = b'--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nPie\r\n--B\r\n'
    head += b'Content-Disposition: form-data; name="picture"; filename="../pie.png"\r\nContent-Type: image/png\r\n\r\n'
    multipart = [("Content-Type", "multipart/form-data; boundary=B")]
    answer = wire(app, "POST", "/upload", body=[head, content, b"\r\n--B--\r\n"], headers=multipart)
    assert answer.json() == {
        "title": "Pie",
        "file": "pie.png",
        "type": "image/png",
        "bytes": 256_000,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert http(app, "POST", "/upload", data={"picture": "text"}).status_code == 400


@pytest.mark.needs("micropie.channels")
def test_snippet_channels(app):
    """What one says all hear, over sockets and as events."""

    async def visit():
        async with (
            TestClient(app) as client,
            client.stream("GET", "/events", headers={"accept": "text/event-stream"}) as stream,
            client.websocket("/chat") as ann,
            client.websocket("/chat") as bob,
        ):
            events = stream.aiter_text()
            await anext(events)
            await ann.send_text("hello")
            return await ann.receive_text(), await bob.receive_text(), await anext(events)

    mine, heard, event = asyncio.run(visit())
    assert (mine, heard, event.endswith("data: hello\n\n")) == ("hello", "hello", True)


@pytest.mark.needs("micropie.openapi")
def test_snippet_documented_api(app):
    """The API does what it documents; the page is there."""
    baked = http(app, "POST", "/pies", json={"name": "apple"})
    assert (baked.status_code, baked.json()) == (201, {"name": "apple", "slices": 8})
    assert http(app, path="/pies/apple").json() == {"name": "apple", "slices": 8}
    assert http(app, path="/pies/plum").status_code == 404
    assert http(app, "POST", "/pies", json={"slices": "many"}).status_code == 400
    assert "<title>Bakery</title>" in http(app, path="/docs").text
    document = http(app, path="/openapi.json").json()
    assert document["paths"]["/pies"]["post"]["responses"]["201"]["description"] == "The pie, fresh from the oven."
    assert document["paths"]["/pies/{name}"]["get"]["summary"] == "Look at a pie."


@pytest.mark.needs("micropie.testing")
def test_snippet_testing(namespace):
    """Both tests pass, and would not if the page were another."""
    namespace["test_pages"]()
    asyncio.run(namespace["test_asynchronously"]())
    namespace["app"] = App()  # it has no pages
    with pytest.raises(ValueError, match="Extra data"):
        namespace["test_pages"]()


def test_snippet_limits(app):
    """A longer body is refused with the text in the comment."""
    assert http(app, "POST", "/save", data={"text": "pie"}).text == "3 characters"
    answer = http(app, "POST", "/save", data={"text": "x" * 2000})
    assert (answer.status_code, answer.text) == (413, "413 Payload Too Large")
    assert http(app, "GET", "/save/a/b").status_code == 404


def test_snippet_errors(app):
    """The detail of an HTTPError is shown; an exception's text is not."""
    assert http(app, "GET", "/bake/180").json() == {"minutes": 50}
    wrong = http(app, "GET", "/bake/hot")
    assert (wrong.status_code, wrong.text) == (400, "400 Bad Request: degrees must be a whole number")
    hot = http(app, "GET", "/bake/400")
    assert (hot.status_code, hot.headers["retry-after"]) == (503, "60")
    assert (http(app, "GET", "/bake/0").status_code, http(app, "GET", "/bake/0").text) == (
        500,
        "500 Internal Server Error",
    )
