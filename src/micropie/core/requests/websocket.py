"""WebSocket: one connection, from the handshake to the close (the ASGI specification, "WebSocket").

The order of calls is checked here, since servers differ in what they do with a wrong one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from functools import partial
from typing import Any, NoReturn

from micropie.core.basics.errors import BadMessage, ConnectionClosed
from micropie.core.basics.headers import is_token, set_cookie
from micropie.core.basics.json_codec import dumps, loads
from micropie.core.basics.large_json import JSON_PIECE
from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import Message, Receive, Send
from micropie.core.requests.inbox import DISCONNECT, Inbox
from micropie.core.requests.session import SESSION_COOKIE, creation_time

MAX_REASON = 123  # bytes; a control frame carries 125, two of them the code (RFC 6455 §5.5)
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))
NORMAL, UNSUPPORTED, NO_STATUS, ABNORMAL, INVALID = 1000, 1003, 1005, 1006, 1007
SENDS_IN_A_ROW = 256  # some servers' `send` never waits: then others get their turn; 1 to 10 ms

WRONG_KIND: dict[type, tuple[str, str]] = {
    str: ("Text expected", "A text message was expected, a binary one came: receive_bytes() takes those"),
    bytes: ("Binary data expected", "A binary message was expected, a text one came: receive_text() takes those"),
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


# The session cookie as it is set where nothing is known of the connection: for https only.
secure_cookie = partial(set_cookie, SESSION_COOKIE, secure=True)


class WebSocket:
    """A WebSocket connection; `accept` it, then send and receive.

    When the peer has left, every receive and every send raises `ConnectionClosed`; sending before `accept` or after
    `close` is a RuntimeError. `async for message in ws` gives `str` and `bytes` until the end.

    `subprotocols` are those that the client offers; None: they are not known, and `accept` takes any.

        async def ws_echo(self, ws):
            await ws.accept()
            async for message in ws:
                await ws.send_text(f"Echo: {message}")
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        cookie: Callable[[str], str] = secure_cookie,
        subprotocols: Collection[str] | None = None,
        id_to_give: Callable[[str | None], str | None] = lambda _session_id: None,
        threads: WorkerThreads | None = None,
    ) -> None:
        self._inbox = Inbox(receive, self._note_disconnect)
        self._send = send
        self._cookie = cookie
        self._subprotocols = subprotocols
        self._id_to_give = id_to_give  # to a client whose session has none that it knows
        self._threads = threads  # for large messages
        self.accepted = False
        self.session_id: str | None = None
        self.gave_cookie = False
        self.closed = False  # by either side, or refused
        self.close_code: int | None = None  # that we have closed with
        self._peer_left = False  # closed by the peer
        self._opened: asyncio.Future[None] | None = None  # where somebody waits for that
        self._ended: tuple[int, str] = (NO_STATUS, "")  # code and reason, once closed
        self._sends = 0  # that may follow before `_before_send` looks again; none while the connection is not open

    async def accept(self, subprotocol: str | None = None, session_id: str | None = None) -> None:
        """Complete the handshake. With `session_id` the client gets it as its session cookie.

        Without one it gets `self.session_id`, if its session has values by now and no cookie that leads to them.

        ValueError for a subprotocol that the client does not offer, `ConnectionClosed` if it has left already.
        """
        if self.accepted:
            raise RuntimeError("accept() was called before: a connection is accepted once")
        if self.closed:
            raise RuntimeError("The connection is closed: nothing is left to accept")
        if subprotocol is not None:
            self._check_subprotocol(subprotocol)
        headers = []
        if session_id is None:
            session_id = self._id_to_give(self.session_id)
        if session_id is not None:
            if creation_time(session_id) is None:
                raise ValueError(f"{session_id!r} can't be a session's id: up to 128 letters, digits and ._~+=:@- can")
            headers.append((b"set-cookie", self._cookie(session_id).encode("latin-1")))
            self.session_id, self.gave_cookie = session_id, True
        event = await self._inbox.receive()
        if event["type"] == DISCONNECT:
            self._note_disconnect(event)
            raise ConnectionClosed(*self._ended)
        if event["type"] != "websocket.connect":
            raise ValueError(f"The server sent {event['type']!r}, where websocket.connect is expected")
        self.accepted = True
        try:
            await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})
        except Exception as error:
            await self._check_left(error)
            raise
        self._open()

    def _open(self) -> None:
        self._inbox.open()
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
        if self._subprotocols is not None and name not in self._subprotocols:  # a client fails then (RFC 6455 §4.1)
            raise ValueError(f"The client does not offer the subprotocol {name!r}, but {list(self._subprotocols)!r}")

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
        try:
            raw = message.encode() if isinstance(message, str) else message
            if len(raw) > JSON_PIECE and self._threads is not None:
                return await self._threads.run(loads, (raw,), {})
            return loads(raw)
        except ValueError as error:
            raise BadMessage(INVALID, "Bad JSON", f"The message is no JSON: {error}") from error

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        if not self._sends:  # PERF: one look for all that may be in the way, 0.04 µs
            await self._before_send()
        self._sends -= 1
        if not isinstance(data, str):
            raise TypeError(f"send_text() takes a str, {data!r} is none: send_bytes() and send_json() take others")
        try:
            await self._send({"type": "websocket.send", "text": data})
        except Exception as error:
            await self._check_left(error)
            raise

    async def send_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Send a binary message."""
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
        """Send a value as JSON in a text message."""
        await self.send_text(dumps(data).decode())

    async def close(self, code: int = NORMAL, reason: str | None = None) -> None:
        """Close the connection; before `accept`, refuse it. A second close is silent.

        `code` is one that may be sent, else ValueError; `reason` is cut to 123 bytes.
        """
        checked_code(code)
        if self.closed:
            return
        self.closed, self._sends, self._ended = True, 0, (code, close_reason(reason))
        self.close_code = code
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": close_reason(reason)})
        except OSError:
            pass  # the peer is gone: closed enough
        except Exception:  # a code that the server does not send, for one
            self.closed, self.close_code = False, None
            raise
        self._inbox.close(self._raise_closed)

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

    def _look_no_more(self) -> None:
        self._sends = 0
        self._inbox.close(self._raise_closed)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self._next(object)
            except ConnectionClosed:
                return
            yield message

    async def _before_send(self) -> None:
        """Let others run, after many messages in a row. Raise if nothing can be sent."""
        await asyncio.sleep(0)  # also before what is raised: somebody may catch it, and try again for ever
        self._check_open()
        self._sends = SENDS_IN_A_ROW

    def _check_open(self) -> None:
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        if self._peer_left:
            raise ConnectionClosed(*self._ended)
        if self.closed:
            raise RuntimeError("The connection is closed: nothing can be sent")

    async def _next(self, kind: type) -> Any:
        """The next message's content, if it is of that kind."""
        inbox = self._inbox
        if inbox.is_direct:  # PERF: a coroutine less for each message, 0.1 µs
            inbox.is_direct = False
            try:
                event = await inbox.receive()
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
            if not isinstance(content, kind):
                raise BadMessage(UNSUPPORTED, *WRONG_KIND[kind])
            return content
        if event["type"] != DISCONNECT:
            raise ValueError(f"The server sent {event['type']!r}, where a message is expected")
        self._note_disconnect(event)
        raise ConnectionClosed(*self._ended)

    async def _next_event(self) -> Message:
        """The next event, where it can't be asked for directly."""
        if self.closed and not self._peer_left:
            await self._raise_closed()
        if not self.accepted:
            raise RuntimeError(NOT_ACCEPTED)
        return await self._inbox.next()

    def _note_disconnect(self, event: Message) -> None:
        code = event.get("code")
        self._leave(NO_STATUS if code is None else code, event.get("reason") or "")

    def _leave(self, code: int, reason: str) -> None:
        """The peer has left; the first who notices says how."""
        if not self.closed:
            self.closed, self._peer_left, self._ended = True, True, (code, reason)
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
            raise ConnectionClosed(*self._ended) from error

    async def _raise_closed(self) -> NoReturn:
        await asyncio.sleep(0)  # who catches it, and receives again and again, holds up nobody else
        raise ConnectionClosed(*self._ended)
