"""Annotations: BEHAVIOUR.md, point 13. What is converted, what is refused and how, and what replies show."""

import datetime as dt
import logging
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, Required, TypedDict, Union
from uuid import UUID

import pytest

from micropie import (
    App,
    Cookie,
    Fault,
    FromBody,
    FromQuery,
    FromSession,
    Header,
    HttpMiddleware,
    InvalidInput,
    Request,
    Session,
    UploadedFile,
    WebSocket,
    WebSocketRequest,
)
from tests.client import http
from tests.wire import websocket, wire


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Size(Enum):
    SMALL = "s"
    PAIR = (1, 2)


UserId = NewType("UserId", int)
SECRET = "s3ntin3l"  # a value that no answer may contain


def taking(annotation, default=...):
    """An application whose `index` shows what it got for a parameter with this annotation."""

    async def index(self, it):
        return repr(it)

    index.__defaults__ = () if default is ... else (default,)
    index.__annotations__ = {"it": annotation}
    return type("Taking", (App,), {"index": index})()


def refused(message, name="it"):
    """The text of a single fault."""
    return f"400 Bad Request: Invalid value for parameter '{name}': {message}"


def told(*faults):
    """The text of several faults."""
    return f"400 Bad Request: {'; '.join(faults)}"


TIMES = "expected a date and time (YYYY-MM-DDTHH:MM:SS)"
FROM_TEXT = [
    (int, "42", 42),
    (int, "-7", -7),
    (int, "007", 7),
    (int, "9" * 100, int("9" * 100)),
    (float, "1.5", 1.5),
    (float, "-2", -2.0),
    (float, ".5", 0.5),
    (float, "1e-05", 1e-05),
    (float, "-1.5E+300", -1.5e300),
    (float, "1e16", 1e16),
    (Decimal, "1.10", Decimal("1.10")),
    (str, "text", "text"),
    (bytes, "é", "é".encode()),
    (Any, "x", "x"),
    (object, "x", "x"),
    (UUID, "12345678-1234-5678-1234-567812345678", UUID(int=0x12345678123456781234567812345678)),
    (UUID, "12345678123456781234567812345678", UUID(int=0x12345678123456781234567812345678)),
    (dt.date, "2024-02-29", dt.date(2024, 2, 29)),
    (dt.time, "10:30", dt.time(10, 30)),
    (dt.time, "10:30:15.25", dt.time(10, 30, 15, 250000)),
    (dt.datetime, "2024-02-29T10:30", dt.datetime.fromisoformat("2024-02-29T10:30")),
    (dt.datetime, "2024-02-29 10:30:00", dt.datetime.fromisoformat("2024-02-29T10:30")),
    (dt.datetime, "2024-02-29t10:30:00z", dt.datetime(2024, 2, 29, 10, 30, tzinfo=dt.UTC)),
    (dt.timedelta, "P1DT2H30M", dt.timedelta(days=1, hours=2, minutes=30)),
    (dt.timedelta, "-PT0.5S", -dt.timedelta(seconds=0.5)),
    (dt.timedelta, "P2W", dt.timedelta(weeks=2)),
    (Color, "red", Color.RED),
    (Level, "2", Level.HIGH),
    (Literal["a", 1, True, None], "1", 1),  # noqa: PYI061
    (Literal["a", 1, True, None], "true", True),  # noqa: PYI061
    (Literal[Color.RED], "red", Color.RED),
    (UserId, "5", 5),
    (int | None, "5", 5),
    (Optional[int], "5", 5),  # noqa: UP045
    (Union[int, str], "5", 5),  # noqa: UP007
    (Union[str, int], "5", 5),  # noqa: UP007
    (str | float | int, "5", 5),
    (str | int, "five", "five"),
    (dt.datetime | dt.date, "2024-02-29", dt.date(2024, 2, 29)),
    (list[int], "5", [5]),
    (set[int], "5", {5}),
    (frozenset[str], "5", frozenset({"5"})),
    (tuple[int, ...], "5", (5,)),
    (tuple[int], "5", (5,)),
    (Sequence[int], "5", [5]),
    (list, "5", ["5"]),
    (list[int] | None, "5", [5]),
    (list[int] | str, "5", [5]),
    (Annotated[int, "a note"], "5", 5),
    ("int", "5", 5),
    ("list['int']", "5", [5]),
    ("Color", "blue", Color.BLUE),
]
REFUSED_TEXT = [
    *((int, text, "expected an integer") for text in ("x", "1.0", "1_000", " 1", "+1", "--1", "-", "٣", "9" * 101)),
    *((float, text, "expected a number") for text in ("nan", "inf", "-inf", "1_0", "1e", "1.", "0x1", "9" * 400)),
    (float, "1e999", "expected a number"),
    *((Decimal, text, "expected a number") for text in ("1e999999999", "NaN", "sNaN", "Infinity", "1_0", "x")),
    *((bool, text, "expected a boolean") for text in ("y", "t", "2", "truE ", "ja", "ﬀ")),
    *((UUID, text, "expected a UUID") for text in ("x", "{12345678-1234-5678-1234-567812345678}", "1" * 31, "-" * 36)),
    *((dt.date, text, "expected a date (YYYY-MM-DD)") for text in ("2023-02-29", "20240101", "2024-W01-1", "24-1-1")),
    *((dt.time, text, "expected a time (HH:MM:SS)") for text in ("25:00", "10", "10:30:61", "10:30+99:00")),
    *((dt.datetime, text, TIMES) for text in ("2024-01-01", "2024-01-01x10:00", "1700000000", "٢024-01-01T10:00")),
    *((dt.timedelta, text, "expected a duration (such as P1DT2H30M)") for text in ("P", "PT", "P1Y", "P999999999W")),
    (Color, "RED", "expected one of: red, blue"),
    (Level, "HIGH", "expected one of: 1, 2"),
    (Literal["a", None], "None", "expected one of: a, null"),  # noqa: PYI061
    (int | bool, "x", "expected an integer or a boolean"),
    (type(None), "x", "expected null"),
    (dict[str, int], "x", "expected an object"),
    (tuple[int, int], "1", "expected 2 items"),
]  # fmt: skip


def escaped(path_segment):
    """The text as one segment of a URL."""
    return "".join(f"%{byte:02X}" for byte in path_segment.encode())


def ids(value):
    """Short names for the cases."""
    return str(value)[:30]


@pytest.mark.parametrize(("annotation", "text", "value"), FROM_TEXT, ids=ids)
def test_13_text_is_converted(annotation, text, value):
    """A path segment, a query field and a form field become what the annotation says."""
    app = taking(annotation)
    assert http(app, path=f"/{escaped(text)}").text == repr(value)
    assert http(app, query=f"it={escaped(text)}").text == repr(value)
    assert http(app, "POST", data={"it": text}).text == repr(value)


@pytest.mark.parametrize(("annotation", "text", "message"), REFUSED_TEXT, ids=ids)
def test_13_what_does_not_fit_is_400(annotation, text, message):
    """Other text is refused, wherever it comes from, with what was expected and without the value."""
    app = taking(annotation)
    for answer in (
        http(app, path=f"/{escaped(text)}"),
        http(app, query=f"it={escaped(text)}"),
        http(app, "POST", data={"it": text}),
    ):
        assert (answer.status_code, answer.text) == (400, refused(message))


