"""`micropie.testing`: the client in process, what it brings back, and what it refuses to take from an application."""

import asyncio
import contextlib
import gc
import io
import logging
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import Route, WebSocketRoute

from micropie import (
    App,
    ConnectionClosed,
    Controller,
    HTTPError,
    HttpMiddleware,
    MissingDependency,
    Mount,
    Nested,
    Service,
    methods,
)
from micropie.channels import Channels
from micropie.testing import ProtocolError, StatusError, TestClient, WebSocketRefused
from tests.client import run

SHOWN = ("root_path", "scheme", "client", "server", "state", "path")


class BrokeOffError(Exception):
    """What the broken handlers of these tests raise."""


class Blog(Controller):
    async def post(self, id, page="1"):
        return f"post {id}, page {page}"


class Site(App):
    blog = Blog()

    def __init__(self, **settings):
        super().__init__(**settings)
        self.left: list[str] = []
        self.startup_handlers.append(self._start)
        self.shutdown_handlers.append(lambda: self.left.append("stopped"))

    async def _start(self, state):
        state["started"] = True
        self.left.append("started")

    async def index(self):
        return "home"

    async def echo(self, *args, **kwargs):
        request = self.request
        return {
            "method": request.method,
            "path": list(args),
            "query": request.query_params,
            "headers": request.headers,
            "body": request.body.decode() if request.method != "GET" else "",
            "scope": {
                name: request.scope[name] for name in ("root_path", "scheme", "client", "server", "state", "path")
            },
        }

    async def json(self):
        return [self.request.json()]

    async def form(self):
        return self.request.body_params

    async def upload(self, file, note="none"):
        async def described(one):
            return [one["filename"], one["content_type"], (await one.read()).decode(), note]

        first = await described(file)  # the others arrive behind it
        return [first, *[await described(one) for one in file.others]]

    def sync(self):
        return threading.current_thread() is threading.main_thread()

    async def visit(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return session["visits"]

    async def go(self, status="302", to="/echo/there"):
        return self._redirect(to, status=int(status))

    async def loop(self):
        return self._redirect("/loop")

    async def cookie(self, *lines):
        return 200, "set", [("Set-Cookie", line) for line in self.request.query_params["line"]]

    async def boom(self):
        raise BrokeOffError("here")

    async def template(self):
        raise MissingDependency("Install it")

    async def refuse(self):
        raise HTTPError(404)

    async def broken_stream(self):
        yield "some"
        raise BrokeOffError("midway")

    async def count(self, last="3", wait="0"):
        try:
            for number in range(int(last)):
                yield f"data: {number}\n\n"
                await asyncio.sleep(float(wait))
        finally:
            self.left.append("closed")

    async def flood(self):
        try:
            while True:
                yield b"x" * 50_000
                self.left.append("sent")
        finally:
            self.left.append("closed")

    async def latin(self):
        return 200, "é".encode("latin-1"), [("Content-Type", 'text/plain; format=flowed; charset="ISO-8859-1"')]

    async def pieces(self):
        async def chunks():
            for piece in (b"one\r", b"\ntw", b"\xc3", b"\xb6\rthree\n", b"four"):
                yield piece

        return 200, chunks(), [("Content-Type", "text/plain; charset=nonsense")]

    async def hang(self):
        await asyncio.sleep(60)

    async def ws_chat(self, ws, name="you"):
        await ws.accept(subprotocol="chat" if self.request.headers.get("sec-websocket-protocol") else None)
        async for message in ws:
            if isinstance(message, bytes):
                await ws.send_bytes(message)
            else:
                await ws.send_text(f"{name}: {message}")
        self.left.append("gone")

    async def ws_json(self, ws):
        await ws.accept()
        await ws.send_json({"got": await ws.receive_json()})
        await ws.close(4001, "enough")

    async def ws_session(self, ws):
        user = self.request.session.get("user")
        self.request.session["user"] = "ann"
        await ws.accept(session_id=ws.session_id)
        await ws.send_json(user)

    async def ws_boom(self, ws):
        await ws.accept()
        await ws.receive_text()
        raise BrokeOffError("in the socket")

    async def ws_deaf(self, ws):
        await ws.accept()
        await asyncio.sleep(60)

    async def ws_no(self, ws):
        await ws.close(4003, "not you")


@pytest.fixture
def app():
    return Site()


@pytest.fixture
def client(app):
    with TestClient(app) as client:
        yield client


def awaited(app, use, **options):
    """What `use(client)` gives, in an event loop."""

    async def main():
        async with TestClient(app, **options) as client:
            return await use(client)

    return asyncio.run(main())


# -- requests


def test_a_reply_reads_like_one_of_httpx(client):
    """Status, headers, body and URL have the names that they have there."""
    response = client.get("/")
    assert (response.status_code, response.reason_phrase, response.is_success) == (200, "OK", True)
    assert (response.text, response.content, response.encoding) == ("home", b"home", "utf-8")
    assert response.headers["Content-Length"] == "4"
    assert (response.url, response.url.path, response.url.scheme) == ("http://localhost/", "/", "http")
    assert (response.history, response.cookies, response.is_redirect) == ([], {}, False)
    assert repr(response) == "<Response [200 OK]>"
    assert response.raise_for_status() is response


def test_the_same_in_an_event_loop(app):
    """The client is awaited in asynchronous code, and starts and stops the application there."""

    async def use(client):
        verbs = [client.get, client.head, client.options, client.post, client.put, client.patch, client.delete]
        return [(await verb("/echo")).status_code for verb in verbs]

    assert awaited(app, use) == [200] * 7
    assert app.left == ["started", "stopped"]


def test_every_verb(client):
    """Each verb has its method."""
    verbs = [client.get, client.options, client.post, client.put, client.patch, client.delete]
    assert [verb("/echo").json()["method"] for verb in verbs] == ["GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
    assert client.head("/").headers["content-length"] == "4"
    assert client.request("purge", "/echo").json()["method"] == "PURGE"


def test_the_address(client):
    """The path is encoded once, the query is that of the URL and of `params`."""
    said = client.get("echo/é/a%2Fb?x=1#part", params={"y": ["2", "ö"], "z": None, "on": True}).json()
    assert said["path"] == ["é", "a/b"]
    assert said["query"] == {"x": ["1"], "y": ["2", "ö"], "on": ["true"]}
    assert client.get("?x=1").text == "home"
    assert client.get("/echo/https://x").json()["path"] == ["https:", "", "x"]


def test_what_the_client_says_of_itself(client):
    """A Host, an Accept and a User-Agent; loopback is the peer."""
    said = client.get("/echo").json()
    assert said["headers"] == {"host": "localhost", "accept": "*/*", "user-agent": "micropie.testing"}
    assert said["scope"]["client"] == ["127.0.0.1", 50000]
    assert (said["scope"]["server"], said["scope"]["root_path"]) == (["localhost", 80], "")
    assert said["scope"]["state"] == {"started": True} == client.state


def test_headers(app):
    """Those of the request take the place of those of the client, and these of the defaults."""
    with TestClient(app, headers={"X-One": "1", "Accept": "text/html"}, client=("10.0.0.1", 1)) as client:
        said = client.get("/echo", headers=[("x-one", "2"), ("X-Two", "a"), ("X-Two", "b")]).json()
    assert said["headers"]["accept"] == "text/html"
    assert (said["headers"]["x-one"], said["headers"]["x-two"]) == ("2", "a, b")
    assert said["scope"]["client"] == ["10.0.0.1", 1]


def test_the_base_url_may_lead_to_a_root_path(app):
    """Its path is the `root_path`; a handler's URL stands below it."""
    with TestClient(app, base_url="https://pies.example:8443/shop/") as client:
        response = client.get("/echo/1")
        assert client.get(app.blog.post, 7).url == "https://pies.example:8443/shop/blog/post/7"
        outside = client.get("https://pies.example:8443/echo").json()["scope"]
    said = response.json()["scope"]
    assert (said["path"], said["root_path"], said["scheme"]) == ("/shop/echo/1", "/shop", "https")
    assert said["server"] == ["pies.example", 8443]
    assert (outside["path"], outside["root_path"]) == ("/echo", "")


def test_the_base_url_is_one(app):
    """A base URL has a scheme and a host."""
    with pytest.raises(ValueError, match="it is like 'http://localhost'"):
        TestClient(app, base_url="localhost")


def test_another_host(client):
    """A whole URL names its own host."""
    assert client.get("https://other.example/echo").json()["headers"]["host"] == "other.example"


def test_a_nested_handler_is_an_address():
    """Its identities are the first arguments, for WebSockets too."""

    class Posts(Controller):
        async def post(self, user_id: int, id: int):
            return [user_id, id]

        async def ws_live(self, ws, user_id: int):
            await ws.accept()
            await ws.send_json(user_id)

    class Site(App):
        posts = Nested("user_id", Posts())

    site = Site()
    with TestClient(site) as client:
        assert client.get(site.posts.post, 7, 3).json() == [7, 3]
        with client.websocket(site.posts.ws_live, 7) as ws:
            assert ws.receive_json() == 7


def test_a_handler_is_an_address(app, client):
    """A bound method is asked for with its arguments; `params` go to its query."""
    assert client.get(app.blog.post, 7, params={"page": 2}).text == "post 7, page 2"
    assert client.get(app.blog.post, 7).url.path == "/blog/post/7"
    with pytest.raises(TypeError, match="only a handler takes the arguments"):
        client.get("/blog/post", 7)


# -- bodies


def test_json(client):
    """Any value, null too."""
    assert client.post("/json", json={"a": ["é", None]}).json() == [{"a": ["é", None]}]
    assert client.post("/json", json=None).json() == [None]
    headers = {"Content-Type": "application/pie+json"}
    assert client.post("/echo", json=1, headers=headers).json()["headers"]["content-type"] == "application/pie+json"


def test_a_form(client):
    """Lists repeat their name, None is left out, pairs are taken as well."""
    assert client.post("/form", data={"a": [1, "ü"], "b": False, "c": None}).json() == {"a": ["1", "ü"], "b": ["false"]}
    assert client.post("/form", data=[("a", "1"), ("a", "2")]).json() == {"a": ["1", "2"]}


class Kind(Enum):
    FRUIT = "fruit"


WRITTEN = [
    (1e-05, "0.00001"),
    (1e16, "10000000000000000"),
    (-2.5e-7, "-0.00000025"),
    (Decimal("1E+3"), "1000"),
    (Decimal("0.10"), "0.10"),
    (Kind.FRUIT, "fruit"),
    (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (time(3, 4), "03:04:00"),
    (timedelta(days=1, seconds=30), "P1DT30S"),
    (timedelta(seconds=-1.5), "-P0DT1.500000S"),
]


@pytest.mark.parametrize(("value", "text"), [*WRITTEN, (1e300, "1e+300")])
def test_values_are_written_plainly(client, value, text):
    """In the query and in forms: plain numbers unless they are very long, times by ISO 8601."""
    assert client.get("/echo", params={"x": value}).json()["query"] == {"x": [text]}
    assert client.post("/form", data={"x": value}).json() == {"x": [text]}


@pytest.mark.parametrize("value", [value for value, _ in WRITTEN])
def test_values_arrive_as_they_were(value):
    """A handler with the annotation gets what the test has given."""

    class Typed(App):
        async def same(self, x: type(value)):  # type: ignore[valid-type]
            return x == value

    with TestClient(Typed()) as client:
        assert client.get("/same", params={"x": value}).json() is True


@pytest.mark.parametrize("content", [b"body", bytearray(b"body"), memoryview(b"body"), "body"])
def test_content(client, content):
    """Bytes and text go as they are, with their length."""
    said = client.post("/echo", content=content).json()
    assert (said["body"], said["headers"]["content-length"]) == ("body", "4")


def test_no_content(client):
    """A POST says the length of nothing, a GET says nothing."""
    assert client.post("/echo").json()["headers"]["content-length"] == "0"
    assert "content-length" not in client.get("/echo").json()["headers"]


def test_content_that_is_not_whole(app, client, tmp_path):
    """Iterators come in chunks and without a length, files and much else in pieces."""

    async def chunks():
        for chunk in (b"o", b"ne"):
            await asyncio.sleep(0)
            yield chunk

    said = client.post("/echo", content=chunks()).json()
    assert (said["body"], said["headers"]["transfer-encoding"]) == ("one", "chunked")
    assert client.post("/echo", content=iter([b"t", b"wo"])).json()["body"] == "two"
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    said = client.post("/echo", content=file).json()
    assert (len(said["body"]), said["headers"]["content-length"]) == (100_000, "100000")
    assert client.post("/echo", content=b"y" * 200_000).json()["body"] == "y" * 200_000


def test_a_body_has_an_end(tmp_path):
    """The last event says so."""
    events: list[dict[str, Any]] = []

    async def app(scope, receive, send):
        while scope["type"] == "http" and (not events or events[-1]["more_body"]):
            events.append(await receive())
        await plain()(scope, receive, send)

    (tmp_path / "file").write_bytes(b"x" * 70_000)
    with TestClient(app) as client:
        client.post("/", content=tmp_path / "file")
    assert [(len(event["body"]), event["more_body"]) for event in events] == [(65536, True), (4464, True), (0, False)]


def test_a_body_that_nobody_reads(client):
    """The reply comes all the same, and the iterator is let go."""

    async def endless():
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    assert client.request("GET", "/", content=endless()).text == "home"


@pytest.mark.parametrize(
    "options", [{"json": 1, "content": b""}, {"content": b"", "files": {}}, {"json": 1, "data": {}}]
)
def test_one_body(client, options):
    """A request has one body."""
    with pytest.raises(TypeError, match="A request has one body, this one says"):
        client.post("/", **options)


@pytest.mark.parametrize("call", ["get", "post"])
def test_unknown_options(client, call):
    """What no option is called is refused, not ignored; other clients call them otherwise."""
    with pytest.raises(TypeError, match="no option 'body': there are content, cookies, data, files, "):
        getattr(client, call)("/", body=b"text")


@pytest.mark.parametrize("option", ["json", "query"])
def test_unknown_options_of_a_handshake(client, option):
    """A WebSocket has no body."""
    with pytest.raises(TypeError, match="There is no option"), client.websocket("/chat", **{option: 1}):
        pass


def test_content_of_no_kind(client):
    """What is no content is told so."""
    with pytest.raises(TypeError, match="json= takes other values"):
        client.post("/", content=5)


@pytest.mark.parametrize(
    ("file", "received"),
    [
        (b"abc", ["upload", "application/octet-stream", "abc", "none"]),
        ("é", ["upload", "application/octet-stream", "é", "none"]),
        (io.StringIO("abc"), ["upload", "application/octet-stream", "abc", "none"]),
        (io.BytesIO(b"abc"), ["upload", "application/octet-stream", "abc", "none"]),
        (("a.txt", b"abc"), ["a.txt", "text/plain", "abc", "none"]),
        (('é"\r\n.txt', "abc", "image/x-pie"), ['é"\r\n.txt', "image/x-pie", "abc", "none"]),
        (("big", b"x" * 200_000), ["big", "application/octet-stream", "x" * 200_000, "none"]),
    ],
)
def test_an_upload(client, file, received):
    """A file is bytes, text, an open file, or any of them with a name and a type."""
    assert client.post("/upload", files={"file": file}).json() == [received]


def test_the_name_of_an_open_file(client, tmp_path):
    """It is that of its path, whichever kind of path; what has none is called upload."""
    path = tmp_path / "pie.csv"
    path.write_bytes(b"apple")
    with path.open("rb") as opened, path.open("r") as text, open(bytes(path), "rb") as raw:  # noqa: PTH123
        files = [opened, text, raw]
        reply = client.post("/upload", files={"file": files}).json()
    assert reply == [["pie.csv", "text/csv", "apple", "none"]] * 3
    with path.open("rb") as opened, open(opened.fileno(), "rb", closefd=False) as nameless:
        stdin = io.BytesIO(b"in")
        stdin.name = "<stdin>"
        reply = client.post("/upload", files={"file": [nameless, stdin]}).json()
    assert [one[0] for one in reply] == ["upload", "upload"]


def test_uploads_from_paths(client, tmp_path):
    """A path gives its name, and its content piece by piece; a list is several files; fields stand before them."""
    (tmp_path / "pie.txt").write_text("apple" * 20_000)
    files = {"file": [tmp_path / "pie.txt", ("other.bin", tmp_path / "pie.txt")]}
    first, second = client.post("/upload", files=files, data={"note": "hi"}).json()
    assert first == ["pie.txt", "text/plain", "apple" * 20_000, "hi"]
    assert second[:2] == ["other.bin", "application/octet-stream"]
    assert client.post("/upload", files=[("file", b"1"), ("file", b"2")]).json()[1][2] == "2"


def test_a_file_of_no_kind(client):
    """What is no file is told so."""
    with pytest.raises(TypeError, match=r"or \(name, content, type\), not 5"):
        client.post("/upload", files={"file": ("name", 5)})


# -- cookies and sessions


def test_cookies_persist(client):
    """A session lives as long as the client; another client is another visitor."""
    assert [client.get("/visit").json() for _ in range(3)] == [1, 2, 3]
    assert list(client.cookies) == ["session_id"]


def test_several_clients_are_several_visitors(app):
    """They share the application, which the first one starts and stops."""

    async def visit(client):
        return [(await client.get("/visit")).json() for _ in range(3)]

    async def main():
        async with TestClient(app) as ann, TestClient(app) as bob:
            assert bob.state == {"started": True}
            return await asyncio.gather(visit(ann), visit(bob))

    assert asyncio.run(main()) == [[1, 2, 3]] * 2
    assert app.left == ["started", "stopped"]


def test_clients_that_start_at_the_same_time(app):
    """Whoever comes second waits until the application is started."""

    async def main():
        clients = [TestClient(app) for _ in range(3)]
        for client in await asyncio.gather(*(client.__aenter__() for client in clients)):
            assert (await client.get("/echo")).json()["scope"]["state"] == {"started": True}
        for client in reversed(clients):
            await client.__aexit__(None, None, None)

    asyncio.run(main())
    assert app.left == ["started", "stopped"]


def test_two_blocking_clients(app):
    """Plain code may have several visitors as well."""
    with TestClient(app) as ann, TestClient(app) as bob:
        assert [ann.get("/visit").json(), bob.get("/visit").json(), ann.get("/visit").json()] == [1, 1, 2]


class Board(App):
    """What one visitor says others wait for: in a channel, and in a queue that was made at the start."""

    channels = Channels()

    def __init__(self):
        super().__init__()
        self.startup_handlers.append(self._open)

    async def _open(self):
        self._said: asyncio.Queue[str] = asyncio.Queue(1)

    async def say(self, text):
        await self.channels.publish("board", text)

    async def events(self):
        return self.channels.stream("board")

    async def put(self, text):
        await self._said.put(text)

    async def ws_take(self, ws):
        await ws.accept()
        while True:
            await ws.send(await self._said.get())


def test_blocking_clients_hear_of_each_other():
    """They share one event loop, as visitors of a server do: a stream of one goes on by a request of the other."""
    with TestClient(Board()) as ann, TestClient(ann.app) as bob, bob.stream("GET", "/events") as events:
        ann.post("/say", data={"text": "pie"})
        assert any('"data":"pie"' in line for line in events.iter_lines())


def test_what_the_start_has_made_is_of_all_blocking_clients():
    """Whichever of them waits for it, also when the one that came second has left."""
    with TestClient(Board()) as ann:
        for _ in range(2):
            with TestClient(ann.app) as bob, bob.websocket("/take") as ws:
                for text in ("one", "two"):
                    ann.post("/put", data={"text": text})
                    assert ws.receive_text() == text
        assert ann.post("/put", data={"text": "three"}).status_code == 204


def test_threads_have_event_loops_of_their_own(app):
    """A client in another thread is a visitor as well, though the first one's thread waits."""
    with TestClient(app) as ann:

        def visit():
            with TestClient(app) as bob:
                return bob.get("/visit").json()

        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(visit).result() == 1
        assert ann.get("/visit").json() == 1


class Worker(Service):
    """Answers in the event loop that it was started in."""

    def __init__(self):
        self.starts = self.stops = 0

    async def start(self, app):
        self.starts += 1
        self.asked: asyncio.Queue[asyncio.Future[str]] = asyncio.Queue()
        self.task = asyncio.create_task(self.work())

    async def work(self):
        while True:
            (await self.asked.get()).set_result("worked")

    async def stop(self):
        self.stops += 1
        self.task.cancel()


def working():
    """An application whose handlers need its service."""

    class Site(App):
        worker = Worker()

        def __init__(self):
            super().__init__()
            self.said: asyncio.Queue[str] = asyncio.Queue()

        async def index(self, number: int = 0):
            answer = asyncio.get_running_loop().create_future()
            await self.worker.asked.put(answer)
            await asyncio.sleep(number % 3 / 1000)
            return f"{await answer} {number}"

        def sync(self):
            return "sync"

        async def fail(self):
            await asyncio.sleep(0.001)
            raise LookupError("nobody is there")

        async def say(self, text):
            await self.said.put(text)

        async def ws_hear(self, ws):
            await ws.accept()
            await ws.send_text(await self.said.get())

    return Site()


def in_threads(work, count=8):
    """What each of several threads has, of those that begin at the same moment."""
    barrier = threading.Barrier(count)

    def one(number):
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_threads_share_a_client():
    """At the same time, though one of them alone runs the application; what fails, fails for who has asked."""

    def visit(number):
        for _ in range(5):
            assert shared.get("/", params={"number": number}).text == f"worked {number}"
            assert shared.get("/sync").text == "sync"
            with pytest.raises(LookupError):
                shared.get("/fail")
        return number

    with TestClient(working()) as shared:
        assert in_threads(visit) == list(range(8))


def test_threads_have_clients_of_one_application():
    """The first one starts it, the last one stops it, and one that comes meanwhile starts it again."""
    app = working()

    def visit(number):
        for _ in range(5):
            with TestClient(app) as client:
                assert client.get("/", params={"number": number}).text == f"worked {number}"

    in_threads(visit)
    assert app.worker.starts == app.worker.stops >= 1


def test_threads_whose_application_does_not_start_all_fail(caplog):
    """The first one with the exception, the others with its words; none talks to what was not started."""
    app = App()

    async def fail():
        await asyncio.sleep(0.05)
        raise LookupError("no database")

    app.startup_handlers.append(fail)

    def visit(number):
        with pytest.raises((LookupError, RuntimeError), match="no database"), TestClient(app):
            pass
        return number

    assert in_threads(visit) == list(range(8))
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_a_client_whose_block_is_over_says_so(app):
    """Also a request that nobody waits for leaves nothing open."""
    with TestClient(app) as client:
        pass
    for call in (lambda: client.get("/"), client.session):
        with pytest.raises(RuntimeError, match=r"This client is not started, its block is over"):
            call()


def test_a_thread_waits_for_what_another_one_sends():
    """The one that runs the loop hands it on when it has its reply."""
    with TestClient(working()) as shared:

        def work(number):
            if number:
                return shared.post("/say", data={"text": "Hi"}).status_code
            with shared.websocket("/hear") as ws:
                return ws.receive_text()

        assert in_threads(work, 2) == ["Hi", 204]


def test_the_last_client_stops_the_application():
    """Whoever has started it may leave before."""
    app = working()
    first, second = TestClient(app), TestClient(app)
    first.__enter__()
    left = second.__enter__()
    first.__exit__(None, None, None)
    assert left.get("/").text == "worked 0"
    assert app.worker.stops == 0
    second.__exit__(None, None, None)
    assert app.worker.stops == 1


def test_a_client_that_comes_while_the_application_stops():
    """It waits, and starts it anew."""
    app = working()
    going = asyncio.Event()

    async def stop():
        going.set()
        await asyncio.sleep(0.01)

    app.shutdown_handlers.append(stop)

    async def come():
        await going.wait()
        async with TestClient(app) as client:
            return (await client.get("/")).text

    async def main():
        async with TestClient(app):
            coming = asyncio.create_task(come())
        return await coming

    assert run(main()) == "worked 0"
    assert (app.worker.starts, app.worker.stops) == (2, 2)


def set_cookies(client, *lines, path="/cookie"):
    return client.get(path, params={"line": lines})


def test_the_jar_is_a_mapping(client):
    """Cookies are set and read by name, and sent with those of the request."""
    client.cookies["theme"] = "dark"
    client.cookies.set("only", "there", path="/echo")
    assert client.get("/echo", cookies={"own": "1"}).json()["headers"]["cookie"] == "only=there; theme=dark; own=1"
    assert client.get("/echo").json()["headers"]["cookie"] == "only=there; theme=dark"
    assert client.get("/echo", cookies={"theme": "light"}).json()["headers"]["cookie"] == "only=there; theme=light"
    assert (len(client.cookies), client.cookies["theme"], repr(client.cookies)[:8]) == (2, "dark", "Cookies(")
    del client.cookies["theme"]
    assert "theme" not in client.cookies
    with pytest.raises(KeyError):
        del client.cookies["theme"]


def test_a_reply_sets_cookies(client):
    """`response.cookies` are those that it has set."""
    response = set_cookies(client, "a=1; Path=/", "b = 2 ; Path=/; HttpOnly", "nonsense", "=x", "c=3; Max-Age=0")
    assert response.cookies == {"a": "1", "b": "2"}
    assert client.get("/echo").json()["headers"]["cookie"] == "a=1; b=2"
    assert len(response.headers.get_list("Set-Cookie")) == 5


@pytest.mark.parametrize("line", ["a=; Max-Age=0; Path=/", "a=x; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_is_deleted(client, line):
    """By a Max-Age or an Expires that is over."""
    client.cookies["a"] = "1"
    assert set_cookies(client, line).cookies == {}
    assert "a" not in client.cookies


def test_a_cookie_expires(client, monkeypatch):
    """Max-Age wins over Expires; a cookie is gone when its time is."""
    set_cookies(
        client, "a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=2; Path=/; Max-Age=x; Expires=y"
    )
    assert dict(client.cookies) == {"a": "1", "b": "2"}
    monkeypatch.setattr("time.time", lambda: 5e9)
    assert dict(client.cookies) == {"b": "2"}
    assert client.get("/echo").json()["headers"]["cookie"] == "b=2"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Wed, 09 Jun 2021 10:18:14 GMT", 1623233894),
        ("Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894),  # RFC 850
        ("Wed Jun  9 10:18:14 2021", 1623233894),  # asctime
        ("9 June 2021 10:18:14", 1623233894),
        ("2021 10:18:14 jun 9", 1623233894),
        ("Wed,09/JUN/2021,10:18:14 PST", 1623233894),  # zones do not count
        ("09Jun 2021 10:18:14", None),  # one token is one thing
        ("9th Jun 2021AD 10:18:14.5 GMT", 1623233894),
        ("Wed, 09 Jun 121 10:18:14", None),
        ("Thu, 01 Jan 70 00:00:00 GMT", 0),
        ("Fri, 01 Jan 69 1:2:3", 3124227723),
        ("Mon, 01 Jan 1601 00:00:00 GMT", -11644473600),
        ("Mon, 01 Jan 1600 00:00:00 GMT", None),
        ("31 Feb 2021 10:18:14", None),
        ("32 Jan 2021 10:18:14", None),
        ("9 Jun 2021 24:00:00", None),
        ("9 Jun 2021 10:60:00", None),
        ("9 Jun 2021 10:00:60", None),
        ("9 Jun 2021 10:18", None),
        ("9 Jun 2021 010:18:14", None),
        ("9 Yule 2021 10:18:14", None),
        ("009 Jun 2021 10:18:14", None),
        ("9 Jun 20210 10:18:14", None),
        ("٩ Jun 2021 10:18:14", None),
        ("", None),
    ],
)
def test_the_date_of_a_cookie(client, monkeypatch, text, seconds):
    """An Expires is read by RFC 6265 §5.1.1; what is no date there is ignored."""
    now = 0.0 if seconds is None else seconds - 1.0
    monkeypatch.setattr("time.time", lambda: now)
    set_cookies(client, f"a=1; Path=/; Expires={text}")
    assert dict(client.cookies) == {"a": "1"}
    now = 1e15 if seconds is None else seconds
    assert dict(client.cookies) == ({"a": "1"} if seconds is None else {})


@pytest.mark.parametrize(
    ("attributes", "life"),
    [
        ("Max-Age=60", 60),
        ("Max-Age=5; Max-Age=60", 60),
        ("Max-Age=60; Max-Age=+5", 60),
        ("Max-Age=60; Max-Age=", 60),
        ("Expires=Thu, 01 Jan 1970 00:01:00 GMT; Max-Age=1_0; Expires=soon", 60),
        (f"Max-Age={'9' * 5000}", None),
        ("Max-Age=٩", None),
    ],
)
def test_the_age_of_a_cookie(client, monkeypatch, attributes, life):
    """The last one that can be read counts; what is no plain number can't."""
    now = 0.0
    monkeypatch.setattr("time.time", lambda: now)
    set_cookies(client, f"a=1; Path=/; {attributes}")
    now = 1e10 if life is None else life - 0.5
    assert dict(client.cookies) == {"a": "1"}
    now = 1e10 if life is None else life
    assert dict(client.cookies) == ({"a": "1"} if life is None else {})


@pytest.mark.parametrize(
    ("sent", "value"), [("é".encode(), "é"), ("🥧 %C3%A9".encode(), "🥧 %C3%A9"), (b"\xe9\xff", "\udce9\udcff")]
)
def test_a_cookie_comes_back_byte_by_byte(sent, value):
    """Its value is read as UTF-8, and other bytes are kept as they are."""
    seen: list[bytes] = []

    async def app(scope, receive, send):
        seen.extend(value for name, value in scope.get("headers", ()) if name == b"cookie")
        if scope["type"] == "http":
            await send({**START, "headers": [(b"set-cookie", b"a=" + sent + b"; Path=/")]})
            await send(END)

    with TestClient(app) as client:
        assert client.get("/").cookies == {"a": value}
        client.get("/", cookies={"own": "ü"})
    assert (dict(client.cookies), seen) == ({"a": value}, [b"a=" + sent + "; own=ü".encode()])


def test_a_cookie_of_a_handshake(client):
    """What an accept sets is kept as what a reply sets; the session of a socket goes on."""
    with client.websocket("/session") as ws:
        assert ws.receive_json() is None
    assert list(client.cookies) == ["session_id"]
    with client.websocket("/session") as ws:
        assert ws.receive_json() == "ann"
    assert client.session() == {"user": "ann"}


def test_a_cookie_has_a_place(client):
    """Below its path, and by default below the folder of the URL that set it."""
    set_cookies(client, "a=1; Path=/echo", "b=2; Path=relative", path="/cookie/folder/page")
    assert client.get("/echo/x").json()["headers"]["cookie"] == "a=1"
    assert client.cookies.header("/echoes", {}, secure=False) == ""
    assert client.cookies.header("/cookie/folder", {}, secure=False) == "b=2"


def test_a_secure_cookie(client):
    """It goes over https only."""
    set_cookies(client, "a=1; Path=/; Secure")
    assert "cookie" not in client.get("/echo").json()["headers"]
    assert client.get("https://localhost/echo").json()["headers"]["cookie"] == "a=1"


def test_a_session_to_start_with(client):
    """`session` adds to the visitor's session by the application's own backend, and shows it."""
    assert client.session({"visits": 5, "tags": ["a"]}) == {"visits": 5, "tags": ["a"]}
    assert client.get("/visit").json() == 6
    assert client.session() == {"visits": 6, "tags": ["a"]}
    assert client.app.middlewares == []


def test_a_session_before_all_middleware():
    """No other middleware sees the request that asks for it; others pass."""

    class Closed(HttpMiddleware):
        async def before_request(self, request):
            return {"status_code": 403}

    async def use(client):
        _, refused = await asyncio.gather(client.session({"a": 1}), client.get("/"))
        return refused.status_code, await client.session()

    app = Site()
    app.middlewares.append(Closed())
    assert awaited(app, use) == (403, {"a": 1})


def test_a_session_of_another_application():
    """What is no `App` has no session of ours."""
    with TestClient(plain()) as client, pytest.raises(TypeError, match="works with an App"):
        client.session()


# -- redirects


def test_a_redirect_is_followed_on_demand(client):
    """By request or by client; `history` has the way."""
    assert client.get("/go").headers["location"] == "/echo/there"
    response = client.get("/go", follow_redirects=True)
    assert (response.json()["path"], response.url.path) == (["there"], "/echo/there")
    assert [one.status_code for one in response.history] == [302]


@pytest.mark.parametrize(
    ("method", "status", "then", "body"),
    [
        ("POST", 301, "GET", ""),
        ("POST", 302, "GET", ""),
        ("PUT", 302, "PUT", "x"),
        ("PUT", 303, "GET", ""),
        ("HEAD", 303, "HEAD", ""),
        ("POST", 307, "POST", "x"),
        ("POST", 308, "POST", "x"),
    ],
)
def test_what_a_redirect_makes_of_the_request(app, method, status, then, body):
    """The method and body that RFC 9110 §15.4 leaves."""
    with TestClient(app, follow_redirects=True) as client:
        response = client.request(method, f"/go/{status}", content=b"x")
    assert (response.status_code, response.method) == (200, then)
    assert method == "HEAD" or response.json()["body"] == body


def test_a_redirect_away_is_not_followed(client):
    """Another host is no business of the application's; another scheme is."""
    away = client.get("/go", params={"to": "https://elsewhere.example/"}, follow_redirects=True)
    assert (away.status_code, away.history) == (302, [])
    assert (
        client.get("/go", params={"to": "https://localhost/echo"}, follow_redirects=True).json()["scope"]["scheme"]
        == "https"
    )


def test_redirects_end(client):
    """A loop is an error."""
    with pytest.raises(RuntimeError, match="redirects again and again"):
        client.get("/loop", follow_redirects=True)


def test_an_iterator_gives_its_body_once(client):
    """A redirect that wants it again says so."""
    with pytest.raises(RuntimeError, match="an iterator gives it once"):
        client.post("/go/307", content=iter([b"x"]), follow_redirects=True)


def test_a_stream_behind_a_redirect(client):
    """It is followed to the stream."""
    with client.stream("GET", "/go?to=/count", follow_redirects=True) as response:
        assert response.read() == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


# -- replies


def test_headers_have_no_case(client):
    """A mapping of names, repeated ones joined."""
    headers = set_cookies(client, "a=1", "b=2").headers
    assert headers["SET-COOKIE"] == "a=1, b=2"
    assert ("Content-Length" in headers, "x-none" in headers, 5 in headers) == (True, False, False)
    assert headers.multi_items()[-1] == ("content-length", "3")
    assert sorted(headers) == ["content-length", "content-type", "set-cookie"]
    assert (len(headers), repr(headers)[:9]) == (3, "Headers([")
    with pytest.raises(KeyError):
        headers["x-none"]


def test_an_error_reply(client):
    """`raise_for_status` tells what was asked and answered."""
    response = client.get("/refuse")
    assert (response.is_error, response.is_client_error, response.is_server_error) == (True, True, False)
    with pytest.raises(
        StatusError, match="GET http://localhost/refuse answered 404 Not Found: 404 Not Found"
    ) as caught:
        response.raise_for_status()
    assert caught.value.response is response
    with client.stream("GET", "/refuse") as response, pytest.raises(StatusError, match="its body was not read"):
        response.raise_for_status()


def test_a_status_without_a_phrase():
    """What no standard names has no phrase."""
    with TestClient(plain({**START, "status": 599}, END)) as client:
        assert client.get("/").status_line == "599"


def test_the_text_has_the_charset_that_it_names(client):
    """Quoted ones too; UTF-8 for what nobody knows."""
    assert (client.get("/latin").text, client.get("/latin").encoding) == ("é", "iso8859-1")
    assert client.get("/pieces").encoding == "utf-8"


def test_a_whole_reply_has_its_chunks(client):
    """It can be read like a stream, again and again."""
    response = client.get("/pieces")
    assert list(response.iter_bytes()) == [b"one\r", b"\ntw", b"\xc3", b"\xb6\rthree\n", b"four"]
    assert list(response.iter_text()) == ["one\r", "\ntw", "ö\rthree\n", "four"]
    assert list(response.iter_lines()) == list(response.iter_lines()) == ["one", "twö", "three", "four"]


def test_lines_and_text_end_as_they_may():
    """A carriage return at the end is a line's, a broken character is replaced."""
    bodies = [{**END, "body": body, "more_body": True} for body in (b"a\n", b"b\r", b"c\r")]
    with TestClient(plain(START, *bodies, END)) as client:
        assert list(client.get("/").iter_lines()) == ["a", "b", "c"]
    with TestClient(plain(START, {**END, "body": b"a\xc3"})) as client:
        assert list(client.get("/").iter_text()) == ["a", "\ufffd"]


# -- streams


def test_a_stream_is_read_while_it_is_made(app):
    """Three events of many: leaving tells the application, and waits for its end."""

    async def use(client):
        seen = []
        async with client.stream("GET", "/count/1000000/0.001") as response:
            async for line in response.aiter_lines():
                seen.append(line)
                if len(seen) == 5:
                    break
            assert app.left == ["started"]
        return seen, list(app.left)

    assert awaited(app, use) == (["data: 0", "", "data: 1", "", "data: 2"], ["started", "closed"])


def test_a_stream_in_plain_code(app, client):
    """The same without an event loop of one's own."""
    with client.stream("GET", "/count/1000000/0.001") as response:
        assert next(response.iter_text()) == "data: 0\n\n"
        with pytest.raises(RuntimeError, match="The body is a stream"):
            _ = response.content
    assert app.left == ["started", "closed"]


def test_a_stream_to_its_end(client):
    """Read whole, it has a content."""
    with client.stream("GET", "/count") as response:
        assert response.status_code == 200
        assert len(list(response.iter_bytes())) == 3
        assert response.text.startswith("data: 0")


def test_a_stream_waits_for_its_reader(app, client):
    """The application is only so far ahead of who reads, as with a socket."""
    with client.stream("GET", "/flood") as response:
        chunks = response.iter_bytes()
        for _ in range(10):
            assert len(next(chunks)) == 50_000
        assert app.left.count("sent") < 14
    assert app.left[-1] == "closed"


def test_a_stream_that_is_left_by_an_exception(app, client):
    """The block's exception goes on, the application ends."""
    with pytest.raises(KeyError), client.stream("GET", "/flood"):
        raise KeyError
    assert app.left[-1] == "closed"


def test_a_response_of_an_event_loop_is_awaited(app):
    """Plain reading says what to do instead."""

    async def use(client):
        async with client.stream("GET", "/count") as response:
            with pytest.raises(RuntimeError, match="use aread, aiter_bytes"):
                response.read()
            return await response.aread()

    assert awaited(app, use).startswith(b"data: 0")


def test_an_endless_reply_is_no_whole_one(client):
    """It takes too long, and the error says how to read it."""
    with pytest.raises(TimeoutError, match=r"did not end \(client.stream\(\) reads an endless reply\) within 0.05 s"):
        client.get("/count/1000000/0.01", timeout=0.05)


def test_time_is_limited(app):
    """By request and by client; the handler is cancelled."""
    with TestClient(app, timeout=0.05) as client:
        with pytest.raises(TimeoutError, match="GET '/hang' did not end"):
            client.get("/hang")
        with pytest.raises(TimeoutError, match="was not answered"), client.stream("GET", "/hang"):
            pass
        with client.stream("GET", "/count/9/60") as response:
            chunks = response.iter_text()
            assert next(chunks) == "data: 0\n\n"
            with pytest.raises(TimeoutError, match=r"sent nothing more within 0.05 s"):
                next(chunks)
        assert client.get("/", timeout=None).text == "home"


def test_a_caller_that_gives_up_takes_the_application_along(app):
    """A request that is cancelled leaves no task."""

    async def use(client):
        before = asyncio.all_tasks()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.get("/hang")
        return asyncio.all_tasks() == before

    assert awaited(app, use)


# -- exceptions


def test_what_a_handler_raises_is_raised(client, caplog):
    """The exception itself, though the application has answered 500; the log has it too."""
    with pytest.raises(BrokeOffError, match="here") as caught:
        client.get("/boom")
    assert caught.traceback[-1].name == "boom"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    with pytest.raises(BrokeOffError), client.stream("GET", "/boom"):
        pass
    assert client.get("/refuse").status_code == 404


def test_or_answered(app):
    """With `raise_exceptions=False` it is the 500 that a client sees."""
    with TestClient(app, raise_exceptions=False) as client:
        response = client.get("/boom")
        assert (response.status_code, response.text) == (500, "500 Internal Server Error")
        assert response.is_server_error
        with client.stream("GET", "/boom") as response:
            assert response.status_code == 500


def test_each_client_as_it_wants(app):
    """One raises, the other at the same time does not."""
    with TestClient(app) as raising, TestClient(app, raise_exceptions=False) as answered:
        assert answered.get("/boom").status_code == 500
        with pytest.raises(BrokeOffError):
            raising.get("/boom")


def test_a_missing_package_is_raised(client):
    """It has no traceback in the log, and is found all the same."""
    with pytest.raises(MissingDependency, match="Install it"):
        client.get("/template")


def test_exceptions_at_the_same_time(app):
    """Each request has its own."""

    async def use(client):
        return await asyncio.gather(*(client.get(path) for path in ("/boom", "/", "/boom")), return_exceptions=True)

    first, second, third = awaited(app, use)
    assert [type(first), second.text, type(third)] == [BrokeOffError, "home", BrokeOffError]


def test_other_errors_in_the_log_are_none_of_ours(client):
    """A record outside of a request, or without an exception, changes nothing."""
    logging.getLogger("micropie").error("Outside")

    class Noisy(App):
        async def index(self):
            logging.getLogger("micropie").error("No %(what)s", {"what": "exception"})
            logging.getLogger("micropie").warning("A warning", exc_info=KeyError())
            logging.getLogger("micropie.user").error("Another's", exc_info=KeyError())
            return "fine"

    with TestClient(Noisy()) as noisy:
        assert noisy.get("/").text == "fine"


def test_a_stream_that_breaks(app):
    """Its exception is raised where it is read, or the reply breaks off."""
    with TestClient(app) as client, client.stream("GET", "/broken_stream") as response:
        chunks = response.iter_text()
        assert next(chunks) == "some"
        with pytest.raises(BrokeOffError, match="midway"):
            next(chunks)
    with TestClient(app, raise_exceptions=False) as client, pytest.raises(ConnectionResetError) as caught:
        client.get("/broken_stream")
    assert isinstance(caught.value.__cause__, BrokeOffError)


def test_what_escapes_another_application():
    """It is raised, or the 500 of a server."""

    async def app(scope, receive, send):
        raise BrokeOffError

    with TestClient(app) as client, pytest.raises(BrokeOffError):
        client.get("/")
    with TestClient(app, raise_exceptions=False) as client:
        assert (client.get("/").status_code, client.get("/").text) == (500, "Internal Server Error")
        with client.stream("GET", "/") as response:
            assert response.read() == b"Internal Server Error"


# -- WebSockets


def test_a_websocket(app):
    """Messages of both kinds, in an event loop; leaving closes."""

    async def use(client):
        async with client.websocket("/chat/Ann") as ws:
            await ws.send_text("hi")
            assert await ws.receive_text() == "Ann: hi"
            await ws.send_bytes(b"\x00")
            assert await ws.receive_bytes() == b"\x00"
            await ws.send_json([1])
            assert await ws.receive() == "Ann: [1]"
            assert "gone" not in app.left

    awaited(app, use)
    assert app.left == ["started", "gone", "stopped"]


def test_a_websocket_in_plain_code(app, client):
    """The same without an event loop of one's own; addressed by its handler, with a query, a header and a cookie."""
    with client.websocket(app.ws_chat, "Bob", headers={"X-A": "1"}, cookies={"a": "1"}, timeout=5) as ws:
        ws.send_text("hi")
        assert ws.receive_text() == "Bob: hi"
        ws.send_bytes(b"x")
        assert ws.receive_bytes() == b"x"
        ws.send_json({})
        assert ws.receive() == "Bob: {}"
        ws.close(4000, "bye")
        ws.close()
        assert app.left == ["started", "gone"]
        with pytest.raises(ConnectionClosed):
            ws.send_text("too late")


def test_a_subprotocol(client):
    """What is offered may be chosen; without an offer nothing is."""
    with client.websocket("/chat", subprotocols=["chat", "other"]) as ws:
        assert ws.subprotocol == "chat"
    with client.websocket("/chat") as ws:
        assert (ws.subprotocol, dict(ws.headers)) == (None, {})


def test_the_application_closes(client):
    """The code and the reason are its own; iterating ends there."""
    with client.websocket("/json") as ws:
        ws.send_json({"a": 1})
        assert ws.receive_json() == {"got": {"a": 1}}
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "enough")
    with client.websocket("/json") as ws:
        ws.send_json(2)
        assert list(ws) == ['{"got":2}']


def test_messages_are_iterated_in_an_event_loop(app):
    """`async for` ends when the application closes."""

    async def use(client):
        async with client.websocket("/json") as ws:
            await ws.send_json(2)
            return [message async for message in ws]

    assert awaited(app, use) == ['{"got":2}']


def test_a_message_of_the_other_kind(client):
    """Asking for the wrong one says which one it is."""
    with client.websocket("/chat") as ws:
        ws.send_text("a")
        with pytest.raises(TypeError, match=r"a text message: receive_text\(\) takes it"):
            ws.receive_bytes()
        ws.send_bytes(b"a")
        with pytest.raises(TypeError, match=r"a binary message: receive_bytes\(\) takes it"):
            ws.receive_text()


def test_a_refusal(client):
    """It is an exception with the code and the reason."""
    with pytest.raises(WebSocketRefused, match="refused the WebSocket with 4003") as caught, client.websocket("/no"):
        pass
    assert (caught.value.code, caught.value.reason, caught.value.response) == (4003, "not you", None)


def test_a_refusal_by_a_reply(client):
    """What is refused before a handler runs is a reply, as servers give it."""
    with pytest.raises(WebSocketRefused, match="refused the WebSocket with 404") as caught, client.websocket("/none"):
        pass
    assert caught.value.response is not None
    assert caught.value.response.status_code == 404
    assert "No matching WebSocket route" in caught.value.response.text


def test_what_a_socket_handler_raises(app):
    """It is raised where the client waits, or at the end; or it is the close that a client sees."""
    with TestClient(app) as client:
        with client.websocket("/boom") as ws:
            ws.send_text("a")
            with pytest.raises(BrokeOffError, match="in the socket"):
                ws.receive()
        with pytest.raises(BrokeOffError), client.websocket("/boom") as ws:
            ws.send_text("a")
    with TestClient(app, raise_exceptions=False) as client, client.websocket("/boom") as ws:
        ws.send_text("a")
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert caught.value.code == 1011


def test_a_socket_that_does_not_end(client):
    """The block waits for the application, but not for ever."""
    with (
        pytest.raises(TimeoutError, match=r"The WebSocket at '/deaf' did not end after websocket.disconnect"),
        client.websocket("/deaf", timeout=0.05),
    ):
        pass
    with client.websocket("/deaf", timeout=0.05) as ws, pytest.raises(TimeoutError, match="sent nothing within"):
        ws.receive()


def test_a_socket_knows_the_session(client):
    """Cookies are sent with the handshake."""
    client.session({"name": "Ann"})
    with client.websocket("/chat") as ws:
        ws.send_text("hi")
        assert ws.receive() == "Ann: hi"


# -- lifespan


def test_the_application_is_started_and_stopped(app):
    """Around the block, once."""
    with TestClient(app):
        assert app.left == ["started"]
    assert app.left == ["started", "stopped"]


def test_a_failing_startup_is_raised(app):
    """The exception of the handler; the block does not begin, and the client can be used again."""
    app.startup_handlers.insert(0, lambda: 1 / 0)
    client = TestClient(app)
    with pytest.raises(ZeroDivisionError), client:
        pytest.fail("The block began")
    app.startup_handlers.pop(0)
    with client as blocking:
        assert blocking.get("/").text == "home"


def test_a_failing_startup_is_an_error_in_any_case(app):
    """Without `raise_exceptions` it is what the application has said of it."""
    app.startup_handlers.append(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="division by zero"), TestClient(app, raise_exceptions=False):
        pytest.fail("The block began")


def test_a_failing_shutdown_is_raised(app):
    """Unless the block has raised: that says more."""
    app.shutdown_handlers.append(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError), TestClient(app):
        pass
    with pytest.raises(KeyError), TestClient(app):
        raise KeyError


def test_an_application_without_a_lifespan():
    """It is served without one."""
    for app in (plain(lifespan=False), plain(lifespan=None)):
        with TestClient(app) as client:
            assert client.get("/").status_code == 200


def test_a_client_needs_its_block(app):
    """Outside the application is not started; inside it is, once."""

    async def use():
        await TestClient(app).get("/")

    with pytest.raises(RuntimeError, match="use the client inside `async with"):
        asyncio.run(use())
    client = TestClient(app)
    with client, pytest.raises(RuntimeError, match="This client is in use"), client:
        pass


def test_plain_code_in_an_event_loop(app):
    """It would block the loop that it waits for."""

    async def use():
        with TestClient(app):
            pass

    with pytest.raises(RuntimeError, match="An event loop is running here"):
        asyncio.run(use())


def test_a_blocking_client_in_an_event_loop(client):
    """Its methods say what to take instead; the client can be used afterwards."""

    async def use():
        client.get("/")

    with pytest.raises(RuntimeError, match="An event loop is running here: take `async_client`, or `async with"):
        asyncio.run(use())
    assert client.get("/").text == "home"


def test_plain_code_stays_in_its_thread():
    """A connection that the test has made is the handler's, too; sync handlers are in threads as ever."""
    database = sqlite3.connect(":memory:")

    class Rows(App):
        async def index(self):
            return database.execute("SELECT 41 + 1").fetchone()[0]

        def sync(self):
            return threading.current_thread() is threading.main_thread()

    with contextlib.closing(database), TestClient(Rows()) as client:
        assert client.get("/").json() == 42
        assert client.get("/sync").json() is False


# -- illegal messages

START = {"type": "http.response.start", "status": 200, "headers": []}
END: dict[str, Any] = {"type": "http.response.body", "body": b""}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}


def plain(*messages, lifespan=True, ends=True):
    """An ASGI application that sends these messages, whatever it is asked."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await live(receive, send)
            return
        for message in messages or (START, END):
            await send(message)
        if not ends:
            await receive()
            await receive()

    async def live(receive, send):
        if lifespan is None:
            raise ValueError("no lifespan")
        if lifespan:
            for _ in range(2):
                await send({"type": f"{(await receive())['type']}.complete"})

    return app


def with_headers(*pairs):
    return {**START, "headers": pairs}


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([END], "http.response.body before http.response.start"),
        ([START, START], "http.response.start twice"),
        ([START], "returned before its reply was complete"),
        ([START, END, END], "after the reply's last http.response.body"),
        ([{"type": "http.response.pathsend"}], "where http.response.start is expected"),
        ([START, {}], "where http.response.body is expected"),
        ([{**START, "status": "200"}], "has the status '200': it is an int from 100 to 599"),
        ([{**START, "status": True}], "has the status True"),
        ([{**START, "status": 600}], "has the status 600"),
        ([with_headers((b"a",))], "a header is a pair of bytes"),
        ([with_headers(("a", b"b"))], "a header is a pair of bytes"),
        ([with_headers((b"X-Name", b"b"))], "a name is a token in lower case"),
        ([with_headers((b"a b", b"b"))], "a name is a token in lower case"),
        ([with_headers((b"a", b"b\r\nc: d"))], "CR, LF and NUL would split the header"),
        ([with_headers((b"content-length", b"x"))], "it is one number"),
        ([with_headers((b"content-length", b"1"), (b"content-length", b"1"))], "it is one number"),
        ([{**START, "status": 204, "headers": [(b"content-length", b"0")]}], "which a reply 204 never has"),
        ([START, {**END, "body": "text"}], "body is bytes, more_body is a bool"),
        ([START, {**END, "more_body": 1}], "body is bytes, more_body is a bool"),
        ([{**START, "status": 304}, {**END, "body": b"x"}], "The reply to 304 has no body"),
        ([{**START, "status": 103, "headers": [(b"content-length", b"0")]}], "which a reply 103 never has"),
        ([{**START, "status": 103}, {**END, "body": b"x"}], "The reply to 103 has no body"),
        (
            [with_headers((b"content-length", b"5")), {**END, "body": b"four"}],
            "promises 5 bytes, the application sent 4",
        ),
        (
            [with_headers((b"content-length", b"3")), {**END, "body": b"four"}],
            "promises 3 bytes, the application sent 4",
        ),
    ],
)
@pytest.mark.parametrize("raising", [True, False])
def test_an_illegal_reply(messages, match, raising):
    """The error says what is wrong and what is right, whatever is to be raised else."""
    with TestClient(plain(*messages), raise_exceptions=raising) as client, pytest.raises(ProtocolError, match=match):
        client.get("/")


def test_no_reply_at_all():
    """To return without a word is illegal."""

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise ValueError

    with TestClient(app) as client, pytest.raises(ProtocolError, match="returned and sent no reply"):
        client.get("/")


def test_a_body_for_head():
    """HEAD has none; the length is that of a GET."""
    with TestClient(plain(with_headers((b"content-length", b"4")), {**END, "body": b"four"})) as client:
        assert client.get("/").text == "four"
        with pytest.raises(ProtocolError, match="The reply to HEAD has no body, the application sent 4 bytes"):
            client.head("/")


def test_an_illegal_message_that_the_application_swallows():
    """The violation is found, whatever becomes of the exception."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        with contextlib.suppress(Exception):
            await send({**START, "status": 0})
        await send(START)
        await send(END)

    with TestClient(app) as client, pytest.raises(ProtocolError, match="has the status 0"):
        client.get("/")


def test_an_illegal_reply_of_ours(app):
    """An override that sends nonsense is found out."""

    class Wrong(App):
        async def index(self):
            return "home"

        async def _send_response(self, send, status_code, body, extra_headers=None):
            await super()._send_response(send, status_code, body, extra_headers)
            await send(END)

    with TestClient(Wrong()) as client, pytest.raises(ProtocolError, match="after the reply's last"):
        client.get("/")


def test_an_application_that_cancels_itself():
    """It has no reply, and that is said."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            raise asyncio.CancelledError

    with TestClient(app) as client, pytest.raises(ProtocolError, match="was cancelled before it was done"):
        client.get("/")


def test_a_stream_may_be_left_unfinished():
    """What the application sends to a client that has left is an OSError, and no violation."""
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send(START)
        await send({**END, "more_body": True})
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])
        with pytest.raises(OSError, match="The client has left"):
            await send(END)

    with TestClient(app) as client, client.stream("POST", "/", content=b"x"):
        pass
    assert seen == ["http.request", "http.disconnect"]


async def broken_off(scope, receive, send):
    """Sends until that raises."""
    if scope["type"] == "websocket":
        await send(ACCEPT)
        assert (await receive(), await receive())[1]["type"] == "websocket.disconnect"
        await send({"type": "websocket.send", "text": "late"})
    if scope["type"] == "http":
        await send(START)
        while True:
            await send({**END, "body": b"x", "more_body": True})
            await asyncio.sleep(0)


async def broken_off_in_a_group(scope, receive, send):
    async with asyncio.TaskGroup() as group:
        group.create_task(broken_off(scope, receive, send))


async def broken_off_with_a_word(scope, receive, send):
    try:
        await broken_off(scope, receive, send)
    except OSError:
        raise BrokeOffError  # noqa: B904 - as Starlette does


async def starlette_stream(request):
    async def chunks():
        while True:
            yield b"x"
            await asyncio.sleep(0)

    return StreamingResponse(chunks())


STARLETTE = Starlette(routes=[Route("/", starlette_stream)])


@pytest.mark.parametrize("raising", [True, False])
@pytest.mark.parametrize("app", [broken_off, broken_off_in_a_group, broken_off_with_a_word, STARLETTE])
def test_a_stream_that_is_left_early_ends_without_a_word(app, raising):
    """Servers take no notice of an application that ends because its client has left, and nor does the client."""
    with TestClient(app, raise_exceptions=raising) as client:
        with client.stream("GET", "/") as response:
            assert next(response.iter_bytes()) == b"x"
        assert response.status_code == 200


def test_a_stream_below_ours_that_is_left_early():
    """Nor is there an error where the application is mounted."""

    class Outer(App):
        inner = Mount(broken_off)

    with TestClient(Outer()) as client:
        with client.stream("GET", "/inner") as response:
            assert next(response.iter_bytes()) == b"x"
        assert response.status_code == 200


def test_a_socket_that_sends_when_the_client_has_left():
    """It is left in silence too."""
    with TestClient(broken_off) as client:
        with client.websocket("/") as ws:
            pass
        with pytest.raises(ConnectionClosed):
            ws.send_text("a")


@pytest.mark.parametrize("cause", [None, ValueError()])
def test_what_goes_wrong_when_the_client_has_left(cause):
    """A failure of another kind is raised as ever."""
    if cause is not None:
        cause.__context__ = LookupError()
        cause.__context__.__context__ = cause  # a circle ends

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send(START)
            assert (await receive(), await receive())[1]["type"] == "http.disconnect"
            raise BrokeOffError from cause

    with TestClient(app) as client, pytest.raises(BrokeOffError), client.stream("GET", "/"):
        pass


def test_an_application_that_goes_on_when_the_client_has_left():
    """The block says so, instead of hanging."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send(START)
            await asyncio.sleep(60)

    with (
        TestClient(app, timeout=0.05) as client,
        pytest.raises(TimeoutError, match=r"did not end after http.disconnect"),
        client.stream("GET", "/"),
    ):
        pass


def test_a_receive_that_is_given_up_loses_nothing():
    """An application may cancel one `receive` and call another."""

    async def slowly():
        await asyncio.sleep(0.02)
        yield b"late"

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(receive(), 0.001)
        body = (await receive())["body"]
        await send(START)
        await send({**END, "body": body})

    with TestClient(app) as client:
        assert client.post("/", content=slowly()).text == "late"


def test_an_upload_that_is_given_up():
    """When the application is done, the iterator is no longer waited for."""
    pulled = []

    async def never():
        try:
            await asyncio.sleep(60)
            yield b""
        finally:
            pulled.append("closed")

    async def app(scope, receive, send):
        if scope["type"] == "http":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.001)
            await plain()(scope, receive, send)

    with TestClient(app) as client:
        assert client.post("/", content=never()).text == ""
        assert pulled == ["closed"]


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([{"type": "websocket.send", "text": "a"}], "where websocket.accept or websocket.close is expected"),
        ([ACCEPT, ACCEPT], "where websocket.send or websocket.close is expected"),
        ([ACCEPT], "left the WebSocket open: websocket.close is missing"),
        ([{**ACCEPT, "subprotocol": "x"}], r"has the subprotocol 'x', the client offers \[\]"),
        ([{**ACCEPT, "headers": [(b"sec-websocket-protocol", b"x")]}], "in its key 'subprotocol', not in a header"),
        ([{**ACCEPT, "headers": [("a", "b")]}], "websocket.accept has the header"),
        ([ACCEPT, {"type": "websocket.send"}], "it has either 'text', a str, or 'bytes'"),
        ([ACCEPT, {"type": "websocket.send", "text": "a", "bytes": b"a"}], "it has either 'text', a str, or 'bytes'"),
        ([ACCEPT, {"type": "websocket.send", "text": b"a"}], "it has either 'text', a str, or 'bytes'"),
        ([{**CLOSE, "code": 1006}], "has the code 1006: it is one that may be sent"),
        ([{**CLOSE, "code": "1000"}], "has the code '1000'"),
        ([{**CLOSE, "reason": "x" * 124}], "it is a str of 123 bytes at most"),
        ([CLOSE, CLOSE], "after websocket.close"),
    ],
)
def test_an_illegal_dialogue(messages, match):
    """The error says what is wrong and what is right."""
    with (
        TestClient(plain(*messages)) as client,
        pytest.raises(ProtocolError, match=match),
        client.websocket("/") as ws,
    ):
        ws.receive()


