"""An application behind a proxy: who the client is, and the prefix under which the proxy serves.

Both servers have options for it, with two meanings; so it is done here, in one way for both.
"""

import functools

from micropie.core.basics.locality import address_of
from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import ASGIApp, Receive, Scope, Send

TRUSTED = "127.0.0.1,::1"
"""The proxies that are believed unless others are named: those on this machine, where the usual one is."""

_SCHEMES = ("http", "https", "ws", "wss")


class TrustedProxies:
    """Peers whose forwarding headers are believed: addresses and networks, or `*` for all.

    A Unix socket counts as 127.0.0.1. ValueError for a text that is none of these.

        "10.1.2.3" in TrustedProxies("127.0.0.1, 10.0.0.0/8")
    """

    def __init__(self, text: str) -> None:
        parts = [part.strip() for part in text.split(",")]
        self._all = "*" in parts
        network = lazy_import("ipaddress").ip_network
        self._networks = [network(part) for part in parts if part not in ("", "*")]
        self._contains = functools.lru_cache(1024)(self._find)  # PERF: 2 µs for each request through a proxy

    def __contains__(self, host: str) -> bool:
        return self._contains(host)

    def _find(self, host: str) -> bool:
        address = address_of(host)
        return self._all or (address is not None and any(address in network for network in self._networks))

    def client_in(self, chain: str) -> tuple[str, int] | None:
        """The client that `X-Forwarded-For` tells: the last one that no trusted proxy stands behind.

        Each proxy appends its peer, so the chain is read from its end, and what follows an unknown proxy was made by
        nobody knows whom. None if the end is no address.
        """
        client = None
        for text in reversed(chain.split(",")):
            host, port = _split_port(text.strip())
            if address_of(host) is None:
                break
            client = host, port
            if host not in self:
                break
        return client


def _split_port(text: str) -> tuple[str, int]:
    """`1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]` or `[::1]:5` as host and port, 0 where there is none."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or host.count(":") == 0):
        return host.strip("[]"), int(port[:5])
    return text.strip("[]"), 0


class BehindProxy:
    """An ASGI application whose scopes say who the client of a trusted proxy is, and under which prefix it is served.

    The prefix is part of `path`, as the ASGI specification has it, whether or not the proxy has left it there.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies, root_path: str = "") -> None:
        self._app = app
        self._trusted = trusted
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        if scope["type"] != "lifespan":
            self._name_client(scope)
            if self._root_path:
                set_root_path(scope, self._root_path)
        await self._app(scope, receive, send)

    def _name_client(self, scope: Scope) -> None:
        client = scope.get("client")
        if (client[0] if client and client[0] else "127.0.0.1") not in self._trusted:
            return
        chain, scheme = [], ""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                chain.append(value.decode("latin-1"))
            elif name == b"x-forwarded-proto":
                scheme = value.decode("latin-1").strip().lower()
        if chain and (told := self._trusted.client_in(",".join(chain))) is not None:
            scope["client"] = told
        if scheme in _SCHEMES:
            scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme


def set_root_path(scope: Scope, root_path: str) -> None:
    """Set the prefix of a scope, and put it before the path if the proxy has taken it off."""
    scope["root_path"] = root_path
    if f"{scope['path']}/".startswith(f"{root_path}/"):
        return
    scope["path"] = root_path + scope["path"]
    if scope.get("raw_path") is not None:
        scope["raw_path"] = lazy_import("urllib.parse").quote(root_path).encode() + scope["raw_path"]
