"""26: `_on_error` of an `App` or `Controller` answers in place of an exception."""

import asyncio
import logging
import threading
from dataclasses import dataclass

import pytest

from micropie import (
    App,
    ConnectionClosed,
    Controller,
    HTTPError,
    HttpMiddleware,
    InvalidInput,
    Mount,
    Resource,
    current_request,
)
from micropie.testing import TestClient, WebSocketRefused
from tests.client import http, run
from tests.wire import awire, websocket, wire

JSON = ("Content-Type", "application/json")


class OutOfStock(Exception):  # noqa: N818
    pass


class Other(Exception):  # noqa: N818
    pass


def records(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


class Told(Controller):
    """A controller that notes what it is asked of, and answers it if it is of this kind."""

    def __init__(self, kind=OutOfStock, answer=(409, {"error": "none left"})):
        self._kind, self._answer, self.asked = kind, answer, []

    def _on_error(self, error):
        self.asked.append(error)
        return self._answer if isinstance(error, self._kind) else None

    async def raising(self, name="OutOfStock"):
        raise {"OutOfStock": OutOfStock, "Other": Other, "Value": ValueError}[name]("why")

    def blocking(self):
        raise OutOfStock

    async def typed(self, n: int):
        return n

    async def refusing(self):
        raise HTTPError(403, "No", {"X-Kept": "yes", "Content-Language": "de"})

    async def stream(self):
        raise OutOfStock
        yield "never"

    async def group(self):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.refusing())


def site(told, **members):
    return type("Site", (App,), {"told": told, **members})()


def test_26_a_result_is_the_answer():
    """Of any kind that a handler may return."""
    told = Told()
    answer = http(site(told), path="/told/raising")
    assert (answer.status_code, answer.json(), len(told.asked)) == (409, {"error": "none left"}, 1)


@pytest.mark.parametrize("path", ["/told/raising", "/told/blocking", "/told/stream"])
def test_26_any_handler_may_raise_it(path):
    """In a thread, or before the first chunk of a stream."""
    assert http(site(Told()), path=path).status_code == 409


@pytest.mark.parametrize("path", ["/told/raising?name=Other", "/told/raising?name=Value"])
def test_26_none_is_not_mine(path, caplog):
    """Then it goes on as if nobody was asked."""
    told = Told()
    path, _, query = path.partition("?")
    assert http(site(told), path=path, query=query).text == "500 Internal Server Error"
    assert (len(told.asked), len(records(caplog))) == (1, 1)


def test_26_an_on_error_may_be_async():
    """As all that a class defines."""

    class Asks(Told):
        async def _on_error(self, error):
            await asyncio.sleep(0)
            return 409, self.request.scope["path"]

    assert http(site(Asks()), path="/told/raising").text == "/told/raising"


def test_26_a_sync_on_error_runs_in_a_thread():
    """It may block, and sees the request."""
    seen = []

    class Asks(Told):
        def _on_error(self, error):
            seen.append((threading.current_thread() is threading.main_thread(), current_request.get() is self.request))
            return 409, self.request.scope["path"]

    assert http(site(Asks()), path="/told/raising").text == "/told/raising"
    assert seen == [(False, True)]


@dataclass
class Conflict:
    error: str


@dataclass
class Secretive(Conflict):
    secret: str


def test_26_an_on_errors_annotation_keeps_fields_inside():
    """As a handler's does."""

    class Asks(Told):
        def _on_error(self, error) -> tuple[int, Conflict] | None:
            return 409, Secretive("none left", "secret")

    assert http(site(Asks()), path="/told/raising").json() == {"error": "none left"}


# Whose.


class Chain(Controller):
    def __init__(self, name, log, answer=None):
        self._name, self._log, self._answer = name, log, answer

    async def _on_error(self, error):
        self._log.append((self._name, type(error).__name__))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def raising(self):
        raise OutOfStock


def nested(*answers):
    """An application whose controllers answer so, outermost first, and what they are asked of."""
    log: list[tuple[str, str]] = []
    inner = type("Inner", (Chain,), {})("inner", log, answers[2])
    outer = type("Outer", (Chain,), {"inner": inner})("outer", log, answers[1])

    class Site(App):
        branch = outer
        beside = Told(answer=(418, "beside"))

        async def _on_error(self, error):
            return await Chain("app", log, answers[0])._on_error(error)

        async def raising(self):
            raise OutOfStock

    return Site(), log


