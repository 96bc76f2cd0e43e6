"""Streaming replies: an async generator, a sync one, and server-sent events with a page that shows them."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from micropie import App, HTTPError

PAGE = Path(__file__).with_name("clock.html")
MOST = 1000


class Streams(App):
    """Streams at ``/count``, ``/slow`` and ``/clock``; ``/`` is the page."""

    def index(self):
        return PAGE.read_text(encoding="utf-8")

    async def count(self, to="5"):
        """Send the numbers up to ``to``, one chunk each."""
        if not to.isdecimal() or int(to) > MOST:
            raise HTTPError(400, f"to must be a number up to {MOST}")

        async def numbers():
            for number in range(1, int(to) + 1):
                yield f"{number}\n"
                await asyncio.sleep(0.1)

        return 200, numbers(), [("Content-Type", "text/plain; charset=utf-8")]

    def slow(self):
        """Block between the chunks, which a sync generator may: it runs in a worker thread."""
        for word in ("Pastry ", "filling ", "lid\n"):
            yield word
            time.sleep(0.05)

    async def clock(self):
        """Send the time every second until the browser leaves."""
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]
        return 200, self._ticks(), headers

    async def _ticks(self):
        try:
            while True:
                yield f"event: tick\ndata: {datetime.now(UTC):%H:%M:%S}\n\n"
                await asyncio.sleep(1)
        finally:
            print("The client left, the clock stops.")


app = Streams()
