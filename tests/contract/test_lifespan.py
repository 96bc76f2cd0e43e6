"""The lifespan: BEHAVIOUR.md, point 38, and "Lifecycle Event Handling" of the README."""

import asyncio
import functools
import logging
import threading

import pytest

from micropie import App
from tests.client import ahttp, http, run
from tests.wire import lifespan, lifespan_messages, running, wire

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
