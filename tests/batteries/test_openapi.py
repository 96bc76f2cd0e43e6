"""`micropie.openapi`: the document, read from the routes; and what serves it."""

import datetime
import enum
import functools
import json
import threading
import types
import typing
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final, Generic, Literal, NewType, NotRequired, Required, TypeVar, TypeVarTuple
from uuid import UUID

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from typing_extensions import ReadOnly, TypeAliasType, TypedDict, deprecated
from typing_extensions import TypeVar as DefaultVar

from micropie import (
    App,
    Controller,
    Cookie,
    FromBody,
    FromQuery,
    FromSession,
    Header,
    HTTPError,
    Mount,
    Reply,
    Request,
    Resource,
    UploadedFile,
    methods,
    url_for,
)
from micropie.openapi import Docs, form, openapi, unlisted
from tests.client import http
from tests.wire import wire

PROBLEM = {"$ref": "#/components/schemas/Problem"}
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
TEXT = {"type": "string"}
FILE = {"type": "string", "format": "binary"}
DECIMAL = {"type": "string", "format": "decimal", "pattern": r"^-?([0-9]+(\.[0-9]+)?|\.[0-9]+)$"}


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Birthday(enum.Enum):
    ANN = datetime.date(2030, 1, 31)


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Crumb:
    weight: float


@dataclass
class Pie:
    """A pie, baked."""

    name: str = field(metadata={"example": "apple", "description": "What is in it"})
    colour: Colour = Colour.RED
    crumbs: list[Crumb] = field(default_factory=list)
    slice_of: "Pie | None" = None
    secret: int = field(default=0, init=False)


class Note(TypedDict):
    text: str
    tags: NotRequired[list[str]]


class Struct(msgspec.Struct):
    size: int
    inner: "Inner | None" = None


class Inner(msgspec.Struct):
    name: str


