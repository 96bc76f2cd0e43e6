"""A tree of controllers: BEHAVIOUR.md, point 8, and points 2 to 7 for each branch."""

import asyncio
import contextvars
import functools
import logging
import re
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from micropie import (
    App,
    Controller,
    HTTPError,
    HttpMiddleware,
    InMemorySessionBackend,
    Mount,
    Reply,
    Resource,
    WebSocketMiddleware,
    methods,
)
from tests.client import ahttp, http, run
from tests.wire import lifespan, lifespan_messages, running, websocket, wire

NOT_FOUND = (404, "404 Not Found")


def answer(app, path, method="GET", **keywords):
    """Status and text of the reply."""
    reply = wire(app, method, path, **keywords)
    return reply.status_code, reply.text


class Users(Controller):
    def __init__(self, names=("ann", "bob")):
        self.names = names

    async def index(self):
        return "all users"

    async def show(self, name, size="small"):
        return f"{name} {size} of {len(self.names)}"

    async def about_us(self):
        return self.request.scope["path"]

    def blocking(self):
        return "on the loop" if threading.current_thread() is threading.main_thread() else "in a thread"

    def numbers(self):
        yield "1"
        yield "2"

    async def form(self, text):
        return text

    async def first_and_rest(self, first, *rest):
        return [first, *rest]

    async def _secret(self):
        return "secret"

    async def ws_chat(self, ws, room="lobby"):
        await ws.accept()
        await ws.send_text(f"{room} {self.request.query('q')}")

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text("users")


class Inner(Controller):
    async def index(self, *path):
        return ["inner", *path]

    async def page(self):
        return "inner page"


class Empty(Controller):
    async def page(self):
        return "page"


class Api(Controller):
    users = Users(["ann"])
    inner_part = Inner()
    empty = Empty()
    _hidden = Inner()
    ws_hidden = Inner()

    async def index(self):
        return "api"


class Site(App):
    api = Api()
    users = Users()

    async def index(self, *path):
        return ["site", *path]

    async def greet(self, name="Guest"):
        return f"greet {name}"


# A class attribute that is a controller is a branch.


def test_8_a_controller_answers_below_its_name():
    """`users = Users()` serves `/users/…`."""
    assert answer(Site(), "/users/show/ann") == (200, "ann small of 2")


def test_8_to_any_depth():
    """A controller may have controllers."""
    assert answer(Site(), "/api/users/show/ann/big") == (200, "ann big of 1")


def test_8_a_static_path_of_the_tree():
    """A path without parameters below a branch."""
    assert answer(Site(), "/api/inner_part/page") == (200, "inner page")


def test_8_the_request_is_there():
    """`self.request` is the request, as on an `App`."""
    assert answer(Site(), "/api/users/about-us") == (200, "/api/users/about-us")


def test_8_outside_of_a_request_there_is_none():
    """Elsewhere it is a LookupError, as on an `App`."""
    with pytest.raises(LookupError):
        _ = Users().request


def test_8_the_constructor_is_free():
    """Any dependency injection will do; `super().__init__()` need not be called."""

    @dataclass
    class Report(Controller):
        database: dict[str, str]

        async def row(self, key):
            return self.database[key]

    class Reports(App):
        report = Report({"a": "1"})

    assert answer(Reports(), "/report/row/a") == (200, "1")


def test_8_sync_handlers_run_in_threads_and_generators_stream():
    """What holds for handlers of an `App` holds below."""
    assert answer(Site(), "/users/blocking") == (200, "in a thread")
    assert answer(Site(), "/users/numbers") == (200, "12")


def test_8_a_form_binds():
    """The body is read and bound as ever."""
    assert answer(Site(), "/api/users/form", "POST", form={"text": "hi"}) == (200, "hi")


@pytest.mark.needs("multipart")
def test_8_a_multipart_form_binds():
    """The same for a multipart form."""
    body = b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--B--\r\n'
    headers = [("content-type", "multipart/form-data; boundary=B")]
    assert answer(Site(), "/api/users/form", "POST", body=body, headers=headers) == (200, "hi")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api", (200, "api")),
        ("/api/", (200, "api")),
        ("/api/index", (200, "api")),
        ("/users", (200, "all users")),
        ("/api/users/", (200, "all users")),
        ("/api/users", (200, "all users")),
    ],
)
def test_2_index_of_a_branch(path, expected):
    """A branch's own path, with or without a slash, is answered by its `index`."""
    assert answer(Site(), path) == expected


@pytest.mark.parametrize("path", ["/api/empty", "/api/empty/"])
def test_2_no_index_no_branch_path(path):
    """Without an `index` the branch's own path is a 404; the index above is not asked."""
    assert answer(Site(), path) == NOT_FOUND


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/inner_part", ["inner"]),
        ("/api/inner_part/x/y", ["inner", "x", "y"]),
        ("/api/inner_part/x/", ["inner", "x", ""]),
        ("/api/inner_part/a%2Fb", ["inner", "a/b"]),
        ("/else/where", ["site", "else", "where"]),
        ("/api%2Fusers", ["site", "api/users"]),
        ("/api%2fusers/x", ["site", "api/users", "x"]),
        ("/users%2F", ["site", "users/"]),
    ],
)
def test_6_a_catch_all_index_answers_in_its_branch(path, expected):
    """An `index` that takes segments gets those of its branch that nothing else answers."""
    assert http(Site(), path=path).json() == expected


@pytest.mark.parametrize("path", ["/api/nothing", "/users/nothing", "/api/empty/nothing", "/api/users/nothing/x"])
def test_6_unknown_below_a_branch(path):
    """What a branch does not know is a 404, whatever the index above takes."""
    assert answer(Site(), path) == NOT_FOUND


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/users/first_and_rest/a/b/", ["a", "b", ""]), ("/users/first_and_rest/a", ["a"])],
)
def test_3_the_trailing_slash_below_a_branch(path, expected):
    """`*args` receive it as an empty string."""
    assert http(Site(), path=path).json() == expected


def test_3_a_trailing_slash_is_dropped_below_a_branch():
    """`/users/show/ann/` is `/users/show/ann`."""
    assert answer(Site(), "/users/show/ann/") == (200, "ann small of 2")


@pytest.mark.parametrize("path", ["/api/inner-part/page", "/api/inner_part/page"])
def test_4_a_dash_finds_a_branch(path):
    """`-` finds the branch spelled with `_`."""
    assert answer(Site(), path) == (200, "inner page")


@pytest.mark.parametrize(
    "path",
    [
        "/api/_hidden",
        "/api/_hidden/page",
        "/api/-hidden/page",
        "/api/%5Fhidden/page",
        "/api/ws_hidden/page",
        "/api/ws-hidden/page",
        "/users/_secret",
        "/users/-secret",
        "/users/ws_chat",
        "/users/_before",
        "/users/_after",
        "/users/__init__",
        "/users/request",
        "/users/_redirect",
        "/users/names",
        "/api/users/__class__/x",
        "/api/inner_part/_x",
    ],
)
def test_4_private_names_of_a_branch(path):
    """Names with `_` or `ws_` are no branches and no routes, nor is what a controller brings along."""
    assert answer(Site(), path) == NOT_FOUND


