"""Parallel requests of one session, on every kind of backend (BEHAVIOUR.md, 29), and what keeps caches away (31)."""

import asyncio
import time
from copy import deepcopy
from dataclasses import dataclass
from http.cookies import SimpleCookie

import pytest

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, Session, SessionBackend
from tests.client import ahttp, http, run
from tests.wire import awebsocket, wire

ID = "0123456789abcdef0123456789abcdef"


class Files(SessionBackend):
    """A backend of `load` and `save` alone; each takes a turn of the event loop, as a database does."""

    def __init__(self):
        self.stored = {}
        self.calls = []

    async def load(self, session_id):
        await asyncio.sleep(0)
        return deepcopy(self.stored.get(session_id, {}))

    async def save(self, session_id, data, timeout):
        self.calls.append((session_id, data))
        await asyncio.sleep(0)
        if data:
            self.stored[session_id] = deepcopy(data)
        else:
            self.stored.pop(session_id, None)


class Table(Files):
    """One that changes values in one step."""

    async def update(self, session_id, changes, removed, timeout):
        await asyncio.sleep(0)
        if session_id not in self.stored:
            return False
        self.stored[session_id].update(deepcopy(changes))
        for name in removed:
            self.stored[session_id].pop(name, None)
        return True

    async def touch(self, session_id, timeout):
        await asyncio.sleep(0)


class Own(InMemorySessionBackend):
    """One in memory with a `load` and a `save` of its own, which `update` must not go past."""

    def __init__(self):
        super().__init__()
        self.saves = 0

    async def load(self, session_id):
        return await super().load(session_id)

    async def save(self, session_id, data, timeout):
        self.saves += 1
        await super().save(session_id, data, timeout)


class Site(App):
    """Requests that wait until they are let go."""

    def __init__(self, backend):
        super().__init__(backend)
        self.started = asyncio.Event()
        self.go = asyncio.Event()

    async def _wait(self):
        self.started.set()
        await self.go.wait()

    async def slow(self):
        await self._wait()
        return "slow"

    async def slow_look(self):
        self.request.session.get("user")
        await self._wait()
        return "slow"

    async def slow_set(self, name, value):
        self.request.session[name] = value
        await self._wait()
        return "slow"

    async def slow_drop(self, name):
        del self.request.session[name]
        await self._wait()
        return "slow"

    async def slow_append(self, value):
        self.request.session["cart"].append(value)
        await self._wait()
        return "slow"

    async def slow_rotate(self):
        self.request.session.rotate()
        await self._wait()
        return "slow"

    async def slow_rotate_set(self, name, value):
        self.request.session.rotate()
        self.request.session[name] = value
        await self._wait()
        return "slow"

    async def slow_rotate_drop(self, name):
        self.request.session.rotate()
        del self.request.session[name]
        await self._wait()
        return "slow"

    async def slow_login(self, user, name):
        self.request.session.rotate()
        self.request.session.bind(user)
        self.request.session[name] = user
        await self._wait()
        return "slow"

    async def slow_clear(self):
        self.request.session.clear()
        await self._wait()
        return "slow"

    async def slow_unbind(self):
        del self.request.session["_user_id"]
        await self._wait()
        return "slow"

    async def slow_rotate_unbind(self):
        self.request.session.rotate()
        return await self.slow_unbind()

    async def slow_rotate_out(self):
        self.request.session.rotate()
        self.request.session.clear()
        await self._wait()
        return "slow"

    async def rotate_set(self, name, value):
        self.request.session.rotate()
        self.request.session[name] = value
        return "rotated"

    async def login(self, user):
        self.request.session.rotate()
        self.request.session.bind(user)
        self.request.session["at"] = "desk"
        return "in"

    async def set(self, name, value):
        self.request.session[name] = value
        return "set"

    async def drop(self, name):
        del self.request.session[name]
        return "dropped"

    async def logout(self):
        self.request.session.clear()
        return "out"

    async def rotate(self):
        self.request.session.rotate()
        return "rotated"

    async def rotate_unbind(self):
        self.request.session.rotate()
        del self.request.session["_user_id"]
        return "nobody's"

    async def begin_anew(self):
        self.request.session.rotate()
        self.request.session.clear()
        self.request.session["message"] = "bye"
        return "out"

    async def show(self):
        return dict(self.request.session)

    async def ws_socket(self, ws):
        await ws.accept()
        self.request.session["last"] = "seen"
        await self._wait()


@dataclass
class Compared(Files):
    """One that is compared by its values, and so has no hash."""

    folder: str = "sessions"

    def __post_init__(self):
        super().__init__()


BACKENDS = [InMemorySessionBackend, Files, Table, Own, Compared]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__name__)
def backend(request):
    return request.param()


async def stored(backend, session_id=ID):
    return await backend.load(session_id) or {}


async def during(backend, slow, *paths):
    """What is stored, and the slow reply, after the paths were asked for while a slow request ran in another worker."""
    await backend.save(ID, {"user": "ann", "role": "admin", "cart": ["pie"]}, 3600)
    app, other = Site(backend), Site(backend)
    asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
    await app.started.wait()
    for path in paths:
        await ahttp(other, path=path, cookies={"session_id": ID})
    app.go.set()
    return await asking


