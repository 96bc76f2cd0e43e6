"""Values and texts for a debug page: the beginning of a `repr`, without the secrets that its names tell of.

Values are written piece by piece until there is enough, so that neither a large nor an endless one takes long. Nothing
of the application's runs but its `__repr__` methods, and the descriptors of its records; whatever those raise, the exit
of the process included, is told in the value's place. A value's type is asked for by `type`: its `__class__` may be a
property.
"""

import dataclasses
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from http.cookies import Morsel
from itertools import islice, zip_longest
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from micropie import Session

MASK = "••••••"
LIMIT = 1000  # characters of one value
_READ = 2 * LIMIT  # characters that are looked at, so that no secret is cut in two before it is found
_MAX_VALUE = 100  # characters of a secret by which it is known
_MAX_NAME = 200  # characters of a name that are looked at
_DEPTH = 6  # levels inside a value
_PAIR_LENGTH = 2

_SECRET = frozenset((
    "auth", "authorization", "bearer", "cookie", "cookies", "cred", "credential", "credentials", "creds", "csrf", "cvc",
    "cvv", "dsn", "hmac", "iban", "jwt", "mfa", "mnemonic", "nonce", "oauth", "otp", "pass", "passphrase", "passwd",
    "password", "passwords", "pin", "pins", "private", "pw", "pwd", "salt", "secret", "secrets", "session", "sessions",
    "sid", "signature", "ssn", "token", "tokens", "totp", "xsrf",
))  # fmt: skip
_SECRET_PARTS = (
    "apikey", "accesskey", "cardnumber", "kennwort", "passcode", "passphrase", "passwd", "password", "passwort",
    "secret", "sessid", "sessionid", "token",
)  # fmt: skip
_PLAIN_KEYS = frozenset(("cache", "dict", "foreign", "partition", "primary", "public", "sort"))
_SECRET_CODES = frozenset((
    "access", "activation", "auth", "backup", "confirm", "confirmation", "device", "factor", "invite", "login",
    "recovery", "reset", "security", "sms", "time", "unlock", "verification", "verify",
))  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_QUOTED = r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*\""""
_NAME = r"(?<![\w.%\[\]-])(?P<name>[\w.%\[\]-]+)"
_SECRETS = tuple(map(re.compile, (
    # of a URL, also one that is not as it should be; a number behind the colon is a port
    r"""://[^\s/?#:@'"<>]*:(?![0-9]*(?:[/?#\s'"<>]|$))(?P<secret>[^\s/?#'"<>]+|[^\s'"<>]+)@""",
    r"""://(?P<secret>[^\s/?#:@'"<>]+)@""",
    r"""[?&](?P<name>[^=&#\s'"<>]+)=(?P<secret>[^&#\s'"<>]*)""",
    r"(?i:\b(?:bearer|basic)\s+)(?P<secret>[a-zA-Z0-9._~+/=-]{6,})",  # RFC 9110 §11.4
    r"\b(?P<secret>eyJ[\w-]+\.[\w-]+\.[\w-]*)",  # a JSON Web Token
    # of dicts, JSON, keywords, forms and cookies
    rf"""{_NAME}['"]?\]?\s*(?::|={{1,2}})\s*(?P<secret>{_QUOTED}|\[[^\]]*\]|\{{[^}}]*\}})""",
    rf"""{_NAME}['"]\s*:\s*(?!{MASK})(?P<secret>[^\s'",;<>(){{}}\[\]]+)""",
    rf"""{_NAME}\s*={{1,2}}\s*(?!{MASK})(?P<secret>[^\s&'"<>(){{}}\[\]]+)""",
)))  # fmt: skip
_CONTROL = re.compile(r"[^\t\n -~\xa0-\U0010ffff]")


def is_secret(name: Any) -> bool:
    """True for a name one of whose words says that its value is not to be shown: `api_key`, `userPassword`."""
    if is_a(name, bytes):
        return _says_secret(name[:_MAX_NAME].decode("latin-1"))
    return is_a(name, str) and _says_secret(str.__str__(name)[:_MAX_NAME])


@lru_cache(1024)
def _says_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    before_last = words[-2] if len(words) > 1 else ""
    if before_last and words[-1] in ("key", "keys"):
        return before_last not in _PLAIN_KEYS
    if before_last in _SECRET_CODES and words[-1] in ("code", "codes"):
        return True
    return not _SECRET.isdisjoint(words) or any(part in "".join(words) for part in _SECRET_PARTS)


def is_a(value: Any, kinds: Any) -> bool:
    """True for a value of one of these types, whatever its `__class__` says or does."""
    return issubclass(type(value), kinds)