def test_5_inherited_attributes_count_nearest_class_first():
    """A subclass has the branches of its bases, and may replace them."""

    class Base(App):
        api = Api()
        users = Users()

    class Own(Base):
        users = Inner()  # type: ignore[assignment]
        api = None  # type: ignore[assignment]

    assert http(Own(), path="/users/x").json() == ["inner", "x"]
    assert answer(Own(), "/api/users") == NOT_FOUND
    assert answer(Base(), "/api/users") == (200, "all users")


def test_5_methods_of_a_controllers_bases_are_routes():
    """A controller inherits routes too."""

    class More(Users):
        async def index(self):
            return "more"

    class Pages(App):
        more = More()

    assert answer(Pages(), "/more") == (200, "more")
    assert answer(Pages(), "/more/show/x") == (200, "x small of 2")


def test_5_instance_attributes_are_no_branches():
    """What is set on an instance, of the app or of a controller, serves nothing."""

    class Outer(Controller):
        def __init__(self):
            self.inner = Inner()
            self.alias = self._private

        async def _private(self):
            return "private"

    class Pages(App):
        outer = Outer()

        def __init__(self):
            self.before = Inner()
            super().__init__()
            self.after = Inner()

    app = Pages()
    for path in ("/before", "/after", "/outer/inner", "/outer/alias"):
        assert answer(app, path) == NOT_FOUND


def test_5_the_tree_is_read_when_the_app_is_made():
    """What the class gets later is not seen by an app that exists."""

    class Pages(App):
        pass

    app = Pages()
    Pages.late = Inner()  # type: ignore[attr-defined]
    assert answer(app, "/late") == NOT_FOUND
    assert http(Pages(), path="/late").json() == ["inner"]


def test_5_properties_of_a_controller_are_not_evaluated():
    """Looking a name up runs nothing."""

    class Careful(Controller):
        @property
        def value(self):
            raise AssertionError("evaluated")

    class Pages(App):
        careful = Careful()

    assert answer(Pages(), "/careful/value") == NOT_FOUND


def test_5_a_method_bound_at_run_time_still_replaces_one_of_the_app():
    """The exception for applications stands beside branches."""
    app = Site()

    async def greet(self):
        return "replaced"

    app.greet = greet.__get__(app)  # type: ignore[method-assign]
    assert answer(app, "/greet") == (200, "replaced")


def test_7_surplus_segments_below_a_branch():
    """They are a 500, or what `surplus_path_status` says."""
    assert answer(Site(), "/users/about_us/x")[0] == 500
    assert answer(Site(surplus_path_status=404), "/users/about_us/x") == NOT_FOUND


def test_8_path_params_are_those_behind_the_handler():
    """`request.path_params` are the arguments, however deep the handler is."""
    seen = []

    class Notes(Controller):
        async def index(self):
            seen.append(self.request.path_params)
            return ""

        async def page(self, *args):
            seen.append(self.request.path_params)
            return ""

    class Outer(Controller):
        notes = Notes()

    class Pages(App):
        outer = Outer()

    app = Pages()
    for path in ("/outer/notes", "/outer/notes/", "/outer/notes/page", "/outer/notes/page/a/b"):
        http(app, path=path)
    assert seen == [[], [], [], ["a", "b"]]


def test_8_below_a_root_path():
    """A `root_path` is no part of the route."""
    assert answer(Site(), "/x/api/users", scope={"root_path": "/x"}) == (200, "all users")
    assert answer(Site(), "/x/api", scope={"root_path": "/x"}) == (200, "api")


def test_8_one_controller_in_two_places():
    """The same instance may be attached twice."""
    users = Users()

    class Pages(App):
        one = users
        two = users

    assert answer(Pages(), "/one/show/x") == answer(Pages(), "/two/show/x") == (200, "x small of 2")


def test_8_a_tree_without_end_is_refused():
    """A controller that contains itself is an error that says so."""

    class Loop(Controller):
        pass

    Loop.again = Loop()  # type: ignore[attr-defined]

    class Pages(App):
        loop = Loop()

    with pytest.raises(ValueError, match="tree would have no end"):
        Pages()


def test_8_branches_share_sessions_and_hooks():
    """The application's session and middleware are the branch's."""

    class Counting(Controller):
        async def visit(self):
            self.request.session["n"] = self.request.session.get("n", 0) + 1
            return str(self.request.session["n"])

    class Pages(App):
        counting = Counting()

    class Header(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Seen", str(status_code)))

    app = Pages()
    app.middlewares.append(Header())
    first = http(app, path="/counting/visit")
    assert http(app, path="/counting/visit", cookies=first.cookies).text == "2"
    assert first.headers["x-seen"] == "200"


# WebSockets.


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/users/chat", "lobby 1"),
        ("/api/users/chat/red", "red 1"),
        ("/api/users/chat/red/", "red 1"),
        ("/api/users", "users"),
        ("/users/", "users"),
    ],
)
def test_8_websockets_of_a_branch(path, sent):
    """`ws_chat` of `users` is `/users/chat`, `ws_index` the branch's own path."""
    assert websocket(Site(), path, query="q=1").sent == [sent]


@pytest.mark.parametrize(
    "path", ["/api", "/api/nothing", "/users/ws_chat", "/users/_chat", "/api/_hidden/x", "/nothing/x"]
)
def test_8_unknown_websockets_of_a_branch(path):
    """They are refused before they are accepted."""
    dialogue = websocket(Site(), path)
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "No matching WebSocket route"))


# Guards.


class Guarded(Controller):
    users = Users()

    async def _before(self):
        if "user" not in self.request.session and self.request.query("user") is None:
            raise HTTPError(403)

    async def _after(self, reply):
        reply.headers.append(("X-Status", str(reply.status)))

    async def index(self):
        return "inside"

    async def broken(self):
        raise ZeroDivisionError

    @methods("POST")
    async def save(self, text):
        return text


class Fort(App):
    fort = Guarded()

    async def index(self):
        return "outside"


FORBIDDEN = (403, "403 Forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/fort",
        "/fort/",
        "/fort/users",
        "/fort/users/show/ann",
        "/fort/nothing",
        "/fort/_private",
        "/fort/users/_secret",
        "/fort/users/show/a/b/c/d",
        "/fort/save",
    ],
)
def test_8_before_guards_everything_below(path):
    """`_before` answers for routes, branches, 404s and 405s alike, so that nothing is revealed."""
    assert answer(Fort(), path) == FORBIDDEN


def test_8_before_does_not_run_elsewhere():
    """Outside of the branch nothing is guarded."""
    assert answer(Fort(), "/") == (200, "outside")
    assert answer(Fort(), "/fortress") == NOT_FOUND


