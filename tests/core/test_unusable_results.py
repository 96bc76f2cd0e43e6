"""Results that mean no reply: one line in the log names the function, its file and line, and says what to write."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Reply
from tests.client import http
from tests.wire import wire

SET = "a set is no reply, since JSON has none: return a list, such as sorted(...)"
JSON_IS = "text, bytes, JSON values, dataclasses, generators and (status, body, headers) are"
TUPLES_ARE = "(status, body) and (status, body, headers) are, and a list is a JSON array"
HEADERS_ARE = "a dict is, or a list of pairs of name and value"
STATUS_IS = "an int from 200 to 599 is"
HOOKS_ANSWER = "None is, or a dict of status_code, body, headers"


class Returning(App):
    """Returns what it is made with."""

    def __init__(self, make: Any, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._make = make

    async def index(self):
        return self._make()

    def in_a_thread(self):
        return self._make()


async def load():
    raise AssertionError("nobody awaits it")


def said(caplog: pytest.LogCaptureFixture, function: Any) -> str:
    """What the one record says behind the function and its place; there is no traceback."""
    (record,) = caplog.records
    assert record.exc_info is None
    name = function.__qualname__.rpartition("<locals>.")[2]
    place = f"{name} ({function.__code__.co_filename}, line {function.__code__.co_firstlineno}): "
    found = re.fullmatch(r"GET '[^']*' failed in (.*)", record.getMessage(), re.DOTALL)
    assert found is not None
    assert found[1].startswith(place)
    return found[1].removeprefix(place)


@pytest.mark.parametrize("path", ["/", "/in_a_thread"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: {1, 2}, SET),
        (lambda: (200, frozenset("a")), SET.replace("set", "frozenset")),
        (lambda: Reply(200, {1}, []), SET),
        (lambda: HTTPError(404), "HTTPError was returned: raise it, or return a reply"),
        (lambda: (400, ValueError("x")), "ValueError was returned: raise it, or return a reply"),
        (lambda: {"a": {1}}, f"a dict like this is no reply ('set' objects are not JSON serializable): {JSON_IS}"),
        (lambda: [object()], f"a list like this is no reply ('object' objects are not JSON serializable): {JSON_IS}"),
        (lambda: (), f"a tuple of 0 is no reply: {TUPLES_ARE}"),
        (lambda: (200, "x", {}, "y"), f"a tuple of 4 is no reply: {TUPLES_ARE}"),
        (lambda: ("created", 201), "the status stands before the body: return 201, body, not body, 201"),
        (lambda: ({"id": 1}, 201), "the status stands before the body: return 201, body, not body, 201"),
        (lambda: ("x", 404, {}), "the status stands before the body: return 404, body, not body, 404"),
        (lambda: (100, "x"), f"the status 100 is none: {STATUS_IS}"),
        (lambda: (101, None), f"the status 101 is none: {STATUS_IS}"),
        (lambda: (199, "x"), f"the status 199 is none: {STATUS_IS}"),
        (lambda: (600, "x"), f"the status 600 is none: {STATUS_IS}"),
        (lambda: (True, "x"), f"the status True is none: {STATUS_IS}"),
        (lambda: ("200", "x"), f"the status '200' is none: {STATUS_IS}"),
        (lambda: Reply(102, "x", []), f"the status 102 is none: {STATUS_IS}"),
        (lambda: (200, "x", "text/plain"), f"the headers 'text/plain' are none: {HEADERS_ARE}"),
        (lambda: (200, "x", 5), f"the headers 5 are none: {HEADERS_ARE}"),
        (lambda: (200, "x", ["ab"]), "the header 'ab' is none: a pair of name and value is"),
        (lambda: (200, "x", [("a", "b", "c")]), "the header ('a', 'b', 'c') is none: a pair of name and value is"),
        (lambda: iter([None]), "a stream's chunks are str or bytes, None is neither"),
    ],
)
def test_a_result_that_means_no_reply_is_told_with_its_handler(make, says, path, caplog):
    """The client gets a bare 500."""
    answer = http(Returning(make), path=path)
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    assert said(caplog, Returning.in_a_thread if path == "/in_a_thread" else Returning.index) == says


@pytest.mark.parametrize("make", [load, lambda: (201, load()), lambda: Reply(200, load(), [])])
def test_a_forgotten_await_is_told_as_that(make, caplog):
    """By the name of what was called; Python has nothing to add."""
    assert http(Returning(make)).status_code == 500
    assert said(caplog, Returning.index) == "load was returned, and not awaited: write return await ..."


def test_a_future_that_nobody_awaited_is_told_too(caplog):
    """Whatever can be awaited."""
    assert http(Returning(lambda: asyncio.get_running_loop().create_future())).status_code == 500
    assert said(caplog, Returning.index) == "a Future was returned, and not awaited: write return await ..."


def test_an_annotation_that_a_result_does_not_fit_is_told_with_its_handler(caplog):
    """It is the handler that broke its promise."""

    @dataclass
    class Note:
        text: str

    class Notes(App):
        async def index(self) -> Note:
            return {}  # type: ignore[return-value]

    assert http(Notes()).status_code == 500
    says = "the result does not fit its annotation '-> Note': dict has no 'text', which Note declares"
    assert said(caplog, Notes.index) == says


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("No", f"a str that a hook returns is no answer: {HOOKS_ANSWER}"),
        ((403, "No"), f"a tuple that a hook returns is no answer: {HOOKS_ANSWER}"),
        ({"status_code": 101}, f"the status 101 is none: {STATUS_IS}"),
        ({"body": {1}}, SET),
        ({"headers": "x"}, f"the headers 'x' are none: {HEADERS_ARE}"),
    ],
)
@pytest.mark.parametrize("name", ["before_request", "after_request"])
def test_the_hook_is_told_whose_result_it_is(name, result, says, caplog):
    """Not the handler, which is not to blame."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            return result if name == "before_request" else None

        async def after_request(self, request, status_code, response_body, extra_headers):
            return result if name == "after_request" and status_code == 200 else None

    app = Returning(lambda: "x")
    app.middlewares.append(Hook())
    assert http(app).status_code == 500
    assert said(caplog, getattr(Hook, name)) == says


