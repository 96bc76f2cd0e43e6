"""Multipart forms (RFC 7578), parsed while they arrive: fields, files, and who waits for them.

One task reads the body and feeds the parser; the handler runs beside it. How a file's bytes wait for their
reader depends on the handler: while it is not running, because a parameter is still to come, the parser
reads on, and what goes beyond `MEMORY` waits on disk; once it runs, the parser waits for it; when it is
done, what is left is read and thrown away. So memory stays flat, and nobody waits for somebody who waits.
"""

import asyncio
import functools
import math
from collections.abc import AsyncIterator, Awaitable
from enum import Enum
from typing import Any, NamedTuple

from micropie.core.basics.charsets import TEXT_PIECE, codec_of, decoded
from micropie.core.basics.errors import ClientGone, HTTPError
from micropie.core.basics.headers import CHARSET_FIELD, parse_media_type
from micropie.core.basics.optional import MissingDependency, lazy_import, require
from micropie.core.basics.types import Params
from micropie.core.requests.limits import Limits, exceeds
from micropie.core.requests.uploaded_file import BlockingUploadedFile, Spool, UploadedFile

DEFAULT_TYPE = "application/octet-stream"
MALFORMED = "Malformed multipart body"
REMEDY = "pip install -U 'multipart>=2'"
_UNUSUAL = bytes.maketrans(b"!#$%&'*+.^`|~", b"_" * 13)  # of a token (RFC 9110 §5.6.2), and refused by the parser
PARTS_IN_A_ROW = 64  # parts; a thousand small ones, which come at once, take a tenth of a second
MAX_PREAMBLE = 1 << 16  # bytes before the first part; nobody sends any (RFC 2046 §5.1.1)


class Pace(Enum):
    """The parser's way with bytes of a file that nobody has read yet."""

    READ_ON = "no handler runs yet: keep them"
    HOLD_BACK = "the handler runs: wait for it"
    DISCARD = "the handler is done: drop them"


class MultipartForm:
    """The fields and files of a multipart form, filled while its body is read."""

    def __init__(self, limits: Limits, *, blocking: bool = False) -> None:
        self.fields: Params = {}
        self.files: dict[str, UploadedFile] = {}
        self.error: Exception | None = None
        self._limits = limits
        self._spool = Spool()
        self._file_class = BlockingUploadedFile if blocking else UploadedFile
        self._pace = Pace.READ_ON
        self._wanted: set[str] | None = None
        self._ready = asyncio.Event()
        self._text_size = self._upload_size = self._ended_parts = 0
        # The part that is being read: a file, or a text.
        self._part = Part("", None, DEFAULT_TYPE, None)
        self._text = bytearray()
        self._file: UploadedFile | None = None
        # The charset that the form names for its texts (RFC 7578 §4.6), and those that were decoded without it.
        self._charset: str | None = None
        self._undeclared: list[tuple[list[str], int, bytes]] = []

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
            if self._file is not None:  # broken off midway: never a truncated file that looks whole
                self._file.queue.finish(self.error or ClientGone())
            self._ready.set()

    def discard(self) -> None:
        """The handler is done: read the rest for the sake of the connection, and keep nothing."""
        self._pace = Pace.DISCARD
        for first in self.files.values():
            for file in (first, *first.others):
                file.queue.drop()
        self._spool.abandon()

    def let_go(self) -> None:
        """Keep nothing, since the request is over, and the traceback of an error may lead back to here."""
        if self.error is not None:
            self.error.__traceback__ = None
        self.fields, self.files, self._file, self._text, self._undeclared = {}, {}, None, bytearray(), []

    async def _parse(self, body: AsyncIterator[bytes], boundary: str) -> None:
        package, recut = require("multipart", "File uploads"), Recut(boundary)
        make = parser_class(package)
        try:
            with make(boundary, max_segment_count=self._limits.max_form_parts or math.inf) as parser:
                async for chunk in body:
                    if ready := recut.chunk(chunk):
                        for event in parser.parse(ready):
                            # PERF: no coroutine where there is nothing to wait for, 0.2 µs.
                            if (waiting := self._take(event)) is not None:
                                await waiting
        except package.ParserLimitReached:
            raise HTTPError(413) from None
        except package.MultipartError:
            raise HTTPError(400, MALFORMED) from None

    def _take(self, event: Any) -> Awaitable[None] | None:
        """One event of the parser: bytes of a part, its end, a part begins. What of that is to be waited for."""
        if isinstance(event, bytes):
            return self._take_bytes(event)
        if event is None:
            return self._end_part()
        self._begin_part(event)
        return None

    def _take_bytes(self, chunk: bytes) -> Awaitable[None] | None:
        if self._part.filename is None:
            self._take_text(chunk)
            return None
        if self._file is None:  # one without a name begins with its first byte
            self._file = self._begin_file()
        return self._take_file(self._file, chunk)

    def _begin_part(self, part: Any) -> None:
        self._part = Part.of(part)
        self._text.clear()
        if self._part.filename:
            self._file = self._begin_file()

    def _begin_file(self) -> UploadedFile:
        part = self._part
        file = self._file_class(bare_name(part.filename or ""), part.content_type, self._spool)
        if self._pace is Pace.DISCARD:
            file.queue.drop()
        first = self.files.setdefault(part.name, file)
        if first is not file:
            first.others.append(file)
        self._look()
        return file

    def _take_text(self, chunk: bytes) -> None:
        self._text_size += len(chunk)
        self._text += chunk
        limits = self._limits
        if exceeds(len(self._text), limits.max_form_field_size) or exceeds(self._text_size, limits.max_body_size):
            raise HTTPError(413)

    def _take_file(self, file: UploadedFile, chunk: bytes) -> Awaitable[None] | None:
        self._upload_size += len(chunk)
        if exceeds(self._upload_size, self._limits.max_upload_size):
            raise HTTPError(413)
        return file.queue.keep(chunk) if self._pace is Pace.READ_ON else file.queue.add(chunk)

    async def _end_part(self) -> None:
        if self._file is not None:
            await self._file.queue.flush()
            self._file.queue.finish()
            self._file = None
        elif self._part.filename is None:  # else a file input that was left empty: nothing is chosen
            await self._end_text()
            self._look()
        self._ended_parts += 1
        if self._ended_parts % PARTS_IN_A_ROW == 0:
            await asyncio.sleep(0)

    async def _end_text(self) -> None:
        raw, name, charset = bytes(self._text), self._part.name, self._part.charset
        text = await decoded_aside(raw, codec_of(charset or self._charset))
        values = self.fields.setdefault(name, [])
        values.append(text)
        if charset is None and not raw.isascii():
            self._undeclared.append((values, len(values) - 1, raw))
        if name == CHARSET_FIELD and raw and self._charset is None:
            self._charset = values[-1]
            for earlier, index, undeclared in self._undeclared:
                earlier[index] = await decoded_aside(undeclared, codec_of(self._charset))

    def _look(self) -> None:
        """Let the handler start if all that it wants is there; from then on the parser waits for it."""
        if self._wanted and self._wanted <= self.fields.keys() | self.files.keys():
            self._pace = Pace.HOLD_BACK
            self._ready.set()


