"""Header fields in both directions: cookies, media types, and what may go out.

Everything that arrives here is hostile; everything that leaves is one field of RFC 9110 §5, never two.
"""

import functools
import string

from micropie.core.basics.errors import log
from micropie.core.basics.optional import lazy_pattern
from micropie.core.basics.types import HeaderPairs, RawHeaders

_TOKEN = frozenset("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)  # RFC 9110 §5.6.2
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f]"  # all but the tab; §5.5 allows none of them
_PARAMETER = r';\s*([^\s;=]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)'  # §5.6.6
_ABOUT_CONTENT = ("accept-ranges", "age", "cache-control", "etag", "expires", "last-modified")
CHARSET_FIELD = "_charset_"  # of a form, by which it names the charset of its texts as a media type may
MAX_LOOKED_AT = 1 << 14  # characters of a media type, or of a list of them: some servers take megabytes
_FLEETING = (b"set-cookie", b"location", b"etag", b"last-modified")
MAX_KNOWN_FIELDS = 512
MAX_KNOWN_VALUE = 2048  # characters; a longer value may be of the client's making
WHITESPACE = " \t"  # RFC 9110 §5.6.3; str.strip() would take more
_QUOTED_PAIR = r"\\(.)"
_ESCAPED = r"\\(?:([0-3][0-7][0-7])|(.))"


_known_fields: dict[tuple[str, str], tuple[bytes, bytes]] = {}  # header fields that have gone out, as ASGI has them


def header_dict(headers: RawHeaders) -> dict[str, str]:
    """All fields by lower-case name; repeated ones joined by `, `, cookies by `; ` (RFC 9113 §8.2.3)."""
    joined: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}  # joined at the end: some servers take a million fields
    for raw_name, raw_value in headers:
        # Not all servers leave out the white space around a value (RFC 9110 §5.5).
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(WHITESPACE)
        if name in joined:
            repeated.setdefault(name, [joined[name]]).append(value)
        else:
            joined[name] = value
    for name, values in repeated.items():
        joined[name] = ("; " if name == "cookie" else ", ").join(values)
    return joined


def parse_cookies(cookie: str) -> dict[str, str]:
    """The cookies of a Cookie field (RFC 6265 §5.4); the last of a name wins.

    Quotes around a value are removed, and the octal escapes of `http.cookies` inside of them are read.
    """
    cookies = {}
    for pair in cookie.split(";"):
        name, found, value = pair.partition("=")
        if found:
            cookies[name.strip(WHITESPACE)] = value.strip(WHITESPACE)
    if '"' in cookie:
        return {name: _unquote_cookie(value) for name, value in cookies.items()}
    return cookies


def cookie_values(cookie: str, name: str) -> list[str]:
    """All values that a Cookie field has for a name: browsers send those of longer paths first (RFC 6265 §5.4)."""
    pairs = [pair for pair in cookie.split(";") if name in pair]  # few, whoever sends a million of them
    return [found[name] for pair in pairs if name in (found := parse_cookies(pair))]


