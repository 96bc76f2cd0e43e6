"""Binding and the request object: BEHAVIOUR.md, points 12 to 15 and 39, and `Request` of the README."""

from urllib.parse import parse_qs

import pytest

from micropie import App, HttpMiddleware, Request, Session, WebSocketRequest, current_request
from tests.client import http
from tests.wire import lifespan, websocket, wire


class Binder(App):
    async def one(self, name):
        return {"name": name}

    async def guest(self, name="Guest"):
        return {"name": name}

    async def two(self, first, second="2nd"):
        return [first, second]

    async def rest(self, first, *args):
        return [first, *args]

    async def rest_default(self, first="1st", *args):
        return [first, *args]

    async def keyword(self, first="1st", *, name):
        return [first, name]

    async def keyword_default(self, *, name="none"):
        return name

    async def anything(self, first="1st", /, name="x", **kwargs):
        return [first, name, kwargs]

    async def nothing(self):
        return "nothing"

    def sync(self, name, other="o"):
        return [name, other]

    async def tenth(self, a, b, c, d=4, e=5):
        return [a, b, c, d, e]


def bound(path, **keywords):
    """What the handler got, as it sent it back."""
    return wire(Binder(), keywords.pop("method", "GET"), path, **keywords).json()


def logged_in(app, **data):
    """The cookie of a session with these data."""
    app._session_data = data
    return http(app, path="/set_up").cookies


class SessionBinder(App):
    _session_data: dict[str, object]

    async def set_up(self):
        self.request.session.update(self._session_data)
        return "ok"

    async def one(self, name):
        return {"name": name}

    async def guest(self, name="Guest"):
        return {"name": name}


# 12. In signature order: path, query, body, files, session, default, else 400.


def test_12_path_segments_fill_parameters_in_order():
    """Each parameter takes the next segment."""
    assert bound("/two/a/b") == ["a", "b"]


def test_12_path_wins_over_query():
    """A path segment fills a parameter even if the query names it too."""
    assert bound("/two/a", query="first=q&second=s") == ["a", "s"]


def test_12_query_fills_by_name():
    """What the path leaves is looked up in the query."""
    assert bound("/two", query="second=s&first=f") == ["f", "s"]


def test_12_query_wins_over_form():
    """The query comes before the body."""
    assert bound("/one", method="POST", query="name=query", form={"name": "form"}) == {"name": "query"}


def test_12_form_fills_by_name():
    """A form field fills the parameter of its name."""
    assert bound("/one", method="POST", form={"name": "form"}) == {"name": "form"}


def test_12_json_fills_by_name():
    """So does a member of a JSON object."""
    assert bound("/one", method="POST", json={"name": "json"}) == {"name": "json"}


def test_12_body_wins_over_session():
    """The body comes before the session."""
    app = SessionBinder()
    cookies = logged_in(app, name="session")
    assert http(app, "POST", "/one", data={"name": "form"}, cookies=cookies).json() == {"name": "form"}


def test_12_session_fills_by_name():
    """A session value fills the parameter of its name."""
    app = SessionBinder()
    assert http(app, path="/one", cookies=logged_in(app, name="session")).json() == {"name": "session"}


def test_12_session_wins_over_default():
    """The session comes before the default."""
    app = SessionBinder()
    assert http(app, path="/guest", cookies=logged_in(app, name="session")).json() == {"name": "session"}


def test_12_default_comes_last():
    """The default is used when nothing else fills the parameter."""
    assert bound("/guest") == {"name": "Guest"}


def test_12_missing_parameter_is_400():
    """A parameter without a value or a default is a bad request that names it."""
    answer = http(Binder(), path="/one")
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing required parameter 'name'")


def test_12_the_first_missing_parameter_is_named():
    """Signature order decides which one is named."""
    answer = http(Binder(), path="/tenth/1", query="c=3")
    assert answer.text == "400 Bad Request: Missing required parameter 'b'"


def test_12_sources_mix():
    """Path, query, body and default fill one signature together."""
    assert bound("/tenth/a", method="POST", query="b=q", form={"c": "f", "e": "g"}) == ["a", "q", "f", 4, "g"]


def test_12_a_sync_handler_is_bound_the_same():
    """Sync handlers bind like async ones."""
    assert bound("/sync/a", query="other=b") == ["a", "b"]


def test_12_args_take_the_remaining_segments():
    """`*args` take what is left."""
    assert bound("/rest/a/b/c") == ["a", "b", "c"]


