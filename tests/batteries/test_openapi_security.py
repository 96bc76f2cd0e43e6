"""`micropie.openapi`: what providers need, and by which schemes clients say who they are."""

from typing import Annotated, Any

import pytest

from micropie import (
    App,
    Controller,
    Cookie,
    FromQuery,
    FromSession,
    Header,
    HttpMiddleware,
    Request,
    WebSocketMiddleware,
)
from micropie.openapi import openapi
from tests.batteries.documented import document

BEARER = {"type": "http", "scheme": "bearer"}
KEY = {"type": "apiKey", "in": "cookie", "name": "key"}


class Limits:
    @classmethod
    async def __provide__(
        cls,
        request: Request,
        limit: Annotated[int, FromQuery()] = 10,
        x_trace: Annotated[str, Header()] = "",
        user: Annotated[str, FromSession()] = "",
    ) -> int:
        return limit


class User:
    security = {"bearer": BEARER, "key": KEY}

    @classmethod
    async def __provide__(
        cls,
        request: Request,
        limits: Limits,
        authorization: Annotated[str, Header()],
        key: Annotated[str, Cookie()] = "",
    ) -> "User":
        return cls()


class Editor:
    @classmethod
    async def __provide__(cls, request: Request, user: User) -> "Editor":
        return cls()


class Site(App):
    async def me(self, user: User, limit: int = 5):
        return "me"

    async def edit(self, editor: Editor, user: User | None = None):
        return "edit"

    async def maybe(self, user: User | None):
        return "maybe"

    async def free(self, limits: Limits):
        return "free"

    async def ws_chat(self, ws, user: User):
        await ws.accept()


