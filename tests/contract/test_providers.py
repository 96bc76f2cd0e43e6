"""Providers: a parameter whose type has `__provide__` gets what that makes, once a request."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import pytest

from micropie import (
    App,
    Controller,
    Cookie,
    Faults,
    FromBody,
    FromPath,
    FromQuery,
    FromSession,
    Header,
    HTTPError,
    HttpMiddleware,
    Mount,
    Request,
    Session,
    UploadedFile,
    WebSocket,
    WebSocketRequest,
    methods,
)
from micropie.testing import TestClient, WebSocketRefused
from tests.client import http, visitor
from tests.wire import websocket, wire

events: list[str] = []


@pytest.fixture(autouse=True)
def _no_events():
    events.clear()


class Database:
    """What an async generator yields, closed when the reply was sent."""

    def __init__(self, user: str) -> None:
        self.user = user

    @classmethod
    async def __provide__(cls, request: Request) -> AsyncIterator["Database"]:
        events.append("open")
        try:
            yield cls(request.query("user", "nobody"))
        except BaseException as error:
            events.append(f"rolled back: {type(error).__name__}")
            raise
        else:
            events.append("committed")
        finally:
            events.append("closed")


@dataclass
class CurrentUser:
    """A record that providers make is none of the body's."""

    name: str

    @classmethod
    async def __provide__(
        cls, request: Request, db: Database, authorization: Annotated[str, Header()] = ""
    ) -> "CurrentUser":
        if not authorization:
            raise HTTPError(401, "Who are you?", {"WWW-Authenticate": "Bearer"})
        return cls(f"{authorization} of {db.user}")


class Site(App):
    async def user(self, user: CurrentUser):
        events.append("handler")
        return user

    async def both(self, db: Database, user: CurrentUser, again: Database):
        return [db is again, user.name]

    async def fail(self, db: Database):
        raise RuntimeError("oven")

    async def refuse(self, db: Database):
        raise HTTPError(409)

    async def stream(self, db: Database, count: int = 2):
        for number in range(count):
            events.append(f"chunk {number}")
            yield f"{db.user}{number}"

    async def broken_stream(self, db: Database):
        yield "a"
        raise RuntimeError("midway")

    async def refused_stream(self, db: Database):
        if db.user == "nobody":
            raise HTTPError(410)
        yield "a"

    async def forever(self, db: Database):
        while True:
            yield "a" * 1000
            await asyncio.sleep(0)

    async def slow(self, db: Database):
        await asyncio.sleep(10)

    def in_thread(self, db: Database, *, number: int = 1):
        return f"{db.user} {number}"

    async def optional(self, db: Database | None, number: int):
        return [db is None, number]

    async def unusable(self, db: Database):
        return object()

    async def ws_chat(self, ws: WebSocket, db: Database, room: str = "hall"):
        await ws.accept()
        await ws.send_text(f"{db.user} in {room}")
        while message := await ws.receive_text():
            if message == "fail":
                raise RuntimeError("oven")
            await ws.send_text(f"{db.user}: {message}")

    async def ws_members(self, ws: WebSocket, user: CurrentUser):
        await ws.accept()


WHOLE = ["open", "committed", "closed"]
ANN = {"Authorization": "Ann"}


def test_a_parameter_gets_what_its_type_provides():
    """With what the provider asks for itself; what it opened is closed behind the handler."""
    assert http(Site(), path="/user", query="user=x", headers=ANN).json() == {"name": "Ann of x"}
    assert events == ["open", "handler", "committed", "closed"]


def test_a_value_is_made_once_a_request():
    """Wherever it is asked for, it is the same."""
    assert http(Site(), path="/both", headers=ANN).json() == [True, "Ann of nobody"]
    assert events == WHOLE


def test_a_provider_may_refuse():
    """Its `HTTPError` answers; the handler never runs; what was open is told and closed."""
    reply = http(Site(), path="/user")
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert events == ["open", "rolled back: HTTPError", "closed"]


