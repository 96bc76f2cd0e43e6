"""How long a session lives, and what ends it: rotation, log-out, age, and requests that race."""

import asyncio
import hashlib
import time
from contextlib import nullcontext
from typing import Any

import pytest

import micropie
from micropie import (
    App,
    Controller,
    HTTPError,
    HttpMiddleware,
    InMemorySessionBackend,
    MissingDependency,
    Mount,
    Session,
    SessionBackend,
    configuration,
)
from tests.client import ahttp, http
from tests.wire import lifespan, websocket, wire

FORM = "application/x-www-form-urlencoded"
IS_PACKAGE = hasattr(micropie, "__path__")


class Members(App):
    """Logs in and out, and counts."""

    async def login(self, user):
        self.request.session["user"] = user
        self.request.session.rotate()
        return "in"

    async def logout(self):
        self.request.session.clear()
        return "out"

    async def rotate_and_leave(self):
        self.request.session.rotate()
        self.request.session.clear()
        return "out"

    async def user(self):
        return self.request.session.get("user", "nobody")

    async def nested(self):
        self.request.session.setdefault("seen", []).append(Opaque())
        return str(len(self.request.session["seen"]))


class Opaque:
    """A value that only a copy can tell from another."""


class Forgetful(InMemorySessionBackend):
    """A backend that can't push an expiry by itself, as most users' can't."""

    touch = None  # type: ignore[assignment]


def test_an_old_session_ends_however_busy_it_is():
    """The absolute expiry counts from the id's making, and the backend forgets the session."""
    backend = InMemorySessionBackend()
    old = "a" * 24 + f".{int(time.time()) - 3600:08x}"
    asyncio.run(backend.save(old, {"user": "ann"}, 600))
    app = Members(backend, session_lifetime=3000)
    assert http(app, path="/user", cookies={"session_id": old}).text == "nobody"
    assert backend.sessions == {}


def test_without_a_lifetime_only_idling_ends_a_session():
    """`session_lifetime=None` switches the absolute expiry off."""
    backend = InMemorySessionBackend()
    old = "a" * 24 + ".00000001"
    asyncio.run(backend.save(old, {"user": "ann"}, 600))
    app = Members(backend, session_lifetime=None)
    assert http(app, path="/user", cookies={"session_id": old}).text == "ann"


def test_touching_a_session_that_is_gone_keeps_nothing():
    """A push of the expiry that comes too late leaves no trace."""
    backend = InMemorySessionBackend()
    asyncio.run(backend.touch("gone", 600))
    assert (backend.sessions, backend.last_access) == ({}, {})


def test_rotating_and_emptying_ends_the_session():
    """Both in one request: the old id is gone, and the cookie expires."""
    backend = InMemorySessionBackend()
    app = Members(backend)
    cookies = http(app, path="/login/ann").cookies
    answer = http(app, path="/rotate_and_leave", cookies=cookies)
    assert "Max-Age=0" in (answer.headers["set-cookie"] or "")
    assert backend.sessions == {}


def test_values_of_any_kind_are_saved():
    """A value that has no frozen form counts as changed, so nothing is lost."""
    app = Members()
    cookies = http(app, path="/nested").cookies
    assert http(app, path="/nested", cookies=cookies).text == "2"
    assert http(app, path="/nested", cookies=cookies).text == "3"


class Slow(Members):
    """A request that takes as long as the test wants."""

    def __init__(self, backend: InMemorySessionBackend) -> None:
        super().__init__(backend)
        self._begun = asyncio.Event()
        self._may_end = asyncio.Event()

    async def wait(self, change=""):
        if change:
            self.request.session["change"] = change
        self._begun.set()
        await self._may_end.wait()
        return "done"


async def race(backend: InMemorySessionBackend, query: str) -> dict[str, Any]:
    """Log out while another request of the same session is under way; what is stored then."""
    app = Slow(backend)
    cookies = (await ahttp(app, path="/login/ann")).cookies
    slow = asyncio.create_task(ahttp(app, path="/wait", query=query, cookies=cookies))
    await app._begun.wait()
    await ahttp(app, path="/logout", cookies=cookies)
    app._may_end.set()
    await slow
    return backend.sessions