@pytest.mark.parametrize("text", ["true", "1", "on", "yes", "TRUE", "On"])
def test_13_words_for_true(text):
    """Booleans have four words for true, in any case."""
    assert http(taking(bool), query=f"it={text}").text == "True"


@pytest.mark.parametrize("text", ["false", "0", "off", "no", "FALSE", "nO"])
def test_13_words_for_false(text):
    """And four for false."""
    assert http(taking(bool), query=f"it={text}").text == "False"


UUID_TEXT = "12345678-1234-5678-1234-567812345678"
FROM_JSON: list[tuple[Any, Any, Any]] = [
    (int, 3, 3),
    (float, 3, 3.0),
    (float, 1.5, 1.5),
    (bool, True, True),
    (str, "3", "3"),
    (bytes, "é", "é".encode()),
    (Decimal, 3, Decimal(3)),
    (Decimal, 0.1, Decimal("0.1")),
    (Decimal, "0.10", Decimal("0.10")),
    (UUID, UUID_TEXT, UUID(UUID_TEXT)),
    (dt.date, "2024-02-29", dt.date(2024, 2, 29)),
    (dt.timedelta, "PT1H", dt.timedelta(hours=1)),
    (Color, "red", Color.RED),
    (Level, 1, Level.LOW),
    (Literal[1, "1"], "1", "1"),
    (Literal[True, 1], 1, 1),
    (int | None, None, None),
    (int | str, "5", "5"),
    (float | int, 5, 5),
    (list[int], [1, 2], [1, 2]),
    (list[int | None], [1, None], [1, None]),
    (set[str], ["a", "a"], {"a"}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple, [1, "a"], (1, "a")),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (dict, {"a": [1]}, {"a": [1]}),
    (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
    (type(None), None, None),
    (Any, {"a": 1}, {"a": 1}),
]
REFUSED_JSON: list[tuple[Any, Any, str]] = [
    *((int, value, "expected an integer") for value in ("3", 3.0, True, None, [3], {"a": 3}, 2**70)),
    *((float, value, "expected a number") for value in ("3", False, None)),
    *((bool, value, "expected a boolean") for value in (1, "true", None)),
    *((str, value, "expected a string") for value in (1, None, ["a"])),
    (bytes, 1, "expected a string"),
    (Decimal, True, "expected a number"),
    (Decimal, "1e5", "expected a number"),
    (UUID, 1, "expected a UUID"),
    (dt.date, 1, "expected a date (YYYY-MM-DD)"),
    (Level, True, "expected one of: 1, 2"),
    (Level, [1], "expected one of: 1, 2"),
    (Literal[1], 1.0, "expected one of: 1"),
    (list[int], 1, "expected a list"),
    (list[int], "1", "expected a list"),
    (list[int], {"a": 1}, "expected a list"),
    (dict[str, int], [1], "expected an object"),
    (set, [[1]], "expected a list of simple values"),
    (type(None), 0, "expected null"),
    (tuple[int, int], [1, 2, 3], "expected 2 items"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "given", "value"), FROM_JSON, ids=ids)
def test_13_json_is_taken_by_its_types(annotation, given, value):
    """A member of a JSON object becomes what the annotation says; numbers are numbers."""
    assert http(taking(annotation), "POST", json={"it": given}).text == repr(value)


@dataclass
class Price:
    amount: Decimal
    factor: float = 1.0


LONG = "12345678901234567.89"


@pytest.mark.parametrize(
    "number",
    [LONG, "1.0000000000000000001", "10000000000000000000001", "-0.1000000000000000055", "1.5e-323", "1e22", "0.1"],
)
def test_13_a_decimal_from_json_is_exact(number):
    """Whatever digits a float would lose; floats beside it stay floats."""
    for annotation, body, value in [
        (Decimal, f'{{"it":{number}}}', Decimal(number)),
        (list[Decimal], f'{{"it":[1,{number}]}}', [Decimal(1), Decimal(number)]),
        (Price, f'{{"amount":{number},"factor":{number}}}', Price(Decimal(number), float(number))),
        (Annotated[Price, FromBody()], f'{{"factor":2,"amount": {number}}}', Price(Decimal(number), 2.0)),
        (dict[str, Decimal | None], f'{{"it":{{"a":{number}}}}}', {"a": Decimal(number)}),
    ]:
        answer = wire(taking(annotation), "POST", body=body.encode(), headers=[("Content-Type", "application/json")])
        assert plain(answer.text) == plain(repr(value))


def plain(text):
    """The text of a value, in which equal decimals are equal."""
    return re.sub(r"Decimal\('(.*?)'\)", lambda found: str(Decimal(found[1]).normalize()), text)


def test_13_what_hooks_put_in_place_of_the_body_is_what_decimals_are_made_of():
    """The body's own digits count only where it is still the body."""

    class Replace(HttpMiddleware):
        async def before_request(self, request):
            request.get_json = {"it": 2.5}

    app = taking(Decimal)
    app.middlewares.append(Replace())
    answer = wire(app, "POST", body=f'{{"it":{LONG}}}'.encode(), headers=[("Content-Type", "application/json")])
    assert answer.text == "Decimal('2.5')"


def test_13_a_decimal_of_very_many_digits_is_400():
    """As in text."""
    body = f'{{"it":{"9" * 101}}}'.encode()
    answer = http(taking(Decimal), "POST", content=body, headers=[("Content-Type", "application/json")])
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Bad JSON")


def test_13_several_decimals_of_one_body():
    """Each is exact; what is no decimal is what it was."""

    class Sum(App):
        async def index(self, a: Decimal, b: Decimal, c: float, d):
            return [str(a), str(b), c, d]

    body = f'{{"a":{LONG},"b":{LONG},"c":{LONG},"d":{LONG}}}'.encode()
    answer = wire(Sum(), "POST", body=body, headers=[("Content-Type", "application/json")])
    assert answer.json() == [LONG, LONG, float(LONG), float(LONG)]


@pytest.mark.parametrize(("annotation", "given", "message"), REFUSED_JSON, ids=ids)
def test_13_other_json_is_400(annotation, given, message):
    """JSON of another type is refused: nothing is guessed."""
    answer = http(taking(annotation), "POST", json={"it": given})
    assert (answer.status_code, answer.text) == (400, refused(message))


def test_13_repeated_values_fill_a_collection():
    """All values of a repeated query or form field, in order."""
    app = taking(list[int])
    assert http(app, query="it=3&it=1&it=2").text == "[3, 1, 2]"
    assert http(app, "POST", data=[("it", "3"), ("it", "1")]).text == "[3, 1]"
    assert http(taking(tuple[int, str]), query="it=3&it=x").text == "(3, 'x')"


def test_13_a_scalar_takes_the_first_of_repeated_values():
    """As without an annotation."""
    assert http(taking(int), query="it=1&it=x").text == "1"


def test_13_a_fault_in_a_collection_says_where():
    """By its position."""
    assert http(taking(list[int]), query="it=1&it=x&it=y").text == (
        "400 Bad Request: Invalid value for parameter 'it[1]': expected an integer"
        "; Invalid value for parameter 'it[2]': expected an integer"
    )


def test_13_a_fault_in_a_mapping_does_not_name_the_clients_key():
    """Its keys are values of the client's."""
    assert http(taking(dict[str, int]), "POST", json={"it": {SECRET: "x"}}).text == refused(
        "expected an integer", "it.*"
    )


def test_13_sets_are_bounded():
    """Numbers can be made to collide in a set; so more than 1,000 of them are refused."""
    app = taking(set[int])
    assert http(app, "POST", json={"it": list(range(1000))}).status_code == 200
    assert http(app, "POST", json={"it": list(range(1001))}).text == refused("expected at most 1000 items")


def test_13_mappings_with_other_keys_than_text_are_bounded():
    """For the same reason."""
    app = taking(dict[int, int])
    assert http(app, "POST", json={"it": {str(n): n for n in range(1000)}}).status_code == 200
    assert http(app, "POST", json={"it": {str(n): n for n in range(1001)}}).text == refused(
        "expected at most 1000 items"
    )
    assert http(taking(dict[str, int]), "POST", json={"it": {str(n): n for n in range(1001)}}).status_code == 200


def test_13_values_that_no_client_can_send_are_not_chosen():
    """An Enum's member with a composite value is there for the application alone."""
    app = taking(Size)
    assert http(app, query="it=s").text == repr(Size.SMALL)
    assert http(app, "POST", json={"it": [1, 2]}).text == refused("expected one of: s, (1, 2)")


def test_13_a_long_choice_is_not_listed_whole():
    """Of many values a message has the first twenty."""
    many = Enum("Many", {f"N{n}": n for n in range(30)})  # type: ignore[misc]
    answer = http(taking(many), query="it=x")
    assert answer.text == refused(f"expected one of: {', '.join(map(str, range(20)))}, …")


# Missing values, defaults, several faults.


class Several(App):
    async def index(self, a: int, b: float = 1.5, *, c: bool = False, d: list[int] = [], **rest: int):  # noqa: B006
        return [a, b, c, d, rest]

    async def all(self, first: int, *rest: int):
        return [first, *rest]

    async def untyped(self, first, *rest: int, **names: int):
        return [first, rest, names]


def test_12_missing_is_400():
    """A required parameter without a value, in the words of untyped ones."""
    answer = http(Several())
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'a'")


def test_12_a_default_is_used_as_it_is():
    """Defaults are the application's, and are not converted."""
    assert http(taking(int, "none")).text == "'none'"


def test_13_all_faults_are_told_at_once():
    """In signature order, joined by a semicolon; what is surplus is converted too."""
    answer = http(Several(), query="b=x&c=y&d=1&d=z&e=w")
    assert answer.status_code == 400
    assert answer.text == told(
        "Missing required parameter 'a'",
        "Invalid value for parameter 'b': expected a number",
        "Invalid value for parameter 'c': expected a boolean",
        "Invalid value for parameter 'd[1]': expected an integer",
        "Invalid value for parameter 'rest': expected an integer",
    )


def test_12_typed_signatures_take_every_kind_of_parameter():
    """Keyword-only ones and `**kwargs` from query, form and JSON."""
    assert http(Several(), path="/1", query="c=on&d=4&e=5").json() == [1, 1.5, True, [4], {"e": 5}]
    assert http(Several(), "POST", "/1", data={"b": "2", "e": "5"}).json() == [1, 2.0, False, [], {"e": 5}]
    assert http(Several(), "POST", "/1", json={"b": 2, "e": 5}, query="e=6").json() == [1, 2.0, False, [], {"e": 6}]
    assert http(Several(), "POST", "/1", json={"e": "5"}).text == refused("expected an integer", "rest")


def test_12_args_are_converted_one_by_one():
    """Each of the remaining segments; a fault has the parameter's name."""
    assert http(Several(), path="/all/1/2/3").json() == [1, 2, 3]
    assert http(Several(), path="/all/1/2/x").text == refused("expected an integer", "rest")
    assert http(Several(), path="/untyped/a/2", query="b=3").json() == ["a", [2], {"b": 3}]


def test_12_several_path_parameters():
    """Each gets its segment; a fault in one does not hide another's."""

    class Sum(App):
        async def index(self, a: int, b: float):
            return a + b

    assert http(Sum(), path="/1/2.5").json() == 3.5
    assert http(Sum(), path="/x/y").text == told(
        "Invalid value for parameter 'a': expected an integer",
        "Invalid value for parameter 'b': expected a number",
    )


def test_7_surplus_segments_stay_what_they_are():
    """More segments than parameters: 500, or what `surplus_path_status` says."""
    assert http(taking(int), path="/1/2").status_code == 500

    class Polite(App):
        async def index(self, n: int):
            return n

    assert http(Polite(surplus_path_status=404), path="/1/2").status_code == 404


def test_13_at_most_fifty_faults_are_told():
    """A body full of faults gets a short answer."""
    answer = http(taking(list[int]), "POST", json={"it": [SECRET] * 10_000})
    assert answer.text.count("expected") == 50
    assert SECRET not in answer.text

    class Wide(App):
        async def index(self, a: list[int], b: list[int]):
            return "no"

    answer = http(Wide(), "POST", json={"a": ["x"] * 40, "b": ["x"] * 40})
    assert answer.text.count("expected") == 50


def test_13_deep_nesting_is_a_400():
    """A recursive record stops where the JSON reader does, or before."""
    nested: dict[str, Any] = {}
    for _ in range(99):
        nested = {"children": [nested]}
    assert http(taking(Tree), "POST", json=nested).status_code == 200
    for _ in range(99):
        nested = {"children": [nested]}
    assert http(taking(Tree), "POST", json=nested).status_code == 400


def test_13_nesting_that_exhausts_the_stack_is_a_400():
    """The more types a member may have, the sooner that is; it is never a 500."""
    nested: dict[str, Any] = {}
    for _ in range(198):
        nested = {"next": nested}
    answer = http(taking(Chain), "POST", json=nested)
    assert (answer.status_code, answer.text) == (400, refused("expected less nesting"))


# Problem details.

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "is_problem"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html;q=0.4, Application/JSON;q=0.5", True),
        ("application/*", True),
        ("*/*", False),
        ("text/html, application/json;q=0.5", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json;q=0", False),
        ("application/json; q=0.000", False),
        ("", False),
    ],
)
def test_13_programs_get_problem_details(accept, is_problem):
    """Who would rather have JSON gets RFC 9457's form, others HTML; both with the same status."""
    answer = http(taking(int), query=f"it={SECRET}", headers=[("Accept", accept)])
    assert answer.status_code == 400
    assert answer.headers["content-type"] == (PROBLEM if is_problem else "text/html; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"
    if is_problem:
        assert answer.json() == {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "Invalid value for parameter 'it': expected an integer",
            "instance": "/",
            "errors": [{"in": "query", "name": "it", "message": "expected an integer"}],
        }


def test_13_problem_details_pass_the_after_hooks():
    """As every reply does; a hook sees JSON and its type."""
    seen = []

    class Watch(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            seen.append((status_code, response_body[:1], ("Content-Type", PROBLEM) in extra_headers))
            extra_headers.append(("X-Seen", "yes"))

    app = taking(int)
    app.middlewares.append(Watch())
    answer = http(app, headers=[("Accept", "application/json")])
    assert (answer.headers["content-type"], answer.headers["x-seen"]) == (PROBLEM, "yes")
    assert seen == [(400, b"{", True)]


def test_13_untyped_faults_are_problems_too():
    """A signature without annotations tells of one fault."""

    class Plain(App):
        async def index(self, name):
            return name

    answer = http(Plain(), headers=[("Accept", "application/json")])
    assert (answer.json()["detail"], answer.headers["content-type"]) == ("Missing required parameter 'name'", PROBLEM)


@dataclass
class Zip:
    code: int


@dataclass
class Address:
    street: str
    zip: Zip


PLACES = [
    (int, {"path": f"/{SECRET}"}, ("path", "it", "expected an integer")),
    (int, {"query": f"it={SECRET}"}, ("query", "it", "expected an integer")),
    (int, {"method": "POST", "form": {"it": SECRET}}, ("body", "it", "expected an integer")),
    (int, {"method": "POST", "json": {"it": SECRET}}, ("body", "it", "expected an integer")),
    (int, {"method": "POST"}, ("body", "it", "required")),
    (int, {}, ("query", "it", "required")),
    (Annotated[int, Header()], {"headers": [("It", SECRET)]}, ("header", "it", "expected an integer")),
    (Annotated[int, Header("X-It")], {}, ("header", "x-it", "required")),
    (Annotated[int, Cookie()], {"cookies": {"it": SECRET}}, ("cookie", "it", "expected an integer")),
    (Annotated[int, FromSession()], {}, ("session", "it", "required")),
    (Annotated[int, FromBody()], {"method": "POST", "json": SECRET}, ("body", "it", "expected an integer")),
    (Annotated[list[int], FromBody()], {"method": "POST", "json": [SECRET]}, ("body", "[0]", "expected an integer")),
    (UploadedFile, {"method": "POST", "form": {"it": SECRET}}, ("file", "it", "expected a file")),
    (UploadedFile, {}, ("file", "it", "required")),
    (Address, {}, ("body", "it", "required")),
    (Address, {"method": "POST", "json": {"street": "x", "zip": {}}}, ("body", "zip.code", "required")),
]


@pytest.mark.parametrize(("annotation", "request_", "fault"), PLACES, ids=ids)
def test_13_a_fault_names_place_and_parameter(annotation, request_, fault):
    """Where the value was, or was looked for, under which name, and what is wrong; never the value."""
    answer = wire(taking(annotation), headers=[*request_.pop("headers", ()), ("Accept", PROBLEM)], **request_)
    problem = answer.json()
    assert [tuple(error.values()) for error in problem["errors"]] == [fault]
    assert SECRET not in str({**problem, "instance": "the path, as it was asked for"})


def test_invalid_input_is_an_http_error():
    """Applications may raise it, and see its faults."""
    error = InvalidInput([Fault("query", "age", "expected an integer"), Fault("body", "name", "required")])
    assert (error.status, [fault.name for fault in error.faults]) == (400, ["age", "name"])

    class Strict(App):
        async def index(self):
            raise InvalidInput([Fault("query", "to", "expected a later date")])

    assert http(Strict()).text == refused("expected a later date", "to")


# Places.


FromZip = Annotated[Zip, FromSession()]


class Placed(App):
    async def header(self, accept_language: Annotated[str, Header()] = "en", n: Annotated[int, Header("X-N")] = 0):
        return [accept_language, n]

    async def headers(self, x_tags: Annotated[list[str], Header]):
        return x_tags

    async def cookie(self, theme: Annotated[str, Cookie()] = "light", n: Annotated[int | None, Cookie("x-n")] = None):
        return [theme, n]

    async def query(self, page: Annotated[int, FromQuery("p")] = 1):
        return page

    async def log_in(self, user: int):
        self.request.session["user"] = user
        self.request.session["when"] = dt.date(2024, 1, 1)
        self.request.session["level"] = Level.LOW
        self.request.session["zip"] = Zip(1)
        return "in"

    async def session(self, user: Annotated[int, FromSession()]):
        return user

    async def optional_session(self, user: Annotated[int, FromSession()] | None = None):
        return user

    async def when(self, when: dt.date, level: Level, zip: FromZip):
        return [when, level, zip]

    async def context(self, request: Request, session: Session, n: int):
        return [request is self.request, session is self.request.session, n]


def test_13_a_header():
    """By the parameter's name, or by its own; the whole field, or its elements."""
    app = Placed()
    assert http(app, path="/header").json() == ["en", 0]
    assert http(app, path="/header", headers=[("Accept-Language", "de"), ("x-n", "5")]).json() == ["de", 5]
    assert http(app, path="/header", query="accept_language=de&X-N=5").json() == ["en", 0]
    assert http(app, path="/headers", headers=[("X-Tags", "a, b"), ("X-Tags", "c")]).json() == ["a", "b", "c"]


def test_13_a_cookie():
    """By the parameter's name, or by its own."""
    app = Placed()
    assert http(app, path="/cookie").json() == ["light", None]
    assert http(app, path="/cookie", cookies={"theme": "dark", "x-n": "5"}).json() == ["dark", 5]


def test_13_a_query_field_only():
    """Neither the path nor the body fills it."""
    app = Placed()
    assert http(app, path="/query", query="p=2").json() == 2
    assert http(app, "POST", "/query", data={"p": "2", "page": "2"}).json() == 1
    assert http(app, path="/query/2").status_code == 500


def test_13_a_record_of_the_whole_query():
    """`FromQuery` makes a record of all its fields."""
    app = taking(Annotated[Page, FromQuery()])
    assert http(app, query="number=2&tags=a&tags=b&x=1").text == repr(Page(2, ["a", "b"]))
    assert http(app, query="number=x").text == refused("expected an integer", "number")
    assert http(app).text == "400 Bad Request: Missing required parameter 'number'"
    assert http(taking(Annotated[Page, FromQuery()], None)).text == "None"


def test_13_a_session_value_only():
    """What is declared to come from the session no client can send."""
    app = Placed()
    cookies = http(app, path="/log_in/7").cookies
    assert http(app, path="/session", cookies=cookies).json() == 7
    assert http(app, path="/session", query="user=8").status_code == 400
    assert http(app, path="/optional_session", query="user=8").text == ""
    assert http(app, path="/optional_session", cookies=cookies).json() == 7


def test_13_an_integer_of_the_session_may_be_too_large_for_a_float():
    """It is a fault like others."""

    class Floating(Placed):
        async def session(self, user: Annotated[float, FromSession()]):
            return user

        async def grow(self):
            self.request.session["user"] **= 100

    app = Floating()
    cookies = http(app, path=f"/log_in/{'9' * 100}").cookies
    http(app, path="/grow", cookies=cookies)
    assert http(app, path="/session", cookies=cookies).text == refused("expected a number", "user")


def test_13_objects_of_the_session_stay_what_they_are():
    """A date in the session is a date already."""
    app = Placed()
    cookies = http(app, path="/log_in/7").cookies
    assert http(app, path="/when", cookies=cookies).json() == ["2024-01-01", 1, {"code": 1}]


def test_13_request_and_session_are_handed_over():
    """A parameter of these types takes no path segment."""
    assert http(Placed(), path="/context/5").json() == [True, True, 5]


# The whole body.


@dataclass
class Note:
    title: str
    pages: int = 1
    tags: list[str] = field(default_factory=list)
    where: Address | None = None
    _: KW_ONLY
    done: bool = False


@dataclass
class Tree:
    children: "list[Tree]" = field(default_factory=list)


@dataclass
class Page:
    number: int
    tags: list[str] = field(default_factory=list)


@dataclass
class Chain:
    next: "Chain | int | bool | None" = None


@dataclass
class Range:
    low: int
    high: int
    step: InitVar[int] = 1
    size: int = field(init=False)
    _secret: str = "none"

    def __post_init__(self, step):
        if self.low > self.high:
            raise ValueError(f"{self.low} > {self.high}")
        self.size = (self.high - self.low) // step


class Song(TypedDict):
    name: str
    seconds: NotRequired[int]


class Album(TypedDict, total=False):
    name: Required[str]
    songs: "NotRequired[list[Song]]"


def test_13_a_dataclass_takes_the_json_object():
    """Nested ones, lists and defaults too; members that it does not know are ignored."""
    body = {"title": "a", "tags": ["x"], "where": {"street": "s", "zip": {"code": 1}}, "done": True, "more": 1}
    expected = Note("a", tags=["x"], where=Address("s", Zip(1)), done=True)
    assert http(taking(Note), "POST", json=body).text == repr(expected)
    assert http(taking(Note | None), "POST", json={"title": "a"}).text == repr(Note("a"))


def test_13_a_dataclass_takes_the_form():
    """Its fields are text to convert, repeated ones lists."""
    app = taking(Note)
    form = [("title", "a"), ("pages", "2"), ("tags", "x"), ("tags", "y"), ("done", "on"), ("more", "1")]
    assert http(app, "POST", data=form).text == repr(Note("a", 2, ["x", "y"], done=True))
    assert http(app, "POST", data={"title": "a", "where": "x"}).text == refused("expected an object", "where")


def test_13_faults_of_a_record_say_where():
    """By the path inside the body."""
    body = {"pages": "2", "tags": ["x", 1], "where": {"zip": {"code": "1"}}}
    assert http(taking(Note), "POST", json=body).text == told(
        "Missing required parameter 'title'",
        "Invalid value for parameter 'pages': expected an integer",
        "Invalid value for parameter 'tags[1]': expected a string",
        "Missing required parameter 'where.street'",
        "Invalid value for parameter 'where.zip.code': expected an integer",
    )


@pytest.mark.parametrize("body", [[], 1, "x", [{"title": "a"}]])
def test_13_a_body_that_is_no_object_is_400(body):
    """A record needs an object; the parameter is named."""
    assert http(taking(Note), "POST", json=body).text == refused("expected an object")


def test_13_an_empty_body_misses_every_member():
    """An empty JSON object and an empty form are there, and incomplete; a GET has no body at all."""
    app = taking(Zip)
    assert http(app, "POST", json={}).text == "400 Bad Request: Missing required parameter 'code'"
    assert http(app, "POST").text == "400 Bad Request: Missing required parameter 'code'"
    assert http(app).text == "400 Bad Request: Missing required parameter 'it'"
    assert http(taking(Tree), "POST").text == repr(Tree())


def test_13_a_default_stands_for_no_body():
    """Without a body, or with an empty form."""
    app = taking(Zip, None)
    assert http(app).text == "None"
    assert http(app, "POST").text == "None"
    assert http(app, "POST", json={"code": 1}).text == repr(Zip(1))


def test_13_a_path_parameter_beside_a_body():
    """The body takes no segment, wherever it stands."""

    class Notes(App):
        async def index(self, note: Zip, number: int):
            return [number, note.code]

    assert http(Notes(), "POST", "/5", json={"code": 1, "number": 9}).json() == [5, 1]


def test_13_init_variables_and_private_fields():
    """`InitVar` is a member; `init=False` is none, nor is a private field with a default."""
    app = taking(Range)
    answer = http(app, "POST", json={"low": 1, "high": 9, "step": 2, "size": 7, "_secret": "x"})
    assert answer.text == "Range(low=1, high=9, size=4, _secret='none')"


def test_13_a_value_error_of_a_dataclass_is_400():
    """`__post_init__` may refuse values that don't go together; its words stay inside."""
    assert http(taking(Range), "POST", json={"low": 9, "high": 1}).text == refused("expected a valid Range")


def test_13_typed_dicts():
    """Required members and others, with `total`, `Required` and `NotRequired`, as text too."""
    app = taking(Album)
    body = {"name": "a", "songs": [{"name": "b", "x": 1}, {"name": "c", "seconds": 3}], "x": 1}
    assert http(app, "POST", json=body).text == repr(
        {"name": "a", "songs": [{"name": "b"}, {"name": "c", "seconds": 3}]}
    )
    assert http(app, "POST", json={"songs": [{}]}).text == (
        "400 Bad Request: Missing required parameter 'name'; Missing required parameter 'songs[0].name'"
    )


def test_13_a_list_of_records_by_name():
    """A record inside a collection is looked up by name like any value."""
    app = taking(list[Zip])
    assert http(app, "POST", json={"it": [{"code": 1}]}).text == repr([Zip(1)])
    assert http(app, "POST", json={"it": [{}]}).text == "400 Bad Request: Missing required parameter 'it[0].code'"


def test_13_a_union_with_a_record_tells_what_is_wrong_inside():
    """If one member fits so far, its faults are told."""
    app = taking(Annotated[int | Zip, FromBody()])
    assert http(app, "POST", json=5).text == "5"
    assert http(app, "POST", json={"code": "x"}).text == refused("expected an integer", "code")
    assert http(app, "POST", json="x").text == refused("expected an integer or an object")


@dataclass
class Left:
    v: int = 0
    below: "Left | Right | None" = None


@dataclass
class Right:
    w: int = 0
    below: "Left | Right | list[Left | Right] | None" = None


def test_13_unions_inside_each_other_are_tried_once():
    """Sixty unions, one inside the other, of which each could be asked by both members of the one around it."""
    wrong: dict[str, Any] = {"v": "x", "w": "x"}
    right: dict[str, Any] = {"v": "x", "w": 1}
    for _ in range(60):
        wrong, right = {"below": wrong}, {"v": "x", "w": 1, "below": right}
    app = taking(Annotated[Left | Right, FromBody()])
    assert http(app, "POST", json=wrong).status_code == 400
    assert http(app, "POST", json=right).text.count("Right(w=1") == 61


def test_13_a_union_of_records_takes_the_body():
    """One of several records is as whole as one: a JSON object or a form."""
    app = taking(Left | Right | None)
    assert http(app, "POST", json={"v": 1}).text == repr(Left(1))
    assert http(app, "POST", json={"v": "x", "w": 2}).text == repr(Right(2))
    assert http(app, "POST", data={"v": "3"}).text == repr(Left(3))
    assert http(app, "POST", data={"v": "x", "w": "y"}).text == refused("expected a valid object", "it")
    assert http(app).text == "400 Bad Request: Missing required parameter 'it'"


def test_13_a_union_of_records_made_of_the_query():
    """The same of the whole query."""
    app = taking(Annotated[Left | Right, FromQuery()])
    assert http(app, query="v=x&w=2").text == repr(Right(2))


def test_13_a_union_with_a_record_has_a_name():
    """Where a member is no record, the value is looked up by its name."""
    assert http(taking(Left | int), "POST", json={"it": {"v": 1}}).text == repr(Left(1))


def test_13_the_faults_of_nested_unions():
    """What each member of a union finds wrong inside is not told: only what each would have been."""
    wrong = {"below": {"v": "x", "w": "x"}}
    assert http(taking(Annotated[Left, FromBody()]), "POST", json=wrong).text == refused(
        "expected a valid object", "below"
    )


BODIES = [
    (list[int], {"json": [1, 2]}, "[1, 2]"),
    (list[Zip], {"json": [{"code": 1}]}, repr([Zip(1)])),
    (int, {"json": 5}, "5"),
    (str, {"json": "x"}, "'x'"),
    (dict[str, int], {"json": {"a": 1}}, "{'a': 1}"),
    (dict[str, int], {"form": {"a": "1"}}, "{'a': 1}"),
    (Any, {"json": {"a": 1}}, "{'a': 1}"),
    (str, {"body": b"caf\xc3\xa9", "headers": [("Content-Type", "text/plain")]}, "'café'"),
    (bytes, {"body": b"\x00\xff", "headers": [("Content-Type", "image/png")]}, repr(b"\x00\xff")),
    (bytes, {"json": [1]}, "b'[1]'"),
    (int, {"body": b"5", "headers": [("Content-Type", "text/plain")]}, "5"),
]


@pytest.mark.parametrize(("annotation", "request_", "value"), BODIES, ids=ids)
def test_13_from_body_takes_the_whole_body(annotation, request_, value):
    """JSON of any type, a form as a dict, other text and bytes as they are."""
    assert wire(taking(Annotated[annotation, FromBody()]), "POST", **request_).text == value


@pytest.mark.parametrize("annotation", [str, bytes, bytes | None])
def test_13_from_body_without_a_body(annotation):
    """Is missing, or the default: a text and bytes without a single byte are no body, as blank values are no values."""
    answer = http(taking(Annotated[annotation, FromBody()]), "POST")
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'it'")
    assert http(taking(Annotated[annotation, FromBody()], "none"), "POST").text == "'none'"
    typed = [("Content-Type", "application/octet-stream"), ("Content-Length", "0")]
    assert wire(taking(Annotated[annotation, FromBody()], "none"), "POST", headers=typed).text == "'none'"


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize(
    ("annotation", "headers"),
    [
        (Annotated[int, Header("X-It")], [("X-It", "{}")]),
        (Annotated[str, Header("X-It")], [("X-It", "{}")]),
        (Annotated[list[int], Header("X-It")], [("X-It", "{},{},")]),
        (Annotated[int, Cookie()], [("Cookie", "it={}")]),
        (Annotated[Color, Cookie()], [("Cookie", 'it={}""; other=1')]),
    ],
)
def test_14_a_blank_header_or_cookie_counts_as_absent(annotation, headers, blank):
    """The default stands, and a required one is missing, as in a query."""
    sent = [(name, value.replace("{}", blank)) for name, value in headers]
    assert wire(taking(annotation, "none"), headers=sent).text == "'none'"
    assert "Missing required parameter" in wire(taking(annotation), headers=sent).text


def test_13_empty_elements_of_a_list_in_a_header_are_ignored():
    """RFC 9110 §5.6.1.2."""
    app = taking(Annotated[list[int], Header("X-It")])
    assert wire(app, headers=[("X-It", ", 1,,2 ,")]).text == "[1, 2]"


# Uploads.


class Uploads(App):
    async def one(self, picture: UploadedFile, size: int, title: str = "none"):
        return [picture["filename"], len(await picture.read()), size, title]

    async def some(self, pictures: list[UploadedFile], tags: list[str]):
        return [[file["filename"] for file in pictures], tags]

    async def note(self, note: Note):
        return [note.title, note.pages, note.tags]

    async def plain(self, picture: dict[str, Any]):
        return [type(picture) is not dict, await picture.read() and "read"]  # type: ignore[attr-defined]

    async def number(self, picture: int):
        return picture

    async def many(self, picture: UploadedFile, **names: str):
        return names

    def sync(self, picture: UploadedFile, size: int):
        return [picture.read().decode(), size]


def multipart(parts):
    """A form of pairs (name, text) and files (name, filename, type, content), as keywords of `http`."""
    body = b""
    for name, *rest in parts:
        more = "" if len(rest) == 1 else f'; filename="{rest[0]}"\r\nContent-Type: {rest[1] or "text/plain"}'
        content = rest[-1] if isinstance(rest[-1], bytes) else rest[-1].encode()
        body += f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
    return {"body": body + b"--XX--\r\n", "headers": [("Content-Type", "multipart/form-data; boundary=XX")]}


PICTURE = ("picture", "a.png", "image/png", b"png")


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    ("path", "parts", "text"),
    [
        ("/one", [PICTURE, ("size", "5"), ("title", "x")], '["a.png",3,5,"x"]'),
        ("/one", [("size", "5"), PICTURE, ("title", "x")], '["a.png",3,5,"x"]'),
        ("/one", [("size", "x"), PICTURE], refused("expected an integer", "size")),
        ("/one", [("picture", "x"), ("size", "5")], refused("expected a file", "picture")),
        ("/some", [("pictures", "a", "", b"1"), ("tags", "x"), ("pictures", "b", "", b"")], '[["a","b"],["x"]]'),
        ("/note", [("title", "a"), ("pages", "2"), ("tags", "x"), ("tags", "y")], '["a",2,["x","y"]]'),
        ("/plain", [PICTURE], '[true,"read"]'),
        ("/number", [PICTURE], refused("expected an integer", "picture")),
        ("/many", [PICTURE, ("a", "1"), ("b", "2")], '{"a":"1","b":"2"}'),
        ("/sync", [PICTURE, ("size", "5")], '["png",5]'),
    ],
)  # fmt: skip
def test_20_uploads_bind_by_type(path, parts, text):
    """Text fields convert, files come as such, a list and a record get the whole form."""
    assert wire(Uploads(), "POST", path, **multipart(parts)).text == text


@pytest.mark.needs("multipart")
def test_14_a_blank_field_counts_as_absent():
    """In a multipart form as in an urlencoded one."""
    answer = wire(Uploads(), "POST", "/one", **multipart([PICTURE, ("size", ""), ("title", "")]))
    assert answer.text == "400 Bad Request: Missing required parameter 'size'"
    assert wire(Uploads(), "POST", "/one", **multipart([PICTURE, ("size", "5"), ("title", "")])).json()[3] == "none"
    answer = wire(Uploads(), "POST", "/note", **multipart([("title", "a"), ("pages", ""), ("tags", ""), ("tags", "x")]))
    assert answer.json() == ["a", 1, ["x"]]


def test_20_files_of_an_outer_application_are_handed_over():
    """As it left them in the scope."""
    app = Uploads()
    scope = {"files": {"pictures": {"filename": "a"}}, "body_params": {"tags": ["x"]}, "body_parsed": True}
    assert wire(app, "POST", "/some", scope=scope).json() == [["a"], ["x"]]


@pytest.mark.needs("multipart")
def test_20_a_query_field_is_not_waited_for_in_the_form():
    """What the query fills the handler has already; a path segment too."""
    answer = wire(Uploads(), "POST", "/one", query="size=5&title=x", **multipart([PICTURE]))
    assert answer.json() == ["a.png", 3, 5, "x"]


# Annotations that cannot be used.


def test_13_an_unresolvable_annotation_counts_as_none(caplog):
    """The value comes as it came; one warning says so when the application is made."""
    app = taking("Missing")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "parameter 'it'" in caplog.text
    assert "Missing" in caplog.text
    caplog.clear()
    assert http(app, query="it=5&it=6").text == "'5'"
    assert http(app, "POST", json={"it": [1]}).text == "[1]"
    assert http(app).text == "400 Bad Request: Missing required parameter 'it'"
    assert caplog.text == ""


LOST_TYPES = [
    "Annotated[Missing, FromSession()]",
    "Annotated[models.User[int], FromSession]",
    "Annotated[Missing, FromSession()] | None",
    "Missing | Annotated[Missing | None, FromSession()]",
    "Annotated[list[Missing], FromSession()]",
    Annotated["Missing", FromSession()],  # noqa: F821
    Optional[Annotated["Missing", FromSession()]],  # noqa: F821, UP045
    Annotated[list["Missing"], FromSession()],  # type: ignore[name-defined]  # noqa: F821
]  # fmt: skip


@pytest.mark.parametrize("annotation", LOST_TYPES, ids=ids)
def test_13_an_unresolvable_type_keeps_its_place(annotation, caplog):
    """What is declared to come from the session does not come from the client because a type is not known."""
    app = taking(annotation)
    assert len(caplog.records) == 1
    answer = http(app, query="it=5")
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'it'")


class Strange:
    """A type that nothing makes."""


@dataclass
class Odd:
    name: str
    strange: Strange


@dataclass
class Lost:
    name: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    "annotation",
    [Strange, list[Strange], Strange | int, dict[str, Strange], 5, [int], "how many", "1 +", WebSocket, Lost, [Lost]],
    ids=ids,
)  # fmt: skip
def test_13_a_type_that_cannot_be_made_counts_as_none(annotation, caplog):
    """Existing applications have such annotations."""
    app = taking(annotation)
    assert len(caplog.records) == 1
    assert http(app, query="it=5").text == "'5'"


