"""ServeStatic around an application: its files first, the application's routes behind them."""

from pathlib import Path
from typing import Any

import pytest
from servestatic import ServeStaticASGI  # type: ignore[import-untyped]
from websockets.sync.client import connect

from tests.integrations.applications import Site
from tests.integrations.client import get, request
from tests.integrations.serving import SECONDS, serving

STYLE = b"body { color: teal }\n" * 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real files."""
    root = tmp_path_factory.mktemp("files")
    (root / "style.css").write_bytes(STYLE)
    (root / "empty.txt").touch()
    (root / "docs").mkdir()
    (root / "docs" / "index.html").write_text("<p>the index")
    return root


@pytest.fixture(params=[False, True], ids=["scanned", "autorefresh"])
def app(request: pytest.FixtureRequest, folder: Path) -> Any:
    """Files read at the start, and looked for at each request."""
    return ServeStaticASGI(Site(), root=folder, prefix="static", index_file=True, autorefresh=request.param)


def test_a_file_is_served(app):
    """A file comes whole, with its type and a validator."""
    reply = get(app, "/static/style.css")
    assert (reply.status_code, reply.content) == (200, STYLE)
    assert reply.headers["content-type"] == 'text/css; charset="utf-8"'
    assert reply.headers["content-length"] == str(len(STYLE))


def test_a_file_that_did_not_change_is_not_sent_again(app):
    """The validator of the first reply makes the second one a 304."""
    validators = {"if-none-match": get(app, "/static/style.css").headers["etag"]}
    reply = get(app, "/static/style.css", headers=validators)
    assert (reply.status_code, reply.content) == (304, b"")


def test_a_part_of_a_file(app):
    """A range is answered with that range."""
    reply = get(app, "/static/style.css", headers={"range": "bytes=5-9"})
    assert (reply.status_code, reply.content) == (206, STYLE[5:10])
    assert reply.headers["content-range"] == f"bytes 5-9/{len(STYLE)}"


def test_head_of_a_file(app):
    """HEAD has the headers alone."""
    reply = request(app, "HEAD", "/static/style.css")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-length"] == str(len(STYLE))


def test_a_folder_shows_its_index(app):
    """index.html stands for its folder."""
    assert get(app, "/static/docs/").text == "<p>the index"


@pytest.mark.parametrize("path", ["/static/absent.css", "/static/..%2fstyle.css", "/static"])
def test_what_is_no_file_is_the_applications(app, path):
    """The application answers for all that ServeStatic does not find."""
    reply = get(app, path)
    assert (reply.status_code, reply.text) == (404, "404 Not Found")


def test_routes_and_bodies_behind_it(app):
    """The application's routes answer as if alone."""
    assert get(app, "/greet/Ada").text == "Hello, Ada!"
    assert request(app, "POST", "/add", data={"a": "1", "b": "2"}).json() == {"sum": 3}


def test_on_a_server(folder, tmp_path):
    """Files, routes, WebSockets and the lifespan work together on a real server."""
    with serving("static", tmp_path / "log", {"STATIC_ROOT": str(folder)}) as server:
        with server.client() as client:
            assert client.get("/static/style.css").content == STYLE
            assert client.get("/static/empty.txt").content == b""
            assert client.get("/static/docs").headers["location"] == "docs/"
            assert client.get("/static/absent.css").status_code == 404
            assert client.get("/greet/Ada").text == "Hello, Ada!"
            assert client.get("/started").json() == {"started": True}
        with connect(f"ws://127.0.0.1:{server.port}/echo", proxy=None, open_timeout=SECONDS) as ws:
            ws.send("hi")
            assert ws.recv(timeout=SECONDS) == "Echo: hi"
