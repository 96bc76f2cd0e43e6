"""examples/showcase."""

import asyncio
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.wire import Answer, awebsocket, awire, running

DEMO = Path(__file__).parents[2] / "scripts" / "demo"
BROWSER = [("Accept", "text/html,*/*;q=0.8")]
PIE = {"name": "Ann", "kind": "plum", "message": "<i>Hi</i>"}


def used(app: Any, use: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """What the coroutine function gives while the app runs."""

    async def main() -> Any:
        async with running(app):
            return await use(app)

    return asyncio.run(main())


def ask(app: Any, *args: Any, **kwargs: Any) -> Answer:
    """One request to a fresh run of the app."""
    answer = used(app, lambda app: awire(app, *args, **kwargs))
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.needs("jinja2")
def test_a_visitor_signs_the_wall_and_is_remembered(app):
    """The form puts an escaped pie on the wall and the name into the session; leaving forgets it."""

    async def visit(app: Any) -> None:
        first = await awire(app)
        assert "Welcome to the wall" in first.text
        cookies = first.cookies
        signed = await awire(app, "POST", "/sign", form={**PIE, "kind": "peach"}, cookies=cookies)
        assert (signed.status_code, signed.headers["location"]) == (303, "/#wall")
        page = (await awire(app, cookies=cookies)).text
        assert "Hello, Ann!" in page
        assert "This is your visit number 2." in page
        assert "&lt;i&gt;Hi&lt;/i&gt;" in page
        assert "<i>Hi</i>" not in page
        assert (await awire(app, "POST", "/leave", cookies=cookies)).status_code == 303
        assert "Hello!" in (await awire(app, cookies=cookies)).text

    used(app, visit)


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "A name has 1 to 30 characters."),
        ({"name": "x" * 31}, "A name has 1 to 30 characters."),
        ({"kind": "mud"}, "Choose a pie that we have."),
        ({"message": "x" * 281}, "A message has 1 to 280 characters."),
    ],
)
def test_a_wrong_form_comes_back(app, change, said):
    """What is wrong is said beside its field."""
    answer = ask(app, "POST", "/sign", form={**PIE, "kind": "peach", **change})
    assert answer.status_code == 422
    assert f">{said}</span>" in answer.text
    assert answer.text.count('class="wrong"') == 1


def test_the_api_lists_reads_and_adds(app):
    """The wall as JSON, for programs."""

    async def use(app: Any) -> None:
        assert [pie["name"] for pie in (await awire(app, "GET", "/api/pies")).json()] == ["The baker"]
        added = await awire(app, "POST", "/api/pies", json={**PIE, "kind": "peach"})
        assert (added.status_code, added.headers["location"]) == (201, "/api/pies/2")
        assert (await awire(app, "GET", "/api/pies/2")).json() == added.json()
        assert {key: added.json()[key] for key in PIE} == {**PIE, "kind": "peach"}
        assert (await awire(app, "GET", "/api/pies/9")).status_code == 404
        assert (await awire(app, "GET", "/api/cakes")).status_code == 404

    used(app, use)


@pytest.mark.parametrize(
    ("value", "status"),
    [(PIE, 422), ({"name": 7}, 400), ([], 422), ({}, 422), ({**PIE, "message": None}, 400)],
)
def test_the_api_refuses_wrong_pies(app, value, status):
    """Whatever JSON arrives, nothing wrong hangs on the wall."""
    assert ask(app, "POST", "/api/pies", json=value).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/sign", "POST"),
        ("GET", "/leave", "POST"),
        ("GET", "/bake", "POST"),
        ("DELETE", "/api/pies", "GET, POST"),
        ("POST", "/api/pies/1", "GET"),
    ],
)
def test_other_methods_are_not_allowed(app, method, path, allow):
    """What changes something needs a POST."""
    answer = ask(app, method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.needs("multipart")
def test_a_file_is_weighed(app, upload):
    """The reply has the size and the checksum."""
    content = bytes(range(256)) * 500
    assert ask(app, "POST", "/weigh", **upload(content)).json() == {
        "filename": "pie.bin",
        "bytes": 128_000,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_the_oven_bakes(app, example, monkeypatch):
    """The sync handler answers; a pie that nobody knows is refused."""
    naps: list[float] = []
    monkeypatch.setattr(example.time, "sleep", naps.append)
    assert ask(app, "POST", "/bake", form={"kind": "cherry"}).json() == {"baked": "cherry pie", "minutes": 45}
    assert ask(app, "POST", "/bake", form={"kind": "mud"}).status_code == 400
    assert naps == [1]


def test_the_live_numbers_come_as_events(app):
    """An event has the time, the pies and the people."""
    answer = ask(app, "GET", "/live", leave_after=1)
    assert answer.headers["content-type"] == "text/event-stream"
    event = re.fullmatch(r"data: (.*)\n\n", answer.text)
    assert event is not None
    data = json.loads(event[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", data.pop("time"))
    assert data == {"pies": 1, "chatting": 0}


def test_the_chat_says_who_speaks(app):
    """Text is passed on under a name, cut to its limit; blanks and bytes are not."""

    async def chat(app: Any) -> list[str | bytes]:
        return (await awebsocket(app, "/chat", send=["  ", b"bytes", " hi ", "x" * 300])).sent

    assert [json.loads(sent) for sent in used(app, chat)] == [
        {"name": "A guest", "text": "hi"},
        {"name": "A guest", "text": "x" * 280},
    ]
    assert app._room == set()


@pytest.mark.parametrize("name", ["icon.svg", "style.css", "wall.js"])
def test_the_pages_files_are_served(app, example, name):
    """Each file has its type and content."""
    answer = ask(app, "GET", f"/static/{name}")
    assert answer.headers["content-type"] == example.STATIC[name]
    assert answer.content == Path("static", name).read_bytes()


@pytest.mark.parametrize("name", ["app.py", "..%2Fapp.py", "%2e%2e/app.py", "nothing.css", ""])
def test_no_other_file_is_served(app, name):
    """Only the files that are listed can be had."""
    assert ask(app, "GET", f"/static/{name}").status_code in {400, 404}


@pytest.mark.needs("jinja2")
def test_browsers_get_a_page_for_what_is_not_there(app):
    """A browser's 404 is a page, a program's is plain."""
    page = ask(app, "GET", "/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert "<h1>This shelf is empty</h1>" in page.text
    assert ask(app, "GET", "/nowhere").text == "404 Not Found"


def test_every_reply_is_timed_and_guarded(app):
    """The middleware's headers stand on replies and errors."""
    for path in ("/api/pies", "/nowhere"):
        answer = ask(app, "GET", path)
        assert re.fullmatch(r"app;dur=\d+\.\d\d", answer.headers["server-timing"] or "")
        assert (answer.headers["content-security-policy"] or "").startswith("default-src 'self'")


def test_the_wall_does_not_grow_for_ever(app, example):
    """Only the newest pies are kept."""

    async def sign(app: Any) -> int:
        for number in range(400):
            app._add("Ann", "peach", str(number))
        return int(app._db.execute("SELECT count(*) FROM pies").fetchone()[0])

    assert used(app, sign) == 10 * example.ON_THE_WALL


@pytest.mark.parametrize("arguments", [["--port"], ["--port", "x"], ["--port="], ["--wrong"], ["8000"]])
def test_the_demo_script_refuses_what_it_does_not_know(arguments):
    """It says how it is used, and starts nothing."""
    ran = subprocess.run([DEMO, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (2, "usage: scripts/demo [--port N]\n")


def test_the_demo_script_is_executable():
    """A fresh clone can run it."""
    assert os.access(DEMO, os.X_OK)
