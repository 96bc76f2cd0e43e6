"""Guards ask for providers too: `_before(self, user: CurrentUser)`, once a request, for the whole branch."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from micropie import App, Controller, Faults, Header, HTTPError, Mount, Nested, Request, WebSocket, routes
from micropie.testing import TestClient
from tests.client import http
from tests.wire import websocket

if TYPE_CHECKING:
    from somewhere import Elsewhere  # type: ignore[import-not-found]

events: list[str] = []


@pytest.fixture(autouse=True)
def _no_events():
    events.clear()


class Database:
    @classmethod
    async def __provide__(cls, request: Request) -> AsyncIterator["Database"]:
        events.append("open")
        try:
            yield cls()
        finally:
            events.append("closed")


class CurrentUser:
    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    async def __provide__(
        cls, request: Request, db: Database, authorization: Annotated[str, Header()] = ""
    ) -> "CurrentUser":
        if not authorization:
            raise HTTPError(401)
        return cls(authorization)


class Admin(Controller):
    async def _before(self, user_id: int, user: CurrentUser, x_reason: Annotated[str, Header()] = "none"):
        events.append(f"{user.name} sees {user_id} for {x_reason}")
        if user.name != "root":
            raise HTTPError(403)
        self.request.state.user = user

    async def me(self, user_id: int, user: CurrentUser, db: Database):
        return [user_id, user.name, user is self.request.state.user]

    async def ws_chat(self, ws: WebSocket, user_id: int, user: CurrentUser):
        await ws.accept()
        await ws.send_text(user.name)


class Site(App):
    admin = Nested("user_id", Admin())


ROOT = {"Authorization": "root"}


def test_a_guard_asks_for_a_provider():
    """Guard and handler get one value; what was opened for it is closed behind the handler."""
    assert http(Site(), path="/7/admin/me", headers=ROOT).json() == [7, "root", True]
    assert events == ["open", "root sees 7 for none", "closed"]


@pytest.mark.parametrize(
    ("path", "name", "status"),
    [("me", "", 401), ("me", "ann", 403), ("nowhere", "", 401), ("nowhere", "ann", 403), ("nowhere", "root", 404)],
)
def test_it_refuses_for_the_whole_branch(path, name, status):
    """Paths that lead nowhere included; what was open is closed."""
    reply = http(Site(), path=f"/7/admin/{path}", query="user=root", headers={"Authorization": name})
    assert reply.status_code == status
    assert (events[0], events[-1]) == ("open", "closed")


def test_a_guard_of_websockets_asks_too():
    """Refused, or let in."""
    assert websocket(Site(), "/7/admin/chat", headers=[("Authorization", "root")]).sent == ["root"]
    assert websocket(Site(), "/7/admin/chat", headers=[("Authorization", "ann")]).accepted is False
    assert events[-1] == "closed"


def test_a_guard_in_front_of_a_mount():
    """What it opened is open while the mounted application answers."""

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        events.append("mounted")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"there"})

    class Branch(Controller):
        files = Mount(mounted)

        async def _before(self, user: CurrentUser): ...

    class Mounting(App):
        branch = Branch()

    assert http(Mounting(), path="/branch/files/x").status_code == 401
    events.clear()
    assert http(Mounting(), path="/branch/files/x", headers=ROOT).text == "there"
    assert events == ["open", "mounted", "closed"]


def test_a_test_gives_a_guard_another_value():
    """As it does to handlers."""
    with TestClient(Site(), provide={CurrentUser: CurrentUser("root")}) as client:
        assert client.get("/7/admin/me").json() == [7, "root", True]


def test_what_only_a_type_checker_knows_fills_no_guard():
    """A client can't either: the application is not made; a default stays what it is."""

    class Unknown(Controller):
        async def _before(self, user: "Elsewhere"): ...

    with pytest.raises(TypeError, match="takes 'user', which nothing fills"):
        type("Made", (App,), {"branch": Unknown()})()

    class Default(Controller):
        async def _before(self, user: "Elsewhere" = None):
            events.append(repr(user))

        async def index(self):
            return "in"

    class Made(App):
        branch = Default()

    assert http(Made(), path="/branch", query="user=root").text == "in"
    assert events == ["None"]


def test_a_guard_takes_no_faults():
    """The handler's values are looked at behind it: there are none to tell of."""

    class Branch(Controller):
        async def _before(self, faults: Faults): ...

    with pytest.raises(TypeError, match="takes 'faults', which nothing fills"):
        type("Made", (App,), {"branch": Branch()})()


def test_a_circle_of_a_guards_provider_is_an_error():
    """It is told when the application is made."""

    class Circle:
        @classmethod
        async def __provide__(cls, request: Request, again: "Circle") -> None: ...

    Circle.__provide__.__func__.__annotations__["again"] = Circle  # type: ignore[attr-defined]

    class Branch(Controller):
        async def _before(self, circle: Circle): ...

    with pytest.raises(TypeError, match="in a circle"):
        type("Made", (App,), {"branch": Branch()})()


def test_routes_have_what_guards_ask_for():
    """Their providers come first, with what those ask for; their parameters are apart from the handler's."""
    route = next(one for one in routes(Site()) if one.name == "admin.me")
    assert [one.kind for one in route.providers] == [Database, CurrentUser]
    assert [one.name for one in route.guard_parameters] == ["user", "x_reason"]
    assert [one.name for one in route.parameters] == ["user_id", "user", "db"]
