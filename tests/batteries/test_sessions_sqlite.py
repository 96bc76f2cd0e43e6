"""SQLiteSessionBackend: the public suite, and what only a file can get wrong."""

import asyncio
import gc
import json
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from micropie import App, HTTPError, Session
from micropie.sessions import SQLiteSessionBackend
from micropie.testing import TestClient
from micropie.testing.sessions import AtomicSuite, ListingSuite, RotationSuite
from tests.batteries.working import ended, line_of, workers
from tests.client import http, run

ID = "0123456789abcdef0123456789abcdef"


class TestSuite(AtomicSuite, ListingSuite, RotationSuite):
    """What every backend promises."""

    @pytest.fixture(autouse=True)
    def file(self, tmp_path):
        """A file for each test."""
        self.path = tmp_path / "sessions.db"

    def backend(self):
        return SQLiteSessionBackend(self.path)


class Site(App):
    async def put(self, value):
        self.request.session["value"] = value
        return "stored"

    async def show(self):
        return dict(self.request.session)

    async def when(self):
        self.request.session["when"] = time.localtime
        return "stored"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def used(path, *works, timeout=5):
    """What comes of some work with a backend, which is closed then."""

    async def main():
        backend = SQLiteSessionBackend(path, timeout=timeout)
        try:
            return [await work(backend) for work in works]
        finally:
            await backend.aclose()

    return run(main())


def saves(session_id=ID, data=None, timeout=3600):
    return lambda backend: backend.save(session_id, {"value": "1"} if data is None else data, timeout)


def loads(session_id=ID):
    return lambda backend: backend.load(session_id)


def rows(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def locked(path):
    """The file while another program writes and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


# -- what is in the file ----------------------------------------------------------------------------------


def test_the_file_is_its_users_own(path):
    """Others on the machine can read neither it nor what SQLite puts beside it."""

    async def main():
        backend = SQLiteSessionBackend(path)
        await backend.save(ID, {"a": 1}, 60)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        await backend.aclose()
        return modes

    assert run(main()) == {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600}


def test_a_stolen_file_opens_no_session(path):
    """The ids are not in it, and what is in it is no id."""
    used(path, saves(data={"value": "here"}))
    content = path.read_bytes()
    assert b"here" in content
    assert ID.encode() not in content
    ((handle,),) = rows(path, "SELECT id FROM micropie_sessions")
    assert used(path, loads(handle)) == [{}]


def test_an_own_table_of_that_file_is_left_alone(path):
    """An application may keep its other data there."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sessions (id, data)")
    assert used(path, saves(), loads()) == [None, {"value": "1"}]


def test_what_has_expired_goes_with_later_saves(path):
    """Twenty at a time, so that no request pays for all."""
    used(path, *(saves(f"old{number}") for number in range(50)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE micropie_sessions SET expires = 1")
    left = []
    for number in range(4):
        used(path, saves(f"new{number}"))
        left.append(rows(path, "SELECT count(*) FROM micropie_sessions")[0][0])
    assert left == [31, 12, 3, 4]


def test_what_has_expired_is_found_by_an_index(path):
    """However many sessions there are."""
    used(path, saves())
    plan = rows(path, "EXPLAIN QUERY PLAN SELECT id FROM micropie_sessions WHERE expires <= 1 LIMIT 20")
    assert "USING INDEX micropie_sessions_by_expiry" in plan[0][-1]


def test_an_unchanged_session_is_written_only_when_it_is_worth_it(path):
    """Its expiry is pushed once a twentieth of the time has passed."""
    used(path, saves(timeout=1000))
    before = rows(path, "SELECT expires FROM micropie_sessions")
    used(path, lambda backend: backend.touch(ID, 1040))
    assert rows(path, "SELECT expires FROM micropie_sessions") == before
    used(path, lambda backend: backend.touch(ID, 1060))
    assert rows(path, "SELECT expires FROM micropie_sessions") > before


# -- what can't be stored ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"when": time.localtime}, r"session\['when'\] is a builtin_function_or_method that JSON can't hold"),
        ({"n": float("nan")}, r"session\['n'\] is a float that JSON can't hold"),
        ({"a": 1, 7: 1}, r"session\[7\]: the names in a session are texts"),
    ],
)
def test_what_json_can_not_hold_is_named(path, data, message):
    """By its name and type; the value may be a secret."""
    with pytest.raises(TypeError, match=message):
        used(path, saves(data=data))
    with pytest.raises(TypeError, match=message):
        used(path, saves(), lambda backend: backend.update(ID, data, [], 60))


