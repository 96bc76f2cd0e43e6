"""Channels, in this process and on a Redis server: what is published reaches who subscribes, once and in order."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from functools import partial

import pytest

from micropie import App, ConnectionClosed, WebSocket
from micropie.channels import Channels, Message, Notice, SlowConsumer, relay
from micropie.channels.memory import MAX_CHANNELS
from micropie.channels.sender import TOGETHER
from micropie.channels.serving import MICROPIE_WORKERS, VARIABLES, workers_here
from micropie.testing import TestClient
from tests.batteries.redis_server import running_redis
from tests.client import run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Redis server."""
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
def url(request):
    """Each engine; what others have left on the server is gone."""
    if request.param == "memory":
        return "memory:"
    server = request.getfixturevalue("server")
    server.ask("FLUSHALL")
    return server.url


async def take(messages, count):
    """The data of the next messages."""
    return [(await asyncio.wait_for(anext(messages), 5)).data for _ in range(count)]


def use(steps, url, **options):
    """Run a test's steps with channels, which are stopped in the end."""

    async def main():
        channels = Channels(url, **options)
        try:
            return await steps(channels)
        finally:
            await channels.stop()

    return run(main())


@dataclass
class Move:
    """A record to be published."""

    x: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("pie", "pie"),
        ("", ""),
        ("ü\n\0", "ü\n\0"),
        (b"\xff\0", b"\xff\0"),
        (bytearray(b"a"), b"a"),
        ({"a": [1, None]}, {"a": [1, None]}),
        (Move(3), {"x": 3}),
        (None, None),
        (7, 7),
    ],
)
def test_what_is_published_arrives(url, value, expected):
    """Text, bytes, JSON values and records."""

    async def steps(channels):
        async with channels.subscribe("lobby") as messages:
            position = await channels.publish("lobby", value)
            message = await anext(messages)
            assert (messages.position, str(message.position), message.channel) == (position, position, "lobby")
            return message.data

    assert use(steps, url) == expected


def test_every_subscriber_gets_each_message_once_and_in_order(url):
    """Those of its channels, from the moment when its block begins."""

    async def steps(channels):
        await channels.publish("a", "too early")
        async with channels.subscribe("a") as one, channels.subscribe("a", "b", "a") as two:
            for number in range(100):
                await channels.publish("ab"[number % 2], number)
            return await take(one, 50), await take(two, 100)

    one, two = use(steps, url)
    assert one == list(range(0, 100, 2))
    assert [number for number in two if number % 2 == 0] == one
    assert [number for number in two if number % 2] == list(range(1, 100, 2))


def test_who_has_left_gets_nothing(url):
    """Neither does the hub keep it; a channel can be joined again."""

    async def steps(channels):
        async with channels.subscribe("a") as first:
            pass
        await channels.publish("a", 1)
        with pytest.raises(StopAsyncIteration):
            await anext(first)
        async with channels.subscribe("a") as second, channels.subscribe("b"):
            await channels.publish("a", 2)
            return await take(second, 1)

    assert use(steps, url) == [2]


def test_history(url):
    """A subscriber may begin with the last messages, as far as they are kept."""

    async def steps(channels):
        for number in range(8):
            await channels.publish("a", number)
        async with channels.subscribe("a", replay=3) as some, channels.subscribe("a", replay=99) as all_kept:
            await channels.publish("a", 8)
            return await take(some, 4), await take(all_kept, 6)

    assert use(steps, url, history=5) == ([5, 6, 7, 8], [3, 4, 5, 6, 7, 8])


def test_who_comes_back_goes_on_where_it_was(url):
    """By the position of its earlier subscription; of several channels too."""

    async def steps(channels):
        async with channels.subscribe("a", "b") as messages:
            await channels.publish("a", 1)
            await channels.publish("b", 2)
            assert await take(messages, 2) == [1, 2]
            position = messages.position
        await channels.publish("a", 3)
        await channels.publish("b", 4)
        async with channels.subscribe("a", "b", since=position) as again:
            await channels.publish("a", 5)
            found = await take(again, 3)
            return found, again.missed

    assert use(steps, url, history=5) == ([3, 4, 5], 0)


