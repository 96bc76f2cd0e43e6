"""Replies: BEHAVIOUR.md, points 22 to 26 and HEAD of 11, and "Response Formats" and "Error Handling" of the README."""

import asyncio
import dataclasses
import datetime
import logging
import re
import threading
import time
from collections import OrderedDict, namedtuple
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import pytest

from micropie import App, HTTPError, HttpMiddleware, Reply
from micropie.testing import TestClient
from tests.client import ahttp, http, run, wait_for
from tests.wire import wire

HTML = "text/html; charset=utf-8"
JSON = "application/json"
FAILED = b"500 Internal Server Error"


class Returning(App):
    """An application whose every reply is what `make` gives."""

    def __init__(self, make, **keywords):
        super().__init__(**keywords)
        self._make = make

    async def index(self):
        return self._make()

    async def visit(self):
        self.request.session["visited"] = True
        return self._make()


def reply(make, method="GET", **keywords):
    """The answer to a handler that returns what `make` gives."""
    return wire(Returning(make), method, **keywords)


def records(caplog, level=logging.ERROR):
    """The messages logged at or above a level."""
    return [record for record in caplog.records if record.levelno >= level]


# 22. What a handler may return.


class Colour(Enum):
    RED = "red"


class Number(Enum):
    ONE = 1


class Shape(Enum):
    PAIR = (1, 2)


class Word(str, Enum):  # noqa: UP042 - both kinds are used
    RED = "red"


class Name(str):
    """A subclass of str."""

    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: int
    y: "Point | None" = None


class Pair(NamedTuple):
    status: int
    body: object


Triple = namedtuple("Triple", "a b c")  # noqa: PYI024 - both kinds are used


@pytest.mark.parametrize(
    ("make", "body", "content_type"),
    [
        (lambda: "café", "café".encode(), HTML),
        (lambda: "", b"", HTML),
        (lambda: Name("x"), b"x", HTML),
        (lambda: Word.RED, b"red", HTML),
        (lambda: b"\xff\x00", b"\xff\x00", HTML),
        (lambda: bytearray(b"ab"), b"ab", HTML),
        (lambda: memoryview(b"ab"), b"ab", HTML),
        (lambda: {"a": 1}, b'{"a":1}', JSON),
        (dict, b"{}", JSON),
        (lambda: OrderedDict(b=1, a=2), b'{"b":1,"a":2}', JSON),
        (lambda: [1, "é", None], '[1,"é",null]'.encode(), JSON),
        (list, b"[]", JSON),
        (lambda: 5, b"5", JSON),
        (lambda: 0, b"0", JSON),
        (lambda: 1.5, b"1.5", JSON),
        (lambda: True, b"true", JSON),
        (lambda: False, b"false", JSON),
        (lambda: Point(1, Point(2)), b'{"x":1,"y":{"x":2,"y":null}}', JSON),
    ],
)
def test_22_a_result_is_its_body(make, body, content_type):
    """Each kind of result has its body and its type."""
    answer = reply(make)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, body, content_type)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "é\u2028<>&"}, '{"a":"é\u2028<>&"}'),
        ([float("nan"), float("inf"), float("-inf")], "[null,null,null]"),
        ({"deep": [{"x": float("nan")}]}, '{"deep":[{"x":null}]}'),
        ([datetime.datetime(2026, 1, 2, 3, 4, 5)], '["2026-01-02T03:04:05"]'),  # noqa: DTZ001 - a naive one
        ([datetime.datetime(2026, 1, 2, 3, 4, 5, 678, datetime.UTC)], '["2026-01-02T03:04:05.000678Z"]'),
        (
            [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(0), "WET"))],
            '["2026-01-02T00:00:00Z"]',
        ),
        (
            [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))],
            '["2026-01-02T00:00:00+01:00"]',
        ),
        ([datetime.time(3, 4, 5, tzinfo=datetime.UTC)], '["03:04:05Z"]'),
        ([datetime.date(2026, 1, 2)], '["2026-01-02"]'),
        ([datetime.time(3, 4, 5)], '["03:04:05"]'),
        ([UUID("12345678-1234-5678-1234-567812345678")], '["12345678-1234-5678-1234-567812345678"]'),
        ([Colour.RED, Number.ONE], '["red",1]'),
        ([Decimal("1.10")], '["1.10"]'),
        ({"took": datetime.timedelta(hours=25, milliseconds=5)}, '{"took":"P1DT3600.005S"}'),
        ([2**64, -(2**70)], "[18446744073709551616,-1180591620717411303424]"),
        ({1: "a", None: "b", False: "c"}, '{"1":"a","null":"b","false":"c"}'),
        (
            {UUID(int=5): {Colour.RED: [1, "a", None, (Point(1),), float("nan")]}},
            '{"00000000-0000-0000-0000-000000000005":{"red":[1,"a",null,[{"x":1,"y":null}],null]}}',
        ),
        (
            {datetime.date(2026, 1, 2): 1, Decimal("1.10"): 2, Number.ONE: 3, datetime.timedelta(1): 1.5},
            '{"2026-01-02":1,"1.10":2,"1":3,"P1DT0S":1.5}',
        ),
        ([(1, 2)], "[[1,2]]"),
        ([Point(1)], '[{"x":1,"y":null}]'),
        ([Pair(1, "a")], '[[1,"a"]]'),
        (["\U0001f967"], '["\U0001f967"]'),
    ],
)
def test_1_and_22_json_is_the_same_with_and_without_orjson(value, text):
    """JSON is compact, unescaped, finite, and knows the common types, whichever library writes it."""
    assert reply(lambda: value).text == text


@pytest.mark.needs("msgspec")
def test_22_structs_are_json():
    """A `msgspec.Struct` is a JSON object, inside of others too."""
    import msgspec

    class Cat(msgspec.Struct):
        name: str
        born: datetime.date

    cat = Cat("Tom", datetime.date(2020, 1, 2))
    assert reply(lambda: cat).text == '{"name":"Tom","born":"2020-01-02"}'
    assert reply(lambda: {"cats": [cat]}).text == '{"cats":[{"name":"Tom","born":"2020-01-02"}]}'


@pytest.mark.needs("pydantic")
def test_22_models_are_json():
    """So is a pydantic model."""
    import pydantic

    class Cat(pydantic.BaseModel):
        name: str
        born: datetime.date

    cat = Cat(name="Tom", born=datetime.date(2020, 1, 2))
    assert reply(lambda: cat).text == '{"name":"Tom","born":"2020-01-02"}'
    assert reply(lambda: [cat]).text == '[{"name":"Tom","born":"2020-01-02"}]'


