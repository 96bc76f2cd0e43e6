"""AccessLogMiddleware: what is logged of each request, and that a client can't write into the log."""

import json
import logging
import re
import subprocess
import sys

import pytest

from micropie import App, HttpMiddleware, Mount
from micropie.middleware import AccessLogMiddleware, CompressionMiddleware, ETagMiddleware, RateLimitMiddleware
from micropie.middleware.access_log import cut
from micropie.testing import WebSocketRefused
from tests.client import http, run, visitor

ID = "[0-9a-f]{32}"
AGENT = {"User-Agent": "probe/1"}


class Site(App):
    async def index(self):
        return "welcome"

    async def note(self, number: int):
        return {"number": number}

    async def umlaut(self):
        return "ü"

    async def stream(self):
        async def chunks():
            yield "a"

        return chunks()

    async def nothing(self):
        return None

    async def fails(self):
        raise RuntimeError("no pie")

    async def named(self):
        return 200, "x", {"X-Request-Id": "mine"}

    async def page(self):
        return "x" * 1000

    async def ws_chat(self, ws, room="lobby"):
        await ws.accept()
        await ws.send_text(room)


def site(*behind, **options):
    app = Site()
    app.middlewares += [AccessLogMiddleware(**options), *behind]
    return app


@pytest.fixture
def lines(caplog):
    """The lines of the access log so far, without what differs each time."""
    caplog.set_level(logging.INFO, "micropie.access")

    def read():
        found = [record.getMessage() for record in caplog.records if record.name == "micropie.access"]
        return [re.sub(r"\d+\.\d+ms", "0ms", re.sub(f"id={ID}", "id=ID", line)) for line in found]

    return read


def test_a_line_for_each_request(lines):
    """Who, what, the outcome, how long, and by which route."""
    http(site(), "GET", "/note/7", headers=AGENT)
    assert lines() == ['203.0.113.7 GET "/note/7" 200 12 0ms route=/note/{number} id=ID agent=probe/1']


@pytest.mark.parametrize(
    ("method", "path", "outcome"),
    [
        ("GET", "/", "200 7"),
        ("HEAD", "/", "200 0"),
        ("GET", "/umlaut", "200 2"),
        ("GET", "/stream", "200 -"),
        ("GET", "/nothing", "204 0"),
        ("GET", "/nowhere", "404 13"),
        ("GET", "/note/x", "400 74"),
        ("DELETE", "/%ff", "400 44"),
        ("GET", "/fails", "500 25"),
    ],
)
def test_the_outcome(lines, method, path, outcome):
    """Status, and bytes as far as they are known; errors and failures too."""
    http(site(), method, path, headers=AGENT)
    (line,) = lines()
    assert f'" {outcome} 0ms' in line


def test_what_goes_out_is_logged(lines):
    """Behind whatever other middlewares make of it, though this one is the first."""
    app = site(ETagMiddleware(), CompressionMiddleware(codings=["gzip"]))
    tag = http(app, "GET", "/page", headers={"Accept-Encoding": "gzip"}).headers["etag"]
    http(app, "GET", "/page", headers={"If-None-Match": tag})
    assert [line.split(" ")[3:5] for line in lines()] == [["200", "29"], ["304", "0"]]


def test_refused_requests_are_logged(lines, caplog):
    """Whoever refuses them, wherever in the list."""

    class Closed(HttpMiddleware):
        def before_request(self, request):
            return {"status_code": 503}

    app = Site()
    app.middlewares += [RateLimitMiddleware("1/hour"), Closed(), AccessLogMiddleware()]

    async def main():
        async with visitor(app) as client:
            await client.get("/")
            await client.get("/")

    run(main())
    assert [line.split(" ")[3] for line in lines()] == ["503", "429"]
    assert len({record.request_id for record in caplog.records}) == 2


def test_json_lines(lines, caplog):
    """An object a line, with what is known."""
    http(site(json=True), "GET", "/note/7", headers={**AGENT, "X-Request-ID": "r-1"})
    http(site(json=True), "GET", "/stream")
    first, second = map(json.loads, (record.getMessage() for record in caplog.records))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert isinstance(first.pop("duration_ms"), float)
    assert first == {
        "method": "GET",
        "path": "/note/7",
        "route": "/note/{number}",
        "client": "203.0.113.7",
        "user_agent": "probe/1",
        "request_id": "r-1",
        "status": 200,
        "bytes": 12,
    }
    assert "bytes" not in second


def test_records_have_the_facts(lines, caplog):
    """For those who format them themselves."""
    http(site(), "GET", "/note/7", headers={"X-Request-ID": "r-1"})
    (record,) = caplog.records
    assert (record.status, record.route, record.request_id) == (200, "/note/{number}", "r-1")


def test_the_query_is_left_out(lines):
    """It may have a password or a token in it; who wants it says so."""
    http(site(), "GET", "/note/7", query="token=secret")
    http(site(query=True), "GET", "/note/7", query="token=a%0Ab")
    first, second = lines()
    assert "secret" not in first
    assert '"/note/7?token=a%0Ab"' in second


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("r-1", True),
        ('a"b=c', True),
        ("x" * 200, True),
        ("x" * 201, False),
        ("", False),
        ("a b", False),
        ("a\tb", False),
        ("ä", False),
        ("a,b, c", False),
    ],
)
def test_the_request_id_goes_in_and_out(lines, given, is_kept):
    """One that is plain text is kept, any other replaced; it is in the line and in the reply."""
    reply = http(site(), headers={"X-Request-ID": given})
    request_id = reply.headers["x-request-id"]
    assert (request_id == given) is is_kept
    assert is_kept or re.fullmatch(ID, request_id)
    assert ("id=ID" in lines()[0]) is not is_kept


