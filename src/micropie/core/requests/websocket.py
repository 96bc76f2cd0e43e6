"""WebSocket: one connection, from the handshake to the close (the ASGI specification, "WebSocket").

The order of calls is checked here, since servers differ in what they do with a wrong one.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from micropie.core.basics.errors import ConnectionClosed
from micropie.core.basics.headers import is_token, set_cookie
from micropie.core.basics.json_codec import dumps, loads
from micropie.core.basics.types import Receive, Send
from micropie.core.requests.session import creation_time

MAX_REASON = 123  # bytes; a control frame carries 125, two of them the code (RFC 6455 §5.5)
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))
NORMAL, NO_STATUS, ABNORMAL = 1000, 1005, 1006

WRONG_KIND: dict[type, str] = {
    str: "A text message was expected, a binary one came: receive_bytes() takes those",
    bytes: "A binary message was expected, a text one came: receive_text() takes those",
}

NOT_ACCEPTED = "The connection is not accepted: await ws.accept() comes first"


def checked_code(code: Any) -> int:
    """A close code that an endpoint may send (RFC 6455 §7.4), else ValueError."""
    if isinstance(code, int) and (code in _CODES or 3000 <= code <= 4999):  # noqa: PLR2004 - registered, and private
        return code
    raise ValueError(f"{code!r} is no close code that may be sent: 1000 to 1014 without 1004 to 1006, or 3000 to 4999")


def close_reason(reason: str | None) -> str:
    """A reason that fits into a close frame, cut at a character."""
    return (reason or "").encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


def secure_cookie(session_id: str) -> str:
    """The session cookie as it is set where nothing is known of the connection: for https only."""
    return set_cookie("session_id", session_id, secure=True)


class WebSocket:
    """A WebSocket connection; `accept` it, then send and receive.

    After the peer's close every receive raises `ConnectionClosed`; sending before `accept` or after a close is a
    RuntimeError. `async for message in ws` gives `str` and `bytes` until the close.

        async def ws_echo(self, ws):
            await ws.accept()
            async for message in ws:
                await ws.send_text(f"Echo: {message}")
    """

    def __init__(self, receive: Receive, send: Send, *, cookie: Callable[[str], str] = secure_cookie) -> None:
        self._receive = receive
        self._send = send
        self._cookie = cookie
        self.accepted = False
        self.session_id: str | None = None
        self.closed = False  # by either side, or refused
        self._ended: tuple[int, str] = (NO_STATUS, "")  # code and reason, once closed

    async def accept(self, subprotocol: str | None = None, session_id: str | None = None) -> None:
        """Complete the handshake. With `session_id` the client gets it as its session cookie."""
        if self.accepted:
            raise RuntimeError("accept() was called before: a connection is accepted once")
        if self.closed:
            raise RuntimeError("The connection is closed: nothing is left to accept")
        if subprotocol is not None and not is_token(subprotocol):
            raise ValueError(f"A subprotocol is a token (RFC 6455 §4.1), {subprotocol!r} is none")
        headers = []
        if session_id is not None:
            if creation_time(session_id) is None:
                raise ValueError(f"{session_id!r} can't be a session's id: up to 128 letters, digits and ._~+=:@- can")
            headers.append((b"set-cookie", self._cookie(session_id).encode("latin-1")))
            self.session_id = session_id
        self.accepted = True
        try:
            await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})
        except OSError as error:
            raise self._lost() from error

    # PERF: these two hand on a coroutine instead of being one, 0.1 µs a message.

    def receive_text(self) -> Coroutine[Any, Any, str]:
        """The next text message. ValueError if it is a binary one, `ConnectionClosed` after the close."""
        return self._next(str)

    def receive_bytes(self) -> Coroutine[Any, Any, bytes]:
        """The next binary message. ValueError if it is a text one, `ConnectionClosed` after the close."""
        return self._next(bytes)

    async def receive_json(self) -> Any:
        """The value of the next message, text or binary. ValueError if it is no JSON."""
        message = await self._next(object)
        return loads(message.encode() if isinstance(message, str) else message)

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        if self.closed or not self.accepted:  # PERF: a call less for each message, 0.04 µs
            raise self._not_open()
        if not isinstance(data, str):
            raise TypeError(f"send_text() takes a str, {data!r} is none: send_bytes() and send_json() take others")
        try:
            await self._send({"type": "websocket.send", "text": data})
        except OSError as error:
            raise self._lost() from error

    async def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send a binary message."""
        if self.closed or not self.accepted:
            raise self._not_open()
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"send_bytes() takes bytes, {data!r} are none: send_text() and send_json() take others")
        try:
            await self._send({"type": "websocket.send", "bytes": bytes(data)})
        except OSError as error:
            raise self._lost() from error

    async def send_json(self, data: Any) -> None:
        """Send a value as JSON in a text message."""
        await self.send_text(dumps(data).decode())

    async def close(self, code: int = NORMAL, reason: str | None = None) -> None:
        """Close the connection; before `accept`, refuse it. A second close is silent.

        `code` is one that may be sent, else ValueError; `reason` is cut to 123 bytes.
        """
        checked_code(code)
        if self.closed:
            return
        self._end(code, close_reason(reason))
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": close_reason(reason)})
        except OSError:
            pass  # the peer is gone: closed enough
        except Exception:  # a code that the server does not send, for one
            self.closed = False
            raise

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self._next(object)
            except ConnectionClosed:
                return
            yield message

    def _not_open(self) -> RuntimeError:
        return RuntimeError("The connection is closed: nothing can be sent" if self.accepted else NOT_ACCEPTED)

    async def _next(self, kind: type) -> Any:
        """The next message's content, if it is of that kind."""
        if self.closed:
            raise ConnectionClosed(*self._ended)
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        while True:
            event = await self._receive()
            if event["type"] == "websocket.receive":
                # Either key may be there with None: Hypercorn sends both.
                content = event.get("text")
                if content is None:
                    content = event.get("bytes") or b""
                if not isinstance(content, kind):
                    raise ValueError(WRONG_KIND[kind])
                return content
            if event["type"] == "websocket.disconnect":
                code = event.get("code")
                self._end(NO_STATUS if code is None else code, event.get("reason") or "")
                raise ConnectionClosed(*self._ended)
            # websocket.connect: the handshake that accept() has answered

    def _end(self, code: int, reason: str) -> None:
        self.closed = True
        self._ended = code, reason

    def _lost(self) -> ConnectionClosed:
        """The peer is gone: servers of ASGI 2.4 and later say so when something is sent."""
        self._end(ABNORMAL, "")
        return ConnectionClosed(*self._ended)
