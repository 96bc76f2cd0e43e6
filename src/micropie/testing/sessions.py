"""Tests that every session backend passes, to be run on one's own by pytest.

class TestMySessions(SessionBackendSuite):
    def backend(self):
        return MySessions("test-database")

Inherit `AtomicSuite` too where the backend has `update` and `touch`, `ListingSuite` where it has `sessions_of` and
`end_sessions`, and `RotationSuite` where it says `keeps_rotations`. The docstrings are the promises that a backend
makes.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

from micropie import App, Session, SessionBackend
from micropie.testing.sync_client import TestClient

ID, OTHER_ID = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
COOKIE = "session_id"
LONG = 3600  # seconds
SHORT = 1
UNTIL_EXPIRED = 1.6  # a store may round to whole seconds
WRITERS = 20
VALUES: dict[str, Any] = {
    "text": "zażółć 🥧 \x00 \\ \" '",
    "empty": "",
    "number": 12345678901234567890,
    "fraction": 0.1,
    "yes": True,
    "nothing": None,
    "list": [1, [2, {"three": []}]],
    "object": {"a": {"b": {}}},
    "$dollar.dot": 1,
    "Case": 1,
    "case": 2,
    "é": 1,
    "": "no name",
}
IDS = ("aB" * 16, "Ab" * 16, "aB" * 15, "a", "A", "x" * 128, "a._~+=:@-", "a_", "ab")


class Site(App):
    """The application under test: a site that keeps values, and can be held up."""

    def __init__(self, backend: SessionBackend) -> None:
        super().__init__(backend, session_cookie=COOKIE)
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def put(self, name: str, value: str) -> str:
        """Store a value."""
        self.request.session[name] = value
        return "stored"

    async def append(self, value: str) -> str:
        """Change a list in place."""
        self.request.session["list"].append(value)
        return "appended"

    async def drop(self, name: str) -> str:
        """Delete a value."""
        del self.request.session[name]
        return "deleted"

    async def rotate(self) -> str:
        """Ask for a fresh id."""
        self.request.session.rotate()
        return "rotated"

    async def slow_rotate(self, name: str, value: str) -> str:
        """Change the session and ask for a fresh id, when the test says go."""
        answer = await self.slow(name, value)
        self.request.session.rotate()
        return answer

    async def logout(self) -> str:
        """End the session."""
        self.request.session.clear()
        return "ended"

    async def show(self) -> dict[str, Any]:
        """The values of the session."""
        return dict(self.request.session)

    async def idle(self) -> str:
        """Leave the session alone."""
        return "idle"

    async def slow(self, name: str = "", value: str = "") -> str:
        """Load the session, and change it or not, when the test says go."""
        session = self.request.session
        self.entered.set()
        await self.go.wait()
        if name:
            session[name] = value
        return "slow"


class SessionBackendSuite:
    """The promises of every session backend. Define `backend`; each test is run in an event loop of its own.

    class TestMySessions(SessionBackendSuite):
        @pytest.fixture(autouse=True)
        def file(self, tmp_path):
            self.path = tmp_path / "sessions.db"

        def backend(self):
            return MySessions(self.path)
    """

    def backend(self) -> SessionBackend:
        """A backend as one worker has it: those of a test share one store, which no other test has."""
        raise NotImplementedError(
            f"{type(self).__name__} has to define backend(), which makes the backend to be tested"
        )

    def test_optional_methods_have_their_suites(self) -> None:
        """A backend with `update` passes `AtomicSuite` too, with `sessions_of` `ListingSuite`, and so on."""
        backend = self.backend()
        suites: Any = (
            (AtomicSuite, "update"),
            (AtomicSuite, "touch"),
            (ListingSuite, "sessions_of"),
            (RotationSuite, "keeps_rotations"),
        )
        for suite, name in suites:
            has_it = getattr(type(backend), name, None) is not getattr(SessionBackend, name, None)
            expect(isinstance(self, suite), has_it, f"{type(self).__name__} inherits {suite.__name__} as it has {name}")
        run(closed([backend]))

    def test_an_unknown_session_is_empty(self) -> None:
        """`load` gives `{}` or None for an id that was never saved."""

        async def main(backend: SessionBackend) -> None:
            expect(await backend.load(ID) or {}, {}, "load() of an unknown id")

        self._run(main)

    def test_what_was_saved_is_loaded(self) -> None:
        """Whatever JSON can hold, under whatever names, by another worker too."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, VALUES, LONG)
            for one in (backend, other):
                loaded = await one.load(ID)
                expect(loaded, VALUES, "load() of what was saved")
                expect(kinds_of(loaded), kinds_of(VALUES), "the types of what was saved")

        self._run(main)

    def test_a_save_replaces_what_was_there(self) -> None:
        """Names that are not in the new data are gone."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"a": 1, "b": [1]}, LONG)
            await other.save(ID, {"b": [2]}, LONG)
            expect(await backend.load(ID), {"b": [2]}, "load() after a second save()")

        self._run(main)

    def test_empty_data_delete_the_session(self) -> None:
        """`save(id, {}, 0)` is how a session ends; it may be unknown."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"a": 1}, LONG)
            await other.save(ID, {}, 0)
            await other.save(OTHER_ID, {}, 0)
            for one in (backend, other):
                expect(await one.load(ID) or {}, {}, "load() after save() with empty data")

        self._run(main)

    def test_loaded_and_saved_data_are_copies(self) -> None:
        """A request that changes its data changes nothing that is stored."""

        async def main(backend: SessionBackend) -> None:
            data: dict[str, Any] = {"list": [1]}
            await backend.save(ID, data, LONG)
            data["list"].append("after save()")
            loaded = await backend.load(ID) or {}
            loaded["list"].append("after load()")
            expect(await backend.load(ID), {"list": [1]}, "what is stored, after others' changes of their copies")

        self._run(main)

    def test_ids_are_told_apart(self) -> None:
        """Letter by letter, in upper and lower case; they have up to 128 characters."""

        async def main(backend: SessionBackend) -> None:
            for number, session_id in enumerate(IDS):
                await backend.save(session_id, {"number": number}, LONG)
            loaded = [await backend.load(session_id) for session_id in IDS]
            expect(loaded, [{"number": number} for number, _ in enumerate(IDS)], f"the data of {IDS!r}")

        self._run(main)

    def test_each_session_expires_in_its_time(self) -> None:
        """One that nobody has used for its `timeout` is unknown, others are not."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"a": 1}, SHORT)
            await backend.save(OTHER_ID, {"a": 1}, LONG)
            expect(await backend.load(ID), {"a": 1}, f"load() at once, with a timeout of {SHORT} s")
            await asyncio.sleep(UNTIL_EXPIRED)
            for one in (other, backend):
                expect(await one.load(ID) or {}, {}, f"load() after {UNTIL_EXPIRED} s, with a timeout of {SHORT} s")
                expect(
                    await one.load(OTHER_ID), {"a": 1}, f"load() after {UNTIL_EXPIRED} s, with a timeout of {LONG} s"
                )

        self._run(main)

    def test_a_request_keeps_its_session_alive(self) -> None:
        """Also one that changes nothing, or does not look at it."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            for session_id in (ID, OTHER_ID):
                await backend.save(session_id, {"a": "1"}, SHORT)
            async with Workers(backend, other) as workers:
                await workers.ask(0, "/idle")
                await workers.ask(1, "/put/a/2", OTHER_ID)
                await asyncio.sleep(UNTIL_EXPIRED)
                expect(await workers.ask(1, "/show"), {"a": "1"}, "the session of a visitor who came again")
                expect(await workers.ask(0, "/show", OTHER_ID), {"a": "2"}, "the session of one who changed it")

        self._run(main)

    def test_a_visit_to_two_workers(self) -> None:
        """A value stored by one is known to the other; a rotation and a log-out of one count for both."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"list": []}, LONG)
            async with Workers(backend, other) as workers:
                await workers.ask(0, "/put/user/ann")
                await workers.ask(1, "/append/pie")
                await workers.ask(0, "/append/tea")
                expect(
                    await workers.ask(1, "/show"), {"list": ["pie", "tea"], "user": "ann"}, "what was stored in turn"
                )
                await workers.ask(1, "/rotate")
                fresh = workers.cookies[COOKIE]
                expect(await workers.ask(0, "/show"), {}, "the session under its old id, after rotate()")
                await workers.ask(0, "/drop/user", fresh)
                expect(await workers.ask(1, "/show", fresh), {"list": ["pie", "tea"]}, "the session under its new id")
                await workers.ask(0, "/logout", fresh)
                expect(await workers.ask(1, "/show", fresh), {}, "the session after a log-out")

        self._run(main)

    def test_parallel_requests_of_a_session_lose_nothing(self) -> None:
        """Each of twenty stores a value of its own, at the same time, in one process."""

        async def main(backend: SessionBackend) -> None:
            await backend.save(ID, {"user": "ann"}, LONG)
            async with Workers(backend) as workers:
                await asyncio.gather(*(workers.ask(0, f"/put/k{number}/{number}") for number in range(WRITERS)))
                expect(
                    await workers.ask(0, "/show"), {"user": "ann", **written()}, "what parallel requests have stored"
                )

        self._run(main)

    def test_two_rotations_of_a_session_lose_nothing(self) -> None:
        """The late one goes on with what was there, and what it has changed goes on with the other one, too."""

        async def main(backend: SessionBackend) -> None:
            await rotated_twice(backend, backend)

        self._run(main)

    def test_a_change_during_a_rotation_is_kept(self) -> None:
        """A slow request that loaded the session before stores its value in what the session has become."""

        async def main(backend: SessionBackend) -> None:
            await changed_late(backend, backend)

        self._run(main)

    def test_a_log_out_is_final(self) -> None:
        """A slow request that loaded the session before does not bring it back, whether it changes it or not."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            for path in ("/slow", "/slow/a/1"):
                await backend.save(ID, {"user": "ann"}, LONG)
                async with Workers(backend, other) as workers:
                    await workers.during(path, "/logout")
                expect(await backend.load(ID) or {}, {}, f"load() after a log-out during {path}")

        self._run(main)

    def test_a_slow_request_brings_nothing_back(self) -> None:
        """A change that others have made meanwhile stays."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"user": "ann", "role": "admin", "team": "a"}, LONG)
            async with Workers(backend, other) as workers:
                await workers.during("/slow/seen/yes", "/put/team/b", "/drop/role")
            expect(await backend.load(ID), {"user": "ann", "team": "b", "seen": "yes"}, "what two requests have left")

        self._run(main)

    def test_a_cancelled_request_leaves_the_backend_in_order(self) -> None:
        """Whenever a client leaves, every later request is given its own session's data, and none waits for ever."""

        async def main(backend: SessionBackend) -> None:
            for number, session_id in enumerate(IDS):
                await backend.save(session_id, {"number": number}, LONG)
            for turns in range(40):
                asking = [asyncio.ensure_future(backend.load(session_id)) for session_id in IDS]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for leaving in asking[turns % 2 :: 2]:
                    leaving.cancel()
                loaded = await asyncio.gather(*asking, return_exceptions=True)
                given = {number: data for number, data in enumerate(loaded) if isinstance(data, dict)}
                expect(given, {number: {"number": number} for number in given}, "load() while others are cancelled")

        self._run(main)

    def test_a_closed_backend_may_be_used_again(self) -> None:
        """`aclose` lets go of what is open, in the loop that used it; another loop goes on with the backend."""
        backend = self.backend()
        for number in range(2):
            run(closed([backend], backend.save(f"{ID}{number}", {"number": number}, LONG)))

        async def main() -> None:
            loaded = [await backend.load(f"{ID}{number}") for number in range(2)]
            expect(loaded, [{"number": 0}, {"number": 1}], "load() after aclose()")

        run(closed([backend], main()))

    def _run(self, main: Callable[..., Awaitable[None]]) -> None:
        """Run a test with as many workers' backends as it takes."""
        backends = [self.backend() for _ in range(main.__code__.co_argcount)]
        run(closed(backends, main(*backends)))


