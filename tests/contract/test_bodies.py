"""Request bodies: BEHAVIOUR.md, points 16 to 21, and the JSON half of 1."""

import asyncio
import gzip
import logging
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from micropie import App, ClientGone, FromBody, HTTPError, HttpMiddleware, UploadedFile
from tests.client import http, run
from tests.wire import awire, wire

TOO_LARGE = (413, "413 Payload Too Large")
TOO_SLOW = (408, "408 Request Timeout: Failed to receive body")
BAD_JSON = (400, "400 Bad Request: Bad JSON")
JSON = [("Content-Type", "application/json"), ("Accept", "text/plain")]  # which is told errors in a line
FORM = [("Content-Type", "application/x-www-form-urlencoded")]
FORM_DATA = [("Content-Type", "multipart/form-data; boundary=XX")]

needs_multipart = pytest.mark.needs("multipart")


class Echo(App):
    """Answers with what it made of the body."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.ran = 0

    async def index(self):
        self.ran += 1
        request = self.request
        return {"json": request.get_json, "form": request.body_params, "body": request.body.decode("latin-1")}

    async def length(self):
        return len(self.request.body)


def seen(method="POST", **keywords):
    """What the handler saw."""
    return wire(Echo(), method, **keywords).json()


def status_and_text(app, path="/", **keywords):
    answer = wire(app, "POST", path, **keywords)
    return answer.status_code, answer.text


# 16. Which methods' bodies are parsed.


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_16_bodies_are_parsed(method):
    """POST, PUT and PATCH bodies are parsed."""
    assert seen(method, form={"a": "1"})["form"] == {"a": ["1"]}


@pytest.mark.parametrize("headers", [[], [("Transfer-Encoding", "chunked")]])
def test_16_delete_with_a_body_is_parsed(headers):
    """DELETE where its headers announce a body."""
    assert seen("DELETE", body=b'{"a":1}', headers=[*JSON, *headers])["json"] == {"a": 1}


@pytest.mark.parametrize("headers", [[], [("Content-Length", "0")]])
def test_16_delete_without_a_body_is_not_parsed(headers):
    """DELETE without a body is no bad JSON."""
    assert seen("DELETE", headers=[*JSON, *headers]) == {"json": {}, "form": {}, "body": ""}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PROPFIND", "TRACE"])
def test_16_other_methods_bodies_are_left_alone(method):
    """Nobody reads them, whatever they are."""
    answer = http(Echo(max_body_size=1), method, content=b"{broken", headers=JSON)
    assert answer.status_code == 200


def test_16_a_body_left_alone_is_not_received():
    """`receive` is not called."""
    pulled = []

    def body():
        pulled.append(True)
        yield b"a=1"

    assert wire(Echo(), "GET", body=body(), headers=FORM).status_code == 200
    assert pulled == []


# 17. JSON.


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        " application/json ",
        "application/problem+json",
        "application/vnd.api+json; version=1",
        "APPLICATION/LD+JSON",
    ],
)
def test_17_json_types(content_type):
    """`application/json` and `application/*+json`, case-insensitively, parameters ignored."""
    assert seen(body=b'{"a":1}', headers=[("Content-Type", content_type)])["json"] == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain; application/json",
        "text/json",
        "application/jsonp",
        "application/json-seq",
        "xapplication/json",
        "text/plain",
        "",
        "json",
    ],
)
def test_17_other_types_are_no_json(content_type):
    """Types are parsed, not searched."""
    assert seen(body=b'{"a":1}', headers=[("Content-Type", content_type)])["json"] == {}


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "é\U0001f967", "", [], [1, [2]], {}, {"a": {"b": None}}])
def test_17_get_json_is_a_value_of_any_type(value):
    """Not only objects."""

    class Value(App):
        async def index(self):
            return {"value": self.request.get_json, "type": type(self.request.get_json).__name__}

    assert http(Value(), "POST", json=value).json() == {"value": value, "type": type(value).__name__}


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b'{"a":1',
        b"{'a':1}",
        b"[1,]",
        b'{"a":1}x',
        b"nul",
        b"NaN",
        b"[NaN]",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"1" + b"0" * 400,
        b"9" * 5000,
        b'"\xff"',
        b"\xff\xfe[\x001\x00]\x00",
        '"é"'.encode("latin-1"),
        '"a"'.encode("utf-16"),
        '"a"'.encode("utf-32"),
        b"\xef\xbb\xbf[1]",
        b'"\\ud800"',
        b'["\\udfff\\ud800"]',
        b'{"\\ud800":1}',
        b'"\x01"',
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x1",
        b"[1] [2]",
        b"\x00",
        b"a=1",
    ],
)
def test_17_broken_json_is_400(body):
    """Broken, blank, non-UTF-8, NaN, lone surrogates."""
    assert status_and_text(Echo(), body=body, headers=JSON) == BAD_JSON


def test_17_broken_json_runs_no_handler():
    """The handler does not run."""
    app = Echo()
    http(app, "POST", content=b"{", headers=JSON)
    assert app.ran == 0


def nested(depth, left=b"[", right=b"]"):
    return left * depth + right * depth


@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_1_json_may_be_nested_200_deep(left, right):
    """A depth of 200 is taken."""
    body = left * 199 + b"[]" + right * 199

    assert wire(Echo(), "POST", path="/length", body=body, headers=JSON).status_code == 200


@pytest.mark.parametrize("depth", [201, 1000, 100_000])
@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_1_deeper_json_is_400(depth, left, right):
    """Deeper nesting is a bad request, not a crash."""
    body = left * (depth - 1) + b"[]" + right * (depth - 1)
    assert status_and_text(Echo(), body=body, headers=JSON) == BAD_JSON


def test_1_many_brackets_are_not_deep():
    """Breadth is no depth, and brackets in strings don't count."""
    assert http(Echo(), "POST", path="/length", json=[[]] * 500 + ["[" * 500]).status_code == 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 2.0**64),
        (b"-9223372036854775809", -(2.0**63)),
        (b"1" + b"0" * 300, 1e300),
        (b'"\\ud83e\\udd67"', "\U0001f967"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"1E2", 100.0),
        (b"-0", 0),
        (b' \r\n\t[ 1 , "a" ] ', [1, "a"]),
    ],
)
def test_1_json_is_read_the_same_with_and_without_orjson(text, value):
    """Values at the edges are equal, whichever library reads them."""

    class Value(App):
        async def index(self):
            return {"repr": repr(self.request.get_json)}

    assert wire(Value(), "POST", body=text, headers=JSON).json() == {"repr": repr(value)}


@pytest.mark.parametrize("content_type", ["application/json", "application/ld+json", "Application/JSON; charset=utf-8"])
@pytest.mark.parametrize("body", [b"", [b"", b""]])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_17_no_bytes_are_no_document(method, body, content_type):
    """A client that sends its usual headers and no body sends no broken JSON."""
    assert seen(method, body=body, headers=[("Content-Type", content_type)]) == {"json": {}, "form": {}, "body": ""}


@dataclass
class Note:
    text: str
    stars: int = 0


class Documents(App):
    async def note(self, note: Note):
        return note

    async def perhaps(self, note: Note | None = None):
        return {"note": note}

    async def whole(self, value: Annotated[Any, FromBody()] = "nothing"):
        return {"value": value}


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/note", b"", "400 Bad Request: Missing required parameter 'note'"),
        ("/perhaps", b"", '{"note":null}'),
        ("/whole", b"", '{"value":"nothing"}'),
        ("/whole", b"{}", '{"value":{}}'),
        ("/whole", b"null", '{"value":null}'),
        ("/note", b"{}", "400 Bad Request: Missing required parameter 'text'"),
    ],
)
def test_17_a_typed_parameter_is_absent_without_a_document(path, body, answer):
    """No document is not an empty object."""
    assert wire(Documents(), "POST", path, body=body, headers=JSON).text == answer