def test_a_slower_request_does_not_undo_a_log_out():
    """Log-out is final, even if a request that began before changes the session afterwards."""
    assert asyncio.run(race(InMemorySessionBackend(), "change=1")) == {}


def test_a_slower_request_does_not_undo_a_log_out_by_pushing_the_expiry():
    """Nor does a save that was only to push the expiry."""
    assert asyncio.run(race(Forgetful(), "")) == {}


def test_a_foreign_session_can_not_be_rotated():
    """An outer application's session has an id that only that one knows."""

    class Inner(App):
        async def index(self):
            self.request.regenerate_session()

    assert wire(Inner(), scope={"session": {"user": "ann"}}).status_code == 500


# -- whose session it is ----------------------------------------------------------------------------------


class Devices(App):
    """Binds sessions to users, lists them and ends them."""

    async def login(self, user, device="laptop"):
        session = self.request.session
        session.rotate()
        session.bind(user)
        session["device"] = device
        return session.handle or "new"

    async def me(self):
        session = self.request.session
        return {"user": session.user_id, "handle": session.handle}

    async def devices(self):
        session = self.request.session
        found = await session.backend.sessions_of(session.user_id)
        return {handle: data["device"] for handle, data in found.items()}

    async def end(self, user, handle=None):
        return await self.request.session.backend.end_sessions(user, handle)

    async def end_others(self):
        session = self.request.session
        return await session.backend.end_sessions(session.user_id, keep=session.handle)

    async def new_password(self):
        session = self.request.session
        session.rotate()
        return await session.backend.end_sessions(session.user_id, keep=session.handle)


def logged_in(app: App, user: str, device: str = "laptop") -> Any:
    """The cookies of a visitor who has logged in."""
    return http(app, path=f"/login/{user}/{device}").cookies


def test_the_sessions_of_a_user_are_listed_by_their_handles():
    """Those of others are not; a handle is no id, and `session.handle` is the visitor's own."""
    app = Devices()
    laptop, _, bob = logged_in(app, "ann"), logged_in(app, "ann", "phone"), logged_in(app, "bob")
    listed = http(app, path="/devices", cookies=laptop).json()
    me = http(app, path="/me", cookies=laptop).json()
    assert sorted(listed.values()) == ["laptop", "phone"]
    assert listed[me["handle"]] == "laptop"
    assert me["handle"] == hashlib.sha256(laptop["session_id"].encode()).hexdigest()
    assert list(http(app, path="/devices", cookies=bob).json().values()) == ["laptop"]


def test_a_session_of_nobody_has_no_user():
    """And no handle until it is stored."""
    app = Devices()
    assert http(app, path="/me").json() == {"user": None, "handle": None}
    assert http(app, path="/login/ann").text == "new"


def test_all_sessions_of_a_user_end():
    """Here and everywhere; an administrator's own go on."""
    app = Devices()
    ann = [logged_in(app, "ann") for _ in range(3)]
    bob = logged_in(app, "bob")
    assert http(app, path="/end/ann", cookies=bob).text == "3"
    assert [http(app, path="/me", cookies=one).json()["user"] for one in [*ann, bob]] == [None, None, None, "bob"]


def test_one_session_of_a_user_ends_by_its_handle():
    """A handle of somebody else's ends nothing."""
    app = Devices()
    ann, phone, bob = logged_in(app, "ann"), logged_in(app, "ann"), logged_in(app, "bob")
    handle = http(app, path="/me", cookies=phone).json()["handle"]
    assert http(app, path=f"/end/bob/{handle}", cookies=bob).text == "0"
    assert http(app, path=f"/end/ann/{handle}", cookies=ann).text == "1"
    assert [http(app, path="/me", cookies=one).json()["user"] for one in (ann, phone)] == ["ann", None]


