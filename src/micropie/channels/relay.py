"""relay: the two directions of a chat's WebSocket, which end together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from micropie import ConnectionClosed, WebSocket
from micropie.channels.message import Message
from micropie.channels.subscription import SlowConsumer, Subscription

TRY_AGAIN_LATER = 1013  # registered for close frames (RFC 6455 §11.7)


async def relay(ws: WebSocket, messages: Subscription, receive: Callable[[Any], Awaitable[Any]] | None = None) -> None:
    """Send what is published to the socket, and give what the client says to `receive`, until either ends.

    What `receive` raises ends both. A client that is too slow is closed with 1013, if that is the policy.

        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages, receive=partial(self.channels.publish, "lobby"))
    """
    listening = asyncio.create_task(_receive_all(ws, messages, receive))
    try:
        async for message in messages:
            await send(ws, message)
    except ConnectionClosed:
        pass
    except SlowConsumer:
        await ws.close(TRY_AGAIN_LATER, "Too slow")
    finally:
        listening.cancel()
        await asyncio.wait({listening})
    if not listening.cancelled():
        listening.result()


async def send(ws: WebSocket, message: Message) -> None:
    """Send a message: bytes as a binary one, all else as text."""
    payload = message.payload
    if isinstance(payload, str):
        await ws.send_text(payload)
    else:
        await ws.send_bytes(payload)


async def _receive_all(ws: WebSocket, messages: Subscription, receive: Callable[[Any], Awaitable[Any]] | None) -> None:
    try:
        async for message in ws:
            if receive is not None:
                await receive(message)
    finally:
        messages.end()
