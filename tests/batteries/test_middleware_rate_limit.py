"""RateLimitMiddleware: who may send how much, what a client is told, and what comes of Redis being away."""

import asyncio
import logging
import tracemalloc

import pytest

from micropie import App, HTTPError, HttpMiddleware, MissingDependency
from micropie.middleware import RateLimitMiddleware, client_address
from micropie.middleware.rate_limit import LONGEST_KEY, MemoryStore, network_of, parse_limit, state_of
from micropie.testing import TestClient, WebSocketRefused
from tests.batteries.redis_server import free_port, proxied, running_redis
from tests.client import run, visitor, wait_for

MINUTE = 60_000_000  # microseconds


class Site(App):
    async def index(self):
        return "welcome"

    async def note(self, number: int):
        return number

    async def log_in(self, user):
        self.request.session["user"] = user
        return "hello"

    async def ws_chat(self, ws):
        await ws.accept()
        await ws.send_text("hello")


def site(*limits, **options):
    app = Site()
    app.middlewares.append(RateLimitMiddleware(*limits, **options))
    return app


def statuses(app, *paths, client="203.0.113.7", **options):
    """The statuses of requests that one client makes."""

    async def main():
        async with TestClient(app, client=(client, 4711), raise_exceptions=False) as visit:
            return [(await visit.get(path, **options)).status_code for path in paths]

    return run(main())


class Clock:
    """A clock that a test moves on."""

    def __init__(self):
        self.microseconds = 10**12

    def __call__(self):
        return self.microseconds * 1000


def taken(store, limits, *keys):
    """What comes of requests of these keys."""

    async def main():
        return [await store.take(key, limits) for key in keys]

    return run(main())


# -- the algorithm --------------------------------------------------------------------------------------


def test_a_quota_may_be_used_at_once_and_comes_back_evenly():
    """GCRA: three at once, then one each twenty seconds; a refused request costs nothing."""
    clock = Clock()
    store, limits = MemoryStore(now=clock), [parse_limit("3/minute", "")]
    assert [one.wait <= 0 for one in taken(store, limits, *"aaaa")] == [True, True, True, False]
    clock.microseconds += 19_999_999
    assert [one.wait for one in taken(store, limits, "a")] == [1]
    clock.microseconds += 1
    assert [one.wait <= 0 for one in taken(store, limits, *"aa")] == [True, False]
    clock.microseconds += MINUTE
    assert [one.wait <= 0 for one in taken(store, limits, *"aaaa")] == [True, True, True, False]


def test_a_limit_that_is_reached_costs_nothing_of_the_others():
    """Of several limits all count a request, or none."""
    clock = Clock()
    limits = [parse_limit("1/second", ""), parse_limit("3/hour", "")]
    first, second = taken(MemoryStore(now=clock), limits, *"aa")
    assert (first.wait <= 0, first.backlogs) == (True, [1_000_000, 1_200_000_000])
    assert (second.wait, second.backlogs) == (1_000_000, [1_000_000, 1_200_000_000])


@pytest.mark.parametrize(
    ("text", "quota", "seconds"),
    [
        ("5/second", 5, 1),
        ("100/minute", 100, 60),
        ("1 / 2 hours", 1, 7200),
        ("7/days", 7, 86400),
        ("10/30second", 10, 30),
    ],
)
def test_limits_are_texts(text, quota, seconds):
    """A quota and a time, as one says it."""
    limit = parse_limit(text, "login")
    assert limit[:3] == (f"login:{text}", quota, seconds)
    assert limit.window == limit.interval * quota == pytest.approx(seconds * 1_000_000, abs=quota)


@pytest.mark.parametrize(
    "text", ["", "5", "0/minute", "5/fortnight", "-1/minute", "5/0 minutes", "1e3/minute", "5/minute "]
)
def test_other_texts_are_mistakes(text):
    """They are told when the application is made."""
    with pytest.raises(ValueError, match="is no rate limit: '5/second', '100/minute' and '1000/2 hours' are"):
        RateLimitMiddleware(text)


def test_a_limit_has_bounds():
    """An interval of less than a microsecond can't be counted."""
    assert parse_limit("1000000/second", "").interval == 1
    with pytest.raises(ValueError, match="more than a million"):
        RateLimitMiddleware("1000001/second")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store": "mysql://secret@host"}, "store=…"),
        ({"name": 'a"b'}, "letters, digits"),
    ],
)
def test_other_arguments_are_mistakes(options, message):
    """They are told too, without what may be a password."""
    with pytest.raises(ValueError, match=message) as told:
        RateLimitMiddleware("5/minute", **options)
    assert "secret" not in str(told.value)


def test_no_limit_is_a_mistake():
    """A middleware that does nothing is not what somebody wanted."""
    with pytest.raises(ValueError, match="limits nothing"):
        RateLimitMiddleware()


