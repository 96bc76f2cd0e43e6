"""The messages of a WebSocket as values of a type: JSON, converted and checked as parameters are."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from micropie.core import late
from micropie.core.basics.errors import ConversionError, Fault, InvalidMessage, log
from micropie.core.basics.json_codec import exact_loads, has_inexact_number, loads

MESSAGE = "message"  # the place of the faults
MessageReader = Callable[[bytes], Any]


def message_reader(kind: Any) -> MessageReader:
    """What makes values of a type of messages, or raises `InvalidMessage`. TypeError for a type that none can become.

    Of unions the order counts, though `A | B` equals `B | A`; a type that can't be hashed is read again each time.
    """
    try:
        return _known_reader(kind, repr(kind))
    except TypeError:
        return _new_reader(kind)


def _new_reader(kind: Any) -> MessageReader:
    compiler = late.Compiler()
    try:
        convert = compiler.converter(kind).value
    except late.UnknownTypeError as error:
        raise TypeError(f"No message can become a {kind!r}: {error}") from error
    for problem in compiler.problems:
        log.warning("Of the messages %r %s", kind, problem)

    def read(raw: bytes) -> Any:
        try:
            value = loads(raw)
            if compiler.reads_decimals and has_inexact_number(raw):
                value = exact_loads(raw)
        except ValueError as error:
            raise InvalidMessage([Fault(MESSAGE, "", "expected JSON")]) from error
        try:
            return convert(value)
        except ConversionError as error:
            faults = [Fault(MESSAGE, where.removeprefix("."), message) for where, message in error.faults]
            raise InvalidMessage(faults) from None

    return read


@lru_cache(256)
def _known_reader(kind: Any, _order: str) -> MessageReader:
    return _new_reader(kind)
