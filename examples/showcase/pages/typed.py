"""A typed API of pies: what does not fit is refused before a handler runs, and the document writes itself."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

import store
from micropie import Controller, HTTPError, Resource, url_for
from pages.page import Page

Allergen = Literal["gluten", "milk", "nuts"]
Id = Annotated[int, Ge(1), Le(2**63 - 1)]  # more is no number for SQLite


@dataclass
class Draft:
    """What a client says of a pie."""

    name: Annotated[str, MinLen(1), MaxLen(40)]
    slices: Annotated[int, Ge(2), Le(16)] = 8
    price: Annotated[Decimal, Gt(0)] = Decimal("18.50")
    contains: Annotated[list[Allergen], MaxLen(3)] = field(default_factory=list)


@dataclass(kw_only=True)
class Pie(Draft):
    """A pie as it is kept."""

    id: int


class Pies(Resource):
    """The shop's pies. These handlers block, so each runs in a thread."""

    def index(self) -> list[Pie]:
        """All pies, the newest first."""
        return store.records("pies")

    def get(self, id: Id) -> Pie:
        """One pie.

        404: There is no such pie.
        """
        pie = store.record("pies", id)
        if pie is None:
            raise HTTPError(404, "No such pie")
        return pie

    def post(self, pie: Draft) -> tuple[Literal[201], Pie, dict[str, str]]:
        """Bake a pie.

        201: The pie, and in `Location` where it is.
        """
        baked = store.add("pies", pie)
        return 201, baked, {"Location": url_for(self.get, baked["id"])}

    def delete(self, id: Id) -> None:
        """Eat a pie.

        404: There is no such pie.
        """
        if not store.remove("pies", id):
            raise HTTPError(404, "No such pie")


class Api(Controller):
    """For programs: /api/pies."""

    pies = Pies()


class Typed(Page):
    """The page about it."""

    template = "typed.html"
    title = "Typed"
    lead = "Annotations are the contract. All faults of a request are told at once; the explorer reads the same."
    shown = (Draft, Pies)
