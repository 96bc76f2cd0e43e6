"""RedisSessionBackend: the public suite on a real server, which is killed, frozen and slow then."""

import asyncio
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from micropie import App, HTTPError, MissingDependency
from micropie.sessions import RedisSessionBackend
from micropie.testing import TestClient
from micropie.testing.sessions import AtomicSuite, ListingSuite, RotationSuite
from tests.batteries.redis_server import free_port, proxied, running_redis
from tests.batteries.working import ended, workers
from tests.client import run, visitor

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """One server for the tests that leave it in peace."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(shared_server):
    """A server with nothing in it."""
    shared_server.ask("FLUSHALL")
    return shared_server


@pytest.fixture
def own_server(tmp_path):
    """A server that a test may end or freeze."""
    with running_redis(tmp_path) as server:
        yield server


class TestSuite(AtomicSuite, ListingSuite, RotationSuite):
    """What every backend promises."""

    @pytest.fixture(autouse=True)
    def store(self, server):
        self.url = server.url

    def backend(self):
        return RedisSessionBackend(self.url)


class Site(App):
    async def put(self, name, value):
        self.request.session[name] = value
        return "stored"

    async def show(self):
        return dict(self.request.session)

    async def public(self):
        return "for everybody"


def used(url, *works, **options):
    """What comes of some work with a backend, which is closed then."""

    async def main():
        backend = RedisSessionBackend(url, **options)
        try:
            return [await work(backend) for work in works]
        finally:
            await backend.aclose()

    return run(main())


def saves(session_id=ID, data=None, timeout=3600):
    return lambda backend: backend.save(session_id, {"user": "ann"} if data is None else data, timeout)


def loads(session_id=ID):
    return lambda backend: backend.load(session_id)


@asynccontextmanager
async def asking(backend):
    """A function that asks an application for a path, and gives the reply and the seconds that it took."""
    async with visitor(Site(backend)) as client:

        async def ask(path, session_id=ID):
            began = time.monotonic()
            reply = await client.get(path, cookies={"session_id": session_id})
            return reply, time.monotonic() - began

        yield ask


# -- what is on the server --------------------------------------------------------------------------------


def test_a_stolen_database_opens_no_session(server):
    """The ids are not on the server, and what is there is no id."""
    used(server.url, saves(data={"_user_id": "ann", "a": "here"}))
    keys = [line for line in server.ask("KEYS", "*").decode().split() if line.startswith("micropie:")]
    content = b"".join(server.ask("DUMP", key) for key in keys) + server.ask("KEYS", "*")
    assert b"here" in content
    assert ID.encode() not in content
    (handle,) = (key.rpartition(":")[2] for key in keys if key.startswith("micropie:session:"))
    assert used(server.url, loads(handle)) == [{}]


def test_the_server_lets_sessions_expire(server):
    """And the lists of users with them: nothing is left to be swept."""
    used(server.url, saves(data={"_user_id": "ann"}, timeout=1), saves("other"))
    assert server.ask("DBSIZE").startswith(b":3\r\n")
    time.sleep(1.5)
    assert server.ask("DBSIZE").startswith(b":1\r\n")


def test_two_applications_on_one_server_have_two_prefixes(server):
    """Or two databases."""
    used(server.url, saves())
    assert used(server.url, loads(), prefix="shop:") == [{}]
    assert used(server.url.removesuffix("0") + "1", loads()) == [{}]
    assert used(server.url, loads()) == [{"user": "ann"}]


def test_names_and_values_of_any_kind(server):
    """Lone surrogates are no characters; a session may hold them all the same, and thousands of names."""
    data = {"\ud800": "\udfff", **{f"k{number}": number for number in range(10_000)}}
    assert used(server.url, saves(data=data), loads()) == [None, data]


def test_options_of_the_url_do_not_undo_the_rules(own_server):
    """Neither retries nor longer time-outs."""
    url = f"{own_server.url}?retry_on_timeout=yes&socket_timeout=99&protocol=3"
    assert used(url, saves(), loads()) == [None, {"user": "ann"}]
    own_server.freeze()
    began = time.monotonic()
    with pytest.raises(HTTPError):
        used(url, loads(), timeout=0.2)
    assert time.monotonic() - began < 0.9


def test_without_the_package_it_is_said_what_to_install(monkeypatch):
    """When the application is made."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingDependency, match=r"pip install 'micropie\[redis\]'"):
        App(session_backend="redis://localhost")


def test_a_fault_of_ours_is_no_outage(server):
    """A key of that name that is no session, say."""
    used(server.url, saves())
    (key,) = (line for line in server.ask("KEYS", "*").decode().split() if line.startswith("micropie:session:"))
    server.ask("SET", key, "1")
    with pytest.raises(Exception, match="WRONGTYPE"):
        used(server.url, loads())


