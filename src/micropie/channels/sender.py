"""Sender: what goes to one WebSocket, which costs little as long as its server takes it at once.

To wake the task of each handler for each message costs 4 µs, most of them for the way down through all that has called
the handler. So the event loop begins the sends of all sockets itself, in one go; each in its handler's context, and in
the name of its task, as asyncio's documentation has it for who runs coroutines ("Extending", "Task lifetime support").
A send that has to wait for the client is left to the task, and so are all others where the server lets each one wait.
"""

import asyncio
import contextlib
import contextvars
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from functools import partial
from typing import Any, NamedTuple

from micropie import WebSocket
from micropie.channels.message import Message
from micropie.channels.subscription import Subscription

TOGETHER = 64 * 1024  # characters from which on no more texts or events are joined
GIVEN_UP = 1.0  # seconds that a client that was too slow has, to take what is on its way; and as many for the close


class Begun(NamedTuple):
    """A coroutine that has begun, and waits for a future."""

    coroutine: Coroutine[Any, Any, None]
    future: Any


class Sender:
    """The messages of a subscription on their way to a socket; `close` it in the end.

        while (step := sender.next_step()) is not None:
            await step

    PERF: that loop is the caller's, in the handler's task: a coroutine of its own is 0.2 kB of each socket.
    """

    __slots__ = (
        "_begun",
        "_context",
        "_encode",
        "_error",
        "_has_sent",
        "_is_over",
        "_loop",
        "_messages",
        "_separator",
        "_task",
        "_waits_always",
        "_woken",
        "_ws",
    )

    def __init__(
        self,
        ws: WebSocket,
        messages: Subscription,
        encode: Callable[[Message], str | bytes],
        separator: str | None,
    ) -> None:
        self._ws = ws
        self._messages = messages
        self._encode = encode
        self._separator = separator
        self._loop = asyncio.get_running_loop()
        self._task: Any = asyncio.current_task()
        self._context = contextvars.copy_context()
        self._woken: asyncio.Future[None]  # by who has noticed that there is something for the task to do
        self._begun: Begun | None = None
        self._error: BaseException | None = None
        self._is_over = False  # nothing more comes, and all is sent
        self._has_sent = False
        self._waits_always = False  # each send, since the first one does, whatever the client may do

    def next_step(self) -> Awaitable[None] | None:
        """What the task is to await: something to do for it, or the end of a send; None if nothing more comes.

        `SlowConsumer` of who is too slow; TimeoutError of a step, if the client does not take the last send.
        """
        if self._error is not None:
            raise self._error
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return self._send_in_task(begun)
        if self._is_over:
            self._messages.check()
            return None
        self._woken = self._loop.create_future()
        self._begin()
        return self._woken

    def close(self) -> None:
        """Send nothing any more."""
        self._messages.pump_by(None)
        if self._begun is not None:
            self._begun.coroutine.close()

    def _pump(self) -> None:
        """What the event loop calls when there is something."""
        if not self._woken.done():  # else the handler has ended meanwhile
            self._context.run(self._begin_for_task)

    def _begin_for_task(self) -> None:
        asyncio._enter_task(self._loop, self._task)  # noqa: SLF001 - documented so
        try:
            self._begin()
        finally:
            asyncio._leave_task(self._loop, self._task)  # noqa: SLF001

    def _begin(self) -> None:
        """Send what is there, as far as that need not wait; the event loop goes on so, and all else is the task's."""
        sending = self._send_all()
        try:
            future = sending.send(None)
        except StopIteration:
            if self._messages.has_ended:
                self._is_over = True
                self._woken.set_result(None)
            else:
                self._messages.pump_by(self._pump)
        except (Exception, asyncio.CancelledError) as error:
            self._error = error
            self._woken.set_result(None)
        else:
            self._begun = Begun(sending, future)
            self._waits_always = not self._has_sent
            self._woken.set_result(None)

    async def _send_in_task(self, begun: Begun) -> None:
        """Complete what has begun, and go on if each send waits, up to the end."""
        self._messages.pump_by(None)
        async with asyncio.timeout(None) as limit:
            self._messages.on_give_up = partial(_end_soon, limit)
            try:
                if self._messages.is_given_up:
                    _end_soon(limit)
                await _rest_of(begun)
                with contextlib.suppress(StopAsyncIteration):
                    while self._waits_always:
                        await self._messages.until_there()
                        await self._send_all()
            finally:
                self._messages.on_give_up = None  # the limit can't be set behind its end

    async def _send_all(self) -> None:
        """Send what is there."""
        payloads = map(self._encode, self._messages.waiting())
        for payload in payloads if self._separator is None else joined(payloads, self._separator):
            await (self._ws.send_text(payload) if isinstance(payload, str) else self._ws.send_bytes(payload))
            self._has_sent = True


def joined(payloads: Iterator[str | bytes], separator: str) -> Iterator[str | bytes]:
    """Texts that follow each other as one, up to a size, and bytes as they are."""
    texts: list[str] = []
    size = 0
    for payload in payloads:
        if isinstance(payload, str):
            texts.append(payload)
            size += len(payload)
            if size < TOGETHER:
                continue
        if texts:
            yield separator.join(texts)
            texts, size = [], 0
        if not isinstance(payload, str):
            yield payload
    if texts:
        yield separator.join(texts)


@types.coroutine
def _rest_of(begun: Begun) -> Generator[Any, Any, None]:
    """What is left of a coroutine."""
    sending, future = begun
    try:
        while True:
            try:
                yield future
            except BaseException as error:  # whatever it is, it is the coroutine's
                future = sending.throw(error)
            else:
                future = sending.send(None)
    except StopIteration:
        return


def _end_soon(limit: asyncio.Timeout) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + GIVEN_UP)
