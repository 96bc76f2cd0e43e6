"""Routing: BEHAVIOUR.md, points 2 to 7 and 9."""

import functools
import logging
from datetime import date
from enum import Enum
from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

import pytest

from micropie import App, HttpMiddleware, Mount, WebSocket, WebSocketMiddleware, methods, url_for
from tests.client import http
from tests.wire import websocket, wire

NOT_FOUND = (404, b"404 Not Found")
FAILED = (500, b"500 Internal Server Error")


def answer(app, path, **keywords):
    """Status and body of the reply to a GET."""
    reply = wire(app, path=path, **keywords)
    return reply.status_code, reply.content


class Pages(App):
    async def index(self):
        return "index"

    async def greet(self, name="Guest"):
        return f"greet {name}"

    async def pair(self, first, second):
        return f"{first}|{second}"

    async def about_us(self):
        return "about us"

    async def Case(self):  # noqa: N802 - case matters
        return "Case"

    async def rest(self, *args):
        return list(args)

    async def first_and_rest(self, first, *args):
        return [first, *args]

    async def path(self, *args):
        return self.request.path_params

    async def _hidden(self):
        return "hidden"

    async def ws_chat(self, ws):
        await ws.accept()


class Greedy(App):
    """An application whose `index` takes everything."""

    async def index(self, *args):
        return list(args)

    async def about_us(self):
        return "about us"

    async def _hidden(self):
        return "hidden"

    async def ws_chat(self, ws):
        await ws.accept()


class Silent(App):
    """An application without `index`."""

    async def greet(self):
        return "hi"


# 2. The path splits at `/`; the first segment names the handler.


def test_2_first_segment_names_the_handler():
    """The first segment is the handler's name."""
    assert answer(Pages(), "/greet") == (200, b"greet Guest")


def test_2_other_segments_are_path_parameters():
    """The segments behind the name are parameters."""
    assert answer(Pages(), "/pair/a/b") == (200, b"a|b")


def test_2_path_params_lists_the_segments():
    """`request.path_params` has the segments behind the name."""
    assert http(Pages(), path="/path/a/b").json() == ["a", "b"]


def test_2_empty_path_means_index():
    """`/` is answered by `index`."""
    assert answer(Pages(), "/") == (200, b"index")


def test_2_scope_path_may_be_empty():
    """A server may say `""` for the root."""
    assert answer(Pages(), "/", scope={"path": "", "raw_path": b""}) == (200, b"index")


def test_2_index_by_name_is_index_too():
    """`/index` is answered by `index`."""
    assert answer(Pages(), "/index") == (200, b"index")


def test_2_no_index_no_root():
    """`/` is 404 where there is no `index`."""
    assert answer(Silent(), "/") == NOT_FOUND


@pytest.mark.parametrize(("path", "expected"), [("/Case", (200, b"Case")), ("/case", NOT_FOUND), ("/GREET", NOT_FOUND)])
def test_2_case_matters(path, expected):
    """A name matches in its own case only."""
    assert answer(Pages(), path) == expected


def test_2_encoded_slash_does_not_split():
    """`%2F` is a character of its segment."""
    assert http(Pages(), path="/rest/a%2Fb/c").json() == ["a/b", "c"]


def test_2_encoded_slash_does_not_split_in_lower_case():
    """`%2f` neither."""
    assert answer(Pages(), "/greet/AC%2fDC") == (200, b"greet AC/DC")


def test_2_without_raw_path_the_decoded_path_is_split():
    """A server without `raw_path` gives only the decoded path."""
    scope = {"path": "/rest/a/b", "raw_path": None}
    assert wire(Pages(), path="/rest/a%2Fb", scope=scope).json() == ["a", "b"]


def test_2_raw_path_that_does_not_decode_to_path_is_ignored():
    """When `path` was changed on the way, it alone counts."""
    scope = {"path": "/rest/x/y", "raw_path": b"/greet/a%2Fb"}
    assert wire(Pages(), scope=scope).json() == ["x", "y"]


