"""What of the worker threads can't be seen through the front door: orders of events, and what is left behind."""

import asyncio
import contextlib
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from micropie.core.basics import threads
from micropie.core.basics.threads import WorkerThreads

TIMEOUT = 10.0


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until a thread has done something."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def begin(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on the loop until it waits for the first time."""

    async def first_step() -> None:
        coroutine.send(None)

    loop.run_until_complete(first_step())


def test_the_loop_may_be_closed_while_a_job_runs():
    """The outcomes are dropped, without a word, and the thread goes on."""
    pool = WorkerThreads(2)
    doors = [threading.Event(), threading.Event()]
    loop = asyncio.new_event_loop()
    waiting = [pool.run(door.wait, [TIMEOUT], {}) for door in doors]
    for coroutine in waiting:
        begin(loop, coroutine)
    loop.close()
    for door in doors:
        door.set()
    assert pool._threads is not None
    wait_for(lambda: len(pool._threads._waiting) == 2)  # type: ignore[union-attr]
    assert asyncio.run(pool.run(str, [1], {})) == "1"
    assert len(pool._threads._workers) == 2
    for coroutine in waiting:
        coroutine.close()


def test_a_closed_loop_leaves_no_outcomes_behind():
    """One after another is dropped."""
    loop = asyncio.new_event_loop()
    outbox = threads._Outbox(loop)
    loop.close()
    for number in range(3):
        outbox.post(loop.create_future(), number, None)
    assert not outbox._outcomes


def test_many_outcomes_wake_the_loop_up_once():
    """The first one asks for a delivery, which takes the others along."""
    called: list[Any] = []

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, callback, *args, context=None):  # type: ignore[override]
            called.append(callback)
            return super().call_soon_threadsafe(callback, *args, context=context)

    loop = Loop()
    outbox = threads._Outbox(loop)
    futures = [loop.create_future() for _ in range(10)]
    futures[3].cancel()
    for number, future in enumerate(futures):
        outbox.post(future, number, None)
    loop.run_until_complete(futures[9])
    loop.close()
    assert [future.result() for future in futures if not future.cancelled()] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert called == [outbox._deliver]


def test_a_stream_that_is_dropped_with_its_loop_is_closed():
    """No loop runs any more when the garbage collector comes."""
    seen: list[str] = []

    def letters() -> Iterator[str]:
        try:
            yield from "abc"
        finally:
            seen.append("closed")

    pool = WorkerThreads(1)
    kept = letters()
    loop = asyncio.new_event_loop()
    chunks = pool.iterate(kept)
    assert loop.run_until_complete(anext(chunks)) == "a"
    loop.close()
    with pytest.raises(StopIteration):
        chunks.aclose().send(None)  # type: ignore[attr-defined]
    wait_for(lambda: seen)
    assert seen == ["closed"]


class Large:
    """Something that must not be kept."""


def test_exceptions_are_in_no_reference_cycle():
    """A failing handler's arguments go when its request does, not when the garbage collector comes."""
    pool = WorkerThreads(1)
    kept: list[weakref.ref[Large]] = []

    def fail(argument: Large) -> None:
        raise ValueError(argument)

    async def request() -> None:
        argument = Large()
        kept.append(weakref.ref(argument))
        with contextlib.suppress(ValueError):
            await pool.run(fail, [argument], {})

    gc.disable()
    try:
        asyncio.run(request())
        wait_for(lambda: kept[0]() is None)
    finally:
        gc.enable()


def test_work_that_comes_while_the_threads_are_let_go_is_done():
    """By a thread that ends afterwards."""
    group = threads._Threads(1)
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    group.let_go()
    group.give((future, threads._Outbox(loop), (contextvars.copy_context(), str, (1,), {})))
    assert loop.run_until_complete(future)[0] == "1"
    loop.close()
    wait_for(lambda: not group._workers)
