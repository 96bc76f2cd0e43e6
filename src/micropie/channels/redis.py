"""RedisEngine: channels on a Redis or Valkey server, for all workers of all hosts.

Published messages are numbered, kept and sent by one script, so that their order is the same for everybody. They travel
by Redis's Pub/Sub, which costs the server one write for each worker, however many subscribers it has, where reading a
stream would cost a request for each batch; what Pub/Sub loses while a worker is not connected, the numbers tell, and
the history, a list beside the numbers, brings it if it is kept.

An epoch is a server's life: after a restart the count may have fallen back to what was on the disk, so that a number
alone would mean two messages.
"""

import asyncio
import contextlib
import json
import logging
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from micropie import HTTPError
from micropie.channels.hub import Deliver, Tell
from micropie.channels.message import START, Message, Notice, Position, before, behind
from micropie.channels.outbox import ChannelKeys, Outbox
from micropie.stores.redis_client import RedisClient

log = logging.getLogger("micropie")
BEAT = 5.0  # seconds between two signs of life
SILENCE = 2 * BEAT  # seconds after which a server that says nothing is taken for lost
MEMBER_TTL = 3 * BEAT  # seconds after which a member whose process has died is none
PAUSES = (0.1, 2.0)  # seconds between two attempts to connect: the first, and the longest
AT_ONCE = 500  # members, or channels, whose sign of life goes in one command
MESSAGE = re.compile(rb"([0-9a-f]{1,64}) ([0-9]{1,18}) ([tbj].*)", re.DOTALL)  # epoch, number, and kind with content
EARLIER = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('HMGET', KEYS[1], 'epoch', 'number', 'run')
if known[3] ~= run and known[1] then
    known = {ARGV[3], 0, run}
    redis.call('HSET', KEYS[1], 'run', run, 'epoch', ARGV[3], 'number', 0)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {known[1] or '', known[2] or 0, redis.call('LRANGE', ARGV[1], 0, -1)}
