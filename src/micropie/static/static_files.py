"""StaticFiles: the files of a folder, below the name of an attribute.

What was found is remembered with the status that it had, and looked at again for each request: one that was served
before costs a few calls of `stat`, which take microseconds, and a changed file is never served from memory.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote

from micropie import HTTPError, Reply, Request, Resource, methods
from micropie.codings import choice_of
from micropie.static.answer import Pairs, Representation
from micropie.static.content_types import content_type_of
from micropie.static.paths import path_below, real_path_below
from micropie.static.stored_file import Identity, StoredFile, identity_at, stored_file

SUFFIXES = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}  # of compressed files; the first ones are preferred
MiB = 1 << 20
_ENTRY = 2048  # bytes that an entry takes beside its content, about
_FOREVER = "max-age=31536000, immutable"  # a year (RFC 8246)
Segments = tuple[str, ...]


class StaticFiles(Resource):
    r"""The files of a folder and of those in it: in a class body `static = StaticFiles("static")` serves `/static/…`.

    Never what is outside the folder `directory`, also through symbolic links, nor dotfiles (but with `dotfiles`), nor a
    list of what there is. A folder is its `index` file; `fallback` is the file that a browser gets for a page that
    there is not, for applications whose routes are in the browser. `url_for(self.static, "css/site.css")` names the
    content's version, in the query field `version`, which browsers then keep for ever, as they do with names that the
    pattern `immutable` is found in. They keep others for `max_age` seconds; for 0 they ask each time whether it has
    changed. With `precompressed`, `site.css.zst`, `.br` and `.gz` beside `site.css` are sent to clients that take them.
    `content_types` are others than usual, by suffix; `headers` are added to every reply. Small files are kept in
    memory, as many as `cache_size` bytes have room for.

        class Site(App):
            static = StaticFiles("static")
            spa = StaticFiles("dist", fallback="index.html", immutable=r"-[\w-]{8}\.(js|css)$")
    """

    __micropie_unlisted__ = True  # no part of an OpenAPI document
    _takes_identities = False

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        fallback: str | None = None,
        max_age: int | None = 0,
        immutable: str | re.Pattern[str] | None = None,
        precompressed: bool = True,
        dotfiles: bool = False,
        version: str | None = "v",
        content_types: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        cache_size: int = 16 * MiB,
    ) -> None:
        self._directory = os.path.abspath(directory)  # noqa: PTH100 - links are followed at each look
        if not os.path.isdir(self._directory):  # noqa: PTH112
            raise NotADirectoryError(f"StaticFiles({os.fspath(directory)!r}): {self._directory} is no folder")
        self._index = index
        self._fallback = None if fallback is None else tuple(fallback.split("/"))
        self._immutable = None if immutable is None else re.compile(immutable)
        self._encodings = SUFFIXES if precompressed else {}
        self._dotfiles = dotfiles
        self._version = version
        self._content_types = content_types
        self._headers: Pairs = list((headers or {}).items())
        own = {name.lower() for name, _ in self._headers}
        usual = "no-cache" if max_age == 0 else f"max-age={max_age}"
        self._usual: Pairs = [] if max_age is None or "cache-control" in own else [("Cache-Control", usual)]
        self._for_ever: Pairs = [] if "cache-control" in own else [("Cache-Control", _FOREVER)]
        self._found = _Memory(cache_size)

    @methods("GET")
    async def get(self, *path: str) -> Any:
        """The file at a path below the folder."""
        request = self.request
        entry = await self._entry(path)
        if entry is None:
            return await self._fallback_reply(request)
        if entry.is_index and not request.scope["path"].endswith("/"):
            return _with_slash(request)
        return self._answer(entry, request)

    async def _entry(self, segments: Segments) -> "_Entry | None":
        """What is there, or was served before and has not changed; a folder's index also without the slash."""
        entry = self._found.get(segments)
        if entry is None or not entry.is_current():
            return await asyncio.to_thread(self._look_for_either, segments)
        return entry

    async def _fallback_reply(self, request: Request) -> Reply:
        wanted = self._fallback is not None and _is_page(request)
        if self._fallback is None or not wanted or (entry := await self._entry(self._fallback)) is None:
            raise HTTPError(404)
        reply = self._answer(entry, request)
        vary = [value for name, value in reply.headers if name == "Vary"]
        others = [pair for pair in reply.headers if pair[0] != "Vary"]
        reply.headers = [*others, ("Vary", ", ".join([*vary, "Accept"]))]
        return reply

    def _answer(self, entry: "_Entry", request: Request) -> Reply:
        version = request.query(self._version) if self._version else None
        lasts = entry.is_immutable or (version is not None and version == entry.version)
        return entry.chosen(request).answer(request, self._for_ever if lasts else self._usual)

    def _url_below(self, *paths: str) -> tuple[str, dict[str, Any]]:
        path = "/".join(one.strip("/") if position else one.lstrip("/") for position, one in enumerate(paths))
        segments = tuple(path.split("/"))
        if self._version is None or segments[-1] == "":  # a page, whose address stays
            return path, {}
        entry = self._found.get(segments)
        if entry is None or not entry.is_current():
            entry = self._look(segments)
        return path, {} if entry is None or entry.is_immutable else {self._version: entry.version}

    def _look_for_either(self, segments: Segments) -> "_Entry | None":
        return self._look(segments) or (self._look((*segments, "")) if segments[-1:] != ("",) else None)

    def _look(self, segments: Segments) -> "_Entry | None":
        """The file as it is now, remembered if its next change can't be missed; None if there is none."""
        is_index = segments[-1:] in ((), ("",))
        if is_index and self._index is None:
            return None
        names = (*segments[:-1], str(self._index)) if is_index else segments
        path = path_below(self._directory, names, dotfiles=self._dotfiles)
        if path is None or (identity := identity_at(path)) is None:
            return None
        file = self._file(path)
        if file is None:
            return None
        others = {name: path + suffix for name, suffix in self._encodings.items()}
        identities = {other: identity_at(other) for other in others.values()}  # before they are read
        entry = _Entry({path: identity, **identities}, is_index=is_index)
        entry.is_immutable = self._immutable is not None and self._immutable.search(names[-1]) is not None
        files = {name: one for name, other in others.items() if (one := self._sibling(other, identities[other], file))}
        content_type = content_type_of(names[-1], self._content_types)
        vary = [("Vary", "Accept-Encoding")] if files else []
        for encoding, one in {"": file, **files}.items():
            describing = [("Content-Encoding", encoding)] if encoding else []
            entry.representations[encoding] = Representation(one, content_type, [*vary, *self._headers], describing)
        entry.codings = tuple(files)
        self._found.keep(segments, entry)
        return entry

    def _file(self, path: str) -> StoredFile | None:
        real = real_path_below(self._directory, path)
        if real is None or not os.path.isfile(real):  # noqa: PTH113
            return None
        return stored_file(real)

    def _sibling(self, path: str, identity: Identity | None, file: StoredFile) -> StoredFile | None:
        """The compressed file, unless it is older than what it is made of."""
        found = None if identity is None else self._file(path)
        return None if found is None or found.status.st_mtime < file.status.st_mtime - 1 else found


