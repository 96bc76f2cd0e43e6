"""A file as it was found: its status, its validators (RFC 9110 §8.8), and its content if it is small."""

import hashlib
import os
import stat
import time
from email.utils import formatdate

from micropie import FileBody, HTTPError

SMALL = 128 << 10  # bytes; these are read at once
HASHED = 1 << 20  # bytes; of larger files the version says when they were changed, not what is in them
SETTLED = 2.0  # seconds; file systems keep times as coarsely as this, so a younger file may change unnoticed
Identity = tuple[int, ...]


def identity_at(path: str) -> Identity | None:
    """What changes when a file does; None if there is nothing."""
    try:
        return identity_of(os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def identity_of(status: os.stat_result) -> Identity:
    """What changes when a file does."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class StoredFile:
    """A regular file. `is_settled` says that its next change will change its status, too."""

    __slots__ = ("_hash", "content", "etag", "is_settled", "last_modified", "modified", "path", "size", "status")

    def __init__(self, path: str) -> None:
        """Read the file. OSError if that can't be, `HTTPError` 404 if it is no regular file."""
        self.path = path
        with open(path, "rb", buffering=0, opener=_open_without_waiting) as file:
            self.status = status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise HTTPError(404)
            now = time.time()
            self.is_settled = now - max(status.st_mtime, status.st_ctime) > SETTLED
            self.modified = int(min(status.st_mtime, now))  # none in the future (§8.8.2.1)
            self.content = file.read(status.st_size) if status.st_size <= SMALL else None
            self.size = status.st_size if self.content is None else len(self.content)
        self._hash = None if self.content is None else _digest(self.content)
        self.last_modified = formatdate(self.modified, usegmt=True)
        # A hash of the content is the same on every server, for those who have several.
        self.etag = self._tag_of_status() if self._hash is None else f'"{self._hash}"'

    def part(self, start: int, size: int) -> "bytes | FileBody":
        """So many bytes of the content."""
        if self.content is not None:
            return self.content[start : start + size]
        return FileBody(self.path, self.status, start, size)

    @property
    def version(self) -> str:
        """What changes with the content: its hash, unless the file is so large that its date has to do.

        That of a file which is not in memory is made when somebody asks. OSError if it is gone.
        """
        if self.size > HASHED:
            return f"{self.status.st_mtime_ns:x}-{self.size:x}"
        if self._hash is None:
            with open(self.path, "rb") as file:  # noqa: PTH123
                self._hash = _digest(file.read(HASHED))
        return self._hash

    def _tag_of_status(self) -> str:
        weak = "" if self.is_settled else "W/"
        return f'{weak}"{self.status.st_mtime_ns:x}-{self.size:x}-{self.status.st_ino:x}"'


def stored_file(path: str) -> StoredFile:
    """The file at a path. `HTTPError` 404 if there is none, 403 if it must not be read."""
    try:
        return StoredFile(path)
    except PermissionError:
        raise HTTPError(403) from None
    except (OSError, ValueError):
        raise HTTPError(404) from None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe, too, without waiting for somebody at its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