def _unquote_cookie(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return lazy_pattern(_ESCAPED).sub(
            lambda escaped: chr(int(escaped[1], 8)) if escaped[1] else escaped[2], value[1:-1]
        )
    return value


class MediaType:
    """The type of a body: `name` without the parameters, in lower case; `""` where there is none."""

    __slots__ = ("is_json", "name", "parameters")

    def __init__(self, name: str, parameters: dict[str, str]) -> None:
        self.name = name
        self.parameters = parameters  # not to be changed
        self.is_json = is_json_type(name)


def media_type(content_type: bytes) -> MediaType:
    """The media type in a Content-Type field."""
    if len(content_type) < 100:  # noqa: PLR2004 # PERF: the usual ones are remembered, 2 µs; a long one may be hostile
        return _short_media_type(content_type)
    return _media_type(content_type)


def _media_type(content_type: bytes) -> MediaType:
    return MediaType(*parse_media_type(content_type.decode("latin-1")))


def is_json_type(name: str) -> bool:
    """True for the name of a media type that is JSON (RFC 6839 §3.1)."""
    return name == "application/json" or (name.startswith("application/") and name.endswith("+json"))


_short_media_type = functools.lru_cache(256)(_media_type)


def parse_media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """`Multipart/Form-Data; Boundary="x"` as `("multipart/form-data", {"boundary": "x"})` (RFC 9110 §8.3.1)."""
    content_type = content_type[:MAX_LOOKED_AT]
    media_type, _, _ = content_type.partition(";")
    found = lazy_pattern(_PARAMETER).findall(content_type, len(media_type))
    return media_type.strip().lower(), {name.lower(): unquoted(value.strip()) for name, value in found}


def unquoted(value: str) -> str:
    """The text of a quoted string (RFC 9110 §5.6.4); what is none, as it is."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return lazy_pattern(_QUOTED_PAIR).sub(r"\1", value[1:-1])
    return value


@functools.lru_cache(1024)  # PERF: 0.1 µs
def _short_number(digits: bytes) -> int | None:
    stripped = digits.strip(b" \t")
    return int(stripped) if stripped.isdigit() else None


def content_length(value: bytes) -> int | None:
    """A body's announced size in bytes; None where it is not announced, or not by a number."""
    return _short_number(value) if len(value) < 20 else None  # noqa: PLR2004 - 64 bits


def host_of(authority: str) -> str:
    """The host of `host:port`, lower-case, an IPv6 address without its brackets."""
    authority = authority.strip(WHITESPACE)
    host = authority.rpartition(":")[0] if authority.rpartition(":")[2].isdigit() else authority
    return host.strip("[]").lower()


def is_token(text: str) -> bool:
    """True if it is a token (RFC 9110 §5.6.2), as names and subprotocols are."""
    return text != "" and _TOKEN.issuperset(text)


def has_control_characters(value: str) -> bool:
    """True if a header's value would split or garble a message (RFC 9110 §5.5)."""
    # PERF: the first question is 0.1 µs quicker.
    return not value.isprintable() and lazy_pattern(_CONTROL).search(value) is not None


def is_about_content(name: str) -> bool:
    """True if a reply's header describes its content, or how long that may be kept (RFC 9110 §8, RFC 9111 §5)."""
    lower = name.lower()
    if lower.startswith("content-security-policy"):  # which is about what a browser does with the page
        return False
    return lower.startswith("content-") or lower in _ABOUT_CONTENT


@functools.lru_cache(256)
def field_name(name: str) -> bytes | None:
    """The name in lower case, as the ASGI specification demands; None, and a log line, if it is no token."""
    if is_token(name):
        return name.lower().encode()
    log.error("The reply's header %r is dropped: its name is no token (RFC 9110 §5.6.2)", name)
    return None


def encoded_fields(pairs: HeaderPairs) -> RawHeaders:
    """The pairs that may go out, as ASGI has them; what could split a reply is dropped with a log line."""
    fields = []
    for pair in pairs:
        # PERF: most are the same in all replies, 0.4 µs.
        field = _known_fields.get(pair) or _new_field(*pair)
        if field is not None:
            fields.append(field)
    return fields


def _new_field(raw_name: str, value: str) -> tuple[bytes, bytes] | None:
    """A pair as ASGI has it, remembered unless it is new each time; None, and a log line, if it may not go out."""
    name = field_name(raw_name)
    if has_control_characters(value):
        log.error("The reply's header %r is dropped: its value has a control character", raw_name)
        return None
    if name is None:
        return None
    field = name, encode_value(value.strip(WHITESPACE))
    if name not in _FLEETING and len(value) <= MAX_KNOWN_VALUE:
        if len(_known_fields) >= MAX_KNOWN_FIELDS:
            _known_fields.clear()
        _known_fields[raw_name, value] = field
    return field


def encode_value(value: str) -> bytes:
    """A field's value as bytes: ISO 8859-1 where it fits, else UTF-8 (opaque to RFC 9110 §5.5 either way)."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def set_cookie(
    name: str,
    value: str,
    *,
    secure: bool,
    path: str = "/",
    domain: str | None = None,
    samesite: str = "Lax",
    max_age: int | None = None,
) -> str:
    """The value of a Set-Cookie field (RFC 6265 §4.1) that scripts can't read."""
    site = f"; Domain={domain}" if domain else ""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    return f"{name}={value}; Path={path}{site}; SameSite={samesite}; HttpOnly{'; Secure' if secure else ''}{age}"