def test_8_before_lets_pass():
    """A `_before` that returns None lets the request pass, and a 404 is a 404 then."""
    assert answer(Fort(), "/fort/users/show/ann", query="user=1") == (200, "ann small of 2")
    assert answer(Fort(), "/fort/nothing", query="user=1") == NOT_FOUND


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/fort", "user=1", "200"),
        ("/fort/nothing", "user=1", "404"),
        ("/fort/broken", "user=1", "500"),
        ("/fort/save", "user=1", "405"),
        ("/fort", "", "403"),
    ],
)
def test_8_after_sees_every_reply_of_the_branch(path, query, status):
    """Errors too, and what `_before` has answered."""
    assert http(Fort(), path=path, query=query).headers["x-status"] == status


@pytest.mark.parametrize("cookies", [None])
def test_8_guards_refuse_websockets(cookies):
    """`_before` refuses a WebSocket before it is accepted."""
    dialogue = websocket(Fort(), "/fort/users/chat", cookies=cookies)
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "403 Forbidden"))
    assert websocket(Fort(), "/fort/nothing").close == (1008, "403 Forbidden")
    assert websocket(Fort(), "/fort/users/chat", query="user=1&q=2").sent == ["lobby 2"]
    assert websocket(Fort(), "/fort/nothing", query="user=1").close == (1008, "No matching WebSocket route")


def guard(before=None, after=None, **routes):
    """Make a controller with these guards and routes."""

    class Made(Controller):
        pass

    for name, function in {"_before": before, "_after": after, **routes}.items():
        if function is not None:
            setattr(Made, name, function)
    return Made()


def site_of(**branches):
    """Make an application with these branches."""
    return type("SiteOf", (App,), branches)()


async def page(self):
    return "page"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("text", (200, "text")),
        ((401, "Who?", [("X-A", "1")]), (401, "Who?")),
        ({"a": 1}, (200, '{"a":1}')),
        (0, (200, "0")),
        ("", (200, "")),
        (Reply(418, "tea", []), (418, "tea")),
    ],
)
def test_8_any_result_of_before_answers(result, expected):
    """Whatever a handler may return; only None lets pass."""

    async def before(self):
        return result

    def sync_before(self):
        return result

    assert answer(site_of(part=guard(before, page=page)), "/part/page") == expected
    assert answer(site_of(part=guard(sync_before, page=page)), "/part/page") == expected


def test_8_a_result_of_before_refuses_a_websocket():
    """The status is the reason."""

    def before(self):
        return 302, "", [("Location", "/login")]

    async def ws_chat(self, ws):
        raise AssertionError("reached")

    dialogue = websocket(site_of(part=guard(before, ws_chat=ws_chat)), "/part/chat")
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "302 Found"))


def test_8_a_stream_that_refuses_a_websocket_is_closed():
    """A generator that nobody reads ends."""
    closed = []

    async def before(self):
        async def chunks():
            try:
                yield "x"
            finally:
                closed.append(True)

        stream = chunks()
        await anext(stream)
        return stream

    async def ws_chat(self, ws):
        raise AssertionError("reached")

    assert websocket(site_of(part=guard(before, ws_chat=ws_chat)), "/part/chat").close == (1008, "200 OK")
    assert closed == [True]


def test_8_outer_guards_enclose_inner_ones_and_the_hooks_enclose_both():
    """In from outside, out from inside."""
    trail = []

    def noted(name):
        async def before(self):
            trail.append(f"{name} in")

        def after(self, reply):
            trail.append(f"{name} out")

        return before, after

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            trail.append("hook in")

        async def after_request(self, request, status_code, response_body, extra_headers):
            trail.append("hook out")

    app = site_of(outer=guard(*noted("outer"), inner=guard(*noted("inner"), page=page)))
    app.middlewares.append(Hook())
    assert answer(app, "/outer/inner/page") == (200, "page")
    assert trail == ["hook in", "outer in", "inner in", "inner out", "outer out", "hook out"]


def test_8_only_what_was_entered_is_left():
    """When the outer guard answers, the inner one never runs, and its `_after` neither."""
    trail = []

    def outer_before(self):
        return "no"

    async def inner_before(self):
        raise AssertionError("entered")

    async def outer_after(self, reply):
        trail.append(reply.body)

    async def inner_after(self, reply):
        raise AssertionError("left")

    app = site_of(outer=guard(outer_before, outer_after, inner=guard(inner_before, inner_after, page=page)))
    assert answer(app, "/outer/inner/page") == (200, "no")
    assert trail == ["no"]


def test_8_guards_are_inherited_and_call_super():
    """A subclass of a guarded controller is guarded, and may go on."""

    class Base(Controller):
        async def _before(self):
            return await super()._before() or "base"

        async def _after(self, reply):
            assert await super()._after(reply) is None

    class Own(Base):
        page = page

    class Deeper(Base):
        async def _before(self):
            assert await super()._before() == "base"

        page = page

    assert answer(site_of(part=Own()), "/part/page") == (200, "base")
    assert answer(site_of(part=Deeper()), "/part/page") == (200, "page")


def test_8_sync_guards_run_in_threads():
    """They may block, as sync handlers may; `self.request` is there."""
    threads = []

    def before(self):
        threads.append((threading.current_thread() is threading.main_thread(), self.request.scope["path"]))

    assert answer(site_of(part=guard(before, page=page)), "/part/page") == (200, "page")
    assert threads == [(False, "/part/page")]


def test_8_after_may_change_the_reply_in_place():
    """Status, headers and body, with whatever a handler may return."""

    async def after(self, reply):
        reply.status = 202
        reply.body = {"was": reply.body}
        reply.headers = {"X-A": "1"}

    reply = http(site_of(part=guard(after=after, page=page)), path="/part/page")
    assert (reply.status_code, reply.json(), reply.headers["x-a"]) == (202, {"was": "page"}, "1")
    assert reply.headers["content-type"] == "application/json"


def test_8_after_sees_the_bytes_of_json():
    """A JSON body is encoded by then."""
    seen = []

    async def data(self):
        return {"a": 1}

    async def after(self, reply):
        seen.append((reply.status, reply.headers, reply.body))

    reply = http(site_of(part=guard(after=after, data=data)), path="/part/data")
    assert (reply.json(), reply.headers["content-type"]) == ({"a": 1}, "application/json")
    assert seen == [(200, [], b'{"a":1}')]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"body": '{"a":2}'}, "application/json"),
        ({"body": b'{"a":2}'}, "application/json"),
        ({"body": '{"a":2}', "content_type": "application/ld+json"}, "application/ld+json"),
        ({"body": '{"a":2}', "headers": [("Content-Type", "text/plain")]}, "text/plain"),
    ],
)
def test_8_the_type_of_a_reply_stays_when_after_replaces_its_body(changes, kind):
    """Unless it names another one."""

    async def data(self):
        return {"a": 1}

    async def after(self, reply):
        for name, value in changes.items():
            setattr(reply, name, value)

    reply = http(site_of(part=guard(after=after, data=data)), path="/part/data")
    assert (reply.json(), reply.headers.get_list("content-type")) == ({"a": 2}, [kind])


def test_8_after_may_return_another_result():
    """It replaces the reply."""

    async def after(self, reply):
        return 404, "nothing here"

    assert answer(site_of(part=guard(after=after, page=page)), "/part/page") == (404, "nothing here")


