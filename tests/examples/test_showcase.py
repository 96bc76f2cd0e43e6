"""examples/showcase."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.client import visitor

DEMO = Path(__file__).parents[2] / "scripts" / "demo"
BROWSER = [("Accept", "text/html,*/*;q=0.8")]
PIE = {"name": "Ann", "kind": "plum", "message": "<i>Hi</i>"}


@pytest.mark.needs("jinja2")
def test_a_visitor_signs_the_wall_and_is_remembered(client):
    """The form puts an escaped pie on the wall and the name into the session; leaving forgets it."""
    first = client.get("/")
    assert "Welcome to the wall" in first.text
    cookies = first.cookies  # by hand: they are for https
    signed = client.post("/sign", data={**PIE, "kind": "peach"}, cookies=cookies)
    assert (signed.status_code, signed.headers["location"]) == (303, "/#wall")
    page = client.get("/", cookies=cookies).text
    assert "Hello, Ann!" in page
    assert "This is your visit number 2." in page
    assert "&lt;i&gt;Hi&lt;/i&gt;" in page
    assert "<i>Hi</i>" not in page
    assert client.post("/leave", cookies=cookies).status_code == 303
    assert "Hello!" in client.get("/", cookies=cookies).text


@pytest.mark.needs("jinja2")
def test_a_restart_remembers_the_visitor(example):
    """Sessions are in a file beside the application."""
    with visitor(example.app) as client:
        cookies = client.get("/").cookies
    with visitor(example.Wall()) as client:
        assert "This is your visit number 2." in client.get("/", cookies=cookies).text


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
def test_a_wrong_form_comes_back(client, change, said):
    """What is wrong is said beside its field."""
    answer = client.post("/sign", data={**PIE, "kind": "peach", **change})
    assert answer.status_code == 422
    assert f">{said}</span>" in answer.text
    assert answer.text.count('class="wrong"') == 1


def test_the_api_lists_reads_and_adds(client):
    """The wall as JSON, for programs."""
    assert [pie["name"] for pie in client.get("/api/pies").json()] == ["The baker"]
    added = client.post("/api/pies", json={**PIE, "kind": "peach"})
    assert (added.status_code, added.headers["location"]) == (201, "/api/pies/2")
    assert client.get("/api/pies/2").json() == added.json()
    assert {key: added.json()[key] for key in PIE} == {**PIE, "kind": "peach"}
    assert client.get("/api/pies/9").status_code == 404
    assert client.get("/api/cakes").status_code == 404


@pytest.mark.parametrize(
    ("value", "status"),
    [(PIE, 422), ({"name": 7}, 400), ([], 422), ({}, 422), ({**PIE, "message": None}, 400)],
)
def test_the_api_refuses_wrong_pies(client, value, status):
    """Whatever JSON arrives, nothing wrong hangs on the wall."""
    assert client.post("/api/pies", json=value).status_code == status


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
def test_other_methods_are_not_allowed(client, method, path, allow):
    """What changes something needs a POST."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.needs("multipart")
def test_a_file_is_weighed(client):
    """The reply has the size and the checksum."""
    content = bytes(range(256)) * 500
    assert client.post("/weigh", files={"file": ("pie.bin", content)}).json() == {
        "filename": "pie.bin",
        "bytes": 128_000,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_the_oven_bakes(client, example, monkeypatch):
    """The sync handler answers; a pie that nobody knows is refused."""
    naps: list[float] = []
    monkeypatch.setattr(example.time, "sleep", naps.append)
    assert client.post("/bake", data={"kind": "cherry"}).json() == {"baked": "cherry pie", "minutes": 45}
    assert client.post("/bake", data={"kind": "mud"}).status_code == 400
    assert naps == [1]


def test_the_live_numbers_come_as_events(client):
    """An event has the time, the pies and the people."""
    with client.stream("GET", "/live") as answer:
        event = re.fullmatch(r"data: (.*)\n\n", next(answer.iter_text()))
    assert answer.headers["content-type"] == "text/event-stream"
    assert event is not None
    data = json.loads(event[1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", data.pop("time"))
    assert data == {"pies": 1, "chatting": 0}


def test_the_chat_says_who_speaks(app, client):
    """Text is passed on under a name, cut to its limit; blanks and bytes are not."""

    with client.websocket("/chat") as ws:
        ws.send_text("  ")
        ws.send_bytes(b"bytes")
        ws.send_text(" hi ")
        ws.send_text("x" * 300)
        assert ws.receive_json() == {"name": "A guest", "text": "hi"}
        assert ws.receive_json() == {"name": "A guest", "text": "x" * 280}
    assert app._room == set()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("icon.svg", "image/svg+xml"),
        ("style.css", "text/css; charset=utf-8"),
        ("wall.js", "text/javascript; charset=utf-8"),
    ],
)
def test_the_pages_files_are_served(client, name, kind):
    """Each file has its type and content."""
    answer = client.get(f"/static/{name}")
    assert answer.headers["content-type"] == kind
    assert answer.content == Path("static", name).read_bytes()


@pytest.mark.parametrize("name", ["app.py", "..%2Fapp.py", "%2e%2e/app.py", "nothing.css", ""])
def test_no_other_file_is_served(client, name):
    """Only the files of the folder can be had."""
    assert client.get(f"/static/{name}").status_code in {400, 404}


@pytest.mark.needs("jinja2")
def test_browsers_get_a_page_for_what_is_not_there(client):
    """A browser's 404 is a page, a program's is plain."""
    page = client.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404
    assert "<h1>This shelf is empty</h1>" in page.text
    assert client.get("/nowhere").text == "404 Not Found"


def test_every_reply_is_timed_and_guarded(client):
    """The middleware's headers stand on replies and errors."""
    for path in ("/api/pies", "/nowhere"):
        answer = client.get(path)
        assert re.fullmatch(r"app;dur=\d+\.\d\d", answer.headers["server-timing"])
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_the_wall_does_not_grow_for_ever(app, client, example):
    """Only the newest pies are kept."""

    for number in range(400):
        app._add("Ann", "peach", str(number))
    assert app._db.execute("SELECT count(*) FROM pies").fetchone()[0] == 10 * example.ON_THE_WALL


@pytest.mark.parametrize("arguments", [["--port"], ["--port", "x"], ["--port="], ["--wrong"], ["8000"]])
def test_the_demo_script_refuses_what_it_does_not_know(arguments):
    """It says how it is used, and starts nothing."""
    ran = subprocess.run([DEMO, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (2, "usage: scripts/demo [--port N]\n")


def test_the_demo_script_is_executable():
    """A fresh clone can run it."""
    assert os.access(DEMO, os.X_OK)