class Cat(msgspec.Struct, tag="cat", tag_field="kind"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog", tag_field="kind"):
    name: str = "Rex"


@attrs.define
class Thing:
    weight: int


class Model(pydantic.BaseModel):
    age: int = pydantic.Field(ge=0)
    part: "Part | None" = None


class Part(pydantic.BaseModel):
    name: str


class Written(TypedDict, total=False):
    text: Required[str]
    tags: "NotRequired[list[str]]"
    at: ReadOnly[datetime.date]
    by: "ReadOnly[Required[str]]"


UserId = NewType("UserId", int)


def recursive() -> list[Any]:
    """A list that contains itself."""
    found: list[Any] = []
    found.append(found)
    return found


def document(app: App, **options: Any) -> dict[str, Any]:
    """The document, which is valid, and which JSON can hold."""
    made = openapi(app, **options)
    OpenAPIV31SpecValidator(made).validate()
    assert json.loads(json.dumps(made)) == made
    return made


def operation(handler: Any, verb: str = "get", path: str = "/it") -> dict[str, Any]:
    """The operation that a handler called `it` is, and the document's components."""
    made = document(type("Site", (App,), {"it": handler})())
    found: dict[str, Any] = made["paths"][path][verb]
    return found | {"components": made["components"]}


def schema_of(annotation: Any, *metadata: Any) -> dict[str, Any]:
    """The schema of a whole body of a type, without the components."""

    @methods("POST")
    async def it(self, value):
        return value

    it.__annotations__["value"] = Annotated[(annotation, FromBody(), *metadata)]
    (media,) = operation(it, "post")["requestBody"]["content"].values()
    schema = media["schema"]
    assert isinstance(schema, dict)
    return schema


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


def test_an_object_may_be_the_whole_query():
    """The members are the fields, which is what OpenAPI means by an object there."""

    @methods("GET")
    async def it(self, wanted: Annotated[Crumb, FromQuery()]):
        return wanted

    (found,) = operation(it)["parameters"]
    assert (found["in"], found["schema"]) == ("query", {"$ref": "#/components/schemas/Crumb"})


def test_two_bodies_are_one_object_that_fits_both():
    """Each parameter takes what is its own."""

    @methods("POST")
    async def it(self, crumb: Crumb, note: Note):
        return None

    body = operation(it, "post")["requestBody"]["content"]
    both = [{"$ref": "#/components/schemas/Crumb"}, {"$ref": "#/components/schemas/Note"}]
    assert body == {JSON: {"schema": {"allOf": both}}}
    assert form_of(form(it))["required"] == ["weight", "text"]


# -- schemas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (Any, {}),
        (object, {}),
        (Decimal, {"anyOf": [DECIMAL, {"type": "number"}]}),
        (Decimal | None, {"anyOf": [DECIMAL, {"type": "number"}, {"type": "null"}]}),
        (UUID, {"type": "string", "format": "uuid"}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (datetime.time, {"type": "string", "format": "time"}),
        (datetime.timedelta, {"type": "string", "format": "duration"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (typing.Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (UserId, {"type": "integer"}),
        (typing.List, {"type": "array", "items": {}}),  # noqa: UP006
        (typing.Dict, {"type": "object", "additionalProperties": {}}),  # noqa: UP006
        (tuple[()], {"type": "array"}),
        (Literal[b"a", "b"], {"type": "string", "enum": ["b"]}),
        (Literal[b"a"], {}),
        (Literal[Birthday.ANN], {"type": "string", "format": "date", "enum": ["2030-01-31"]}),
    ],
)
def test_schema_of_an_annotation(annotation, schema):
    """Each annotation has the schema of what it accepts."""
    assert schema_of(annotation) == schema


T = TypeVar("T")
U = TypeVar("U")
Numbers = TypeAliasType("Numbers", list[int])
Several = TypeAliasType("Several", list[T], type_params=(T,))
Json = TypeAliasType("Json", "dict[str, Json] | int")
Late = TypeAliasType("Late", "Nowhere")  # type: ignore[name-defined]  # noqa: F821
Bound = TypeVar("Bound", bound=int)
Either = TypeVar("Either", int, str)
Preset = DefaultVar("Preset", default=int)
Ts = TypeVarTuple("Ts")


@dataclass
class Page(Generic[T]):
    items: list[T]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, annotated_types.Ge(1)], {"type": "integer", "minimum": 1}),
        (Numbers, {"type": "array", "items": {"type": "integer"}}),
        (Several[int], {"type": "array", "items": {"type": "integer"}}),
        (T, {}),
        (tuple[int, *tuple[str, ...]], {"type": "array"}),
        (Json, {"anyOf": [{"type": "object", "additionalProperties": {}}, {"type": "integer"}]}),
        (Late, {}),
        (Bound, {"type": "integer"}),
        (Either, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Preset, {"type": "integer"}),
        (list.__class_getitem__(Preset), {"type": "array", "items": {"type": "integer"}}),
        (Page[int], {"$ref": "#/components/schemas/Page_int"}),
        (Page, {"$ref": "#/components/schemas/Page"}),
        (UserId, {"type": "integer"}),
        (Final[int], {}),
        (type[int], {}),
        (pydantic.HttpUrl, {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083}),
        (Counter[str], {"type": "object", "additionalProperties": {}}),
    ],
)
def test_schema_of_a_part_of_a_reply(annotation, schema):
    """What can't be said is anything."""

    async def it(self):
        return None

    it.__annotations__["return"] = dict.__class_getitem__((str, annotation))
    found = operation(it)["responses"]["200"]["content"]["application/json"]["schema"]
    assert found == {"type": "object", "additionalProperties": schema}


@pytest.mark.parametrize(
    ("annotation", "metadata", "limits"),
    [
        (int, annotated_types.Gt(0), {"exclusiveMinimum": 0}),
        (int, annotated_types.Ge(0), {"minimum": 0}),
        (float, annotated_types.Lt(1.5), {"exclusiveMaximum": 1.5}),
        (int, annotated_types.Le(9), {"maximum": 9}),
        (int, annotated_types.Interval(ge=1, le=5), {"minimum": 1, "maximum": 5}),
        (int, annotated_types.MultipleOf(3), {"multipleOf": 3}),
        (str, annotated_types.MinLen(2), {"minLength": 2}),
        (str, annotated_types.Len(1, 5), {"minLength": 1, "maxLength": 5}),
        (list[int], annotated_types.MaxLen(3), {"maxItems": 3}),
        (dict[str, int], annotated_types.MaxLen(3), {"maxProperties": 3}),
        (str, pydantic.Field(pattern="^a", max_length=3), {"pattern": "^a", "maxLength": 3}),
        (int, msgspec.Meta(ge=1, title="Count"), {"minimum": 1, "title": "Count"}),
        (datetime.date, annotated_types.Ge(datetime.date(2020, 1, 1)), {}),
        (int, "a remark", {}),
        (int, annotated_types.Predicate(bool), {}),
    ],
)
def test_limits_of_an_annotation(annotation, metadata, limits):
    """Limits are said in the words of JSON Schema; what it has no words for is left out."""
    found = schema_of(annotation, metadata)
    assert found == {**schema_of(annotation), **limits}