@pytest.mark.parametrize("path", ["/end_others", "/new_password"])
def test_all_other_sessions_of_a_user_end(path):
    """The visitor's own goes on, under a fresh id if that was asked for before."""
    app = Devices()
    here, elsewhere = logged_in(app, "ann"), logged_in(app, "ann")
    answer = http(app, path=path, cookies=here)
    here = answer.cookies or here
    assert answer.text == "1"
    assert [http(app, path="/me", cookies=one).json()["user"] for one in (here, elsewhere)] == ["ann", None]


def test_a_bound_session_stays_bound_when_it_rotates():
    """So an old session can't slip away from the user's list."""
    backend = InMemorySessionBackend()
    app = Devices(backend)
    first = logged_in(app, "7")
    second = http(app, path="/new_password", cookies=first).cookies
    assert http(app, path="/me", cookies=second).json()["user"] == "7"
    assert asyncio.run(backend.end_sessions(7)) == 1  # as users' databases have it


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobody_is_no_user(nobody):
    """A forgotten id must not put strangers together."""
    with pytest.raises(ValueError, match=r"session\.bind\(\) takes the id of a user"):
        Session().bind(nobody)


def test_a_session_of_no_request_has_no_backend():
    """One that a test makes, say."""
    with pytest.raises(LookupError, match="of no request"):
        _ = Session().backend


def test_expired_sessions_are_not_listed():
    """Nor counted as ended."""

    async def main() -> tuple[Any, int]:
        backend = InMemorySessionBackend()
        session = Session()
        session.bind("ann")
        await backend.save("1" * 32, session, 600)
        backend.last_access["1" * 32] = 0
        return await backend.sessions_of("ann"), await backend.end_sessions("ann")

    assert asyncio.run(main()) == ({}, 0)


@pytest.mark.parametrize("path", ["/slow", "/slow/seen"])
def test_a_session_that_is_expired_meanwhile_stays_so(path):
    """By `last_access[id] = 0`: a slow request neither pushes its expiry nor changes it back to life."""

    class Slow(App):
        async def slow(self, name=""):
            session = self.request.session
            backend.last_access[session.id or ""] = 0
            if name:
                session[name] = True
            return "slow"

    backend = InMemorySessionBackend()
    asyncio.run(backend.save("1" * 32, {"user": "ann"}, 600))
    assert http(Slow(backend), path=path, cookies={"session_id": "1" * 32}).text == "slow"
    assert asyncio.run(backend.load("1" * 32)) == {}


def test_a_backend_without_a_list_says_so():
    """In the log; the visitor sees a 500."""

    class Plain(SessionBackend):
        async def load(self, session_id):
            return {}

        async def save(self, session_id, data, timeout):
            pass

    with pytest.raises(NotImplementedError, match=r"Plain can't list .* define sessions_of\(\)"):
        asyncio.run(Plain().sessions_of("ann"))
    with pytest.raises(NotImplementedError, match=r"Plain can't end .* define end_sessions\(\)"):
        asyncio.run(Plain().end_sessions("ann"))


def test_the_backend_is_that_of_the_application_whose_session_it_is():
    """Also in an application below it, which has another one for its own."""

    class Site(App):
        members = Devices()

    app = Site()
    cookies = http(app, path="/members/login/ann").cookies
    assert list(http(app, path="/members/devices", cookies=cookies).json().values()) == ["laptop"]
    assert configuration(app.members).session_backend.sessions == {}  # type: ignore[attr-defined]


class EndsWhile(InMemorySessionBackend):
    """Every session of a user ends while another one is being stored."""

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        if data and len(self.sessions) == 1:
            await self.end_sessions("ann")
        await super().save(session_id, data, timeout)


@pytest.mark.parametrize(("path", "left"), [("/new_password", None), ("/login/bob", "bob")])
def test_what_ends_during_a_rotation_does_not_go_on(path, left):
    """Not under its new id either; a log-in at that moment counts."""
    app = Devices(EndsWhile())
    first = logged_in(app, "ann")
    answer = http(app, path=path, cookies=first)
    assert http(app, path="/me", cookies=answer.cookies).json()["user"] == left