class AtomicSuite(SessionBackendSuite):
    """The promises of a backend with `update` and `touch`, besides."""

    def test_an_update_changes_what_is_stored(self) -> None:
        """It writes some values and deletes some names; the others stay."""

        async def main(backend: Any, other: Any) -> None:
            await backend.save(ID, {"a": 1, "b": [1], "c": 1}, LONG)
            await other.update(ID, {"b": [1, 2], "d": None}, ["c", "unknown"], LONG)
            expect(await backend.load(ID), {"a": 1, "b": [1, 2], "d": None}, "load() after update()")
            await other.update(ID, VALUES, [], LONG)
            expect(await backend.load(ID), {"a": 1, "b": [1, 2], "d": None, **VALUES}, "load() after update() with it")

        self._run(main)

    def test_an_update_that_deletes_the_last_value_ends_the_session(self) -> None:
        """An empty session is none, and a later update does not bring it back."""

        async def main(backend: Any) -> None:
            await backend.save(ID, {"a": 1, "b": 1}, LONG)
            await backend.update(ID, {}, ["a"], LONG)
            await backend.update(ID, {}, ["b"], LONG)
            await backend.update(ID, {"c": 1}, [], LONG)
            expect(await backend.load(ID) or {}, {}, "load() after the last value was deleted")

        self._run(main)

    def test_nothing_brings_a_session_back(self) -> None:
        """Neither `update` nor `touch`: not one that has ended, nor one that expired, nor one that never was."""

        async def main(backend: Any, other: Any) -> None:
            never = "never-saved"
            await backend.save(ID, {"a": 1}, LONG)
            await other.save(ID, {}, 0)
            await backend.save(OTHER_ID, {"a": 1}, SHORT)
            await asyncio.sleep(UNTIL_EXPIRED)
            for session_id in (OTHER_ID, ID, never):  # before a load() finds out that it has expired
                await backend.touch(session_id, LONG)
                await backend.update(session_id, {"b": 1}, [], LONG)
                await backend.touch(session_id, LONG)
                expect(await other.load(session_id) or {}, {}, "load() of a session that is no more")

        self._run(main)

    def test_an_update_says_if_nothing_is_stored(self) -> None:
        """By False, so that the change goes where the session has gone by a rotation."""

        async def main(backend: Any, other: Any) -> None:
            never = "never-saved"
            await backend.save(ID, {"a": 1}, LONG)
            await backend.save(OTHER_ID, {"a": 1}, SHORT)
            changes: Any = (({"a": 2}, []), ({"a": 2}, ["unknown"]), ({}, []), ({}, ["a"]))
            told = [await other.update(ID, changed, removed, LONG) for changed, removed in changes]
            denied = [answer is False for answer in told]
            expect(denied, [False] * len(told), f"which updates of a session that is there are denied by {told}")
            await asyncio.sleep(UNTIL_EXPIRED)
            told = [await other.update(session_id, {"b": 1}, [], LONG) for session_id in (ID, OTHER_ID, never)]
            denied = [answer is False for answer in told]
            expect(denied, [True] * len(told), f"which updates of a session that is no more are denied by {told}")

        self._run(main)

    def test_update_and_touch_push_the_expiry(self) -> None:
        """By the time that they are given, from now on."""

        async def main(backend: Any, other: Any) -> None:
            await other.load(ID)  # who connects at the first use has the time for it
            for session_id in (ID, OTHER_ID):
                await backend.save(session_id, {"a": 1}, SHORT)
            await other.update(ID, {"b": 1}, [], LONG)
            await other.touch(OTHER_ID, LONG)
            await asyncio.sleep(UNTIL_EXPIRED)
            expect(await backend.load(ID), {"a": 1, "b": 1}, "load() after update() with a longer timeout")
            expect(await backend.load(OTHER_ID), {"a": 1}, "load() after touch() with a longer timeout")

        self._run(main)

    def test_a_shorter_timeout_counts_for_sessions_that_are_there(self) -> None:
        """From their next request on, by `update` and by `touch`."""

        async def main(backend: Any, other: Any) -> None:
            for session_id in (ID, OTHER_ID):
                await backend.save(session_id, {"a": 1}, LONG)
            await other.update(ID, {"b": 1}, [], SHORT)
            await other.touch(OTHER_ID, SHORT)
            await asyncio.sleep(UNTIL_EXPIRED)
            expect(await backend.load(ID) or {}, {}, "load() after update() with a shorter timeout")
            expect(await backend.load(OTHER_ID) or {}, {}, "load() after touch() with a shorter timeout")

        self._run(main)

    def test_updates_of_two_workers_lose_nothing(self) -> None:
        """Each of twenty requests stores a value of its own at the same time, half of them asking another worker."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await backend.save(ID, {"user": "ann"}, LONG)
            async with Workers(backend, other) as workers:
                await asyncio.gather(
                    *(workers.ask(number % 2, f"/put/k{number}/{number}") for number in range(WRITERS))
                )
            expect(
                await backend.load(ID), {"user": "ann", **written()}, "what two workers have stored at the same time"
            )

        self._run(main)


class RotationSuite(SessionBackendSuite):
    """The promises of a backend with `keeps_rotations = True`, besides."""

    def test_two_rotations_by_two_workers_lose_nothing(self) -> None:
        """Where a session went is kept in the store, so that the other worker knows."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await rotated_twice(backend, other)

        self._run(main)

    def test_a_change_during_a_rotation_by_another_worker_is_kept(self) -> None:
        """It is told where the session went, as one of the same worker is."""

        async def main(backend: SessionBackend, other: SessionBackend) -> None:
            await changed_late(backend, other)

        self._run(main)


