"""Values and texts for a debug page: the beginning of a `repr`, without the secrets that its names tell of.

Values are written piece by piece until there is enough, so that neither a large nor an endless one takes long. Nothing
of the application's runs but its `__repr__` methods, and the descriptors of its records.
"""

import dataclasses
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from types import SimpleNamespace
from typing import Any

MASK = "••••••"
LIMIT = 1000  # characters of one value
_DEPTH = 6  # levels inside a value
_PAIR_LENGTH = 2

_SECRET = frozenset((
    "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "csrf", "cvc", "cvv", "dsn",
    "jwt", "nonce", "otp", "passphrase", "passwd", "password", "passwords", "pin", "private", "pw", "pwd", "salt",
    "secret", "secrets", "session", "sessions", "ssn", "token", "tokens", "xsrf",
))  # fmt: skip
_SECRET_PARTS = ("apikey", "accesskey", "passphrase", "passwd", "password", "secret", "sessid", "sessionid", "token")
_PLAIN_KEYS = frozenset(("cache", "dict", "foreign", "partition", "primary", "public", "sort"))
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_IN_URL = re.compile(r"(://[^\s/?#:@'\"]*:)[^\s/?#@'\"]+@")
_QUOTED = r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*\""""
_PAIR = re.compile(rf"""(?<![\w.-])([\w.-]+)(?:(['"]?\s*[=:]\s*)({_QUOTED})|(\s*=\s*)([^\s&'",;<>(){{}}\[\]]+))""")

_CONTROL = re.compile(r"[^\t\n -~\xa0-\U0010ffff]")
_LITERAL = re.compile(rf"""(?<![\w.-])([\w.-]+)(['"]?\s*[=:]\s*)({_QUOTED})""")


def is_secret(name: Any) -> bool:
    """True for a name one of whose words says that its value is not to be shown: `api_key`, `userPassword`."""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        return False
    words = [word.lower() for word in _WORD.findall(text[:200])]
    if words[1:] and words[-1] in ("key", "keys"):
        return words[-2] not in _PLAIN_KEYS
    return not _SECRET.isdisjoint(words) or any(part in "".join(words) for part in _SECRET_PARTS)


def redacted_repr(value: Any, name: Any = None) -> str:
    """The `repr` of a value, masked if its name says that it is secret. It raises nothing, whatever the value does."""
    if is_secret(name):
        return MASK
    try:
        return redacted(truncated(_pieces(value, 0)))
    except Exception as error:  # a class that lies about its own, a container that another thread changes
        return f"<{type(value).__name__}, which raises {type(error).__name__}>"


def redacted(text: str) -> str:
    """A text without the secrets that it names, lone surrogates, and characters that terminals take for commands."""
    text = _PAIR.sub(_without_secret, _IN_URL.sub(rf"\1{MASK}@", text))
    return _CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", text).encode("utf-8", "backslashreplace").decode()


def redacted_source(source: str) -> str:
    """A line of source with as many bullets in place of the text that is assigned to a secret name."""
    return _LITERAL.sub(lambda one: one[1] + one[2] + "•" * len(one[3]) if is_secret(one[1]) else one[0], source)


def _without_secret(pair: re.Match[str]) -> str:
    return f"{pair[1]}{pair[2] or pair[4]}{MASK}" if is_secret(pair[1]) else pair[0]


def truncated(pieces: Iterable[str], limit: int = LIMIT) -> str:
    """The pieces as one text, until that is long enough."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > limit:
            return text[:limit] + "…"
    return text


def _pieces(value: Any, depth: int) -> Iterator[str]:
    """The pieces of a `repr`, members of containers and records one by one."""
    if isinstance(value, str | bytes):
        yield _own(value[:LIMIT]) + ("…" if len(value) > LIMIT else "")
        return
    members = _members(value)
    if members is None:
        yield _own(value)
        return
    opening, inside, closing = members
    yield opening
    if depth < _DEPTH:
        for number, (label, member, name) in enumerate(inside):
            yield ", " * bool(number) + label
            yield from [MASK] if is_secret(name) else _pieces(member, depth + 1)
    else:
        yield "…"
    yield closing


Member = tuple[str, Any, Any]  # what stands before it, its value, its name


def _members(value: Any) -> tuple[str, Iterator[Member], str] | None:
    """The members of a container or a record, between its brackets; None for other values."""
    kind = type(value)
    fields = _fields(value)
    if fields is not None:
        return f"{kind.__name__}(", ((f"{name}=", member, name) for name, member in fields), ")"
    if isinstance(value, dict):
        pairs = dict.items(value)
        entries = ((f"{truncated(_pieces(key, _DEPTH))}: ", member, key) for key, member in pairs)
        return ("{", entries, "}") if kind is dict else (f"{kind.__name__}({{", entries, "})")
    brackets = next((_BRACKETS[base] for base in _BRACKETS if isinstance(value, base)), None)
    if brackets is None or not len(value):
        return None
    opening, closing = brackets
    return opening, _elements(value), ",)" if closing == ")" and len(value) == 1 else closing


_BRACKETS: dict[Any, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}


def _elements(value: Any) -> Iterator[Member]:
    """The elements of a sequence or set; the second one of a pair has the first as its name, as in headers."""
    base = next(base for base in _BRACKETS if isinstance(value, base))
    names = [None, value[0]] if base is tuple and len(value) == _PAIR_LENGTH else []
    return (("", element, name) for element, name in zip_longest(base.__iter__(value), names))


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The fields of a record by their names: of a dataclass, a named tuple, attrs, msgspec, pydantic, a namespace."""
    if isinstance(value, SimpleNamespace):
        return list(vars(value).items())
    names = _field_names(type(value))
    return [(name, getattr(value, name, "…")) for name in islice(names, 100)] if names else None


def _field_names(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.repr]
    if issubclass(kind, tuple):
        return list(getattr(kind, "_fields", ()))
    attributes = [one.name for one in getattr(kind, "__attrs_attrs__", ())]
    return attributes or list(getattr(kind, "__struct_fields__", ()) or getattr(kind, "__pydantic_fields__", ()))


def _own(value: Any) -> str:
    """The text of a value's own `__repr__`, or the exception that it raises."""
    try:
        text = repr(value)
    except Exception as error:  # an integer of many digits, or the application's own
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= LIMIT else text[:LIMIT] + "…"
