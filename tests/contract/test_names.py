"""The public names: BEHAVIOUR.md, point 1, and "Application Base" of the README."""

import inspect
import re
import subprocess
import sys

import pytest

import micropie
from micropie import RSGI, App, HTTPError, HttpMiddleware, InMemorySessionBackend, routes
from tests.client import http, run
from tests.wire import lifespan, lifespan_messages, running, websocket, wire

DOCUMENTED = [
    "App",
    "Request",
    "WebSocketRequest",
    "WebSocket",
    "ConnectionClosed",
    "HttpMiddleware",
    "WebSocketMiddleware",
    "SessionBackend",
    "InMemorySessionBackend",
    "SESSION_TIMEOUT",
    "current_request",
]


class Site(App):
    async def index(self):
        return "index"

    async def json(self):
        return {"a": 1}

    async def headed(self):
        return 201, "headed", [("X-Own", "1")]

    async def stream(self):
        yield "a"
        yield "b"

    async def fails(self):
        raise RuntimeError("secret")

    async def visit(self):
        self.request.session["visited"] = True
        return "visited"

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text("index")

    async def ws_fails(self, ws):
        raise RuntimeError("secret")


# 1. Names.


@pytest.mark.parametrize("name", DOCUMENTED)
def test_1_documented_names(name):
    """`from micropie import …` works, and `__all__` has it."""
    assert hasattr(micropie, name)
    assert name in micropie.__all__


def test_1_other_names_do_not():
    """What is not there is an AttributeError, also where some names are imported late."""
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        micropie.nothing_of_the_kind  # type: ignore[attr-defined]  # noqa: B018 - type checkers refuse it, too


def test_1_all_names_exist():
    """`__all__` names nothing that is not there."""
    assert [name for name in micropie.__all__ if not hasattr(micropie, name)] == []


def test_1_apps_public_names_are_few():
    """The names on an application belong to the user's routes: App itself has those of the README."""
    assert {name for name in dir(App()) if not name.startswith("_")} == {
        "middlewares",
        "request",
        "session_backend",
        "shutdown_handlers",
        "startup_handlers",
        "ws_middlewares",
    }


def test_1_import_needs_no_optional_package():
    """`import micropie` imports none of them, nor a server."""
    script = (
        "import sys, micropie; "
        "print(sorted({'jinja2', 'multipart', 'orjson', 'uvicorn', 'msgspec', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_1_the_interpreter_is_new_enough():
    """Python 3.11 or newer."""
    assert sys.version_info >= (3, 11)


# App: constructor and attributes.


def test_app_needs_no_arguments():
    """`App()` works."""
    assert isinstance(App(), App)


def test_app_takes_the_backend_first_and_keywords_only():
    """`session_backend=None` is the one positional parameter."""
    parameters = list(inspect.signature(App).parameters.values())
    assert (parameters[0].name, parameters[0].default) == ("session_backend", None)
    assert {p.kind for p in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("templates", "templates"),
        ("max_body_size", 16 * 2**20),
        ("max_form_field_size", 2**20),
        ("max_form_parts", 1000),
        ("max_upload_size", 2**30),
        ("body_timeout", 5),
        ("session_timeout", 28800),
        ("session_cookie_secure", "auto"),
        ("surplus_path_status", 500),
        ("errors", "negotiated"),
        ("allowed_origins", ()),
    ],
)
def test_app_keywords_have_their_documented_defaults(name, default):
    """Limits and switches are keywords with documented defaults."""
    assert inspect.signature(App).parameters[name].default == default


def test_app_has_sync_threads():
    """The size of the worker pool is a keyword."""
    assert inspect.signature(App).parameters["sync_threads"].default > 0


def test_app_refuses_unknown_keywords():
    """A misspelled keyword is an error at once."""
    with pytest.raises(TypeError):
        App(max_body=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["middlewares", "ws_middlewares", "startup_handlers", "shutdown_handlers"])
