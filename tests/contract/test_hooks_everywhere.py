"""Hooks that reach every request: before its routing, on WebSockets too, and in front of what is mounted."""

import logging
from typing import Any

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Mount, WebSocketMiddleware, methods
from tests.client import http
from tests.wire import websocket, wire


async def foreign(scope, receive, send):
    """Another ASGI application."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000})
        return
    if scope["path"].endswith("/fails"):
        raise RuntimeError("secret")
    if scope["path"].endswith("/missing"):
        raise HTTPException
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"foreign"})


class HTTPException(Exception):  # noqa: N818 - what Starlette raises
    status_code = 404


class Inner(App):
    async def index(self):
        return "inner"


class Branch(Controller):
    async def _before(self):
        raise HTTPError(401)

    async def index(self):
        return "branch"


class Site(App):
    files = Mount(foreign)
    inner = Inner()
    branch = Branch()

    async def index(self):
        return "index"

    @methods("POST")
    async def post(self, name="nobody"):
        return f"posted {name}"

    async def visit(self):
        self.request.session["visited"] = True
        return "visited"

    async def seen(self):
        return dict(self.request.session)

    async def ws_index(self, ws):
        await ws.accept()

    async def ws_other(self, ws):
        await ws.accept()
        await ws.send_text("other")


class Early(HttpMiddleware, WebSocketMiddleware):
    """Notes its calls; what it answers before routing is given."""

    def __init__(self, answer=None, name="early", calls=None):
        self.answer = answer
        self.name = name
        self.calls = [] if calls is None else calls

    def before_routing(self, request):
        self.calls.append(f"routing {self.name}")
        return self.answer(request) if callable(self.answer) else self.answer

    async def before_request(self, request):
        self.calls.append(f"before {self.name}")

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.calls.append(f"after {self.name} {status_code}")
        extra_headers.append(("X-After", self.name))

    async def before_websocket(self, request):
        self.calls.append(f"before websocket {self.name}")

    async def after_websocket(self, request):
        self.calls.append(f"after websocket {self.name}")


class Marks(HttpMiddleware):
    """Names itself in what is mounted."""

    def __init__(self, name):
        self.name = name

    def mounted_send(self, request, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                mark = (b"x-mark", f"{self.name} {request.method}".encode())
                message = {**message, "headers": [*message.get("headers", ()), mark]}
            await send(message)

        return marked


def site(*hooks, cls=Site):
    app = cls()
    app.middlewares.extend(hooks)
    return app


def refusing(status=403, detail="No"):
    def refuse(request):
        raise HTTPError(status, detail)

    return refuse


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# before_routing, HTTP


def test_the_hook_comes_first_in_list_order():
    """All hooks before routing run in list order, before the first other one."""
    calls: list[str] = []
    http(site(Early(name="1", calls=calls), Early(name="2", calls=calls)))
    expected = ["routing 1", "routing 2", "before 1", "before 2", "after 1 200", "after 2 200"]
    assert calls == expected


def test_the_hook_may_be_a_coroutine_function():
    """`async def before_routing` is awaited."""

    class Awaited(HttpMiddleware):
        async def before_routing(self, request):
            return {"body": "early"}

    assert http(site(Awaited())).text == "early"


@pytest.mark.parametrize("path", ["/nowhere", "/_private", "//", "/branch", "/post"])
def test_the_hook_sees_requests_that_lead_nowhere(path):
    """It also sees requests that would be a 401, 404 or 405."""
    assert http(site(Early({"body": "early"})), path=path).text == "early"


def test_an_answer_is_shown_to_all_after_hooks():
    """An answer before routing passes every after hook, also of those whose hook was not reached."""
    calls: list[str] = []
    answer = http(site(Early({"status_code": 418, "body": "tea"}, "1", calls), Early(None, "2", calls)))
    assert (answer.status_code, answer.text, calls) == (418, "tea", ["routing 1", "after 1 418", "after 2 418"])


def test_a_refusal_is_shown_to_all_after_hooks():
    """An `HTTPError` before routing does so too."""
    calls: list[str] = []
    answer = http(site(Early(refusing(), "1", calls), Early(None, "2", calls)))
    assert (answer.status_code, answer.text) == (403, "403 Forbidden: No")
    assert answer.headers.get_list("x-after") == ["1", "2"]


def test_a_failing_hook_is_a_500(caplog):
    """Anything else that it raises is a bare 500, and the traceback is in the log."""
    answer = http(site(Early(lambda request: 1 // 0)))
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    assert [record.exc_info[0] for record in errors(caplog)] == [ZeroDivisionError]


def test_the_body_is_not_read_before_the_hook():
    """A refusal takes nothing of the body."""
    taken = []

    async def body():
        taken.append(1)
        yield b"name=Ann"

    answer = wire(site(Early(refusing())), "POST", "/post", body=body(), headers=[("content-length", "1000000000")])
    assert (answer.status_code, taken) == (403, [])


def test_the_hook_may_lead_elsewhere():
    """The path is routed as the hook leaves it."""

    def rewrite(request):
        request.scope["path"] = request.scope["path"].removeprefix("/v1")

    assert http(site(Early(rewrite)), "POST", "/v1/post", data={"name": "Ann"}).text == "posted Ann"


def test_the_session_is_there_behind_the_hook():
    """A hook before routing does not come in the way of the session."""
    app = site(Early())
    cookies = http(app, path="/visit").cookies
    assert http(app, path="/seen", cookies=cookies).json() == {"visited": True}


def test_the_session_is_not_there_in_the_hook(caplog):
    """Who looks at the session before it is loaded is told so, and the visitor's own stays what it is."""
    app = site()
    cookies = http(app, path="/visit").cookies
    app.middlewares.append(Early(lambda request: request.session.get("user")))
    assert http(app, path="/seen", cookies=cookies).status_code == 500
    (record,) = errors(caplog)
    assert str(record.exc_info[1]) == (
        "before_routing() comes before the session is loaded: before_request() may look at it"
    )
    app.middlewares.clear()
    assert http(app, path="/seen", cookies=cookies).json() == {"visited": True}


