"""`micropie.openapi`: the document, read from the routes; and what serves it."""

import datetime
import functools
import re
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Literal, Required

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from typing_extensions import TypedDict, deprecated

from micropie import (
    App,
    Controller,
    Cookie,
    Faults,
    FromBody,
    FromPath,
    FromQuery,
    FromSession,
    Header,
    HTTPError,
    Mount,
    Nested,
    Reply,
    Request,
    Resource,
    ServerSentEvent,
    UploadedFile,
    methods,
    url_for,
)
from micropie.openapi import Docs, form, unlisted
from tests.batteries.documented import (
    DECIMAL,
    FILE,
    FORM,
    JSON,
    MULTIPART,
    PROBLEM,
    TEXT,
    Account,
    Calendar,
    Cat,
    Colour,
    Crumb,
    Dog,
    Event,
    Login,
    Model,
    Note,
    Page,
    Part,
    Pie,
    Row,
    Simple,
    Struct,
    Times,
    any_of,
    document,
    operation,
    operation_components,
)
from tests.client import http
from tests.wire import wire

# -- the document -------------------------------------------------------------------------------------


def test_a_plain_class_is_a_document():
    """Title, version and description are the class's unless they are given."""

    class Site(App):
        """A shop.

        Of pies.
        """

        async def index(self):
            """Say hello.

            In English.
            """
            return "Hello"

    made = document(Site())
    assert made["openapi"] == "3.1.1"
    assert made["info"] == {"title": "Site", "version": "1.0.0", "description": "A shop.\n\nOf pies."}
    assert made["tags"] == [{"name": "Site"}]
    assert made["paths"] == {
        "/": {
            "get": {
                "tags": ["Site"],
                "summary": "Say hello.",
                "description": "In English.",
                "operationId": "index",
                "responses": {
                    "200": {"description": "OK"},
                    "default": {"$ref": "#/components/responses/Error"},
                },
            }
        }
    }
    given = document(Site(), title="Pies", version="2.1", description="Ours", servers=["https://pies.example"])
    assert given["info"] == {"title": "Pies", "version": "2.1", "description": "Ours"}
    assert given["servers"] == [{"url": "https://pies.example"}]


def test_an_application_without_handlers_has_a_document():
    """It has no paths."""
    assert document(App())["paths"] == {}


def test_a_handler_without_docstring_has_a_summary():
    """Its name in words; verbs and `index` with what they are about."""

    class Notes(Resource):
        async def get(self, id: int):
            return id

        @methods("GET")
        async def index(self):
            return []

        @methods("GET")
        async def about_us(self):
            return ""

    class Site(App):
        my_notes = Notes()

        async def index(self):
            return "Hello"

        async def ws_chat_room(self, ws):
            await ws.accept()

        async def show_URL(self):  # noqa: N802
            return ""

    made = document(Site())
    summaries = {path: one["summary"] for path, item in made["paths"].items() for one in item.values()}
    assert summaries == {
        "/my_notes/{id}": "Get my notes",
        "/my_notes": "My notes",
        "/my_notes/about_us": "About us",
        "/": "Index",
        "/show_URL": "Show URL",
    }
    assert made["x-websockets"][0]["summary"] == "Chat room"


def test_controllers_are_tags_in_their_order():
    """Each is described by its own docstring, and by no inherited one."""

    class Notes(Resource):
        """What was written down."""

        async def get(self, id: int):
            return id

        async def post(self, note: Note):
            return note

    class Plain(Controller):
        async def index(self):
            return "plain"

    class Site(App):
        notes = Notes()
        plain = Plain()
        files = Mount(App())

        async def index(self):
            return "Hello"

    made = document(Site())
    notes = {"name": "Notes", "description": "What was written down."}
    assert made["tags"] == [notes, {"name": "Plain"}, {"name": "Site"}]
    assert {path: [*item] for path, item in made["paths"].items()} == {
        "/notes/{id}": ["get"],
        "/notes": ["post"],
        "/plain": ["get"],
        "/": ["get"],
    }
    assert made["paths"]["/notes/{id}"]["get"]["operationId"] == "notes.get"
    assert made["paths"]["/notes/{id}"]["get"]["tags"] == ["Notes"]


def test_paths_that_differ_in_names_only_are_one():
    """The names of the first handler stand."""

    class Notes(Resource):
        async def get(self, id: int):
            return id

        async def put(self, number: int):
            return number

    class Site(App):
        notes = Notes()

    made = document(Site())["paths"]
    assert {path: [*item] for path, item in made.items()} == {"/notes/{id}": ["get", "put"]}
    assert [one["name"] for one in made["/notes/{id}"]["put"]["parameters"]] == ["id"]


def test_verbs_are_those_that_a_handler_declares():
    """HEAD is GET's own; each other verb has an operation, whose id is not taken."""

    @methods("GET", "PUT", "DELETE")
    async def it(self):
        return None

    class Site(App):
        pass

    Site.it = it  # type: ignore[attr-defined]
    item = document(Site())["paths"]["/it"]
    assert {verb: one["operationId"] for verb, one in item.items()} == {
        "get": "it",
        "put": "it.put",
        "delete": "it.delete",
    }


@pytest.mark.parametrize(("default", "verbs"), [({}, ["post"]), ({"default": None}, ["get", "post"])])
def test_a_handler_of_every_verb_is_a_get_or_with_a_body_a_post(default, verbs):
    """Where the body may be left out it is both."""

    async def needs(self, pie: Pie):
        return pie

    async def may(self, pie: Pie | None = None):
        return pie

    class Site(App):
        it = may if default else needs

    item = document(Site())["paths"]["/it"]
    assert [*item] == verbs
    assert "requestBody" in item["post"]
    assert "requestBody" not in item.get("get", {})


def test_verbs_without_a_word_in_openapi_are_left_out():
    """PROPFIND is no key of a Path Item."""

    @methods("PROPFIND")
    async def it(self):
        return None

    class Site(App):
        pass

    Site.it = it  # type: ignore[attr-defined]
    assert document(Site())["paths"] == {}


def test_unlisted_and_unselected_routes_are_left_out():
    """`unlisted` hides a handler, `select` chooses among the others."""

    class Site(App):
        @unlisted
        async def health(self):
            return "fine"

        async def page(self):
            return "page"

        async def api(self):
            return "api"

    assert [*document(Site())["paths"]] == ["/page", "/api"]
    assert [*document(Site(), select=lambda route: route.path == "/api")["paths"]] == ["/api"]