@pytest.mark.parametrize("value", [b"in a list", {1, 2}, 1j, object, print])
def test_22_other_types_inside_are_500(value):
    """Bytes, sets and the like have no JSON form, with orjson and without."""
    assert reply(lambda: [value]).status_code == 500


def test_22_what_has_no_json_form_is_500(caplog):
    """An object that is no JSON is the application's mistake, and is logged."""
    for number, value in enumerate((object(), [{(1, 2): 3}], {Pair(1, "a"): 2}, {Shape.PAIR: 1}, {object(): 1}), 1):
        answer = reply(lambda value=value: value)
        assert (answer.status_code, answer.content) == (500, FAILED)
        assert len(records(caplog)) == number


def test_22_a_lone_surrogate_is_500():
    """Text that no encoding has is a 500, not a broken connection."""
    assert reply(lambda: "\ud800").status_code == 500
    assert reply(lambda: {"a": "\ud800"}).status_code == 500


def test_22_none_is_204():
    """No result is no content."""
    answer = reply(lambda: None)
    assert (answer.status_code, answer.content, answer.headers.get("content-length")) == (204, b"", None)


def test_22_none_with_a_status_is_an_empty_body():
    """With a given status the body is empty."""
    answer = reply(lambda: (201, None))
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (201, b"", "0")


def test_22_tuple_of_status_and_body():
    """`(status, body)`."""
    answer = reply(lambda: (404, {"error": "none"}))
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (404, {"error": "none"}, JSON)


def test_22_tuple_with_headers():
    """`(status, body, headers)`."""
    answer = reply(lambda: (201, "x", [("X-One", "1")]))
    assert (answer.status_code, answer.text, answer.headers["x-one"]) == (201, "x", "1")


def test_22_named_tuples_are_tuples():
    """Named ones too."""
    assert (reply(lambda: Pair(202, "x")).status_code, reply(lambda: Triple(203, "x", [])).status_code) == (202, 203)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-A", "1"), ("X-B", "2")],
        (("X-A", "1"), ("X-B", "2")),
        [["X-A", "1"], ["X-B", "2"]],
        {"X-A": "1", "X-B": "2"},
        [(b"X-A", b"1"), (b"X-B", b"2")],
        [("X-A", b"1"), (b"X-B", "2")],
        {b"X-A": b"1", b"X-B": b"2"},
    ],
)
def test_22_shapes_of_headers(headers):
    """Headers are pairs of str or bytes in a list, a tuple or a dict."""
    answer = reply(lambda: (200, "x", headers))
    assert (answer.headers["x-a"], answer.headers["x-b"]) == ("1", "2")


@pytest.mark.parametrize("headers", [None, [], (), {}])
def test_22_headers_may_be_none_or_empty(headers):
    """No headers are none."""
    answer = reply(lambda: (200, "x", headers))
    assert (answer.status_code, answer.text) == (200, "x")


def test_22_repeated_headers_stay():
    """A name may stand twice."""
    answer = reply(lambda: (200, "x", [("X", "1"), ("X", "2")]))
    assert answer.headers.get_list("x") == ["1", "2"]


@pytest.mark.parametrize(
    "result",
    [
        (),
        (200,),
        (200, "x", [], "y"),
        ("200", "x"),
        (200.0, "x"),
        (None, "x"),
        (True, "x"),
        ("x", 200),
        (99, "x"),
        (600, "x"),
        (-1, "x"),
        (10**6, "x"),
        (200, "x", "header"),
        (200, "x", [("a",)]),
        (200, "x", [("a", "b", "c")]),
        (200, "x", ["ab"]),
        (200, "x", 5),
        (200, object()),
    ],
)
def test_22_a_wrong_shape_or_status_is_500(result, caplog):
    """A result that means no reply is a 500 and a log line."""
    answer = reply(lambda: result)
    assert (answer.status_code, answer.content) == (500, FAILED)
    assert len(records(caplog)) == 1


@pytest.mark.parametrize(
    ("result", "lesson"),
    [
        ((200, "x", [], "y"), "(status, body)"),
        (("200", "x"), "'200'"),
        ((99, "x"), "99"),
        ((200, "x", ["ab"]), "'ab'"),
    ],
)
def test_22_the_log_line_teaches(result, lesson, caplog):
    """The log says what came, or what is accepted."""
    reply(lambda: result)
    assert lesson in caplog.text


@pytest.mark.parametrize("status", [200, 201, 299, 400, 418, 451, 499, 500, 599])
def test_22_any_final_status_goes(status):
    """Every status up to 599 may be sent, known or not."""
    assert reply(lambda: (status, "x")).status_code == status


def test_22_http_status_members_are_ints():
    """`http.HTTPStatus` members are ints, and so is what goes out."""
    from http import HTTPStatus

    assert reply(lambda: (HTTPStatus.CREATED, "x")).status_code == 201


# 23. Headers.


def test_23_names_go_out_in_lower_case():
    """Header names are in lower case on the wire."""
    answer = reply(lambda: (200, "x", [("X-MiXed", "A b")]))
    assert ("x-mixed", "A b") in answer.headers.multi_items()


@pytest.mark.parametrize(
    ("make", "length"),
    [(lambda: "café", "5"), (lambda: b"", "0"), (lambda: {"a": 1}, "7"), (lambda: (404, "x"), "1"), (object, "25")],
)
def test_23_a_whole_body_has_content_length(make, length):
    """Every whole body says its length, errors included."""
    assert reply(make).headers["content-length"] == length


def test_23_a_wrong_content_length_is_corrected():
    """A content-length of the handler's that is wrong does not go out."""
    assert reply(lambda: (200, "four", [("Content-Length", "99")])).headers["content-length"] == "4"


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
@pytest.mark.parametrize("body", ["x", {"a": 1}])
def test_23_the_handlers_content_type_wins_and_stands_once(name, body):
    """A handler's own Content-Type replaces ours."""
    assert reply(lambda: (200, body, [(name, "text/plain")])).headers["content-type"] == "text/plain"


@pytest.mark.parametrize("body", [lambda: "x", lambda: b"x", lambda: iter(["x"])], ids=["text", "bytes", "stream"])
@pytest.mark.parametrize("headers", [[], [("X-A", "1")]], ids=["bare", "with a header"])
def test_22_a_reply_may_be_of_any_type(body, headers):
    """The type of a `Reply` goes out, whatever it is, with other headers and without."""
    response = http(Returning(lambda: Reply(200, body(), headers, "text/plain")))
    assert (response.status_code, response.headers["content-type"], response.text) == (200, "text/plain", "x")


def test_22_a_replys_own_header_comes_before_its_type():
    """Of a `Content-Type` among the headers and the reply's type the header counts."""
    response = http(Returning(lambda: Reply(200, "x", [("Content-Type", "text/csv")], "text/plain")))
    assert response.headers.get_list("content-type") == ["text/csv"]