def test_an_outer_session_may_be_looked_at():
    """The session that an outer application has put into the scope is there from the beginning."""
    app = site(Early(lambda request: {"body": request.session["user"]}))
    assert wire(app, scope={"session": {"user": "Ann"}}).text == "Ann"


# Refusals by HTTPError


@pytest.mark.parametrize("path", ["/", "/branch", "/files/x", "/inner"])
def test_a_before_hook_may_refuse_by_an_http_error(path):
    """An `HTTPError` of `before_request` is the answer, wherever the request would have gone."""

    class Refuses(HttpMiddleware):
        async def before_request(self, request):
            raise HTTPError(429, "Slower", {"Retry-After": "3"})

    answer = http(site(Refuses()), path=path)
    assert (answer.status_code, answer.text) == (429, "429 Too Many Requests: Slower")
    assert answer.headers["retry-after"] == "3"


# WebSockets


def test_a_middleware_of_both_kinds_hooks_websockets():
    """An object in `middlewares` that is a `WebSocketMiddleware` too hooks WebSockets."""
    early = Early()
    assert websocket(site(early)).close == (1000, "")
    assert early.calls == ["routing early", "before websocket early", "after websocket early"]


def test_a_middleware_in_both_lists_is_called_once():
    """If it stands in `ws_middlewares` too, its hooks are called once."""
    early = Early()
    app = site(early)
    app.ws_middlewares.append(early)
    websocket(app)
    assert early.calls == ["routing early", "before websocket early", "after websocket early"]


