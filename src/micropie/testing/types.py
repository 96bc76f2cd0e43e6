"""The shapes that a caller of the client gives, by name."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import IO, Any, TypedDict

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

Fields = Mapping[str, Any] | Sequence[tuple[str, Any]]  # a list as a value repeats its name
HeaderFields = Mapping[str, str] | Iterable[tuple[str, str]]
Content = bytes | bytearray | memoryview | str | Path | Iterable[bytes] | AsyncIterable[bytes]
FileContent = bytes | str | Path | IO[bytes] | IO[str]
File = FileContent | tuple[str, FileContent] | tuple[str, FileContent, str]
Files = Mapping[str, File | list[File]] | Sequence[tuple[str, File]]


class Handshake(TypedDict, total=False):
    """What a request and a WebSocket's handshake may say."""

    params: Fields
    headers: HeaderFields
    cookies: Mapping[str, str]
    timeout: float | None


class Options(Handshake, total=False):
    """What a request may say. `json=None` is the JSON value null; leave it out for no body."""

    json: Any
    data: Fields
    files: Files
    content: Content
    follow_redirects: bool


def refuse_unknown(options: Mapping[str, Any], kind: type[Handshake]) -> None:
    """TypeError for what is no option: a type checker says so too, but tests are seldom checked."""
    known = kind.__annotations__
    if unknown := options.keys() - known:
        raise TypeError(f"There is no option {min(unknown)!r}: there are {', '.join(sorted(known))}")
