"""Hostile bodies, JSON and forms: malformed, truncated, oversized, endless, split anywhere, slow, broken off."""

import asyncio
from typing import Any

import pytest

from micropie import App, HttpMiddleware
from tests.client import http, run
from tests.wire import awire, wire

JSON = [("content-type", "application/json"), ("accept", "text/plain")]  # which is told errors in a line
FORM = [("content-type", "application/x-www-form-urlencoded")]
BAD_JSON = "400 Bad Request: Bad JSON"
TOO_LARGE = "413 Payload Too Large"
TOO_SLOW = "408 Request Timeout: Failed to receive body"
LIMIT = 1000


class Site(App):
    """Says what arrived, and how often a handler ran."""

    def __init__(self, **limits):
        super().__init__(**limits)
        self.calls = 0

    async def json(self):
        self.calls += 1
        return {"value": self.request.get_json}

    async def form(self):
        self.calls += 1
        return self.request.body_params

    async def member(self, name):
        return {"name": name}

    async def size(self):
        self.calls += 1
        return len(self.request.body)


def fed(app, messages, *, path="/size", headers=(), method="POST"):
    """Give the statuses and bodies that the app answers when `receive` gives these messages, one after the other.

    A number among the messages is a pause in seconds; an exception is raised. After the last one, nothing comes.
    """

    async def exchange():
        events = iter(messages)
        sent: list[Any] = []

        async def receive():
            for event in events:
                if isinstance(event, float):
                    await asyncio.sleep(event)
                elif isinstance(event, Exception):
                    raise event
                else:
                    return event
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        async with asyncio.timeout(30):
            await app(scope, receive, send)
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        return sent[0]["status"], sent[1]["body"].decode()

    return run(exchange())


def part(body=b"", *, more=True):
    """Give one message of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def endless(piece=b"x" * 100):
    """Send a body that never ends."""
    while True:
        yield piece
        await asyncio.sleep(0)


# JSON.


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"\0",
        b"{",
        b"[1,",
        b'{"a":}',
        b'{"a":1,}',
        b"[1,]",
        b"{a:1}",
        b"{'a':1}",
        b'"',
        b'"\\',
        b'"\\u"',
        b'"\\ud800"',  # half a surrogate pair
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",  # a byte order mark
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        '{"ä":1}'.encode("latin-1"),
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b"nan",
        b"1e400",
        b"-1e400",
        b"9" * 400,
        b"9" * 5000,
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x10",
        b"1 2",
        b"{}{}",
        b"{}x",
        b"tru",
        b"TRUE",
        b"undefined",
        b'"\n"',
        b'"\t"',
        b"/* */{}",
        b"[" * 201 + b"]" * 201,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'[{"a":' * 150 + b"1" + b"}]" * 150,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_400(body):
    """No handler runs for a document that RFC 8259 does not have, or that nests too deep."""
    app = Site()
    answer = wire(app, "POST", "/json", body=body, headers=JSON)
    assert (answer.status_code, answer.text, app.calls) == (400, BAD_JSON, 0)


@pytest.mark.parametrize("depth", [1, 199, 200])
def test_json_may_nest_200_deep(depth):
    """The limit itself is allowed."""
    body = b"[" * depth + b"]" * depth
    assert wire(Site(), "POST", "/json", body=body, headers=JSON).content == b'{"value":' + body + b"}"


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "", "x", [], {}, [None], {"": {"": ""}}, "\0\r\n", "🥧"])
def test_any_json_value_is_a_body(value):
    """Documents need not be objects, and keys need no letters."""
    assert http(Site(), "POST", "/json", json=value).json() == {"value": value}


@pytest.mark.parametrize("value", [None, True, 0, "name", ["name"], [["name", 1]]])
def test_a_body_that_is_no_object_has_no_members(value):
    """A parameter is not looked for in lists, strings and numbers."""
    answer = http(Site(), "POST", "/member", json=value)
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'name'")


DOCUMENT = '{"ä":["🥧","\\u00e4\\ud83e\\udd67",-1.5e3,true,null],"name":"x"}'.encode()


def test_json_is_read_wherever_it_is_split():
    """Two messages that meet inside a character, an escape or a number are one document."""
    for index in range(len(DOCUMENT) + 1):
        answer = wire(Site(), "POST", "/json", body=[DOCUMENT[:index], DOCUMENT[index:]], headers=JSON)
        assert answer.json()["value"]["ä"] == ["🥧", "ä🥧", -1500.0, True, None]


def test_json_is_read_byte_by_byte():
    """Each byte in a message of its own, empty messages in between."""
    pieces = [piece for byte in DOCUMENT for piece in (b"", bytes([byte]), b"")]
    assert wire(Site(), "POST", "/json", body=pieces, headers=JSON).json()["value"]["name"] == "x"


def test_truncated_json_is_400_at_every_byte():
    """A document that ends early is broken, wherever it ends."""
    for index in range(1, len(DOCUMENT)):
        assert wire(Site(), "POST", "/json", body=DOCUMENT[:index], headers=JSON).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/JSON", True),
        (" application/json ", True),
        ("application/json;charset=latin-1", True),
        ("application/json;", True),
        ("application/json; charset", True),
        ('application/json; a="b;c=\\"', True),
        ("application/problem+json", True),
        ("application/+json", True),
        ("text/plain; application/json", False),
        ("text/json", False),
        ("application/jsonx", False),
        ("application/json, text/plain", False),
        ("application/x-json", False),
        ("application/json+x", False),
        (";application/json", False),
        ("", False),
        ("\xff", False),
        (";" * 60_000, False),
        ("a;" + " " * 60_000, False),
        ("a;" + 'b="' * 20_000, False),
        ("a;" + 'b="\\"' * 12_000, False),
        ("a" * 60_000 + "=", False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_only_the_media_type_makes_json(content_type, is_json):
    """Parameters and look-alikes don't decide, and no field takes long to read."""
    answer = http(Site(), "POST", "/json", content=b"[", headers=[("content-type", content_type)])
    assert answer.status_code == (400 if is_json else 200)


