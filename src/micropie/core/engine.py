"""The parts of an application, and the way in which its functions are called.

Every step of a request is passed the `Engine`; the user's `App` is `engine.app`, an `Application` to the steps.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from micropie.core.basics.threads import WorkerThreads
    from micropie.core.basics.types import Send
    from micropie.core.failures.debugger import Debugger
    from micropie.core.handlers.user_function import UserFunction
    from micropie.core.hooks.hooks import Hooks
    from micropie.core.hooks.middleware import HttpMiddleware, WebSocketMiddleware
    from micropie.core.lifespan.signals import HeldSignals
    from micropie.core.requests.limits import Limits
    from micropie.core.routing.router import Router
    from micropie.core.sessions.store import SessionStore
    from micropie.core.templates.templates import Templates

Handler = Callable[..., Any]  # of startup or shutdown
StartupHandler = Handler | AbstractAsyncContextManager[Any]

PROBLEMS = "problem"
ERROR_FORMS = ("negotiated", PROBLEMS)  # how clients are told of errors: each as it likes, or all by problem details


class Application(Protocol):
    """The attributes of an `App` that users may change while it runs, or replace in a subclass: looked up each time."""

    middlewares: "list[HttpMiddleware]"
    ws_middlewares: "list[WebSocketMiddleware]"
    startup_handlers: list[StartupHandler]
    shutdown_handlers: list[Handler]
    _started: bool

    async def _send_response(self, send: "Send", status_code: int, body: Any, extra_headers: Any = None) -> None: ...

    async def _send_websocket_close(self, send: "Send", code: int, reason: str) -> None: ...


class Engine:
    """The parts of an application, made from the keywords of `App`."""

    # PERF: slots, not a namespace, 0.02 µs for each look.
    __slots__ = (
        "allowed_origins",
        "app",
        "body_threads",
        "debug",
        "entered",
        "errors",
        "grace",
        "hooks",
        "limits",
        "router",
        "running",
        "send_reply",
        "sends_directly",
        "sessions",
        "signals",
        "state",
        "surplus_path_status",
        "templates",
        "threads",
    )

    def __init__(
        self,
        app: Application,
        *,
        router: "Router",
        sessions: "SessionStore",
        threads: "WorkerThreads",
        body_threads: "WorkerThreads",
        limits: "Limits",
        templates: "Templates",
        allowed_origins: frozenset[str],
        surplus_path_status: int,
        errors: str,
        sends_directly: bool,
        send_reply: Callable[..., Awaitable[None]],
        debug: "Debugger | None",
    ) -> None:
        self.app = app
        self.router = router
        self.sessions = sessions
        self.threads = threads
        self.body_threads = body_threads
        self.limits = limits
        self.templates = templates
        self.allowed_origins = allowed_origins
        self.surplus_path_status = surplus_path_status
        self.errors = errors  # one of `ERROR_FORMS`
        self.sends_directly = sends_directly  # whole replies go out as messages, which nobody changes
        self.send_reply = send_reply  # the step of that name, or `send_by_override`
        self.hooks: Hooks | None = None  # as of the last request, if there are middlewares
        self.debug = debug  # in development mode
        self.state: dict[str, Any] = {}  # of the lifespan
        self.grace: float | None = None  # seconds that a stop may take; None: the environment says it
        self.entered: list[Handler] = []  # how what the startup handlers have entered is left
        self.signals: HeldSignals | None = None  # of the server, while it serves the application
        self.running: list[Handler] = []  # how the applications below are stopped


def is_awaitable(value: Any) -> bool:
    """True if a user's function, which may be `async def` or not, has to be awaited."""
    # PERF: 0.05 µs; inspect.isawaitable takes 0.4 µs.
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


async def call_guard(engine: Engine, guard: "UserFunction", *args: Any, **kwargs: Any) -> Any:
    """The result of a guard. What it sets in context variables its branch sees, whether it runs in a thread or not."""
    function = partial(guard.call, *args, **kwargs)
    result = await engine.threads.run_in_context(function) if guard.in_thread else function()
    return await result if is_awaitable(result) else result


async def call(engine: Engine, function: "UserFunction", args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of any handler: in a thread if it may block, awaited if it can be."""
    if function.in_thread:
        result = await engine.threads.run(function.call, args, kwargs)
    else:
        result = function.call(*args, **kwargs)
    return await result if is_awaitable(result) else result
