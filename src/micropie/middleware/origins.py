"""Origins, as browsers send them: scheme, host, and a port that is not the scheme's own (RFC 6454 §6.2)."""

import re
from collections.abc import Iterable

from micropie import ascii_host

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#@\s:\[\]*]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.IGNORECASE)
_URL_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[^/?#@]*@)?([^/?#@]+)", re.IGNORECASE)
PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def checked_origins(origins: Iterable[str], setting: str) -> frozenset[str]:
    """The origins as browsers send them. ValueError for what no browser would send."""
    if isinstance(origins, str):
        raise ValueError(f"{setting}={origins!r}: a list of origins is wanted, as [{origins!r}]")  # noqa: TRY004
    return frozenset(_serialized(origin, setting) for origin in origins)


def _serialized(origin: str, setting: str) -> str:
    match = _ORIGIN.fullmatch(origin)
    if match is None and origin != "null":
        raise ValueError(f"{setting}: {origin!r} is no origin: scheme and host are, as 'https://friend.example'")
    if match is None:
        return origin
    scheme, host, port = match[1].lower(), ascii_host(match[2].lower()), match[3]
    return f"{scheme}://{host}" if port in (None, PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def is_same_host(url: str, host: str) -> bool:
    """True if an origin, or any other URL, has the host and port of a `Host` header."""
    match = _URL_ORIGIN.match(url)
    if match is None:
        return False
    default = f":{PORTS.get(match[1].lower())}"
    return match[2].lower().removesuffix(default) == host.lower().removesuffix(default)