# Forms.


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"&", {}),
        (b"=", {}),
        (b"a", {}),
        (b"a=", {}),
        (b"a=1&a=2&b=3", {"a": ["1", "2"], "b": ["3"]}),
        (b"a=\xff%ff%", {"a": ["\ufffd\ufffd%"]}),
        (b"a=%00\0", {"a": ["\0\0"]}),
        (b"a=1;b=2", {"a": ["1;b=2"]}),
        (b"\xef\xbb\xbfa=1", {"\ufeffa": ["1"]}),
        (b"a%3d=1", {"a=": ["1"]}),
        (b"__class__=x&self=y", {"__class__": ["x"], "self": ["y"]}),
        (b'{"a":1}', {}),
    ],
)
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "\xff", None])
def test_any_bytes_are_a_form(body, fields, content_type):
    """A form is read as far as it can be, whatever the body is called."""
    headers = [] if content_type is None else [("content-type", content_type)]
    assert wire(Site(), "POST", "/form", body=body, headers=headers).json() == fields


def test_a_form_is_read_wherever_it_is_split():
    """Two messages that meet inside an escape or a character are one form."""
    body = "a=%C3%A4&b=ä+🥧&a=2".encode()
    for index in range(len(body) + 1):
        answer = wire(Site(), "POST", "/form", body=[body[:index], body[index:]], headers=FORM)
        assert answer.json() == {"a": ["ä", "2"], "b": ["ä 🥧"]}