class Marked(Controller):
    """Handlers of every make, each with the mark above it."""

    @unlisted
    @staticmethod
    def static():
        return 1

    @unlisted
    @classmethod
    def of_class(cls):
        return 1

    @staticmethod
    @unlisted
    def below():
        return 1

    async def shown(self, number=1):
        return number

    part = unlisted(functools.partialmethod(shown, number=2))
    again = unlisted(functools.singledispatchmethod(shown))


def test_the_mark_works_above_any_handler():
    """Above static methods, class methods and what `functools` makes."""

    class Site(App):
        marked = Marked()

    assert [*document(Site())["paths"]] == ["/marked/shown"]


class Below(App):
    async def page(self):
        return "page"


class Branch(Controller):
    inner = Marked()

    async def page(self):
        return "page"


@pytest.mark.parametrize(
    "branch",
    [
        unlisted(Branch()),
        unlisted(type("Hidden", (Branch,), {}))(),
        type("Above", (Controller,), {"hidden": unlisted(Branch())})(),
        unlisted(Below()),
        unlisted(Mount(Below())),
        Mount(unlisted(Below())),
        unlisted(Mount(Below(), path="/v1/below")),
    ],
)
def test_the_mark_on_a_branch_hides_all_that_is_below_it(branch):
    """On a controller, its class, an application, a mount; the tags go too."""
    site: Any = type("Site", (App,), {"branch": branch, "open": Branch()})
    made = document(site())
    assert [*made["paths"]] == ["/open/inner/shown", "/open/page"]
    assert [tag["name"] for tag in made["tags"]] == ["Marked", "Branch"]


class OfUser(Controller):
    async def index(self, user_id: int): ...

    async def page(self, user_id: int, number: int = 1): ...

    @methods("PUT")
    async def note(self, user_id: int, id: int, text: str): ...


class BelowUser(App):
    async def where(self, n: int): ...


def test_identities_are_path_parameters_of_every_operation_below():
    """Required, in the order of the path, above an application too, where no handler has them."""

    class Site(App):
        part = Nested("user_id", OfUser())
        below = Nested("user_id", BelowUser())

    paths = document(Site())["paths"]
    assert [*paths] == [
        "/{user_id}/part", "/{user_id}/part/page", "/{user_id}/part/note/{id}", "/{user_id}/below/where/{n}"
    ]  # fmt: skip
    for path, item in paths.items():
        for found in item.values():
            in_path = [one for one in found["parameters"] if one["in"] == "path"]
            assert [one["name"] for one in in_path] == re.findall(r"\{(\w+)\}", path)
            assert all(one["required"] for one in in_path)
    put = paths["/{user_id}/part/note/{id}"]["put"]
    assert put["operationId"] == "part.note"
    assert [one["schema"] for one in put["parameters"]] == [{"type": "integer"}] * 2


@pytest.mark.parametrize(
    "nested",
    [
        Nested("user_id", unlisted(OfUser())),
        unlisted(Nested("user_id", OfUser())),
        Nested("user_id", unlisted(Mount(BelowUser()))),
        Nested("user_id", Mount(unlisted(BelowUser()))),
    ],
)
def test_the_mark_on_what_is_nested(nested):
    """It hides all that is below, on either side of the identity."""
    site: Any = type("Site", (App,), {"nested": nested, "open": Nested("user_id", OfUser())})
    assert {path.split("/")[2] for path in document(site())["paths"]} == {"open"}


def test_a_controller_that_has_any_attribute_is_not_marked_by_it():
    """One that stands for another object, for example."""

    class Proxy(Controller):
        def __getattr__(self, name):
            return lambda: name

        async def page(self):
            return "page"

    assert [*document(type("Site", (App,), {"proxy": Proxy()})())["paths"]] == ["/proxy/page"]


def test_a_deprecated_handler_is_marked():
    """`@deprecated` shows."""

    class Site(App):
        @deprecated("use new")
        async def old(self):
            return 1

        async def new(self):
            return 1

    made = document(Site())["paths"]
    assert made["/old"]["get"]["deprecated"] is True
    assert "deprecated" not in made["/new"]["get"]


def test_websockets_stand_in_an_extension():
    """With path, parameters and what the docstring says."""

    class Site(App):
        async def ws_chat(self, ws, room: str, name: str = "Guest"):
            """Talk."""

    made = document(Site())
    assert made["paths"] == {}
    assert made["x-websockets"] == [
        {
            "path": "/chat/{room}",
            "operationId": "ws_chat",
            "tags": ["Site"],
            "summary": "Talk.",
            "parameters": [
                {"name": "room", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
                {
                    "name": "name",
                    "in": "query",
                    "required": False,
                    "allowEmptyValue": True,
                    "schema": {"type": "string", "default": "Guest"},
                },
            ],
        }
    ]


# -- parameters ---------------------------------------------------------------------------------------


def test_parameters_have_their_place_and_their_type():
    """Path, query, header and cookie; the session and the request are no client's business."""

    async def it(
        self,
        number: int,
        request: Request,
        tags: list[str],
        user: Annotated[str, FromSession()] = "",
        page: Annotated[int, annotated_types.Ge(1)] = 1,
        since: datetime.date | None = None,
        x_token: Annotated[str, Header()] = "",
        theme: Annotated[Literal["light", "dark"], Cookie()] = "light",
        **rest: str,
    ):
        return number

    found = operation(it, path="/it/{number}")["parameters"]
    assert found == [
        {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}},
        {
            "name": "tags",
            "in": "query",
            "required": True,
            "schema": {"type": "array", "items": {"type": "string"}},
        },
        {
            "name": "page",
            "in": "query",
            "required": False,
            "allowEmptyValue": True,
            "schema": {"type": "integer", "minimum": 1, "default": 1},
        },
        {
            "name": "since",
            "in": "query",
            "required": False,
            "allowEmptyValue": True,
            "schema": {"type": "string", "format": "date"},
        },
        {"name": "x-token", "in": "header", "required": False, "schema": {"type": "string", "default": ""}},
        {
            "name": "theme",
            "in": "cookie",
            "required": False,
            "schema": {"type": "string", "enum": ["light", "dark"], "default": "light"},
        },
    ]


class Members(Resource):
    async def post(self, name: str, password: str): ...

    async def put(self, name: str, password: str): ...

    @methods("POST")
    async def remove(self, id: int): ...

    @methods("POST")
    async def upload(self, picture): ...

    @methods("POST")
    async def rename(self, name: Annotated[str, FromPath()], new: str): ...


