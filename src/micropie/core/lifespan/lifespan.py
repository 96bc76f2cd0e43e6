"""The lifespan protocol: an application's handlers run at startup and shutdown (the ASGI specification, "Lifespan")."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager as AsyncContext
from contextlib import ContextDecorator, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

from micropie.core.basics.background import GRACE, GRACEFUL_TIMEOUT, current_background
from micropie.core.basics.errors import FAILURES, log
from micropie.core.basics.types import ASGIApp, Message, Receive, Send
from micropie.core.engine import Engine, Handler, StartupHandler
from micropie.core.failures.error_replies import CAUGHT, reraise_cancellation
from micropie.core.lifespan.signals import HeldSignals
from micropie.core.routing.targets import MountedApp

GRACE_IN_SCOPE = "micropie.graceful_timeout"  # what a lifespan's scope may say of it, as the `TestClient` does
Phase = Callable[[], Awaitable[None]]


async def serve_lifespan(receive: Receive, send: Send, startup: Phase, shutdown: Phase) -> None:
    """Answer each event when its phase is done; one that raises is answered with `failed`, and ends the protocol."""
    phases = {"lifespan.startup": startup, "lifespan.shutdown": shutdown}
    done = False
    while not done:
        event = (await receive())["type"]
        if event not in phases:  # of a later version of the protocol
            continue
        failure = await _failure(event, phases[event])
        if failure is None:
            await send({"type": f"{event}.complete"})
        else:
            await send({"type": f"{event}.failed", "message": failure})
        done = failure is not None or event == "lifespan.shutdown"


async def _failure(event: str, phase: Phase) -> str | None:
    try:
        await phase()
    except Exception as error:
        log.exception("%s failed", event)
        return str(error) or type(error).__name__
    return None


async def start(handlers: Sequence[StartupHandler], state: dict[str, Any], entered: list[Handler]) -> None:
    """Call the handlers in order; the first that raises ends it. `entered` gets how to leave what was entered."""
    for handler in handlers:
        leave = await _contained(_enter(handler, state))
        if leave is not None:
            entered.append(leave)


async def stop(handlers: Sequence[Handler], state: dict[str, Any]) -> None:
    """Call the handlers in order, all of them; then raise what they raised, as an ExceptionGroup if it is several."""
    failures = []
    for handler in handlers:
        try:
            await _contained(_call_handler(handler, state))
        except Exception as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("; ".join(map(str, failures)), failures)


async def _contained(step: Awaitable[Any]) -> Any:
    """Run a handler; what would pass the server unseen, such as SystemExit, becomes a RuntimeError of its words."""
    try:
        return await step
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        reraise_cancellation(error)
        raise RuntimeError(_words(error)) from error


def _words(error: BaseException) -> str:
    if isinstance(error, SystemExit) and not isinstance(error.code, str):
        return f"sys.exit({error.code!r})"
    return str(error) or type(error).__name__


async def _enter(handler: StartupHandler, state: dict[str, Any]) -> Handler | None:
    """Call a startup handler; if it is a context manager, or makes one, enter that, and give how it is left."""
    is_context = isinstance(handler, AsyncContext | ContextDecorator)
    context = _as_context(handler if is_context else await _call_handler(handler, state))
    if context is None:
        return None
    await context.__aenter__()
    # In any case as if all was well: what stands behind a `yield` need not stand in a `finally`.
    return partial(context.__aexit__, None, None, None)


def _as_context(made: Any) -> AsyncContext[Any] | None:
    """A context manager of what a startup handler has made: one, or a generator that yields once; None of others.

    Of those that are not async only what `@contextmanager` makes counts: a handler may well return a file, or a lock.
    """
    if inspect.isasyncgen(made):
        return asynccontextmanager(lambda: made)()
    if inspect.isgenerator(made):
        return _on_the_loop(contextmanager(lambda: made)())
    if isinstance(made, ContextDecorator):
        return _on_the_loop(made)
    return made if isinstance(made, AsyncContext) else None


@asynccontextmanager
async def _on_the_loop(context: Any) -> AsyncIterator[None]:
    with context:
        yield


async def _call_handler(handler: Any, state: dict[str, Any]) -> Any:
    """Call one; if it takes a parameter, with the lifespan state, which requests find in `scope["state"]`.

    The result, unless it was awaited.
    """
    result = handler(state) if _takes_state(handler) else handler()
    if not inspect.isawaitable(result):
        return result
    await result
    return None


def _takes_state(handler: Handler) -> bool:
    try:
        parameters = inspect.signature(handler).parameters.values()
    except ValueError:  # some builtins have none
        return False
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


class MountedLifespan:
    """The lifespan of an application that is mounted in ours; it runs in a task of its own, as on a server."""

    GRACE = 1.0  # seconds that are left to it after it has answered the shutdown

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message | None] = asyncio.Queue()  # None: it has ended
        self._task: asyncio.Task[None] | None = None
        self._speaks = False

    async def startup(self) -> None:
        """Start it up; RuntimeError if it says that it failed. One that knows no lifespan has none."""
        self._task = asyncio.create_task(self._run())
        try:
            await self._phase("lifespan.startup")
        except BaseException:
            await self._end()
            raise
        self._speaks = not self._task.done()

    async def shutdown(self) -> None:
        """Shut it down; RuntimeError if it says that it failed."""
        try:
            if self._speaks:
                await self._phase("lifespan.shutdown")
        finally:
            await self._end()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._app(scope, self._events.get, self._answers.put)
        except CAUGHT as error:
            reraise_cancellation(error)
            # An application that raises for this scope, or at its startup, has no lifespan (the ASGI specification).
            if self._speaks:
                log.error("The lifespan of a mounted application failed", exc_info=error)
            elif isinstance(error, Exception):
                log.info("A mounted application has no lifespan: %r", error)
            else:
                self._answers.put_nowait({"type": "lifespan.startup.failed", "message": _words(error)})
        finally:
            self._answers.put_nowait(None)

    async def _phase(self, event: str) -> None:
        self._events.put_nowait({"type": event})
        answer = await self._answers.get()
        if answer is not None and answer["type"] == f"{event}.failed":
            raise RuntimeError(answer.get("message") or f"A mounted application answered {event} with its failure")

    async def _end(self) -> None:
        if self._task is not None and (await asyncio.wait({self._task}, timeout=self.GRACE))[1]:
            self._task.cancel()
            await asyncio.wait({self._task})


async def startup(engine: Engine) -> None:
    """Start an application that a server serves: once, and so that it learns of the server's stop."""
    if not engine.app._started:
        await start_engine(engine)
        engine.signals = HeldSignals(partial(part_from_clients, engine))