def test_a_gap_is_told(url):
    """Of who comes back too late: how many messages are lost."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 0)
            await take(messages, 1)
        for number in range(1, 6):
            await channels.publish("a", number)
        async with channels.subscribe("a", since=messages.position) as again:
            items = [await again.next() for _ in range(3)]
            return [item.data if isinstance(item, Message) else item for item in items], again.missed

    assert use(steps, url, history=2) == ([Notice("gap", "a", 3), 4, 5], 3)


@pytest.mark.parametrize("since", ["", "x", "1-x", "-", "a-1.b-2", "9" * 70 + "-1", "é-\u0661"])
def test_a_position_that_is_none_counts_as_new(url, since):
    """It may come from a client."""

    async def steps(channels):
        await channels.publish("a", 1)
        async with channels.subscribe("a", since=since) as messages:
            await channels.publish("a", 2)
            return await take(messages, 1), messages.missed

    assert use(steps, url, history=5) == ([2], 0)


def test_a_position_of_another_count_gets_all_there_is(url):
    """And is told that something may be missing."""

    async def steps(channels):
        await channels.publish("a", 1)
        async with channels.subscribe("a", since="other-7") as messages:
            return [await messages.next() for _ in range(2)]

    notice, message = use(steps, url, history=5)
    assert (notice, message.data) == (Notice("gap", "a", None), 1)


def test_what_is_published_while_one_joins_is_there_once(url):
    """Neither twice nor never, with a history."""

    async def steps(channels):
        async def publish():
            for number in range(200):
                await channels.publish("a", number)

        publishing = asyncio.create_task(publish())
        found = []
        for _ in range(10):
            await asyncio.sleep(0)
            async with channels.subscribe("a", replay=1000) as messages:
                found.append(await take(messages, 30))
        await publishing
        return found

    for numbers in use(steps, url, history=1000):
        assert numbers == list(range(numbers[0], numbers[0] + 30))


def test_a_slow_reader_loses_the_oldest(url):
    """It is told how many; the others lose nothing."""

    async def steps(channels):
        async with channels.subscribe("a", queue_size=3) as slow, channels.subscribe("a") as quick:
            for number in range(10):
                await channels.publish("a", number)
            assert await take(quick, 10) == list(range(10))
            items = [await slow.next() for _ in range(4)]
            return [item.data if isinstance(item, Message) else item for item in items], slow.missed

    assert use(steps, url) == ([Notice("gap", "a", 7), 7, 8, 9], 7)


def test_a_slow_reader_is_disconnected_if_that_is_the_policy(url):
    """Its iteration ends with SlowConsumer; nothing more is kept for it."""

    async def steps(channels):
        async with channels.subscribe("a", queue_size=3) as slow, channels.subscribe("a", slow="drop_oldest") as quick:
            for number in range(6):
                await channels.publish("a", number)
            assert await take(quick, 6) == list(range(6))
            with pytest.raises(SlowConsumer, match="has 3 messages waiting"):
                await anext(slow)

    use(steps, url, slow="disconnect")


def test_a_reader_that_is_cancelled_loses_nothing(url):
    """What comes in that moment is there for its next look."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            reading = asyncio.create_task(anext(messages))
            await asyncio.sleep(0)
            publishing = asyncio.create_task(channels.publish("a", 1))
            reading.cancel()
            await asyncio.wait({reading, publishing})
            return await take(messages, 1)

    assert use(steps, url) == [1]


def test_large_events_go_alone(url):
    """What waits goes out in one write, up to a size."""

    async def steps(channels):
        stream = channels.stream("a", since="none")
        await anext(stream)
        for value in ("x" * TOGETHER, "1", "2"):
            await channels.publish("a", value)
        await asyncio.sleep(0.1)
        first, (one, two) = await anext(stream), await anext(stream)
        await stream.aclose()
        return first.data, one.data, two.data

    assert use(steps, url) == ("x" * TOGETHER, "1", "2")


def test_publishers_wait_for_a_slow_reader_if_that_is_the_policy():
    """All messages reach it, in their order."""

    async def steps(channels):
        found = []

        async def read(messages):
            async for message in messages:
                found.append(message.data)
                await asyncio.sleep(0.001)
                if len(found) == 50:
                    return

        async with channels.subscribe("a", queue_size=2) as messages:
            reading = asyncio.create_task(read(messages))
            await asyncio.gather(*(channels.publish("a", number) for number in range(50)))
            assert len(found) >= 47
            await reading
        return found

    assert use(steps, "memory:", slow="block") == list(range(50))