@pytest.mark.parametrize("slow", ["/slow", "/slow_look"])
def test_29_who_changed_nothing_writes_nothing_back(backend, slow):
    """What others store meanwhile stays."""

    async def main():
        await during(backend, slow, "/set/cart/full", "/drop/role")
        return await stored(backend)

    assert run(main()) == {"user": "ann", "cart": "full"}


@pytest.mark.parametrize("slow", ["/slow", "/slow_look", "/slow_set/a/1", "/slow_append/tea"])
def test_29_a_log_out_is_final(backend, slow):
    """A slow request that loaded the session before does not bring it back."""

    async def main():
        await during(backend, slow, "/logout")
        return await stored(backend)

    assert run(main()) == {}


def test_29_only_the_changed_keys_are_written(backend):
    """On top of what is stored by then; a value that was changed in place is a changed one."""

    async def main():
        await during(backend, "/slow_set/a/1", "/set/role/guest", "/set/b/2", "/drop/user")
        first = await stored(backend)
        await during(backend, "/slow_append/tea", "/set/role/guest")
        return first, await stored(backend)

    assert run(main()) == (
        {"role": "guest", "cart": ["pie"], "a": "1", "b": "2"},
        {"user": "ann", "role": "guest", "cart": ["pie", "tea"]},
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_29_twenty_writers_lose_nothing(backend, workers):
    """Each sets a key of its own, at the same time."""

    async def main():
        await backend.save(ID, {"user": "ann"}, 3600)
        apps = [Site(backend) for _ in range(workers)]
        asking = [
            ahttp(apps[number % workers], path=f"/set/k{number}/{number}", cookies={"session_id": ID})
            for number in range(20)
        ]
        await asyncio.gather(*asking)
        return await stored(backend)

    assert run(main()) == {"user": "ann", **{f"k{number}": str(number) for number in range(20)}}


def test_29_a_rotation_keeps_what_others_have_stored(backend):
    """The session goes on under its new id with what is stored by then, and the old id is worthless."""

    async def main():
        answer = await during(backend, "/slow_rotate", "/set/role/guest")
        return await stored(backend), await stored(backend, answer.cookies["session_id"])

    assert run(main()) == ({}, {"user": "ann", "role": "guest", "cart": ["pie"]})


def test_29_a_rotation_during_a_slow_request(backend):
    """The old id stays worthless, whatever the slow request has changed."""

    async def main():
        await during(backend, "/slow_set/a/1", "/rotate")
        return await stored(backend)

    assert run(main()) == {}


def test_29_a_rotation_does_not_revive_a_log_out(backend):
    """A session that was ended meanwhile has nothing to go on with, and the cookie expires."""

    async def main():
        answer = await during(backend, "/slow_rotate", "/logout")
        return answer.headers["set-cookie"]

    assert "session_id=; " in run(main())


CART = {"cart": ["pie"], "theme": "dark"}


async def rotated_twice(backend, slow, *paths, data=CART, workers=1):
    """Two replies, and what is stored under each cookie, after a slow request, whose session others rotated meanwhile.

    Of the paths, the first one comes with the old id, those behind it with the cookie that this one has set.
    """
    await backend.save(ID, data, 3600)
    app = Site(backend)
    other = Site(backend) if workers == 2 else app
    asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
    await app.started.wait()
    first = await ahttp(other, path=paths[0], cookies={"session_id": ID})
    cookies = first.cookies
    for path in paths[1:]:
        cookies = (await ahttp(other, path=path, cookies=cookies)).cookies
    app.go.set()
    second = await asking
    assert await stored(backend) == {}
    opened = [await stored(backend, reply.cookies.get("session_id", "")) for reply in (first, second)]
    return first, second, *opened


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("slow", "first", "second"),
    [
        ("/slow_rotate_set/a/1", {"b": "2", "a": "1"}, {"a": "1"}),
        ("/slow_rotate_set/b/1", {"b": "2"}, {"b": "1"}),
        ("/slow_rotate", {"b": "2"}, {}),
    ],
)
def test_30_two_rotations_lose_nothing(backend, workers, slow, first, second):
    """What was there goes on with both; what the late one has changed goes on with the other one, too."""

    async def main():
        return (await rotated_twice(backend, slow, "/rotate_set/b/2", workers=workers))[2:]

    assert run(main()) == ({**CART, **first}, {**CART, **second})


def test_30_what_two_rotations_drop_is_gone(backend):
    """Not only from the session of the late one."""

    async def main():
        return (await rotated_twice(backend, "/slow_rotate_drop/theme", "/rotate_set/b/2"))[2:]

    assert run(main()) == ({"cart": ["pie"], "b": "2"}, {"cart": ["pie"]})


def test_30_two_rotations_at_the_same_moment(backend):
    """Neither waits for the other's reply."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        asking = [ahttp(app, path=f"/slow_rotate_set/{name}/1", cookies={"session_id": ID}) for name in "abc"]
        together = asyncio.gather(*asking)
        await app.started.wait()
        app.go.set()
        replies = await together
        return [await stored(backend, reply.cookies["session_id"]) for reply in replies]

    assert run(main()) == [{**CART, "a": "1", "b": "1", "c": "1"}, {**CART, "b": "1"}, {**CART, "c": "1"}]


def test_30_who_logs_in_twice_has_one_session(backend):
    """As by a double click: the second cookie is the first one's, and nothing of either is lost."""

    async def main():
        return await rotated_twice(backend, "/slow_login/ann/name", "/login/ann")

    first, second, stored_first, _ = run(main())
    assert first.cookies == second.cookies
    assert stored_first == {**CART, "_user_id": "ann", "at": "desk", "name": "ann"}


