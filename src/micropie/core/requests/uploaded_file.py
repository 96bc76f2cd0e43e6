"""Uploaded files, and where their bytes wait for a reader: in memory, then on disk."""

import asyncio
import contextlib
import os
import stat
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from typing import IO, Any

from micropie.core.basics.optional import lazy_import

MEMORY = 1 << 20  # bytes of a file that wait in memory
OVERHEAD = 64  # bytes that even an empty chunk takes
PIECE = 1 << 16  # bytes read at once from disk


class Spool:
    """The bytes of one form's files that wait for readers: `MEMORY` of them in memory, more in an unnamed file."""

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
                self._disk = lazy_import("tempfile").TemporaryFile()
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
        """True if a reader would have to wait."""
        return not (self._chunks or self._over)

    def full(self) -> bool:
        """True if a writer has to wait: never for a reader who waits too."""
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

    def add(self, chunk: bytes) -> Awaitable[None] | None:
        """Add a chunk; what to await if that takes a wait for the reader."""
        if self.full():
            return self.put(chunk)
        self.put_nowait(chunk)
        return None

    def keep(self, chunk: bytes) -> Awaitable[None] | None:
        """Add a chunk without waiting for the reader: to memory, or if that is used up to disk; what to await."""
        self._tail += chunk
        return self.flush() if len(self._tail) >= PIECE else None

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


class Replacement:
    """The new content of a file, written beside it under another name, which becomes the file's when all is there.

    What is no regular file, such as a device or a pipe, is written to as it is.
    """

    _is_over = True  # until it is open

    def __init__(self, path: Any) -> None:
        self.size = 0
        self._path = path
        self._beside: str | None = None
        if not is_special(path):
            self._path = os.path.realpath(os.fsdecode(path))  # not a link: the file that it leads to
            self._beside = f"{os.path.dirname(self._path)}/.upload-{os.urandom(8).hex()}"  # noqa: PTH120
        self._file = open(self._beside or path, "xb" if self._beside else "wb")  # noqa: SIM115, PTH123
        self._is_over = False

    def write(self, chunk: bytes) -> None:
        """Add a chunk. OSError if the disk does not take it."""
        self._file.write(chunk)
        self.size += len(chunk)

    def keep(self) -> int:
        """Let the file be this from now on, with the permissions that it had; the number of bytes."""
        self._file.close()
        if self._beside:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(self._beside, stat.S_IMODE(os.stat(self._path).st_mode))  # noqa: PTH101, PTH116
            os.replace(self._beside, self._path)  # noqa: PTH105
        self._is_over = True
        return self.size

    def discard(self) -> None:
        """Leave the file as it was, unless this was kept."""
        if not self._is_over:
            self._is_over = True
            self._file.close()
            if self._beside:
                os.unlink(self._beside)  # noqa: PTH108

    __del__ = discard  # a thread may have opened it for a request that was cancelled meanwhile


def is_special(path: Any) -> bool:
    """True if there is something that is no regular file; or it is a folder's name, or the number of an open file."""
    if isinstance(path, int) or os.fsdecode(path).endswith("/"):
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except FileNotFoundError:
        return False


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

    async def _save(self, path: str | os.PathLike[str]) -> int:
        target = await asyncio.to_thread(Replacement, path)
        try:
            async for chunk in self:
                await asyncio.to_thread(target.write, chunk)
            return await asyncio.to_thread(target.keep)
        finally:
            await asyncio.to_thread(target.discard)

    def read(self) -> Any:
        """The whole rest of the file in memory: to be awaited, but in sync handlers."""
        return self._read()

    def save(self, path: str | os.PathLike[str]) -> Any:
        """Write the file to `path`, which is replaced once all is there; the number of bytes.

        To be awaited, but in sync handlers.
        """
        return self._save(path)


class BlockingUploadedFile(UploadedFile):
    """An uploaded file for a sync handler, which runs when the whole form is there."""

    def read(self) -> bytes:
        """The whole rest of the file in memory."""
        return b"".join(iter(self.queue.get_nowait, None))

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file to `path`, which is replaced once all is there; the number of bytes."""
        target = Replacement(path)
        try:
            for chunk in iter(self.queue.get_nowait, None):
                target.write(chunk)
            return target.keep()
        finally:
            target.discard()