class ListingSuite(SessionBackendSuite):
    """The promises of a backend with `sessions_of` and `end_sessions`, besides."""

    def test_the_sessions_of_a_user_are_listed(self) -> None:
        """By the SHA-256 of their ids; not those of others, of nobody, or that have expired."""

        async def main(backend: Any, other: Any) -> None:
            await backend.save("1" * 32, bound_to("ann", device="laptop"), LONG)
            await backend.save("2" * 32, bound_to("ann", device="phone"), LONG)
            await backend.save("3" * 32, bound_to("ann"), SHORT)
            await backend.save("4" * 32, bound_to("Ann"), LONG)
            await backend.save("5" * 32, {"a": 1}, LONG)
            await asyncio.sleep(UNTIL_EXPIRED)
            listed = await other.sessions_of("ann")
            expected = {handle_of("1" * 32): "laptop", handle_of("2" * 32): "phone"}
            expect({handle: data.get("device") for handle, data in listed.items()}, expected, "sessions_of() a user")
            expect(await other.sessions_of("nobody"), {}, "sessions_of() a user who has none")

        self._run(main)

    def test_a_session_is_listed_as_what_it_is_now(self) -> None:
        """One that is bound later, to another user, or ended."""

        async def main(backend: Any, other: Any) -> None:
            async def listed() -> list[int]:
                return [len(await other.sessions_of(user)) for user in ("ann", "bob")]

            await backend.save(ID, {"a": 1}, LONG)
            async with Workers(backend) as workers:
                await workers.ask(0, f"/put/{Session.USER}/ann")
                expect(await listed(), [1, 0], "the number of sessions of two users, after one is bound")
                await workers.ask(0, f"/put/{Session.USER}/bob")
                expect(await listed(), [0, 1], "the same, after it is bound to the other one")
                await workers.ask(0, f"/drop/{Session.USER}")
                expect(await listed(), [0, 0], "the same, after it is nobody's any more")
                await workers.ask(0, f"/put/{Session.USER}/ann")
                await workers.ask(0, "/logout")
                expect(await listed(), [0, 0], "the same, after it has ended")
            expect(await backend.end_sessions("ann"), 0, "end_sessions() of a user without one")

        self._run(main)

    def test_a_busy_session_stays_listed(self) -> None:
        """As long as requests keep it alive."""

        async def main(backend: Any, other: Any) -> None:
            for session_id in (ID, OTHER_ID):
                await backend.save(session_id, bound_to("ann"), SHORT)
            async with Workers(backend) as workers:
                await workers.ask(0, "/idle")
                await workers.ask(0, "/put/a/1", OTHER_ID)
            await asyncio.sleep(UNTIL_EXPIRED)
            expect(
                set(await other.sessions_of("ann")), {handle_of(ID), handle_of(OTHER_ID)}, "sessions_of() after a while"
            )
            expect(await other.end_sessions("ann"), 2, "end_sessions() after a while")

        self._run(main)

    def test_all_sessions_of_a_user_end(self) -> None:
        """Those of others go on."""

        async def main(backend: Any, other: Any) -> None:
            ids = await stored_for(backend, "ann", "ann", "bob")
            expect(await other.end_sessions("ann"), 2, "end_sessions()")
            expect(await living(backend, ids), [False, False, True], "which sessions of ann, ann and bob live then")

        self._run(main)

    def test_one_session_of_a_user_ends(self) -> None:
        """That with the handle, if it is the user's."""

        async def main(backend: Any, other: Any) -> None:
            ids = await stored_for(backend, "ann", "ann", "bob")
            expect(
                await other.end_sessions("bob", handle_of(ids[0])), 0, "end_sessions() of a handle of somebody else's"
            )
            for nobodys in ("", ids[0], "*", "%"):
                expect(
                    await other.end_sessions("ann", nobodys), 0, f"end_sessions() of {nobodys!r}, which is no handle"
                )
            expect(await other.end_sessions("ann", handle_of(ids[0])), 1, "end_sessions() of a handle")
            expect(await living(backend, ids), [False, True, True], "which sessions of ann, ann and bob live then")

        self._run(main)

    def test_all_but_one_session_of_a_user_end(self) -> None:
        """The one to keep goes on."""

        async def main(backend: Any, other: Any) -> None:
            ids = await stored_for(backend, "ann", "ann", "ann", "bob")
            expect(await other.end_sessions("ann", keep=handle_of(ids[1])), 2, "end_sessions() but for one")
            expect(
                await living(backend, ids), [False, True, False, True], "which sessions of ann (3) and bob live then"
            )

        self._run(main)


