"""A chat over any number of workers: history, presence, typing notices, and clients that come back and miss nothing."""

import os
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from micropie import App, HTTPError, dumps
from micropie.channels import Channels, relay

PAGE = Path(__file__).with_name("chat.html")
LONGEST_NAME, LONGEST_TEXT = 30, 500
SHOWN = 50  # messages, to who comes for the first time


class Chat(App):
    """Answers WebSockets at ``/room`` and event streams at ``/events``; ``/`` is the page."""

    channels = Channels(os.environ.get("REDIS_URL", "memory:"), history=200)
    # What is true for a moment only: who types, and that somebody has come or left. Nobody wants to hear of it later.
    moments = Channels(os.environ.get("REDIS_URL", "memory:"), prefix="micropie:moments:")

    def index(self):
        return PAGE.read_text(encoding="utf-8")

    async def ws_room(self, ws, name: str, since: str | None = None):
        """Send what is said, with its place, which a page that comes back names as ``since``; take what is typed."""
        name = checked(name, LONGEST_NAME)
        await ws.accept()
        async with self._present(name, since) as messages:
            await relay(
                ws,
                messages,
                receive=partial(self._hear, name),
                encode=lambda message: dumps({**message.data, "position": messages.position}).decode(),
            )

    async def events(self, name: str, since: str | None = None):
        """Stream what is said to pages that get no WebSocket through; they write by ``/say``."""
        since = self.request.headers.get("last-event-id") or since
        async with self._present(checked(name, LONGEST_NAME), since) as messages:
            async for message in messages:
                yield message.event

    async def now(self):
        """Stream what is true for a moment."""
        return self.moments.stream("room")

    async def say(self, name: str, text: str = ""):
        """Take what a page without a WebSocket has to say; nothing, where somebody types."""
        await self._hear(checked(name, LONGEST_NAME), text)
        return 204, ""

    async def people(self):
        """Who is here, on all workers."""
        return await self.channels.members("room")

    @asynccontextmanager
    async def _present(self, name, since):
        replay = 0 if since else SHOWN
        try:
            async with self.channels.subscribe("room", since=since, replay=replay, member=name) as messages:
                await self.moments.publish("room", {"kind": "people"})
                yield messages
        finally:
            await self.moments.publish("room", {"kind": "people"})

    async def _hear(self, name, text):
        """Say a text; an empty one says that somebody types."""
        if text == "":
            await self.moments.publish("room", {"kind": "typing", "name": name})
        else:
            await self.channels.publish("room", {"name": name, "text": checked(text, LONGEST_TEXT)})


def checked(text, longest):
    """A name, or a text, without what surrounds it."""
    if isinstance(text, str) and 1 <= len(text.strip()) <= longest:
        return text.strip()
    raise HTTPError(400, f"1 to {longest} characters are wanted")


app = Chat()
