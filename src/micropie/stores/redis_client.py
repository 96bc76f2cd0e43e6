"""RedisClient: a Redis or Valkey server, by redis-py.

To change this, know that redis-py resends a command whose answer is late, which applies it twice, up to ten times, and
waits for each: here nothing is sent twice and every wait has an end.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from micropie import MissingDependency
from micropie.stores.outage import ANSWERED, Outage

SCHEMES = ("redis://", "rediss://", "unix://")  # of the URLs of a server
MAX_CONNECTIONS = 50
NO_ANSWER = "no answer"
AT_ONCE = 0.1  # seconds in which a server that is back again has answered
STATES_BY_WORD = ("MISCONF ", "NOREPLICAS ", "BUSY ")  # no disk, too few replicas, a slow script: they have no class


class RedisClient:
    """Connections to a server, for each event loop its own, and what is known of the server's being away.

    `what` is kept there, in the plural, as clients and the log are told: "Sessions". Who has to wait for more than
    `timeout` seconds gets an `HTTPError` 503, and while the server is away most do at once. `consequence` is for the
    log: what comes of that for clients, if who asks has another answer for them.
    """

    def __init__(
        self,
        what: str,
        url: str,
        *,
        timeout: float = 5,
        max_connections: int = MAX_CONNECTIONS,
        consequence: str = ANSWERED,
    ) -> None:
        self._package = redis_package(what)
        self._timeout = timeout
        self._connection = {"max_connections": max_connections, **self._package.asyncio.connection.parse_url(url)}
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, asyncio.Semaphore]] = WeakKeyDictionary()
        self._outage = Outage(what, place_of(self._connection), consequence)
        self._tried_at = -math.inf  # since when a request waits for a server that is away

    async def run(self, script: str, key: str, *arguments: Any, writing: bool = True) -> Any:
        """The result of a Lua script that begins with one key; others it may make of its arguments."""
        # Whole scripts: by their hashes (EVALSHA) a server that was restarted takes three turns.
        return await self.answer(lambda redis: redis.eval(script, 1, key, *arguments), writing=writing)

    async def answer(self, ask: Callable[[Any], Awaitable[Any]], *, writing: bool = False) -> Any:
        """The server's answer. `HTTPError` 503 if it does not in time, or can't at the moment."""
        redis, room = self._client()

        async def asked() -> Any:
            async with room:
                return await ask(redis)

        return await self.in_time(asked, writing=writing)

    async def in_time(self, ask: Callable[[], Awaitable[Any]], *, writing: bool = False) -> Any:
        """What the server has to bring about, by whichever connection. `HTTPError` 503 as for an answer."""
        is_away = self._outage.of_writing if writing else self._outage.of_reading
        is_first = is_away and self._tries_first()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await ask()
        except (TimeoutError, self._package.exceptions.RedisError) as error:
            if not is_unavailable(self._package, error):
                raise
            raise self._outage.begin(str(error) or NO_ANSWER, writing=writing) from error
        finally:
            if is_first:
                self._tried_at = -math.inf
        self._outage.end(writing=writing)
        return answer

    def note_away(self) -> None:
        """Note that somebody has waited for the server in vain."""
        self._outage.begin(NO_ANSWER, writing=False)

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What the connection of `listening` may raise."""
        return OSError, self._package.exceptions.RedisError

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Any]:
        """A connection of its own for Pub/Sub, whose reads wait for ever: redis-py would end them after 5 s."""
        client = connected(self._package, {**self._connection, "max_connections": 1}, self._timeout)
        try:
            async with client.pubsub() as pubsub:
                await pubsub.connect()
                yield pubsub
        finally:
            await client.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running event loop, until they are used again."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client[0].aclose()

    def _tries_first(self) -> bool:
        """True if a request is the first to try a server that is away; `HTTPError` 503 while that has no answer."""
        now = time.monotonic()
        waited = now - self._tried_at
        if AT_ONCE < waited < self._timeout:
            raise self._outage.error()
        if waited < self._timeout:
            return False
        self._tried_at = now
        return True

    def _client(self) -> tuple[Any, asyncio.Semaphore]:
        """The connections of the running event loop, and the room that there is for requests that use one."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            room = asyncio.Semaphore(self._connection["max_connections"])
            client = self._clients[loop] = connected(self._package, self._connection, self._timeout), room
        return client


def redis_package(what: str) -> Any:
    """redis-py. `MissingDependency` without it."""
    try:
        import redis.asyncio  # noqa: PLC0415 - only for those who have it
    except ImportError as error:
        remedy = "pip install 'micropie[redis]', or redis alone"
        raise MissingDependency(f"{what} on Redis need the package 'redis': {remedy}") from error
    return redis


def connected(redis: Any, connection: Mapping[str, Any], timeout: float) -> Any:
    """A client with a pool of connections, which connects within the timeout and sends nothing twice.

    Who asks has a clock of its own for the answers, as redis-py's would be three more for each command, and a semaphore
    for the connections, which costs less than the pool that waits for a free one.
    """
    limits = {"socket_connect_timeout": timeout, "socket_timeout": None}
    # Of no retries, but for some errors, it would connect anew before it raises them.
    once = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0, supported_errors=())
    rules = {"retry": once, "retry_on_timeout": False, "protocol": 2, "decode_responses": False}
    return redis.asyncio.Redis.from_pool(redis.asyncio.ConnectionPool(**{**connection, **limits, **rules}))


def is_unavailable(redis: Any, error: Exception) -> bool:
    """True of the exceptions while the server is away, is busy with itself, or can't store anything."""
    errors = redis.exceptions
    states = errors.ReadOnlyError, errors.OutOfMemoryError, errors.MasterDownError
    lost = TimeoutError, errors.TimeoutError, errors.ConnectionError
    return isinstance(error, lost + states) or str(error).startswith(STATES_BY_WORD)


def place_of(connection: Mapping[str, Any]) -> str:
    """Where the server is, for the log: without the password."""
    where = connection.get("path") or f"{connection.get('host', 'localhost')}:{connection.get('port', 6379)}"
    return f"Redis at {where}"