@pytest.mark.parametrize(
    ("path", "verb", "in_path", "members"),
    [
        ("/members", "post", [], ["name", "password"]),
        ("/members/{name}", "put", ["name"], ["password"]),
        ("/members/remove/{id}", "post", ["id"], []),
        ("/members/upload", "post", [], ["picture"]),
        ("/members/rename/{name}", "post", ["name"], ["new"]),
    ],
)
def test_what_identifies_something_is_in_the_path(path, verb, in_path, members):
    """The rest is in the body, for verbs that have one."""
    found = document(type("Site", (App,), {"members": Members()})())["paths"][path][verb]
    assert [(one["name"], one["in"]) for one in found.get("parameters", [])] == [(name, "path") for name in in_path]
    content = found.get("requestBody", {"content": {JSON: {"schema": {"properties": {}}}}})["content"]
    assert [*content[JSON]["schema"]["properties"]] == members


def test_the_rest_of_a_path_is_one_parameter():
    """`*args` keeps its slashes, which OpenAPI has no word for."""

    async def it(self, *rest):
        return rest

    found = operation(it, path="/it/{rest}")["parameters"]
    text = {"type": "string", "minLength": 1}
    assert found == [{"name": "rest", "in": "path", "required": True, "schema": text, "x-segments": True}]


def test_untyped_parameters_are_text():
    """What stands in a path or a query is a string; a required one is not blank."""

    async def it(self, name, page="1"):
        return name

    found = operation(it, path="/it/{name}")["parameters"]
    assert [one["schema"] for one in found] == [{"type": "string", "minLength": 1}, {"type": "string", "default": "1"}]


@pytest.mark.filterwarnings("ignore:The 'deprecated' attribute")  # pydantic's, for whom it has no effect
@pytest.mark.parametrize(
    "metadata",
    [
        pydantic.Field(deprecated=True),
        pydantic.Field(deprecated="use page"),
        pydantic.Field(deprecated=deprecated("use page")),
        deprecated("use page"),
        pydantic.Field(json_schema_extra={"deprecated": True}),
        msgspec.Meta(extra_json_schema={"deprecated": True}),
    ],
)
def test_a_deprecated_parameter_is_marked(metadata):
    """By whatever says so."""

    async def it(self, old: Annotated[int, metadata] = 1, page: Annotated[int, pydantic.Field(ge=1)] = 1):
        return page

    old, page = operation(it)["parameters"]
    assert old["deprecated"] is True
    assert "deprecated" not in page
    assert old["schema"] == {"type": "integer", "default": 1}


def test_a_deprecated_member_is_marked():
    """In a dataclass's metadata, or in its annotation."""

    @dataclass
    class Old:
        a: int = field(metadata={"deprecated": True})
        b: Annotated[int, deprecated("use c")]
        c: Annotated[int, pydantic.Field(json_schema_extra={"x-unit": "g", "x-bad": object()})]

    assert [*operation_components(Old)["Old"]["properties"].values()] == [
        {"type": "integer", "deprecated": True},
        {"type": "integer", "deprecated": True},
        {"type": "integer", "x-unit": "g"},
    ]


def test_a_description_stands_at_the_parameter():
    """Field of pydantic, Doc of typing_extensions, Meta of msgspec."""

    async def it(self, page: Annotated[int, pydantic.Field(description="Which one", ge=1, examples=[3])] = 1):
        return page

    (found,) = operation(it)["parameters"]
    assert found["description"] == "Which one"
    assert found["schema"] == {"type": "integer", "minimum": 1, "examples": [3], "default": 1}


@pytest.mark.parametrize(
    ("default", "security"), [({}, [{"Authorization": []}]), ({"default": ""}, [{"Authorization": []}, {}])]
)
def test_the_header_authorization_is_security(default, security):
    """A Parameter Object may not name it."""

    async def required(self, *, authorization: Annotated[str, Header()]):
        return authorization

    async def optional(self, *, authorization: Annotated[str, Header()] = ""):
        return authorization

    found = operation(optional if default else required)
    assert "parameters" not in found
    assert found["security"] == security
    assert found["components"]["securitySchemes"] == {
        "Authorization": {"type": "apiKey", "in": "header", "name": "Authorization"}
    }


# -- bodies -------------------------------------------------------------------------------------------


@dataclass
class Flat:
    name: str
    due: datetime.date | None = None
    tags: list[str] = field(default_factory=list)


def test_a_body_is_json():
    """A record, or the parameters together. That a form is taken too is not said: clients would have to choose."""

    @methods("POST")
    async def it(self, flat: Flat):
        return None

    assert operation(it, "post")["requestBody"] == {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Flat"}}},
        "required": True,
    }

    @methods("POST")
    async def fields(self, username: str, age: int = 3):
        return username

    schema = {
        "type": "object",
        "properties": {"username": {"type": "string"}, "age": {"type": "integer", "default": 3}},
        "required": ["username"],
    }
    assert operation(fields, "post")["requestBody"] == {
        "content": {"application/json": {"schema": schema}},
        "required": True,
    }


def test_a_body_is_a_form_where_the_handler_says_so():
    """In a form nothing is null, and what must be there is not blank."""

    @form
    @methods("POST")
    async def it(self, flat: Flat):
        return None

    assert operation(it, "post")["requestBody"] == {
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "maxLength": 0}]},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["name"],
                }
            }
        },
        "required": True,
    }


