"""CompressionMiddleware: replies in a content coding that the client accepts (RFC 9110 §8.4 and §12.5.3)."""

import re
from collections.abc import AsyncIterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from micropie import HttpMiddleware, Request
from micropie.codings import USUAL_FIELD, Choice, choice_of
from micropie.middleware.coded_bodies import CodedSend, whole
from micropie.middleware.encoders import STREAM_WINDOW, Encoder, encoders
from micropie.middleware.reply_headers import HeaderPairs, Send, as_texts

CODINGS = ("zstd", "br", "gzip")
MINIMUM = 500  # bytes; a shorter body fits into one packet anyway
NO_CONTENT, RESET_CONTENT, PARTIAL, NOT_MODIFIED = 204, 205, 206, 304
VARY = ("Vary", "Accept-Encoding")
HTML = "text/html"  # goes out where a reply's headers name no type
_COMPRESSIBLE = re.compile(
    r"text/.+|.+\+(json|xml)|image/(svg\+xml|bmp|x-icon)|font/(otf|ttf)"
    r"|application/(json|javascript|xml|wasm|x-ndjson|jsonl|rtf|x-javascript|vnd\.ms-fontobject)"
)
_AS_THEY_ARE = {"content-encoding", "content-range", "content-digest", "repr-digest", "digest", "content-md5"}
_OF_OTHER_BYTES = {"content-length", "accept-ranges"}  # they would be wrong of a compressed body


class CompressionMiddleware(HttpMiddleware):
    """Compresses replies for clients that accept it: by zstd and brotli as far as they are installed, else by gzip.

    That is text, JSON and the like of `minimum_size` bytes or more, and streams of such types, whose chunks go out as
    they come. `codings` are those that may be used, the preferred one first. A reply that has a `Content-Encoding`
    stays as it is. `Content-Encoding: identity`, which does not go out, says that a reply is not to be compressed: a
    page with a secret beside what a client has sent, say (BREACH).

        app.middlewares.append(CompressionMiddleware())
    """

    def __init__(self, *, minimum_size: int = MINIMUM, codings: Sequence[str] = CODINGS) -> None:
        self._minimum_size = minimum_size
        self._encoders = encoders(codings)
        self._codings = tuple(self._encoders)

    def after_request(self, request: Request, status_code: int, response_body: Any, extra_headers: HeaderPairs) -> Any:
        """The compressed reply, for a client that accepts one; all others are told what such a reply depends on."""
        if isinstance(response_body, AsyncIterable | Iterator):
            return None  # what it consists of is known when it is sent
        as_texts(extra_headers)
        if may_be_coded(request, status_code, extra_headers) and isinstance(response_body, str | bytes):
            return self._whole(request, response_body, extra_headers)
        return None

    def streamed_send(self, request: Request, send: Send) -> Send:
        """Compress a stream, chunk by chunk."""
        return self.mounted_send(request, send)

    def mounted_send(self, request: Request, send: Send) -> Send:
        """Compress the replies of mounted applications."""

        def prepare(status: int, headers: HeaderPairs) -> tuple[HeaderPairs, Encoder | None]:
            if not may_be_coded(request, status, headers):
                return headers, None
            choice = self._choice(request)
            length = next((value for name, value in headers if name.lower() == "content-length"), "")
            if length.isdigit() and int(length) < self._minimum_size and not choice.must:
                return headers, None
            vary_by_coding(headers)
            if choice.coding is None:
                return headers, None
            encoder = None if request.method == "HEAD" else self._encoders[choice.coding](STREAM_WINDOW)
            return coded_headers(headers, choice.coding), encoder

        return CodedSend(send, prepare)

    async def _whole(self, request: Request, body: str | bytes, headers: HeaderPairs) -> dict[str, Any] | None:
        choice = self._choice(request)
        if len(body) < self._minimum_size and not choice.must:  # of a text the characters will do
            return None
        data = as_bytes(body)
        if not data:
            return None
        vary_by_coding(headers)
        if choice.coding is None:
            return None
        coded = await whole(self._encoders[choice.coding](None), data)
        if len(coded) >= len(data) and not choice.must:
            return None
        return {"body": coded, "headers": coded_headers(headers, choice.coding)}

    def _choice(self, request: Request) -> Choice:
        return choice_of(request.header("accept-encoding", ""), self._codings)


def may_be_coded(request: Request, status: int, headers: HeaderPairs) -> bool:
    """True if a reply's body may be compressed; if not, what is for us among its headers is taken out."""
    if status == NOT_MODIFIED:
        match_stored(request, headers)
        return False
    if status in (NO_CONTENT, RESET_CONTENT, PARTIAL) or not is_compressible(headers):
        drop_identity(headers)
        return False
    return True


def match_stored(request: Request, headers: HeaderPairs) -> None:
    """Give a 304 what the 200 in its place had: caches find what they have stored by its ETag (RFC 9111 §4.3.4)."""
    known = request.header("if-none-match", "")
    headers[:] = [weak if (weak := weakened(pair))[1] in known else pair for pair in headers]
    vary_by_coding(headers)


def is_compressible(headers: HeaderPairs) -> bool:
    """True if a reply's type is one that compresses well, and nothing forbids to change its body."""
    content_type = HTML
    for name, value in headers:
        lower = name.lower()
        if lower in _AS_THEY_ARE or (lower == "cache-control" and "no-transform" in value.lower()):
            return False
        if lower == "content-type":
            content_type = value
    return (usual_type if len(content_type) < USUAL_FIELD else compresses)(content_type)


def compresses(content_type: str) -> bool:
    """True if a body of this type gets much smaller."""
    return _COMPRESSIBLE.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


usual_type = lru_cache(256)(compresses)  # a field of usual length is remembered


def drop_identity(headers: HeaderPairs) -> None:
    """Take out `Content-Encoding: identity`, which is for us (§8.4.1 does not know it)."""
    switch = ("content-encoding", "identity")
    headers[:] = [pair for pair in headers if (pair[0].lower(), pair[1].strip().lower()) != switch]


def vary_by_coding(headers: HeaderPairs) -> None:
    """Tell caches that the reply depends on what the client accepts."""
    if not headers:
        headers.append(VARY)
        return
    named = [word.strip().lower() for name, value in headers if name.lower() == "vary" for word in value.split(",")]
    if "accept-encoding" not in named and "*" not in named:
        headers.append(VARY)


def coded_headers(headers: HeaderPairs, coding: str) -> HeaderPairs:
    """The headers of the compressed reply; its bytes are others, so its ETag is a weak one (§8.8.1)."""
    kept = [weakened(pair) for pair in headers if pair[0].lower() not in _OF_OTHER_BYTES]
    return [*kept, ("Content-Encoding", coding)]


def weakened(pair: tuple[str, str]) -> tuple[str, str]:
    """The header, weak if it is a strong ETag."""
    name, value = pair
    return (name, f"W/{value}") if name.lower() == "etag" and value.startswith('"') else pair


def as_bytes(body: str | bytes) -> bytes:
    """The body; nothing of a text that UTF-8 can't say, which is answered 500 when it is sent."""
    try:
        return body.encode() if isinstance(body, str) else body
    except UnicodeEncodeError:
        return b""
