"""The life of a WebSocket's connection: the stage it is in, and every way from one to the next.

    from                by                            to
    CONNECTING          `_answer`, for `accept`       OPEN
    CONNECTING, OPEN    `close`                       CLOSED, and back if the server refuses that close
    CONNECTING, OPEN    `note_closed`                 CLOSED
    CONNECTING, OPEN    `end`, or any sign that       LEFT
                        the peer is gone (`_leave`)

Who comes first says with which code and reason; nothing else leads out of CLOSED or LEFT. All that is to end with the
connection ends in `_finish`. It is over for its handler, too, once it is released, in whichever stage.
"""

import asyncio
import contextlib
from enum import Enum
from typing import NoReturn

from micropie.core.basics.errors import ConnectionClosed
from micropie.core.basics.types import Message, Receive, Send
from micropie.core.websockets.closing import (
    ABNORMAL,
    GOING_AWAY,
    NO_STATUS,
    NORMAL,
    checked_code,
    close_or_private,
    close_reason,
)
from micropie.core.websockets.idle_watch import IdleWatch
from micropie.core.websockets.inbox import DISCONNECT, NO_MORE, Inbox
from micropie.core.websockets.interruption import Interruption

SENDS_IN_A_ROW = 256  # some servers' `send` never waits: then others get their turn; 1 to 10 ms
NOT_ACCEPTED = "The connection is not accepted: await ws.accept() comes first"


class Stage(Enum):
    """How far a connection is."""

    CONNECTING = "the handshake is not answered"
    OPEN = "it is accepted"
    CLOSED = "it is closed, or refused, by us"
    LEFT = "it is closed by the peer, or for the handler as if by the peer"


