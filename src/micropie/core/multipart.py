"""Multipart forms (RFC 7578), parsed while they arrive: fields, files, and who waits for them.

One task reads the body and feeds the parser; the handler runs beside it. How a file's bytes wait for their
reader depends on the handler: while it is not running, because a parameter is still to come, the parser
reads on, and what goes beyond `MEMORY` waits on disk; once it runs, the parser waits for it; when it is
done, what is left is read and thrown away. So memory stays flat, and nobody waits for somebody who waits.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from enum import Enum
from typing import IO, Any, NamedTuple

from micropie.core.errors import ClientGone, HTTPError
from micropie.core.optional import late, require
from micropie.core.types import Params

MEMORY = 1 << 20  # bytes of a file that wait in memory
OVERHEAD = 64  # bytes that even an empty chunk takes
PIECE = 1 << 16  # bytes read at once from disk
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


class Spool:
    """What the files of one form keep for readers to come: `MEMORY` bytes in memory, more in an unnamed file."""

    def __init__(self) -> None:
        self.in_memory = 0  # bytes, of all files together
        self._disk: IO[bytes] | None = None
        self._end = 0
        self._unread = 0  # bytes on disk
        self._abandoned = False
        self._lock = threading.Lock()  # a thread may still write for a request that is cancelled

    async def write(self, chunk: bytes) -> range:
        """Keep a chunk on disk; where it is."""
        return await asyncio.to_thread(self._write, chunk)  # the disk may be slow

    def read(self, place: range) -> bytes:
        """Take a chunk back. It was written a moment ago, so it comes from the system's cache."""
        assert self._disk is not None  # noqa: S101 - for the type checker: somebody has the place
        self._disk.seek(place.start)
        chunk = self._disk.read(len(place))
        self.forget(place)
        return chunk

    def forget(self, place: range) -> None:
        """Nobody will read it; with the last such chunk the file goes."""
        self._unread -= len(place)
        if self._unread == 0:
            self._close()

    def abandon(self) -> None:
        """Give the disk back for good: nobody will write or read any more."""
        with self._lock:
            self._abandoned = True
            self._close()

    __del__ = abandon  # `_parse_multipart` hands the files out, and can't know when they have been read

    def _close(self) -> None:
        if self._disk is not None:
            self._disk.close()
            self._disk = None
            self._end = self._unread = 0

    def _write(self, chunk: bytes) -> range:
        with self._lock:
            if self._abandoned:
                return range(0)
            if self._disk is None:
                self._disk = late("tempfile").TemporaryFile()
            self._disk.seek(self._end)
            self._disk.write(chunk)
            place = range(self._end, self._end + len(chunk))
            self._end += len(chunk)
            self._unread += len(chunk)
            return place


