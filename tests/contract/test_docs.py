"""The pages in docs/ run, lead somewhere, and leave nothing out."""

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from micropie import App, flash, flashes, routes
from micropie.testing import TestClient
from tests.client import http

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def fences(text: str, language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_code(code: str) -> dict[str, Any]:
    """Run it in a fresh namespace, and give its names."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(code, "docs", "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    """A folder with a template, and with those that files are served from."""
    monkeypatch.chdir(tmp_path)
    for name in ("templates", "static", "dist"):
        (tmp_path / name).mkdir()
    (tmp_path / "dist" / "index.html").touch()
    (tmp_path / "templates" / "index.html").write_text("<!doctype html>\n<title>A page</title>", encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link names a file, and every anchor a heading in it."""
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(target: Path) -> list[str]:
    """The headings of a page as a forge has them; of code the functions, to which our own site leads."""
    text = target.read_text(encoding="utf-8")
    if target.suffix == ".py":
        return re.findall(r"^(?:async )?def (\w+)", text, re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


ELSEWHERE = {"guide", "tracing"}
"""Pages whose code has tests of its own: the first beside this one, the other in tests/integrations."""


def code_of_the_pages() -> Iterator[Any]:
    """Each block, with what it needs; the tutorial and the how-to pages, in folders, are played by tests/guides."""
    for page in (page for page in PAGES if page.parent.name == "docs" and page.stem not in ELSEWHERE):
        for code in fences(page.read_text(encoding="utf-8"), "python"):
            # The one file has no batteries, and a bare environment no other client.
            needs = re.findall(r"^(?:from|import) (micropie\.\w+|httpx|structlog|jwt|authlib)", code, re.MULTILINE)
            needs += ["jinja2"] if "_render_template" in code else []
            yield pytest.param(code, marks=pytest.mark.needs(*needs))


@pytest.mark.parametrize("code", list(code_of_the_pages()))
def test_code_of_the_pages_runs(code, monkeypatch):
    """What the guides show runs; where it makes an application, that answers."""
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)  # the tests' own logging stays as it is
    app = run_code(code).get("app")
    if app is not None and hasattr(app, "index"):
        assert http(app).status_code == 200


@pytest.mark.needs("jinja2")
def test_the_references_templates_get_what_it_says(tmp_path):
    """A global, a filter, and what the application and the controller give."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    app = run_code(fences(reference.partition("\n## Templates\n")[2].partition("\n## ")[0], "python")[0])["app"]
    page = "{{ shop|shout }} {{ section }} {{ user }} {{ posts[0] }}"
    (tmp_path / "templates" / "blog.html").write_text(page, encoding="utf-8")
    assert http(app, path="/blog").text == "PIES! Blog None First"


def test_the_page_on_errors_declares_one():
    """Its status, title and type are the class's, and the detail comes first."""
    shop, *_ = map(run_code, fences((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), "python"))
    answer = http(shop["Shop"](), path="/buy/apple/3", headers={"Accept": "application/json"})
    assert answer.json() == {
        "type": "https://pies.example/problems/stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "Only 2 left",
        "instance": "/buy/apple/3",
        "left": 2,
    }


def test_the_page_on_errors_answers_exceptions():
    """Those of the controller's branch."""
    _, site, _ = map(run_code, fences((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), "python"))
    answer = http(site["Site"](), path="/api/pies/apple")
    assert (answer.status_code, answer.json()) == (404, {"error": "no such pie"})


@pytest.mark.needs("jinja2")
def test_the_page_on_errors_has_one_for_all(tmp_path):
    """Browsers get the page, with the phrase for a title; programs go on getting problem details."""
    errors = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    app = run_code(fences(errors, "python")[2])["Site"]()
    (tmp_path / "templates").mkdir(exist_ok=True)
    (tmp_path / "templates" / "error.html").write_text(fences(errors, r"html\+jinja")[0], encoding="utf-8")
    page = http(app, path="/nowhere", headers={"Accept": "text/html"})
    assert (page.status_code, "<h1>404 Not Found</h1>" in page.text) == (404, True)
    assert http(app, path="/nowhere", headers={"Accept": "application/json"}).json()["title"] == "Not Found"


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize(
    ("accept", "is_ours"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html;q=0.9, application/json;q=0.1", True),
        (None, False),
        ("*/*", False),
        ("text/*", False),
        ("image/png", False),
        ("application/json, text/plain, */*", False),
        ("application/json", False),
        ("application/problem+json, text/html;q=0.5", False),
        ("text/html, application/json", False),
    ],
)
@pytest.mark.parametrize("has_json", [False, True])
def test_the_page_for_all_errors_is_for_browsers_alone(tmp_path, accept, is_ours, has_json):
    """All others get what they would get without it, and caches are told of the difference."""
    errors = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    site = run_code(fences(errors, "python")[2])["Site"]
    (tmp_path / "templates" / "error.html").write_text("ours", encoding="utf-8")
    headers = {} if accept is None else {"Accept": accept}
    body: dict[str, Any] = {"json": {}} if has_json else {}
    ours = http(site(), "POST", "/nowhere", headers=headers, **body)
    plain = http(App(), "POST", "/nowhere", headers=headers, **body)
    assert (ours.status_code, ours.headers["vary"]) == (404, "Accept")
    assert ours.text == ("ours" if is_ours else plain.text)
    assert is_ours or ours.headers["content-type"] == plain.headers["content-type"]


@pytest.mark.needs("multipart")
def test_a_value_comes_from_where_the_reference_says():
    """Each place is asked when those before it in the list have nothing."""

    class Site(App):
        async def sign_up(self, name="nobody"):
            return str(name["filename"] if isinstance(name, dict) else name)

        async def enter(self):
            self.request.session["name"] = "session"

    app = Site()
    cookies = http(app, path="/enter").cookies
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("/sign_up/path", "name=query", {"data": {"name": "body"}}),
        ("/sign_up", "name=query", {"data": {"name": "body"}}),
        ("/sign_up", "", {"data": {"name": "body"}}),
        ("/sign_up", "", {"json": {"name": "body"}}),
        ("/sign_up", "", {"files": {"name": ("file", b"x")}}),
        ("/sign_up", "", {}),
    ]
    answers = [http(app, "POST", path, query=query, cookies=cookies, **body).text for path, query, body in sent]
    assert answers == ["path", "query", "body", "body", "file", "session"]
    assert http(app, "POST", "/sign_up").text == "nobody"


