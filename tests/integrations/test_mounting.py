"""An application inside another one: ours in ours, and ours in Starlette."""

import asyncio
import json
import logging

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from micropie import App, HttpMiddleware, WebSocketMiddleware
from tests.client import http
from tests.integrations.client import client, get, request
from tests.wire import websocket


class Branch(HttpMiddleware):
    """Hands everything below one segment to another application."""

    def __init__(self, name, app):
        self.name = name
        self.app = app
        self.seen = []

    async def before_request(self, request):
        below = request.scope["path"].removeprefix(request.scope["root_path"]).lstrip("/")
        head, _, rest = below.partition("/")
        if head == self.name:
            request._subapp = self.app
            request._subapp_path = f"/{rest}"
            request._subapp_mount_path = self.name

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.seen.append(status_code)


class WebSocketBranch(WebSocketMiddleware):
    """Hands every WebSocket over, below /child."""

    def __init__(self, app):
        self.app = app

    async def before_websocket(self, request):
        request._subapp = self.app
        request._subapp_path = request.scope["path"].removeprefix("/child")
        request._subapp_mount_path = "child"


class Child(App):
    async def index(self):
        return "the child's index"

    async def show(self, name="nothing"):
        return {
            "name": name,
            "root_path": self.request.scope["root_path"],
            "path_params": list(self.request.path_params),
        }

    async def every(self, *args):
        return {"args": args}

    async def add(self, a, b):
        return {"sum": int(a) + int(b)}

    async def echo(self):
        return {"json": self.request.get_json}

    async def upload(self, file):
        content = b""
        while (chunk := await file["content"].get()) is not None:
            content += chunk
        return {"filename": file["filename"], "size": len(content)}

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return {"visits": self.request.session["visits"]}

    async def stream(self):
        async def chunks():
            yield "one "
            yield self.request.scope["root_path"]

        return chunks()

    async def child(self, name="nothing"):
        return f"the child's child, {name}"

    async def broken(self):
        raise ZeroDivisionError("the child broke")

    async def ws_echo(self, ws, name):
        await ws.accept()
        await ws.send_text(name)


class Parent(App):
    async def index(self):
        return "the parent's index"

    async def visits(self):
        return {"visits": self.request.session.get("visits", 0)}


@pytest.fixture
def app() -> Parent:
    """A child below /child of its parent."""
    parent = Parent()
    parent.middlewares.append(Branch("child", Child()))
    return parent


@pytest.fixture
def starlette() -> Starlette:
    """The same child, below /sub of a Starlette application."""

    async def home(_):
        return PlainTextResponse("Starlette's own")

    child = Child()
    return Starlette(
        routes=[
            Route("/", home),
            Mount("/sub", child),
            Mount("/deep/é x", child),
            Mount("/tenant/{tenant}", child),
        ]
    )


# Ours in ours


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "the parent's index"),
        ("/child", 200, "the child's index"),
        ("/child/", 200, "the child's index"),
        ("/child/index", 200, "the child's index"),
        ("/child/absent", 404, "404 Not Found"),
        ("/child/_private", 404, "404 Not Found"),
        ("/child/child", 200, "the child's child, nothing"),
        ("/child/child/x", 200, "the child's child, x"),
        ("/children", 404, "404 Not Found"),
        ("/show", 404, "404 Not Found"),
    ],
)
def test_the_child_has_its_own_routes(app, path, status, text):
    """The child answers below its mount, and nowhere else."""
    reply = get(app, path)
    assert (reply.status_code, reply.text) == (status, text)


def test_the_child_knows_its_mount(app):
    """The mount is in the child's `root_path`, not in its route."""
    assert get(app, "/child/show/x").json() == {"name": "x", "root_path": "/child", "path_params": ["x"]}


def test_the_mount_adds_to_a_root_path(app):
    """A root path from outside stands before the mount."""
    reply = get(app, "/proxy/child/show/x", root_path="/proxy")
    assert reply.json() == {"name": "x", "root_path": "/proxy/child", "path_params": ["x"]}


def test_a_grandchild():
    """Applications nest."""
    middle, outer = App(), App()
    middle.middlewares.append(Branch("inner", Child()))
    outer.middlewares.append(Branch("middle", middle))
    reply = get(outer, "/middle/inner/show/x")
    assert reply.json() == {"name": "x", "root_path": "/middle/inner", "path_params": ["x"]}