async def decoded_aside(raw: bytes, codec: str) -> str:
    """The text in a codec; a long one is decoded in a thread, so that others are served meanwhile."""
    return decoded(raw, codec) if len(raw) <= TEXT_PIECE else await asyncio.to_thread(decoded, raw, codec)


class Part(NamedTuple):
    """The header of a part; without a file's name it is a text."""

    name: str
    filename: str | None
    content_type: str
    charset: str | None

    @classmethod
    def of(cls, segment: Any) -> "Part":
        """The part that the parser calls a segment."""
        header = dict(segment.headerlist)
        filename = segment.filename
        if filename is None:
            filename = extended_filename(header.get("Content-Disposition", ""))
        kind, semicolon, parameters = header.get("Content-Type", "").partition(";")
        content_type = f"{kind.strip().lower()}{semicolon}{parameters.rstrip()}" or DEFAULT_TYPE
        return cls(segment.name, filename, content_type, segment.charset)


def extended_filename(disposition: str) -> str | None:
    """The name that a part has only as `filename*` (RFC 8187 §3.2), which RFC 7578 §4.2 forbids and clients send."""
    if "filename*" not in disposition.lower():
        return None
    _, parameters = parse_media_type(disposition)
    if not any(name.startswith("filename*") for name in parameters):  # a name, or another value, that reads like it
        return None
    charset, _, tagged = parameters.get("filename*", "").partition("'")
    text = tagged.partition("'")[2]
    try:
        return decoded(lazy_import("urllib.parse").unquote_to_bytes(text), codec_of(charset))
    except HTTPError:
        return ""


class Recut:
    """The chunks of a body from its first boundary on, no line break cut in two: a parser's verdict depends on that.

    `HTTPError` 400 if the first boundary is not in the first `MAX_PREAMBLE` bytes, or not at the beginning of a line.
    """

    def __init__(self, boundary: str) -> None:
        self._delimiter = b"--" + boundary.encode()
        self._has_begun = False
        self._held = b""

    def chunk(self, chunk: bytes) -> bytes:
        """The bytes that can be parsed by now; there may be none."""
        looked_at = len(self._held) - len(self._delimiter)
        chunk = self._held + chunk if self._held else chunk
        if not self._has_begun and not (chunk := self._from_boundary(chunk, max(0, looked_at))):
            return b""
        self._held = chunk[-1:] if chunk.endswith(b"\r") else b""
        return chunk[:-1] if self._held else chunk

    def _from_boundary(self, chunk: bytes, looked_at: int) -> bytes:
        """All from the first boundary on; nothing if it is still to come, then all is held."""
        start = chunk.find(self._delimiter, looked_at, MAX_PREAMBLE)
        if (start > 0 and chunk[:start][-2:] != b"\r\n") or (start < 0 and len(chunk) >= MAX_PREAMBLE):
            raise HTTPError(400, MALFORMED)
        if start < 0:
            self._held = chunk
            return b""
        self._has_begun = True
        return chunk[start:]


@functools.cache
def parser_class(package: Any) -> Any:
    """The package's parser, which refuses some names of header fields, and some line breaks only where a chunk ends.

    `MissingDependency` if it is an older one, or that of python-multipart, which has the same name.
    """
    if not hasattr(getattr(package, "PushMultipartParser", None), "_on_segment_headerline"):
        raise MissingDependency("File uploads need the package 'multipart' 2 (not python-multipart): " + REMEDY)

    class Parser(package.PushMultipartParser):  # type: ignore[misc]
        def _on_segment_headerline(self, line: bytes) -> None:
            if b"\n" in line:
                raise package.ParserError("A line feed is no line break")
            name, colon, value = line.partition(b":")
            if not line.startswith((b" ", b"\t")):
                line = name.translate(_UNUSUAL) + colon + value
            super()._on_segment_headerline(line)

    return Parser


def bare_name(filename: str) -> str:
    """The last component of what the client calls the file: no directory of any system, no NUL, no `..`."""
    name = filename.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
    name = name[2:] if name[1:2] == ":" else name  # a drive
    return "" if name in (".", "..") else name