def test_12_args_may_be_empty():
    """`*args` may stay empty."""
    assert bound("/rest/a") == ["a"]


def test_12_a_parameter_before_args_is_looked_up_by_name():
    """Without a segment the parameter before `*args` comes from the query."""
    assert bound("/rest_default", query="first=q") == ["q"]


def test_12_args_are_no_source_of_names():
    """A query field named `args` fills nothing."""
    assert bound("/rest_default", query="args=q") == ["1st"]


def test_12_keyword_only_from_the_query():
    """A keyword-only parameter is looked up by name."""
    assert bound("/keyword/a", query="name=n") == ["a", "n"]


def test_12_keyword_only_from_the_body():
    """In the body too."""
    assert bound("/keyword", method="POST", form={"name": "n"}) == ["1st", "n"]


def test_12_keyword_only_default():
    """Its default is used as ever."""
    assert http(Binder(), path="/keyword_default").text == "none"


def test_12_keyword_only_missing_is_400():
    """Without a default it is required."""
    assert http(Binder(), path="/keyword/a").text == "400 Bad Request: Missing required parameter 'name'"


def test_12_kwargs_take_the_unused_query():
    """`**kwargs` are the query's other fields."""
    assert bound("/anything", query="name=n&a=1&b=2&a=3") == ["1st", "n", {"a": "1", "b": "2"}]


def test_12_kwargs_take_the_unused_body():
    """And the body's."""
    assert bound("/anything", method="POST", form={"name": "n", "a": "1"}) == ["1st", "n", {"a": "1"}]


def test_12_kwargs_prefer_the_query():
    """A field of both comes from the query."""
    assert bound("/anything", method="POST", query="a=q", form={"a": "f", "b": "f"})[2] == {"a": "q", "b": "f"}


def test_12_kwargs_keep_json_values():
    """JSON values stay what they are."""
    assert bound("/anything", method="POST", json={"a": 1, "b": [None]})[2] == {"a": 1, "b": [None]}


def test_12_kwargs_are_empty_without_fields():
    """No fields, no keywords."""
    assert bound("/anything/a/b") == ["a", "b", {}]


def test_12_unknown_query_fields_are_ignored():
    """A handler without `**kwargs` does not see fields that it does not name."""
    assert http(Binder(), path="/nothing", query="x=1").text == "nothing"


def test_12_self_is_not_a_parameter():
    """A query field named `self` changes nothing."""
    assert bound("/guest", query="self=x") == {"name": "Guest"}


def test_12_mutable_defaults_are_the_users():
    """A default is handed over as it is."""
    marker = object()

    class Same(App):
        async def index(self, value=marker):
            return value is marker

    assert http(Same()).json() is True


# The law's own examples.


class Law(App):
    """From the README."""

    async def greet(self, name="Guest"):
        return f"Hello, {name}!"

    async def hello(self):
        name = self.request.query_params.get("name", [None])[0]
        return f"Hello {name}!"

    async def submit_default_values(self, username="Anonymous"):
        return f"Form submitted by: {username}"

    async def submit_catch_all(self):
        username = self.request.body_params.get("username", ["Anonymous"])[0]
        return f"Submitted by: {username}"


@pytest.mark.parametrize(
    ("path", "query", "status", "text"),
    [
        ("/greet", "name=Alice", 200, "Hello, Alice!"),
        ("/greet/Alice", "", 200, "Hello, Alice!"),
        ("/greet", "", 200, "Hello, Guest!"),
        ("/hello", "name=Alice", 200, "Hello Alice!"),
        ("/hello/Alice", "", 500, "500 Internal Server Error"),
    ],
)
def test_law_get_requests(path, query, status, text):
    """The section "Flexible HTTP Routing for GET Requests" holds to the letter."""
    answer = http(Law(), path=path, query=query)
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize(
    ("path", "form", "text"),
    [
        ("/submit_default_values", {"username": "bob"}, "Form submitted by: bob"),
        ("/submit_default_values", {}, "Form submitted by: Anonymous"),
        ("/submit_catch_all", {"username": "bob"}, "Submitted by: bob"),
        ("/submit_catch_all", {}, "Submitted by: Anonymous"),
    ],
)
def test_law_post_requests(path, form, text):
    """The section "Flexible HTTP POST Request Handling" holds to the letter, for form and JSON."""
    assert http(Law(), "POST", path, data=form).text == text
    assert http(Law(), "POST", path, json=form).text == text


# 13, without annotations.


def test_13_first_value_of_the_query():
    """Of several values the first one is bound, as str."""
    assert bound("/one", query="name=1&name=2") == {"name": "1"}


