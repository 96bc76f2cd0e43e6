"""Channels on a Redis server that is killed, frozen and slow, and on workers that are killed."""

import asyncio
import gc
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from redis.exceptions import ResponseError

from micropie import App, HTTPError
from micropie.channels import Channels, Message, Notice, outbox
from micropie.channels import redis as engine
from micropie.testing import TestClient
from tests.batteries.redis_server import free_port, proxied, running_redis
from tests.client import run


@pytest.fixture
def server(tmp_path):
    """A server that a test may end or freeze."""
    with running_redis(tmp_path) as running:
        yield running


@pytest.fixture
def patient(monkeypatch):
    """The times that are real: a server that is frozen for a moment is not lost, however slow this machine is."""
    for name, seconds in REAL.items():
        monkeypatch.setattr(engine, name, seconds)


REAL = {name: getattr(engine, name) for name in ("BEAT", "SILENCE", "MEMBER_TTL", "PAUSES")}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Signs of life in moments, not in 5 seconds."""
    monkeypatch.setattr(engine, "BEAT", 0.2)
    monkeypatch.setattr(engine, "SILENCE", 0.6)
    monkeypatch.setattr(engine, "MEMBER_TTL", 2)
    monkeypatch.setattr(engine, "PAUSES", (0.02, 0.1))


def use(steps, *urls, **options):
    """Run a test's steps with channels as several workers have them, which are stopped in the end."""

    async def main():
        workers = [Channels(url, **options) for url in urls]
        try:
            return await asyncio.wait_for(steps(*workers), 30)
        finally:
            for worker in workers:
                await worker.stop()

    return run(main())


async def items(messages, count):
    """The next messages' data, and notices as they are."""
    found = [await asyncio.wait_for(messages.next(), 10) for _ in range(count)]
    return [item.data if isinstance(item, Message) else item for item in found]


async def joined(stack, channels, *names):
    """A subscription to a server that is there: a machine that is too slow for the test's short timeout tries again."""
    while True:
        try:
            return await stack.enter_async_context(channels.subscribe(*names))
        except HTTPError:
            await asyncio.sleep(0.05)


async def until_notice(messages, kind):
    """What comes up to a notice of this kind."""
    found: list[Any] = []
    while not found or not isinstance(found[-1], Notice) or found[-1].kind != kind:
        found += await items(messages, 1)
    return found


def test_messages_reach_other_workers(server):
    """In one order for all; several publish at a time."""

    async def steps(one, two):
        async with one.subscribe("a") as first, two.subscribe("a") as second:
            both = (publish(worker, range(start, 200, 2)) for start, worker in enumerate((one, two)))
            await asyncio.gather(*both)
            return await items(first, 200), await items(second, 200)

    async def publish(worker, numbers):
        for number in numbers:
            await worker.publish("a", number)

    first, second = use(steps, server.url, server.url)
    assert first == second
    assert [number for number in first if number % 2 == 0] == list(range(0, 200, 2))
    assert [number for number in first if number % 2] == list(range(1, 200, 2))


def test_members_of_other_workers(server):
    """Those of a worker that has died are none after a while; those of one that lives stay."""

    async def steps(one, two):
        async with one.subscribe("a", member="ann"), two.subscribe("a", member="bob") as dead:
            assert await one.members("a") == ["ann", "bob"]
            await asyncio.sleep(3)
            still = await one.members("a")
            for task in dead._hub.engine._tasks:  # as by kill -9: it says nothing more
                task.cancel()
            await asyncio.sleep(3)
            return still, await one.members("a")

    assert use(steps, server.url, server.url) == (["ann", "bob"], ["ann"])


def test_a_server_that_is_killed_and_comes_back(server, caplog):
    """Subscribers stay, are told, and hear what is published then; publishing fails clearly meanwhile."""

    async def steps(one, two):
        async with one.subscribe("a") as messages, two.subscribe("b") as other:
            await one.publish("a", 1)
            assert await items(messages, 1) == [1]
            server.kill()
            assert await until_notice(messages, "lost") == [Notice("lost", "a")]
            with pytest.raises(HTTPError) as caught:
                await two.publish("a", "lost")
            assert caught.value.status == 503
            server.start()
            back = await until_notice(messages, "back")
            await until_notice(other, "back")
            await two.publish("a", 2)
            return back, await items(messages, 1)

    back, after = use(steps, server.url, server.url, history=10)
    assert back == [Notice("gap", "a", None), Notice("back", "a")]
    assert after == [2]
    assert "Channels are connected again" in caplog.text


