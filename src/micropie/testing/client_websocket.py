"""The client's end of a WebSocket: what a test sends and receives."""

import json
from collections.abc import AsyncIterator
from typing import Any

from micropie import ConnectionClosed
from micropie.testing.response import URL, Headers, Response
from micropie.testing.websocket_call import ABNORMAL, NORMAL, WebSocketCall


class WebSocketRefused(Exception):  # noqa: N818 - what happened, no error of the client's
    """The application refused the connection: with `code` and `reason`, of which a server makes a 403.

    If it refused with an HTTP reply of its own (the ASGI extension "WebSocket Denial Response"), that is `response`.

        with pytest.raises(WebSocketRefused) as refused, client.websocket("/members"):
            pass
        assert refused.value.response.status_code == 401
    """

    def __init__(self, code: int, reason: str, response: Response | None = None) -> None:
        how = f"{code} {reason!r}" if response is None else response.status_line
        super().__init__(f"The application refused the WebSocket with {how}")
        self.code = code
        self.reason = reason
        self.response = response


class ClientWebSocket:
    """A WebSocket that the application has accepted.

    `subprotocol` and `headers` are those of its accept. Receives raise `micropie.ConnectionClosed`, with `code` and
    `reason`, when the application has closed; or the exception that its handler has raised.

        async with client.websocket("/echo") as ws:
            await ws.send_text("Hi")
            assert await ws.receive_text() == "Echo: Hi"
    """

    def __init__(self, call: WebSocketCall) -> None:
        self._call = call
        self.subprotocol: str | None = call.accept.get("subprotocol")
        self.headers: Headers = Headers(call.accept.get("headers") or [])

    async def send_text(self, data: str) -> None:
        """Send `data` as a text message."""
        self._call.deliver({"type": "websocket.receive", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send `data` as a binary message."""
        self._call.deliver({"type": "websocket.receive", "bytes": data})

    async def send_json(self, data: Any) -> None:
        """Send the value `data` as JSON in a text message."""
        await self.send_text(json.dumps(data))

    async def receive(self) -> str | bytes:
        """The next message: `str` or `bytes`."""
        call = self._call
        await call.until(lambda: bool(call.arrived) or call.closed is not None or call.done, f"{call} sent nothing")
        if call.arrived:
            return call.arrived.popleft()
        call.raise_failure()
        raise ConnectionClosed(*(call.closed or (ABNORMAL, "")))

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

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close with `code` and `reason`, and wait until the application is done. A second close is silent."""
        await self._call.leave(code, reason)


async def connected(call: WebSocketCall, url: URL) -> ClientWebSocket:
    """The connection, when it is accepted; else WebSocketRefused, or the exception that the application raised."""
    rules = call.rules
    await call.until(lambda: rules.accepted or rules.closed or call.done, f"{call} was not answered")
    if rules.accepted:
        return ClientWebSocket(call)
    await call.until(lambda: call.done, f"{call} did not end after its refusal")
    call.raise_failure()
    denial = None if call.denial is None else Response(call.denial, "GET", url, chunks=call.denial_chunks)
    raise WebSocketRefused(*(call.closed or (ABNORMAL, "")), denial)