@pytest.mark.parametrize("path", ["/set/factor/shown", "/rotate_set/factor/shown", "/rotate"])
def test_30_who_logs_in_late_does_not_get_what_came_after_the_log_in(backend, path):
    """Who has planted the id and knows the password has not shown the second factor that the user has."""

    async def main():
        return await rotated_twice(backend, "/slow_login/ann/name", "/login/ann", path)

    _, second, _, opened = run(main())
    assert second.cookies
    assert opened == {**CART, "_user_id": "ann", "name": "ann"}


@pytest.mark.parametrize("path", ["/set/user/ann", "/set/theme/light", "/drop/theme"])
@pytest.mark.parametrize(
    "slow",
    [
        "/slow_rotate_set/user/mallory",
        "/slow_rotate_set/theme/red",
        "/slow_rotate_drop/theme",
        "/slow_set/user/mallory",
        "/slow_set/theme/red",
        "/slow_drop/theme",
    ],
)
def test_30_a_late_request_changes_nothing_that_was_stored_since(backend, slow, path):
    """It is as if it had come first: who has planted the id can't choose the values of a session that goes on."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
        await app.started.wait()
        cookies = (await ahttp(app, path="/rotate", cookies={"session_id": ID})).cookies
        await ahttp(app, path=path, cookies=cookies)
        before = await stored(backend, cookies["session_id"])
        app.go.set()
        await asking
        return before, await stored(backend, cookies["session_id"])

    before, after = run(main())
    name = path.split("/")[2]
    assert after.get(name) == before.get(name)


def test_30_a_rotation_gives_nothing_to_who_held_the_old_id(backend):
    """Whoever planted it, and logs in at that moment, has a session of his own, and changes nothing of the other."""

    async def main():
        return (await rotated_twice(backend, "/slow_login/mallory/name", "/login/ann"))[2:]

    assert run(main()) == (
        {**CART, "_user_id": "ann", "at": "desk"},
        {**CART, "_user_id": "mallory", "name": "mallory"},
    )


@pytest.mark.parametrize("slow", ["/slow_rotate", "/slow_rotate_set/a/1"])
def test_30_a_late_rotation_of_a_users_session_gets_no_cookie(backend, slow):
    """Who stole the old id is shut out, and who has the new cookie keeps it, with all changes."""

    async def main():
        return await rotated_twice(backend, slow, "/rotate_set/b/2", data={"_user_id": "ann", "user": "ann"})

    _, second, stored_first, _ = run(main())
    assert "set-cookie" not in second.headers
    assert stored_first == {"_user_id": "ann", "user": "ann", "b": "2", **({"a": "1"} if "set" in slow else {})}


def test_30_another_user_logs_in_late(backend):
    """In a session of one's own, with nothing of the user whose session it was."""

    async def main():
        data = {"_user_id": "ann", "user": "ann"}
        return (await rotated_twice(backend, "/slow_login/bob/name", "/rotate", data=data))[2:]

    assert run(main()) == ({"_user_id": "ann", "user": "ann"}, {"_user_id": "bob", "name": "bob"})


def test_30_a_late_rotation_after_several(backend):
    """It is led through all of them."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        asking = asyncio.create_task(ahttp(app, path="/slow_rotate_set/a/1", cookies={"session_id": ID}))
        await app.started.wait()
        cookies = {"session_id": ID}
        for name in ("b", "c"):
            cookies = (await ahttp(app, path=f"/rotate_set/{name}/2", cookies=cookies)).cookies
        app.go.set()
        return await stored(backend, (await asking).cookies["session_id"]), await stored(backend, cookies["session_id"])

    assert run(main()) == ({**CART, "a": "1"}, {**CART, "a": "1", "b": "2", "c": "2"})


@pytest.mark.parametrize("paths", [("/rotate", "/logout"), ("/rotate", "/rotate", "/logout"), ("/logout",)])
@pytest.mark.parametrize(("slow", "left"), [("/slow_rotate", {}), ("/slow_rotate_set/a/1", {"a": "1"})])
def test_30_a_late_rotation_revives_nothing(backend, paths, slow, left):
    """A session that has ended behind the first rotation, or in its place, has nothing to go on with."""

    async def main():
        return (await rotated_twice(backend, slow, *paths))[-1]

    assert run(main()) == left


ANN = {"_user_id": "ann", **CART}


async def late_log_out(backend, slow, paths):
    """What is left under the newest id, and the cookie of a log-out that ends behind all these requests."""
    app = Site(backend)
    await backend.save(ID, ANN, 3600)
    asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
    await app.started.wait()
    cookies = {"session_id": ID}
    for path in paths:
        cookies = (await ahttp(app, path=path, cookies=cookies)).cookies
    app.go.set()
    answer = await asking
    return await stored(backend, cookies["session_id"]), answer.headers.get("set-cookie")


@pytest.mark.parametrize("paths", [["/rotate"], ["/rotate_set/b/2"], ["/login/ann"], ["/rotate", "/rotate"]])
@pytest.mark.parametrize("slow", ["/slow_clear", "/slow_rotate_out"])
def test_30_a_late_log_out_ends_the_users_session(backend, slow, paths):
    """Whose id was changed meanwhile is logged out all the same: no session of his is left behind."""

    left, cookie = run(late_log_out(backend, slow, paths))
    assert left == {}
    assert "session_id=; " in cookie


@pytest.mark.parametrize("slow", ["/slow_unbind", "/slow_rotate_unbind"])
@pytest.mark.parametrize("paths", [["/rotate"], ["/rotate_set/b/2"], ["/login/ann"], ["/rotate", "/rotate"]])
def test_30_a_late_log_out_that_keeps_the_cart_holds(backend, slow, paths):
    """The session goes on under its new id, and is nobody's."""

    left, _ = run(late_log_out(backend, slow, paths))
    assert "_user_id" not in left
    assert left["cart"] == ["pie"]