DENIAL = {"type": "websocket.http.response.start", "status": 403, "headers": [(b"set-cookie", b"a=1; Path=/")]}
DENIED: dict[str, Any] = {"type": "websocket.http.response.body", "body": b"no"}


def test_a_denial_response():
    """A handshake may be refused by a whole reply, whose cookies are kept (ASGI, "WebSocket Denial Response")."""
    app = plain(DENIAL, {**DENIED, "more_body": True}, {**DENIED, "body": b"body"})
    with TestClient(app) as client:
        with pytest.raises(WebSocketRefused, match=r"with 403 Forbidden$") as refused, client.websocket("/x"):
            pass
        response = refused.value.response
        assert response is not None
        assert (response.status_code, response.text, response.read()) == (403, "nobody", b"nobody")
        assert (response.method, response.url, response.cookies) == ("GET", "http://localhost/x", {"a": "1"})
        assert (refused.value.code, refused.value.reason, dict(client.cookies)) == (1006, "", {"a": "1"})


def test_a_denial_response_of_another_framework():
    """It is offered in the scope, so that what Starlette raises is a reply."""

    async def refuse(websocket):
        raise HTTPException(401, "Log in first")

    async def ask():
        async with TestClient(Starlette(routes=[WebSocketRoute("/", refuse)])) as client:
            with pytest.raises(WebSocketRefused) as refused:
                async with client.websocket("/"):
                    pass
            assert refused.value.response is not None
            return refused.value.response.status_code, await refused.value.response.aread()

    assert asyncio.run(ask()) == (401, b"Log in first")