@pytest.mark.parametrize(
    ("backlog", "state"),
    [
        (20_000_000, '"3/minute";r=2;t=20'),
        (40_000_000, '"3/minute";r=1;t=20'),
        (40_000_001, '"3/minute";r=0;t=1'),
        (60_000_000, '"3/minute";r=0;t=20'),
        (59_999_999, '"3/minute";r=0;t=20'),
        (500_000, '"3/minute";r=2;t=1'),
        (61_000_000, '"3/minute";r=0;t=21'),
    ],
)
def test_the_state_is_what_is_left_and_when_there_is_more(backlog, state):
    """`t` is when `r` is one more, in whole seconds."""
    assert state_of(parse_limit("3/minute", ""), backlog) == state


# -- what a client is told ------------------------------------------------------------------------------


def test_a_client_is_told_its_limits():
    """RateLimit-Policy and RateLimit on every reply; behind the limit a 429 with Retry-After."""

    async def main():
        async with visitor(site("2/minute", "1000/hour")) as client:
            return [await client.get("/") for _ in range(3)]

    first, second, third = run(main())
    policy = '"2/minute";q=2;w=60, "1000/hour";q=1000;w=3600'
    assert [reply.status_code for reply in (first, second, third)] == [200, 200, 429]
    assert {reply.headers["ratelimit-policy"] for reply in (first, second, third)} == {policy}
    assert first.headers["ratelimit"] == '"2/minute";r=1;t=30, "1000/hour";r=999;t=4'
    assert second.headers["ratelimit"] == '"2/minute";r=0;t=30, "1000/hour";r=998;t=4'
    assert third.headers["ratelimit"] == '"2/minute";r=0;t=30, "1000/hour";r=998;t=4'
    assert third.headers["retry-after"] == "30"
    assert third.text == "429 Too Many Requests: try again in 30 seconds"
    assert "retry-after" not in second.headers


def test_a_second_is_not_seconds():
    """The text is a sentence."""

    async def main():
        async with visitor(site("1/second")) as client:
            return [await client.get("/") for _ in range(2)]

    assert run(main())[1].text == "429 Too Many Requests: try again in 1 second"


def test_two_middlewares_tell_of_both():
    """Each has its own fields; names tell them apart."""
    app = site("5/minute", name="login")
    app.middlewares.append(RateLimitMiddleware("9/minute"))

    async def main():
        async with visitor(app) as client:
            return await client.get("/")

    reply = run(main())
    assert reply.headers.get_list("ratelimit") == ['"login:5/minute";r=4;t=12', '"9/minute";r=8;t=7']
    assert reply.headers.get_list("ratelimit-policy") == ['"login:5/minute";q=5;w=60', '"9/minute";q=9;w=60']


def test_errors_and_unknown_paths_count():
    """Who guesses is limited too."""
    assert statuses(site("2/minute"), "/nowhere", "/note/x", "/") == [404, 400, 429]


def test_an_earlier_hooks_answer_is_not_counted():
    """Who is not asked says nothing."""

    class Closed(HttpMiddleware):
        async def before_request(self, request):
            return {"status_code": 503, "body": "closed"}

    app = site("1/minute", per_route=True)
    app.middlewares.insert(0, Closed())
    assert statuses(app, "/", "/") == [503, 503]


def test_a_refused_request_costs_nothing():
    """By addresses it is refused before its body is read."""
    app = site("1/minute")

    async def main():
        async with visitor(app) as client:
            first = await client.post("/", content=b"{bad", headers={"Content-Type": "application/json"})
            return first.status_code, (await client.post("/", content=b"{bad")).status_code

    assert run(main()) == (400, 429)


def test_what_is_mounted_is_limited_too():
    """Its replies tell of the limits."""

    class Outer(App):
        below = Site()

    app = Outer()
    app.middlewares.append(RateLimitMiddleware("2/minute"))

    async def main():
        async with visitor(app) as client:
            return [await client.get("/below/") for _ in range(3)]

    replies = run(main())
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["ratelimit"] for reply in replies[:2]] == ['"2/minute";r=1;t=30', '"2/minute";r=0;t=30']


@pytest.mark.parametrize("key", [client_address, lambda _request: "all"])
def test_a_handshake_is_a_request(key):
    """WebSockets share the client's quota, and are refused behind it."""
    app = site("1/minute", key=key)

    async def main():
        async with visitor(app) as client:
            async with client.websocket("/chat") as ws:
                assert await ws.receive_text() == "hello"
            with pytest.raises(WebSocketRefused) as refused:
                async with client.websocket("/chat"):
                    pass
            return refused.value, (await client.get("/")).status_code

    refused, status = run(main())
    assert refused.response.status_code == status == 429
    assert "try again in 60 seconds" in refused.response.text
    assert refused.response.headers["retry-after"] == "60"