@pytest.mark.needs("jinja2", "multipart")
@pytest.mark.parametrize(("title", "picture"), [("Pie", 5 * 1024**2 + 1), ("x" * (1024**2 + 1), 1)])
def test_the_references_form_is_shown_again_to_whom_sent_too_much(tmp_path, title, picture):
    """Whichever part it was, what the page says is right."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    app = run_code(fences(reference.partition("\n## Faults\n")[2].partition("\n## ")[0], "python")[1])["Site"]()
    (tmp_path / "templates" / "picture.html").write_text("{{ faults['picture'] }}", encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    answer = http(app, "POST", "/pictures", data={"title": title}, files={"picture": ("a.png", b"x" * picture)})
    said = "too much was sent: a picture may have 5 MiB, the title 1 MiB"
    assert (answer.status_code, answer.text) == (413, said)


def test_the_references_controller_knows_its_application():
    """By a property, which is no route."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    app = run_code(fences(reference.partition("\n## Request\n")[2].partition("\n## ")[0], "python")[1])["app"]
    assert http(app, path="/kitchen/oven").json() == 220
    assert [route.path for route in routes(app)] == ["/kitchen/oven"]


def test_a_message_behind_a_log_out_is_in_the_same_session():
    """The id is that of before, and opens no more than the message."""

    class Site(App):
        async def enter(self):
            self.request.session["user"] = "ann"

        async def leave(self):
            self.request.session.clear()
            flash(self.request, "Bye")

        async def index(self):
            return {"user": self.request.session.get("user"), "said": [str(one) for one in flashes(self.request)]}

    app = Site()
    cookies = http(app, path="/enter").cookies
    assert "set-cookie" not in http(app, path="/leave", cookies=cookies).headers
    assert http(app, cookies=cookies).json() == {"user": None, "said": ["Bye"]}


