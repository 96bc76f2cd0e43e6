"""What the steps of a request know of the application, and how they call its functions.

`Application` is the `App` as they see it; they know nothing else of it. `Parts` is what it is made of.
"""

from collections.abc import Awaitable, Callable, Sequence
from types import CoroutineType
from typing import Any, Protocol

from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import Send
from micropie.core.handlers.endpoint import UserFunction
from micropie.core.pipeline.debugger import Debugger
from micropie.core.pipeline.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.requests.body import Limits
from micropie.core.requests.request import Request
from micropie.core.routing.router import Router
from micropie.core.sessions.store import SessionStore
from micropie.core.templates.templates import Templates

Handler = Callable[..., Awaitable[None] | None]


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
        sessions: SessionStore,
        workers: WorkerThreads,
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


def is_awaitable(value: Any) -> bool:
    """Whether a user's function, which may be `async def` or not, has to be awaited."""
    # PERF: 0.05 µs; inspect.isawaitable takes 0.4 µs.
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


async def call(app: Application, action: UserFunction, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """The result of any handler or guard: in a thread if it may block, awaited if it can be."""
    if action.in_thread:
        result = await app._micropie.workers.run(action.call, args, kwargs)
    else:
        result = action.call(*args, **kwargs)
    return await result if is_awaitable(result) else result