def test_parameters_of_a_form():
    """They are its fields; text stands for a Decimal."""

    @methods("POST")
    @form
    async def it(self, username: str, price: Decimal, age: int = 3):
        return username

    assert form_of(it) == {
        "type": "object",
        "properties": {
            "username": {"type": "string", "minLength": 1},
            "price": DECIMAL,
            "age": {"default": 3, "anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 0}]},
        },
        "required": ["username", "price"],
    }


def form_of(it: Any) -> dict[str, Any]:
    """The schema of the form that a handler takes."""
    found: dict[str, Any] = operation(it, "post")["requestBody"]["content"][FORM]["schema"]
    return found


class Labelled(pydantic.BaseModel):
    label: str | None = None
    size: int | None = pydantic.Field(None, description="How large")


class LabelledStruct(msgspec.Struct):
    label: str | None = None
    size: int | None = None


@pytest.mark.parametrize("kind", [Labelled, LabelledStruct])
def test_a_form_has_no_null_be_it_as_a_default(kind):
    """Whichever library says so."""

    @form
    @methods("POST")
    async def it(self, value):
        return None

    it.__annotations__["value"] = kind
    properties = form_of(it)["properties"]
    assert {name: one for name, one in properties["label"].items() if name != "title"} == {"type": "string"}
    assert "default" not in properties["size"]
    assert properties["size"]["anyOf"] == [{"type": "integer"}, {"type": "string", "maxLength": 0}]


def test_a_form_that_the_handler_reads_itself():
    """It may have any fields; a handler of every verb is called by POST too."""

    class Site(App):
        @form
        async def it(self):
            return self.request.form("name")

    item = document(Site())["paths"]["/it"]
    assert [*item] == ["get", "post"]
    assert "requestBody" not in item["get"]
    assert item["post"]["requestBody"] == {"content": {FORM: {"schema": {"type": "object"}}}}


def test_a_controller_may_be_one_of_forms():
    """The mark on it counts for all that is below, where there is a body."""

    @form
    class Forms(Resource):
        async def get(self, id: int):
            return id

        async def post(self, flat: Flat):
            return flat

    class Site(App):
        forms = Forms()

    paths = document(Site())["paths"]
    assert [*paths["/forms"]["post"]["requestBody"]["content"]] == [FORM]
    assert "requestBody" not in paths["/forms/{id}"]["get"]


def test_the_mark_works_on_static_methods():
    """Above and below."""

    class Site(App):
        @form
        @staticmethod
        @methods("POST")
        def above(flat: Flat):
            return flat

        @staticmethod
        @form
        @methods("POST")
        def below(flat: Flat):
            return flat

    paths = document(Site())["paths"]
    assert [[*paths[path]["post"]["requestBody"]["content"]] for path in ("/above", "/below")] == [[FORM], [FORM]]


@pytest.mark.parametrize(
    "annotation",
    [Pie, list[Crumb], Model, Struct, dict[str, int], int, str, list[Cat | Dog], Annotated[Any, "of any kind"]],
)
def test_what_no_form_can_say_is_no_form(annotation):
    """Members within members, lists of them, no members at all: the mark is a mistake, and the error says so."""

    @form
    @methods("POST")
    async def it(self, value):
        return None

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    with pytest.raises(TypeError, match=r"^Site\.it is marked with @form, and takes what a form has no place for"):
        operation(it, "post")


def test_files_make_a_multipart_form():
    """One file, several, and the fields beside them."""

    @methods("POST")
    async def it(self, picture: UploadedFile, more: list[UploadedFile] = [], title: str = ""):  # noqa: B006
        return title

    file = {"type": "string", "format": "binary"}
    assert operation(it, "post")["requestBody"] == {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "title": {"type": "string", "default": ""},
                        "picture": file,
                        "more": {"type": "array", "items": file},
                    },
                    "required": ["picture"],
                }
            }
        },
        "required": True,
    }


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (list[UploadedFile] | None, {"type": "array", "items": FILE}),
        (Annotated[list[UploadedFile] | None, "of the shop"], {"type": "array", "items": FILE}),
        (tuple[UploadedFile, ...], {"type": "array", "items": FILE}),
        (UploadedFile | None, FILE),
    ],
)
def test_several_files_are_an_array(annotation, schema):
    """Whether they may be left out or not."""

    @methods("POST")
    async def it(self, value=None):
        return None

    it.__annotations__["value"] = annotation
    body = operation(it, "post")["requestBody"]
    assert body == {"content": {MULTIPART: {"schema": {"type": "object", "properties": {"value": schema}}}}}


def test_a_record_with_a_file_is_a_multipart_form():
    """Its members are the fields."""

    @dataclass
    class Entry:
        title: str
        picture: UploadedFile
        more: list[UploadedFile] | None = None
        back: UploadedFile | None = None

    @methods("POST")
    async def it(self, entry: Entry):
        return None

    assert operation(it, "post")["requestBody"]["content"] == {
        MULTIPART: {
            "schema": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "minLength": 1},
                    "picture": FILE,
                    "more": {"type": "array", "items": FILE},
                    "back": FILE,
                },
                "required": ["title", "picture"],
            }
        }
    }


def test_files_beside_what_no_form_can_say():
    """The document shows the files."""

    @methods("POST")
    async def it(self, picture: UploadedFile, about: dict[str, Crumb]):
        return None

    content = operation(it, "post")["requestBody"]["content"]
    assert content == {
        MULTIPART: {"schema": {"type": "object", "properties": {"picture": FILE}, "required": ["picture"]}}
    }


def test_a_form_can_say_one_text_or_another():
    """Alternatives that are no objects."""

    @dataclass
    class Either:
        size: int | Literal["all"]

    @form
    @methods("POST")
    async def it(self, either: Either):
        return None

    either = {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["all"]}]}
    assert form_of(it) == {"type": "object", "properties": {"size": either}, "required": ["size"]}


def test_a_body_without_needs_may_be_left_out():
    """No body counts as an object without members."""

    class Change(TypedDict, total=False):
        text: str

    @methods("PATCH")
    async def it(self, change: Change):
        return None

    assert "required" not in operation(it, "patch")["requestBody"]


@pytest.mark.parametrize(
    ("annotation", "content"),
    [
        (str, {"text/plain": {"schema": {"type": "string", "minLength": 1}}}),
        (bytes, {"application/octet-stream": {"schema": {**FILE, "minLength": 1}}}),
        (bytes | None, {"application/octet-stream": {"schema": {**FILE, "minLength": 1}}}),
    ],
)
def test_a_body_may_be_taken_as_it_is(annotation, content):
    """A text, or bytes, of which an empty one is none."""

    @methods("POST")
    async def it(self, value):
        return value

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    assert operation(it, "post")["requestBody"] == {"content": content, "required": True}

    it.__defaults__ = (None,)
    ((name, media),) = content.items()
    schema = {key: part for key, part in media["schema"].items() if key != "minLength"}
    assert operation(it, "post")["requestBody"] == {"content": {name: {"schema": schema}}}


def of_query(annotation, default=...):
    """The Parameter Objects of a handler that takes the annotation from the query, by their names."""

    @methods("GET")
    async def it(self, wanted):
        return "OK"

    it.__annotations__["wanted"] = Annotated[annotation, FromQuery()]
    if default is not ...:
        it.__defaults__ = (default,)
    found = operation(it).get("parameters", [])
    assert {one["in"] for one in found} <= {"query"}
    return {one.pop("name"): {name: part for name, part in one.items() if name != "in"} for one in found}


OPTIONAL = {"required": False, "allowEmptyValue": True}


class Ripeness(Enum):
    """How ripe."""

    GREEN = "green"
    RED = "red"


@dataclass
class WantedPies:
    """What is looked for."""

    text: str
    page: int = field(default=1, metadata={"description": "From 1 on.", "deprecated": True})
    size: Annotated[int, annotated_types.Ge(1)] = 20
    tags: list[str] = field(default_factory=list)
    ripe: Ripeness | None = None
    beside: Crumb | None = None
    any: Any = None


