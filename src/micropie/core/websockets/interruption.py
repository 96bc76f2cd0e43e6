"""The end of a WebSocket's handler that waits for something else when its connection is over, a queue say.

What it waits for is cancelled, as `asyncio.timeout` does it: a message costs nothing more, and the handler's clean-up
may wait again. `asyncio.shield` protects what must be completed.
"""

import asyncio

UNTIL_TOLD = 0.5  # seconds in which the next send or receive tells the handler itself


class Interruption:
    """The interruption of a handler that runs between `enter` and `leave`.

    It is planned when the peer has left, dropped when a send or a receive tells the handler, and made if none does;
    that of an idle connection is made at once. Outside of `enter` and `leave` nobody is interrupted.

    PERF: no context manager, of which the frame that waits would hold a method.
    """

    __slots__ = ("_cancellations", "_is_made", "_task", "_timer")

    def __init__(self) -> None:
        self._is_made = False
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
        if task is None or not self._is_made:
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
        """Cancel what the handler waits for, if it has not ended; once, whoever asks for it."""
        self.drop()
        if self._task is not None and not self._is_made:
            self._is_made = True
            self._task.cancel("The WebSocket is closed")

    def is_why(self) -> bool:
        """True if a cancellation in the current task is this one, and nobody else's."""
        task = asyncio.current_task()
        if task is None or task is not self._task:
            return False
        return self._is_made and task.cancelling() <= self._cancellations + 1