@pytest.mark.parametrize(
    ("segment", "decoded"),
    [
        ("%C3%A9", "é"),
        ("%E2%82%AC", "€"),
        ("%F0%9F%A5%A7", "\U0001f967"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("%2541", "%41"),
        ("100%25", "100%"),
        ("%00", "\0"),
        ("%3F", "?"),
    ],
)
def test_2_segments_are_percent_decoded_once_as_utf8(segment, decoded):
    """Each segment is percent-decoded as UTF-8, once; `+` is no space in a path."""
    assert http(Pages(), path=f"/rest/{segment}").json() == [decoded]


def test_2_the_name_is_percent_decoded():
    """The handler's name may come percent-encoded."""
    assert answer(Pages(), "/gr%65et") == (200, b"greet Guest")


@pytest.mark.parametrize("path", ["/greet/%FF", "/greet/%C3", "/%FF", "/greet/%ED%A0%80", "/rest/a/%C0%AF"])
@pytest.mark.parametrize("cls", [Pages, Greedy])
def test_2_invalid_utf8_is_a_bad_request(cls, path):
    """Bytes that are no UTF-8 are refused, not replaced."""
    assert http(cls(), path=path).status_code == 400


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("/app", "/app/greet/Bo", (200, b"greet Bo")),
        ("/app", "/app", (200, b"index")),
        ("/app", "/app/", (200, b"index")),
        ("/app/v1", "/app/v1/greet", (200, b"greet Guest")),
        ("/app", "/greet/Bo", (200, b"greet Bo")),
        ("/gr", "/greet", (200, b"greet Guest")),
        ("/greet", "/greet/greet", (200, b"greet Guest")),
        ("/app", "/application", NOT_FOUND),
        ("/app/", "/app/greet", (200, b"greet Guest")),
        ("", "/greet", (200, b"greet Guest")),
    ],
)
def test_2_root_path_is_not_part_of_the_route(root, path, expected):
    """A `root_path` that the path begins with, at a segment boundary, is left out."""
    assert answer(Pages(), path, scope={"root_path": root}) == expected


def test_2_root_path_is_left_out_for_websockets_too():
    """The same for a WebSocket."""
    assert websocket(Pages(), "/app/chat", scope={"root_path": "/app"}).accepted


class Telling(HttpMiddleware):
    """Notes what hooks see of the path."""

    def __init__(self):
        self.seen = []

    async def before_request(self, request):
        self.seen.append((request.scope["root_path"], request.scope["path"], request.scope["raw_path"]))


@pytest.mark.parametrize(
    ("root", "path"),
    [
        ("/api/", "/api//greet/Al"),  # Uvicorn, whatever follows the host name
        ("/api/", "/api/greet/Al"),
        ("/api", "/api/greet/Al"),
        ("/api/", "/api/http://host/greet/Al"),
        ("/api", "/apihttp://host/greet/Al"),
        ("/api", "http://host/api/greet/Al"),
        ("/api/", "HTTPS://user@host:8000/api/greet/Al"),
    ],
)
def test_2_a_slash_behind_the_root_path_is_as_if_it_were_not_there(root, path):
    """For the route and for hooks, beside a target that is a whole URL too."""
    app, hook = Pages(), Telling()
    app.middlewares.append(hook)
    assert answer(app, "/", scope={"root_path": root, "path": path, "raw_path": path.encode()}) == (200, b"greet Al")
    assert hook.seen == [("/api", "/api/greet/Al", b"/api/greet/Al")]


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("/", "//greet/Al", (200, b"greet Al")),
        ("/", "//", (200, b"index")),
        ("/api/", "/api/", (200, b"index")),
        ("/api/", "/api//", (200, b"index")),
        ("/api/", "/api", (200, b"index")),
        ("/api/", "/api///greet/Al", NOT_FOUND),
        ("/api/", "/api//_hidden", NOT_FOUND),
        ("/api/", "/greet/Al", (200, b"greet Al")),  # Granian leaves the prefix out of the path
    ],
)
def test_2_what_is_behind_such_a_root_path_is_a_path_like_others(root, path, expected):
    """One slash is the prefix's, a second one is an empty segment."""
    assert answer(Pages(), "/", scope={"root_path": root, "path": path, "raw_path": path.encode()}) == expected


def test_2_a_slash_behind_the_root_path_of_a_websocket():
    """As for HTTP."""
    assert websocket(Pages(), "/", scope={"root_path": "/api/", "path": "/api//chat"}).accepted


