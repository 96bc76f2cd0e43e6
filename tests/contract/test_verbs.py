"""Verbs: BEHAVIOUR.md, point 11."""

import asyncio
import functools
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from micropie import App, Controller, HttpMiddleware, Resource, limits, methods, url_for
from tests.client import http
from tests.wire import websocket, wire

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
NOT_ALLOWED = "405 Method Not Allowed"


def site_of(**members):
    """Make an application with these members."""
    return type("SiteOf", (App,), members)()


class Notes(Resource):
    async def get(self, id=None):
        return f"get {id}"

    def post(self, text):
        return 201, f"post {text}"

    async def put(self, id, text="-"):
        return f"put {id} {text}"

    async def delete(self, id):
        return None

    async def search(self, q=""):
        return f"{self.request.method} search {q}"

    async def _hidden(self):
        return "hidden"


class Files(Resource):
    async def index(self):
        return "all files"

    async def get(self, *path):
        return list(path)

    async def head(self, *path):
        return 200, "", [("X-Head", "own"), ("Content-Length", "7")]

    async def options(self, *path):
        return 200, "own options", [("Allow", "anything")]

    async def patch(self, name):
        return f"patch {name}"


class Site(App):
    notes = Notes()
    files = Files()

    async def index(self):
        return self.request.method

    async def anything(self):
        return self.request.method

    @methods("POST", "put")
    async def save(self, text="-"):
        return f"{self.request.method} {text}"

    @methods("GET")
    async def page(self, *path):
        return list(path)

    async def get(self):
        return "an ordinary route"

    @methods("POST")
    def sync(self):
        return "sync"

    @methods("GET")
    def numbers(self):
        yield "1"

    @methods("POST")
    @staticmethod
    async def static():
        return "static"

    @methods("POST")
    @classmethod
    async def named(cls):
        return cls.__name__

    @methods("GET")
    async def ws_chat(self, ws):
        await ws.accept()


def answer(method, path, app=None, **keywords):
    """Status and text of the reply."""
    reply = wire(app or Site(), method, path, **keywords)
    return reply.status_code, reply.text


# Plain handlers.


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("path", ["/", "/anything"])
def test_11_a_plain_handler_accepts_every_verb(verb, path):
    """OPTIONS and unknown ones too."""
    assert answer(verb, path) == (200, verb)


def test_11_elsewhere_verbs_are_ordinary_names():
    """On an `App`, and on a controller that is no `Resource`, `get` is a route like any other."""

    class Part(Controller):
        async def post(self):
            return "part"

    assert answer("PUT", "/get") == (200, "an ordinary route")
    assert answer("GET", "/part/post", site_of(part=Part())) == (200, "part")
    assert answer("POST", "/part", site_of(part=Part())) == (404, "404 Not Found")


# @methods


@pytest.mark.parametrize(("verb", "text"), [("POST", "POST -"), ("PUT", "PUT -")])
def test_11_declared_verbs_are_answered(verb, text):
    """In whatever case they were declared."""
    assert answer(verb, "/save") == (200, text)


@pytest.mark.parametrize("verb", ["GET", "HEAD", "DELETE", "post", "PROPFIND"])
def test_11_other_verbs_are_a_405_with_allow(verb):
    """`Allow` lists what is answered (RFC 9110 §15.5.6)."""
    scope = {"method": verb}  # as it came: names of methods are case-sensitive
    reply = wire(Site(), verb, "/save", scope=scope)
    assert (reply.status_code, reply.headers["allow"]) == (405, "OPTIONS, POST, PUT")
    assert reply.text == ("" if verb == "HEAD" else NOT_ALLOWED)