# -- who is a client ------------------------------------------------------------------------------------


def test_each_client_has_its_own_quota():
    """By its address."""
    app = site("1/minute")
    assert statuses(app, "/", "/", client="203.0.113.7") == [200, 429]
    assert statuses(app, "/", "/", client="203.0.113.8") == [200, 429]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(host, network):
    """One household has 2**64 addresses; an IPv4 address in IPv6 clothes is that address."""
    assert network_of(host) == network


def test_a_server_that_tells_no_address_is_warned_of(caplog):
    """Once; all clients are one then."""
    app = site("2/minute")
    assert statuses(app, "/", "/", "/", client="") == [200, 200, 429]
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "takes them all for one" in record.getMessage()


def test_a_scope_without_a_client_is_nobody():
    """Servers behind a Unix socket may say None."""

    class Seen:
        scope = {"client": None}

    assert client_address(Seen()) == ""  # type: ignore[arg-type]


def test_a_quota_for_each_route():
    """By the template, so that `/note/1` and `/note/2` are one; unknown paths are one too."""
    app = site("1/minute", per_route=True)
    assert statuses(app, "/", "/note/1", "/note/2", "/x", "/y", "/") == [200, 200, 429, 404, 429, 429]


def test_a_quota_for_each_user():
    """The key is made of the request: its session, or anything else; None is not limited."""
    app = site("2/minute", key=lambda request: request.session.get("user"))

    async def main():
        found = []
        async with TestClient(app) as ann, TestClient(app) as bob:
            for client, name in ((ann, "ann"), (bob, "bob")):
                await client.get("/")
                await client.post("/log_in", data={"user": name})
                found.append([(await client.get("/")).status_code for _ in range(3)])
        return found

    assert run(main()) == [[200, 200, 429], [200, 200, 429]]


def test_a_key_may_be_any_value():
    """A number, say, of a user."""
    assert statuses(site("1/minute", key=lambda _request: 7), "/", "/") == [200, 429]


def test_a_key_may_be_awaited():
    """It is looked up in a database, say; a coroutine by itself would be another key each time."""

    async def key(request):
        return None if request.scope["path"] == "/note/1" else "ann"

    assert statuses(site("1/minute", key=key), "/", "/note/1", "/") == [200, 200, 429]


def test_who_is_not_limited_is_told_nothing():
    """There is no quota to tell of."""

    async def main():
        async with visitor(site("1/minute", key=lambda _request: None)) as client:
            return [await client.get("/") for _ in range(2)]

    assert [(reply.status_code, "ratelimit" in reply.headers) for reply in run(main())] == [(200, False)] * 2


# -- memory ---------------------------------------------------------------------------------------------


def test_ten_thousand_clients_take_no_more_memory_than_allowed():
    """The table has an end: of those who came longest ago."""
    clock = Clock()
    store, limits = MemoryStore(1000, now=clock), [parse_limit("1/minute", "")]
    tracemalloc.start()
    try:
        taken(store, limits, *(f"10.0.{number // 256}.{number % 256}" for number in range(10_000)))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(store) == 1000
    assert [one.wait > 0 for one in taken(store, limits, "10.0.39.15", "10.0.0.0")] == [True, False]


def test_who_keeps_trying_is_not_forgotten():
    """A refused request counts as a visit: a flood of others does not free its client."""
    store, limits = MemoryStore(10, now=Clock()), [parse_limit("1/minute", "")]
    for number in range(100):
        (attacker, _) = taken(store, limits, "attacker", f"other {number}")
        assert (attacker.wait > 0) is (number > 0)


def test_clients_whose_time_is_over_go():
    """Nobody waits for a full table: each new client takes up to two old ones' place."""
    clock = Clock()
    store, limits = MemoryStore(now=clock), [parse_limit("60/minute", "")]
    taken(store, limits, *map(str, range(1000)))
    clock.microseconds += MINUTE
    taken(store, limits, *map(str, range(1000, 1600)))
    assert len(store) == 600


def test_a_long_key_takes_no_more_than_a_short_one():
    """Who chooses the key, by a header say, does not choose how much memory it takes."""
    app = site("1/minute", key=lambda request: request.headers["x-key"])
    long = "k" * 10_000
    assert statuses(app, "/", "/", headers={"X-Key": long}) == [200, 429]
    assert statuses(app, "/", headers={"X-Key": long + "!"}) == [200]
    assert max(map(len, app.middlewares[0]._store._tats)) == LONGEST_KEY


# -- Redis ----------------------------------------------------------------------------------------------


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


def asked(app, *times):
    """The replies to as many requests, one after the other, with pauses between them."""

    async def main():
        replies = []
        async with visitor(app) as client:
            for pause in times:
                await asyncio.sleep(pause)
                replies.append(await client.get("/"))
            await app.middlewares[0].aclose()
        return replies

    return run(main())


