"""How a WebSocket ends when the server stops: closed with 1001, and its handler told so."""

import asyncio

from micropie.core.pipeline.engine import Engine
from micropie.core.requests.after_reply import at_stop
from micropie.core.requests.request import Request
from micropie.core.requests.websocket import WebSocket

GOING_AWAY = 1001  # a close code (RFC 6455 §7.4.1)
LEAVE = 1.0  # seconds for the handler of a connection that was closed so
REASON = "The server stops"


class GoingAway:
    """What parts one connection, served by the current task, from a server that stops.

    A handler that has not ended a second after the close is cancelled: it waits for something else than its peer.
    """

    def __init__(self, engine: Engine, request: Request, ws: WebSocket) -> None:
        self._background = engine.router.background
        self._ws = ws
        self._handler = asyncio.current_task()
        self._parting: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._has_cancelled = False
        self._background.open_socket()
        self._forget = at_stop(self._background, request, self._begin)

    def cancelled_it(self) -> bool:
        """True if nobody but this has cancelled the handler; then it is so no more."""
        ours, self._has_cancelled = self._has_cancelled, False
        return ours and self._handler is not None and self._handler.uncancel() == 0

    async def end(self) -> None:
        """The handler has ended; a close that is on its way goes out."""
        self._forget()
        if self._parting is not None:
            if not self._ws.closed:
                self._parting.cancel()
            await asyncio.wait({self._parting}, timeout=LEAVE)
        if self._patience is not None:
            self._patience.cancel()

    def over(self) -> None:
        """The connection is over."""
        self._background.close_socket()

    def _begin(self) -> None:
        self._parting = asyncio.get_running_loop().create_task(self._part())

    async def _part(self) -> None:
        await self._ws.until_open()
        await self._ws.end(GOING_AWAY, REASON)
        self._patience = asyncio.get_running_loop().call_later(LEAVE, self._cancel)

    def _cancel(self) -> None:
        if self._handler is not None:
            self._has_cancelled = self._handler.cancel()
