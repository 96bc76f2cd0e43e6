"""The threads in which sync handlers and sync generators run, so that nobody holds up the event loop.

The context of the caller goes along, so `self.request` is right there. A thread can't be cancelled: when the
client leaves, a handler runs to its end, and a generator is closed as soon as its `next()` is back.

A handler runs in whichever thread is free. All steps of a stream run in one thread, since database connections and
other things that a generator holds may belong to the thread that made them; between two steps that thread does other
work, so a client that reads slowly holds none. A `next()` that blocks holds up the streams of its own thread only:
streams are spread over the threads, and handlers keep away from them as long as there is another one.

A job goes to the queue of one thread, and its outcome back through the outbox of its event loop, which is
woken up once for many of them. PERF: 3 µs of CPU a call with 64 clients, 25 µs with one; a ThreadPoolExecutor
takes 21 and 44 µs.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from micropie.core.basics.errors import FAILURES, log
from micropie.core.basics.optional import lazy_import

if TYPE_CHECKING:
    from queue import SimpleQueue

_END: Any = object()  # of an iterator
_WAKE: Any = object()  # no job, but a reason to look whether there will be one
_OVER: Any = object()  # there will be none
_used_worker: ContextVar["_Worker | None"] = ContextVar("_used_worker", default=None)  # by the request, last


class WorkerThreads:
    """Up to `size` threads, started when needed; with a size of 0 everything runs on the event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads: _Threads | None = None
        self._outbox: _Outbox | None = None  # of the event loop that asked last

    def __del__(self) -> None:
        self.shutdown()

    async def run(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The function's result, or its exception."""
        if not self._size:
            return function(*args, **kwargs)
        # No name for the future: an exception must not find itself in its traceback.
        result, worker = await self._submit((copy_context(), function, args, kwargs))
        _used_worker.set(worker)
        return result

    async def run_in_context(self, function: Callable[[], Any]) -> Any:
        """The function's result, or its exception; the context variables that it sets are set for the caller too."""
        context = copy_context()

        def in_context() -> Any:
            return context.run(function)

        try:
            return await self.run(in_context, (), {})
        finally:
            used = _used_worker.get()
            for variable, value in context.items():
                if variable.get(_END) is not value:
                    variable.set(value)
            _used_worker.set(used)

    async def iterate(self, iterator: Iterator[Any]) -> AsyncIterator[Any]:
        """The items of a sync iterator, which is closed in the end, but never while its `next()` runs.

        It stays in the thread in which the request was served last, if it was in any: there its handler may have opened
        what it reads from.
        """
        in_thread = self._size > 0
        steps = _StepsInThread(iterator, self._threads_here(), self._outbox_here()) if in_thread else _Steps(iterator)
        is_over = False
        try:
            while (item := await steps.next()) is not _END:
                yield item
            is_over = isinstance(iterator, Generator)
        finally:
            if not is_over and hasattr(iterator, "close"):
                steps.close()
            steps.end()

    def shutdown(self) -> None:
        """Let the threads go when their work is done; later work starts new ones."""
        if self._threads is not None:
            self._threads.let_go()
            self._threads = None

    def _submit(self, call: "_Call") -> asyncio.Future[Any]:
        outbox = self._outbox_here()
        future = outbox.loop.create_future()
        self._threads_here().give((future, outbox, call))
        return future

    def _threads_here(self) -> "_Threads":
        if self._threads is None:
            self._threads = _Threads(self._size)
        return self._threads

    def _outbox_here(self) -> "_Outbox":
        """The outbox of the running event loop; an application may see several, one after another."""
        loop = asyncio.get_running_loop()
        if self._outbox is None or self._outbox.loop is not loop:
            self._outbox = _Outbox(loop)
        return self._outbox


class _Outbox:
    """Outcomes on their way to the futures of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._outcomes: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._will_deliver = False

    def post(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        """Deliver an outcome soon; for any thread. If the loop is closed, nobody waits any more."""
        self._outcomes.append((future, result, error))
        if self._will_deliver:
            return
        self._will_deliver = True
        try:
            self.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            self._will_deliver = False
            self._outcomes.clear()

    def _deliver(self) -> None:
        self._will_deliver = False  # before looking: what is posted from now on asks for another delivery
        while self._outcomes:
            future, result, error = self._outcomes.popleft()
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class _Steps:
    """The steps of a sync iterator, all in one context: here on the event loop."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self._context = copy_context()

    async def next(self) -> Any:
        """The next item, or `_END`."""
        return self._context.run(next, self._iterator, _END)

    def close(self) -> None:
        """Close the iterator."""
        self._context.run(_close_iterator, self._iterator)

    def end(self) -> None:
        """No further step will come."""


class _StepsInThread(_Steps):
    """The steps of a sync iterator in one thread, one after the other: `close()` too, since it may block."""

    def __init__(self, iterator: Iterator[Any], threads: "_Threads", outbox: "_Outbox") -> None:
        super().__init__(iterator)
        self._threads = threads
        self._outbox = outbox
        self._worker = threads.worker_for_stream(_used_worker.get())

    async def next(self) -> Any:
        item, _ = await self._submit(next, self._iterator, _END)
        return item

    def close(self) -> None:  # no event loop has to be running
        self._submit(_close_iterator, self._iterator)

    def end(self) -> None:
        self._threads.let_stream_go(self._worker)

    def _submit(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self._outbox.loop.create_future()
        self._threads.give_to(self._worker, (future, self._outbox, (self._context, function, args, {})))
        return future


def _close_iterator(iterator: Any) -> None:
    """Close an iterator; an exception is logged."""
    try:
        iterator.close()
    except FAILURES:
        log.exception("A stream's iterator could not be closed")


_Call = tuple[Context, Callable[..., Any], Sequence[Any], Mapping[str, Any]]
_Job = tuple[asyncio.Future[Any], _Outbox, _Call]


class _Worker:
    """A thread's own queue, and how many streams have their steps done by it."""

    __slots__ = ("is_started", "is_waiting", "jobs", "own_turn", "streams")

    def __init__(self) -> None:
        self.is_started = False
        self.jobs: SimpleQueue[_Job] = lazy_import("queue").SimpleQueue()
        self.streams: deque[None] = deque()  # as many as there are; append and pop are atomic, which += is not
        self.is_waiting = False  # for something in the queue
        self.own_turn = False


class _Threads:
    """Daemon threads, which don't keep the process from ending, and who of them does what.

    They know this object, but not the `WorkerThreads` whose they are, so they end with that. The lock is held for a few
    instructions, and while a thread starts.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._waiting: deque[_Worker] = deque()  # the next one is the last; those with streams come first
        self._backlog: deque[_Job] = deque()  # for any thread, in the order in which they were given
        self._woken: _Worker | None = None  # for the backlog, and not there yet
        self._is_over = False

    def give(self, job: _Job) -> None:
        """Let any thread do the job."""
        with self._lock:
            self._backlog.append(job)
            if self._woken is None:
                self._wake()

    def give_to(self, worker: _Worker, job: _Job) -> None:
        """Let this thread do the job."""
        with self._lock:
            if worker.is_waiting:
                self._waiting.remove(worker)
            self._put(worker, job)

    def worker_for_stream(self, used: _Worker | None) -> _Worker:
        """The thread for all steps of a stream: the one that was used, else that with the fewest streams."""
        with self._lock:
            worker = used if used in self._workers else self._free_worker()
            worker.streams.append(None)
            return worker

    # These two take no lock: the garbage collector may call them while this thread holds it.

    def let_stream_go(self, worker: _Worker) -> None:
        """Have one stream less in this thread."""
        worker.streams.pop()
        if self._is_over:
            worker.jobs.put(_WAKE)

    def let_go(self) -> None:
        """End each thread when it has nothing more to do, and no stream."""
        self._is_over = True
        for worker in list(self._workers):
            worker.jobs.put(_WAKE)

    def next_job(self, worker: _Worker) -> Any:
        """The thread's next job, by turns one of its own and one of everybody's; None if it has to wait.

        `_OVER` if it is to end.
        """
        with self._lock:
            if self._woken is worker:
                self._woken = None
            worker.own_turn = not worker.own_turn
            if self._backlog and (worker.jobs.empty() or not worker.own_turn):
                job = self._backlog.popleft()
            elif not worker.jobs.empty():
                job = worker.jobs.get()
            else:
                return self._wait_or_end(worker)
            if self._backlog and self._woken is None:
                self._wake()
            return job

    def _wake(self) -> None:
        """Have one more thread look into the backlog, if there is one; when it comes, it wakes the next if need be.

        One with streams only if there is no other, since each job holds them up. PERF: one at a time, 6 µs a call with
        64 clients: the first is often done with them all before a second is there.
        """
        if self._waiting and not self._waiting[-1].streams:
            worker = self._waiting.pop()
        elif len(self._workers) < self._size:
            worker = self._new_worker()
        elif self._waiting:
            worker = self._waiting.pop()
        else:
            return
        self._woken = worker
        self._put(worker, _WAKE)

    def _free_worker(self) -> _Worker:
        if self._waiting and not self._waiting[-1].streams:
            return self._waiting[-1]
        if len(self._workers) < self._size:
            return self._new_worker()
        return min(self._workers, key=lambda worker: len(worker.streams) + (not worker.is_waiting))

    def _wait_or_end(self, worker: _Worker) -> Any:
        if self._is_over and not worker.streams:
            self._workers.remove(worker)
            if worker.is_waiting:
                self._waiting.remove(worker)
            return _OVER
        if not worker.is_waiting:
            worker.is_waiting = True
            (self._waiting.appendleft if worker.streams else self._waiting.append)(worker)
        return None

    def _new_worker(self) -> _Worker:
        worker = _Worker()
        self._workers.append(worker)
        return worker

    def _put(self, worker: _Worker, what: Any) -> None:
        """Put something into the queue of a thread, which is started if it is new."""
        worker.is_waiting = False
        worker.jobs.put(what)
        if not worker.is_started:
            name = f"micropie_{len(self._workers) - 1}"
            threading.Thread(target=_work, args=(self, worker), name=name, daemon=True).start()
            worker.is_started = True


def _work(threads: _Threads, worker: _Worker) -> None:
    """Do jobs until there will be none; those that were cancelled before they started are skipped."""
    job = None
    while job is not _OVER:
        if job is None:
            job = worker.jobs.get()
        if job is _WAKE:
            job = threads.next_job(worker)
            continue
        future, outbox, call = job
        outcome = None if future.cancelled() else _outcome(*call)
        # Before posting, which may bring a job: then this thread counts as one that waits.
        job = threads.next_job(worker)
        if outcome is not None:
            outbox.post(future, (outcome[0], worker), outcome[1])
        # An idle thread must keep nothing alive; and an exception, whose traceback leads here, must not find itself.
        del future, outbox, call, outcome


def _outcome(
    context: Context, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Any, BaseException | None]:
    """The result, or the exception, of calling a function in a context."""
    try:
        return context.run(function, *args, **kwargs), None
    except StopIteration as error:  # which no future can carry: what generators make of it (PEP 479)
        replacement = RuntimeError("a handler raised StopIteration")
        replacement.__cause__ = error
        return None, replacement
    except BaseException as error:
        return None, error