def test_a_client_can_not_fill_it():
    """No segment, query, form or JSON of its name counts."""
    assert http(Site(), path="/user", query="user=root").status_code == 401
    assert http(Site(), "POST", "/user", json={"user": {"name": "root"}, "name": "root"}).status_code == 401
    assert http(Site(surplus_path_status=404), path="/user/root", headers=ANN).status_code == 404


@pytest.mark.parametrize(("path", "error"), [("/fail", "RuntimeError"), ("/refuse", "HTTPError")])
def test_a_provider_is_told_of_what_the_handler_raises(path, error):
    """It is raised at the `yield`."""
    assert http(Site(), path=path).status_code in (500, 409)
    assert events == ["open", f"rolled back: {error}", "closed"]


def test_an_unusable_result_is_told():
    """What becomes a 500 is no success."""
    assert http(Site(), path="/unusable").status_code == 500
    assert events[1:] == ["rolled back: UnusableResult", "closed"]


def test_a_stream_has_it_to_its_end():
    """It is closed when the last chunk was sent."""
    assert http(Site(), path="/stream", query="user=x").text == "x0x1"
    assert events == ["open", "chunk 0", "chunk 1", "committed", "closed"]


def test_a_stream_that_breaks_is_told():
    """In the middle, and before its first chunk."""
    with pytest.raises((RuntimeError, ConnectionError)):
        http(Site(), path="/broken_stream")
    assert events == ["open", "rolled back: RuntimeError", "closed"]
    events.clear()
    assert http(Site(), path="/refused_stream").status_code == 410
    assert events == ["open", "rolled back: HTTPError", "closed"]


def test_a_client_that_leaves_a_stream_closes_it():
    """The generator ends with the stream."""
    with visitor(Site()) as client, client.stream("GET", "/forever") as reply:
        next(iter(reply.iter_bytes()))
    assert events[0] == "open"
    assert events[-1] == "closed"


def test_a_cancelled_request_closes_it():
    """As servers cancel those that take too long to end."""

    async def main():
        app = Site()
        sent: list[Any] = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/slow", "headers": []}
        task = asyncio.create_task(app(scope, receive, send))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sent == []

    asyncio.run(main())
    assert events == ["open", "rolled back: CancelledError", "closed"]


def test_a_sync_handler_and_keywords_get_it():
    """Beside other parameters."""
    assert http(Site(), path="/in_thread", query="user=x&number=3").text == "x 3"
    assert events == WHOLE


def test_an_optional_one_is_provided_too():
    """`| None` is for a provider that may have nothing to give; a segment goes to the next parameter."""
    assert http(Site(), path="/optional/7").json() == [False, 7]


def test_an_invalid_value_of_the_handler_closes_it():
    """The 400 comes when the providers have let the request pass."""
    assert http(Site(), path="/optional/x").status_code == 400
    assert events == ["open", "rolled back: InvalidInput", "closed"]


def test_a_websocket_has_it_to_its_end():
    """It is closed when the handler is done; that the peer leaves is how conversations end."""
    assert websocket(Site(), "/chat", query="user=x", send=["hi"]).sent == ["x in hall", "x: hi"]
    assert events == WHOLE


def test_a_websocket_handler_that_fails_is_told():
    """Its exception is raised at the `yield`."""
    assert websocket(Site(), "/chat", send=["fail"]).close == (1011, "Internal server error")
    assert events == ["open", "rolled back: RuntimeError", "closed"]


def test_a_provider_refuses_a_websocket():
    """Before it is accepted."""
    with TestClient(Site()) as client, pytest.raises(WebSocketRefused), client.websocket("/members"):
        pass
    assert events == ["open", "rolled back: HTTPError", "closed"]


# -- kinds of providers