class FileQueue(asyncio.Queue[bytes | None]):
    """The chunks of one file, ended by None; bounded in bytes. `get` raises what broke the upload off.

    Some of the chunks may wait on disk. After the end every `get` gives None again, so no reader hangs.
    """

    _getters: "deque[asyncio.Future[None]]"
    _putters: "deque[asyncio.Future[None]]"

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._chunks: deque[bytes | range] = deque()  # ranges are places in the spool
        self._tail = bytearray()  # small chunks that nobody waits for, on their way to become one
        self._over = self._dropped = False
        self._error: Exception | None = None
        super().__init__()

    def qsize(self) -> int:
        """The number of items that can be read at once, None for the end included."""
        return len(self._chunks) + self._over

    def empty(self) -> bool:
        """Whether a reader would have to wait."""
        return not (self._chunks or self._over)

    def full(self) -> bool:
        """Whether a writer has to wait: never for a reader who waits too."""
        return bool(self._chunks) and self._spool.in_memory >= MEMORY

    def get_nowait(self) -> bytes | None:
        """The next chunk, or None at the end. QueueEmpty if it has not arrived."""
        if self._error is not None and not self._chunks:
            raise self._error
        return super().get_nowait()

    def _get(self) -> bytes | None:
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        if isinstance(chunk, range):
            if len(chunk) > PIECE:
                self._chunks.appendleft(chunk[PIECE:])
            return self._spool.read(chunk[:PIECE])
        self._spool.in_memory -= len(chunk) + OVERHEAD
        return chunk

    def _put(self, item: bytes | None) -> None:
        if item and not self._dropped:
            self._chunks.append(item)
            self._spool.in_memory += len(item) + OVERHEAD

    def _put_place(self, place: range) -> None:
        """Add what is on disk there, as one piece with what lies right before it: a billion bytes may come singly."""
        last = self._chunks[-1] if self._chunks else None
        if isinstance(last, range) and last.stop == place.start:
            self._chunks[-1] = range(last.start, place.stop)
        else:
            self._chunks.append(place)

    async def keep(self, chunk: bytes) -> None:
        """Add a chunk without waiting for the reader: to memory, or if that is used up to disk."""
        self._tail += chunk
        if len(self._tail) >= PIECE:
            await self.flush()

    async def flush(self) -> None:
        """Let readers see what `keep` has gathered."""
        chunk = bytes(self._tail)
        self._tail.clear()
        if not chunk or self._spool.in_memory < MEMORY:
            self._put(chunk)
        else:
            self._put_place(await self._spool.write(chunk))

    def finish(self, error: Exception | None = None) -> None:
        """Nothing more comes: the end of the file, or what broke it off."""
        self._error = self._error or error
        self._over = True
        self._wake(self._getters)

    def drop(self) -> None:
        """Forget what is there and what comes; who reads on nevertheless must not take it for the whole file."""
        if not self._over or self._chunks:
            self.finish(RuntimeError("The request is over, and what was left of its upload is gone"))
        self._dropped = True
        while self._chunks:  # a thread may still be reading for a request that was cancelled
            chunk = self._chunks.popleft()
            if isinstance(chunk, range):
                self._spool.forget(chunk)
            else:
                self._spool.in_memory -= len(chunk) + OVERHEAD
        self._wake(self._putters)

    @staticmethod
    def _wake(waiters: "deque[asyncio.Future[None]]") -> None:
        """Let everybody look again, not only the first as for a single item."""
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class UploadedFile(dict[str, Any]):
    """One uploaded file: `filename`, `content_type`, and `content`, a queue of bytes chunks ended by None.

    `async for chunk in file`, `await file.read()` and `await file.save(path)` read the queue too; each byte is
    read once. In a sync handler the methods are plain, blocking calls. `filename` is a bare name, but the client
    chose it: it may be empty, hidden or taken. `others` are further files of the same field.

        async def upload(self, file):
            await file.save(UPLOADS / secrets.token_hex())
    """

    def __init__(self, filename: str, content_type: str, spool: Spool) -> None:
        self.queue = FileQueue(spool)
        self.others: list[UploadedFile] = []
        super().__init__(filename=filename, content_type=content_type, content=self.queue)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self.queue.get()) is not None:
            yield chunk

    async def _read(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def _save(self, path: Any) -> int:
        size = 0
        with await asyncio.to_thread(open, path, "wb") as target:
            async for chunk in self:
                size += await asyncio.to_thread(target.write, chunk)
        return size

    def read(self) -> Any:
        """The whole rest of the file in memory: to be awaited, but in sync handlers."""
        return self._read()

    def save(self, path: Any) -> Any:
        """Write the file to `path`, which is overwritten; the number of bytes. To be awaited, but in sync handlers."""
        return self._save(path)


class BlockingUploadedFile(UploadedFile):
    """An uploaded file for a sync handler, which runs when the whole form is there."""

    def read(self) -> bytes:
        """The whole rest of the file in memory."""
        return b"".join(iter(self.queue.get_nowait, None))

    def save(self, path: Any) -> int:
        """Write the file to `path`, which is overwritten; the number of bytes."""
        with open(path, "wb") as target:  # noqa: PTH123 - pathlib is not imported for this
            return sum(map(target.write, iter(self.queue.get_nowait, None)))


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