def test_publishers_do_not_wait_for_who_reads_nothing(monkeypatch):
    """After a while it is given up; who leaves meanwhile holds nobody up."""
    monkeypatch.setattr("micropie.channels.subscription.BLOCK_TIMEOUT", 0.1)

    async def steps(channels):
        async with channels.subscribe("a", queue_size=1) as dead:
            await channels.publish("a", 1)
            await asyncio.wait_for(channels.publish("a", 2), 2)
            with pytest.raises(SlowConsumer):
                await anext(dead)
        async with channels.subscribe("a", queue_size=1):
            await channels.publish("a", 1)
            waiting = asyncio.create_task(channels.publish("a", 2))
            await asyncio.sleep(0.01)
        await asyncio.wait_for(waiting, 0.05)

    use(steps, "memory:", slow="block")


def test_members(url):
    """Who is there, each once, until the last of its subscriptions ends."""

    async def steps(channels):
        seen = []
        async with channels.subscribe("a", member="bob"), channels.subscribe("b", member="eve"):
            async with channels.subscribe("a", member="ann"), channels.subscribe("a", member="ann"):
                seen.append(await channels.members("a"))
            async with channels.subscribe("a", member="ann"):
                async with channels.subscribe("a", member="ann"):
                    pass
                seen.append(await channels.members("a"))
            seen.append(await channels.members("a"))
        seen.append(await channels.members("a"))
        return seen

    assert use(steps, url) == [["ann", "bob"], ["ann", "bob"], ["bob"], []]


def test_stopping_ends_the_iteration_of_subscribers(url):
    """Behind what they have not read yet; channels can be used again."""

    async def main():
        channels = Channels(url)
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 1)
            await asyncio.sleep(0.1)
            waiting = channels.subscribe("b")
            async with waiting:
                reading = asyncio.create_task(anext(waiting))
                await asyncio.sleep(0)
                await channels.stop()
                assert [message.data async for message in messages] == [1]
                with pytest.raises(StopAsyncIteration):
                    await reading
        await channels.stop()
        async with channels.subscribe("a") as messages:
            await channels.publish("a", 2)
            assert await take(messages, 1) == [2]
        await channels.check()
        await channels.stop()

    run(main())


def test_who_comes_when_the_stop_has_begun_hears_nothing():
    """Its iteration ends at once."""

    async def steps(channels):
        async with channels.subscribe("a") as early:
            channels.begin_stop()
            async with channels.subscribe("a") as late:
                for messages in early, late:
                    with pytest.raises(StopAsyncIteration):
                        await anext(messages)

    use(steps, "memory:")


@pytest.mark.parametrize("name", ["", "a\nb", "a" * 257, "\ud800", 7])
def test_a_name_is_printable_text(name):
    """Of 1 to 256 characters."""

    async def steps(channels):
        with pytest.raises(ValueError, match="can't name a channel"):
            await channels.publish(name, "x")
        with pytest.raises(ValueError, match="can't name a channel"):
            channels.subscribe("a", name)
        with pytest.raises(TypeError, match="takes the name of a channel"):
            channels.subscribe()

    use(steps, "memory:")


def test_a_message_that_can_not_be_is_refused():
    """What is no JSON, and what is too large."""

    async def steps(channels):
        with pytest.raises(TypeError):
            await channels.publish("a", object())
        with pytest.raises(ValueError, match="a message of 12 bytes can't be published: max_message_size is 11"):
            await channels.publish("a", "12345678901")
        await channels.publish("a", "1234567890")

    use(steps, "memory:", max_message_size=11)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"history": -1}, "history=-1"),
        ({"history_ttl": 0}, "history_ttl=0"),
        ({"queue_size": 0}, "queue_size=0"),
        ({"slow": "wait"}, "slow='wait'"),
        ({"max_message_size": 0}, "max_message_size=0"),
        ({"url": "amqp://user:secret@host"}, "of no kind that channels know"),
    ],
)
def test_a_setting_that_can_not_be_is_refused(options, wrong):
    """When the channels are made; a password is not shown."""
    with pytest.raises(ValueError, match=wrong) as caught:
        Channels(**options)
    assert "secret" not in str(caught.value)


def test_old_messages_are_forgotten():
    """A history is kept for its time behind the last message."""

    async def steps(channels):
        await channels.publish("a", 1)
        await asyncio.sleep(0.1)
        async with channels.subscribe("a", replay=5) as messages:
            await channels.publish("a", 2)
            return await take(messages, 1)

    assert use(steps, "memory:", history=5, history_ttl=0.05) == [2]


