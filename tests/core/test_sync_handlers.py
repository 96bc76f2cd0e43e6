"""Sync handlers and sync generators in their threads: many at once, cancelled, failing, on one loop after another."""

import asyncio
import contextvars
import gc
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from micropie import App, HTTPError, HttpMiddleware
from tests.client import ahttp, http, run
from tests.wire import alifespan_messages, awire, lifespan, wire

COLOUR = contextvars.ContextVar("COLOUR", default="none")
TIMEOUT = 10.0


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until a thread has done something."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


async def until(condition: Callable[[], Any]) -> None:
    """The same on the loop."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110  a thread can't set an asyncio.Event
            await asyncio.sleep(0.005)


def is_gone(condition: Callable[[], Any]) -> bool:
    """Whether something is gone, be it by the garbage collector."""
    gc.collect()
    return not condition()


class Doors(App):
    """Handlers that tell when they are in, and wait until they may leave."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self._entered: list[str] = []
        self._left: list[str] = []
        self._open = threading.Event()

    def enter(self, name):
        self._entered.append(name)
        assert self._open.wait(TIMEOUT)
        self._left.append(name)
        return name

    def quick(self, name):
        self._entered.append(name)
        return name

    def stream(self):
        try:
            yield "first"
            self._entered.append("next")
            assert self._open.wait(TIMEOUT)
            self._left.append("next")
            yield "second"
        finally:
            self._left.append("closed")

    async def open(self):
        self._open.set()
        return "open"


class Echo(App):
    """Answers with what it is asked."""

    def index(self, name):
        return name

    def asked(self):
        time.sleep(0.001)
        return self.request.query("name")

    def thread(self):
        return threading.current_thread().name

    def letters(self, text):
        yield from text


def threads() -> set[threading.Thread]:
    """Our threads that are alive."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("micropie")}


# Many at once.


def test_each_of_many_requests_sees_itself():
    """A hundred at once on four threads: `self.request` is never another's."""

    async def main():
        app = Echo(sync_threads=4)
        names = [str(number) for number in range(100)]
        answers = await asyncio.gather(*(awire(app, path="/asked", query=f"name={name}") for name in names))
        return names, [answer.text for answer in answers]

    names, answers = run(main())
    assert answers == names


def test_as_many_run_at_once_as_there_are_threads():
    """The third of three has to wait when there are two threads."""

    async def main():
        app = Doors(sync_threads=2)
        tasks = [asyncio.create_task(awire(app, path=f"/enter/{name}")) for name in "abc"]
        await until(lambda: len(app._entered) == 2)
        await asyncio.sleep(0.05)
        entered = list(app._entered)
        app._open.set()
        return entered, [answer.text for answer in await asyncio.gather(*tasks)]

    assert run(main()) == (["a", "b"], ["a", "b", "c"])


def test_who_comes_first_is_served_first():
    """Waiting requests start in the order in which they came."""
    names = [str(number) for number in range(20)]

    async def main():
        app = Doors(sync_threads=1)
        first = asyncio.create_task(awire(app, path="/enter/first"))
        await until(lambda: app._entered)
        others = [asyncio.create_task(awire(app, path=f"/quick/{name}")) for name in names]
        await asyncio.sleep(0.05)
        app._open.set()
        await asyncio.gather(first, *others)
        return app._entered

    assert run(main()) == ["first", *names]


def test_one_after_another_needs_one_thread():
    """Threads are started only when those that there are may be busy."""
    app = Echo(sync_threads=8)

    async def main():
        return {(await awire(app, path="/thread")).text for _ in range(50)}

    assert len(run(main())) == 1


def test_a_blocked_stream_leaves_the_other_threads_alone():
    """While one `next()` blocks, another handler is served."""

    async def main():
        app = Doors(sync_threads=2)
        stream = asyncio.create_task(awire(app, path="/stream"))
        await until(lambda: app._entered)
        other = await awire(app, path="/quick/other")
        app._open.set()
        return other.text, (await stream).chunks

    assert run(main()) == ("other", [b"first", b"second", b""])


