"""Whatever a client sends, a typed parameter gets a value of its type, or the client a 400 that does not quote it."""

import asyncio
import datetime as dt
import json
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micropie import App, FromBody
from tests.client import ahttp
from tests.wire import Answer, awire

SENTINEL = "s3ntin3l"  # inside of every text that must not come back


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    x: int
    y: float = 0.0
    names: list[str] = field(default_factory=list)
    inner: "Point | None" = None


class Song(TypedDict):
    name: str
    length: dt.timedelta


def some(examples):
    """The settings of a property: repeatable, and never slow."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def every(test):
    """A test of a collection's members."""
    return lambda values: all(test(value) for value in values)


def is_song(value):
    return isinstance(value, dict) and value.keys() == {"name", "length"} and type(value["length"]) is dt.timedelta


def is_point(value):
    return (
        type(value) is Point
        and type(value.x) is int
        and type(value.y) is float
        and all(type(name) is str for name in value.names)
        and (value.inner is None or is_point(value.inner))
    )


WHOLE = Annotated[Point | list[int], FromBody()]
TYPES: dict[Any, Any] = {
    int: lambda value: type(value) is int,
    float: lambda value: type(value) is float and value - value == 0,
    bool: lambda value: type(value) is bool,
    str: lambda value: type(value) is str,
    bytes: lambda value: type(value) is bytes,
    Decimal: lambda value: type(value) is Decimal and value.is_finite(),
    UUID: lambda value: type(value) is UUID,
    dt.date: lambda value: type(value) is dt.date,
    dt.time: lambda value: type(value) is dt.time,
    dt.datetime: lambda value: type(value) is dt.datetime,
    dt.timedelta: lambda value: type(value) is dt.timedelta,
    Color: lambda value: type(value) is Color,
    Level: lambda value: type(value) is Level,
    Literal["a", 1, True]: lambda value: any(type(value) is type(one) and value == one for one in ["a", 1, True]),
    int | None: lambda value: value is None or type(value) is int,
    int | str: lambda value: type(value) in (int, str),
    float | bool: lambda value: type(value) in (float, bool),
    list[int]: lambda value: type(value) is list and all(type(one) is int for one in value),
    set[str]: lambda value: type(value) is set and all(type(one) is str for one in value),
    frozenset[Decimal]: lambda value: type(value) is frozenset and all(type(one) is Decimal for one in value),
    tuple[int, ...]: lambda value: type(value) is tuple and all(type(one) is int for one in value),
    tuple[int, str]: lambda value: type(value) is tuple and [type(one) for one in value] == [int, str],
    dict[str, int]: lambda value: type(value) is dict and all(type(one) is int for one in value.values()),
    list[Point]: every(is_point),
    Point: is_point,
    Song: is_song,
    WHOLE: lambda value: is_point(value) or every(lambda one: type(one) is int)(value),
}


class Watched(App):
    """Gives what it got to the test that asks."""

    got: Any


def watched(annotation):
    """An application with one parameter of this type."""

    async def take(self, it):
        type(self).got = it
        return "taken"

    take.__annotations__ = {"it": annotation}
    return type("One", (Watched,), {"take": take})()


APPS = [(watched(annotation), annotation, test) for annotation, test in TYPES.items()]
BODIES = (Point, Song, WHOLE)  # take no path segment

# Texts that come close to something, and any others; each with or without the sentinel.
NEAR = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.decimals().map(str),
    st.uuids().map(str),
    st.dates().map(str),
    st.times().map(str),
    st.datetimes(timezones=st.one_of(st.none(), st.just(dt.UTC))).map(lambda moment: moment.isoformat()),
    st.from_regex(r"\A-?P([0-9]{1,12}[WDY])?(T[0-9]{1,12}[HMS])?\Z"),
    st.sampled_from(
        ["true", "OFF", "red", "a", "1", "0", "null", "[1]", "{}", "nan", "-", "1_0", "٣", "1e9", "x" * 5000]
    ),
    st.from_regex(r"\A[0-9]{90,120}\Z"),
)
TEXTS = st.one_of(NEAR, NEAR.map(lambda text: text + SENTINEL), st.text(min_size=1).map(lambda text: SENTINEL + text))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
NAMES = st.one_of(st.sampled_from(["it", "x", "y", "names", "inner", "name", "length"]), TEXTS)
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=20)


