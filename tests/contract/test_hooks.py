"""Middleware: BEHAVIOUR.md, points 10, 27 and 28, and "Middleware Abstraction" of the README."""

import inspect
import logging

import pytest

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, WebSocketMiddleware
from micropie.testing import TestClient
from tests.client import http
from tests.wire import websocket, wire

FAILED = (500, b"500 Internal Server Error")


class Site(App):
    async def index(self):
        return "index"

    async def headed(self):
        return 201, "headed", [("X-Own", "1")]

    async def json(self):
        return {"a": 1}

    async def typed(self):
        return 200, "a,b", [("Content-Type", "text/csv")]

    async def fails(self):
        raise RuntimeError("secret")

    async def visit(self):
        self.request.session["visited"] = True
        return "visited"

    async def stream(self):
        yield "a"
        yield "b"

    async def ws_index(self, ws):
        await ws.accept()

    async def ws_fails(self, ws):
        await ws.accept()
        raise RuntimeError("secret")

    async def ws_visit(self, ws):
        self.request.session["visited"] = True
        await ws.accept(session_id=ws.session_id)


class Hook(HttpMiddleware):
    """Notes its calls; what it answers is given."""

    def __init__(self, name="hook", calls=None, before=None, after=None):
        self.name = name
        self.calls = [] if calls is None else calls
        self.before = before
        self.after = after

    async def before_request(self, request):
        self.calls.append(f"before {self.name}")
        return self.before(request) if callable(self.before) else self.before

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.calls.append(f"after {self.name} {status_code}")
        if callable(self.after):
            return self.after(request, status_code, response_body, extra_headers)
        return self.after


def raising(*_):
    raise ArithmeticError("secret")


def refusing(*_):
    raise HTTPError(403, "No")


def site(*hooks, cls=Site, **keywords):
    app = cls(**keywords)
    app.middlewares.extend(hooks)
    return app


def status_and_body(app, path="/", **keywords):
    answer = wire(app, path=path, **keywords)
    return answer.status_code, answer.content


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# 27. HTTP hooks.


def test_27_hooks_run_in_list_order():
    """Before hooks run in list order, and so do after hooks."""
    calls: list[str] = []
    http(site(Hook("1", calls), Hook("2", calls)))
    assert calls == ["before 1", "before 2", "after 1 200", "after 2 200"]


def test_27_middlewares_start_empty():
    """`middlewares` and `ws_middlewares` are empty lists of the application's own."""
    first, second = App(), App()
    first.middlewares.append(Hook())
    assert (second.middlewares, second.ws_middlewares) == ([], [])


def test_27_before_hooks_see_the_body():
    """A before hook runs after the body is read."""
    hook = Hook(before=lambda request: {"body": {"seen": request.body_params}})
    assert http(site(hook), "POST", data={"a": "1"}).json() == {"seen": {"a": ["1"]}}


def test_27_before_hooks_see_json():
    """JSON too."""
    hook = Hook(before=lambda request: {"body": request.get_json})
    assert http(site(hook), "POST", json=[1, 2]).json() == [1, 2]


def test_27_before_hooks_see_the_session():
    """A before hook runs after the session is loaded."""
    app = site()
    cookies = http(app, path="/visit").cookies
    app.middlewares.append(Hook(before=lambda request: {"body": dict(request.session)}))
    assert http(app, cookies=cookies).json() == {"visited": True}


def test_27_a_session_changed_in_a_hook_is_saved():
    """Hooks may change the session."""

    def counting(request, *_):
        request.session["n"] = request.session.get("n", 0) + 1

    app = site(Hook(before=counting, after=counting))
    cookies = http(app).cookies
    app.middlewares[:] = [Hook(before=lambda request: {"body": dict(request.session)})]
    assert http(app, cookies=cookies).json() == {"n": 2}


def test_27_a_truthy_dict_answers_at_once():
    """A before hook's dict is the reply; neither later hooks nor the handler run."""
    calls: list[str] = []
    answer = http(
        site(
            Hook("1", calls, before={"status_code": 403, "body": "no", "headers": [("X-Why", "1")]}), Hook("2", calls)
        ),
        path="/fails",
    )
    assert (answer.status_code, answer.content, answer.headers["x-why"]) == (403, b"no", "1")
    assert calls == ["before 1", "after 1 403"]


def test_27_status_code_defaults_to_200():
    """Without `status_code` it is 200."""
    assert status_and_body(site(Hook(before={"body": "short"}))) == (200, b"short")


@pytest.mark.parametrize("value", [None, {}, False, ""])
def test_27_anything_falsy_goes_on(value):
    """Only a truthy answer short-cuts."""
    assert status_and_body(site(Hook(before=value))) == (200, b"index")