def test_2_a_mounted_application_gets_a_root_path_that_its_path_begins_with():
    """The slash is gone for it too."""
    seen = []

    async def inner(scope, receive, send):
        seen.append((scope["root_path"], scope["path"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    class Site(App):
        files = Mount(inner)

    wire(Site(), scope={"root_path": "/api/", "path": "/api//files/x", "raw_path": b"/api//files/x"})
    assert seen == [("/api/files", "/api/files/x")]


@pytest.mark.parametrize(
    ("target", "path", "expected"),
    [
        ("http://host/greet/Al", "/greet/Al", (200, b"greet Al")),
        ("HTTP://u@host:80/greet/A%2Fl", "/greet/A/l", (200, b"greet A/l")),
        ("https://[::1]:8443/greet", "/greet", (200, b"greet Guest")),
        ("http://host", "/", (200, b"index")),
        ("http://host/", "/", (200, b"index")),
        ("http://host//greet", "//greet", NOT_FOUND),
        ("http://host/_hidden", "/_hidden", NOT_FOUND),
        ("http://host/http://host/greet", "/http://host/greet", NOT_FOUND),
        ("mailto:x", "mailto:x", NOT_FOUND),
        ("*", "*", NOT_FOUND),
    ],
)
def test_2_a_target_that_is_a_whole_url_is_its_path(target, path, expected):
    """As proxies get it (RFC 9112 §3.2.2), and some servers hand it on; hooks see what is routed."""
    app, hook = Pages(), Telling()
    app.middlewares.append(hook)
    scope = {"path": unquote(target), "raw_path": target.encode(), "root_path": ""}
    assert answer(app, "/", scope=scope) == expected
    assert hook.seen[0][1] == path
    assert unquote(hook.seen[0][2].decode()) == path


def test_2_a_whole_url_leads_to_a_websocket_too():
    """The handshake is a GET like others."""
    assert websocket(Pages(), "/", scope={"path": "http://host/chat", "raw_path": b"http://host/chat"}).accepted


def test_2_privacy_holds_below_a_root_path():
    """What `root_path` leaves is checked like a whole path."""
    assert answer(Pages(), "/app/_hidden", scope={"root_path": "/app"}) == NOT_FOUND


# 3. One trailing slash is dropped, except before `*args`.


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/greet/", (200, b"greet Guest")), ("/greet/Bo/", (200, b"greet Bo")), ("/pair/a/b/", (200, b"a|b"))],
)
def test_3_one_trailing_slash_is_dropped(path, expected):
    """`/greet/` is `/greet`."""
    assert answer(Pages(), path) == expected


def test_3_only_one_trailing_slash_is_dropped():
    """Two trailing slashes leave one empty segment."""
    assert answer(Pages(), "/greet//") == (200, b"greet ")


@pytest.mark.parametrize(
    ("path", "segments"),
    [("/rest/", [""]), ("/rest/a/", ["a", ""]), ("/rest/a//b", ["a", "", "b"]), ("/first_and_rest/a/", ["a", ""])],
)
def test_3_args_receive_the_trailing_slash(path, segments):
    """`*args` receive an empty string for a trailing slash."""
    assert http(Pages(), path=path).json() == segments


def test_3_empty_segments_inside_are_kept():
    """An empty segment in the middle is a parameter like any other."""
    assert answer(Pages(), "/pair//b") == (200, b"|b")


# 4. `_` and `ws_` are private.


@pytest.mark.parametrize("cls", [Pages, Greedy])
@pytest.mark.parametrize(
    "path",
    [
        "/_hidden",
        "/_hidden/",
        "/%5Fhidden",
        "/%5fhidden/x",
        "/_nothing",
        "/__init__",
        "/__class__",
        "/__call__",
        "/_",
        "/ws_chat",
        "/ws%5Fchat",
        "/%77s_chat",
        "/ws_",
        "/ws_nothing/x",
        "/_asgi_app_http",
        "/_redirect/x",
    ],
)
def test_4_private_first_segment_is_404(cls, path):
    """A first segment starting with `_` or `ws_` is 404, however encoded, also with a catch-all `index`."""
    assert answer(cls(), path) == NOT_FOUND


def test_4_private_is_404_for_every_method():
    """The method does not matter."""
    statuses = {http(Pages(), method, "/_hidden").status_code for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS")}
    assert statuses == {404}


def test_4_later_segments_may_start_with_an_underscore():
    """Only the first segment is a name."""
    assert answer(Pages(), "/greet/_x") == (200, b"greet _x")


def test_4_hyphen_finds_underscore():
    """`/about-us` finds `about_us`."""
    assert answer(Pages(), "/about-us") == (200, b"about us")


def test_4_underscore_still_finds_itself():
    """`/about_us` works too."""
    assert answer(Pages(), "/about_us") == (200, b"about us")


def test_4_hyphen_wins_over_a_catch_all_index():
    """A method found by its hyphenated name wins over `index`."""
    assert answer(Greedy(), "/about-us") == (200, b"about us")


def test_4_exact_name_wins_over_hyphen_spelling():
    """A method that has the exact name, hyphen included, wins."""

    class Both(App):
        async def a_b(self):
            return "underscore"

    setattr(Both, "a-b", lambda self: "hyphen")
    assert answer(Both(), "/a-b") == (200, b"hyphen")
    assert answer(Both(), "/a_b") == (200, b"underscore")


@pytest.mark.parametrize("path", ["/-hidden", "/ws-chat", "/%2Dhidden", "/-", "/--init--", "/-_hidden"])
def test_4_hyphen_never_finds_a_private_method(path):
    """No spelling with hyphens names a private method."""
    assert answer(Pages(), path) == NOT_FOUND


def test_4_hyphen_never_finds_a_private_websocket_method():
    """`/-x` is no way to `ws__x`."""

    class Sockets(App):
        async def ws__x(self, ws):
            await ws.accept()

    assert not websocket(Sockets(), "/-x").accepted


def test_4_hyphen_works_for_websockets():
    """`/live-chat` finds `ws_live_chat`."""

    class Sockets(App):
        async def ws_live_chat(self, ws):
            await ws.accept()

    assert websocket(Sockets(), "/live-chat").accepted


# 5. What is a route.


def decorated(function):
    @functools.wraps(function)
    async def wrapper(self, *args, **kwargs):
        return "decorated " + await function(self, *args, **kwargs)

    return wrapper


def swallowing(function):
    """A decorator without functools.wraps."""

    async def wrapper(self):
        return "swallowed " + await function(self)

    return wrapper


class Base(App):
    async def inherited(self):
        return "inherited"

    async def overridden(self):
        return "base"


class Mixin:
    async def mixed_in(self):
        return "mixed in"


class Kinds(Mixin, Base):
    limit = 5
    words = "words"
    table = {"a": 1}
    factory = dict
    evaluated: list[str] = []
    annotated: int
    partial_data = functools.partial(int, "5")

    def __init__(self):
        super().__init__()
        self.on_instance = "data"
        self.call_on_instance = lambda: "called"

    async def async_method(self):
        return "async"

    def sync_method(self):
        return "sync"

    @staticmethod
    def static_method(name="x"):
        return f"static {name}"

    @classmethod
    async def class_method(cls):
        return f"class {cls.__name__}"

    @decorated
    async def wrapped(self, name="x"):
        return name

    @swallowing
    async def unwrapped(self):
        return "x"

    async def overridden(self):
        return "derived"

    @property
    def prop(self):
        self.evaluated.append("prop")
        return lambda: "called"

    @functools.cached_property
    def cached(self):
        self.evaluated.append("cached")
        return lambda: "called"

    class Nested:
        def __init__(self):
            raise AssertionError("a nested class was called")

    class Callable:
        def __call__(self):
            return "called"

    callable_data = Callable()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/async_method", b"async"),
        ("/sync_method", b"sync"),
        ("/static_method", b"static x"),
        ("/static_method/y", b"static y"),
        ("/class_method", b"class Kinds"),
        ("/wrapped", b"decorated x"),
        ("/wrapped/y", b"decorated y"),
        ("/unwrapped", b"swallowed x"),
        ("/inherited", b"inherited"),
        ("/mixed_in", b"mixed in"),
        ("/overridden", b"derived"),
    ],
)
def test_5_methods_of_the_users_classes_are_routes(path, body):
    """Sync, async, static, class, decorated and inherited methods answer."""
    assert answer(Kinds(), path) == (200, body)


def test_5_a_wrapped_method_is_bound_by_its_own_signature():
    """What `functools.wraps` shows is what binds."""
    assert answer(Kinds(), "/wrapped", query="name=z") == (200, b"decorated z")


@pytest.mark.parametrize(
    "name",
    [
        "limit",
        "words",
        "table",
        "factory",
        "evaluated",
        "annotated",
        "partial_data",
        "on_instance",
        "call_on_instance",
        "prop",
        "cached",
        "Nested",
        "Callable",
        "callable_data",
    ],
)
def test_5_what_is_no_method_is_no_route(name):
    """Data, properties, nested classes and instance attributes are 404."""
    assert answer(Kinds(), f"/{name}") == NOT_FOUND
    assert answer(Kinds(), f"/{name}/x") == NOT_FOUND


@pytest.mark.parametrize("name", ["prop", "cached"])
def test_5_no_request_evaluates_a_property(name):
    """Looking a name up runs no code of the user's."""
    app = Kinds()
    app.evaluated.clear()
    http(app, path=f"/{name}")
    assert app.evaluated == []


def test_5_making_the_app_evaluates_no_property():
    """Nor does the constructor."""
    Kinds.evaluated.clear()
    Kinds()
    assert Kinds.evaluated == []


@pytest.mark.parametrize("name", [name for name in dir(App()) if not name.startswith("_")])
def test_5_what_app_defines_is_no_route(name):
    """None of App's own names is a route, not even with a catch-all to fall back on."""
    assert answer(Pages(), f"/{name}") == NOT_FOUND


@pytest.mark.parametrize("name", ["middlewares", "ws_middlewares", "startup_handlers", "shutdown_handlers", "request"])
def test_5_an_override_of_a_documented_name_is_no_route(name):
    """A method under a name that App documents stays the framework's."""
    cls = type("Overriding", (App,), {name: lambda self: "called"})
    assert answer(cls(), f"/{name}") == NOT_FOUND


class Dispatching(App):
    """Methods that are chosen by the type of their first argument."""

    @functools.singledispatchmethod
    async def show(self, what, times="1"):
        return f"{type(what).__name__} {what} {times}"

    @show.register
    async def _(self, what: int, times="1"):
        return f"number {what} {times}"

    @functools.singledispatchmethod
    def plain(self, what: int):
        return f"plain {type(what).__name__} {what}"

    @plain.register
    def _(self, what: str):
        return f"text {what}"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/show/pie", (200, b"str pie 1")),
        ("/show/pie/2", (200, b"str pie 2")),
        ("/show", (400, b"400 Bad Request: Missing required parameter 'what'")),
        ("/plain/7", (200, b"plain int 7")),
        ("/plain/x", (400, b"400 Bad Request: Invalid value for parameter 'what': expected an integer")),
        ("/_/7", NOT_FOUND),
    ],
)
def test_5_a_singledispatchmethod_is_a_route(path, expected):
    """Bound by the signature of its first function."""
    assert answer(Dispatching(), path) == expected