def check(answer: Answer, app: Any, test: Any) -> None:
    """It is a value of the type, or a 400 that names the parameter, or a member, and quotes nothing."""
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert test(type(app).got), repr(type(app).got)
    else:
        assert SENTINEL not in answer.text
        assert "for parameter '" in answer.text or "Missing required parameter '" in answer.text


async def ask(method: str, path: str = "/take", **request: Any) -> None:
    """Send the same request to all applications that have such a path."""
    for app, annotation, test in APPS:
        if path == "/take" or annotation not in BODIES:
            check(await awire(app, method, path, **request), app, test)


@some(60)
@given(TEXTS.filter(lambda text: text.encode("utf-8", "replace").decode() == text))
def test_any_text_converts_or_is_refused(text):
    """From the path, the query and a form."""
    segment = quote(text, safe="")

    async def all_places() -> None:
        await ask("GET", f"/take/{segment}")
        await ask("GET", query=f"it={segment}&it={segment}")
        await ask("POST", form={"it": text, "x": text, "name": text, "length": text})

    asyncio.run(all_places())


@some(60)
@given(DOCUMENTS)
def test_any_json_converts_or_is_refused(document):
    """As the whole body, and as a member of it."""
    try:
        body = json.dumps(document).encode()
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair is no JSON, and is refused as such

    async def both() -> None:
        headers = [("Content-Type", "application/json")]
        await ask("POST", body=body, headers=headers)
        await ask("POST", body=b'{"it":' + body + b"}", headers=headers)

    asyncio.run(both())


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "-" + "9" * 1_000_000, "1." + "9" * 1_000_000, "P" + "9" * 1_000_000]
)
def test_huge_texts_are_refused_by_their_length(text):
    """Nothing that takes its time looks at them: Python itself would refuse an `int` of over 4,300 digits."""

    async def send() -> None:
        for app, annotation, test in APPS:
            if annotation in (int, float, Decimal, bool, dt.timedelta, list[int], int | None, Level, dict[str, int]):
                answer = await awire(app, "POST", "/take", json={"it": text})
                assert answer.status_code == 400
                answer = await awire(app, "POST", "/take", body=b"it=" + text.encode(), headers=[])
                check(answer, app, test)
                assert answer.status_code == 400

    asyncio.run(send())


def test_exponents_cost_nothing():
    """`1e999999999` is no plain notation, and never becomes a number of a billion digits."""
    for annotation in (int, float, Decimal, list[Decimal]):
        app = watched(annotation)
        answer = asyncio.run(ahttp(app, "GET", "/take", query="it=1e999999999"))
        assert answer.status_code == 400
        answer = asyncio.run(ahttp(app, "POST", "/take", json={"it": "1e999999999"}))
        assert answer.status_code == 400


def test_of_many_wrong_values_few_are_looked_at():
    """Each of 10,000 members of a list is made once; of as many wrong ones no more than fifty."""
    made = []

    @dataclass
    class Counted:
        good: bool

        def __post_init__(self):
            made.append(self.good)
            if not self.good:
                raise ValueError

    app = watched(list[Counted])
    answer = asyncio.run(ahttp(app, "POST", "/take", json={"it": [{"good": True}] * 10_000}))
    assert (answer.status_code, len(made)) == (200, 10_000)
    made.clear()
    answer = asyncio.run(ahttp(app, "POST", "/take", json={"it": [{"good": False}] * 10_000}))
    assert (answer.status_code, len(made)) == (400, 50)