def test_what_was_missed_is_brought(server):
    """By a worker whose connection breaks: from the history, once and in order."""

    async def steps(one, two):
        async with one.subscribe("a") as messages:
            for number in range(100):
                await two.publish("a", number)
                if number % 20 == 10:
                    server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            found: list[Any] = []
            while len(found) < 100:
                found += [item for item in await items(messages, 1) if not isinstance(item, Notice)]
            return found, messages.missed

    assert use(steps, server.url, server.url, history=1000) == (list(range(100)), 0)


def test_a_gap_is_told_where_there_is_no_history(server):
    """How many messages were lost while the connection was."""

    async def steps(one, two):
        async with one.subscribe("a") as messages:
            await two.publish("a", 0)
            assert await items(messages, 1) == [0]
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            for number in range(1, 4):
                await two.publish("a", number)
            await asyncio.sleep(0.5)
            await two.publish("a", 4)
            found = []
            while 4 not in found:
                found += await items(messages, 1)
            heard = [item for item in found if not isinstance(item, Notice)]
            return len(heard) + messages.missed, heard

    total, heard = use(steps, server.url, server.url)
    assert (total, heard, len(heard) < 4) == (4, sorted(heard), True)


def test_a_server_that_is_frozen(server):
    """It is given up when it has been silent for too long; what it has kept comes then, and once."""

    async def steps(one, two):
        async with one.subscribe("a") as messages:
            await two.publish("a", 1)
            assert await items(messages, 1) == [1]
            server.freeze()
            assert (await until_notice(messages, "lost"))[-1] == Notice("lost", "a")
            with pytest.raises(HTTPError):
                await two.publish("a", 2)
            server.thaw()
            await until_notice(messages, "back")
            await two.publish("a", 3)
            found: list[Any] = []
            while not found or found[-1] != 3:
                found += await items(messages, 1)
            return [item for item in found if not isinstance(item, Notice)], messages.missed

    found, missed = use(steps, server.url, server.url, history=10, timeout=0.5)
    # Whoever published to a frozen server does not know whether it will be heard; if so, once.
    assert found in ([3], [2, 3])
    assert missed == 0


def test_nobody_can_subscribe_while_the_server_is_away(server, caplog):
    """It is a 503, and nothing is left of it."""

    async def steps(channels):
        server.kill()
        for _ in range(2):
            with pytest.raises(HTTPError) as caught:
                async with channels.subscribe("a"):
                    raise AssertionError("it must not come to this")
            assert caught.value.status == 503
        with pytest.raises(HTTPError):
            await channels.check()
        server.start()
        while True:  # until the connection is there, which may be tried again a moment too late for one timeout
            with suppress(HTTPError):
                async with channels.subscribe("a") as messages:
                    await channels.publish("a", 1)
                    return await items(messages, 1)

    assert use(steps, server.url, timeout=0.5) == [1]


def live(url, **options):
    """An application whose visitors read channels: by `stream`, or by a generator of its own."""

    class Live(App):
        channels = Channels(url, **options)

        async def events(self):
            return self.channels.stream("a", "b")

        async def own(self):
            async with self.channels.subscribe("a") as messages:
                async for message in messages:
                    yield message.data

    return Live()


def test_a_stream_that_can_not_begin(server, caplog):
    """For a browser it ends, and says when to come again; it is a 503 for others. The log is told once, not by each."""
    server.kill()

    async def main():
        async with TestClient(live(server.url, timeout=0.3), raise_exceptions=False) as client:
            events = {"accept": "text/event-stream"}
            asked = [
                client.get("/events", headers=events),
                client.get("/events", headers={**events, "last-event-id": "x-7.y-8"}),
                client.get("/events", headers={**events, "last-event-id": "\x85"}),
                client.get("/events"),
                client.get("/own", headers=events),
            ]
            together = await asyncio.gather(*asked)
            answers = [*together, await client.get("/events", headers=events), await client.get("/events")]
            return [(answer.status_code, answer.headers.get("retry-after"), answer.text) for answer in answers]

    one, known, odd, line, own, again, last = run(main())
    detail = "503 Service Unavailable: Channels are not available at the moment"
    assert [line, own, last] == [(503, "1", detail)] * 3
    for status, _, text in (one, odd, again):
        seconds = int(text.removeprefix("retry: ").removesuffix("\n\n")) / 1000
        assert (status, 2 <= seconds <= 4) == (200, True)
    assert known[2].startswith("id: x-7.y-8\nretry: ")
    (told,) = caplog.messages
    assert told.startswith("Channels are not connected, subscribers wait and nobody can join: ")


