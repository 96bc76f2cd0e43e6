"""Streams of objects: server-sent events, lines of JSON, and services that live as long as the application."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from micropie import App, Controller, ServerSentEvent, ServerSentEvents, Service
from micropie.testing import TestClient
from tests.client import http, run
from tests.wire import wire

EVENTS = {"accept": "text/event-stream"}


@dataclass
class Tick:
    """An object of a stream."""

    number: int


class Streaming(App):
    """Streams what the test gives."""

    def __init__(self, *chunks, headers=None, wait=0.0):
        super().__init__()
        self._chunks = chunks
        self._headers = headers
        self._wait = wait

    async def index(self):
        return 200, self._stream(), self._headers

    async def _stream(self):
        await asyncio.sleep(self._wait)
        for chunk in self._chunks:
            yield chunk


def as_event_source(text):
    """The events that a browser makes of a stream, by the rules of the specification."""
    events, kind, last = [], "", ""
    data: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if data:
                events.append((kind or "message", "\n".join(data), last))
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            last = value
    return events


def test_objects_are_events_for_who_accepts_them():
    """An EventSource gets each object as JSON, and headers that let it pass at once."""
    answer = http(Streaming({"a": 1}, Tick(2), [3], 4.5), headers=EVENTS)
    assert answer.headers["content-type"] == "text/event-stream"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    found = [json.loads(data) for _, data, _ in as_event_source(answer.text)]
    assert found == [{"a": 1}, {"number": 2}, [3], 4.5]


@pytest.mark.parametrize("text", ["one", "", " led", "two\nlines", "a\r\nb\rc", "ends\n", "data: x", ":", "ü\u2028ß"])
def test_the_text_of_an_event_arrives_as_it_is(text):
    """Line ends are the format's own; all else is kept."""
    answer = http(Streaming(ServerSentEvent(text)), headers=EVENTS)
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert as_event_source(answer.text) == [("message", expected, "")]


def test_an_event_has_a_type_an_id_and_a_time_to_wait():
    """Each is a field; `retry` is in seconds here, in milliseconds there."""
    event = ServerSentEvent({"n": 1}, event="tick", id="7", retry=1.5)
    assert http(Streaming(event), headers=EVENTS).text == 'event: tick\nid: 7\nretry: 1500\ndata: {"n":1}\n\n'
    assert http(Streaming(ServerSentEvent(id="8")), headers=EVENTS).text == "id: 8\n\n"
    assert repr(event) == "ServerSentEvent({'n': 1}, event='tick', id='7')"


def test_an_event_may_go_to_many():
    """It is written once."""
    event = ServerSentEvent("x", id="1")
    assert event.encode() is event.encode()
    assert event.encode() == b"id: 1\ndata: x\n\n"