def test_17_get_json_is_empty_when_there_is_none():
    """Without a JSON body it is `{}`."""
    assert seen(form={"a": "1"})["json"] == {}
    assert seen("GET")["json"] == {}


def test_17_requests_do_not_share_the_empty_get_json():
    """Changing one request's `{}` changes no other's."""

    class Changing(App):
        async def index(self):
            self.request.get_json["n"] = self.request.get_json.get("n", 0) + 1
            return self.request.get_json

    app = Changing()
    assert [http(app).json(), http(app).json()] == [{"n": 1}, {"n": 1}]


# 18. Forms, and everything else.


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "", "application/octet-stream"]
)
def test_18_other_types_are_read_as_a_form(content_type):
    """Whatever is neither JSON nor multipart is read as a form when somebody asks."""
    assert seen(body=b"a=1&b=2", headers=[("Content-Type", content_type)])["form"] == {"a": ["1"], "b": ["2"]}


NO_FORMS = [
    ("image/png", bytes(range(256)) * 1200),
    ("application/xml", b"<a>" + b"&amp;" * 1001 + b"</a>"),
    ("text/plain", b"x=" + b"y" * (2 << 20)),
    ("application/octet-stream", b"=" + b"x" * (2 << 20)),
    ("text/csv", b"a&b=1;" * 300_000),
    ("application/x-www-form-urlencoded-not", b"&" * 5000),
]


@pytest.mark.parametrize(("content_type", "body"), NO_FORMS)
def test_18_what_is_no_form_is_not_counted_as_one(content_type, body):
    """The limits of a form are for forms."""
    assert wire(Echo(), "POST", "/length", body=body, headers=[("Content-Type", content_type)]).text == str(len(body))


@pytest.mark.parametrize(("content_type", "body"), NO_FORMS)
def test_18_the_bytes_of_what_is_no_form_fill_a_parameter(content_type, body):
    """`Annotated[bytes, FromBody()]` takes them, and nobody reads them as a form."""

    class Taking(App):
        async def index(self, data: Annotated[bytes, FromBody()]):
            return len(data)

    assert wire(Taking(), "POST", body=body, headers=[("Content-Type", content_type)]).json() == len(body)


@pytest.mark.parametrize(("content_type", "body"), NO_FORMS[1:])
def test_18_body_params_of_what_is_no_form_never_refuse(content_type, body):
    """What a form of its own would be refused for has no fields."""

    class Asking(App):
        async def index(self, name="nothing"):
            return [name, self.request.form("a"), self.request.body_params]

    assert wire(Asking(), "POST", body=body, headers=[("Content-Type", content_type)]).json() == ["nothing", None, {}]


@pytest.mark.parametrize("body", [b"x" * (3 << 20) + b"=1", b"%41" * 50_000 + b"=1&b=2"])
def test_18_a_name_is_as_long_as_a_field_may_be(body):
    """Names are bounded like values."""
    assert status_and_text(Echo(max_form_field_size=40_000), body=body, headers=FORM) == TOO_LARGE


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("iso-8859-1", b"city=K%F6ln"),
        ("ISO-8859-1", b"city=K\xf6ln"),
        ("windows-1252", b"city=K%F6ln"),
        ("utf-8", b"city=K%C3%B6ln"),
        ('"UTF-8"', "city=Köln".encode()),
        ("windows-1252", b"empty=&%63ity=K%F6ln"),
    ],
)
def test_18_a_form_is_decoded_as_declared(charset, body):
    """Its `charset`, where there is one; else UTF-8."""
    headers = [("Content-Type", f"application/x-www-form-urlencoded; charset={charset}")]
    assert seen(body=body, headers=headers)["form"] == {"city": ["Köln"]}


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"_charset_=iso-8859-1&city=K%F6ln", {"_charset_": ["iso-8859-1"], "city": ["Köln"]}),
        (b"city=K%F6ln&_charset_=windows-1252", {"_charset_": ["windows-1252"], "city": ["Köln"]}),
        (b"_charset_=&city=K%C3%B6ln", {"city": ["Köln"]}),
        (b"my_charset_=iso-8859-1&city=K%C3%B6ln", {"my_charset_": ["iso-8859-1"], "city": ["Köln"]}),
    ],
)
def test_18_a_form_may_name_its_charset_in_a_field(body, form):
    """Browsers fill the field `_charset_` with what they encode in; a blank one says nothing."""
    assert seen(body=body, headers=FORM)["form"] == form


def test_18_the_type_names_the_charset_before_a_field_does():
    """An unknown one in the field alone is refused as it is in the type."""
    headers = [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")]
    body = b"_charset_=klingon&city=K%C3%B6ln"
    assert seen(body=body, headers=headers)["form"] == {"_charset_": ["klingon"], "city": ["Köln"]}
    assert status_and_text(Echo(), body=body, headers=FORM) == (400, "400 Bad Request: Unknown charset")


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("iso-8859-1", b"K\xf6ln"),
        ("gb18030", ("派" * 50_000).encode("gb18030")),
        ("utf-16", "Köln".encode("utf-16")),
        ("Shift_JIS", "パイ".encode("shift-jis")),
    ],
)
def test_18_a_text_is_decoded_as_declared(charset, body):
    """`Annotated[str, FromBody()]` is the text that was sent."""

    class Texts(App):
        async def index(self, text: Annotated[str, FromBody()]):
            return text

    answer = wire(Texts(), "POST", body=body, headers=[("Content-Type", f"text/plain; charset={charset}")])
    assert answer.text == body.decode(charset)


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", b"a\xff\xe4", "a\ufffd\ufffd"),
        ("windows-1252", b"a\x81\xf6", "a\ufffdö"),
        ("ascii", b"a\xff", "a\ufffd"),
        ("utf-16", b"a\0\0\xdc", "a\ufffd"),
        ("utf-16", b"\xfe\xff\0a\xdc\0" * 50_000, "a\ufffd" + "\ufeffa\ufffd" * 49_999),
        ("utf-32", b"a\0\0\0" * 50_000, "a" * 50_000),
        ("utf-16be", b"\0a" * 50_000, "a" * 50_000),
        ("utf-8", b"\xc3" * 100_000 + "ö".encode() * 100_000, "\ufffd" * 100_000 + "ö" * 100_000),
        ("utf-8", b"x" * 65_535 + "ö".encode(), "x" * 65_535 + "ö"),
        ("iso-2022-jp", "寿司".encode("iso-2022-jp") * 20_000, "寿司" * 20_000),
    ],
)
def test_18_what_cannot_be_decoded_is_replaced(charset, body, text):
    """In every charset, in short texts and long ones."""

    class Texts(App):
        async def index(self, text: Annotated[str, FromBody()]):
            return text

    assert wire(Texts(), "POST", body=body, headers=[("Content-Type", f"text/plain; charset={charset}")]).text == text


@pytest.mark.parametrize(("charset", "sequence"), [("iso-2022-jp", b"\x1b$"), ("iso-2022-kr", b"\x1b$(")])
@pytest.mark.parametrize("field", [b"", b"text="])
def test_18_escape_sequences_without_an_end_are_replaced(charset, sequence, field):
    """Tens of thousands of them too, which Python's own decoder of pieces gives up on."""

    class Texts(App):
        async def index(self, text: Annotated[str, FromBody()]):
            return text

        async def form(self, text):
            return text

    kind, path = ("application/x-www-form-urlencoded", "/form") if field else ("text/plain", "/")
    headers = [("Content-Type", f"{kind}; charset={charset}")]
    answer = wire(Texts(), "POST", path, body=field + sequence * 50_000, headers=headers)
    assert answer.status_code == 200
    assert set(answer.text) == {"\ufffd", *sequence[1:].decode()}
    assert answer.text.startswith("\ufffd" + sequence[1:].decode())


