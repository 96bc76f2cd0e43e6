"""The lifespan: BEHAVIOUR.md, point 38, and "Lifecycle Event Handling" of the README."""

import asyncio
import functools
import logging
import os
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from micropie import App, Mount
from tests.client import ahttp, http, run
from tests.wire import alifespan_messages, lifespan, lifespan_messages, running, wire

WHOLE = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def noting(calls, name, error=None):
    """An async handler that notes its call, and may raise."""

    async def handler():
        calls.append(name)
        if error is not None:
            raise error

    return handler


def app_with(startup=(), shutdown=()):
    app = App()
    app.startup_handlers.extend(startup)
    app.shutdown_handlers.extend(shutdown)
    return app


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_38_without_handlers():
    """Both events are answered."""
    assert lifespan(App()) == WHOLE


def test_38_handlers_run_in_order_once():
    """Startup handlers, then shutdown handlers, each in list order."""
    calls: list[str] = []
    app = app_with(
        [noting(calls, "start 1"), noting(calls, "start 2")], [noting(calls, "stop 1"), noting(calls, "stop 2")]
    )
    assert lifespan(app) == WHOLE
    assert calls == ["start 1", "start 2", "stop 1", "stop 2"]


def test_38_shutdown_handlers_wait_for_the_shutdown():
    """Nothing is closed before."""
    calls: list[str] = []
    app = app_with([noting(calls, "start")], [noting(calls, "stop")])

    async def main():
        async with running(app):
            return list(calls)

    assert run(main()) == ["start"]
    assert calls == ["start", "stop"]


def test_38_handlers_may_be_sync():
    """Sync ones run on the loop's thread."""
    threads = []

    def handler():
        asyncio.get_running_loop()
        threads.append(threading.current_thread() is threading.main_thread())

    assert lifespan(app_with([handler], [handler])) == WHOLE
    assert threads == [True, True]


def test_38_handlers_are_awaited_one_after_the_other():
    """The second starts when the first is done."""
    calls: list[str] = []

    async def slow():
        await asyncio.sleep(0.01)
        calls.append("slow")

    assert lifespan(app_with([slow, noting(calls, "next")])) == WHOLE
    assert calls == ["slow", "next"]


@pytest.mark.parametrize("kind", ["method", "partial", "callable", "lambda", "builtin"])
def test_38_any_callable_will_do(kind):
    """Bound methods, partials, objects with `__call__`, lambdas that return a coroutine, builtins."""
    calls: list[str] = []

    class Service:
        async def start(self):
            calls.append("called")

        async def __call__(self):
            calls.append("called")

    async def take(argument):
        calls.append(argument)

    handlers = {
        "method": Service().start,
        "partial": functools.partial(take, "called"),
        "callable": Service(),
        "lambda": lambda: take("called"),
        "builtin": functools.partial(calls.append, "called"),
    }
    assert lifespan(app_with([handlers[kind]])) == WHOLE
    assert calls == ["called"]


def test_38_methods_of_the_application():
    """A subclass may register its own private methods."""

    class Own(App):
        def __init__(self):
            super().__init__()
            self.startup_handlers.append(self._connect)
            self.database: str | None = None

        async def _connect(self):
            self.database = "connected"

        async def index(self):
            return self.database

    async def main():
        app = Own()
        async with running(app):
            return (await ahttp(app)).text

    assert run(main()) == "connected"


def test_38_started_tells():
    """`_started` is True exactly between startup and shutdown."""
    seen = []
    app = App()
    app.startup_handlers.append(lambda: seen.append(app._started))
    seen.append(app._started)

    async def main():
        async with running(app):
            seen.append(app._started)

    run(main())
    assert seen == [False, False, True]


def test_38_startup_handlers_run_once_even_if_the_server_starts_twice():
    """A wrapper that hands the event on twice does no harm."""
    calls: list[str] = []
    app = app_with([noting(calls, "start")])

    async def main():
        async with running(app), running(app):
            return list(calls)

    assert run(main()) == ["start"]


def test_38_an_application_can_be_started_again():
    """After a shutdown a startup is a new one, on another loop too."""
    calls: list[str] = []
    app = app_with([noting(calls, "start")], [noting(calls, "stop")])
    assert (lifespan(app), lifespan(app)) == (WHOLE, WHOLE)
    assert calls == ["start", "stop", "start", "stop"]


def test_38_sync_handlers_of_requests_work_after_a_restart():
    """The worker threads are there again."""

    class Sync(App):
        def index(self):
            return "ok"

    app = Sync()
    http(app)
    lifespan(app)
    assert http(app).text == "ok"