class _Entry:
    """What was found for a path: its representations by encoding, and what tells whether they are so still."""

    __slots__ = ("_identities", "codings", "is_immutable", "is_index", "representations")

    def __init__(self, identities: dict[str, Identity | None], *, is_index: bool) -> None:
        self._identities = identities
        self.is_index = is_index  # of a folder, which the path names
        self.is_immutable = False
        self.codings: tuple[str, ...] = ()  # of the compressed ones
        self.representations: dict[str, Representation] = {}

    def is_current(self) -> bool:
        """True if nothing has changed on the disk."""
        return all(identity_at(path) == identity for path, identity in self._identities.items())

    def chosen(self, request: Request) -> Representation:
        """The representation for a client."""
        if self.codings:
            coding = choice_of(request.headers.get("accept-encoding", ""), self.codings).coding
            if coding is not None:
                return self.representations[coding]
        return self.representations[""]

    @property
    def version(self) -> str:
        """What changes with the content of the file."""
        return self.representations[""].file.version

    @property
    def is_settled(self) -> bool:
        """True if a change of any of the files will be seen."""
        return all(one.file.is_settled for one in self.representations.values())

    @property
    def size(self) -> int:
        """The bytes that it takes, about."""
        return _ENTRY + sum(len(one.file.content or b"") for one in self.representations.values())


class _Memory:
    """Entries by path, the oldest ones forgotten when there is no room; for several threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._entries: dict[Segments, _Entry] = {}
        self._lock = Lock()
        self.get = self._entries.get

    def keep(self, segments: Segments, entry: _Entry) -> None:
        """Keep an entry in place of the one that was there, or forget that."""
        with self._lock:
            if (old := self._entries.pop(segments, None)) is not None:
                self._room += old.size
            if not entry.is_settled:
                return
            self._entries[segments] = entry
            self._room -= entry.size
            while self._room < 0:
                self._room += self._entries.pop(next(iter(self._entries))).size


def _with_slash(request: Request) -> tuple[int, None, Pairs]:
    """The way to a folder, from which relative links lead to what is in it; relative, so that no prefix is needed."""
    location = "./" + quote(request.scope["path"].rpartition("/")[2]) + "/"
    query = request.scope.get("query_string", b"").decode("latin-1")
    return 307, None, [("Location", f"{location}?{query}" if query else location)]


def _is_page(request: Request) -> bool:
    """True if a browser goes to a page; what pages load accepts no HTML."""
    return "text/html" in request.headers.get("accept", "")
