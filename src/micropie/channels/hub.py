"""Hub: the subscribers of one event loop, and what their engine brings them: each message once, in its channel's order.

An `Engine` is where channels live: in this process, or on a Redis server. It calls `deliver` with each message of the
channels that it was told to listen to, and `tell` with what is to be known beside them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from micropie.channels.message import Message, Notice, Position, before, behind, position_from, unavailable
from micropie.channels.subscription import Subscription

Deliver = Callable[[Message], Awaitable[None]]
Tell = Callable[[Notice], None]
PUMPS_IN_A_ROW = 100  # then others get their turn; about a millisecond


class Engine(Protocol):
    """Where channels live."""

    async def publish(self, channel: str, wire: bytes) -> Position:
        """Number a message, keep it if there is a history, and bring it to all who listen, here and elsewhere."""

    async def listen(self, channel: str) -> None:
        """Bring this channel's messages from now on, if they are not brought yet."""

    async def unlisten(self, channel: str) -> None:
        """Bring this channel's messages no more."""

    async def earlier(self, channel: str) -> tuple[Position, Sequence[Message]]:
        """Where a channel stands, and its kept messages, the oldest first."""

    async def enter(self, channel: str, member: str) -> None:
        """Note a member of a channel; one that enters twice has to leave twice."""

    async def leave(self, channel: str, member: str) -> None:
        """Forget a member."""

    async def members(self, channel: str) -> list[str]:
        """The members of a channel in all processes, sorted, each once."""

    async def check(self) -> None:
        """Raise if the engine does not answer."""

    def note_away(self) -> None:
        """Tell the log that somebody has waited in vain, unless it knows."""

    async def aclose(self) -> None:
        """Stop, and let connections go."""


class Hub:
    """The subscribers of one event loop."""

    def __init__(self, make_engine: Callable[[Deliver, Tell], Engine], timeout: float) -> None:
        self.engine = make_engine(self.deliver, self.tell)
        self._timeout = timeout
        self._readers: dict[str, dict[Subscription, None]] = {}  # by channel, in the order in which they came
        self._entered: dict[Subscription, set[str]] = {}  # of which channels a reader is a member
        self._turn = asyncio.Lock()  # to change what the engine listens to
        self._has_ended = False
        self._is_closed = False
        self._leaving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._pumps: deque[Callable[[], None]] = deque()  # to be called

    async def join(self, reader: Subscription) -> None:
        """Let a reader have what is published from now on, and what it wants of the time before.

        `HTTPError` 503 if that takes too long: an engine that is away keeps all waiting who come, one behind another.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._join(reader)
            reader.joined()
            if self._has_ended:
                reader.end()
        except TimeoutError as error:
            self.engine.note_away()
            await self.leave(reader)
            raise unavailable() from error
        except BaseException:
            await self.leave(reader)
            raise

    async def leave(self, reader: Subscription) -> None:
        """Let a reader go, though who waits for that is cancelled."""
        leaving = asyncio.create_task(self._leave(reader))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        await asyncio.shield(leaving)

    async def _join(self, reader: Subscription) -> None:
        since = positions_from(reader.since or "", reader.channels)
        for channel in reader.channels:
            await self._listen(reader, channel)
            await self._begin(reader, channel, since.get(channel))
            if reader.member is not None:
                self._check_open()
                self._entered.setdefault(reader, set()).add(channel)
                await self.engine.enter(channel, reader.member)

    async def _leave(self, reader: Subscription) -> None:
        entered = self._entered.pop(reader, set())
        for channel in reader.channels:
            async with self._turn:
                readers = self._readers.get(channel, {})
                is_there = reader in readers
                readers.pop(reader, None)
                if is_there and not readers:
                    del self._readers[channel]
                    await self.engine.unlisten(channel)
            if reader.member is not None and channel in entered:
                await self.engine.leave(channel, reader.member)

    async def deliver(self, message: Message) -> None:
        """Give a message to all readers of its channel."""
        full = [reader for reader in self._readers.get(message.channel, ()) if not reader.put(message)]
        if full:
            await asyncio.gather(*(reader.put_when_there_is_room(message) for reader in full))

    def pump(self, pump: Callable[[], None]) -> None:
        """Have the event loop call a function soon, with all others in one go."""
        if not self._pumps:
            self._loop.call_soon(self._call_pumps)
        self._pumps.append(pump)

    def _call_pumps(self) -> None:
        for _ in range(min(len(self._pumps), PUMPS_IN_A_ROW)):
            self._pumps.popleft()()
        if self._pumps:
            self._loop.call_soon(self._call_pumps)

    def tell(self, notice: Notice) -> None:
        """Give a notice to all readers of its channel."""
        for reader in self._readers.get(notice.channel, ()):
            reader.tell(notice)

    def end(self) -> None:
        """End the iteration of all readers, and of those to come."""
        self._has_ended = True
        for readers in self._readers.values():
            for reader in readers:
                reader.end()

    async def aclose(self) -> None:
        """End the iteration of all readers, which are members of nothing any more, and stop the engine."""
        readers = {reader for readers in self._readers.values() for reader in readers}
        self.end()
        self._is_closed = True
        for reader in readers:
            await self.leave(reader)
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self.engine.aclose()

    def _check_open(self) -> None:
        """Let nobody who is still joining open connections again, or be a member."""
        if self._is_closed:
            raise unavailable()

    async def _listen(self, reader: Subscription, channel: str) -> None:
        async with self._turn:
            self._check_open()
            self._readers.setdefault(channel, {})[reader] = None
            # Whoever came first may have been cancelled before it was so far.
            await self.engine.listen(channel)

    async def _begin(self, reader: Subscription, channel: str, since: Position | None) -> None:
        self._check_open()
        position, kept = await self.engine.earlier(channel)
        if since is None:
            wanted = last(kept, reader.replay)
            reader.begin(channel, before(wanted[0].position) if wanted else position, position, wanted)
            return
        wanted, missed = behind(since, position, kept)
        reader.begin(channel, since if wanted else position, position, wanted)
        if missed != 0:
            reader.tell(Notice("gap", channel, missed))


def last(kept: Sequence[Message], count: int) -> Sequence[Message]:
    """The last messages of the kept ones."""
    return kept[-count:] if count else ()


def positions_from(text: str, channels: Sequence[str]) -> dict[str, Position]:
    """Where a reader of these channels wants to go on; nothing if the text, which may come from a client, says none."""
    places = [position_from(part) for part in text.split(".")]
    if len(places) != len(channels):
        return {}
    return {channel: place for channel, place in zip(channels, places, strict=True) if place is not None}
