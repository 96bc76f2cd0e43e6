"""Bodies on their way through an encoder: whole ones, and the messages of streams and of mounted applications."""

import asyncio
from collections.abc import Callable

from micropie.middleware.encoders import Encoder
from micropie.middleware.reply_headers import HeaderPairs, Message, Send

IN_THREAD = 32 * 1024  # bytes, which take gzip nearly a millisecond; more of them would hold up others


async def whole(encoder: Encoder, data: bytes) -> bytes:
    """A whole body, a large one compressed in a thread."""
    return await asyncio.to_thread(encoder.last, data) if len(data) > IN_THREAD else encoder.last(data)


async def part(encoder: Encoder, data: bytes) -> bytes:
    """A part of a stream, a large one compressed in a thread; nothing for nothing."""
    if not data:
        return b""
    return await asyncio.to_thread(encoder.chunk, data) if len(data) > IN_THREAD else encoder.chunk(data)


class CodedSend:
    """The `send` for a stream or a mounted application, which compresses what passes through it.

    `prepare` makes of a start's status and headers those that go out, and the encoder for the body, None to leave it.
    A start that announces a length waits for the first message behind it: a body that is whole has a length then too,
    and one that the server is to read from a file stays as it is. Other starts go out at once.
    """

    def __init__(self, send: Send, prepare: Callable[[int, HeaderPairs], tuple[HeaderPairs, Encoder | None]]) -> None:
        self._send = send
        self._prepare = prepare
        self._encoder: Encoder | None = None
        self._held: tuple[Message, Message] | None = None  # as it came, and as it may go out

    async def __call__(self, message: Message) -> None:
        """Send the message, or what becomes of it."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._encoder is not None:
            await self._continue(self._encoder, message)
        else:
            await self._let_go(coded=False)
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        raw = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        headers, self._encoder = self._prepare(message["status"], pairs)
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._held = (message, {**message, "headers": encoded})
        if self._encoder is None or not any(name.lower() == "content-length" for name, _ in pairs):
            await self._let_go(coded=True)

    async def _continue(self, encoder: Encoder, message: Message) -> None:
        data, has_more = message.get("body", b""), message.get("more_body", False)
        coded = await part(encoder, data) if has_more else await whole(encoder, data)
        if self._held is not None and not has_more:
            self._held[1]["headers"].append((b"content-length", b"%d" % len(coded)))
        await self._let_go(coded=True)
        await self._send({**message, "body": coded})

    async def _let_go(self, *, coded: bool) -> None:
        """Send the start, if it waits still."""
        if self._held is not None:
            start, self._held = self._held[coded], None
            await self._send(start)
