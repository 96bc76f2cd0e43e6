"""Programs with annotations, in the ways that users write them: mypy checks this module too, in strict mode."""

from collections.abc import Awaitable, Callable
from typing import Any, assert_type

import pytest

from micropie import (
    App,
    Controller,
    HttpMiddleware,
    Mount,
    Reply,
    Request,
    Service,
    WebSocket,
    WebSocketMiddleware,
    WebSocketRequest,
    after_reply,
    url_for,
)
from micropie.auth import BearerAuth
from micropie.testing import TestClient
from tests.client import http, run


class Plain(HttpMiddleware, WebSocketMiddleware):
    def before_request(self, request: Request) -> dict[str, Any] | None:
        return {"status_code": 202, "body": "plain"} if request.query("answer") else None

    def after_request(
        self, request: Request, status_code: int, response_body: Any, extra_headers: list[tuple[str, str]]
    ) -> None:
        extra_headers.append(("x-hook", "plain"))

    def before_websocket(self, request: WebSocketRequest) -> dict[str, Any] | None:
        request.state.hook = "plain"
        return None

    def after_websocket(self, request: WebSocketRequest) -> None:
        """Do nothing."""


class Waiting(HttpMiddleware, WebSocketMiddleware):
    async def before_request(self, request: Request) -> dict[str, Any] | None:
        await super().before_request(request)
        return {"status_code": 202, "body": "waiting"} if request.query("answer") else None

    async def after_request(
        self, request: Request, status_code: int, response_body: Any, extra_headers: list[tuple[str, str]]
    ) -> None:
        extra_headers.append(("x-hook", "waiting"))

    async def before_websocket(self, request: WebSocketRequest) -> None:
        request.state.hook = "waiting"

    async def after_websocket(self, request: WebSocketRequest) -> None:
        await super().after_websocket(request)


class Hooked(App):
    async def index(self) -> str:
        return "index"

    async def ws_index(self, ws: WebSocket) -> None:
        await ws.accept()
        await ws.send(self.request.state.hook)


@pytest.mark.parametrize(("hooks", "name"), [(Plain(), "plain"), (Waiting(), "waiting")])
def test_hooks_with_annotations_are_async_or_plain(hooks: Plain | Waiting, name: str) -> None:
    """A middleware's hooks are `async def` or plain, and the result is annotated in either."""
    app = Hooked()
    app.middlewares.append(hooks)
    with TestClient(app) as client:
        assert client.get("/").headers["x-hook"] == name
        assert client.get("/?answer=yes").text == name
        with client.websocket("/") as ws:
            assert ws.receive_text() == name


def test_guards_with_annotations_are_async_plain_or_objects() -> None:
    """A controller's `_before` has parameters of its own, or is a guard that is ready; `_after` may be plain."""

    class ByParameter(Controller):
        def _before(self, request: Request) -> tuple[int, str] | None:
            return (403, "no") if request.query("refused") else None

        def _after(self, reply: Reply) -> None:
            reply.status = 203

        async def index(self) -> str:
            return "in"

    class ByObject(Controller):
        _before = BearerAuth(lambda token: token == "token")

        async def index(self) -> str:
            return "in"

    class Site(App):
        parameter = ByParameter()
        object = ByObject()

    assert http(Site(), "GET", "/parameter").status_code == 203
    assert http(Site(), "GET", "/parameter", query="refused=yes").text == "no"
    assert http(Site(), "GET", "/object").status_code == 401
    assert http(Site(), "GET", "/object", headers={"Authorization": "Bearer token"}).text == "in"


def test_the_check_of_a_service_is_async_or_plain() -> None:
    """It may say False in place of raising."""

    class Mails(Service):
        def check(self) -> bool:
            return False

    class News(Service):
        async def check(self) -> None:
            await super().check()

    assert Mails().check() is False
    assert run(News().check()) is None


def test_fields_are_texts_or_the_default() -> None:
    """`header`, `query` and `form` give a text; without one None, or what was said instead."""

    class Site(App):
        async def index(self) -> list[object]:
            request = self.request
            header, host = assert_type(request.header("x-a"), str | None), assert_type(request.header("host", ""), str)
            query, page = assert_type(request.query("q"), str | None), assert_type(request.query("page", 1), str | int)
            form, name = assert_type(request.form("f"), str | None), assert_type(request.form("name", "Ann"), str)
            return [header, bool(host), query, page, form, name]

    assert http(Site(), query="q=x").json() == [None, True, "x", 1, None, "Ann"]


def test_what_after_reply_calls_gets_its_arguments() -> None:
    """Too few, or of other types, are an error to the type checker."""
    called: list[tuple[str, int]] = []

    def note(item: str, number: int = 1) -> None:
        called.append((item, number))

    class Site(App):
        async def index(self) -> str:
            after_reply(note, "pie", 2)
            after_reply(note, "tart")
            if self.request.query("wrong"):
                after_reply(note, 2)  # type: ignore[arg-type]
            return "done"

    assert http(Site()).text == "done"
    assert called == [("pie", 2), ("tart", 1)]


def test_any_asgi_application_is_mounted() -> None:
    """Its scope, messages and `receive` may have types of its own, as those of asgiref and a2wsgi have."""

    async def other(
        scope: dict[str, str], receive: Callable[[], Awaitable[dict[str, bytes]]], send: Callable[..., Awaitable[None]]
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"other"})

    class Site(App):
        below = Mount(other)

    assert http(Site(), "GET", "/below").text == "other"


def test_words_of_the_settings_are_known() -> None:
    """Others are an error to the type checker, as they are when the application is made."""
    with pytest.raises(ValueError, match="errors='problems'"):
        App(errors="problems")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="session_cookie_samesite='lax'"):
        App(session_cookie_samesite="lax")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="session_cookie_secure='yes'"):
        App(session_cookie_secure="yes")  # type: ignore[arg-type]


def test_url_for_takes_what_has_a_url() -> None:
    """A handler, a controller or a mount; the name of a method is an error to the type checker."""

    class Pies(Controller):
        async def index(self) -> str:
            return url_for(self.index)

    class Site(App):
        pies = Pies()

        async def index(self) -> list[str]:
            with pytest.raises(LookupError, match="'index'"):
                url_for("index")  # type: ignore[arg-type]
            return [url_for(self.index), url_for(self.pies), url_for(self.pies.index)]

    app = Site()
    with TestClient(app) as client:
        assert client.get(app.index).json() == ["/", "/pies", "/pies"]
        assert client.get(app.pies).text == client.get("/pies").text == "/pies"
