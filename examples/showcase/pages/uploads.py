"""Uploads that are read while they arrive."""

import hashlib
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from micropie import UploadedFile, limits, methods
from pages.page import Page
from settings import channels

LARGEST = 256 * 1024 * 1024


@dataclass
class Receipt:
    """What is known of a file that nobody keeps."""

    filename: str
    content_type: str
    bytes: int
    sha256: str
    seconds: float


class Uploads(Page):
    """The handler begins with the first bytes; its pace is the sender's."""

    template = "uploads.html"
    title = "Uploads"
    lead = "The handler starts with the first bytes and reads at its own pace. A huge file takes little memory."

    async def index(self):
        return await self._page(ticket=uuid4(), largest=LARGEST)

    @methods("POST")
    @limits(max_upload_size=LARGEST)
    async def weigh(self, ticket: UUID, file: UploadedFile) -> Receipt:
        """Hash a file while it arrives; nothing of it is kept."""
        digest, size = hashlib.sha256(), 0
        began = told = time.perf_counter()
        async for chunk in file:
            digest.update(chunk)
            size += len(chunk)
            if time.perf_counter() - told > 0.05:
                told = time.perf_counter()
                await channels.publish(f"upload-{ticket}", {"bytes": size})
        return Receipt(
            filename=file["filename"],
            content_type=file["content_type"],
            bytes=size,
            sha256=digest.hexdigest(),
            seconds=round(time.perf_counter() - began, 3),
        )

    async def progress(self, ticket: UUID):
        """Stream how much of it the handler has read, on whichever worker."""
        return channels.stream(f"upload-{ticket}")