@pytest.mark.parametrize(
    ("answers", "asked", "text"),
    [
        (("app", "outer", "inner"), ["inner"], "inner"),
        (("app", "outer", None), ["inner", "outer"], "outer"),
        (("app", None, None), ["inner", "outer", "app"], "app"),
        ((None, None, None), ["inner", "outer", "app"], "500 Internal Server Error"),
    ],
)
def test_26_inner_branches_are_asked_first(answers, asked, text):
    """Then outer ones, then the application."""
    app, log = nested(*answers)
    assert http(app, path="/branch/inner/raising").text == text
    assert log == [(name, "OutOfStock") for name in asked]


def test_26_a_branch_is_not_asked_of_others():
    """Only the controllers on the way to a handler are."""
    app, log = nested("app", "outer", "inner")
    assert http(app, path="/beside/raising").text == "beside"
    assert http(app, path="/raising").text == "app"
    assert http(app, path="/branch/raising").text == "outer"
    assert [name for name, _ in log] == ["app", "outer"]


def test_26_what_an_on_error_raises_goes_on_outward(caplog):
    """The next one is asked of the new exception; what is left is logged, with the one before it."""
    app, log = nested("app", None, Other("new"))
    assert http(app, path="/branch/inner/raising").text == "app"
    assert log == [("inner", "OutOfStock"), ("outer", "Other"), ("app", "Other")]
    assert records(caplog) == []
    app, _ = nested(None, None, Other("new"))
    assert http(app, path="/branch/inner/raising").status_code == 500
    assert len(records(caplog)) == 1
    assert "Other: new" in caplog.text
    assert "OutOfStock" in caplog.text


def test_26_what_a_sync_on_error_raises_has_its_origin_in_the_log(caplog):
    """Though it comes from another thread."""

    class Asks(Told):
        def _on_error(self, error):
            raise Other

    assert http(site(Asks()), path="/told/raising").status_code == 500
    assert "OutOfStock: why" in caplog.text


def test_26_an_on_error_may_raise_the_same_again(caplog):
    """It is logged once."""

    class Asks(Told):
        def _on_error(self, error):
            raise error

    assert http(site(Asks()), path="/told/raising").status_code == 500
    assert len(records(caplog)) == 1


def test_26_an_on_error_may_raise_an_http_error(caplog):
    """An answer for all."""

    class Asks(Told):
        def _on_error(self, error):
            raise HTTPError(409, "none left") from error

    assert http(site(Asks()), path="/told/raising").text == "409 Conflict: none left"
    assert records(caplog) == []


def test_26_an_unusable_result_is_a_500_that_names_the_method(caplog):
    """And what it is asked of is in the log too."""

    class Asks(Told):
        def _on_error(self, error):
            return object()

    assert http(site(Asks()), path="/told/raising").status_code == 500
    assert "Asks._on_error" in caplog.text


# What.


def asked_of(app, told, method="GET", path="/", **options):
    """The answer's status, and the exceptions that were asked of."""
    answer = wire(app, method, path, **options)
    return answer.status_code, [type(error).__name__ for error in told.asked]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "kind"),
    [
        ("GET", "/told/typed/x", {}, 400, InvalidInput),
        ("GET", "/told/refusing", {}, 403, HTTPError),
        ("GET", "/told/group", {}, 403, HTTPError),
        ("GET", "/told/nothing", {}, 404, HTTPError),
        ("GET", "/told/typed/1/2", {}, 500, HTTPError),
        ("POST", "/told/typed", {"body": b"{", "headers": [JSON]}, 400, HTTPError),
        ("POST", "/told/typed", {"body": b"x" * 99}, 413, HTTPError),
    ],
)
def test_26_a_controller_is_asked_of_all_that_goes_wrong_in_its_branch(method, path, options, status, kind):
    """Faults, refusals, bodies, and paths that lead nowhere there."""
    told = Told(kind, (299, "mine"))
    app = type("Site", (App,), {"told": told})(max_body_size=50)
    answer = wire(app, method, path, **options)
    assert (answer.status_code, answer.text) == (299, "mine")
    assert [error.status for error in told.asked] == [status]
    assert isinstance(told.asked[0], kind)