async def part_from_clients(engine: Engine) -> None:
    """Tell everybody of the stop; wait for the WebSockets, which no server would leave the time to part."""
    begin_stop(engine)
    await engine.router.background.until_parted()


def begin_stop(engine: Engine) -> None:
    """Tell the services of the stop, the requests of an application, and the applications below it; once."""
    background = engine.router.background
    if background.stopping:
        return
    background.begin_stop()
    for service in engine.router.services():
        try:
            service.begin_stop()
        except FAILURES:
            log.exception("%s could not begin its stop", type(service).__name__)
    for below in engine.router.mounted_apps:
        if below.is_micropie and below.engine.app._started:
            begin_stop(below.engine)


def grace() -> float:
    """The seconds that a stop may take: those of `micropie run --graceful-timeout`, which others may say too."""
    try:
        return max(float(os.environ.get(GRACEFUL_TIMEOUT, GRACE)), 0)
    except ValueError:
        raise RuntimeError(f"{GRACEFUL_TIMEOUT}={os.environ[GRACEFUL_TIMEOUT]!r}: seconds are wanted") from None


async def start_engine(engine: Engine) -> None:
    """Run the startup handlers; then start the services, and the applications below."""
    engine.router.background.start(grace() if engine.grace is None else engine.grace)
    token = current_background.set(engine.router.background)
    try:
        await start_parts(engine)
    finally:
        current_background.reset(token)


async def start_parts(engine: Engine) -> None:
    """Start what an application has; if anything fails, end what was begun."""
    try:
        await start(engine.app.startup_handlers, engine.state, engine.entered)
        for service in engine.router.services():
            await _contained(service.start(engine.app))
            engine.running.append(service.stop)
        for below in {id(found.app): found for found in engine.router.mounted_apps}.values():
            await start_below(engine, below)
    except BaseException:
        await give_up(engine)
        raise
    engine.app._started = True
    if engine.debug is not None:
        engine.debug.start()


async def give_up(engine: Engine) -> None:
    """Stop services and the applications below ours, and leave what was entered; what goes wrong is logged."""
    try:
        await stop([*what_runs_below(engine), *what_is_entered(engine)], engine.state)
    except Exception:
        log.exception("What the startup had begun could not be ended")


async def start_below(engine: Engine, found: MountedApp) -> None:
    """Start an application below ours, and remember how it is stopped."""
    running, state = engine.running, engine.state
    if not found.is_micropie:
        lifespan = MountedLifespan(found.app, state)
        await lifespan.startup()
        running.append(lifespan.shutdown)
        return
    below = found.engine
    if not below.app._started:
        below.state, below.grace = state, engine.grace
        await start_engine(below)
        running.append(partial(stop_engine, below))


def what_runs_below(engine: Engine) -> list[Handler]:
    """How to stop the services, and the applications below ours, the last one first; once."""
    running, engine.running = engine.running[::-1], []
    return running


def what_is_entered(engine: Engine) -> list[Handler]:
    """How to leave what the startup handlers have entered, the last first; once."""
    entered, engine.entered = engine.entered[::-1], []
    return entered


async def shutdown(engine: Engine) -> None:
    """Stop an application that a server has served."""
    signals, engine.signals = engine.signals, None
    if signals is not None:
        signals.end()
    await stop_engine(engine)


async def stop_engine(engine: Engine) -> None:
    """Wait for its tasks, stop what runs below, run the shutdown handlers, let backend and threads go."""
    begin_stop(engine)
    await engine.router.background.end()
    engine.app._started = False
    if engine.debug is not None:
        engine.debug.stop()
    try:
        handlers = [*what_runs_below(engine), *engine.app.shutdown_handlers, *what_is_entered(engine)]
        await stop([*handlers, engine.sessions.backend.aclose], engine.state)
    finally:
        engine.threads.shutdown()
        engine.body_threads.shutdown()
        engine.router.background.stop_is_over()
