"""Run as a program: what the application makes of each JSON case, with whatever JSON package can be imported.

Prints one JSON object: whether orjson was used, and each case's reply. Everything is ASCII on the way.
"""

import asyncio
import dataclasses
import datetime as dt
import enum
import json
import logging
import math
import sys
import uuid
from collections import OrderedDict, defaultdict
from decimal import Decimal
from typing import Any, NamedTuple

from micropie import App
from tests.client import ahttp
from tests.wire import awebsocket, awire


class Colour(enum.Enum):
    RED = "red"
    WHEN = dt.date(2024, 2, 29)
    PAIR = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


class Bits(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
    _hidden: str = "hidden"


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    name: str
    points: list[Point]
    when: dt.datetime


class Text(str):
    __slots__ = ()


class Pair(NamedTuple):
    left: int
    right: str


HEADERS = [("content-type", "application/json"), ("accept", "text/plain")]
MIDNIGHT = dt.datetime.fromisoformat("2024-02-29")
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def extended_point() -> Point:
    """Make a dataclass instance with an attribute that is no field."""
    point = Point(1)
    point.extra = "no field"  # type: ignore[attr-defined]
    return point


def nested(depth: int) -> Any:
    """Make lists within lists."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def circular() -> Any:
    """Make a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


RETURNED: dict[str, Any] = {
    "compact": {"a": [1, 2, {"b": None}], "c": True, "d": False},
    "non-ascii": {"é": "漢字 😀 \u2028\u2029\x7f\xa0"},
    "escapes": ['"\\/\b\f\n\r\t', "".join(map(chr, range(32))), "<script>&'"],
    "lone-surrogate": {"a": "x\ud800y"},
    "lone-surrogate-key": {"\udfff": 1},
    "datetime": [MIDNIGHT, MIDNIGHT.replace(microsecond=7), MIDNIGHT.replace(1, 1, 1), MIDNIGHT.replace(9999, day=1)],
    "datetime-utc": [MIDNIGHT.replace(tzinfo=dt.UTC)],
    "datetime-offset": [MIDNIGHT.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30)))],
    "datetime-offset-seconds": [MIDNIGHT.replace(tzinfo=dt.timezone(dt.timedelta(seconds=1172)))],
    "date-and-time": [dt.date(2024, 2, 29), dt.time(23, 59), dt.time(1, 2, 3, 4)],
    "time-with-zone": [dt.time(1, tzinfo=dt.UTC)],
    "timedelta": [dt.timedelta(1)],
    "uuid": {"id": ID},
    "decimal": [Decimal("1.10"), Decimal("1E+3"), Decimal("-0"), Decimal("NaN")],
    "enum": [Colour.RED, Colour.WHEN, Colour.PAIR, Level.HIGH, Word.YES, Bits.A | Bits.B],
    "dataclass": Point(1),
    "dataclass-nested": Slotted("é", [Point(1), Point(2, 3.0)], MIDNIGHT),
    "dataclass-extended": extended_point(),
    "dataclass-class": [Point],
    "nan": {"a": float("nan"), "b": [float("inf"), float("-inf")]},
    "nan-alone": float("nan"),
    "floats": [0.1, -0.0, 1.0, 1e15, 123456789.123456789, 1e21, 1.7976931348623157e308],
    # 1e-5 is left out: orjson spells it 0.00001, json 1e-05, which is the same number.
    "floats-small": [1e-4, 5e-324],
    "floats-large": [1e16, 1e22, 1.5e300],
    "big-int": [2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40],
    "big-int-and-others": {"n": 2**70, "x": float("nan"), "d": Decimal("0.1"), "t": MIDNIGHT, "p": Point(1), "é": ID},
    "int-keys": {1: "a", -2: "b"},
    "other-keys": {None: 1, True: 2, False: 3, 1.5: 4},
    "keys-with-a-text": {
        uuid.UUID("12345678-1234-5678-1234-567812345678"): 1,
        Colour.RED: 2,
        dt.date(2024, 2, 29): 3,
        Decimal("1.10"): [{dt.timedelta(days=1): math.nan}],
        Level.HIGH: 4,
        Word.YES: 5,
    },
    "keys-and-others": {1: float("inf"), 2: Point(1), 3: [Colour.RED], 4: Slotted("s", [], MIDNIGHT)},
    "uuid-key": {ID: 1},
    "date-key": {dt.date(2024, 2, 29): 1},
    "enum-key": {Colour.RED: 1},
    "str-enum-key": {Word.YES: 1},
    "int-enum-key": {Level.HIGH: 1},
    "tuple-key": {(1, 2): 3},
    "str-subclass": {Text("k"): Text("v")},
    "containers": [(1, 2), OrderedDict(b=1, a=2), defaultdict(int, a=1)],
    "namedtuple": [Pair(1, "x")],
    "set": [{1}],
    "bytes": [b"x"],
    "object": [object()],
    "generator": [iter("ab")],
    "top-level-numbers": 7,
    "top-level-float": 1.5,
    "top-level-true": True,
    "depth-200": nested(200),
    "depth-300": nested(300),
    "depth-100000": nested(100_000),
    "circular": circular(),
}
"""What the handler returns. The text expected stands in the test."""

