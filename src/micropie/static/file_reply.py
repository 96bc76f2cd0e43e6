"""FileReply: one file as the reply of a handler."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from micropie import HTTPError, Reply, current_request
from micropie.static.answer import Pairs, Representation
from micropie.static.content_types import content_type_of
from micropie.static.disposition import content_disposition
from micropie.static.paths import path_below, real_path_below
from micropie.static.stored_file import stored_file


class FileReply(Reply):
    """A file, answered as the current request asks: in part, or 304 if the client has it.

    `path` is trusted; if any of it comes from the client, name the `directory` that it must stay below, whose dotfiles
    are left alone. `HTTPError` 404 if there is no such file. With `download` browsers save it, as `filename`.
    `content_type` is guessed by the name unless it is given; `status` and `headers` are the reply's.

        return FileReply(REPORTS / "2026.pdf", download=True, filename="Bericht für März.pdf")
        return FileReply(name, directory="uploads", headers={"Cache-Control": "private"})
    """

    __slots__ = ()

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        directory: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        content_type: str | None = None,
        download: bool = False,
        status: int = 200,
        headers: Iterable[Any] | None = None,
    ) -> None:
        text = os.fspath(path)
        file = stored_file(text if directory is None else _below(os.fspath(directory), text))
        name = filename or os.path.basename(text)  # noqa: PTH119
        described = [("Content-Disposition", content_disposition(name, download=download))]
        kind = content_type or content_type_of(os.path.basename(text))  # noqa: PTH119
        representation = Representation(file, kind, [], described if download or filename else [])
        own: Pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        answer = representation.answer(current_request.get(None), own, status)
        super().__init__(answer.status, answer.body, answer.headers, answer.content_type)


def _below(directory: str, path: str) -> str:
    found = path_below(directory, path.split("/"), dotfiles=False)
    real = None if found is None else real_path_below(directory, found)
    if real is None:
        raise HTTPError(404)
    return real