def test_what_json_can_not_hold_is_a_500(path, caplog):
    """The reason is in the log, with what to do."""
    answer = http(Site(SQLiteSessionBackend(path)), path="/when")
    assert answer.status_code == 500
    assert "TypeError: session['when'] is a builtin_function_or_method that JSON can't hold" in caplog.text
    assert 'App(session_backend="memory:") keeps any object' in caplog.text


def test_a_row_that_was_spoilt_is_that_sessions_fault(path):
    """Others, which are asked for at the same time, are given."""
    used(path, saves("a"), saves("b"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE micropie_sessions SET data = '{' WHERE rowid = 1")

    def together(backend):
        return asyncio.gather(*(backend.load(one) for one in "aabb"), return_exceptions=True)

    ((*spoilt, first, second),) = used(path, together)
    assert [type(one) for one in spoilt] == [json.JSONDecodeError] * 2
    assert (first, second) == ({"value": "1"}, {"value": "1"})


# -- the file itself --------------------------------------------------------------------------------------


def test_a_missing_folder_is_named_when_the_application_is_made(tmp_path):
    """Not with the first visitor."""
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing"):
        SQLiteSessionBackend(tmp_path / "missing" / "sessions.db")


def test_what_is_no_file_for_sqlite_is_refused():
    """It would be a file of that name here."""
    with pytest.raises(ValueError, match=r"in memory are InMemorySessionBackend\(\)"):
        SQLiteSessionBackend(":memory:")


def test_a_file_of_another_kind_is_refused(path):
    """And stays what it is."""
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="file is not a database"):
        used(path, saves())
    assert path.read_bytes() == b"no database at all" * 100


def test_the_working_directory_may_change(path, tmp_path, monkeypatch):
    """A relative path is that of the moment when the backend was made."""
    monkeypatch.chdir(tmp_path)
    backend = SQLiteSessionBackend("sessions.db")
    monkeypatch.chdir("/")
    assert backend.path == path


# -- locks ------------------------------------------------------------------------------------------------


def test_a_lock_that_lasts_is_a_503(path, caplog):
    """One line in the log when it begins and one when it is over; reading goes on meanwhile."""
    backend = SQLiteSessionBackend(path, timeout=0.3)
    app = Site(backend)
    cookies = http(app, path="/put/1").cookies
    with locked(path):
        answers = [http(app, path="/put/2", cookies=cookies) for _ in range(2)]
        assert http(app, path="/show", cookies=cookies).json() == {"value": "1"}
        answers.append(http(app, path="/put/2", cookies=cookies))
    assert [(one.status_code, one.headers["retry-after"]) for one in answers] == [(503, "1")] * 3
    assert http(app, path="/put/3", cookies=cookies).status_code == 200
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f"Sessions are not available, requests are answered 503: {path}: ")
    assert lines[1] == f"Sessions are available again: {path}"
    run(backend.aclose())


def test_each_waits_its_own_time(path):
    """Who begins to wait later is refused later."""
    used(path, saves())

    async def main():
        backend = SQLiteSessionBackend(path, timeout=0.4)
        with locked(path):
            first = asyncio.ensure_future(backend.save(ID, {"value": "2"}, 60))
            await asyncio.sleep(0.2)
            second = asyncio.ensure_future(backend.save(ID, {"value": "3"}, 60))
            await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
            assert (first.done(), second.done()) == (True, False)
            for refused in (first, second):
                with pytest.raises(HTTPError) as caught:
                    await refused
                assert caught.value.status == 503
        await backend.aclose()

    run(main())


def test_a_change_of_a_fresh_session_changes_no_index(path):
    """The expiry stays until a twentieth of the time has passed; a user, or another timeout, is written at once."""
    used(path, saves(timeout=1000))
    before = rows(path, "SELECT expires FROM micropie_sessions")
    used(path, lambda backend: backend.update(ID, {"value": "2"}, [], 1000))
    assert rows(path, "SELECT expires FROM micropie_sessions") == before
    used(path, lambda backend: backend.update(ID, {Session.USER: "ann"}, [], 1000))
    assert rows(path, "SELECT user_id FROM micropie_sessions") == [("ann",)]
    used(path, lambda backend: backend.update(ID, {"value": "3"}, [], 2000))
    assert rows(path, "SELECT expires FROM micropie_sessions") > [(before[0][0] + 900,)]
    assert used(path, loads()) == [{"value": "3", Session.USER: "ann"}]


def test_a_lock_that_ends_in_time_is_waited_for(path):
    """Nobody notices."""
    used(path, saves())

    async def main():
        backend = SQLiteSessionBackend(path)
        with locked(path):
            saving = asyncio.ensure_future(backend.save(ID, {"value": "2"}, 60))
            await asyncio.sleep(0.2)
            assert not saving.done()
        await saving
        await backend.aclose()

    run(main())
    assert used(path, loads()) == [{"value": "2"}]


