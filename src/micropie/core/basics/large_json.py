"""JSON documents as bytes: how deep they are nested, and large ones decoded in pieces.

A decoder in C holds the interpreter lock to its end, for seconds if 16 MB are all brackets, and a thread is no help.
So a document of more than `JSON_PIECE` is decoded piece by piece, and other threads run in between. Each piece ends
behind a comma or bracket. Brackets whose partner is in another piece are handled here; what stands between two of them
is whole items of one list or object, and goes to the decoder in brackets of its own: it refuses what is wrong there.
"""

import os
from collections.abc import Callable
from itertools import accumulate, compress
from typing import Any

JSON_PIECE = 1 << 16  # bytes: milliseconds, whatever they are
MAX_JSON_DEPTH = 200  # deeper documents exist to exhaust somebody's stack
MAX_JSON_CONTAINERS = 1 << 19  # so many lists and objects keep the garbage collector busy for 50 ms at a time
_BRACKETS, _STRUCTURE = b"[]{}", b"[]{},"
_NO_BRACKETS, _NO_STRUCTURE = (bytes(set(range(256)) - set(chars)) for chars in (_BRACKETS, _STRUCTURE))
_IS_BRACKET = bytes(char in _BRACKETS for char in range(256))
_STEPS = bytes.maketrans(_BRACKETS, bytes((1, 255, 1, 255)))  # into a list or object, or out of it: signed bytes
_MARKS = (b"[", b"]", b"{", b"}", b",")
_FEW = 8  # brackets that are looked for one by one
# Where a list or object goes on: at its beginning, behind a comma, or behind an item.
_BEGINNING, _COMMA, _ITEM = range(3)


class TooManyContainersError(ValueError):
    """The document has more than `MAX_JSON_CONTAINERS` lists and objects."""


def json_depth(raw: bytes) -> int:
    """How deep lists and objects are nested in a valid document."""
    return max(_levels(_without_strings(raw).translate(None, _NO_BRACKETS)))