def test_27_a_short_cut_may_have_a_json_body():
    """The body is what a handler may return."""
    answer = http(site(Hook(before={"body": {"a": 1}})))
    assert (answer.json(), answer.headers["content-type"]) == ({"a": 1}, "application/json")


@pytest.mark.parametrize("headers", [[("X-A", "1")], {"X-A": "1"}, (("X-A", "1"),), None])
def test_27_headers_of_a_short_cut(headers):
    """Its headers may be a list or a dict."""
    answer = http(site(Hook(before={"body": "x", "headers": headers})))
    assert (answer.status_code, answer.headers.get("x-a")) == (200, "1" if headers else None)


def test_27_a_short_cut_does_not_change_the_hooks_dict():
    """A dict that the hook keeps is the same afterwards."""
    kept = {"body": "x", "headers": [("X-A", "1")]}
    app = site(
        Hook(before=kept, after=lambda r, s, b, headers: headers.append(("X-Late", "1"))),
    )
    http(app)
    http(app)
    assert kept == {"body": "x", "headers": [("X-A", "1")]}


def test_27_a_short_cut_sees_the_entered_after_hooks_only():
    """Of three the second answers: the first two see its reply."""
    calls: list[str] = []
    http(site(Hook("1", calls), Hook("2", calls, before={"body": "x"}), Hook("3", calls)))
    assert calls == ["before 1", "before 2", "after 1 200", "after 2 200"]


def test_27_a_before_hook_that_raises_is_500(caplog):
    """The after hooks of those entered run with the 500."""
    calls: list[str] = []
    app = site(Hook("1", calls), Hook("2", calls, before=raising), Hook("3", calls))
    assert status_and_body(app) == FAILED
    assert calls == ["before 1", "before 2", "after 1 500", "after 2 500"]
    assert len(errors(caplog)) == 1


def test_27_a_before_hook_may_raise_http_error():
    """`HTTPError` is its answer there too."""
    assert status_and_body(site(Hook(before=refusing))) == (403, b"403 Forbidden: No")


def test_27_after_hooks_get_status_body_and_headers():
    """`after_request(request, status_code, response_body, extra_headers)`."""
    seen = []

    def look(request, status_code, response_body, extra_headers):
        seen.append((request.scope["path"], status_code, response_body, list(extra_headers)))

    http(site(Hook(after=look)), path="/headed")
    assert seen == [("/headed", 201, "headed", [("X-Own", "1")])]


def test_27_after_hooks_may_append_headers_in_place():
    """`extra_headers` may be appended to."""
    answer = http(site(Hook(after=lambda r, s, b, headers: headers.append(("X-Hook", "1")))), path="/headed")
    assert (answer.status_code, answer.headers["x-own"], answer.headers["x-hook"]) == (201, "1", "1")


@pytest.mark.parametrize("path", ["/", "/stream", "/nothing", "/fails", "/json"])
def test_27_headers_are_appended_to_any_reply(path):
    """Whatever the reply is."""
    answer = http(site(Hook(after=lambda r, s, b, headers: headers.append(("X-Hook", "1")))), path=path)
    assert answer.headers["x-hook"] == "1"


def test_27_an_after_hook_may_replace_the_status():
    """`status_code` replaces the status, and nothing else."""
    answer = http(site(Hook(after={"status_code": 202})), path="/headed")
    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (202, b"headed", "1")


def test_27_an_after_hook_may_replace_the_body():
    """`body` replaces the body; its length follows."""
    answer = http(site(Hook(after={"body": "other body"})), path="/headed")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (201, b"other body", "10")
    assert answer.headers["x-own"] == "1"


def test_27_a_body_may_be_replaced_by_json():
    """And its type."""
    answer = http(site(Hook(after={"body": {"b": 2}})))
    assert (answer.json(), answer.headers["content-type"]) == ({"b": 2}, "application/json")


@pytest.mark.parametrize("body", ['{"signed": true}', b'{"signed": true}', lambda: iter(['{"signed": ', "true}"])])
@pytest.mark.parametrize("as_text", [True, False])
def test_27_the_type_of_a_reply_stays_when_its_body_is_replaced(body, as_text):
    """JSON that a hook writes itself is JSON; HTML is HTML, and a type of the handler's own is that."""
    hook = Hook(after=lambda *_: {"body": body() if callable(body) else body})
    answer = http(site(hook), path="/json")
    assert (answer.json(), answer.headers["content-type"]) == ({"signed": True}, "application/json")
    assert http(site(hook)).headers["content-type"] == "text/html; charset=utf-8"
    assert http(site(hook), path="/typed").headers["content-type"] == "text/csv"