@pytest.mark.parametrize(
    "charset", ["klingon", "iso-8859-12", "idna", "punycode", "zlib", "utf-7", "undefined", "x" * 200]
)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
def test_18_an_unknown_charset_is_400(kind, charset):
    """It is not guessed, whatever codecs Python has."""

    class Texts(App):
        async def index(self, text: Annotated[str, FromBody()]):
            return text

    app = Texts() if kind == "text/plain" else Echo()
    answer = status_and_text(app, body=b"a=1", headers=[("Content-Type", f"{kind}; charset={charset}")])
    assert answer == (400, "400 Bad Request: Unknown charset")


def test_18_without_a_content_type_it_is_a_form():
    """No type, a form."""
    assert seen(body=b"a=1")["form"] == {"a": ["1"]}


@pytest.mark.parametrize("body", [b"a=1", b"\xff\x00\xfe", b"", b"plain text"])
def test_18_the_bytes_are_at_request_body(body):
    """`request.body` has them as they came."""
    assert seen(body=body)["body"].encode("latin-1") == body


def test_18_the_bytes_of_json_are_there_too():
    """JSON's as well."""
    assert seen(body=b'{"a": 1}', headers=JSON)["body"] == '{"a": 1}'


def test_18_a_compressed_body_is_not_unpacked():
    """A megabyte of zeros stays the kilobyte that was sent: bytes where those are asked for, and no JSON."""
    packed = gzip.compress(b" " * 1_000_000)
    coded = ("Content-Encoding", "gzip")
    sent = {"body": packed, "headers": [("Content-Type", "application/octet-stream"), coded]}
    assert wire(Echo(), "POST", "/length", **sent).json() == len(packed) < 2000
    assert status_and_text(Echo(), body=packed, headers=[*JSON, coded]) == BAD_JSON


def test_18_request_body_is_empty_without_one():
    """Without a body it is `b""`."""
    assert seen("GET")["body"] == ""


def test_18_undecodable_bytes_are_replaced():
    """A form that is no UTF-8 loses nothing: the bytes are replaced."""
    assert seen(body=b"a=%FF\xff", headers=FORM)["form"] == {"a": ["\ufffd\ufffd"]}


@pytest.mark.parametrize("parts", [[b"a", b"=", b"1"], [b"", b"a=1", b""], [b"a=1"], [b"a=1", b""]])
def test_18_a_body_in_parts_is_joined(parts):
    """However the server cuts it."""
    assert seen(body=parts, headers=FORM) == {"json": {}, "form": {"a": ["1"]}, "body": "a=1"}


def test_18_json_split_at_every_byte():
    """A cut inside a character does no harm."""
    whole = '{"é":"\U0001f967"}'.encode()
    for cut in range(len(whole) + 1):
        assert seen(body=[whole[:cut], whole[cut:]], headers=JSON)["json"] == {"é": "\U0001f967"}


# 19. Too slow, too large, gone.


async def stalling(*parts):
    """A body whose end never comes."""
    for part in parts:
        yield part
    await asyncio.sleep(60)


async def dripping(size, pause, count):
    for _ in range(count):
        yield b"x" * size
        await asyncio.sleep(pause)


@pytest.mark.parametrize("parts", [[], [b"a=1"], [b"x" * 10]])
@pytest.mark.parametrize("headers", [FORM, JSON])
def test_19_a_stalled_body_is_408(parts, headers):
    """No progress for `body_timeout` is a 408."""
    assert status_and_text(Echo(body_timeout=0.1), body=stalling(*parts), headers=headers) == TOO_SLOW


def test_19_a_trickle_is_408():
    """Fewer than 500 bytes a second do not count as progress."""
    app = Echo(body_timeout=0.1)
    assert status_and_text(app, body=dripping(1, 0.02, 500), headers=FORM) == TOO_SLOW
    assert app.ran == 0


def test_19_empty_messages_are_no_progress():
    """Nor do messages without bytes."""
    assert status_and_text(Echo(body_timeout=0.1), body=dripping(0, 0.02, 500), headers=FORM) == TOO_SLOW


def test_19_a_steady_sender_is_served():
    """A body that takes longer than `body_timeout` is fine if it keeps the rate."""
    answer = wire(Echo(body_timeout=0.2), "POST", "/length", body=dripping(2000, 0.05, 12), headers=FORM)
    assert answer.json() == 24_000


def test_19_a_stall_after_much_data_is_408():
    """What came before does not pay for a later stall."""
    assert status_and_text(Echo(body_timeout=0.1), body=stalling(b"x" * 100_000), headers=FORM) == TOO_SLOW


def test_19_too_large_is_413():
    """A body over `max_body_size` is a 413; one of that size is not."""
    app = Echo(max_body_size=100)
    assert http(app, "POST", "/length", content=b"x" * 100).json() == 100
    assert status_and_text(app, body=b"x" * 101) == TOO_LARGE
    assert app.ran == 0


def test_19_too_large_without_a_content_length():
    """Counted while reading where no length is announced."""
    pulled = []

    def endless():
        while True:
            pulled.append(True)
            yield b"x" * 60

    assert status_and_text(Echo(max_body_size=100), body=endless()) == TOO_LARGE
    assert len(pulled) <= 4


def test_19_content_length_decides_before_reading():
    """A body that announces too much is not read at all."""
    pulled = []

    def body():
        pulled.append(True)
        yield b"x"

    headers = [*FORM, ("Content-Length", "101")]
    assert status_and_text(Echo(max_body_size=100), body=body(), headers=headers) == TOO_LARGE
    assert pulled == []


def test_19_a_content_length_that_lies_is_found_out():
    """What counts is what comes."""
    app = Echo(max_body_size=100)
    assert status_and_text(app, body=[b"x" * 101], headers=[("Content-Length", "5")]) == TOO_LARGE


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/", FORM, b"a=1"),
        ("/", JSON, b'{"a": 1}'),
        ("/length", [("Content-Type", "image/png")], b"\x89PNG"),
        ("/", FORM, b""),
    ],
)
@pytest.mark.parametrize("announced", [9, 1000])
def test_19_a_body_shorter_than_announced_is_400(path, headers, body, announced):
    """Some servers call a body whole that broke off; no handler works on half of one."""
    app = Echo()
    answer = status_and_text(app, path, body=body, headers=[*headers, ("Content-Length", str(announced))])
    assert (*answer, app.ran) == (400, "400 Bad Request: Incomplete body", 0)


def test_19_a_server_that_is_never_waited_for_lets_others_run():
    """A body in messages that are always at hand: the event loop is not held, and its end is its end."""

    async def main():
        turns = 0
        messages = iter([{"type": "http.request", "body": b"x", "more_body": True}] * 2000)

        async def receive():
            return next(messages, {"type": "http.request", "body": b"x", "more_body": False})

        async def send(message):
            sent.append(message)

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        sent: list[Any] = []
        scope = {"type": "http", "method": "POST", "path": "/length", "headers": [], "query_string": b""}
        beside = asyncio.ensure_future(other())
        await Echo()(scope, receive, send)
        beside.cancel()
        return sent[-1]["body"], turns

    size, turns = run(main())
    assert size == b"2001"
    assert turns > 20


def test_19_nothing_at_hand_again_and_again_is_408():
    """Messages without bytes are no progress, however fast they come."""

    async def main():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": True}

        async def send(message):
            sent.append(message)

        sent: list[Any] = []
        scope = {"type": "http", "method": "POST", "path": "/length", "headers": [], "query_string": b""}
        await Echo(body_timeout=0.001)(scope, receive, send)
        return sent[0]["status"]

    assert run(main()) == 408


