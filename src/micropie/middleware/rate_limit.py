"""RateLimitMiddleware: so many requests in a time from each client, by the generic cell rate algorithm (GCRA).

GCRA keeps one number for a client and a limit: when the bucket that each request fills by one and that leaks evenly
will be empty. All times here are whole microseconds, so that the two stores compute the same.
"""

import ipaddress
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from micropie import HTTPError, Request, WebSocketMiddleware, WebSocketRequest
from micropie.middleware.reply_headers import HeaderPairs, ReplyHeadersMiddleware
from micropie.stores.outage import ANSWERED
from micropie.stores.redis_client import SCHEMES, RedisClient

log = logging.getLogger("micropie")
SECOND = 1_000_000  # microseconds
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
LONGEST_KEY = 64  # characters that are kept as they are; of longer keys it is the hash
OF_ONE_PROCESS = "requests are counted in memory, where each worker counts its own: RateLimitMiddleware(store='redis://localhost:6379/0')"
MAX_KEYS = 100_000  # about 40 MB
REDIS_PATIENCE = 0.5  # seconds; a limit is not worth a longer wait
_LIMIT = re.compile(r"([1-9]\d{0,8}) */ *([1-9]\d{0,5})? *(second|minute|hour|day)s?")
TAKE = """
local time, stored, tats, wait, last = redis.call('TIME'), redis.call('GET', KEYS[1]), {}, 0, 0
local now = time[1] * 1000000 + time[2]
for tat in string.gmatch(stored or '', '%d+') do
    table.insert(tats, tonumber(tat))
end
for number = 1, #ARGV / 2 do
    local interval, window = tonumber(ARGV[2 * number - 1]), tonumber(ARGV[2 * number])
    tats[number] = math.max(tats[number] or 0, now)
    wait = math.max(wait, tats[number] + interval - now - window)
end
local answer, texts = {wait}, {}
for number = 1, #ARGV / 2 do
    if wait <= 0 then
        tats[number] = tats[number] + tonumber(ARGV[2 * number - 1])
    end
    last = math.max(last, tats[number])
    table.insert(answer, tats[number] - now)
    table.insert(texts, string.format('%.0f', tats[number]))
end
if wait <= 0 then
    redis.call('SET', KEYS[1], table.concat(texts, ' '), 'PX', math.ceil((last - now) / 1000))
end
return answer
"""


class Limit(NamedTuple):
    """So many requests in a time: `interval` microseconds make room for one, `window` for the whole quota."""

    name: str
    quota: int
    seconds: int
    interval: int
    window: int


class Taken(NamedTuple):
    """The outcome of a request: microseconds to wait, 0 or less if it may pass, and the backlog of each limit."""

    wait: int
    backlogs: Sequence[int]


class Store(Protocol):
    """Where the limiter keeps its numbers."""

    async def take(self, key: str, limits: Sequence[Limit]) -> Taken:
        """Count a request of this key, in all limits or, if one of them is reached, in none."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


class MemoryStore:
    """The numbers of one process, of `max_keys` clients at most; then those are forgotten that came last long ago."""

    def __init__(self, max_keys: int = MAX_KEYS, now: Callable[[], int] = time.monotonic_ns) -> None:
        self._max_keys = max_keys
        self._now = now
        self._tats: dict[str, tuple[int, ...]] = {}  # "theoretical arrival times", the latest client last

    def __len__(self) -> int:
        return len(self._tats)

    async def take(self, key: str, limits: Sequence[Limit]) -> Taken:
        """Count a request of this key, in all limits or, if one of them is reached, in none."""
        now = self._now() // 1000
        known = self._tats.pop(key, None)
        if known is None:
            self._make_room(now)
        backlogs = [max(tat - now, 0) for tat in known or (0,) * len(limits)]
        wait = max(backlog + limit.interval - limit.window for backlog, limit in zip(backlogs, limits, strict=True))
        if wait <= 0:
            backlogs = [backlog + limit.interval for backlog, limit in zip(backlogs, limits, strict=True)]
        self._tats[key] = tuple([now + backlog for backlog in backlogs])
        return Taken(wait, backlogs)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _make_room(self, now: int) -> None:
        """Forget two clients whose time is over, so that these never pile up; or the first one, if there is no room."""
        for _ in range(2):
            oldest = next(iter(self._tats), None)
            if oldest is None or (max(self._tats[oldest]) > now and len(self._tats) < self._max_keys):
                return
            del self._tats[oldest]


class RedisStore:
    """The numbers of all processes, on a Redis or Valkey server, by one script and that server's clock."""

    def __init__(self, url: str, *, prefix: str, timeout: float, fail_open: bool) -> None:
        consequence = "requests pass uncounted" if fail_open else ANSWERED
        self._redis = RedisClient("Rate limits", url, timeout=timeout, consequence=consequence)
        self._prefix = prefix

    async def take(self, key: str, limits: Sequence[Limit]) -> Taken:
        """Count a request of this key, in all limits or, if one of them is reached, in none."""
        numbers = [number for limit in limits for number in (limit.interval, limit.window)]
        wait, *backlogs = await self._redis.run(TAKE, self._prefix + key, *numbers)
        return Taken(wait, backlogs)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._redis.aclose()