def test_22_a_replys_type_cannot_split_the_headers():
    """A type with a line break is dropped like any such header."""
    response = http(Returning(lambda: Reply(200, "x", [], "text/plain\r\nX-Evil: 1")))
    assert "x-evil" not in response.headers


def test_23_the_handlers_content_type_wins_for_streams():
    """For a stream as well."""
    assert reply(lambda: (200, iter(["x"]), {"Content-Type": "text/plain"})).headers["content-type"] == "text/plain"


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b"])
def test_23_values_that_split_are_dropped(value, caplog):
    """A value with CR, LF or NUL is dropped with a log line, the rest goes."""
    answer = reply(lambda: (200, "x", [("X-Bad", value), ("X-Good", "1")]))
    assert (answer.status_code, answer.headers.get("x-bad"), answer.headers.get("x-good")) == (200, None, "1")
    assert len(records(caplog, logging.WARNING)) == 1


@pytest.mark.parametrize("name", ["X Bad", "X:Bad", "", "X\r\nY", "Xé", "X\0", "(x)", "x\n"])
def test_23_names_that_are_no_tokens_are_dropped(name, caplog):
    """A name that is no token is dropped with a log line."""
    answer = reply(lambda: (200, "x", [(name, "v"), ("X-Good", "1")]))
    assert [header for header, _ in answer.headers.multi_items()] == ["content-type", "x-good", "content-length"]
    assert len(records(caplog, logging.WARNING)) >= 1


def test_23_streams_drop_bad_headers_too():
    """A stream's headers are checked the same."""
    answer = reply(lambda: (200, iter(["x"]), [("X-Bad", "a\r\nb"), ("X Bad", "1"), ("X-Good", "1")]))
    assert [name for name, _ in answer.headers.multi_items()] == ["content-type", "x-good"]


def test_23_the_handlers_list_is_never_changed():
    """A list kept by the application is the same after a reply with cookies and hooks."""

    class Appending(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Hook", "1"))

    shared = [("X-Own", "1")]
    app = Returning(lambda: (200, "x", shared))
    app.middlewares.append(Appending())
    answer = http(app, path="/visit")
    assert (answer.headers["x-hook"], "session_id" in answer.cookies) == ("1", True)
    assert shared == [("X-Own", "1")]


def test_23_a_shared_list_leaks_no_cookie():
    """One client's cookie is not in the next client's reply."""
    shared: list[tuple[str, str]] = []
    app = Returning(lambda: (200, "x", shared))
    assert "session_id" in http(app, path="/visit").cookies
    assert http(app).headers.get("set-cookie") is None


def test_23_a_shared_dict_is_never_changed():
    """A dict of headers neither."""
    shared = {"X-Own": "1"}
    http(Returning(lambda: (200, "x", shared)), path="/visit")
    assert shared == {"X-Own": "1"}


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("body", ["text", {"a": 1}, None, b"bytes"])
def test_23_204_205_and_304_have_no_body(status, body):
    """Whatever the handler gives, these have no body."""
    answer = reply(lambda: (status, body, [("X-Own", "1")]))
    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (status, b"", "1")


@pytest.mark.parametrize(("status", "length"), [(204, None), (205, "0"), (304, None)])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("body", ["ab", "stream"])
def test_23_204_205_and_304_announce_no_body(body, method, status, length):
    """A length of the handler's own is not theirs (RFC 9110 §8.6, §15.3.6), be it that of a stream."""
    given = (lambda: iter(["a", "b"])) if body == "stream" else (lambda: body)
    answer = reply(lambda: (status, given(), {"Content-Length": "2"}), method=method)
    assert (answer.status_code, answer.content, answer.headers.get("content-length")) == (status, b"", length)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_23_204_205_and_304_close_a_stream_unread(status):
    """A stream is closed instead of sent."""
    closed = []

    async def stream():
        try:
            yield "x"
        finally:
            closed.append(True)

    started = stream()

    async def begin():
        await anext(started)
        return status, started

    answer = http(AwaitingApp(begin))
    assert (answer.status_code, answer.content, closed) == (status, b"", [True])


class AwaitingApp(App):
    def __init__(self, make):
        super().__init__()
        self._make = make

    async def index(self):
        return await self._make()


# 11, HEAD.


@pytest.mark.parametrize("make", [lambda: "hello", lambda: {"a": 1}, lambda: (404, "none"), lambda: b"12345"])
def test_11_head_has_no_body_but_the_gets_headers(make):
    """A HEAD reply has no body; status and headers are the GET's."""
    get, head = reply(make), reply(make, "HEAD")
    assert (head.status_code, head.headers.multi_items(), head.content) == (
        get.status_code,
        get.headers.multi_items(),
        b"",
    )
    assert head.headers["content-length"] == str(len(get.content))


def test_11_head_of_a_stream_has_no_body():
    """A stream is not sent either."""
    assert reply(lambda: iter(["x"]), "HEAD").content == b""


def test_11_head_closes_a_stream():
    """A started generator is closed."""
    closed = []

    def stream():
        try:
            yield "x"
        finally:
            closed.append(True)

    generator = stream()
    next(generator)
    reply(lambda: generator, "HEAD")
    assert closed == [True]


def test_11_head_of_an_error_has_no_body():
    """Nor has an error a body."""
    answer = http(App(), "HEAD", "/nothing")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (404, b"", "13")


# 24. Streams.


async def agen(*chunks):
    for chunk in chunks:
        yield chunk


def gen(*chunks):
    yield from chunks


class AsyncIterator:
    """An async iterator that is no generator."""

    def __init__(self, *chunks):
        self.chunks = list(chunks)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)


@pytest.mark.parametrize(
    "make", [lambda: agen("a", "b"), lambda: gen("a", "b"), lambda: iter(["a", "b"]), lambda: AsyncIterator("a", "b")]
)
@pytest.mark.parametrize("threads", [0, 2])
def test_24_generators_and_iterators_stream(make, threads):
    """Sync and async generators and iterators are sent chunk by chunk."""
    answer = wire(Returning(make, sync_threads=threads))
    assert (answer.status_code, answer.chunks, answer.is_complete) == (200, [b"a", b"b", b""], True)


class Markup(str):
    """Text of another type, as template engines make it."""

    __slots__ = ()


@pytest.mark.parametrize("chunk", [Markup("a"), b"a", bytearray(b"a"), memoryview(b"a")])
def test_24_chunks_are_text_or_bytes_of_any_type(chunk):
    """Subclasses of str and all bytes-like types go out as bytes."""
    assert reply(lambda: agen(chunk)).content == b"a"