RECEIVED: dict[str, bytes] = {
    "object": b' {"a": [1, 2.5, true, null], "\xc3\xa9": "\xe6\xbc\xa2 \\ud83d\\ude00 \\u0000 \\/"}\r\n\t',
    "array": b"[1]",
    "string": b'"x"',
    "number": b"-12.5e2",
    "null": b"null",
    "duplicates": b'{"a": 1, "b": 0, "a": 2}',
    "minus-zero": b"[-0, -0.0, 0e5, 1E2, 1.0]",
    "64-bits": b"[18446744073709551615, -9223372036854775808, 9007199254740993]",
    "big-int": b"[18446744073709551615, 18446744073709551616, -9223372036854775809, 1" + b"0" * 40 + b"]",
    "big-int-key": b'{"n": 123456789012345678901234567890}',
    "huge-int": b"1" + b"0" * 5000,
    "huge-float": b"[1e400]",
    "minus-huge-float": b"[-1e400]",
    "tiny-float": b"[1e-400, 2.2250738585072011e-308, 0.1]",
    "long-float": b"0." + b"1" * 5000,
    "empty": b"",
    "blank": b" \n",
    "bom": b"\xef\xbb\xbf[1]",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "utf-16-le": b"[\x001\x00]\x00",
    "utf-32": '{"a": 1}'.encode("utf-32-be"),
    "latin-1": b'"\xe9"',
    "overlong": b'"\xc0\xaf"',
    "surrogate-bytes": b'"\xed\xa0\x80"',
    "lone-surrogate": b'{"a": "\\ud800"}',
    "lone-low-surrogate": b'["\\udc00x"]',
    "surrogates-reversed": b'["\\udc00\\ud800"]',
    "lone-surrogate-key": b'{"\\udBFF": 1}',
    "escaped-backslash-u": b'["\\\\ud800"]',
    "nan": b"[NaN]",
    "infinity": b"[Infinity]",
    "minus-infinity": b"-Infinity",
    "nan-in-a-string": b'["NaN", "-Infinity"]',
    "control-character": b'"a\nb"',
    "delete-character": b'"\x7f"',
    "nul-after": b"[1]\x00",
    "trailing-comma": b"[1,]",
    "comment": b"[1 /* one */]",
    "single-quotes": b"{'a': 1}",
    "leading-zero": b"[01]",
    "plus": b"[+1]",
    "bare-fraction": b"[.5]",
    "bare-point": b"[1.]",
    "hex": b"[0x10]",
    "bad-escape": b'"\\x41"',
    "short-escape": b'"\\u12"',
    "no-break-space": b"\xc2\xa0[1]",
    "vertical-tab": b"\x0b[1]",
    "two-values": b"1 2",
    "truncated": b'{"a": [1',
    "unclosed-string": b'"abc',
    "key-without-quotes": b"{a: 1}",
    "depth-200": b"[" * 200 + b"]" * 200,
    "depth-201": b"[" * 201 + b"]" * 201,
    "depth-201-objects": b'{"a":' * 201 + b"1" + b"}" * 201,
    "depth-300": b"[" * 300 + b"]" * 300,
    "depth-100000": b"[" * 100_000 + b"]" * 100_000,
    "depth-unclosed": b"[" * 100_000,
    "brackets-in-a-string": b'["' + b"[{" * 300 + b'", "\\"' + b"[" * 300 + b'"]',
    "many-siblings": b"[" + b"[]," * 1000 + b"[]]",
}
"""What the client sends, and the handler shows by `repr`."""

SENT: dict[str, Any] = {
    name: RETURNED[name] for name in ("compact", "non-ascii", "nan", "big-int", "decimal", "floats-small")
}
"""What a WebSocket sends as JSON."""


class Probe(App):
    async def give(self, name):
        return RETURNED[name]

    async def show(self):
        return ascii(self.request.get_json)

    async def params(self):
        return ascii(self.request.body_params)

    async def bound(self, a, b="absent"):
        return ascii((a, b))

    async def ws_give(self, ws, name):
        await ws.accept()
        await ws.send_json(SENT[name])

    async def ws_show(self, ws):
        await ws.accept()
        try:
            await ws.send_text(ascii(await ws.receive_json()))
        except ValueError:
            await ws.send_text("ValueError")


async def answers() -> dict[str, Any]:
    """Give each case's reply as [status, content type, body], or the text that a WebSocket sent."""
    app, found = Probe(), {}
    for name in RETURNED:
        found[f"returned/{name}"] = shown(await ahttp(app, path=f"/give/{name}"))
    for name, body in RECEIVED.items():
        for path in ("show", "params"):
            reply = await awire(app, "POST", f"/{path}", body=body, headers=HEADERS)
            found[f"{path}/{name}"] = shown(reply)
    members = b'{"a": {"x": [1.0, 1e5, "\xc3\xa9", null]}, "b": "text"}'
    for path in ("bound", "params"):
        reply = await awire(app, "POST", f"/{path}", body=members, headers=HEADERS)
        found[f"{path}/members"] = shown(reply)
    for name in SENT:
        found[f"sent/{name}"] = (await awebsocket(app, f"/give/{name}")).sent
    for name in ("object", "big-int", "huge-float", "nan", "lone-surrogate", "depth-201", "truncated"):
        text = RECEIVED[name].decode()
        found[f"heard/{name}"] = (await awebsocket(app, "/show", send=[text])).sent
    return found


def shown(reply: Any) -> list[Any]:
    """Give what the client sees of a reply, in ASCII."""
    return [reply.status_code, reply.headers.get("content-type"), reply.content.decode("latin-1")]


def main() -> None:
    """Print the findings."""
    logging.disable()
    found = asyncio.run(answers())
    print(json.dumps({"orjson": sys.modules.get("orjson") is not None, "answers": found}))  # noqa: T201


if __name__ == "__main__":
    main()