class Blocking:
    """A plain function runs in a thread."""

    @classmethod
    def __provide__(cls, request: Request) -> str:
        return "main" if threading.current_thread() is threading.main_thread() else "thread"


class Stepwise:
    """A plain generator runs in one thread, all of it."""

    @classmethod
    def __provide__(cls, request: Request) -> Iterator[int]:
        thread = threading.get_ident()
        try:
            yield thread
        except ValueError as error:
            events.append(f"raised {error} {threading.get_ident() == thread}")
        else:
            events.append(f"resumed {threading.get_ident() == thread}")
        finally:
            events.append("closed")


class Static:
    @staticmethod
    async def __provide__(request: Request) -> int:
        return 3


class Clock(Protocol):
    """A protocol can be what a provider makes."""

    def now(self) -> int: ...


class NineOClock:
    def now(self) -> int:
        return 9

    @classmethod
    async def __provide__(cls, request: Request) -> Clock:
        return cls()


class Foreign:
    """A class of somebody else's."""


class Maker:
    """Makes it."""

    @classmethod
    async def __provide__(cls, request: Request) -> Foreign:
        return Foreign()


class Base:
    limit = 1

    @classmethod
    async def __provide__(cls, request: Request) -> int:
        return cls.limit


class Larger(Base):
    limit = 2


class Places:
    """All that a provider may ask for."""

    @classmethod
    async def __provide__(
        cls,
        request: Request | WebSocketRequest,
        same: Request,
        session: Session,
        page: Annotated[int, FromQuery()],
        x_token: Annotated[str, Header()] = "none",
        theme: Annotated[str, Cookie()] = "light",
        user: Annotated[str | None, FromSession()] = None,
        *,
        size: Annotated[Static, "a remark"],
    ) -> list[Any]:
        return [request is same, dict(session), page, x_token, theme, user, size]


class Kinds(App):
    async def blocking(self, value: Annotated[str, Blocking]):
        return value

    async def stepwise(self, value: Annotated[int, Stepwise]):
        if self.request.query("fail"):
            raise ValueError(self.request.query("fail"))
        return value == threading.get_ident()

    async def static(self, value: Static):
        return value

    async def clock(self, clock: Annotated[Clock, NineOClock]):
        return clock.now()

    async def foreign(self, foreign: Annotated[Foreign, Maker]):
        return isinstance(foreign, Foreign)

    async def inherited(self, first: Base, second: Larger):
        return [first, second]

    async def places(self, places: Places):
        return places

    async def as_a_body(self, user: Annotated[CurrentUser, FromBody()]):
        return user

    @methods("POST")
    async def form(self, title: str, value: Static, picture: UploadedFile, faults: Faults):
        return [title, value, picture is None, faults["picture"], faults.sent("value")]


def test_a_blocking_provider_runs_in_a_thread():
    """As handlers do; on the loop where the application has no threads."""
    assert http(Kinds(), path="/blocking").text == "thread"
    assert http(Kinds(sync_threads=0), path="/blocking").text == "main"


@pytest.mark.parametrize("threads", [0, 32])
def test_a_plain_generator_has_one_thread(threads):
    """All of its steps; it is told of what the handler raises, and may keep it for itself."""
    app = Kinds(sync_threads=threads)
    assert http(app, path="/stepwise").json() is (threads == 0)
    assert http(app, path="/stepwise", query="fail=x").status_code == 500
    assert events == ["resumed True", "closed", "raised x True", "closed"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/static", 3), ("/clock", 9), ("/foreign", True), ("/inherited", [1, 2])],
)
def test_what_provides(path, expected):
    """A static method, a protocol, a provider named in `Annotated`, an inherited `__provide__`."""
    assert http(Kinds(), path=path).json() == expected


def test_what_a_provider_may_ask_for():
    """Request, session, headers, cookies, the query, the session's values, other providers."""
    headers = {"X-Token": "t", "Cookie": "theme=dark"}
    expected = [True, {}, 2, "t", "dark", None, 3]
    assert http(Kinds(), path="/places", query="page=2", headers=headers).json() == expected


