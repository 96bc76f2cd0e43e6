"""A request's body, read within its limits and parsed: JSON, a form, or the beginning of an upload."""

from collections.abc import Awaitable
from functools import partial
from itertools import chain
from typing import Any

from micropie.core import late
from micropie.core.basics.errors import HTTPError
from micropie.core.basics.headers import CHARSET_FIELD, MediaType, media_type
from micropie.core.basics.json_codec import loads
from micropie.core.basics.large_json import JSON_PIECE, TooManyContainersError
from micropie.core.basics.optional import lazy_import
from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import Message, Params
from micropie.core.requests.body_stream import IS_THERE, BodyStream, announced_size, receiving
from micropie.core.requests.limits import Limits, exceeds
from micropie.core.requests.request import Request, parse_query

BODY_METHODS = frozenset(("POST", "PUT", "PATCH"))
MAX_BOUNDARY = 200  # characters; RFC 2046 §5.1.1 allows 70, and looking for a long one is slow
MULTIPART = "multipart/form-data"
FORMS = ("application/x-www-form-urlencoded", "")  # a body without a type is one too
MAX_KEYWORDS = 1000  # members of a JSON object that become keyword arguments
_CHARSET_FIELD = f"{CHARSET_FIELD}=".encode()
LARGE = 16 * 1024  # bytes of JSON or a form: it may take milliseconds to convert them


def has_body(request: Request) -> bool:
    """True if there is a body to parse: other methods' bodies mean nothing (RFC 9110 §9.3.1)."""
    if request.method in BODY_METHODS:
        return True
    if request.method != "DELETE":
        return False
    return (
        request._header_bytes(b"content-length", b"") not in (b"", b"0")
        or request._header_bytes(b"transfer-encoding", b"") != b""
    )


def take_body(request: Request, limits: Limits, threads: WorkerThreads) -> Awaitable[None] | None:
    """Read the body and parse it into the request; what of that is to be waited for, None if nothing is.

    A body is JSON, or a form; a large one is parsed in one of the threads. Of a multipart form only the boundary is
    taken: its handler reads along with it. What an outer application has read is left as it is.
    """
    if is_preset(request):
        request.body_parsed = True
        return None
    media = media_type(request._read_headers()(b"content-type", b""))
    if media.name == MULTIPART:
        request._upload, request._is_large = late.Upload(request, _boundary(media.parameters), limits), True
        request._closers = [request._upload.close]
        return None
    announced = announced_size(request, limits.max_body_size)
    # PERF: a body of one message, as most are, needs no coroutine, no stream and no clock, 1.3 µs.
    messages: list[Message] = []
    steps = receiving(request._receive, messages)
    future = next(steps, IS_THERE)
    if future is IS_THERE and (raw := messages[0].get("body")) and len(raw) == announced and announced <= JSON_PIECE:
        _take(request, raw, media, limits)
        return None
    stream = BodyStream(request._receive, announced, limits.max_body_size, limits.body_timeout)
    waiting = None if future is IS_THERE else stream.waited_for(messages, steps, future)
    return _take_rest(request, limits, threads, media, stream, messages, waiting)


async def _take_rest(
    request: Request,
    limits: Limits,
    threads: WorkerThreads,
    media: MediaType,
    stream: BodyStream,
    messages: list[Message],
    waiting: Awaitable[Message] | None,
) -> None:
    """Read and parse a body whose first message is there, or waited for."""
    if waiting is not None:
        await waiting
    raw = await stream.whole(messages[0])
    if len(raw) > JSON_PIECE:
        await threads.run(_take, (request, raw, media, limits), {})
    else:
        _take(request, raw, media, limits)


def is_preset(request: Request) -> bool:
    """True if an outer application has left in the scope what it read of the body."""
    scope = request._preset
    if "body_parsed" in scope:
        return bool(scope["body_parsed"])
    return "body_params" in scope or "get_json" in scope or "files" in scope


