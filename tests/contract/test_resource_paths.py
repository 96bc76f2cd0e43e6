"""11: a resource's own path answers the verbs that need no segment, and what is below it those that take one."""

import json
from dataclasses import dataclass

import pytest

from micropie import App, Resource, methods, routes
from tests.client import http
from tests.wire import UNSET, wire


@dataclass
class Note:
    text: str


class Notes(Resource):
    async def index(self):
        return "all"

    async def get(self, id: int):
        return f"note {id}"

    async def post(self, note: Note):
        return f"added {note.text}"

    async def put(self, id: int, note: Note):
        return f"{id} is {note.text}"

    async def delete(self, id: int):
        return f"removed {id}"


class Tags(Resource):
    async def post(self, text):
        return f"added {text}"

    async def patch(self, tags: list[str]):
        return tags


class Settings(Resource):
    async def get(self):
        return "settings"


class Pages(Resource):
    async def get(self, name):
        return name


class Site(App):
    notes = Notes()
    tags = Tags()
    settings = Settings()
    pages = Pages()


@pytest.mark.parametrize(
    ("path", "allow"), [("/notes", "GET, HEAD, OPTIONS, POST"), ("/notes/7", "DELETE, GET, HEAD, OPTIONS, PUT")]
)
def test_allow_names_the_verbs_of_the_path(path, allow):
    """For OPTIONS, and for a verb that is refused."""
    assert http(Site(), "OPTIONS", path).headers["allow"] == allow
    refused = http(Site(), "TRACE", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allow)


class Deep(Resource):
    async def get(self, name, size=1):
        return [name, size]

    async def put(self, name: str, size: int, unit: str = "cm"): ...

    async def patch(self, name): ...

    async def delete(self, *path):
        return path


class Plain(Resource):
    async def get(self, id): ...

    async def put(self, id, text): ...


class Deeper(App):
    deep = Deep()
    plain = Plain()

    @methods("POST")
    async def save(self, text): ...

    @methods("PUT", "GET")
    async def files(self, *path):
        return path


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/plain/1", "GET, HEAD, OPTIONS, PUT"),
        ("/plain/1/", "GET, HEAD, OPTIONS, PUT"),
        ("/plain/1/2", "OPTIONS, PUT"),
        ("/plain/1/2/3", "OPTIONS"),
        ("/deep/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/deep/1/2", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/deep/1/2/3", "DELETE, OPTIONS, PUT"),
        ("/deep/1/2/3/", "DELETE, OPTIONS, PUT"),
        ("/deep/1/2/3/4", "DELETE, OPTIONS"),
        ("/deep", "DELETE, OPTIONS"),
        ("/save/x", "OPTIONS, POST"),
        ("/save/x/y", "OPTIONS"),
        ("/files/x/y", "GET, HEAD, OPTIONS, PUT"),
    ],
)
def test_allow_names_no_verb_that_could_not_take_the_segments(path, allow):
    """Of those that are left, less what a trailing slash makes."""
    for verb in ("OPTIONS", "TRACE"):
        assert http(Deeper(), verb, path).headers["allow"] == allow


@pytest.mark.parametrize(("verb", "path"), [("PUT", "/notes"), ("DELETE", "/notes"), ("POST", "/notes/7")])
def test_a_verb_of_the_other_path_is_refused(verb, path):
    """Also with a body that would do."""
    assert http(Site(), verb, path, json={"id": 7, "text": "x"}).status_code == 405


@pytest.mark.parametrize(
    ("verb", "path", "text"),
    [
        ("GET", "/notes", "all"),
        ("GET", "/notes/", "all"),
        ("GET", "/notes/7", "note 7"),
        ("POST", "/notes", "added x"),
        ("PUT", "/notes/7", "7 is x"),
        ("DELETE", "/notes/7", "removed 7"),
        ("POST", "/tags", "added x"),
        ("GET", "/settings", "settings"),
        ("GET", "/pages/home", "home"),
    ],
)
def test_each_verb_has_its_path(verb, path, text):
    """The parameters of POST may all be the body's."""
    assert wire(Site(), verb, path, json={"text": "x"} if verb in ("POST", "PUT") else UNSET).text == text


@pytest.mark.parametrize(
    ("verb", "path", "query", "text"),
    [
        ("GET", "/pages", "name=home", "home"),
        ("DELETE", "/notes", "id=7", "removed 7"),
        ("GET", "/notes", "id=7", "all"),
    ],
)
def test_a_query_may_name_what_would_be_the_segment(verb, path, query, text):
    """As for every handler; where `index` answers the path it goes on doing so."""
    assert http(Site(), verb, path, query=query).text == text


@pytest.mark.parametrize(
    ("verb", "path", "query"),
    [
        ("DELETE", "/notes", "x=7"),
        ("PUT", "/notes", "limit=1"),
        ("PUT", "/notes", "text=x"),
        ("DELETE", "/notes", "id="),
        ("DELETE", "/notes", "id"),
    ],
)
def test_a_query_that_does_not_name_the_segment(verb, path, query):
    """It changes nothing: what needs the segment has no place on the resource's own path."""
    assert http(Site(), verb, path, query=query).status_code == http(Site(), verb, path).status_code == 405


def test_a_query_that_does_not_name_the_segment_of_the_only_verb():
    """Nothing is there without the segment."""
    assert http(Site(), path="/pages", query="x=home").status_code == 404


def test_a_query_that_cannot_be_read_is_told():
    """The segment may be in it."""
    assert http(Site(), "DELETE", "/notes", query="a=1&" * 1001).status_code == 400


def test_lists_are_never_the_paths():
    """They come from the body, so they need no segment."""
    assert json.loads(http(Site(), "PATCH", "/tags", json={"tags": ["a"]}).text) == ["a"]


@pytest.mark.parametrize("path", ["/settings/7", "/pages"])
def test_a_path_without_any_verb_is_not_found(path):
    """Nothing takes the segment, or nothing can do without one."""
    assert http(Site(surplus_path_status=404), path=path).status_code == 404


def test_the_listing_says_the_same():
    """Each verb method once."""
    listed = {route.name: route.verbs for route in routes(Site()) if route.name.startswith("notes")}
    assert listed == {
        "notes.index": ("GET", "HEAD"),
        "notes.get": ("GET", "HEAD"),
        "notes.post": ("POST",),
        "notes.put": ("PUT",),
        "notes.delete": ("DELETE",),
    }