@pytest.mark.parametrize("way", ["in place", "by a result", "by an error"])
def test_8_a_stream_that_after_replaces_is_closed(way):
    """Nothing stays open behind the reply that is sent."""
    closed = []

    async def stream(self):
        async def chunks():
            try:
                yield "x"
            finally:
                closed.append(True)

        made = chunks()
        await anext(made)
        return made

    async def after(self, reply):
        if way == "by an error":
            raise HTTPError(503)
        if way == "by a result":
            return "whole"
        reply.body = "whole"
        return None

    reply = http(site_of(part=guard(after=after, stream=stream)), path="/part/stream")
    assert reply.text == ("503 Service Unavailable" if way == "by an error" else "whole")
    assert closed == [True]


def test_8_a_stream_in_a_stream_stays_open():
    """An `_after` may wrap the stream that it gets."""

    async def stream(self):
        async def chunks():
            yield "a"
            yield "b"

        return chunks()

    async def after(self, reply):
        inner = reply.body

        async def louder():
            async for chunk in inner:
                yield chunk.upper()

        reply.body = louder()

    assert answer(site_of(part=guard(after=after, stream=stream)), "/part/stream") == (200, "AB")


@pytest.mark.parametrize("name", ["_before", "_after"])
def test_8_a_guard_that_raises(name, caplog):
    """It is a 500 without internals, logged once."""

    async def fails(self, reply=None):
        raise ZeroDivisionError("not for the wire")

    app = site_of(part=guard(**{name.removeprefix("_"): fails, "page": page}))
    assert answer(app, "/part/page") == (500, "500 Internal Server Error")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("change", [{"status": 700}, {"status": "ok"}, {"headers": [1]}, {"body": object()}])
def test_8_an_after_that_leaves_no_reply(change, caplog):
    """What is no reply is a 500, and a line in the log that teaches."""

    async def after(self, reply):
        for name, value in change.items():
            setattr(reply, name, value)

    assert answer(site_of(part=guard(after=after, page=page)), "/part/page")[0] == 500
    assert len(caplog.records) == 1


def test_8_a_cancelled_guard_is_a_cancelled_request():
    """A guard that is cancelled from outside ends the request, nothing is answered."""
    entered = asyncio.Event()

    async def before(self):
        entered.set()
        await asyncio.sleep(60)

    async def main():
        app = site_of(part=guard(before, page=page))
        task = asyncio.create_task(ahttp(app, path="/part/page"))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_8_guards_of_an_app_are_no_guards():
    """An existing application may have methods of these names: they mean nothing there."""

    class Old(App):
        async def _before(self):
            raise AssertionError("called")

        async def _after(self, reply):
            raise AssertionError("called")

        page = page

    assert answer(Old(), "/page") == (200, "page")


def test_8_a_reply_may_be_returned_again_and_again():
    """A handler may return a `Reply`; what is added to one client's reply is not in the next one's."""
    same = Reply(201, {"a": 1}, [("X-A", "1")])

    class Pages(App):
        async def index(self):
            self.request.session["user"] = "ann"
            return same

    first = wire(Pages())
    assert (first.status_code, first.json(), first.headers["x-a"], len(first.cookies)) == (201, {"a": 1}, "1", 1)
    assert same.headers == [("X-A", "1")]


@pytest.mark.parametrize(("body", "text"), [({"text": "a", "extra": 1}, '{"text":"a"}'), ("plain", "plain")])
def test_8_a_reply_has_the_shape_that_its_handler_declares(body, text):
    """A return annotation shapes the body of a `Reply` as that of a tuple."""

    @dataclass
    class Note:
        text: str

    class Pages(App):
        async def index(self) -> Note:
            return Reply(201, body, [("X-A", "1")])  # type: ignore[return-value]

    reply = http(Pages())
    assert (reply.status_code, reply.text, reply.headers["x-a"]) == (201, text, "1")


@pytest.mark.needs("multipart")
class Beside(Controller):
    """It has a handler next to itself, as documentation has its document."""

    async def index(self):
        return "below"

    def _beside(self, owner):
        @methods("GET")
        async def sign():
            return f"beside, in {type(owner).__name__}"

        return {"the.sign": sign}

    async def _before(self):
        return None if self.request.query("key") else (403, "no key")

    async def _after(self, reply):
        reply.headers.append(("X-After", "1"))


def test_8_a_handler_beside_a_controller_is_behind_its_guards():
    """All of them: it comes and goes with the controller, and answers its own verbs."""
    has = type("Has", (App,), {"page": Beside()})
    assert answer(has(), "/the.sign") == (403, "no key")
    passed = wire(has(), path="/the.sign", query="key=1")
    assert (passed.text, passed.headers["x-after"]) == ("beside, in Has", "1")
    assert wire(has(), "POST", "/the.sign", query="key=1").status_code == 405
    assert wire(type("Lost", (has,), {"page": None})(), path="/the.sign", query="key=1").status_code == 404
    assert wire(type("Private", (App,), {"_page": Beside()})(), path="/the.sign", query="key=1").status_code == 404


@pytest.mark.needs("multipart")
def test_8_uploads_pass_the_guards():
    """A guard stands before an upload too, and what it refuses is not read into a handler."""
    body = b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--B--\r\n'
    headers = [("content-type", "multipart/form-data; boundary=B")]
    assert answer(Fort(), "/fort/save", "POST", body=body, headers=headers) == FORBIDDEN
    assert answer(Fort(), "/fort/save", "POST", query="user=1", body=body, headers=headers) == (200, "hi")


def test_8_a_controller_redirects():
    """`self._redirect()` is there as on an `App`."""

    async def old(self):
        return self._redirect("/new", [("X-A", "1")], status=308)

    reply = http(site_of(part=guard(old=old)), path="/part/old")
    assert (reply.status_code, reply.headers["location"], reply.headers["x-a"]) == (308, "/new", "1")


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize("path", ["/part", "/part/", "/part/page", "/part/page/x", "/part/nothing"])
def test_8_a_controller_renders_templates(tmp_path, path):
    """`self._render_template()` renders those of the application that serves the request, be it one of several."""

    async def show(self, *path):
        return await self._render_template("page.html", name="<i>")

    async def ws_page(self, ws):
        await ws.accept()
        await ws.send_text(await self._render_template("page.html", name="ws"))

    part = guard(index=show, page=show, ws_page=ws_page)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text(f"{name} {{{{ name }}}}")
    first = type("First", (App,), {"part": part})(templates=str(tmp_path / "one"))
    second = type("Second", (App,), {"part": part})(templates=str(tmp_path / "two"))
    assert answer(first, path) == (200, "one &lt;i&gt;")
    assert answer(second, path) == (200, "two &lt;i&gt;")
    assert websocket(second, "/part/page").sent == ["two ws"]


# Applications as branches.


class Admin(App):
    async def index(self):
        return f"admin {self.request.scope['root_path']}"

    async def user(self, number):
        return f"user {number}"

    async def echo(self):
        return self.request.get_json

    async def visit(self):
        self.request.session["n"] = self.request.session.get("n", 0) + 1
        return str(self.request.session["n"])

    async def ws_chat(self, ws):
        await ws.accept()
        await ws.send_text(self.request.scope["root_path"])