def test_11_a_405_passes_the_after_hooks():
    """As every reply does."""

    class Pages(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            return {"body": f"page of {status_code}"}

    app = Site()
    app.middlewares.append(Pages())
    reply = http(app, "GET", "/save")
    assert (reply.status_code, reply.text, reply.headers["allow"]) == (405, "page of 405", "OPTIONS, POST, PUT")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/save", "OPTIONS, POST, PUT"),
        ("/page/a", "GET, HEAD, OPTIONS"),
        ("/notes", "GET, HEAD, OPTIONS, POST"),
        ("/notes/7", "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
    ],
)
def test_11_options_is_answered(path, allow):
    """204 without a body, and `Allow` (RFC 9110 §9.3.7)."""
    reply = http(Site(), "OPTIONS", path)
    assert (reply.status_code, reply.content, reply.headers["allow"]) == (204, b"", allow)


def test_11_head_goes_through_get():
    """The handler runs, the body stays away, the length is GET's."""
    reply = http(Site(), "HEAD", "/page/a")
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "5")


def test_11_binding_is_as_ever():
    """Segments, forms, a trailing slash."""
    assert answer("POST", "/save/hi") == (200, "POST hi")
    assert answer("POST", "/save/", form={"text": "hi"}) == (200, "POST hi")
    assert answer("GET", "/page/a/") == (200, '["a",""]')


def test_11_the_verb_is_looked_at_before_the_arguments():
    """A wrong verb with missing or surplus arguments is a 405."""
    assert answer("GET", "/save/a/b/c") == (405, NOT_ALLOWED)


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("POST", "/sync", (200, "sync")),
        ("GET", "/sync", (405, NOT_ALLOWED)),
        ("GET", "/numbers", (200, "1")),
        ("POST", "/static", (200, "static")),
        ("GET", "/static", (405, NOT_ALLOWED)),
        ("POST", "/named", (200, "Site")),
        ("GET", "/named", (405, NOT_ALLOWED)),
    ],
)
def test_11_every_kind_of_method(verb, path, expected):
    """Sync ones, generators, static and class methods."""
    assert answer(verb, path) == expected


def test_11_a_decorator_above_keeps_the_verbs():
    """What `functools.wraps` copies, `@methods` among it, counts."""

    def loud(handler):
        @functools.wraps(handler)
        async def louder(self):
            return (await handler(self)).upper()

        return louder

    @loud
    @methods("POST")
    async def shout(self):
        return "hey"

    assert answer("POST", "/shout", site_of(shout=shout)) == (200, "HEY")
    assert answer("GET", "/shout", site_of(shout=shout)) == (405, NOT_ALLOWED)


def test_11_index_may_declare_verbs():
    """The root path, and a catch-all."""

    @methods("GET")
    async def index(self, *path):
        return list(path)

    app = site_of(index=index)
    assert answer("GET", "/", app) == (200, "[]")
    assert answer("GET", "/a/b/", app) == (200, '["a","b",""]')
    assert answer("POST", "/", app) == answer("POST", "/a", app) == (405, NOT_ALLOWED)


def test_11_an_index_without_segments_is_no_catch_all():
    """With or without verbs."""

    @methods("GET")
    async def index(self):
        return "index"

    assert answer("GET", "/a", site_of(index=index)) == (404, "404 Not Found")


def test_11_a_middleware_that_chooses_the_handler_is_held_to_the_verbs():
    """`_route_handler` names the method; its verbs stay."""

    class Choosing(HttpMiddleware):
        async def before_request(self, request):
            request._route_handler = "save"

    app = Site()
    app.middlewares.append(Choosing())
    assert answer("POST", "/x", app) == (200, "POST -")
    assert answer("GET", "/x", app) == (405, NOT_ALLOWED)


async def echo_verb(self):
    return self.request.method


@pytest.mark.parametrize("times", [1, 2])
def test_11_a_method_replaced_at_run_time_keeps_its_verbs(times):
    """By itself, by a function that declares none, or again: a GET does not run what only a POST may."""
    for make in (lambda app: app.save, echo_verb.__get__):
        app = Site()
        for _ in range(times):
            app.save = make(app)  # type: ignore[method-assign]
        assert answer("GET", "/save", app)[0] == 405
        assert answer("POST", "/save", app)[0] == 200


