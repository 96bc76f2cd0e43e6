"""Redirects: to any URL, made ASCII, or only to where it is safe."""

import re
from collections.abc import Iterable
from typing import Any

from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import HeaderPairs
from micropie.core.replies.reply import header_pairs

_AUTHORITY = re.compile(r"((?:[^:/?#]+:)?//)([^/?#]*)(.*)", re.DOTALL)  # RFC 3986, appendix B
_SAFE = "/:?#[]@!$&'()*+,;=~%"  # RFC 3986 §2.2 and §2.3, and "%": what is encoded stays as it is


_PERMANENT = {301: 301, 302: 301, 307: 308, 308: 308}  # what of each may be remembered (RFC 9110 §15.4)


def redirect(
    location: str, headers: Any = None, *, status: int = 302, permanent: bool = False
) -> tuple[int, str, HeaderPairs]:
    """A handler's result that sends the client to `location`, which may be an IRI (RFC 3987 §3.1).

    What is not ASCII is encoded, `%XX` is kept, and control characters can't split the header. Where the target comes
    from outside, check it first: any site is a legal target. `permanent` makes 301 of 302, and 308 of 307.
    """
    if permanent and status not in _PERMANENT:
        raise ValueError(
            f"A redirect with the status {status!r} is never permanent: take 302, or 307 to keep the method"
        )
    return _PERMANENT[status] if permanent else status, "", [("Location", ascii_url(location)), *header_pairs(headers)]


def safe_redirect(
    location: str,
    *,
    allowed_hosts: Iterable[str] = (),
    fallback: str = "/",
    status: int = 302,
    permanent: bool = False,
) -> tuple[int, str, HeaderPairs]:
    """A redirect to a target that the client has named, such as `?next=`; to `fallback` if it leads elsewhere.

    Safe are paths of this site, and http and https URLs whose host (with its port, if it has one) is allowed.

        async def login(self, next="/"):
            return safe_redirect(next)
    """
    target = location if _is_safe(location, frozenset(allowed_hosts)) else fallback
    return redirect(target, status=status, permanent=permanent)


def _is_safe(location: str, allowed_hosts: frozenset[str]) -> bool:
    # Browsers read a backslash as a slash, and leave out tabs and line breaks (the WHATWG URL standard).
    if "\\" in location or not location.isprintable():
        return False
    if location.startswith("/") and not location.startswith("//"):
        return True
    parts = _AUTHORITY.fullmatch(location)
    return parts is not None and parts[1].lower() in ("http://", "https://") and parts[2].lower() in allowed_hosts


def ascii_url(url: str) -> str:
    """The same reference in ASCII: the host by IDNA, the rest percent-encoded as UTF-8."""
    parts = _AUTHORITY.fullmatch(url)
    if parts is None or url.isascii():
        return _quoted(url)
    scheme, authority, rest = parts.groups()
    return _quoted(scheme) + _ascii_authority(authority) + _quoted(rest)


def _ascii_authority(authority: str) -> str:
    user, at, host_and_port = authority.rpartition("@")
    host, colon, port = host_and_port.partition(":")
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        host = _quoted(host)
    return _quoted(user) + at + host + colon + _quoted(port)


def _quoted(text: str) -> str:
    return str(lazy_import("urllib.parse").quote(text, safe=_SAFE, errors="replace"))