def test_a_refusal_without_a_reply(client):
    """A close has none; a server makes a bare 403 of it."""
    with pytest.raises(WebSocketRefused) as refused, client.websocket("/no"):
        pass
    assert refused.value.response is None


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([DENIED], "where websocket.accept or websocket.close is expected"),
        ([ACCEPT, DENIAL], "where websocket.send or websocket.close is expected"),
        ([DENIAL], "the last body has more_body=False"),
        ([DENIAL, CLOSE], "where websocket.http.response.body is expected"),
        ([DENIAL, DENIAL], "sent websocket.http.response.start twice"),
        ([DENIAL, DENIED, DENIED], "after the last websocket.http.response.body"),
        ([DENIAL, DENIED, CLOSE], "after the last websocket.http.response.body"),
        ([{**DENIAL, "status": 0}], "websocket.http.response.start has the status 0"),
        ([{**DENIAL, "headers": [(b"A", b"b")]}], "websocket.http.response.start has a header named b'A'"),
        ([DENIAL, {**DENIED, "body": "no"}], "body is bytes, more_body is a bool"),
    ],
)
def test_an_illegal_denial_response(messages, match):
    """It is checked as every reply is."""
    with TestClient(plain(*messages)) as client, pytest.raises(ProtocolError, match=match), client.websocket("/") as ws:
        ws.receive()


