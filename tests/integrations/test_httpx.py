"""httpx's own ASGI transport: sessions, streams, uploads, errors."""

import asyncio
import logging

import httpx
import pytest

from micropie import App
from tests.integrations.client import client, get, request


class BrokeOffError(Exception):
    """What the broken stream of these tests raises."""


class Site(App):
    async def index(self):
        return "home"

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return {"visits": self.request.session["visits"]}

    async def leave(self):
        self.request.session.clear()
        return self._redirect("/visit")

    async def add(self, a, b):
        return {"sum": int(a) + int(b)}

    async def upload(self, file, note="none"):
        size = 0
        while (chunk := await file["content"].get()) is not None:
            size += len(chunk)
        return {"filename": file["filename"], "type": file["content_type"], "size": size, "note": note}

    async def two(self, first, second):
        return {"first": await drain(first), "second": await drain(second)}

    async def ignore(self):
        return "ignored"

    async def raw(self):
        return {"size": len(self.request.body)}

    async def stream(self, count):
        async def chunks():
            for number in range(int(count)):
                await asyncio.sleep(0)
                yield f"{number},"

        return chunks()

    def sync_stream(self, count):
        yield from (f"{number}," for number in range(int(count)))

    def sync(self):
        return "from a thread"

    async def broken(self):
        raise ZeroDivisionError

    async def broken_stream(self):
        async def chunks():
            yield "a little"
            raise BrokeOffError

        return chunks()


async def drain(file):
    """Read a file as the README shows it."""
    content = b""
    while (chunk := await file["content"].get()) is not None:
        content += chunk
    return content.decode()


def several(app, *paths, base_url="http://127.0.0.1", **options):
    """Give the replies to several requests with one cookie jar."""

    async def main():
        async with client(app, base_url) as http:
            return [await http.get(path, **options) for path in paths]

    return asyncio.run(main())


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000", "http://localhost", "https://site.example"])
def test_a_session(base_url):
    """The cookie comes back in development and over TLS."""
    replies = several(Site(), "/visit", "/visit", "/visit", base_url=base_url)
    assert [reply.json()["visits"] for reply in replies] == [1, 2, 3]


def test_no_session_in_the_clear():
    """Over plain HTTP to another name the cookie is Secure, and a client keeps it to itself."""
    replies = several(Site(), "/visit", "/visit", base_url="http://site.example")
    assert [reply.json()["visits"] for reply in replies] == [1, 1]
    assert "Secure" in replies[0].headers["set-cookie"]


def test_a_session_ends():
    """An emptied session expires its cookie on the way of a redirect."""
    _, left, after = several(Site(), "/visit", "/leave", "/visit")
    assert (left.status_code, left.headers["location"], after.json()) == (302, "/visit", {"visits": 1})
    assert left.cookies.get("session_id") is None


def test_a_redirect_is_followed():
    """httpx follows a redirect of ours."""
    _, after = several(Site(), "/visit", "/leave", follow_redirects=True)
    assert (after.url.path, after.json()) == ("/visit", {"visits": 1})


def test_visitors_are_strangers():
    """Two clients have two sessions, though their requests run at the same time."""

    async def main():
        app = Site()

        async def visitor():
            async with client(app) as http:
                return [(await http.get("/visit")).json()["visits"] for _ in range(5)]

        return await asyncio.gather(*(visitor() for _ in range(10)))

    assert asyncio.run(main()) == [[1, 2, 3, 4, 5]] * 10


@pytest.mark.parametrize("path", ["/stream", "/sync_stream"])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_a_stream(path, count):
    """A stream arrives whole and ends, though the transport never disconnects."""
    assert get(Site(), f"{path}/{count}").text == "".join(f"{number}," for number in range(count))


def test_a_broken_stream_is_visible(caplog):
    """A stream that raises is no whole reply; it is logged once."""
    with pytest.raises(BrokeOffError):
        get(Site(), "/broken_stream")
    assert [(record.name, record.levelno) for record in caplog.records] == [("micropie", logging.ERROR)]


def test_a_sync_handler():
    """A sync handler answers from its thread."""
    assert get(Site(), "/sync").text == "from a thread"


def test_an_error_does_not_escape():
    """The transport would raise what escapes the application; nothing does."""
    reply = get(Site(), "/broken")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")


def test_head_of_a_page():
    """HEAD has the length of the GET."""
    reply = request(Site(), "HEAD", "/")
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "4")


@pytest.mark.parametrize(
    "options", [{"data": {"a": "1", "b": "2"}}, {"json": {"a": 1, "b": 2}}, {"params": {"a": "1", "b": "2"}}]
)
def test_parameters(options):
    """httpx's form, JSON and query bind."""
    assert request(Site(), "POST", "/add", **options).json() == {"sum": 3}


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_an_upload(size):
    """httpx's multipart encoding streams into the handler, fields beside it bind."""
    reply = request(
        Site(),
        "POST",
        "/upload",
        files={"file": ('é "x".bin', b"x" * size, "image/x-test")},
        data={"note": "first"},
    )
    assert reply.json() == {"filename": 'é "x".bin', "type": "image/x-test", "size": size, "note": "first"}


def test_two_files():
    """Two files bind, and each is read by itself."""
    reply = request(Site(), "POST", "/two", files=[("first", ("1", b"one")), ("second", ("2", b"two"))])
    assert reply.json() == {"first": "one", "second": "two"}


def test_an_upload_that_nobody_reads():
    """The handler answers all the same."""
    assert request(Site(), "POST", "/ignore", files={"file": b"x" * 1_000_000}).text == "ignored"


def test_a_body_without_a_length():
    """A body that httpx streams has no length, and arrives whole."""

    async def parts():
        for _ in range(100):
            yield b"x" * 1000

    async def main():
        async with client(Site()) as http:
            return await http.post("/raw", content=parts(), headers={"content-type": "application/octet-stream"})

    assert asyncio.run(main()).json() == {"size": 100_000}


def test_the_reply_can_be_read_as_a_stream():
    """httpx's own streaming interface works."""

    async def main():
        async with client(Site()) as http, http.stream("GET", "/stream/3") as reply:
            return [chunk async for chunk in reply.aiter_text()]

    assert "".join(asyncio.run(main())) == "0,1,2,"


def test_a_reply_is_a_proper_one():
    """Status, type and length are as httpx expects them."""
    reply = get(Site(), "/")
    assert isinstance(reply, httpx.Response)
    assert dict(reply.headers) == {"content-type": "text/html; charset=utf-8", "content-length": "4"}