def test_38_a_failing_startup_is_reported(caplog):
    """`lifespan.startup.failed` with the message; the traceback is in the log; later handlers don't run."""
    calls: list[str] = []
    app = app_with([noting(calls, "1"), noting(calls, "2", OSError("no database")), noting(calls, "3")])
    assert lifespan_messages(app) == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert calls == ["1", "2"]
    assert [record.exc_info is not None for record in errors(caplog)] == [True]
    assert app._started is False


class Interruption(BaseException):
    """What some libraries stop a program with."""


def raising(error):
    """A sync handler."""

    def handler():
        raise error

    return handler


@pytest.mark.parametrize("make", [lambda error: noting([], "", error), raising], ids=["async", "sync"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit("no database"), "no database"),
        (SystemExit(1), "sys.exit(1)"),
        (SystemExit(), "sys.exit(None)"),
        (asyncio.CancelledError("no answer"), "no answer"),
        (asyncio.CancelledError(), "CancelledError"),
        (BaseExceptionGroup("no database", [SystemExit(1), OSError()]), "no database (2 sub-exceptions)"),
        (BaseExceptionGroup("no answer", [asyncio.CancelledError()]), "no answer (1 sub-exception)"),
        (Interruption("no database"), "no database"),
    ],
    ids=repr,
)
def test_38_a_startup_that_exits_or_is_cancelled_is_reported(make, error, message, caplog):
    """Servers take such an application for one without a lifespan, and would serve it."""
    app = app_with([make(error)])
    assert lifespan_messages(app) == [{"type": "lifespan.startup.failed", "message": message}]
    assert [record.exc_info is not None for record in errors(caplog)] == [True]
    assert app._started is False


def test_38_a_startup_that_waits_for_what_is_cancelled_is_reported():
    """A task of the handler's own was cancelled, not the server's."""

    async def handler():
        task = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    assert lifespan(app_with([handler])) == ["lifespan.startup.failed"]


def test_38_a_cancelled_server_cancels_the_startup():
    """What the server wants is no failure."""

    async def main():
        task = asyncio.current_task()
        assert task is not None

        async def handler():
            task.cancel()
            await asyncio.sleep(60)

        await alifespan_messages(app_with([handler]))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


@pytest.mark.parametrize(
    "error", [SystemExit("stuck"), asyncio.CancelledError("stuck"), Interruption("stuck")], ids=repr
)
def test_38_a_shutdown_handler_that_exits_does_not_keep_the_others(error):
    """All run; then `lifespan.shutdown.failed` with the words."""
    calls: list[str] = []
    app = app_with([], [noting(calls, "1"), noting(calls, "2", error), noting(calls, "3")])
    assert lifespan_messages(app)[1:] == [{"type": "lifespan.shutdown.failed", "message": "stuck"}]
    assert calls == ["1", "2", "3"]


@pytest.mark.parametrize("error", [SystemExit("no database"), asyncio.CancelledError("no database")], ids=repr)
def test_38_a_startup_below_that_exits_is_reported(error):
    """An application below ours, be it another framework's, keeps the server from starting too."""

    async def foreign(scope, receive, send):
        await receive()
        raise error

    class Outer(App):
        inner = app_with([noting([], "", error)])

    class Mounting(App):
        mounted = Mount(foreign)

    for app in (Outer(), Mounting()):
        assert lifespan_messages(app) == [{"type": "lifespan.startup.failed", "message": "no database"}]