def has_json_object(request: Request) -> bool:
    """True if the body is a JSON object with members."""
    return bool(request.get_json) and isinstance(request.get_json, dict)


def members_for_keywords(request: Request) -> dict[str, Any]:
    """The members of a JSON object for `**kwargs`. `HTTPError` 413 for more of them than a form or query may have."""
    members: dict[str, Any] = request.get_json
    if len(members) > MAX_KEYWORDS:
        raise HTTPError(413)
    return members


def _take(request: Request, raw: bytes, media: MediaType, limits: Limits) -> None:
    """Put into the request what its body is."""
    request.body = raw
    if len(raw) > LARGE:
        request._is_large = True
    if raw:  # no bytes at all are no document
        _parse(request, raw, media, limits)
    if len(raw) > JSON_PIECE and (make_params := request._late_params) is not None:
        request.body_params = make_params()  # the fields of one that is no form too: later it would be on the loop
    request.body_parsed = True


def _parse(request: Request, raw: bytes, media: MediaType, limits: Limits) -> None:
    """Parse the body into the request."""
    if media.is_json:
        try:
            request.get_json = loads(raw)
        except TooManyContainersError:
            raise HTTPError(413) from None
        except ValueError:
            raise HTTPError(400, "Bad JSON") from None
    elif media.name in FORMS:
        request.body_params = _form(raw, media.parameters.get("charset"), limits)
    else:
        request._late_params = partial(_form_or_nothing, raw, limits)


def _boundary(parameters: dict[str, str]) -> str:
    boundary = parameters.get("boundary")
    if not boundary:
        raise HTTPError(400, "Missing boundary")
    if len(boundary) > MAX_BOUNDARY:
        raise HTTPError(400, "Malformed multipart body")
    return boundary


def _form(raw: bytes, charset: str | None, limits: Limits) -> Params:
    """The fields of a form. `HTTPError` 413 if they are too many or too long, 400 if their charset is unknown."""
    if exceeds(raw.count(b"&") + 1, limits.max_form_parts):
        raise HTTPError(413)
    codec, size = late.codec_of(charset or _charset_field(raw)), limits.max_form_field_size
    is_long = exceeds(len(raw), size)
    # Before they are decoded, which takes its time: three bytes, `%41`, make at least one.
    if is_long and exceeds(max(max(map(len, pair.split(b"=", 1))) for pair in raw.split(b"&")), 3 * (size or 0)):
        raise HTTPError(413)
    fields = parse_query(late.decoded(raw, codec)) if codec == "utf-8" else _form_in(codec, raw)
    if is_long:
        texts = chain.from_iterable((name, *values) for name, values in fields.items())
        if any(exceeds(len(text.encode()), size) for text in texts):
            raise HTTPError(413)
    return fields


def _charset_field(raw: bytes) -> str | None:
    """The charset that a form names for its texts in a field that browsers fill (HTML, "Naming form controls")."""
    if _CHARSET_FIELD not in raw:
        return None
    value = (b"&" + raw).partition(b"&" + _CHARSET_FIELD)[2].partition(b"&")[0]
    return value.decode("ascii", "replace") or None


def _form_in(codec: str, raw: bytes) -> Params:
    """The fields of a form in another codec than UTF-8, as `parse_query` reads them."""
    unescape = lazy_import("urllib.parse").unquote_to_bytes
    fields: Params = {}
    for pair in raw.replace(b"+", b" ").split(b"&"):
        name, _, value = pair.partition(b"=")
        if value:
            fields.setdefault(late.decoded(unescape(name), codec), []).append(late.decoded(unescape(value), codec))
    return fields


def _form_or_nothing(raw: bytes, limits: Limits) -> Params:
    """The fields of a body that is a form by no word of its sender; none if it would be refused as one."""
    try:
        return _form(raw, None, limits)
    except HTTPError:
        return {}
