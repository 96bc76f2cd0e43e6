"""SIGINT and SIGTERM, seen before the server sees them.

A server begins its own stop at once: Uvicorn closes all WebSockets with 1012, Granian cuts their connections. So that
the application can part from them first, the signal is held back, and handed on to the server when that is done.

Some servers have a handler that Python calls (`signal.signal`), others one of the event loop (`add_signal_handler`),
which learns of a signal by a byte that Python writes to a socket, the wakeup fd. Both are seen to.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SignalHandler = Callable[[int, FrameType | None], Any]


class StopSignals:
    """The stop signals of this process while a server handles them: `told` is called with the first of them, at once.

    In the middle of whatever the main thread does, that is. If it returns True, the server's own handler is called,
    which `hand_on` does later. Where no server has asked for a signal, or outside the main thread, nothing is done.
    """

    def __init__(self, told: Callable[[int], bool]) -> None:
        self._told = told
        self._previous: dict[int, SignalHandler] = {}
        self._is_over = False
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                previous = signal.getsignal(number)
                if callable(previous) and previous is not signal.default_int_handler:
                    self._previous[number] = previous
                    signal.signal(number, self._handle)

    @property
    def is_used(self) -> bool:
        """True if a server handles any of them."""
        return bool(self._previous)

    def hand_on(self, number: int, frame: FrameType | None = None) -> None:
        """Call the handler that was there before."""
        self._previous[number](number, frame)

    def end(self) -> None:
        """Let the server have its signals again."""
        self._is_over = True
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._handle:  # else somebody has put another one in front
                signal.signal(number, previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_over or self._told(number):
            self.hand_on(number, frame)


class HeldSignals:
    """The stop signals, held back from the server until `parted` has returned, which is awaited at the first of them.

    A second SIGINT, of somebody who is impatient, goes on to the server without a delay.
    """

    def __init__(self, parted: Callable[[], Awaitable[None]]) -> None:
        self._parted = parted
        self._loop = asyncio.get_running_loop()
        self._held: int | None = None  # the first signal
        self._is_free = False  # it was handed on
        self._task: asyncio.Task[None] | None = None
        self._signals = StopSignals(self._take)
        self._wakeup = WakeupRelay(self._loop, lambda: not self._is_free) if self._signals.is_used else None

    def end(self) -> None:
        """Hold nothing back any more."""
        self._is_free = True
        self._signals.end()
        if self._wakeup is not None:
            self._wakeup.end()

    def _take(self, number: int) -> bool:
        if self._held is None:
            self._held = number
            self._loop.call_soon_threadsafe(self._begin)
            return False
        if number == signal.SIGINT:
            self._hand_on()
        return self._is_free

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._part())

    async def _part(self) -> None:
        try:
            await self._parted()
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._is_free or self._held is None or self._wakeup is None:
            return
        self._is_free = True
        self._wakeup.write(self._held)
        self._signals.hand_on(self._held)


class WakeupRelay:
    """The wakeup fd of an event loop that handles signals, with a sieve before it for the stop signals."""

    def __init__(self, loop: asyncio.AbstractEventLoop, holds: Callable[[], bool]) -> None:
        self._loop = loop
        self._holds = holds
        self._fd = signal.set_wakeup_fd(-1)
        self._ends: tuple[socket.socket, socket.socket] | None = None
        if self._fd == -1 or os.name != "posix":  # the loop handles none, or waits for no sockets of ours
            signal.set_wakeup_fd(self._fd)
            return
        self._ends = socket.socketpair()
        for end in self._ends:
            end.settimeout(0)
        signal.set_wakeup_fd(self._ends[1].fileno())
        loop.add_reader(self._ends[0], self._relay)

    def write(self, number: int) -> None:
        """Tell the loop of a signal, if it handles any."""
        if self._ends is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, bytes([number]))

    def end(self) -> None:
        """Let the loop have its wakeup fd again."""
        if self._ends is None:
            return
        reader, writer = self._ends
        current = signal.set_wakeup_fd(self._fd)
        if current != writer.fileno():  # somebody has set another one since
            signal.set_wakeup_fd(current)
        self._loop.remove_reader(reader)
        reader.close()
        writer.close()
        self._ends = None

    def _relay(self) -> None:
        for number in self._read():
            if number not in STOP_SIGNALS or not self._holds():
                self.write(number)

    def _read(self) -> bytes:
        return b"" if self._ends is None else self._ends[0].recv(4096)