@lru_cache(4096)
def network_of(host: str) -> str:
    """The address, of IPv6 the /64, which is what one household has; a host that is no address as it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def client_address(request: Request) -> str:
    """The address of the client of `request`, as the server or a proxy's middleware has told it; IPv6 by /64.

    `""` where there is none, as over a Unix socket: all clients are one then.

        def key(request):
            return request.header("x-api-key") or client_address(request)

        app.middlewares.append(RateLimitMiddleware("20/second", key=key))
    """
    client = request.scope.get("client")
    return network_of(client[0]) if client else ""


class RateLimitMiddleware(ReplyHeadersMiddleware, WebSocketMiddleware):
    """Answers 429 to a client that sends more than the limits allow: `"5/second"`, `"100/minute"`, `"1000/2 hours"`.

    A client may use a quota at once; then it comes back evenly. All limits count together, and a request that is
    refused counts in none. `key` makes the name of a client of the request, or None for those who are not limited;
    `per_route` gives it a quota for each route. `store` is `"memory:"`, of each process its own and not more than
    `max_keys` clients, or a `redis://` URL for all processes, where `prefix` begins all keys. While Redis does not
    answer within `timeout` seconds requests pass, or are answered 503 unless `fail_open`. Two middlewares of one
    application need two `name`s.

        app.middlewares.append(RateLimitMiddleware("20/second", "1000/hour"))
    """

    def __init__(
        self,
        *limits: str,
        key: Callable[[Request], object] = client_address,
        per_route: bool = False,
        store: str = "memory:",
        name: str = "",
        fail_open: bool = True,
        timeout: float = REDIS_PATIENCE,
        max_keys: int = MAX_KEYS,
        prefix: str = "micropie:rate:",
    ) -> None:
        if not limits:
            raise ValueError("RateLimitMiddleware() limits nothing: give it a limit, such as '100/minute'")
        if re.fullmatch(r"[\w.-]*", name, re.ASCII) is None:
            raise ValueError(f"RateLimitMiddleware(name={name!r}): letters, digits and . _ - are accepted")
        self._limits = [parse_limit(limit, name) for limit in limits]
        self._key = key
        self._per_route = per_route
        self._is_early = key is client_address and not per_route
        self._fail_open = fail_open
        self._policy = ", ".join(f'"{limit.name}";q={limit.quota};w={limit.seconds}' for limit in self._limits)
        prefix += "".join(f"{limit.name} " for limit in self._limits)
        self._store = store_by_url(store, max_keys, prefix=prefix, timeout=timeout, fail_open=fail_open)
        self._has_warned = False
        self.of_one_process = OF_ONE_PROCESS if store == "memory:" else None

    # Plain functions, which return a coroutine where there is something to do. PERF: 0.1 µs for each.

    def before_routing(self, request: Request) -> Any:
        """Count the request before it costs anything, if the client's address is all there is to know."""
        return self._count(request) if self._is_early else None

    def before_request(self, request: Request) -> Any:
        """Count the request, if its route or its session may matter."""
        return None if self._is_early else self._count(request)

    def before_websocket(self, request: WebSocketRequest) -> Any:
        """Count a handshake as a request, if its route or its session may matter."""
        return None if self._is_early else self._count(request)

    def add_headers(self, request: Request, headers: HeaderPairs) -> None:
        """Tell the client of its limits, by the fields of draft-ietf-httpapi-ratelimit-headers-11."""
        backlogs = vars(request).get("rate_limits", {}).get(self)
        if backlogs is not None:
            states = ", ".join(map(state_of, self._limits, backlogs))
            headers += [("RateLimit-Policy", self._policy), ("RateLimit", states)]

    async def aclose(self) -> None:
        """Close the connections to Redis; for `app.shutdown_handlers`."""
        await self._store.aclose()

    async def _count(self, request: Request) -> None:
        """Count the request. `HTTPError` 429 if it is one too many; nothing happens to one that is not limited."""
        known = self._key(request)
        if isinstance(known, Awaitable):
            known = await known
        if known is None:
            return
        key = self._key_of(request, known)
        try:
            taken = await self._store.take(short_key(key), self._limits)
        except HTTPError:
            if self._fail_open:
                return
            raise
        vars(request).setdefault("rate_limits", {})[self] = taken.backlogs
        if taken.wait > 0:
            seconds = whole_seconds(taken.wait)
            detail = f"try again in {seconds} second{'' if seconds == 1 else 's'}"
            raise HTTPError(429, detail, [("Retry-After", str(seconds))])

    def _key_of(self, request: Request, key: object) -> str:
        if not key and self._key is client_address:
            self._warn_of_unknown_clients()
        if not self._per_route:
            return str(key)
        route = request.scope.get("route")
        return f"{'' if route is None else route.path_format} {key}"

    def _warn_of_unknown_clients(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "The server does not tell the clients' addresses, so RateLimitMiddleware takes them all for one: let "
                "the proxy's forwarding headers be trusted, or give it another key"
            )