def test_those_of_middlewares_come_first():
    """The hooks of `middlewares` enclose those of `ws_middlewares`, whoever is equal to whom."""

    class Equal(Early):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

    calls: list[str] = []
    app = site(Equal(None, "1", calls))
    app.ws_middlewares += [Equal(None, "2", calls), Equal(None, "3", calls)]
    websocket(app)
    assert calls == [f"{hook} {n}" for hook in ("routing", "before websocket", "after websocket") for n in "123"]


def test_an_http_middleware_alone_hooks_no_websocket():
    """Its hook before routing is for HTTP only."""

    class Refuses(HttpMiddleware):
        def before_routing(self, request):
            raise HTTPError(403)

    assert websocket(site(Refuses())).accepted


def test_a_hook_before_routing_may_refuse_a_websocket():
    """A dict refuses, before the path is looked at, and no other hook runs."""
    early = Early({"code": 4001, "reason": "No"})
    assert websocket(site(early), path="/nowhere").close == (4001, "No")
    assert early.calls == ["routing early"]


def test_an_http_error_before_routing_refuses_a_websocket(caplog):
    """An `HTTPError` refuses with 1008 and its detail, and is no failure."""
    assert websocket(site(Early(refusing(400, "Bad host")))).close == (1008, "Bad host")
    assert errors(caplog) == []


def test_a_websocket_middleware_may_come_first_too():
    """`ws_middlewares` have the hook as well; it may lead elsewhere, and be a coroutine function."""

    class Leads(WebSocketMiddleware):
        async def before_routing(self, request):
            request.scope["path"] = "/other"

    app = Site()
    app.ws_middlewares.append(Leads())
    assert websocket(app).sent == ["other"]


def test_any_object_with_the_websocket_methods_will_do():
    """A middleware of WebSockets need not inherit, nor have what is new."""

    class Duck:
        async def before_websocket(self, request):
            return None

        async def after_websocket(self, request):
            return None

    duck: Any = Duck()
    app = Site()
    app.ws_middlewares.append(duck)
    assert websocket(app).accepted


def test_the_hook_comes_before_the_check_of_the_origin():
    """A handshake that the check of the origin would refuse has passed the hook before."""
    headers = [("origin", "https://evil.example"), ("cookie", "session_id=x")]
    assert websocket(site(Early(refusing(403, "first"))), headers=headers).close == (1008, "first")


def test_the_session_is_not_there_before_a_websocket_is_routed(caplog):
    """Who looks at the session of a WebSocket too early is told so."""
    app = site(Early(lambda request: request.session.get("user")))
    assert websocket(app).close == (1011, "Internal server error")
    assert "before the session is loaded" in str(errors(caplog)[0].exc_info[1])


def test_a_mounted_websocket_passes_the_hooks():
    """A mounted application's WebSockets pass them as well."""
    assert websocket(site(Early(refusing())), path="/files/x").close == (1008, "No")
    assert websocket(site(Early()), path="/files/x").close == (4000, "")


# mounted_send


@pytest.mark.parametrize(("path", "body"), [("/files/x", "foreign"), ("/inner", "inner")])
def test_what_is_mounted_sends_through_the_middlewares(path, body):
    """The messages of a mounted application pass the middlewares in list order, as replies pass `after_request`."""
    answer = http(site(Marks("1"), Marks("2")), path=path)
    assert (answer.text, answer.headers.get_list("x-mark")) == (body, ["1 GET", "2 GET"])


def test_other_replies_do_not():
    """Whatever `after_request` sees is not sent through it."""
    assert "x-mark" not in http(site(Marks("1"))).headers


def test_a_sub_application_sends_through_the_middlewares():
    """So does the one that a hook has named by `_subapp`."""

    class Leads(HttpMiddleware):
        def before_request(self, request):
            request._subapp = foreign

    assert http(site(Marks("1"), Leads())).headers["x-mark"] == "1 GET"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/files/fails", 500, "500 Internal Server Error"), ("/files/missing", 404, "404 Not Found")],
)
def test_errors_of_what_is_mounted_are_sent_through_the_middlewares(path, status, text):
    """What goes wrong in a mounted application before it has sent anything passes them too."""
    answer = http(site(Marks("1"), Marks("2")), path=path)
    assert (answer.status_code, answer.text, answer.headers.get_list("x-mark")) == (status, text, ["1 GET", "2 GET"])