def test_11_a_replacement_may_declare_its_own_verbs():
    """Then these count."""

    @methods("DELETE")
    async def remove(self):
        return "removed"

    app = Site()
    app.save = remove.__get__(app)  # type: ignore[method-assign]
    assert [answer(verb, "/save", app)[0] for verb in ("DELETE", "POST", "GET")] == [200, 405, 405]


def test_11_a_method_bound_at_run_time_may_declare_verbs():
    """Where the class has none of that name too, for the URL of it as well."""

    @methods("POST")
    async def late(self, text):
        return text

    app = Site()
    setattr(app, "late", late.__get__(app))  # noqa: B010 - as a user writes it, but for the type checker
    assert [answer(verb, "/late", app)[0] for verb in ("GET", "POST")] == [405, 400]
    assert url_for(vars(app)["late"]) == "/late"
    assert url_for(app.save) == "/save"


def test_11_limits_stay_when_a_method_is_replaced():
    """As the verbs do."""

    class Small(App):
        @limits(max_body_size=3)
        @methods("POST")
        async def take(self):
            return "taken"

        async def _other(self):
            return "other"

        @limits(max_body_size=4)
        async def _larger(self):
            return "larger"

    for method, status in ((Small._other, 413), (Small._larger, 200)):
        app = Small()
        app.take = method.__get__(app)  # type: ignore[method-assign]
        sent = wire(app, "POST", "/take", body=b"1234", headers=[("content-type", "text/plain")])
        assert sent.status_code == status


@pytest.mark.parametrize("mark", [methods("POST"), limits(max_body_size=3)])
@pytest.mark.parametrize("wrap", [staticmethod, classmethod, functools.partialmethod, functools.singledispatchmethod])
@pytest.mark.parametrize("above", [True, False])
def test_11_a_mark_counts_above_and_below_what_wraps_a_handler(mark, wrap, above):
    """Whatever stands between the mark and the function."""

    async def take(*_):
        return "taken"

    class Site(App):
        handler = mark(wrap(take)) if above else wrap(mark(take))

    verb, status = ("GET", 405) if mark.__qualname__.startswith("methods") else ("POST", 413)
    reply = wire(Site(), verb, "/handler/x", body=b"1234", headers=[("content-type", "text/plain")])
    assert reply.status_code == status


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (App, "marks a handler, App is a class: mark its methods"),
        (property(lambda self: 1), "marks a handler, <property object at .* is none"),
        (5, "marks a handler, 5 is none"),
        (functools.partial(print), "marks a handler, functools.partial.* is none"),
    ],
)
@pytest.mark.parametrize("name", ["methods", "limits"])
def test_11_a_mark_on_what_is_no_handler_is_refused(name, thing, says):
    """It would have no effect."""
    mark = methods("POST") if name == "methods" else limits(max_body_size=3)
    with pytest.raises(TypeError, match=f"@{name} {says}"):
        mark(thing)


def test_11_a_mark_without_effect_is_told(caplog):
    """On a WebSocket handler and on a guard."""

    class Part(Controller):
        @limits(max_body_size=1)
        @methods("POST")
        async def _before(self): ...

        @methods("GET")
        async def ws_chat(self, ws): ...

    class Site(App):
        part = Part()

    Site()
    use = "which {} has no use for: leave it out"
    assert [record.getMessage() for record in caplog.records] == [
        f"Part.ws_chat is marked @methods, {use.format('a WebSocket')}",
        f"Part._before is marked @methods, {use.format('a guard')}",
        f"Part._before is marked @limits, {use.format('a guard')}",
    ]


def test_11_websockets_have_no_verbs():
    """On a `ws_` handler the declaration means nothing."""
    assert websocket(Site(), "/chat").accepted


