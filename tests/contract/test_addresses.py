"""13: one rule for where a client puts a parameter: what is put there arrives, and `url_for` puts it there too."""

import re
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import pytest

from micropie import App, Controller, FromPath, Parameter, Resource, Route, methods, routes, url_for
from tests.client import http
from tests.wire import UNSET, websocket, wire

ANN = UUID(int=7)


@dataclass
class Note:
    text: str


class Notes(Resource):
    async def get(self, id: int, page: int = 1):
        return {"id": id, "page": page}

    async def post(self, name: str, password: str):
        return {"name": name, "password": password}

    async def put(self, id, text):
        return {"id": id, "text": text}

    async def patch(self, name, note: Note, size: int = 1):
        return {"name": name, "note": note, "size": size}

    async def delete(self, id: int, hard: bool = False):
        return {"id": id, "hard": hard}

    @methods("POST")
    async def remove(self, id: int):
        return {"id": id}


class Pages(Controller):
    @methods("POST")
    async def upload(self, picture):
        return {"picture": picture}

    @methods("PUT")
    async def move(self, page_id: int, slug, text, tags: list[int], *, loud: bool = False):
        return {"page_id": page_id, "slug": slug, "text": text, "tags": tags, "loud": loud}

    @methods("POST")
    async def files(self, first, second="x", *rest):
        return {"first": first, "second": second, "rest": rest}

    @methods("PATCH", "POST")
    async def user(self, user: UUID, name):
        return {"user": user, "name": name}

    @methods("POST")
    async def rename(self, name: Annotated[str, FromPath()], new: str):
        return {"name": name, "new": new}

    async def any(self, one, two: int = 2):
        return {"one": one, "two": two}


class Site(App):
    notes = Notes()
    pages = Pages()


SENT: dict[str, dict[str, Any]] = {
    "notes.get": {"id": 7, "page": 2},
    "notes.post": {"name": "Ann", "password": "secret"},
    "notes.put": {"id": "7", "text": "a/b"},
    "notes.patch": {"name": "x y", "note": {"text": "hi"}, "size": 3},
    "notes.delete": {"id": 7, "hard": True},
    "notes.remove": {"id": 7},
    "pages.upload": {"picture": "png"},
    "pages.move": {"page_id": 7, "slug": "a", "text": "b", "tags": [1, 2], "loud": True},
    "pages.files": {"first": "a", "second": "b", "rest": ["c", "d"]},
    "pages.user": {"user": str(ANN), "name": "Ann"},
    "pages.rename": {"name": "a", "new": "b"},
    "pages.any": {"one": "a", "two": 3},
}
"""What a client sends to each handler, by the parameters' names."""


def sent_to(route: Route, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any], Any]:
    """What goes into the path, into the query and into the body, as the sources of the parameters say."""
    by_place: dict[str, list[Parameter]] = {}
    for parameter in route.parameters:
        by_place.setdefault(parameter.source, []).append(parameter)
    segments: list[Any] = []
    for one in by_place.pop("path", []):
        segments += values[one.name] if one.kind == "variadic" else [values[one.name]]
    query = {one.name: values[one.name] for one in by_place.pop("query", [])}
    body: dict[str, Any] = {}
    for one in by_place.pop("body", []):
        body.update(values[one.name] if one.is_body else {one.name: values[one.name]})
    assert not by_place
    return segments, query, body or UNSET


@pytest.mark.parametrize("name", SENT)
def test_what_is_put_where_the_listing_says_arrives(name):
    """Every parameter of every kind of handler, at the path that `url_for` makes of those in the path and the query."""
    site = Site()
    (route,) = (one for one in routes(site) if one.name == name)
    segments, query, body = sent_to(route, SENT[name])
    path, _, fields = url_for(route.handler, *segments, **query).partition("?")
    reply = wire(site, (route.verbs or ("GET",))[0], path, query=fields, json=body)
    assert reply.json() == SENT[name]
    assert re.fullmatch(re.sub(r"\\{\w+\\}|\\{\w+\\\*\\}", ".+", re.escape(route.path)), path)


@pytest.mark.parametrize("name", SENT)
def test_the_arguments_of_a_url_may_be_named(name):
    """Those in the path by their names make the path that the listing has."""
    (route,) = (one for one in routes(Site()) if one.name == name)
    named = {one.name: f"-{one.name}" for one in route.parameters if one.source == "path" and one.kind != "variadic"}
    needed = {one.name: 1 for one in route.parameters if one.source == "query"}
    path = re.sub(r"/{\w+\*}", "", route.path)
    assert url_for(route.handler, **named, **needed).partition("?")[0] == re.sub(r"{(\w+)}", r"-\1", path)