def test_13_first_value_of_the_form():
    """The same for a form."""
    assert bound("/one", method="POST", form=[("name", "1"), ("name", "2")]) == {"name": "1"}


@pytest.mark.parametrize("value", [1, 1.5, True, False, None, "text", ["a", 1], {"deep": {"er": []}}, "", 0])
def test_13_json_values_are_bound_as_they_are(value):
    """From JSON comes the JSON value itself."""
    assert bound("/one", method="POST", json={"name": value}) == {"name": value}


def test_13_session_objects_are_bound_as_they_are():
    """From the session comes the object."""
    app = SessionBinder()
    assert http(app, path="/one", cookies=logged_in(app, name={"a": [1]})).json() == {"name": {"a": [1]}}


def test_13_falsy_json_wins_over_the_default():
    """A JSON null is a value, not an absence."""
    assert bound("/guest", method="POST", json={"name": None}) == {"name": None}


def test_13_path_parameters_are_str():
    """A segment of digits stays text."""
    assert bound("/one/007") == {"name": "007"}


# 14. parse_qs.

QUERIES = [
    "a=1",
    "a=1&b=2&a=3",
    "a=",
    "a",
    "",
    "&",
    "&&a=1&&",
    "=1",
    "a=1;b=2",
    "a=b=c",
    "a+b=c+d",
    "a%20b=c%26d",
    "a=%C3%A9",
    "a=%FF",
    "a=%",
    "a=%zz",
    "a=%2",
    "%3D=%3D",
    "a=1&a=&a=2",
    "a=+",
    "a=%00",
    "a[]=1&a[]=2",
    "utf8=✓",
]


class Echo(App):
    async def query(self):
        return self.request.query_params

    async def form(self):
        return self.request.body_params


@pytest.mark.parametrize("query", QUERIES)
def test_14_query_follows_parse_qs(query):
    """The query is what `urllib.parse.parse_qs` makes of it."""
    assert http(Echo(), path="/query", query=query).json() == parse_qs(query)


@pytest.mark.parametrize("body", QUERIES)
def test_14_form_follows_parse_qs(body):
    """So is a form."""
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    assert wire(Echo(), "POST", "/form", body=body.encode(), headers=headers).json() == parse_qs(body)


def test_14_blank_values_count_as_absent():
    """A blank value lets the default stand."""
    assert bound("/guest", query="name=") == {"name": "Guest"}


def test_14_semicolon_does_not_separate():
    """`;` is a character of its value."""
    assert bound("/guest", query="name=a;b=c") == {"name": "a;b=c"}


def fields(count):
    return "&".join(f"f{number}=1" for number in range(count))


def test_14_a_thousand_query_fields_are_taken():
    """1,000 fields are the limit."""
    assert len(http(Echo(), path="/query", query=fields(1000)).json()) == 1000


def test_14_more_than_a_thousand_query_fields_are_400():
    """The 1,001st is a bad request."""
    assert http(Echo(), path="/query", query=fields(1001)).status_code == 400


def test_14_too_many_query_fields_are_400_when_bound():
    """Also when a parameter asks for them."""
    assert http(Binder(), path="/guest", query=fields(1001)).status_code == 400


def test_14_a_thousand_form_fields_are_taken():
    """A form may have 1,000."""
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    assert len(wire(Echo(), "POST", "/form", body=fields(1000).encode(), headers=headers).json()) == 1000


def test_14_more_than_a_thousand_form_fields_are_413():
    """One more is too large."""
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    answer = wire(Echo(), "POST", "/form", body=fields(1001).encode(), headers=headers)
    assert (answer.status_code, answer.text) == (413, "413 Payload Too Large")


def test_14_max_form_parts_sets_the_limit():
    """`max_form_parts` changes it."""
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    app = Echo(max_form_parts=3)
    assert http(app, "POST", "/form", content=b"a=1&b=2&c=3", headers=headers).status_code == 200
    assert http(app, "POST", "/form", content=b"a=1&b=2&c=3&d=4", headers=headers).status_code == 413


# 15. request.query, form, json; query_params, body_params.


class Asking(App):
    async def index(self):
        asked = self.question(self.request)
        return {"answer": asked}

    def __init__(self, question):
        super().__init__()
        self.question = question


def ask(question, method="GET", **keywords):
    """What a question to the request in a handler gives."""
    return wire(Asking(question), method, **keywords).json()["answer"]