def test_5_url_for_finds_a_singledispatchmethod():
    """Which looks like another function at each look."""
    app = Dispatching()
    assert url_for(app.show, "pie", times="2") == "/show/pie?times=2"


def test_5_a_method_bound_at_run_time_is_a_route():
    """`app.x = f.__get__(app)` makes a route."""

    async def late(self, name="x"):
        return f"late {name}"

    app = Pages()
    setattr(app, "late", late.__get__(app))  # noqa: B010 - as a user writes it, but for the type checker
    assert answer(app, "/late/y") == (200, b"late y")


def test_5_replacing_a_method_at_run_time_takes_effect():
    """A method bound over another one replaces it, and again."""

    async def first(self):
        return "first"

    async def second(self):
        return "second"

    app = Pages()
    setattr(app, "about_us", first.__get__(app))  # noqa: B010
    assert answer(app, "/about_us") == (200, b"first")
    setattr(app, "about_us", second.__get__(app))  # noqa: B010
    assert answer(app, "/about_us") == (200, b"second")
    assert answer(app, "/about-us") == (200, b"second")


def test_5_a_method_bound_to_something_else_is_no_route():
    """Bound methods of other objects are data."""
    app = Pages()
    setattr(app, "append", [].append)  # noqa: B010
    setattr(app, "other", Kinds().async_method)  # noqa: B010
    assert answer(app, "/append/x") == NOT_FOUND
    assert answer(app, "/other") == NOT_FOUND