# -- many at the same time --------------------------------------------------------------------------------


def test_twenty_writers_in_two_processes_lose_nothing(server):
    """All change one session at the same time."""
    used(server.url, saves())
    names = [[f"k{process}-{number}" for number in range(20)] for process in range(2)]
    with workers(*(("update", server.url, ID, *half) for half in names)) as processes:
        ended(processes)
    assert used(server.url, loads()) == [{"user": "ann", **{name: name for half in names for name in half}}]


def test_more_requests_than_connections_wait_for_each_other(server):
    """None is refused."""

    async def main():
        backend = RedisSessionBackend(server.url, max_connections=2)
        await asyncio.gather(*(backend.save(f"id{number}", {"n": number}, 60) for number in range(100)))
        loaded = await asyncio.gather(*(backend.load(f"id{number}") for number in range(100)))
        await backend.aclose()
        return loaded

    assert run(main()) == [{"n": number} for number in range(100)]
    assert int(server.ask("INFO", "clients").split(b"connected_clients:")[1].split()[0]) < 4


# -- a server that is away --------------------------------------------------------------------------------


def test_without_a_server_sessions_are_a_503(caplog):
    """At once, with one line in the log, which has no password in it; what needs no session goes on."""
    url = f"redis://user:pa55word@127.0.0.1:{free_port()}/0"

    async def main():
        async with asking(RedisSessionBackend(url)) as ask:
            replies = [await ask(path) for path in ("/show", "/put/a/1", "/show")]
            return replies, await ask("/public", session_id="")

    replies, (public, _) = run(main())
    assert [(reply.status_code, reply.headers["retry-after"]) for reply, _ in replies] == [(503, "1")] * 3
    assert max(seconds for _, seconds in replies) < 1
    assert public.text == "for everybody"
    (record,) = caplog.records
    assert record.getMessage().startswith("Sessions are not available, requests are answered 503: Redis at 127.0.0.1:")
    assert "pa55word" not in record.getMessage()


async def under_load(ask, seconds, until=lambda: False):
    """The replies to twenty clients who ask again and again, each for its own value of one session."""
    replies, end = [], time.monotonic() + seconds

    async def client(number):
        turn = 0
        while time.monotonic() < end and not until():
            turn += 1
            replies.append(await ask(f"/put/k{number}/{turn}"))
            await asyncio.sleep(0.01)

    await asyncio.gather(*map(client, range(20)))
    return replies


async def one_after_another(ask, seconds):
    """The replies to visitors who come every 20 ms, whether others have been answered or not."""
    asking, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        asking.append(asyncio.ensure_future(ask("/show")))
        await asyncio.sleep(0.02)
    return await asyncio.gather(*asking)


async def well_again(ask):
    """Wait until a visitor is served again, which takes no time to speak of."""
    end = time.monotonic() + 5
    while (await ask("/show"))[0].status_code != 200:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def statuses(replies):
    return Counter(reply.status_code for reply, _ in replies)


def test_a_server_that_is_killed_under_load_and_comes_back(own_server, caplog):
    """503 meanwhile and never anything else, then all is well again by itself; two lines in the log."""

    async def main():
        backend = RedisSessionBackend(own_server.url, timeout=2)
        await backend.save(ID, {"user": "ann"}, 3600)
        async with asking(backend) as ask:
            loading = asyncio.ensure_future(under_load(ask, 3))
            await asyncio.sleep(0.5)
            own_server.kill()
            during = await under_load(ask, 0.5)
            await asyncio.to_thread(own_server.start)
            replies = await loading
            await backend.save(ID, {"user": "ann"}, 3600)
            return replies, during, await under_load(ask, 0.3)

    replies, during, after = run(main())
    assert set(statuses(replies)) == {200, 503}
    assert set(statuses(during)) == {503}
    assert set(statuses(after)) == {200}
    assert max(seconds for _, seconds in replies) < 3
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_server_that_is_frozen_under_load_and_thaws(own_server, caplog):
    """Nobody waits longer than the timeout, most are told at once; two lines in the log."""

    async def main():
        backend = RedisSessionBackend(own_server.url, timeout=0.5)
        await backend.save(ID, {"user": "ann"}, 3600)
        async with asking(backend) as ask:
            before = await under_load(ask, 0.3)
            own_server.freeze()
            frozen = await one_after_another(ask, 2.5)
            own_server.thaw()
            await well_again(ask)
            return before, frozen, await under_load(ask, 0.5), await backend.load(ID)

    before, frozen, after, data = run(main())
    assert set(statuses(before)) == {200}
    assert set(statuses(frozen)) == {503}
    assert max(seconds for _, seconds in frozen) < 1.2
    assert sum(seconds < 0.1 for _, seconds in frozen) > len(frozen) / 2
    assert set(statuses(after)) == {200}
    assert data["user"] == "ann"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_server_that_is_slow_by_two_seconds(server, caplog):
    """Nothing is lost, nothing is sent twice."""

    async def main():
        async with proxied(server) as (proxy, url):
            backend = RedisSessionBackend(url)
            await backend.save(ID, {"user": "ann"}, 3600)
            async with asking(backend) as ask:
                proxy.delay, proxy.asked = 2, []
                replies = await asyncio.gather(*(ask(f"/put/k{number}/{number}") for number in range(20)))
                updates = sum(sent.count(b"EVAL") for sent in proxy.asked)
                proxy.delay = 0
                return replies, updates, await backend.load(ID)

    replies, updates, data = run(main())
    assert statuses(replies) == {200: 20}
    assert updates == 20
    assert data == {"user": "ann", **{f"k{number}": str(number) for number in range(20)}}
    assert caplog.records == []