def test_what_a_provider_is_sent_is_checked():
    """A 400 that names it, as of a handler's own."""
    reply = http(Kinds(), path="/places", query="page=x")
    assert (reply.status_code, "'page'" in reply.text) == (400, True)


def test_a_marker_makes_it_a_value_of_the_request():
    """Who says where a value is means that."""
    assert http(Kinds(), "POST", "/as_a_body", json={"name": "Ann"}).json() == {"name": "Ann"}


@pytest.mark.needs("multipart")
def test_a_form_and_its_faults_stand_beside_it():
    """Files are waited for by name; what is provided was not sent."""
    reply = http(Kinds(), "POST", "/form", data={"title": "Pie", "value": "9"}, files={"other": ("x", b"x")})
    assert reply.json() == ["Pie", 3, True, "required", ""]


@pytest.mark.needs("multipart")
def test_a_provider_refuses_before_an_upload_is_read():
    """Nobody sends a gigabyte for a 401."""

    class Uploads(App):
        async def upload(self, user: CurrentUser, file: UploadedFile):
            return "never"

    reply = wire(
        Uploads(),
        "POST",
        "/upload",
        headers=[("Content-Type", "multipart/form-data; boundary=B")],
        body=[b"--B\r\n", b"x" * 10],
    )
    assert reply.status_code == 401


def test_those_that_are_open_are_closed_the_last_first():
    """One that asks for another is closed before it."""

    class First:
        @classmethod
        async def __provide__(cls, request: Request) -> AsyncIterator[str]:
            yield "first"
            events.append("first")

    class Second:
        @classmethod
        async def __provide__(cls, request: Request, first: First) -> AsyncIterator[str]:
            yield f"{first} second"
            events.append("second")

    class Third:
        @classmethod
        async def __provide__(cls, request: Request) -> AsyncIterator[str]:
            yield "third"
            events.append("third")

    class Order(App):
        async def index(self, third: Third, second: Second, first: First):
            return [third, second, first]

    assert http(Order()).json() == ["third", "first second", "first"]
    assert events == ["second", "first", "third"]


def test_one_that_fails_to_close_is_told_to_the_log(caplog):
    """The reply was sent by then; the others are closed all the same."""

    class Bad:
        @classmethod
        async def __provide__(cls, request: Request) -> AsyncIterator[str]:
            yield "bad"
            raise OSError("disk full")

    class Order(App):
        async def index(self, db: Database, bad: Annotated[str, Bad]):
            return bad

    assert http(Order()).text == "bad"
    assert events == WHOLE
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "disk full" in caplog.text


def test_a_task_group_may_stand_round_the_yield():
    """Provider and handler run in one task."""

    class Group:
        @classmethod
        async def __provide__(cls, request: Request) -> AsyncIterator[asyncio.TaskGroup]:
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                yield group

    async def note():
        events.append("done")

    class Site(App):
        async def index(self, group: Annotated[asyncio.TaskGroup, Group]):
            group.create_task(note())
            return "sent"

    assert http(Site()).text == "sent"
    assert events == ["done"]


def test_the_request_is_the_current_one_to_the_end():
    """`App.request` works behind the `yield` too."""

    class Late:
        @classmethod
        async def __provide__(cls, request: Request) -> AsyncIterator[None]:
            yield None
            events.append(app.request.query("q", ""))

    class Site(App):
        async def index(self, late: Late):
            return "sent"

    app = Site()
    assert http(app, query="q=x").text == "sent"
    assert events == ["x"]