"""
MEMBERS = """
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
ENTER = """
local until_then = redis.call('TIME')[1] + ARGV[1]
for place = 2, #ARGV do
    redis.call('ZADD', KEYS[1], until_then, ARGV[place])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


class RedisEngine:
    """The channels of one event loop on a server; connected while something is listened to."""

    def __init__(
        self, url: str, deliver: Deliver, tell: Tell, *, prefix: str, history: int, history_ttl: float, timeout: float
    ) -> None:
        self._redis = RedisClient("Channels", url, timeout=timeout)
        self._outbox = Outbox(self._redis, timeout, self._keys_of, new_epoch)
        self._failures: tuple[type[Exception], ...] = (*self._redis.failures, HTTPError)
        self._deliver = deliver
        self._tell = tell
        self._prefix = prefix
        self._history = history
        self._ttl = round(history_ttl * 1000)
        self._places: dict[str, Position | None] = {}  # of what is listened to: behind the last message; None: not yet
        self._listening: dict[str, asyncio.Future[None]] = {}  # until the server has confirmed it
        self._unlistened: Counter[str] = Counter()  # how often the server has yet to confirm that
        self._members: Counter[tuple[str, str]] = Counter()
        self._process = secrets.token_hex(8)
        self._pubsub: Any = None
        self._is_lost = False  # and the log knows, until somebody listens again
        self._told_of_loss: set[str] = set()  # and not yet that it is over
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, channel: str, wire: bytes) -> Position:
        """Number, keep and send a message. `HTTPError` 503 if the server does not answer: it may be sent or not."""
        return await self._outbox.publish(channel, wire)

    async def listen(self, channel: str) -> None:
        """Bring this channel's messages from now on. `HTTPError` 503 if the server does not answer."""
        if channel not in self._places:
            self._places[channel] = None
            self._listening[channel] = asyncio.get_running_loop().create_future()
            if not self._tasks:
                self._tasks = [asyncio.create_task(step()) for step in (self._keep_connected, self._beat)]
            else:
                await self._send("subscribe", self._topic(channel))
        if (confirmed := self._listening.get(channel)) is not None:
            await self._redis.in_time(lambda: asyncio.shield(confirmed))

    async def unlisten(self, channel: str) -> None:
        """Bring this channel's messages no more; without channels nothing stays connected."""
        self._places.pop(channel, None)
        self._listening.pop(channel, None)
        self._told_of_loss.discard(channel)
        if not self._places:
            await self._disconnect()
        else:
            self._unlistened[channel] += 1
            await self._send("unsubscribe", self._topic(channel))

    async def earlier(self, channel: str) -> tuple[Position, Sequence[Message]]:
        """Where the channel stands, and its kept messages."""
        arguments = self._history_key(channel), self._ttl, new_epoch()
        epoch, number, kept = await self._redis.run(EARLIER, self._key(channel), *arguments)
        messages = [message_from(channel, one) for one in kept]
        return Position(epoch.decode(), int(number)), [message for message in messages if message is not None]

    async def enter(self, channel: str, member: str) -> None:
        """Note a member."""
        self._members[channel, member] += 1
        await self._enter(channel, member)

    async def leave(self, channel: str, member: str) -> None:
        """Forget a member; if the server is away, it forgets by itself."""
        self._members[channel, member] -= 1
        if self._members[channel, member] > 0:
            return
        del self._members[channel, member]
        key, entry = self._members_key(channel), self._entry(member)
        with contextlib.suppress(HTTPError):
            await self._redis.answer(lambda redis: redis.zrem(key, entry), writing=True)

    async def members(self, channel: str) -> list[str]:
        """The members of a channel in all processes, sorted; those of a process that died for up to 15 s."""
        entries = await self._redis.run(MEMBERS, self._members_key(channel))
        return sorted({json.loads(entry)[1] for entry in entries})

    async def check(self) -> None:
        """Raise `HTTPError` 503 if the server does not answer."""
        await self._redis.answer(lambda redis: redis.ping())

    def note_away(self) -> None:
        """Tell the log that somebody has waited in vain, unless it knows that the connection is lost."""
        if not self._is_lost:
            self._redis.note_away()

    async def aclose(self) -> None:
        """Stop listening, and let the connections go."""
        await self._disconnect()
        await self._outbox.aclose()
        await self._redis.aclose()

    # The connection that messages come by.

    async def _keep_connected(self) -> None:
        pause, longest = PAUSES
        while True:
            try:
                async with self._redis.listening() as self._pubsub:
                    await self._read(self._pubsub)
            except self._failures as error:
                self._note_lost(error)
            except Exception as error:  # whatever it is, others are still to hear what is published
                log.exception("Channels are connected anew after a failure")
                self._note_lost(error)
            finally:
                self._pubsub = None
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that not all workers come at once
            pause = PAUSES[0] if not self._is_lost else min(2 * pause, longest)

    async def _send(self, command: str, *topics: str) -> None:
        """Send a command if the server is connected; if not, the task that reads listens to all as it connects.

        redis-py would connect anew for it, while that task lets the connection go or has it connected, too.
        """
        if self._pubsub is not None and is_connected(self._pubsub):
            with contextlib.suppress(*self._failures):  # which that task notices
                await getattr(self._pubsub, command)(*topics)

    async def _read(self, pubsub: Any) -> None:
        """Take what the server sends. TimeoutError when it has been silent for too long."""
        loop = asyncio.get_running_loop()
        self._unlistened.clear()
        await pubsub.subscribe(self._prefix, *map(self._topic, self._places))
        async with asyncio.timeout(SILENCE) as limit:
            async for event in pubsub.listen():
                limit.reschedule(None)  # readers may hold up what follows; the server is not silent
                if event["type"] == "message":
                    await self._bring(self._channel(event["channel"]), event["data"])
                elif event["type"] == "subscribe":
                    await self._begin(self._channel(event["channel"]))
                elif event["type"] == "unsubscribe":
                    self._unlistened[self._channel(event["channel"])] -= 1
                limit.reschedule(loop.time() + SILENCE)

    async def _begin(self, channel: str) -> None:
        """A channel is listened to, for the first time or again: bring what was missed."""
        if channel not in self._places or self._unlistened[channel] > 0:  # it is confirmed what was taken back since
            return
        place, confirmed = self._places[channel], self._listening.get(channel)
        position, kept = await self.earlier(channel)
        if channel not in self._places or self._listening.get(channel) is not confirmed:  # taken back meanwhile
            return
        if place is None:
            self._places[channel] = position
        elif not await self._catch_up(channel, place, position, kept):
            return
        if confirmed is not None:
            del self._listening[channel]
            confirmed.set_result(None)
        if channel in self._told_of_loss:
            self._told_of_loss.discard(channel)
            self._tell(Notice("back", channel))
        if self._is_lost:
            self._is_lost = False
            log.warning("Channels are connected again")

    async def _bring(self, channel: str, data: bytes) -> None:
        """Deliver a message, once, behind all before it."""
        place = self._places.get(channel)
        message = message_from(channel, data)
        if place is None or message is None:  # nobody listens any more, or does not yet
            return
        epoch, number = message.position
        if epoch == place.epoch and number <= place.number:
            return
        if number != place.number + 1 or (epoch != place.epoch and place != START):
            _, kept = await self.earlier(channel)
            positions = [one.position for one in kept]
            known = kept[: positions.index(message.position)] if message.position in positions else kept
            if not await self._catch_up(channel, place, before(message.position), known):
                return
        self._places[channel] = message.position
        await self._deliver(message)

    async def _catch_up(self, channel: str, place: Position, position: Position, kept: Sequence[Message]) -> bool:
        """Bring what is between two places; False if nobody listens to the channel any more, or somebody anew.

        The place goes on with each message: this may be cut off, and none is to come again.
        """
        if self._places.get(channel) is not place:
            return False
        newer, missed = behind(place, position, kept)
        if missed != 0:
            self._tell(Notice("gap", channel, missed))
        for message in newer:
            if not self._move(channel, place, message.position):
                return False
            place = message.position
            await self._deliver(message)
        return self._move(channel, place, position)

    def _move(self, channel: str, place: Position, position: Position) -> bool:
        """Let a channel's place be behind what is brought next; False if nobody has come by this one any more."""
        if self._places.get(channel) is not place:
            return False
        self._places[channel] = position
        return True

    def _note_lost(self, error: Exception) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        log.error(
            "Channels are not connected, subscribers wait and nobody can join: %s", str(error) or type(error).__name__
        )
        for channel in self._places.keys() - self._told_of_loss:
            self._told_of_loss.add(channel)
            self._tell(Notice("lost", channel))

    async def _beat(self) -> None:
        """Show that this process lives, and see whether the server does."""
        kept_at = time.monotonic()
        while True:
            await asyncio.sleep(BEAT)
            with contextlib.suppress(*self._failures):
                await self._send("ping")
                await self._keep_members()
                if (now := time.monotonic()) - kept_at >= self._ttl / 4000:
                    kept_at = now
                    await self._keep_places()

    async def _keep_members(self) -> None:
        of_channels: dict[str, list[str]] = {}
        for channel, member in self._members:
            of_channels.setdefault(channel, []).append(member)
        for channel, members in of_channels.items():
            for start in range(0, len(members), AT_ONCE):
                some = (member for member in members[start : start + AT_ONCE] if (channel, member) in self._members)
                await self._enter(channel, *some)

    async def _enter(self, channel: str, *members: str) -> None:
        entries = map(self._entry, members)
        await self._redis.run(ENTER, self._members_key(channel), round(MEMBER_TTL), *entries)

    async def _keep_places(self) -> None:
        """Let the counts go on while somebody listens, though nobody publishes."""
        keys = [self._key(channel) for channel in self._places]
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            await self._redis.answer(partial(keep, keys=some, ttl=self._ttl), writing=True)

    async def _disconnect(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Names on the server. Those of a channel have one hash tag, so that they are on one node.

    def _topic(self, channel: str) -> str:
        return f"{self._prefix}{{{channel}}}"

    def _channel(self, topic: bytes) -> str:
        return topic.decode().removeprefix(self._prefix)[1:-1]

    def _key(self, channel: str) -> str:
        return f"{self._topic(channel)}:place"

    def _history_key(self, channel: str) -> str:
        return f"{self._topic(channel)}:history"

    def _members_key(self, channel: str) -> str:
        return f"{self._topic(channel)}:members"

    def _keys_of(self, channel: str) -> ChannelKeys:
        keys = self._key(channel), self._history_key(channel), self._topic(channel)
        return ChannelKeys(*keys, self._history, self._ttl)

    def _entry(self, member: str) -> str:
        return json.dumps([self._process, member])


def message_from(channel: str, data: bytes) -> Message | None:
    """The message that the script has put together; None for what others have, who should not."""
    match = MESSAGE.fullmatch(data)
    if match is not None:
        epoch, number, wire = match.groups()
        with contextlib.suppress(ValueError):  # text that is no UTF-8
            return Message(channel, Position(epoch.decode(), int(number)), wire)
    log.warning("Somebody else has sent %.50r to the channel %r on Redis, which is no message", data, channel)
    return None


async def keep(redis: Any, keys: Sequence[str], ttl: int) -> None:
    """Let keys expire so many milliseconds from now."""
    async with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.pexpire(key, ttl)
        await pipeline.execute()


def is_connected(pubsub: Any) -> bool:
    """True if what is sent goes out by the connection that stands."""
    return pubsub.connection is not None and pubsub.connection.is_connected


def new_epoch() -> str:
    """A name for a new count, if one has to begin."""
    return secrets.token_hex(6)
