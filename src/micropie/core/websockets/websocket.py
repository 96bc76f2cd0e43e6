"""WebSocket: one connection, from the handshake to the close (the ASGI specification, "WebSocket").

The order of calls is checked here, since servers differ in what they do with a wrong one.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from micropie.core.basics.errors import INVALID_DATA, BadMessage, ConnectionClosed, Fault, InvalidMessage
from micropie.core.basics.headers import encoded_fields, is_token
from micropie.core.basics.json_codec import dumps, loads
from micropie.core.basics.large_json import JSON_PIECE
from micropie.core.basics.types import Message, RawHeaders, Receive, Send
from micropie.core.replies.reply import header_pairs
from micropie.core.requests.limits import Limits
from micropie.core.requests.session import creation_time
from micropie.core.requests.state import State
from micropie.core.websockets.handshake import Handshake
from micropie.core.websockets.inbox import DISCONNECT, NO_MORE, Inbox
from micropie.core.websockets.interruption import IdleWatch, Interruption
from micropie.core.websockets.messages import MessageReader, message_reader

if TYPE_CHECKING:
    from typing import Self

MAX_REASON = 123  # bytes; a control frame carries 125, two of them the code (RFC 6455 §5.5)
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))
NORMAL, GOING_AWAY, UNSUPPORTED, NO_STATUS, ABNORMAL, TOO_BIG = 1000, 1001, 1003, 1005, 1006, 1009
PRIVATE_CODES = 3000  # to be added: 4000 to 4999 are for private use (RFC 6455 §7.4.2)
SENDS_IN_A_ROW = 256  # some servers' `send` never waits: then others get their turn; 1 to 10 ms

WRONG_KIND: dict[type, tuple[str, str]] = {
    str: ("Text expected", "A text message was expected, a binary one came: receive_bytes() takes those"),
    bytes: ("Binary data expected", "A binary message was expected, a text one came: receive_text() takes those"),
}

NOT_ACCEPTED = "The connection is not accepted: await ws.accept() comes first"
_OF_HANDSHAKE = (b"connection", b"content-length", b"transfer-encoding", b"upgrade")  # and sec-websocket-*
BYTES_OF_CHARACTER = 4  # at most, in UTF-8

Kind = TypeVar("Kind")
OnInvalid = Callable[[Sequence[Fault]], Any]  # what it returns is awaited, if it can be


def checked_code(code: Any) -> int:
    """A close code that an endpoint may send (RFC 6455 §7.4), else ValueError."""
    if isinstance(code, int) and (code in _CODES or 3000 <= code <= 4999):  # noqa: PLR2004 - registered, and private
        return code
    raise ValueError(f"{code!r} is no close code that may be sent: 1000 to 1014 without 1004 to 1006, or 3000 to 4999")


def close_reason(reason: str | None) -> str:
    """A reason that fits into a close frame, cut at a character."""
    return (reason or "").encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


@cache
def fair_size(size: int) -> int:
    """So many characters have never more than `size` bytes; one number for all sockets that have this limit."""
    return size // BYTES_OF_CHARACTER


class WebSocket:
    """A WebSocket connection; `accept` it, then send and receive.

    When the peer has left, every receive and every send raises `ConnectionClosed`; sending before `accept` or after
    `close` is a RuntimeError. `async for message in ws` gives `str` and `bytes` until the end.

    `subprotocols` are those that the client offers; where they are not known, None is given, and `accept` takes any.
    `accepted` and `closed` tell how far the connection is. Once it is closed, `close_code` and `close_reason` are those
    of who closed it first, and `peer_left` tells whether that was the peer. `session_id` is the id of its session.

        async def ws_echo(self, ws):
            await ws.accept()
            async for message in ws:
                await ws.send_text(f"Echo: {message}")
    """

    # PERF: ten thousand of them wait for a message. Slots, 0.1 kB less of each; users may set other attributes, too.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_closing",
        "_fair_size",
        "_handshake",
        "_idle",
        "_inbox",
        "_max_size",
        "_opened",
        "_send",
        "_sends",
        "_session_id",
        "accepted",
        "close_code",
        "close_reason",
        "closed",
        "gave_cookie",
        "interruption",
        "peer_left",
        "subprotocols",
    )

    def __init__(self, receive: Receive, send: Send, *, handshake: Handshake | None = None) -> None:
        self._inbox = Inbox(receive, self)
        self._send = send
        self._handshake = handshake or Handshake()
        self.subprotocols: tuple[str, ...] = self._handshake.subprotocols or ()
        self.interruption: Interruption = Interruption()  # of the handler
        self._idle: IdleWatch | None = None
        self._closing: asyncio.Task[None] | None = None  # of a connection that is idle
        self._max_size: int | None = None  # of a message, in bytes
        self._fair_size = sys.maxsize  # in characters or bytes: not more than that, whatever they are
        self.accepted: bool = False
        self._session_id: str | None = None  # made when somebody asks for it
        self.gave_cookie = False
        self.closed: bool = False  # by either side, or refused
        self.close_code: int | None = None
        self.close_reason: str = ""
        self.peer_left: bool = False
        self._opened: asyncio.Future[None] | None = None  # where somebody waits for that
        self._sends = 0  # that may follow before `_before_send` looks again; none while the connection is not open

    @property
    def state(self) -> State:
        """Free attributes, those of the connection's request."""
        return self._handshake.state

    @property
    def session_id(self) -> str | None:
        """The id of the connection's session, a fresh one if the client has none."""
        if self._session_id is None:
            self._session_id = self._handshake.session_id()
        return self._session_id

    @session_id.setter
    def session_id(self, session_id: str | None) -> None:
        self._session_id = session_id

    def choose_subprotocol(self, *known: str) -> str | None:
        """The first of the `known` ones that the client offers too, to be given to `accept`; None if there is none.

        await ws.accept(ws.choose_subprotocol("chat.v2", "chat.v1"))
        """
        return next((name for name in known if name in self.subprotocols), None)

    def limit(self, limits: Limits) -> None:
        """Take messages of that size only, and close a connection without any for so long; before `accept`."""
        self._max_size = limits.max_message_size
        if self._max_size is not None:
            self._fair_size = fair_size(self._max_size)
        if limits.idle_timeout is not None:
            self._idle = IdleWatch(
                limits.idle_timeout, self._inbox.receive, self._send, self._close_idle, self._check_interrupted
            )
            self._inbox.receive, self._send = self._idle.receive, self._idle.send

    async def accept(
        self, subprotocol: str | None = None, session_id: str | None = None, *, headers: Any = None
    ) -> None:
        """Complete the handshake. With `session_id` the client gets it as its session cookie.

        Without one it gets `self.session_id`, if its session has values by now and no cookie that leads to them.
        `subprotocol` is one of those that the client offers. `headers` are added to the answer, in any shape that a
        handler may return.

        ValueError for a subprotocol that the client does not offer, and for a header of the handshake itself;
        RuntimeError the second time; `ConnectionClosed` if the client has left already, or the handler has ended.
        """
        if self.accepted:
            raise RuntimeError("accept() was called before: a connection is accepted once")
        if self.closed:
            raise RuntimeError("The connection is closed: nothing is left to accept")
        if self._inbox.is_dropped:
            await self._raise_closed()
        if subprotocol is not None:
            self._check_subprotocol(subprotocol)
        fields = [*_accept_fields(headers), *self._session_fields(session_id)]
        event = await self._inbox.receive()
        if event["type"] == DISCONNECT:
            self.note_disconnect(event)
            raise self._closed_error()
        if event["type"] != "websocket.connect":
            raise ValueError(f"The server sent {event['type']!r}, where websocket.connect is expected")
        self.accepted = True
        try:
            await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": fields})
        except Exception as error:
            await self._check_left(error)
            raise
        self._open()

    def _open(self) -> None:
        self._inbox.open()
        if self._idle is not None:
            self._idle.look()
        self._sends = SENDS_IN_A_ROW
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    async def until_open(self) -> None:
        """Wait until the handshake is done; for one, who does not serve the connection."""
        if not self.accepted:
            self._opened = asyncio.get_running_loop().create_future()
            await self._opened

    def _check_subprotocol(self, name: str) -> None:
        if not is_token(name):
            raise ValueError(f"A subprotocol is a token (RFC 6455 §4.1), {name!r} is none")
        if (
            name not in self.subprotocols and self._handshake.subprotocols is not None
        ):  # a client fails then (RFC 6455 §4.1)
            raise ValueError(f"The client does not offer the subprotocol {name!r}, but {list(self.subprotocols)!r}")

    def _session_fields(self, session_id: str | None) -> RawHeaders:
        """The header that gives the client its session's cookie, if it is to have one."""
        if session_id is None:
            session_id = self._handshake.id_to_give()
        if session_id is None:
            return []
        if creation_time(session_id) is None:
            raise ValueError(f"{session_id!r} can't be a session's id: up to 128 letters, digits and ._~+=:@- can")
        self.session_id, self.gave_cookie = session_id, True
        return [(b"set-cookie", self._handshake.cookie(session_id).encode("latin-1"))]

    # PERF: these hand on a coroutine instead of being one, 0.1 µs a message.

    def receive_text(self) -> Coroutine[Any, Any, str]:
        """The next text message. ValueError if it is a binary one, `ConnectionClosed` after the close."""
        return self._next(str)

    def receive_bytes(self) -> Coroutine[Any, Any, bytes]:
        """The next binary message. ValueError if it is a text one, `ConnectionClosed` after the close."""
        return self._next(bytes)

    async def receive_json(self) -> Any:
        """The value of the next message, text or binary. ValueError if it is no JSON."""
        message = await self._next(object)
        try:
            return await self._read(loads, message)
        except ValueError as error:
            raise BadMessage(INVALID_DATA, "Bad JSON", f"The message is no JSON: {error}") from error

    @overload
    def receive(self) -> Coroutine[Any, Any, str | bytes]: ...

    @overload
    def receive(self, kind: type[Kind]) -> Coroutine[Any, Any, Kind]: ...

    @overload
    def receive(self, kind: Any) -> Coroutine[Any, Any, Any]: ...

    def receive(self, kind: Any = None) -> Coroutine[Any, Any, Any]:
        """The next message, whatever it is; or the value of its JSON, converted to the type `kind` as parameters are.

        `InvalidMessage`, a ValueError, with all `faults` of one that does not fit.

            move = await ws.receive(Move)
        """
        return self._next(object) if kind is None else self._receive_value(kind)

    async def _receive_value(self, kind: Any) -> Any:
        reader = message_reader(kind)
        return await self._read(reader, await self._next(object))

    @overload
    def messages(self, kind: type[Kind], *, on_invalid: OnInvalid | None = None) -> AsyncIterator[Kind]: ...

    @overload
    def messages(self, kind: Any, *, on_invalid: OnInvalid | None = None) -> AsyncIterator[Any]: ...

    def messages(self, kind: Any, *, on_invalid: OnInvalid | None = None) -> AsyncIterator[Any]:
        """The messages until the end, converted to the type `kind`. TypeError for one that no message can become.

        One that does not fit raises `InvalidMessage`, which closes with 1007 unless it is caught; with `on_invalid`,
        `async def` or plain, that is called with the faults, and the next message follows.

            async for message in ws.messages(Chat | Typing):
                match message: ...
        """
        return self._messages(message_reader(kind), on_invalid)

    async def _messages(self, reader: MessageReader, on_invalid: OnInvalid | None) -> AsyncIterator[Any]:
        async for message in self:
            try:
                value = await self._read(reader, message)
            except InvalidMessage as error:
                if on_invalid is None:
                    raise
                answer = on_invalid(error.faults)
                if isinstance(answer, Awaitable):
                    await answer
            else:
                yield value

    async def _read(self, read: Callable[[bytes], Kind], message: str | bytes) -> Kind:
        """What the reader makes of a message, in a thread if that takes its time."""
        raw = message.encode() if isinstance(message, str) else message
        if len(raw) > JSON_PIECE and (threads := self._handshake.threads) is not None:
            value: Kind = await threads.run(read, (raw,), {})
            return value
        return read(raw)

    async def send_text(self, data: str) -> None:
        """Send `data` as a text message."""
        if not self._sends:  # PERF: one look for all that may be in the way, 0.04 µs
            await self._before_send()
        self._sends -= 1
        if not isinstance(data, str):
            raise TypeError(f"send_text() takes a str, {data!r} is none: send_bytes() and send_json() take others")
        send = self._send  # PERF: called at once, an attribute is looked up as if it were a method, 0.02 µs
        try:
            await send({"type": "websocket.send", "text": data})
        except Exception as error:
            await self._check_left(error)
            raise

    async def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` as a binary message."""
        if not self._sends:
            await self._before_send()
        self._sends -= 1
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"send_bytes() takes bytes, {data!r} are none: send_text() and send_json() take others")
        try:
            await self._send({"type": "websocket.send", "bytes": bytes(data)})
        except Exception as error:
            await self._check_left(error)
            raise

    async def send_json(self, data: Any) -> None:
        """Send the value `data` as JSON in a text message."""
        await self.send_text(dumps(data).decode())

    async def send(self, data: Any) -> None:
        """Send `data`: a `str` as text, bytes as binary, anything else as JSON."""
        if isinstance(data, str):
            await self.send_text(data)
        elif isinstance(data, bytes | bytearray | memoryview):
            await self.send_bytes(data)
        else:
            await self.send_json(data)

    async def close(self, code: int = NORMAL, reason: str | None = None) -> None:
        """Close the connection; before `accept`, refuse it. A second close is silent.

        `code` is one that may be sent, else ValueError; `reason` is cut to 123 bytes.
        """
        checked_code(code)
        if self.closed:
            return
        self.closed, self._sends, self.close_code, self.close_reason = True, 0, code, close_reason(reason)
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": self.close_reason})
        except OSError:
            pass  # the peer is gone: closed enough
        except Exception:  # a code that the server does not send, for one
            self.closed, self.close_code, self.close_reason = False, None, ""
            raise
        self._look_no_more()

    def _close_idle(self) -> None:
        """Close the connection, in which there was no message for too long, and end its handler."""
        loop = asyncio.get_running_loop()
        self._closing = loop.create_task(self._close_for(GOING_AWAY, "Idle for too long"))
        loop.call_soon(self.interruption.make)  # when it is marked as closed

    async def _close_for(self, code: int, reason: str) -> None:
        try:
            await self.close(code, reason)
        except Exception:  # Daphne sends 1000 and 3000 to 4999 only
            await self.close(code + PRIVATE_CODES, reason)

    async def end(self, code: int, reason: str) -> None:
        """Close the connection from outside of its handler, for which it is as if the peer had left."""
        if self.closed:
            return
        self._leave(code, reason)
        self.close_code = code
        with contextlib.suppress(OSError):
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def release(self) -> None:
        """Whoever made the socket is done with it: look for the peer's leaving no more, and keep no message."""
        self._look_no_more()
        self._inbox.drop()

    async def settle(self) -> None:
        """Wait until a close that the socket has begun by itself is sent, or has failed: then it is open still."""
        if self._closing is not None:
            await asyncio.gather(self._closing, return_exceptions=True)

    def _look_no_more(self) -> None:
        if self._idle is not None:
            self._idle.stop()
        self._sends = 0
        self._inbox.close()

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            message: str | bytes = await self._next(object)
        except ConnectionClosed:
            raise StopAsyncIteration from None
        return message

    async def _before_send(self) -> None:
        """Let others run, after many messages in a row. Raise if nothing can be sent."""
        await asyncio.sleep(0)  # also before what is raised: somebody may catch it, and try again for ever
        self._check_open()
        self._sends = SENDS_IN_A_ROW

    def _check_open(self) -> None:
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        if self.peer_left:
            raise self._closed_error()
        if self.closed:
            raise RuntimeError("The connection is closed: nothing can be sent")

    async def _next(self, kind: type) -> Any:
        """The next message's content, if it is of that kind."""
        inbox = self._inbox
        if inbox.is_direct:  # PERF: a coroutine less for each message, 0.1 µs
            receive, inbox.is_direct = inbox.receive, False
            try:
                event = await receive()
            finally:
                inbox.is_direct = True
                if inbox.timer is None:
                    inbox.watch()
        else:
            event = await self._next_event()
        if event["type"] == "websocket.receive":
            # Either key may be there with None: Hypercorn sends both.
            content = event.get("text")
            if content is None:
                content = event.get("bytes") or b""
            if len(content) > self._fair_size:
                self._check_size(content)
            if not isinstance(content, kind):
                raise BadMessage(UNSUPPORTED, *WRONG_KIND[kind])
            return content
        if event["type"] != DISCONNECT:
            raise ValueError(f"The server sent {event['type']!r}, where a message is expected")
        self.note_disconnect(event)
        raise self._closed_error()

    def _check_size(self, content: str | bytes) -> None:
        size = len(content.encode() if isinstance(content, str) else content)
        if self._max_size is not None and size > self._max_size:
            raise BadMessage(TOO_BIG, "Message too big", f"The message has more than {self._max_size} bytes")

    async def _next_event(self) -> Message:
        """The next event, where it can't be asked for directly."""
        if self.closed and not self.peer_left:
            await self._raise_closed()
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        try:
            return await self._inbox.next()
        except asyncio.CancelledError:
            self._check_interrupted()
            raise

    def note_disconnect(self, event: Message) -> None:
        """The peer has left, as an event says."""
        if event is not NO_MORE:  # else a close may be still to be sent
            code = event.get("code")
            self._leave(NO_STATUS if code is None else code, event.get("reason") or "")

    def _leave(self, code: int, reason: str) -> None:
        """The peer has left; the first who notices says how."""
        if not self.closed:
            self.closed, self.peer_left, self.close_code, self.close_reason = True, True, code, reason
            self.interruption.plan()
        self._look_no_more()

    async def _check_left(self, error: Exception) -> None:
        """`ConnectionClosed` if nothing can be sent since the connection is closed.

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


def _accept_fields(headers: Any) -> RawHeaders:
    """The headers of an accept, without what would split the answer. ValueError for those of the handshake itself."""
    fields = encoded_fields(header_pairs(headers))
    for name, _ in fields:
        if name in _OF_HANDSHAKE or name.startswith(b"sec-websocket-"):
            raise ValueError(
                f"The header {name.decode()!r} is the server's; a subprotocol is accept()'s first argument"
            )
    return fields
