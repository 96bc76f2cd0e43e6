"""Scheme and host that a client sees an application at, for links that leave the page: in mails, feeds, redirects."""

from micropie.core.basics.errors import HTTPError
from micropie.core.basics.optional import lazy_pattern
from micropie.core.requests.locality import HOST
from micropie.core.requests.request import Request


def origin_of(request: Request, scheme: str) -> str:
    """The origin of a request, such as `https://shop.example:8443`: `scheme`, `http` or `ws`, gets its `s` from there.

    `HTTPError` 400 for a missing or malformed Host (RFC 9112 §3.2).
    """
    host = request._header_bytes(b"host", b"").decode("latin-1").lower()
    if lazy_pattern(HOST).fullmatch(host) is None:
        raise HTTPError(400, "Bad Host")
    is_secure = request.scope.get("scheme") in ("https", "wss")
    return f"{scheme}{'s' if is_secure else ''}://{host}"
