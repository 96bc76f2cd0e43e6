"""A shopping list with htmx: handlers answer with pieces of the page, and without JavaScript with the whole of it."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated

from annotated_types import MaxLen

from micropie import App, Faults, Header, HTTPError, Resource, methods
from micropie.middleware import CSRFMiddleware
from micropie.static import StaticFiles

HERE = Path(__file__).parent
FromHtmx = Annotated[bool, Header("hx-request")]  # htmx sends `HX-Request: true` with whatever it asks


@dataclass
class Item:
    """A line of the list."""

    id: int
    text: str
    done: bool = False


class Items(Resource):
    """The list, at ``/items``. It lives in memory."""

    def __init__(self):
        self._ids = count(1)
        self._items = {}

    @methods("GET")
    async def index(self, q="", *, hx_request: FromHtmx = False):
        return await self._shown(Faults(), q, part=hx_request)

    async def post(self, faults: Faults, text: Annotated[str, MaxLen(60)], *, hx_request: FromHtmx = False):
        if faults:
            # htmx takes the form out of it, with what was typed and what is wrong with it.
            return 422, await self._shown(faults, part=hx_request)
        item = Item(next(self._ids), text)
        self._items[item.id] = item
        if not hx_request:
            return self._redirect("/items", status=303)
        return 201, await self._shown(Faults(), part=True)

    async def patch(self, id: int):
        item = self._found(id)
        item.done = not item.done
        return await self._render_template("changed.html", item=item, count=self._left(), part=True)

    async def delete(self, id: int):
        del self._items[self._found(id).id]
        # The line goes by `hx-swap="delete"`; what comes back is the count, which htmx puts in its place "out of band".
        return await self._render_template("count.html", count=self._left(), part=True)

    async def _shown(self, faults, q="", *, part):
        items = [item for item in self._items.values() if q.lower() in item.text.lower()]
        name = "items.html" if part else "page.html"
        return await self._render_template(name, items=items, q=q, faults=faults, count=self._left(), part=part)

    def _left(self):
        return sum(not item.done for item in self._items.values())

    def _found(self, id):
        if id not in self._items:
            raise HTTPError(404)
        return self._items[id]


class Site(App):
    """``/`` leads to the list."""

    items = Items()
    static = StaticFiles(HERE / "static")

    def __init__(self):
        super().__init__(templates=HERE / "templates", surplus_path_status=404)
        # It looks at the headers that browsers send by themselves, so neither forms nor htmx need a token.
        self.middlewares.append(CSRFMiddleware())

    def _template_context(self):
        return {"static": self.static, "list": self.items}

    async def index(self):
        return self._redirect("/items")


app = Site()