def test_no_answer_to_a_handshake():
    """To return without a word is illegal."""

    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            raise ValueError

    with (
        TestClient(app) as client,
        pytest.raises(ProtocolError, match="left the WebSocket unanswered"),
        client.websocket("/"),
    ):
        pass


def test_a_socket_handler_that_breaks_before_it_answers():
    """It is raised, or a refusal as servers make it."""

    async def app(scope, receive, send):
        raise BrokeOffError

    with TestClient(app) as client, pytest.raises(BrokeOffError), client.websocket("/"):
        pass
    with TestClient(app, raise_exceptions=False) as client, pytest.raises(WebSocketRefused), client.websocket("/"):
        pass


def test_a_socket_that_the_application_has_left():
    """Nothing can be sent any more, or received."""
    with (
        TestClient(plain(ACCEPT, {"type": "websocket.send", "bytes": b"a"}, CLOSE)) as client,
        client.websocket("/") as ws,
    ):
        assert ws.receive() == b"a"
        with pytest.raises(ConnectionClosed):
            ws.receive()
        with pytest.raises(ConnectionClosed):
            ws.send_text("a")


def test_a_socket_that_the_client_has_left():
    """The application need not close it; it may read the disconnect again and again, and sends an OSError."""
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send(ACCEPT)
        seen.extend([(await receive())["type"] for _ in range(3)])
        with pytest.raises(OSError, match="The client has left"):
            await send(CLOSE)

    with TestClient(app) as client, client.websocket("/"):
        pass
    assert seen == ["websocket.connect", "websocket.disconnect", "websocket.disconnect"]