def test_hooks_and_guards_come_first():
    """A request that they answer opens nothing."""

    class Closed(Controller):
        async def _before(self):
            if self.request.query("stop"):
                return 403, "closed"
            return None

        async def index(self, db: Database):
            return db.user

    class Away(HttpMiddleware):
        async def before_request(self, request):
            return {"body": "away"} if request.query("away") else None

    class Site(App):
        closed = Closed()

    app = Site()
    app.middlewares.append(Away())
    assert http(app, path="/closed", query="stop=1").status_code == 403
    assert http(app, path="/closed", query="away=1").text == "away"
    assert events == []
    assert http(app, path="/closed", query="user=x").text == "x"
    assert events == WHOLE


def test_a_method_bound_at_run_time_may_ask():
    """A provider that no class asks for is read then."""

    class Late:
        @classmethod
        async def __provide__(cls, request: Request) -> int:
            return 9

    async def late(self, hour: Annotated[int, Late]):
        return hour

    app = Kinds()
    app.late = late.__get__(app)  # type: ignore[attr-defined]
    assert http(app, path="/late").json() == 9


# -- objects


class Greeting:
    """A provider that is made with something."""

    def __init__(self, word: str) -> None:
        self.word = word

    async def __provide__(self, request: Request, name: Annotated[str, FromQuery()] = "you") -> str:
        return f"{self.word}, {name}"


class Greetings(App):
    async def index(self, hello: Annotated[str, Greeting("Hello")], bye: Annotated[str, Greeting("Bye")]):
        return [hello, bye]


def test_an_object_may_be_a_provider():
    """Each is one of its own, with parameters like those of a class."""
    assert http(Greetings(), path="/", query="name=Ann").json() == ["Hello, Ann", "Bye, Ann"]


def test_an_object_is_in_a_circle():
    """It is told by its class."""

    class Needing:
        async def __provide__(self, request: Request, again: Any) -> None: ...

    needing = Needing()
    Needing.__provide__.__annotations__["again"] = Annotated[None, needing]
    with pytest.raises(TypeError, match=r"circle: .*Needing -> .*Needing$"):
        application(Annotated[None, needing])


# -- mistakes


def application(*kinds: Any) -> App:
    async def index(self, *args):
        return "never"

    names = [f"p{number}" for number in range(len(kinds))]
    code = f"async def index(self, {', '.join(f'{name}: kinds[{n}]' for n, name in enumerate(names))}): ..."
    names_of: dict[str, Any] = {"kinds": kinds}
    exec(code, names_of)
    return type("Made", (App,), {"index": names_of["index"]})()  # type: ignore[no-any-return]


def test_a_circle_is_an_error_when_the_application_is_made():
    """It is shown."""

    class Egg:
        @classmethod
        async def __provide__(cls, request: Request, hen: "Hen") -> None: ...

    class Hen:
        @classmethod
        async def __provide__(cls, request: Request, egg: Egg) -> None: ...

    Egg.__provide__.__func__.__annotations__["hen"] = Hen  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"circle: .*Egg -> .*Hen -> .*Egg$"):
        application(Egg)


def no_classmethod(cls, request): ...


@classmethod  # type: ignore[misc]
def no_request(cls): ...


@classmethod  # type: ignore[misc]
def no_request_first(cls, db: Database): ...


@classmethod  # type: ignore[misc]
def by_name(cls, request, page: int): ...


@classmethod  # type: ignore[misc]
def by_path(cls, request, page: Annotated[int, FromPath()]): ...


@classmethod  # type: ignore[misc]
def by_body(cls, request, page: Annotated[int, FromBody()]): ...


@classmethod  # type: ignore[misc]
def by_faults(cls, request, faults: Faults): ...


