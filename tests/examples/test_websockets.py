"""examples/websockets."""

import asyncio
from typing import Any

from tests.client import http
from tests.wire import base_scope, websocket


class Visitor:
    """A client that stays connected: what it gets comes one by one."""

    def __init__(self, app: Any, name: str) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        scope = {**base_scope("websocket", "/chat", f"name={name}", [], None), "subprotocols": []}
        self.task = asyncio.create_task(app(scope, self.incoming.get, self.outgoing.put))

    async def says(self, text: str) -> None:
        await self.incoming.put({"type": "websocket.receive", "text": text})

    async def leaves(self) -> None:
        await self.incoming.put({"type": "websocket.disconnect", "code": 1001})
        await self.task

    async def gets(self) -> str:
        """The next text, whatever stands before it."""
        async with asyncio.timeout(10):
            while True:
                message = await self.outgoing.get()
                if message["type"] == "websocket.send":
                    return str(message["text"])


def test_echo(app):
    """Each message comes back."""
    assert websocket(app, "/echo", send=["one", "two"]).sent == ["Echo: one", "Echo: two"]


def test_everybody_in_the_room_hears_everybody(app):
    """Coming, talking and leaving is told to all who are there."""

    async def talk() -> list[str]:
        heard = []
        ann = Visitor(app, "Ann")
        heard.append(await ann.gets())
        bob = Visitor(app, "Bob")
        heard += [await ann.gets(), await bob.gets()]
        await bob.says("x" * 600)
        heard += [await ann.gets(), await bob.gets()]
        await bob.leaves()
        heard.append(await ann.gets())
        await ann.leaves()
        return heard

    said = "Bob: " + "x" * 500
    assert asyncio.run(talk()) == ["Ann came in", "Bob came in", "Bob came in", said, said, "Bob left"]
    assert app._room == set()


def test_a_guest_needs_no_name(app):
    """Without a name one is a guest."""
    assert websocket(app, "/chat", send=["hi"]).sent[:2] == ["Guest came in", "Guest: hi"]


def test_the_page_connects_to_the_chat(app):
    """The page is HTML, and shows messages as text."""
    page = http(app).text
    assert '"/chat?name="' in page
    assert "textContent = event.data" in page