def test_13_beside_a_strange_type_others_convert(caplog):
    """One parameter's annotation does not spoil another's."""

    class Mixed(App):
        async def index(self, strange: Strange, n: int = 0, lost: Annotated[Strange, FromQuery()] = None):  # type: ignore[assignment]
            return [strange, n, lost]

    app = Mixed()
    assert "Mixed.index" in caplog.text
    assert http(app, query="strange=a&n=5&lost=b").json() == ["a", 5, "b"]


def test_13_a_member_of_a_strange_type_stays_as_it_came(caplog):
    """The record's other members convert."""
    app = taking(Odd)
    assert "member 'strange' of Odd" in caplog.text
    assert http(app, "POST", json={"name": "a", "strange": [1]}).text == repr(Odd("a", [1]))  # type: ignore[arg-type]
    assert http(app, "POST", json={"name": 1, "strange": [1]}).text == refused("expected a string", "name")


def test_13_a_record_is_in_no_header(caplog):
    """The value comes as it came."""
    app = taking(Annotated[Zip, Header()])
    assert "no header is a" in caplog.text
    assert http(app, headers=[("It", "x")]).text == "'x'"


def test_34_a_websocket_has_no_body(caplog):
    """A record as a parameter of its handler can never be filled."""

    class Site(App):
        async def ws_chat(self, ws, note: Zip): ...

    assert websocket(Site(), "/chat").close == (1008, "Missing required parameter 'note'")
    assert "a WebSocket has no body" in caplog.text