def test_classes_are_components():
    """A dataclass with its defaults, examples and references, also to itself."""
    schema_of_pie = operation_components(Pie)
    assert schema_of_pie["Pie"] == {
        "type": "object",
        "description": "A pie, baked.",
        "properties": {
            "name": {"type": "string", "description": "What is in it", "examples": ["apple"]},
            "colour": {"$ref": "#/components/schemas/Colour", "default": "red"},
            "crumbs": {"type": "array", "items": {"$ref": "#/components/schemas/Crumb"}},
            "slice_of": {"anyOf": [{"$ref": "#/components/schemas/Pie"}, {"type": "null"}]},
        },
        "required": ["name"],
    }
    assert schema_of_pie["Colour"] == {"description": "What it looks like.", "type": "string", "enum": ["red", "blue"]}
    assert schema_of_pie["Crumb"] == {
        "type": "object",
        "properties": {"weight": {"type": "number"}},
        "required": ["weight"],
    }


def operation_components(annotation: Any) -> dict[str, Any]:
    """The components that a body of this type makes."""

    @methods("POST")
    async def it(self, value):
        return value

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    found = operation(it, "post")["components"]["schemas"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        (Note, {"Note"}),
        (Size, {"Size"}),
        (Struct, {"Struct", "Inner"}),
        (Thing, {"Thing"}),
        (Model, {"Model", "Part"}),
        (list[Struct | None], {"Struct", "Inner"}),
    ],
)
def test_other_classes_are_components_too(annotation, names):
    """TypedDict, Enum, msgspec.Struct, attrs, pydantic."""
    found = operation_components(annotation)
    assert found.keys() == names | {"Problem"}
    assert all("#/$defs" not in json.dumps(one) for one in found.values())


