"""A bookshop: users and their orders, a branch for the staff, pictures, a page with a form, a document."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Literal

from annotated_types import Ge, MaxLen

from micropie import App, Controller, Faults, Header, HTTPError, Nested, Request, Resource, UploadedFile
from micropie.openapi import Docs


@dataclass
class Book:
    """A book on the shelf."""

    id: int
    title: str
    stock: int


@dataclass
class Draft:
    """What a client says of a user."""

    name: Annotated[str, MaxLen(40)]
    email: str


@dataclass(kw_only=True)
class User(Draft):
    """A user as others see them."""

    id: int


@dataclass
class Joined(User):
    """A user, and the token to ask with."""

    token: str


@dataclass
class Wish:
    """What somebody orders."""

    book_id: int
    count: Annotated[int, Ge(1)] = 1


@dataclass(kw_only=True)
class Order(Wish):
    """An order as it is kept."""

    id: int


COVERS = Path(tempfile.mkdtemp(prefix="covers-"))


class Store:
    """All there is; a database in a real shop."""

    def __init__(self):
        self.books = {1: Book(1, "Emma", 3), 2: Book(2, "Ulysses", 0)}
        self.users = {1: User(name="root", email="root@shop.example", id=1)}
        self.tokens = {"Bearer root": 1}
        self.orders = {}

    @classmethod
    async def __provide__(cls, request: Request) -> "Store":
        return STORE


STORE = Store()


class Token:
    """Who asks, by the token that joining gave."""

    security = {"bearer": {"type": "http", "scheme": "bearer"}}

    @classmethod
    async def __provide__(cls, request: Request, store: Store, authorization: Annotated[str, Header()] = "") -> User:
        if authorization not in store.tokens:
            raise HTTPError(401, headers={"WWW-Authenticate": "Bearer"})
        return store.users[store.tokens[authorization]]


Me = Annotated[User, Token]


class OutOfStockError(HTTPError):
    """There are too few of a book."""

    status = 409
    title = "Out of stock"


class Orders(Resource):
    """The orders of one user, for that user."""

    async def _before(self, user_id: int, me: Me):
        if me.id != user_id:
            raise HTTPError(403)

    async def index(self, user_id: int, store: Store) -> list[Order]:
        """All orders."""
        return store.orders.get(user_id, [])

    async def get(self, user_id: int, id: int, store: Store) -> Order:
        """One order.

        404: There is no such order.
        """
        for order in store.orders.get(user_id, []):
            if order.id == id:
                return order
        raise HTTPError(404)

    async def post(self, user_id: int, wish: Wish, store: Store) -> tuple[Literal[201], Order]:
        """Order a book.

        OutOfStockError: There are too few.
        """
        book = store.books.get(wish.book_id)
        if book is None or book.stock < wish.count:
            raise OutOfStockError(f"{book.stock if book else 0} left", extensions={"left": book.stock if book else 0})
        book.stock -= wish.count
        mine = store.orders.setdefault(user_id, [])
        mine.append(Order(**vars(wish), id=len(mine) + 1))
        return 201, mine[-1]


class Users(Resource):
    """Who buys."""

    orders = Nested("user_id", Orders())

    async def get(self, id: int, store: Store) -> User:
        """One user.

        404: There is no such user.
        """
        if id not in store.users:
            raise HTTPError(404)
        return store.users[id]

    async def post(self, draft: Draft, store: Store) -> tuple[Literal[201], Joined]:
        """Join."""
        user = Joined(**vars(draft), id=len(store.users) + 1, token=token_urlsafe())
        store.users[user.id] = user
        store.tokens[f"Bearer {user.token}"] = user.id
        return 201, user


class Covers(Resource):
    """Pictures of books."""

    async def put(self, id: int, picture: UploadedFile, store: Store) -> dict[str, int]:
        """Keep the cover of a book."""
        if id not in store.books:
            raise HTTPError(404)
        return {"size": await picture.save(COVERS / str(id))}


class Admin(Controller):
    """For root alone."""

    covers = Covers()

    async def _before(self, me: Me):
        if me.name != "root":
            raise HTTPError(403)

    async def sales(self, store: Store) -> AsyncIterator[Order]:
        """Stream all orders."""
        for orders in store.orders.values():
            for order in orders:
                yield order


class Feedback(Resource):
    """A page with a form."""

    async def get(self) -> str:
        """The form."""
        return await self._render_template("feedback.html", faults=Faults())

    async def post(self, faults: Faults, email: str, stars: Annotated[int, Ge(1)]):
        """Take it, or show it again.

        303: It was taken.
        """
        if faults:
            return 422, await self._render_template("feedback.html", faults=faults)
        return self._redirect("/", status=303)


class Bookshop(App):
    """Buys and sells books."""

    users = Users()
    admin = Admin()
    feedback = Feedback()
    docs = Docs(title="Bookshop", version="1.0")

    async def index(self, store: Store) -> list[Book]:
        """All books."""
        return list(store.books.values())


app = Bookshop(templates=Path(__file__).with_name("templates"), surplus_path_status=404)