def test_13_private_methods_are_not_warned_about(caplog):
    """They are seldom handlers."""

    class Quiet(App):
        async def index(self):
            return "ok"

        def _open(self, strange: Strange): ...

    assert http(Quiet()).text == "ok"
    assert caplog.text == ""


def test_13_names_of_the_class_can_annotate():
    """As text, they are found where they stand; a method is not taken for the type of its name."""

    class Local(App):
        class Size(Enum):
            SMALL = "small"

        async def list(self):
            return "no type"

        async def index(self, size: "Size", n: "list[int]"):  # type: ignore[valid-type]
            return [size, n]

        @staticmethod
        async def static(n: "int"):
            return n

        @classmethod
        async def of_class(cls, size: "Size"):
            return size

    assert http(Local(), query="size=small&n=1").json() == ["small", [1]]
    assert http(Local(), path="/static/5").json() == 5
    assert http(Local(), path="/of_class/small").text == '"small"'


def test_13_decorated_handlers_keep_their_annotations():
    """Through `functools.wraps` and `partialmethod`."""
    import functools

    def shouting(handler):
        @functools.wraps(handler)
        async def wrapped(self, *args, **kwargs):
            return f"{await handler(self, *args, **kwargs)}!"

        return wrapped

    class Decorated(App):
        async def index(self, n: "int"):
            return n + 1

        index = shouting(index)

        async def _add(self, a: "int", b: "int"):
            return a + b

        add_five = functools.partialmethod(_add, 5)

    assert http(Decorated(), path="/1").text == "2!"
    assert http(Decorated(), path="/add_five/2").json() == 7


