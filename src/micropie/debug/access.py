"""Access to the debug pages: only for a program on this machine that asks this machine, with nobody in between.

All of it must hold, since a server behind a proxy on the same machine has loopback peers only, and a page of another
site may have its name resolved to this machine (DNS rebinding). A proxy that was told this server's address alone may
write that into Host, and add no header: nginx speaks HTTP/1.0 then, and passes the visitors' Referer on.
"""

import ipaddress
import re
from typing import Any

# What proxies, load balancers and content delivery networks add to a request.
_FORWARDED = re.compile(
    "forwarded|via|cdn-loop|true-client-ip|(cf|fastly|fly|do)-.*"
    "|x-(forwarded|real|client|cluster|original|remote|proxyuser|envoy|amz|amzn|azure|arr|appengine|cloud|vercel|nf)(-.*)?"
)
_OLD_VERSIONS = ("1.0", "1")  # of HTTP; no browser speaks them, Granian writes the latter
_SITE = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)  # RFC 3986 §3
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


def may_see(scope: Any) -> bool:
    """True for a request whose client may see the debug pages."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope.get("headers") or ()]
    headers = dict(pairs)
    return (
        is_loopback_peer(scope.get("client"))
        and [name for name, _ in pairs].count("host") == 1
        and is_loopback_host(headers["host"])
        and not any(map(_FORWARDED.fullmatch, headers))
        and scope.get("http_version", _OLD_VERSIONS[0]) not in _OLD_VERSIONS
        and is_of_this_machine(headers)
    )


def is_loopback_peer(client: Any) -> bool:
    """True for a connection from this machine; one over a Unix socket may come from anywhere."""
    return bool(client) and is_loopback_address(str(client[0]))


def is_loopback_address(text: str) -> bool:
    """True for an IP address of this machine itself (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_loopback_host(host: str) -> bool:
    """True for a Host that is this machine: `localhost`, a name below it (RFC 6761 §6.3) or an address, any port."""
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match[1]
    return name == "localhost" or name.endswith(".localhost") or is_loopback_address(name.strip("[]"))


def is_of_this_machine(headers: dict[str, str]) -> bool:
    """False for a request of another site's page, in whose browser ever (Fetch Metadata Request Headers)."""
    sites = [_SITE.match(headers[name]) for name in ("origin", "referer") if name in headers]
    if not all(site is not None and is_loopback_host(site[1]) for site in sites):
        return False
    return headers.get("sec-fetch-site") != "cross-site" or headers.get("sec-fetch-dest") == "document"
