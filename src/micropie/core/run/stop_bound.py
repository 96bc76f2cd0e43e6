"""The bound of a stop: what is served is cancelled when its time is over, and a moment later the process ends.

Whatever handlers do: some swallow their cancellation, some block the event loop, and a thread can't be cancelled.
Uvicorn and Granian wait for all of those, Granian without a cancellation at all.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from micropie.core.basics.errors import counted, log
from micropie.core.basics.types import Message, Receive, Scope, Send
from micropie.core.lifespan.signals import StopSignals

CANCELLING = 0.5  # seconds for what is cancelled to end, before the server goes on without it
ENDING = 1.0  # seconds behind the time of a stop, for all of it to end


class StopBound:
    """The bound of the stop of this process, from the first stop signal on.

    `last` is called before the process is ended by force, which is the exit status 0 all the same: it was asked to end.
    """

    def __init__(self, grace: float, last: Callable[[], Any] = lambda: None) -> None:
        self.tasks: set[asyncio.Task[Any] | None] = set()  # those that serve
        self._grace = grace
        self._last = last
        self._signals: StopSignals | None = None
        self._has_begun = False
        self._is_over = threading.Event()
        self._reader = self._writer = -1

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look out for the stop signals."""
        self._signals = StopSignals(partial(self._begin, loop))
        if self._signals.is_used:
            self._reader, self._writer = os.pipe()
            threading.Thread(target=self._end_in_time, name="micropie_stop", daemon=True).start()

    def end(self) -> None:
        """Bound nothing any more: the server has ended."""
        self._is_over.set()
        if self._signals is not None and self._signals.is_used:
            self._signals.end()
            os.close(self._writer)

    def _begin(self, loop: asyncio.AbstractEventLoop, _number: int) -> bool:
        """Begin with the first signal, in the middle of whatever the main thread does: without a lock, that is."""
        if not self._has_begun:
            self._has_begun = True
            os.write(self._writer, b".")
            loop.call_soon_threadsafe(loop.call_later, self._grace, self._cancel)
        return True

    def _cancel(self) -> None:
        running = [task for task in self.tasks if task is not None]
        if running:
            log.warning("%s cancelled, not ended within %g s", counted(len(running), "request"), self._grace)
        for task in running:
            task.cancel()

    def _end_in_time(self) -> None:
        os.read(self._reader, 1)
        if not self._is_over.wait(self._grace + ENDING):
            log.error("The process is ended by force: it did not end within %g s", self._grace)
            self._last()
            os._exit(0)
        os.close(self._reader)


class BoundedASGI:
    """An ASGI application whose stop has a bound."""

    def __init__(self, app: Any, bound: StopBound) -> None:
        self._app = app
        self._bound = bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, or the lifespan; the bound comes when the application has started."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        task, tasks = asyncio.current_task(), self._bound.tasks
        tasks.add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            tasks.discard(task)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        is_watched = False

        async def watching_send(message: Message) -> None:
            nonlocal is_watched
            if not is_watched and message["type"] == "lifespan.startup.complete":
                is_watched = True
                self._bound.watch(loop)
            await send(message)

        try:
            await self._app(scope, receive, watching_send)
        except BaseException:
            if not is_watched:  # it knows no lifespan, and is served all the same
                self._bound.watch(loop)
            raise


class BoundedRSGI:
    """An RSGI application whose stop has a bound."""

    def __init__(self, app: Any, bound: StopBound) -> None:
        self._app = app
        self._call = getattr(app, "__rsgi__", app)
        self._bound = bound

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the application, then watch for the stop."""
        getattr(self._app, "__rsgi_init__", lambda _loop: None)(loop)
        self._bound.watch(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop the application."""
        getattr(self._app, "__rsgi_del__", lambda _loop: None)(loop)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Serve a request."""
        task, tasks = asyncio.current_task(), self._bound.tasks
        tasks.add(task)
        try:
            await self._call(scope, protocol)
        finally:
            tasks.discard(task)
