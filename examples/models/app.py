"""The same orders as pydantic models and as msgspec structs: what each checks, refuses, hides and says of itself.

Dataclasses do without a package (`todo_api`, `bookshop`). pydantic has the most rules and the best known ones, msgspec
is the fastest and strictest. One application may have them all; a handler has nothing but its annotations.
"""

from datetime import date
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
import pydantic
from annotated_types import Ge, Le
from pydantic.alias_generators import to_camel

from micropie import App, FromQuery, HTTPError, Resource, methods
from micropie.openapi import Docs, form

T = TypeVar("T")


class Size(Enum):
    """How many it is for."""

    SMALL = "small"
    LARGE = "large"


# pydantic: names for clients differ from ours, a field is computed, another never shown, rules of our own.


class Pickup(pydantic.BaseModel):
    """The guest comes."""

    kind: Literal["pickup"]


class Delivery(pydantic.BaseModel):
    """We come."""

    kind: Literal["delivery"]
    street: str = pydantic.Field(min_length=3)


class PieOrder(pydantic.BaseModel):
    """An order; clients know its members by camelCase."""

    model_config = pydantic.ConfigDict(alias_generator=to_camel, validate_by_name=True, str_strip_whitespace=True)

    pie_name: str = pydantic.Field(min_length=1, examples=["Apple"])
    size: Size = Size.SMALL
    price: Decimal = pydantic.Field(gt=0, decimal_places=2)
    pieces: int = pydantic.Field(1, ge=1, le=20)
    wanted_on: date | None = None
    how: Pickup | Delivery = pydantic.Field(discriminator="kind")
    coupon: str = pydantic.Field("", exclude=True)  # clients send it, and never see it again

    @pydantic.computed_field
    @property
    def total(self) -> Decimal:
        """What all pieces cost."""
        return self.price * self.pieces

    @pydantic.field_validator("pie_name")
    @classmethod
    def is_no_mud(cls, name):
        if name.lower() == "mud":
            # A 400 that names the member. These words stay here, as they may hold what a client has sent; to tell more,
            # take a parameter of the type `Faults` and add your own.
            raise ValueError("we bake none of it")
        return name


# msgspec: the union's tag is the class's business, constraints are metadata, what is private stays so.


class Cash(msgspec.Struct, tag="cash"):
    """By the door."""


class Card(msgspec.Struct, tag="card"):
    """Before."""

    last_digits: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")]


class Payment(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """How an order is paid; a member that there is not is refused, a misspelt one say."""

    order_id: Annotated[int, msgspec.Meta(ge=1)]
    amount: Decimal
    by: Cash | Card = msgspec.field(default_factory=Cash)
    _checked_by: str = "nobody"  # no client sets it, none sees it


class Page(msgspec.Struct, Generic[T]):
    """A part of a list, of whatever is in it."""

    items: list[T]
    total: int


class Window(msgspec.Struct):
    """A record may take the query as well: all lists have the same two fields."""

    # msgspec does not know the constraints of annotated_types, and lets them pass without a word.
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10


class Orders(Resource):
    """``/orders``: pydantic."""

    def __init__(self):
        self._orders = {}
        self._numbers = count(1)

    async def post(self, order: PieOrder) -> tuple[Literal[201], PieOrder, dict[str, str]]:
        """Order a pie, by JSON or by a form."""
        number = next(self._numbers)
        self._orders[number] = order
        return 201, order, {"Location": f"/orders/{number}"}

    async def get(self, number: int) -> PieOrder:
        """One order, as clients may see it.

        404: There is no such order.
        """
        if number not in self._orders:
            raise HTTPError(404)
        return self._orders[number]


class Payments(Resource):
    """``/payments``: msgspec."""

    def __init__(self):
        self._payments = []

    @methods("GET")
    async def index(self, window: Annotated[Window, FromQuery()]) -> Page[Payment]:
        """Some of the payments."""
        end = window.offset + window.limit
        return Page(self._payments[window.offset : end], len(self._payments))

    async def post(self, payment: Payment) -> tuple[Literal[201], Payment]:
        """Pay."""
        self._payments.append(payment)
        return 201, payment

    @form
    @methods("POST")
    async def split(self, amount: Decimal, guests: Annotated[int, Ge(1), Le(20)]) -> dict[str, Decimal]:
        """Say what each guest pays: single parameters have types and limits, too."""
        return {"each": round(amount / guests, 2)}


class Shop(App):
    """Orders and payments, with a document at ``/docs`` that has all the rules above."""

    orders = Orders()
    payments = Payments()
    docs = Docs(title="Models", version="1.0")


app = Shop(surplus_path_status=404, errors="problem")