def store_by_url(url: str, max_keys: int, *, prefix: str, timeout: float, fail_open: bool) -> Store:
    """The store that a URL names. ValueError for others."""
    if url == "memory:":
        return MemoryStore(max_keys)
    if url.startswith(SCHEMES):
        return RedisStore(url, prefix=prefix, timeout=timeout, fail_open=fail_open)
    # Not the URL itself, which may have a password in it.
    raise ValueError("RateLimitMiddleware(store=…): 'memory:' is accepted, or a URL like 'redis://localhost:6379/0'")


def parse_limit(text: str, name: str) -> Limit:
    """The limit that a text like `100/minute` or `5/10 seconds` means. ValueError for others."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no rate limit: '5/second', '100/minute' and '1000/2 hours' are")
    quota, seconds = int(found[1]), int(found[2] or 1) * UNITS[found[3]]
    if quota > seconds * SECOND:
        raise ValueError(f"{text!r} is no rate limit: more than a million requests a second are not counted")
    interval = max(round(seconds * SECOND / quota), 1)
    return Limit(f"{name}:{text}" if name else text, quota, seconds, interval, interval * quota)


def short_key(key: str) -> str:
    """The key, or its hash if it is long, so that who chooses it does not choose how much memory it takes."""
    return key if len(key) <= LONGEST_KEY else sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def state_of(limit: Limit, backlog: int) -> str:
    """A limit's state as a client is told it: how many requests are left (`r`), and when it is one more (`t`)."""
    left = max((limit.window - backlog) // limit.interval, 0)
    until_next = backlog - (limit.window - (left + 1) * limit.interval)
    return f'"{limit.name}";r={left};t={whole_seconds(until_next)}'


def whole_seconds(microseconds: int) -> int:
    """The time in seconds, rounded up."""
    return -(-microseconds // SECOND)