def test_old_messages_do_not_come_back():
    """What the time of a history has ended stays forgotten when something is published again."""

    async def steps(channels):
        await channels.publish("a", 1)
        await channels.publish("a", 2)
        await asyncio.sleep(0.1)
        await channels.publish("a", 3)
        async with channels.subscribe("a", replay=5) as messages:
            return await take(messages, 1)

    assert use(steps, "memory:", history=5, history_ttl=0.05) == [3]


def test_memory_is_bounded():
    """Of the channels that nobody listens to the longest unused are forgotten."""

    async def steps(channels):
        async with channels.subscribe("kept") as messages:
            await channels.publish("kept", 0)
            first = await channels.publish("0", "x")
            for number in range(1, MAX_CHANNELS + 5):
                await channels.publish(str(number), "x")
            await channels.publish("kept", 1)
            assert await take(messages, 2) == [0, 1]
            assert messages.missed == 0
        return first.partition("-")[0] == (await channels.publish("0", "x")).partition("-")[0]

    assert use(steps, "memory:") is False


async def events_in(stream):
    """The events of a stream, each with its end; several may come together."""
    text = ""
    async for chunk in stream.aiter_text():
        *events, text = (text + chunk).split("\n\n")
        for event in events:
            yield f"{event}\n\n"


class Site(App):
    """A chat by WebSocket and by events."""

    channels: Channels

    async def ws_lobby(self, ws):
        await ws.accept()
        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages, receive=partial(self.channels.publish, "lobby"))

    async def ws_reader(self, ws):
        await ws.accept()
        async with self.channels.subscribe("lobby", queue_size=1) as messages:
            await self.channels.publish("lobby", "x" * 10)
            await relay(ws, messages)

    async def ws_failing(self, ws):
        await ws.accept()

        async def refuse(message):
            raise ValueError("not this")

        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages, receive=refuse)

    async def events(self):
        return self.channels.stream("lobby", "news")


def site(url, **options):
    """An application with channels."""

    class Live(Site):
        channels = Channels(url, **options)

    return Live()


def test_a_chat(url):
    """What one says all hear, text and bytes, and so do readers of events; leaving is no error."""

    async def main():
        async with (
            TestClient(site(url)) as client,
            client.websocket("/lobby") as ann,
            client.websocket("/lobby") as bob,
            client.stream("GET", "/events", headers={"accept": "text/event-stream"}) as stream,
        ):
            events = events_in(stream)
            await anext(events)
            await ann.send_text("hello")
            heard: list[object] = [await ann.receive_text()]  # whoever speaks second speaks second
            await bob.send_bytes(b"\x01\x02")
            heard += [await ann.receive_bytes()]
            heard += [await bob.receive_text(), await bob.receive_bytes()]
            return heard, [await anext(events), await anext(events)]

    heard, told = run(main())
    assert heard == ["hello", b"\x01\x02"] * 2
    assert [event.split("data: ")[1] for event in told] == ["hello\n\n", "AQI=\n\n"]


def test_events_go_on_where_a_browser_was(url):
    """By the id that it sends when it reconnects; a gap is an event of its own."""

    async def main():
        app = site(url, history=2)
        headers = {"accept": "text/event-stream"}
        async with TestClient(app) as client:
            async with client.stream("GET", "/events", headers=headers) as stream:
                first = await anext(stream.aiter_text())
            for number in range(3):
                await app.channels.publish("lobby", {"n": number})
            last = first.partition("id: ")[2].strip()
            async with client.stream("GET", "/events", headers={**headers, "last-event-id": last}) as stream:
                events = events_in(stream)
                return first, [await anext(events) for _ in range(4)]

    first, (again, gap, one, two) = run(main())
    assert first.startswith("id: ")
    assert again == first
    assert gap.startswith("event: gap\n")
    assert json.loads(gap.partition("data: ")[2]) == {"channel": "lobby", "missed": 1}
    assert [json.loads(event.partition("data: ")[2]) for event in (one, two)] == [{"n": 1}, {"n": 2}]