def test_a_record_that_is_the_whole_query_is_a_parameter_for_each_member():
    """Required is what has no default; what no query can hold is left out, and so is a component that nothing needs."""
    assert of_query(WantedPies) == {
        "text": {"required": True, "schema": {"type": "string", "minLength": 1}},
        "page": {
            **OPTIONAL,
            "description": "From 1 on.",
            "deprecated": True,
            "schema": {"type": "integer", "default": 1},
        },
        "size": {**OPTIONAL, "schema": {"type": "integer", "minimum": 1, "default": 20}},
        "tags": {**OPTIONAL, "schema": {"type": "array", "items": {"type": "string"}}},
        "ripe": {**OPTIONAL, "schema": {"$ref": "#/components/schemas/Ripeness"}},
        "any": {**OPTIONAL, "schema": {"type": "string"}},
    }

    class Site(App):
        @methods("GET")
        async def index(self, wanted: Annotated[WantedPies, FromQuery()]) -> str:
            return "OK"

    assert document(Site())["components"]["schemas"].keys() == {"Problem", "Ripeness"}


def test_a_record_that_is_the_whole_query_may_be_left_out():
    """Then none of its members is required."""
    assert of_query(WantedPies | None, None)["text"] == {**OPTIONAL, "schema": {"type": "string"}}


def test_a_member_that_no_query_can_hold_is_shown_if_it_is_needed():
    """So that it is seen."""

    @dataclass
    class Unaskable:
        crumb: Crumb

    assert of_query(Unaskable) == {"crumb": {"required": True, "schema": {"$ref": "#/components/schemas/Crumb"}}}


def test_records_of_every_make_are_described_by_their_members():
    """By the names that these have in the query."""

    class Asked(TypedDict, total=False):
        page: Required[int]
        size: int

    class AskedStruct(msgspec.Struct, rename="camel"):
        page_number: int
        page_size: int = 20

    @attrs.define
    class AskedAttrs:
        page: int
        size: int = 20

    class AskedModel(pydantic.BaseModel):
        page: int = pydantic.Field(alias="p")
        size: int | None = pydantic.Field(None, description="How many.")

    number = {"type": "integer"}
    needed = {"required": True, "schema": number}
    preset = {**OPTIONAL, "schema": {**number, "default": 20}}
    assert of_query(Asked) == {"page": needed, "size": {**OPTIONAL, "schema": number}}
    assert of_query(AskedStruct) == {"pageNumber": needed, "pageSize": preset}
    assert of_query(AskedAttrs) == {"page": needed, "size": preset}
    assert of_query(AskedModel) == {
        "p": {"required": True, "schema": {**number, "title": "P"}},
        "size": {**OPTIONAL, "description": "How many.", "schema": {**number, "title": "Size"}},
    }


@dataclass
class Ripe:
    ripe: int = 1


@dataclass
class Green:
    green: int


def test_one_of_several_records_is_an_object_in_the_query():
    """Its members are the fields, as OpenAPI means an object there; it may be left out if one of them needs nothing."""
    choice = {"anyOf": [{"$ref": "#/components/schemas/Ripe"}, {"$ref": "#/components/schemas/Green"}]}
    assert of_query(Ripe | Green) == {"wanted": {**OPTIONAL, "schema": choice}}
    choice = {"anyOf": [{"$ref": "#/components/schemas/Green"}, {"$ref": "#/components/schemas/Crumb"}]}
    assert of_query(Green | Crumb)["wanted"]["required"]


def test_a_member_that_is_called_like_another_parameter_is_described_once():
    """It is the same field, which is required if either is."""

    @methods("GET")
    async def it(
        self,
        first: Annotated[Ripe, FromQuery()],
        second: Annotated[Green, FromQuery()],
        also: Annotated[int, FromQuery("ripe")],
        last: Annotated[int, FromQuery("green")] = 1,
    ):
        return None

    found = [(one["name"], one["required"], one["schema"]) for one in operation(it)["parameters"]]
    assert found == [("ripe", True, {"type": "integer"}), ("green", True, {"type": "integer"})]


def test_two_bodies_are_one_object_that_fits_both():
    """Each parameter takes what is its own."""

    @methods("POST")
    async def it(self, crumb: Crumb, note: Note):
        return None

    body = operation(it, "post")["requestBody"]["content"]
    both = [{"$ref": "#/components/schemas/Crumb"}, {"$ref": "#/components/schemas/Note"}]
    assert body == {JSON: {"schema": {"allOf": both}}}
    assert form_of(form(it))["required"] == ["weight", "text"]


# -- replies ------------------------------------------------------------------------------------------

HTML = {"text/html": {"schema": TEXT}}
JSON_OF_CRUMB = {JSON: {"schema": {"$ref": "#/components/schemas/Crumb"}}}


PAIR = {"type": "array", "prefixItems": [{"type": "integer"}, TEXT], "minItems": 2, "maxItems": 2}


one_of_both = any_of("Crumb", "Page_int")[JSON]["schema"]