@pytest.mark.parametrize("answer", ["lifespan.shutdown.complete", "http.response.start"])
def test_an_illegal_lifespan(answer):
    """An application that answers nonsense is taken for one without a lifespan, as servers do."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": answer})
        await plain()(scope, receive, send)

    with TestClient(app) as client:
        assert client.get("/").status_code == 200


def test_an_illegal_shutdown():
    """What answers the startup twice is found out when it stops."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.startup.complete"})

    with (
        pytest.raises(ProtocolError, match=r"where lifespan.shutdown.complete or lifespan.shutdown.failed is expected"),
        TestClient(app),
    ):
        pass


def test_an_answer_without_a_question():
    """An application that speaks before it is spoken to has no lifespan."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})

    with TestClient(app):
        pass


def test_a_failure_without_words():
    """It is an error all the same."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed"})

    with (
        pytest.raises(RuntimeError, match=r"The application answered lifespan.startup with its failure"),
        TestClient(app),
    ):
        pass


def test_a_mounted_application_is_checked_too():
    """What another application sends through ours is what goes out."""

    class Outer(App):
        inner = Mount(plain({**START, "status": 0}))

    with TestClient(Outer()) as client, pytest.raises(ProtocolError, match="has the status 0"):
        client.get("/inner/")


def test_declared_verbs(app):
    """A method that a handler does not answer is a 405, as everywhere."""

    class Verbs(App):
        @methods("POST")
        async def save(self, text):
            return text

    verbs = Verbs()
    with TestClient(verbs) as client:
        assert client.post(verbs.save, data={"text": "pie"}).text == "pie"
        assert client.get(verbs.save).status_code == 405


