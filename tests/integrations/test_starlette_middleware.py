"""Starlette's middleware around an application."""

import asyncio
import gzip
from typing import Any

import pytest
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from micropie import App
from tests.integrations.client import client, get, request
from tests.wire import websocket

ORIGIN = {"origin": "https://front.example"}


class Site(App):
    def __init__(self):
        super().__init__()
        self.calls = 0

    async def index(self):
        self.calls += 1
        return "home"

    async def large(self):
        return {"text": "é" * 10_000}

    async def stream(self):
        async def chunks():
            for number in range(100):
                yield f"chunk {number}\n"

        return chunks()

    async def nothing(self):
        return 204, ""

    async def varied(self):
        return 200, "varied", [("Vary", "Accept-Language")]

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return {"visits": self.request.session["visits"]}

    async def greet(self, name="nobody"):
        return f"Hello, {name}!"

    async def login(self, who):
        self.request.session["name"] = who
        return "logged in"

    async def replace(self):
        self.request.session = {"name": "someone else"}
        return "replaced"

    async def logout(self):
        self.request.session.clear()
        return "logged out"

    async def stream_visit(self):
        self.request.session["name"] = "streamer"
        return iter(["one", "two"])

    async def broken(self):
        raise ZeroDivisionError

    async def ws_name(self, ws, name="nobody"):
        await ws.accept()
        await ws.send_text(name)


# CORS


@pytest.fixture
def cors() -> Any:
    """Open to one origin, with credentials."""
    return CORSMiddleware(
        Site(), allow_origins=[ORIGIN["origin"]], allow_methods=["GET", "PUT"], allow_credentials=True
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/large", 200), ("/stream", 200), ("/nothing", 204), ("/absent", 404), ("/broken", 500)],
)
def test_cors_opens_every_reply(cors, path, status):
    """Replies of every kind, errors too, may be read by the origin allowed."""
    reply = get(cors, path, headers=ORIGIN)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, ORIGIN["origin"])
    assert reply.headers["access-control-allow-credentials"] == "true"


def test_cors_keeps_other_origins_out(cors):
    """Another origin gets the reply without the permission."""
    assert "access-control-allow-origin" not in get(cors, "/", headers={"origin": "https://evil.example"}).headers


def test_cors_answers_the_preflight_itself(cors):
    """A preflight never reaches the application."""
    asked = {**ORIGIN, "access-control-request-method": "PUT"}
    reply = request(cors, "OPTIONS", "/", headers=asked)
    assert (reply.status_code, reply.headers["access-control-allow-methods"]) == (200, "GET, PUT")
    assert cors.app.calls == 0


@pytest.mark.parametrize(
    ("path", "names"), [("/", {"origin"}), ("/varied", {"accept-language", "origin"}), ("/visit", {"cookie", "origin"})]
)
def test_cors_adds_to_vary(cors, path, names):
    """What the application says of caches stays beside what CORS says."""
    assert varies(get(cors, path, headers=ORIGIN)) == names


# GZip


@pytest.fixture
def gzipped() -> Any:
    """Compresses what is larger than 500 bytes."""
    return GZipMiddleware(Site(), minimum_size=500)


def test_gzip_compresses_a_large_reply(gzipped):
    """The content is the same, the length is the compressed one, and caches know."""
    reply = get(gzipped, "/large")
    assert (reply.headers["content-encoding"], reply.json()) == ("gzip", {"text": "é" * 10_000})
    assert int(reply.headers["content-length"]) < 1000
    assert varies(reply) == {"accept-encoding"}


def test_gzip_leaves_a_small_reply(gzipped):
    """A small reply goes out as it is, with its own length."""
    reply = get(gzipped, "/")
    assert (reply.text, reply.headers["content-length"]) == ("home", "4")
    assert "content-encoding" not in reply.headers


def test_gzip_compresses_a_stream(gzipped):
    """A stream is compressed chunk by chunk and is whole."""
    reply = get(gzipped, "/stream")
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.text == "".join(f"chunk {number}\n" for number in range(100))
    assert "content-length" not in reply.headers


def test_gzip_only_for_clients_that_take_it(gzipped):
    """Without Accept-Encoding the reply is plain."""
    reply = get(gzipped, "/large", headers={"accept-encoding": "identity"})
    assert (reply.json(), "content-encoding" in reply.headers) == ({"text": "é" * 10_000}, False)


def test_gzip_and_a_reply_without_body(gzipped):
    """204 stays empty."""
    reply = get(gzipped, "/nothing")
    assert (reply.status_code, reply.content, "content-encoding" in reply.headers) == (204, b"", False)


def test_gzip_and_a_body_compressed_by_the_application():
    """What is compressed already is not compressed again."""

    class Compressed(App):
        async def index(self):
            return 200, gzip.compress(b"x" * 1000, 0), [("Content-Encoding", "gzip")]

    assert get(GZipMiddleware(Compressed(), minimum_size=100), "/").content == b"x" * 1000


