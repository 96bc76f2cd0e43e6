"""Outbox: what a process publishes on Redis, in order; what comes while an answer is awaited goes together.

A command costs this process ten times what it costs the server, so many publishers at a time share one. What has not
been sent when its publisher's time is over never will be.
"""

import asyncio
from collections import deque
from typing import Any, NamedTuple

from micropie import HTTPError
from micropie.channels.message import Position, unavailable
from micropie.stores.redis_client import RedisClient

MAX_WAITING = 10_000  # publications
AT_ONCE, BYTES_AT_ONCE = 500, 4 << 20  # messages in one turn, and bytes from which on no more are added
PUBLISH = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if redis.call('HGET', KEYS[1], 'run') ~= run then
    epoch = ARGV[5]
    redis.call('HSET', KEYS[1], 'run', run, 'epoch', epoch, 'number', 0)
end
local last = redis.call('HINCRBY', KEYS[1], 'number', #ARGV - 5)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
for place = 6, #ARGV do
    local message = epoch .. ' ' .. last - #ARGV + place .. ' ' .. ARGV[place]
    if tonumber(ARGV[3]) > 0 then
        redis.call('RPUSH', ARGV[1], message)
    end
    redis.call('PUBLISH', ARGV[2], message)
end
if tonumber(ARGV[3]) > 0 then
    redis.call('LTRIM', ARGV[1], -ARGV[3], -1)
    redis.call('PEXPIRE', ARGV[1], ARGV[4])
end
return {epoch, last - #ARGV + 6}
"""


class Publication(NamedTuple):
    """A message that waits to be sent, with what its publisher awaits."""

    channel: str
    wire: bytes
    position: "asyncio.Future[Position]"


class ChannelKeys(NamedTuple):
    """A channel's names on the server, and how its messages are kept: the arguments of the script."""

    place: str
    history: str
    topic: str
    length: int
    ttl: int


class Outbox:
    """The publications of one event loop. `keys_of` names a channel's keys, `new_epoch` a count that may begin."""

    def __init__(self, redis: RedisClient, timeout: float, keys_of: Any, new_epoch: Any) -> None:
        self._redis = redis
        self._timeout = timeout
        self._keys_of = keys_of
        self._new_epoch = new_epoch
        self._waiting: deque[Publication] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, channel: str, wire: bytes) -> Position:
        """Number, keep and send a message. `HTTPError` 503 if too many wait, or it takes too long."""
        if len(self._waiting) >= MAX_WAITING:
            raise unavailable()
        publication = Publication(channel, wire, asyncio.get_running_loop().create_future())
        self._waiting.append(publication)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(self._timeout):
                return await publication.position
        except TimeoutError:
            raise unavailable() from None

    async def aclose(self) -> None:
        """Send nothing any more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
            self._give_up([])  # which a task that has not begun leaves to us

    async def _send_all(self) -> None:
        some: list[Publication] = []
        try:
            while some := self._next_ones():
                try:
                    await self._send(some)
                except Exception as error:
                    fail(some, error)
        finally:
            self._give_up(some)

    def _give_up(self, some: list[Publication]) -> None:
        """Tell the publishers of some messages, and all that wait, that nothing is sent any more."""
        self._sending = None
        fail([*some, *self._waiting], unavailable())
        self._waiting.clear()

    def _next_ones(self) -> list[Publication]:
        """What goes next, without what nobody waits for any more."""
        some: list[Publication] = []
        size = 0
        while self._waiting and len(some) < AT_ONCE and size < BYTES_AT_ONCE:
            publication = self._waiting.popleft()
            if not publication.position.done():
                some.append(publication)
                size += len(publication.wire)
        return some

    async def _send(self, some: list[Publication]) -> None:
        """Send messages: one command for each channel, all in one turn."""
        of_channels: dict[str, list[Publication]] = {}
        for one in some:
            of_channels.setdefault(one.channel, []).append(one)
        answers = await self._redis.answer(lambda redis: self._run(redis, of_channels), writing=True)
        for together, (epoch, first) in zip(of_channels.values(), answers, strict=True):
            for number, one in enumerate(together, first):
                if not one.position.done():
                    one.position.set_result(Position(epoch.decode(), number))

    async def _run(self, redis: Any, of_channels: dict[str, list[Publication]]) -> Any:
        async with redis.pipeline(transaction=False) as pipeline:
            for channel, together in of_channels.items():
                place, *keys = self._keys_of(channel)
                wires = (one.wire for one in together)
                pipeline.eval(PUBLISH, 1, place, *keys, self._new_epoch(), *wires)
            return await pipeline.execute()


def fail(some: list[Publication], error: Exception) -> None:
    """Tell publishers that their messages are not known to be sent."""
    for one in some:
        if not one.position.done():
            own = HTTPError(error.status, error.detail, error.headers) if isinstance(error, HTTPError) else error
            one.position.set_exception(own)