def test_events_are_lines_of_json_for_others():
    """With their ids; the stream of a reader that is too slow ends."""

    async def main():
        app = site("memory:", slow="disconnect", queue_size=1)
        async with TestClient(app) as client, client.stream("GET", "/events") as stream:
            lines = stream.aiter_text()
            await anext(lines)
            for number in range(5):
                await app.channels.publish("lobby", {"n": number})
            return [json.loads(line) async for line in lines]

    found = run(main())
    assert [line["data"] for line in found] == [{"n": number} for number in range(len(found))]
    assert len(found) < 5


def test_what_receive_raises_ends_the_relay(caplog):
    """As a failure of the handler."""

    async def main():
        async with TestClient(site("memory:"), raise_exceptions=False) as client, client.websocket("/failing") as ws:
            await ws.send_text("hello")
            with pytest.raises(ConnectionClosed) as caught:
                await ws.receive_text()
            return caught.value.code

    assert run(main()) == 1011
    assert "not this" in caplog.text


def test_a_client_that_is_too_slow_is_told_to_come_again():
    """By the code that is registered for that."""

    async def main():
        app = site("memory:", slow="disconnect")
        async with TestClient(app) as client, client.websocket("/reader") as ws:
            first = await ws.receive_text()
            for _ in range(3):
                await app.channels.publish("lobby", "y")
            return first, await close_code(ws)

    assert run(main()) == ("x" * 10, 1013)


def test_two_streams_share_the_events_of_a_channel(url):
    """Each message is written as an event once, however many read it."""

    async def steps(channels):
        async with channels.subscribe("a") as one, channels.subscribe("a") as two:
            await channels.publish("a", "x")
            first, second = await anext(one), await anext(two)
            return first.event is second.event, first.event.data

    assert use(steps, url) == (True, "x")


def test_who_only_listens_may_say_something():
    """Nobody hears it, and its leaving is noticed."""

    async def main():
        app = site("memory:")
        async with TestClient(app) as client, client.websocket("/reader") as ws:
            await ws.send_text("anybody there?")
            await app.channels.publish("lobby", {"n": 1})
            return await ws.receive_text(), await ws.receive_text()

    assert run(main()) == ("x" * 10, '{"n":1}')


def test_a_stream_may_begin_where_the_handler_says(url):
    """Whatever the browser sends."""

    async def steps(channels):
        first = await channels.publish("a", 1)
        await channels.publish("a", 2)
        stream = channels.stream("a", since=first)
        events = [await anext(stream), await anext(stream)]
        await stream.aclose()
        return [event.data for event in events], events[0].id == first

    assert use(steps, url, history=5) == ([None, 2], True)


def test_a_client_that_leaves_while_much_is_sent_is_no_error():
    """The relay ends, whether it notices by sending or by receiving."""

    class Gone(WebSocket):
        """A socket whose client has left, which only sending tells."""

        async def __aiter__(self):
            await asyncio.Event().wait()
            yield ""

        async def send_text(self, data):
            raise ConnectionClosed(1006, "")

    async def nothing(*_):
        raise AssertionError("nobody asks")

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            await channels.publish("a", "x")
            await asyncio.wait_for(relay(Gone(nothing, nothing), messages), 2)

    use(steps, "memory:")


async def close_code(ws):
    """The code that a socket is closed with, behind what it still has to say."""
    try:
        while True:
            await ws.receive_text()
    except ConnectionClosed as closed:
        return closed.code


def test_a_message_shows_where_it_stands():
    """In a log, without its content."""

    async def steps(channels):
        async with channels.subscribe("a") as messages:
            position = await channels.publish("a", "secret")
            return repr(await anext(messages)) == f"<Message 'a' {position}>"

    assert use(steps, "memory:")


def test_what_is_replayed_does_not_come_again(url):
    """Though it is on its way yet, since another reader holds up the delivery."""

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as slow:
            publishing = [asyncio.create_task(channels.publish("a", number)) for number in range(5)]
            await asyncio.sleep(0.2)
            async with channels.subscribe("a", replay=10) as messages:
                assert sorted(await take(slow, 5)) == list(range(5))
                await asyncio.gather(*publishing)
                await channels.publish("a", "last")
                return await take(messages, 6)

    *numbers, last = use(steps, url, history=10)
    assert (sorted(numbers), last) == (list(range(5)), "last")


def test_what_was_published_before_does_not_come(url):
    """A reader begins with what is published from then on, though others wait for earlier messages."""

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as slow:
            publishing = [asyncio.create_task(channels.publish("a", number)) for number in range(5)]
            await asyncio.sleep(0.2)
            async with channels.subscribe("a") as messages:
                await take(slow, 5)
                await asyncio.gather(*publishing)
                await channels.publish("a", "first")
                return await take(messages, 1)

    assert use(steps, url) == ["first"]