@pytest.mark.parametrize("length", ["abc", "-1", "1e9", "9" * 50, "", "+5", "\u00b2"])
def test_19_a_strange_content_length_breaks_nothing(length):
    """The server's to refuse; here it is as good as none, or too large."""
    answer = http(Echo(), "POST", content=b"a=1", headers=[("Content-Length", length)])
    assert answer.status_code in {200, 400, 413}


def test_19_the_default_limit_is_16_mib():
    """16 MiB by default."""
    headers = [("Content-Length", str(16 * 2**20 + 1))]
    assert status_and_text(Echo(), body=[b"x"], headers=headers) == TOO_LARGE
    assert (
        http(Echo(), "POST", "/length", content=b"x" * (16 * 2**20), headers=[("Content-Type", "a/b")]).json() == 2**24
    )


def test_19_a_form_field_over_its_limit_is_413():
    """`max_form_field_size` bounds one value, also of an urlencoded form."""
    app = Echo(max_form_field_size=10)
    assert http(app, "POST", data={"a": "x" * 10, "b": "y" * 10}).status_code == 200
    assert status_and_text(app, form={"a": "x" * 11}) == TOO_LARGE


@pytest.mark.parametrize("parts", [[], [b"a=1"], [b"a=1", b"&b=2"]])
@pytest.mark.parametrize("headers", [FORM, JSON])
def test_19_a_client_that_leaves_mid_body_runs_no_handler(parts, headers, caplog):
    """The handler does not run on half a body, and nothing is logged as a failure."""
    app = Echo()
    wire(app, "POST", body=parts, headers=headers, disconnect=True)
    assert app.ran == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_19_errors_of_the_body_keep_the_connection_legal():
    """Each of them is one whole reply with a length."""
    answer = wire(Echo(body_timeout=0.05), "POST", body=stalling(), headers=FORM)
    assert (answer.is_complete, answer.headers["content-length"]) == (True, str(len(TOO_SLOW[1])))


# 20. Multipart.


def text(name, value, *headers):
    """A text part."""
    head = [f'Content-Disposition: form-data; name="{name}"', *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode())