def test_a_mounted_send_that_holds_the_start_back_does_not_spoil_the_error():
    """A `send` that waits with the start until there is a body is made anew for the error."""

    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("secret")

    class Waits(HttpMiddleware):
        def mounted_send(self, request, send):
            held = []

            async def waiting(message):
                held.append(message)
                if message["type"] == "http.response.body":
                    for one in held:
                        await send(one)
                    held.clear()

            return waiting

    class Broken(App):
        mount = Mount(breaks)

    answer = http(site(Waits(), cls=Broken), path="/mount")
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")


def test_the_session_is_saved_for_what_is_mounted():
    """A hook that changes the start of a mounted reply leaves the session's cookie in it."""

    class Visits(HttpMiddleware):
        def before_request(self, request):
            request.session["user"] = "Ann"

    app = site(Visits(), Marks("1"))
    answer = http(app, path="/files/x")
    assert answer.headers["x-mark"] == "1 GET"
    assert http(app, path="/seen", cookies=answer.cookies).json() == {"user": "Ann"}


def test_any_object_with_the_methods_may_stand_before_a_mount():
    """A middleware that does not inherit changes nothing of what is mounted."""

    class Duck:
        async def before_request(self, request):
            return None

        async def after_request(self, request, status_code, response_body, extra_headers):
            return None

    assert http(site(Duck()), path="/files/x").text == "foreign"


def test_a_middleware_in_place_of_an_equal_one_is_called():
    """Whoever replaces a middleware by one that compares equal gets the hooks of the new one."""

    class Counting(HttpMiddleware):
        def __init__(self):
            self.calls = 0

        def __eq__(self, other):
            return isinstance(other, Counting)

        __hash__ = None  # type: ignore[assignment]

        def before_request(self, request):
            self.calls += 1

    class Site(App):
        async def index(self):
            return "page"

    app, first, second = Site(), Counting(), Counting()
    for middleware in (first, second):
        app.middlewares[:] = [middleware]
        assert http(app).text == "page"
    assert (first.calls, second.calls) == (1, 1)


def test_a_hook_assigned_to_an_instance_is_called():
    """A hook may stand on the middleware itself, not on its class; those that are inherited are passed over."""
    seen = []
    middleware = HttpMiddleware()
    middleware.after_request = lambda request, status, body, headers: seen.append(status)  # type: ignore[method-assign, assignment]

    class Site(App):
        async def index(self):
            return "page"

    app = Site()
    app.middlewares += [HttpMiddleware(), middleware]
    assert (http(app).text, seen) == ("page", [200])


def test_routing_hooks_that_wait_are_waited_for_in_order():
    """One that is `async def` and has no answer leaves it to those behind it, and in the end to the handler."""
    seen = []

    class Waits(HttpMiddleware):
        async def before_routing(self, request):
            seen.append("waits")

    class Answers(HttpMiddleware):
        def before_routing(self, request):
            seen.append("answers")
            return {"body": "answered"} if request.scope["path"] == "/post" else None

    app = Site()
    app.middlewares += [Waits(), Answers(), Waits()]
    assert [http(app, path=path).text for path in ("/", "/post")] == ["index", "answered"]
    assert seen == ["waits", "answers", "waits", "waits", "answers"]


def test_a_routing_hook_that_fails_behind_one_that_waits_is_a_500():
    """It is answered, and logged, as the first one would be."""

    class Waits(HttpMiddleware):
        async def before_routing(self, request):
            return None

    class Fails(HttpMiddleware):
        def before_routing(self, request):
            raise RuntimeError("secret")

    app = Site(debug=False)
    app.middlewares += [Waits(), Fails()]
    answer = http(app)
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
