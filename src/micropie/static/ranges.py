"""The parts of a file that a request asks for (RFC 9110 §14)."""

import re
from collections.abc import Iterator
from itertools import pairwise
from secrets import token_hex

from micropie import FileBody
from micropie.static.stored_file import StoredFile

MOST_RANGES = 16  # a reader of a PDF asks for some; a hundred tiny ones are an attack (§17.15)
_LONGEST = 1000  # characters of the field
_RANGE = re.compile(r"(\d*)[ \t]*-[ \t]*(\d*)", re.ASCII)
Range = tuple[int, int]  # start and size


def ranges_of(field: str, size: int) -> list[Range] | None:
    """The parts of `size` bytes that a Range field asks for; none if no part of it is there (416).

    None if the field is to be ignored: it is no range of bytes, or asks for too many parts, or for some bytes twice.
    """
    unit, found, wanted = field.partition("=")
    if not found or unit.strip().lower() != "bytes" or len(field) > _LONGEST:
        return None
    specs = [spec for part in wanted.split(",") if (spec := part.strip(" \t"))]
    if not 1 <= len(specs) <= MOST_RANGES:
        return None
    parts: list[Range] = []
    for spec in specs:
        matched = _RANGE.fullmatch(spec)
        if matched is None or (limits := _limits(matched[1], matched[2], size)) is None:
            return None
        if limits[1]:
            parts.append(limits)
    if _overlap(parts) or (size == 0 and any(spec.startswith("-") for spec in specs)):
        return None
    return parts


def _limits(first: str, last: str, size: int) -> Range | None:
    """A part, of no bytes if it is not there; None for what is no range (§14.1.1)."""
    if not first:
        if not last:
            return None
        suffix = min(int(last), size)
        return size - suffix, suffix
    if last and int(last) < int(first):
        return None
    end = min(int(last) + 1, size) if last else size
    return int(first), max(0, end - int(first))


def _overlap(parts: list[Range]) -> bool:
    return any(start + size > following for (start, size), (following, _) in pairwise(sorted(parts)))


def content_range(part: Range, size: int) -> str:
    """The value of Content-Range (§14.4)."""
    return f"bytes {part[0]}-{part[0] + part[1] - 1}/{size}"


class Parts:
    """Several parts of a file in one body, `multipart/byteranges` (§14.6)."""

    def __init__(self, file: StoredFile, parts: list[Range], content_type: str) -> None:
        self._file = file
        self._parts = parts
        boundary = token_hex(12)  # which the file can't contain but by chance
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        opening = f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: "
        self._heads = [f"\r\n{opening}{content_range(part, file.size)}\r\n\r\n".encode() for part in parts]
        self._end = f"\r\n--{boundary}--\r\n".encode()

    @property
    def size(self) -> int:
        """The size of the body in bytes."""
        return sum(map(len, self._heads)) + sum(size for _, size in self._parts) + len(self._end)

    def body(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        for head, part in zip(self._heads, self._parts, strict=True):
            yield head
            content = self._file.part(*part)
            if isinstance(content, bytes):
                yield content
            else:
                yield from _closing(content)
        yield self._end


def _closing(body: FileBody) -> Iterator[bytes]:
    try:
        yield from body
    finally:
        body.close()