# WebSockets.


class Sockets(App):
    async def ws_room(self, ws: WebSocket, room: int, names: list[str] = []):  # noqa: B006
        await ws.accept()
        await ws.send_json([room, names])

    async def ws_request(self, ws: WebSocket, request: WebSocketRequest):
        await ws.accept()
        await ws.send_json(request is self.request)

    async def ws_all(self, *args: int):
        await args[0].accept()  # type: ignore[attr-defined]
        await args[0].send_json(args[1:])  # type: ignore[attr-defined]


def test_34_websocket_handlers_bind_by_type():
    """Path and query convert; the first parameter is the socket."""
    assert websocket(Sockets(), "/room/5", query="names=a&names=b").sent == ['[5,["a","b"]]']
    assert websocket(Sockets(), "/request").sent == ["true"]
    assert websocket(Sockets(), "/all/1/2").sent == ["[1,2]"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/room/x", "Invalid value for parameter 'room': expected an integer"),
        ("/room", "Missing required parameter 'room'"),
        ("/room/1/2/3", "No matching WebSocket route"),
    ],
)
def test_34_a_fault_refuses_the_connection(path, reason):
    """With 1008 and the fault's text."""
    assert websocket(Sockets(), path).close == (1008, reason)


# What replies show.


@dataclass
class Public:
    name: str
    age: int = 0
    _inner: str = "hidden"


