"""App: the class that users inherit from. It holds the configuration and the documented methods, nothing else.

Everything here is public or documented to be overridden; the work is done in the modules below. The public
names of the class are few on purpose: they belong to the user's routes.
"""

import inspect
from asyncio import StreamReader
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from micropie.core import late
from micropie.core.basics.headers import parse_cookies
from micropie.core.basics.settings import check_setting, checked_origins, is_whole
from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import HeaderPairs, Params, Receive, Scope, Send
from micropie.core.engine import ERROR_FORMS, Engine, Handler, StartupHandler
from micropie.core.failures.debugger import debugger_of, is_development_mode
from micropie.core.failures.error_replies import title_of
from micropie.core.handlers.endpoint import WEBSOCKET
from micropie.core.handlers.parameter import FILE
from micropie.core.hooks.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.pipeline.http import serve_http
from micropie.core.pipeline.sending import as_current_request, send_by_override, send_reply, showing_debug_pages
from micropie.core.replies.asgi import plain_messages, whole_messages
from micropie.core.replies.reply import to_reply
from micropie.core.requests.limits import Limits, check_limits
from micropie.core.requests.request import TEMPLATE_CONTEXT, Request, current_request, request_here
from micropie.core.requests.session import SESSION_COOKIE
from micropie.core.routing.class_warnings import log_class_warnings
from micropie.core.routing.controller import Controller, Mount, Nested
from micropie.core.routing.router import Router, let_url_for_find
from micropie.core.sessions.backends import SESSION_TIMEOUT, InMemorySessionBackend, SessionBackend, backend_of
from micropie.core.sessions.cookie import SameSite, SessionCookie
from micropie.core.sessions.store import SESSION_LIFETIME, SessionStore
from micropie.core.templates.templates import Templates

MiB = 1 << 20
BODY_THREADS = 2  # for large bodies: a slow one does not keep the others waiting, and more would not be faster


def overrides(app: "App", name: str) -> bool:
    """True if the class of an application has a method of its own in place of one of ours."""
    return getattr(type(app), name) is not getattr(App, name)


def used_parts(router: Router, backend: SessionBackend) -> Iterator[Callable[..., Any]]:
    """The late parts of the core that requests will surely ask for, as far as handlers and settings show it."""
    endpoints = router.endpoints
    if any(one.name.startswith(WEBSOCKET) for one in endpoints):
        yield late.serve_websocket
    if router.mounted_apps:
        yield late.serve_subapp
    if router.uses_providers:
        yield late.provide
    if any(parameter.source == FILE for one in endpoints for parameter in one.plan.parameters):
        yield late.Upload
    if any(inspect.isgeneratorfunction(one.handler) or inspect.isasyncgenfunction(one.handler) for one in endpoints):
        yield late.send_streamed
    if type(backend) is not InMemorySessionBackend:
        yield late.SessionWriter


def template_functions() -> dict[str, Any]:
    """What every template of a folder may call, by its name there."""
    return {"url_for": late.url_for, "form_action": late.form_action, "flashes": late.flashes}