def site_with_admin(admin, **limits):
    """Make an application that has another one as a branch, and one in a branch."""

    class Pages(App):
        admin_part = admin
        deep = guard(admin=admin)

        async def visits(self):
            return str(self.request.session.get("n"))

    return Pages(**limits)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/admin_part", (200, "admin /admin_part")),
        ("/admin-part/", (200, "admin /admin-part")),
        ("/admin_part/user/7", (200, "user 7")),
        ("/admin_part/user/a%2Fb", (200, "user a/b")),
        ("/deep/admin/user/7", (200, "user 7")),
        ("/deep/admin", (200, "admin /deep/admin")),
        ("/admin_part/nothing", NOT_FOUND),
        ("/admin_part/_x", NOT_FOUND),
        ("/admin_parts", NOT_FOUND),
    ],
)
def test_8_an_app_is_a_branch(path, expected):
    """It gets the path without what led to it, and a `root_path` that says so."""
    assert answer(site_with_admin(Admin()), path) == expected


def test_8_an_app_below_has_its_own_hooks():
    """Its hooks run behind the outer before hooks, and instead of the outer after hooks."""
    trail = []

    class Noted(HttpMiddleware):
        def __init__(self, name):
            self.name = name

        async def before_request(self, request):
            trail.append(f"{self.name} in")

        async def after_request(self, request, status_code, response_body, extra_headers):
            trail.append(f"{self.name} out")

    admin = Admin()
    admin.middlewares.append(Noted("inner"))
    app = site_with_admin(admin)
    app.middlewares.append(Noted("outer"))
    assert answer(app, "/admin_part/user/7") == (200, "user 7")
    assert trail == ["outer in", "inner in", "inner out"]


def test_8_an_app_below_has_its_own_limits():
    """The body is read by the application that answers, within its limits, be they narrower or wider."""
    narrow, wide = site_with_admin(Admin(max_body_size=10)), site_with_admin(Admin(), max_body_size=10)
    value = "x" * 1_000
    assert answer(narrow, "/admin_part/echo", "POST", json=value)[0] == 413
    assert answer(wide, "/admin_part/echo", "POST", json={"v": value}) == (200, f'{{"v":"{value}"}}')


def test_8_an_app_below_shares_the_session():
    """The outer application's session is handed on, and saved by it."""
    app = site_with_admin(Admin())
    first = http(app, path="/admin_part/visit")
    assert http(app, path="/admin_part/visit", cookies=first.cookies).text == "2"
    assert http(app, path="/visits", cookies=first.cookies).text == "2"


class Failing(App):
    """Changes the session, and then fails, or answers with a status."""

    async def fails(self):
        self.request.session["cart"] = []
        raise RuntimeError

    async def answers(self, status: int):
        self.request.session["cart"] = []
        return status, "done"


async def failing(scope, receive, send):
    """Another framework's application."""
    scope["session"]["cart"] = []
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"broken"})


@pytest.mark.parametrize("path", ["/shop/fails", "/shop/answers/500", "/mounted/fails", "/other"])
def test_8_a_failed_request_of_an_app_below_does_not_save_the_session(path):
    """As a failed one of our own: a reply 500 stands for it, whoever answers."""

    class Site(App):
        shop = Failing()
        mounted = Mount(Failing())
        other = Mount(failing)

    backend = InMemorySessionBackend()
    backend.sessions["known"] = {"cart": ["pie"]}
    reply = http(Site(backend), path=path, cookies={"session_id": "known"})
    assert (reply.status_code, backend.sessions) == (500, {"known": {"cart": ["pie"]}})
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_8_what_an_app_below_answers_otherwise_saves_the_session(status):
    """It is no failure."""
    backend = InMemorySessionBackend()
    backend.sessions["known"] = {"cart": ["pie"]}
    site = type("Site", (App,), {"shop": Failing()})(backend)
    assert http(site, path=f"/shop/answers/{status}", cookies={"session_id": "known"}).status_code == status
    assert backend.sessions == {"known": {"cart": []}}


def test_8_websockets_of_an_app_below():
    """They are handed on too."""
    assert websocket(site_with_admin(Admin()), "/admin_part/chat").sent == ["/admin_part"]
    assert websocket(site_with_admin(Admin()), "/admin_part/nothing").close == (1008, "No matching WebSocket route")


def noting(calls, name, error=None):
    """A handler that notes its call, and may raise."""

    async def handler():
        calls.append(name)
        if error is not None:
            raise error

    return handler


def test_8_an_app_below_starts_and_stops_with_the_outer_one():
    """Startup from outside in, shutdown from inside out, once for an instance that is there twice."""
    calls: list[str] = []
    admin = Admin()
    app = site_with_admin(admin)
    for one, name in ((admin, "inner"), (app, "outer")):
        one.startup_handlers.append(noting(calls, f"{name} up"))
        one.shutdown_handlers.append(noting(calls, f"{name} down"))
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert calls == ["outer up", "inner up", "inner down", "outer down"]
    assert (app._started, admin._started) == (False, False)


def test_8_an_app_below_that_was_started_by_others_is_left_running():
    """Who started it stops it."""
    calls: list[str] = []
    admin = Admin()
    admin.startup_handlers.append(noting(calls, "up"))
    admin.shutdown_handlers.append(noting(calls, "down"))

    async def main():
        async with running(admin), running(site_with_admin(admin)):
            pass
        assert calls == ["up", "down"]

    run(main())


def test_8_the_lifespan_state_is_shared():
    """A handler of the app below may take the state that requests see."""
    admin = Admin()

    def put(state):
        state["db"] = "open"

    admin.startup_handlers.append(put)
    state: dict[str, str] = {}
    lifespan(site_with_admin(admin), state)
    assert state == {"db": "open"}


def test_8_a_failing_startup_below_fails_the_outer_one():
    """What was started before is stopped again."""
    calls: list[str] = []
    first, second = Admin(), Admin()
    first.startup_handlers.append(noting(calls, "first up"))
    first.shutdown_handlers.append(noting(calls, "first down"))
    second.startup_handlers.append(noting(calls, "second up", RuntimeError("no database")))

    class Pages(App):
        one = first
        two = second

    messages = lifespan_messages(Pages())
    assert messages == [{"type": "lifespan.startup.failed", "message": "no database"}]
    assert calls == ["first up", "second up", "first down"]


# Mounts.


async def shown(scope, receive, send):
    """An ASGI application that shows what it was given."""
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    body, more = b"", scope["type"] == "http"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    text = "|".join([scope["path"], scope["root_path"], (scope.get("raw_path") or b"-").decode(), body.decode()])
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


