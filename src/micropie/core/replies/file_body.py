"""FileBody: a part of a file as the body of a reply, which some servers send by themselves.

It is opened when the first chunk is read: a reply that is never sent has nothing to close.
"""

import os
from typing import BinaryIO

from micropie.core.basics.errors import HTTPError
from micropie.core.basics.types import Message, Scope

CHUNK = 1 << 17  # bytes; as much as a slow client holds in memory
PATHSEND = "http.response.pathsend"  # https://asgi.readthedocs.io/en/latest/extensions.html#path-send
PATHSEND_RANGE = "micropie.pathsend_range"  # in a scope: its server sends parts of files, too


class FileBody:
    """`size` bytes of a file from `start` on, read in chunks: a stream like any other, so hooks may wrap it.

    `status` is that of the file when the reply was made. If it has been replaced since, reading raises `HTTPError` 503;
    if it has been cut, `OSError`.

        found = os.stat(path)
        return 200, FileBody(path, found), {"Content-Length": str(found.st_size)}
    """

    def __init__(self, path: str, status: os.stat_result, start: int = 0, size: int | None = None) -> None:
        self._path = os.path.abspath(path)  # noqa: PTH100 - as the text that servers want
        self._status = status
        self._start = start
        self.size: int
        self.size = self._left = status.st_size - start if size is None else size
        self._file: BinaryIO | None = None
        self._is_closed = False

    def __iter__(self) -> "FileBody":
        return self

    def __next__(self) -> bytes:
        if self._is_closed or not self._left:
            self.close()
            raise StopIteration
        if self._file is None:
            self._file = self._opened()
        chunk = self._file.read(min(CHUNK, self._left))
        if not chunk:
            self.close()
            raise OSError(f"{self._path} has become shorter while it was sent")
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file, if it is open; nothing more is read."""
        self._is_closed = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def as_message(self, scope: Scope) -> Message | None:
        """The ASGI message by which the server sends this by itself; None if it can't, or if reading has begun."""
        extensions = scope.get("extensions") or {}
        if PATHSEND not in extensions or self._file is not None or self._is_closed:
            return None
        message = {"type": PATHSEND, "path": self._path}
        if self.size == self._status.st_size:
            return message
        if PATHSEND_RANGE not in extensions:
            return None
        return {**message, "start": self._start, "end": self._start + self.size}

    def _opened(self) -> BinaryIO:
        file = open(self._path, "rb", buffering=0)  # noqa: SIM115, PTH123 - closed by `close`
        if not os.path.samestat(os.fstat(file.fileno()), self._status):
            file.close()
            raise HTTPError(503, "The file has just been replaced", {"Retry-After": "0"})
        file.seek(self._start)
        return file