@pytest.mark.parametrize("headers", [[("Content-Type", "text/plain")], {"content-type": "text/plain"}])
def test_27_a_hook_may_name_the_type_of_its_body(headers):
    """Then that goes out, and no other."""
    answer = http(site(Hook(after={"body": "text", "headers": headers})), path="/json")
    assert answer.headers.get_list("content-type") == ["text/plain"]


def test_27_later_hooks_see_the_type_of_a_replaced_body():
    """It stands among the headers, as that of the JSON before."""
    seen = []
    hooks = Hook(after={"body": "[]"}), Hook(after=lambda r, s, b, headers: seen.append(list(headers)))
    http(site(*hooks), path="/json")
    assert seen == [[("Content-Type", "application/json")]]


@pytest.mark.parametrize("headers", [[("X-New", "2")], {"X-New": "2"}])
def test_27_an_after_hook_may_replace_the_headers(headers):
    """`headers`, a list or a dict, replace the handler's."""
    answer = http(site(Hook(after={"headers": headers})), path="/headed")
    assert (answer.headers.get("x-own"), answer.headers.get("x-new"), answer.content) == (None, "2", b"headed")


def test_27_later_after_hooks_see_the_change():
    """What one hook replaced the next one sees."""
    seen = []
    first = Hook(after={"status_code": 418, "body": "tea", "headers": [("X-T", "1")]})
    http(site(first, Hook(after=lambda r, status, body, headers: seen.append((status, body, list(headers))))))
    assert seen == [(418, "tea", [("X-T", "1")])]


def test_27_an_after_hooks_dict_is_not_changed():
    """A dict that the hook keeps is the same afterwards."""
    kept = {"headers": [("X-A", "1")]}
    app = site(Hook(after=kept), Hook(after=lambda r, s, b, headers: headers.append(("X-Late", "1"))))
    assert http(app).headers["x-late"] == "1"
    assert kept == {"headers": [("X-A", "1")]}


def test_27_a_stream_may_be_replaced():
    """A stream that a hook replaces is not sent; it is closed."""
    closed = []

    class Streaming(App):
        async def index(self):
            try:
                yield "a"
            finally:
                closed.append(True)

    async def started(request, status_code, response_body, extra_headers):
        await anext(response_body)
        return {"body": "instead"}

    class Replacing(HttpMiddleware):
        after_request = staticmethod(started)

    app = site(Replacing(), cls=Streaming)
    assert status_and_body(app) == (200, b"instead")
    assert closed == [True]


def test_27_after_hooks_may_wrap_a_stream():
    """A stream passes as what it is."""

    def shout(request, status_code, response_body, extra_headers):
        async def louder():
            async for chunk in response_body:
                yield chunk.upper()

        return {"body": louder()}

    assert http(site(Hook(after=shout)), path="/stream").content == b"AB"


def test_27_errors_found_before_the_hooks_pass_all_after_hooks():
    """Bad JSON is answered before any before hook; all after hooks see it."""
    calls: list[str] = []
    app = site(Hook("1", calls), Hook("2", calls))
    http(app, "POST", content=b"{", headers=[("Content-Type", "application/json")])
    assert calls == ["after 1 400", "after 2 400"]


def test_27_an_after_hook_that_raises_gives_a_bare_500(caplog):
    """A bare 500, logged once; no later hook runs, none runs twice."""
    calls: list[str] = []
    app = site(Hook("1", calls), Hook("2", calls, after=raising), Hook("3", calls))
    assert status_and_body(app) == FAILED
    assert calls == ["before 1", "before 2", "before 3", "after 1 200", "after 2 200"]
    assert len(errors(caplog)) == 1


def test_27_a_bare_500_has_no_headers_of_the_reply():
    """What hooks and handler added is gone."""
    app = site(Hook(after=lambda r, s, b, headers: headers.append(("X-Hook", "1"))), Hook(after=raising))
    answer = http(app, path="/headed")
    assert (answer.status_code, answer.headers.get("x-hook"), answer.headers.get("x-own")) == (500, None, None)


def test_27_after_an_after_hook_that_raises_the_session_is_not_saved():
    """No cookie goes out with the 500."""
    answer = http(site(Hook(after=raising)), path="/visit")
    assert answer.headers.get("set-cookie") is None