# -- a backend that is down -------------------------------------------------------------------------------


class Down(InMemorySessionBackend):
    """One whose server can't be reached: for reading, or for writing."""

    def __init__(self, *, loads: bool, saves: bool) -> None:
        super().__init__()
        self.loads, self.saves = loads, saves

    async def load(self, session_id: str) -> dict[str, Any]:
        return await super().load(session_id) if self.loads else unavailable()

    async def save(self, session_id: str, data: dict[str, Any], timeout: int) -> None:
        if not self.saves:
            unavailable()
        await super().save(session_id, data, timeout)


def unavailable() -> Any:
    raise HTTPError(503, "Sessions are not available", [("Retry-After", "1")])


@pytest.mark.parametrize(("loads", "cookies"), [(False, {"session_id": "1" * 32}), (True, {})])
@pytest.mark.parametrize("below", [False, True])
def test_an_error_that_a_backend_raises_is_the_answer(loads, cookies, below, caplog):
    """With its headers, and without a record in our log, when it loads and when it saves; of mounted parts too."""

    async def hello(scope, receive, send):
        scope["session"]["hello"] = 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    class Site(Devices):
        hello_below = Mount(hello)

    answer = http(Site(Down(loads=loads, saves=False)), path="/hello_below" if below else "/login/ann", cookies=cookies)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "Sessions are not available" in answer.text
    assert caplog.records == []


@pytest.mark.parametrize("loads", [False, True])
def test_a_socket_closes_with_the_error_that_a_backend_raises(loads, caplog):
    """At the handshake, or in the end."""

    class Site(App):
        async def ws_chat(self, ws):
            self.request.session["seen"] = 1
            await ws.accept()

    sent = websocket(Site(Down(loads=loads, saves=False)), "/chat", cookies={"session_id": "1" * 32})
    assert sent.close == (1008, "Sessions are not available")
    assert caplog.records == []


# -- requests that are refused before anybody looks at their session ----------------------------------------


class Complaints(HttpMiddleware):
    """Leaves a note in the session of whoever sent a request that was refused."""

    async def after_request(self, request, status_code, response_body, extra_headers):
        if status_code >= 400:
            request.session["note"] = f"{request.session.get(Session.USER)}: {status_code}"


class Watched(Controller):
    """A branch that does so by its guard."""

    async def _after(self, reply):
        if reply.status >= 400:
            self.request.session["note"] = f"{self.request.session.get(Session.USER)}: {reply.status}"

    async def save(self, text="nothing"):
        return text


class Form(Devices):
    """Takes a text, and shows what the session holds."""

    watched = Watched()

    async def save(self, text="nothing"):
        return text

    async def note(self):
        return str(self.request.session.get("note"))


REFUSED = [
    ("/save", b"{", "application/json", 400),
    ("/save", b"text=" + 1000 * b"x", FORM, 413),
    ("/save", b"text=x", f"{FORM}; charset=none", 400),
    ("/save", b"text=x", "multipart/form-data", 400),
    ("/%ff", b"", FORM, 400),
    ("/watched/save", b"{", "application/json", 400),
]


@pytest.mark.parametrize(("path", "body", "content_type", "status"), REFUSED)
def test_a_refused_request_has_the_visitors_session(path, body, content_type, status):
    """So what a hook or a guard leaves in it is there for the next page, and takes nobody's log-in away."""
    app = Form(max_body_size=100)
    if not path.startswith("/watched"):
        app.middlewares.append(Complaints())
    cookies = logged_in(app, "ann")
    answer = wire(app, "POST", path, body=body, headers=[("content-type", content_type)], cookies=cookies)
    assert (answer.status_code, answer.cookies) == (status, {})
    assert http(app, path="/note", cookies=cookies).text == f"ann: {status}"
    assert http(app, path="/me", cookies=cookies).json()["user"] == "ann"


