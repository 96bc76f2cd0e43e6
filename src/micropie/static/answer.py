"""A file's answer to a request: whole, in part, or that the client has it already."""

import time
from collections.abc import Mapping

from micropie import FileBody, HTTPError, Reply, Request
from micropie.static.conditions import CONDITIONS, failed_condition, is_same_for_range
from micropie.static.ranges import Parts, content_range, ranges_of
from micropie.static.stored_file import StoredFile

Pairs = list[tuple[str, str]]
_NOT_MODIFIED, _PRECONDITION_FAILED = 304, 412
_SAFE = ("GET", "HEAD")


class Representation:
    """A file with its headers: those `validating` go out with a 304, too, those `describing` with its content only."""

    __slots__ = ("content_type", "describing", "file", "validating")

    def __init__(self, file: StoredFile, content_type: str, validating: Pairs, describing: Pairs) -> None:
        self.file = file
        self.content_type = content_type
        self.validating: Pairs = [("ETag", file.etag), ("Last-Modified", file.last_modified), *validating]
        self.describing: Pairs = [("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff"), *describing]

    def answer(self, request: Request | None, caching: Pairs, status: int = 200) -> Reply:
        """The reply to a request, or to none in particular. `HTTPError` 412 or 416 for what it must not have."""
        headers: Mapping[str, str] = {} if request is None else request.headers
        if request is not None and status == 200 and request.method in _SAFE:  # noqa: PLR2004
            failed = None if CONDITIONS.isdisjoint(headers) else failed_condition(headers, self.file)
            if failed == _NOT_MODIFIED:
                return Reply(failed, None, [*self.validating, *caching])
            if failed is not None:
                raise HTTPError(failed)
            if request.method == "GET" and "range" in headers:
                return self._partial(headers, caching)
        return self._whole(caching, status)

    def _whole(self, caching: Pairs, status: int = 200) -> Reply:
        return self._reply(status, self.file.part(0, self.file.size), self.content_type, caching)

    def _partial(self, headers: Mapping[str, str], caching: Pairs) -> Reply:
        size = self.file.size
        parts = ranges_of(headers["range"], size)
        if parts is None or not is_same_for_range(headers.get("if-range"), self.file, time.time()):
            return self._whole(caching)
        if not parts:
            raise HTTPError(416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
        if len(parts) == 1:
            reply = self._reply(206, self.file.part(*parts[0]), self.content_type, caching)
            reply.headers.append(("Content-Range", content_range(parts[0], size)))
            return reply
        several = Parts(self.file, parts, self.content_type)
        reply = self._reply(206, several.body(), several.content_type, caching)
        reply.headers.append(("Content-Length", str(several.size)))
        return reply

    def _reply(self, status: int, body: object, content_type: str, caching: Pairs) -> Reply:
        headers = [("Content-Type", content_type), *self.validating, *caching, *self.describing]
        if isinstance(body, FileBody):
            headers.append(("Content-Length", str(body.size)))
        return Reply(status, body, headers)