def test_27_a_session_save_that_raises_gives_a_bare_500(caplog):
    """The reply has passed the hooks already, and does not pass again."""

    class Broken(InMemorySessionBackend):
        async def save(self, session_id, data, timeout):
            raise ConnectionError("secret")

    calls: list[str] = []
    app = site(Hook("1", calls), session_backend=Broken())
    answer = http(app, path="/visit")
    assert (answer.status_code, answer.content, answer.headers.get("set-cookie")) == (*FAILED, None)
    assert calls == ["before 1", "after 1 200"]
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"status_code": "200"},
        {"status_code": 99},
        {"status_code": None},
        {"headers": ["x"]},
        {"body": object()},
        [1],
        "x",
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_27_a_wrong_answer_of_a_hook_is_500(when, change):
    """What a hook answers must mean something."""
    hook = Hook(before=change) if when == "before" else Hook(after=change)
    assert status_and_body(site(hook)) == FAILED


def test_27_both_methods_may_be_left_out():
    """A subclass without either does nothing."""

    class Nothing(HttpMiddleware):
        pass

    class WsNothing(WebSocketMiddleware):
        pass

    app = site(Nothing())
    app.ws_middlewares.append(WsNothing())
    assert status_and_body(app) == (200, b"index")
    assert websocket(app).accepted


