"""`routes(app)`: what an application answers, as data."""

import functools
import inspect
from dataclasses import dataclass
from typing import Annotated, Any, NewType
from uuid import UUID

import pytest

from micropie import (
    App,
    Controller,
    Cookie,
    FromBody,
    FromPath,
    FromQuery,
    FromSession,
    Header,
    InMemorySessionBackend,
    Mount,
    Parameter,
    Request,
    Resource,
    Route,
    UploadedFile,
    configuration,
    methods,
    routes,
)


@dataclass
class Note:
    text: str


UserId = NewType("UserId", UUID)


async def raw(scope, receive, send):
    """An ASGI application."""


def site_of(**members):
    """Make an application with these members."""
    return type("SiteOf", (App,), members)()


class Notes(Resource):
    """A resource."""

    async def get(self, id: int) -> Note:
        """One note."""
        return Note(str(id))

    async def post(self, text): ...

    async def search(self, q="", *, page: int = 1): ...

    async def _hidden(self): ...


class Admin(App):
    async def index(self): ...

    async def user(self, number): ...


class Blog(Controller):
    notes = Notes()
    _private = Notes()

    async def index(self): ...

    async def about_us(self): ...

    async def ws_chat(self, ws, room, since=0): ...


class Site(App):
    async def index(self, *path): ...

    blog = Blog()
    files = Mount(raw)
    legacy = Mount(raw, path="/v1/old files")
    admin = Admin()

    @methods("POST")
    async def save(self, text): ...

    async def ws_index(self, ws): ...

    async def _hidden(self): ...

    value = 1


LISTED = [
    ("http", "/{path*}", (), "index"),
    ("http", "/blog/notes/{id}", ("GET", "HEAD"), "blog.notes.get"),
    ("http", "/blog/notes", ("POST",), "blog.notes.post"),
    ("http", "/blog/notes/search", (), "blog.notes.search"),
    ("http", "/blog", (), "blog.index"),
    ("http", "/blog/about_us", (), "blog.about_us"),
    ("websocket", "/blog/chat/{room}", (), "blog.ws_chat"),
    ("mount", "/files", (), "files"),
    ("mount", "/v1/old%20files", (), "legacy"),
    ("http", "/admin", (), "admin.index"),
    ("http", "/admin/user/{number}", (), "admin.user"),
    ("http", "/save", ("POST",), "save"),
    ("websocket", "/", (), "ws_index"),
]


def test_routes_lists_the_tree_in_order_of_definition():
    """Routes, branches, mounts and the routes of applications below; nothing private, no data."""
    assert [(route.kind, route.path, route.verbs, route.name) for route in routes(Site())] == LISTED


def test_an_empty_application_has_none():
    """`App()` answers nothing."""
    assert routes(App()) == []


def test_a_route_says_what_it_is():
    """Its owner, its handler, where that stands, what it returns, and its documentation."""
    app = Site()
    route = routes(app)[1]
    assert isinstance(route, Route)
    assert (route.owner, route.handler) == (Blog.notes, Blog.notes.get)
    assert (route.doc, route.returns) == ("One note.", Note)
    assert (route.file, route.line) == (__file__, inspect.getsourcelines(Notes.get)[1])
    save = routes(app)[-2]
    assert (save.owner, save.doc, save.returns) == (app, "", Any)


def test_a_mount_says_what_is_mounted():
    """Its handler is the other application, which has no parameters of ours."""
    route = next(route for route in routes(Site()) if route.kind == "mount")
    assert (route.handler, route.parameters, route.file, route.line) == (raw, (), None, None)
    assert isinstance(route.owner, Site)


def test_a_decorated_handler_stands_where_it_was_written():
    """Not where its decorator stands."""

    def decorated(function):
        @functools.wraps(function)
        async def wrapper(self):
            return await function(self)

        return wrapper

    async def page(self):
        """A page."""

    route = routes(site_of(page=decorated(page)))[0]
    assert (route.line, route.doc) == (page.__code__.co_firstlineno, "A page.")


def test_a_handler_without_code_of_its_own():
    """A partial method stands nowhere."""

    async def show(self, name, size): ...

    (route,) = routes(site_of(small=functools.partialmethod(show, size=1)))
    assert (route.path, route.file, route.line) == ("/small/{name}", None, None)