def test_who_waits_for_a_silent_server_is_logged_once(server, patient, caplog):
    """Though it has been silent for too short a time to be taken for lost; and so is that it is back."""

    async def steps(channels):
        server.freeze()
        for _ in range(3):
            with pytest.raises(HTTPError):
                await channels.subscribe("a").__aenter__()
        server.thaw()
        async with channels.subscribe("a"):
            pass

    use(steps, server.url, timeout=0.3)
    place = f"Redis at 127.0.0.1:{server.port}"
    assert caplog.messages == [
        f"Channels are not available, requests are answered 503: {place}: no answer",
        f"Channels are available again: {place}",
    ]


def test_a_stream_outside_of_a_request_is_refused(server):
    """Nobody is there who would come again."""

    async def steps(channels):
        server.kill()
        with pytest.raises(HTTPError):
            await anext(channels.stream("a", since="none"))

    use(steps, server.url, timeout=0.3)


def test_leaving_while_the_server_is_away(server):
    """It raises nothing, and takes no longer than the timeout."""

    async def steps(channels):
        async with channels.subscribe("a", member="ann"), channels.subscribe("b"):
            server.kill()
            await asyncio.sleep(0.3)

    use(steps, server.url, timeout=0.5)


def test_a_message_is_sent_once(server):
    """Though the answer to its publisher is lost: redis-py by itself would send it again."""

    async def main():
        async with proxied(server) as (proxy, url):
            listener, publisher = Channels(server.url), Channels(url)
            async with listener.subscribe("a") as messages:
                proxy.loses_answer_to = b"EVAL"
                with pytest.raises(HTTPError):
                    await publisher.publish("a", 1)
                proxy.loses_answer_to = None
                await publisher.publish("a", 2)
                found = await items(messages, 2)
            await listener.stop()
            await publisher.stop()
            return found

    assert run(main()) == [1, 2]


def test_several_channels_are_told_of_a_loss_and_of_its_end(server):
    """Each subscriber of its own; one that joins meanwhile is refused, and one that does not read is not flooded."""

    async def steps(channels):
        async with AsyncExitStack() as stack:
            one, two, idle = [await joined(stack, channels, *names) for names in ("a", "bc", "d")]
            for _ in range(6):
                server.kill()
                await until_notice(one, "lost")
                with pytest.raises(HTTPError):
                    await channels.subscribe("e").__aenter__()
                server.start()
                await until_notice(one, "back")
            back: set[str] = set()
            while back != {"b", "c"}:
                back.add((await until_notice(two, "back"))[-1].channel)
            return len(await until_notice(idle, "back"))

    assert use(steps, server.url, timeout=0.3) <= 5  # of the 18 that there were


def test_joining_and_leaving_while_others_publish(server):
    """Whoever comes hears what is published from then on; messages on their way to who has left are nobody's."""

    async def steps(one, two):
        async def publish():
            for number in range(2000):
                await two.publish("a", number)

        publishing = asyncio.create_task(publish())
        async with one.subscribe("other"):
            for _ in range(40):
                async with one.subscribe("a") as messages:
                    numbers = await items(messages, 3)
                    assert numbers == list(range(numbers[0], numbers[0] + 3))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await one.subscribe("a").__aenter__()
        publishing.cancel()
        await asyncio.wait({publishing})

    use(steps, server.url, server.url)


