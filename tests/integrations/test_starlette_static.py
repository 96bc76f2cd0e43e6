"""Starlette's StaticFiles as a sub-application, handed over by a middleware."""

import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.staticfiles import StaticFiles

from micropie import App, HttpMiddleware
from tests.integrations.client import get, request

SCRIPT = b"console.log('hi')\n" * 10_000


class Files(HttpMiddleware):
    """Hands everything below /static to a file application."""

    def __init__(self, files: Any) -> None:
        self.files = files
        self.seen: list[int] = []

    async def before_request(self, request):
        head, _, path = request.scope["path"].lstrip("/").partition("/")
        if head == "static":
            request._subapp = self.files
            request._subapp_path = f"/{path}"
            request._subapp_mount_path = "static"

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.seen.append(status_code)


class Site(App):
    async def index(self):
        return "home"

    async def static(self):
        return "never reached"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Real files, one of them under the mount's own name, and one that nobody may read."""
    root = tmp_path / "public"
    (root / "deep").mkdir(parents=True)
    (root / "static").mkdir()
    (root / "script.js").write_bytes(SCRIPT)
    (root / "deep" / "é x.txt").write_text("found")
    (root / "index.html").write_text("<p>index")
    (tmp_path / "secret.txt").write_text("secret")
    return root


def site(files: Any) -> Site:
    """Put the file application into ours."""
    app = Site()
    app.middlewares.append(Files(files))
    return app


@pytest.fixture
def app(folder: Path) -> Site:
    """StaticFiles with what Starlette puts around it: its errors are HTTP replies there."""
    return site(ExceptionMiddleware(StaticFiles(directory=folder, html=True)))


def test_a_file_is_served(app):
    """A file comes whole, with its type and a validator."""
    reply = get(app, "/static/script.js")
    assert (reply.status_code, reply.content) == (200, SCRIPT)
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["content-length"] == str(len(SCRIPT))


def test_a_name_that_needs_encoding(app):
    """The sub-application gets the decoded path."""
    assert get(app, "/static/deep/%C3%A9%20x.txt").text == "found"


def test_the_mount_itself(app):
    """The path below the mount may be empty."""
    assert get(app, "/static/").text == "<p>index"


def test_a_file_that_did_not_change_is_not_sent_again(app):
    """The validator of the first reply makes the second one a 304."""
    validators = {"if-none-match": get(app, "/static/script.js").headers["etag"]}
    reply = get(app, "/static/script.js", headers=validators)
    assert (reply.status_code, reply.content) == (304, b"")


def test_a_part_of_a_file(app):
    """A range is answered with that range."""
    reply = get(app, "/static/script.js", headers={"range": "bytes=3-8"})
    assert (reply.status_code, reply.content) == (206, SCRIPT[3:9])


def test_head_of_a_file(app):
    """HEAD has the headers alone."""
    reply = request(app, "HEAD", "/static/script.js")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["content-length"] == str(len(SCRIPT))


@pytest.mark.parametrize("path", ["absent.js", "..%2Fsecret.txt", "%2e%2e/secret.txt", "%2Fetc%2Fhosts", "a%00b"])
def test_what_is_no_file(app, path):
    """Starlette's own 404 passes through, and nothing outside the folder is served."""
    reply = get(app, f"/static/{path}")
    assert (reply.status_code, reply.text) == (404, "Not Found")


def test_another_method(app):
    """Starlette's own 405 passes through; the body that came is nobody's."""
    reply = request(app, "POST", "/static/script.js", data={"a": "1"})
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")


def test_a_bare_static_files_raises_for_a_missing_file(folder, caplog):
    """An exception that leaves a sub-application is a 500 without internals, logged once."""
    reply = get(site(StaticFiles(directory=folder)), "/static/absent.js")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")
    assert [(record.name, record.levelno) for record in caplog.records] == [("micropie", logging.ERROR)]


def test_routes_beside_it(app):
    """The application's own routes answer, and only for them the after hooks run."""
    assert get(app, "/static/script.js").status_code == 200
    assert get(app, "/").text == "home"
    assert get(app, "/statics").status_code == 404
    assert app.middlewares[0].seen == [200, 404]
