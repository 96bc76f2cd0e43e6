"""ReplyHeaders: headers that are the same in many replies, checked and encoded once."""

from collections.abc import Iterable, Mapping
from typing import Any

from micropie.core.basics.headers import encode_value, has_control_characters, is_token
from micropie.core.basics.types import HeaderPairs, RawHeaders

_VARY = "vary"
_OF_EACH_REPLY = ("content-length", "content-type", "set-cookie", "transfer-encoding")

MAX_SUMS = 64


class ReadyPairs(list[tuple[str, str]]):
    """Header pairs with their encoded form. One list for many replies, never to be changed."""

    __slots__ = ("_names", "_sums", "_texts", "fields")

    def __init__(self, pairs: Iterable[tuple[str, str]], fields: RawHeaders | None = None) -> None:
        super().__init__(pairs)
        self.fields: RawHeaders = [_encoded(pair) for pair in self] if fields is None else fields  # as ASGI has them
        self._texts: HeaderPairs | None = None
        self._names: set[str] | None = None
        self._sums: dict[ReplyHeaders, ReadyPairs] = {}

    def names(self) -> set[str]:
        """Their names in lower case, without `Vary`."""
        if self._names is None:
            self._names = {name.lower() for name, _ in self} - {_VARY}
        return self._names

    def texts(self) -> HeaderPairs:
        """They as RSGI has them."""
        if self._texts is None:
            self._texts = text_pairs(self.fields)
        return self._texts

    def plus(self, others: "ReplyHeaders") -> "ReadyPairs":
        """These, and those of the others that they lack."""
        if (found := self._sums.get(others)) is None:
            pairs: HeaderPairs = [*self]
            others.add_to(pairs)
            if len(self._sums) >= MAX_SUMS:  # some are made for one reply
                self._sums.clear()
            found = self._sums[others] = ReadyPairs(pairs)
        return found


def text_pairs(fields: Iterable[tuple[bytes, bytes]]) -> HeaderPairs:
    """ASGI's headers as RSGI wants them. What is not ASCII goes out as UTF-8, whatever it was."""
    return [(name.decode("latin-1"), _decode_value(value)) for name, value in fields]


def _decode_value(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class ReplyHeaders:
    """What the `reply_headers` of a middleware returns: headers for many replies, checked and encoded once.

    `headers` is a dict, or pairs, as `pairs` has them then. Each goes out with every reply that has none of that name;
    `Vary` goes out in addition. With `unless`, the name of a header, a reply that has that one gets none of these.
    ValueError for what may not go out, and for what each reply says itself: its type, its length, its cookies.

        NOSNIFF = ReplyHeaders({"X-Content-Type-Options": "nosniff"})
    """

    __slots__ = ("_unless", "pairs")

    pairs: ReadyPairs

    def __init__(self, headers: Mapping[str, str] | Iterable[tuple[str, str]], *, unless: str | None = None) -> None:
        if isinstance(headers, ReadyPairs):  # PERF: checked by now, 3 µs
            self.pairs = headers
        else:
            pairs = headers.items() if isinstance(headers, Mapping) else headers
            self.pairs = ReadyPairs(_sendable(name, value) for name, value in pairs)
        self._unless = None if unless is None else unless.lower()

    def with_header(self, name: str, value: str) -> "ReplyHeaders":
        """These and one more of this `name` and `value`, for a single reply say: quicker than to make all of them."""
        pair = _sendable(name, value)
        return ReplyHeaders(ReadyPairs([*self.pairs, pair], [*self.pairs.fields, _encoded(pair)]), unless=self._unless)

    def add_to(self, headers: list[Any]) -> None:
        """Append those that the headers lack, which are pairs in any shape that a hook may have appended."""
        if not headers:
            headers += self.pairs
            return
        names = {_lower_name(pair[0]) for pair in headers}
        if self._unless not in names:
            headers += self.pairs if self.pairs.names().isdisjoint(names) else self._others(names)

    def _others(self, names: set[str]) -> HeaderPairs:
        return [pair for pair in self.pairs if (lower := pair[0].lower()) == _VARY or lower not in names]


def _sendable(name: Any, value: Any) -> tuple[str, str]:
    """The pair, if it may go out."""
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError(f"ReplyHeaders: {name!r}: {value!r} is no header, name and value are texts")
    if not is_token(name) or has_control_characters(value):
        raise ValueError(f"ReplyHeaders: {name!r}: {value!r} may not go out (RFC 9110 §5.5, §5.6.2)")
    if name.lower() in _OF_EACH_REPLY:
        raise ValueError(f"ReplyHeaders: {name} is for each reply to say: return it with the reply")
    return name, value.strip(" \t")


def _encoded(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].lower().encode(), encode_value(pair[1])


def _lower_name(name: Any) -> str:
    return name.lower() if isinstance(name, str) else str(name.decode("latin-1").lower())
