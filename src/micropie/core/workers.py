"""The threads in which sync handlers and sync generators run, so that nobody holds up the event loop.

The context of the caller goes along, so `self.request` is right there. A thread can't be cancelled: when the
client leaves, a handler runs to its end, and a generator is closed as soon as its `next()` is back.
"""

import asyncio
import concurrent.futures
import contextvars
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from micropie.core.errors import log

_END: Any = object()


class Workers:
    """Up to `size` threads, started when needed; with a size of 0 everything runs on the event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The function's result, or its exception."""
        if not self._size:
            return function(*args, **kwargs)
        return await asyncio.wrap_future(self._submit(contextvars.copy_context(), function, args, kwargs))

    async def iterate(self, iterator: Iterator[Any]) -> AsyncIterator[Any]:
        """The items of a sync iterator, which is closed in the end, but never while its `next()` runs."""
        context = contextvars.copy_context()
        job: concurrent.futures.Future[Any] | None = None
        exhausted = False
        try:
            while True:
                if self._size:
                    job = self._submit(context, next, [iterator, _END])
                    item = await asyncio.wrap_future(job)
                else:
                    item = next(iterator, _END)
                if item is _END:
                    exhausted = True
                    return
                yield item
        finally:
            if not (exhausted and isinstance(iterator, Generator)):  # which has nothing left to close
                self._close_after(job, context, iterator)

    def shutdown(self) -> None:
        """Let the threads go when their work is done; later work starts new ones."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _submit(
        self,
        context: contextvars.Context,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> concurrent.futures.Future[Any]:
        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(self._size, thread_name_prefix="micropie")
        return self._pool.submit(context.run, _call, function, args, kwargs or {})

    def _close_after(
        self, job: concurrent.futures.Future[Any] | None, context: contextvars.Context, iterator: Iterator[Any]
    ) -> None:
        """Close the iterator once the job that may be running it is over: in its thread, or at once."""
        close = getattr(iterator, "close", None)
        if close is None:
            return
        if job is None:
            _close_iterator(context, close)
        elif job.done():
            self._submit(contextvars.copy_context(), _close_iterator, [context, close])  # it may block, so not here
        else:
            job.add_done_callback(lambda _: _close_iterator(context, close))  # in the job's thread


def _close_iterator(context: contextvars.Context, close: Callable[[], None]) -> None:
    try:
        context.run(close)
    except Exception:
        log.exception("A stream's iterator could not be closed")


def _call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call it; a StopIteration, which no future can carry, becomes what generators make of it (PEP 479)."""
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("a handler raised StopIteration") from error