@pytest.mark.parametrize("slow", ["/slow_clear", "/slow_rotate_out", "/slow_unbind", "/slow_rotate_unbind"])
@pytest.mark.parametrize(("data", "user"), [(ANN, "bob"), ({**CART, "_user_id": "mallory"}, "ann")])
def test_30_a_late_log_out_is_of_ones_own_session(backend, slow, data, user):
    """Who has logged in since, as somebody else, stays so."""

    async def main():
        return (await rotated_twice(backend, slow, f"/login/{user}", data=data))[2]

    assert run(main())["_user_id"] == user


@pytest.mark.parametrize("slow", ["/slow_clear", "/slow_rotate_out"])
def test_30_a_visitors_late_log_out_is_not_a_users(backend, slow):
    """Who has planted an id can't log out who has logged in with it."""

    async def main():
        return (await rotated_twice(backend, slow, "/login/ann"))[2]

    assert run(main()) == {**CART, "_user_id": "ann", "at": "desk"}


def test_29_a_log_out_that_keeps_the_cart(backend):
    """Without a rotation, too: the session is nobody's afterwards."""

    async def main():
        app = Site(backend)
        app.go.set()
        await backend.save(ID, ANN, 3600)
        await ahttp(app, path="/slow_unbind", cookies={"session_id": ID})
        return await stored(backend)

    assert run(main()) == CART


async def late_in_turn(backend, quick, *slow):
    """The answers to slow requests of a session, which end one after another when a quick one was answered."""
    apps = [Site(backend) for _ in slow]
    cookies = {"session_id": ID}
    asking = [asyncio.create_task(ahttp(app, path=path, cookies=cookies)) for app, path in zip(apps, slow, strict=True)]
    for app in apps:
        await app.started.wait()
    await ahttp(Site(backend), path=quick, cookies=cookies)
    answers = []
    for app, task in zip(apps, asking, strict=True):
        app.go.set()
        answers.append(await task)
    return answers


def test_30_a_late_log_out_holds_for_who_rotates_later(backend):
    """Two requests are under way with the old id: what the first one ends, the second one does not bring back."""

    async def main():
        await backend.save(ID, CART, 3600)
        _, rotating = await late_in_turn(backend, "/rotate", "/slow_rotate_out", "/slow_rotate")
        return rotating.headers["set-cookie"]

    assert "session_id=; " in run(main())


def test_30_a_rotation_that_leaves_nothing_leads_nowhere():
    """What one request leaves another drops: the cookie expires, and no backend is asked for the session of no id."""

    class Strict(Files):
        async def load(self, session_id):
            assert session_id
            return await super().load(session_id)

    async def main():
        backend = Strict()
        await backend.save(ID, CART, 3600)
        dropping, late = await late_in_turn(backend, "/drop/cart", "/slow_rotate_drop/theme", "/slow_rotate_set/a/1")
        return dropping.headers["set-cookie"], await stored(backend, late.cookies["session_id"])

    cookie, left = run(main())
    assert "session_id=; " in cookie
    assert left == {"a": "1"}


def test_30_a_late_rotation_is_led_through_a_few_others_at_most():
    """An endless chain of rotations is not followed: the changes of the late one stay its own."""
    backend = Files()

    async def main():
        return (await rotated_twice(backend, "/slow_rotate_set/a/1", *["/rotate"] * 9))[-1]

    assert run(main()) == {"a": "1"}


@pytest.mark.parametrize(("seconds", "left"), [(59, {**CART, "a": "1"}), (61, {"a": "1"})])
def test_30_a_rotation_is_noted_for_a_minute(monkeypatch, seconds, left):
    """A request that takes longer goes on with its own changes alone."""
    backend, now = Files(), time.time()

    async def main():
        await backend.save(ID, CART, 3600)
        app, other = Site(backend), Site(backend)
        asking = asyncio.create_task(ahttp(app, path="/slow_rotate_set/a/1", cookies={"session_id": ID}))
        await app.started.wait()
        first = await ahttp(other, path="/rotate", cookies={"session_id": ID})
        monkeypatch.setattr(time, "time", lambda: now + seconds)
        await ahttp(other, path="/rotate", cookies=first.cookies)
        app.go.set()
        return await stored(backend, (await asking).cookies["session_id"])

    assert run(main()) == left