@dataclass
class Private(Public):
    password: str = SECRET


@dataclass
class Team:
    lead: Public
    members: list[Public]
    by_name: dict[str, Public]
    best: Public | None = None


Shown = NewType("Shown", Public)


class Row:
    """What an object-relational mapper gives."""

    name = "ann"
    age = 5
    password = SECRET


class Person(TypedDict):
    name: str
    age: NotRequired[int]


def showing(returns, result):
    """An application whose `index` is annotated to return one thing, and returns another."""

    async def index(self):
        return result

    index.__annotations__ = {"return": returns}
    return type("Showing", (App,), {"index": index})()


ANN = '{"name":"ann","age":5}'
SHOWN = [
    (Public, Public("ann", 5), ANN),
    (Public, Private("ann", 5), ANN),
    (Public, Row(), ANN),
    (Public, {"name": "ann", "age": 5, "password": SECRET}, ANN),
    (list[Public], [Row(), Private("ann", 5)], f"[{ANN},{ANN}]"),
    (list[Public], (), "[]"),
    (Sequence[Public], [Row()], f"[{ANN}]"),
    (dict[str, Public], {"a": Row()}, f'{{"a":{ANN}}}'),
    (Public | None, Row(), ANN),
    (Optional[Public], None, ""),  # noqa: UP045
    (Annotated[Public, "note"], Row(), ANN),
    (Public | Zip, Zip(1), '{"code":1}'),
    (Public | Zip, Row(), ANN),
    (Public | str, "text", "text"),
    (Public | dict[str, Public], {"a": Row()}, f'{{"a":{ANN}}}'),
    (Public, (201, Row()), ANN),
    (Public, (201, Row(), [("X-A", "b")]), ANN),
    (tuple[int, Public], (201, Row()), ANN),
    (tuple[int, Public, list[Any]], (201, Row(), []), ANN),
    (Public, (404, "No such note"), "No such note"),
    (Public, (304, None), ""),
    (Person, {"name": "ann", "age": 5, "password": SECRET}, ANN),
    (Person, {"name": "ann", "password": SECRET}, '{"name":"ann"}'),
    (Tree, Tree([Tree()]), '{"children":[{"children":[]}]}'),
    (tuple[Public, ...], [Row(), Private("ann", 5)], f"[{ANN},{ANN}]"),
    (list[tuple[int, Public]], [(1, Row())], f"[[1,{ANN}]]"),
    (dict[str, tuple[int, str]], {"a": (1, "b")}, '{"a":[1,"b"]}'),
    (Iterable[Public], [Row()], f"[{ANN}]"),
    (Collection[Public], {1: Row()}.values(), f"[{ANN}]"),
    (MutableMapping[str, Public], {"a": Row()}, f'{{"a":{ANN}}}'),
    (OrderedDict[str, Public], {"a": Row()}, f'{{"a":{ANN}}}'),
    (Shown, Row(), ANN),
    (list[Shown], [Row()], f"[{ANN}]"),
    (tuple[int, Public] | None, (201, Row()), ANN),
    (tuple[int, Public] | tuple[int, Zip], (201, Zip(1)), '{"code":1}'),
    (Public | Literal["none", 7], "none", "none"),
    (Public | Literal["none", 7], Row(), ANN),
    (Public | Any, Row(), ANN),
    (Public | UserId, 5, "5"),
    (set[int], {7}, "[7]"),
    (frozenset[int] | None, [7], "[7]"),
    (dict[str, set[Public]], {"a": [Row()]}, f'{{"a":[{ANN}]}}'),
    (
        Team,
        Team(Private("ann", 5), [Private("ann", 5)], {"a": Private("ann", 5)}, Private("ann", 5)),
        f'{{"lead":{ANN},"members":[{ANN}],"by_name":{{"a":{ANN}}},"best":{ANN}}}',
    ),
    ("Public", Row(), ANN),
]


