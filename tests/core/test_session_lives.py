"""How long a session lives, and what ends it: rotation, log-out, age, and requests that race."""

import asyncio
import time
from typing import Any

from micropie import App, InMemorySessionBackend
from tests.client import ahttp, http
from tests.wire import wire


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
