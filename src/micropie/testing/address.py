"""The address of the application under test: a path or a handler becomes a URL, and a URL becomes an ASGI scope."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from micropie import url_for
from micropie.testing.request_body import pairs_of
from micropie.testing.request_options import Fields, HeaderFields, Target
from micropie.testing.response import URL

_KEPT = "%/:@!$&'()*+,;=~-._"  # in a path (RFC 3986 §3.3); % because it may be encoded already
_KEPT_IN_QUERY = _KEPT + "?[]"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SOCKETS = {"http": "ws", "https": "wss"}
_ABSOLUTE = re.compile(r"[a-z]+://", re.IGNORECASE)
RawHeaders = list[tuple[bytes, bytes]]


class Address:
    """The base URL of the application, and the client's own address and headers."""

    def __init__(self, base_url: str, headers: HeaderFields, client: tuple[str, int] | None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"base_url={base_url!r}: it is like 'http://localhost' or 'https://pies.example/shop'")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._root = parts.path.rstrip("/")
        self._client = client
        self._headers = [(b"accept", b"*/*"), (b"user-agent", b"micropie.testing")]
        self._headers = merged(self._headers, headers)

    def url(self, target: Target, args: tuple[Any, ...], params: Fields | None) -> URL:
        """The URL of a path below the base URL, of a whole URL, or of a handler with its arguments."""
        if not isinstance(target, str):
            target, params = url_for(target, *args, **dict(params or {})), None
        elif args:
            raise TypeError(
                f"{target!r} is a path, only a handler takes the arguments {args!r}: write them into the path"
            )
        if not _ABSOLUTE.match(target):
            target = f"{self._origin}{self._root}{'' if target.startswith(('/', '?')) else '/'}{target}"
        address, _, query = target.partition("#")[0].partition("?")
        parts = urlsplit(address)
        fields = "&".join(filter(None, (quote(query, _KEPT_IN_QUERY), urlencode(pairs_of(params or ())))))
        path = quote(parts.path, _KEPT) or "/"
        return URL(f"{parts.scheme}://{parts.netloc}{path}" + (f"?{fields}" if fields else ""))

    def is_here(self, url: URL) -> bool:
        """True for a URL that the application answers: its host is that of the base URL."""
        return url.scheme in ("http", "https") and url.host == urlsplit(self._origin).hostname

    def scope(self, kind: str, url: URL, headers: Iterable[HeaderFields], cookie: str) -> dict[str, Any]:
        """The scope of a request or handshake, without its own keys ("HTTP Connection Scope"); the last headers win."""
        raw_path = url.path.encode("ascii")
        scheme = _SOCKETS.get(url.scheme, url.scheme) if kind == "websocket" else url.scheme
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": scheme,
            "path": unquote(url.path),
            "raw_path": raw_path,
            "query_string": url.query.encode("ascii"),
            "root_path": self._root if (url.path + "/").startswith(self._root + "/") else "",
            "headers": self._fields(url, headers, cookie),
            "client": self._client,
            "server": (url.host, url.port or _PORTS[scheme]),
        }

    def _fields(self, url: URL, headers: Iterable[HeaderFields], cookie: str) -> RawHeaders:
        fields = [(b"host", url.netloc.encode("idna")), *self._headers]
        for more in headers:
            fields = merged(fields, more)
        if cookie:
            fields.append((b"cookie", cookie.encode("utf-8", "surrogateescape")))
        return fields


def merged(fields: RawHeaders, more: HeaderFields) -> RawHeaders:
    """Header fields, with more of them in place of those of equal names."""
    pairs = more.items() if isinstance(more, Mapping) else more
    added = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    if not added:
        return fields.copy()
    names = {name for name, _ in added}
    return [*(field for field in fields if field[0] not in names), *added]
