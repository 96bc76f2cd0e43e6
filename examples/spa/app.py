"""A single-page front end: its files, its API, and a client in TypeScript that is generated from the API's document."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from micropie import App, Controller, HTTPError, Resource, methods
from micropie.middleware import CSRFMiddleware
from micropie.openapi import Docs, unlisted
from micropie.static import StaticFiles


@dataclass
class Draft:
    """What a client says of a pie."""

    name: Annotated[str, Len(1, 40)] = field(metadata={"example": "Apple"})
    slices: Annotated[int, Ge(1), Le(24)] = 8


@dataclass(kw_only=True)
class Pie(Draft):
    """A pie as it is kept."""

    id: int


class Pies(Resource):
    """The pies. They live in memory."""

    def __init__(self):
        self._pies, self._ids = {}, count(1)

    @methods("GET")
    async def index(self) -> list[Pie]:
        """All pies."""
        return list(self._pies.values())

    async def get(self, id: int) -> Pie:
        """One pie.

        404: There is no such pie.
        """
        return self._found(id)

    async def post(self, draft: Draft) -> tuple[Literal[201], Pie]:
        """Bake a pie."""
        pie = Pie(**vars(draft), id=next(self._ids))
        self._pies[pie.id] = pie
        return 201, pie

    async def delete(self, id: int) -> None:
        """Eat a pie.

        404: There is no such pie.
        """
        del self._pies[self._found(id).id]

    def _found(self, id):
        if id not in self._pies:
            raise HTTPError(404)
        return self._pies[id]


class Api(Controller):
    """All that is no page is below ``/api``."""

    pies = Pies()

    @unlisted
    async def index(self, *path):
        raise HTTPError(404)  # for programs: without this, a path that the API lacks would be the page's


class Site(App):
    """Whatever no handler answers is the front end's: its files, and for each of its pages the one that there is."""

    api = Api()
    docs = Docs(title="Pies", version="1.0")
    _front = StaticFiles(Path(__file__).parent / "public", fallback="index.html")

    @unlisted
    async def index(self, *path):
        return await self._front.get(*path)


# Every error as problem details: the client has a type for them.
app = Site(errors="problem")
app.middlewares.append(CSRFMiddleware())