@pytest.mark.parametrize(
    ("returns", "replies"),
    [
        (Crumb, {"200": JSON_OF_CRUMB}),
        (Crumb | None, {"200": JSON_OF_CRUMB, "204": None}),
        (None, {"204": None}),
        (str, {"200": {"text/html": {"schema": {"type": "string"}}}}),
        (bytes, {"200": HTML}),
        (AsyncIterator[str], {"200": HTML}),
        (Annotated[bytes, "image/png"], {"200": {"image/png": {"schema": FILE}}}),
        (Annotated[AsyncIterator[str], "text/event-stream"], {"200": {"text/event-stream": {}}}),
        (
            Annotated[Iterator[bytes], "application/x-ndjson; charset=utf-8"],
            {"200": {"application/x-ndjson; charset=utf-8": {}}},
        ),
        (Annotated[Iterator[str], "text/csv"], {"200": {"text/csv": {"schema": TEXT}}}),
        (Annotated[Iterator[bytes], "a remark", "video/mp4"], {"200": {"video/mp4": {"schema": FILE}}}),
        (Annotated[str, "text/csv; charset=utf-8"], {"200": {"text/csv; charset=utf-8": {"schema": TEXT}}}),
        (Annotated[str, "application/xml"] | None, {"200": {"application/xml": {"schema": TEXT}}, "204": None}),
        (tuple[int, Annotated[bytes, "image/png"], dict[str, str]], {"200": {"image/png": {"schema": FILE}}}),
        (Annotated[Crumb, "application/hal+json"], {"200": {"application/hal+json": JSON_OF_CRUMB[JSON]}}),
        (tuple[int, bytes], {"200": HTML}),
        (tuple[int, bytes, None], {"200": HTML}),
        (tuple[int, bytes, dict[str, str]], {"200": {"*/*": {}}}),
        (tuple[int, AsyncIterator[str], list[Any]], {"200": {"*/*": {}}}),
        (Reply, {"200": None}),
        (dict[str, Any], {"200": {"application/json": {"schema": {"type": "object", "additionalProperties": {}}}}}),
        (tuple[int, Crumb], {"200": JSON_OF_CRUMB}),
        (tuple[int, Crumb, dict[str, str]], {"200": JSON_OF_CRUMB}),
        (tuple[int, str, dict[str, str]], {"200": {"*/*": {}}}),
        (tuple[int, None], {"200": None}),
        (tuple[int, tuple[int, str]], {"200": {JSON: {"schema": PAIR}}}),
        (Crumb | str, {"200": {**JSON_OF_CRUMB, **HTML}}),
        (Crumb | Page[int], {"200": any_of("Crumb", "Page_int")}),
        (Crumb | Page[int] | None, {"200": any_of("Crumb", "Page_int"), "204": None}),
        (tuple[int, Crumb | Page[int]], {"200": any_of("Crumb", "Page_int")}),
        (tuple[int, Crumb] | Page[int], {"200": any_of("Crumb", "Page_int")}),
        (Annotated[Crumb | Page[int], "a remark"], {"200": any_of("Crumb", "Page_int")}),
        (Annotated[Crumb, 1] | Annotated[Page[int], 2], {"200": any_of("Crumb", "Page_int")}),
        (Crumb | Annotated[Crumb, "a remark"], {"200": JSON_OF_CRUMB}),
        (list[Crumb | Page[int]], {"200": {JSON: {"schema": {"type": "array", "items": one_of_both}}}}),
        (tuple[int, int | None], {"200": {JSON: {"schema": {"type": "integer"}}}}),
        (Annotated[Crumb, "fresh"], {"200": JSON_OF_CRUMB}),
        (Any, {"200": None}),
        (object, {"200": None}),
    ],
)
def test_replies_come_from_the_return_annotation(returns, replies):
    """The content of each status that a result means."""

    async def it(self):
        return None

    it.__annotations__["return"] = returns
    found = operation(it)["responses"]
    assert {status: one.get("content") for status, one in found.items() if status != "default"} == replies


@pytest.mark.parametrize(
    ("returns", "statuses"),
    [
        (tuple[Literal[201], Crumb], {"201": JSON_OF_CRUMB}),
        (tuple[Literal[HTTPStatus.CREATED], Crumb], {"201": JSON_OF_CRUMB}),
        (tuple[Annotated[Literal[201], "a remark"], Crumb, dict[str, str]], {"201": JSON_OF_CRUMB}),
        (tuple[Literal[200, 201], Crumb], {"200": JSON_OF_CRUMB, "201": JSON_OF_CRUMB}),
        (tuple[Literal[200] | Literal[201], Crumb], {"200": JSON_OF_CRUMB, "201": JSON_OF_CRUMB}),  # noqa: PYI030
        (tuple[Literal[201] | int, Crumb], {"200": JSON_OF_CRUMB}),  # noqa: PYI051
        (tuple[Literal["201"], Crumb], {"200": JSON_OF_CRUMB}),
        (tuple[Literal[201], Crumb] | tuple[Literal[202], None], {"201": JSON_OF_CRUMB, "202": None}),
        (tuple[Literal[201], Crumb] | Page[int], {"200": any_of("Page_int"), "201": JSON_OF_CRUMB}),
        (tuple[Literal[204], Crumb], {"204": None}),
        (Crumb | tuple[Literal[404], Page[int]], {"200": JSON_OF_CRUMB, "404": any_of("Page_int")}),
    ],
)
def test_a_literal_is_the_status(returns, statuses):
    """`tuple[Literal[201], Note]` says what `tuple[int, Note]` leaves open."""

    async def it(self):
        return None

    it.__annotations__["return"] = returns
    found = operation(it)["responses"]
    assert {status: one.get("content") for status, one in found.items() if status != "default"} == statuses


def test_a_reply_of_400_stands_beside_what_is_wrong_with_the_input():
    """The handler's own and the framework's have one status, and mostly two media types."""

    async def it(self, page: int = 1) -> tuple[Literal[400], Crumb]:
        """400: Not this page."""
        return 400, Crumb(page)

    content = operation(it)["responses"]["400"]["content"]
    assert [*content] == ["application/problem+json", "text/html", JSON]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_generator_function_is_a_stream(is_async):
    """Whatever its annotation calls it: it goes out as HTML, or as what stands beside the annotation."""

    async def asynchronous(self) -> AsyncIterable[str]:
        yield "1"

    def plain(self) -> Iterable[str]:
        yield "1"

    it = asynchronous if is_async else plain
    assert operation(it)["responses"]["200"]["content"] == HTML
    annotation = it.__annotations__["return"]
    it.__annotations__["return"] = Annotated[annotation, "text/event-stream"]
    assert operation(it)["responses"]["200"]["content"] == {"text/event-stream": {}}


ITEM = {"$ref": "#/components/schemas/Crumb"}
EVENT_OF_CRUMB = {"type": "string", "contentMediaType": JSON, "contentSchema": ITEM}


@pytest.mark.parametrize(
    ("annotation", "is_generator"),
    [
        (AsyncIterable[Crumb], True),
        (AsyncIterator[Crumb], False),
        (AsyncIterator[Crumb], True),
        (Iterable[Crumb], True),
        (Iterator[Crumb], False),
    ],
)
def test_a_stream_of_objects_is_events_or_lines(annotation, is_generator):
    """As clients prefer, each with the schema of an object."""

    async def yields(self):
        yield Crumb(1)

    async def returns(self): ...

    it = yields if is_generator else returns
    it.__annotations__["return"] = annotation
    content = operation(it)["responses"]["200"]["content"]
    assert content.keys() == {"text/event-stream", "application/x-ndjson"}
    assert content["text/event-stream"]["x-itemSchema"]["properties"]["data"] == EVENT_OF_CRUMB
    assert content["application/x-ndjson"] == {"x-itemSchema": ITEM}


def test_a_stream_of_objects_of_one_media_type():
    """The one beside the annotation; a stream of text is no stream of objects."""

    async def lines(self) -> Annotated[AsyncIterator[Crumb | str], "application/jsonl"]:
        yield Crumb(1)

    assert operation(lines)["responses"]["200"]["content"] == {"application/jsonl": {"x-itemSchema": ITEM}}


def test_a_stream_of_events_has_their_fields():
    """What is in the data is not known."""

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(1)

    content = operation(events)["responses"]["200"]["content"]
    assert {*content["text/event-stream"]["x-itemSchema"]["properties"]} == {"event", "id", "retry", "data"}
    assert content["text/event-stream"]["x-itemSchema"]["properties"]["data"] == TEXT
    assert content["application/x-ndjson"] == {"x-itemSchema": {}}