def test_app_lists_are_empty_and_its_own(name):
    """Four lists, empty at first, shared with no other application."""
    first, second = App(), App()
    assert (type(getattr(first, name)), getattr(first, name)) == (list, [])
    assert getattr(first, name) is not getattr(second, name)


@pytest.mark.parametrize("name", ["middlewares", "ws_middlewares", "startup_handlers", "shutdown_handlers"])
def test_app_lists_may_be_replaced(name):
    """Assigning another list is as good as appending."""
    app = Site()
    calls = []

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            calls.append("hook")

    class WsHook(micropie.WebSocketMiddleware):
        async def before_websocket(self, request):
            calls.append("hook")

    async def handler():
        calls.append("hook")

    setattr(app, name, {"middlewares": [Hook()], "ws_middlewares": [WsHook()]}.get(name, [handler]))
    lifespan(app)
    wire(app)
    websocket(app)
    assert calls == ["hook"]


def test_app_subclass_with_a_constructor_of_its_own():
    """A subclass may take arguments and keep attributes."""

    class Own(App):
        def __init__(self, name):
            super().__init__(max_body_size=10)
            self.name = name

        async def index(self):
            return self.name

    assert http(Own("mine")).text == "mine"


def test_app_subclass_that_sets_attributes_before_super():
    """The order does not matter."""

    class Early(App):
        def __init__(self):
            self.name = "early"
            super().__init__()

        async def index(self):
            return self.name

    assert http(Early()).text == "early"


def test_two_applications_of_one_class_are_independent():
    """Routes belong to the class, state to the object."""

    class Counter(App):
        def __init__(self):
            super().__init__()
            self.count = 0

        async def index(self):
            self.count += 1
            return self.count

    first, second = Counter(), Counter()
    assert [http(first).json(), http(first).json(), http(second).json()] == [1, 2, 1]


def test_started_tells():
    """`_started` is False, True between startup and shutdown."""
    app = App()
    before = app._started

    async def main():
        async with running(app):
            return app._started

    assert (before, run(main())) == (False, True)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("__call__", ["scope", "receive", "send"]),
        ("_asgi_app_http", ["scope", "receive", "send"]),
        ("_asgi_app_websocket", ["scope", "receive", "send"]),
        ("_asgi_app_lifespan", ["receive", "send"]),
        ("_parse_cookies", ["cookie_header"]),
        ("_parse_multipart", ["reader", "boundary"]),
        ("_send_response", ["send", "status_code", "body", "extra_headers"]),
        ("_send_websocket_close", ["send", "code", "reason"]),
        ("_redirect", ["location", "extra_headers"]),
    ],
)
def test_app_methods_have_their_documented_parameters(name, parameters):
    """The parameters of the README, in order; what we add is keyword-only."""
    found = list(inspect.signature(getattr(App, name)).parameters.values())[1:]
    assert [p.name for p in found if p.kind is not p.KEYWORD_ONLY] == parameters


def test_render_template_takes_any_keyword():
    """`_render_template(name, **kwargs)`."""
    kinds = [p.kind for p in inspect.signature(App._render_template).parameters.values()]
    assert kinds[-1] is inspect.Parameter.VAR_KEYWORD
    assert len(kinds) == 3


@pytest.mark.parametrize("kind", ["mail", "", None, "HTTP"])
def test_38_unknown_scope_types_raise(kind):
    """As ASGI asks."""
    app = App()

    async def main():
        async def nothing(*_):
            raise AssertionError("called")

        with pytest.raises(ValueError):
            await app({"type": kind}, nothing, nothing)

    run(main())


# The documented methods can be called.


def test_send_response_can_be_called():
    """`await app._send_response(send, status, body, headers)` sends one reply."""

    async def asgi(scope, receive, send):
        await App()._send_response(send, 201, {"a": 1}, [("X-Own", "1")])

    answer = http(asgi)
    assert (answer.status_code, answer.json(), answer.headers["x-own"]) == (201, {"a": 1}, "1")


def test_send_response_without_headers():
    """`extra_headers` may be left out."""

    async def asgi(scope, receive, send):
        await App()._send_response(send, 404, "gone")

    answer = http(asgi)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        404,
        "gone",
        "text/html; charset=utf-8",
    )


