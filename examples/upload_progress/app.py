"""An upload whose progress is seen live, in the page that sends it and in any other one: what the server has of it.

A browser knows what it has *sent*, which may wait in buffers and proxies on the way. Here the handler says what it has
*read*: in lines of its reply for curl, which shows them while it still sends, and on a channel for pages, since a
browser shows no reply before its request is over.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

from micropie import App, FromPath, UploadedFile, limits, methods
from micropie.channels import Channels

PAGE = Path(__file__).with_name("upload.html")
STEP = 256 * 1024  # bytes between two messages: more often than anybody can see would only cost


class Uploads(App):
    """POST to ``/upload/<uuid>`` sends a file; ``/progress/<uuid>`` tells how far it is. ``/`` is the page."""

    # With REDIS_URL the page may be on another worker than its upload. The history is for who asks a moment too late.
    channels = Channels(os.environ.get("REDIS_URL", "memory:"), history=1, history_ttl=60)

    def index(self):
        return PAGE.read_text(encoding="utf-8")

    @methods("POST")
    @limits(max_upload_size=2 << 30)
    async def upload(self, id: Annotated[UUID, FromPath()], file: UploadedFile):
        """Read the file at its own pace (a slow disk would hold the sender back), and tell of each step."""
        # The length of the whole form: a few hundred bytes more than the file's, which nobody announces.
        total = int(self.request.header("content-length", "0"))
        digest, size, told = hashlib.sha256(), 0, 0
        try:
            async for chunk in file:
                digest.update(chunk)  # or write it somewhere: the example on file uploads does
                size += len(chunk)
                if size - told >= STEP:
                    told = size
                    yield await self._tell(id, {"bytes": size, "total": total})
        except BaseException:  # the sender has left, which closes this generator, or it was too much
            await self._tell(id, {"bytes": size, "total": total, "broken": True})
            raise
        yield await self._tell(id, {"bytes": size, "total": total, "sha256": digest.hexdigest()})

    @methods("GET")
    async def progress(self, id: UUID):
        """Follow an upload from where it is, until it is done."""
        async with self.channels.subscribe(str(id), replay=1) as messages:
            async for message in messages:
                yield message.event
                if message.data.keys() & {"sha256", "broken"}:
                    return

    async def _tell(self, id, state):
        await self.channels.publish(str(id), state)
        return state


app = Uploads()