def test_24_an_iterator_that_has_nothing_to_close_may_break_off():
    """An async iterator need not have `aclose`."""
    answer = reply(lambda: AsyncIterator("a", 1), raises=TypeError)
    assert (answer.chunks, answer.is_complete) == ([b"a"], False)


def test_24_a_stream_is_html_without_length():
    """A stream has our content type, and no length."""
    answer = reply(lambda: agen("a"))
    assert (answer.headers.get("content-type"), answer.headers.get("content-length")) == (HTML, None)


def test_24_a_stream_in_a_tuple():
    """Status and headers may be given."""
    answer = reply(lambda: (206, agen("a"), [("X", "1")]))
    assert (answer.status_code, answer.headers["x"], answer.content) == (206, "1", b"a")


@pytest.mark.parametrize("make", [agen, gen])
def test_24_an_empty_stream_is_an_empty_body(make):
    """A stream without chunks is a complete reply."""
    answer = reply(make)
    assert (answer.status_code, answer.content, answer.is_complete) == (200, b"", True)


class Streams(App):
    async def async_generator(self, name="x"):
        yield f"{name}1"
        yield f"{name}2"

    def sync_generator(self, name="x"):
        yield f"{name}1"
        yield f"{name}2"

    async def asks(self):
        for _ in range(2):
            yield self.request.query("q")
            await asyncio.sleep(0)

    def asks_sync(self):
        for _ in range(2):
            yield self.request.query("q")

    def thread(self):
        yield (threading.current_thread() is threading.main_thread() and "loop") or "thread"

    def handler_thread(self):
        return {"loop": threading.current_thread() is threading.main_thread()}

    def asking_handler(self):
        return self.request.query("q")


@pytest.mark.parametrize("path", ["/async_generator/y", "/sync_generator/y"])
def test_24_a_handler_may_be_a_generator_itself(path):
    """A handler that yields streams, and is bound as ever."""
    assert wire(Streams(), path=path).chunks == [b"y1", b"y2", b""]


@pytest.mark.parametrize("path", ["/asks", "/asks_sync"])
def test_24_self_request_works_inside_a_stream(path):
    """`self.request` is the right one in every chunk."""
    assert http(Streams(), path=path, query="q=z").content == b"zz"


def test_24_self_request_is_right_in_streams_that_interleave():
    """Two streams at the same time each see their own request."""

    async def both():
        app = Streams()
        answers = await asyncio.gather(
            *(ahttp(app, path=path, query=f"q={q}") for q in "ab" for path in ("/asks", "/asks_sync"))
        )
        return [answer.content for answer in answers]

    assert run(both()) == [b"aa", b"aa", b"bb", b"bb"]


def test_24_chunks_are_str_or_bytes_like():
    """Chunks may be str, bytes, bytearray or memoryview."""
    assert reply(lambda: agen("é", b"\xff", bytearray(b"a"), memoryview(b"b"))).chunks == [
        "é".encode(),
        b"\xff",
        b"a",
        b"b",
        b"",
    ]


@pytest.mark.parametrize("chunk", [5, None, {"a": 1}, ["x"]])
@pytest.mark.parametrize("make", [agen, gen])
def test_24_another_chunk_ends_the_reply_with_a_log_line(make, chunk, caplog):
    """A chunk of another type breaks the reply off visibly, and is logged."""
    answer = reply(lambda: make("a", chunk, "b"), raises=TypeError)
    assert (answer.content, answer.is_complete) == (b"a", False)
    assert len(records(caplog)) == 1


@pytest.mark.parametrize("sync", [False, True])
def test_24_an_exception_midway_truncates_visibly(sync, caplog):
    """The client can't take a broken stream for whole; the traceback is in the log."""

    async def broken():
        yield "a"
        raise ArithmeticError("secret")

    def broken_sync():
        yield "a"
        raise ArithmeticError("secret")

    answer = reply(broken_sync if sync else broken, raises=ArithmeticError)
    assert (answer.chunks, answer.is_complete) == ([b"a"], False)
    assert [record.exc_info is not None for record in records(caplog)] == [True]


def test_24_the_clients_leaving_closes_an_async_generator():
    """The generator's `finally` runs, and may await."""
    closed = []

    async def endless():
        try:
            while True:
                yield "x"
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    kept = endless()  # the garbage collector must not do it
    reply(lambda: kept, leave_after=3)
    assert closed == [True]


def test_24_the_clients_leaving_cancels_an_idle_generator():
    """A generator that waits for something is cancelled."""
    seen = []

    async def idle():
        try:
            yield "x"
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            seen.append("closed")

    reply(idle, leave_after=1)
    assert seen == ["cancelled", "closed"]


def test_24_the_clients_leaving_closes_a_sync_generator():
    """Sync generators are closed too."""
    closed = []

    def endless():
        try:
            while True:
                yield "x"
        finally:
            closed.append(True)

    kept = endless()  # the garbage collector must not do it
    reply(lambda: kept, leave_after=3)
    wait_for(lambda: closed)
    assert closed == [True]


@pytest.mark.parametrize("threads", [0, 1])
def test_24_a_stream_of_a_broken_reply_is_closed(threads):
    """A chunk of a wrong type closes the generator too, be it the first or a later one."""
    closed = []

    def broken(*chunks):
        try:
            yield from chunks
        finally:
            closed.append(True)

    for number, (chunks, escaping) in enumerate((((None,), None), (("x", 5), TypeError)), 1):
        kept = broken(*chunks)
        app = Returning(lambda stream=kept: stream, sync_threads=threads)
        wire(app, raises=escaping)
        wait_for(lambda: len(closed) == number)  # noqa: B023 - called at once


@pytest.mark.parametrize(("chunk", "line"), [({"a": 1}, b'{"a":1}'), (5, b"5"), (["x"], b'["x"]'), (("x",), b'["x"]')])
@pytest.mark.parametrize("make", [agen, gen, AsyncIterator])
def test_24_a_stream_that_begins_with_an_object_is_lines_of_json(make, chunk, line):
    """Each object is a line, and the type says so; text in between goes out as it is."""
    answer = reply(lambda: make(chunk, "text\n", chunk))
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.content == line + b"\ntext\n" + line + b"\n"


WRONG_FIRST_CHUNKS = [5, None, {"a": 1}, ("x",), 1.5, object()]


