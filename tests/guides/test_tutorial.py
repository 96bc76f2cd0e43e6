"""The tutorial, chapter by chapter, as a beginner plays it: in an empty folder, with real servers and curl."""

import configparser
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.batteries.browsing import launched
from tests.batteries.commands import free_port, wait_until
from tests.guides.pages import DOCS
from tests.guides.reader import PATIENCE, Reader
from tests.integrations.serving import environment, stop
from tests.servers.proxies import make_certificate, replaced

CHAPTERS = sorted((DOCS / "tutorial").glob("[0-9]-*.md"))

NOT_RUN = (
    "python3 -m venv .venv && . .venv/bin/activate",
    "pip install '/path/to/the/checkout/of/micropie[all]' pytest",
    "pip wheel --no-deps --wheel-dir deploy /path/to/the/checkout/of/micropie",
    "sudo useradd --system board",
    "sudo cp deploy/board.service /etc/systemd/system/",
    "sudo cp deploy/nginx.conf /etc/nginx/sites-enabled/board",
    "sudo systemctl enable --now board",
    "sudo systemctl reload nginx",
    "docker build --tag board .",
    "docker run --publish 127.0.0.1:8000:8000 --volume board:/data --env BOARD_HOSTS=board.example board",
)
"""What installs something, or changes the whole machine; everything else is run."""

pytestmark = pytest.mark.timeout(400)  # a test that is run alone plays all chapters before