class Mounting(App):
    files = Mount(shown)
    my_files = Mount(shown)
    legacy = Mount(shown, path="/v1/files")
    api = guard(docs=Mount(shown), other=Mount(shown, path="a/b"), page=page)

    async def index(self, *path):
        return ["site", *path]

    async def v1(self, *path):
        return ["v1", *path]


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/files", "/files"),
        ("/files/", "/files"),
        ("/files/a/b.css", "/files"),
        ("/my-files/x", "/my-files"),
        ("/v1/files/x", "/v1/files"),
        ("/v1/files", "/v1/files"),
        ("/api/docs/x", "/api/docs"),
        ("/api/a/b/c", "/api/a/b"),
        ("/files/../x", "/files"),
        ("/files//x", "/files"),
        ("/files/_x/ws_y", "/files"),
    ],
)
def test_8_a_mount_gets_its_branch(path, root_path):
    """The whole path stays, and `root_path` is its beginning."""
    assert answer(Mounting(), path) == (200, f"{path}|{root_path}|{path}|")
    assert websocket(Mounting(), path).sent == [f"{path}|{root_path}|{path}|"]


def test_8_a_mount_gets_the_raw_path():
    """What is encoded stays encoded there."""
    assert answer(Mounting(), "/files/a%2Fb%20c") == (200, "/files/a/b c|/files|/files/a%2Fb%20c|")


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/filesystem", ["site", "filesystem"]),
        ("/files%2Fx", ["site", "files/x"]),
        ("/v1/other", ["v1", "other"]),
        ("/v1", ["v1"]),
        ("/v1/files2", ["v1", "files2"]),
        ("/legacy", ["site", "legacy"]),
    ],
)
def test_8_a_mount_begins_at_a_segment(path, segments):
    """What only begins like its path is not its own."""
    assert http(Mounting(), path=path).json() == segments


@pytest.mark.parametrize(
    ("path", "root", "whole"),
    [
        ("/proxy/files/x", "/proxy", "/proxy/files/x"),
        ("/files/x", "/proxy", "/proxy/files/x"),
        ("/files/x", "/proxy/", "/proxy/files/x"),
        ("/files/files/x", "/files", "/files/files/x"),
    ],
)
def test_8_a_mount_below_a_root_path(path, root, whole):
    """`root_path` + rest is the path, whether the server's path has the root path or not."""
    reply = answer(Mounting(), path, scope={"root_path": root})
    assert reply == (200, f"{whole}|{root.rstrip('/')}/files|{whole}|")


def test_8_a_mount_without_a_raw_path():
    """A server need not give one."""
    reply = answer(Mounting(), "/files/x", scope={"raw_path": None, "root_path": "/p"})
    assert reply == (200, "/p/files/x|/p/files|-|")


def test_8_a_mount_in_an_app_below():
    """Below an application that was given a part of the path the whole path is put together again."""
    assert answer(site_of(outer=Mounting()), "/outer/files/a%20b") == (
        200, "/outer/files/a b|/outer/files|/outer/files/a%20b|"
    )  # fmt: skip


def test_8_a_mount_reads_the_body_itself():
    """Our limits are not its limits, and nothing is parsed."""
    body = b"x" * 100
    headers = [("content-type", "application/json")]
    text = wire(Mounting(max_body_size=10), "POST", "/files/x", body=body, headers=headers).text
    assert text == "/files/x|/files|/files/x|" + body.decode()


def test_8_a_body_is_read_when_a_hook_leads_elsewhere():
    """A before hook that changes the path decides who reads the body."""

    class Inward(HttpMiddleware):
        path = "/save"

        async def before_request(self, request):
            request.scope["path"] = self.path

    class Pages(App):
        files = Mount(shown)

        @methods("POST")
        async def save(self, text):
            return f"saved {text}"

    app, inward = Pages(), Inward()
    app.middlewares.append(inward)
    assert answer(app, "/files/x", "POST", form={"text": "hi"}) == (200, "saved hi")
    inward.path = "/files/y"
    assert http(app, "POST", "/files/x", data={"text": "hi"}).text.startswith("/files/y|/files|")
    assert http(app, "POST", "/save", data={"text": "hi"}).text.endswith("|text=hi")


def test_8_hooks_and_guards_run_before_a_mount():
    """Before hooks and `_before` may refuse; after hooks and `_after` don't see what the other application sends."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            return {"status_code": 401, "body": "hook"} if request.query("hook") else None

        async def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers.append(("X-Hook", "1"))

    async def before(self):
        if self.request.query("guard"):
            raise HTTPError(403)

    async def after(self, reply):
        reply.headers.append(("X-Guard", "1"))

    app = site_of(part=guard(before, after, files=Mount(shown)))
    app.middlewares.append(Hook())
    assert answer(app, "/part/files", query="hook=1") == (401, "hook")
    refused = http(app, path="/part/files", query="guard=1")
    assert (refused.status_code, refused.headers["x-guard"], refused.headers["x-hook"]) == (403, "1", "1")
    passed = http(app, path="/part/files")
    assert (passed.status_code, passed.headers.get("x-guard"), passed.headers.get("x-hook")) == (200, None, None)
    assert websocket(app, "/part/files", query="guard=1").close == (1008, "403 Forbidden")


def test_8_websocket_hooks_run_before_a_mount():
    """A WebSocket middleware may refuse what a mount would get."""

    class Refusing(WebSocketMiddleware):
        async def before_websocket(self, request):
            return {"code": 4000, "reason": "no"}

    app = Mounting()
    app.ws_middlewares.append(Refusing())
    assert websocket(app, "/files").close == (4000, "no")


def test_8_the_session_is_in_the_mounts_scope():
    """As for `_subapp`: what it changes there is saved when its reply starts."""

    async def visited(scope, receive, send):
        scope["session"]["n"] = scope["session"].get("n", 0) + 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(scope["session"]["n"]).encode()})

    app = site_of(files=Mount(visited))
    first = http(app, path="/files")
    assert http(app, path="/files", cookies=first.cookies).text == "2"


def test_8_a_mount_that_breaks(caplog):
    """An exception that leaves it is a 500, logged once."""

    async def broken(scope, receive, send):
        raise ZeroDivisionError

    assert answer(site_of(files=Mount(broken)), "/files") == (500, "500 Internal Server Error")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_8_an_exception_that_means_an_answer():
    """What other frameworks answer for their exceptions is answered: a client's error with its status."""

    class Missing(Exception):  # noqa: N818
        status_code = 404
        headers = {"X-A": "1"}

    async def missing(scope, receive, send):
        raise Missing

    reply = http(site_of(files=Mount(missing)), path="/files")
    assert (reply.status_code, reply.text, reply.headers["x-a"]) == (404, "404 Not Found", "1")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "a path such as"),
        ("/", "a path such as"),
        ("/a//b", "neither empty"),
        ("/a/../b", "dot segments"),
        ("/_a", "private"),
        ("ws_a/b", "private"),
    ],
)
def test_8_a_path_that_no_mount_can_have(path, message):
    """It is refused where it is written."""
    with pytest.raises(ValueError, match=message):
        Mount(shown, path=path)


def test_8_a_mount_takes_an_application():
    """Anything else is refused where it is written."""
    with pytest.raises(TypeError, match="takes an ASGI application"):
        Mount("static")  # type: ignore[arg-type]