def test_members_of_a_typed_dict_may_be_left_out():
    """As the class says."""
    assert operation_components(Note)["Note"] == {
        "type": "object",
        "properties": {"text": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["text"],
    }


def test_classes_of_the_same_name_are_told_apart():
    """The second one has its module's name, whichever library describes it."""
    first: Any = dataclass(type("Crumb", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    second: Any = dataclass(type("Crumb", (), {"__annotations__": {"b": int}, "__module__": "two"}))
    third = msgspec.defstruct("Crumb", [("c", int)], module="three")
    fourth: Any = dataclass(type("Crumb", (), {"__annotations__": {"d": int}, "__module__": "two"}))
    found = operation_components(tuple.__class_getitem__((first, second, third, first, fourth)))
    assert {name: [*one["properties"]] for name, one in found.items() if name != "Problem"} == {
        "Crumb": ["a"],
        "two.Crumb": ["b"],
        "three.Crumb": ["c"],
        "two.Crumb.2": ["d"],
    }


def test_models_of_the_same_name_are_told_apart():
    """With all that belongs to them."""
    make: Any = pydantic.create_model
    parts = [
        make("Part", __module__=module, **{name: (int, ...)})
        for module, name in (("one", "a"), ("two", "b"), ("two", "c"))
    ]
    wholes = [make("Whole", part=(part, ...), __module__=part.__module__) for part in parts]
    found = described(sent=list.__class_getitem__(wholes[0] | wholes[1] | wholes[2]))
    assert [*found] == ["Part", "Whole", "two.2.Part", "two.2.Whole", "two.Part", "two.Whole"]
    for prefix, name in (("", "a"), ("two.", "b"), ("two.2.", "c")):
        assert [*found[f"{prefix}Part"]["properties"]] == [name]
        assert found[f"{prefix}Whole"]["properties"]["part"] == {"$ref": f"#/components/schemas/{prefix}Part"}


def test_a_class_with_annotations_that_mean_nothing_has_members_of_any_kind():
    """A document is made all the same."""
    broken: Any = dataclass(type("Broken", (), {"__annotations__": {"a": "Missing"}}))

    async def it(self):
        return None

    it.__annotations__["return"] = broken
    assert operation(it)["components"]["schemas"]["Broken"]["properties"] == {"a": {}}


class Strange:
    """A class that no library knows."""


class StrangeModel(pydantic.BaseModel):
    """It has a member without a schema."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    it: Strange


class StrangeStruct(msgspec.Struct):
    """It has a default without a form in JSON."""

    weight: float = float("inf")


class StrangeEnum(enum.Enum):
    NUMBER = float("nan")
    OBJECT = Strange()


@dataclass
class StrangeClass:
    """Its metadata is for others."""

    it: int = field(default=1, metadata={"example": Strange(), "description": 5})


@pytest.mark.parametrize(
    ("annotation", "component"),
    [
        (StrangeModel, {"description": "It has a member without a schema."}),
        (
            StrangeStruct,
            {
                "type": "object",
                "description": "It has a default without a form in JSON.",
                "properties": {"weight": {"type": "number"}},
            },
        ),
        (StrangeEnum, {}),
        (
            StrangeClass,
            {
                "type": "object",
                "description": "Its metadata is for others.",
                "properties": {"it": {"type": "integer", "default": 1}},
            },
        ),
    ],
)
def test_what_json_schema_cannot_say_is_left_out(annotation, component):
    """A document is made all the same."""
    assert operation_components(annotation)[annotation.__name__] == component
    assert operation_components(list.__class_getitem__(annotation))[annotation.__name__] == component


@dataclass
class Sealed:
    key: InitVar[int]
    name: str
    _inner: str = "hidden"


def test_a_dataclass_shows_what_it_takes():
    """What is only there for `__post_init__` is taken, a private field with a default is not."""
    assert operation_components(Sealed)["Sealed"] == {
        "type": "object",
        "properties": {"key": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["key", "name"],
    }


def test_a_class_may_have_the_name_of_our_own_component():
    """It is told apart from it."""
    problem: Any = dataclass(type("Problem", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    assert operation_components(problem)["one.Problem"]["properties"] == {"a": {"type": "integer"}}


def test_the_rest_of_a_path_has_its_own_name():
    """Whatever else its annotation says."""

    async def it(self, *rest: Annotated[str, Header("X-Rest")]):
        return rest

    assert operation(it, path="/it/{rest}")["parameters"][0]["name"] == "rest"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Colour.BLUE, {"default": "blue"}),
        (datetime.date(2030, 1, 31), {"default": "2030-01-31"}),
        (Decimal("1.50"), {"default": "1.50"}),
        (frozenset({2, 1}), {"default": [1, 2]}),
        (Crumb(1.5), {"default": {"weight": 1.5}}),
        (float("inf"), {}),
        (object(), {}),
        ({1, "a"}, {}),
        (recursive(), {}),
    ],
)
def test_defaults_are_shown_as_json(value, shown):
    """Those that JSON can't hold are not shown."""

    async def it(self, page: Any = value):
        return page

    (found,) = operation(it)["parameters"]
    assert found["schema"] == shown


@pytest.mark.parametrize(("value", "schema"), [("1", {"type": "string", "default": "1"}), (1, {"default": 1})])
def test_an_untyped_parameter_is_text_unless_its_default_is_not(value, schema):
    """The document must not contradict itself."""

    async def it(self, page=value):
        return page

    (found,) = operation(it)["parameters"]
    assert found["schema"] == schema


# -- bodies and replies of one class ------------------------------------------------------------------


def described(taken: Any = None, sent: Any = None) -> dict[str, Any]:
    """The components of a handler that takes the one type and sends the other, without our own."""

    @methods("POST")
    async def it(self, value):
        return value

    if taken is not None:
        it.__annotations__["value"] = Annotated[taken, FromBody()]
    if sent is not None:
        it.__annotations__["return"] = sent
    found: dict[str, Any] = operation(it, "post")["components"]["schemas"]
    return {name: schema for name, schema in found.items() if name != "Problem"}


def shape(schema: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The names of an object's members, and of those that must be there."""
    return [*schema["properties"]], schema.get("required", [])


@dataclass
class Simple:
    size: int


@dataclass
class Event:
    at: datetime.datetime
    price: Decimal = Decimal(1)
    id: int = field(default=0, init=False)
    _owner: str = "nobody"


@dataclass
class Calendar:
    events: list[Event]
    simple: Simple


def test_a_class_with_one_meaning_is_one_component():
    """Bodies and replies refer to it."""
    assert [*described(Simple, Simple)] == ["Simple"]


def test_a_reply_has_a_schema_of_its_own_where_it_differs():
    """It has all members, those too that no body can set, and says how they are written."""
    both = described(Event, Event)
    assert [*both] == ["Event", "EventInput"]
    assert both["EventInput"] == {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "price": {"anyOf": [DECIMAL, {"type": "number"}], "default": "1"},
        },
        "required": ["at"],
    }
    assert both["Event"] == {
        "type": "object",
        "properties": {
            "at": {"anyOf": [{"type": "string", "format": one} for one in ("date-time", "date-time-local")]},
            "price": {"type": "string", "format": "decimal"},
            "id": {"type": "integer"},
        },
        "required": ["at", "price", "id"],
    }
    assert described(Event) == {"Event": both["EventInput"]}
    assert described(sent=Event) == {"Event": both["Event"]}


def test_what_refers_to_two_meanings_has_two_itself():
    """And refers to the right one; what both sides share stays one."""
    found = described(Calendar, Calendar)
    assert [*found] == ["Calendar", "CalendarInput", "Event", "EventInput", "Simple"]
    for suffix in ("", "Input"):
        properties = found[f"Calendar{suffix}"]["properties"]
        assert properties["events"]["items"] == {"$ref": f"#/components/schemas/Event{suffix}"}
        assert properties["simple"] == {"$ref": "#/components/schemas/Simple"}


def test_a_name_for_a_body_may_be_taken():
    """Another class is called so."""
    taken: Any = dataclass(type("EventInput", (), {"__annotations__": {"a": int}, "__module__": "one"}))
    found = described(Event | taken, Event | taken)
    assert {name: [*schema["properties"]] for name, schema in found.items()} == {
        "Event": ["at", "price", "id"],
        "EventInput": ["a"],
        "EventInputInput": ["at", "price"],
    }


@pytest.mark.parametrize("kind", [datetime.time, datetime.datetime])
def test_a_time_in_a_reply_may_have_no_zone(kind):
    """RFC 3339's `time` and `date-time` have one, and naive values go out as they are."""
    name = "time" if kind is datetime.time else "date-time"

    async def it(self):
        return None

    it.__annotations__["return"] = list.__class_getitem__(kind)
    items = operation(it)["responses"]["200"]["content"][JSON]["schema"]["items"]
    assert [one["format"] for one in items["anyOf"]] == [name, f"{name}-local"]


class Shop(pydantic.BaseModel):
    """It has all that makes a model's two schemas differ."""

    item_id: int = pydantic.Field(alias="itemId")
    secret: str = pydantic.Field("x", exclude=True)
    written: int = pydantic.Field(1, serialization_alias="sent")
    read: int = pydantic.Field(1, validation_alias=pydantic.AliasChoices("first", "second"))

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        """A word for it."""
        return f"item {self.item_id}"


def test_a_model_is_described_by_its_validation_and_by_its_serialization():
    """Aliases, excluded and computed members: each side has its own."""
    found = described(Shop, Shop)
    assert shape(found["ShopInput"]) == (["itemId", "secret", "written", "first"], ["itemId"])
    assert shape(found["Shop"]) == (["itemId", "sent", "read", "label"], ["itemId", "label"])
    assert described(Part, list[Part]).keys() == {"Part"}


@pydantic.dataclasses.dataclass
class Stored:
    """A dataclass that pydantic validates."""

    name: str
    _id: int
    _role: str = "user"
    number: int = field(default=0, init=False)


def test_private_fields_of_a_dataclass_of_pydantics_are_not_listed():
    """Nor those that a body can't set; a required one it must; a model's alias may begin as it likes."""
    found = described(Stored, Stored)
    assert shape(found["StoredInput"]) == (["name", "_id"], ["name", "_id"])
    assert shape(found["Stored"]) == (["name", "number"], ["name"])
    alias: Any = pydantic.create_model("Alias", id=(int, pydantic.Field(1, alias="_id")))
    assert shape(described(alias)["Alias"]) == (["_id"], [])


class Times(pydantic.BaseModel):
    any: datetime.datetime
    aware: pydantic.AwareDatetime
    naive: pydantic.NaiveDatetime
    day: datetime.date
    time: datetime.time


class Seconds(pydantic.BaseModel, ser_json_temporal="seconds"):
    at: datetime.datetime


def test_a_models_times_in_a_reply_may_have_no_zone():
    """But for those that must have one, and those that are numbers."""
    found = described(Times, Times)
    taken = {name: one["format"] for name, one in found["TimesInput"]["properties"].items()}
    sent = {
        name: [kind["format"] for kind in one.get("anyOf", [one])] for name, one in found["Times"]["properties"].items()
    }
    assert taken == {**dict.fromkeys(("any", "aware", "naive"), "date-time"), "day": "date", "time": "time"}
    assert sent == {
        "any": ["date-time", "date-time-local"],
        "aware": ["date-time"],
        "naive": ["date-time-local"],
        "day": ["date"],
        "time": ["time", "time-local"],
    }
    assert described(sent=Seconds)["Seconds"]["properties"]["at"]["type"] == "number"


def test_a_model_within_another_record_has_two_meanings_too():
    """Wherever it stands."""

    @dataclass
    class Order:
        shop: Shop

    found = described(Order, Order)
    assert [*found] == ["Order", "OrderInput", "Shop", "ShopInput"]
    assert found["OrderInput"]["properties"]["shop"] == {"$ref": "#/components/schemas/ShopInput"}


# -- generic classes ----------------------------------------------------------------------------------


class GenericStruct(msgspec.Struct, Generic[T]):
    items: list[T]


@attrs.define
class GenericAttrs(Generic[T]):
    items: list[T]


class GenericDict(TypedDict, Generic[T]):
    items: list[T]


class GenericModel(pydantic.BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Half(Page[T], Generic[T, U]):
    other: "U | None"
    same: T


@dataclass
class Whole(Half[Crumb, int]):
    all: dict[str, "Half[int, Crumb]"]


@dataclass
class Turned(Page[list[T]], Generic[T]):
    one: T


CRUMB = {"$ref": "#/components/schemas/Crumb"}


@pytest.mark.parametrize("kind", [Page, GenericStruct, GenericAttrs, GenericDict, GenericModel])
def test_a_generic_class_is_described_with_its_arguments(kind):
    """Of whatever library, taken or sent; each argument makes another component."""
    holder: Any = dataclass(type("Holder", (), {"__annotations__": {"crumbs": kind[Crumb], "numbers": kind[int]}}))
    for found in (described(holder), described(sent=holder)):
        crumbs, numbers = (found[one["$ref"].rpartition("/")[2]] for one in found["Holder"]["properties"].values())
        assert crumbs["properties"]["items"]["items"] == CRUMB
        assert numbers["properties"]["items"]["items"] == {"type": "integer"}


def test_type_arguments_reach_the_members_of_bases():
    """Through several classes, each with variables of its own."""
    found = described(sent=Whole)
    assert {name: [*schema["properties"].values()] for name, schema in found.items() if name != "Crumb"} == {
        "Whole": [
            {"type": "array", "items": CRUMB},
            {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            CRUMB,
            {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Half_int_Crumb"}},
        ],
        "Half_int_Crumb": [
            {"type": "array", "items": {"type": "integer"}},
            {"anyOf": [CRUMB, {"type": "null"}]},
            {"type": "integer"},
        ],
    }
    lists = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
    assert [*described(sent=Turned[int])["Turned_int"]["properties"].values()] == [lists, {"type": "integer"}]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Page[int | None], "Page_int_or_None"),
        (Page[Annotated[int, pydantic.Field(ge=1)]], "Page_int"),
        (Page[Literal["a b"]], "Page_Literal_a_b"),
        (Page[Page[Crumb]], "Page_Page_Crumb"),
        (Page["list[int]"], "Page_list_int"),
        (dataclass(type("Crème brûlée", (), {})), "Cr_me_br_l_e"),
        (enum.Enum("Größe", ["S"]), "Gr__e"),
        (pydantic.create_model("Crème", x=(int, 1)), "Cr_me"),
        (msgspec.defstruct("a/b~{c}", ["x"]), "a_b__c_"),
    ],
)
def test_the_name_of_a_component(annotation, name):
    """It has the characters that a component's may have."""
    assert name in described(sent=annotation)


@dataclass
class Variadic(Generic[T, *Ts]):
    one: T
    rest: tuple[*Ts]


def test_other_variables_stay_open():
    """A record with them has a component, whatever they stand for."""
    (component,) = described(sent=Variadic[int, str, float]).values()
    assert component["properties"] == {"one": {}, "rest": {"type": "array"}}


def test_generic_classes_with_the_same_arguments_are_one():
    """Also where an argument carries metadata that can't be hashed."""
    page, again = Page[Annotated[int, {"unit": "g"}]], Page[Annotated[int, {"unit": "g"}]]
    assert page is not again
    holder: Any = dataclass(type("Holder", (), {"__annotations__": {"a": page, "b": again}}))
    assert [*described(sent=holder)] == ["Holder", "Page_int"]


def test_a_type_that_no_union_can_hold_is_described():
    """One whose metadata can't be hashed, beside another that has a status of its own."""

    async def it(self) -> Any:
        return None

    page = Page[Annotated[int, {"unit": "g"}]]
    it.__annotations__["return"] = types.GenericAlias(tuple, (int, page)) | Crumb
    assert operation(it)["responses"]["200"]["content"] == any_of("Page_int", "Crumb")


# -- members ------------------------------------------------------------------------------------------


@attrs.define
class Account:
    name: str
    _role: str = "user"
    id: int = attrs.field(init=False, default=0)
    tags: list[str] = attrs.Factory(list)
    note: str = attrs.field(default="-", metadata={"description": "What it is for"})


class Login(msgspec.Struct, rename="camel", forbid_unknown_fields=True, tag="login", kw_only=True):
    user_name: str
    _role: str = "user"
    seen: int | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] = msgspec.field(default_factory=list)
    level: Annotated[int, msgspec.Meta(ge=0)] = 1


class Row(msgspec.Struct, array_like=True):
    name: str
    size: int = 1


def test_private_members_and_those_of_the_class_alone_are_not_listed():
    """attrs: no client can set them; a reply shows what is not private."""
    found = described(Account, Account)
    assert shape(found["AccountInput"]) == (["name", "tags", "note"], ["name"])
    assert shape(found["Account"]) == (["name", "id", "tags", "note"], ["name", "id", "tags", "note"])
    assert found["AccountInput"]["properties"]["note"] == {
        "type": "string",
        "default": "-",
        "description": "What it is for",
    }


def test_members_of_a_struct():
    """By their names in JSON; the tag is one, and what is unset need not be there."""
    found = described(Login, Login)
    assert shape(found["LoginInput"]) == (["type", "userName", "seen", "tags", "level"], ["type", "userName"])
    assert found["LoginInput"]["additionalProperties"] is False
    assert found["LoginInput"]["properties"] == {
        "type": {"type": "string", "enum": ["login"]},
        "userName": {"type": "string"},
        "seen": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "level": {"type": "integer", "minimum": 0, "default": 1},
    }
    assert shape(found["Login"]) == (
        ["type", "userName", "seen", "tags", "level"],
        ["type", "userName", "tags", "level"],
    )
    assert "additionalProperties" not in found["Login"]


def test_bytes_of_a_struct_are_base64():
    """As msgspec takes them."""
    kind = msgspec.defstruct("Key", [("value", bytes), ("text", str)])
    assert described(kind)["Key"]["properties"] == {"value": {**TEXT, "contentEncoding": "base64"}, "text": TEXT}


def test_a_struct_may_be_an_array():
    """In a body; a reply that declares it has an object."""
    found = described(Row, Row)
    assert found["RowInput"] == {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "integer", "default": 1}],
        "minItems": 1,
    }
    assert shape(found["Row"]) == (["name", "size"], ["name", "size"])