@pytest.mark.parametrize("verbs", [(), ("",), ("GE T",), (1,), (len,)])
def test_11_methods_takes_names(verbs):
    """Anything else is refused where it is written; so is a decorator without its parentheses."""
    with pytest.raises(TypeError, match="takes the names of HTTP methods"):
        methods(*verbs)


# Resources.


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("GET", "/notes", (200, "get None")),
        ("GET", "/notes/", (200, "get None")),
        ("GET", "/notes/7", (200, "get 7")),
        ("GET", "/notes/7/", (200, "get 7")),
        ("GET", "/notes/a%2Fb", (200, "get a/b")),
        ("GET", "/notes/_7", (200, "get _7")),
        ("GET", "/notes/_hidden", (200, "get _hidden")),
        ("GET", "/notes/ws_7", (200, "get ws_7")),
        ("GET", "/notes/get", (200, "get get")),
        ("GET", "/notes/index", (200, "get index")),
        ("POST", "/notes/hi", (201, "post hi")),
        ("PUT", "/notes/7", (200, "put 7 -")),
        ("PUT", "/notes/7/x", (200, "put 7 x")),
        ("DELETE", "/notes/7", (204, "")),
        ("GET", "/notes/search", (200, "GET search ")),
        ("DELETE", "/notes/search", (200, "DELETE search ")),
        ("GET", "/notes/search/x", (200, "GET search x")),
        ("GET", "/notes/a/b", (500, "500 Internal Server Error")),
    ],
)
def test_11_the_verb_methods_of_a_resource(verb, path, expected):
    """`get`, `post` … answer on the resource's own path; its other methods are routes, and win over a parameter."""
    assert answer(verb, path) == expected


def test_11_a_resource_binds_forms():
    """The parameters of a verb method come from the body as ever."""
    assert answer("POST", "/notes", form={"text": "hi"}) == (201, "post hi")
    assert answer("PUT", "/notes/7", json={"text": "hi"}) == (200, "put 7 hi")


@pytest.mark.parametrize("verb", ["PATCH", "TRACE"])
@pytest.mark.parametrize(
    ("path", "allow"),
    [("/notes", "GET, HEAD, OPTIONS, POST"), ("/notes/7", "DELETE, GET, HEAD, OPTIONS, POST, PUT")],
)
def test_11_a_verb_that_a_resource_has_not(verb, path, allow):
    """405 with `Allow`."""
    reply = http(Site(), verb, path)
    assert (reply.status_code, reply.headers["allow"]) == (405, allow)


def test_11_head_of_a_resource_goes_through_get():
    """Unless it has a `head` of its own."""
    reply = http(Site(), "HEAD", "/notes/7")
    assert (reply.status_code, reply.content, reply.headers["content-length"]) == (200, b"", "5")
    own = http(Site(), "HEAD", "/files/a")
    assert (own.status_code, own.content, own.headers["x-head"], own.headers["content-length"]) == (
        200,
        b"",
        "own",
        "7",
    )


def test_11_a_resource_may_answer_options_itself():
    """Its `options` is called."""
    reply = http(Site(), "OPTIONS", "/files/a")
    assert (reply.status_code, reply.text, reply.headers["allow"]) == (200, "own options", "anything")


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("GET", "/files", (200, "all files")),
        ("GET", "/files/", (200, "all files")),
        ("GET", "/files/index", (200, "all files")),
        ("GET", "/files/a/b", (200, '["a","b"]')),
        ("GET", "/files/a/", (200, '["a",""]')),
        ("PATCH", "/files/x", (200, "patch x")),
        ("PATCH", "/files/x/", (200, "patch x")),
        ("POST", "/files", (405, NOT_ALLOWED)),
    ],
)
def test_11_a_resource_with_an_index(verb, path, expected):
    """`index` answers GET on the resource's own path, the verb methods all else."""
    assert answer(verb, path) == expected


