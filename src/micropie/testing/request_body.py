"""The body of a request: JSON, a form, a multipart form with files, or content as it is."""

import json
import mimetypes
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from micropie.testing.request_options import Content, Fields, File, FileContent, Files, Options

_MAX_DIGITS = 100  # of a number that handlers read in plain notation
_PIECE = 64 * 1024  # bytes of a message, as servers read them from a socket


class RequestBody(NamedTuple):
    """The type and length of a body, and a function that gives its bytes; each redirect that keeps it asks again."""

    content_type: str | None
    length: int | None  # bytes; None: it comes in chunks
    open: Callable[[], bytes | AsyncIterator[bytes]]


def _whole(content_type: str | None, content: bytes) -> RequestBody:
    if len(content) > _PIECE:
        return _in_parts(content_type, [content])
    return RequestBody(content_type, len(content), lambda: content)


NOTHING = _whole(None, b"")


def body_of(options: Options) -> RequestBody:
    """The body that the options of a request describe. TypeError if they describe several."""
    said: list[str] = [name for name in ("content", "json") if name in options]
    if "data" in options or "files" in options:
        said.append("data/files")
    if len(said) > 1:
        raise TypeError(f"A request has one body, this one says {' and '.join(said)}: choose one")
    if "json" in options:
        return _whole("application/json", json.dumps(options["json"], separators=(",", ":")).encode())
    if "files" in options:
        return _multipart(options.get("data", ()), options["files"])
    if "data" in options:
        return _whole("application/x-www-form-urlencoded", urlencode(pairs_of(options["data"])).encode())
    return _as_it_is(options["content"]) if "content" in options else NOTHING


def pairs_of(fields: Fields) -> list[tuple[str, str]]:
    """Names and values as text: a list repeats its name, None is left out."""
    return [
        (name, text_of(one))
        for name, value in (fields.items() if isinstance(fields, Mapping) else fields)
        for one in (value if isinstance(value, list | tuple | set) else (value,))
        if one is not None
    ]


def text_of(value: Any) -> str:
    """A value as text in a query or a form, as handlers read it: numbers in plain notation, times by ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return text_of(value.value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        length = abs(value)
        seconds = f"{length.seconds}.{length.microseconds:06}".removesuffix(".000000")
        return f"{'-' * (length != value)}P{length.days}DT{seconds}S"
    text = str(value)
    if isinstance(value, float | Decimal) and "E" in text.upper():
        plain = f"{Decimal(text):f}"
        return plain if len(plain) <= _MAX_DIGITS else text
    return text


# -- content as it is ---------------------------------------------------------------------------------


def _as_it_is(content: Content) -> RequestBody:
    if isinstance(content, str):
        return _whole(None, content.encode())
    if isinstance(content, bytes | bytearray | memoryview):
        return _whole(None, bytes(content))
    if isinstance(content, Path):
        return _in_parts(None, [content])
    if isinstance(content, AsyncIterable):
        return RequestBody(None, None, _once(content))
    if isinstance(content, Iterable):
        return RequestBody(None, None, _once(_each(content)))
    raise TypeError(
        f"content={content!r}: it is bytes, a str, a Path, or an iterator of bytes; json= takes other values"
    )


def _once(chunks: AsyncIterable[bytes]) -> Callable[[], AsyncIterator[bytes]]:
    """A function that gives the chunks once, and RuntimeError after that."""
    left = [chunks]

    def opened() -> AsyncIterator[bytes]:
        if not left:
            raise RuntimeError("A redirect wants the body again, and an iterator gives it once: use content=bytes")
        return aiter(left.pop())

    return opened


async def _each(chunks: Iterable[Any]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


# -- parts --------------------------------------------------------------------------------------------


def _in_parts(content_type: str | None, parts: list[bytes | Path]) -> RequestBody:
    """A body that is read piece by piece, files only when they are wanted."""
    length = sum(part.stat().st_size if isinstance(part, Path) else len(part) for part in parts)
    return RequestBody(content_type, length, lambda: _each(_pieces(parts)))


def _pieces(parts: list[bytes | Path]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        else:
            for start in range(0, len(part), _PIECE):
                yield part[start : start + _PIECE]


# -- multipart ----------------------------------------------------------------------------------------


def _multipart(fields: Fields, files: Files) -> RequestBody:
    """A multipart form (RFC 7578), with names as browsers write them."""
    boundary = secrets.token_hex(16)
    parts: list[bytes | Path] = []
    for name, text in pairs_of(fields):
        parts += [_head(boundary, name), text.encode(), b"\r\n"]
    for name, file in _each_file(files):
        filename, content, content_type = _described(file)
        parts += [_head(boundary, name, filename, content_type), content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    content_type = f"multipart/form-data; boundary={boundary}"
    joined = _joined(parts)
    return _in_parts(content_type, parts) if joined is None else _whole(content_type, joined)


def _joined(parts: list[bytes | Path]) -> bytes | None:
    """All parts in one; None if a part is a file on disk, which is read when it is sent."""
    known = [part for part in parts if isinstance(part, bytes)]
    return b"".join(known) if len(known) == len(parts) else None


def _each_file(files: Files) -> Iterator[tuple[str, File]]:
    for name, file in files.items() if isinstance(files, Mapping) else files:
        for one in file if isinstance(file, list) else [file]:
            yield name, one


def _described(file: File) -> tuple[str, bytes | Path, str]:
    """Name, content and type of a file; a missing name is taken from its path, a missing type guessed by its name."""
    name, content, content_type = (*file, None, None)[:3] if isinstance(file, tuple) else (None, file, None)
    if name is None:
        name = _name_of(content)
    guessed = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return name, _content(content), guessed


def _name_of(content: Any) -> str:
    """The name of a path, or of an open file's; `upload` for bytes and for files without a path, such as stdin."""
    path = content if isinstance(content, Path) else getattr(content, "name", None)
    name = Path(os.fsdecode(path)).name if isinstance(path, str | bytes | Path) else ""
    return name if name and not (name.startswith("<") and name.endswith(">")) else "upload"


def _content(content: FileContent | None) -> bytes | Path:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | Path):
        return content
    if content is not None and hasattr(content, "read"):
        return _content(content.read())
    raise TypeError(f"A file is bytes, a str, a Path, an open file, or (name, content, type), not {content!r}")


def _head(boundary: str, name: str, filename: str | None = None, content_type: str | None = None) -> bytes:
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_quoted(name)}"']
    if filename is not None:
        lines[1] += f'; filename="{_quoted(filename)}"'
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode()


def _quoted(name: str) -> str:
    """A name between quotes (HTML standard, "multipart/form-data encoding algorithm")."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
