"""The same requests with orjson and without it: equal replies, byte for byte."""

import json
from typing import Any

import pytest

from tests.integrations import json_probe
from tests.integrations.serving import output_of

OK = "application/json"
BAD_JSON = [400, "text/html; charset=utf-8", "400 Bad Request: Bad JSON"]
BROKEN = [500, "text/html; charset=utf-8", "500 Internal Server Error"]

RETURNED: dict[str, str | None] = {
    "compact": '{"a":[1,2,{"b":null}],"c":true,"d":false}',
    "non-ascii": '{"é":"漢字 😀 \u2028\u2029\x7f\xa0"}',
    "datetime": ('["2024-02-29T00:00:00","2024-02-29T00:00:00.000007","0001-01-01T00:00:00","9999-02-01T00:00:00"]'),
    "datetime-utc": '["2024-02-29T00:00:00Z"]',
    "datetime-offset": '["2024-02-29T00:00:00-05:30"]',
    "time-with-zone": '["01:00:00Z"]',
    "timedelta": '["P1DT0S"]',
    "date-and-time": '["2024-02-29","23:59:00","01:02:03.000004"]',
    "uuid": '{"id":"12345678-1234-5678-1234-567812345678"}',
    "decimal": '["1.10","1E+3","-0","NaN"]',
    "enum": '["red","2024-02-29",[1,2],3,"yes",3]',
    "dataclass-nested": None,
    "nan": '{"a":null,"b":[null,null]}',
    "nan-alone": "null",
    "big-int": (
        "[9223372036854775807,-9223372036854775808,18446744073709551615,18446744073709551616,"
        "-9223372036854775809,10000000000000000000000000000000000000000]"
    ),
    "int-keys": '{"1":"a","-2":"b"}',
    "other-keys": '{"null":1,"true":2,"false":3,"1.5":4}',
    "keys-with-a-text": (
        '{"12345678-1234-5678-1234-567812345678":1,"red":2,"2024-02-29":3,"1.10":[{"P1DT0S":null}],"3":4,"yes":5}'
    ),
    "str-subclass": '{"k":"v"}',
    "containers": '[[1,2],{"b":1,"a":2},{"a":1}]',
    "top-level-numbers": "7",
    "top-level-float": "1.5",
    "top-level-true": "true",
    "depth-200": "[" * 200 + "]" * 200,
    "depth-300": "[" * 300 + "]" * 300,
}

UNSENDABLE = [
    "tuple-key",
    "set",
    "bytes",
    "object",
    "generator",
    "circular",
    "depth-100000",
    "dataclass-class",
]

TAKEN: dict[str, Any] = {
    "object": {"a": [1, 2.5, True, None], "é": "漢 😀 \0 /"},
    "array": [1],
    "string": "x",
    "number": -1250.0,
    "null": None,
    "duplicates": {"a": 2, "b": 0},
    "minus-zero": [0, -0.0, 0.0, 100.0, 1.0],
    "64-bits": [2**64 - 1, -(2**63), 2**53 + 1],
    "tiny-float": [0.0, 2.225073858507201e-308, 0.1],
    "escaped-backslash-u": ["\\ud800"],
    "nan-in-a-string": ["NaN", "-Infinity"],
    "delete-character": "\x7f",
    "brackets-in-a-string": ["[{" * 300, '"' + "[" * 300],
    "many-siblings": [[] for _ in range(1001)],
}

REFUSED = [
    "blank", "utf-16", "utf-16-le", "utf-32", "latin-1", "overlong", "surrogate-bytes", "lone-surrogate",
    "lone-low-surrogate", "surrogates-reversed", "lone-surrogate-key", "nan", "infinity", "minus-infinity",
    "control-character", "nul-after", "trailing-comma", "comment", "single-quotes", "leading-zero", "plus",
    "bare-fraction", "bare-point", "hex", "bad-escape", "short-escape", "no-break-space", "vertical-tab", "two-values",
    "truncated", "unclosed-string", "key-without-quotes", "depth-201", "depth-201-objects", "depth-300", "depth-100000",
    "depth-unclosed",
]  # fmt: skip

CASES = [
    *(f"returned/{name}" for name in json_probe.RETURNED),
    *(f"{path}/{name}" for path in ("show", "params") for name in [*json_probe.RECEIVED, "members"]),
    "bound/members",
    *(f"sent/{name}" for name in json_probe.SENT),
    *(
        f"heard/{name}"
        for name in ("object", "big-int", "huge-float", "nan", "lone-surrogate", "depth-201", "truncated")
    ),
]
CASES.remove("show/members")


@pytest.fixture(scope="module")
def present() -> dict[str, Any]:
    """What a process with orjson answers."""
    found = json.loads(output_of("tests.integrations.json_probe"))
    assert found["orjson"] is True
    return dict(found["answers"])


@pytest.fixture(scope="module")
def absent() -> dict[str, Any]:
    """What a process answers that cannot import orjson."""
    found = json.loads(output_of("tests.integrations.json_probe", without=("orjson",)))
    assert found["orjson"] is False
    return dict(found["answers"])


@pytest.fixture(params=["present", "absent"])
def answers(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each process's answers in turn."""
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


def test_every_case_was_answered(present, absent):
    """The list of cases here is the whole of what the processes were asked."""
    assert set(present) == set(absent) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_orjson_makes_no_difference(present, absent, case):
    """The reply is the same, whichever package reads and writes the JSON."""
    assert present[case] == absent[case]


@pytest.mark.parametrize("name", [name for name, text in RETURNED.items() if text is not None])
def test_what_a_handler_returns(answers, name):
    """The value goes out as compact JSON, in UTF-8."""
    text = RETURNED[name]
    assert text is not None
    assert answers[f"returned/{name}"] == [200, OK, text.encode().decode("latin-1")]


@pytest.mark.parametrize("name", UNSENDABLE)
def test_what_no_json_can_say(answers, name):
    """A value that has no JSON form is a 500, whichever package refuses it."""
    assert answers[f"returned/{name}"] == BROKEN


@pytest.mark.parametrize("name", TAKEN)
def test_what_a_client_sends(answers, name):
    """The JSON value arrives exactly."""
    assert answers[f"show/{name}"][::2] == [200, ascii(TAKEN[name])]


@pytest.mark.parametrize("path", ["show", "params"])
@pytest.mark.parametrize("name", REFUSED)
def test_bad_json(answers, path, name):
    """What RFC 8259 does not allow, or nobody can hold, is a 400."""
    assert answers[f"{path}/{name}"] == BAD_JSON


def test_members_of_an_object_bind(answers):
    """A member binds as its JSON value; in `body_params` it is text."""
    assert answers["bound/members"][2] == ascii(({"x": [1.0, 100000.0, "é", None]}, "text"))