@pytest.mark.parametrize(("returns", "result", "text"), SHOWN, ids=ids)
def test_22_a_return_annotation_shapes_the_reply(returns, result, text):
    """The JSON has the declared members, and nothing else that the result holds."""
    assert http(showing(returns, result)).text == text


UNSHAPED: list[tuple[Any, Any, str]] = [
    (dict, {"a": SECRET}, f'{{"a":"{SECRET}"}}'),
    (dict[str, Any], {"a": 1}, '{"a":1}'),
    (list[int], [1], "[1]"),
    (list, [Private("a")], f'[{{"name":"a","age":0,"password":"{SECRET}"}}]'),
    (str | None, "x", "x"),
    (Any, {"a": 1}, '{"a":1}'),
    (None, "x", "x"),
    (int, "x", "x"),
    (tuple[int, str], (200, "x"), "x"),
    (Iterator[Public], iter(["x"]), "x"),
]


@pytest.mark.parametrize(("returns", "result", "text"), UNSHAPED, ids=ids)
def test_22_other_return_annotations_change_nothing(returns, result, text):
    """They are notes for people and type checkers."""
    assert http(showing(returns, result)).text == text


MISFITS = [
    (Public, {"nme": "ann"}),
    (Public, "text"),
    (Public, None),
    (Public, [Row()]),
    (list[Public], Row()),
    (list[Public], "text"),
    (dict[str, Public], [Row()]),
    (Person, Row()),
    (Public | Zip, 5),
    (dict[str, tuple[int, Public]], {"a": (1,)}),
]


@pytest.mark.parametrize(("returns", "result"), MISFITS, ids=ids)
def test_22_a_result_that_does_not_fit_is_500(returns, result, caplog):
    """It is the application's fault; the log says what is wrong."""
    answer = http(showing(returns, result))
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    assert "does not fit its annotation" in caplog.text


def test_22_sync_handlers_are_shaped_too():
    """Also those that return something to await."""

    class Sync(App):
        def plain(self) -> Public:
            return Private("ann", 5)

        def later(self) -> Public:
            async def answer():
                return Private("ann", 5)

            return answer()  # type: ignore[return-value]

        def redirect(self) -> Public:
            return self._redirect("/plain")  # type: ignore[return-value]

    assert http(Sync(), path="/plain").text == ANN
    assert http(Sync(), path="/later").text == ANN
    assert http(Sync(), path="/redirect").status_code == 302


def test_22_a_return_annotation_that_cannot_be_used_is_warned_about(caplog):
    """The reply goes out as it is."""
    assert http(showing("Missing", {"a": 1})).text == '{"a":1}'
    assert "return value" in caplog.text
    caplog.clear()
    assert http(showing(Lost, {"a": 1})).text == '{"a":1}'
    assert "Lost" in caplog.text
