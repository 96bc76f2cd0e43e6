"""A look out for connections in which nothing is said any more."""

import asyncio
from collections.abc import Callable

from micropie.core.basics.types import Message, Receive, Send


class IdleWatch:
    """The `receive` and `send` of a connection, which note each message; `on_idle` is called after `seconds` without.

    `on_cancel` is called when a receive is cancelled, and may raise something else.

    PERF: a timer that looks when there was a message last, not a new one for each.
    """

    __slots__ = ("_last", "_on_cancel", "_on_idle", "_receive", "_seconds", "_send", "_timer")

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
        self._last = 0.0  # when there was a message, by the loop's clock
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