class Workers:
    """Several workers with an application each, in one process, that are asked by clients of one session or another."""

    def __init__(self, *backends: SessionBackend) -> None:
        self.cookies: Mapping[str, str] = {}  # of the last reply
        self.earlier: Mapping[str, str] = {}  # of the one before
        self._sites = [Site(backend) for backend in backends]
        self._clients: list[Any] = []
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._clients = [await self._exits.enter_async_context(TestClient(site)) for site in self._sites]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def ask(self, worker: int, path: str, session_id: str = ID) -> Any:
        """The answer of a worker."""
        reply = await self._clients[worker].get(path, cookies={COOKIE: session_id})
        self.earlier, self.cookies = self.cookies, reply.cookies
        return reply.raise_for_status().json() if path == "/show" else reply.raise_for_status().text

    async def during(self, slow: str, *paths: str) -> None:
        """Ask the second worker for some paths while the first one is busy with a slow request."""
        site = self._sites[0]
        asking = asyncio.ensure_future(self.ask(0, slow))
        await site.entered.wait()
        for path in paths:
            await self.ask(1, path)
        site.go.set()
        await asking

    async def during_visits(self, slow: str, *paths: str) -> str:
        """The last id of a visitor who asks for the paths with the newest cookie while the first worker is busy."""
        site = self._sites[0]
        asking = asyncio.ensure_future(self.ask(0, slow))
        await site.entered.wait()
        newest = ID
        for path in paths:
            await self.ask(1, path, newest)
            newest = self.cookies.get(COOKIE) or newest
        site.go.set()
        await asking
        return newest