ANN = {"name": "Ann", "password": "the cat sat on it"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One reader, whose folder grows from chapter to chapter."""
    reader = Reader(tmp_path_factory.mktemp("reader") / "home", NOT_RUN)
    reader.folder.mkdir()
    yield reader
    reader.leave()


@pytest.mark.parametrize("number", range(1, len(CHAPTERS) + 1))
def test_chapter(reader, number):
    """Each command of the chapter prints what stands below it."""
    reader.play_to(CHAPTERS[:number])


def test_every_exception_is_one(reader):
    """The commands that are not run all stand in a chapter."""
    reader.play_to(CHAPTERS)
    assert [command for command, met in reader.excepted.items() if not met] == []


def test_a_notice_appears_in_an_open_page(reader):
    """The browser shows what somebody else puts up, once and as text, without a reload or a word of complaint."""
    reader.play_to(CHAPTERS)
    reader.serve()
    complaints: list[str] = []
    with httpx.Client(base_url=reader.url, timeout=PATIENCE) as ann, launched() as browser:
        assert ann.post("/join", data=ANN | {"name": "Dora"}).headers["location"] == "/"
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        with page.expect_response("**/live"):
            page.goto(reader.url)
        assert ann.post("/notices", data={"text": "A <i>cake</i>", "until": "2099-12-24"}).status_code == 303
        newest = page.locator("#notices li").first
        newest.get_by_text("A <i>cake</i>").wait_for()
        assert newest.inner_text().split("\n") == ["A <i>cake</i>", "Dora, until 2099-12-24"]
        with page.expect_response("**/live"):
            page.reload()
        ann.post("/notices", data={"text": "Tea", "until": "2099-12-24"})
        newest.get_by_text("Tea").wait_for()  # behind what is said again
        assert page.get_by_text("A <i>cake</i>").count() == 1
    assert complaints == []


def test_an_open_page_has_what_the_history_lacks(reader):
    """A restart ends the history, so a page that comes back is told of a gap, and loads what hangs there by then."""
    reader.play_to(CHAPTERS)
    reader.serve()
    with launched() as browser:
        page = browser.new_page()
        with page.expect_response("**/live"):
            page.goto(reader.url)
        reader.stop()
        with closing(sqlite3.connect(reader.folder / "board.db")) as board, board:
            board.execute("INSERT INTO notices VALUES (NULL, 'Eve', 'Nobody heard', '2099-12-31')")
        reader.serve()
        page.get_by_text("Nobody heard").wait_for()


def test_a_notice_that_nobody_can_be_told_of_is_put_up(reader):
    """With the server of the channels away the reply is that to a notice which hangs there; the log has the rest."""
    reader.play_to(CHAPTERS)
    nowhere = {"CHANNELS": f"redis://127.0.0.1:{free_port()}"}
    with (
        started(reader.folder, ["micropie", "run", "app:app", "--port", "8000"], nowhere) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        client.post("/join", data=ANN | {"name": "Finn"})
        assert client.post("/notices", data={"text": "Once", "until": "2099-12-31"}).headers["location"] == "/"
        assert client.get("/").text.count("Once") == 1


def test_who_tries_too_often_is_refused_with_the_headers_of_a_page(reader):
    """The limit is for log-ins alone; what it answers is as guarded as the pages are."""
    reader.play_to(CHAPTERS)
    with (
        started(reader.folder, ["micropie", "run", "app:app", "--port", "8000"], {}) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
    ):
        assert [client.post("/login").status_code for _ in range(10)] == [422] * 10
        refused = client.post("/login")
        assert (refused.status_code, refused.headers["x-frame-options"]) == (429, "DENY")
        assert "default-src 'self'" in refused.headers["content-security-policy"]
        assert [client.get(path).status_code for path in ("/", "/login", "/static/board.js")] == [200] * 3


def test_the_board_stays_below_a_prefix(reader):
    """Its links and its redirects lead to itself, not to what is beside it."""
    reader.play_to(CHAPTERS)
    with (
        started(reader.folder, ["micropie", "run", "app:app", "--port", "8000", "--root-path", "/desk"], {}) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/desk", timeout=PATIENCE) as client,
    ):
        assert client.get("/notices").headers["location"] == "/desk/login"
        assert client.post("/join", data=ANN | {"name": "Gus"}).headers["location"] == "/desk"
        assert client.post("/notices", data={"text": "Jam", "until": "2099-12-31"}).headers["location"] == "/desk"
        assert client.post("/logout").headers["location"] == "/desk"
        addresses = re.findall(r'(?:href|src|action|data-live)="(/[^"]*)"', client.get("/").text)
        assert addresses
        assert [address for address in addresses if not f"{address}/".startswith("/desk/")] == []


def test_the_unit_and_nginx_serve_the_board(reader, tmp_path):
    """As systemd starts it, behind nginx as configured: https for the browser, secure cookies, events at once."""
    reader.play_to(CHAPTERS)
    as_visitors_do: dict[str, Any] = {"verify": False, "timeout": PATIENCE, "headers": {"Host": "board.example"}}
    with (
        started(reader.folder, *unit(reader.folder, tmp_path)) as port,
        behind_nginx(reader.folder, tmp_path, port) as url,
        httpx.Client(base_url=url, **as_visitors_do) as client,
    ):
        home = client.get("/")
        assert home.status_code == 200
        assert "max-age=31536000" in home.headers["strict-transport-security"]
        entered = client.post("/join", data=ANN)
        assert "; Secure" in entered.headers["set-cookie"]
        cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        with client.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as events:
            lines = events.iter_lines()
            next(lines)
            client.post("/notices", data={"text": "Tea", "until": "2099-01-01"}, headers=cookie)
            assert '"text":"Tea"' in next(line for line in lines if line.startswith("data:"))
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_the_container_starts_the_board(reader, tmp_path):
    """The command of the Dockerfile, with the files that it copies and no others."""
    reader.play_to(CHAPTERS)
    text = (reader.folder / "Dockerfile").read_text("utf-8")
    folder = tmp_path / "board"
    folder.mkdir()
    for source in re.findall(r"^COPY ([\w*.]+) \S+$", text, re.MULTILINE):
        for path in reader.folder.glob(source):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
    command = json.loads(re.findall(r"^CMD (.*)$", text, re.MULTILINE)[0])
    with started(folder, command, {"BOARD_DATA": str(tmp_path), "BOARD_HOSTS": "127.0.0.1"}) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=PATIENCE).status_code == 200


def unit(folder: Path, data: Path) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of the unit, in the reader's places."""
    file = configparser.ConfigParser()
    file.optionxform = str  # type: ignore[assignment,method-assign] # as systemd reads it
    file.read(folder / "deploy" / "board.service")
    service = file["Service"]
    assert service["ExecStart"].startswith(f"{service['WorkingDirectory']}/.venv/bin/micropie ")
    variables = dict(item.split("=", 1) for item in shlex.split(service["Environment"]))
    assert variables["BOARD_DATA"] == f"/var/lib/{service['StateDirectory']}"
    return shlex.split(service["ExecStart"]), variables | {"BOARD_DATA": str(data)}


@contextmanager
def started(folder: Path, command: list[str], variables: Mapping[str, str]) -> Iterator[int]:
    """Start what is to be served, at a port of its own."""
    port = free_port()
    real = [str(port) if word == "8000" else word for word in command[1:]]
    process = subprocess.Popen(
        [sys.executable, "-m", "micropie", *real],
        cwd=folder,
        env=environment() | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}"))
        assert process.poll() is None, process.communicate()[0]
        yield port
    finally:
        stop(process)


@contextmanager
def behind_nginx(folder: Path, scratch: Path, upstream: int) -> Iterator[str]:
    """Run nginx with the chapter's part in a configuration as Debian's."""
    port, certificate = free_port(), scratch / "board.pem"
    make_certificate(certificate)
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "/etc/ssl/board.pem": str(certificate),
    }
    site = replaced((folder / "deploy" / "nginx.conf").read_text("utf-8"), changes)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {scratch / kind};" for kind in kinds)
    configuration = scratch / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {scratch / 'pid'}; error_log stderr; events {{}}\nhttp {{ access_log off; {paths}\n{site} }}"
    )
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "nginx is not installed: scripts/test installs it"
    process = subprocess.Popen([program, "-c", str(configuration), "-e", "stderr"], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: answers(f"https://127.0.0.1:{port}"))
        yield f"https://127.0.0.1:{port}"
    finally:
        stop(process)


def answers(url: str) -> bool:
    """Whether anybody listens there."""
    try:
        httpx.get(url, verify=False, timeout=PATIENCE)
    except httpx.TransportError:
        return False
    return True
