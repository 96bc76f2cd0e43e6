"""The keywords of the client's methods, typed: all that a test may say of a request besides its method and target."""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypedDict

from micropie import Controller, Mount

Target = str | Callable[..., Any] | Controller | Mount  # a path, a URL, or what `url_for` takes
Fields = Mapping[str, Any] | Sequence[tuple[str, Any]]  # a list as a value repeats its name
HeaderFields = Mapping[str, str] | Iterable[tuple[str, str]]
Content = bytes | bytearray | memoryview | str | Path | Iterable[bytes] | AsyncIterable[bytes]
FileContent = bytes | str | Path | IO[bytes] | IO[str]
File = FileContent | tuple[str, FileContent] | tuple[str, FileContent, str]
Files = Mapping[str, File | list[File]] | Sequence[tuple[str, File]]


class Handshake(TypedDict, total=False):
    """Options that HTTP requests and WebSocket handshakes have in common."""

    params: Fields
    headers: HeaderFields
    cookies: Mapping[str, str]
    timeout: float | None


class Options(Handshake, total=False):
    """Options of an HTTP request. `json=None` is the JSON value null; leave it out for no body."""

    json: Any
    data: Fields
    files: Files
    content: Content
    follow_redirects: bool


def refuse_unknown(options: Mapping[str, Any], kind: type[Handshake]) -> None:
    """Raise TypeError for an option that does not exist: a type checker says so too, but tests are seldom checked."""
    known = kind.__annotations__
    if unknown := options.keys() - known:
        raise TypeError(f"There is no option {min(unknown)!r}: there are {', '.join(sorted(known))}")
