"""The JSON codec: orjson where it is installed, imported when it is first needed, else the standard library's.

orjson and the standard library's json give equal results here; what one does by itself the other is
taught. Where they differ by nature the stricter reading wins: RFC 8259 JSON, finite numbers, valid text.
"""

import functools
import importlib
import itertools
import math
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, cast

from micropie.core import late
from micropie.core.basics.large_json import JSON_PIECE, MAX_JSON_DEPTH, LargeDocument, json_depth
from micropie.core.basics.optional import lazy_import

INT64_DIGITS = 18  # so many digits always fit into 64 bits
MAX_EXACT = 100  # characters of a number whose digits all count
_LONG_NUMBER = rb"(?:\A|[\s:,\[])-?(?:[0-9.]{17}|[0-9.]+[eE])"  # a float holds any 15 digits, if it is not too small


def jsonable(value: Any) -> Any:
    """The fallback of both encoders: a value that they don't know, in simpler types.

    TypeError if there is none.
    """
    if isinstance(value, tuple):
        return list(value)  # orjson leaves named tuples to us
    if isinstance(value, float):
        return float(value)  # and subclasses of float
    if isinstance(value, Enum):
        return value.value
    if any(is_a(value, "datetime", name) for name in ("datetime", "date", "time")):
        return moment(value)
    if is_a(value, "uuid", "UUID") or is_a(value, "decimal", "Decimal"):
        return str(value)
    return duration(value) if is_a(value, "datetime", "timedelta") else _fields(value)


def moment(value: Any) -> str:
    """A date or a time in ISO 8601, UTC as `Z`: parsers of RFC 3339 may refuse `+00:00`, generated ones do."""
    text = str(value.isoformat())
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text


def duration(value: Any) -> str:
    """A timedelta in ISO 8601, as typed parameters read it: `P1DT5400S`."""
    sign, length = ("-", -value) if value.days < 0 else ("", value)
    seconds = f"{length.seconds}.{length.microseconds:06}".rstrip("0").rstrip(".")
    return f"{sign}P{length.days}DT{seconds}S"


def is_a(value: Any, module: str, name: str) -> bool:
    """True if it is an instance of a class of a module, which whoever made such an instance has imported."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _fields(value: Any) -> Any:
    """A record as a dict, without the members whose names begin with an underscore: those are private."""
    kind: Any = type(value)
    if (show := _serializer_of(kind)) is not None:
        return show(value, mode="json", by_alias=True)
    if hasattr(kind, "__dataclass_fields__"):
        return _attributes(value, (field.name for field in lazy_import("dataclasses").fields(value)))
    if hasattr(kind, "__attrs_attrs__"):
        return _attributes(value, (field.name for field in kind.__attrs_attrs__))
    if is_a(value, "msgspec", "Struct"):
        shown = struct_form(kind, _struct_members(value))
        return list(shown.values()) if kind.__struct_config__.array_like else shown
    raise TypeError(f"{kind.__name__!r} objects are not JSON serializable")


@functools.cache
def _serializer_of(kind: Any) -> Callable[..., Any] | None:
    """The serializer of a model, or a dataclass of pydantic's; None for other types."""
    schema = getattr(kind, "__pydantic_core_schema__", None)
    if schema is not None and late.has_private(schema):
        return cast("Callable[..., Any]", late.serializer(late.without_private(schema)).to_python)
    own = getattr(kind, "__pydantic_serializer__", None)
    return getattr(kind, "model_dump", None if own is None else own.to_python)


def _attributes(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names if not name.startswith("_")}


def _struct_members(value: Any) -> dict[str, Any]:
    """A Struct's public members by their names in JSON; without those that still are as they were, if it says so."""
    kind: Any = type(value)
    keys = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    if kind.__struct_config__.array_like:  # what comes behind would be taken for it
        keys = dict(itertools.takewhile(lambda one: not one[0].startswith("_"), keys.items()))
    shown = _attributes(value, keys)
    if kind.__struct_config__.omit_defaults:
        for field in lazy_import("msgspec.structs").fields(kind):
            if field.name in shown and _is_default(shown[field.name], field):
                del shown[field.name]
    return {keys[name]: member for name, member in shown.items()}


def _is_default(member: Any, field: Any) -> bool:
    """True if msgspec would leave the member out."""
    return member is field.default or (field.default_factory in (list, dict, set) and not member)


def struct_form(kind: Any, members: dict[str, Any]) -> dict[str, Any]:
    """A Struct's members as msgspec writes them: behind its tag, without those that are unset, bytes in base64."""
    config, unset = kind.__struct_config__, sys.modules["msgspec"].UNSET
    tag = {} if config.tag is None else {config.tag_field: config.tag}
    return {**tag, **{key: _base64(member) for key, member in members.items() if member is not unset}}