# -- changes that are late for a rotation -----------------------------------------------------------------


LATE_CHANGES = [
    ("/slow_set/a/1", {**CART, "a": "1"}),
    ("/slow_append/tea", {**CART, "cart": ["pie", "tea"]}),
    ("/slow_drop/theme", {"cart": ["pie"]}),
]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("paths", [["/rotate"], ["/rotate", "/rotate", "/rotate"]])
@pytest.mark.parametrize(("slow", "left"), LATE_CHANGES)
def test_30_a_late_change_follows_a_rotation(backend, workers, paths, slow, left):
    """It is in what the session has become, behind several rotations, too."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        other = Site(backend) if workers == 2 else app
        asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
        await app.started.wait()
        cookies = {"session_id": ID}
        for path in paths:
            cookies = (await ahttp(other, path=path, cookies=cookies)).cookies
        app.go.set()
        late = await asking
        return await stored(backend, cookies["session_id"]), late.headers.get("set-cookie"), await stored(backend)

    assert run(main()) == (left, None, {})


def test_30_a_late_change_of_a_user_follows_a_log_in(backend):
    """What a visitor puts into the cart while the log-in is under way is the user's."""

    async def main():
        return (await rotated_twice(backend, "/slow_append/tea", "/login/ann"))[2]

    assert run(main()) == {**CART, "cart": ["pie", "tea"], "_user_id": "ann", "at": "desk"}


def test_30_a_late_log_in_without_a_rotation_does_not_follow(backend):
    """Who has planted the id can't make the session of another one his own."""

    async def main():
        return (await rotated_twice(backend, "/slow_set/_user_id/mallory", "/rotate"))[2]

    assert run(main()) == CART


@pytest.mark.parametrize(
    "paths", [("/rotate", "/logout"), ("/rotate", "/rotate", "/logout"), ("/login/ann", "/logout")]
)
@pytest.mark.parametrize("slow", [slow for slow, _ in LATE_CHANGES])
def test_30_a_late_change_revives_nothing(backend, paths, slow):
    """A log-out behind the rotation is final: nothing is stored under any id."""
    ids = []

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        asking = asyncio.create_task(ahttp(app, path=slow, cookies={"session_id": ID}))
        await app.started.wait()
        cookies = {"session_id": ID}
        for path in paths:
            ids.append(cookies["session_id"])
            cookies = (await ahttp(app, path=path, cookies=cookies)).cookies or cookies
        app.go.set()
        late = await asking
        return [await stored(backend, session_id) for session_id in ids], late.headers.get("set-cookie")

    assert run(main()) == ([{}] * len(paths), None)


@pytest.mark.parametrize("slow", ["/slow_set/a/1", "/slow_rotate_set/a/1"])
@pytest.mark.parametrize(
    ("data", "path", "left"),
    [
        (ANN, "/rotate_unbind", CART),
        (ANN, "/begin_anew", {"message": "bye"}),
        (ANN, "/login/bob", {**CART, "_user_id": "bob", "at": "desk"}),
        (CART, "/begin_anew", {"message": "bye"}),
    ],
)
def test_30_a_late_change_does_not_follow_a_log_out(backend, slow, data, path, left):
    """Whose session it was has left: what the late request of that one stores is not for who goes on."""

    async def main():
        return (await rotated_twice(backend, slow, path, data=data))[2]

    assert run(main()) == left


def test_30_an_old_id_changes_nothing_from_outside(backend):
    """Only a request that had loaded the session before it was rotated follows it, not one that comes later."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        first = await ahttp(app, path="/rotate", cookies={"session_id": ID})
        later = await ahttp(app, path="/set/a/1", cookies={"session_id": ID})
        return [await stored(backend, reply.cookies["session_id"]) for reply in (first, later)]

    assert run(main()) == [CART, {"a": "1"}]


@pytest.mark.parametrize(("seconds", "left"), [(59, {**CART, "a": "1"}), (61, CART)])
def test_30_a_late_change_follows_for_a_minute(monkeypatch, backend, seconds, left):
    """A request that takes longer has lost its session."""
    now = time.time()

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        asking = asyncio.create_task(ahttp(app, path="/slow_set/a/1", cookies={"session_id": ID}))
        await app.started.wait()
        first = await ahttp(app, path="/rotate", cookies={"session_id": ID})
        monkeypatch.setattr(time, "time", lambda: now + seconds)
        app.go.set()
        await asking
        return await stored(backend, first.cookies["session_id"])

    assert run(main()) == left


def test_37_a_sockets_late_change_follows_a_rotation(backend):
    """As that of a request does."""

    async def main():
        await backend.save(ID, CART, 3600)
        app = Site(backend)
        talking = asyncio.create_task(awebsocket(app, "/socket", headers=[("cookie", f"session_id={ID}")]))
        await app.started.wait()
        first = await ahttp(app, path="/rotate", cookies={"session_id": ID})
        app.go.set()
        await talking
        return await stored(backend, first.cookies["session_id"])

    assert run(main()) == {**CART, "last": "seen"}


class HeldFiles(Files):
    """One that waits before it stores something under the old id, or under another one, until the gate is opened."""

    def __init__(self):
        super().__init__()
        self.old, self.new = asyncio.Event(), asyncio.Event()

    async def _held(self, session_id):
        await (self.old if session_id == ID else self.new).wait()

    async def save(self, session_id, data, timeout):
        if data:
            await self._held(session_id)
        await super().save(session_id, data, timeout)


class HeldTable(HeldFiles, Table):
    """One that changes values in one step, and waits before it."""

    async def update(self, session_id, changes, removed, timeout):
        await self._held(session_id)
        return await super().update(session_id, changes, removed, timeout)


async def all_that_can_go_on():
    """Let every task go on until it waits for a gate, or for another task."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [HeldFiles, HeldTable])