class _SetByConstructor:
    """An attribute that `App.__init__` sets. Who looks at it before is told what is missing.

    It is no data descriptor, so it costs nothing once it is set.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        constructor: Any = inspect.getattr_static(owner, "__init__")
        raise AttributeError(
            f"{owner.__name__} has no {self._name!r} yet: {title_of(constructor)} must call super().__init__() first"
        )


def _set_by_constructor() -> Any:
    return _SetByConstructor()


class App:
    """A web application: each public method of a subclass is a route.

        class MyApp(App):
            async def index(self):
                return "Hello"

            async def greet(self, name="Guest"):
                return {"hello": name}

        app = MyApp()

    Its settings are keywords. Sizes are bytes, times are seconds; None is no limit. ValueError for what makes no sense.

    - `session_backend` keeps the sessions: a `SessionBackend`, or a URL such as `sqlite:///sessions.db`; None is
      memory.
    - `max_body_size` bounds a JSON or form body, or all text fields of an upload; `max_form_field_size` one text field
      of a form, or its name; `max_form_parts` the fields and files of one form; `max_upload_size` all files of one
      request together. More is 413, also for a handler that takes `Faults`.
    - `body_timeout`: so often a body must have gained ground, 500 bytes a second; a slower one is 408.
    - `max_message_size` bounds a WebSocket's message, more closes with 1009; `idle_timeout` how long one may be without
      a message in either direction, longer closes with 1001.
    - `session_timeout` is how long an unused session is kept, `session_lifetime` how long any is.
    - `session_cookie` is the name of its cookie; `session_cookie_path`, `session_cookie_domain` (None is this host
      alone), `session_cookie_samesite` (`"Lax"`, `"Strict"`, `"None"`) and `session_cookie_max_age` (None is until the
      browser closes) are its attributes; `session_cookie_secure` forces `Secure`, `"auto"` is all but plain HTTP on
      this machine.
    - `allowed_origins` are other sites whose WebSockets may use the session.
    - `surplus_path_status` is the answer to path segments that no parameter takes.
    - `errors` is the form of errors: `"negotiated"`, as each client prefers, or `"problem"`, problem details for all.
    - `sync_threads` is the number of threads for sync handlers; 0 runs them on the event loop.
    - `templates` is the folder of the templates, a list of folders, or a `jinja2.Environment`.
    - `debug` turns the pages of development mode on or off, for clients on this machine; None is as the command says.
    """

    middlewares: list[HttpMiddleware] = _set_by_constructor()
    """The hooks around each HTTP request, in the order in which they run."""
    ws_middlewares: list[WebSocketMiddleware] = _set_by_constructor()
    """The hooks around each WebSocket, in the order in which they run."""
    startup_handlers: list[StartupHandler] = _set_by_constructor()
    """What the server's start calls, in order: functions, `async def` or plain, and what is entered and left again."""
    shutdown_handlers: list[Handler] = _set_by_constructor()
    """What the stop of the server calls, in order, all of them: functions, `async def` or plain."""
    _started: bool = _set_by_constructor()
    """True once the startup is complete."""
    # All that is ours; other names, private ones too, are the subclass's to use.
    _micropie: Engine = _set_by_constructor()

    def __init__(
        self,
        session_backend: SessionBackend | str | None = None,
        *,
        max_body_size: int | None = 16 * MiB,
        max_form_field_size: int | None = MiB,
        max_form_parts: int | None = 1000,
        max_upload_size: int | None = 1024 * MiB,
        body_timeout: float | None = 5,
        max_message_size: int | None = 16 * MiB,
        idle_timeout: float | None = None,
        session_timeout: int = SESSION_TIMEOUT,
        session_lifetime: int | None = SESSION_LIFETIME,
        session_cookie: str = SESSION_COOKIE,
        session_cookie_path: str = "/",
        session_cookie_domain: str | None = None,
        session_cookie_samesite: SameSite = "Lax",
        session_cookie_max_age: int | None = None,
        session_cookie_secure: bool | Literal["auto"] = "auto",
        allowed_origins: Iterable[str] = (),
        surplus_path_status: int = 500,
        errors: Literal["negotiated", "problem"] = "negotiated",
        sync_threads: int = 32,
        templates: Any = "templates",
        debug: bool | None = None,
    ) -> None:
        self.middlewares = []
        self.ws_middlewares = []
        self.startup_handlers = []
        self.shutdown_handlers = []
        self._started = False
        limits = Limits(
            max_body_size,
            max_form_field_size,
            max_form_parts,
            max_upload_size,
            body_timeout,
            max_message_size,
            idle_timeout,
        )
        send = send_by_override if overrides(self, "_send_response") else send_reply
        debugger = debugger_of(self, wanted=debug)
        check_limits(limits._asdict(), "App({})")
        is_status = is_whole(surplus_path_status, 400) and surplus_path_status < 600  # noqa: PLR2004
        check_setting("surplus_path_status", surplus_path_status, "a status from 400 to 599 is", fits=is_status)
        check_setting("errors", errors, "'negotiated' or 'problem' is", fits=errors in ERROR_FORMS)
        check_setting("sync_threads", sync_threads, "a number of threads, 0 for none, is", fits=is_whole(sync_threads))
        router = Router(self, App, limits)
        log_class_warnings(router)
        let_url_for_find(router)
        backend = backend_of(session_backend, in_development=debugger is not None and is_development_mode())
        tuple(used_parts(router, backend))  # are imported now, and not in the middle of the first request
        self._micropie = Engine(
            self,
            router=router,
            sessions=SessionStore(
                backend,
                timeout=session_timeout,
                lifetime=session_lifetime,
                cookie=SessionCookie(
                    session_cookie,
                    session_cookie_path,
                    session_cookie_domain,
                    session_cookie_samesite,
                    session_cookie_max_age,
                    secure=session_cookie_secure,
                    parse=self._parse_cookies if overrides(self, "_parse_cookies") else None,
                ),
            ),
            threads=WorkerThreads(sync_threads),
            body_threads=WorkerThreads(BODY_THREADS if sync_threads else 0),
            limits=limits,
            templates=Templates(templates, template_functions),
            allowed_origins=checked_origins(allowed_origins),
            surplus_path_status=surplus_path_status,
            errors=errors,
            sends_directly=debugger is None and send is send_reply,
            send_reply=send if debugger is None else showing_debug_pages(send),
            debug=debugger,
        )

    @property
    def session_backend(self) -> SessionBackend:
        """Where the sessions are kept; the constructor's argument, or the memory."""
        return self._micropie.sessions.backend

    @property
    def request(self) -> Request:
        """The request that is being served, also in threads and streams. LookupError outside of one."""
        return request_here()

    if TYPE_CHECKING:
        pass  # to a type checker this method would mean that anything may be set
    else:

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if isinstance(value, Controller | Mount | Nested) and "_micropie" in vars(self):
                self._micropie.router.tell_if_stray(self, name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, WebSocket or lifespan of `scope` by `receive` and `send` (ASGI 3); else ValueError."""
        kind = scope["type"]
        if kind == "http":
            await self._asgi_app_http(scope, receive, send)
        elif kind == "websocket":
            await self._asgi_app_websocket(scope, receive, send)
        elif kind == "lifespan":
            self._micropie.state = scope.get("state", {})
            self._micropie.grace = scope.get(late.GRACE_IN_SCOPE)
            await self._asgi_app_lifespan(receive, send)
        else:
            raise ValueError(f"MicroPie serves http, websocket and lifespan, not {kind!r}")

    # PERF: these three hand on a coroutine instead of being one, 0.1 µs; to those who override or call them it is one.

    def _asgi_app_http(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve the HTTP request of `scope` by `receive` and `send`."""
        return serve_http(self._micropie, Request(scope, receive), send, whole_messages, plain_messages)

    def _asgi_app_websocket(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve the WebSocket of `scope` by `receive` and `send`."""
        return late.serve_websocket(self._micropie, scope, receive, send)

    def _asgi_app_lifespan(self, receive: Receive, send: Send) -> Awaitable[None]:
        """Run the startup and in the end the shutdown handlers, as `receive` says; `send` tells how it went."""
        return late.serve_lifespan(
            receive, send, partial(late.startup, self._micropie), partial(late.shutdown, self._micropie)
        )

    async def _send_response(
        self, send: Send, status_code: int, body: Any, extra_headers: HeaderPairs | None = None
    ) -> None:
        """Send a reply by `send`; override it to see or change every one, and call `super()`.

        `status_code`, `body` and `extra_headers` are what a handler may return.
        """
        request = current_request.get(None) or Request({"type": "http", "method": "GET"})
        reply = to_reply((status_code, body, extra_headers))
        await as_current_request(request, send_reply(self._micropie, request, reply, send, whole_messages))

    async def _send_websocket_close(self, send: Send, code: int, reason: str) -> None:
        """Close a WebSocket by `send` with `code`, or refuse it; a `reason` beyond 123 bytes is cut."""
        await send({"type": "websocket.close", "code": code, "reason": late.close_reason(reason)})

    def _parse_cookies(self, cookie_header: str) -> dict[str, str]:
        """The cookies of the text of a `Cookie` header, `cookie_header`, by their names."""
        return parse_cookies(cookie_header)

    async def _parse_multipart(self, reader: StreamReader, boundary: bytes) -> tuple[Params, dict[str, Any]]:
        """Read a multipart form from `reader` to its end: its fields, and its files, large ones on disk.

        `boundary` is that of its content type. `HTTPError` 400 or 413.
        """

        async def chunks() -> AsyncIterator[bytes]:
            while chunk := await reader.read(late.PIECE):
                yield chunk

        form = late.MultipartForm(self._micropie.limits)
        await form.read(chunks(), boundary.decode("latin-1"))
        await form.until([])
        return form.fields, dict(form.files)

    def _redirect(
        self, location: str, extra_headers: Iterable[Any] | None = None, *, status: int = 302, permanent: bool = False
    ) -> tuple[int, str, HeaderPairs]:
        """A result that redirects to `location`; made ASCII, and safe from header injection.

        `extra_headers` are added in any shape that a handler may return. `permanent` makes 301 of the `status` 302, and
        308 of 307. ValueError for a `javascript:`, `vbscript:` or `data:` URL.
        """
        return late.redirect(location, extra_headers, status=status, permanent=permanent)

    async def _render_template(self, name: str, /, **context: Any) -> str:
        """The Jinja2 template `name`, rendered with `context`. `MissingDependency` without Jinja2."""
        request = current_request.get(None)
        given = {} if request is None else request._preset.get(TEMPLATE_CONTEXT, {})
        # PERF: who inherits it has nothing to say, 0.4 µs.
        if getattr(self._template_context, "__func__", None) is not App._template_context:
            given = {**given, **await late.shared_context([self])}
        return await self._micropie.templates.render(name, {**given, **context})

    def _on_error(self, error: Exception) -> Any:
        """Asked of an `error` that no controller has answered, `async def` or plain; a result but None answers."""
        return None

    def _template_context(self) -> Any:
        """Values for every template, beside the keywords of `_render_template`: a dict; `async def` or plain."""
        return {}