async def rotated_twice(slow: SessionBackend, quick: SessionBackend) -> None:
    """Let a session be rotated while a slow request, with the old id, is to change it and rotate it, too."""
    await slow.save(ID, {"cart": ["pie"]}, LONG)
    async with Workers(slow, quick) as workers:
        await workers.during("/slow_rotate/late/yes", "/rotate")
        late, first = workers.cookies[COOKIE], workers.earlier[COOKIE]
        left = {"cart": ["pie"], "late": "yes"}
        expect(await workers.ask(1, "/show", late), left, "the session of a request that rotates it late")
        expect(await workers.ask(0, "/show", first), left, "the session that was rotated before, with the late change")
        expect(await workers.ask(0, "/show"), {}, "the session under its old id")


async def changed_late(slow: SessionBackend, quick: SessionBackend) -> None:
    """Let a session be rotated, and then rotated and ended, while a slow request with the old id is to change it."""
    for paths, left in ((["/rotate"], {"cart": ["pie"], "late": "yes"}), (["/rotate", "/logout"], {})):
        await slow.save(ID, {"cart": ["pie"]}, LONG)
        async with Workers(slow, quick) as workers:
            fresh = await workers.during_visits("/slow/late/yes", *paths)
            expect(await workers.ask(0, "/show", fresh), left, f"the session after {paths}, with a late change")
            expect(await workers.ask(0, "/show"), {}, "the session under its old id")