class Lifecycle:
    """A connection from its handshake to its end, and what a handler may do when.

    `accepted` stays true when it is closed. What is not public here is for the socket that inherits from it.
    """

    __slots__ = (
        "_answered",
        "_closing",
        "_idle",
        "_inbox",
        "_send",
        "_sends",
        "_stage",
        "accepted",
        "close_code",
        "close_reason",
        "interruption",
    )

    def __init__(self, receive: Receive, send: Send) -> None:
        self._stage = Stage.CONNECTING
        self._inbox = Inbox(receive, self)
        self._send = send
        self._sends = 0  # that may follow before `_before_send` looks again; none while the connection is not open
        self._idle: IdleWatch | None = None
        self._closing: asyncio.Task[None] | None = None  # of a connection that is idle
        self._answered: asyncio.Future[None] | None = None  # where somebody waits until the handshake is
        self.interruption: Interruption = Interruption()  # of the handler
        self.accepted: bool = False
        self.close_code: int | None = None
        self.close_reason: str = ""

    # The stage.

    @property
    def closed(self) -> bool:
        """True once the connection is closed, by either side, or refused."""
        return self._stage is Stage.CLOSED or self._stage is Stage.LEFT

    @property
    def peer_left(self) -> bool:
        """True if it was the peer who closed it first, or vanished."""
        return self._stage is Stage.LEFT

    async def _answer(self, acceptance: Message) -> None:
        """Take the handshake, and accept it; `ConnectionClosed` if the client has left already."""
        event = await self._inbox.receive()
        if event["type"] == DISCONNECT:
            self.note_disconnect(event)
            raise self._closed_error()
        if event["type"] != "websocket.connect":
            raise ValueError(f"The server sent {event['type']!r}, where websocket.connect is expected")
        if self.closed or self._inbox.is_dropped:  # while that was waited for
            raise self._closed_error()
        self._stage, self.accepted = Stage.OPEN, True
        try:
            await self._send(acceptance)
        except Exception as error:
            await self._check_left(error)
            raise
        if self.closed:  # meanwhile: what is to be sent or received next tells
            return
        self._inbox.open()
        if self._idle is not None:
            self._idle.look()
        self._sends = SENDS_IN_A_ROW
        self._tell_answered()

    async def close(self, code: int = NORMAL, reason: str | None = None) -> None:
        """Close the connection; before `accept`, refuse it. A second close is silent.

        `code` is one that may be sent, else ValueError; `reason` is cut to 123 bytes.
        """
        checked_code(code)
        if self.closed:
            return
        before = self._stage
        self._become(Stage.CLOSED, code, close_reason(reason))
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": self.close_reason})
        except OSError:
            pass  # the peer is gone: closed enough
        except Exception:  # a code that the server does not send, for one
            self._become(before, None, "")
            raise
        self._finish()

    async def end(self, code: int, reason: str) -> None:
        """Close the connection from outside of its handler, for which it is as if the peer had left."""
        if self.closed:
            return
        self._leave(code, reason)

        async def send_close(code: int) -> None:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

        with contextlib.suppress(OSError):
            await close_or_private(send_close, code)

    def note_disconnect(self, event: Message) -> None:
        """The peer has left, as an event says."""
        if event is not NO_MORE:  # else a close may be still to be sent
            code = event.get("code")
            self._leave(NO_STATUS if code is None else code, event.get("reason") or "")

    def note_closed(self, code: int | None, reason: str = "") -> None:
        """Whoever made the socket closes the connection past it, or another application does."""
        if not self.closed:
            self._become(Stage.CLOSED, code, close_reason(reason))
        self._finish()

    def release(self) -> None:
        """Whoever made the socket is done with it: look for the peer's leaving no more, and keep no message."""
        self._finish()
        self._inbox.drop()

    def _leave(self, code: int, reason: str) -> None:
        if not self.closed:
            self._become(Stage.LEFT, code, reason)
            self.interruption.plan()
        self._finish()

    def _become(self, stage: Stage, code: int | None, reason: str) -> None:
        self._stage, self.close_code, self.close_reason = stage, code, reason
        self._sends = 0

    def _finish(self) -> None:
        """Nobody looks after the peer, or waits for the handshake, any more."""
        self._sends = 0
        if self._idle is not None:
            self._idle.stop()
        self._inbox.close()
        self._tell_answered()

    def _tell_answered(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    # An idle connection.

    def _watch_idle(self, seconds: float) -> None:
        """Close the connection after so many seconds without a message; before it is accepted."""
        self._idle = IdleWatch(seconds, self._inbox.receive, self._send, self._close_idle, self._check_interrupted)
        self._inbox.receive, self._send = self._idle.receive, self._idle.send

    def _close_idle(self) -> None:
        """Close the connection beside its handler, and end that."""
        loop = asyncio.get_running_loop()
        closing = close_or_private(lambda code: self.close(code, "Idle for too long"), GOING_AWAY)
        self._closing = loop.create_task(closing)
        loop.call_soon(self.interruption.make)  # when it is marked as closed

    # To be waited for.

    async def until_answered(self) -> None:
        """Wait until the handshake is accepted, or can't be any more; for one, who does not serve the connection."""
        if self._stage is Stage.CONNECTING:
            self._answered = asyncio.get_running_loop().create_future()
            await self._answered

    async def settle(self) -> None:
        """Wait until a close that the socket has begun by itself is sent, or has failed: then it is open still."""
        if self._closing is not None:
            await asyncio.gather(self._closing, return_exceptions=True)

    # What a handler may do.

    async def _check_acceptable(self) -> None:
        if self.accepted:
            raise RuntimeError("accept() was called before: a connection is accepted once")
        if self._inbox.is_dropped:  # the handler has ended, and a task of its goes on
            await self._raise_closed()
        if self.closed:
            raise RuntimeError("The connection is closed: nothing is left to accept")

    async def _before_send(self) -> None:
        """Let others run, after many messages in a row. Raise if nothing can be sent."""
        await asyncio.sleep(0)  # also before what is raised: somebody may catch it, and try again for ever
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        if self.peer_left:
            raise self._closed_error()
        if self.closed:
            raise RuntimeError("The connection is closed: nothing can be sent")
        self._sends = SENDS_IN_A_ROW

    async def _next_event(self) -> Message:
        """The next event, where the server can't be asked for it directly."""
        if self._stage is Stage.CLOSED:
            await self._raise_closed()
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        try:
            return await self._inbox.next()
        except asyncio.CancelledError:
            self._check_interrupted()
            raise

    # How a handler is told that the connection is over.

    async def _check_left(self, error: Exception) -> None:
        """`ConnectionClosed` if a send has failed since the connection is closed.

        Servers of ASGI 2.4 and later say so by an OSError; Daphne raises something else, and tells a moment later.
        """
        if isinstance(error, OSError):
            self._leave(ABNORMAL, "")
        else:
            await self._inbox.until_closed()
        if self.closed:
            raise self._closed_error() from error

    def _check_interrupted(self) -> None:
        """`ConnectionClosed` in place of the interruption, for a handler that receives."""
        if self.interruption.is_why():
            raise self._closed_error() from None

    async def _raise_closed(self) -> NoReturn:
        await asyncio.sleep(0)  # who catches it, and receives again and again, holds up nobody else
        raise self._closed_error()

    def _closed_error(self) -> ConnectionClosed:
        """What tells a handler that the connection is closed, which needs no other end then."""
        self.interruption.drop()
        return ConnectionClosed(NO_STATUS if self.close_code is None else self.close_code, self.close_reason)