def file(name, content, filename="f.txt", content_type="text/plain"):
    """A file part."""
    head = [f'Content-Disposition: form-data; name="{name}"; filename="{filename}"']
    if content_type is not None:
        head.append(f"Content-Type: {content_type}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def multipart(*parts, boundary=b"XX"):
    """A whole multipart body."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


class Uploads(App):
    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        self.ran: list[str] = []
        self.seen: list[Any] = []

    async def one(self, file):
        chunks = [chunk async for chunk in file]
        return {
            "filename": file["filename"],
            "content_type": file["content_type"],
            "content": b"".join(chunks).decode("latin-1"),
        }

    async def queue(self, file):
        content = b""
        while (chunk := await file["content"].get()) is not None:
            self.seen.append(type(chunk))
            content += chunk
        return {"length": len(content), "queue": isinstance(file["content"], asyncio.Queue), "keys": list(file)}

    async def two_and_a_field(self, first, second, title):
        return {"first": (await first.read()).decode(), "second": (await second.read()).decode(), "title": title}

    async def reverse(self, first, second):
        second_content = await second.read()
        return [len(await first.read()), len(second_content)]

    async def field(self, title):
        self.ran.append("field")
        return {"title": title}

    async def ignores(self, file):
        self.ran.append("ignores")
        return "ignored"

    async def nothing(self):
        self.ran.append("nothing")
        return {name: file["filename"] for name, file in self.request.files.items()}

    async def form(self):
        return self.request.body_params

    async def rest(self, file, **fields):
        return {"file": (await file.read()).decode(), "fields": fields}

    async def default(self, file=None, title="untitled"):
        return [file and file["filename"], title]

    async def save(self, file, target):
        await file.save(target)
        return "saved"

    async def failing_reader(self, file):
        try:
            await file.read()
        except BaseException as error:
            self.seen.append(type(error))
            self.seen.append(getattr(error, "status", None))
            raise
        return "whole"

    def sync(self, title, file):
        self.ran.append("loop" if threading.current_thread() is threading.main_thread() else "thread")
        return {"title": title, "content": file.read().decode()}

    def sync_save(self, file, target):
        file.save(target)
        return "saved"

    def sync_chunks(self, file):
        chunks = iter(file["content"].get_nowait, None)
        return {"length": sum(map(len, chunks))}

    async def raises(self, file):
        raise RuntimeError("secret")

    async def stream(self, file):
        async def chunks():
            async for chunk in file:
                yield chunk.upper()

        return chunks()


def upload(path, *parts, app=None, **keywords):
    """The answer to a multipart form of these parts."""
    body = keywords.pop("body", None) or multipart(*parts)
    return wire(app or Uploads(), "POST", path, body=body, headers=keywords.pop("headers", FORM_DATA), **keywords)


@needs_multipart
@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; charset=utf-8",
    ],
)
def test_20_no_boundary_is_400(content_type):
    """A form without a boundary cannot be read."""
    answer = upload("/nothing", headers=[("Content-Type", content_type)])
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing boundary")


@needs_multipart
@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=XX", b"XX"),
        ('multipart/form-data; boundary="XX"', b"XX"),
        ("Multipart/Form-Data; Boundary=XX", b"XX"),
        ('MULTIPART/FORM-DATA;BOUNDARY="a b;c"', b"a b;c"),
        ("multipart/form-data; charset=utf-8; boundary=XX", b"XX"),
        ("multipart/form-data; boundary=----WebKitFormBoundaryAbC123; x=y", b"----WebKitFormBoundaryAbC123"),
        ("multipart/form-data ; boundary = XX", b"XX"),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_20_boundaries(content_type, boundary):
    """Quoted and upper-case parameters are fine."""
    body = multipart(text("title", "t"), boundary=boundary)
    assert upload("/field", body=body, headers=[("Content-Type", content_type)]).json() == {"title": "t"}


WHOLE = multipart(text("title", "t"), file("file", b"content"))


@needs_multipart
@pytest.mark.parametrize(
    "body",
    [
        b"garbage",
        b"",
        b"--XX",
        b"--YY\r\n\r\n--YY--\r\n",
        b"--XX\r\nno header\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Disposition: attachment\r\n\r\nx\r\n--XX--\r\n",
        WHOLE[:-20],
        WHOLE.replace(b"\r\n", b"\n"),
        b"--XX\r\n" + b"a" * 100_000,
        b"--XX\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"--XX\r\n" + b"X-H: 1\r\n" * 10_000,
    ],
)
def test_20_malformed_is_400(body):
    """A body that is no multipart form is refused, and the handler does not run."""
    app = Uploads()
    answer = upload("/nothing", app=app, body=body or [b""])
    assert answer.status_code in ({400} if len(body) < 50_000 else {400, 413})
    assert app.ran == []


@needs_multipart
def test_20_truncated_anywhere_is_400():
    """Whatever byte it stops at: never a form that looks whole."""
    end = len(WHOLE) - len(b"\r\n")
    for cut in range(1, end):
        assert upload("/nothing", body=WHOLE[:cut]).status_code == 400, cut


@needs_multipart
def test_20_split_anywhere_is_the_same():
    """However the server cuts it."""
    for cut in range(len(WHOLE) + 1):
        assert upload("/rest", body=[WHOLE[:cut], WHOLE[cut:]]).json()["file"] == "content"


@needs_multipart
def test_20_byte_by_byte_is_the_same():
    """Also byte by byte."""
    answer = upload("/two_and_a_field", body=[bytes([byte]) for byte in multipart(*THREE)])
    assert answer.json() == {"first": "1st", "second": "2nd", "title": "t"}


def test_20_without_the_package_it_is_500(monkeypatch, caplog):
    """One clear log line, without a traceback, says what to install."""
    monkeypatch.setitem(sys.modules, "multipart", None)
    answer = upload("/nothing", text("a", "1"))
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [(record.exc_info, "pip install" in record.getMessage()) for record in errors] == [(None, True)]
    assert re.search(r"\bmultipart\b", errors[0].getMessage())


@needs_multipart
def test_20_text_fields_bind():
    """A text field fills a parameter."""
    assert upload("/field", text("title", "é")).json() == {"title": "é"}


@needs_multipart
def test_20_text_fields_are_in_body_params():
    """Repeated ones in order; blank ones are kept as what they are."""
    answer = upload("/form", text("a", "1"), text("b", "2"), text("a", "3"))
    assert answer.json() == {"a": ["1", "3"], "b": ["2"]}


@needs_multipart
def test_20_the_file_is_a_dict():
    """`filename`, `content_type` and `content`, a queue of bytes ended by None."""
    app = Uploads()
    answer = upload("/queue", file("file", b"x" * 100_000), app=app)
    assert answer.json() == {"length": 100_000, "queue": True, "keys": ["filename", "content_type", "content"]}
    assert set(app.seen) == {bytes}


@needs_multipart
def test_20_content_type_is_the_parts():
    """The part's content type is given."""
    answer = upload("/one", file("file", b"abc", "a.png", "image/png"))
    assert answer.json() == {"filename": "a.png", "content_type": "image/png", "content": "abc"}


@needs_multipart
def test_20_content_type_defaults_to_octet_stream():
    """Without one it is `application/octet-stream`."""
    assert upload("/one", file("file", b"abc", content_type=None)).json()["content_type"] == "application/octet-stream"


@needs_multipart
def test_20_an_empty_file():
    """A file of no bytes is a file."""
    assert upload("/one", file("file", b"")).json()["content"] == ""


EMPTY = file("file", b"", "", "application/octet-stream")


class Choosing(App):
    async def index(self, file: UploadedFile | None = None):
        return {"file": file and file["filename"]}

    async def required(self, file: UploadedFile):
        return file["filename"]

    async def several(self, file: list[UploadedFile]):
        return [each["filename"] for each in file]

    async def some(self, file: list[UploadedFile] | None = None):
        return [] if file is None else [each["filename"] for each in file]

    async def untyped(self, file=None):
        return {"file": file and file["filename"], "known": [*self.request.files, *self.request.body_params]}

    def sync(self, file=None):
        return {"file": file and file["filename"]}


@needs_multipart
@pytest.mark.parametrize(
    ("path", "parts", "answer"),
    [
        ("/", [EMPTY], '{"file":null}'),
        ("/required", [EMPTY], "400 Bad Request: Missing required parameter 'file'"),
        ("/several", [EMPTY], "400 Bad Request: Missing required parameter 'file'"),
        ("/some", [EMPTY], "[]"),
        ("/some", [EMPTY, file("file", b"1", "a")], '["a"]'),
        ("/untyped", [EMPTY], '{"file":null,"known":[]}'),
        ("/sync", [EMPTY], '{"file":null}'),
        ("/", [EMPTY, text("title", "t")], '{"file":null}'),
        ("/", [file("file", b"x", "")], '{"file":""}'),
        ("/required", [file("file", b"x", "", None)], ""),
        ("/", [file("file", b"", "empty.txt")], '{"file":"empty.txt"}'),
    ],
)
def test_20_a_file_input_left_empty_is_absent(path, parts, answer):
    """Browsers send a part without a name and without bytes; a file has one or the other."""
    assert upload(path, *parts, app=Choosing()).text == answer


@needs_multipart
@pytest.mark.parametrize(
    ("sent", "seen_by_handler"),
    [
        ("text/csv; charset=iso-8859-1", "text/csv; charset=iso-8859-1"),
        ("Text/CSV;Header=Present", "text/csv;Header=Present"),
        ('multipart/mixed; boundary="a b"', 'multipart/mixed; boundary="a b"'),
        ("image/png ", "image/png"),
    ],
)
def test_20_content_type_keeps_its_parameters(sent, seen_by_handler):
    """The type in lower case, its parameters as they came."""
    assert upload("/one", file("file", b"abc", "a", sent)).json()["content_type"] == seen_by_handler


LATIN, UTF8 = "Köln".encode("latin-1"), "Köln".encode()


@needs_multipart
@pytest.mark.parametrize(
    "parts",
    [
        [text("city", LATIN, "Content-Type: text/plain; charset=ISO-8859-1")],
        [text("city", LATIN, 'Content-Type: text/plain;charset="windows-1252"')],
        [text("city", UTF8)],
        [text("_charset_", "iso-8859-1"), text("city", LATIN)],
        [text("city", LATIN), text("_charset_", "iso-8859-1")],
        [text("_charset_", "iso-8859-1"), text("city", UTF8, "Content-Type: text/plain; charset=utf-8")],
        [text("_charset_", "iso-8859-1"), text("_charset_", "utf-16"), text("city", LATIN)],
        [text("_charset_", ""), text("city", UTF8)],
        [text("_charset_", ""), text("_charset_", "iso-8859-1"), text("city", LATIN)],
    ],
)
def test_20_texts_are_decoded_as_declared(parts):
    """By their own charset, else by the field `_charset_` (RFC 7578 §4.6), else as UTF-8."""
    assert upload("/form", *parts).json()["city"] == ["Köln"]


@needs_multipart
@pytest.mark.parametrize(
    "part",
    [
        text("city", b"x", "Content-Type: text/plain; charset=klingon"),
        text("_charset_", "klingon") + b"\r\n--XX\r\n" + text("city", b"x"),
        text("city", b"\xf6") + b"\r\n--XX\r\n" + text("_charset_", "punycode"),
        text("city", b"x", "Content-Type: text/plain; charset=base64"),
    ],
)
def test_20_an_unknown_charset_is_400(part):
    """Nobody guesses what was meant."""
    answer = upload("/form", part)
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Unknown charset")


@needs_multipart
def test_20_a_files_charset_is_its_readers_matter():
    """Bytes are bytes, whatever they claim to be."""
    assert upload("/one", file("file", b"\xf6", "a", "text/x; charset=klingon")).json()["content"] == "\xf6"


@needs_multipart
@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ("filename*=UTF-8''a.bin", "a.bin"),
        ("filename*=utf-8'en'%e2%82%ac%20rates", "€ rates"),
        ("FileName*=iso-8859-1''%a3", "£"),
        ("filename*=UTF-8''..%2Fetc%2Fpasswd", "passwd"),
        ("filename*=klingon''x", ""),
        ("filename*=plain", ""),
        ("filename*0=a; filename*1=.bin", ""),
        ('filename="plain.bin"; filename*=UTF-8better.bin', "plain.bin"),
    ],
)
def test_20_a_part_with_only_an_extended_name_is_a_file(parameters, filename):
    """RFC 7578 forbids it and some clients send it: its bytes must not be taken for text."""
    part = f'Content-Disposition: form-data; name="file"; {parameters}'.encode() + b"\r\n\r\n\xff\x00"
    answer = upload("/one", part).json()
    assert (answer["filename"], answer["content"]) == (filename, "\xff\x00")


@needs_multipart
@pytest.mark.parametrize("name", ["filename*", "filename*=UTF-8''a", "a; filename*=UTF-8''a", "FILENAME*0"])
def test_20_a_text_may_be_called_like_an_extended_name(name):
    """The name of a field is no name of a file."""
    assert upload("/form", text(name, "x")).json() == {name: ["x"]}


@needs_multipart
@pytest.mark.parametrize("name", ["X.Y", "x!y", "X#Y", "X'Y", "`x`", "X~|^Y", "Content.Type", "content.disposition"])
def test_20_any_token_is_the_name_of_a_part_header(name):
    """Headers that mean nothing to us are ignored (RFC 9110 §5.6.2), lines that continue them too."""
    part = text("title", "t", f"{name}: text/x; charset=klingon", ' ; filename="x"')
    assert upload("/field", part).json() == {"title": "t"}