def test_5_a_private_method_bound_at_run_time_stays_private():
    """`_` is private there too."""

    async def secret(self):
        return "secret"

    app = Pages()
    setattr(app, "_late", secret.__get__(app))  # noqa: B010
    assert answer(app, "/_late") == NOT_FOUND


def test_5_an_app_without_methods_answers_404():
    """App itself has no routes."""
    assert answer(App(), "/") == NOT_FOUND


# 6. No such method.


def test_6_no_such_method_is_404():
    """An unknown name is 404 where `index` takes nothing."""
    assert answer(Pages(), "/nothing") == NOT_FOUND


def test_6_404_is_html():
    """The error text is sent as HTML, like the releases'."""
    assert http(Pages(), path="/nothing").headers["content-type"] == "text/html; charset=utf-8"


def test_6_index_with_args_gets_all_segments():
    """A catch-all `index` gets the first segment too."""
    assert http(Greedy(), path="/a/b/c").json() == ["a", "b", "c"]


def test_6_index_with_a_parameter_gets_the_segment():
    """So does an `index` with positional parameters."""

    class Wiki(App):
        async def index(self, page="home", section=None):
            return [page, section]

    assert http(Wiki()).json() == ["home", None]
    assert http(Wiki(), path="/intro").json() == ["intro", None]
    assert http(Wiki(), path="/intro/2").json() == ["intro", "2"]