@pytest.mark.parametrize("first", ["change", "rotation"])
def test_30_a_change_in_the_middle_of_a_rotation_is_kept(kind, first):
    """Whichever of them has begun to store, the other one waits for it."""

    async def main():
        backend = kind()
        backend.stored[ID] = dict(CART)
        app, other = Site(backend), Site(backend)
        changing = asyncio.create_task(ahttp(app, path="/slow_set/a/1", cookies={"session_id": ID}))
        await app.started.wait()
        if first == "change":
            app.go.set()
            await all_that_can_go_on()
        rotating = asyncio.create_task(ahttp(other, path="/rotate", cookies={"session_id": ID}))
        await all_that_can_go_on()
        app.go.set()
        backend.old.set()
        await all_that_can_go_on()
        backend.new.set()
        await changing
        return await stored(backend, (await rotating).cookies["session_id"])

    assert run(main()) == {**CART, "a": "1"}


def test_30_a_late_change_follows_a_rotation_that_overtakes_it():
    """What it was led to is rotated at that moment: it goes on to what that has become."""

    class Overtaken(Table):
        async def load(self, session_id):
            data = await super().load(session_id)
            if session_id == watched.pop(session_id, None):
                cookies.update((await ahttp(Site(self), path="/rotate", cookies={"session_id": session_id})).cookies)
            return data

    cookies: dict[str, str] = {}
    watched: dict[str, str] = {}

    async def main():
        backend = Overtaken()
        backend.stored[ID] = dict(CART)
        app = Site(backend)
        asking = asyncio.create_task(ahttp(app, path="/slow_set/a/1", cookies={"session_id": ID}))
        await app.started.wait()
        first = (await ahttp(app, path="/rotate", cookies={"session_id": ID})).cookies["session_id"]
        watched[first] = first
        app.go.set()
        await asking
        return backend.stored == {cookies["session_id"]: {**CART, "a": "1"}}

    assert run(main())


def test_30_a_backend_that_denies_each_update_holds_nobody_up():
    """A successor that lives, and can't be changed, is not tried for ever."""

    class Denying(Table):
        async def update(self, session_id, changes, removed, timeout):
            await super().update(session_id, changes, removed, timeout)
            return False

    async def main():
        return (await rotated_twice(Denying(), "/slow_set/a/1", "/rotate"))[2]

    assert run(main()) == {**CART, "a": "1"}


def test_30_a_rotation_stores_before_it_deletes():
    """A request that is cancelled in between has lost nothing."""
    backend = Files()
    backend.stored[ID] = {"user": "ann"}
    answer = http(Site(backend), path="/rotate", cookies={"session_id": ID})
    assert backend.calls == [(answer.cookies["session_id"], {"user": "ann"}), (ID, {})]


def test_37_a_socket_writes_only_what_it_changed(backend):
    """What HTTP requests store in the meantime stays."""

    async def main():
        await backend.save(ID, {"user": "ann", "role": "admin"}, 3600)
        app, other = Site(backend), Site(backend)
        cookie = [("cookie", f"session_id={ID}")]
        talking = asyncio.create_task(awebsocket(app, "/socket", headers=cookie))
        await app.started.wait()
        await ahttp(other, path="/set/role/guest", cookies={"session_id": ID})
        app.go.set()
        await talking
        return await stored(backend)

    assert run(main()) == {"user": "ann", "role": "guest", "last": "seen"}


def test_29_a_backends_own_save_is_used():
    """An `update` that the class inherits does not go past a `save` that it defines."""
    backend = Own()
    app = Site(backend)
    first = http(app, path="/set/a/1")
    http(app, path="/set/a/2", cookies=first.cookies)
    http(app, path="/show", cookies=first.cookies)
    assert backend.saves == 3


@pytest.mark.parametrize("before", [1, 1.0, True, "1", [1], {"a": 1}, {1}, (1, 2), 1 + 2j])
@pytest.mark.parametrize("after", [1, 1.0, True, "1", [1], {"a": 1}, {1}, (1, 2), 1 + 2j])
def test_29_any_change_of_value_or_type_counts(before, after):
    """1, 1.0 and True are equal, and differ all the same; what is equal in kind and value is no change."""
    backend = Table()
    backend.stored[ID] = {"v": before, "deep": [1]}

    class Changing(App):
        async def index(self):
            self.request.session["v"] = after
            return "ok"

    http(Changing(backend), cookies={"session_id": ID})
    assert type(backend.stored[ID]["v"]) is type(after)
    assert backend.stored[ID]["v"] == after


