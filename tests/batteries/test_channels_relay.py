"""relay, on sockets whose sends are done at once, wait for the client, or always wait: everything arrives in order."""

import asyncio
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from functools import partial

import pytest

from micropie import App, WebSocket, current_request
from micropie.channels import Channels, relay
from micropie.channels.hub import PUMPS_IN_A_ROW
from micropie.channels.sender import TOGETHER
from micropie.testing import TestClient
from tests.client import run

whose = ContextVar("whose", default="nobody")


class Ends:
    """A server's ends of a connection, whose sends wait as `wait` says."""

    def __init__(self, wait=None):
        self.sent = []
        self.tasks = set()
        self.contexts = set()
        self.left = asyncio.Event()
        self._wait = wait
        self._is_new = True

    async def receive(self):
        """The handshake, then nothing until the client leaves."""
        if self._is_new:
            self._is_new = False
            return {"type": "websocket.connect"}
        await self.left.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(self, message):
        """Note the message, when the wait is over."""
        if self._wait is not None and message["type"] == "websocket.send":
            await self._wait(len(self.sent))
        self.tasks.add(asyncio.current_task())
        self.contexts.add(whose.get())
        self.sent.append(message.get("text", message.get("bytes")))

    @property
    def messages(self):
        """What was sent behind the handshake."""
        return self.sent[1:]

    async def until(self, count):
        """Wait for so many messages, or fail."""
        async with asyncio.timeout(5):
            while len(self.messages) < count:  # noqa: ASYNC110 - it is over in a moment
                await asyncio.sleep(0)


async def at_third(number):
    """A client that takes its time before the third message."""
    if number == 3:
        await asyncio.sleep(0.01)


WAITS = [None, at_third, lambda _number: asyncio.sleep(0), lambda _number: asyncio.sleep(0.001)]


def use(steps, ends, *, separator=None, encode=None, **options):
    """Run steps with channels and a relay between `a` and the ends, which leaves in the end; its task."""

    async def handle(channels, whose_context):
        whose.set(whose_context)
        ws = WebSocket(ends.receive, ends.send)
        await ws.accept()
        options_of_relay = {"separator": separator} | ({} if encode is None else {"encode": encode})
        async with channels.subscribe("a", **options) as messages:
            await relay(ws, messages, **options_of_relay)

    async def main():
        channels = Channels()
        handling = asyncio.create_task(handle(channels, "the handler's"))
        try:
            while not ends.sent:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            await steps(channels, handling)
            ends.left.set()
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(handling, 5)
        finally:
            await channels.stop()
        return handling

    return run(main())


@pytest.mark.parametrize("wait", WAITS)
def test_all_messages_arrive_in_order(wait):
    """In bursts and one by one, as text and as binary messages."""

    async def steps(channels, _handling):
        for number in range(10):
            await channels.publish("a", str(number))
        await ends.until(10)
        for number in range(10, 15):
            await channels.publish("a", str(number).encode())
            await ends.until(number + 1)

    ends = Ends(wait)
    use(steps, ends)
    assert ends.messages == [str(n) for n in range(10)] + [str(n).encode() for n in range(10, 15)]


@pytest.mark.parametrize("wait", WAITS)
def test_a_send_is_the_handler_s(wait):
    """Its task is the current one, and its context variables are seen, whoever publishes."""

    async def steps(channels, handling):
        whose.set("the publisher's")
        for number in range(3):
            await channels.publish("a", str(number))
            await ends.until(number + 1)
        assert ends.tasks == {handling}

    ends = Ends(wait)
    use(steps, ends, encode=lambda message: f"{whose.get()} {message.data}")
    assert ends.messages == [f"the handler's {n}" for n in range(3)]
    assert ends.contexts == {"the handler's"}


@pytest.mark.parametrize("wait", WAITS)
def test_a_time_out_around_a_send_holds(wait):
    """A middleware may have one: it ends the send that takes too long, which is the connection's end."""

    async def slow(number):
        await (wait(number) if wait is not None else asyncio.sleep(0))
        if number == 5:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()

    async def steps(channels, handling):
        for number in range(8):
            await channels.publish("a", str(number))
        await asyncio.wait({handling}, timeout=5)

    ends = Ends(slow)
    assert use(steps, ends).exception() is None
    assert ends.messages == ["0", "1", "2", "3"]


@pytest.mark.parametrize("wait", WAITS)
def test_texts_that_wait_go_together(wait):
    """With a separator between them; bytes go alone, and what is large enough goes first."""

    async def steps(channels, _handling):
        for value in ("0", "1", b"2", b"3", "4", "x" * TOGETHER, "5", {"n": 6}):
            await channels.publish("a", value)
        await ends.until(5)
        await channels.publish("a", "7")
        await ends.until(6)

    ends = Ends(wait)
    use(steps, ends, separator="\n")
    assert ends.messages == ["0\n1", b"2", b"3", "4\n" + "x" * TOGETHER, '5\n{"n":6}', "7"]


@pytest.mark.parametrize("wait", WAITS)
def test_what_comes_while_the_last_text_is_sent_follows(wait):
    """At once, not with the next message."""

    async def steps(channels, _handling):
        for number in range(20):
            await channels.publish("a", str(number))
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while "19" not in "\n".join(ends.messages):  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    ends = Ends(wait)
    use(steps, ends, separator="\n")
    assert "\n".join(ends.messages) == "\n".join(str(n) for n in range(20))


@pytest.mark.parametrize("wait", WAITS)
def test_what_waits_goes_out_before_the_end(wait):
    """When the server stops, and channels end all iterations."""

    async def steps(channels, handling):
        for number in range(5):
            await channels.publish("a", str(number))
        channels.begin_stop()
        await asyncio.wait_for(asyncio.shield(handling), 5)

    ends = Ends(wait)
    use(steps, ends)
    assert ends.messages == [str(n) for n in range(5)]