def test_the_count_begins_anew_where_the_server_has_forgotten_it(server):
    """Subscribers are told that something may be missing, and go on."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 1)
            await items(messages, 1)
            server.ask("FLUSHALL")
            await channels.publish("a", 2)
            return await items(messages, 2)

    assert use(steps, server.url) == [Notice("gap", "a", None), 2]


def test_nothing_listens_when_nobody_does(server):
    """The connection is gone with the last subscriber."""

    async def steps(channels):
        async with channels.subscribe("a"):
            async with channels.subscribe("b"):
                during = server.ask("CLIENT", "LIST").count(b"sub=3")
            fewer = server.ask("CLIENT", "LIST").count(b"sub=2")
        await asyncio.sleep(0.1)
        return during, fewer, server.ask("CLIENT", "LIST").count(b"cmd=subscribe")

    assert use(steps, server.url) == (1, 1, 0)


def test_a_place_lasts_as_long_as_somebody_listens(server, monkeypatch):
    """Though nothing is published for longer than the history's time."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 1)
            await asyncio.sleep(1.5)
            await channels.publish("a", 2)
            return await items(messages, 2)

    assert use(steps, server.url, history_ttl=0.8) == [1, 2]


def test_one_connection_is_enough(server):
    """Beside the one that messages come by: who waits for that holds up none."""

    async def steps(channels):
        async with channels.subscribe("a") as messages, channels.subscribe("b"):
            await channels.publish("a", 1)
            return await items(messages, 1)

    assert use(steps, f"{server.url}?max_connections=1") == [1]


def test_no_server_at_all():
    """The URL of nobody is a 503 at once."""

    async def steps(channels):
        with pytest.raises(HTTPError) as caught:
            await channels.publish("a", 1)
        return caught.value.status

    assert use(steps, f"redis://127.0.0.1:{free_port()}") == 503


@pytest.mark.parametrize("junk", ["junk", "a", "a b c", "a -1 t", "a \u0661 t", "\xff", r"0a 1 t\xff"])
def test_what_others_publish_there_is_ignored(server, caplog, junk):
    """A message that is none of ours, in a channel or in its history, ends nothing, and is told in the log."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            server.ask("PUBLISH", "micropie:channel:{a}", f'"{junk}"')
            server.ask("RPUSH", "micropie:channel:{a}:history", f'"{junk}"')
            await channels.publish("a", 1)
            found = await items(messages, 1)
        async with channels.subscribe("a", replay=5) as messages:
            return found, await items(messages, 1)

    assert use(steps, server.url, history=10) == ([1], [1])
    assert "no message" in caplog.text


def test_a_frozen_server_keeps_nobody_for_long(server):
    """Many who come at once wait no longer than the timeout, not one behind another."""

    async def join(channels, name):
        with pytest.raises(HTTPError) as caught:
            async with channels.subscribe(name):
                raise AssertionError("it must not come to this")
        return caught.value.status

    async def steps(channels):
        async with channels.subscribe("a"):
            server.freeze()
            began = time.monotonic()
            found = await asyncio.gather(*(join(channels, f"b{number % 5}") for number in range(20)))
            took = time.monotonic() - began
            server.thaw()
            return set(found), took

    statuses, took = use(steps, server.url, timeout=0.5)
    assert statuses == {503}
    assert took < 2


def test_who_can_not_join_ends_no_other_membership(server):
    """A second reader of one member, whom the server's being away refuses, leaves the first one in."""

    async def steps(channels):
        async with channels.subscribe("a", member="ann"):
            server.freeze()
            with pytest.raises(HTTPError):
                await channels.subscribe("b", "a", member="ann").__aenter__()
            server.thaw()
            await asyncio.sleep(1)
            return await channels.members("a")

    assert use(steps, server.url, timeout=0.4) == ["ann"]


def test_many_members_are_kept(server):
    """The signs of life of thousands of members are a few commands."""

    async def steps(channels):
        async with AsyncExitStack() as stack:
            for number in range(3000):
                await stack.enter_async_context(channels.subscribe("a", member=f"m{number}"))
            await asyncio.sleep(2.5)  # longer than members are kept without
            calls = evals(server)
            await asyncio.sleep(1)
            return len(await channels.members("a")), evals(server) - calls

    members, calls = use(steps, server.url)
    assert members == 3000
    assert calls < 100


def status_of(error):
    """The status that an exception answers with."""
    assert isinstance(error, HTTPError)
    return error.status


def evals(server):
    """How many scripts have run."""
    return int(server.ask("INFO", "commandstats").partition(b"cmdstat_eval:calls=")[2].partition(b",")[0])


def connections(server):
    """How many clients are connected, beside who asks."""
    return server.ask("CLIENT", "LIST").count(b"id=") - 1