# -- FromPath --------------------------------------------------------------------------------------------


class Shelf(Resource):
    async def post(self, id: Annotated[int, FromPath()], text): ...

    async def get(self, id: Annotated[int, FromPath()] = 0):
        return id


class Marked(App):
    shelf = Shelf()

    async def one(self, id: Annotated[int, FromPath()], size: int = 1):
        return [id, size]

    async def optional(self, id: Annotated[int | None, FromPath] = None):
        return [id]

    async def behind(self, size: int = 1, id: Annotated[int, FromPath()] = 0):
        return [size, id]

    async def rest(self, *ids: Annotated[int, FromPath()]):
        return [*ids]

    async def ws_room(self, ws, room: Annotated[str, FromPath()] = "lobby"):
        await ws.accept()
        await ws.send_text(room)


def test_a_segment_only():
    """Neither the query nor the body nor the session fills it."""
    app = Marked()
    assert http(app, path="/one/7").json() == [7, 1]
    assert http(app, path="/one/7/2").json() == [7, 2]
    assert http(app, path="/one/7", query="id=8&size=2").json() == [7, 2]
    assert http(app, path="/optional", query="id=8").json() == [None]
    assert http(app, "POST", "/optional", json={"id": 8}).json() == [None]
    assert http(app, path="/optional/8").json() == [8]
    assert http(app, path="/rest/1/2").json() == [1, 2]


def test_a_segment_that_is_missing():
    """The fault says that it was to be in the path."""
    reply = http(Marked(), path="/one", query="id=7", headers={"Accept": "application/problem+json"})
    assert reply.status_code == 400
    assert reply.json()["errors"] == [{"in": "path", "name": "id", "message": "required"}]


def test_a_segment_that_does_not_fit():
    """As everywhere."""
    assert "'id': expected an integer" in http(Marked(), path="/one/x").text


def test_a_segment_of_a_websocket():
    """The query does not fill it there either."""
    assert websocket(Marked(), "/room", query="room=red").sent == ["lobby"]
    assert websocket(Marked(), "/room/red").sent == ["red"]


def test_a_resource_without_the_segment_is_not_allowed():
    """Nothing but the path could name it, so POST has no place on the resource's own path."""
    for query in ("", "id=7"):
        reply = wire(Marked(), "POST", "/shelf", query=query, json={"text": "x"})
        assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert http(Marked(), path="/shelf", query="id=7").json() == 0


@pytest.mark.parametrize(
    ("handler", "args", "named", "url"),
    [
        ("one", (7,), {}, "/one/7"),
        ("one", (), {"id": 7, "size": 2}, "/one/7?size=2"),
        ("behind", (), {"size": 2, "id": 7}, "/behind/2/7"),
        ("behind", (), {"size": 2}, "/behind/2"),
        ("behind", (), {}, "/behind"),
        ("shelf.post", (7,), {}, "/shelf/7"),
    ],
)
def test_the_url_has_it_in_its_path(handler, args, named, url):
    """By position and by name."""
    app = Marked()  # a handler does not keep its application
    target: Any = app
    for name in handler.split("."):
        target = getattr(target, name)
    assert url_for(target, *args, **named) == url


def test_a_url_has_no_way_round_a_missing_segment():
    """What stands before it must be there, and dot segments have no other place."""
    app = Marked()
    with pytest.raises(TypeError, match="takes 'id' from the path, behind others: give all that stand before it"):
        url_for(app.behind, id=7)
    with pytest.raises(ValueError, match="No URL leads to"):
        url_for(app.one, "..")
    with pytest.raises(TypeError, match="needs 'id'"):
        url_for(app.shelf.post)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("*, id: Annotated[int, FromPath()]", "nothing fills parameter 'id', since no path segment goes to a keyword"),
        ("**ids: Annotated[int, FromPath()]", "nothing fills parameter 'ids'"),
        ("note: Annotated[Note, FromPath()]", "no path is a"),
    ],
)
def test_what_no_segment_can_be(parameters, problem, caplog):
    """It is a problem of the route, and warned of."""
    names: dict[str, Any] = {"Annotated": Annotated, "FromPath": FromPath, "Note": Note}
    exec(f"async def page(self, {parameters}): ...", names)
    (route,) = routes(type("Made", (App,), {"page": names["page"]})())
    assert problem in " ".join(route.problems)
    assert problem in caplog.text
