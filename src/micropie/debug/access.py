"""Access to the debug pages: only for a program on this machine that asks this machine, with nobody in between.

A page of another site in a browser on this machine is kept out too; a proxy passes the visitors' Referer on.
"""

import re
from typing import Any

from micropie import is_local, is_loopback_host

_SITE = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)  # RFC 3986 §3


def may_see(scope: Any) -> bool:
    """True for a request whose client may see the debug pages."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers") or ()}
    return is_local(scope) and is_of_this_machine(headers)


def is_of_this_machine(headers: dict[str, str]) -> bool:
    """False for a request of another site's page, in whose browser ever (Fetch Metadata Request Headers)."""
    sites = [_SITE.match(headers[name]) for name in ("origin", "referer") if name in headers]
    if not all(site is not None and is_loopback_host(site[1]) for site in sites):
        return False
    return headers.get("sec-fetch-site") != "cross-site" or headers.get("sec-fetch-dest") == "document"