def test_27_one_method_may_be_left_out():
    """One of both will do."""

    class Before(HttpMiddleware):
        async def before_request(self, request):
            return {"body": "before"}

    class After(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            return {"body": "after"}

    assert status_and_body(site(Before())) == (200, b"before")
    assert status_and_body(site(After())) == (200, b"after")


def test_27_super_may_be_called():
    """The base class's methods may be awaited, and answer None."""

    class Polite(HttpMiddleware):
        async def before_request(self, request):
            return await super().before_request(request)

        async def after_request(self, request, status_code, response_body, extra_headers):
            return await super().after_request(request, status_code, response_body, extra_headers)

    assert status_and_body(site(Polite())) == (200, b"index")


def test_27_hooks_may_be_plain_functions():
    """Neither hook needs to be `async def`."""

    class Plain(HttpMiddleware):
        def before_request(self, request):
            request.mark = "marked"

        def after_request(self, request, status_code, response_body, extra_headers):
            return {"body": request.mark}

    assert status_and_body(site(Plain())) == (200, b"marked")


def test_27_any_object_with_the_methods_will_do():
    """A middleware need not inherit."""

    class Duck:
        async def before_request(self, request):
            return {"body": "duck"}

        async def after_request(self, request, status_code, response_body, extra_headers):
            return None

    assert status_and_body(site(Duck())) == (200, b"duck")


def test_a_class_of_hooks_that_need_no_instance_will_do():
    """Class methods and static ones are bound already."""

    class Duck:
        @classmethod
        async def before_request(cls, request):
            return {"body": cls.__name__}

        @staticmethod
        def after_request(request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Static", "1"))

    answer = wire(site(Duck))
    assert (answer.content, answer.headers["x-static"]) == (b"Duck", "1")


def test_a_class_in_place_of_its_instance_is_named(caplog):
    """In the log of each request that it fails, with what to write."""
    app = site(Hook)
    assert [status_and_body(app), status_and_body(app, path="/stream")] == [FAILED] * 2
    told = "TypeError: Hook among the middlewares is a class, an instance of it is needed: write Hook()"
    assert [caplog.text.count(told), len(errors(caplog))] == [2, 2]


def test_27_hooks_see_the_current_request():
    """`app.request` works in hooks."""
    app = site()
    seen = []
    app.middlewares.append(Hook(before=lambda request: seen.append(app.request is request)))
    http(app)
    assert seen == [True]


@pytest.mark.parametrize(
    ("cls", "name", "parameters"),
    [
        (HttpMiddleware, "before_request", ["self", "request"]),
        (HttpMiddleware, "after_request", ["self", "request", "status_code", "response_body", "extra_headers"]),
        (WebSocketMiddleware, "before_websocket", ["self", "request"]),
        (WebSocketMiddleware, "after_websocket", ["self", "request"]),
    ],
)
def test_hooks_have_their_documented_signatures(cls, name, parameters):
    """The hooks are coroutine functions with the documented parameters."""
    function = getattr(cls, name)
    assert list(inspect.signature(function).parameters) == parameters
    assert inspect.iscoroutinefunction(function)


# 28. WebSocket hooks.


class WsHook(WebSocketMiddleware):
    def __init__(self, name="hook", calls=None, before=None, after=None):
        self.name = name
        self.calls = [] if calls is None else calls
        self.before = before
        self.after = after

    async def before_websocket(self, request):
        self.calls.append(f"before {self.name}")
        return self.before(request) if callable(self.before) else self.before

    async def after_websocket(self, request):
        self.calls.append(f"after {self.name}")
        if self.after is not None:
            self.after(request)


def sockets(*hooks, cls=Site, **keywords):
    app = cls(**keywords)
    app.ws_middlewares.extend(hooks)
    return app


def test_28_websocket_hooks_run_in_list_order():
    """Before and after hooks run in list order."""
    calls: list[str] = []
    assert websocket(sockets(WsHook("1", calls), WsHook("2", calls))).accepted
    assert calls == ["before 1", "before 2", "after 1", "after 2"]


@pytest.mark.parametrize("where", ["middlewares", "ws_middlewares"])
def test_a_class_in_place_of_its_instance_lets_no_websocket_pass(where, caplog):
    """In either list, and the log says what to write."""

    class Guard(HttpMiddleware, WebSocketMiddleware):
        async def before_websocket(self, request):
            return {"reason": "No"}

    app = Site()
    getattr(app, where).append(Guard)
    assert not websocket(app).accepted
    assert (
        "TypeError: Guard among the middlewares is a class, an instance of it is needed: write Guard()" in caplog.text
    )


def test_a_type_error_of_a_websocket_hook_is_its_own(caplog):
    """Nothing else is made of it."""

    class Wrong(WebSocketMiddleware):
        def before_routing(self, request):
            raise TypeError("mine")

    assert not websocket(sockets(Wrong())).accepted
    assert "TypeError: mine" in caplog.text


def test_28_a_before_hook_may_refuse():
    """A dict with code and reason refuses before accept."""
    dialogue = websocket(sockets(WsHook(before={"code": 4001, "reason": "Log in first"})))
    assert (dialogue.accepted, dialogue.close) == (False, (4001, "Log in first"))


def test_28_code_and_reason_have_defaults():
    """1008 and `Middleware rejected`."""
    assert websocket(sockets(WsHook(before={"reason": "x"}))).close == (1008, "x")
    assert websocket(sockets(WsHook(before={"code": 4000}))).close == (4000, "Middleware rejected")


@pytest.mark.parametrize("value", [None, {}])
def test_28_anything_falsy_goes_on(value):
    """Only a truthy dict refuses."""
    assert websocket(sockets(WsHook(before=value))).accepted


def test_28_after_a_refusal_the_entered_after_hooks_run():
    """The refusing hook's own too; the later ones never ran."""
    calls: list[str] = []
    websocket(sockets(WsHook("1", calls), WsHook("2", calls, before={"code": 4000}), WsHook("3", calls)))
    assert calls == ["before 1", "before 2", "after 1", "after 2"]


@pytest.mark.parametrize("path", ["/fails", "/nothing", "/_private", "/index/surplus"])
def test_28_after_hooks_always_run(path):
    """Whether the handler fails or there is none."""
    calls: list[str] = []
    websocket(sockets(WsHook("1", calls)), path)
    assert calls == ["before 1", "after 1"]


def test_28_a_before_hook_that_raises_refuses(caplog):
    """An exception refuses with 1011, says nothing of itself, and after hooks of those entered run."""
    calls: list[str] = []
    dialogue = websocket(sockets(WsHook("1", calls), WsHook("2", calls, before=raising)))
    assert dialogue.close is not None
    assert (dialogue.accepted, dialogue.close[0]) == (False, 1011)
    assert "secret" not in str(dialogue.messages)
    assert calls == ["before 1", "before 2", "after 1", "after 2"]
    assert len(errors(caplog)) == 1


def test_28_an_after_hook_that_raises_does_not_stop_the_others(caplog):
    """All after hooks run; the exception is in the log."""
    calls: list[str] = []
    dialogue = websocket(sockets(WsHook("1", calls, after=raising), WsHook("2", calls)))
    assert calls == ["before 1", "before 2", "after 1", "after 2"]
    assert dialogue.close is not None
    assert (dialogue.close[0], "secret" in dialogue.close[1]) == (1011, False)
    assert len(errors(caplog)) == 1


def test_28_hooks_see_session_and_query():
    """A before hook sees what the handshake says."""
    seen = []
    app = sockets(WsHook(before=lambda request: seen.append((dict(request.session), request.query("a")))))
    websocket(app, query="a=1")
    assert seen == [({}, "1")]


def test_28_after_hooks_may_change_the_session():
    """The session is saved after them."""

    def mark(request):
        request.session["after"] = True

    app = sockets(WsHook(after=mark))
    cookies = {"session_id": http(app, path="/visit").cookies["session_id"]}
    websocket(app, cookies=cookies)
    app.middlewares.append(Hook(before=lambda request: {"body": dict(request.session)}))
    assert http(app, cookies=cookies).json() == {"visited": True, "after": True}


def test_28_http_hooks_do_not_run_for_websockets():
    """Each kind has its own list."""
    calls: list[str] = []
    app = sockets()
    app.middlewares.append(Hook("1", calls))
    websocket(app)
    assert calls == []


# 10. Sub-applications.


def inner(record, answer=b"inner"):
    """An ASGI application that notes its scope and body."""

    async def app(scope, receive, send):
        record["scope"] = scope
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        record["body"] = body
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inner", b"1")]})
        await send({"type": "http.response.body", "body": answer})

    return app


class Handing(HttpMiddleware):
    """Hands the request to another application."""

    def __init__(self, subapp, path="/sub/page", mount="mounted"):
        self.subapp = subapp
        self.path = path
        self.mount = mount

    async def before_request(self, request):
        request._subapp = self.subapp
        request._subapp_path = self.path
        if self.mount is not None:
            request._subapp_mount_path = self.mount


def test_10_the_sub_application_answers():
    """Its reply is the reply."""
    answer = http(site(Handing(inner({}))))
    assert (answer.status_code, answer.content, answer.headers["x-inner"]) == (200, b"inner", "1")


def test_10_a_failed_request_of_the_sub_application_does_not_save_the_session():
    """The session is ours to save, and that request has failed."""

    class Failing(App):
        async def index(self):
            self.request.session["cart"] = []
            raise RuntimeError

    backend = InMemorySessionBackend()
    backend.sessions["known"] = {"cart": ["pie"]}
    app = Site(backend)
    app.middlewares.append(Handing(Failing(), "/"))
    assert http(app, cookies={"session_id": "known"}).status_code == 500
    assert backend.sessions == {"known": {"cart": ["pie"]}}


def test_10_it_gets_its_own_path():
    """`path` is `_subapp_path`, `root_path` the old one + "/" + the mount."""
    record: dict[str, object] = {}
    wire(site(Handing(inner(record))), path="/mounted/sub/page", scope={"root_path": "/outer"})
    scope = record["scope"]
    assert isinstance(scope, dict)
    assert (scope["path"], scope["root_path"]) == ("/sub/page", "/outer/mounted")


def test_10_without_a_mount_path_the_root_stays():
    """`_subapp_mount_path` may be left out."""
    record: dict[str, dict[str, object]] = {}
    http(site(Handing(inner(record), mount=None)))
    assert (record["scope"]["path"], record["scope"]["root_path"]) == ("/sub/page", "")


def test_10_the_scope_is_a_copy():
    """The scope of the request itself stays as it was."""
    record: dict[str, dict[str, object]] = {}
    app = site()
    scopes = []
    app.middlewares.extend([Hook(before=lambda request: scopes.append(request.scope)), Handing(inner(record))])
    http(app, path="/original")
    assert scopes[0] is not record["scope"]
    assert (scopes[0]["path"], scopes[0]["root_path"]) == ("/original", "")


def test_10_it_gets_what_is_known():
    """The scope carries `body_params, body_parsed, get_json, files, session`."""
    record: dict[str, dict[str, object]] = {}
    http(site(Handing(inner(record))), "POST", json={"a": 1})
    known = ("body_params", "body_parsed", "get_json", "files", "session")
    assert {name: record["scope"][name] for name in known} == {
        "body_params": {"a": ["1"]},
        "body_parsed": True,
        "get_json": {"a": 1},
        "files": {},
        "session": {},
    }


def test_10_a_body_already_read_is_replayed():
    """The sub-application can read the body again."""
    record: dict[str, object] = {}
    http(site(Handing(inner(record))), "POST", data={"a": "1"})
    assert record["body"] == b"a=1"


def test_10_a_body_not_read_is_passed_on():
    """A method whose body is left alone reaches the sub-application unread."""
    record: dict[str, object] = {}
    wire(site(Handing(inner(record))), "PROPFIND", body=[b"a", b"b"])
    assert record["body"] == b"ab"


def test_10_all_before_hooks_run_first():
    """The hand-off comes after the last before hook; later hooks may still answer."""
    calls: list[str] = []
    http(site(Handing(inner({})), Hook("late", calls)))
    assert calls == ["before late"]
    assert status_and_body(site(Handing(inner({})), Hook(before={"body": "short"}))) == (200, b"short")


def test_10_the_parents_after_hooks_do_not_run():
    """The reply is the sub-application's alone."""
    calls: list[str] = []
    http(site(Hook("1", calls), Handing(inner({}))))
    assert calls == ["before 1"]


def test_10_routing_of_the_parent_does_not_matter():
    """A path without a handler of the parent is handed off too."""
    assert status_and_body(site(Handing(inner({}))), "/no/such/route") == (200, b"inner")


def test_10_a_sub_application_that_raises_is_500(caplog):
    """Its exception is a 500 of the parent's, logged once."""

    async def broken(scope, receive, send):
        raise ArithmeticError("secret")

    assert status_and_body(site(Handing(broken))) == FAILED
    assert len(errors(caplog)) == 1


class Inner(App):
    async def page(self, name="x"):
        return {
            "session": dict(self.request.session),
            "body": self.request.body_params,
            "json": self.request.get_json,
            "name": name,
        }

    async def remember(self):
        self.request.session["inner"] = True
        return "remembered"


def test_10_an_app_as_sub_application_reads_what_is_preset():
    """Nothing is read again: form, JSON and session are the parent's."""
    app = site(Handing(Inner(), path="/page"))
    cookies = http(app, path="/visit").cookies
    assert http(app, "POST", json={"name": "n"}, cookies=cookies).json()["name"] == "n"
    assert http(app, "POST", data={"name": "n"}).json() == {
        "session": {},
        "body": {"name": ["n"]},
        "json": {},
        "name": "n",
    }


def test_10_a_session_changed_by_the_inner_app_is_saved_by_the_parent():
    """The parent saves when the reply starts, in its own backend only."""
    inner_backend, backend = InMemorySessionBackend(), InMemorySessionBackend()
    app = site(Handing(Inner(inner_backend), path="/remember"), session_backend=backend)
    cookies = http(app).cookies
    assert list(cookies) == ["session_id"]
    assert list(backend.sessions.values()) == [{"inner": True}]
    assert inner_backend.sessions == {}


def test_10_a_websocket_may_be_handed_off():
    """`before_websocket` may set `_subapp` too."""

    class HandingOn(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._subapp = Talking()
            request._subapp_path = "/talk"
            request._subapp_mount_path = "talks"

    class Talking(App):
        async def ws_talk(self, ws):
            await ws.accept()
            await ws.send_text(self.request.scope["root_path"])

    dialogue = websocket(sockets(HandingOn()), "/anywhere")
    assert (dialogue.sent, dialogue.close) == (["/talks"], (1000, ""))


def test_10_a_preset_scope_is_trusted():
    """A scope that arrives with the values preset is read no further."""
    scope = {
        "session": {"user": "alice"},
        "body_params": {"name": ["preset"]},
        "body_parsed": True,
        "get_json": {"k": 1},
        "files": {},
    }
    answer = wire(Inner(), "POST", "/page", body=b"name=wire", scope=scope)
    assert answer.json() == {
        "session": {"user": "alice"},
        "body": {"name": ["preset"]},
        "json": {"k": 1},
        "name": "preset",
    }


def test_10_a_preset_session_is_not_saved_here():
    """It belongs to the application that put it there."""
    backend = InMemorySessionBackend()
    session: dict[str, object] = {}
    answer = wire(Inner(backend), path="/remember", scope={"session": session})
    assert (session, backend.sessions, answer.headers.get("set-cookie")) == ({"inner": True}, {}, None)


# -- before_sending -------------------------------------------------------------------------------------


class Sent(HttpMiddleware):
    """Notes what goes out."""

    def __init__(self):
        self.seen = []

    def before_sending(self, request, status_code, response_body, headers):
        self.seen.append((request.method, status_code, response_body, dict(headers)))


class Answers(HttpMiddleware):
    def before_request(self, request):
        return {"status_code": 403, "body": "members only"}


class Changes(HttpMiddleware):
    def after_request(self, request, status_code, response_body, extra_headers):
        return {"status_code": 202, "body": b"changed", "headers": [("X-Changed", "1")]}


@pytest.mark.parametrize("before", [True, False])
def test_the_reply_is_shown_as_it_goes_out(before):
    """Behind all changes, wherever in the list the middleware stands; those of the session's cookie included."""
    sent = Sent()
    app = Site()
    app.middlewares += [sent, Changes()] if before else [Changes(), sent]
    http(app, "GET", "/visit")
    ((method, status, body, headers),) = sent.seen
    assert (method, status, body, headers["X-Changed"]) == ("GET", 202, b"changed", "1")
    assert headers["Set-Cookie"].startswith("session_id=")


def test_answers_of_earlier_middlewares_are_shown_too():
    """A reply that the middleware's other hooks do not see."""
    sent = Sent()
    app = Site()
    app.middlewares += [Answers(), sent]
    http(app)
    assert [(status, body) for _, status, body, _ in sent.seen] == [(403, "members only")]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/fails", 500), ("/json", 200)])
def test_every_reply_is_shown_once(path, status):
    """Errors and failures too."""
    sent = Sent()
    app = Site()
    app.middlewares.append(sent)
    assert http(app, "GET", path).status_code == status
    assert [shown[1] for shown in sent.seen] == [status]


def test_what_it_raises_changes_nothing(caplog):
    """The reply goes out, the failure is in the log, and the next middleware is asked."""

    class Broken(HttpMiddleware):
        def before_sending(self, request, status_code, response_body, headers):
            raise RuntimeError("no disk")

    sent = Sent()
    app = Site()
    app.middlewares += [Broken(), sent]
    reply = http(app)
    assert (reply.status_code, reply.text, len(sent.seen)) == (200, "index", 1)
    assert "no disk" in caplog.text


class Adds(HttpMiddleware):
    """Takes the headers for its own."""

    def before_sending(self, request, status_code, response_body, headers):
        headers.append(("X-Seen-By", request.query("who", "nobody")))


class Private(App):
    async def index(self):
        self.request.session["seen"] = True
        return "index"

    async def again(self):
        return str(self.request.session)

    async def stream(self):
        seen = self.request.session["seen"]

        async def chunks():
            yield str(seen)

        return chunks()


@pytest.mark.parametrize("path", ["/again", "/stream"])
def test_what_it_does_to_the_headers_is_lost(path):
    """Neither this reply nor another one has a header that it has added to its list."""
    app = Private()
    app.middlewares.append(Adds())
    with TestClient(app) as client:
        client.get("/")
        found = [client.get(path, params={"who": who}).headers for who in ("ann", "bob")]
    assert [[headers.get(name) for name in ("x-seen-by", "vary", "cache-control")] for headers in found] == [
        [None, "Cookie", "private"]
    ] * 2


def test_a_middleware_may_lack_it():
    """Any object with the two old hooks is a middleware."""

    class Old:
        def before_request(self, request):
            return None

        def after_request(self, request, status_code, response_body, extra_headers):
            return None

    app = Site()
    app.middlewares.append(Old())  # type: ignore[arg-type]
    assert http(app).text == "index"
    assert http(app, "GET", "/stream").text == "ab"


def test_the_log_knows_a_request_by_the_id_that_a_middleware_has_set(caplog):
    """`request.request_id`, in front of the header."""

    class Names(HttpMiddleware):
        def before_routing(self, request):
            request.request_id = "r-7"

    app = Site()
    app.middlewares.append(Names())
    http(app, "GET", "/fails", headers={"X-Request-ID": "theirs"})
    (record,) = caplog.records
    assert (record.request_id, "(request id r-7)" in record.getMessage()) == ("r-7", True)


# -- streamed_send --------------------------------------------------------------------------------------


class Marks(HttpMiddleware):
    """Puts a mark behind each chunk."""

    def __init__(self, mark):
        self.mark = mark

    def streamed_send(self, request, send):
        async def send_marked(message):
            if message["type"] == "http.response.body" and message["body"]:
                message = {**message, "body": message["body"] + self.mark}
            await send(message)

        return send_marked


class Streams(App):
    async def index(self):
        yield "a"
        yield {"b": 1}

    async def page(self):
        return "page"


def test_streams_pass_the_middlewares_in_order():
    """Chunks are bytes by then, whatever the handler has yielded; other replies do not pass."""
    app = Streams()
    app.middlewares += [Marks(b"1"), HttpMiddleware(), Marks(b"2")]
    assert http(app, "GET", "/", headers={"Accept": "application/x-ndjson"}).text == 'a12{"b":1}\n12'
    assert http(app, "GET", "/page").text == "page"


def test_the_head_of_a_stream_passes_too():
    """What a middleware makes of the start is said to HEAD as well."""

    class Names(HttpMiddleware):
        def streamed_send(self, request, send):
            async def send_named(message):
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message["headers"], (b"x-streamed", b"1")]}
                await send(message)

            return send_named

    app = Streams()
    app.middlewares.append(Names())
    accept = {"Accept": "application/x-ndjson"}
    assert [http(app, method, headers=accept).headers["x-streamed"] for method in ("GET", "HEAD")] == ["1", "1"]


def test_27_a_hook_may_call_the_one_that_it_inherits():
    """It does nothing, in front of the routing too."""

    class Calling(HttpMiddleware):
        def before_routing(self, request):
            return super().before_routing(request)

        async def before_request(self, request):
            return await super().before_request(request)

    app = Site()
    app.middlewares.append(Calling())
    assert http(app).text == "index"


def test_27_a_json_type_of_its_own_stands_once():
    """The handler's, which hooks see; ours is not put beside it."""

    class Typed(App):
        async def index(self):
            return 200, {"a": 1}, {"Content-Type": "application/vnd.pie+json"}

    class Looking(HttpMiddleware):
        def after_request(self, request, status_code, response_body, extra_headers):
            seen.append(list(extra_headers))

    seen: list[list[tuple[str, str]]] = []
    app = Typed()
    app.middlewares.append(Looking())
    assert http(app).headers.get_list("content-type") == ["application/vnd.pie+json"]
    assert seen == [[("Content-Type", "application/vnd.pie+json")]]
