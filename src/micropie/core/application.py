"""What the steps of a request know of the application, and how they call its functions.

`Application` is the `App` as they see it; they know nothing else of it. `Parts` is what it is made of.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import CoroutineType
from typing import Any, Protocol

from micropie.core.backends import SessionPolicy
from micropie.core.body import Limits
from micropie.core.debugging import Debugger
from micropie.core.endpoint import Action, Handover
from micropie.core.lifespan import Handler, MountedLifespan, start, stop
from micropie.core.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.request import Request
from micropie.core.routing import Router
from micropie.core.templates import Templates
from micropie.core.types import Send
from micropie.core.workers import Workers


class Parts:
    """What an application is made of."""

    # PERF: slots, not a namespace, 0.02 µs for each look.
    __slots__ = (
        "allowed_origins",
        "debug",
        "limits",
        "router",
        "running",
        "send_reply",
        "sessions",
        "state",
        "surplus_path_status",
        "take_body",
        "templates",
        "workers",
    )

    def __init__(
        self,
        *,
        router: Router,
        sessions: SessionPolicy,
        workers: Workers,
        limits: Limits,
        take_body: Callable[[Request, Limits], Awaitable[None]],
        templates: Templates,
        allowed_origins: frozenset[str],
        surplus_path_status: int,
        send_reply: Callable[..., Awaitable[None]],
        debug: Debugger | None,
    ) -> None:
        self.router = router
        self.sessions = sessions
        self.workers = workers
        self.limits = limits
        self.take_body = take_body  # the step of that name, or `take_own_body`
        self.templates = templates
        self.allowed_origins = allowed_origins
        self.surplus_path_status = surplus_path_status
        self.send_reply = send_reply  # the step of that name, or `send_by_override`
        self.debug = debug  # in development mode
        self.state: dict[str, Any] = {}  # of the lifespan
        self.running: list[Handler] = []  # how the applications below are stopped


class Application(Protocol):
    """What the steps need to know of the application."""

    middlewares: list[HttpMiddleware]
    ws_middlewares: list[WebSocketMiddleware]
    startup_handlers: list[Handler]
    shutdown_handlers: list[Handler]
    _started: bool
    _micropie: Parts

    def _parse_cookies(self, cookie_header: str) -> dict[str, str]: ...

    async def _send_response(self, send: Send, status_code: int, body: Any, extra_headers: Any = None) -> None: ...

    async def _send_websocket_close(self, send: Send, code: int, reason: str) -> None: ...


async def startup(app: Application) -> None:
    """Run the startup handlers, once; then start the applications below."""
    if app._started:
        return
    await start(app.startup_handlers, app._micropie.state)
    try:
        for below in {id(found.app): found for found in app._micropie.router.handovers}.values():
            await start_below(app, below)
    except BaseException:
        await stop_below(app)
        raise
    app._started = True
    if app._micropie.debug is not None:
        app._micropie.debug.start()


async def start_below(app: Application, found: Handover) -> None:
    """Start an application below ours, and remember how it is stopped."""
    running, state = app._micropie.running, app._micropie.state
    if not found.is_ours:
        lifespan = MountedLifespan(found.app, state)
        await lifespan.startup()
        running.append(lifespan.shutdown)
        return
    below: Any = found.app
    if not below._started:
        below._micropie.state = state
        await startup(below)
        running.append(partial(shutdown, below))


async def stop_below(app: Application) -> None:
    """Stop the applications below ours, the last one first."""
    running, app._micropie.running = app._micropie.running[::-1], []
    await stop(running, app._micropie.state)


async def shutdown(app: Application) -> None:
    """Stop what was started below, run the shutdown handlers, and let the worker threads go."""
    app._started = False
    if app._micropie.debug is not None:
        app._micropie.debug.stop()
    below = [] if not app._micropie.running else [partial(stop_below, app)]
    try:
        await stop([*below, *app.shutdown_handlers], app._micropie.state)
    finally:
        app._micropie.workers.shutdown()


def is_awaitable(value: Any) -> bool:
    """Whether a user's function, which may be `async def` or not, has to be awaited."""
    # PERF: 0.05 µs; inspect.isawaitable takes 0.4 µs.
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


async def call(app: Application, action: Action, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of any handler or guard: in a thread if it may block, awaited if it can be."""
    if action.in_thread:
        result = await app._micropie.workers.run(action.call, args, kwargs)
    else:
        result = action.call(*args, **kwargs)
    return await result if is_awaitable(result) else result