@pytest.mark.parametrize("policy", ["drop_oldest", "disconnect", "block"])
def test_what_is_replayed_has_room_of_its_own(url, policy):
    """A reader that comes back with more to catch up than its queue takes is not too slow for that."""

    async def steps(channels):
        for number in range(20):
            await channels.publish("a", number)
        async with channels.subscribe("a", replay=20, queue_size=3, slow=policy) as messages:
            await channels.publish("a", 20)
            await asyncio.sleep(0.1)
            return await take(messages, 21), messages.missed

    assert use(steps, url, history=20) == (list(range(21)), 0)


def test_publishers_that_wait_keep_their_order():
    """One that comes while another one begins to wait is behind it, though there is room by then."""

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as messages:
            found = []

            async def read():
                async for message in messages:
                    found.append(message.data)
                    await asyncio.sleep(0)

            reading = asyncio.create_task(read())
            await asyncio.gather(*(publish(channels, start) for start in range(0, 300, 3)))
            await asyncio.sleep(0.1)
            messages.end()
            await reading
            return found

    async def publish(channels, start):
        for number in range(start, start + 3):
            order.append(number)
            await channels.publish("a", number)

    order: list[int] = []
    assert use(steps, "memory:") == order


def test_a_publisher_that_is_cancelled_leaves_a_gap():
    """The reader that it waited for is told that it does not have the message."""

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as messages:
            await channels.publish("a", 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channels.publish("a", 2), 0.01)
            return [await messages.next(), (await messages.next()).data, messages.missed]

    assert use(steps, "memory:") == [Notice("gap", "a", 1), 1, 1]


def test_a_stop_ends_memberships(url):
    """Other workers see it at once, and the reader has left already when its block ends."""

    async def main():
        one, two = Channels(url), Channels(url)
        async with one.subscribe("a", "b", member="ann") as messages:
            await one.stop()
            with pytest.raises(StopAsyncIteration):
                await anext(messages)
            members = await two.members("a"), await two.members("b")
        await two.stop()
        return members

    assert run(main()) == ([], [])


def test_a_client_that_takes_nothing_is_left():
    """Though a send is on its way, and the close can't be sent either."""
    sent = []

    async def send(message):
        sent.append(message["type"])
        if sent.count("websocket.send") + sent.count("websocket.close") >= 2:
            await asyncio.Event().wait()

    async def receive():
        if not sent:
            return {"type": "websocket.connect"}
        return await asyncio.Event().wait()

    async def steps(channels):
        ws = WebSocket(receive, send)
        await ws.accept()
        async with channels.subscribe("a", slow="disconnect", queue_size=3) as messages:
            relaying = asyncio.create_task(relay(ws, messages))
            for number in range(8):
                await channels.publish("a", number)
                await asyncio.sleep(0)
            await asyncio.wait_for(relaying, 4)

    use(steps, "memory:")
    assert sent == ["websocket.accept", "websocket.send", "websocket.send", "websocket.close"]


def test_relay_sends_what_is_made_of_a_message():
    """With its position, for clients that come back."""

    class Site(App):
        channels = Channels(history=5)

        async def ws_lobby(self, ws):
            await ws.accept()
            async with self.channels.subscribe("lobby", replay=5) as messages:
                await relay(ws, messages, encode=lambda message: f"{messages.position} {message.data}")

    async def main():
        app = Site()
        async with TestClient(app) as client:
            positions = [await app.channels.publish("lobby", text) for text in ("one", "two")]
            async with client.websocket("/lobby") as ws:
                return positions, [await ws.receive_text() for _ in range(2)]

    (first, second), received = run(main())
    assert received == [f"{first} one", f"{second} two"]


