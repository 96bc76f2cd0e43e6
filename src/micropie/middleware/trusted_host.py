"""The hosts that the application answers for: links, redirects and mails are made of what `Host` says."""

import ipaddress
import re
from collections.abc import Iterable

from micropie import HTTPError, HttpMiddleware, Request, WebSocketMiddleware, ascii_host

# RFC 9112 §3.2; names with `_` exist inside of networks.
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::[0-9]*)?", re.IGNORECASE)

MAX_KNOWN = 256  # values of `Host`: below a domain there may be any number
MAX_REMEMBERED = 256  # characters; a name has 253 at most (RFC 1035 §3.1)


class TrustedHostMiddleware(HttpMiddleware, WebSocketMiddleware):
    """Refuse requests and WebSockets for any host but these: 400.

    `hosts` are names and addresses; `*.shop.example` are all names below `shop.example`, not itself. Ports, capitals
    and a dot at the end make no difference; names may be written in any script. ValueError for what is no host.

        app.middlewares.append(TrustedHostMiddleware(["shop.example", "*.shop.example"]))
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        if isinstance(hosts, str):
            raise ValueError(f"TrustedHostMiddleware({hosts!r}): a list of hosts is wanted, as [{hosts!r}]")  # noqa: TRY004
        known = [_checked(host) for host in hosts]
        if not known:
            raise ValueError("TrustedHostMiddleware([]) would refuse everything: name the hosts")
        self._hosts = frozenset(host for host in known if not host.startswith("."))
        self._domains = tuple(host for host in known if host.startswith("."))
        self._known: set[str] = set()  # PERF: values of `Host` that have passed, 0.8 µs

    def before_routing(self, request: Request) -> None:
        """Refuse a request for another host, or for none, or for several."""
        if (authority := request.header("host", "")) not in self._known:
            self._check(authority)

    def _check(self, authority: str) -> None:
        host = host_in(authority)
        if host is None or not (host in self._hosts or host.endswith(self._domains)):
            raise HTTPError(400, "Unknown host")
        if len(self._known) < MAX_KNOWN and len(authority) < MAX_REMEMBERED:
            self._known.add(authority)


def host_in(authority: str) -> str | None:
    """The host of `host:port` in the one form that it is compared in; None if it is none."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    if match[1] is None:
        return match[2].lower()
    try:
        return ipaddress.ip_address(match[1]).compressed
    except ValueError:
        return None


def _checked(host: str) -> str:
    """A host of the setting in the form that it is compared in; a domain of `*.` begins with its dot."""
    name = host.removeprefix("*.")
    is_address = ":" in name and "[" not in name  # of IPv6, which a header has in brackets
    known = host_in(f"[{name}]" if is_address else ascii_host(name))
    if known is None or "/" in name or (":" in name and not (is_address or name.endswith("]"))):
        raise ValueError(f"TrustedHostMiddleware: {host!r} is no host: 'shop.example', '*.shop.example', '::1' are")
    return known if name == host else f".{known}"