def redacted_repr(value: Any, name: Any = None) -> str:
    """The `repr` of a value, masked if its name says that it is secret. It raises nothing, whatever the value does."""
    try:
        return MASK if is_secret(name) else redacted(truncated(_pieces(value, 0), _READ), LIMIT)
    except BaseException as error:  # a class that lies about its own, a container that another thread changes
        return f"<{kind_of(value)}, which raises {kind_of(error)}>"


def kind_of(value: Any, attribute: str = "__name__") -> str:
    """The name, or `__qualname__`, of a value's class, past whatever its metaclass makes of that."""
    name: str = type.__dict__[attribute].__get__(type(value))
    return name


def redacted(text: str, limit: int = _READ) -> str:
    """A text without the secrets that it names, lone surrogates, and characters that terminals take for commands."""
    text = _CONTROL.sub(lambda one: f"\\x{ord(one[0]):02x}", without_secrets(text, lambda _: MASK))
    return truncated([text.encode("utf-8", "backslashreplace").decode()], limit)


def without_secrets(text: str, mask: Callable[[str], str]) -> str:
    """A text with a mask in place of each secret that it names: in URLs, queries, header fields, dicts, assignments."""

    def hidden(match: re.Match[str]) -> str:
        if not is_secret(unquote_plus(match.groupdict().get("name", "secret"))):
            return match[0]
        start, end = (position - match.start() for position in match.span("secret"))
        return match[0][:start] + mask(match["secret"]) + match[0][end:]

    for pattern in _SECRETS:
        text = pattern.sub(hidden, text)
    return text


def redacted_query(query: str) -> str:
    """A query as it stands in a URL, without the values of secret names, whatever characters they have."""
    fields = [field.partition("=") for field in query.split("&")]
    return "&".join(
        f"{name}={MASK}" if sign and is_secret(unquote_plus(name)) else f"{name}{sign}{value}"
        for name, sign, value in fields
    )


def hiding(values: Iterable[str]) -> Callable[[str], str]:
    """A function that gives a text without these values, which may stand there as in URLs, in JSON or in a `repr`."""
    forms: dict[str, str] = {}  # how each begins, with how it may go on
    for value in values:
        start, rest = value[:_MAX_VALUE], r"(?!\w)" if len(value) <= _MAX_VALUE else r"[^\s&'\"]*"
        for form in (start, quote(start), quote_plus(start), repr(start)[1:-1], json.dumps(start)[1:-1]):
            forms[form] = rest
    if not forms:
        return str
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(form) + forms[form] for form in longest_first)})")
    return lambda text: pattern.sub(MASK, text)


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
    members = None
    if is_a(value, str | bytes):
        yield _own(value[:_READ]) + ("…" if len(value) > _READ else "")
    elif is_a(value, Morsel):  # a cookie
        yield MASK
    elif (members := _members(value)) is None:
        yield _own(value)
    if members is None:
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


def _members(value: Any) -> tuple[str, Iterable[Member], str] | None:
    """The members of a container or a record, between its brackets; None for other values."""
    fields = _fields(value)
    if fields is not None:
        return f"{kind_of(value)}(", ((f"{name}=", member, name) for name, member in fields), ")"
    if is_a(value, dict):
        opening, closing = ("{", "}") if type(value) is dict else (f"{kind_of(value)}({{", "})")
        return opening, _entries(value), closing
    brackets = next((_BRACKETS[base] for base in _BRACKETS if is_a(value, base)), None)
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


def _entries(value: Any) -> Iterator[Member]:
    """The entries of a dict by their keys; none of a session is for the page."""
    for key, member in dict.items(value):
        yield f"{truncated(_pieces(key, _DEPTH))}: ", member, "session" if is_a(value, Session) else key


def _elements(value: Any) -> Iterator[Member]:
    """The elements of a sequence or set; the second one of a pair has the first as its name, as in headers."""
    base = next(base for base in _BRACKETS if is_a(value, base))
    names = [None, value[0]] if base is tuple and len(value) == _PAIR_LENGTH else []
    return (("", element, name) for element, name in zip_longest(base.__iter__(value), names))


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The fields of a record by their names: of a dataclass, a named tuple, attrs, msgspec, pydantic, a namespace."""
    if is_a(value, SimpleNamespace):
        return list(vars(value).items())
    if is_a(value, partial):  # its positional arguments have no names
        return [("func", value.func), *[("args", _Ellipsis())] * bool(value.args), *value.keywords.items()]
    names = _field_names(type(value))
    return [(name, getattr(value, name, "…")) for name in islice(names, 100)] if names else None


class _Ellipsis:
    """Stands for values that are not shown."""

    def __repr__(self) -> str:
        return "…"


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
    except BaseException as error:  # an integer of many digits, or the application's own
        return f"<{kind_of(value)}, whose repr raises {kind_of(error)}>"
    return truncated([text], _READ)