class Money:
    """A value of the application's own, which marshal does not know."""

    def __init__(self, amount):
        self.amount = amount

    def __eq__(self, other):
        return isinstance(other, Money) and other.amount == self.amount

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(("amount", "saved"), [(1, False), (2, True)])
def test_29_values_of_other_types_are_compared(amount, saved):
    """As long as they are equal nothing has changed."""
    session = Session({"money": Money(1), "n": 1}, ID)
    session["money"].amount = amount
    assert session.changed is saved
    assert list(session.changes()[0]) == ["money"] * saved


# -- caches -----------------------------------------------------------------------------------------------


class Pages(App):
    async def look(self):
        return {"user": self.request.session.get("user")}

    async def typed(self, user: str = "nobody"):
        return {"user": user}

    async def plain(self, user="nobody"):
        return {"user": user}

    async def none(self):
        return "nothing"

    async def says_otherwise(self):
        self.request.session.get("user")
        return 200, "x", {"Cache-Control": "no-store", "Vary": "Accept"}

    async def stream(self):
        self.request.session.get("user")
        yield "x"


def kept(answer):
    return answer.headers.get("cache-control"), answer.headers.get("vary")


@pytest.mark.parametrize(
    ("path", "with_session", "headers"),
    [
        ("/look", False, ("private", "Cookie")),
        ("/look", True, ("private", "Cookie")),
        ("/plain", True, ("private", "Cookie")),
        ("/typed", True, ("private", "Cookie")),
        ("/plain", False, (None, None)),
        ("/typed", False, (None, None)),
        ("/none", True, (None, None)),
        ("/says_otherwise", True, ("no-store", "Accept, Cookie")),
    ],
)
def test_31_who_looked_at_the_session_is_private(path, with_session, headers):
    """A cache may not hand it to others; a handler that says otherwise is heard."""
    backend = InMemorySessionBackend()
    app = Pages(backend)
    run(backend.save(ID, {"user": "ann"}, 3600))
    answer = http(app, path=path, cookies={"session_id": ID} if with_session else {})
    assert kept(answer) == headers


def test_31_a_reply_to_head_is_private_too():
    """With the headers that GET has."""
    assert kept(http(Pages(), "HEAD", "/look")) == ("private", "Cookie")


def test_31_the_shared_headers_are_nobodys_to_change():
    """An own `_send_response` may add to the headers of one reply, not of all."""

    class Adding(Pages):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            extra_headers.append(("X-A", "1"))
            await super()._send_response(send, status_code, body, extra_headers)

    assert [http(Adding(), path="/look").headers.get_list("x-a") for _ in range(2)] == [["1"], ["1"]]
    assert "x-a" not in http(Pages(), path="/look").headers


# -- the cookie -------------------------------------------------------------------------------------------


def test_32_of_several_cookies_the_known_one_counts():
    """Another site of the domain may have set a cookie of our name."""
    backend = InMemorySessionBackend()
    run(backend.save(ID, {"user": "ann"}, 3600))
    for header in (f"session_id={ID}; session_id=other", f"session_id=other; a=b; session_id={ID}"):
        assert wire(Pages(backend), path="/look", headers=[("cookie", header)]).json() == {"user": "ann"}
    many = "; ".join([f"session_id=x{number}" for number in range(100)] + [f"session_id={ID}"])
    assert wire(Pages(backend), path="/look", headers=[("cookie", many)]).json() == {"user": None}


def test_32_an_own_way_to_read_cookies_is_used():
    """An application that overrides `_parse_cookies` is asked."""

    class Reading(Pages):
        def _parse_cookies(self, cookie_header):
            return {"session_id": ID}

    backend = InMemorySessionBackend()
    run(backend.save(ID, {"user": "ann"}, 3600))
    answer = wire(Reading(backend), path="/look", headers=[("cookie", "session_id=a; session_id=b")])
    assert answer.json() == {"user": "ann"}


@pytest.mark.parametrize("value", ["a,b", "a b", 'say "hi"', "a;b", "back\\slash", "é", "plain"])
def test_32_what_http_cookies_writes_is_read(value):
    """The octal escapes of the standard library's cookies, which other frameworks send, are read."""

    class Echo(App):
        async def index(self):
            return self._parse_cookies(self.request.headers["cookie"])["t"]

    jar = SimpleCookie()
    jar["t"] = value
    assert wire(Echo(), headers=[("cookie", jar["t"].OutputString())]).text == value


def test_31_the_cookie_has_its_settings():
    """Name, path, domain, SameSite and age are keywords of `App`."""

    class Visit(App):
        async def index(self):
            self.request.session["n"] = self.request.session.get("n", 0) + 1
            return f"{self.request.session['n']}"

        async def logout(self):
            self.request.session.clear()
            return "out"

    app = Visit(
        session_cookie="shop",
        session_cookie_path="/shop",
        session_cookie_domain="example.org",
        session_cookie_samesite="Strict",
        session_cookie_max_age=3600,
    )
    answer = wire(app)
    name, attributes = answer.headers["set-cookie"].split("=", 1)[0], answer.headers["set-cookie"].partition("; ")[2]
    assert name == "shop"
    assert attributes == "Path=/shop; Domain=example.org; SameSite=Strict; HttpOnly; Secure; Max-Age=3600"
    cookie = [("cookie", f"shop={answer.cookies['shop']}")]
    assert wire(app, headers=cookie).text == "2"
    assert wire(app, path="/logout", headers=cookie).headers["set-cookie"] == (
        "shop=; Path=/shop; Domain=example.org; SameSite=Strict; HttpOnly; Secure; Max-Age=0"
    )