def test_15_query_gives_the_first_value():
    """`request.query(name)` is the first value."""
    assert ask(lambda r: r.query("a"), query="a=1&a=2") == "1"


def test_15_query_default_is_none():
    """Without a value it is None."""
    assert ask(lambda r: r.query("a")) is None


def test_15_query_default_may_be_given():
    """Or the default given."""
    assert ask(lambda r: r.query("a", "x")) == "x"
    assert ask(lambda r: r.query("a", default="x"), query="a=") == "x"


def test_15_form_gives_the_first_value():
    """`request.form(name)` is the first value."""
    assert ask(lambda r: r.form("a"), "POST", form=[("a", "1"), ("a", "2")]) == "1"


def test_15_form_defaults():
    """None or the default given otherwise."""
    assert ask(lambda r: [r.form("a"), r.form("a", "x")], "POST", form={"b": "1"}) == [None, "x"]


def test_15_json_gives_the_whole_value():
    """`request.json()` is the body's value."""
    assert ask(lambda r: r.json(), "POST", json=[1, {"a": None}]) == [1, {"a": None}]


def test_15_json_gives_a_member():
    """`request.json(name)` is a member of the object."""
    assert ask(lambda r: r.json("a"), "POST", json={"a": [1]}) == [1]


def test_15_json_member_defaults():
    """None or the default given, where there is no such member."""
    assert ask(lambda r: [r.json("b"), r.json("b", 5)], "POST", json={"a": 1}) == [None, 5]


def test_15_json_member_of_no_object_is_the_default():
    """A list has no members."""
    assert ask(lambda r: r.json("a", "x"), "POST", json=[1]) == "x"


def test_15_json_without_a_body_is_empty():
    """Without JSON it is `{}`."""
    assert ask(lambda r: r.json()) == {}


def test_15_query_params_are_lists():
    """`query_params` is `dict[str, list[str]]`."""
    assert ask(lambda r: r.query_params, query="a=1&a=2&b=3") == {"a": ["1", "2"], "b": ["3"]}


def test_15_body_params_are_lists():
    """So is `body_params`."""
    assert ask(lambda r: r.body_params, "POST", form=[("a", "1"), ("a", "2")]) == {"a": ["1", "2"]}


def test_15_query_params_and_body_params_may_be_empty():
    """Both are empty dicts when there is nothing."""
    assert ask(lambda r: [r.query_params, r.body_params]) == [{}, {}]


def test_15_a_json_object_fills_body_params():
    """Strings as they are, other values as JSON text."""
    data = {"s": "text", "n": 1, "f": 1.5, "t": True, "none": None, "l": [1, "é"], "d": {"a": 1}, "e": ""}
    assert ask(lambda r: r.body_params, "POST", json=data) == {
        "s": ["text"],
        "n": ["1"],
        "f": ["1.5"],
        "t": ["true"],
        "none": ["null"],
        "l": ['[1,"é"]'],
        "d": ['{"a":1}'],
        "e": [""],
    }


def test_15_form_reads_a_json_object_too():
    """`request.form` reads `body_params`."""
    assert ask(lambda r: r.form("n"), "POST", json={"n": 1}) == "1"


@pytest.mark.parametrize("value", [[1], "x", 5, None, True])
def test_15_other_json_leaves_body_params_empty(value):
    """Only an object fills `body_params`."""
    assert ask(lambda r: r.body_params, "POST", json=value) == {}


# README: Request.


def test_request_is_reached_through_the_app():
    """`self.request` is the current `Request`."""
    assert ask(lambda r: [type(r) is Request, current_request.get() is r]) == [True, True]


def test_request_method():
    """`method` is the request's method."""
    assert [ask(lambda r: r.method, method) for method in ("GET", "POST", "DELETE", "PURGE")] == [
        "GET",
        "POST",
        "DELETE",
        "PURGE",
    ]


def test_request_scope_is_the_servers():
    """`scope` is the ASGI scope."""
    assert ask(lambda r: [r.scope["type"], r.scope["path"], r.scope["mark"]], scope={"mark": 5}) == ["http", "/", 5]


@pytest.mark.parametrize(
    "name", ["path_params", "query_params", "body_params", "session", "files", "headers", "get_json"]
)
def test_request_attributes_have_their_documented_types(name):
    """Path parameters are a list, everything else a dict, also when the request has nothing."""
    kind = list if name == "path_params" else dict
    assert ask(lambda r: isinstance(getattr(r, name), kind)) is True


def test_request_session_is_a_session():
    """The session is a `Session`, which is a dict."""
    assert ask(lambda r: [type(r.session) is Session, isinstance(r.session, dict), r.session]) == [True, True, {}]