@pytest.mark.parametrize("words", ["Deprecated: use other.", "Deprecated.", ".. deprecated:: 2.0"])
def test_a_docstring_says_that_a_handler_is_deprecated(words):
    """A line that begins with the word, which is shown too."""

    async def it(self): ...

    it.__doc__ = f"Bake.\n\n{words}"
    assert (operation(it)["deprecated"], operation(it)["description"]) == (True, words)
    it.__doc__ = "Bake.\n\nDeprecated things are in the cellar."
    assert "deprecated" not in operation(it)


def test_the_docstring_says_what_statuses_mean():
    """The first good one is that of the result; the lines are no part of the description."""

    @methods("POST")
    async def it(self, crumb: Crumb) -> tuple[int, Crumb]:
        """Bake.

        At once.

        201: The crumb as it is kept.
        404: No such oven.
        599: Out of order.
        """
        return 201, crumb

    found = operation(it, "post")
    error = {"application/problem+json": {"schema": PROBLEM}, "text/html": {"schema": {"type": "string"}}}
    assert (found["summary"], found["description"]) == ("Bake.", "At once.")
    assert found["responses"] == {
        "201": {"description": "The crumb as it is kept.", "content": JSON_OF_CRUMB},
        "404": {"description": "No such oven.", "content": error},
        "599": {"description": "Out of order.", "content": error},
        "400": {"$ref": "#/components/responses/Invalid"},
        "default": {"$ref": "#/components/responses/Error"},
    }


def test_statuses_of_the_docstring_stand_for_an_unknown_result():
    """A redirect needs no annotation."""

    async def it(self):
        """303: Back to the page."""

    assert operation(it)["responses"].keys() == {"303", "default"}


def test_a_documented_400_is_not_documented_again():
    """The handler's own words stand."""

    async def it(self, page: int = 1):
        """400: The page is no number."""

    assert operation(it)["responses"]["400"]["description"] == "The page is no number."


class Moments(TypedDict):
    at: datetime.datetime
    price: Decimal


NAIVE = datetime.datetime(2030, 1, 31, 12)  # noqa: DTZ001 - that is what it is for
AWARE = NAIVE.replace(tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("returns", "value"),
    [
        (Event, Event(NAIVE)),
        (Event, Event(AWARE, Decimal("1E+3"))),
        (Calendar, Calendar([Event(NAIVE), Event(AWARE)], Simple(1))),
        (Moments, {"at": NAIVE, "price": Decimal("0.10"), "more": 1}),
        (Account, Account("Ann")),
        (Login, Login(user_name="Ann", seen=3)),
        (Row, Row("a")),
        (Cat | Dog, Dog()),
        (list[Cat | Dog | None], [Cat(), None]),
        (Times, Times(any=NAIVE, aware=AWARE, naive=NAIVE, day=NAIVE.date(), time=NAIVE.time())),
        (Part | Crumb, Crumb(1.5)),
        (Page[int], Page([1])),
        (dict[str, datetime.time], {"naive": NAIVE.time(), "aware": AWARE.timetz()}),
        (Flat, Flat("a", NAIVE.date())),
        (Colour, Colour.RED),
    ],
)
def test_a_reply_fits_its_schema(returns, value):
    """Formats included, of each library."""

    async def it(self):
        return value

    it.__annotations__["return"] = returns
    app: Any = type("Site", (App,), {"it": it})()
    made = document(app)
    schema = made["paths"]["/it"]["get"]["responses"]["200"]["content"][JSON]["schema"]
    checker = OAS31Validator({**schema, "components": made["components"]}, format_checker=oas31_format_checker)
    assert [error.message for error in checker.iter_errors(http(app, path="/it").json())] == []


# -- what serves it -----------------------------------------------------------------------------------


class Site(App):
    docs = Docs(title="Pies & <more>", version="3")

    async def pie(self, name: str):
        """Show a pie."""
        return name


def test_one_line_serves_the_page_and_the_document():
    """/docs, and /openapi.json, which names neither itself nor the page."""
    app = Site()
    page = http(app, path="/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Pies &amp; &lt;more&gt;</title>" in page.text
    shown = http(app, path="/openapi.json")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "application/json")
    assert shown.json()["info"] == {"title": "Pies & <more>", "version": "3"}
    assert [*shown.json()["paths"]] == ["/pie/{name}"]
    assert shown.json() == http(app, path="/openapi.json").json()


