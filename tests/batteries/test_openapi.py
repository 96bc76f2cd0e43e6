"""`micropie.openapi`: the document, read from the routes; and what serves it."""

import datetime
import enum
import functools
import json
import threading
import typing
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NewType, NotRequired, TypedDict, TypeVar
from uuid import UUID

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from typing_extensions import TypeAliasType, deprecated

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
    Request,
    Resource,
    UploadedFile,
    methods,
    url_for,
)
from micropie.openapi import Docs, openapi, unlisted
from tests.client import http
from tests.wire import wire

PROBLEM = {"$ref": "#/components/schemas/Problem"}


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


@attrs.define
class Thing:
    weight: int


class Model(pydantic.BaseModel):
    age: int = pydantic.Field(ge=0)
    part: "Part | None" = None


class Part(pydantic.BaseModel):
    name: str


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


def test_a_dataclass_is_json_and_where_a_form_can_say_it_a_form():
    """In a form nothing is null, and what must be there is not blank."""

    @dataclass
    class Flat:
        name: str
        due: datetime.date | None = None
        tags: list[str] = field(default_factory=list)

    @methods("POST")
    async def it(self, flat: Flat):
        return None

    found = operation(it, "post")
    assert found["requestBody"] == {
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Flat"}},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "maxLength": 0}]},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["name"],
                }
            },
        },
        "required": True,
    }
    assert found["components"]["schemas"]["Flat"]["properties"]["due"] == {
        "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]
    }


@pytest.mark.parametrize("annotation", [Pie, list[Crumb], Model, Struct, dict[str, int], int])
def test_what_no_form_can_say_is_json_only(annotation):
    """Members within members, lists of them."""

    @methods("POST")
    async def it(self, value):
        return None

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    assert [*operation(it, "post")["requestBody"]["content"]] == ["application/json"]


def test_parameters_of_a_body_are_a_form_or_an_object():
    """The form comes first."""

    @methods("POST")
    async def it(self, username: str, age: int = 3):
        return username

    body = operation(it, "post")["requestBody"]
    assert [*body["content"]] == ["application/x-www-form-urlencoded", "application/json"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {"username": {"type": "string"}, "age": {"type": "integer", "default": 3}},
        "required": ["username"],
    }


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


def test_a_form_can_say_one_text_or_another():
    """Alternatives that are no objects."""

    @dataclass
    class Either:
        size: int | Literal["all"]

    @methods("POST")
    async def it(self, either: Either):
        return None

    form = operation(it, "post")["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    either = {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["all"]}]}
    assert form == {"type": "object", "properties": {"size": either}, "required": ["size"]}


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
        (str, {"text/plain": {"schema": {"type": "string"}}}),
        (bytes, {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}),
    ],
)
def test_a_body_may_be_taken_as_it_is(annotation, content):
    """A text, or bytes."""

    @methods("POST")
    async def it(self, value):
        return value

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    assert operation(it, "post")["requestBody"] == {"content": content, "required": True}


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
    assert body["application/json"]["schema"] == {"allOf": both}
    assert body["application/x-www-form-urlencoded"]["schema"]["required"] == ["weight", "text"]


# -- schemas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (Any, {}),
        (object, {}),
        (Decimal, {"type": "string", "format": "decimal"}),
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
Numbers = TypeAliasType("Numbers", list[int])
Several = TypeAliasType("Several", list[T], type_params=(T,))


@dataclass
class Page(Generic[T]):
    items: list[T]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, annotated_types.Ge(1)], {"type": "integer", "minimum": 1}),
        (Numbers, {"type": "array", "items": {"type": "integer"}}),
        (Several[int], {}),
        (T, {}),
        (Page[int], {"$ref": "#/components/schemas/Page"}),
        (UserId, {"type": "integer"}),
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
    found = operation_components(tuple.__class_getitem__((first, second, third, first)))
    assert {name: [*one["properties"]] for name, one in found.items() if name != "Problem"} == {
        "Crumb": ["a"],
        "two.Crumb": ["b"],
        "three.Crumb": ["c"],
    }


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
        (StrangeStruct, {"description": "It has a default without a form in JSON."}),
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


# -- replies ------------------------------------------------------------------------------------------

JSON_OF_CRUMB = {"application/json": {"schema": {"$ref": "#/components/schemas/Crumb"}}}


@pytest.mark.parametrize(
    ("returns", "replies"),
    [
        (Crumb, {"200": JSON_OF_CRUMB}),
        (Crumb | None, {"200": JSON_OF_CRUMB, "204": None}),
        (None, {"204": None}),
        (str, {"200": {"text/html": {"schema": {"type": "string"}}}}),
        (bytes, {"200": {"*/*": {}}}),
        (AsyncIterator[str], {"200": {"*/*": {}}}),
        (dict[str, Any], {"200": {"application/json": {"schema": {"type": "object", "additionalProperties": {}}}}}),
        (tuple[int, Crumb], {"200": JSON_OF_CRUMB}),
        (tuple[int, Crumb, dict[str, str]], {"200": JSON_OF_CRUMB}),
        (tuple[int, str, dict[str, str]], {"200": {"*/*": {}}}),
        (tuple[int, None], {"200": None}),
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
