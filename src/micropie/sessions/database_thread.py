"""A SQLite connection in a thread of its own, for coroutines of any event loop.

To change this, know that a step (a function of the connection) may be run again, from the beginning: all that waits is
done in one transaction, which makes many small writes cheap, and a transaction that finds the file locked, or in which
another step fails, is rolled back. What costs most is to wake the other side up: an event loop is called once for all
that a transaction has brought it. SQLite's own way of waiting for a lock is not used: it has no effect on some locks (a
change of the journal's mode, say), and sleeps so long that a process can starve among busy ones.
"""

import asyncio
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Step = Callable[[sqlite3.Connection], Any]
Connect = Callable[[], sqlite3.Connection]
Answer = asyncio.Future[Any]
MAX_BATCH = 100  # steps in a transaction; other processes wait for it
PAUSE = 0.001, 0.01  # seconds between two looks at a lock
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


class Job(NamedTuple):
    """A step and where its result is awaited. Without a step it is the last one: the thread ends."""

    step: Step | None
    writes: bool
    answer: Answer | None  # None if nobody awaits it


class Waits:
    """What an event loop waits for, each `patience` seconds at most."""

    # PERF: one timer for all; to set and cancel one for each takes 5 µs.

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._ends: dict[Answer, float] = {}  # by the loop's clock, the first one first
        self._has_timer = False

    async def result_of(self, answer: Answer) -> Any:
        """The result of an answer, once it is there. TimeoutError if that takes too long."""
        loop = answer.get_loop()
        self._ends[answer] = end = loop.time() + self._patience
        if not self._has_timer:
            self._has_timer = True
            loop.call_at(end, self._give_up, loop)
        try:
            return await answer
        finally:
            del self._ends[answer]

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the waits whose time is over, and look again when that of the next one is."""
        now = loop.time()
        late = [answer for answer, end in self._ends.items() if end <= now]
        settle(asyncio.Future.set_exception, [(answer, TimeoutError()) for answer in late])
        following = [end for end in self._ends.values() if end > now]
        self._has_timer = bool(following)
        if following:
            loop.call_at(following[0], self._give_up, loop)


class DatabaseThread:
    """Runs steps on the connection that `connect` makes. They, and those who await them, wait `patience` seconds.

    The thread starts with the first step, and again after `stop`, or in a process that was forked.
    """

    def __init__(self, connect: Connect, patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job] | None = None
        self._process = 0  # whose thread it is
        self._waits: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Waits] = weakref.WeakKeyDictionary()

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a step that only reads. TimeoutError if that takes too long."""
        result: T = await self._awaited(step, writes=False)
        return result

    async def write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a step, once it is committed. TimeoutError if that takes too long."""
        result: T = await self._awaited(step, writes=True)
        return result

    async def stop(self) -> None:
        """Close the connection when what waits is done, and end the thread."""
        with self._lock:
            jobs, self._jobs = self._jobs, None
        if jobs is not None and self._process == os.getpid():
            ended = asyncio.get_running_loop().create_future()
            jobs.put(last_job(ended))
            await ended

    async def _awaited(self, step: Step, *, writes: bool) -> Any:
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        with self._lock:
            if self._jobs is None or self._process != os.getpid():
                self._jobs, self._process = self._start(), os.getpid()
            self._jobs.put(Job(step, writes, answer))
            waits = self._waits.get(loop) or self._waits.setdefault(loop, Waits(self._patience))
        return await waits.result_of(answer)

    def _start(self) -> SimpleQueue[Job]:
        jobs: SimpleQueue[Job] = SimpleQueue()
        arguments = (jobs, self._connect, self._patience)
        threading.Thread(target=serve, args=arguments, name="micropie-sqlite", daemon=True).start()
        weakref.finalize(self, jobs.put, last_job())
        return jobs


def last_job(ended: Answer | None = None) -> Job:
    """The job that ends the thread."""
    return Job(None, writes=False, answer=ended)


def serve(jobs: SimpleQueue[Job], connect: Connect, patience: float) -> None:
    """Do what comes, until the last job."""
    connection: sqlite3.Connection | None = None
    while True:
        batch = waiting(jobs)
        last = batch.pop() if batch[-1].step is None else None
        todo = [job for job in batch if not is_given_up(job)]
        if todo:
            try:
                connection = connection or patiently(connect, patience)
            except BaseException as error:  # whatever it is, it is for those who wait
                fail(todo, error)
            else:
                # Reading first: it need not wait for a lock that others have.
                for writes in (False, True):
                    if jobs_of_kind := [job for job in todo if job.writes is writes]:
                        do_together(connection, jobs_of_kind, patience)
        if last is not None:
            if connection is not None:
                connection.close()
            tell([last], asyncio.Future.set_result, [None])
            return


def waiting(jobs: SimpleQueue[Job]) -> list[Job]:
    """All jobs that wait, or the next one to come."""
    batch = [jobs.get()]
    while len(batch) < MAX_BATCH and not jobs.empty():
        batch.append(jobs.get())
    return batch


def do_together(connection: sqlite3.Connection, jobs: list[Job], patience: float) -> None:
    """Do the jobs in one transaction; if one of them fails, each in its own."""
    try:
        results = patiently(lambda: in_transaction(connection, jobs), patience)
    except BaseException as error:
        if len(jobs) == 1 or isinstance(error, TimeoutError):
            fail(jobs, error)
            return
        for job in jobs:
            do_together(connection, [job], patience)
        return
    tell(jobs, asyncio.Future.set_result, results)


def is_given_up(job: Job) -> bool:
    """True if nobody awaits a job's result any more."""
    return job.answer is not None and job.answer.done()


def fail(jobs: list[Job], error: BaseException) -> None:
    """Let an error be what comes of the jobs."""
    tell(jobs, asyncio.Future.set_exception, [error] * len(jobs))


def tell(jobs: list[Job], how: Callable[[Answer, Any], None], what: Iterable[Any]) -> None:
    """Give those who await the jobs their results, or errors: in their own event loops, by one call into each."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Answer, Any]]] = {}
    for job, outcome in zip(jobs, what, strict=True):
        if job.answer is not None:
            by_loop.setdefault(job.answer.get_loop(), []).append((job.answer, outcome))
    for loop, outcomes in by_loop.items():
        with suppress(RuntimeError):  # it is closed: nobody awaits anything there
            loop.call_soon_threadsafe(settle, how, outcomes)


def settle(how: Callable[[Answer, Any], None], outcomes: list[tuple[Answer, Any]]) -> None:
    """Set results, or errors, in the event loop that they are awaited in."""
    for answer, outcome in outcomes:
        if not answer.done():
            how(answer, outcome)


def in_transaction(connection: sqlite3.Connection, jobs: list[Job]) -> list[Any]:
    """The results of the jobs' steps, after all of them are committed."""
    if len(jobs) == 1 and not jobs[0].writes:  # PERF: its one question is a transaction of its own, 3 µs
        return [job.step(connection) for job in jobs if job.step is not None]
    # One that begins by reading could not write once another process has written (SQLITE_BUSY_SNAPSHOT).
    connection.execute("BEGIN IMMEDIATE" if any(job.writes for job in jobs) else "BEGIN")
    try:
        results = [job.step(connection) for job in jobs if job.step is not None]
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return results


def patiently(act: Callable[[], T], patience: float) -> T:
    """The result of `act`, tried again while others hold the file. TimeoutError in the end."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return act()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in BUSY:  # the extended code says more than that
                raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"{error} for {patience:g} s") from error
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 - no secret: so that not all look at the same time