@needs_multipart
@pytest.mark.parametrize("name", ["X Y", "X@Y", "X(Y", "é", ""])
def test_20_what_is_no_token_is_malformed(name):
    """The name of a header has no blanks and no brackets."""
    assert upload("/field", text("title", "t", f"{name}: 1")).status_code == 400


@needs_multipart
@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_20_a_preamble_is_at_most_64_kib(size):
    """Whatever its pieces, and nobody reads a gigabyte of it."""
    app = Uploads()
    short, long = (b"x" * length + b"\r\n" + WHOLE for length in (65_000, 66_000))
    assert upload("/field", body=[short[at : at + size] for at in range(0, len(short), size)]).json() == {"title": "t"}
    answer = upload("/field", app=app, body=[long[at : at + size] for at in range(0, len(long), size)])
    assert (answer.status_code, app.ran) == (400, [])


@needs_multipart
def test_20_an_endless_preamble_is_refused_at_once():
    """Not at the limit of the body, which may be a gigabyte."""
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 10_000
            yield b"x" * 10_000

    assert upload("/nothing", body=endless()).status_code == 400
    assert sent < 200_000


@needs_multipart
@pytest.mark.parametrize("path", ["/field", "/form"])
@pytest.mark.parametrize("announced", [1, 500])
def test_20_an_upload_shorter_than_announced_is_400(path, announced):
    """Also where its form looks whole."""
    body = multipart(text("title", "t"))
    headers = [*FORM_DATA, ("Content-Length", str(len(body) + announced))]
    assert upload("/form", body=body, headers=headers).status_code == 400


@needs_multipart
@pytest.mark.parametrize("content", [b"\r\n", b"--XX", b"\r\n--X", b"\r\n--XY", b"\0\xff" * 1000, b"a\r\n\r\nb--XX--"])
def test_20_content_is_exact(content):
    """What looks like a boundary is content."""
    assert upload("/one", file("file", content)).json()["content"].encode("latin-1") == content


@needs_multipart
@pytest.mark.parametrize(
    ("filename", "bare"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\\\Users\\\\x\\\\a.txt", "a.txt"),
        ("a b.txt", "a b.txt"),
        ("é.txt", "é.txt"),
        ("..", ""),
        (".", ""),
        ("dir/", ""),
        ("dir/..", ""),
        (".hidden", ".hidden"),
        ("", ""),
    ],
)
def test_20_filename_is_a_bare_name(filename, bare):
    """No directory of any system is left in it."""
    assert upload("/one", file("file", b"x", filename)).json()["filename"] == bare


@needs_multipart
def test_20_filename_has_no_nul():
    """A NUL never gets through: it is removed, or the form refused."""
    answer = upload("/one", file("file", b"x", "a\0.txt"))
    assert answer.status_code == 400 or "\0" not in answer.json()["filename"]


THREE = (file("first", b"1st"), file("second", b"2nd"), text("title", "t"))
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


@needs_multipart
@pytest.mark.parametrize("order", ORDERS)
def test_20_any_order_binds(order):
    """Two files and a field in any order."""
    answer = upload("/two_and_a_field", *(THREE[index] for index in order))
    assert answer.json() == {"first": "1st", "second": "2nd", "title": "t"}


@needs_multipart
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_20_large_files_in_any_order(order):
    """While a parameter is outstanding the parser reads on, whatever the size; files read in any order."""
    sizes = (5_000_000, 3_000_000)
    parts = (file("first", b"1" * sizes[0]), file("second", b"2" * sizes[1]))
    app = Uploads()
    body = chunked(multipart(*(parts[index] for index in order)))
    # The handler reads the second first: what it must wait for is on disk, or in front.
    if order == (0, 1):
        answer = upload("/two_sizes", app=TwoSizes(), body=body)
    else:
        answer = upload("/reverse", app=app, body=body)
    assert answer.json() == list(sizes)


class TwoSizes(App):
    async def two_sizes(self, first, second):
        return [len(await first.read()), len(await second.read())]


def chunked(body, size=65_536):
    return [body[start : start + size] for start in range(0, len(body), size)]


@needs_multipart
def test_20_a_field_behind_a_large_file():
    """A field that comes last is waited for; the file waits on disk."""

    class Late(App):
        async def index(self, file, title):
            return {"length": len(await file.read()), "title": title}

    body = chunked(multipart(file("file", b"x" * 5_000_000), text("title", "t")))
    assert upload("/", app=Late(), body=body).json() == {"length": 5_000_000, "title": "t"}


@needs_multipart
def test_20_a_missing_parameter_is_400():
    """Known when the form is whole."""
    answer = upload("/two_and_a_field", THREE[0], THREE[2])
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'second'")


@needs_multipart
def test_20_defaults_are_used_when_the_form_is_whole():
    """A default only when the form did not bring it."""
    assert upload("/default", file("file", b"x", "a.txt")).json() == ["a.txt", "untitled"]
    assert upload("/default", file("file", b"x", "a.txt"), text("title", "t")).json() == ["a.txt", "t"]
    assert upload("/default", text("title", "t")).json() == [None, "t"]


@needs_multipart
def test_20_kwargs_get_the_other_fields():
    """`**kwargs` are the fields that no parameter names, wherever they stand."""
    before = upload("/rest", text("a", "1"), text("b", "2"), file("file", b"x"))
    assert before.json() == {"file": "x", "fields": {"a": "1", "b": "2"}}


@needs_multipart
def test_20_kwargs_get_the_fields_behind_a_file():
    """What `**kwargs` take is known when the form is whole."""
    body = chunked(multipart(text("a", "1"), file("file", b"x" * 100), text("b", "2")), 50)
    assert upload("/rest", body=body).json() == {"file": "x" * 100, "fields": {"a": "1", "b": "2"}}


@needs_multipart
def test_20_path_and_query_fill_first():
    """As ever: path, query, then the form."""
    assert upload("/field", text("title", "form"), query="title=query").json() == {"title": "query"}
    assert upload("/field/path", text("title", "form")).json() == {"title": "path"}


@needs_multipart
def test_20_request_files():
    """A handler that names no parameter finds the files at `self.request.files`."""
    assert upload("/nothing", file("a", b"1", "1.txt"), file("b", b"2", "2.txt")).json() == {"a": "1.txt", "b": "2.txt"}


@needs_multipart
def test_20_the_handler_starts_before_the_file_is_complete():
    """As soon as the part's headers are in."""

    async def main():
        started = asyncio.Event()

        class Starting(App):
            async def index(self, file):
                started.set()
                return {"length": len(await file.read())}

        async def body():
            whole = multipart(file("file", b"x" * 1000))
            yield whole[:200]
            await started.wait()
            yield whole[200:]

        return await awire(Starting(), "POST", body=body(), headers=FORM_DATA)

    assert run(main()).json() == {"length": 1000}


@needs_multipart
def test_20_chunks_arrive_as_they_come():
    """The reader sees the first chunk before the last is sent."""

    async def main():
        read = asyncio.Event()

        class Reading(App):
            async def index(self, file):
                await file["content"].get()
                read.set()
                return {"more": len(await file.read()) > 0}

        async def body():
            whole = multipart(file("file", b"x" * 100_000))
            yield whole[:50_000]
            await read.wait()
            yield whole[50_000:]

        return await awire(Reading(), "POST", body=body(), headers=FORM_DATA)

    assert run(main()).json() == {"more": True}


@needs_multipart
def test_20_before_hooks_run_before_the_body():
    """A hook may refuse an upload before a byte of it is read."""

    class Refusing(HttpMiddleware):
        async def before_request(self, request):
            return {"status_code": 403, "body": "no"}

    pulled = []

    def body():
        pulled.append(True)
        yield multipart(file("file", b"x"))

    app = Uploads()
    app.middlewares.append(Refusing())
    assert upload("/one", app=app, body=body()).status_code == 403
    assert pulled == []