@pytest.mark.parametrize(
    "settings",
    [{"session_cookie": "__Host-id"}, {"session_cookie": "__SECURE-id"}, {"session_cookie_samesite": "None"}],
)
def test_31_a_cookie_that_browsers_want_secure_is_so_on_loopback_too(settings):
    """Without it none would keep the cookie at all."""

    class Visits(App):
        async def index(self):
            self.request.session["seen"] = True
            return "x"

    for app, is_secure in ((Visits(**settings), True), (Visits(), False)):
        answer = wire(app, host="127.0.0.1:8000", client=("127.0.0.1", 4711), scope={"http_version": "1.1"})
        assert ("; Secure" in answer.headers["set-cookie"]) == is_secure


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"session_cookie": "a b"}, "a cookie's name is a token"),
        ({"session_cookie_path": "shop"}, "a path begins with '/'"),
        ({"session_cookie_path": "/a;b"}, "printable ASCII without ';'"),
        ({"session_cookie_domain": "a\nb"}, "printable ASCII without ';'"),
        ({"session_cookie_samesite": "lax"}, "one of Lax, Strict, None"),
        ({"session_cookie_samesite": "None", "session_cookie_secure": False}, "only if it is Secure"),
        ({"session_cookie_max_age": 0}, "at least 1"),
        ({"session_cookie_max_age": 1.5}, "at least 1"),
        ({"session_cookie_max_age": True}, "at least 1"),
        ({"session_cookie_max_age": "3600"}, "at least 1"),
        ({"session_cookie": 5}, "a cookie's name is a token"),
        ({"session_cookie_path": 5}, "printable ASCII without ';'"),
        ({"session_cookie_domain": 5}, "printable ASCII without ';'"),
        ({"session_cookie": "__Secure-id", "session_cookie_secure": False}, "only if it is Secure"),
        ({"session_cookie": "__host-id", "session_cookie_secure": False}, "only if it is Secure"),
        ({"session_cookie": "__Host-id", "session_cookie_path": "/shop"}, "only with the path '/' and no domain"),
        ({"session_cookie": "__Host-id", "session_cookie_domain": "a.example"}, "only with the path '/' and no domain"),
        ({"session_cookie_secure": "yes"}, "True, False or 'auto'"),
    ],
)
def test_31_settings_that_no_browser_keeps_are_refused(settings, message):
    """When the application is made, not with the first session."""
    with pytest.raises(ValueError, match=message):
        App(**settings)


# -- memory -----------------------------------------------------------------------------------------------


def test_32_expired_sessions_go_while_others_are_used():
    """Every save looks at one more session, and so does every load of an unknown id."""

    async def main():
        backend = InMemorySessionBackend()
        for number in range(2000):
            await backend.save(f"old{number}", {"n": number}, 3600)
            backend.last_access[f"old{number}"] = 0
        for number in range(50):
            await backend.save(f"live{number}", {"n": number}, 3600)
        for number in range(3000):
            await backend.save(f"live{number % 50}", {"n": number}, 3600)
            await backend.load(f"live{number % 50}")
        return len(backend.sessions)

    assert run(main()) == 50


def test_32_loads_of_unknown_ids_clean_up():
    """Strangers clean up too."""

    async def main():
        backend = InMemorySessionBackend()
        for number in range(10):
            await backend.save(f"old{number}", {"n": number}, 3600)
            backend.last_access[f"old{number}"] = 0
        for _ in range(20):
            await backend.load("unknown")
        return len(backend.sessions)

    assert run(main()) == 0


def test_32_what_two_requests_empty_together_is_gone():
    """Each removes one of the last two values."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save(ID, {"a": 1, "b": 2}, 3600)
        await backend.update(ID, {}, ["a"], 3600)
        await backend.update(ID, {}, ["b"], 3600)
        await backend.update(ID, {"c": 3}, [], 3600)
        return await backend.load(ID)

    assert run(main()) == {}


def test_33_cookies_that_can_not_be_read_replace_no_session():
    """What an overridden `_parse_cookies` raises answers; a hook that fills the session then makes none."""

    class Refusing(App):
        refuses: Exception | None = None

        def _parse_cookies(self, cookie_header):
            if self.refuses is not None:
                raise self.refuses
            return super()._parse_cookies(cookie_header)

        async def index(self):
            self.request.session["visits"] = self.request.session.get("visits", 0) + 1
            return self.request.session["visits"]

    class Filling(HttpMiddleware):
        def after_request(self, request, status_code, response_body, extra_headers):
            request.session["status"] = status_code

    app = Refusing()
    app.middlewares.append(Filling())
    cookie = [("cookie", http(app).headers["set-cookie"].partition(";")[0])]
    for refusal, status in ((HTTPError(400), 400), (ValueError("not this one"), 500)):
        app.refuses = refusal
        refused = http(app, headers=cookie)
        assert (refused.status_code, refused.headers.get("set-cookie")) == (status, None)
    app.refuses = None
    assert http(app, headers=cookie).json() == 2
