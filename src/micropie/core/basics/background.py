"""What an application runs beside its requests: the tasks that it owns, and the stop that all of it is told of."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from micropie.core.basics.errors import log

GRACE = 10.0  # seconds from the beginning of a stop until everything is cancelled, unless the server's are known
GRACEFUL_TIMEOUT = "MICROPIE_GRACEFUL_TIMEOUT"  # the variable of the environment that says how long a stop may take
LAST_WORD = 0.5  # seconds before that; then what was told, and still runs, is ended in good form
UNDOING = 1.0  # seconds for what is cancelled to end
MAX_NAMES = 10  # of tasks that one record names
Outcome = TypeVar("Outcome")


class Stopping:
    """The stop of the server: true once it has begun, and to be awaited until then.

    while not self.request.stopping:
        yield await self.latest()

    await self.request.stopping
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._told: dict[Callable[[], None], None] = {}  # who is to be told, in the order in which they came

    def __bool__(self) -> bool:
        return self._has_begun

    def __await__(self) -> Generator[Any, Any, None]:
        return self.wait().__await__()

    async def wait(self) -> None:
        """Wait for the stop to begin, as a coroutine, which `create_task` wants."""
        if self._has_begun:
            return
        begun = asyncio.Event()
        self.tell(begun.set)
        try:
            await begun.wait()
        finally:
            self.forget(begun.set)

    async def sleep(self, seconds: float) -> bool:
        """Wait so many seconds, and be true; false at once when the stop begins, or has begun.

        while await self.request.stopping.sleep(60):
            await self.tidy_up()
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()
        return not self._has_begun

    def tell(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the stop begins, or soon if it has; once, until it is forgotten."""
        self._told[callback] = None
        if self._has_begun:
            asyncio.get_running_loop().call_soon(self._call, callback)

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call `callback` any more."""
        self._told.pop(callback, None)

    def begin(self) -> None:
        """Tell everybody."""
        self._has_begun = True
        for callback in list(self._told):
            self._call(callback)

    def _call(self, callback: Callable[[], None]) -> None:
        if callback in self._told:
            callback()


class Background:
    """The tasks of one application, and its stop."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self._sockets = 0  # that are open
        self._last_socket: asyncio.Future[None] | None = None  # where somebody waits for its end
        self._grace = GRACE
        self._deadline = 0.0  # by the loop's clock, once it stops
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, grace: float) -> None:
        """Begin, with so many seconds for a stop."""
        self._grace = grace

    def begin_stop(self) -> None:
        """Tell everybody of the stop, once."""
        if not self.stopping:
            self._deadline = asyncio.get_running_loop().time() + self._grace
            self.stopping.begin()

    def stop_is_over(self) -> None:
        """Let the application be used again; whoever was told of the stop still sees it."""
        self.stopping = Stopping()

    @property
    def remaining(self) -> float:
        """Seconds until everything is cancelled, in a stop."""
        return max(self._deadline - asyncio.get_running_loop().time(), 0)

    @property
    def until_last_word(self) -> float:
        """Seconds until what was told, and still runs, is ended in good form."""
        return max(self.remaining - min(LAST_WORD, self._grace / 2), 0)

    def open_socket(self) -> None:
        """Count a WebSocket, which the stop waits for."""
        self._sockets += 1

    def close_socket(self) -> None:
        """Count one that is over."""
        self._sockets -= 1
        if not self._sockets and self._last_socket is not None and not self._last_socket.done():
            self._last_socket.set_result(None)

    async def until_parted(self) -> None:
        """Wait until no WebSocket is open, as long as the stop allows."""
        if self._sockets:
            self._last_socket = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._last_socket}, timeout=self.remaining)

    def spawn(self, coroutine: Coroutine[Any, Any, Outcome], name: str | None = None) -> asyncio.Task[Outcome]:
        """Run a coroutine as a task of the application, which is logged if it fails."""
        task = asyncio.get_running_loop().create_task(
            _without_exit(coroutine), name=name or getattr(coroutine, "__qualname__", None)
        )
        self._tasks.add(task)
        task.add_done_callback(self._let_go)
        task.add_done_callback(lambda _: coroutine.close())  # of a task that was cancelled before it began
        return task

    async def end(self) -> None:
        """Wait for the tasks as long as the stop allows, then cancel them."""
        if not self._tasks:
            return
        log.info("Waiting for background tasks: %s", self._names())
        while self._tasks and self.remaining:  # one that ends may have spawned another
            await asyncio.wait(self._tasks.copy(), timeout=self.remaining)
        if self._tasks:
            log.warning("Background tasks are cancelled, since they did not end in time: %s", self._names())
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks.copy(), timeout=UNDOING)

    def _names(self) -> str:
        names = [task.get_name() for task in self._tasks]
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        return ", ".join(sorted(names)[:MAX_NAMES]) + more

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("The background task %s failed", task.get_name(), exc_info=error)


async def _without_exit(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The result of a coroutine; a `SystemExit`, which would end the server, becomes a RuntimeError."""
    try:
        return await coroutine
    except SystemExit as error:
        raise RuntimeError(f"The task raised {error!r}") from error


current_background: ContextVar[Background] = ContextVar("current_background")  # of an application that starts