def test_8_an_app_may_be_mounted_at_a_path():
    """`Mount` takes our own applications too: they get the path without what led to it."""
    assert answer(site_of(part=Mount(Admin(), path="/v1/admin")), "/v1/admin/user/7") == (200, "user 7")


def test_8_private_mounts_are_none():
    """A private name is no branch."""
    app = site_of(_files=Mount(shown), ws_files=Mount(shown), _admin=Admin())
    for path in ("/_files", "/ws_files", "/_admin"):
        assert answer(app, path) == NOT_FOUND


# The lifespan of mounts.


def speaking(calls, *, fails=None, says=""):
    """An ASGI application with a lifespan, that may fail."""

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        for event in ("lifespan.startup", "lifespan.shutdown"):
            assert (await receive())["type"] == event
            calls.append(event)
            if fails == event:
                await send({"type": f"{event}.failed", "message": says})
                raise RuntimeError(says)
            scope["state"]["seen"] = event
            await send({"type": f"{event}.complete"})

    return app


def test_8_a_mounts_lifespan_runs_with_ours():
    """It is started behind our handlers, and stopped before them; it shares the state."""
    calls: list[str] = []
    app = site_of(part=guard(files=Mount(speaking(calls))))
    app.startup_handlers.append(noting(calls, "up"))
    app.shutdown_handlers.append(noting(calls, "down"))
    state: dict[str, str] = {}
    assert lifespan(app, state) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert calls == ["up", "lifespan.startup", "lifespan.shutdown", "down"]
    assert state == {"seen": "lifespan.shutdown"}


@pytest.mark.parametrize("says", ["no disk", ""])
def test_8_a_mount_that_fails_to_start(says):
    """Its failure is ours; what was started before is stopped."""
    calls: list[str] = []

    class Pages(App):
        one = Mount(speaking(calls))
        two = Mount(speaking(calls, fails="lifespan.startup", says=says))

    messages = lifespan_messages(Pages())
    assert [message["type"] for message in messages] == ["lifespan.startup.failed"]
    assert messages[0]["message"] == (says or "A mounted application answered lifespan.startup with its failure")
    assert calls == ["lifespan.startup", "lifespan.startup", "lifespan.shutdown"]


def test_8_a_mount_that_fails_to_stop():
    """Our handlers run all the same, and the failure is told."""
    calls: list[str] = []
    app = site_of(files=Mount(speaking(calls, fails="lifespan.shutdown", says="stuck")))
    app.shutdown_handlers.append(noting(calls, "down"))
    messages = lifespan_messages(app)
    assert messages[-1] == {"type": "lifespan.shutdown.failed", "message": "stuck"}
    assert calls == ["lifespan.startup", "lifespan.shutdown", "down"]


@pytest.mark.parametrize("after_receive", [False, True])
def test_8_a_mount_without_a_lifespan(after_receive):
    """One that raises for the scope, or at its startup, is simply without (the ASGI specification)."""

    async def without(scope, receive, send):
        if after_receive:
            await receive()
        raise ValueError("http only")

    assert lifespan(site_of(files=Mount(without))) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_8_a_mount_that_returns_at_once():
    """So is one that returns without a word."""

    async def without(scope, receive, send):
        pass

    assert lifespan(site_of(files=Mount(without))) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_8_a_lifespan_that_breaks_in_the_middle(caplog):
    """What a mount's lifespan raises later is in the log; the shutdown ends."""

    async def breaking(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ZeroDivisionError

    assert lifespan(site_of(files=Mount(breaking))) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [record.message for record in caplog.records] == ["The lifespan of a mounted application failed"]


def test_8_a_lifespan_that_does_not_end():
    """A task that stays behind its answer is cancelled."""
    ended = []

    async def lingering(scope, receive, send):
        try:
            while True:
                event = await receive()
                await send({"type": f"{event['type']}.complete"})
        finally:
            ended.append(True)

    assert lifespan(site_of(files=Mount(lingering))) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ended == [True]


def test_8_a_cancelled_startup_leaves_no_task():
    """A mount that never answers its startup ends with whoever waited for it."""
    begun = asyncio.Event()

    async def silent(scope, receive, send):
        begun.set()
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(asyncio.wait_for(_started(site_of(files=Mount(silent))), 5))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


async def _started(app):
    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        raise AssertionError(message)

    await app({"type": "lifespan", "state": {}}, receive, send)


# What is probably not meant.


def warnings_of(caplog, make):
    """Make an application, and give what it warned of."""
    caplog.clear()
    make()
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_8_a_class_instead_of_an_instance(caplog):
    """`api = Api` without parentheses answers nothing, which is said."""
    assert warnings_of(caplog, lambda: site_of(api=Users)) == [
        "SiteOf.api is a class, which answers nothing: write api = Users()"
    ]


def test_8_a_class_that_is_defined_inside(caplog):
    """A class under its own name is where it is defined, and no mistake."""

    class Pages(App):
        class Part(Controller):
            page = page

        part = Part()

    assert warnings_of(caplog, Pages) == []
    assert answer(Pages(), "/part/page") == (200, "page")


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("/greet", "SiteOf.greet"),
        ("/greet/x", "SiteOf.greet"),
        ("/part", "Made"),
        ("/part/page", "Made.page"),
        ("/part/deep/page", "Made.page"),
        ("/files/x", "SiteOf.files"),
        ("/my-page", "SiteOf.my_page"),
        ("/other", None),
        ("/part/other", None),
        ("/part/deep/other/x", None),
    ],
)
def test_8_a_mount_that_hides_a_route(caplog, path, hidden):
    """It wins, which is said."""

    async def greet(self, *args):
        return "greet"

    def make():
        part = guard(page=page, deep=guard(page=page))
        return site_of(greet=greet, part=part, files=Mount(shown), my_page=page, old=Mount(shown, path=path))

    expected = [f"SiteOf.old is mounted at {path}, where it hides {hidden}: give it a path of its own"]
    assert warnings_of(caplog, make) == (expected if hidden else [])
    assert http(make(), path=path).text.startswith(f"{path}|")


async def takes_nothing():
    return "x"


without_self: Any = takes_nothing


def test_5_a_method_without_self():
    """It could never be called, which is said with its place and the remedy when the application is made."""

    class Site(App):
        index = without_self

    place = f"{__file__}, line {without_self.__code__.co_firstlineno}"
    with pytest.raises(TypeError) as caught:
        Site()
    message = f"takes_nothing takes no self ({place}): write def takes_nothing(self), or make it a @staticmethod"
    assert str(caught.value) == message


def test_5_a_class_method_without_cls():
    """So is a class method that does not take its class."""

    class Site(App):
        index: Any = classmethod(without_self)

    with pytest.raises(TypeError, match=r"takes no cls \(.*: write def takes_nothing\(cls\), or"):
        Site()


def test_5_a_builtin_without_a_signature():
    """What does not tell its parameters can't be bound."""

    class Site(App):
        index = functools.cache(max)

    with pytest.raises(TypeError, match="<built-in function max> does not tell its parameters: call it in a method"):
        Site()


async def refuse(self):
    return 403, "no"