def test_11_an_index_with_verbs_of_its_own():
    """It answers those."""

    class Things(Resource):
        @methods("GET", "POST")
        async def index(self):
            return "index"

        async def post(self, text="-"):
            return f"post {text}"

    app = site_of(things=Things())
    assert answer("GET", "/things", app) == answer("POST", "/things", app) == (200, "index")
    assert answer("POST", "/things/x", app) == (200, "post x")
    assert answer("GET", "/things/x", app) == (405, NOT_ALLOWED)


def test_11_an_index_that_takes_segments():
    """Where a resource has no `get`, it answers GET below too."""

    class Things(Resource):
        async def index(self, *path):
            return list(path)

        async def delete(self, id):
            return f"delete {id}"

    app = site_of(things=Things())
    assert answer("GET", "/things/a/b", app) == (200, '["a","b"]')
    assert answer("DELETE", "/things/a", app) == (200, "delete a")


def test_11_a_resource_without_verb_methods():
    """It is a controller like any other."""

    class Things(Resource):
        async def index(self):
            return self.request.method

    assert answer("DELETE", "/things", site_of(things=Things())) == (200, "DELETE")


def test_11_a_verb_method_may_declare_more_verbs():
    """`@methods` on it names what it answers."""

    class Things(Resource):
        @methods("PUT", "PATCH")
        async def put(self, id):
            return f"{self.request.method} {id}"

    app = site_of(things=Things())
    assert answer("PATCH", "/things/7", app) == (200, "PATCH 7")
    assert answer("PUT", "/things/7", app) == (200, "PUT 7")


def test_11_verb_methods_are_inherited():
    """A resource inherits the verbs of its bases."""

    class More(Notes):
        async def get(self, id=None):
            return f"more {id}"

    app = site_of(more=More())
    assert answer("GET", "/more/7", app) == (200, "more 7")
    assert answer("PUT", "/more/7", app) == (200, "put 7 -")


def test_11_resources_nest():
    """A resource may have branches; they win over a parameter too."""

    class Outer(Resource):
        notes = Notes()

        async def get(self, id):
            return f"outer {id}"

    app = site_of(outer=Outer())
    assert answer("GET", "/outer/notes/7", app) == (200, "get 7")
    assert answer("GET", "/outer/7", app) == (200, "outer 7")


def test_11_bodies_of_a_resource_are_parsed_as_ever():
    """Those of GET are left alone, those of DELETE are parsed."""

    class Things(Resource):
        async def get(self):
            return self.request.body_params

        async def delete(self):
            return self.request.body_params

    app = site_of(things=Things())
    headers = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "3")]
    assert answer("GET", "/things", app, body=b"a=1", headers=headers) == (200, "{}")
    assert answer("DELETE", "/things", app, body=b"a=1", headers=headers) == (200, '{"a":["1"]}')


# What is probably not meant.


def warnings_of(caplog, make):
    """Make an application, and give what it warned of."""
    caplog.clear()
    make()
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_11_two_methods_for_one_verb(caplog):
    """The first one answers, and the other is said to answer never."""

    class Things(Resource):
        @methods("PUT", "PATCH")
        async def put(self):
            return "put"

        async def patch(self):
            return "patch"

    assert warnings_of(caplog, lambda: site_of(things=Things())) == [
        "Things.patch never answers PATCH, since Things.put does: let one of them declare it"
    ]
    assert answer("PATCH", "/things", site_of(things=Things())) == (200, "put")


def test_11_a_get_that_index_hides(caplog):
    """A `get` without parameters beside an `index` is never called."""

    class Things(Resource):
        async def index(self):
            return "index"

        async def get(self):
            return "get"

    assert warnings_of(caplog, lambda: site_of(things=Things())) == [
        "Things.get never answers, since Things.index does: remove one of them, or let get take an id"
    ]


@dataclass
class Note:
    text: str


