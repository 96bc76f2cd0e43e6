"""How a WebSocket ends when the server stops: closed with 1001, and its handler told so."""

import asyncio

from micropie.core.engine import Engine
from micropie.core.requests.after_reply import AtStop
from micropie.core.requests.request import Request
from micropie.core.websockets.closing import GOING_AWAY
from micropie.core.websockets.lifecycle import Lifecycle

LEAVE = 1.0  # seconds for a close that is on its way
REASON = "The server stops"


class GoingAway(AtStop):
    """What parts one connection from a server that stops. A handler that waits for something else is interrupted."""

    __slots__ = ("_parting", "_ws")

    def __init__(self, engine: Engine, request: Request, ws: Lifecycle) -> None:
        self._ws = ws
        self._parting: asyncio.Task[None] | None = None
        super().__init__(engine.router.background, request)
        self.background.open_socket()

    def stop(self) -> None:
        """Begin to close the connection."""
        self._parting = asyncio.get_running_loop().create_task(self._part())

    async def end(self) -> None:
        """The handler has ended; a close that is on its way goes out."""
        self.forget()
        if self._parting is not None:
            if not self._ws.closed:
                self._parting.cancel()
            await asyncio.wait({self._parting}, timeout=LEAVE)
            self._parting.cancel()  # if the client does not take it

    def over(self) -> None:
        """The connection is over."""
        self.background.close_socket()

    async def _part(self) -> None:
        await self._ws.until_answered()
        await self._ws.end(GOING_AWAY, REASON)