def test_6_index_by_its_own_name_does_not_get_it():
    """`/index/a` gives `index` only what follows."""
    assert http(Greedy(), path="/index/a").json() == ["a"]


def test_6_index_with_keyword_only_parameters_is_no_catch_all():
    """Only positional parameters take segments."""

    class Search(App):
        async def index(self, *, q="none"):
            return q

    assert answer(Search(), "/", query="q=x") == (200, b"x")
    assert answer(Search(), "/nothing") == NOT_FOUND


def test_6_an_unknown_name_goes_past_data_to_index():
    """A catch-all `index` also answers under the name of a data attribute."""

    class Shop(App):
        limit = 5

        async def index(self, *args):
            return list(args)

    assert http(Shop(), path="/limit").json() == ["limit"]


# 7. Surplus segments.


@pytest.mark.parametrize("path", ["/about_us/x", "/greet/a/b", "/pair/a/b/c", "/index/x", "/about_us//"])
def test_7_surplus_segments_are_500(path):
    """A segment that the handler cannot take is a 500, as the law says of `/hello/Alice`."""
    assert answer(Pages(), path) == FAILED


def test_7_surplus_segments_log_no_traceback(caplog):
    """A client's strange URL leaves no traceback."""
    http(Pages(), path="/about_us/x")
    assert [record for record in caplog.records if record.exc_info] == []


def test_7_surplus_path_status_changes_the_status():
    """`surplus_path_status=404` makes it a 404."""
    assert answer(Pages(surplus_path_status=404), "/about_us/x") == NOT_FOUND


def test_7_keyword_only_parameters_take_no_segment():
    """A keyword-only parameter is not filled from the path."""

    class Search(App):
        async def search(self, *, q="none"):
            return q

    assert answer(Search(), "/search/x") == FAILED


# 9. Explicit routing by a middleware.


class Choosing(HttpMiddleware):
    """Sets the route that its attributes name."""

    def __init__(self, handler=None, params=None, path=None):
        self.handler = handler
        self.params = params
        self.path = path

    async def before_request(self, request):
        if self.handler is not None:
            request._route_handler = self.handler
        if self.params is not None:
            request.path_params = self.params
        if self.path is not None:
            request.scope["path"] = self.path


def choosing(*args, cls=Pages, **kwargs):
    app = cls()
    app.middlewares.append(Choosing(*args, **kwargs))
    return app


def test_9_route_handler_names_the_method():
    """`request._route_handler` names the method, whatever the path is."""
    assert answer(choosing("about_us"), "/nothing") == (200, b"about us")


def test_9_route_handler_may_be_private():
    """A private method may be named."""
    assert answer(choosing("_hidden"), "/x") == (200, b"hidden")