@classmethod  # type: ignore[misc]
def by_unknown(cls, request, db: "Nowhere"): ...  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_classmethod, "is no @classmethod"),
        (no_request, "does not take the request first"),
        (no_request_first, "does not take the request first"),
        (by_name, "takes 'page', which nothing fills"),
        (by_path, "takes 'page', which nothing fills"),
        (by_body, "takes 'page', which nothing fills"),
        (by_faults, "takes 'faults', which nothing fills"),
        (by_unknown, "takes 'db', which nothing fills .*Nowhere"),
        (classmethod(len), "does not take the request first|which nothing fills|is no"),  # type: ignore[arg-type]
    ],
)
def test_a_provider_that_can_not_be_called_is_an_error(function, message):
    """It is named, with what to write."""
    with pytest.raises(TypeError, match=message) as raised:
        application(type("Wrong", (), {"__provide__": function}))
    assert "Wrong.__provide__" in str(raised.value)


@pytest.mark.parametrize("kind", [Database | Static, list[Database], Annotated[Database | Static | None, "a remark"]])
def test_one_of_several_or_many_are_no_value_of_a_provider(kind):
    """What no provider fills, a client could."""
    with pytest.raises(TypeError, match="a provider has one value"):
        application(kind)


def test_variadic_parameters_are_no_value_of_a_provider():
    """`*args` of a provider's type."""

    class Many(App):
        async def index(self, *dbs: Database): ...

    with pytest.raises(TypeError, match="a provider has one value"):
        Many()


# -- tests of those who use it


class Ann(CurrentUser):
    """A user of the tests'."""


def test_a_test_gives_another_value():
    """What the provider itself asks for is not asked then."""
    with TestClient(Site(), provide={CurrentUser: Ann("ann")}) as client:
        assert client.get("/user").json() == {"name": "ann"}
    assert events == ["handler"]


@pytest.mark.parametrize("kind", ["plain", "async", "generator"])
def test_a_test_gives_a_function(kind):
    """It is called in place of `__provide__`, with the request."""

    def plain(request):
        return Ann(request.query("user"))

    async def coroutine(request):
        return Ann(request.query("user"))

    async def generator(request):
        yield Ann(request.query("user"))
        events.append("closed")

    given = {"plain": plain, "async": coroutine, "generator": generator}[kind]
    with TestClient(Site(), provide={CurrentUser: given}) as client:
        assert client.get("/user?user=x").json() == {"name": "x"}
    assert events == ["handler", "closed"][: 2 if kind == "generator" else 1]


def test_what_a_test_gives_reaches_providers_websockets_and_applications_below():
    """Wherever the class is asked for."""

    class Outer(App):
        below = Site()

    with TestClient(Outer(), provide={Database: Database("test")}) as client:
        assert client.get("/below/user", headers=ANN).json() == {"name": "Ann of test"}
        with client.websocket("/below/chat") as ws:
            assert ws.receive_text() == "test in hall"
    assert events == ["handler"]


def test_two_clients_have_their_own():
    """Nothing stays with the application."""
    app = Site()
    with TestClient(app, provide={CurrentUser: Ann("ann")}) as ann, visitor(app) as stranger:
        assert ann.get("/user").status_code == 200
        assert stranger.get("/user").status_code == 401


@pytest.mark.parametrize("named", [Annotated[CurrentUser, "who asks"], Annotated[Foreign, CurrentUser]])
def test_a_test_names_the_annotation_of_a_parameter(named):
    """The provider in it is meant: the type, or what stands beside it."""
    with TestClient(Site(), provide={named: Ann("ann")}) as client:
        assert client.get("/user").json() == {"name": "ann"}


@pytest.mark.parametrize("named", [Foreign, Annotated[Foreign, "nothing"]])
def test_a_test_that_gives_what_nobody_provides_is_told(named):
    """A misspelled class would be silently without effect."""
    with pytest.raises(TypeError, match="Foreign"):
        TestClient(Site(), provide={named: Foreign()})


def test_a_mount_closes_what_its_guards_opened_and_tells_nobody():
    """An application of another framework below is no concern of providers."""

    async def foreign(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("none")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"below"})

    class Outer(App):
        below = Mount(foreign)

        async def index(self, db: Database):
            return db.user

    assert http(Outer(), path="/below").text == "below"
    assert events == []