@pytest.mark.parametrize(
    ("command", "variables", "expected"),
    [
        (["/bin/uvicorn", "app:app", "--workers", "2"], {}, 2),
        (["/lib/uvicorn/__main__.py", "--workers=3"], {}, 3),
        (["/bin/gunicorn", "-w4"], {}, 4),
        (["/bin/hypercorn", "-w", "2"], {}, 2),
        (["/bin/granian"], {"GRANIAN_WORKERS": "5"}, 5),
        (["/bin/uvicorn"], {"WEB_CONCURRENCY": "2"}, 2),
        (["/bin/uvicorn", "--workers", "1"], {"WEB_CONCURRENCY": "2"}, 1),
        (["/bin/uvicorn", "--workers"], {}, 1),
        (["/bin/uvicorn"], {"WEB_CONCURRENCY": "many"}, 1),
        (["/bin/pytest", "-w", "2"], {"WEB_CONCURRENCY": "2"}, 1),
        (["-c"], {"MICROPIE_WORKERS": "2"}, 2),
        (["-c"], {"MICROPIE_WORKERS": "many"}, 1),
        ([], {}, 1),
    ],
)
def test_several_workers_are_warned_of(monkeypatch, caplog, command, variables, expected):
    """Where channels are in memory: the servers' options and variables tell, in their workers too."""

    class Site(App):
        channels = Channels()
        shared = Channels("redis://127.0.0.1:1")

    for name in (MICROPIE_WORKERS, *VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", command)

    async def main():
        async with TestClient(Site()):
            return workers_here()

    assert run(main()) == expected
    assert caplog.text.count("Several workers serve this, and channels in memory") == (expected > 1)


def test_what_waits_for_room_may_be_known_by_then():
    """A reader that blocks while it joins gets what is replayed once, though its delivery waits."""

    async def steps(channels):
        async with channels.subscribe("b"):
            await channels.publish("a", 0)
            joining = channels.subscribe("a", "b", replay=9, slow="block", queue_size=1)
            engine = joining._hub.engine
            earlier = engine.earlier
            publishing: list[asyncio.Task[str]] = []

            async def publish_meanwhile(channel):
                if channel == "a":
                    publishing.extend(asyncio.create_task(channels.publish("a", number)) for number in (1, 2, 3))
                    await asyncio.sleep(0.01)
                return await earlier(channel)

            engine.earlier = publish_meanwhile
            async with joining as messages:
                found = await take(messages, 4)
                await asyncio.gather(*publishing)
                await channels.publish("a", "last")
                return found, await take(messages, 1)

    assert use(steps, "memory:", history=9) == ([0, 1, 2, 3], ["last"])


@pytest.mark.parametrize("count", [2, 8, 9, 300])
def test_many_channels_are_told_apart(count):
    """Each has its place in the position, by which a reader goes on; one named twice has one."""
    names = [f"room {number}" for number in range(count)]

    async def steps(channels):
        async with channels.subscribe(*names, names[0]) as messages:
            for name in reversed(names):
                await channels.publish(name, name)
            await take(messages, count - 1)
            position = messages.position
        async with channels.subscribe(*names, since=position) as messages:
            await channels.publish(names[-1], "more")
            return await take(messages, 2)

    assert use(steps, "memory:", history=2) == [names[0], "more"]


def test_the_cost_of_a_message_does_not_grow_with_the_channels():
    """To look at each of a thousand names takes a hundred times as long as a message of one."""

    async def seconds(channels, count):
        name = f"room {count - 1:05}"
        async with channels.subscribe(*(f"room {number:05}" for number in range(count))) as messages:
            await channels.publish(name, "first")
            await anext(messages)
            before = time.thread_time()
            for _ in range(300):
                await channels.publish(name, "more")
                await anext(messages)
            return time.thread_time() - before

    async def steps(channels):
        few = min([await seconds(channels, 1) for _ in range(3)])
        return few, min([await seconds(channels, 3000) for _ in range(3)])

    few, many = use(steps, "memory:")
    assert many < 5 * few


def test_the_gaps_of_several_channels_are_all_counted(url):
    """Though they alternate: what the notices say is what was lost."""

    async def steps(channels):
        async with channels.subscribe("a", "b", queue_size=2) as messages:
            for number in range(20):
                await channels.publish("ab"[number % 2], number)
            async with asyncio.timeout(5):
                while messages.missed < 18:  # noqa: ASYNC110 - a slow reader is told nothing else
                    await asyncio.sleep(0.01)
            found = [await messages.next() for _ in range(4)]
            return found[:2], [one.data for one in found[2:]], messages.missed

    assert use(steps, url) == ([Notice("gap", "a", 9), Notice("gap", "b", 9)], [18, 19], 18)


def test_gaps_that_nobody_can_count_stay_so():
    """An unknown number and a known one are an unknown one."""

    async def steps(channels):
        async with channels.subscribe("a", since="other-1", queue_size=1) as messages:
            for number in range(3):
                await channels.publish("a", number)
            return await messages.next(), messages.missed

    assert use(steps, "memory:") == (Notice("gap", "a", None), 2)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_publisher_that_is_cancelled_at_once_leaves_a_gap(turns):
    """Before it has come to wait, too; those that follow don't wait where there is room."""

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as messages:
            await channels.publish("a", 1)
            publishing = asyncio.create_task(channels.publish("a", 2))
            for _ in range(turns):
                await asyncio.sleep(0)
            publishing.cancel()
            await asyncio.wait({publishing})
            found = [await messages.next() for _ in range(2)]
            before = asyncio.all_tasks()
            await channels.publish("a", 3)
            return found[0], found[1].data, await take(messages, 1), asyncio.all_tasks() == before, messages._blocked

    assert use(steps, "memory:") == (Notice("gap", "a", 1), 1, [3], True, 0)


def test_who_is_given_up_gets_nothing_of_publishers_that_still_wait(monkeypatch):
    """Its iteration ends with SlowConsumer, not with a later message before that."""
    monkeypatch.setattr("micropie.channels.subscription.BLOCK_TIMEOUT", 0.05)

    async def steps(channels):
        async with channels.subscribe("a", slow="block", queue_size=1) as messages:
            await channels.publish("a", 1)
            publishing = [asyncio.create_task(channels.publish("a", 2))]
            await asyncio.sleep(0.02)
            publishing.append(asyncio.create_task(channels.publish("a", 3)))
            await asyncio.wait(publishing)
            with pytest.raises(SlowConsumer):
                await anext(messages)
            return messages.missed

    assert use(steps, "memory:") == 2


def test_a_channel_that_nobody_listens_to_beside_a_great_many_that_are(monkeypatch):
    """It can be published to, and goes on counting."""
    monkeypatch.setattr("micropie.channels.memory.MAX_CHANNELS", 3)
    names = ["room 1", "room 2", "room 3"]

    async def steps(channels):
        async with channels.subscribe(*names):
            for name in names:
                await channels.publish(name, name)
            return [await channels.publish("quiet", number) for number in (1, 2)]

    first, second = use(steps, "memory:")
    assert (first.split("-")[0], first[-2:], second[-2:]) == (second.split("-")[0], "-1", "-2")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"queue_size": 0}, "queue_size=0"),
        ({"queue_size": -1}, "queue_size=-1"),
        ({"slow": "wait"}, "slow='wait'"),
        ({"slow": ""}, "slow=''"),
        ({"replay": -1}, "replay=-1"),
    ],
)
def test_a_setting_of_a_subscription_that_can_not_be_is_refused(options, wrong):
    """Before a publisher could meet it."""

    async def steps(channels):
        with pytest.raises(ValueError, match=wrong):
            channels.subscribe("a", **options)

    use(steps, "memory:")