@pytest.mark.parametrize("chunk", WRONG_FIRST_CHUNKS, ids=repr)
@pytest.mark.parametrize("make", [agen, gen, AsyncIterator, lambda *chunks: iter(chunks)])
def test_24_a_first_chunk_of_a_wrong_type_is_a_500(make, chunk, caplog):
    """Nothing was sent yet, so the client gets a whole error; the log says what chunks are."""
    answer = reply(lambda: (206, make(chunk), [("Content-Type", "text/csv"), ("ETag", '"1"'), ("X-Kept", "yes")]))
    assert (answer.status_code, answer.text, answer.is_complete) == (500, "500 Internal Server Error", True)
    assert (answer.headers["content-type"], answer.headers.get("etag"), answer.headers["x-kept"]) == (HTML, None, "yes")
    assert len(records(caplog)) == 1
    assert "chunks are str or bytes" in caplog.text


async def slowly(error):
    await asyncio.sleep(0)
    if error:
        raise error
    yield "never"


async def at_once(error):
    if error:
        raise error
    yield "never"


def in_a_thread(error):
    if error:
        raise error
    yield "never"


@pytest.mark.parametrize("make", [slowly, at_once, in_a_thread])
@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (HTTPError(404, "No such export"), "404 Not Found: No such export"),
        (ArithmeticError("secret"), "500 Internal Server Error"),
        (SystemExit(1), "500 Internal Server Error"),
    ],
)
def test_24_what_is_raised_before_the_first_chunk_is_the_reply(make, threads, error, text):
    """A generator that looks first, and yields then, answers as any handler does."""
    answer = http(Returning(lambda: make(error), sync_threads=threads))
    assert answer.text == text
    assert answer.headers["cache-control"] == "no-store"


def test_24_a_stream_that_fails_at_once_keeps_the_new_session():
    """The cookie goes out with the error: the session is saved by then."""

    class Exports(App):
        async def index(self):
            self.request.session["asked"] = True
            return at_once(HTTPError(404))

    answer = http(Exports())
    assert answer.status_code == 404
    assert "session_id" in answer.cookies


@pytest.mark.parametrize("make", [agen, gen])
def test_24_a_stream_whose_first_chunk_takes_long_starts_without_it(make):
    """Who opens an event stream hears at once that somebody is there; what goes wrong later cuts the reply off."""
    started = threading.Event()

    class Late(App):
        async def index(self):
            return self._late() if make is agen else self._late_in_a_thread()

        async def _late(self):
            while not started.is_set():  # noqa: ASYNC110  a thread waits for it too
                await asyncio.sleep(0.01)
            yield "late"

        def _late_in_a_thread(self):
            assert started.wait(10)
            yield "late"

    messages = []

    async def send(message):
        messages.append(message)
        started.set()

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Late()(scope, asyncio.Event().wait, send), 10)  # type: ignore[arg-type]

    run(main())
    assert [message.get("body", message.get("status")) for message in messages] == [200, b"late", b""]


@pytest.mark.parametrize("make", [agen, gen])
def test_a_start_may_wait_until_it_is_known_what_to_say(make):
    """While `request.start_waits`, so that what fails late is the reply all the same."""

    class Slow(App):
        async def index(self):
            self.request.start_waits = True
            return self._rows() if make is agen else self._rows_in_a_thread()

        async def _rows(self):
            await asyncio.sleep(0.25)
            raise HTTPError(503, "No database")
            yield ""

        def _rows_in_a_thread(self):
            time.sleep(0.25)
            raise HTTPError(503, "No database")
            yield ""

    assert http(Slow()).text == "503 Service Unavailable: No database"


def test_a_start_waits_no_longer_than_it_is_to():
    """It goes out alone, a tenth of a second behind the end of `request.start_waits` at most."""
    started = asyncio.Event()
    messages: list[object] = []

    class Slow(App):
        async def index(self):
            self.request.start_waits = True
            await asyncio.sleep(0.25)
            messages.append("connected")
            self.request.start_waits = False
            await started.wait()
            yield "late"

    async def send(message):
        messages.append(message.get("body", message.get("status")))
        started.set()

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Slow()(scope, asyncio.Event().wait, send), 10)  # type: ignore[arg-type]

    run(main())
    assert messages == ["connected", 200, b"late", b""]


@pytest.mark.parametrize("error", [OSError("the client has left"), RuntimeError("the server has a bug")])
def test_24_a_start_that_cannot_be_sent_ends_the_stream(error, caplog):
    """A client that has left is nobody's error, another exception of the server's is."""
    closed = []

    class Late(App):
        async def index(self):
            try:
                await asyncio.sleep(0.15)
                yield "late"
            finally:
                closed.append(True)

    async def send(message):
        raise error

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Late()(scope, asyncio.Event().wait, send), 10)  # type: ignore[arg-type]

    if isinstance(error, OSError):
        run(main())
    else:
        with pytest.raises(RuntimeError, match="the server has a bug"):
            run(main())
    assert closed == [True]
    assert len(records(caplog)) == (0 if isinstance(error, OSError) else 1)


def test_24_a_client_may_leave_right_before_the_end():
    """When all chunks are out; nothing is logged, and nothing raised."""

    class Short(App):
        async def index(self):
            yield "x"

    async def send(message):
        if not message.get("more_body", True):
            raise OSError("the client has left")

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Short()(scope, asyncio.Event().wait, send), 10)  # type: ignore[arg-type]

    run(main())


def test_24_a_stream_may_end_by_itself_when_its_client_leaves():
    """It is told by a cancellation; whether it has sent anything by then or not."""

    class Ending(App):
        async def index(self, chunks="1"):
            try:
                for _ in range(int(chunks)):
                    yield "x"
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

    assert wire(Ending(), path="/1", leave_after=1).chunks[:1] == [b"x"]
    assert wire(Ending(), path="/0", leave_after=0).content == b""


@pytest.mark.parametrize("more_body", [True, False])
@pytest.mark.parametrize("turns", [3, 200])
def test_24_a_receive_that_never_waits_does_not_stop_a_stream(more_body, turns):
    """Hand-written clients answer at once, and with the same message, whenever they are asked."""

    class Ticks(App):
        async def index(self):
            for number in range(turns):
                await asyncio.sleep(0)
                yield f"{number} "

    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": more_body}

    async def send(message):
        sent.append(message.get("body", b""))

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Ticks()(scope, receive, send), 10)

    run(main())
    assert b"".join(sent).split() == [str(number).encode() for number in range(turns)]


def test_24_a_disconnect_behind_surplus_messages_ends_the_stream():
    """A client that is asked again and again may leave in the end."""
    asked = []

    async def receive():
        asked.append(1)
        return {"type": "http.disconnect"} if len(asked) > 3 else {"type": "http.request", "body": b""}

    async def main():
        async def forever():
            yield "x"
            await asyncio.Event().wait()

        async def send(message):
            pass

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.wait_for(Returning(forever)(scope, receive, send), 10)

    run(main())
    assert len(asked) == 4