@pytest.mark.parametrize(
    ("path", "is_past"),
    [
        ("/admin/files", True),
        ("/admin/deep/files", True),
        ("/open/inner/files", True),
        ("/open/files", False),
        ("/late/files", False),
        ("/adminx/files", False),
        ("/files", False),
    ],
)
def test_8_a_mount_past_a_guard(caplog, path, is_past):
    """What is mounted beside a guarded branch is served without its guard, which is said."""

    def make():
        late = guard(after=lambda _self, _reply: None)
        opened = guard(inner=guard(before=refuse))
        return site_of(admin=guard(before=refuse, deep=guard()), open=opened, late=late, files=Mount(shown, path=path))

    says = f"SiteOf.files is mounted at {path}, where Made._before does not guard it: "
    expected = [f"{says}make it an attribute of Made, or give it another path"]
    assert warnings_of(caplog, make) == (expected if is_past else [])
    assert http(make(), path=path).status_code == 200


def test_8_two_mounts_at_one_path(caplog):
    """The first one wins."""
    made = warnings_of(caplog, lambda: site_of(a=Mount(shown, path="/x"), b=Mount(shown, path="/x")))
    assert made == ["SiteOf.b is mounted at /x, where it hides a: give it a path of its own"]


def test_8_warnings_of_deeper_branches(caplog):
    """The whole tree is looked at."""
    assert warnings_of(caplog, lambda: site_of(part=guard(api=Users))) == [
        "Made.api is a class, which answers nothing: write api = Users()"
    ]


def test_8_nothing_to_say(caplog):
    """A tree in order is made in silence."""
    assert warnings_of(caplog, Site) == warnings_of(caplog, Fort) == []


def test_8_a_resource_is_a_controller():
    """What is no verb method of it is a route below it."""

    class Notes(Resource):
        users = Users()
        page = page

    assert answer(site_of(notes=Notes()), "/notes/users/show/ann") == (200, "ann small of 2")
    assert answer(site_of(notes=Notes()), "/notes/page") == (200, "page")


# A guard that would guard nothing.


class Unguarded(Controller):
    """What a subclass, or an instance, makes of its guard."""

    _before = None  # type: ignore[assignment]

    async def page(self):
        return "page"


class OnInstance(Controller):
    def __init__(self):
        self._before = self._check  # type: ignore[method-assign]

    async def _check(self):
        raise HTTPError(401)


class AsProperty(Controller):
    @property
    def _after(self):
        raise AssertionError("evaluated")


@pytest.mark.parametrize(
    ("controller", "message"),
    [
        (Unguarded(), "Unguarded._before is None, which guards nothing: make it a method"),
        (
            OnInstance(),
            "OnInstance._before is set on the instance, where it guards nothing: make it a method of the class",
        ),
        (AsProperty(), "AsProperty._after is <property"),
    ],
    ids=["none", "instance", "property"],
)
def test_8_a_guard_is_a_method_of_the_class(controller, message):
    """Anything else would leave the branch open, or break every request: the application is not made."""
    with pytest.raises(TypeError, match=re.escape(message)):
        type("Site", (App,), {"branch": controller})()


class Visitors(Controller):
    async def index(self):
        return "visitors"


STRAY = "is set on the instance, where it answers nothing: write {0} = {1}(...) in the class body"


def test_8_a_controller_on_an_instance_is_told(caplog):
    """Before or after the constructor, or later: it answers nothing, and is not silent about it."""

    class Site(App):
        def __init__(self):
            self.early = Visitors()
            super().__init__()
            self.visitors = Visitors()

    site = Site()
    assert http(site, path="/visitors").status_code == 404
    site.files = Mount(shown)  # type: ignore[attr-defined]
    assert [record.getMessage() for record in caplog.records] == [
        f"Site.early {STRAY.format('early', 'Visitors')}",
        f"Site.visitors {STRAY.format('visitors', 'Visitors')}",
        f"Site.files {STRAY.format('files', 'Mount')}",
    ]


def test_8_a_controller_on_a_controllers_instance_is_told(caplog):
    """Its constructor is not the class body either."""

    class Api(Controller):
        def __init__(self):
            self.visitors = Visitors()

    class Site(App):
        api = Api()

    Site()
    assert [record.getMessage() for record in caplog.records] == [
        f"Api.visitors {STRAY.format('visitors', 'Visitors')}"
    ]


def test_8_what_else_stands_on_an_instance_is_nobodys_business(caplog):
    """Private names, controllers that are served elsewhere, applications, data."""

    class Site(App):
        visitors = Visitors()

        def __init__(self):
            super().__init__()
            self._hidden = Visitors()
            self.known = self.visitors
            self.other = App()
            self.name = "pie"

    Site()
    assert caplog.records == []


class Mixed:
    async def _before(self):
        return "mixed in"

    async def _after(self, reply):
        reply.body = f"{reply.body}, after"


class Plain:
    def _before(self):
        return "plain"


class Behind(Visitors, Mixed):
    """A guard behind a class of the tree."""


class Chained(Visitors, Mixed):
    async def _before(self):
        return await super()._before()

    async def _after(self, reply):
        return await super()._after(reply)


class ChainedPlain(Visitors, Plain):
    async def _before(self):
        return await super()._before()


class Static(Visitors):
    @staticmethod
    async def _before():
        return "static"


class OfClass(Visitors):
    @classmethod
    def _before(cls):
        return cls.__name__


@pytest.mark.parametrize(
    ("controller", "text"),
    [
        (Behind(), "mixed in, after"),
        (Chained(), "mixed in, after"),
        (ChainedPlain(), "plain"),
        (Static(), "static"),
        (OfClass(), "OfClass"),
        (Visitors(), "visitors"),
    ],
)
def test_8_a_guard_is_found_wherever_a_class_has_it(controller, text):
    """Mixed in behind another class, called by `super()`, a static or a class method."""
    assert http(site_of(part=controller), path="/part").text == text


COLOUR = contextvars.ContextVar("COLOUR", default="none")


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("refuses", [True, False])
def test_8_a_context_variable_of_before_is_seen_by_its_branch(is_async, refuses, threads):
    """By the handler, by `_after` and by a stream, whether the guard is `async def` or runs in a thread."""
    seen = []

    class Part(Controller):
        async def page(self):
            async def chunks():
                yield COLOUR.get()

            seen.append(COLOUR.get())
            return chunks()

        def plain(self):
            return COLOUR.get()

        def _after(self, reply):
            seen.append(COLOUR.get())

    async def before(self):
        COLOUR.set("red")
        if refuses:
            raise HTTPError(403)

    def plain_before(self):
        COLOUR.set("red")
        if refuses:
            raise HTTPError(403)

    guarded = type("Guarded", (Part,), {"_before": before if is_async else plain_before})()
    app = type("Site", (App,), {"part": guarded})(sync_threads=threads)
    texts = [http(app, path=f"/part/{name}").text for name in ("page", "plain")]
    assert texts == (["403 Forbidden"] * 2 if refuses else ["red", "red"])
    assert seen == (["red", "red"] if refuses else ["red", "red", "red"])
    assert COLOUR.get() == "none"