@pytest.mark.parametrize("wrong", ["a\nb", "a\rb", "\0"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_a_field_is_one_line(name, wrong):
    """Another line would be another field."""
    with pytest.raises(ValueError, match=f"the {name} of a server-sent event is one line"):
        ServerSentEvent("x", **{name: wrong})


def test_a_handler_that_names_events_gets_them():
    """Whatever the client accepts; text that is formatted already goes out as it is."""
    app = Streaming("data: by hand\n\n", Tick(1), headers={"Content-Type": "text/event-stream; charset=utf-8"})
    answer = http(app)
    assert answer.text == 'data: by hand\n\ndata: {"number":1}\n\n'
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


class Declared(App):
    """Streams of objects that say so; a late one has nothing to tell for a while."""

    async def records(self, late: bool) -> AsyncIterator[Tick]:
        await asyncio.sleep(0.2 if late else 0)
        for number in [7] if late else []:
            yield Tick(number)

    def dicts(self, late: bool) -> Iterator[dict[str, int]]:
        time.sleep(0.2 if late else 0)
        yield from [{"number": 7}] if late else []

    async def events(self, late: bool) -> AsyncIterator[ServerSentEvent]:
        await asyncio.sleep(0.2 if late else 0)
        for number in [7] if late else []:
            yield ServerSentEvent({"number": number})


@pytest.mark.parametrize("name", ["records", "dicts", "events"])
@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize(
    ("accept", "kind", "text"),
    [
        ("*/*", "application/x-ndjson", '{"number":7}\n'),
        ("text/event-stream", "text/event-stream", 'data: {"number":7}\n\n'),
    ],
)
def test_a_declared_stream_of_objects_has_their_type(name, late, accept, kind, text):
    """Before the first of them is there, and if none comes."""
    answer = http(Declared(), path=f"/{name}/{late}", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert answer.text == (text if late else "")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, */*;q=0.8", "application/x-ndjson"])
def test_objects_are_lines_for_all_others(accept):
    """The type says so."""
    answer = http(Streaming(Tick(1), {"b": "ü\n"}), headers={"accept": accept})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text == '{"number":1}\n{"b":"ü\\n"}\n'


@pytest.mark.parametrize(
    ("accept", "kind"), [("application/x-ndjson", "application/x-ndjson"), ("*/*", "text/html; charset=utf-8")]
)
def test_a_late_object_is_a_line_too(accept, kind):
    """The start is out by then; only who has asked for lines is told by the type."""
    answer = http(Streaming(Tick(1), wait=0.2), headers={"accept": accept})
    assert (answer.headers["content-type"], answer.text) == (kind, '{"number":1}\n')


def test_a_late_event_is_one():
    """The start is out before it, and says what is to come."""
    answer = http(Streaming(Tick(1), wait=0.2), headers=EVENTS)
    assert (answer.headers["content-type"], answer.text) == ("text/event-stream", 'data: {"number":1}\n\n')


SEVERAL = ServerSentEvents([ServerSentEvent("a", id="1"), ServerSentEvent([1])])


@pytest.mark.parametrize(
    ("headers", "chunks"),
    [(EVENTS, [b"id: 1\ndata: a\n\ndata: [1]\n\n", b""]), ({}, [b'{"id":"1","data":"a"}\n[1]\n', b""])],
)
def test_several_events_go_out_as_one(headers, chunks):
    """In one message to the server, as events and as lines."""
    messages = wire(Streaming(SEVERAL), headers=headers.items()).messages
    assert [message["body"] for message in messages if message["type"] == "http.response.body"] == chunks


@pytest.mark.parametrize(("data", "status"), [({"number": 1}, 200), ({"other": 1}, 500)])
def test_several_events_are_checked_one_by_one(data, status):
    """Against what the stream's annotation says of its objects."""

    class Site(App):
        async def ticks(self) -> AsyncIterator[Tick]:
            yield ServerSentEvents([ServerSentEvent(data, id="1")])  # type: ignore[misc]

    answer = http(Site(), path="/ticks", headers=EVENTS)
    assert answer.status_code == status
    assert (answer.text == 'id: 1\ndata: {"number":1}\n\n') is (status == 200)


def test_an_event_as_a_line_of_json():
    """Its data alone, or beside its type and its id."""
    lines = http(Streaming(ServerSentEvent("a"), ServerSentEvent([1], id="7"), ServerSentEvent(event="end"))).text
    assert [json.loads(line) for line in lines.splitlines()] == ["a", {"id": "7", "data": [1]}, {"event": "end"}]


@pytest.mark.parametrize("chunk", [None, object(), {1, 2}, ServerSentEvent({1, 2})])
@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_what_is_no_json_is_an_error(chunk, headers, caplog):
    """At the first chunk a 500; None is what a generator yields by mistake."""
    answer = http(Streaming(chunk), headers=headers)
    assert answer.status_code == 500
    assert "a stream's chunks are str or bytes" in caplog.text


def test_an_object_behind_text_is_an_error(caplog):
    """What began as a page is not to become data."""
    answer = wire(Streaming("<p>", Tick(1)), raises=TypeError)
    assert (answer.content, answer.is_complete) == (b"<p>", False)
    assert "chunks are str or bytes" in caplog.text


def test_not_a_number_is_null():
    """As in any JSON reply."""
    assert http(Streaming({"a": math.nan})).text == '{"a":null}\n'


class Noting(Service):
    """A service that notes what happens to it."""

    def __init__(self, notes, name, *, error=None):
        self.notes = notes
        self.name = name
        self.error = error

    async def start(self, app):
        self.notes.append(f"{type(app).__name__} starts {self.name}")
        if self.error:
            raise self.error

    async def stop(self):
        self.notes.append(f"{self.name} stops")


def test_services_live_as_long_as_the_application():
    """They start behind the startup handlers, and stop in reverse order; those of controllers too, each once."""
    notes: list[str] = []
    shared = Noting(notes, "shared")

    class Branch(Controller):
        inner = Noting(notes, "inner")
        again = shared

    class Base(App):
        outer = Noting(notes, "outer")
        replaced = Noting(notes, "replaced")

    class Site(Base):
        replaced = shared
        branch = Branch()

    app = Site()
    app.startup_handlers.append(lambda: notes.append("startup"))
    app.shutdown_handlers.append(lambda: notes.append("shutdown"))

    async def main():
        async with TestClient(app) as client:
            return (await client.get("/outer")).status_code

    assert run(main()) == 404
    starts = ["startup", "Site starts outer", "Site starts shared", "Site starts inner"]
    assert notes == [*starts, "inner stops", "shared stops", "outer stops", "shutdown"]


def test_a_service_that_does_not_start_fails_the_startup():
    """What had started is stopped."""
    notes: list[str] = []

    class Site(App):
        one = Noting(notes, "one")
        two = Noting(notes, "two", error=ValueError("no port"))

    async def main():
        async with TestClient(Site()):
            raise AssertionError("it must not come to this")

    with pytest.raises(Exception, match="no port"):
        run(main())
    assert notes == ["Site starts one", "Site starts two", "one stops"]