def test_failures_have_the_id_too(lines, caplog):
    """The record of the failure, the line and the reply go together."""
    reply = http(site(), "GET", "/fails")
    failure, access = caplog.records
    assert failure.request_id == access.request_id == reply.headers["x-request-id"]


def test_a_handlers_own_id_stays(lines):
    """A reply has one."""
    assert http(site(), "GET", "/named").headers.get_list("x-request-id") == ["mine"]


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ('/a%0A203.0.113.9 GET "/admin" 200', r'"/a\n203.0.113.9 GET \"/admin\" 200"'),
        ("/a%0D%0Ab", r'"/a\r\nb"'),
        ("/a%1B[31mred", r'"/a\u001b[31mred"'),
        ("/a%E2%80%AEb", r'"/a\u202eb"'),
        ("/a%E2%80%A8b", r'"/a\u2028b"'),
        ("/a%5Cnb", r'"/a\\nb"'),
    ],
)
def test_a_path_is_one_word(lines, path, logged):
    """Control characters, quotes and what turns a terminal's text around are escaped."""
    http(site(), "GET", path, headers=AGENT)
    (line,) = lines()
    assert line.startswith(f"203.0.113.7 GET {logged} 404 ")
    assert line.isprintable()
    assert line.isascii()


@pytest.mark.parametrize(
    ("agent", "logged"),
    [("Mozilla/5.0 (X11)", '"Mozilla/5.0 (X11)"'), ('a" id=forged', r'"a\" id=forged"'), ("é", r'"\u00e9"')],
)
def test_a_user_agent_is_one_word(lines, agent, logged):
    """Nothing in it looks like another field."""
    http(site(), headers={"User-Agent": agent})
    assert lines()[0].endswith(f"agent={logged}")


def test_what_is_long_is_cut(lines):
    """A line has an end."""
    http(site(), "GET", "/" + "a" * 5000, headers={"User-Agent": "b" * 5000})
    (line,) = lines()
    assert len(line) < 1400
    assert "a" * 999 + r"\u2026" in line
    assert cut("abc", 3) == "abc"


def test_no_client_and_no_agent(lines):
    """Where a server knows none there is a dash."""

    async def main():
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request"}

        await site()({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)

    run(main())
    assert lines() == ['- GET "/" 200 7 0ms route=/ id=ID agent=-']


def test_websockets(lines):
    """A line when one comes, a line when it is closed."""

    async def main():
        async with visitor(site()) as client, client.websocket("/chat/pie", headers=AGENT) as ws:
            assert await ws.receive_text() == "pie"

    run(main())
    assert lines() == [
        '203.0.113.7 WEBSOCKET "/chat/pie" connect 0ms route=- id=ID agent=probe/1',
        '203.0.113.7 WEBSOCKET "/chat/pie" close 0ms route=/chat id=ID agent=probe/1',
    ]


def test_a_refused_handshake(lines):
    """It came, and was closed."""

    async def main():
        async with visitor(site()) as client:
            with pytest.raises(WebSocketRefused):
                async with client.websocket("/nowhere"):
                    pass

    run(main())
    assert [line.split(" ")[3] for line in lines()] == ["connect", "close"]


def test_mounted_applications(lines):
    """Their replies are logged when they start, by their announced length, and have the id."""

    async def foreign(scope, receive, send):
        headers = [(b"content-length", b"2")] if scope["path"].endswith("known") else []
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"ok"})

    async def labelled(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"theirs")]})
        await send({"type": "http.response.body", "body": b"ok"})

    class Outer(App):
        below = Mount(foreign)
        named = Mount(labelled)

    app = Outer()
    app.middlewares.append(AccessLogMiddleware())
    reply = http(app, "GET", "/below/known", headers={"X-Request-ID": "r-1"})
    assert reply.headers["x-request-id"] == "r-1"
    http(app, "GET", "/below/other")
    http(app, "HEAD", "/below/known")
    assert http(app, "GET", "/named/").headers.get_list("x-request-id") == ["theirs"]
    assert [line.split(" ")[2:5] for line in lines()] == [
        ['"/below/known"', "202", "2"],
        ['"/below/other"', "202", "-"],
        ['"/below/known"', "202", "0"],
        ['"/named/"', "200", "-"],
    ]


def test_the_level_counts(caplog):
    """Who wants no lines gets none."""
    app = site()
    caplog.set_level(logging.WARNING, "micropie.access")
    http(app)
    assert caplog.records == []


PROGRAM = """
import asyncio, logging, sys
from micropie import App
from micropie.middleware import AccessLogMiddleware

class Site(App):
    async def index(self):
        return "welcome"

app = Site()
app.middlewares += [AccessLogMiddleware(), AccessLogMiddleware()][:1]
{setting}

async def ignore(message=None):
    return {{"type": "http.request"}}

asyncio.run(app({{"type": "http", "method": "GET", "path": "/", "headers": []}}, ignore, ignore))
"""


@pytest.mark.parametrize(
    ("setting", "count"),
    [
        ("", 1),
        ("logging.basicConfig()", 1),
        ("logging.getLogger('micropie').addHandler(logging.StreamHandler())", 1),
        ("logging.getLogger('micropie.access').addHandler(logging.StreamHandler())", 1),
        ("logging.getLogger('micropie.access').setLevel('WARNING')", 0),
    ],
)
def test_lines_are_seen_once(setting, count):
    """On stderr as long as nobody has said where the log goes, else there."""
    command = [sys.executable, "-c", PROGRAM.format(setting=setting)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.count('GET "/" 200 7') == count