def test_each_chunk_of_a_slow_generator_goes_out_at_once():
    """The first chunk is there while the second is still being made."""

    async def main():
        app = Doors()
        sent: list[Any] = []

        async def send(message):
            sent.append(message.get("body"))

        scope = {"type": "http", "method": "GET", "path": "/stream", "headers": []}
        task = asyncio.create_task(app(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
        await until(lambda: app._entered)
        await until(lambda: len(sent) == 2)
        app._open.set()
        await task
        return sent

    assert run(main()) == [None, b"first", b"second", b""]


# Their context.


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_handler_sees_the_context_and_changes_its_own_copy(size):
    """What it sets is gone with it; so nobody finds another's."""

    class Painter(App):
        def index(self, colour):
            before = COLOUR.get()
            COLOUR.set(colour)
            return before

    async def main():
        COLOUR.set("white")
        app = Painter(sync_threads=size or 1)
        return [(await awire(app, path=f"/{colour}")).text for colour in ("red", "blue")]

    assert run(main()) == ["white", "white"]


@pytest.mark.parametrize("size", [0, 1, 4])
def test_a_generator_keeps_one_context(size):
    """What it sets is there in its next step, and when it is closed."""
    seen = []

    class Painter(App):
        def index(self):
            try:
                for colour in ("red", "blue", "green"):
                    before = COLOUR.get()
                    COLOUR.set(colour)
                    yield before
            finally:
                seen.append((COLOUR.get(), self.request.method))

    assert wire(Painter(sync_threads=size)).chunks == [b"none", b"red", b"blue", b""]
    assert seen == [("green", "GET")]
    wire(Painter(sync_threads=size), leave_after=2)
    wait_for(lambda: len(seen) == 2)
    assert seen[1][1] == "GET"


# Exceptions.


@pytest.mark.parametrize("size", [0, 2])
@pytest.mark.parametrize("error", [ValueError, StopIteration, asyncio.CancelledError])
def test_an_exception_takes_no_others_along(size, error):
    """Failures and answers that come back together keep apart."""

    class Half(App):
        def index(self, number: str):
            if int(number) % 2:
                raise error
            return number

    async def main():
        app = Half(sync_threads=size)
        return await asyncio.gather(*(awire(app, path=f"/{number}") for number in range(20)))

    answers = run(main())
    assert [answer.status_code for answer in answers] == [200, 500] * 10
    assert [answer.text for answer in answers[::2]] == [str(number) for number in range(0, 20, 2)]


def test_the_log_shows_where_a_handler_failed(caplog):
    """The traceback goes down to the handler's line."""

    class Failing(App):
        def index(self):
            return 1 // 0

    assert http(Failing()).status_code == 500
    assert "return 1 // 0" in caplog.text


def test_the_log_shows_the_stop_iteration(caplog):
    """It is the cause of what is reported."""

    class Stopping(App):
        def index(self):
            return next(iter(()))

    assert http(Stopping()).status_code == 500
    assert "RuntimeError: a handler raised StopIteration" in caplog.text
    assert "return next(iter(()))" in caplog.text


# Cancellation.


async def leave(task: asyncio.Task[Any]) -> None:
    """Cancel a request, as servers do."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_handler_that_runs_when_it_is_cancelled_runs_to_its_end():
    """A thread can't be cancelled; its answer is dropped, and the next request is served."""

    async def main():
        app = Doors(sync_threads=1)
        task = asyncio.create_task(awire(app, path="/enter/gone"))
        await until(lambda: app._entered)
        await leave(task)
        app._open.set()
        answer = await awire(app, path="/quick/next")
        return answer.text, app._left

    assert run(main()) == ("next", ["gone"])


def test_a_handler_that_is_cancelled_before_it_starts_never_does():
    """Nobody waits for it."""

    async def main():
        app = Doors(sync_threads=1)
        first = asyncio.create_task(awire(app, path="/enter/first"))
        await until(lambda: app._entered)
        second = asyncio.create_task(awire(app, path="/quick/second"))
        await asyncio.sleep(0.05)
        await leave(second)
        app._open.set()
        await first
        await awire(app, path="/quick/third")
        return app._entered

    assert run(main()) == ["first", "third"]


# One thread for each stream.


class Reader:
    """A client that takes a chunk of a stream only when it is let."""

    def __init__(self, app: App, path: str) -> None:
        self.chunks: list[bytes] = []
        self._free = asyncio.Semaphore(0)
        self._gone = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        self.task = asyncio.create_task(app(scope, self._receive, self._send))  # type: ignore[arg-type]

    async def read(self, count: int = 1) -> None:
        """Take the next chunks."""
        wanted = len(self.chunks) + count
        for _ in range(count):
            self._free.release()
        await until(lambda: len(self.chunks) >= wanted)

    async def finish(self) -> None:
        """Take all that is left."""
        for _ in range(1000):
            self._free.release()
        await self.task

    async def leave(self) -> None:
        """Go away in the middle."""
        self._gone.set()
        await self.task

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message.get("body"):
            self.chunks.append(message["body"])
            await self._free.acquire()


class Threaded(App):
    """Tells in which threads it runs."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._seen: dict[str, list[threading.Thread]] = {}
        self._barrier = threading.Barrier(keywords.get("sync_threads", 32))
        self._open = threading.Event()

    def _note(self, name: str) -> threading.Thread:
        thread = threading.current_thread()
        self._seen.setdefault(name, []).append(thread)
        return thread

    def steps(self, name, count="50"):
        try:
            for _ in range(int(count)):
                yield self._note(name).name
        finally:
            self._note(name)

    def prepared(self, name):
        self._note(name)
        return (self._note(name).name for _ in range(3))

    def blocked(self):
        yield "first"
        assert self._open.wait(TIMEOUT)
        yield "last"

    def together(self):
        self._barrier.wait(TIMEOUT)
        return self._note("together").name

    def hold(self):
        self._note("hold")
        assert self._open.wait(TIMEOUT)

    def rows(self):
        database = sqlite3.connect(":memory:")
        try:
            database.executescript("create table t (n integer); insert into t values (1), (2), (3), (4)")
            for (number,) in database.execute("select n from t"):
                yield str(number)
        finally:
            database.close()

    def cursor(self):
        database = sqlite3.connect(":memory:")
        database.executescript("create table t (n integer); insert into t values (1), (2), (3), (4)")

        def numbers():
            with closing(database):
                for (number,) in database.execute("select n from t"):
                    yield str(number)

        return 200, numbers()


@pytest.mark.parametrize("leaves", [False, True])
def test_all_steps_of_a_stream_run_in_one_thread(leaves):
    """Its `finally` too, however many streams take turns and whoever leaves."""

    async def main():
        app = Threaded(sync_threads=4)
        names = [str(number) for number in range(10)]
        readers = [Reader(app, f"/steps/{name}") for name in names]
        for _ in range(5):
            for reader in readers:
                await reader.read()
        for reader in readers:
            await (reader.leave() if leaves else reader.finish())
        await until(lambda: all(len(app._seen[name]) >= 6 for name in names))
        return [len(set(app._seen[name])) for name in names], len({app._seen[name][0] for name in names})

    assert run(main()) == ([1] * 10, 4)


@pytest.mark.parametrize("path", ["/rows", "/cursor"])
def test_a_database_connection_works_in_a_stream(path, caplog):
    """`sqlite3` refuses another thread than the one that has opened it, be it the stream or its handler."""

    async def main():
        app = Threaded(sync_threads=3)
        readers = [Reader(app, path) for _ in range(8)]
        for reader in readers * 2:
            await reader.read()
        for reader in readers[:4]:
            await reader.leave()
        for reader in readers[4:]:
            await reader.finish()
        return [reader.chunks for reader in readers[4:]]

    assert run(main()) == [[b"1", b"2", b"3", b"4"]] * 4
    assert caplog.text == ""


def test_a_stream_runs_where_its_handler_ran():
    """What a handler opens for the iterator that it returns is of the same thread."""

    async def main():
        app = Threaded(sync_threads=4)
        readers = [Reader(app, f"/prepared/{number}") for number in range(8)]
        for reader in readers * 2:
            await reader.read()
        for reader in readers:
            await reader.finish()
        return [len(set(threads)) for threads in app._seen.values()]

    assert run(main()) == [1] * 8


def test_slow_readers_hold_no_thread():
    """Beside two hundred of them as many handlers run at once as there are threads."""

    async def main():
        app = Threaded(sync_threads=32)
        readers = [Reader(app, f"/steps/{number}") for number in range(200)]
        for reader in readers:
            await reader.read()
        answers = await asyncio.gather(*(awire(app, path="/together") for _ in range(64)))
        for reader in readers:
            await reader.leave()
        return len({answer.text for answer in answers})

    assert run(main()) == 32


def test_a_stream_takes_an_idle_thread():
    """None is started for it."""

    async def main():
        app = Threaded(sync_threads=2)
        await asyncio.create_task(awire(app, path="/prepared/handler"))
        await asyncio.create_task(awire(app, path="/steps/stream"))
        return len({*app._seen["handler"], *app._seen["stream"]})

    assert run(main()) == 1


def test_a_blocked_stream_leaves_other_streams_alone():
    """Each has a thread of its own as long as there are enough."""

    async def main():
        app = Threaded(sync_threads=2)
        blocked = Reader(app, "/blocked")
        await blocked.read()
        other = Reader(app, "/steps/other/5")
        await other.finish()
        app._open.set()
        await blocked.finish()
        return len(other.chunks), blocked.chunks

    assert run(main()) == (5, [b"first", b"last"])


def test_a_handler_that_blocks_keeps_away_from_streams():
    """It runs in a thread that has none, if there is one or may be."""

    async def main():
        app = Threaded(sync_threads=3)
        stream = Reader(app, "/steps/stream/5")
        await stream.read()
        holding = [asyncio.create_task(awire(app, path="/hold")) for _ in range(2)]
        await until(lambda: len(app._seen.get("hold", ())) == 2)
        await stream.finish()
        app._open.set()
        await asyncio.gather(*holding)
        return set(app._seen["hold"]) & set(app._seen["stream"])

    assert run(main()) == set()


def test_handlers_and_a_stream_share_a_single_thread_by_turns():
    """A fast stream does not keep them waiting to its end."""

    async def main():
        app = Threaded(sync_threads=1)
        stream = asyncio.create_task(awire(app, path="/steps/stream/200"))
        await until(lambda: "stream" in app._seen)
        handlers = [asyncio.create_task(awire(app, path="/together")) for _ in range(20)]
        await asyncio.gather(*handlers)
        during = len(app._seen["stream"])
        await stream
        return during < 201, len(set(app._seen["stream"] + app._seen["together"]))

    assert run(main()) == (True, 1)


def test_a_stream_outlives_the_end_of_the_lifespan_in_its_thread():
    """The thread goes when the stream has ended."""
    before = threads()

    async def main():
        app = Threaded(sync_threads=2)
        readers = [Reader(app, f"/steps/{name}/9") for name in "ab"]
        for reader in readers:
            await reader.read()
        await alifespan_messages(app)
        for reader in readers:
            await reader.finish()
        return [len(set(seen)) for seen in app._seen.values()], [len(reader.chunks) for reader in readers]

    assert run(main()) == ([1, 1], [9, 9])
    wait_for(lambda: threads() <= before)


def test_a_stream_whose_thread_has_gone_gets_another():
    """The lifespan ended between its handler and its first step."""

    async def main():
        app = Threaded(sync_threads=1)

        class Ending(HttpMiddleware):
            async def after_request(self, request, status_code, response_body, extra_headers):
                await alifespan_messages(app)
                await until(lambda: not app._seen["x"][0].is_alive())

        app.middlewares.append(Ending())
        return (await awire(app, path="/prepared/x")).chunks

    assert run(main()) == [b"micropie_0"] * 3 + [b""]


# Closing.


@pytest.mark.parametrize("size", [1, 2])
def test_a_stream_that_is_cancelled_in_its_next_is_closed_after_it(size):
    """With a thread to spare or without."""

    async def main():
        app = Doors(sync_threads=size)
        task = asyncio.create_task(awire(app, path="/stream"))
        await until(lambda: app._entered)
        await leave(task)
        await asyncio.sleep(0.05)
        before = list(app._left)
        app._open.set()
        await until(lambda: "closed" in app._left)
        return before, app._left

    assert run(main()) == ([], ["next", "closed"])


class Tape:
    """An iterator that is no generator, and notes in which thread it is closed."""

    def __init__(self, length: int, error: BaseException | None = None) -> None:
        self.closed_in: list[threading.Thread] = []
        self._left = length
        self._error = error

    def __iter__(self):
        return self

    def __next__(self):
        if self._left:
            self._left -= 1
            return "x"
        raise self._error or StopIteration

    def close(self):
        self.closed_in.append(threading.current_thread())


class Player(App):
    """Streams what it was made with."""

    def __init__(self, tape: Any, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._tape = tape

    async def index(self):
        return self._tape


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("leave_after", [None, 2])
def test_an_iterator_is_closed_once_and_not_on_the_loop(size, leave_after):
    """`close()` may block too."""
    tape = Tape(5)
    wire(Player(tape, sync_threads=size), leave_after=leave_after)
    wait_for(lambda: tape.closed_in)
    assert [thread is threading.main_thread() for thread in tape.closed_in] == [size == 0]


@pytest.mark.parametrize("size", [0, 1])
def test_an_iterator_that_breaks_is_closed_once(size):
    """Its exception ends the reply."""
    tape = Tape(2, ValueError("broken"))
    assert wire(Player(tape, sync_threads=size), raises=ValueError).chunks == [b"x", b"x"]
    wait_for(lambda: tape.closed_in)
    assert len(tape.closed_in) == 1


@pytest.mark.parametrize("size", [0, 1])
def test_an_iterator_needs_no_close(size):
    """A list's has none."""
    assert http(Player(iter(["a", "b"]), sync_threads=size)).content == b"ab"


@pytest.mark.parametrize("size", [0, 1])
def test_an_exception_of_close_is_in_the_log(size, caplog):
    """The reply is out already."""

    class Stuck(Tape):
        def close(self):
            super().close()
            raise RuntimeError("it is stuck")

    tape = Stuck(1)
    answer = http(Player(tape, sync_threads=size))
    wait_for(lambda: "it is stuck" in caplog.text)
    assert answer.is_complete
    assert "A stream's iterator could not be closed" in caplog.text


# One event loop after another.


def test_an_app_serves_one_event_loop_after_another():
    """Handlers and streams, with the same threads."""
    app = Echo(sync_threads=1)
    seen = [(http(app, path=f"/{number}").text, http(app, path="/letters/abc").content) for number in range(5)]
    assert seen == [(str(number), b"abc") for number in range(5)]
    assert len({http(app, path="/thread").text for _ in range(5)}) == 1


def test_an_app_serves_two_event_loops_in_turn():
    """Each gets the answers to its own requests."""
    app = Doors(sync_threads=4)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        waiting = first.create_task(ahttp(app, path="/enter/first"))
        first.run_until_complete(until(lambda: app._entered))
        assert second.run_until_complete(ahttp(app, path="/quick/second")).text == "second"
        app._open.set()
        assert first.run_until_complete(waiting).text == "first"
    finally:
        first.close()
        second.close()


def test_a_handler_may_outlive_its_event_loop(caplog, capsys):
    """Its answer is nobody's; the next event loop finds the app well."""
    app = Doors(sync_threads=2)

    async def abandoned():
        task = asyncio.create_task(ahttp(app, path="/enter/late"))
        await until(lambda: app._entered)
        await leave(task)

    asyncio.run(abandoned())
    app._open.set()
    wait_for(lambda: app._left == ["late"])
    assert http(app, path="/quick/next").text == "next"
    assert caplog.text + capsys.readouterr().err == ""


def test_a_blocked_handler_of_a_closed_loop_keeps_no_thread_from_the_next():
    """It is counted as busy still, so another thread is started."""
    app = Doors(sync_threads=2)

    async def abandoned():
        task = asyncio.create_task(ahttp(app, path="/enter/late"))
        await until(lambda: app._entered)
        await leave(task)

    asyncio.run(abandoned())
    assert http(app, path="/quick/next").text == "next"
    app._open.set()


# The threads' own lives.


def test_the_threads_end_with_the_lifespan_and_later_work_starts_new_ones():
    """Shutting down is not final: tests and reloaders serve on."""
    before = threads()
    app = Echo()
    assert wire(app, path="/thread").text == "micropie_0"
    (thread,) = threads() - before
    lifespan(app)
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert wire(app, path="/thread").text == "micropie_0"


def test_the_threads_end_with_the_app():
    """An app that is dropped leaves none."""
    before = threads()
    app = Echo()
    wire(app, path="/thread")
    (thread,) = threads() - before
    del app
    wait_for(lambda: is_gone(thread.is_alive))


def test_a_lifespan_without_sync_handlers_has_no_threads_to_end():
    """None was started."""
    before = threads()
    lifespan(Echo())
    assert threads() <= before


class Large:
    """Something that must not be kept."""


@pytest.mark.parametrize("path", ["returned", "raised", "streamed", "asked"])
def test_idle_threads_keep_nothing_alive(path):
    """Neither arguments nor results, exceptions or contexts of the last request."""
    kept: list[weakref.ref[Large]] = []

    def large() -> Large:
        made = Large()
        kept.append(weakref.ref(made))
        return made

    class Keeping(App):
        def returned(self):
            self.request.scope["large"] = large()
            return {"large": str(large())}

        def raised(self):
            raise HTTPError(404) from ValueError(large())  # which, unlike others, is not kept by the log

        def streamed(self) -> Iterator[str]:
            held = large()
            yield str(held)

        def asked(self):
            COLOUR.set(large())  # type: ignore[arg-type]

    app = Keeping(sync_threads=1)
    http(app, path=f"/{path}")
    wait_for(lambda: is_gone(lambda: any(reference() for reference in kept)))
    assert kept


@pytest.mark.parametrize("path", ["index", "stream"])
def test_a_blocked_thread_does_not_keep_the_process_from_ending(path):
    """The threads are daemons."""
    program = f"""
import asyncio, threading
from micropie import App

class Stuck(App):
    def index(self):
        entered.set()
        threading.Event().wait()

    def stream(self):
        yield self.index()

async def send(message):
    pass

async def main():
    scope = {{"type": "http", "method": "GET", "path": "/{path}", "headers": []}}
    task = asyncio.create_task(Stuck()(scope, asyncio.Event().wait, send))
    while not entered.is_set():
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    print("over")

entered = threading.Event()
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert (ended.stdout, ended.stderr) == ("over\n", "")


@pytest.mark.parametrize(("count", "in_thread"), [(10, False), (10_000, True)])
@pytest.mark.parametrize("threads", [0, 2])
def test_large_bodies_are_converted_beside_the_loop(count, in_thread, threads):
    """Others are served meanwhile; the handler runs on the loop, where it belongs."""
    converted_in: list[threading.Thread] = []

    @dataclass
    class Numbers:
        numbers: list[int]

        def __post_init__(self):
            converted_in.append(threading.current_thread())

    class Sums(App):
        async def total(self, numbers: Numbers):
            assert threading.current_thread() is threading.main_thread()
            return sum(numbers.numbers)

    answer = http(Sums(sync_threads=threads), "POST", "/total", json={"numbers": [1] * count})
    assert answer.json() == count
    assert [thread is not threading.main_thread() for thread in converted_in] == [in_thread and threads > 0]


def test_what_is_wrong_with_a_large_body_is_said():
    """As for a small one."""

    class Sums(App):
        async def total(self, numbers: list[int]):
            raise AssertionError

    answer = http(Sums(), "POST", "/total", json={"numbers": [*[1] * 10_000, "x"]})
    assert answer.text == "400 Bad Request: Invalid value for parameter 'numbers[10000]': expected an integer"
