"""The lifespan protocol: an application's handlers run at startup and shutdown (the ASGI specification, "Lifespan")."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from micropie.core.basics.errors import log
from micropie.core.basics.types import ASGIApp, Message, Receive, Send
from micropie.core.pipeline.engine import Engine, Handler
from micropie.core.routing.targets import MountedApp

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


async def start(handlers: list[Handler], state: dict[str, Any]) -> None:
    """Call the handlers in order; the first that raises ends it."""
    for handler in handlers:
        await _call_handler(handler, state)


async def stop(handlers: Sequence[Handler], state: dict[str, Any]) -> None:
    """Call the handlers in order, all of them; then raise what they raised, as an ExceptionGroup if it is several."""
    failures = []
    for handler in handlers:
        try:
            await _call_handler(handler, state)
        except Exception as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("; ".join(map(str, failures)), failures)


async def _call_handler(handler: Handler, state: dict[str, Any]) -> None:
    """Call one; if it takes a parameter, with the lifespan state, which requests find in `scope["state"]`."""
    result = handler(state) if _takes_state(handler) else handler()
    if inspect.isawaitable(result):
        await result


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
            await self._app(scope, self._events.get, self._answer)
        except Exception as error:
            # An application that raises for this scope, or at its startup, has no lifespan (the ASGI specification).
            if self._speaks:
                log.exception("The lifespan of a mounted application failed")
            else:
                log.info("A mounted application has no lifespan: %r", error)
        finally:
            self._answers.put_nowait(None)

    async def _answer(self, message: Message) -> None:
        self._answers.put_nowait(message)

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
    """Run the startup handlers, once; then start the applications below."""
    if engine.app._started:
        return
    await start(engine.app.startup_handlers, engine.state)
    try:
        for below in {id(found.app): found for found in engine.router.mounted_apps}.values():
            await start_below(engine, below)
    except BaseException:
        await stop_below(engine)
        raise
    engine.app._started = True
    if engine.debug is not None:
        engine.debug.start()


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
        below.state = state
        await startup(below)
        running.append(partial(shutdown, below))


async def stop_below(engine: Engine) -> None:
    """Stop the applications below ours, the last one first."""
    running, engine.running = engine.running[::-1], []
    await stop(running, engine.state)


async def shutdown(engine: Engine) -> None:
    """Stop what was started below, run the shutdown handlers, and let the worker threads go."""
    engine.app._started = False
    if engine.debug is not None:
        engine.debug.stop()
    below = [] if not engine.running else [partial(stop_below, engine)]
    try:
        await stop([*below, *engine.app.shutdown_handlers], engine.state)
    finally:
        engine.threads.shutdown()