class Counting(App):
    """Streams that change the session, or do not."""

    async def late(self):
        self.request.session["n"] = 1
        yield "x"

    def in_a_thread(self):
        yield "x"
        self.request.session["list"].append(1)

    async def rotated(self):
        self.request.session.get("n")
        yield "x"
        self.request.session.rotate()

    async def known(self):
        async def stream():
            yield "x"
            self.request.session["n"] = 2

        self.request.session["n"] = 1
        return stream()

    async def before(self):
        async def stream():
            yield str(self.request.session["n"])

        self.request.session["n"] = 1
        return stream()

    async def untouched(self):
        yield "x"


def test_29_the_session_of_an_outer_application_is_saved_when_the_stream_begins(caplog):
    """What the handler has changed counts, and nothing is said."""

    class Site(App):
        inner = Counting()

    with TestClient(Site()) as client:
        client.session({"n": 0, "list": []})
        assert client.get("/inner/known").text == "x"
        assert client.session()["n"] == 1
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("path", "warnings"),
    [("/late", 1), ("/in_a_thread", 1), ("/rotated", 1), ("/known", 1), ("/before", 0), ("/untouched", 0)],
)
def test_29_a_change_of_the_session_while_streaming_is_told(path, warnings, caplog):
    """It is saved before the reply begins; so the log says once that the change is lost, and what to do."""
    with TestClient(Counting()) as client:
        client.session({"n": 0, "list": []})
        assert client.get(path).status_code == 200
        kept = client.session()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == warnings
    assert all("is not saved" in message and repr(path) in message for message in told)
    assert kept == {"n": 1 if path in ("/known", "/before") else 0, "list": []}


def test_24_a_sync_generator_is_never_closed_while_its_next_runs():
    """It is closed when its `next()` is back."""
    seen = []

    def slow():
        try:
            yield "x"
            seen.append("next")
            time.sleep(0.2)
            seen.append("back")
            yield "y"
        finally:
            seen.append("closed")

    kept = slow()
    reply(lambda: kept, leave_after=1)
    wait_for(lambda: "closed" in seen)
    assert seen in (["next", "back", "closed"], ["closed"])


@pytest.mark.parametrize("send_fails", [False, True])
def test_24_a_server_that_raises_on_send_ends_the_stream(send_fails):
    """Whether sends fail or do nothing after the client left, the stream ends."""

    async def endless():
        while True:
            yield "x"

    answer = reply(endless, leave_after=2, send_fails=send_fails)
    assert not answer.is_complete


def test_24_a_stream_that_never_suspends_lets_the_loop_breathe():
    """Others run at least every 64 chunks."""
    sent: list[str] = []
    seen: list[int] = []

    async def busy():
        asyncio.get_running_loop().call_soon(lambda: seen.append(len(sent)))
        for _ in range(200):
            sent.append("x")
            yield "x"

    reply(busy)
    assert len(seen) == 1
    assert seen[0] <= 65


def test_24_sync_handlers_run_in_threads():
    """A sync handler is not on the loop's thread."""
    assert http(Streams(), path="/handler_thread").json() == {"loop": False}


def test_24_sync_generators_run_in_threads():
    """Neither is a sync generator."""
    assert http(Streams(), path="/thread").content == b"thread"


def test_24_sync_threads_0_runs_them_on_the_loop():
    """`sync_threads=0` runs both on the loop."""
    app = Streams(sync_threads=0)
    assert http(app, path="/handler_thread").json() == {"loop": True}
    assert http(app, path="/thread").content == b"loop"


@pytest.mark.parametrize("threads", [0, 1])
def test_24_sync_handlers_see_their_request(threads):
    """The context is copied into the thread."""
    assert http(Streams(sync_threads=threads), path="/asking_handler", query="q=z").content == b"z"


def test_24_a_sync_handler_does_not_block_the_loop():
    """While a sync handler waits, another request is answered."""
    released = threading.Event()

    class Blocking(App):
        def wait(self):
            return {"released": released.wait(10)}

        async def release(self):
            released.set()
            return "ok"

    async def both():
        app = Blocking()
        waiting = asyncio.create_task(ahttp(app, path="/wait"))
        await asyncio.sleep(0.05)
        await ahttp(app, path="/release")
        return await waiting

    assert run(both()).json() == {"released": True}


def test_24_a_sync_generator_does_not_block_the_loop():
    """The same for a sync generator."""
    released = threading.Event()

    class Blocking(App):
        def wait(self):
            yield f"{released.wait(10)}"

        async def release(self):
            released.set()
            return "ok"

    async def both():
        app = Blocking()
        waiting = asyncio.create_task(ahttp(app, path="/wait"))
        await asyncio.sleep(0.05)
        await ahttp(app, path="/release")
        return await waiting

    assert run(both()).content == b"True"


@pytest.mark.parametrize("threads", [0, 1])
def test_24_an_awaitable_of_a_sync_handler_is_awaited_on_the_loop(threads):
    """A sync handler may return a coroutine."""

    class Returns(App):
        def index(self):
            async def work():
                await asyncio.sleep(0)
                return f"{threading.current_thread() is threading.main_thread()}"

            return work()

    assert http(Returns(sync_threads=threads)).content == b"True"


@pytest.mark.parametrize("threads", [0, 1])
def test_24_a_sync_handler_may_return_an_async_generator(threads):
    """Its result streams like any other."""

    class Returns(App):
        def index(self):
            return agen("a", "b")

    assert http(Returns(sync_threads=threads)).content == b"ab"


@pytest.mark.parametrize("threads", [0, 1])
def test_24_a_sync_handler_may_return_a_sync_generator(threads):
    """Which runs in threads as well."""

    class Returns(App):
        def index(self):
            return gen("a", "b")

    assert http(Returns(sync_threads=threads)).content == b"ab"


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("error", [ValueError, StopIteration, KeyError])
def test_24_a_sync_handler_that_raises_is_500(threads, error):
    """Any exception is a 500, a StopIteration too."""

    class Raises(App):
        def index(self):
            raise error

    assert http(Raises(sync_threads=threads)).status_code == 500


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, KeyError, TimeoutError, OSError])
def test_26_any_exception_of_an_async_handler_is_500(error):
    """StopIteration and OSError too."""

    class Raises(App):
        async def index(self):
            raise error

    assert http(Raises()).status_code == 500


def test_26_a_cancellation_of_something_awaited_is_500():
    """A CancelledError that nobody sent to the request is an exception like any other."""

    class Raises(App):
        async def index(self):
            raise asyncio.CancelledError

    assert http(Raises()).status_code == 500


def test_26_a_cancelled_request_is_not_answered():
    """A server that cancels a request gets its cancellation back."""
    started = asyncio.Event()

    class Waits(App):
        async def index(self):
            started.set()
            await asyncio.sleep(60)

    async def cancelled():
        request = asyncio.create_task(ahttp(Waits()))
        await started.wait()
        request.cancel()
        await asyncio.wait([request])
        return request.cancelled()

    assert run(cancelled())