def test_a_count_that_others_have_spoilt(server, caplog):
    """It is told in the log, and when it is gone all goes on."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 1)
            server.ask("HSET", "micropie:channel:{a}:place", "number", "x")
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            await until_notice(messages, "lost")
            await asyncio.sleep(0.5)
            server.ask("DEL", "micropie:channel:{a}:place")
            await until_notice(messages, "back")
            await channels.publish("a", 2)
            return await items(messages, 1)

    assert use(steps, server.url) == [2]
    assert "Channels are connected anew after a failure" in caplog.text


def test_signs_of_life_while_the_connection_is_lost_again_and_again(server, monkeypatch, caplog):
    """Only who reads connects: no second one in between, which would be in the way or stay open."""
    monkeypatch.setattr(engine, "BEAT", 0.001)
    monkeypatch.setattr(engine, "PAUSES", (0.002, 0.002))

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            for _ in range(50):
                server.ask("CLIENT", "KILL", "TYPE", "pubsub")
                await asyncio.sleep(0.01)
            await channels.publish("a", "last")
            while await items(messages, 1) != ["last"]:
                pass

    use(steps, server.url)
    gc.collect()
    assert {record.exc_info for record in caplog.records} == {None}
    assert connections(server) == 0


@pytest.mark.usefixtures("patient")
def test_too_many_that_wait_to_be_published(server, monkeypatch):
    """They are refused at once; those that waited are sent when the server answers again."""

    async def steps(channels):
        monkeypatch.setattr(outbox, "MAX_WAITING", 3)
        async with channels.subscribe("a") as messages:
            server.freeze()
            first = asyncio.create_task(channels.publish("a", 0))
            await asyncio.sleep(0.1)
            others = [asyncio.create_task(channels.publish("a", number)) for number in range(1, 6)]
            done, _ = await asyncio.wait(others, timeout=0.1)
            server.thaw()
            await asyncio.gather(first, *others, return_exceptions=True)
            return [status_of(task.exception()) for task in done], await items(messages, 4)

    assert use(steps, server.url) == ([503, 503], [0, 1, 2, 3])


@pytest.mark.usefixtures("patient")
def test_what_nobody_waits_for_any_more_is_not_sent(server):
    """A publisher whose time is over while another's message is on its way."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            server.freeze()
            first = asyncio.create_task(channels.publish("a", 1))
            await asyncio.sleep(0.1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channels.publish("a", 2), 0.1)
            first.cancel()  # it is on its way
            server.thaw()
            await channels.publish("a", 3)
            return await items(messages, 2)

    assert use(steps, server.url) == [1, 3]


def test_a_stop_while_something_is_published(server):
    """Its publisher is told that it is not known to be sent."""

    async def steps(channels):
        await channels.publish("a", 0)
        server.freeze()
        publishing = [asyncio.create_task(channels.publish("a", number)) for number in range(3)]
        await asyncio.sleep(0.1)
        await channels.stop()
        server.thaw()
        return [status_of(error) for error in await asyncio.gather(*publishing, return_exceptions=True)]

    assert use(steps, server.url, timeout=2) == [503] * 3


def test_a_stop_right_behind_a_publisher(server):
    """Nobody waits for what is never sent."""

    async def steps(channels):
        publishing = [asyncio.create_task(channels.publish("a", number)) for number in range(2)]
        await asyncio.sleep(0)
        await channels.stop()
        done, _ = await asyncio.wait(publishing, timeout=1)
        return [status_of(task.exception()) for task in done]

    assert use(steps, server.url, timeout=3) == [503] * 2


def test_a_channel_that_can_not_be_published_to(server):
    """What stands there is none of ours: the publisher has the server's error."""

    async def steps(channels):
        server.ask("SET", "micropie:channel:{a}:place", "x")
        with pytest.raises(ResponseError):
            await channels.publish("a", 1)

    use(steps, server.url)


@pytest.mark.usefixtures("patient")
def test_who_joins_behind_one_that_is_cancelled_hears_all(server):
    """It does not begin before the server has confirmed what the other one has asked for."""

    async def main():
        async with proxied(server) as (proxy, url):
            channels, other = Channels(url), Channels(server.url)
            async with channels.subscribe("b"):
                proxy.delay = 0.1
                joining = asyncio.create_task(channels.subscribe("a").__aenter__())
                await asyncio.sleep(0.05)
                following = asyncio.create_task(joined_to_a(channels))
                await asyncio.sleep(0)
                joining.cancel()
                messages = await following
                await other.publish("a", 1)
                found = await items(messages, 1)
                await messages.__aexit__()
            await channels.stop()
            await other.stop()
            return found

    async def joined_to_a(channels):
        return await channels.subscribe("a").__aenter__()

    assert run(main()) == [1]