def test_routes_are_read_only():
    """What is listed is no way in."""
    with pytest.raises(AttributeError):
        routes(Site())[0].path = "/other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("members", "verbs"),
    [
        ({"get": 1}, ("GET", "HEAD")),
        ({"get": 1, "head": 1}, ("GET",)),
        ({"head": 1}, ("HEAD",)),
        ({"options": 1}, ("OPTIONS",)),
        ({"delete": 1}, ("DELETE",)),
    ],
)
def test_verbs_of_a_resource(members, verbs):
    """GET answers HEAD too, unless that has its own."""

    async def handler(self): ...

    resource = type("Made", (Resource,), dict.fromkeys(members, handler))()
    assert routes(site_of(made=resource))[0].verbs == verbs


def test_index_of_a_resource():
    """It answers GET on the path itself."""

    class Things(Resource):
        async def index(self): ...

        async def get(self, id): ...

        async def post(self): ...

    listed = [(route.path, route.verbs) for route in routes(site_of(things=Things()))]
    assert listed == [("/things", ("GET", "HEAD")), ("/things/{id}", ("GET", "HEAD")), ("/things", ("POST",))]


def test_a_verb_method_that_never_answers_is_not_listed(caplog):
    """One whose verb another one declares."""

    class Things(Resource):
        @methods("PUT", "PATCH")
        async def put(self): ...

        async def patch(self): ...

    assert [route.name for route in routes(site_of(things=Things()))] == ["things.put"]
    assert len(caplog.records) == 1


def placed(handler, *decorators):
    """Give the sources of a handler's parameters, and its path."""

    @functools.wraps(handler)
    async def page(self): ...  # which is marked, and not the handler

    for decorator in decorators:
        page = decorator(page)
    (route,) = routes(site_of(page=page))
    assert all(isinstance(parameter, Parameter) for parameter in route.parameters)
    return {parameter.name: parameter.source for parameter in route.parameters}, route.path


async def scalars(self, a, b=1): ...
async def lists(self, a: list[int], b: set[str] | None = None): ...
async def keywords(self, *, a, b=1, **rest): ...
async def record(self, id: int, note: Note, c: int = 1): ...
async def marked(
    self,
    a: Annotated[str, Header()],
    b: Annotated[str, Cookie()],
    c: Annotated[str, FromSession()],
    d: Annotated[str, FromQuery()],
    e: Annotated[list[int], FromBody()],
    request: Request,
    g: str,
    h: UploadedFile,
): ...
async def behind(self, tags: list[int], name): ...
async def variadic(self, a, b=1, *rest): ...
async def identities(self, user_id: int, slug, text, id): ...
async def optional_identity(self, id: int = 0): ...
async def many_identities(self, id: list[int], key): ...
async def typed_identity(self, a: UUID, b: UserId | None, c: str): ...
async def identity_of_no_type(self, request: Request, key, _id): ...
async def record_alone(self, title: str, note: Note): ...
async def from_path(self, a, b: Annotated[str, FromPath()] = "x", c="y"): ...


@pytest.mark.parametrize(
    ("handler", "sources", "path"),
    [
        (scalars, {"a": "path", "b": "query"}, "/page/{a}"),
        (lists, {"a": "query", "b": "query"}, "/page"),
        (keywords, {"a": "query", "b": "query", "rest": "query"}, "/page"),
        (record, {"id": "path", "note": "body", "c": "query"}, "/page/{id}"),
        (
            marked,
            {
                "a": "header", "b": "cookie", "c": "session", "d": "query", "e": "body", "request": "context",
                "g": "path", "h": "file",
            },
            "/page/{g}",
        ),
        (behind, {"tags": "query", "name": "query"}, "/page"),
        (variadic, {"a": "path", "b": "path", "rest": "path"}, "/page/{a}/{b}/{rest*}"),
        (from_path, {"a": "path", "b": "path", "c": "query"}, "/page/{a}/{b}"),
    ],
)  # fmt: skip
def test_where_a_client_puts_a_parameter(handler, sources, path):
    """Required scalars into the path, the others into the query, records into the body; declared sources stand."""
    assert placed(handler) == (sources, path)