def test_a_burst_between_a_joining_reader_s_look_and_its_beginning(url):
    """All of it is behind what the history had."""

    async def steps(channels):
        async with channels.subscribe("a") as witness:
            await channels.publish("a", 0)
            joining = channels.subscribe("a", replay=9)
            engine = joining._hub.engine
            earlier = engine.earlier

            async def publish_behind(channel):
                found = await earlier(channel)
                for number in (1, 2, 3):
                    await channels.publish("a", number)
                await take(witness, 4)
                return found

            engine.earlier = publish_behind
            async with joining as messages:
                return await take(messages, 4)

    assert use(steps, url, history=9) == [0, 1, 2, 3]


def test_what_is_dropped_while_a_reader_joins_moves_nothing(url):
    """All of the time before comes in front of all that was published meanwhile."""

    async def steps(channels):
        async with channels.subscribe("a", "b") as witness:
            for channel, number in (("a", 1), ("a", 2), ("b", 10)):
                await channels.publish(channel, number)
            joining = channels.subscribe("a", "b", replay=9, queue_size=1)
            engine = joining._hub.engine
            earlier = engine.earlier

            async def publish_meanwhile(channel):
                if channel == "b":
                    for number in (3, 4):
                        await channels.publish("a", number)
                    await take(witness, 5)
                return await earlier(channel)

            engine.earlier = publish_meanwhile
            async with joining as messages:
                return await messages.next(), await take(messages, 4)

    assert use(steps, url, history=9) == (Notice("gap", "a", 1), [2, 10, 3, 4])