@pytest.mark.parametrize("verbs", [("GET",), ("GET", "HEAD"), ("DELETE",)])
def test_11_a_body_that_never_comes(caplog, verbs):
    """A handler of verbs without a body that wants one is warned of."""

    @methods(*verbs)
    async def save(self, note: Note):
        return note.text

    assert warnings_of(caplog, lambda: site_of(save=save)) == [
        (
            f"SiteOf.save takes 'note' from the body, but answers {', '.join(verbs)} only: "
            'declare @methods("POST"), or take its values one by one'
        )
    ]


def test_11_bodies_that_may_come(caplog):
    """No warning where one of the verbs has a body, or none is declared."""

    @methods("GET", "POST")
    async def either(self, note: Note):
        return note.text

    async def any_verb(self, note: Note):
        return note.text

    assert warnings_of(caplog, lambda: site_of(either=either, any_verb=any_verb)) == []


# -- a handler that answers only verbs with bodies looks there first ----------------------------------------------


class Joining(Resource):
    """The form's page is this one, whatever query stands behind its address."""

    async def get(self):
        return "the form"

    async def post(self, name, password="none"):
        return f"{name} {password}"

    async def put(self, name: str, *, password: str = "none"):
        return f"{name} {password}"

    async def patch(self, **fields):
        return fields


class Both(App):
    joining = Joining()

    async def any_verb(self, password):
        return password

    @methods("GET", "POST")
    async def page_too(self, password):
        return password

    @methods("POST")
    async def typed(self, name: str, password: str = "none"):
        return f"{name} {password}"

    @methods("POST")
    async def typed_rest(self, **fields: str):
        return fields

    @methods("POST")
    async def listed(self, tags: list[str]):
        return tags


LINK = "password=attackers&name=Eve"


@pytest.mark.parametrize("kind", ["data", "json", pytest.param("files", marks=pytest.mark.needs("multipart"))])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_11_no_link_replaces_what_is_typed_into_a_form(method, kind):
    """A form without an action goes to the address of its page, query included."""
    sent: dict[str, Any] = {kind: {"name": "Ann", "password": "mine"}}
    if kind == "files":
        sent = {"files": {"beside": b"x"}, "data": {"name": "Ann", "password": "mine"}}
    assert http(Both(), method, f"/joining?{LINK}", **sent).text == "Ann mine"


@pytest.mark.parametrize("path", ["/joining", "/typed"])
@pytest.mark.needs("multipart")
def test_11_a_field_that_is_still_to_come_is_waited_for(path):
    """Also if the query has something of that name."""

    async def slowly():
        yield b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn\r\n'
        yield b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n'  # only now the first one is over
        await asyncio.sleep(0.01)
        yield b"mine\r\n--b--\r\n"

    headers = [("content-type", "multipart/form-data; boundary=b")]
    reply = wire(Both(), "POST", path, query="password=attackers", body=slowly(), headers=headers)
    assert reply.text == "Ann mine"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_11_what_the_body_lacks_comes_from_the_query(method):
    """As for any handler."""
    assert http(Both(), method, f"/joining?{LINK}", data={"name": "Ann"}).text == "Ann attackers"


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/joining"), ("POST", "/typed_rest")])
def test_11_so_do_other_keywords(method, path):
    """The body's value of a name that both have."""
    reply = http(Both(), method, f"{path}?{LINK}", data={"password": "mine"})
    assert reply.json() == {"name": "Eve", "password": "mine"}


def test_11_a_list_is_that_of_the_body():
    """Not some of each."""
    assert http(Both(), "POST", "/listed?tags=a&tags=b", data={"tags": ["c"]}).json() == ["c"]


@pytest.mark.parametrize("path", ["/any_verb", "/page_too"])
def test_11_others_look_into_the_query_first(path):
    """As releases do, which know no verbs."""
    assert http(Both(), "POST", f"{path}?{LINK}", data={"password": "mine"}).text == "attackers"
