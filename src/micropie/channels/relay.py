"""relay: the two directions of a chat's WebSocket, which end together."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any

from micropie import ConnectionClosed, WebSocket
from micropie.channels.message import Message
from micropie.channels.sender import GIVEN_UP, Sender
from micropie.channels.subscription import SlowConsumer, Subscription

TRY_AGAIN_LATER = 1013  # registered for close frames (RFC 6455 §11.7)


async def relay(
    ws: WebSocket,
    messages: Subscription,
    receive: Callable[[Any], Awaitable[Any]] | None = None,
    *,
    encode: Callable[[Message], str | bytes] = attrgetter("payload"),
    separator: str | None = None,
) -> None:
    """Send what is published to the socket, and give what the client says to `receive`, until either ends.

    What `receive` raises ends both. A client that is too slow is closed with 1013, if that is the policy. `encode`
    makes of a message what is sent: text is a text message, bytes a binary one; by default that is what was published.
    With a `separator`, texts that wait at the same time are sent as one, with that between them: a fifth of the cost.

        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages, receive=partial(self.channels.publish, "lobby"))
    """
    listening = asyncio.create_task(_receive_all(ws, messages, receive), name="relay's receiving")
    sender = Sender(ws, messages, encode, separator)
    try:
        while (step := sender.next_step()) is not None:
            await step
    except ConnectionClosed:
        pass
    except (SlowConsumer, TimeoutError):
        await _close(ws)
    finally:
        sender.close()
        listening.cancel()
        await asyncio.wait({listening})
    if not listening.cancelled():
        listening.result()


async def _close(ws: WebSocket) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GIVEN_UP):
            await ws.close(TRY_AGAIN_LATER, "Too slow")


async def _receive_all(ws: WebSocket, messages: Subscription, receive: Callable[[Any], Awaitable[Any]] | None) -> None:
    try:
        while True:
            try:
                message = await ws.receive()
            except ConnectionClosed:
                return
            if receive is not None:
                await receive(message)
    finally:
        messages.end()
