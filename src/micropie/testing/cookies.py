"""The cookies of one client: what replies set, and what requests bring back.

A browser's rules as far as one application can tell (RFC 6265 §5): path, Secure, Max-Age and Expires count. Domain
does not, since all requests go to the same application.
"""

import re
import time
from calendar import timegm
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import date
from typing import NamedTuple

_DELIMITERS = re.compile(r"[\t -/;-@\[-`{-~]+")  # between the tokens of a date (RFC 6265 §5.1.1)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])")
_MONTH = re.compile(r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR, _LAST_HOUR, _LAST_MINUTE = 1601, 23, 59
_LAST_CENTURY = 70  # the first year of two digits that is in the twentieth century
_MAX_AGE = re.compile(r"-?[0-9]+")  # RFC 6265 §5.2.2
_MANY_DIGITS = 12  # of a Max-Age: a thousand years and more


class _Cookie(NamedTuple):
    value: str
    secure: bool = False
    expires: float | None = None  # seconds since the epoch; None: with the client


class Cookies(MutableMapping[str, str]):
    """A jar: names and values as a dict has them; `set` for one below a path.

    client.cookies["theme"] = "dark"
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Cookie] = {}  # by path and name

    def set(self, name: str, value: str, path: str = "/") -> None:
        """Keep the cookie `name` with `value`, which requests below `path` bring along."""
        self._kept[path, name] = _Cookie(value)

    def header(self, path: str, own: Mapping[str, str], *, secure: bool) -> str:
        """The Cookie header of a request, longer paths first (RFC 6265 §5.4); its own ones in place of the jar's."""
        if not self._kept and not own:
            return ""
        found = [
            (cookie_path, name, cookie.value)
            for (cookie_path, name), cookie in self._live()
            if name not in own and _path_matches(path, cookie_path) and (secure or not cookie.secure)
        ]
        found.sort(key=lambda entry: -len(entry[0]))
        pairs = [*(entry[1:] for entry in found), *own.items()]
        return "; ".join(f"{name}={value}" for name, value in pairs)

    def store(self, line: str, path: str) -> tuple[str, str] | None:
        """Keep the cookie of a `Set-Cookie` line in a reply at this path. Its name and value; None if it is expired."""
        # The bytes of the field, which browsers take for UTF-8; others go back as they came.
        text = line.encode("latin-1").decode("utf-8", "surrogateescape")
        pair, *attributes = text.split(";")
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            return None
        pairs = [(key.strip().lower(), text.strip()) for key, _, text in (one.partition("=") for one in attributes)]
        said = dict(pairs)
        cookie = _Cookie(value.strip(), "secure" in said, _expiry(pairs))
        cookie_path = said.get("path", "")
        key = cookie_path if cookie_path.startswith("/") else _default_path(path), name.strip()
        if cookie.expires is not None and cookie.expires <= time.time():
            self._kept.pop(key, None)
            return None
        self._kept[key] = cookie
        return key[1], cookie.value

    def _live(self) -> list[tuple[tuple[str, str], _Cookie]]:
        now = time.time()
        return [entry for entry in self._kept.items() if entry[1].expires is None or entry[1].expires > now]

    def __getitem__(self, name: str) -> str:
        for (_, kept), cookie in self._live():
            if kept == name:
                return cookie.value
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        keys = [key for key in self._kept if key[1] == name]
        if not keys:
            raise KeyError(name)
        for key in keys:
            del self._kept[key]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for (_, name), _ in self._live()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"Cookies({dict(self)!r})"


def _expiry(attributes: list[tuple[str, str]]) -> float | None:
    """The end of a cookie's life: its last legible Max-Age, else its last legible Expires (RFC 6265 §5.3)."""
    ages = [text for name, text in attributes if name == "max-age" and _MAX_AGE.fullmatch(text)]
    if ages:
        return time.time() + int(ages[-1][:_MANY_DIGITS])
    dates = [_seconds(text) for name, text in attributes if name == "expires"]
    return next((found for found in reversed(dates) if found is not None), None)


def _seconds(text: str) -> float | None:
    """The date of an Expires, in seconds since the epoch; None for one that can't be read (RFC 6265 §5.1.1)."""
    found: dict[re.Pattern[str], re.Match[str]] = {}
    for token in _DELIMITERS.split(text.lower()):
        for form in (_TIME, _DAY, _MONTH, _YEAR):  # a token is the first of these that is still missing
            match = None if form in found else form.match(token)
            if match is not None:
                found[form] = match
                break
    if len(found) < 4:  # noqa: PLR2004
        return None
    hour, minute, second = map(int, found[_TIME].groups())
    day, month, year = int(found[_DAY][1]), _MONTHS.index(found[_MONTH][1]) + 1, int(found[_YEAR][1])
    if year < 100:  # noqa: PLR2004
        year += 1900 if year >= _LAST_CENTURY else 2000
    if year < _FIRST_YEAR or hour > _LAST_HOUR or max(minute, second) > _LAST_MINUTE:
        return None
    try:
        date(year, month, day)
    except ValueError:
        return None
    return timegm((year, month, day, hour, minute, second))


def _default_path(path: str) -> str:
    """The folder of the path whose reply sets a cookie, its path by default (RFC 6265 §5.1.4)."""
    return path[: path.rfind("/")] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    """True if a cookie with that `Path` is sent with requests to this path (RFC 6265 §5.1.4)."""
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
