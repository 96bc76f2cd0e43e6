"""The classes that the tests of the document describe, and what they look at in it."""

import datetime
import enum
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, NewType, NotRequired, Required, TypeVar

import attrs
import msgspec
import pydantic
from openapi_spec_validator import OpenAPIV31SpecValidator
from typing_extensions import ReadOnly, TypedDict

from micropie import (
    App,
    FromBody,
    methods,
)
from micropie.openapi import openapi

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


T = TypeVar("T")


U = TypeVar("U")


@dataclass
class Page(Generic[T]):
    items: list[T]


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


class Times(pydantic.BaseModel):
    any: datetime.datetime
    aware: pydantic.AwareDatetime
    naive: pydantic.NaiveDatetime
    day: datetime.date
    time: datetime.time


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


def operation_components(annotation: Any) -> dict[str, Any]:
    """The components that a body of this type makes."""

    @methods("POST")
    async def it(self, value):
        return value

    it.__annotations__["value"] = Annotated[annotation, FromBody()]
    found = operation(it, "post")["components"]["schemas"]
    assert isinstance(found, dict)
    return found


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


def any_of(*names: str) -> dict[str, Any]:
    """The content of JSON that is one of these components."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {JSON: {"schema": {"anyOf": references} if len(references) > 1 else references[0]}}
