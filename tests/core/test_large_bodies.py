"""The largest bodies that the defaults allow: they are read in threads of their own, and hold up nobody."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from micropie import App, FromBody, HttpMiddleware, limits
from tests.client import http, run, visitor
from tests.wire import awire, wire

JSON = [("content-type", "application/json"), ("accept", "text/plain")]  # which is told errors in a line
FORM = [("content-type", "application/x-www-form-urlencoded")]
MiB = 1 << 20
BRACKETS = b"[" + (b"[" * 199 + b"]" * 199 + b",") * 40_000 + b"1]"
HELD_UP = 5  # turns that others have, whatever happens: what is on the event loop as a whole leaves them just these
MEMBERS = b"{%b}" % b",".join(b'"%d":[1]' % number for number in range(400_000))


@dataclass
class Point:
    x: int
    y: int


class Site(App):
    async def look(self, name="nothing"):
        return f"{name}"

    async def ask(self):
        return [self.request.form("7"), self.request.form("missing", "none")]

    async def keywords(self, **fields):
        return len(fields)

    async def typed_keywords(self, first: int = 0, **fields: Any):
        return len(fields)

    async def points(self, points: Annotated[list[Point], FromBody()]):
        return len(points)

    async def text(self, text: Annotated[str, FromBody()]):
        return len(text)

    async def fields(self, a="nothing"):
        return len(self.request.body_params)

    async def ws_count(self, ws):
        await ws.accept()
        await ws.send_text(str(len(await ws.receive_json())))

    @limits(max_form_field_size=None, max_form_parts=None, max_body_size=None)
    async def unlimited(self, a="nothing"):
        return len(self.request.body_params)


async def with_ticks(asking):
    """Give the answer that is waited for, and how often another task had its turn meanwhile."""
    ticks = 0

    async def other():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    answer = await asking
    beside.cancel()
    return answer, ticks


@pytest.mark.parametrize(
    ("path", "body", "headers", "answer"),
    [
        ("/look", MEMBERS, JSON, "nothing"),
        ("/ask", MEMBERS, JSON, '["[1]","none"]'),
        ("/look", b"[%b1]" % (b"1," * 7_000_000), JSON, "nothing"),
        ("/points", b"[%b]" % b",".join([b'{"x":1,"y":2}'] * 60_000), JSON, "60000"),
        ("/fields", b"&".join(b"a=%b" % (b"%41" * 9000) for _ in range(150)), FORM, "1"),
        (
            "/look",
            b"&".join(b"a=%b" % (b"%41" * 9000) for _ in range(150)),
            [("content-type", "text/plain")],
            "nothing",
        ),
        ("/fields", b"a=%81" * 200_000, [("content-type", FORM[0][1] + "; charset=cp1252")], "1"),
        ("/text", b"\0\xdc" * (2 * MiB), [("content-type", "text/plain; charset=utf-16")], str(2 * MiB)),
        ("/text", b"\x81" * (2 * MiB), [("content-type", "text/plain; charset=cp1252")], str(2 * MiB)),
    ],
)
def test_others_have_their_turns_while_a_large_body_is_read(path, body, headers, answer):
    """The event loop goes round all the time."""
    result, ticks = run(with_ticks(awire(Site(), "POST", path, body=body, headers=headers, timeout=60)))
    assert (result.status_code, result.text) == (200, answer)
    assert ticks > 2 * HELD_UP  # thousands, but each may wait its turn on a busy machine


def parts(*texts):
    """A multipart form of these fields, named by their numbers, and then by the last one the charset of them all."""
    named = [(b"%d" % number, text) for number, text in enumerate(texts[:-1])] + [(b"_charset_", texts[-1])]
    head = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    return b"".join(head % field for field in named) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("body", "turns"),
    [
        (parts(*[b"\0\xdc" * 500_000] * 4, b"utf-16"), 20),
        (parts(*[b"\xe4" * 1_000_000] * 4, b"shift_jis"), 20),
        (parts(*[b"x"] * 950, b"utf-8"), 5),
    ],
    ids=["late charset", "another", "small parts"],
)
@pytest.mark.parametrize("path", ["/look", "/keywords"])
@pytest.mark.needs("multipart")
def test_others_have_their_turns_while_a_multipart_form_is_read(path, body, turns):
    """Also when all of it is there at once, and its last field says how the others are decoded."""
    headers = [("content-type", "multipart/form-data; boundary=b")]
    result, ticks = run(with_ticks(awire(Site(), "POST", path, body=body, headers=headers, timeout=60)))
    assert result.status_code == 200
    assert ticks > turns


def test_others_have_their_turns_while_a_hook_hands_a_large_body_on():
    """Another application gets the members as texts, which takes its time."""

    async def below(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["body_params"]["7"][0].encode()})

    class Leading(HttpMiddleware):
        async def before_request(self, request):
            request._subapp = below

    app = Site()
    app.middlewares.append(Leading())
    result, ticks = run(with_ticks(awire(app, "POST", "/look", body=MEMBERS, headers=JSON, timeout=60)))
    assert result.text == "[1]"
    assert ticks > 2 * HELD_UP


def test_others_have_their_turns_while_a_large_message_is_read():
    """A WebSocket's JSON is no different."""

    async def counted():
        async with visitor(Site(), timeout=60) as client, client.websocket("/count") as ws:
            await ws.send_text(MEMBERS.decode())
            return await ws.receive_text()

    result, ticks = run(with_ticks(counted()))
    assert result == "400000"
    assert ticks > 2 * HELD_UP