@pytest.mark.parametrize(
    ("handler", "sources", "path"),
    [
        (scalars, {"a": "body", "b": "body"}, "/page"),
        (lists, {"a": "body", "b": "body"}, "/page"),
        (keywords, {"a": "body", "b": "body", "rest": "body"}, "/page"),
        (record, {"id": "path", "note": "body", "c": "query"}, "/page/{id}"),
        (variadic, {"a": "path", "b": "path", "rest": "path"}, "/page/{a}/{b}/{rest*}"),
        (identities, {"user_id": "path", "slug": "path", "text": "body", "id": "body"}, "/page/{user_id}/{slug}"),
        (optional_identity, {"id": "body"}, "/page"),
        (many_identities, {"id": "body", "key": "body"}, "/page"),
        (typed_identity, {"a": "path", "b": "path", "c": "body"}, "/page/{a}/{b}"),
        (identity_of_no_type, {"request": "context", "key": "path", "_id": "body"}, "/page/{key}"),
        (record_alone, {"title": "query", "note": "body"}, "/page"),
        (from_path, {"a": "path", "b": "path", "c": "body"}, "/page/{a}/{b}"),
    ],
)
@pytest.mark.parametrize("verbs", [("POST",), ("PUT", "PATCH")])
def test_where_a_client_puts_a_parameter_of_a_form(handler, sources, path, verbs):
    """The leading required parameters that identify something into the path, the others into the body."""
    assert placed(handler, methods(*verbs)) == (sources, path)


def test_where_a_client_puts_a_parameter_of_either():
    """A handler that answers GET too takes them from the path."""
    assert placed(scalars, methods("GET", "POST")) == ({"a": "path", "b": "query"}, "/page/{a}")


async def thing(self, id: int, tags: list[str], text=""): ...
async def login(self, name: str, password: str): ...
async def setting(self, *, theme): ...
async def tagged(self, tags: list[str], name): ...
async def renamed(self, name: Annotated[str, FromPath()], new): ...


@pytest.mark.parametrize(
    ("verb", "handler", "sources", "path"),
    [
        ("get", login, ["path", "path"], "/things/{name}/{password}"),
        ("delete", thing, ["path", "query", "query"], "/things/{id}"),
        ("put", thing, ["path", "body", "body"], "/things/{id}"),
        ("patch", login, ["path", "body"], "/things/{name}"),
        ("put", record, ["path", "body", "query"], "/things/{id}"),
        ("put", setting, ["body"], "/things"),
        ("put", tagged, ["body", "body"], "/things"),
        ("post", login, ["body", "body"], "/things"),
        ("post", thing, ["body", "body", "body"], "/things"),
        ("post", record, ["query", "body", "query"], "/things"),
        ("post", renamed, ["path", "body"], "/things/{name}"),
        ("post", variadic, ["path", "path", "path"], "/things/{a}/{b}/{rest*}"),
    ],
)
def test_where_a_client_puts_a_parameter_of_a_resource(verb, handler, sources, path):
    """PUT and PATCH are for the one thing that the first required parameter names, POST is for all of them."""
    (route,) = routes(site_of(things=type("Things", (Resource,), {verb: handler})()))
    assert ([p.source for p in route.parameters], route.path) == (sources, path)


def test_where_a_client_puts_a_parameter_of_another_method_of_a_resource():
    """As everywhere else."""

    class Things(Resource):
        @methods("POST")
        async def move(self, name, target_id: int): ...

        @methods("POST")
        async def remove(self, id: int): ...

    assert [route.path for route in routes(site_of(things=Things()))] == ["/things/move", "/things/remove/{id}"]


def test_where_a_client_puts_a_parameter_of_put_that_makes_things_too():
    """The path of a handler for several verbs is one that all of them have."""

    class Things(Resource):
        @methods("POST", "PUT")
        async def put(self, name, text): ...

    assert routes(site_of(things=Things()))[0].path == "/things/{name}"


def test_the_path_of_ws_index_with_parameters():
    """It takes segments behind its name only."""

    async def ws_index(self, ws, room): ...

    assert routes(site_of(ws_index=ws_index))[0].path == "/index/{room}"


def test_names_that_are_no_ascii():
    """Static parts are percent-encoded."""
    assert routes(type("Pages", (App,), {"büro": Notes()})())[0].path == "/b%C3%BCro/{id}"


def test_configuration_is_what_the_application_is_made_with():
    """Its session backend, the applications below it, and what it warned of."""

    class Below(App):
        pass

    class Site(App):
        below = Below()
        notes = Notes  # a class where an instance belongs

    backend = InMemorySessionBackend()
    site = Site(session_backend=backend)
    found = configuration(site)
    assert found.session_backend is backend
    assert found.applications == [Site.below]
    (sentence,) = found.oversights
    assert sentence.startswith("Site.notes")


@pytest.mark.needs("jinja2")
def test_configuration_has_the_templates_environment(tmp_path):
    """The one that renders."""
    (tmp_path / "page.txt").write_text("Hello")
    environment = configuration(App(templates=tmp_path)).templates
    assert environment.get_template("page.txt").render() == "Hello"
