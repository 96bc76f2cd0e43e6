"""The client's end of a WebSocket."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from micropie import ConnectionClosed
from micropie.testing.call import Call
from micropie.testing.response import Headers
from micropie.testing.rules import WebSocketRules
from micropie.testing.types import ASGIApp, Message

_NORMAL, _ABNORMAL = 1000, 1006  # RFC 6455 §7.4.1


class WebSocketRefused(Exception):  # noqa: N818 - what happened, no error of the client's
    """The application refused the connection, with `code` and `reason`; a server makes a 403 of it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The application refused the WebSocket with {code} {reason!r}")
        self.code = code
        self.reason = reason


class Dialogue(Call):
    """One connection, from the handshake to the end of the application."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], *, timeout: float | None, raising: bool) -> None:
        self.rules = WebSocketRules(scope["subprotocols"])
        self.accept: Message = {}
        self.closed: tuple[int, str] | None = None  # by whom ever
        self.arrived: deque[str | bytes] = deque()
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        super().__init__(app, scope, self.rules, timeout=timeout, raising=raising)

    async def receive(self) -> Message:
        """The next event; the disconnect again and again, once the connection is closed."""
        event = await self._events.get()
        if event["type"] == "websocket.disconnect":
            self.gone = not self.rules.closed
            self._events.put_nowait(event)
        return event

    async def take(self, message: Message) -> None:
        """Keep what was sent."""
        if message["type"] == "websocket.accept":
            self.accept = dict(message)
        elif message["type"] == "websocket.send":
            text = message.get("text")
            self.arrived.append(message["bytes"] if text is None else text)
        else:
            self._end(message.get("code", _NORMAL), message.get("reason") or "")

    def deliver(self, event: Message) -> None:
        """Let the application have a message. ConnectionClosed if nobody is there to read it."""
        if self.closed is not None or self.done:
            raise ConnectionClosed(*(self.closed or (_ABNORMAL, "")))
        self._events.put_nowait(event)

    async def leave(self, code: int = _NORMAL, reason: str = "") -> None:
        """Close from this side, if that has not happened, and wait until the application is done."""
        self.left = self.left or self.closed is None
        self._end(code, reason)
        await self.until(lambda: self.done, f"{self} did not end after websocket.disconnect")

    def _end(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code, reason
            self._events.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def __str__(self) -> str:
        return f"The WebSocket at {self.scope['path']!r}"


class ClientWebSocket:
    """A WebSocket that the application has accepted.

    `subprotocol` and `headers` are what it accepted with. Receives raise `micropie.ConnectionClosed`, with `code` and
    `reason`, when the application has closed; or what its handler has raised.
    """

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self.subprotocol: str | None = dialogue.accept.get("subprotocol")
        self.headers = Headers(dialogue.accept.get("headers") or [])

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        self._dialogue.deliver({"type": "websocket.receive", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._dialogue.deliver({"type": "websocket.receive", "bytes": data})

    async def send_json(self, data: Any) -> None:
        """Send a value as JSON in a text message."""
        await self.send_text(json.dumps(data))

    async def receive(self) -> str | bytes:
        """The next message: `str` or `bytes`."""
        dialogue = self._dialogue
        await dialogue.until(
            lambda: bool(dialogue.arrived) or dialogue.closed is not None or dialogue.done, f"{dialogue} sent nothing"
        )
        if dialogue.arrived:
            return dialogue.arrived.popleft()
        dialogue.raise_failure()
        raise ConnectionClosed(*(dialogue.closed or (_ABNORMAL, "")))

    async def receive_text(self) -> str:
        """The next message. TypeError if it is binary."""
        message = await self.receive()
        if isinstance(message, str):
            return message
        raise TypeError(f"The application sent {message!r}, a binary message: receive_bytes() takes it")

    async def receive_bytes(self) -> bytes:
        """The next message. TypeError if it is text."""
        message = await self.receive()
        if isinstance(message, bytes):
            return message
        raise TypeError(f"The application sent {message!r}, a text message: receive_text() takes it")

    async def receive_json(self) -> Any:
        """The JSON value of the next message."""
        return json.loads(await self.receive())

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            while True:
                yield await self.receive()
        except ConnectionClosed:
            return

    async def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Close the connection, and wait until the application is done. A second close is silent."""
        await self._dialogue.leave(code, reason)


async def connected(dialogue: Dialogue) -> ClientWebSocket:
    """The connection, when it is accepted; else WebSocketRefused, or what went wrong."""
    rules = dialogue.rules
    await dialogue.until(lambda: rules.accepted or rules.closed or dialogue.done, f"{dialogue} was not answered")
    if rules.accepted:
        return ClientWebSocket(dialogue)
    await dialogue.until(lambda: dialogue.done, f"{dialogue} did not end after its refusal")
    dialogue.raise_failure()
    raise WebSocketRefused(*(dialogue.closed or (_ABNORMAL, "")))