@needs_multipart
def test_20_before_hooks_find_no_field_of_a_multipart_form():
    """It is read while the handler runs, which has them all; a token for a hook comes in a header or the query."""
    found = []

    class Looking(HttpMiddleware):
        async def before_request(self, request):
            found.append((dict(request.body_params), request.form("title")))

        async def after_request(self, request, *_reply):
            found.append((dict(request.body_params), request.form("title")))

    app = Uploads()
    app.middlewares.append(Looking())
    assert upload("/field", text("title", "t"), app=app).json() == {"title": "t"}
    assert found == [({}, None), ({"title": ["t"]}, "t")]


@needs_multipart
@pytest.mark.parametrize("size", [10, 5_000_000])
def test_20_a_handler_that_never_drains_still_answers(size):
    """The rest is discarded."""
    answer = upload("/ignores", body=chunked(multipart(file("file", b"x" * size), text("title", "t"))))
    assert (answer.status_code, answer.text) == (200, "ignored")


@needs_multipart
def test_20_a_handler_that_raises_still_answers():
    """With a 500."""
    assert upload("/raises", body=chunked(multipart(file("file", b"x" * 5_000_000)))).status_code == 500


@needs_multipart
@pytest.mark.parametrize(("path", "status"), [("/ignores", 200), ("/raises", 500)])
def test_20_what_a_handler_leaves_is_read(path, status):
    """A client that is still sending hears no answer: the rest is read first, and dropped."""
    pulled = []

    def body():
        for chunk in chunked(multipart(file("file", b"x" * 5_000_000))):
            yield chunk
            pulled.append(len(chunk))

    assert upload(path, body=body()).status_code == status
    assert sum(pulled) == len(multipart(file("file", b"x" * 5_000_000)))


@needs_multipart
def test_20_an_unknown_route_answers_an_upload():
    """404 without a handler."""
    assert upload("/unknown", file("file", b"x")).status_code == 404


@needs_multipart
def test_20_a_stream_may_read_the_upload():
    """A generator that a handler returns may go on reading."""
    body = chunked(multipart(file("file", b"x" * 3_000_000)))
    answer = upload("/stream", body=body)
    assert answer.content == b"X" * 3_000_000


@needs_multipart
@pytest.mark.parametrize("size", [3, 5_000_000])
def test_20_sync_handlers_get_the_whole_form(size):
    """For a sync handler the form is read first; its file is read by plain calls, in a thread."""
    app = Uploads()
    body = chunked(multipart(file("file", b"x" * size), text("title", "t")))
    assert upload("/sync", app=app, body=body).json() == {"title": "t", "content": "x" * size}
    assert app.ran == ["thread"]


@needs_multipart
def test_20_sync_handlers_on_the_loop():
    """With `sync_threads=0` the same, on the loop."""
    app = Uploads(sync_threads=0)
    assert upload("/sync", file("file", b"abc"), text("title", "t"), app=app).json() == {"title": "t", "content": "abc"}
    assert app.ran == ["loop"]


@needs_multipart
def test_20_sync_handlers_read_the_queue():
    """A sync handler may take the chunks from the queue, which has them all."""
    assert upload("/sync_chunks", body=chunked(multipart(file("file", b"x" * 3_000_000)))).json() == {
        "length": 3_000_000
    }


@needs_multipart
@pytest.mark.parametrize("path", ["/save", "/sync_save"])
@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_20_save(path, size, tmp_path: Path):
    """`file.save(path)` writes the file."""
    target = tmp_path / "saved"
    body = chunked(multipart(file("file", b"x" * size), text("target", str(target))))
    assert upload(path, body=body).text == "saved"
    assert target.read_bytes() == b"x" * size


@needs_multipart
def test_20_read_gives_the_rest():
    """`await file.read()` after some chunks gives what is left; then nothing."""

    class Partly(App):
        async def index(self, file):
            first = await file["content"].get()
            rest = await file.read()
            return [len(first) + len(rest), (await file.read()).decode()]

    assert upload("/", app=Partly(), body=chunked(multipart(file("file", b"x" * 200_000)))).json() == [200_000, ""]


@needs_multipart
def test_12_a_text_field_wins_over_a_file_of_its_name():
    """The body comes before the files."""

    class Which(App):
        async def index(self, thing):
            return {"text": isinstance(thing, str)}

    assert upload("/", file("thing", b"x"), text("thing", "t"), app=Which(sync_threads=0)).json() == {"text": True}


@needs_multipart
def test_12_a_file_wins_over_the_session():
    """The files come before the session."""

    class Which(App):
        async def put(self):
            self.request.session["thing"] = "session"
            return "ok"

        async def index(self, thing):
            return {"file": isinstance(thing, dict)}

    app = Which()
    cookies = http(app, path="/put").cookies
    assert upload("/", file("thing", b"x"), app=app, cookies=cookies).json() == {"file": True}


# 20, broken uploads.


BEGUN = multipart(file("file", b"x" * 1000))[:600]


async def ending(*parts):
    """A body that pauses before each part, and before its end."""
    for part in parts:
        yield part
        await asyncio.sleep(0.02)


@needs_multipart
def test_20_the_reader_of_a_truncated_upload_gets_400():
    """Never a truncated file that looks whole."""
    app = Uploads()
    answer = upload("/failing_reader", app=app, body=ending(BEGUN))
    assert (answer.status_code, app.seen) == (400, [HTTPError, 400])


@needs_multipart
def test_20_the_reader_of_a_stalled_upload_gets_408():
    """No progress for `body_timeout`."""
    app = Uploads(body_timeout=0.1)
    answer = upload("/failing_reader", app=app, body=stalling(BEGUN))
    assert (answer.status_code, answer.text, app.seen) == (*TOO_SLOW, [HTTPError, 408])


@needs_multipart
def test_20_the_reader_of_an_upload_that_is_too_large_gets_413():
    """`max_upload_size` bounds the files of a request."""
    app = Uploads(max_upload_size=700)
    answer = upload("/failing_reader", app=app, body=chunked(multipart(file("file", b"x" * 1000)), 100))
    assert (answer.status_code, answer.text, app.seen) == (*TOO_LARGE, [HTTPError, 413])


@needs_multipart
def test_20_the_reader_of_an_upload_whose_client_left_gets_client_gone(caplog):
    """Nobody is there to answer, and nothing is logged as a failure."""
    app = Uploads()
    upload("/failing_reader", app=app, body=[BEGUN], disconnect=True)
    assert app.seen[0] is ClientGone
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@needs_multipart
def test_20_client_gone_is_an_http_error():
    """One `except HTTPError` catches all of them."""
    assert issubclass(ClientGone, HTTPError)


@needs_multipart
def test_20_a_queue_reader_gets_the_exception_too():
    """`await file["content"].get()` raises it."""
    app = Uploads()
    assert upload("/queue", app=app, body=ending(BEGUN)).status_code == 400
    assert app.seen == [bytes]


@needs_multipart
def test_20_a_client_that_leaves_before_the_parameters_are_known_runs_no_handler():
    """The handler does not run."""
    app = Uploads()
    upload("/field", app=app, body=[BEGUN], disconnect=True)
    assert app.ran == []


@needs_multipart
@pytest.mark.parametrize("path", ["/field", "/nothing", "/sync"])
def test_20_a_stall_before_the_parameters_are_known_is_408(path):
    """Whoever waits for them."""
    app = Uploads(body_timeout=0.1)
    assert status_and_text(app, path, body=stalling(BEGUN), headers=FORM_DATA) == TOO_SLOW
    assert app.ran == []