# -- pytest

PLUGGED = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # with pytest-asyncio
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def test_the_guide(tmp_path: Path):
    """Every test in docs/testing.md passes under pytest, as it stands there."""
    guide = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    blocks = guide.split("```python\n")[1:]
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(block.partition("```")[0], encoding="utf-8")
    command = [*PYTEST, "--asyncio-mode=auto", "."]
    done = subprocess.run(command, cwd=tmp_path, env=PLUGGED, capture_output=True, text=True, check=False)
    tests = guide.count("\ndef test_") + guide.count("\nasync def test_")
    assert (len(blocks), f"{tests} passed" in done.stdout) == (10, True), done.stdout + done.stderr


def run_pytest(folder: Path, tests: str, *options: str) -> str:
    """The output of pytest for a file of tests with a fixture `app`, whose `left` is at hand as well."""
    head = """
        import pytest
        from micropie import App

        class Site(App):
            async def index(self):
                return "home"

        site = Site()
        log = []
        site.startup_handlers.append(lambda: log.append("started"))
        site.shutdown_handlers.append(lambda: log.append("stopped"))

        @pytest.fixture
        def app():
            return site

    """
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (folder / "test_site.py").write_text(textwrap.dedent(head) + textwrap.dedent(tests))
    command = [*PYTEST, *options, "test_site.py"]
    return subprocess.run(command, cwd=folder, env=PLUGGED, capture_output=True, text=True, check=False).stdout