def test_send_websocket_close_can_be_called():
    """`await app._send_websocket_close(send, code, reason)` closes."""

    async def asgi(scope, receive, send):
        await App()._send_websocket_close(send, 4000, "x" * 200)

    assert websocket(asgi).close == (4000, "x" * 123)


def test_the_asgi_entries_can_be_called():
    """Each kind has its entry."""
    app = Site()
    assert http(app._asgi_app_http).text == "index"
    assert websocket(app._asgi_app_websocket).sent == ["index"]
    assert lifespan(lambda scope, receive, send: app._asgi_app_lifespan(receive, send)) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


# The documented methods can be overridden, and are then used.


class Sending(Site):
    """Adds a header to every reply, and notes them."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.sent: list[tuple[int, str]] = []

    async def _send_response(self, send, status_code, body, extra_headers=None):
        self.sent.append((status_code, type(body).__name__))
        await super()._send_response(send, status_code, body, [*(extra_headers or []), ("X-Sent", "1")])


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, b"index"),
        ("/json", 200, b'{"a":1}'),
        ("/headed", 201, b"headed"),
        ("/stream", 200, b"ab"),
        ("/nothing", 404, b"404 Not Found"),
        ("/fails", 500, b"500 Internal Server Error"),
    ],
)
def test_send_response_can_be_overridden(path, status, body):
    """Every reply goes through an override, once."""
    app = Sending()
    answer = http(app, path=path)
    assert (answer.status_code, answer.content, answer.headers["x-sent"]) == (status, body, "1")
    assert [sent for sent, _ in app.sent] == [status]


def test_an_overridden_send_response_keeps_the_type_of_json():
    """What passes it stays what it is."""
    assert http(Sending(), path="/json").headers["content-type"] == "application/json"


def test_an_overridden_send_response_answers_head():
    """Without a body."""
    answer = http(Sending(), "HEAD", "/json")
    assert (answer.content, answer.headers["content-length"]) == (b"", "7")


def test_an_overridden_send_response_keeps_the_cookie():
    """The session's cookie is among the headers."""
    assert "session_id" in http(Sending(), path="/visit").cookies


def test_an_overridden_send_response_may_change_the_reply():
    """Status and body are what it passes on."""

    class Changing(Site):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            await super()._send_response(send, 418, "tea", extra_headers)

    answer = http(Changing())
    assert (answer.status_code, answer.text) == (418, "tea")


def test_an_overridden_send_response_that_raises_is_500():
    """A failure before anything is sent can still be answered."""

    class Raising(Site):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            raise ArithmeticError("secret")

    answer = http(Raising())
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")


def test_send_websocket_close_can_be_overridden():
    """Refusals and closes go through an override."""

    class Closing(Site):
        async def _send_websocket_close(self, send, code, reason):
            await super()._send_websocket_close(send, code + 2992, f"our {reason}")

    assert websocket(Closing()).close == (3992, "our ")
    assert websocket(Closing(), "/nothing").close == (4000, "our No matching WebSocket route")
    failed = websocket(Closing(), "/fails").close
    assert failed is not None
    assert failed[0] == 4003


def test_the_http_entry_can_be_overridden():
    """`_asgi_app_http` may answer by itself, or go on."""

    class Wrapping(Site):
        async def _asgi_app_http(self, scope, receive, send):
            await super()._asgi_app_http({**scope, "path": "/json", "raw_path": b"/json"}, receive, send)

    assert http(Wrapping()).json() == {"a": 1}


def test_the_websocket_entry_can_be_overridden():
    """`_asgi_app_websocket` too."""

    class Refusing(Site):
        async def _asgi_app_websocket(self, scope, receive, send):
            await send({"type": "websocket.close", "code": 4321})

    assert websocket(Refusing()).close == (4321, "")