# 25. Redirects.


class Redirecting(App):
    def __init__(self, *args, **keywords):
        super().__init__()
        self._how = args, keywords

    async def index(self):
        args, keywords = self._how
        return self._redirect(*args, **keywords)


def location(target):
    """The Location header for a target."""
    return http(Redirecting(target)).headers.get("location")


def test_25_redirect_is_a_302():
    """`_redirect` answers 302 with an empty body and the location."""
    answer = http(Redirecting("/login"))
    assert (answer.status_code, answer.content, answer.headers["location"]) == (302, b"", "/login")


def test_25_redirect_gives_a_tuple():
    """What it returns is a handler's result."""
    assert App()._redirect("/x") == (302, "", [("Location", "/x")])


def test_25_extra_headers_are_added():
    """Extra headers follow."""
    result = App()._redirect("/x", [("X-Own", "1")])
    assert result == (302, "", [("Location", "/x"), ("X-Own", "1")])


def test_25_extra_headers_by_keyword_and_as_dict():
    """By keyword, in any shape that handlers may use."""
    answer = http(Redirecting("/x", extra_headers={"X-Own": "1"}))
    assert (answer.headers["location"], answer.headers["x-own"]) == ("/x", "1")


def test_25_extra_headers_are_not_changed():
    """The list given stays as it is."""
    extra = [("X-Own", "1")]
    App()._redirect("/x", extra)
    assert extra == [("X-Own", "1")]


def test_25_status_is_a_keyword():
    """`status=` changes the status."""
    assert http(Redirecting("/x", status=303)).status_code == 303
    with pytest.raises(TypeError):
        App()._redirect("/x", None, 303)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/café", "/caf%C3%A9"),
        ("/a b", "/a%20b"),
        ("/a%20b%C3%A9", "/a%20b%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
        ("/x?q=é&r=a b#früh", "/x?q=%C3%A9&r=a%20b#fr%C3%BCh"),
        ("https://example.org/x?y=1#z", "https://example.org/x?y=1#z"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://bücher.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("//bücher.example/x", "//xn--bcher-kva.example/x"),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://bu\u0308cher.example/", "https://xn--bcher-kva.example/"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://βόλος.com/", "https://xn--nxasmm1c.com/"),
        ("https://ΒΌΛΟΣ.com/", "https://xn--nxasmq6b.com/"),
        ("https://日本語.example/", "https://xn--wgv71a119e.example/"),
        ("https://www.日本-語1.example/", "https://www.xn---1-5t7du0cl91h.example/"),
        ("https://例。example/", "https://%E4%BE%8B%E3%80%82example/"),
        ("https://\uff45xample.org/", "https://%EF%BD%85xample.org/"),
        ("https://i❤.ws/", "https://i%E2%9D%A4.ws/"),
        ("https://üser@bücher.example/", "https://%C3%BCser@xn--bcher-kva.example/"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("relative/path", "relative/path"),
        ("?only=query", "?only=query"),
        ("", ""),
        ('/a"<>b', "/a%22%3C%3Eb"),
        ("/a;b=c,d!$&'()*+@:~", "/a;b=c,d!$&'()*+@:~"),
    ],
)
def test_25_locations_are_ascii(target, expected):
    """Path, query, fragment and host are made ASCII; existing `%XX` are kept."""
    assert location(target) == expected


@pytest.mark.parametrize(
    "target", ["/x\r\nSet-Cookie: a=1", "/x\ny", "/x\ry", "/x\0y", "http://h\r\nX: y/", "/\u2028\x85"]
)
def test_25_line_breaks_never_reach_the_header(target):
    """The target can't split the header."""
    answer = http(Redirecting(target))
    assert answer.status_code == 302
    assert answer.headers.get("set-cookie") is None
    assert re.fullmatch(r"[!-~]*", answer.headers["location"] or "")


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "JavaScript://x/%0aalert(1)", "vbscript:x", "data:text/html,<script>", "DATA:,x"]
)
def test_25_a_target_that_would_be_run_is_refused(target, caplog):
    """It is no place to go to; the log says what to use for targets from outside."""
    assert http(Redirecting(target)).status_code == 500
    assert "use safe_redirect()" in caplog.text


@pytest.mark.parametrize("target", [" javascript:x", "java\tscript:x", "\x01javascript:x", "/javascript:x", "?data:x"])
def test_25_what_only_looks_like_such_a_target_is_encoded(target):
    """No client reads a scheme from it."""
    assert not re.match(r"\s*(javascript|data):", location(target) or "", re.IGNORECASE)


def test_25_a_lone_surrogate_is_no_failure():
    """What cannot be encoded does not break the reply."""
    assert http(Redirecting("/\ud800")).status_code == 302


# 26. Errors.


class Failing(App):
    def __init__(self, error, **keywords):
        super().__init__(**keywords)
        self._error = error

    async def index(self):
        raise self._error

    async def visit(self):
        self.request.session["visited"] = True
        raise self._error


def test_26_an_unhandled_exception_is_500():
    """The client sees a bare 500."""
    answer = http(Failing(RuntimeError("secret")))
    assert (answer.status_code, answer.content) == (500, FAILED)


def test_26_the_traceback_is_in_the_log_only(caplog):
    """It is logged once, under `micropie`, with its traceback; nothing of it reaches the client."""
    answer = http(Failing(RuntimeError("secret")))
    assert [(record.name, record.levelname) for record in records(caplog)] == [("micropie", "ERROR")]
    assert "RuntimeError: secret" in caplog.text
    assert "secret" not in f"{answer.headers.multi_items()} {answer.text}"


def test_26_after_an_exception_the_session_is_not_saved():
    """Changes before the exception are lost."""
    answer = http(Failing(RuntimeError()), path="/visit")
    assert answer.headers.get("set-cookie") is None


def test_26_http_error_answers():
    """`raise HTTPError(status, detail)` answers with that."""
    answer = http(Failing(HTTPError(403, "Members only")))
    assert (answer.status_code, answer.text) == (403, "403 Forbidden: Members only")


def test_26_http_error_without_detail():
    """Without a detail the phrase stands alone."""
    assert http(Failing(HTTPError(404))).text == "404 Not Found"


def test_26_http_error_headers():
    """Its headers are added."""
    answer = http(Failing(HTTPError(401, headers=[("WWW-Authenticate", "Basic")])))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Basic")