def test_9_path_params_are_the_middlewares():
    """`request.path_params` are bound in order."""
    assert answer(choosing("pair", ["1", "2"]), "/x") == (200, b"1|2")


def test_9_path_params_left_alone_are_the_paths():
    """Without `path_params` the handler gets the segments behind the first, as in the releases."""
    assert answer(choosing("pair"), "/x/y/z") == (200, b"y|z")


def test_9_path_params_may_be_emptied():
    """An empty list means no segments."""
    assert answer(choosing("greet", []), "/x/y") == (200, b"greet Guest")


def test_9_path_params_of_the_middleware_are_not_changed():
    """The middleware's list is copied, not emptied or appended to."""
    params = ["1", ""]
    choosing_app = choosing("pair", params)
    assert answer(choosing_app, "/x") == (200, b"1|")
    assert params == ["1", ""]


def test_9_route_handler_that_is_none_is_404():
    """A name without a method is 404."""
    assert answer(choosing("nothing"), "/greet") == NOT_FOUND


@pytest.mark.parametrize("name", ["_redirect", "_send_response", "__init__", "__class__", "request", "middlewares", ""])
def test_9_route_handler_never_names_the_frameworks_own(name):
    """What App defines is called by no request, not even by a middleware's mistake."""
    assert answer(choosing(name, ["/x"]), "/x") == NOT_FOUND


def test_9_route_handler_that_names_data_is_404():
    """Naming data is 404 too, and evaluates nothing."""
    assert answer(choosing("prop", cls=Kinds), "/x") == NOT_FOUND
    assert answer(choosing("limit", cls=Kinds), "/x") == NOT_FOUND


def test_9_scope_path_changed_before_routing_counts():
    """A middleware may rewrite the path."""
    assert answer(choosing(path="/greet/Bo"), "/elsewhere") == (200, b"greet Bo")


def test_9_rewritten_scope_path_counts_over_an_encoded_raw_path():
    """The raw path of before is not used."""
    assert answer(choosing(path="/greet/Bo"), "/else%2Fwhere") == (200, b"greet Bo")


def test_9_path_rewritten_to_a_private_name_stays_private():
    """Rewriting the path opens nothing."""
    assert answer(choosing(path="/_hidden"), "/greet") == NOT_FOUND


def test_9_ws_route_handler_is_the_full_method_name():
    """`request._ws_route_handler` names the WebSocket method."""

    class Routing(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._ws_route_handler = "ws_room"
            request.path_params = ["7"]

    class Rooms(App):
        async def ws_room(self, ws, number):
            await ws.accept()
            await ws.send_text(number)

    app = Rooms()
    app.ws_middlewares.append(Routing())
    assert websocket(app, "/some/where").sent == ["7"]


class Feeds(App):
    """Methods of any name that take a socket first."""

    async def ws_old(self, ws, number="?"):
        await self._feed(ws, number)

    async def _feed(self, ws, number, *, unit="pies"):
        await ws.accept()
        await ws.send_text(f"{number} {unit}")

    async def feed(self, connection: WebSocket, number: int):
        await self._feed(connection, number + 1)

    @methods("POST")
    async def posted(self, ws, number):
        await self._feed(ws, number)

    @staticmethod
    async def static(ws, *numbers):
        await ws.accept()
        await ws.send_text("static " + ",".join(numbers))


def choosing_websocket(name, params):
    class Routing(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._ws_route_handler = name
            request.path_params = params

    app = Feeds()
    app.ws_middlewares.append(Routing())
    return app


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("_feed", ["7"], "7 pies"),
        ("feed", ["7"], "8 pies"),
        ("posted", ["7"], "7 pies"),
        ("static", ["7", "8"], "static 7,8"),
        ("ws_old", ["7"], "7 pies"),
        ("ws_old", [], "? pies"),
    ],
)
def test_9_ws_route_handler_may_be_any_method(name, params, text):
    """Its first parameter is the socket, whatever its name and the method's; the others are bound as ever."""
    app = choosing_websocket(name, params)
    assert [websocket(app, "/some/where").sent for _ in range(2)] == [[text]] * 2


def test_9_ws_route_handler_binds_by_name_too():
    """What no path parameter fills comes from the query."""
    assert websocket(choosing_websocket("_feed", []), "/", query="number=7&unit=tarts").sent == ["7 tarts"]
    assert websocket(choosing_websocket("_feed", [])).close == (1008, "Missing required parameter 'number'")