def _base64(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return lazy_import("base64").b64encode(value).decode()
    return value


def _plain(value: Any, default: Callable[[Any], Any]) -> Any:
    """A document of what any encoder knows: without NaN and the infinities (RFC 8259 §6), and with texts as keys."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_plain_key(key, default): _plain(item, default) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, default) for item in value]
    if isinstance(value, str | int | None):
        return value
    return _plain(default(value), default)


def _plain_key(key: Any, default: Callable[[Any], Any]) -> Any:
    """The key of an object, a UUID or a member of an Enum for one, as what encoders make a text of."""
    simple = key if isinstance(key, str | int | float | tuple | None) else default(key)
    return simple if isinstance(simple, str | int | float | None) else key


def _stdlib_dumps(value: Any, default: Callable[[Any], Any] = jsonable) -> bytes:
    def dump(value: Any, *, allow_nan: bool) -> bytes:
        text = lazy_import("json").dumps(
            value, ensure_ascii=False, separators=(",", ":"), default=default, allow_nan=allow_nan
        )
        return str(text).encode()

    try:
        return dump(value, allow_nan=False)
    except UnicodeEncodeError:
        raise
    except ValueError:  # a NaN or an infinity; or a circle, which raises again here
        dump(value, allow_nan=True)
    except TypeError:  # keys that are neither text nor number; or what nobody knows, which raises again below
        pass
    return dump(_plain(value, default), allow_nan=False)


def _parse_int(digits: str) -> float:
    """An integer of more than 64 bits is read as a float, as orjson does (RFC 8259 §6 promises no more)."""
    if len(digits) > INT64_DIGITS and not -(2**63) <= int(digits) < 2**64:
        return _parse_float(digits)
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _stdlib_loads(raw: bytes) -> Any:
    text = raw.decode("utf-8")  # json.loads would also guess UTF-16
    value = lazy_import("json").loads(
        text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant
    )
    if "\\u" in text:  # the only way for half a surrogate pair to come in
        lazy_import("json").dumps(value, ensure_ascii=False).encode()
    return value


# PERF: which package they are is found out at the first use, and never asked again, 0.1 µs.


def _first_encode(value: Any, default: Callable[[Any], Any], _options: int) -> bytes:
    _find_codec()
    return _json_encode(value, default, _json_options)


def _first_decode(raw: bytes) -> Any:
    _find_codec()
    return _json_decode(raw)


_json_encode: Callable[[Any, Callable[[Any], Any], int], bytes] = _first_encode
_json_options = 0
_json_decode: Callable[[bytes], Any] = _first_decode


def _find_codec() -> None:
    global _json_encode, _json_options, _json_decode  # noqa: PLW0603
    try:
        orjson = importlib.import_module("orjson")
    except ImportError:
        _json_encode, _json_decode = _stdlib_encode, _stdlib_loads
    else:
        # Left to itself orjson would also write attributes that are no fields, and round some time zones.
        _json_options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        _json_encode, _json_decode = orjson.dumps, orjson.loads


def _stdlib_encode(value: Any, default: Callable[[Any], Any], _options: int) -> bytes:
    return _stdlib_dumps(value, default)


def dumps(value: Any) -> bytes:
    """The `value` as compact UTF-8 JSON. TypeError or ValueError for what has no JSON form.

    dumps({"made": date(2026, 11, 28)})         # b'{"made":"2026-11-28"}'
    """
    try:
        return _json_encode(value, jsonable, _json_options)
    except TypeError:  # wider integers, other keys than strings: json can, or says why not
        return _stdlib_dumps(value)


def plain_json(value: Any) -> bytes:
    """JSON of what JSON is made of, as `loads` returns it. TypeError for anything else that is in there."""
    try:
        return _json_encode(value, _refuse, _json_options)
    except ValueError as error:
        raise TypeError(f"no plain JSON: {error}") from None


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__!r} objects are not plain JSON")


def loads(raw: bytes | str) -> Any:
    """The value of a JSON document, `raw` (RFC 8259). ValueError for anything else, and for nesting over 200.

    A large document takes its time, in which other threads can run.

        loads(b'{"pies": 3}')["pies"]
    """
    if isinstance(raw, str):
        raw = raw.encode()
    try:
        if len(raw) > JSON_PIECE:
            return LargeDocument(_json_decode).value(raw)
        value = _json_decode(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None
    # PERF: short documents can't be deep, and others are looked at only if they have the brackets for it, 1 µs.
    if (
        len(raw) > 2 * MAX_JSON_DEPTH
        and raw.count(b"[") + raw.count(b"{") > MAX_JSON_DEPTH
        and json_depth(raw) > MAX_JSON_DEPTH
    ):
        raise ValueError("nested too deep")
    return value


def has_inexact_number(raw: bytes) -> bool:
    """True if a float could have lost digits of a number, as far as a look at the document tells."""
    return lazy_import("re").search(_LONG_NUMBER, raw) is not None


def exact_loads(raw: bytes) -> Any:
    """The value of a document that `loads` takes, but a Decimal for each number that it has lost digits of.

    ValueError for a number of more than `MAX_EXACT` characters.
    """
    decimal = lazy_import("decimal").Decimal

    def number(text: str) -> Any:
        if len(text) > MAX_EXACT:
            raise ValueError("number too long")
        exact, value = decimal(text), float(text)
        return value if decimal(repr(value)) == exact else exact

    def integer(text: str) -> Any:
        value = _parse_int(text)
        return value if isinstance(value, int) else number(text)

    return lazy_import("json").loads(raw, parse_float=number, parse_int=integer)