ASYNC_TESTS = """
        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        async def test_home(async_client):
            assert log == ["started"]
            assert (await async_client.get("/")).text == "home"

        def test_end():
            assert log == ["started", "stopped"]
    """
STRICT = "asyncio_default_fixture_loop_scope=function"  # it warns where that is not said


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("pytest.mark.asyncio", ("-o", STRICT)),
        ("pytest.mark.asyncio", ("-o", STRICT, "-p", "no:anyio")),
        ("pytest.mark.filterwarnings('error')", ("-o", STRICT, "--asyncio-mode=auto")),
        ("pytest.mark.anyio", ("-o", STRICT)),
        ("pytest.mark.anyio", ("-p", "no:asyncio")),
    ],
)
def test_the_fixture_for_async_tests(tmp_path: Path, mark: str, options: tuple[str, ...]):
    """`async_client` is in the loop of the test, by pytest-asyncio in each of its modes, and by AnyIO's plug-in."""
    output = run_pytest(tmp_path, ASYNC_TESTS.replace("async def", f"@{mark}\n        async def"), *options)
    assert "2 passed" in output, output


def test_the_fixture_for_async_tests_without_a_plug_in(tmp_path: Path):
    """One line says what to install."""
    output = run_pytest(tmp_path, ASYNC_TESTS, "-p", "no:asyncio", "-p", "no:anyio")
    assert "\n`async_client` needs a plug-in for async tests: pip install pytest-asyncio\n" in output, output


