"""The public suite of session backends: right ones pass it, and each promise that is broken is found."""

import asyncio
from typing import Any

import pytest

from micropie import InMemorySessionBackend, configuration
from micropie.testing.sessions import AtomicSuite, ListingSuite, RotationSuite, SessionBackendSuite
from tests.contract.test_guide import run_snippet


class TestInMemory(AtomicSuite, ListingSuite):
    """The default: workers share it as one object."""

    @pytest.fixture(autouse=True)
    def memory(self):
        self.shared = InMemorySessionBackend()

    def backend(self):
        return self.shared


class TestReadme(SessionBackendSuite):
    """The backend that the guide shows: `load` and `save` alone."""

    @pytest.fixture(autouse=True)
    def snippet(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        names = run_snippet("session-backend")
        self.made: list[Any] = [configuration(names["app"]).session_backend]
        self.kind = names["SqliteSessions"]
        yield
        for backend in self.made:
            backend.db.close()

    def backend(self):
        self.made.append(self.kind("sessions.db"))
        return self.made[-1]


# -- what is found ----------------------------------------------------------------------------------------


class Suite(AtomicSuite, ListingSuite, RotationSuite):
    """Of a backend class; not collected by its name."""

    def __init__(self, made):
        self.made = made()

    def backend(self):
        return self.made


class Amnesia(InMemorySessionBackend):
    async def save(self, session_id, data, timeout):
        pass


class Texts(InMemorySessionBackend):
    async def load(self, session_id):
        return {name: str(value) for name, value in (await super().load(session_id)).items()}


class Merging(InMemorySessionBackend):
    async def save(self, session_id, data, timeout):
        await super().save(session_id, {**self.sessions.get(session_id, {}), **data} if data else {}, timeout)


class Undead(InMemorySessionBackend):
    async def save(self, session_id, data, timeout):
        if data:
            await super().save(session_id, data, timeout)


class Sharing(InMemorySessionBackend):
    async def load(self, session_id):
        return self.sessions.get(session_id, {})


class CaseBlind(InMemorySessionBackend):
    async def load(self, session_id):
        return await super().load(session_id.lower())

    async def save(self, session_id, data, timeout):
        await super().save(session_id.lower(), data, timeout)


class Eternal(InMemorySessionBackend):
    async def save(self, session_id, data, timeout):
        await super().save(session_id, data, 3600)


class OneTimeout(InMemorySessionBackend):
    async def save(self, session_id, data, timeout):
        await super().save(session_id, data, 1)


class Impatient(InMemorySessionBackend):
    async def touch(self, session_id, timeout):
        pass


class Overwriting(InMemorySessionBackend):
    async def update(self, session_id, changes, removed, timeout):
        before = self.sessions.get(session_id, {})
        await asyncio.sleep(0)
        if before:
            await self.save(
                session_id, {name: v for name, v in {**before, **changes}.items() if name not in removed}, timeout
            )


class Reviving(InMemorySessionBackend):
    async def update(self, session_id, changes, removed, timeout):
        data = {**self.sessions.get(session_id, {}), **changes}
        await self.save(session_id, {name: value for name, value in data.items() if name not in removed}, timeout)


class Silent(InMemorySessionBackend):
    """One that does not say whether there was something to change."""

    async def update(self, session_id, changes, removed, timeout):
        await super().update(session_id, changes, removed, timeout)


class Lagging(InMemorySessionBackend):
    async def update(self, session_id, changes, removed, timeout):
        await super().update(session_id, changes, removed, self._timeouts.get(session_id, 0))


class Faithful(InMemorySessionBackend):
    async def touch(self, session_id, timeout):
        await super().touch(session_id, max(timeout, self._timeouts.get(session_id, 0)))


class Untimely(InMemorySessionBackend):
    """One that pushes the expiry of what has expired and was not looked at since."""

    async def touch(self, session_id, timeout):
        if session_id in self.sessions:
            await self.save(session_id, self.sessions[session_id], timeout)


class Mixing(InMemorySessionBackend):
    """One whose cancelled loads leave their answers for the next."""

    def __init__(self):
        super().__init__()
        self.answers = []

    async def load(self, session_id):
        self.answers.append(await super().load(session_id))
        await asyncio.sleep(0)
        return self.answers.pop(0)


class Closed(InMemorySessionBackend):
    async def aclose(self):
        self.sessions.clear()


class Showing(InMemorySessionBackend):
    async def sessions_of(self, user_id):
        return dict(self.sessions)


class Noting(InMemorySessionBackend):
    """One that keeps where sessions went beside them."""

    keeps_rotations = True


class TestNoting(TestInMemory, RotationSuite):
    """Notes of rotations are kept as sessions are."""

    @pytest.fixture(autouse=True)
    def memory(self):
        self.shared = Noting()


class Choosy(Noting):
    async def save(self, session_id, data, timeout):
        if " " not in session_id:
            await super().save(session_id, data, timeout)


class Sticky(Noting):
    """One under whose old ids the session stays."""

    async def save(self, session_id, data, timeout):
        if data:
            await super().save(session_id, data, timeout)


class Obedient(InMemorySessionBackend):
    async def end_sessions(self, user_id, handle=None, *, keep=None):
        ended = await self.sessions_of(user_id)
        self.sessions.clear()
        return len(ended)


@pytest.mark.parametrize(
    ("made", "test"),
    [
        (Amnesia, "test_what_was_saved_is_loaded"),
        (Texts, "test_what_was_saved_is_loaded"),
        (Merging, "test_a_save_replaces_what_was_there"),
        (Undead, "test_empty_data_delete_the_session"),
        (Sharing, "test_loaded_and_saved_data_are_copies"),
        (CaseBlind, "test_ids_are_told_apart"),
        (Eternal, "test_each_session_expires_in_its_time"),
        (OneTimeout, "test_each_session_expires_in_its_time"),
        (Impatient, "test_a_request_keeps_its_session_alive"),
        (Impatient, "test_update_and_touch_push_the_expiry"),
        (Undead, "test_a_visit_to_two_workers"),
        (Undead, "test_a_log_out_is_final"),
        (Overwriting, "test_parallel_requests_of_a_session_lose_nothing"),
        (Overwriting, "test_updates_of_two_workers_lose_nothing"),
        (Reviving, "test_nothing_brings_a_session_back"),
        (Reviving, "test_an_update_that_deletes_the_last_value_ends_the_session"),
        (Silent, "test_an_update_says_if_nothing_is_stored"),
        (Silent, "test_a_change_during_a_rotation_is_kept"),
        (Lagging, "test_update_and_touch_push_the_expiry"),
        (Lagging, "test_a_shorter_timeout_counts_for_sessions_that_are_there"),
        (Faithful, "test_a_shorter_timeout_counts_for_sessions_that_are_there"),
        (Untimely, "test_nothing_brings_a_session_back"),
        (Mixing, "test_a_cancelled_request_leaves_the_backend_in_order"),
        (Closed, "test_a_closed_backend_may_be_used_again"),
        (Showing, "test_the_sessions_of_a_user_are_listed"),
        (Obedient, "test_all_sessions_of_a_user_end"),
        (Obedient, "test_one_session_of_a_user_ends"),
        (Choosy, "test_two_rotations_of_a_session_lose_nothing"),
        (Choosy, "test_two_rotations_by_two_workers_lose_nothing"),
        (Choosy, "test_a_change_during_a_rotation_by_another_worker_is_kept"),
        (Sticky, "test_a_change_during_a_rotation_by_another_worker_is_kept"),
        (Sticky, "test_two_rotations_by_two_workers_lose_nothing"),
        (Obedient, "test_all_but_one_session_of_a_user_end"),
    ],
)
def test_a_broken_promise_is_found(made, test):
    """By the test that is named for it, with what was expected and what was found."""
    with pytest.raises(AssertionError, match=r"expected .*, found "):
        getattr(Suite(made), test)()


@pytest.mark.parametrize(
    ("missing", "suites"),
    [
        (AtomicSuite, (ListingSuite, RotationSuite)),
        (ListingSuite, (AtomicSuite, RotationSuite)),
        (RotationSuite, (AtomicSuite, ListingSuite)),
    ],
)
def test_a_forgotten_suite_is_named(missing, suites):
    """A backend that can do more is to be tested for it."""

    class Forgetful(*suites):  # type: ignore[misc]
        def backend(self):
            return Noting()

    with pytest.raises(AssertionError, match=f"Forgetful inherits {missing.__name__} as it has"):
        Forgetful().test_optional_methods_have_their_suites()


def test_a_suite_without_a_backend_says_what_to_define():
    """By its own name."""
    with pytest.raises(NotImplementedError, match=r"SessionBackendSuite has to define backend\(\)"):
        SessionBackendSuite().test_an_unknown_session_is_empty()
