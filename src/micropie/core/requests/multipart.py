"""Multipart forms (RFC 7578), parsed while they arrive: fields, files, and who waits for them.

One task reads the body and feeds the parser; the handler runs beside it. How a file's bytes wait for their
reader depends on the handler: while it is not running, because a parameter is still to come, the parser
reads on, and what goes beyond `MEMORY` waits on disk; once it runs, the parser waits for it; when it is
done, what is left is read and thrown away. So memory stays flat, and nobody waits for somebody who waits.
"""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import Any, NamedTuple

from micropie.core.basics.errors import ClientGone, HTTPError
from micropie.core.basics.optional import require
from micropie.core.basics.types import Params
from micropie.core.requests.uploaded_file import BlockingUploadedFile, Spool, UploadedFile

DEFAULT_TYPE = "application/octet-stream"


class Pace(Enum):
    """What the parser does with a file's bytes that nobody has read yet."""

    READ_ON = "no handler runs yet: keep them"
    HOLD_BACK = "the handler runs: wait for it"
    DISCARD = "the handler is done: drop them"


class FormLimits(NamedTuple):
    """What a multipart form may contain: parts in number, one text field, all of them, all files in bytes."""

    parts: int
    field_size: int
    text_size: int
    upload_size: int | None


class MultipartForm:
    """The fields and files of a multipart form, filled while its body is read."""

    def __init__(self, limits: FormLimits, *, blocking: bool = False) -> None:
        self.fields: Params = {}
        self.files: dict[str, UploadedFile] = {}
        self.error: Exception | None = None
        self._limits = limits
        self._spool = Spool()
        self._file_class = BlockingUploadedFile if blocking else UploadedFile
        self._pace = Pace.READ_ON
        self._wanted: set[str] | None = None
        self._ready = asyncio.Event()
        self._text_size = self._upload_size = 0
        # The part that is being read: a file, or the text of the field `name`.
        self._name = ""
        self._text = bytearray()
        self._file: UploadedFile | None = None

    async def until(self, names: list[str]) -> None:
        """Wait until each name is a field or has begun as a file, or the form is complete; raise what broke it."""
        self._wanted = set(names)
        self._look()
        await self._ready.wait()
        if self.error is not None:
            raise self.error

    async def read(self, body: AsyncIterator[bytes], boundary: str) -> None:
        """Parse the body to its end. What goes wrong is kept as `error`, and raised to those who wait or read."""
        try:
            await self._parse(body, boundary)
        except Exception as error:  # it has a reader, who gets it
            self.error = error
        finally:
            self._finish()

    def discard(self) -> None:
        """The handler is done: read the rest for the sake of the connection, and keep nothing."""
        self._pace = Pace.DISCARD
        for file in self._all_files():
            file.queue.drop()
        self._spool.abandon()

    async def _parse(self, body: AsyncIterator[bytes], boundary: str) -> None:
        package = require("multipart", "File uploads")
        try:
            with package.PushMultipartParser(boundary, max_segment_count=self._limits.parts) as parser:
                async for chunk in body:
                    for event in parser.parse(chunk):
                        if self._file is not None and isinstance(event, bytes):  # PERF: most of them, 0.1 µs
                            await self._take_file(self._file, event)
                        else:
                            await self._take(event)
        except package.ParserLimitReached:
            raise HTTPError(413) from None
        except package.MultipartError:
            raise HTTPError(400, "Malformed multipart body") from None

    async def _take(self, event: Any) -> None:
        """One event of the parser: a part begins, bytes of a text, the end of the part."""
        if event is None:
            await self._end_part()
        elif isinstance(event, bytes):
            self._take_text(event)
        else:
            self._begin_part(event)

    def _begin_part(self, part: Any) -> None:
        self._name = part.name
        self._text.clear()
        if part.filename is None:
            return
        self._file = file = self._file_class(bare_name(part.filename), part.content_type or DEFAULT_TYPE, self._spool)
        if self._pace is Pace.DISCARD:
            file.queue.drop()
        first = self.files.setdefault(part.name, file)
        if first is not file:
            first.others.append(file)
        self._look()

    def _take_text(self, chunk: bytes) -> None:
        self._text_size += len(chunk)
        self._text += chunk
        if len(self._text) > self._limits.field_size or self._text_size > self._limits.text_size:
            raise HTTPError(413)

    async def _take_file(self, file: UploadedFile, chunk: bytes) -> None:
        self._upload_size += len(chunk)
        if self._limits.upload_size is not None and self._upload_size > self._limits.upload_size:
            raise HTTPError(413)
        if self._pace is Pace.READ_ON:
            await file.queue.keep(chunk)
        else:
            await file.queue.put(chunk)

    async def _end_part(self) -> None:
        if self._file is not None:
            await self._file.queue.flush()
            self._file.queue.finish()
            self._file = None
        else:
            self.fields.setdefault(self._name, []).append(self._text.decode("utf-8", "replace"))
            self._look()

    def _look(self) -> None:
        """Let the handler start if all that it wants is there; from then on the parser waits for it."""
        if self._wanted and self._wanted <= self.fields.keys() | self.files.keys():
            self._pace = Pace.HOLD_BACK
            self._ready.set()

    def _finish(self) -> None:
        if self._file is not None:  # broken off midway: never a truncated file that looks whole
            self._file.queue.finish(self.error or ClientGone())
        self._ready.set()

    def _all_files(self) -> list[UploadedFile]:
        return [file for first in self.files.values() for file in (first, *first.others)]


def bare_name(filename: str) -> str:
    """The last component of what the client calls the file: no directory of any system, no NUL, no `..`."""
    name = filename.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
    name = name[2:] if name[1:2] == ":" else name  # a drive
    return "" if name in (".", "..") else name
