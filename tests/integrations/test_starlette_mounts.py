"""Starlette's applications as branches of ours: `Mount(...)` in the class."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount as StarletteMount
from starlette.routing import Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from micropie import App, Controller, HTTPError, Mount, url_for
from tests.client import run
from tests.integrations.client import get, request
from tests.wire import lifespan_messages, running, websocket


async def shown(request):
    """Show what the application sees of a request."""
    return JSONResponse(
        {
            "path": request.scope["path"],
            "root_path": request.scope["root_path"],
            "name": request.path_params.get("name"),
            "url": str(request.url_for("shown", name="x")),
            "body": (await request.body()).decode(),
        }
    )


async def echo(socket):
    """Echo one message."""
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close(4001)


def starlette(events=None, *, fails=False):
    """Make an application with a lifespan."""

    @asynccontextmanager
    async def lifespan(app):
        if fails:
            raise RuntimeError("no disk")
        (events if events is not None else []).append("up")
        yield {"db": "open"}
        (events if events is not None else []).append("down")

    routes = [
        Route("/", lambda request: PlainTextResponse("Starlette's home")),
        Route("/show/{name}", shown, methods=["GET", "POST"], name="shown"),
        Route("/state", lambda request: PlainTextResponse(request.state.db)),
        WebSocketRoute("/echo", echo),
        StarletteMount("/deep", routes=[Route("/show/{name}", shown, name="deep")]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def site(other):
    """Put an application into ours, in three places."""

    class Guarded(Controller):
        other_app = Mount(other)

        async def _before(self):
            if self.request.query("key") is None:
                raise HTTPError(403)

    class Site(App):
        star = Mount(other)
        old = Mount(other, path="/v1/star")
        guarded = Guarded()

        async def index(self):
            return "our home"

        async def link(self):
            return url_for(self.star, "show/x")

    return Site()


@pytest.mark.parametrize("mount", ["/star", "/v1/star"])
def test_starlettes_routes_below_a_mount(mount):
    """It routes below its `root_path`, and makes URLs with it."""
    app = site(starlette())
    assert get(app, f"{mount}/").text == "Starlette's home"
    for inner, root in (("", mount), ("/deep", f"{mount}/deep")):
        reply = get(app, f"{mount}{inner}/show/a").json()
        assert (reply["path"], reply["root_path"], reply["name"]) == (f"{mount}{inner}/show/a", root, "a")
        assert reply["url"].endswith(f"{mount}/show/x")


def test_starlette_below_a_root_path():
    """The root path of a proxy stands in front."""
    reply = get(site(starlette()), "/proxy/star/show/a", root_path="/proxy").json()
    assert (reply["path"], reply["root_path"]) == ("/proxy/star/show/a", "/proxy/star")


def test_starlette_in_an_app_in_an_app():
    """Two steps down the whole path is still there."""

    class Outer(App):
        inner = site(starlette())

    reply = get(Outer(), "/inner/star/show/a").json()
    assert (reply["path"], reply["root_path"]) == ("/inner/star/show/a", "/inner/star")


def test_starlette_reads_the_body():
    """A form, of any kind, is its own to read."""
    assert request(site(starlette()), "POST", "/star/show/a", data={"a": "1"}).json()["body"] == "a=1"


def test_starlettes_404_and_405_are_its_own():
    """Errors of the branch are the branch's."""
    app = site(starlette())
    assert (get(app, "/star/nothing").status_code, get(app, "/star/nothing").text) == (404, "Not Found")
    assert request(app, "DELETE", "/star/show/a").status_code == 405
    assert get(app, "/stars").text == "404 Not Found"


def test_a_guard_before_starlette():
    """`_before` of the controllers above runs first."""
    app = site(starlette())
    assert get(app, "/guarded/other-app/").status_code == 403
    assert get(app, "/guarded/other-app/?key=1").text == "Starlette's home"
    assert websocket(app, "/guarded/other_app/echo").close == (1008, "403 Forbidden")


def test_a_websocket_of_starlette():
    """WebSockets are handed on."""
    dialogue = websocket(site(starlette()), "/star/echo", send=["hi"])
    assert (dialogue.sent, dialogue.close) == (["hi"], (4001, ""))


def test_starlettes_lifespan():
    """It runs with ours, once for an application that is there three times; its state is there."""
    events: list[str] = []

    async def main():
        async with running(app := site(starlette(events)), {}):
            assert events == ["up"]
            return await asyncio.to_thread(get, app, "/link")

    assert run(main()).text == "/star/show/x"
    assert events == ["up", "down"]


def test_starlettes_failing_lifespan(caplog):
    """Its failing startup is ours."""
    messages = lifespan_messages(site(starlette(fails=True)))
    assert [message["type"] for message in messages] == ["lifespan.startup.failed"]
    assert "no disk" in messages[0]["message"]


# StaticFiles.


@pytest.fixture
def files(tmp_path: Path) -> App:
    """An application with Starlette's StaticFiles as a branch."""
    root = tmp_path / "public"
    (root / "deep").mkdir(parents=True)
    (root / "files").mkdir()
    (root / "deep" / "é x.txt").write_text("found")
    (root / "files" / "a.txt").write_text("below its own name")
    (tmp_path / "secret.txt").write_text("secret")

    class Site(App):
        files = Mount(StaticFiles(directory=root))

    return Site()


@pytest.mark.parametrize(
    ("path", "text"),
    [("/files/deep/%C3%A9%20x.txt", "found"), ("/files/files/a.txt", "below its own name")],
)
def test_a_file(files, path, text):
    """Files are served below the mount."""
    assert (get(files, path).status_code, get(files, path).text) == (200, text)
    head = request(files, "HEAD", path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(text)))


@pytest.mark.parametrize("path", ["absent.txt", "..%2Fsecret.txt", "%2e%2e/secret.txt", "%2Fetc%2Fhosts", "", "deep"])
def test_what_is_no_file(files, path):
    """Starlette's exception for it is a 404, and nothing outside the folder is served."""
    reply = get(files, f"/files/{path}")
    assert (reply.status_code, reply.text) == (404, "404 Not Found")


def test_another_verb(files):
    """Starlette's exception for it is a 405."""
    assert request(files, "POST", "/files/files/a.txt", data={"a": "1"}).status_code == 405


def test_the_url_of_a_file(files):
    """`url_for` leads there."""
    assert get(files, url_for(files.files, "deep/é x.txt")).text == "found"