@pytest.mark.parametrize("field", [b"a=1", b"a", b""])
@pytest.mark.parametrize(("number", "status"), [(1000, 200), (1001, 413), (1_000_000, 413)])
def test_a_form_of_too_many_fields_is_413(field, number, status):
    """A thousand fields are read, empty ones included."""
    app = Site()
    assert wire(app, "POST", "/form", body=b"&".join([field] * number), headers=FORM).status_code == status
    assert app.calls == (status == 200)


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
@pytest.mark.parametrize("value", [b"x", b"%78"])
def test_a_form_field_that_is_too_long_is_413(size, status, value):
    """The limit is on the value itself, in bytes."""
    app = Site(max_form_field_size=LIMIT)
    assert http(app, "POST", "/form", content=b"b=1&a=" + value * size, headers=FORM).status_code == status


# Sizes.


@pytest.mark.parametrize("headers", [JSON, FORM, [("content-type", "image/png")], []])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_endless_body_ends_with_413(method, headers):
    """What has no end is refused at the limit, and no handler sees it."""
    app = Site(max_body_size=LIMIT)
    answer = wire(app, method, "/size", body=endless(), headers=headers)
    assert (answer.status_code, answer.text, app.calls) == (413, TOO_LARGE, 0)


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_body_of_the_limit_is_read(size, pieces):
    """The limit itself is allowed, in however many messages."""
    body = b"x" * size
    parts = [body[i * size // pieces : (i + 1) * size // pieces] for i in range(pieces)]
    assert wire(Site(max_body_size=LIMIT), "POST", "/size", body=parts).text == str(size)


@pytest.mark.parametrize("pieces", [[LIMIT + 1], [LIMIT, 1], [1] * (LIMIT + 1), [0] * 50 + [LIMIT + 1]])
@pytest.mark.parametrize("announced", [None, "0", "1", "-1", "+1", "1_0", "x", "", "1, 1", "²", "9" * 30, "0x1"])
def test_a_body_over_the_limit_is_413_whatever_it_announces(pieces, announced):
    """The bytes are counted: a content-length beside a transfer-encoding can't hide them (RFC 9112 §6.3)."""
    headers = [("transfer-encoding", "chunked")] + ([] if announced is None else [("content-length", announced)])
    app = Site(max_body_size=LIMIT)
    answer = wire(app, "POST", "/size", body=[b"x" * size for size in pieces], headers=headers)
    assert (answer.status_code, app.calls) == (413, 0)


def test_a_body_ends_with_the_last_byte_that_is_announced():
    """Nobody waits for another message once all bytes are there: some servers send it much later."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in (b"ab", b"c")]
    assert fed(Site(), messages, headers=[("content-length", "3")]) == (200, "3")


@pytest.mark.parametrize("announced", ["1001", "0001001", "9" * 19])
def test_an_announced_size_over_the_limit_is_refused_unread(announced):
    """A body that is too large by its own word is not read at all."""
    app = Site(max_body_size=LIMIT)
    assert fed(app, [], headers=[("content-length", announced)]) == (413, TOO_LARGE)


@pytest.mark.parametrize("announced", ["0", "-0", "00", "x", ""])
def test_a_delete_may_announce_anything(announced):
    """A DELETE is answered whatever its content-length is."""
    assert http(Site(), "DELETE", "/size", headers=[("content-length", announced)]).status_code == 200


# Time.


@pytest.mark.parametrize("start", [[], [part(b"x")], [part(b"{")] * 3, [part(b"")] * 3])
@pytest.mark.parametrize("headers", [JSON, FORM])
def test_a_body_that_stops_is_408(start, headers):
    """Who sends nothing more is not waited for, and no handler runs."""
    app = Site(body_timeout=0.05)
    assert fed(app, start, headers=headers) == (408, TOO_SLOW)
    assert app.calls == 0


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_a_body_that_trickles_is_408(piece):
    """Small pieces don't keep a request alive: the rate counts."""
    app = Site(body_timeout=0.5)
    assert fed(app, [part(piece), 0.01] * 10_000) == (408, TOO_SLOW)
    assert app.calls == 0


def test_a_steady_body_may_take_longer_than_the_timeout():
    """Half a second is the time base of the rate, not an end: this body takes more than twice as long."""
    messages = [part(b"x" * 250), 0.05] * 24
    assert fed(Site(body_timeout=0.5), [*messages, part(more=False)]) == (200, "6000")


def test_bytes_that_come_without_waiting_count():
    """A message on which nobody had to wait is as good for the rate as any other."""
    messages = [0.05, part(b"x"), part(b"y" * 1000)] * 30
    assert fed(Site(body_timeout=1), [*messages, part(more=False)]) == (200, str(30 * 1001))


# Clients that leave, servers that break.


@pytest.mark.parametrize("start", [[], [part(b"{")], [part(b"[1]")], [part(b"")] * 5])
@pytest.mark.parametrize("headers", [JSON, FORM])
def test_a_client_that_leaves_midway_reaches_no_handler(start, headers):
    """Half a body is never given to a handler, even if what there is of it is valid."""
    app = Site()
    status, _ = fed(app, [*start, {"type": "http.disconnect"}], headers=headers)
    assert (status, app.calls) == (400, 0)


@pytest.mark.parametrize("send_fails", [True, False])
def test_nobody_minds_that_the_client_is_gone(send_fails):
    """The answer to a client that left goes nowhere, and raises nothing."""
    app = Site()
    wire(app, "POST", "/form", body=[b"a="], headers=FORM, disconnect=True, send_fails=send_fails)
    assert app.calls == 0


@pytest.mark.parametrize("error", [OSError("internal-marker"), RuntimeError("internal-marker"), TimeoutError()])
@pytest.mark.parametrize("start", [[], [part(b"x")], [0.01], [part(b"x"), 0.01]])
def test_a_receive_that_raises_is_500(start, error):
    """A server that breaks costs no more than the request, and says nothing to the client."""
    assert fed(Site(), [*start, error]) == (500, "500 Internal Server Error")


@pytest.mark.parametrize("pause", [[], [0.01]])
def test_keys_that_a_message_lacks_have_their_defaults(pause):
    """`body` and `more_body` are optional in ASGI; None is no body."""
    assert fed(Site(), [*pause, {"type": "http.request"}]) == (200, "0")
    assert fed(Site(), [part(b"xy"), *pause, {"type": "http.request", "body": None}]) == (200, "2")


@pytest.mark.parametrize("turns", range(12))
def test_a_request_can_be_cancelled_while_its_body_is_read(turns):
    """A server that gives up the request leaves nothing behind, whenever it does."""

    async def cancelled():
        app = Site()
        task = asyncio.create_task(awire(app, "POST", "/json", body=endless(b""), headers=JSON, timeout=30))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert app.calls == 0

    run(cancelled())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("more", [True, False])
def test_a_stream_ends_beside_a_receive_that_never_waits(method, more):
    """A client of a test that always has a message at hand, and never leaves, gets its stream."""

    class Streaming(App):
        async def index(self):
            for _ in range(3):
                await asyncio.sleep(0.01)
                yield "x"

    async def main():
        first = iter([part(b"a=1", more=False)])
        sent: list[Any] = []

        async def receive():
            return next(first, part(more=more))

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": []}
        async with asyncio.timeout(10):
            await Streaming()(scope, receive, send)
        return b"".join(message.get("body", b"") for message in sent)

    assert run(main()) == b"xxx"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE"])
def test_other_methods_bodies_are_left_alone(method):
    """A body that means nothing is neither read nor parsed."""
    assert http(Site(max_body_size=1), method, "/json", headers=JSON).status_code == 200


def test_every_refusal_passes_the_after_hooks():
    """400, 408 and 413 can be customised like every other reply."""

    class Teapot(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            return {"status_code": 418, "body": f"was {status_code}"}

    app = Site(max_body_size=LIMIT, body_timeout=0.05)
    app.middlewares.append(Teapot())
    assert fed(app, [part(b"{", more=False)], headers=JSON) == (418, "was 400")
    assert fed(app, [part(b"x")]) == (418, "was 408")
    assert fed(app, [part(b"x" * (LIMIT + 1))]) == (418, "was 413")