def test_a_typed_dict_says_what_may_be_left_out():
    """Also where the annotation is text, and within others."""
    found = described(Written)
    assert shape(found["Written"]) == (["text", "tags", "at", "by"], ["text", "by"])


def test_enums_of_several_libraries_are_one_component():
    """A model's and ours, whichever comes first."""

    class Car(pydantic.BaseModel):
        """It is pydantic that describes it."""

        colour: Colour

    for annotations in ((Car, Colour), (Colour, Car)):
        assert described(tuple.__class_getitem__(annotations)).keys() == {"Car", "Colour"}


# -- unions -------------------------------------------------------------------------------------------


class ModelOfCat(pydantic.BaseModel):
    kind: Literal["cat", "lion"]


class ModelOfDog(pydantic.BaseModel):
    kind: Literal["dog"]


def discriminator(**names: str) -> dict[str, Any]:
    """The Discriminator Object of the member `kind`."""
    mapping = {value: f"#/components/schemas/{name}" for value, name in names.items()}
    return {"propertyName": "kind", "mapping": mapping}


STRUCTS = {
    "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
    "discriminator": discriminator(cat="Cat", dog="Dog"),
}
MODELS = {
    "oneOf": [{"$ref": "#/components/schemas/ModelOfCat"}, {"$ref": "#/components/schemas/ModelOfDog"}],
    "discriminator": discriminator(cat="ModelOfCat", lion="ModelOfCat", dog="ModelOfDog"),
}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Cat | Dog, STRUCTS),
        (Cat | Dog | None, {"anyOf": [STRUCTS, {"type": "null"}]}),
        (list[Cat | Dog], {"type": "array", "items": STRUCTS}),
        (Annotated[ModelOfCat | ModelOfDog, pydantic.Field(discriminator="kind")], MODELS),
        (Annotated[ModelOfCat | ModelOfDog, pydantic.Discriminator("kind")], MODELS),
        (
            Annotated[ModelOfCat | ModelOfDog, pydantic.Field(discriminator="kind", description="Which")],
            {**MODELS, "description": "Which"},
        ),
    ],
)
def test_a_union_names_the_member_that_tells_which_one(annotation, schema):
    """Structs with tags, and models whose Field says so; in bodies and in replies."""
    assert schema_of(annotation) == schema

    async def it(self):
        return None

    it.__annotations__["return"] = list.__class_getitem__(annotation)
    items = operation(it)["responses"]["200"]["content"][JSON]["schema"]["items"]
    assert items["discriminator" if "discriminator" in schema else next(iter(schema))] is not None
    assert {name.removesuffix("Input") for name in operation_components(annotation)} >= {"Problem"}


@pytest.mark.parametrize(
    "annotation",
    [
        Cat | Crumb,
        Annotated[ModelOfCat | ModelOfDog, pydantic.Discriminator(lambda value: value["kind"])],
        Annotated[ModelOfCat | Crumb, pydantic.Discriminator("kind")],
        Annotated[int, pydantic.Discriminator("kind")],
    ],
)
def test_a_union_without_such_a_member_has_no_discriminator(annotation):
    """It takes a name that all of them have."""
    assert "discriminator" not in schema_of(annotation)


# -- replies ------------------------------------------------------------------------------------------

HTML = {"text/html": {"schema": TEXT}}
JSON_OF_CRUMB = {JSON: {"schema": {"$ref": "#/components/schemas/Crumb"}}}


PAIR = {"type": "array", "prefixItems": [{"type": "integer"}, TEXT], "minItems": 2, "maxItems": 2}


def any_of(*names: str) -> dict[str, Any]:
    """The content of JSON that is one of these components."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {JSON: {"schema": {"anyOf": references} if len(references) > 1 else references[0]}}


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
    assert "servers" not in http(Site(), path="/openapi.json").json()
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
