"""What a stream of events says while there is nothing to say."""

import asyncio

import pytest

from micropie.core.replies import events
from tests.client import run


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A moment in place of 15 seconds."""
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.05)


def test_a_comment_keeps_a_silent_stream_alive():
    """One in each turn without a message; none after the close."""
    sent = []

    async def send(message):
        sent.append(message.get("body"))

    async def main():
        kept = events.KeptAlive(send)
        await kept({"body": b"first"})
        await asyncio.sleep(0.13)
        await kept({"body": b"second"})
        kept.close()
        await asyncio.sleep(0.1)

    run(main())
    assert sent == [b"first", b":\n\n", b":\n\n", b"second"]


def test_a_message_waits_for_the_comment_before_it():
    """Servers take one message after the other; what a send raises when the client has left is nobody's error."""
    sent = []

    async def send(message):
        await asyncio.sleep(0.2 if message["body"] == b":\n\n" else 0)
        sent.append(message["body"])
        if message["body"] == b":\n\n":
            raise OSError("the client has left")

    async def main():
        kept = events.KeptAlive(send)
        await kept({"body": b"first"})
        await asyncio.sleep(0.07)
        await kept({"body": b"second"})
        kept.close()

    run(main())
    assert sent == [b"first", b":\n\n", b"second"]


def test_a_comment_on_its_way_ends_with_the_stream():
    """Nothing is left behind."""

    async def send(message):
        if message["body"] == b":\n\n":
            await asyncio.Event().wait()

    async def main():
        kept = events.KeptAlive(send)
        await kept({"body": b"first"})
        await asyncio.sleep(0.07)
        before = len(asyncio.all_tasks())
        kept.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return before - len(asyncio.all_tasks())

    assert run(main()) == 1


def test_no_comment_comes_between_a_message_and_its_end():
    """A send that takes its time, since the client reads slowly, is not overtaken; silence counts from its end."""
    sent = []

    async def send(message):
        sent.append(("begun", message["body"]))
        await asyncio.sleep(0.12 if message["body"] == b"slow" else 0)
        sent.append(("sent", message["body"]))

    async def main():
        kept = events.KeptAlive(send)
        await kept({"body": b"first"})
        await kept({"body": b"slow"})
        await asyncio.sleep(0.07)
        kept.close()

    run(main())
    assert [body for _, body in sent] == [b"first"] * 2 + [b"slow"] * 2 + [b":\n\n"] * 2


def test_what_is_sent_behind_the_close_is_followed_by_no_comment():
    """A stream that is cut short sends its end when it says nothing by itself any more."""
    sent = []

    async def send(message):
        sent.append(message["body"])

    async def main():
        kept = events.KeptAlive(send)
        kept.close()
        await kept({"body": b"the end"})
        await asyncio.sleep(0.12)

    run(main())
    assert sent == [b"the end"]


def test_a_comment_that_fails_is_not_the_last():
    """What a hook around `send` raises once, other than that the client has left, is told; the stream is kept alive."""
    sent, told = [], []

    async def send(message):
        sent.append(message["body"])
        if sent == [b"first", b":\n\n"]:
            raise ValueError("not this one")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        kept = events.KeptAlive(send)
        await kept({"body": b"first"})
        await asyncio.sleep(0.13)
        kept.close()

    run(main())
    assert sent == [b"first", b":\n\n", b":\n\n"]
    assert told == ["not this one"]