@pytest.mark.parametrize("wait", WAITS)
def test_what_encode_raises_ends_the_relay(wait):
    """As a failure of the handler, whose caller sees it."""

    async def steps(channels, handling):
        for value in (2, 1, 0, 4):
            await channels.publish("a", value)
        await asyncio.wait({handling}, timeout=5)

    ends = Ends(wait)
    with pytest.raises(ZeroDivisionError):
        use(steps, ends, encode=lambda message: str(2 // message.data))
    assert ends.messages == ["1", "2"]


@pytest.mark.parametrize("wait", WAITS)
def test_a_client_that_is_gone_ends_the_relay(wait):
    """Where sending tells it first; other messages are not lost by that to others."""

    async def gone(number):
        if wait is not None:
            await wait(number)
        if number == 3:
            raise OSError("the client has left")

    async def steps(channels, handling):
        for number in range(5):
            await channels.publish("a", str(number))
        await asyncio.wait({handling}, timeout=5)

    ends = Ends(gone)
    assert use(steps, ends).exception() is None
    assert ends.messages == ["0", "1"]


@pytest.mark.parametrize("wait", [at_third, partial(asyncio.Event.wait, asyncio.Event())])
def test_a_handler_may_be_cancelled_while_a_send_waits(wait):
    """Before its task has taken the send over, and behind that."""

    async def never(number):
        if number == 2:
            await asyncio.Event().wait()

    async def steps(channels, handling):
        await channels.publish("a", "0")
        await channels.publish("a", "1")
        await ends.until(1)
        if wait is not at_third:
            await asyncio.sleep(0.01)
        handling.cancel()
        await asyncio.wait({handling})

    ends = Ends(never)
    assert use(steps, ends).cancelled()
    assert ends.messages == ["0"]


def test_messages_that_come_for_who_has_just_left_are_nobody_s():
    """A handler that is cancelled between a message and its sending sends nothing."""

    async def steps(channels, handling):
        await channels.publish("a", "0")
        await ends.until(1)
        await channels.publish("a", "1")
        handling.cancel()
        await asyncio.wait({handling})
        await asyncio.sleep(0)

    ends = Ends()
    use(steps, ends)
    assert ends.messages == ["0"]


def test_who_becomes_too_slow_before_its_task_knows(monkeypatch):
    """A send waits, and the queue is full before the task has taken that over: it is given up in a while."""
    monkeypatch.setattr("micropie.channels.sender.GIVEN_UP", 0.05)

    async def never(number):
        if number == 2:
            await asyncio.Event().wait()

    async def steps(channels, handling):
        await channels.publish("a", "0")
        await ends.until(1)
        await channels.publish("a", "1")
        await asyncio.sleep(0)  # it is begun by now
        for number in range(2, 5):
            await channels.publish("a", str(number))
        await asyncio.wait({handling}, timeout=5)

    ends = Ends(never)
    use(steps, ends, queue_size=2, slow="disconnect")
    assert ends.messages == ["0", None]  # the close


def test_publishers_wait_for_a_socket_if_that_is_the_policy():
    """All of what they publish reaches it, in order."""

    async def steps(channels, _handling):
        for number in range(10):
            await channels.publish("a", str(number))
        await ends.until(10)

    ends = Ends(at_third)
    use(steps, ends, queue_size=1, slow="block")
    assert ends.messages == [str(n) for n in range(10)]


def test_notices_do_not_disturb():
    """Of what a reader has lost, say: sockets are not told, and get what comes then."""

    async def steps(channels, _handling):
        for number in range(10):
            await channels.publish("a", str(number))
        await ends.until(2)
        await channels.publish("a", "x")
        await ends.until(3)

    ends = Ends(at_third)
    use(steps, ends, queue_size=2)
    assert ends.messages == ["8", "9", "x"]


def test_a_great_many_sockets_hear_a_message():
    """More than are served in a row; each has its own request around its sends."""

    class Site(App):
        channels = Channels()

        async def ws_room(self, ws, name: str):
            await ws.accept()
            async with self.channels.subscribe("a") as messages:
                await relay(ws, messages, encode=lambda one: f"{current_request.get().query('name')} {one.data}")

    async def main():
        app = Site()
        async with TestClient(app) as client, AsyncExitStack() as stack:
            names = range(2 * PUMPS_IN_A_ROW + 5)
            sockets = [await stack.enter_async_context(client.websocket(f"/room?name={n}")) for n in names]
            await asyncio.sleep(0.1)
            await app.channels.publish("a", "hello")
            return [await socket.receive_text() for socket in sockets]

    assert run(main()) == [f"{n} hello" for n in range(2 * PUMPS_IN_A_ROW + 5)]


@pytest.mark.parametrize("waits_at", [2, 3])
def test_a_burst_behind_a_send_that_has_waited_is_no_error_of_its_publisher(waits_at):
    """Who is too slow then is closed, though its task has taken over a send before; the others hear everything."""

    async def once(number):
        if number == waits_at:
            await asyncio.sleep(0)

    async def steps(channels, handling):
        async with channels.subscribe("a") as others:
            for number in range(3):
                await channels.publish("a", str(number))
                await ends.until(number + 1)
            await asyncio.sleep(0.01)
            for number in range(3, 9):
                await channels.publish("a", str(number))
            assert [(await others.next()).data for _ in range(9)] == [str(number) for number in range(9)]
        await asyncio.wait({handling}, timeout=5)

    ends = Ends(once)
    assert use(steps, ends, queue_size=4, slow="disconnect").exception() is None
    assert ends.messages == ["0", "1", "2", None]
