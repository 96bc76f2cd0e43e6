"""The pages in docs/ run, lead somewhere, and leave nothing out."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import micropie
from micropie.testing import TestClient
from tests.client import ahttp, http
from tests.wire import running, wire

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def fences(text: str, language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_code(code: str) -> dict[str, Any]:
    """Run it in a fresh namespace, and give its names."""
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(code, "docs", "exec"), names)
    return names


def step(number: int) -> Any:
    """The application of a step of the tutorial."""
    text = TUTORIAL.partition(f"\n## {number}. ")[2].partition("\n## ")[0]
    return run_code(fences(text, "python")[0])["app"]


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    """The tutorial's folder, with its template as step 6 wants it, and those that files are served from."""
    monkeypatch.chdir(tmp_path)
    for name in ("templates", "static", "dist"):
        (tmp_path / name).mkdir()
    (tmp_path / "dist" / "index.html").touch()
    page = fences(TUTORIAL, "html")[0].replace('name="name"', 'name="name" value="{{ name }}"')
    (tmp_path / "templates" / "index.html").write_text(page, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    """Every relative link names a file, and every anchor a heading in it."""
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], link


ELSEWHERE = {"tutorial", "guide", "tracing"}
"""Pages whose code has tests of its own: the first below, the second beside it, the last in tests/integrations."""


def code_beside_the_tutorial() -> Iterator[Any]:
    """Each block, with what it needs."""
    for page in (page for page in PAGES if page.stem not in ELSEWHERE):
        for code in fences(page.read_text(encoding="utf-8"), "python"):
            # The one file has no batteries, and a bare environment no other client.
            needs = re.findall(r"^(?:from|import) (micropie\.\w+|httpx|structlog|jwt|authlib)", code, re.MULTILINE)
            needs += ["jinja2"] if "_render_template" in code else []
            yield pytest.param(code, marks=pytest.mark.needs(*needs))


@pytest.mark.parametrize("code", list(code_beside_the_tutorial()))
def test_code_beside_the_tutorial_runs(code, monkeypatch):
    """What the guides show runs; where it makes an application, that answers."""
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)  # the tests' own logging stays as it is
    app = run_code(code).get("app")
    if app is not None and hasattr(app, "index"):
        assert http(app).status_code == 200


def test_tutorial_step_2_says_hello():
    """The first page."""
    assert http(step(2)).text == "<h1>Guestbook</h1>"


def test_tutorial_step_3_escapes_parameters():
    """From the path and the query, as text."""
    assert http(step(3), "GET", "/hello/Ann").text == "Hello, Ann!"
    assert http(step(3), "GET", "/hello", query="name=%3Cb%3E").text == "Hello, &lt;b&gt;!"


@pytest.mark.needs("jinja2")
def test_tutorial_step_4_renders_the_template():
    """The page lists the entry."""
    assert "<li><b>Ann</b>: Hi</li>" in http(step(4)).text


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize("number", [5, 6])
def test_tutorial_steps_5_and_6_accept_the_form(number):
    """The entry is on the page after the redirect; step 6 remembers the name."""
    app = step(number)
    signed = http(app, "POST", "/sign", data={"name": "Ann", "message": "<i>"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    page = http(app, cookies=signed.cookies).text
    assert "<li><b>Ann</b>: &lt;i&gt;</li>" in page
    assert ('value="Ann"' in page) is (number == 6)
    assert http(app, "GET", "/sign", query="name=x&message=y").status_code == 405
    assert http(app, "POST", "/sign", data={"name": "Ann"}).status_code == 400


@pytest.mark.needs("jinja2")
def test_tutorial_step_7_keeps_the_entries():
    """The JSON API and the page read from the database, in the next run too."""

    async def sign(app: Any) -> None:
        async with running(app):
            await ahttp(app, "POST", "/sign", data={"name": "Ann", "message": "Hi"})
            assert "<li><b>Ann</b>: Hi</li>" in (await ahttp(app)).text

    async def look(app: Any) -> Any:
        async with running(app):
            return (await ahttp(app, "GET", "/entries")).json()

    asyncio.run(sign(step(7)))
    assert asyncio.run(look(step(7))) == [{"name": "Ann", "message": "Hi"}]


def test_tutorial_step_8_wraps_every_request():
    """The error page and the header are there."""
    text = TUTORIAL.partition("\n## 8. ")[2].partition("\n## ")[0]
    app = step(2)
    app.middlewares.append(run_code(fences(text, "python")[0])["ErrorPages"]())
    missing = http(app, "GET", "/nowhere")
    assert (missing.status_code, missing.text) == (404, "<h1>No such page</h1>")
    assert http(app).headers["x-content-type-options"] == "nosniff"


def test_tutorial_step_9_is_live():
    """The first event comes, and the client may leave."""
    answer = wire(step(9), "GET", "/live", leave_after=1)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == "data: 1\n\n"


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
    shop, _ = map(run_code, fences((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), "python"))
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
    _, site = map(run_code, fences((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), "python"))
    answer = http(site["Site"](), path="/api/pies/apple")
    assert (answer.status_code, answer.json()) == (404, {"error": "no such pie"})


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


def test_the_reference_names_everything_public():
    """Every name that `micropie` exports is in the reference."""
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert [name for name in micropie.__all__ if not re.search(rf"\b{name}\b", reference)] == []


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