def test_the_fixture_for_plain_tests_in_an_async_one(tmp_path: Path):
    """One line says which fixture it takes; another fixture may use it all the same."""
    tests = """
        @pytest.fixture
        def page(client):
            return client.get("/").text

        @pytest.mark.asyncio
        async def test_home(client):
            pass

        @pytest.mark.asyncio
        async def test_page(page):
            assert page == "home"
    """
    output = run_pytest(tmp_path, tests, "-o", STRICT)
    assert "\ntest_home is async: it takes `async_client`, `client` is for plain tests\n" in output, output
    assert "1 passed, 1 error" in output, output


def test_the_fixture(tmp_path: Path):
    """`client` is made of the test's own `app`, for each test anew; nothing of ours is imported before."""
    (tmp_path / "test_site.py").write_text(
        textwrap.dedent("""
            import sys
            import pytest

            early = "micropie" in sys.modules

            @pytest.fixture
            def app():
                from micropie import App

                class Site(App):
                    async def index(self):
                        self.request.session["n"] = self.request.session.get("n", 0) + 1
                        return self.request.session["n"]

                return Site()

            @pytest.mark.parametrize("_time", [1, 2])
            def test_index(client, _time):
                assert client.get("/").json() == 1

            def test_early():
                assert not early
        """)
    )
    done = subprocess.run([*PYTEST, "test_site.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


class Judging(App):
    """Handlers that end the test in which they are called."""

    async def index(self):
        pytest.fail("not to be called")

    def plain(self):
        pytest.fail("not to be called")

    async def streamed(self):
        yield "a"
        pytest.fail("not to be called")

    async def ws_socket(self, ws):
        await ws.accept()
        pytest.fail("not to be called")


@pytest.mark.parametrize("raising", [True, False])
@pytest.mark.parametrize("path", ["/", "/plain", "/streamed"])
def test_the_outcome_of_a_test_is_raised(path, raising):
    """What `pytest.fail()` raises in a handler is no `Exception`, and never a reply."""
    with TestClient(Judging(), raise_exceptions=raising) as client, pytest.raises(pytest.fail.Exception, match="not"):
        client.get(path)


def test_the_outcome_of_a_test_is_raised_from_a_socket():
    """The client that waits for a message gets it, once."""
    with TestClient(Judging()) as client, client.websocket("/socket") as ws:
        with pytest.raises(pytest.fail.Exception, match="not to be called"):
            ws.receive()
        with pytest.raises(ConnectionClosed):
            ws.receive()


def test_the_outcome_of_a_test_is_raised_from_the_start():
    """Of an application without a lifespan that refuses to be asked for one, too."""

    async def refusing(scope, receive, send):
        pytest.fail(f"asked for its {scope['type']}")

    with pytest.raises(pytest.fail.Exception, match="asked for its lifespan"), TestClient(refusing):
        raise AssertionError("it has started")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_ends_the_call(kind):
    """Ctrl-C while a handler runs comes out of the client."""

    async def ending(scope, receive, send):
        if scope["type"] == "http":
            raise kind

    with TestClient(ending) as client, pytest.raises(kind):
        client.get("/")