def test_9_ws_route_handler_may_be_bound_at_run_time():
    """A method set on the instance is found, and its replacement too."""
    app = choosing_websocket("shout", [])

    async def shout(self, ws):
        await ws.accept()
        await ws.send_text("hey")

    async def whisper(self, ws):
        await ws.accept()
        await ws.send_text("psst")

    for method, text in ((shout, "hey"), (whisper, "psst")):
        app.shout = method.__get__(app)
        assert websocket(app).sent == [text]


@pytest.mark.parametrize("name", ["nothing", "old", "accept", "request"])
def test_9_ws_route_handler_that_is_no_method_is_no_route(name):
    """Names of nothing are refused."""
    assert websocket(choosing_websocket(name, [])).close == (1008, "No matching WebSocket route")


def test_9_a_method_that_a_hook_has_chosen_stays_what_it_is_for_http():
    """Serving a socket by it changes nothing for its requests."""
    app = choosing_websocket("feed", ["1"])
    assert websocket(app).sent == ["2 pies"]
    assert http(app, path="/feed").status_code == 400


ID = UUID("12345678-1234-5678-1234-567812345678")
DAY = date(2026, 11, 28)


class Colour(Enum):
    RED = "red"


class Typed(App):
    async def number(self, n: int):
        return repr(n)

    async def floating(self, n: float):
        return repr(n)

    async def identity(self, key: UUID):
        return repr(key)

    async def two(self, day: date, colour: Colour | None = None):
        return repr((day, colour))

    async def bounded(self, n: Annotated[int, "of a page"]):
        return repr(n)

    async def many(self, *days: date):
        return repr(days)

    async def perhaps(self, n: Annotated[int, "of a page"] | None):
        return repr(n)

    async def text(self, name: str):
        return repr(name)

    async def untyped(self, name):
        return repr(name)

    async def ws_number(self, ws, n: int):
        await ws.accept()
        await ws.send_text(repr(n))


@pytest.mark.parametrize(
    ("handler", "params", "value"),
    [
        ("number", [5], 5),
        ("number", ["5"], 5),
        ("floating", [1.5], 1.5),
        ("floating", [2], 2.0),
        ("identity", [ID], ID),
        ("identity", [str(ID)], ID),
        ("two", [DAY, Colour.RED], (DAY, Colour.RED)),
        ("two", (DAY, None), (DAY, None)),
        ("two", [DAY, "red"], (DAY, Colour.RED)),
        ("bounded", [7], 7),
        ("many", [DAY, "2026-11-28"], (DAY, DAY)),
        ("perhaps", [7], 7),
        ("perhaps", [None], None),
        ("untyped", [ID], ID),
    ],
)
def test_9_path_params_of_any_type_are_taken_as_they_are(handler, params, value):
    """What is no text is the value itself; text is converted as ever."""
    assert answer(choosing(handler, params, cls=Typed), "/x") == (200, repr(value).encode())


@pytest.mark.parametrize(
    ("handler", "params"),
    [("number", [1.5]), ("identity", [5]), ("two", ["no day"]), ("text", [5]), ("number", [None])],
)
def test_9_path_params_of_another_type_are_refused(handler, params):
    """With a 400, as texts that do not fit."""
    assert answer(choosing(handler, params, cls=Typed), "/x")[0] == 400


def test_9_path_params_of_any_type_reach_a_websocket_handler():
    """As for HTTP."""

    class Routing(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._ws_route_handler = "ws_number"
            request.path_params = [5]

    app = Typed()
    app.ws_middlewares.append(Routing())
    assert websocket(app, "/some/where").sent == ["5"]


def test_9_a_plain_function_may_be_a_hook():
    """A hook need not be `async def`."""

    class Plain(HttpMiddleware):
        def before_request(self, request):
            request._route_handler = "about_us"

    app = Pages()
    app.middlewares.append(Plain())
    assert answer(app, "/x") == (200, b"about us")


def test_routes_are_the_same_whatever_the_log_level(caplog):
    """A 404 logs nothing at error level."""
    with caplog.at_level(logging.ERROR, logger="micropie"):
        http(Pages(), path="/nothing")
    assert caplog.records == []
