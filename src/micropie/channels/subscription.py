"""Subscription: the messages of some channels for one reader, in a queue that is bounded."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

from micropie import current_request
from micropie.channels.message import START, Message, Notice, Position, is_behind

if TYPE_CHECKING:
    from micropie.channels.hub import Hub

Policy = Literal["drop_oldest", "disconnect", "block"]
NOTHING: "deque[Message]" = deque(maxlen=0)  # the queue of who has read everything
FEW = 8  # channels that are told apart by looking at each name, without a dict for it
BLOCK_TIMEOUT = 5.0  # seconds that a reader with the policy "block" may hold up its publishers


class SlowConsumer(Exception):  # noqa: N818 - the field's term for what happened
    """A reader was so slow that its queue was full, and the policy is to disconnect it.

    try:
        async for message in messages:
            await ws.send(message.data)
    except SlowConsumer:
        await ws.close(1013)
    """


class Subscription:
    """An async iterator of `Message`, to be used as `async with channels.subscribe("lobby") as messages`.

    `channels`, `since`, `replay` and `member` are as `subscribe` was given them. `missed` is how many messages this
    reader has lost so far, as far as that is known. `position` is where it stands: a text to be given to
    `subscribe(since=…)`, which goes on behind it.

        async with self.channels.subscribe("lobby", replay=10) as messages:
            async for message in messages:
                print(message.data, messages.position)
    """

    # PERF: there are ten thousand of them; dicts, and queues and a lock before they are used, are 2 kB more of each.
    __slots__ = (
        "__weakref__",
        "_begun",
        "_blocked",
        "_error",
        "_hub",
        "_is_idle",
        "_is_joining",
        "_is_over",
        "_known",
        "_messages",
        "_notices",
        "_numbers",
        "_policy",
        "_positions",
        "_pump",
        "_queue_size",
        "_room",
        "_turn",
        "_waiter",
        "channels",
        "member",
        "missed",
        "on_give_up",
        "replay",
        "since",
    )

    def __init__(
        self,
        hub: "Hub",
        channels: Sequence[str],
        *,
        queue_size: int,
        policy: Policy,
        since: str | None = None,
        replay: int = 0,
        member: str | None = None,
    ) -> None:
        self.channels: tuple[str, ...] = tuple(dict.fromkeys(channels))
        self.since: str | None = since
        self.replay: int = replay
        self.member: str | None = member
        self.missed: int = 0
        self._hub = hub
        self._queue_size = queue_size
        self._policy = policy
        self._messages = NOTHING
        self._begun = 0  # of those in the queue that are of the time before the block
        # By kind and channel: they are told before what is in the queue.
        self._notices: dict[tuple[str, str], Notice] | None = None
        self._positions = [START] * len(self.channels)
        is_long = len(self.channels) > FEW
        self._numbers = {name: number for number, name in enumerate(self.channels)} if is_long else None
        # Until messages come from behind there: where the reader has begun in each channel.
        self._known: list[Position | None] | None = None
        self._is_idle = False  # somebody waits for messages: who iterates, or who is pumped
        self._waiter: asyncio.Future[None] | None = None  # of who iterates
        self._pump: Callable[[], None] | None = None  # who is pumped
        self._blocked = 0  # publishers that wait for room
        self._turn: asyncio.Lock | None = None  # of these
        self._room: asyncio.Future[None] | None = None  # of the one whose turn it is
        self._error: Exception | None = None
        self._is_over = False
        # Until it can read: who joins waits for what comes by the way that it would block, and has room until then.
        self._is_joining = True
        self.on_give_up: Callable[[], None] | None = None  # for who sends, and may not come to the iteration's end

    async def __aenter__(self) -> Self:
        with start_waiting():
            await self._hub.join(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()
        await self._hub.leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        # PERF: what is there is taken without a coroutine more.
        while not self._messages:
            await self.until_there()
        self._notices = None
        return self._take()

    async def next(self) -> Message | Notice:
        """The next message, or what there is to be told before it. `StopAsyncIteration` at the end."""
        while not self._messages and not self._notices:
            await self.until_there()
        if not self._notices:
            return self._take()
        notice = self._notices.pop(next(iter(self._notices)))
        self._notices = self._notices or None
        return notice

    def waiting(self) -> Iterator[Message]:
        """The messages that wait, which are read one by one as this is iterated."""
        positions, number_of = self._positions, self._number_of
        while self._messages:  # PERF: as _take(), 0.1 µs
            message = self._messages.popleft()
            positions[number_of(message.channel)] = message.position
            if self._room is not None:
                self._make_room()
            yield message
        self._messages = NOTHING

    def _take(self) -> Message:
        message = self._messages.popleft()
        if not self._messages:
            self._messages = NOTHING
        self._positions[self._number_of(message.channel)] = message.position
        if self._room is not None:
            self._make_room()
        return message

    def pump_by(self, pump: Callable[[], None] | None) -> None:
        """Have the event loop call `pump` once something comes, or nothing will; None: not any more."""
        self._notices = None
        self._pump = pump
        self._is_idle = pump is not None

    @property
    def has_ended(self) -> bool:
        """True if nothing comes behind what waits."""
        return self._is_over

    @property
    def is_given_up(self) -> bool:
        """True of who was too slow."""
        return self._error is not None

    def check(self) -> None:
        """Raise `SlowConsumer` of who was too slow."""
        if self._error is not None:
            raise self._error

    def until_there(self) -> "asyncio.Future[None]":
        """What to await for something to take. `StopAsyncIteration` if nothing comes any more, or `SlowConsumer`.

        PERF: no coroutine, 0.2 kB of each reader that waits.
        """
        self.check()
        if self._is_over and not self._messages:
            raise StopAsyncIteration
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        if self._messages:
            waiter.set_result(None)
        else:
            self._is_idle = True
        return waiter

    @property
    def position(self) -> str:
        """The place behind the last message that was read of each channel, as a text."""
        return ".".join(map(str, self._positions))

    # What the hub calls.

    def joined(self) -> None:
        """Say that the reader can read from now on."""
        self._is_joining = False

    def begin(self, channel: str, place: Position, position: Position, earlier: Sequence[Message]) -> None:
        """Say where reader and channel stand, and what the reader gets between these, which has room of its own.

        What was published while that was looked up has come already; what is on its way yet may be among it too.
        """
        number = self._number_of(channel)
        if self._known is None:
            self._known = [None] * len(self.channels)
        self._known[number] = position
        waiting = [one for one in self._messages if one.channel != channel or self._is_news(one)]
        waiting[self._begun : self._begun] = earlier
        self._messages = deque(waiting) if waiting else NOTHING
        self._positions[number] = place
        if earlier:
            self._begun += len(earlier)
            self._queue_size += len(earlier)
        self._wake()

    def put(self, message: Message) -> bool:
        """Take a message; False if there is no room for it, and its publisher is to wait for that."""
        if self._is_over or (self._known is not None and not self._is_news(message)):
            return True
        if len(self._messages) >= self._queue_size or self._blocked:
            if self._policy == "block" and not self._is_joining:
                self._blocked += 1  # now, so that none published later comes before it
                return False
            if self._policy == "disconnect":
                self.give_up()
                return True
            if self._policy == "drop_oldest":
                self._drop_oldest()
        # PERF: in place, 0.05 µs.
        if self._messages:
            self._messages.append(message)
        else:
            self._messages = deque((message,))
        if self._is_idle:
            self._wake()
        return True

    def put_when_there_is_room(self, message: Message) -> "asyncio.Task[bool]":
        """Take a message, behind those that wait already; who reads nothing for too long is given up."""
        waiting = asyncio.create_task(self._taken_when_there_is_room(message))
        waiting.add_done_callback(partial(self._end_wait, message))
        return waiting

    def _end_wait(self, message: Message, waiting: "asyncio.Task[bool]") -> None:
        """A publisher waits no more, which may have been cancelled before its wait has begun."""
        self._blocked -= 1
        if waiting.cancelled() or not waiting.result():
            self.tell(Notice("gap", message.channel, 1))

    async def _taken_when_there_is_room(self, message: Message) -> bool:
        """True of a message that was taken."""
        try:
            self._turn = self._turn or asyncio.Lock()
            async with asyncio.timeout(BLOCK_TIMEOUT), self._turn:
                while len(self._messages) >= self._queue_size and not self._is_over:
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
                if self._error is not None:
                    return False
                self._messages = self._messages or deque()
                self._messages.append(message)
                self._wake()
        except TimeoutError:
            self.give_up()
            return False
        return True

    def tell(self, notice: Notice) -> None:
        """Take a notice; of those that nobody has read yet a channel has one of each kind, its gaps being added up."""
        self.missed += notice.missed or 0
        if self._notices is None:
            self._notices = {}
        key = notice.kind, notice.channel
        earlier = self._notices.pop(key, None)
        if earlier is not None and notice.kind == "gap":
            notice = notice._replace(missed=added(earlier.missed, notice.missed))
        self._notices[key] = notice
        self._wake()

    def give_up(self) -> None:
        """End the iteration with `SlowConsumer`."""
        self._error = SlowConsumer(f"a subscriber of {self.channels!r} has {self._queue_size} messages waiting")
        self._messages = NOTHING
        self.end()
        if self.on_give_up is not None:
            self.on_give_up()

    def end(self) -> None:
        """End the iteration, behind what is in the queue."""
        self._is_over = True
        self._wake()
        self._make_room()

    @property
    def _number_of(self) -> Callable[[str], int]:
        """What says which of the channels one is, by its name."""
        return self.channels.index if self._numbers is None else self._numbers.__getitem__

    def _is_news(self, message: Message) -> bool:
        """True of a message that comes behind where the reader has begun; its channel needs no further look then."""
        if self._known is None:
            return True
        number = self._number_of(message.channel)
        if (known := self._known[number]) is not None:
            if not is_behind(message.position, known):
                return False
            self._known[number] = None
            if not any(self._known):
                self._known = None
        return True

    def _drop_oldest(self) -> None:
        self._begun = max(0, self._begun - 1)
        self.tell(Notice("gap", self._messages.popleft().channel, 1))

    def _wake(self) -> None:
        if not self._is_idle:
            return
        self._is_idle = False  # PERF: at once, so that the next message of a burst finds nobody to wake
        if self._pump is not None:
            self._hub.pump(self._pump)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None


@contextmanager
def start_waiting() -> Iterator[None]:
    """Let the start of a streamed reply wait meanwhile, so that who can't join is answered 503, and not cut off."""
    request = current_request.get(None)
    if request is None:
        yield
        return
    before, request.start_waits = request.start_waits, True
    try:
        yield
    finally:
        request.start_waits = before


def added(missed: int | None, more: int | None) -> int | None:
    """Two counts as one; nobody knows it if one of them is not known."""
    return None if missed is None or more is None else missed + more
