"""One WebSocket connection, from its handshake to the end of the application."""

import asyncio
from collections import deque
from typing import Any

from micropie import ConnectionClosed
from micropie.testing.app_call import AppCall
from micropie.testing.asgi_rules import WebSocketRules
from micropie.testing.asgi_types import ASGIApp, Message

NORMAL, ABNORMAL = 1000, 1006  # RFC 6455 §7.4.1


class WebSocketCall(AppCall):
    """The application's side of a WebSocket: the events that it receives, the messages that it sends."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], *, timeout: float | None, raising: bool) -> None:
        self.rules = WebSocketRules(scope["subprotocols"], may_deny=True)
        self.accept: Message = {}
        self.denial: Message | None = None  # the start of a reply that refuses the handshake
        self.denial_chunks: list[bytes] = []
        self.closed: tuple[int, str] | None = None  # by whom ever
        self.arrived: deque[str | bytes] = deque()
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        super().__init__(app, scope, self.rules, timeout=timeout, raising=raising)

    async def receive(self) -> Message:
        """The next event for the application; the disconnect again and again, once the connection is closed."""
        event = await self._events.get()
        if event["type"] == "websocket.disconnect":
            self.gone = not self.rules.closed
            self._events.put_nowait(event)
        return event

    async def take(self, message: Message) -> None:
        """Keep an accept, a message, a close or a part of a denial response that the application sent."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.accept = dict(message)
        elif kind == "websocket.send":
            text = message.get("text")
            self.arrived.append(message["bytes"] if text is None else text)
        elif kind == "websocket.http.response.start":
            self.denial = dict(message)
        elif kind == "websocket.http.response.body":
            self.denial_chunks.append(message.get("body", b""))
            if self.rules.closed:
                self._end(ABNORMAL, "")  # for want of a close frame (RFC 6455 §7.1.5)
        else:
            self._end(message.get("code", NORMAL), message.get("reason") or "")

    def deliver(self, event: Message) -> None:
        """Give the application a message of the client. ConnectionClosed if nobody is there to read it."""
        if self.closed is not None or self.done:
            raise ConnectionClosed(*(self.closed or (ABNORMAL, "")))
        self._events.put_nowait(event)

    async def leave(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the connection from the client's side, unless it is closed, and wait until the application is done."""
        self.left = self.left or self.closed is None
        self._end(code, reason)
        await self.until(lambda: self.done, f"{self} did not end after websocket.disconnect")

    def _end(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code, reason
            self._events.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def __str__(self) -> str:
        return f"The WebSocket at {self.scope['path']!r}"
