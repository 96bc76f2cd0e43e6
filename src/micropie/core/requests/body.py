"""A request's body, read within its limits and parsed: JSON, a form, or the beginning of an upload."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from micropie.core.basics.errors import ClientGone, HTTPError
from micropie.core.basics.headers import content_length, is_json, media_type
from micropie.core.basics.json_codec import loads
from micropie.core.basics.types import Receive, Scope
from micropie.core.requests.body_stream import BodyStream
from micropie.core.requests.multipart import FormLimits, MultipartForm
from micropie.core.requests.request import Request, parse_query

BODY_METHODS = frozenset(("POST", "PUT", "PATCH"))
MAX_BOUNDARY = 200  # characters; RFC 2046 §5.1.1 allows 70, and looking for a long one is slow
MULTIPART = "multipart/form-data"
LARGE = 16 * 1024  # bytes of JSON or a form: it may take milliseconds to convert them


class Limits(NamedTuple):
    """How much of a body is taken, in bytes, and how long it may take, in seconds."""

    max_body_size: int
    max_form_field_size: int
    max_form_parts: int
    max_upload_size: int | None
    body_timeout: float

    @property
    def form(self) -> FormLimits:
        """The limits of a multipart form."""
        return FormLimits(self.max_form_parts, self.max_form_field_size, self.max_body_size, self.max_upload_size)

    @property
    def multipart_size(self) -> int | None:
        """The size of a whole multipart body: its files and everything else."""
        return None if self.max_upload_size is None else self.max_upload_size + self.max_body_size


def has_body(request: Request) -> bool:
    """Whether there is a body to parse: other methods' bodies mean nothing (RFC 9110 §9.3.1)."""
    if request.method in BODY_METHODS:
        return True
    if request.method != "DELETE":
        return False
    return (
        request._header_bytes(b"content-length", b"") not in (b"", b"0")
        or request._header_bytes(b"transfer-encoding", b"") != b""
    )


async def take_body(request: Request, limits: Limits) -> None:
    """Read the body and parse it into the request: JSON, or a form.

    Of a multipart form only the boundary is taken: its handler reads along with it. What an outer application has read
    is left as it is.
    """
    if is_preset(request._preset):
        request.body_parsed = True
        return
    request._limits = limits
    field = request._header_bytes
    kind, parameters = media_type(field(b"content-type", b""))
    if kind == MULTIPART:
        request._upload, request._is_large = Upload(request, _boundary(parameters), limits), True
        return
    body = _open(request._receive, field, limits.max_body_size, limits.body_timeout)
    raw = await body.chunk()
    request.body = raw = raw if body.is_over else await body.whole(raw)
    if len(raw) > LARGE:
        request._is_large = True
    if is_json(kind):
        try:
            request.get_json = loads(raw)
        except ValueError:
            raise HTTPError(400, "Bad JSON") from None
    else:
        request.body_params = _form(raw, limits)
    request.body_parsed = True


def is_preset(scope: Scope) -> bool:
    """Whether an outer application has left in the scope what it read of the body."""
    if "body_parsed" in scope:
        return bool(scope["body_parsed"])
    return "body_params" in scope or "get_json" in scope or "files" in scope


def _boundary(parameters: dict[str, str]) -> str:
    boundary = parameters.get("boundary")
    if not boundary:
        raise HTTPError(400, "Missing boundary")
    if len(boundary) > MAX_BOUNDARY:
        raise HTTPError(400, "Malformed multipart body")
    return boundary


class Upload:
    """A multipart form: known by its header first, then read by a task of its own while the handler runs."""

    def __init__(self, request: Request, boundary: str, limits: Limits) -> None:
        self._request = request
        self._boundary = boundary
        self._limits = limits
        self._reading: tuple[MultipartForm, asyncio.Task[None]] | None = None

    def start(self, *, blocking: bool) -> MultipartForm:
        """Begin to read; the form fills from now on. `HTTPError` 413 if it says itself that it is too large."""
        request, limits = self._request, self._limits
        body = _open(request._receive, request._header_bytes, limits.multipart_size, limits.body_timeout)
        form = MultipartForm(limits.form, blocking=blocking)
        self._reading = form, asyncio.create_task(form.read(body.chunks(), self._boundary))
        return form

    async def finished(self) -> bool:
        """Wait until all is read that is being read; whether the client is still there."""
        if self._reading is None:
            return True
        form, task = self._reading
        if not task.done():  # PERF: `wait` takes two rounds of the event loop even then, 20 µs
            await asyncio.wait([task])
        return not isinstance(form.error, ClientGone)

    async def discard(self) -> None:
        """Read the rest, within the limits, and keep nothing: a client that is still sending hears no answer."""
        if self._reading is not None:
            self._reading[0].discard()
            await self.finished()

    async def close(self) -> None:
        """Stop reading; what nobody has read is gone."""
        if self._reading is not None:
            form, task = self._reading
            form.discard()
            task.cancel()
            await self.finished()


def _open(receive: Receive, field: Callable[[bytes, bytes], bytes], limit: int | None, timeout: float) -> BodyStream:
    """The body, not read yet. `HTTPError` 413 if it says itself that it is too large."""
    size = content_length(field(b"content-length", b""))
    if size is not None:
        if limit is not None and size > limit:
            raise HTTPError(413)
        if field(b"transfer-encoding", b""):  # that says where the body ends, not the length (RFC 9112 §6.3)
            size = None
    return BodyStream(receive, size, limit, timeout)


def _form(raw: bytes, limits: Limits) -> dict[str, list[str]]:
    if raw.count(b"&") >= limits.max_form_parts:
        raise HTTPError(413)
    fields = parse_query(raw.decode("utf-8", "replace")) if raw else {}
    if len(raw) > limits.max_form_field_size and _longest(fields) > limits.max_form_field_size:
        raise HTTPError(413)
    return fields


def _longest(fields: dict[str, list[str]]) -> int:
    return max((len(value.encode()) for values in fields.values() for value in values), default=0)