@pytest.mark.parametrize("path", ["/look", "/points", "/keywords"])
def test_millions_of_brackets_are_refused(path):
    """A document of more than half a million lists and objects costs a hundred times its bytes."""
    answer = wire(Site(), "POST", path, body=BRACKETS, headers=JSON, timeout=60)
    assert (answer.status_code, answer.text) == (413, "413 Payload Too Large")


@pytest.mark.parametrize("path", ["/missing", "/_private"])
def test_no_route_reads_no_body(path):
    """Nothing is done with a body that is for nobody."""
    assert wire(Site(), "POST", path, body=iter([b"x"]), headers=JSON, disconnect=True).status_code == 404


@pytest.mark.parametrize("path", ["/keywords", "/typed_keywords"])
@pytest.mark.parametrize(("number", "status"), [(1000, 200), (1001, 413), (200_000, 413)])
def test_keyword_arguments_are_at_most_a_thousand(path, number, status):
    """As many members of a JSON object as a form or a query may have fields."""
    body = {f"k{index}": index for index in range(number)}
    answer = http(Site(), "POST", path, json=body)
    assert (answer.status_code, answer.text) == (status, "1000" if status == 200 else "413 Payload Too Large")


def test_none_is_no_limit():
    """More and longer fields than the defaults allow, where a handler says so."""
    body = b"&".join([b"x=1"] * 2000 + [b"a=" + b"y" * (17 * MiB)])
    assert wire(Site(), "POST", "/unlimited", body=body, headers=FORM, timeout=60).text == "2"


@pytest.mark.needs("multipart")
def test_none_is_no_limit_of_an_upload():
    """Nor of its texts, their number, or its time."""

    class Open(App):
        async def index(self):
            return sum(map(len, self.request.body_params["a"]))

    head = b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\n"
    body = head + b"x" * (2 * MiB) + b"\r\n" + (head + b"y\r\n") * 1500 + b"--B--"
    app = Open(
        max_body_size=None, max_form_field_size=None, max_form_parts=None, max_upload_size=None, body_timeout=None
    )

    async def slowly():
        yield body[:1000]
        await asyncio.sleep(0.01)
        yield body[1000:]

    headers = [("content-type", "multipart/form-data; boundary=B")]
    assert wire(app, "POST", body=slowly(), headers=headers).text == str(2 * MiB + 1500)


@pytest.mark.parametrize("size", [2_000, 40_000])
def test_large_bodies_do_not_wait_for_sync_handlers(size):
    """An async handler is served while every thread for sync handlers is busy."""

    class Busy(App):
        def block(self):
            started.set()
            return str(release.wait(20))

        async def points(self, points: Annotated[list[Point], FromBody()]):
            return len(points)

    async def main():
        app = Busy(sync_threads=1)
        blocked = asyncio.create_task(awire(app, path="/block"))
        await asyncio.to_thread(started.wait)
        body = b"[%b]" % b",".join([b'{"x":1,"y":2}'] * size)
        answer = await awire(app, "POST", "/points", body=body, headers=JSON)
        assert not blocked.done()
        release.set()
        return answer.text, (await blocked).text

    started, release = threading.Event(), threading.Event()
    assert run(main()) == (str(size), "True")


@pytest.mark.parametrize("size", [1_000, 20_000])
def test_large_bodies_are_read_without_threads_for_sync_handlers(size):
    """`sync_threads=0` is no thread at all."""
    body = b"[%b]" % b",".join([b'{"x":1,"y":2}'] * size)
    assert wire(Site(sync_threads=0), "POST", "/points", body=body, headers=JSON).text == str(size)
