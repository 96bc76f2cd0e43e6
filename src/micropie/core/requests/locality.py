"""Who asks: a program on this machine, with nobody in between, or anybody. The cookie and the debug pages depend on it.

A server behind a proxy on the same machine has loopback peers only, and a page of another site may have its name
resolved to this machine (DNS rebinding), so all signs have to agree. A proxy that was told this server's address alone
may write that into Host, and add no header: nginx speaks HTTP/1.0 then.
"""

from typing import Any

from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.basics.types import Scope

# Header fields that proxies, load balancers and content delivery networks add to a request.
_FORWARDED = (
    "forwarded|via|cdn-loop|true-client-ip|(cf|fastly|fly|do)-.*"
    "|x-(forwarded|real|client|cluster|original|remote|proxyuser|envoy|amz|amzn|azure|arr|appengine|cloud|vercel|nf)"
    "(-.*)?"
)
_OLD_VERSIONS = ("1.0", "1")  # of HTTP; no browser speaks them, Granian writes the latter
HOST = r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?"


def is_local(scope: Scope) -> bool:
    """True for a request or a handshake of a program on this machine to this machine, as far as can be told.

    Peer and `Host` are loopback, no header tells of a proxy, and it is not HTTP/1.0. A browser here that shows another
    site's page is such a program too: look at `Origin` for that.

        if not is_local(self.request.scope):
            raise HTTPError(403, "On this machine only")
    """
    names = [name.decode("latin-1").lower() for name, _ in scope.get("headers") or ()]
    hosts = [value.decode("latin-1") for name, value in scope.get("headers") or () if name.lower() == b"host"]
    client = scope.get("client") or ("",)  # none over a Unix socket, which may come from anywhere
    return (
        is_loopback_address(str(client[0]))
        and len(hosts) == 1
        and is_loopback_host(hosts[0])
        and not any(map(lazy_pattern(_FORWARDED).fullmatch, names))
        and scope.get("http_version", _OLD_VERSIONS[0]) not in _OLD_VERSIONS
    )


def is_loopback_address(text: str) -> bool:
    """True for an IP address of this machine itself (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3)."""
    address = address_of(text)
    return address is not None and bool(address.is_loopback)


def address_of(text: str) -> Any:
    """The IP address, an IPv4 one also where it is mapped to IPv6 (RFC 4291 §2.5.5.2); None if it is none."""
    try:
        address = lazy_import("ipaddress").ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback_host(host: str) -> bool:
    """True for a `host` that is this machine: `localhost`, a name below it (RFC 6761 §6.3) or an address, any port.

    is_loopback_host("127.0.0.1:8000")
    """
    match = lazy_pattern(HOST).fullmatch(host.lower())
    if match is None:
        return False
    name = match[1]
    return name == "localhost" or name.endswith(".localhost") or is_loopback_address(name.strip("[]"))