@pytest.mark.parametrize("headers", [{"Retry-After": "5"}, (("Retry-After", "5"),), [["Retry-After", "5"]]])
def test_26_http_error_headers_have_any_shape(headers):
    """In any shape that a handler's may have."""
    answer = http(Failing(HTTPError(503, "x", headers)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_26_http_error_headers_may_be_none():
    """None is no headers."""
    assert http(Failing(HTTPError(503, headers=None))).status_code == 503


def test_26_http_error_saves_the_session():
    """It is an answer, so the session is saved."""
    assert "session_id" in http(Failing(HTTPError(403)), path="/visit").cookies


def test_26_http_error_is_not_logged_as_a_failure(caplog):
    """An answer is no failure."""
    http(Failing(HTTPError(403)))
    assert records(caplog) == []


@pytest.mark.parametrize("status", ["403", None, 99, 600, 403.0])
def test_26_http_error_with_a_wrong_status_is_500(status):
    """A status that is none is the application's mistake."""
    assert http(Failing(HTTPError(status))).status_code == 500


def test_26_http_error_attributes():
    """`status`, `detail` and `headers` can be read."""
    error = HTTPError(403, "No", [("X", "1")])
    assert (error.status, error.detail, list(error.headers)) == (403, "No", [("X", "1")])
    assert isinstance(error, Exception)


def test_26_the_detail_is_escaped():
    """A detail is text, never markup."""
    assert http(Failing(HTTPError(400, "<b>&"))).text == "400 Bad Request: &lt;b&gt;&amp;"


ERRORS = {
    400: lambda: http(Failing(HTTPError(400, "x"))),
    404: lambda: http(App(), path="/nothing"),
    413: lambda: http(Returning(lambda: "x", max_body_size=1), "POST", content=b"12"),
    500: lambda: http(Failing(RuntimeError())),
}


@pytest.mark.parametrize("status", ERRORS)
def test_26_errors_are_html_and_nosniff(status):
    """Error texts are `text/html` and say `nosniff`."""
    answer = ERRORS[status]()
    assert (answer.status_code, answer.headers["content-type"]) == (status, HTML)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "keywords"),
    [
        ("GET", "/evil-marker", {}),
        ("GET", "/index/evil-marker", {}),
        ("GET", "/%FFevil-marker", {}),
        ("GET", "/needs", {"query": "evil-marker=1"}),
        ("POST", "/", {"body": b"evil-marker", "headers": [("Content-Type", "application/json")]}),
        ("POST", "/", {"body": b"x", "headers": [("Content-Type", "multipart/form-data; evil-marker")]}),
        ("evil-marker", "/nothing", {}),
    ],
)
def test_26_no_client_value_is_echoed(method, path, keywords):
    """An error never repeats what the client sent."""

    class Needy(App):
        async def index(self):
            return "x"

        async def needs(self, name):
            return name

    answer = wire(Needy(), method, path, **keywords)
    assert answer.status_code >= 400
    assert "evil-marker" not in f"{answer.headers.multi_items()} {answer.text}".lower()


class Watching(HttpMiddleware):
    """Remembers the statuses that pass it, and rewrites errors."""

    def __init__(self):
        self.statuses = []

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.statuses.append(status_code)
        if status_code >= 400:
            return {"body": {"error": status_code}}
        return None


@pytest.mark.parametrize(
    ("path", "keywords", "status"),
    [
        ("/", {}, 200),
        ("/needs", {}, 400),
        ("/%FF", {}, 400),
        ("/nothing", {}, 404),
        ("/_private", {}, 404),
        ("/fails", {}, 500),
        ("/index/x", {}, 500),
        ("/refuses", {}, 403),
        ("/", {"method": "POST", "json": "x" * 100}, 413),
        ("/", {"method": "POST", "body": b"{", "headers": [("Content-Type", "application/json")]}, 400),
        ("/", {"method": "POST", "body": b"x", "headers": [("Content-Type", "multipart/form-data")]}, 400),
        ("/none", {}, 204),
        ("/stream", {}, 200),
    ],
)
def test_26_every_reply_passes_the_after_hooks_once(path, keywords, status):
    """Errors of every kind pass the after hooks, once."""

    class Site(App):
        async def index(self):
            return "x"

        async def needs(self, name):
            return name

        async def fails(self):
            raise RuntimeError

        async def refuses(self):
            raise HTTPError(403)

        async def none(self):
            return None

        async def stream(self):
            yield "x"

    app, watching = Site(max_body_size=50), Watching()
    app.middlewares.append(watching)
    answer = wire(app, path=path, **keywords)
    assert (answer.status_code, watching.statuses) == (status, [status])
    if status >= 400:
        assert answer.json() == {"error": status}
        assert answer.headers["content-type"] == JSON


NO = HTTPError(403, "No")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ExceptionGroup("tasks", [NO]), "403 Forbidden: No"),
        (ExceptionGroup("tasks", [HTTPError(403, "first"), HTTPError(403, "second")]), "403 Forbidden: first"),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [NO]), NO]), "403 Forbidden: No"),
        (ExceptionGroup("tasks", [NO, HTTPError(404)]), "500 Internal Server Error"),
        (ExceptionGroup("tasks", [NO, ValueError("secret")]), "500 Internal Server Error"),
        (ExceptionGroup("tasks", [ValueError("secret")]), "500 Internal Server Error"),
    ],
)
@pytest.mark.parametrize("place", ["handler", "thread", "before hook", "stream"])
def test_26_a_group_of_one_kind_of_error_is_that_error(place, error, text):
    """As a `TaskGroup` raises it; a group of several is a failure."""

    class Failing(App):
        async def handler(self):
            raise error

        def thread(self):
            raise error

        async def stream(self):
            raise error
            yield "x"

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            if place == "before hook":
                raise error

    app = Failing()
    app.middlewares.append(Hook())
    assert http(app, path="/handler" if place == "before hook" else f"/{place}").text == text


def test_26_a_task_group_hands_on_the_error_of_its_task(caplog):
    """The session is saved as with any `HTTPError`, and nothing is logged."""

    class Site(App):
        async def index(self):
            self.request.session["seen"] = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._refuse())
                group.create_task(asyncio.sleep(10))

        async def _refuse(self):
            raise HTTPError(409, "Sold out")

    answer = http(Site())
    assert answer.text == "409 Conflict: Sold out"
    assert "session_id" in answer.cookies
    assert caplog.records == []


def test_23_headers_that_are_new_in_each_reply():
    """However many different headers go out, each is the handler's own."""

    class Counts(App):
        async def index(self, number):
            return 200, "", [("X-Number", number), (b"X-Bytes", number.encode()), ["X-List", number]]

    app = Counts()
    for number in map(str, range(1500)):
        headers = http(app, path=f"/{number}").headers
        assert [headers[name] for name in ("x-number", "x-bytes", "x-list")] == [number] * 3