@pytest.mark.needs("micropie.auth")
@pytest.mark.parametrize("root_path", ["", "/shop"])
def test_the_page_on_auth_sends_to_the_log_in_and_back(root_path):
    """With path and query, below a prefix too, behind a wrong password as well; and never to another site."""
    page = (ROOT / "docs" / "auth.md").read_text(encoding="utf-8")
    names = run_code(fences(page.partition("\n## To the log-in, and back\n")[2], "python")[0])
    from micropie.auth import hash_password

    names["PASSWORDS"]["ann"] = asyncio.run(hash_password("the cat sat on it"))
    ann, wrong = ({"name": "ann", "password": text} for text in ("the cat sat on it", "the dog"))

    async def visit() -> list[Any]:
        host = "http://localhost"
        async with TestClient(names["app"], base_url=f"{host}{root_path}", follow_redirects=False) as client:
            refused = await client.get("/desk/drafts?page=2&tag=a%26b")
            form = unescape((await client.get(f"{host}{refused.headers['location']}")).text)
            action = form.partition("action='")[2].partition("'")[0]
            assert (await client.post(f"{host}{action}", data=wrong)).status_code == 403
            entered = await client.post(f"{host}{action}", data=ann)
            shown = await client.get(f"{host}{entered.headers['location']}")
            elsewhere = await client.post("/login?next=https://evil.example/", data=ann)
            client.cookies.clear()
            sent = await client.post("/desk/drafts")
        return [
            refused.status_code,
            entered.headers["location"],
            shown.text,
            elsewhere.headers["location"],
            sent.headers["location"],
        ]

    assert asyncio.run(visit()) == [
        303,
        f"{root_path}/desk/drafts?page=2&tag=a%26b",
        "Drafts, page 2",
        root_path or "/",
        f"{root_path}/login",
    ]


def test_the_references_handler_that_waits_for_a_queue_ends_with_its_client(caplog):
    """News goes to who is there; whoever leaves is nothing for the log."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    app = run_code(fences(reference.partition("\n## WebSocket\n")[2].partition("\n## ")[0], "python")[1])["News"]()

    async def visit() -> Any:
        async with TestClient(app) as client, client.websocket("/news") as ws:
            for queue in app._readers:
                queue.put_nowait("pie of the day")
            return await ws.receive_text()

    assert (asyncio.run(visit()), app._readers) == ("pie of the day", set())
    assert caplog.records == []


def test_the_guard_of_the_page_on_providers():
    """It lets one user pass, and nobody else."""
    guarded = run_code(fences((ROOT / "docs" / "providers.md").read_text(encoding="utf-8"), "python")[1])["app"]
    asked = {
        name: http(guarded, path="/admin/sales", headers={"Authorization": name})
        for name in ("Bearer ann", "Bearer bob", "")
    }
    assert asked["Bearer ann"].json() == {"for": "ann"}
    assert (asked["Bearer bob"].status_code, asked[""].status_code) == (403, 401)


def test_the_shop_of_the_page_on_providers():
    """It knows its user, and gives each request a database."""
    page = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    shop = run_code(fences(page, "python")[0])["app"]
    headers = {"Authorization": "Bearer pie"}
    assert http(shop, path="/me", headers=headers).json() == {"name": "Ann"}
    assert http(shop, path="/pies", query="page=2", headers=headers).json() == {"pies": 3, "for": "Ann", "page": 2}
    assert http(shop, path="/pies").status_code == 401
    clock = run_code(fences(page, "python")[2])["app"]
    assert re.fullmatch(r"\d+ o'clock", http(clock).text)
