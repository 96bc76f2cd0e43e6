"""WebSockets: an echo, and a chat room with a small page."""

import contextlib
from pathlib import Path

from micropie import App, ConnectionClosed

PAGE = Path(__file__).with_name("chat.html")
LONGEST = 500


class Chat(App):
    """Answers WebSockets at ``/echo`` and ``/chat``; ``/`` is the page."""

    def __init__(self):
        super().__init__()
        self._room = set()

    def index(self):
        return PAGE.read_text(encoding="utf-8")

    async def ws_echo(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send_text(f"Echo: {message}")

    async def ws_chat(self, ws, name="Guest"):
        """Pass each message on to everybody in the room, this client included."""
        await ws.accept()
        self._room.add(ws)
        try:
            await self._say(f"{name} came in")
            async for message in ws:
                await self._say(f"{name}: {message[:LONGEST]}")
        finally:
            self._room.discard(ws)
            await self._say(f"{name} left")

    async def _say(self, text):
        for ws in list(self._room):
            # Somebody may have left a moment ago; their own handler takes them out of the room.
            with contextlib.suppress(ConnectionClosed, RuntimeError):
                await ws.send_text(text)


app = Chat()