@pytest.mark.usefixtures("patient")
def test_who_joins_several_channels_does_not_block_itself(server):
    """What fills its queue before it can read has room: the confirmations come behind it, by one connection."""

    async def steps(channels, other):
        messages = channels.subscribe(*(f"room {number}" for number in range(40)), slow="block", queue_size=1)
        joining = asyncio.create_task(messages.__aenter__())
        count = 0
        while not joining.done():
            await other.publish("room 0", count)
            count += 1
        await asyncio.wait_for(joining, 2)
        found = await items(messages, 1)
        following = await items(messages, count - found[0] - 1)
        await messages.__aexit__()
        assert count > 5
        return found + following == list(range(found[0], count))

    assert use(steps, server.url, server.url)


def test_who_leaves_while_a_gap_is_looked_up_is_forgotten(server):
    """Nothing stays connected for it."""

    async def steps(channels):
        async with channels.subscribe("b"):
            messages = await channels.subscribe("a").__aenter__()
            hub = messages._hub
            earlier = hub.engine.earlier

            async def leave_meanwhile(channel):
                found = await earlier(channel)
                await messages.__aexit__()
                return found

            await channels.publish("a", 1)
            await items(messages, 1)
            hub.engine.earlier = leave_meanwhile
            epoch = messages.position.split("-")[0]
            server.ask("PUBLISH", "micropie:channel:{a}", f'"{epoch} 5 t5"')
            async with asyncio.timeout(5):
                while not messages.has_ended or "a" in hub._readers:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            return list(hub.engine._places)

    assert use(steps, server.url) == ["b"]


def test_what_is_brought_after_a_loss_comes_once_though_its_reader_holds_it_up(server):
    """A reader with the policy "block" takes longer than a server may be silent."""

    async def steps(channels, other):
        async with channels.subscribe("a", slow="block", queue_size=1) as messages:
            await other.publish("a", 0)
            found = await items(messages, 1)
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            for number in range(1, 20):
                await other.publish("a", number)
            while found[-1] != 19:
                await asyncio.sleep(0.06)
                found += [item for item in await items(messages, 1) if isinstance(item, int)]
            return found

    assert use(steps, server.url, server.url, history=50) == list(range(20))


@pytest.mark.parametrize("step", ["earlier", "listen"])
def test_a_stop_while_somebody_joins_leaves_nothing(server, step):
    """Neither a member nor a connection: it is a 503."""

    async def steps(channels):
        before = connections(server)
        messages = channels.subscribe("a", "b", member="ann")
        hub = messages._hub
        asked = getattr(hub.engine, step)
        stopping: list[asyncio.Task[None]] = []

        async def stop_meanwhile(channel):
            if not stopping:
                stopping.append(asyncio.create_task(channels.stop()))
                await asyncio.sleep(0)
            return await asked(channel)

        setattr(hub.engine, step, stop_meanwhile)
        with pytest.raises(HTTPError) as caught:
            await messages.__aenter__()
        await asyncio.wait(stopping)
        async with asyncio.timeout(2):
            while connections(server) > before:  # noqa: ASYNC110 - the server notices a moment later
                await asyncio.sleep(0.01)
        left = [server.ask("ZCARD", f"micropie:channel:{{{name}}}:members").partition(b"\r")[0] for name in "ab"]
        return caught.value.status, left

    assert use(steps, server.url) == (503, [b":0", b":0"])


def test_who_leaves_while_it_is_brought_what_it_missed_is_forgotten(server):
    """Its channel is not listened to any more."""

    async def steps(channels, other):
        async with channels.subscribe("b"):
            messages = await channels.subscribe("a", slow="block", queue_size=1).__aenter__()
            await other.publish("a", 0)
            await items(messages, 1)
            server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            for number in range(1, 5):
                await other.publish("a", number)
            async with asyncio.timeout(5):
                while not messages._blocked:  # noqa: ASYNC110 - nobody else can tell
                    await asyncio.sleep(0.005)
            await messages.__aexit__()
            await asyncio.sleep(0.05)
            return list(messages._hub.engine._places)

    assert use(steps, server.url, server.url, history=9) == ["b"]
