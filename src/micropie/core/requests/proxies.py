"""Who asks, where a proxy stands between: what its forwarding headers say, as far as it is to be believed.

Anybody can send these headers. A proxy appends to what it got, or writes anew, so only the end of a chain is known to
be true: as many entries as there are proxies that we know, counted from the last.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from micropie.core.basics.headers import unquoted
from micropie.core.basics.optional import lazy_import, lazy_pattern
from micropie.core.basics.types import RawHeaders, Scope
from micropie.core.requests.locality import HOST, address_of
from micropie.core.requests.request import Request

LOCAL_PROXIES = "127.0.0.1,::1"
"""The proxies that are believed unless others are named: those on this machine, where the usual one is."""

_SCHEMES = {"http": False, "https": True, "ws": False, "wss": True}  # whether they are secure
_CUSTOM = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
_PAIR = r'\s*(?:([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*)?(;|,|$)'  # RFC 7239 §4, and `[` bare
MAX_REMEMBERED = 512  # characters; longer chains and addresses are mostly of the client's making
PeerAddress = tuple[str, int]


class Forwarded(NamedTuple):
    """What proxies tell of a request; None for what they don't."""

    client: PeerAddress | None
    is_secure: bool | None
    host: str | None


class TrustedProxies:
    """The proxies whose forwarding headers are believed, and what they say.

    `proxies` are addresses and networks, in a list or with commas between them, or `*` for every peer; a Unix socket
    counts as 127.0.0.1. `count` is how many proxies stand in front of the application, at most. `X-Forwarded-For` and
    `X-Forwarded-Proto` are read, and with `host` `X-Forwarded-Host`; with `standard` `Forwarded` (RFC 7239) in place of
    all of them. A proxy must overwrite, or append to, each that is read: what it passes on is its client's word.

    ValueError for what is neither address nor network, and for a count below 1.

        "10.1.2.3" in TrustedProxies("127.0.0.1, 10.0.0.0/8")
    """

    def __init__(
        self,
        proxies: str | Iterable[str] = LOCAL_PROXIES,
        *,
        count: int | None = None,
        host: bool = False,
        standard: bool = False,
    ) -> None:
        if count is not None and count < 1:
            raise ValueError(f"count={count!r}: at least one proxy stands in front, or None for any number")
        texts = proxies.split(",") if isinstance(proxies, str) else proxies
        parts = [part.strip() for part in texts]
        self._all = "*" in parts
        network = lazy_import("ipaddress").ip_network
        self._networks = [network(part) for part in parts if part not in ("", "*")]
        self._count = count
        self._host = host
        self._told = self._told_by_standard if standard else self._told_by_custom
        # PERF: 6 µs for each request through a proxy; visitors ask more than once.
        self._contains = functools.lru_cache(1024)(self._find)
        self._read = functools.lru_cache(1024)(self._read_custom)

    def __contains__(self, address: str) -> bool:
        return self._contains(address) if len(address) <= MAX_REMEMBERED else self._find(address)

    def _find(self, text: str) -> bool:
        address = address_of(text)
        return self._all or (address is not None and any(address in network for network in self._networks))

    def reveal(self, request: Request) -> None:
        """Let a request, or a handshake, say who its client is, by which scheme it came, and to which host.

        Nothing changes if its peer is no trusted proxy.
        """
        scope = request.scope
        client = scope.get("client")
        # PERF: nothing more for all others, 0.2 µs.
        if self._contains(client[0] if client and client[0] else "127.0.0.1"):
            headers = scope["headers"]
            self._reveal_told(scope)
            if scope["headers"] is not headers:
                request._use_headers(scope["headers"])

    def reveal_scope(self, scope: Scope) -> None:
        """Set `client`, `scheme` and the header `Host` in the scope of a connection."""
        client = scope.get("client")
        if self._contains(client[0] if client and client[0] else "127.0.0.1"):
            self._reveal_told(scope)

    def _reveal_told(self, scope: Scope) -> None:
        client, is_secure, host = self._told(scope["headers"])
        if client is not None:
            scope["client"] = client
        if is_secure is not None:
            scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + ("s" if is_secure else "")
        if host is not None:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode()), *others]

    def _told_by_custom(self, headers: RawHeaders) -> Forwarded:
        """What the `X-Forwarded-` headers tell."""
        told: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _CUSTOM:
                told[name] = told[name] + b"," + value if name in told else value
        read = self._read if sum(map(len, told.values())) <= MAX_REMEMBERED else self._read_custom
        return read(told.get(b"x-forwarded-for"), told.get(b"x-forwarded-proto"), told.get(b"x-forwarded-host"))

    def _read_custom(self, chain: bytes | None, scheme: bytes | None, host: bytes | None) -> Forwarded:
        """What their values mean. Of several schemes or hosts the last is that of the nearest proxy."""
        client = None if chain is None else self.client_in(chain.decode("latin-1").split(","))[0]
        last_scheme, last_host = (
            (text or b"").decode("latin-1").rpartition(",")[2] for text in (scheme, host if self._host else None)
        )
        return _believed(client, last_scheme, last_host)

    def _told_by_standard(self, headers: RawHeaders) -> Forwarded:
        """What `Forwarded` tells (RFC 7239). Scheme and host are told by the proxy that tells the client."""
        fields = [value.decode("latin-1") for name, value in headers if name == b"forwarded"]
        elements = list(_elements(fields))
        client, place = self.client_in([element.get("for", "") for element in elements])
        told = elements[place] if elements else {}
        return _believed(client, told.get("proto", ""), told.get("host", "") if self._host else "")

    def client_in(self, chain: Sequence[str]) -> tuple[PeerAddress | None, int]:
        """The client in a chain of addresses: the last one that no trusted proxy stands behind; and its place.

        Each proxy appends its peer, so the chain is read from its end, and what follows an unknown proxy was made by
        nobody knows whom. None if the end is no address.
        """
        client, place = None, 0
        for text in reversed(chain):
            place += 1
            host, port = _split_port(text.strip())
            if address_of(host) is None:
                break
            client = host, port
            if host not in self or place == self._count:
                break
        return client, -place


def _split_port(text: str) -> PeerAddress:
    """`1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]` or `[::1]:5` as host and port, 0 where there is none."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or host.count(":") == 0):
        return host.strip("[]"), int(port[:5])
    return text.strip("[]"), 0


def _believed(client: PeerAddress | None, scheme: str, host: str) -> Forwarded:
    """What is told, as far as it means something."""
    host = host.strip().lower()
    is_host = host != "" and lazy_pattern(HOST).fullmatch(host) is not None
    return Forwarded(client, _SCHEMES.get(scheme.strip().lower()), host if is_host else None)


def _elements(fields: list[str]) -> Iterator[dict[str, str]]:
    """The elements of `Forwarded` fields; of a field that is malformed, and those before it, nothing is known."""
    read: list[dict[str, str]] = []
    for field in fields:
        found = _elements_of(field)
        read = [] if found is None else [*read, *found]
    yield from read


def _elements_of(field: str) -> list[dict[str, str]] | None:
    """The elements of one field, names in lower case; None if it is malformed."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while True:
        pair = lazy_pattern(_PAIR).match(field, position)
        if pair is None:
            return None
        name, value, end = pair.groups()
        if name is not None:
            elements[-1][name.lower()] = unquoted(value)
        if not end:
            return elements
        if end == ",":
            elements.append({})
        position = pair.end()
