"""11: a resource's own path answers the verbs that need no segment, and what is below it those that take one."""

import json
from dataclasses import dataclass

import pytest

from micropie import App, Resource, routes
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


def test_a_query_without_the_parameter_is_a_bad_request():
    """The parameter that is missing is named."""
    assert http(Site(), "DELETE", "/notes", query="x=7").text == ("400 Bad Request: Missing required parameter 'id'")


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