class Everything(App):
    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.asked = []

    async def _on_error(self, error):
        self.asked.append(error)
        return 299, f"{type(error).__name__} {getattr(error, 'status', '')}"

    async def index(self):
        return "Hello"

    async def leaving(self):
        raise asyncio.CancelledError

    async def ending(self):
        raise SystemExit


class Verbs(Resource):
    async def get(self, id):
        return id


class Whole(Everything):
    verbs = Verbs()


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/nothing", "Unrouted 404"),
        ("GET", "/_private", "Unrouted 404"),
        ("PUT", "/verbs/1", "Unrouted 405"),
        ("GET", "/%FF", "HTTPError 400"),
    ],
)
def test_26_the_application_is_asked_of_what_leads_nowhere(method, path, told):
    """404, 405, and a path that is no UTF-8."""
    answer = wire(Whole(), method, path)
    assert (answer.status_code, answer.text) == (299, told)


def test_26_the_application_is_asked_of_a_failing_before_hook():
    """And of the unknown handler that a hook has chosen."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            if request.scope["path"] == "/":
                raise OutOfStock
            request._route_handler = "unknown"

    app = Whole()
    app.middlewares.append(Hook())
    assert http(app).text == "OutOfStock "
    assert http(app, path="/x").text == "Unrouted 404"


@pytest.mark.parametrize("name", ["after_request", "save"])
def test_26_nobody_is_asked_of_what_fails_behind_the_hooks(name):
    """A failing after hook or session is a bare 500: no reply passes the hooks twice."""

    class Hook(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            if name == "save":
                request.session["x"] = 1
                return
            raise OutOfStock

    app = Whole()
    app._micropie.sessions.backend.save = None  # type: ignore[assignment]
    app.middlewares.append(Hook())
    assert (http(app).status_code, app.asked) == (500, [])


@pytest.mark.parametrize("path", ["/leaving", "/ending"])
def test_26_nobody_is_asked_of_a_cancellation_or_an_exit(path):
    """They are no exceptions of the application's."""
    app = Whole()
    assert (http(app, path=path).status_code, app.asked) == (500, [])


def test_26_a_cancelled_request_asks_nobody():
    """It ends at once."""
    started = asyncio.Event()

    class Waits(Whole):
        async def index(self):
            started.set()
            await asyncio.sleep(60)

    app = Waits()

    async def main():
        request = asyncio.create_task(awire(app))
        await started.wait()
        request.cancel()
        await asyncio.wait([request])
        return request.cancelled()

    assert run(main())
    assert app.asked == []


def test_26_a_request_that_is_cancelled_while_an_on_error_runs_ends():
    """Its cancellation is no exception that goes on outward."""
    started = asyncio.Event()

    class Waits(Everything):
        async def index(self):
            raise OutOfStock

        async def _on_error(self, error):
            self.asked.append(error)
            started.set()
            await asyncio.sleep(60)

    async def main():
        request = asyncio.create_task(awire(Waits()))
        await started.wait()
        request.cancel()
        await asyncio.wait([request])
        return request.cancelled()

    assert run(main())


class Foreign(Exception):  # noqa: N818
    status_code = 404
    headers = {"X-A": "1"}


@pytest.mark.parametrize(("error", "told"), [(Foreign(), "HTTPError 404"), (OutOfStock(), "OutOfStock ")])
def test_26_a_mount_that_fails_is_of_its_branch(error, told):
    """Before its reply has begun."""

    async def failing(scope, receive, send):
        raise error

    class Mounting(Everything):
        part = Mount(failing)

    assert http(Mounting(), path="/part/x").text == told


def test_26_an_application_below_another_asks_its_own():
    """It answers for itself."""
    above = type("Above", (Everything,), {"below": (below := Whole())})()
    assert http(above, path="/below/nothing").text == "Unrouted 404"
    assert (len(below.asked), above.asked) == (1, [])