def test_a_refused_request_has_the_session_of_an_outer_application():
    """Nothing is loaded in its place."""
    app = Form()
    app.middlewares.append(Complaints())
    outer = {"session": {Session.USER: "bob"}}
    cookies = logged_in(app, "ann")
    answer = wire(app, "POST", "/%ff", cookies=cookies, scope=outer)
    assert (answer.status_code, outer["session"]["note"]) == (400, "bob: 400")
    assert http(app, path="/note", cookies=cookies).text == "None"


class DownAtTimes(InMemorySessionBackend):
    """One whose server can't be reached for one load."""

    is_down = False

    async def load(self, session_id: str) -> dict[str, Any]:
        if self.is_down:
            self.is_down = False
            unavailable()
        return await super().load(session_id)


@pytest.mark.parametrize(("path", "body"), [("/save", b"{}"), ("/save", b"{"), ("/%ff", b"")])
def test_a_session_that_can_not_be_had_is_not_replaced(path, body):
    """A hook that fills one all the same, for the error's sake, gives the visitor no other one: his own comes back."""
    backend = DownAtTimes()
    app = Form(backend)
    app.middlewares.append(Complaints())
    cookies = logged_in(app, "ann")
    backend.is_down = True
    answer = wire(app, "POST", path, body=body, headers=[("content-type", "application/json")], cookies=cookies)
    assert (answer.status_code, answer.cookies) == (503, {})
    assert http(app, path="/me", cookies=cookies).json()["user"] == "ann"
    assert len(backend.sessions) == 1


# -- backends by their URLs, and their end ----------------------------------------------------------------


def test_a_backend_is_named_by_a_url():
    """As an environment variable has it; the one-file form says that it needs the package for that."""
    with nullcontext() if IS_PACKAGE else pytest.raises(MissingDependency, match="needs the whole package"):
        assert isinstance(configuration(App("memory:")).session_backend, InMemorySessionBackend)


def test_a_backend_is_closed_when_the_application_shuts_down():
    """After the shutdown handlers, which may still use it."""

    class Closing(InMemorySessionBackend):
        async def aclose(self):
            ended.append("backend")

    ended: list[str] = []
    app = App(Closing())
    app.shutdown_handlers.append(lambda: ended.append("handler"))
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ended == ["handler", "backend"]


class Telling(InMemorySessionBackend):
    """Its update returns how many values it has changed."""

    async def update(self, session_id, changes, removed, timeout):
        await super().update(session_id, changes, removed, timeout)
        return str(len(changes))


def test_what_an_update_returns_is_no_cookie():
    """Only a backend that keeps sessions in their cookies says what the cookie is to be."""

    class Counting(App):
        async def index(self):
            self.request.session["n"] = self.request.session.get("n", 0) + 1
            return self.request.session["n"]

    app = Counting(Telling())
    cookies = http(app).cookies
    reply = http(app, cookies=cookies)
    assert (reply.text, reply.headers.get("set-cookie")) == ("2", None)


class Confirming(SessionBackend):
    """Each of its methods says that it has done something, as many databases' clients do."""

    def __init__(self):
        self.stored: dict[str, dict[str, Any]] = {}

    async def load(self, session_id):
        return dict(self.stored.get(session_id, {}))

    async def save(self, session_id, data, timeout):
        self.stored[session_id] = data
        return "OK"


class Pushing(Confirming):
    async def touch(self, session_id, timeout):
        return "OK"


@pytest.mark.parametrize("backend", [Confirming, Pushing])
@pytest.mark.parametrize("path", ["/user", "/nested", "/logout"])
def test_what_a_save_or_a_touch_returns_is_no_cookie(backend, path):
    """Whether it begins a session, goes on with one, or ends it."""
    app = Members(backend())
    begun = http(app, path="/nested")
    assert app.session_backend.stored.keys() == {begun.cookies["session_id"]}  # type: ignore[attr-defined]
    assert "OK" not in http(app, path=path, cookies=begun.cookies).headers.get("set-cookie", "")
