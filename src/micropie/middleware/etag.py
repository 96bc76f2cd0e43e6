"""ETagMiddleware: a validator for each whole reply, and 304 for clients that have it already (RFC 9110 §13)."""

import asyncio
import re
from hashlib import sha256
from typing import Any

from micropie import HttpMiddleware, Request
from micropie.middleware.reply_headers import HeaderPairs, as_texts

OK, NOT_MODIFIED = 200, 304
IN_THREAD = 256 * 1024  # bytes whose hash takes 0.15 ms; more of them are hashed in a thread
LENGTH = 32  # hexadecimal digits, 128 bits
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')  # §8.8.3
# §15.4.5: a 304 describes no content; the client has that, and its description, already.
_OF_CONTENT = {
    "content-type", "content-length", "content-encoding", "content-language", "content-range", "content-disposition",
    "last-modified", "accept-ranges",
}  # fmt: skip


class ETagMiddleware(HttpMiddleware):
    """Gives replies to GET and HEAD with status 200 a strong ETag, the hash of their body; 304 if the client has it.

    An ETag of the handler's own counts as it is. Streams, and replies with `Cache-Control: no-store`, get none. Before
    `CompressionMiddleware` in the list it hashes what the handler has returned, and what is compressed has a weak ETag.

        app.middlewares += [ETagMiddleware(), CompressionMiddleware()]
    """

    def after_request(self, request: Request, status_code: int, response_body: Any, extra_headers: HeaderPairs) -> Any:
        """Name the reply's ETag; a 304 if it is among those that the client has."""
        if status_code != OK or request.method not in ("GET", "HEAD"):
            return None
        as_texts(extra_headers)
        etag, is_stored = known_etag(extra_headers)
        if etag is not None:
            return answer(request, etag, extra_headers)
        if is_stored and isinstance(response_body, str | bytes):
            return self._answer_with_hash(request, response_body, extra_headers)
        return None

    async def _answer_with_hash(self, request: Request, body: str | bytes, headers: HeaderPairs) -> Any:
        etag = await etag_of(body)
        headers.append(("ETag", etag))
        return answer(request, etag, headers)


def answer(request: Request, etag: str, headers: HeaderPairs) -> dict[str, Any] | None:
    """The 304 for a client that has this ETag; None for others."""
    known = matching(request.header("if-none-match"), etag)
    if known is None:
        return None
    return {"status_code": NOT_MODIFIED, "body": None, "headers": not_modified_headers(headers, known)}


def known_etag(headers: HeaderPairs) -> tuple[str | None, bool]:
    """The ETag that a reply has, and whether clients may store the reply at all."""
    etag, is_stored = None, True
    for name, value in headers:
        lower = name.lower()
        if lower == "etag":
            etag = value.strip()
        elif lower == "cache-control" and "no-store" in value.lower():
            is_stored = False
    return etag, is_stored


async def etag_of(body: str | bytes) -> str:
    """A strong ETag: the beginning of the body's SHA-256, the fastest hash where the processor knows it."""
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    digest = await asyncio.to_thread(sha256, data) if len(data) > IN_THREAD else sha256(data)
    return f'"{digest.hexdigest()[:LENGTH]}"'


def matching(field: str | None, etag: str) -> str | None:
    """The one of the ETags in an If-None-Match field that is this one by weak comparison (§8.8.3.2, §13.1.2).

    It goes into the 304 as the client wrote it: that is the ETag of the reply that it has stored, compressed or not.
    """
    if field is None:
        return None
    if field.strip() == "*":
        return etag
    opaque = etag.removeprefix("W/")
    return next((found[0] for found in _TAG.finditer(field) if found[1] == opaque), None)


def not_modified_headers(headers: HeaderPairs, etag: str) -> HeaderPairs:
    """The headers of a 304: those of the 200 that are not about its content."""
    return [
        (name, etag if name.lower() == "etag" else value) for name, value in headers if name.lower() not in _OF_CONTENT
    ]