def test_26_a_stream_that_an_on_error_returns_may_fail_too(caplog):
    """Nobody is asked again."""

    async def failing():
        raise OutOfStock
        yield ""

    class Asks(Told):
        def _on_error(self, error):
            self.asked.append(error)
            return failing()

    told = Asks()
    assert http(site(told), path="/told/stream").status_code == 500
    assert (len(told.asked), len(records(caplog))) == (1, 1)


def test_26_a_stream_that_breaks_later_asks_nobody():
    """Its reply has begun."""
    told = Told()

    class Breaks(Told):
        async def later(self):
            yield "x"
            raise OutOfStock

    told = Breaks()
    answer = wire(site(told), path="/told/later", raises=OutOfStock)
    assert (answer.status_code, told.asked) == (200, [])


# The reply.


def test_26_a_result_of_the_errors_status_keeps_its_headers():
    """But for those about the content; what the result names is the result's."""
    told = Told(HTTPError, (403, "mine", {"X-Own": "1"}))
    answer = http(site(told), path="/told/refusing")
    assert (answer.headers["x-kept"], answer.headers["x-own"], answer.text) == ("yes", "1", "mine")
    assert "content-language" not in answer.headers
    named = Told(HTTPError, (403, "mine", {"x-kept": "no"}))
    assert http(site(named), path="/told/refusing").headers.get_list("x-kept") == ["no"]


@pytest.mark.parametrize("name", ["Content-Security-Policy", "content-security-policy-report-only"])
def test_26_a_policy_is_not_about_the_content(name):
    """What browsers may do with the page stays, of an error as of a stream that fails before its first chunk."""

    class Told(Controller):
        def _on_error(self, error):
            return 403, "mine"

        async def refusing(self):
            raise HTTPError(403, "No", {name: "sandbox"})

        async def stream(self):
            async def chunks():
                raise OutOfStock
                yield "never"

            return 200, chunks(), {name: "sandbox"}

    for path in ("/told/refusing", "/told/stream"):
        answer = http(site(Told()), path=path)
        assert (answer.text, answer.headers.get_list(name)) == ("mine", ["sandbox"])


def test_26_a_405_keeps_its_allow():
    """RFC 9110 demands it."""

    class Answers(Whole):
        async def _on_error(self, error):
            return error.status, {"error": "not so"}

    answer = http(Answers(), "PUT", "/verbs/1")
    assert (answer.headers["allow"], answer.json()) == ("GET, HEAD, OPTIONS", {"error": "not so"})


def test_26_a_result_of_another_status_is_whole():
    """No header of the error is its business."""
    told = Told(HTTPError, (200, "mine"))
    assert "x-kept" not in http(site(told), path="/told/refusing").headers