def test_a_file_that_can_not_be_opened_in_time_is_a_503(path, caplog):
    """Reading waits no longer than writing."""
    backend = SQLiteSessionBackend(path, timeout=0.3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert http(Site(backend), path="/show", cookies={"session_id": ID}).status_code == 503
    assert http(Site(backend), path="/show", cookies={"session_id": ID}).status_code == 200
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    run(backend.aclose())


def test_what_waiting_can_not_mend_is_no_503(path):
    """A table that somebody has dropped, say."""

    async def drop(backend):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE micropie_sessions")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        used(path, saves(), drop, loads())


# -- the thread -------------------------------------------------------------------------------------------


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "micropie-sqlite"]


def wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_forgotten_backend_leaves_no_thread(path):
    """Nor an open file."""
    others = set(threads())  # of other tests, which may end meanwhile
    backend = SQLiteSessionBackend(path)
    run(backend.save(ID, {"a": 1}, 60))
    assert len(set(threads()) - others) == 1
    del backend
    gc.collect()
    wait_until(lambda: not set(threads()) - others)


def test_the_end_of_the_application_ends_the_thread(path):
    """With its shutdown; another start goes on."""
    before = len(threads())
    app = Site(SQLiteSessionBackend(path))
    for expected in ({}, {"value": "1"}):
        with TestClient(app) as client:
            client.cookies["session_id"] = ID
            assert client.get("/show").json() == expected
        wait_until(lambda: len(threads()) == before)
        used(path, saves())


FORKING = """
import asyncio, os, sys
from micropie.sessions import SQLiteSessionBackend

backend = SQLiteSessionBackend(sys.argv[1])
asyncio.run(backend.save("before", {"n": 1}, 60))
child = os.fork()
if not child:
    assert asyncio.run(backend.load("before")) == {"n": 1}
    asyncio.run(backend.save("in the child", {"n": 2}, 60))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert asyncio.run(backend.load("in the child")) == {"n": 2}
print("both")
"""


def test_a_forked_process_opens_the_file_anew(path):
    """As workers do that a server forks from an application that was loaded before."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("both\n", "")


# -- several processes ------------------------------------------------------------------------------------


def test_twenty_writers_in_two_processes_lose_nothing(path):
    """All change one session at the same time."""
    used(path, saves(data={"user": "ann"}))
    names = [[f"k{process}-{number}" for number in range(20)] for process in range(2)]
    with workers(*(("update", f"sqlite:///{path}", ID, *half) for half in names)) as processes:
        ended(processes)
    expected = {"user": "ann", **{name: name for half in names for name in half}}
    assert used(path, loads()) == [expected]


def test_eight_processes_that_write_find_no_lock(path):
    """From the first moment, when the file is made; nobody starves, and all that they wrote is there."""
    commands = [("hurry", f"sqlite:///{path}", f"p{process}", "500") for process in range(8)]
    with workers(*commands) as processes:
        slowest = [float(said) for said in ended(processes)]
    assert max(slowest) < 5
    assert rows(path, "SELECT count(*) FROM micropie_sessions") == [(4000,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_worker_that_is_killed_loses_nothing_that_was_stored(path):
    """`kill -9` in the middle of 10,000 writes: no torn session, none lost, and the other worker goes on."""
    commands = [("save", f"sqlite:///{path}", name, "5000") for name in ("killed", "other")]
    with workers(*commands) as (killed, other):
        told = [line_of(killed) for _ in range(1000)]
        killed.kill()
        said, _ = killed.communicate()
        told += said.split()
        (others,) = ended([other])
    assert 1000 <= len(told) < 5000
    assert len(others.split()) == 5000
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    wanted = [f"killed-{number}" for number in told] + [f"other-{number}" for number in range(5000)]
    found = used(path, *(loads(one) for one in wanted))
    numbers = [*map(int, told), *range(5000)]
    assert found == [{"number": number, "filling": "x" * 500} for number in numbers]


def test_a_loop_that_is_closed_before_the_answer_comes(path):
    """Nobody is told, and the backend serves the next loop."""
    backend = SQLiteSessionBackend(path)

    async def asked_only():
        tasks = [asyncio.create_task(backend.load(ID)) for _ in range(200)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()

    asyncio.run(asked_only())
    assert run(saves()(backend)) is None
    assert run(loads()(backend)) == {"value": "1"}
    run(backend.aclose())
