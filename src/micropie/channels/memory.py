"""MemoryEngine: channels that live in this process, for one worker and for tests."""

import secrets
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence

from micropie.channels.hub import Deliver
from micropie.channels.message import START, Message, Position

MAX_CHANNELS = 10_000  # whose place in the sequence is remembered


class Kept:
    """What is known of a channel: its place, its last messages, and when it was published to."""

    __slots__ = ("messages", "position", "published_at")

    def __init__(self, history: int) -> None:
        self.position = Position(secrets.token_hex(4), 0)
        self.messages: deque[Message] = deque(maxlen=history)
        self.published_at = 0.0


class MemoryEngine:
    """Channels of one event loop. Of those that nobody listens to the longest unused are forgotten."""

    def __init__(self, deliver: Deliver, *, history: int, history_ttl: float) -> None:
        self._deliver = deliver
        self._history = history
        self._history_ttl = history_ttl
        self._kept: OrderedDict[str, Kept] = OrderedDict()  # those published to last are last
        self._listened: set[str] = set()
        self._members: dict[str, Counter[str]] = {}

    async def publish(self, channel: str, wire: bytes) -> Position:
        """Number a message and give it to all subscribers."""
        kept = self._kept.get(channel)
        if kept is None:
            self._forget()
            kept = self._kept[channel] = Kept(self._history)
        self._kept.move_to_end(channel)
        self._forget_history(kept)
        kept.position = Position(kept.position.epoch, kept.position.number + 1)
        kept.published_at = time.monotonic()
        message = Message(channel, kept.position, wire)
        kept.messages.append(message)
        await self._deliver(message)
        return message.position

    async def listen(self, channel: str) -> None:
        """Remember the channel."""
        self._listened.add(channel)

    async def unlisten(self, channel: str) -> None:
        """Let the channel be forgotten."""
        self._listened.discard(channel)

    async def earlier(self, channel: str) -> tuple[Position, Sequence[Message]]:
        """Where the channel stands, and its kept messages."""
        kept = self._kept.get(channel)
        if kept is None:
            return START, ()
        self._forget_history(kept)
        return kept.position, tuple(kept.messages)

    async def enter(self, channel: str, member: str) -> None:
        """Note a member."""
        self._members.setdefault(channel, Counter())[member] += 1

    async def leave(self, channel: str, member: str) -> None:
        """Forget a member."""
        members = self._members.get(channel, Counter())
        members[member] -= 1
        if members[member] <= 0:
            del members[member]
        if not members:
            self._members.pop(channel, None)

    async def members(self, channel: str) -> list[str]:
        """The members of a channel, sorted."""
        return sorted(self._members.get(channel, ()))

    async def check(self) -> None:
        """This process answers."""

    def note_away(self) -> None:
        """It never is."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def _forget_history(self, kept: Kept) -> None:
        """Forget a channel's messages, if their time is over."""
        if kept.published_at < time.monotonic() - self._history_ttl:
            kept.messages.clear()

    def _forget(self) -> None:
        """Forget a channel for one that comes, if there are too many."""
        if len(self._kept) >= MAX_CHANNELS:
            unheard = (channel for channel in self._kept if channel not in self._listened)
            self._kept.pop(next(unheard, ""), None)