def test_the_lifespan_entry_can_be_overridden():
    """`_asgi_app_lifespan` too."""
    calls = []

    class Noting(Site):
        async def _asgi_app_lifespan(self, receive, send):
            calls.append("lifespan")
            await super()._asgi_app_lifespan(receive, send)

    assert lifespan_messages(Noting())[0] == {"type": "lifespan.startup.complete"}
    assert calls == ["lifespan"]


def test_parse_cookies_can_be_overridden():
    """An override decides which session a client has."""

    class Renaming(Site):
        def _parse_cookies(self, cookie_header):
            cookies = super()._parse_cookies(cookie_header)
            return {"session_id": cookies["sid"]} if "sid" in cookies else {}

        async def look(self):
            return dict(self.request.session)

    app = Renaming()
    session_id = http(app, path="/visit").cookies["session_id"]
    assert http(app, path="/look", cookies={"sid": session_id}).json() == {"visited": True}
    assert http(app, path="/look", cookies={"session_id": session_id}).json() == {}


def test_redirect_can_be_overridden():
    """Handlers that call `self._redirect` get the override."""

    class Prefixing(Site):
        async def away(self):
            return self._redirect("/login")

        def _redirect(self, location, extra_headers=None, *, status=302, permanent=False):
            return super()._redirect(f"/app{location}", extra_headers, status=status)

    assert http(Prefixing(), path="/away").headers["location"] == "/app/login"


def test_render_template_can_be_overridden():
    """Another engine may stand in for Jinja2."""

    class Formatting(Site):
        async def page(self):
            return await self._render_template("Hello {name}", name="Bo")

        async def _render_template(self, name, /, **context):
            return name.format(**context)

    assert http(Formatting(), path="/page").text == "Hello Bo"


def test_http_error_is_public():
    """What we add is public too: `HTTPError`, `ClientGone`, `Session`, `MissingDependency`."""
    assert {"HTTPError", "ClientGone", "Session", "MissingDependency"} <= set(micropie.__all__)
    assert issubclass(micropie.ClientGone, HTTPError)


def test_app_tells_its_session_backend():
    """The one that it was made with, or the memory; it can't be set."""
    backend = InMemorySessionBackend()
    assert App(backend).session_backend is backend
    assert isinstance(App().session_backend, InMemorySessionBackend)
    with pytest.raises(AttributeError):
        App().session_backend = backend  # type: ignore[misc]


async def never(*_):
    raise AssertionError("nothing is to be received or sent")


class WithoutSuper(App):
    def __init__(self):
        self.name = "pie"

    async def index(self):
        return self.name


class Early(App):
    def __init__(self):
        self.middlewares.append(HttpMiddleware())
        super().__init__()


PLACE = re.escape(f"({__file__}, line ")


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda: run(WithoutSuper()({"type": "lifespan"}, never, never)), "_micropie"),
        (lambda: WithoutSuper().startup_handlers, "startup_handlers"),
        (lambda: routes(WithoutSuper()), "_micropie"),
        (lambda: WithoutSuper().session_backend, "_micropie"),
        (lambda: RSGI(WithoutSuper()), "_micropie"),
    ],
)
def test_app_tells_who_does_not_call_its_constructor(use, name):
    """By the name, file and line of the constructor."""
    place = rf"{PLACE}{WithoutSuper.__init__.__code__.co_firstlineno}\)"
    expected = rf"WithoutSuper has no '{name}' yet: WithoutSuper.__init__ {place} must call super\(\).__init__"
    with pytest.raises(AttributeError, match=expected):
        use()


def test_app_tells_who_calls_its_constructor_too_late():
    """What it sets is not there before."""
    place = rf"{PLACE}{Early.__init__.__code__.co_firstlineno}\)"
    with pytest.raises(
        AttributeError, match=rf"Early has no 'middlewares' yet: Early.__init__ {place} must call super"
    ):
        Early()


def test_what_the_constructor_sets_can_be_looked_up_on_the_class():
    """As tools do that look at all members."""
    assert {name for name in dir(App) if not name.startswith("_")} >= {"middlewares", "startup_handlers", "request"}
    assert inspect.getmembers(App)