def test_the_query_reaches_the_child(app):
    """The query is the child's to bind."""
    assert get(app, "/child/add?a=1&b=2").json() == {"sum": 3}


def test_a_form_read_by_the_parent_reaches_the_child(app):
    """The form is read once, and bound by the child."""
    assert request(app, "POST", "/child/add", data={"a": "1", "b": "2"}).json() == {"sum": 3}


@pytest.mark.parametrize("value", [{"a": [1, None]}, [1, 2], "text", 7, None, False], ids=repr)
def test_json_read_by_the_parent_reaches_the_child(app, value):
    """The JSON value is the child's, whatever its type."""
    headers = {"content-type": "application/json"}
    assert request(app, "POST", "/child/echo", content=json.dumps(value), headers=headers).json() == {"json": value}


def test_json_of_the_parent_binds_in_the_child(app):
    """The members of a JSON object are the child's parameters."""
    assert request(app, "POST", "/child/add", json={"a": 1, "b": 2}).json() == {"sum": 3}


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_an_upload_reaches_the_child(app, size):
    """A file goes through the parent into the child's handler."""
    reply = request(app, "POST", "/child/upload", files={"file": ("a.bin", b"x" * size)})
    assert reply.json() == {"filename": "a.bin", "size": size}


def test_the_child_streams(app):
    """`self.request` is the child's inside its stream."""
    assert get(app, "/child/stream").text == "one /child"


def test_parent_and_child_share_the_session(app):
    """What the child writes is saved by the parent, under one cookie, and seen by both."""

    async def main():
        async with client(app) as visitor:
            return [await visitor.get(path) for path in ("/child/visit", "/child/visit", "/visits")]

    first, second, third = asyncio.run(main())
    assert [first.json(), second.json(), third.json()] == [{"visits": 1}, {"visits": 2}, {"visits": 2}]
    assert [line.partition("=")[0] for line in first.headers.get_list("set-cookie")] == ["session_id"]


def test_the_hooks_of_the_child_run_and_the_parents_do_not():
    """After hooks belong to the application that answers."""
    child, parent = Child(), Parent()
    inner, outer = Branch("nowhere", None), Branch("child", child)
    child.middlewares.append(inner)
    parent.middlewares.append(outer)
    assert get(parent, "/child/show").status_code == 200
    assert get(parent, "/").status_code == 200
    assert (inner.seen, outer.seen) == ([200], [200])


def test_the_child_breaks(app, caplog):
    """An error of the child is the child's 500, logged once."""
    reply = get(app, "/child/broken")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")
    assert [(record.name, record.levelno) for record in caplog.records] == [("micropie", logging.ERROR)]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1&b=2", "application/x-www-form-urlencoded"),
        (b'{"a": [1]}', "application/json"),
        (b"\x00\xff raw", "application/octet-stream"),
        (b"", "text/plain"),
        (
            b'--B\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\nD\r\n--B--\r\n',
            "multipart/form-data; boundary=B",
        ),
    ],
)
def test_a_body_read_by_the_parent_is_replayed(body, content_type):
    """A sub-application that reads the body itself gets the bytes that came."""

    async def reader(scope, receive, send):
        received, more = b"", True
        while more:
            message = await receive()
            received += message["body"]
            more = message["more_body"]
        await PlainTextResponse(received)(scope, receive, send)

    parent = Parent()
    parent.middlewares.append(Branch("raw", reader))
    reply = request(parent, "POST", "/raw", content=body, headers={"content-type": content_type})
    assert (reply.status_code, reply.content) == (200, body)


def test_a_sub_application_that_says_nothing(caplog):
    """A sub-application that ends without a reply is a 500, logged once."""

    async def silent(scope, receive, send):
        pass

    parent = Parent()
    parent.middlewares.append(Branch("silent", silent))
    reply = http(parent, "GET", "/silent")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")
    assert [(record.name, record.levelno) for record in caplog.records] == [("micropie", logging.ERROR)]