def test_on_redis_it_is_the_same(server):
    """The same quota, the same fields, by the server's clock; what comes back comes back there."""
    replies = asked(site("2/second", "1000/hour", store=server.url), 0, 0, 0, 0.6)
    assert [reply.status_code for reply in replies] == [200, 200, 429, 200]
    assert replies[0].headers["ratelimit"] == '"2/second";r=1;t=1, "1000/hour";r=999;t=4'
    assert (replies[2].headers["ratelimit"], replies[2].headers["retry-after"]) == (
        '"2/second";r=0;t=1, "1000/hour";r=998;t=' + replies[2].headers["ratelimit"][-1],
        "1",
    )


def test_processes_share_a_quota(server):
    """Two applications on one server are one limiter; another name, or prefix, is another."""
    first, second = (site("3/minute", store=server.url) for _ in range(2))
    assert [reply.status_code for reply in asked(first, 0, 0)] == [200, 200]
    assert [reply.status_code for reply in asked(second, 0, 0)] == [200, 429]
    assert asked(site("3/minute", store=server.url, name="other"), 0)[0].status_code == 200
    assert asked(site("3/minute", store=server.url, prefix="b:"), 0)[0].status_code == 200


def test_many_at_once_on_redis_are_counted_each(server):
    """The script is one step: of 50 at the same time as many pass as may."""
    app = site("20/hour", store=server.url)

    async def main():
        async with visitor(app) as client:
            found = await asyncio.gather(*(client.get("/") for _ in range(50)))
            await app.middlewares[0].aclose()
        return sorted(reply.status_code for reply in found)

    assert run(main()) == [200] * 20 + [429] * 30


def test_keys_on_redis_expire(server):
    """A client that does not come again leaves nothing behind."""
    asked(site("10/second", store=server.url), 0)
    assert server.ask("DBSIZE").startswith(b":1")
    wait_for(lambda: server.ask("DBSIZE").startswith(b":0"))  # Redis looks for what has expired ten times a second


def test_while_redis_is_away_requests_pass(own_server, caplog):
    """Open by default: a limiter is no reason to be down. One line in the log, one when it is back."""
    app = site("1/minute", store=own_server.url)
    own_server.kill()
    replies = asked(app, 0, 0, 0)
    assert [(reply.status_code, "ratelimit" in reply.headers) for reply in replies] == [(200, False)] * 3
    own_server.start()
    assert [reply.status_code for reply in asked(app, 0, 0)] == [200, 429]
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.name == "micropie"] == [
        "Rate limits are not available, requests pass uncounted",
        "Rate limits are available again",
    ]


def test_it_may_be_closed_instead(caplog):
    """With `fail_open=False` they are answered 503."""
    app = site("1/minute", store=f"redis://127.0.0.1:{free_port()}", fail_open=False)
    (reply,) = asked(app, 0)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert "requests are answered 503" in caplog.text


def test_a_frozen_redis_holds_up_nobody_for_long(own_server):
    """The wait is bounded, and while nobody knows whether it is over, most do not wait at all."""
    app = site("1/minute", store=own_server.url, timeout=0.3)
    own_server.freeze()

    async def main():
        loop = asyncio.get_running_loop()
        async with visitor(app) as client:
            began = loop.time()
            first = await client.get("/")
            many = await asyncio.gather(*(client.get("/") for _ in range(20)))
            took = loop.time() - began
            await app.middlewares[0].aclose()
        return took, {reply.status_code for reply in (first, *many)}

    try:
        took, found = run(main())
    finally:
        own_server.thaw()
    assert found == {200}
    assert 0.3 <= took < 3


def test_a_lost_answer_is_not_asked_for_again(server):
    """Nothing is sent twice: a request would count twice."""

    async def main():
        async with proxied(server) as (proxy, url):
            app = site("5/hour", store=url)
            proxy.loses_answer_to = b"EVAL"
            async with visitor(app) as client:
                lost = await client.get("/")
                proxy.loses_answer_to = None
                reply = await client.get("/")
            await app.middlewares[0].aclose()
            return (
                lost.status_code,
                reply.headers["ratelimit"].partition(";t")[0],
                sum(b"EVAL" in one for one in proxy.asked),
            )

    assert run(main()) == (200, '"5/hour";r=3', 2)


def test_without_the_package(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    with pytest.raises(MissingDependency, match="Rate limits on Redis need the package 'redis'"):
        RateLimitMiddleware("1/minute", store="redis://localhost")


def test_a_fault_of_the_key_function_is_a_failure():
    """It is nobody's quota."""

    def key(request):
        raise HTTPError(418, "teapot")

    assert statuses(site("1/minute", key=key), "/", "/") == [418, 418]
