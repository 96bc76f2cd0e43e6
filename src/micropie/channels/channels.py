"""Channels: publish a message in one request, and have it in all the others that subscribe, on any worker."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, get_args
from weakref import WeakKeyDictionary

from micropie import App, HTTPError, ServerSentEvent, ServerSentEvents, Service, current_request
from micropie.channels.hub import Deliver, Engine, Hub, Tell
from micropie.channels.memory import MemoryEngine
from micropie.channels.message import Message, Notice, to_wire
from micropie.channels.redis import RedisEngine
from micropie.channels.sender import TOGETHER
from micropie.channels.serving import workers_here
from micropie.channels.subscription import Policy, SlowConsumer, Subscription
from micropie.stores.redis_client import SCHEMES

log = logging.getLogger("micropie")
MAX_NAME = 256  # characters
COME_AGAIN = (2.0, 4.0)  # seconds, around the 3 of most browsers, which keep what they are told; so not all at once
EVENTS = "text/event-stream"
UNAVAILABLE = 503
OF_ONE_PROCESS = (
    "channels in memory are of one worker each: what is published in one does not reach the others. Give Channels a "
    'server that they share, such as "redis://localhost:6379/0", or run one worker'
)


class Channels(Service):
    """Named channels, as an attribute of an application's class; an engine is known by its `url`.

    `memory:` is this process, `redis://…` (`rediss://`, `unix://`) a Redis or Valkey server, for any number of workers
    and hosts. Each message is numbered in its channel; `history` of them are kept for `history_ttl` seconds after the
    last one, for those who come back. A subscriber that has `queue_size` messages waiting is too slow: by `slow` it
    loses the oldest (`drop_oldest`), its iteration ends with `SlowConsumer` (`disconnect`), or its publishers wait for
    it, up to 5 s (`block`). A message has at most `max_message_size` bytes. `prefix` begins all keys on the server; who
    waits for it more than `timeout` seconds gets an `HTTPError` 503.

        class Site(App):
            channels = Channels("redis://localhost:6379/0", history=50)

            async def say(self, text):
                await self.channels.publish("lobby", text)

            async def events(self):
                return self.channels.stream("lobby")

            async def ws_lobby(self, ws):
                await ws.accept()
                async with self.channels.subscribe("lobby") as messages:
                    await relay(ws, messages)
    """

    def __init__(
        self,
        url: str = "memory:",
        *,
        history: int = 0,
        history_ttl: float = 3600,
        queue_size: int = 1000,
        slow: Policy = "drop_oldest",
        max_message_size: int = 1 << 20,
        prefix: str = "micropie:channel:",
        timeout: float = 5,
    ) -> None:
        check("history", history, fits=history >= 0)
        check("history_ttl", history_ttl, fits=history_ttl > 0)
        check_reader(queue_size, slow)
        check("max_message_size", max_message_size, fits=max_message_size > 0)
        self._new_engine = engine_factory(url, history, history_ttl, prefix, timeout)
        self.of_one_process = OF_ONE_PROCESS if url == "memory:" else None
        self._max_message_size = max_message_size
        self._queue_size = queue_size
        self._timeout = timeout
        self._slow = slow
        self._hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    async def publish(self, channel: str, message: Any) -> str:
        """Send text, bytes, or any JSON value to a channel; its position there.

        ValueError for one that is too large, TypeError for one that is no JSON; `HTTPError` 503 if the engine is away:
        then the message has reached its subscribers once, or not at all.
        """
        hub = self._hub()
        return str(await hub.engine.publish(checked_name(channel), to_wire(message, self._max_message_size)))

    def subscribe(
        self,
        *channels: str,
        since: str | None = None,
        replay: int = 0,
        member: str | None = None,
        queue_size: int | None = None,
        slow: Policy | None = None,
    ) -> Subscription:
        """The messages that are published to these `channels` while the `async with` block runs.

        `since`, the `position` of an earlier subscription to the same channels, goes on behind it; `replay` begins with
        so many of the last messages; both as far as the history goes. `member` is who is there, for `members`.
        `queue_size` and `slow` are others for this subscription than the object's.
        """
        if not channels:
            raise TypeError("subscribe() takes the name of a channel, or several")
        names = [checked_name(channel) for channel in channels]
        size = self._queue_size if queue_size is None else queue_size
        policy = self._slow if slow is None else slow
        check_reader(size, policy)
        check("replay", replay, fits=replay >= 0)
        return Subscription(
            self._hub(), names, queue_size=size, policy=policy, since=since, replay=replay, member=member
        )

    async def stream(
        self, *channels: str, since: str | None = None, replay: int = 0, member: str | None = None
    ) -> AsyncIterator[ServerSentEvent | ServerSentEvents]:
        """A handler's result: the messages of `channels` as server-sent events or JSON lines, as the client accepts.

        `since` is the request's `Last-Event-ID`, unless given: a browser that reconnects gets what it missed, as far as
        the history goes. `replay` and `member` are those of `subscribe`. Events named `gap`, `lost` and `back` tell
        what there is to know beside the messages. What waits at the same time goes out in one write. A client that
        reads too slowly is cut off if that is the policy; a browser then reconnects. So it does while the engine is
        away: for who accepts server-sent events the stream ends with the seconds to wait, others get a 503.
        """
        if since is None:
            since = current_request.get().header("last-event-id")
        messages = self.subscribe(*channels, since=since, replay=replay, member=member)
        if not await try_to_join(messages):
            yield end_for_now(since)
            return
        try:  # PERF: as `async with`, and an exit stack would be 1 kB more of each reader
            yield ServerSentEvent(id=messages.position)
            while True:
                item = await messages.next()
                if isinstance(item, Notice):
                    yield notice_event(item)
                else:
                    yield events_from(item, messages)
        except (StopAsyncIteration, SlowConsumer):
            return
        finally:
            await messages.__aexit__()

    async def members(self, channel: str) -> list[str]:
        """Who subscribes to `channel` with `member`, on all workers, sorted; of a killed worker for up to 15 s more."""
        return await self._hub().engine.members(checked_name(channel))

    async def check(self) -> None:
        """Raise if the engine does not answer, for checks of health."""
        await self._hub().engine.check()

    async def start(self, _app: App) -> None:
        """Warn where other workers would not hear what is published here; nothing is opened before it is used."""
        if self.of_one_process is not None and workers_here() > 1:
            log.warning("Several workers serve this, and %s", self.of_one_process)

    def begin_stop(self) -> None:
        """End the iteration of all subscribers in this event loop, behind what they have waiting."""
        hub = self._hubs.get(asyncio.get_running_loop())
        if hub is not None:
            hub.end()

    async def stop(self) -> None:
        """End the iteration of all subscribers in this event loop, and let the connections go."""
        hub = self._hubs.pop(asyncio.get_running_loop(), None)
        if hub is not None:
            await hub.aclose()

    def _hub(self) -> Hub:
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(loop)
        if hub is None:
            hub = self._hubs[loop] = Hub(self._new_engine, self._timeout)
        return hub


def engine_factory(url: str, history: int, history_ttl: float, prefix: str, timeout: float) -> Any:
    """The maker of the engine that a URL names. ValueError for others, which may have a password in them."""
    if url == "memory:":
        return partial(memory_engine, history=history, history_ttl=history_ttl)
    if url.startswith(SCHEMES):
        return partial(RedisEngine, url, prefix=prefix, history=history, history_ttl=history_ttl, timeout=timeout)
    raise ValueError("a URL of no kind that channels know: 'memory:' and 'redis://localhost:6379/0' are accepted")


def memory_engine(deliver: Deliver, _tell: Tell, *, history: int, history_ttl: float) -> Engine:
    """The engine of one process, which is never away."""
    return MemoryEngine(deliver, history=history, history_ttl=history_ttl)


async def try_to_join(messages: Subscription) -> bool:
    """Join; True if that is done, and has to be left; False if it can't be, and the client comes again by itself.

    A browser's `EventSource` does so behind the end of a stream, and never behind a 503 (WHATWG HTML, "Server-sent
    events"), which all others get.
    """
    try:
        await messages.__aenter__()
    except HTTPError as error:
        request = current_request.get(None)
        if error.status != UNAVAILABLE or request is None or EVENTS not in request.headers.get("accept", ""):
            raise
        return False
    return True


def end_for_now(since: str | None) -> ServerSentEvent:
    """What has a browser come again, with the id that it has: an event without one may take that away."""
    return ServerSentEvent(id=since if since and since.isprintable() else None, retry=random.uniform(*COME_AGAIN))  # noqa: S311 - spread, no secret


def notice_event(notice: Notice) -> ServerSentEvent:
    """A notice as an event."""
    return ServerSentEvent({"channel": notice.channel, "missed": notice.missed}, event=notice.kind)


def events_from(message: Message, messages: Subscription) -> ServerSentEvent | ServerSentEvents:
    """A message that was taken of some, and what waits behind it, up to a size, as events."""
    events = [event_of(message, messages.position)]
    size = len(message.payload)
    waiting = messages.waiting()
    while size < TOGETHER and (following := next(waiting, None)) is not None:
        events.append(event_of(following, messages.position))
        size += len(following.payload)
    return events[0] if len(events) == 1 else ServerSentEvents(events)


def event_of(message: Message, position: str) -> ServerSentEvent:
    """A message as an event, whose id is where its reader stands."""
    event = message.event
    return event if event.id == position else ServerSentEvent(event.data, id=position)


def checked_name(channel: Any) -> str:
    """A channel's name. ValueError for others."""
    if isinstance(channel, str) and channel and len(channel) <= MAX_NAME and channel.isprintable():
        return channel
    raise ValueError(f"{channel!r:.300} can't name a channel: 1 to {MAX_NAME} printable characters can")


def check_reader(queue_size: int, slow: Any) -> None:
    """ValueError for a queue, or a policy, that can't be."""
    check("queue_size", queue_size, fits=queue_size > 0)
    check("slow", slow, fits=slow in get_args(Policy))


def check(name: str, value: Any, *, fits: bool) -> None:
    """ValueError for a setting that can't be."""
    if not fits:
        raise ValueError(f"Channels({name}={value!r}) can't be")