def operation(app: App, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document(app)["paths"][path]["get"]
    return found


def test_the_parameters_of_providers_are_the_operations():
    """Those of the providers of its providers too; what the handler takes by the same name counts."""
    found = operation(Site(), "/me")
    shown = {(one["in"], one["name"]): one["schema"].get("default") for one in found["parameters"]}
    assert shown == {("query", "limit"): 5, ("header", "x-trace"): "", ("cookie", "key"): ""}
    assert found["responses"].keys() == {"200", "400", "401", "default"}


def test_a_provider_has_security_schemes():
    """Its names are alternatives; the response 401 is there."""
    made = document(Site())
    assert made["components"]["securitySchemes"] == {"bearer": BEARER, "key": KEY}
    assert made["paths"]["/me"]["get"]["security"] == [{"bearer": []}, {"key": []}]
    assert made["paths"]["/me"]["get"]["responses"]["401"]["description"] == "Unauthorized"


def test_a_provider_behind_another_has_them_too():
    """Whoever asks for it directly may do without, the other can't."""
    assert operation(Site(), "/edit")["security"] == [{"bearer": []}, {"key": []}]


def test_a_provider_that_may_have_nothing_to_give_is_optional():
    """`| None` means that a stranger may come too."""
    assert operation(Site(), "/maybe")["security"] == [{"bearer": []}, {"key": []}, {}]


def test_what_needs_nobody_has_no_security():
    """No scheme, no 401."""
    found = operation(Site(), "/free")
    assert "security" not in found
    assert found["responses"].keys() == {"200", "400", "default"}


def test_a_provider_of_what_no_client_sends_takes_no_input():
    """No 400 for values of the session."""

    class Visitor:
        @classmethod
        async def __provide__(cls, request: Request, user: Annotated[str, FromSession()] = "") -> None: ...

    class Visits(App):
        async def index(self, visitor: Visitor):
            return "visit"

    assert operation(Visits(), "/")["responses"].keys() == {"200", "default"}


def test_a_websocket_has_security():
    """In the extension, where its parameters are too."""
    (socket,) = document(Site())["x-websockets"]
    assert socket["security"] == [{"bearer": []}, {"key": []}]
    assert [one["name"] for one in socket["parameters"]] == ["limit", "x-trace", "key"]


class Guarding(HttpMiddleware):
    security = {"basic": {"type": "http", "scheme": "basic"}}


class GuardingSockets(WebSocketMiddleware):
    security = {"ticket": {"type": "apiKey", "in": "query", "name": "ticket"}}


class Admin(Controller):
    security = {"bearer": BEARER}

    async def users(self, user: User):
        return "users"

    async def ws_log(self, ws):
        await ws.accept()

    async def security_of(self):
        return "none"


class Guarded(App):
    admin = Admin()

    async def index(self):
        return "index"

    async def security(self):
        return "a page"


def test_controllers_and_middlewares_have_schemes():
    """All that stand on the way are needed, each by one of its schemes; a handler called `security` is none."""
    app = Guarded()
    app.middlewares.append(Guarding())
    app.ws_middlewares.append(GuardingSockets())
    made = document(app)
    assert made["paths"]["/"]["get"]["security"] == [{"basic": []}]
    assert made["paths"]["/admin/users"]["get"]["security"] == [
        {"basic": [], "bearer": []},
        {"basic": [], "bearer": [], "key": []},
    ]
    assert made["x-websockets"][0]["security"] == [{"ticket": [], "bearer": []}]
    assert made["components"]["securitySchemes"].keys() == {"basic", "bearer", "key", "ticket"}


def test_two_providers_may_have_the_same_scheme():
    """It is needed once."""

    class Other:
        security = {"bearer": BEARER}

        @classmethod
        async def __provide__(cls, request: Request) -> None: ...

    class Both(App):
        async def index(self, user: User, other: Other):
            return "both"

    assert operation(Both(), "/")["security"] == [{"bearer": []}, {"key": [], "bearer": []}]


def test_alternatives_of_two_are_combined():
    """Each combination is told once."""

    class Other:
        security = {"key": KEY, "bearer": BEARER}

        @classmethod
        async def __provide__(cls, request: Request) -> None: ...

    class Both(App):
        async def index(self, user: User, other: Other):
            return "both"

    both: dict[str, list[str]] = {"bearer": [], "key": []}
    assert operation(Both(), "/")["security"] == [both, {"bearer": []}, {"key": []}]


def test_one_name_for_two_schemes_is_refused():
    """A document has one place for it."""

    class Other:
        security = {"bearer": {**BEARER, "bearerFormat": "JWT"}}

        @classmethod
        async def __provide__(cls, request: Request) -> None: ...

    class Both(App):
        async def index(self, user: User, other: Other):
            return "both"

    with pytest.raises(TypeError, match="'bearer'"):
        openapi(Both())


def test_a_header_is_what_it_was_where_nothing_says_more():
    """A handler that takes Authorization by itself."""

    class Plain(App):
        async def index(self, authorization: Annotated[str, Header()] = ""):
            return "plain"

    made = document(Plain())
    assert made["paths"]["/"]["get"]["security"] == [{"Authorization": []}, {}]
    assert made["components"]["securitySchemes"].keys() == {"Authorization"}


class ByUser(Controller):
    """Whatever is below is for users."""

    async def _before(self, user: User, x_reason: Annotated[str, Header()] = ""): ...

    async def index(self):
        return "in"

    async def ws_chat(self, ws):
        await ws.accept()


class Below(App):
    async def deep(self, number: int):
        return number


class GuardedApp(Controller):
    below = Below()

    async def _before(self, user: User | None): ...


class Branches(App):
    users = ByUser()
    more = GuardedApp()


def test_a_guards_provider_guards_its_branch():
    """Its schemes, and what it and the guard take, are those of each operation and WebSocket below."""
    made = document(Branches())
    found = made["paths"]["/users"]["get"]
    (socket,) = made["x-websockets"]
    names = [(one["in"], one["name"]) for one in found["parameters"]]
    assert found["security"] == socket["security"] == [{"bearer": []}, {"key": []}]
    assert found["responses"].keys() == {"200", "400", "401", "default"}
    assert {("header", "x-reason"), ("header", "x-trace"), ("query", "limit"), ("cookie", "key")} == {*names}
    assert {(one["in"], one["name"]) for one in socket["parameters"]} == {*names}


def test_a_guards_provider_guards_an_application_below():
    """An optional one lets strangers pass."""
    found = operation(Branches(), "/more/below/deep/{number}")
    assert found["security"] == [{"bearer": []}, {"key": []}, {}]
    assert ("cookie", "key") in {(one["in"], one["name"]) for one in found["parameters"]}