def _without_strings(raw: bytes) -> bytes:
    """The document without the commas and brackets in its strings, of which the last may be unfinished."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    parts = raw.split(b'"')
    if not b"".join(parts[1::2]).translate(None, _NO_STRUCTURE):  # PERF: mostly there are none, half of the time
        return raw
    parts[1::2] = [b"_" * len(text) for text in parts[1::2]]
    return b'"'.join(parts)


def _levels(brackets: bytes) -> list[int]:
    """The level of nesting before each of these brackets and behind the last, relative to the first."""
    return list(accumulate(memoryview(brackets.translate(_STEPS)).cast("b"), initial=0))


class LargeDocument:
    """A JSON document that is decoded in pieces, each by the function `decode`.

    ValueError for what is no JSON, or nested deeper than `MAX_JSON_DEPTH`.
    """

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        self._decode = decode
        self._whole: list[Any] = []  # the document is its one item
        self._open: list[Any] = [self._whole]  # innermost last
        self._goes_on = _BEGINNING
        self._containers = 0
        # A member for where the grammar wants one and we have none. No client can guess its name.
        self._key = os.urandom(16).hex()
        self._member = b'"%b":0' % self._key.encode()

    def value(self, raw: bytes) -> Any:
        """The value of the document."""
        raw = raw + b"]"  # of the list whose item it is; not in place, since a bytearray is its owner's
        at, size = 0, JSON_PIECE
        while at < len(raw):
            window = raw[at : at + size]
            length = self._read(window, is_stretched=size > JSON_PIECE)
            if not length and len(window) < size:
                raise ValueError("unfinished string")
            at += length
            size = JSON_PIECE if length else 4 * size  # a long string
        if self._open or len(self._whole) != 1:
            raise ValueError("no document, or more than one")
        return self._whole[0]

    def _read(self, window: bytes, *, is_stretched: bool) -> int:
        """Decode the window up to its last comma or bracket, in a stretched one the first; the number of bytes."""
        masked = _without_strings(window)
        ends = [end for end in map(masked.find if is_stretched else masked.rfind, _MARKS) if end >= 0]
        if not ends:
            return 0
        length = (min(ends) if is_stretched else max(ends)) + 1
        masked = masked[:length]
        brackets = masked.translate(None, _NO_BRACKETS)
        levels = _levels(brackets)
        self._check(brackets, max(levels))
        start = 0
        unmatched = _unmatched(levels)
        for index, spot in zip(unmatched, _spots(masked, brackets, unmatched), strict=True):
            bracket = brackets[index : index + 1]
            if bracket in b"[{":
                self._enter(window[start:spot], masked[start:spot], [] if bracket == b"[" else {})
            else:
                self._leave(window[start:spot], bracket)
            start = spot + 1
        if start < length:
            self._add(window[start:length], is_comma=masked.endswith(b","))
        return length

    def _check(self, brackets: bytes, level: int) -> None:
        if len(self._open) - 1 + level > MAX_JSON_DEPTH:
            raise ValueError("nested too deep")
        self._containers += brackets.count(b"[") + brackets.count(b"{")
        if self._containers > MAX_JSON_CONTAINERS:
            raise TooManyContainersError("too many lists and objects")

    def _innermost(self) -> Any:
        if not self._open:
            raise ValueError("something behind the document")
        return self._open[-1]

    def _enter(self, text: bytes, masked: bytes, child: Any) -> None:
        """Add the items of a text, and as the next one an empty list or object, whose items follow."""
        container = self._innermost()
        items = self._decoded(container, text + b"0")
        if isinstance(container, list):
            items[-1] = child
            container.extend(items)
        else:
            [key] = self._decode(b"{%b0}" % text[masked.rfind(b",") + 1 :])
            items[key] = child
            container.update(items)
        self._open.append(child)
        self._goes_on = _BEGINNING

    def _leave(self, text: bytes, bracket: bytes) -> None:
        """Add the items of a text, and end the innermost list or object."""
        if bracket != (b"]" if isinstance(self._innermost(), list) else b"}"):
            raise ValueError("the other bracket is wanted")
        self._add(text, is_comma=False)
        self._open.pop()
        self._goes_on = _ITEM

    def _add(self, text: bytes, *, is_comma: bool) -> None:
        """Add the items of a text, which ends with a comma or an item."""
        container = self._innermost()
        if isinstance(container, list):
            container.extend(self._decoded(container, text + b"0")[:-1] if is_comma else self._decoded(container, text))
        else:
            container.update(self._decoded(container, text + self._member if is_comma else text))
        self._goes_on = _COMMA if is_comma else _ITEM

    def _decoded(self, container: Any, text: bytes) -> Any:
        """The items of a text with which the list or object goes on, as another one of its type."""
        if isinstance(container, list):
            before = (b"", b"0,", b"0")[self._goes_on]
            items = self._decode(b"[%b%b]" % (before, text))
            return items[1:] if before else items
        before = (b"", self._member + b",", self._member)[self._goes_on]
        members = self._decode(b"{%b%b}" % (before, text))
        members.pop(self._key, None)
        return members


def _unmatched(levels: list[int]) -> list[int]:
    """The brackets whose partner is not among them, by their index: closing ones, then opening ones."""
    lowest, last = min(levels), levels[-1]
    closing = [index - 1 for index in _first_of_each(levels, range(-1, lowest - 1, -1))]
    levels.reverse()
    opening = [len(levels) - 1 - index for index in _first_of_each(levels, range(last - 1, lowest - 1, -1))]
    return closing + opening[::-1]


def _first_of_each(levels: list[int], wanted: range) -> list[int]:
    """Where each of the levels, of which each is behind the one before it, is first."""
    found, index = [], 0
    for level in wanted:
        index = levels.index(level, index)
        found.append(index)
    return found


def _spots(masked: bytes, brackets: bytes, indices: list[int]) -> list[int]:
    """Where in the document some of its brackets stand."""
    if len(indices) > _FEW:
        spots = list(compress(range(len(masked)), masked.translate(_IS_BRACKET)))
        return [spots[index] for index in indices]
    return [_spot(masked, brackets, index) for index in indices]


def _spot(masked: bytes, brackets: bytes, index: int) -> int:
    """Where the bracket is: behind as many of its kind as there are before it."""
    kind = brackets[index : index + 1]
    before, behind = brackets.count(kind, 0, index), brackets.count(kind, index + 1)
    if before < behind:
        return len(masked) - len(masked.split(kind, before + 1)[-1]) - 1
    return len(masked.rsplit(kind, behind + 1)[0])
