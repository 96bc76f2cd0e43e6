"""The application that generated clients and Schemathesis call: it has whatever makes a document rich."""

import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
import pydantic
from annotated_types import Ge, MaxLen

from micropie import (
    App,
    Controller,
    FromBody,
    Header,
    HTTPError,
    Nested,
    Request,
    Resource,
    UploadedFile,
    methods,
)
from micropie.openapi import Docs, form

T = TypeVar("T")

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


class Colour(Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Paint(msgspec.Struct, tag="paint", tag_field="kind"):
    """A coat of it."""

    colour: Colour


class Wrap(msgspec.Struct, tag="wrap", tag_field="kind"):
    """A paper."""

    layers: int = 1
    note: str | None = None


@dataclass
class Draft:
    """What a client says of an item."""

    name: Annotated[str, MaxLen(20)] = field(metadata={"example": "Kite"})
    price: Decimal
    colours: list[Colour] = field(default_factory=list)
    since: datetime.datetime | None = None


@dataclass(kw_only=True)
class Item(Draft):
    """An item as it is kept."""

    id: UUID


@dataclass
class Page(Generic[T]):
    """A part of a list."""

    items: list[T]
    total: int


class Order(pydantic.BaseModel):
    """What somebody wants."""

    item_id: UUID
    count: int = pydantic.Field(1, ge=1)
    secret: str = pydantic.Field("", exclude=True)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        """A word for it."""
        return f"{self.count} of {self.item_id}"


class Clerk:
    """Who works here."""

    security = {"bearer": {"type": "http", "scheme": "bearer"}}

    @classmethod
    async def __provide__(cls, request: Request, authorization: Annotated[str, Header()] = "") -> "Clerk":
        if authorization != "Bearer kite":
            raise HTTPError(401, headers={"WWW-Authenticate": "Bearer"})
        return cls()


@dataclass
class Tick:
    """What a stream consists of."""

    item_id: UUID
    number: int


class OutOfRangeError(HTTPError):
    """It declares its status."""

    status = 409


class Office(Controller):
    """What only clerks see of an item."""

    async def _before(self, item_id: UUID, clerk: Clerk): ...

    @methods("GET")
    async def ticks(self, item_id: UUID, count: Annotated[int, Ge(0)] = 2) -> AsyncIterator[Tick]:
        """Count.

        OutOfRangeError: There are not so many.
        """
        if count > 9:
            raise OutOfRangeError
        for number in range(count):
            yield Tick(item_id, number)


class Items(Resource):
    """What is for sale."""

    office = Nested("item_id", Office())

    def __init__(self) -> None:
        self._items: dict[UUID, Item] = {}

    @methods("GET")
    async def index(
        self, colours: list[Colour] | None = None, limit: Annotated[int, Ge(1)] = 10, most: Decimal | None = None
    ) -> Page[Item]:
        """A page of items."""
        found = [item for item in self._items.values() if not colours or {*item.colours} & {*colours}]
        found = [item for item in found if most is None or item.price <= most]
        return Page(found[:limit], len(found))

    async def get(self, id: UUID) -> Item:
        """One item.

        404: There is no such item.
        """
        if id not in self._items:
            raise HTTPError(404)
        return self._items[id]

    async def post(self, draft: Draft) -> tuple[Literal[201], Item, dict[str, str]]:
        """Add an item."""
        item = Item(**vars(draft), id=UUID(int=len(self._items) + 1))
        self._items[item.id] = item
        return 201, item, {"Location": f"/items/{item.id}"}

    async def delete(self, id: UUID) -> None:
        """Remove an item."""
        self._items.pop(id, None)


class Desk(Controller):
    """Where customers come."""

    @methods("POST")
    async def order(self, order: Order) -> tuple[Literal[202], Order]:
        """Order an item."""
        return 202, order

    @methods("POST")
    async def finish(self, finish: Paint | Wrap) -> Paint | Wrap:
        """Have it painted or wrapped."""
        return finish

    @form
    @methods("POST")
    async def login(self, user: str, password: str, remember: bool = False) -> dict[str, bool]:
        """Say who you are."""
        return {user: remember and password == "secret"}

    @methods("POST")
    async def attach(self, picture: UploadedFile, title: str = "untitled") -> dict[str, int]:
        """Send a picture."""
        return {f"{title}, {picture['filename']}": len(await picture.read())}

    @methods("PUT")
    async def store(self, data: Annotated[bytes, FromBody()]) -> dict[str, int]:
        """Store bytes."""
        return {"size": len(data)}

    @methods("GET")
    async def picture(self) -> tuple[Literal[200], Annotated[bytes, "application/octet-stream"], dict[str, str]]:
        """A picture."""
        return 200, PNG, {"Content-Type": "application/octet-stream"}

    @methods("GET")
    async def news(self) -> tuple[Literal[200], Annotated[AsyncIterator[str], "text/event-stream"], dict[str, str]]:
        """What happens."""
        return 200, _events(), {"Content-Type": "text/event-stream"}

    @methods("GET")
    async def whoami(
        self, authorization: Annotated[str, Header()] = "", x_request_id: Annotated[str | None, Header()] = None
    ) -> dict[str, str | None]:
        """What the request says of its client."""
        return {"authorization": authorization, "id": x_request_id}

    @methods("GET")
    async def now(self, zone: bool = True) -> datetime.datetime:
        """The time, with its zone or without."""
        return datetime.datetime(2030, 1, 31, 12, tzinfo=datetime.UTC if zone else None)


async def _events() -> AsyncIterator[str]:
    yield "data: one\n\n"
    yield "data: two\n\n"


class Shop(App):
    """Kites and balls."""

    items = Items()
    desk = Desk()
    docs = Docs(title="Shop", version="1.2.0")


app = Shop(surplus_path_status=404)