@needs_multipart
def test_20_an_upload_that_trickles_is_408():
    """The minimum rate holds for uploads."""

    async def body():
        yield BEGUN
        for _ in range(500):
            yield b"x"
            await asyncio.sleep(0.02)

    assert upload("/failing_reader", app=Uploads(body_timeout=0.1), body=body()).status_code == 408


@needs_multipart
def test_20_a_handler_that_takes_its_time_costs_no_timeout():
    """The clock runs only while we wait for the client."""

    class Slow(App):
        async def index(self, file):
            length = 0
            async for chunk in file:
                length += len(chunk)
                if length < 400_000:
                    await asyncio.sleep(0.1)
            return {"length": length}

    body = chunked(multipart(file("file", b"x" * 4_000_000)))
    assert upload("/", app=Slow(body_timeout=0.05), body=body).json() == {"length": 4_000_000}


@needs_multipart
def test_20_bytes_are_held_back_by_the_reading():
    """Once the handler runs, the parser waits for it: far less than the file is taken from the client."""

    async def main():
        pulled: list[bool] = []
        at_first_chunk = []

        class Slow(App):
            async def index(self, file):
                await asyncio.sleep(0.2)
                at_first_chunk.append(len(pulled))
                return {"length": len(await file.read())}

        async def body():
            for chunk in chunked(multipart(file("file", b"x" * 20_000_000))):
                pulled.append(True)
                yield chunk

        answer = await awire(Slow(), "POST", body=body(), headers=FORM_DATA)
        return answer.json(), at_first_chunk[0] * 65_536

    result, taken = run(main())
    assert result == {"length": 20_000_000}
    assert taken < 4_000_000


# 20, limits.


@needs_multipart
def test_20_too_many_parts_are_413():
    """`max_form_parts`, 1,000 by default."""
    assert upload("/form", *[text(f"f{number}", "1") for number in range(1000)]).status_code == 200
    assert upload("/form", *[text(f"f{number}", "1") for number in range(1001)]).status_code == 413
    assert upload("/form", text("a", "1"), text("b", "1"), app=Uploads(max_form_parts=1)).status_code == 413


@needs_multipart
def test_20_a_text_field_over_its_limit_is_413():
    """`max_form_field_size`."""
    app = Uploads(max_form_field_size=10)
    assert upload("/field", text("title", "x" * 10), app=app).status_code == 200
    answer = upload("/field", text("title", "x" * 11), app=app)
    assert (answer.status_code, answer.text) == TOO_LARGE


@needs_multipart
def test_20_a_text_field_of_one_mib_is_taken():
    """1 MiB by default."""
    assert upload("/form", text("a", "x" * 2**20)).status_code == 200
    assert upload("/form", text("a", "x" * (2**20 + 1))).status_code == 413


@needs_multipart
def test_20_text_fields_together_are_bounded_by_max_body_size():
    """All text of a form is a buffered body."""
    app = Uploads(max_body_size=1000)
    assert upload("/form", *[text(f"f{number}", "x" * 300) for number in range(3)], app=app).status_code == 200
    assert upload("/form", *[text(f"f{number}", "x" * 300) for number in range(4)], app=app).status_code == 413


@needs_multipart
def test_20_files_are_not_bounded_by_max_body_size():
    """Files have their own limit."""
    assert upload("/one", file("file", b"x" * 5000), app=Uploads(max_body_size=1000)).status_code == 200


@needs_multipart
def test_20_files_together_are_bounded_by_max_upload_size():
    """The files of a request together."""
    app = Uploads(max_upload_size=1000)
    assert upload("/nothing", file("a", b"x" * 500), file("b", b"x" * 500), app=app).status_code == 200
    assert upload("/nothing", file("a", b"x" * 500), file("b", b"x" * 501), app=app).status_code == 413


@needs_multipart
def test_20_max_upload_size_none_is_no_limit():
    """`None`: no limit."""
    app = Uploads(max_upload_size=None, max_body_size=1000)
    assert upload("/one", body=chunked(multipart(file("file", b"x" * 2_000_000))), app=app).status_code == 200


@needs_multipart
def test_20_content_length_decides_before_an_upload_is_read():
    """An upload that announces too much is not read."""
    pulled: list[bool] = []

    def body():
        pulled.append(True)
        yield BEGUN

    app = Uploads(max_upload_size=1000, max_body_size=1000)
    answer = upload("/one", app=app, body=body(), headers=[*FORM_DATA, ("Content-Length", "10000000")])
    assert (answer.status_code, pulled) == (413, [])


@needs_multipart
def test_20_what_a_handler_leaves_is_discarded_within_the_limits():
    """An endless upload that nobody reads does not hold the request for ever."""

    def endless():
        yield BEGUN
        while True:
            yield b"x" * 10_000

    answer = upload("/ignores", app=Uploads(max_upload_size=1_000_000), body=endless())
    assert answer.status_code in {200, 413}


@needs_multipart
def test_20_part_headers_are_bounded():
    """A part with an endless header is refused."""

    def endless():
        yield b"--XX\r\nContent-Disposition: form-data; name="
        while True:
            yield b"a" * 10_000

    assert upload("/nothing", body=endless()).status_code in {400, 413}


@needs_multipart
def test_20_the_end_of_the_form_is_the_end():
    """What follows the last boundary is no part of the form."""
    assert upload("/form", body=multipart(text("a", "1")) + b"epilogue").status_code in {200, 400}


# 21. App._parse_multipart.


async def parsed(body, boundary=b"XX", app=None, end=True):
    """What `_parse_multipart` makes of these bytes."""
    reader = asyncio.StreamReader()
    reader.feed_data(body)
    if end:
        reader.feed_eof()
    return await (app or App())._parse_multipart(reader, boundary)


@needs_multipart
def test_21_parse_multipart_gives_fields_and_files():
    """It returns `(form_data, files)` as documented."""

    async def main():
        form_data, files = await parsed(multipart(text("a", "1"), file("f", b"abc", "f.bin", None), text("a", "2")))
        entry = files["f"]
        chunks = [await entry["content"].get(), await entry["content"].get()]
        return form_data, list(files), entry["filename"], entry["content_type"], chunks

    assert run(main()) == ({"a": ["1", "2"]}, ["f"], "f.bin", "application/octet-stream", [b"abc", None])


@needs_multipart
def test_21_content_is_a_queue():
    """`content` is an asyncio.Queue."""

    async def main():
        _, files = await parsed(multipart(file("f", b"abc")))
        return isinstance(files["f"]["content"], asyncio.Queue)

    assert run(main())


@needs_multipart
def test_21_it_reads_to_the_end_whatever_the_size():
    """A large file is complete when it returns, although nobody read it meanwhile."""

    async def main():
        _, files = await parsed(multipart(file("f", b"x" * 5_000_000), file("g", b"y" * 2_000_000)))
        return len(await files["g"].read()), len(await files["f"].read())

    assert run(main()) == (2_000_000, 5_000_000)


@needs_multipart
@pytest.mark.parametrize("body", [b"garbage", BEGUN])
def test_21_malformed_is_an_http_error(body):
    """400, as in a request."""

    async def main():
        with pytest.raises(HTTPError) as caught:
            await parsed(body)
        return caught.value.status

    assert run(main()) == 400


@needs_multipart
def test_21_the_limits_hold():
    """413, as in a request."""

    async def main():
        with pytest.raises(HTTPError) as caught:
            await parsed(multipart(text("a", "x" * 11)), app=App(max_form_field_size=10))
        return caught.value.status

    assert run(main()) == 413


@needs_multipart
def test_21_the_pipeline_does_not_go_through_it():
    """An override does not change what requests do."""

    class Overriding(Uploads):
        async def _parse_multipart(self, reader, boundary):
            raise AssertionError("called")

    assert upload("/field", text("title", "t"), app=Overriding()).json() == {"title": "t"}
