"""One HTTP request, in the event loop of the caller: its reply can be read while the application makes it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from micropie.testing.app_call import AppCall
from micropie.testing.asgi_rules import HttpRules
from micropie.testing.asgi_types import ASGIApp, Message

_UNREAD = 64 * 1024  # bytes that a streaming application may be ahead of its reader, as with a socket


class HttpCall(AppCall):
    """The application's side of a request: the body that it receives, the reply that it sends."""

    def __init__(
        self,
        app: ASGIApp,
        scope: dict[str, Any],
        body: bytes | AsyncIterator[bytes],
        *,
        is_read: bool,
        timeout: float | None,
        raising: bool,
    ) -> None:
        self.is_read = is_read  # chunk by chunk, while it comes: then the reader holds the application back
        self.start: Message | None = None
        self.chunks: deque[bytes] = deque()
        self.method: str = scope["method"]
        self._body: bytes | AsyncIterator[bytes] | None = body
        self._pulled: asyncio.Future[bytes | None] | None = None
        self._unread = 0
        self._answers_failure = False
        self._over, self._room = asyncio.Event(), asyncio.Event()
        super().__init__(app, scope, HttpRules(self.method), timeout=timeout, raising=raising)

    async def receive(self) -> Message:
        """The next part of the body; then, when the reply is complete or the client has left, the disconnect."""
        if self._body is not None and not self._over.is_set():
            return await self._part()
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _part(self) -> Message:
        if isinstance(self._body, bytes):
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._pulled is None:
            self._pulled = asyncio.ensure_future(self._pull(self._body))
        # Shielded, because an application that gives up one `receive` may call another.
        part = await asyncio.shield(self._pulled)
        self._pulled = None
        if part is None:
            self._body = None
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    @staticmethod
    async def _pull(parts: Any) -> bytes | None:
        return await anext(parts, None)

    async def take(self, message: Message) -> None:
        """Keep the start or a chunk of the reply; let the application wait if the reader is far behind."""
        if message["type"] == "http.response.start":
            self.start = dict(message)
            self._answers_failure = self.logged is not None
            return
        if chunk := message.get("body"):
            self.chunks.append(chunk)
            self._unread += len(chunk)
        if not message.get("more_body", False):
            self._over.set()
        while self.is_read and self._unread > _UNREAD and not self.gone:
            self._room.clear()
            self.notify()
            await self._room.wait()

    async def until_started(self) -> None:
        """Wait for the start of the reply; raise an exception that came before it. Later ones are for the reader."""
        await self.until(lambda: self.start is not None or self.done, f"{self} was not answered")
        if self.start is None or self._answers_failure:
            self.raise_failure()

    async def until_complete(self) -> None:
        """Wait until the application is done; raise its exception, if there is one."""
        self.is_read = False
        self._room.set()
        await self.until(lambda: self.done, f"{self} did not end (client.stream() reads an endless reply)")
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise a violation or exception. If exceptions are not to be raised, answer as servers do: 500 or cut off."""
        if self.error is not None and self.violation is None and not self.raising:
            error, self.error = self.error, None
            if self.start is not None:
                raise ConnectionResetError(f"The application broke off its reply to {self}") from error
            self.start = {"status": 500, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
            self.chunks.append(b"Internal Server Error")
        super().raise_failure()

    async def next_chunk(self) -> bytes | None:
        """The next chunk of the reply as soon as it is there; None behind the last."""
        await self.until(lambda: bool(self.chunks) or self.done, f"{self} sent nothing more")
        if not self.chunks:
            self.raise_failure()
            return None
        chunk = self.chunks.popleft()
        self._unread -= len(chunk)
        self._room.set()
        return chunk

    async def leave(self) -> None:
        """Tell the application that the client has left, if it still answers, and wait until it is done."""
        self.left = self.gone = not self._over.is_set()
        self._over.set()
        self._room.set()
        await self.until(lambda: self.done, f"{self} did not end after http.disconnect")

    async def cancel(self) -> None:
        """End the call, and close the body, a file perhaps, which need not be read to its end."""
        await super().cancel()
        if self._pulled is not None:
            self._pulled.cancel()
            await asyncio.wait({self._pulled})
        if isinstance(self._body, AsyncGenerator):
            await self._body.aclose()

    def __str__(self) -> str:
        return f"{self.method} {self.scope['path']!r}"
