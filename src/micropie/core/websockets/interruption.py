"""The end of a WebSocket's handler that waits for something else when its connection is over, a queue say.

What it waits for is cancelled, as `asyncio.timeout` does it: a message costs nothing more, and the handler's clean-up
may wait again. `asyncio.shield` protects what must be completed.
"""

import asyncio
from collections.abc import Callable

from micropie.core.basics.types import Message, Receive, Send

UNTIL_TOLD = 0.5  # seconds in which the next send or receive tells the handler itself


class Interruption:
    """The interruption of a handler that runs between `enter` and `leave`: planned, dropped once it is told, made once.

    PERF: no context manager, of which the frame that waits would hold a method.
    """

    __slots__ = ("_cancellations", "_task", "_timer", "is_made")

    def __init__(self) -> None:
        self.is_made = False
        self._task: asyncio.Task[object] | None = None
        self._cancellations = 0  # by others, before the handler was called
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        """The handler begins, in the current task."""
        self._task = asyncio.current_task()
        self._cancellations = self._task.cancelling() if self._task else 0

    def leave(self, error: BaseException | None) -> bool:
        """The handler has ended, by an `error` maybe; true if that is the interruption."""
        self.drop()
        task, self._task = self._task, None
        if task is None or not self.is_made:
            return False
        return task.uncancel() <= self._cancellations and isinstance(error, asyncio.CancelledError)

    def plan(self) -> None:
        """Interrupt the handler in a moment."""
        if self._task is not None:
            self._timer = asyncio.get_running_loop().call_later(UNTIL_TOLD, self.make)

    def drop(self) -> None:
        """The handler is told, or has ended: there is no need."""
        if self._timer is not None:
            self._timer.cancel()

    def make(self) -> None:
        """Cancel what the handler waits for, if it has not ended."""
        if self._task is not None:
            self.is_made = True
            self._task.cancel("The WebSocket is closed")

    def is_why(self) -> bool:
        """True if a cancellation in the current task is this one, and nobody else's."""
        task = asyncio.current_task()
        if task is None or task is not self._task:
            return False
        return self.is_made and task.cancelling() <= self._cancellations + 1


class IdleWatch:
    """The `receive` and `send` of a connection, which note each message; `on_idle` is called after `seconds` without.

    `on_cancel` is called when a receive is cancelled, and may raise something else.

    PERF: a timer that looks when there was a message last, not a new one for each.
    """

    def __init__(
        self,
        seconds: float,
        receive: Receive,
        send: Send,
        on_idle: Callable[[], None],
        on_cancel: Callable[[], None],
    ) -> None:
        self._seconds = seconds
        self._receive = receive
        self._send = send
        self._on_idle = on_idle
        self._on_cancel = on_cancel
        self._last = 0.0  # when there was a message
        self._timer: asyncio.TimerHandle | None = None

    async def receive(self) -> Message:
        """The next event."""
        try:
            event = await self._receive()
        except asyncio.CancelledError:
            self._on_cancel()
            raise
        self._last = asyncio.get_running_loop().time()
        return event

    async def send(self, message: Message) -> None:
        """Send the message."""
        self._last = asyncio.get_running_loop().time()
        await self._send(message)

    def look(self) -> None:
        """Look whether there was a message of late, now and as long as there is."""
        loop = asyncio.get_running_loop()
        left = self._last + self._seconds - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self.look)
        else:
            self._on_idle()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