@pytest.mark.parametrize("name", ["_before", "_after"])
def test_the_guard_is_told_whose_result_it_is(name, caplog):
    """With its own place."""

    class Part(Controller):
        async def page(self):
            return "x"

        async def _before(self):
            return {1} if name == "_before" else None

        async def _after(self, reply):
            return {1} if name == "_after" and reply.status == 200 else None

    class Site(App):
        part = Part()

    assert http(Site(), path="/part/page").status_code == 500
    assert said(caplog, getattr(Part, name)) == SET


def test_a_result_that_is_assigned_is_told_with_its_guard(caplog):
    """What is put into a reply is a result too."""

    class Part(Controller):
        async def page(self):
            return "x"

        async def _after(self, reply):
            if reply.status == 200:
                reply.status = 99

    class Site(App):
        part = Part()

    assert http(Site(), path="/part/page").status_code == 500
    assert said(caplog, Part._after) == f"the status 99 is none: {STATUS_IS}"


@dataclass
class Broken:
    """A record whose own code fails while it is encoded."""

    value: Any = field(init=False)

    def __getattribute__(self, name):
        if name == "value":
            raise TypeError("the record's own")
        return super().__getattribute__(name)


@pytest.mark.parametrize("make", [Broken, lambda: [Broken()], lambda: (200, {"a": Broken()})])
def test_an_exception_of_the_applications_own_code_keeps_its_traceback(make, caplog):
    """It is what has to be mended."""
    assert http(Returning(make)).status_code == 500
    (record,) = caplog.records
    assert "in __getattribute__" in caplog.text
    assert record.getMessage() == "GET '/' failed in Returning.index"


def test_headers_that_a_handler_gives_wrongly_are_told_with_its_line(caplog):
    """The traceback has it."""

    class Moving(App):
        async def index(self):
            return self._redirect("/x", "no headers")

    assert http(Moving()).status_code == 500
    assert 'return self._redirect("/x", "no headers")' in caplog.text
    assert f"the headers 'no headers' are none: {HEADERS_ARE}" in caplog.text


@pytest.mark.parametrize(("status", "headers"), [(99, None), (101, None), ("404", None), (404, "x")])
def test_an_error_that_means_no_reply_is_told_with_its_line(status, headers, caplog):
    """Where it was raised."""

    class Refusing(App):
        async def index(self):
            raise HTTPError(status, "No", headers)

    assert http(Refusing()).status_code == 500
    assert "raise HTTPError(status, " in caplog.text
    assert re.search(r"ValueError: Of HTTPError\(.*\) the (status|headers) ", caplog.text)


def test_a_chunk_in_the_middle_of_a_stream_is_told_with_its_handler(caplog):
    """The reply is cut off."""
    assert not wire(Returning(lambda: iter(["a", 5])), raises=TypeError).is_complete
    assert said(caplog, Returning.index) == "a stream's chunks are str or bytes, 5 is neither"


@pytest.mark.parametrize(("path", "query"), [("/" + "x" * 60_000, ""), ("/", "name=" + "x" * 60_000)])
def test_a_long_path_makes_no_long_record(path, query, caplog):
    """Who asks for it can't fill the disk."""

    class Site(App):
        async def index(self, name="x"):
            return {1}

    assert http(Site(), path=path, query=query).status_code == 500
    (record,) = caplog.records
    assert len(record.getMessage()) < 1000
    assert len(record.__dict__["path"]) <= 201