def test_the_page_may_load_nothing_from_elsewhere():
    """Its policy, and the other headers that keep it to itself."""
    page = http(Site(), path="/docs")
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert (page.headers["x-content-type-options"], page.headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("file", ["style.css", "explorer.js", "dom.js"])
def test_the_pages_files_have_their_types(file):
    """A browser that sniffs nothing takes them."""
    answer = http(Site(), path=f"/docs/{file}")
    assert answer.headers["content-type"] == f"text/{'css' if file == 'style.css' else 'javascript'}; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("file", ["missing.js", "..", "__init__.py", "%2e%2e%2f__init__.py", "schemas.py"])
def test_no_other_file_is_served(file):
    """Whatever is asked for."""
    assert http(Site(), path=f"/docs/{file}").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_documentation_is_only_read(path):
    """Other verbs are refused."""
    assert http(Site(), "POST", path).status_code == 405


@pytest.mark.parametrize(
    ("path", "root_path", "here", "root"),
    [
        ("/docs", "", "docs/", "./"),
        ("/docs/", "", "./", "../"),
        ("/v1/docs", "/v1", "docs/", "./"),
        ("/v1/docs/", "/v1", "./", "../"),
    ],
)
def test_the_page_finds_its_files_wherever_it_is_served(path, root_path, here, root):
    """By relative references, so that no proxy needs to say its prefix."""
    page = wire(Site(), path=path, scope={"root_path": root_path}).text
    assert f'src="{here}explorer.js"' in page
    assert f'data-root="{root}" data-document="{root}openapi.json"' in page


def test_a_root_path_is_the_documents_server():
    """Without one the paths are complete."""
    assert http(Site(), path="/openapi.json").json()["servers"] == [{"url": "/"}]
    below = wire(Site(), path="/v1/openapi.json", scope={"root_path": "/v1"}).json()
    assert below["servers"] == [{"url": "/v1"}]


@pytest.mark.parametrize("path", ["/docs", "/docs/style.css", "/openapi.json"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_guard_guards_the_document_too(path, is_async):
    """`_before` of a subclass, async or not."""

    class Private(Docs):
        async def _before(self):
            return self._guard()

        def _guard(self):
            if self.request.query("key") == "none":
                raise HTTPError(404)
            return None if self.request.query("key") else (403, "Staff only")

    class Plain(Private):
        def _before(self):
            assert threading.current_thread() is not threading.main_thread()
            return self._guard()

    class Guarded(App):
        docs = Private() if is_async else Plain()

    assert http(Guarded(), path=path).status_code == 403
    assert http(Guarded(), path=path, query="key=none").status_code == 404
    assert http(Guarded(), path=path, query="key=1").status_code == 200


class Guard:
    """A guard of its own, to be mixed in."""

    async def _before(self):
        return None if self.request.query("key") else (403, "Staff only")  # type: ignore[attr-defined]

    def _after(self, reply):
        reply.headers.append(("X-Seen", "1"))


@pytest.mark.parametrize("bases", [(Docs, Guard), (Guard, Docs)])
@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_a_guard_may_be_mixed_in(bases, path):
    """Before `Docs` or behind it: page and document have the same guard, whose `_after` sees both."""
    site: Any = type("Site", (App,), {"docs": type("StaffDocs", bases, {})()})
    refused, passed = http(site(), path=path), http(site(), path=path, query="key=1")
    assert (refused.status_code, refused.text) == (403, "Staff only")
    assert (passed.status_code, passed.headers["x-seen"]) == (200, "1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: type("Closed", (Site,), {"docs": None}),
        lambda: type("Closed", (Site,), {"docs": lambda _self: "a page of its own"}),
        lambda: type("Closed", (App,), {"_docs": Docs()}),
        lambda: type("Closed", (App,), {"ws_docs": Docs()}),
    ],
)
def test_the_document_goes_with_the_page(make):
    """Where the page is not served the document is not either."""
    assert http(make()(), path="/openapi.json").status_code == 404


def test_what_is_served_is_what_openapi_makes():
    """With the settings that stand in the class, which arguments replace one by one."""

    class Settled(App):
        """Not this."""

        docs = Docs(title="Pies", version="3", description="Ours", select=lambda route: route.path != "/cake")

        async def pie(self):
            return "pie"

        async def cake(self):
            return "cake"

    app = Settled()
    assert http(app, path="/openapi.json").json() == document(app)
    assert document(app)["info"] == {"title": "Pies", "version": "3", "description": "Ours"}
    assert [*document(app)["paths"]] == ["/pie"]
    other = document(app, title="Cakes", select=lambda route: route.path == "/cake")
    assert other["info"] == {"title": "Cakes", "version": "3", "description": "Ours"}
    assert [*other["paths"]] == ["/cake"]


@pytest.mark.parametrize("title", ["{{root}}", "{{title}} {{here}}", "{{unknown}}", "\\1"])
def test_a_title_is_text_whatever_is_in_it(title):
    """It is filled in once, and what it looks like is nothing to fill in."""
    site: Any = type("Site", (App,), {"docs": Docs(title=title)})
    page = http(site(), path="/docs/").text
    assert f"<title>{title}</title>" in page
    assert 'data-root="../" data-document="../openapi.json"' in page


def test_docs_belong_to_an_application():
    """A controller can't have them; the error says where they go."""
    with pytest.raises((TypeError, RuntimeError)) as caught:

        class Wrong(Controller):
            docs = Docs()

    error = caught.value.__cause__ or caught.value  # Python 3.11 wraps it
    assert str(error) == "Wrong.docs: Docs() belongs in the body of an App"


def test_an_application_has_one_document():
    """A second one would be shown in the place of the first, behind another guard."""
    with pytest.raises((TypeError, RuntimeError)) as raised:
        type("Site", (App,), {"docs": Docs(), "others": Docs()})
    reason = raised.value.__cause__ or raised.value  # Python 3.11 wraps it
    assert str(reason) == "Site.others: there is a Docs() already, and one openapi.json"


def test_an_inherited_document_is_one_too():
    """A second name for the page is refused; in the place of the first it is fine."""
    base = type("Base", (App,), {"docs": Docs()})
    with pytest.raises((TypeError, RuntimeError)):
        type("Site", (base,), {"others": Docs()})
    site: Any = type("Site", (base,), {"docs": None, "others": Docs(title="Others")})
    assert http(site(), path="/openapi.json").json()["info"]["title"] == "Others"


def test_a_subclass_may_have_a_document_of_its_own():
    """It takes the place of the inherited one."""
    base = type("Base", (App,), {"docs": Docs(title="Base")})
    site: Any = type("Site", (base,), {"docs": Docs(title="Site")})
    assert http(site(), path="/openapi.json").json()["info"]["title"] == "Site"


def test_each_application_has_a_document_of_its_own():
    """A subclass with more handlers shows more."""

    class More(Site):
        async def cake(self):
            return "cake"

    assert [*http(Site(), path="/openapi.json").json()["paths"]] == ["/pie/{name}"]
    assert {*http(More(), path="/openapi.json").json()["paths"]} == {"/cake", "/pie/{name}"}


def test_the_page_has_an_address_like_any_handler():
    """`url_for` finds it."""

    class Linked(App):
        docs = Docs()

        async def index(self):
            return url_for(self.docs.index)

    assert http(Linked()).text == "/docs"


# -- faults


def test_a_handler_that_asks_for_the_faults_answers_422():
    """`Faults` is no parameter of the operation; the handler answers in place of the 400, by a page."""

    async def it(self, faults: Faults, page: int = 1) -> str:
        return "page"

    found = operation(it)
    assert [one["name"] for one in found["parameters"]] == ["page"]
    assert found["responses"] == {
        "200": {"description": "OK", "content": {"text/html": {"schema": {"type": "string"}}}},
        "422": {"description": HTTPStatus(422).phrase, "content": {"text/html": {"schema": {"type": "string"}}}},
        "default": {"$ref": "#/components/responses/Error"},
    }


def test_a_handler_says_itself_how_it_answers_faults():
    """A return annotation with a 422 is believed."""

    async def it(self, faults: Faults, page: int = 1) -> tuple[Literal[200, 422], dict[str, int]]:
        return 200, {}

    assert list(operation(it)["responses"]["422"]["content"]) == ["application/json"]


@pytest.mark.parametrize(("annotation", "media_type"), [(int, FORM), (UploadedFile, MULTIPART), (dict[str, int], JSON)])
def test_the_body_of_a_handler_with_faults_is_a_form(annotation, media_type):
    """It shows one again; what no form can hold is JSON."""

    @methods("POST")
    async def it(self, faults: Faults, value): ...

    it.__annotations__["value"] = annotation
    assert [*operation(it, "post")["requestBody"]["content"]] == [media_type]