def test_a_websocket_of_the_child():
    """A WebSocket middleware hands over as an HTTP one does."""
    parent = Parent()
    parent.ws_middlewares.append(WebSocketBranch(Child()))
    dialogue = websocket(parent, "/child/echo/ada")
    assert (dialogue.sent, dialogue.close) == (["ada"], (1000, ""))


def test_a_websocket_that_the_child_refuses():
    """The refusal is the child's own."""
    parent = Parent()
    parent.ws_middlewares.append(WebSocketBranch(Child()))
    assert websocket(parent, "/child/absent").close == (1008, "No matching WebSocket route")


@pytest.mark.parametrize("accepts", [False, True], ids=["before-accept", "after-accept"])
def test_a_websocket_of_a_sub_application_breaks(caplog, accepts):
    """An exception that leaves a sub-application closes the socket as one of a handler's would; it is logged once."""

    async def breaks(scope, receive, send):
        if accepts:
            await send({"type": "websocket.accept"})
        raise ZeroDivisionError("not for the wire")

    parent = Parent()
    parent.ws_middlewares.append(WebSocketBranch(breaks))
    dialogue = websocket(parent, "/child/x")
    assert dialogue.close is not None
    assert dialogue.close[0] == 1011
    assert "wire" not in dialogue.close[1]
    assert [(record.name, record.levelno) for record in caplog.records] == [("micropie", logging.ERROR)]


# Ours in Starlette


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "Starlette's own"),
        ("/sub/", "the child's index"),
        ("/sub/index", "the child's index"),
        ("/deep/%C3%A9%20x/", "the child's index"),
    ],
)
def test_starlette_hands_over(starlette, path, text):
    """Starlette answers for its own routes, ours below the mount."""
    assert get(starlette, path).text == text


@pytest.mark.parametrize(
    ("path", "name", "root_path"),
    [
        ("/sub/show/x", "x", "/sub"),
        ("/sub/show/a%2Fb", "a/b", "/sub"),
        ("/sub/show/%C3%A9", "é", "/sub"),
        ("/sub/show/sub", "sub", "/sub"),
        ("/deep/%C3%A9%20x/show/a%2Fb", "a/b", "/deep/é x"),
        ("/tenant/acme/show/x", "x", "/tenant/acme"),
    ],
)
def test_starlettes_mount_is_not_part_of_the_route(starlette, path, name, root_path):
    """What the mount took of the path is in `root_path`; an encoded slash below it does not split."""
    assert get(starlette, path).json() == {"name": name, "root_path": root_path, "path_params": [name]}


def test_starlettes_mount_adds_to_a_root_path(starlette):
    """A root path from outside stands before Starlette's mount."""
    reply = get(starlette, "/proxy/sub/show/x", root_path="/proxy")
    assert reply.json() == {"name": "x", "root_path": "/proxy/sub", "path_params": ["x"]}


def test_nothing_else_below_starlettes_mount(starlette):
    """An unknown route below the mount is ours to refuse."""
    reply = get(starlette, "/sub/absent")
    assert (reply.status_code, reply.text) == (404, "404 Not Found")


def test_catch_all_below_starlettes_mount(starlette):
    """`*args` get the segments below the mount."""
    assert get(starlette, "/sub/every/a/b").json() == {"args": ["a", "b"]}


def test_bodies_and_streams_below_starlettes_mount(starlette):
    """Forms, JSON, uploads and streams work as if alone."""
    assert request(starlette, "POST", "/sub/add", data={"a": "1", "b": "2"}).json() == {"sum": 3}
    assert request(starlette, "POST", "/sub/echo", json=[1]).json() == {"json": [1]}
    upload = request(starlette, "POST", "/sub/upload", files={"file": ("a.bin", b"x" * 100_000)})
    assert upload.json() == {"filename": "a.bin", "size": 100_000}
    assert get(starlette, "/sub/stream").text == "one /sub"


def test_a_session_below_starlettes_mount(starlette):
    """Our own session needs nothing of Starlette."""

    async def main():
        async with client(starlette) as visitor:
            return [(await visitor.get("/sub/visit")).json() for _ in range(2)]

    assert asyncio.run(main()) == [{"visits": 1}, {"visits": 2}]


def test_a_websocket_below_starlettes_mount(starlette):
    """WebSocket routes are found below the mount too."""
    assert websocket(starlette, "/sub/echo/ada").sent == ["ada"]
