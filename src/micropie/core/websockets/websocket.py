"""WebSocket: one connection as its handler sees it (the ASGI specification, "WebSocket").

The order of calls is checked, since servers differ in what they do with a wrong one: lifecycle.py.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

from micropie.core.basics.errors import INVALID_DATA, BadMessage, ConnectionClosed, Fault, InvalidMessage
from micropie.core.basics.headers import encoded_fields, is_token
from micropie.core.basics.json_codec import dumps, loads
from micropie.core.basics.large_json import JSON_PIECE
from micropie.core.basics.types import RawHeaders, Receive, Send
from micropie.core.replies.reply import header_pairs
from micropie.core.requests.limits import Limits
from micropie.core.requests.session import creation_time
from micropie.core.requests.state import State
from micropie.core.websockets.closing import TOO_BIG, UNSUPPORTED
from micropie.core.websockets.handshake import Handshake
from micropie.core.websockets.inbox import DISCONNECT
from micropie.core.websockets.lifecycle import Lifecycle
from micropie.core.websockets.messages import MessageReader, message_reader

if TYPE_CHECKING:
    from typing import Self

WRONG_KIND: dict[type, tuple[str, str]] = {
    str: ("Text expected", "A text message was expected, a binary one came: receive_bytes() takes those"),
    bytes: ("Binary data expected", "A binary message was expected, a text one came: receive_text() takes those"),
}

_OF_HANDSHAKE = (b"connection", b"content-length", b"transfer-encoding", b"upgrade")  # and sec-websocket-*
BYTES_OF_CHARACTER = 4  # at most, in UTF-8

Kind = TypeVar("Kind")
OnInvalid = Callable[[Sequence[Fault]], Any]  # what it returns is awaited, if it can be


@cache
def fair_size(size: int) -> int:
    """So many characters have never more than `size` bytes; one number for all sockets that have this limit."""
    return size // BYTES_OF_CHARACTER


class WebSocket(Lifecycle):
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
        "_fair_size",
        "_handshake",
        "_max_size",
        "_session_id",
        "gave_cookie",
        "subprotocols",
    )

    def __init__(self, receive: Receive, send: Send, *, handshake: Handshake | None = None) -> None:
        super().__init__(receive, send)
        self._handshake = handshake or Handshake()
        self.subprotocols: tuple[str, ...] = self._handshake.subprotocols or ()
        self._max_size: int | None = None  # of a message, in bytes
        self._fair_size = sys.maxsize  # in characters or bytes: not more than that, whatever they are
        self._session_id: str | None = None  # made when somebody asks for it
        self.gave_cookie = False

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
            self._watch_idle(limits.idle_timeout)

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
        await self._check_acceptable()
        if subprotocol is not None:
            self._check_subprotocol(subprotocol)
        fields = [*_accept_fields(headers), *self._session_fields(session_id)]
        await self._answer({"type": "websocket.accept", "subprotocol": subprotocol, "headers": fields})

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

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            message: str | bytes = await self._next(object)
        except ConnectionClosed:
            raise StopAsyncIteration from None
        return message

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


def _accept_fields(headers: Any) -> RawHeaders:
    """The headers of an accept, without what would split the answer. ValueError for those of the handshake itself."""
    fields = encoded_fields(header_pairs(headers))
    for name, _ in fields:
        if name in _OF_HANDSHAKE or name.startswith(b"sec-websocket-"):
            raise ValueError(
                f"The header {name.decode()!r} is the server's; a subprotocol is accept()'s first argument"
            )
    return fields