def test_26_the_result_passes_guards_and_hooks():
    """As any reply does, once."""

    class Guards(Told):
        async def _after(self, reply):
            reply.headers.append(("X-Guard", str(reply.status)))

    class Hook(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Hook", str(status_code)))

    app = site(Guards())
    app.middlewares.append(Hook())
    for path in ("/told/raising", "/told/refusing"):
        answer = http(app, path=path)
        assert (answer.headers.get_list("x-guard"), answer.headers.get_list("x-hook")) == (
            [str(answer.status_code)],
            [str(answer.status_code)],
        )


def test_26_a_guard_that_raises_is_of_the_branch():
    """Before the handler, and behind it."""

    class Before(Told):
        async def _before(self):
            raise OutOfStock

    class After(Told):
        async def _after(self, reply):
            raise OutOfStock

        async def fine(self):
            return "fine"

    assert http(site(Before()), path="/told/raising").status_code == 409
    assert http(site(After()), path="/told/fine").status_code == 409


# Log, session, tracers, tests.


class Visits(App):
    def __init__(self, status):
        super().__init__()
        self._status = status

    async def _on_error(self, error):
        return self._status, "sorry"

    async def index(self):
        self.request.session["visited"] = True
        raise OutOfStock


@pytest.mark.parametrize("status", [200, 303, 409, 499])
def test_26_an_answered_exception_is_a_reply(status, caplog):
    """The session is saved, and the log has no failure."""
    answer = http(Visits(status))
    assert (answer.status_code, answer.text, "session_id" in answer.cookies) == (status, "sorry", True)
    assert records(caplog) == []


@pytest.mark.parametrize("status", [500, 503])
def test_26_an_exception_that_is_answered_as_a_failure_is_one(status, caplog):
    """The visitor sees the result; the log has its one record, and the session is not saved."""
    answer = http(Visits(status))
    assert (answer.status_code, answer.text, "session_id" in answer.cookies) == (status, "sorry", False)
    assert [record.exc_info[0] for record in records(caplog)] == [OutOfStock]


def test_26_an_http_error_that_is_answered_with_500_is_no_failure(caplog):
    """It is the application's answer."""

    class Answers(App):
        def _on_error(self, error):
            return error.status, "sorry"

        async def index(self):
            raise HTTPError(503)

    assert http(Answers()).status_code == 503
    assert records(caplog) == []


def test_26_the_test_client_raises_what_is_not_answered():
    """An answered exception is a reply there too."""
    with TestClient(site(Told())) as client:
        assert client.get("/told/raising").status_code == 409
        with pytest.raises(Other):
            client.get("/told/raising?name=Other")


# The class.


@pytest.mark.parametrize(
    "members",
    [
        {"_on_error": None},
        {"_on_error": lambda self: None},
        {"_on_error": lambda self, request, code: None},
        {"_on_error": lambda self, *, error: None},
    ],
)
@pytest.mark.parametrize("kind", [App, Controller])
def test_26_what_is_no_on_error_is_never_asked(kind, members, caplog):
    """An existing application may have the name by accident: it is warned, and works as ever."""
    members = {**members, "raising": Told.raising}
    owner = type("Owner", (kind,), members)()
    app = owner if kind is App else type("Site", (App,), {"part": owner})()
    path = "/raising" if kind is App else "/part/raising"
    assert "Owner._on_error is never asked: make it a method that takes the exception" in caplog.text
    assert http(app, path=path).status_code == 500


def test_26_an_on_error_on_the_instance_is_never_asked(caplog):
    """The class is what counts."""

    class Site(App):
        def __init__(self):
            vars(self)["_on_error"] = lambda error: "mine"
            super().__init__()

        async def index(self):
            raise OutOfStock

    assert http(Site()).status_code == 500
    assert "Site._on_error is never asked" in caplog.text


@pytest.mark.parametrize(
    "function", [staticmethod(lambda error: (409, "x")), classmethod(lambda cls, error: (409, "x"))]
)
def test_26_an_on_error_may_be_any_method(function):
    """As handlers may."""

    class Site(App):
        _on_error = function

        async def index(self):
            raise OutOfStock

    assert http(Site()).status_code == 409


def test_26_an_on_error_may_be_inherited():
    """From a class that is mixed in, before or behind."""

    class Answers:
        def _on_error(self, error):
            return 409, "mixed in"

    class Before(Answers, Controller):
        raising = Told.raising

    class Behind(Controller, Answers):
        raising = Told.raising

    assert http(site(Before()), path="/told/raising").text == "mixed in"
    assert http(site(Behind()), path="/told/raising").text == "mixed in"


def test_26_an_on_error_may_call_super():
    """The framework's own is never mine."""

    class Site(App):
        def _on_error(self, error):
            return super()._on_error(error) or (409, "last")

        part = type("Part", (Controller,), {"_on_error": Controller._on_error})()

    assert http(Site(), path="/part/x").text == "last"


def test_26_an_on_error_is_no_route():
    """Its name is private."""
    app = Everything()
    assert http(app, path="/_on_error").text == "Unrouted 404"


# WebSockets.


def sockets(answer, kind=OutOfStock, *, accepts=True):
    class Chat(App):
        asked = []

        async def _on_error(self, error):
            self.asked.append(error)
            return answer if isinstance(error, kind) else None

        async def ws_chat(self, ws):
            if accepts:
                await ws.accept()
            self.request.session["visited"] = True
            raise OutOfStock

        async def ws_talk(self, ws):
            await ws.accept()
            async for _ in ws:
                pass
            await ws.receive_text()

        async def ws_wrong(self, ws):
            await ws.accept()
            await ws.receive_json()

        async def ws_forbidden(self, ws):
            raise HTTPError(403, "Members only")

    return Chat()


@pytest.mark.parametrize(
    ("answer", "close"),
    [
        ((4009, "none left"), (4009, "none left")),
        ((1000, ""), (1000, "")),
        ({"code": 4009, "reason": "none left"}, (4009, "none left")),
        ({"code": 4009}, (4009, "")),
        ((409, {"error": "none left"}), (1008, "409 Conflict")),
        ({"error": "none left"}, (1008, "200 OK")),
        ("none left", (1008, "200 OK")),
        (iter(["none left"]), (1008, "200 OK")),
    ],
)
@pytest.mark.parametrize("accepts", [True, False])
def test_26_a_result_closes_a_websocket(answer, close, accepts, caplog):
    """Before it is accepted, that refuses it; a reply as for HTTP says as much as its status does."""
    found = websocket(sockets(answer, accepts=accepts), "/chat")
    assert (found.accepted, found.close) == (accepts, close)
    assert records(caplog) == []


@pytest.mark.parametrize("answer", [(1011, "sorry"), (503, "sorry")])
def test_26_a_websocket_that_is_closed_as_a_failure_is_one(answer, caplog):
    """As a reply of 500."""
    assert (websocket(sockets(answer), "/chat").close or ())[:1] == (1011,)
    assert len(records(caplog)) == 1


def test_26_an_http_error_may_close_a_websocket_with_1011(caplog):
    """It is no failure."""
    assert websocket(sockets((1011, "x"), HTTPError), "/forbidden").close == (1011, "x")
    assert records(caplog) == []


@pytest.mark.parametrize("answer", [(999, "x"), (1005, "x"), (4009,), (4009, "x", "y"), {"code": "x"}, object()])
def test_26_a_result_that_closes_nothing_is_a_failure(answer, caplog):
    """The log says why."""
    assert websocket(sockets(answer), "/chat").close == (1011, "Internal server error")
    assert len(records(caplog)) == 1


@pytest.mark.parametrize("returned", [HTTPError(404, "gone"), OutOfStock("no")])
def test_26_an_error_that_is_returned_is_none(returned, caplog):
    """The log says to raise it, and names the `_on_error`."""

    class Site(App):
        async def index(self):
            raise LookupError

        def _on_error(self, error):
            return returned

    assert http(Site()).status_code == 500
    (record,) = records(caplog)
    assert "Site._on_error" in record.getMessage()
    assert f"{type(returned).__name__} was returned: raise it, or return a reply" in record.getMessage()


def test_26_none_closes_a_websocket_as_ever():
    """An HTTPError with 1008, a failure with 1011, a wrong message with 1007."""
    app = sockets(None)
    assert websocket(app, "/forbidden").close == (1008, "Members only")
    assert websocket(app, "/chat").close == (1011, "Internal server error")
    assert websocket(app, "/wrong", send=["{no json"]).close == (1007, "Bad JSON")
    assert websocket(app, "/nothing").close == (1008, "No matching WebSocket route")
    assert len(app.asked) == 4


def test_26_nobody_is_asked_of_a_peer_that_left():
    """That is how conversations end."""
    app = sockets((4000, "x"), Exception)
    websocket(app, "/talk", send=["hello"])
    assert app.asked == []


def test_26_a_websockets_guard_is_of_its_branch():
    """Its exceptions too go to the branch's `_on_error`."""

    class Guarded(Told):
        async def _before(self):
            raise OutOfStock

        async def ws_chat(self, ws):
            await ws.accept()

    assert websocket(site(Guarded(answer=(4009, "none left"))), "/told/chat").close == (4009, "none left")


def test_26_an_answered_websocket_saves_its_session():
    """Unless it closes as a failure."""
    app = sockets((4009, "x"))
    with TestClient(app) as client:
        with pytest.raises(WebSocketRefused), client.websocket("/forbidden"):
            pass
        with pytest.raises(ConnectionClosed), client.websocket("/chat") as socket:
            socket.receive_text()
    assert app.asked[-1].__class__ is OutOfStock