@pytest.mark.parametrize("path", ["/", "/large", "/stream", "/absent", "/nothing"])
def test_what_a_middleware_does_to_the_headers_stays_there(path):
    """Starlette changes the list of headers in place; the next reply, outside that middleware, has a fresh one."""
    app = Site()
    before = get(app, path).headers
    around: Any = GZipMiddleware(SessionMiddleware(app, secret_key="not a secret"), minimum_size=1)
    assert get(CORSMiddleware(around, allow_origins=["*"]), path, headers=ORIGIN).headers != before
    assert get(app, path).headers == before


# TrustedHost


@pytest.fixture
def guarded() -> Any:
    """Known by one name."""
    return TrustedHostMiddleware(Site(), allowed_hosts=["site.example"])


def test_trusted_host_lets_its_own_name_in(guarded):
    """A request to the known name is answered."""
    assert get(guarded, "/", headers={"host": "site.example:8000"}).text == "home"


def test_trusted_host_turns_others_away(guarded):
    """A request to another name never reaches the application."""
    reply = get(guarded, "/", headers={"host": "evil.example"})
    assert (reply.status_code, reply.text, guarded.app.calls) == (400, "Invalid host header", 0)


# Sessions


@pytest.fixture
def sessions() -> Any:
    """Starlette's signed-cookie session around the application."""
    return SessionMiddleware(Site(), secret_key="not a secret")


def visits(app: Any, *paths: str, cookies: dict[str, str] | None = None) -> list[Any]:
    """Give the replies to several requests of one visitor."""

    async def main() -> list[Any]:
        async with client(app) as http:
            http.cookies.update(cookies or {})
            return [await http.get(path) for path in paths]

    return asyncio.run(main())


def test_a_session_of_starlettes_is_ours(sessions):
    """What a handler writes is saved by the middleware, under its cookie alone."""
    first, second, third = visits(sessions, "/visit", "/visit", "/visit")
    assert [first.json(), second.json(), third.json()] == [{"visits": 1}, {"visits": 2}, {"visits": 3}]
    assert list(first.cookies) == ["session"]


def test_a_session_of_starlettes_is_not_saved_by_us(sessions):
    """A cookie of ours that the client still has changes nothing: no cookie of ours is set."""
    first, second = visits(sessions, "/visit", "/visit", cookies={"session_id": "0123456789abcdef0123456789abcdef"})
    assert (list(first.cookies), list(second.cookies)) == (["session"], ["session"])
    assert second.json() == {"visits": 2}


def test_a_session_of_starlettes_is_untouched_by_a_stranger(sessions):
    """A handler that does not use the session sets no cookie."""
    assert "set-cookie" not in get(sessions, "/").headers


def test_a_session_of_starlettes_binds_parameters(sessions):
    """A parameter is found in it by name."""
    assert visits(sessions, "/login/ada", "/greet")[1].text == "Hello, ada!"


def test_a_session_of_starlettes_can_be_replaced(sessions):
    """Assigning a dict to `request.session` is a change that the middleware saves."""
    assert visits(sessions, "/login/ada", "/replace", "/greet")[2].text == "Hello, someone else!"


def test_a_session_of_starlettes_can_be_cleared(sessions):
    """An emptied session makes the middleware expire its cookie."""
    _, left, after = visits(sessions, "/login/ada", "/logout", "/greet")
    assert left.headers["set-cookie"].startswith("session=null; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT")
    assert after.text == "Hello, nobody!"


def test_a_session_of_starlettes_with_a_stream(sessions):
    """A change made before the stream starts is saved."""
    assert [reply.text for reply in visits(sessions, "/stream_visit", "/greet")] == ["onetwo", "Hello, streamer!"]


def test_a_session_of_starlettes_in_a_websocket(sessions):
    """A WebSocket handler sees it too."""
    (reply,) = visits(sessions, "/login/ada")
    assert websocket(sessions, "/name", cookies=dict(reply.cookies)).sent == ["ada"]


# All of them


def test_all_around_one_application():
    """Four middlewares around one application do not get in each other's way."""
    app: Any = SessionMiddleware(Site(), secret_key="not a secret")
    app = GZipMiddleware(app, minimum_size=500)
    app = CORSMiddleware(app, allow_origins=["*"])
    app = TrustedHostMiddleware(app, allowed_hosts=["127.0.0.1"])
    login, large = visits(app, "/login/ada", "/large")
    assert (list(login.cookies), varies(login)) == (["session"], {"cookie", "origin"})
    assert (large.json(), large.headers["content-encoding"]) == ({"text": "é" * 10_000}, "gzip")


def varies(reply: Any) -> set[str]:
    """Give the names in Vary."""
    return {name.strip().lower() for name in reply.headers.get("vary", "").split(",") if name.strip()}