def test_38_a_mounted_application_that_exits_at_its_shutdown_is_logged(caplog):
    """It has been started, and it has ended."""

    async def foreign(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sys.exit("stuck")

    class Mounting(App):
        mounted = Mount(foreign)

    assert lifespan(Mounting()) == WHOLE
    assert len(errors(caplog)) == 1


# What is entered at startup is left at shutdown.


class Resource:
    """Notes when it is entered and left."""

    def __init__(self, calls, name, error=None):
        self.calls, self.name, self.error = calls, name, error

    async def __aenter__(self):
        self.calls.append(f"{self.name} entered")
        return self

    async def __aexit__(self, *exception):
        assert exception == (None, None, None)
        self.calls.append(f"{self.name} left")
        if self.error is not None:
            raise self.error


def resources(calls, name, error=None):
    """All forms of a startup handler that is left again, by what they are called."""

    async def async_generator():
        calls.append(f"{name} entered")
        yield
        calls.append(f"{name} left")
        if error is not None:
            raise error

    def generator():
        asyncio.get_running_loop()
        calls.append(f"{name} entered")
        yield "ignored"
        calls.append(f"{name} left")
        if error is not None:
            raise error

    class Owner:
        async def open(self):
            async for _ in async_generator():
                yield

    return {
        "async generator": async_generator,
        "generator": generator,
        "method": Owner().open,
        "partial": functools.partial(async_generator),
        "asynccontextmanager": asynccontextmanager(async_generator),
        "asynccontextmanager, called": asynccontextmanager(async_generator)(),
        "contextmanager": contextmanager(generator),
        "contextmanager, called": contextmanager(generator)(),
        "object": Resource(calls, name, error),
        "class": functools.partial(Resource, calls, name, error),
        "lambda": lambda: Resource(calls, name, error),
    }


FORMS = list(resources([], ""))


@pytest.mark.parametrize("form", FORMS)
def test_38_a_startup_handler_may_be_a_context_manager(form):
    """It is entered at startup, and left behind the shutdown handlers."""
    calls: list[str] = []
    app = app_with([resources(calls, "it")[form], noting(calls, "start")], [noting(calls, "stop")])
    assert lifespan(app) == WHOLE
    assert calls == ["it entered", "start", "stop", "it left"]


@pytest.mark.parametrize("form", FORMS)
def test_38_what_was_entered_is_left_when_a_later_handler_fails(form):
    """In reverse order, and as if all was well: code behind a `yield` runs without a `finally`."""
    calls: list[str] = []
    first, second = resources(calls, "1st")["generator"], resources(calls, "2nd")[form]
    app = app_with([first, second, raising(OSError("no database"))], [noting(calls, "stop")])
    assert lifespan_messages(app) == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert calls == ["1st entered", "2nd entered", "2nd left", "1st left"]


@pytest.mark.parametrize("form", FORMS)
def test_38_all_is_left_even_if_leaving_fails(form, caplog):
    """At shutdown that is `failed`; after a failed startup it is in the log, and the startup's words stay."""
    calls: list[str] = []
    first, second = resources(calls, "1st")["object"], resources(calls, "2nd", OSError("stuck"))
    assert lifespan_messages(app_with([first, second[form]]))[1:] == [
        {"type": "lifespan.shutdown.failed", "message": "stuck"}
    ]
    assert calls == ["1st entered", "2nd entered", "2nd left", "1st left"]

    second = resources(calls, "2nd", OSError("stuck"))
    (message,) = lifespan_messages(app_with([first, second[form], raising(OSError("no database"))]))
    assert message == {"type": "lifespan.startup.failed", "message": "no database"}
    assert calls[4:] == calls[:4]
    assert [record.exc_info[1].args for record in errors(caplog)] == [("stuck",), ("stuck",), ("no database",)]


@pytest.mark.parametrize("form", ["async generator", "generator", "asynccontextmanager", "class"])
def test_38_what_is_entered_is_entered_at_each_start(form):
    """Each of them is a new one, left once."""
    calls: list[str] = []
    app = app_with([resources(calls, "it")[form]])
    assert (lifespan(app), lifespan(app)) == (WHOLE, WHOLE)
    assert calls == ["it entered", "it left"] * 2


def test_38_a_failing_startup_can_be_tried_again():
    """What was entered the first time is not left twice."""
    calls: list[str] = []
    app = app_with([resources(calls, "it")["generator"], raising(OSError("no database"))])
    assert lifespan(app) == ["lifespan.startup.failed"]
    app.startup_handlers.pop()
    assert lifespan(app) == WHOLE
    assert calls == ["it entered", "it left"] * 2


def test_38_a_context_manager_may_take_the_state():
    """As any handler with a parameter."""
    state: dict[str, object] = {}

    async def connect(state):
        state["database"] = "connected"
        yield
        state["database"] = "closed"

    assert lifespan(app_with([connect]), state) == WHOLE
    assert state == {"database": "closed"}


@pytest.mark.parametrize("form", ["async generator", "generator"])
def test_38_a_generator_yields_once(form):
    """One that yields not at all, or again, is a failure."""

    async def none_async():
        return
        yield

    def none():
        return
        yield

    async def two_async():
        yield
        yield

    def two():
        yield
        yield

    never, twice = (none, two) if form == "generator" else (none_async, two_async)
    assert lifespan(app_with([never])) == ["lifespan.startup.failed"]
    assert lifespan(app_with([twice])) == ["lifespan.startup.complete", "lifespan.shutdown.failed"]


def test_38_a_result_that_is_awaited_is_not_entered():
    """Objects of databases are often both; a handler that gives one has always been awaited."""
    calls: list[str] = []

    class Connecting(Resource):
        def __await__(self):
            calls.append("awaited")
            return asyncio.sleep(0).__await__()

    assert lifespan(app_with([lambda: Connecting(calls, "it")])) == WHOLE
    assert calls == ["awaited"]


@pytest.mark.parametrize("make", [threading.Lock, Path(os.devnull).open])
def test_38_other_results_are_left_alone(make):
    """A handler may return what it likes: a lock is not taken, a file is not closed."""
    made = []

    def handler():
        made.append(make())
        return made[0]

    assert lifespan(app_with([handler])) == WHOLE
    with made[0]:  # a taken lock would wait here, a closed file would raise
        pass


def test_38_what_is_entered_below_is_left_with_the_application_below():
    """Shutdown is from inside out: an application below is done before ours closes anything."""
    calls: list[str] = []
    inner = app_with([resources(calls, "inner")["generator"]], [noting(calls, "inner stop")])
    outer = type("Outer", (App,), {"inner": inner})()
    outer.startup_handlers.append(resources(calls, "outer")["async generator"])
    outer.shutdown_handlers.append(noting(calls, "outer stop"))
    assert lifespan(outer) == WHOLE
    assert calls == [
        "outer entered",
        "inner entered",
        "inner stop",
        "inner left",
        "outer stop",
        "outer left",
    ]


def test_38_what_is_entered_is_left_when_the_application_below_fails():
    """Its startup belongs to ours."""
    calls: list[str] = []
    outer = type("Outer", (App,), {"inner": app_with([raising(OSError("no database"))])})()
    outer.startup_handlers.append(resources(calls, "outer")["async generator"])
    assert lifespan_messages(outer) == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert calls == ["outer entered", "outer left"]


def test_38_a_failing_sync_startup_is_reported():
    """Sync handlers' exceptions too."""

    def handler():
        raise OSError("no database")

    assert lifespan_messages(app_with([handler])) == [{"type": "lifespan.startup.failed", "message": "no database"}]


def test_38_a_failure_without_a_message():
    """The message is text in any case."""
    (message,) = lifespan_messages(app_with([noting([], "1", KeyError())]))
    assert message["type"] == "lifespan.startup.failed"


def test_38_every_shutdown_handler_runs(caplog):
    """Even if one fails; then `lifespan.shutdown.failed`."""
    calls: list[str] = []
    app = app_with([], [noting(calls, "1"), noting(calls, "2", OSError("stuck")), noting(calls, "3")])
    started, stopped = lifespan_messages(app)
    assert (started["type"], stopped["type"]) == ("lifespan.startup.complete", "lifespan.shutdown.failed")
    assert "stuck" in stopped["message"]
    assert calls == ["1", "2", "3"]
    assert len(errors(caplog)) >= 1


def test_38_two_failing_shutdown_handlers():
    """Both run, one answer."""
    calls: list[str] = []
    app = app_with([], [noting(calls, "1", OSError("first")), noting(calls, "2", OSError("second"))])
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.failed"]
    assert calls == ["1", "2"]


def test_38_after_a_failed_shutdown_it_is_not_started():
    """`_started` is False again."""
    app = app_with([], [noting([], "1", OSError())])
    lifespan(app)
    assert app._started is False


def test_38_state_is_honoured():
    """What a startup handler puts in the state is there for requests, where the server has it."""
    state: dict[str, object] = {}

    async def connect(state):
        state["database"] = "connected"

    class Stateful(App):
        async def index(self):
            return self.request.scope["state"]["database"]

    app = Stateful()
    app.startup_handlers.append(connect)
    assert lifespan(app, state) == WHOLE
    assert state == {"database": "connected"}
    assert wire(app, scope={"state": dict(state)}).text == "connected"


def test_38_state_does_not_disturb_handlers_that_do_not_want_it():
    """Handlers without parameters work with and without state."""
    calls: list[str] = []
    assert lifespan(app_with([noting(calls, "start")]), {}) == WHOLE
    assert calls == ["start"]


def test_38_requests_are_served_without_a_lifespan():
    """Daphne has none."""

    class Site(App):
        async def index(self):
            return "index"

        def sync(self):
            return "sync"

    app = Site()
    assert (http(app).text, http(app, path="/sync").text) == ("index", "sync")


def test_38_startup_handlers_do_not_run_without_a_lifespan():
    """They belong to the event."""
    calls: list[str] = []
    app = app_with([noting(calls, "start")])
    wire(app)
    assert calls == []