def test_a_server_that_is_slower_than_the_timeout(server):
    """A 503 in time, and what was sent is not sent again."""

    async def main():
        async with proxied(server) as (proxy, url):
            backend = RedisSessionBackend(url, timeout=0.5)
            await backend.save(ID, {"user": "ann"}, 3600)
            proxy.delay, proxy.asked = 2, []
            with pytest.raises(HTTPError) as caught:
                await backend.update(ID, {"a": 1}, [], 3600)
            await asyncio.sleep(1)
            updates = sum(sent.count(b"EVAL") for sent in proxy.asked)
            await backend.aclose()
            return caught.value.status, updates

    assert run(main()) == (503, 1)


def test_an_answer_that_is_lost_is_not_asked_for_again(server):
    """The update has been made, once, and somebody else's later one stands."""

    async def main():
        async with proxied(server) as (proxy, url):
            backend, other = RedisSessionBackend(url), RedisSessionBackend(server.url)
            await backend.save(ID, {"user": "ann"}, 3600)
            proxy.loses_answer_to, proxy.asked = b"EVAL", []
            with pytest.raises(HTTPError) as caught:
                await backend.update(ID, {"a": "first"}, [], 3600)
            assert await other.load(ID) == {"user": "ann", "a": "first"}
            await other.update(ID, {"a": "second"}, [], 3600)
            proxy.loses_answer_to = None
            loaded = await backend.load(ID)
            updates = sum(sent.count(b"EVAL") for sent in proxy.asked)
            await backend.aclose()
            await other.aclose()
            return caught.value.status, updates, loaded

    assert run(main()) == (503, 1, {"user": "ann", "a": "second"})


@pytest.mark.parametrize("setting", [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")])
def test_a_server_that_can_store_nothing_can_still_be_read(own_server, caplog, setting):
    """A write is a 503, with no memory left or too few replicas; one line in the log for each turn."""
    name, unable, able = setting

    async def main():
        backend = RedisSessionBackend(own_server.url)
        await backend.save(ID, {"user": "ann"}, 3600)
        async with asking(backend) as ask:
            own_server.ask("CONFIG", "SET", name, unable)
            full = [await ask(path) for path in ("/put/a/1", "/put/a/2")]
            read = await backend.load(ID)
            own_server.ask("CONFIG", "SET", name, able)
            return full, read, await ask("/put/a/3")

    full, read, after = run(main())
    assert set(statuses(full)) == {503}
    assert read == {"user": "ann"}
    assert statuses([after]) == {200: 1}
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_connection_that_the_server_has_closed_is_made_again(server, caplog):
    """As after a restart, or when a proxy ends those that are idle; nobody notices."""

    async def main():
        backend = RedisSessionBackend(server.url)
        await backend.save(ID, {"user": "ann"}, 3600)
        server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.1)
        loaded = await backend.load(ID)
        await backend.aclose()
        return loaded

    assert run(main()) == {"user": "ann"}
    assert caplog.records == []


def test_the_end_of_the_application_closes_the_connections(server):
    """With its shutdown."""
    with TestClient(Site(RedisSessionBackend(server.url))) as client:
        client.get("/put/a/1")
        assert client.get("/show").json() == {"a": "1"}
    assert int(server.ask("INFO", "clients").split(b"connected_clients:")[1].split()[0]) == 1


def test_a_unix_socket(tmp_path):
    """By its path."""
    with running_redis(tmp_path) as server:
        server.kill()
        server.start("--unixsocket", str(tmp_path / "redis.sock"))
        url = f"unix://{tmp_path}/redis.sock?db=1"
        assert used(url, saves(), loads()) == [None, {"user": "ann"}]
        server.kill()
        with pytest.raises(HTTPError):
            used(url, loads())