def expect(found: object, expected: object, promise: str) -> None:
    """AssertionError that says what was expected, unless it is so."""
    if found != expected:
        raise AssertionError(f"{promise}: expected {expected!r}, found {found!r}")


def kinds_of(data: Mapping[str, Any] | None) -> dict[str, type]:
    """The type of each value."""
    return {name: type(value) for name, value in (data or {}).items()}


def written() -> dict[str, str]:
    """The values that all writers of a test have stored."""
    return {f"k{number}": str(number) for number in range(WRITERS)}


def bound_to(user_id: str, **data: Any) -> dict[str, Any]:
    """The data of a session that is bound to a user."""
    session = Session({"a": 1, **data})
    session.bind(user_id)
    return dict(session)


def handle_of(session_id: str) -> str:
    """The name of a session in a list."""
    return hashlib.sha256(session_id.encode()).hexdigest()


async def stored_for(backend: SessionBackend, *users: str) -> list[str]:
    """The ids of new sessions, one for each user."""
    ids = [str(number) * 32 for number, _ in enumerate(users)]
    for session_id, user in zip(ids, users, strict=True):
        await backend.save(session_id, bound_to(user), LONG)
    return ids


async def living(backend: SessionBackend, ids: list[str]) -> list[bool]:
    """Which sessions there are."""
    return [bool(await backend.load(session_id)) for session_id in ids]


async def closed(backends: Iterable[SessionBackend], work: Awaitable[object] | None = None) -> None:
    """Do some work, and close the backends in any case."""
    try:
        if work is not None:
            await work
    finally:
        for backend in backends:
            await backend.aclose()


def run(work: Awaitable[None]) -> None:
    """Run something in an event loop of its own."""

    async def main() -> None:
        await work

    asyncio.run(main())