def test_request_files_are_empty_without_an_upload():
    """No upload, no files."""
    assert ask(lambda r: r.files) == {}


def test_request_carries_what_a_middleware_puts_on_it():
    """A middleware may set attributes of its own for handlers to read."""

    class Marking(HttpMiddleware):
        async def before_request(self, request):
            request.user = "alice"

    app = Asking(lambda r: r.user)
    app.middlewares.append(Marking())
    assert http(app).json() == {"answer": "alice"}


@pytest.mark.parametrize("name", ["query_params", "body_params", "get_json", "files", "headers"])
def test_request_attributes_may_be_assigned(name):
    """A middleware may replace what a request says."""

    class Replacing(HttpMiddleware):
        async def before_request(self, request):
            setattr(request, name, {"name": ["new"]})

    app = Asking(lambda r: getattr(r, name))
    app.middlewares.append(Replacing())
    assert http(app).json() == {"answer": {"name": ["new"]}}


def test_request_can_be_made_of_a_scope():
    """`Request(scope)` works outside of a server."""
    request = Request({"type": "http", "method": "PUT", "headers": [], "query_string": b"a=1"})
    assert (request.method, request.query_params, request.scope["type"]) == ("PUT", {"a": ["1"]}, "http")


def test_websocket_request_is_a_request():
    """`WebSocketRequest` inherits from `Request`."""
    assert issubclass(WebSocketRequest, Request)


def test_no_request_outside_of_one():
    """Outside of a request `app.request` is a LookupError."""
    with pytest.raises(LookupError):
        App().request  # noqa: B018


def test_request_is_reset_afterwards():
    """A request does not stay current for what comes later in the same context."""
    app = App()
    app.startup_handlers.append(lambda: seen.append(current_request.get(None)))
    seen: list[object] = []
    lifespan(app)
    assert seen == [None]


def test_request_of_a_websocket_handler():
    """In a WebSocket handler `self.request` is the `WebSocketRequest`."""

    class Sockets(App):
        async def ws_index(self, ws):
            await ws.accept()
            await ws.send_text(f"{type(self.request).__name__} {self.request.query('a')}")

    assert websocket(Sockets(), query="a=1").sent == ["WebSocketRequest 1"]


# 39. Headers.


def test_39_header_names_are_lower_case():
    """`request.headers` has lower-case names, whatever the server sends."""
    scope = {"headers": [(b"X-Mixed", b"a"), (b"host", b"h")]}
    assert ask(lambda r: r.headers, scope=scope) == {"x-mixed": "a", "host": "h"}


def test_39_header_values_are_latin_1():
    """Values are decoded as latin-1."""
    assert ask(lambda r: r.headers["x"], headers=[(b"x", b"caf\xe9 \xff")]) == "caf\xe9 \xff"


def test_39_repeated_headers_are_joined():
    """Repeated ones are joined by `, `."""
    assert ask(lambda r: r.headers["x"], headers=[("X", "1"), ("Y", "0"), ("x", "2")]) == "1, 2"


def test_39_repeated_cookie_headers_are_joined_by_semicolons():
    """Cookie headers are joined by `; `."""
    assert ask(lambda r: r.headers["cookie"], headers=[("Cookie", "a=1"), ("Cookie", "b=2")]) == "a=1; b=2"


@pytest.mark.parametrize("value", [b"a ", b" a", b"\ta \t "])
def test_39_white_space_around_a_value_is_no_part_of_it(value):
    """Uvicorn with httptools leaves it behind a value (RFC 9110 §5.5)."""
    assert ask(lambda r: r.headers["x"], headers=[(b"x", value)]) == "a"


@pytest.mark.parametrize(("value", "status"), [(b"5 ", 200), (b"50\t", 413), (b"x ", 200)])
def test_39_a_content_length_may_have_white_space_behind_it(value, status):
    """It is a number all the same."""

    class Taking(App):
        async def index(self):
            return self.request.body

    headers = [(b"content-length", value), (b"content-type", b"text/plain")]
    assert wire(Taking(max_body_size=10), "POST", headers=headers, body=b"12345").status_code == status


def test_39_headers_of_a_websocket():
    """The same for a WebSocket's handshake."""

    class Sockets(App):
        async def ws_index(self, ws):
            await ws.accept()
            await ws.send_text(self.request.headers["x"])

    assert websocket(Sockets(), headers=[("X", "1"), ("X", "2")]).sent == ["1, 2"]
