"""The messages of a WebSocket's peer, in order, and a look ahead for its leaving.

Servers tell by an event that the peer has left, and most of them tell it only to those who receive: a handler that
sends and sends would never end. So where nobody has received for a while, events are read ahead: few enough to hold a
busy peer back, and kept for the receives to come.

The server is asked by one at a time, so that each event has one taker, and they stay in order:

    by nobody                     `is_direct` if nothing is kept, else the events that are go first
    by a receive itself           from `WebSocket._next`, which makes `is_direct` False meanwhile
    by the reader                 `_reader`, from `_look` on, until `_read_ahead` has enough
    by a receive in its place     `_waiting`, in `next`, when the reader has ended

(Two receives at once ask both; which of them gets what is their business.) The end of a receive starts the timer of a
look, if none runs: a busy handler has one for all of its messages.
"""

import asyncio
from collections import deque
from typing import Protocol

from micropie.core.basics.types import Message, Receive

LOOK_AFTER = 0.5  # seconds without a receive
MAX_AHEAD = 64 * 1024  # bytes of what is kept; one more event may be larger
EVENT_SIZE = 64  # bytes that an empty message counts

DISCONNECT = "websocket.disconnect"
NO_MORE: Message = {"type": DISCONNECT}  # that is told though the peer may be there
_NO_EVENT: Message = {}
_NOTHING: "deque[tuple[Message | Exception, int]]" = deque(maxlen=0)


async def no_more() -> Message:
    """The `receive` of a connection that is closed; who catches that, and receives on and on, holds up nobody else."""
    await asyncio.sleep(0)
    return NO_MORE


class Owner(Protocol):
    """Whose inbox it is, which wants to know when the peer has left."""

    def note_disconnect(self, event: Message) -> None:
        """The peer has left, as an event says."""


class Inbox:
    """The events of one connection, each given to one receive; its `owner` is told of a disconnect once it is seen.

    While `is_direct`, a receive may ask the server itself, by `receive`, and makes it False meanwhile; otherwise the
    next event is had by `next`. `watch` is to be called when a receive is over and there is no `timer`.
    """

    __slots__ = (
        "_ahead",
        "_closed",
        "_is_open",
        "_kept",
        "_owner",
        "_reader",
        "_waiting",
        "is_direct",
        "receive",
        "timer",
    )

    def __init__(self, receive: Receive, owner: Owner) -> None:
        self.receive = receive
        self.is_direct = False  # nobody else asks the server, and nothing is kept
        self.timer: asyncio.TimerHandle | None = None  # runs until the next look
        self._is_open = False  # accepted, and not closed
        self._closed: asyncio.Future[None] | None = None  # where failed sends wait for that
        self._owner: Owner | None = owner  # PERF: not a method of it, 64 bytes
        self._kept = _NOTHING  # events with their sizes; PERF: a deque of its own, 0.7 kB, where there are some
        self._ahead = 0  # bytes of what is kept
        self._reader: asyncio.Task[None] | None = None
        self._waiting = 0  # receives that are in `next`

    def open(self) -> None:
        """Let receives in, and look for the peer's leaving from now on."""
        self.is_direct = self._is_open = True
        self.watch()

    def watch(self) -> None:
        """Look in a while whether anybody receives."""
        if self._is_open:
            self.timer = asyncio.get_running_loop().call_later(LOOK_AFTER, self._look)

    def close(self) -> None:
        """Look no more; whoever asks for more than is kept hears again and again that the peer has left."""
        self.receive = no_more
        self._is_open = False
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        if self.timer is not None:
            self.timer.cancel()
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None  # its own end does that too, but not of one that has not begun

    def drop(self) -> None:
        """Forget what is kept, which nobody asks for any more, and the owner, so that no circle is left."""
        self._kept = _NOTHING
        self._owner = None

    @property
    def is_dropped(self) -> bool:
        """True if whoever made the socket is done with it."""
        return self._owner is None

    async def until_closed(self) -> None:
        """Wait for the end of a connection that seems to be over; not for long."""
        if self._is_open:
            if self.timer is not None:
                self.timer.cancel()
            self._look()
            self._closed = self._closed or asyncio.get_running_loop().create_future()
            await asyncio.wait({self._closed}, timeout=LOOK_AFTER)

    async def next(self) -> Message:
        """The next event, where it may be kept, or be on its way to somebody else."""
        self._waiting += 1
        try:
            while self._reader is not None and not self._kept:
                await asyncio.wait({self._reader})
            return self._take() if self._kept else await self.receive()
        finally:
            self._waiting -= 1
            if self.timer is None:
                self.watch()

    def _take(self) -> Message:
        event, size = self._kept.popleft()
        self._ahead -= size
        self.is_direct = not self._kept and self._reader is None
        if isinstance(event, Exception):
            raise event
        return event

    def _look(self) -> None:
        """Read ahead if nobody receives; else this is called again some time after that receive."""
        self.timer = None
        if (self.is_direct or self._kept) and self._reader is None and not self._waiting:
            self.is_direct = False
            self._reader = asyncio.get_running_loop().create_task(
                self._read_ahead(), name="a WebSocket's look for its peer's leaving"
            )

    async def _read_ahead(self) -> None:
        """Keep events until there are enough of them, the peer leaves, or somebody has waited for one."""
        event = _NO_EVENT
        try:
            while self._ahead < MAX_AHEAD and not (self._kept and self._waiting) and event.get("type") != DISCONNECT:
                event = await self.receive()
                self._keep(event, len(event.get("text") or event.get("bytes") or b""))
        except Exception as error:  # a middleware's, say: the next receive's to raise
            self._keep(error, 0)
        finally:
            self._reader = None
        if event.get("type") == DISCONNECT and self._owner is not None:
            self._owner.note_disconnect(event)

    def _keep(self, event: Message | Exception, length: int) -> None:
        size = EVENT_SIZE + length
        if self._kept is _NOTHING:
            self._kept = deque()
        self._kept.append((event, size))
        self._ahead += size
