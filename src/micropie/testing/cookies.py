"""The cookies of one client: what replies set, and what requests bring back.

A browser's rules as far as one application can tell (RFC 6265 §5): path, Secure, Max-Age and Expires count. Domain
does not, since all requests go to the same application.
"""

import time
from collections.abc import Iterator, Mapping, MutableMapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple


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
        """Keep a cookie that requests below the path bring along."""
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
        pair, *attributes = line.split(";")
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            return None
        said = {key.strip().lower(): text.strip() for key, _, text in (one.partition("=") for one in attributes)}
        cookie = _Cookie(value.strip(), "secure" in said, _expiry(said))
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


def _expiry(said: dict[str, str]) -> float | None:
    """Max-Age wins over Expires (RFC 6265 §5.3); what can't be read is ignored."""
    try:
        return time.time() + int(said["max-age"])
    except (KeyError, ValueError):
        pass
    try:
        return parsedate_to_datetime(said["expires"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None


def _default_path(path: str) -> str:
    """The folder of the path whose reply sets a cookie, its path by default (RFC 6265 §5.1.4)."""
    return path[: path.rfind("/")] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    """True if a cookie with that `Path` is sent with requests to this path (RFC 6265 §5.1.4)."""
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
