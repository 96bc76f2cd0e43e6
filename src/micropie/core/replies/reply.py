"""A handler's result, made into a `Reply`: status, header pairs, body, in no protocol's form yet.

A body is text, bytes, None or a stream of chunks; JSON is encoded here, so hooks see its bytes. The headers
are the handler's own; `content_type` is what goes out unless they name another.
"""

import os
from collections.abc import AsyncIterable, Awaitable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from micropie.core.basics.errors import FAILURES, UnusableResult, is_status, log
from micropie.core.basics.json_codec import dumps
from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import HeaderPairs
from micropie.core.replies.ready_headers import ReadyPairs

_GENERATORS = (AsyncGeneratorType, GeneratorType)
HTML = "text/html; charset=utf-8"
JSON = "application/json"
EVENTS = "text/event-stream"
JSON_LINES = "application/x-ndjson"
PROBLEM = "application/problem+json"
JSON_HEADER, PROBLEM_HEADER = ("Content-Type", JSON), ("Content-Type", PROBLEM)  # as hooks see them
PLAIN_TYPES = (HTML, JSON, PROBLEM)  # that a reply may have without a header for it
PRIVATE = ReadyPairs([("Cache-Control", "private"), ("Vary", "Cookie")])

UNENCODABLE = (TypeError, ValueError, RecursionError)  # what the JSON codec raises
RESET_CONTENT = 205
BODYLESS = frozenset((*range(100, 200), 204, RESET_CONTENT, 304))  # RFC 9110 §6.4.1, §15.3.6


class Reply:
    """An answer on its way out. `body` is `str`, bytes-like, None or a stream; `headers` are lists of `str` pairs.

    `status` is a number from 200 to 599. `content_type` counts where the headers name none. A controller's `_after`
    gets the reply, and may assign to all of them what a handler might return.

        async def _after(self, reply):
            if reply.status == 404:
                reply.body = "Nothing here"
    """

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(self, status: int, body: Any, headers: HeaderPairs, content_type: str = HTML) -> None:
        self.status: int = status
        self.body: Any = body
        self.headers: HeaderPairs = headers
        self.content_type: str = content_type


def to_reply(result: Any) -> Reply:
    """The reply that a handler's result means. `UnusableResult`, which teaches, for what means none."""
    # PERF: what most handlers return comes first, by exact type: 0.2 µs.
    kind = type(result)
    if kind is dict or kind is list:
        return Reply(200, json_body(result), [], JSON)
    if kind is str:
        return Reply(200, result, [], HTML)
    if kind in _GENERATORS:
        return Reply(200, result, [], HTML)
    if isinstance(result, Reply):
        return _from_reply(result)
    if isinstance(result, tuple):
        return _from_tuple(result)
    body, content_type = encoded(result)
    return Reply(204 if result is None else 200, body, [], content_type)


def plain(result: Any) -> tuple[bytes, str] | None:
    """The body of what most handlers return, and its type; None for a result that may have more to say.

    Such a reply has the status 200 and no headers of its own, so no `Reply` is needed where nobody wants to see one.
    """
    kind = type(result)
    if kind is dict or kind is list:
        return json_body(result), JSON
    return (result.encode(), HTML) if kind is str and result.isascii() else None


def _from_reply(reply: Reply) -> Reply:
    """A copy of a reply that may come from a user, and may be used again."""
    known = isinstance(reply.body, str | bytes) or reply.body is None or is_stream(reply.body)
    body, content_type = (reply.body, reply.content_type) if known else encoded(reply.body)
    headers = header_pairs(reply.headers)
    if content_type not in PLAIN_TYPES:  # which go out by themselves; headers of the reply's own come behind
        headers.insert(0, ("Content-Type", content_type))
        content_type = HTML
    return Reply(checked_status(reply.status), body, headers, content_type)


def _from_tuple(result: tuple[Any, ...]) -> Reply:
    if len(result) not in (2, 3):
        wanted = "(status, body) and (status, body, headers) are, and a list is a JSON array"
        raise UnusableResult(f"a tuple of {len(result)} is no reply: {wanted}")
    if is_status(result[1]) and not isinstance(result[0], int):
        raise UnusableResult(f"the status stands before the body: return {result[1]}, body, not body, {result[1]}")
    body, content_type = encoded(result[1])
    return Reply(checked_status(result[0]), body, header_pairs(result[2] if len(result) > 2 else None), content_type)  # noqa: PLR2004


def checked_status(status: Any) -> int:
    """A status code, or `UnusableResult`. Some servers die of others."""
    if is_status(status):
        return int(status)
    raise UnusableResult(f"the status {shown(status)} is none: an int from 200 to 599 is")


def header_pairs(headers: Any) -> HeaderPairs:
    """Headers in any accepted shape, copied: a dict, an iterable of pairs, or None."""
    if not headers:
        return []
    if type(headers) is list:  # PERF: the usual ones, 0.5 µs
        return [_pair(item) for item in headers]
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise UnusableResult(f"the headers {shown(headers)} are none: a dict is, or a list of pairs of name and value")
    pairs: Iterable[Any] = headers.items() if isinstance(headers, Mapping) else headers
    return [_pair(item) for item in pairs]


def _pair(item: Any) -> tuple[str, str]:
    if type(item) is tuple and len(item) == 2 and type(item[0]) is str and type(item[1]) is str:  # noqa: PLR2004
        return item
    if not isinstance(item, tuple | list) or len(item) != 2:  # noqa: PLR2004
        raise UnusableResult(f"the header {shown(item)} is none: a pair of name and value is")
    name, value = (part.decode("latin-1") if isinstance(part, bytes) else str(part) for part in item)
    return name, value


def encoded(value: Any) -> tuple[Any, str]:
    """A reply's body, JSON if it is neither text, bytes, None nor a stream; and the type of its content."""
    if value is None or is_stream(value):
        return value, HTML
    if isinstance(value, str):
        return str.__str__(value), HTML  # an Enum's own __str__ is its name
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), HTML
    return json_body(value), JSON


def json_body(value: Any) -> bytes:
    """A body of JSON; `UnusableResult`, which teaches, for what is none."""
    try:
        return dumps(value)
    except UNENCODABLE as error:
        check_result(error, value)
        raise


def check_result(error: BaseException, value: Any) -> None:
    """`UnusableResult`, which teaches, for an error that is the JSON codec's."""
    if is_of_codec(error):
        raise UnusableResult(why_unusable(error, value)) from None


def is_of_codec(error: BaseException) -> bool:
    """True if the last call that it comes from is one of the JSON codec's, not one of a record's own methods."""
    step: Any = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    module: str = step.tb_frame.f_globals["__name__"]
    return module.partition(".")[0] in ("json", "micropie")


def why_unusable(error: BaseException, value: Any) -> str:
    """The message about a body that is no JSON."""
    kind = type(value).__name__
    if isinstance(value, Awaitable):
        if isinstance(value, CoroutineType):
            value.close()  # or Python complains that it was never awaited, too late to say where
        called = getattr(value, "__qualname__", f"a {kind}")
        return f"{called} was returned, and not awaited: write return await ..."
    if isinstance(value, os.PathLike):
        return f"a {kind} is no reply, for it may lead anywhere: return FileReply(path), from micropie.static"
    if isinstance(value, BaseException):
        return f"{kind} was returned: raise it, or return a reply"
    if isinstance(value, AbstractSet):
        return f"a {kind} is no reply, since JSON has none: return a list, such as sorted(...)"
    wanted = "text, bytes, JSON values, dataclasses, generators and (status, body, headers) are"
    return f"a {kind} like this is no reply ({error}): {wanted}"


def shown(value: Any) -> str:
    """A value for a message: its beginning, whatever it is."""
    return str(lazy_import("reprlib").repr(value))


def replacing_body(value: Any, content_type: str, *, is_named: bool = False) -> tuple[Any, str]:
    """A body in place of another, and its type: that of the other, unless only now JSON is made of it.

    In place of problem details a body has a type of its own, unless theirs `is_named` together with it.
    """
    body, own_type = encoded(value)
    if content_type == PROBLEM:
        return body, PROBLEM if is_named else own_type
    return body, JSON if own_type == JSON else content_type


def is_stream(value: Any) -> bool:
    """True if a body is sent chunk by chunk: generators and iterators, sync or async."""
    # PERF: the two usual ones by their type, 0.4 µs; the abstract classes look for methods.
    return type(value) in _GENERATORS or isinstance(value, AsyncIterable | Iterator)


def add_to_vary(headers: HeaderPairs, field: str) -> None:
    """Say that the reply depends on this field of the request (RFC 9110 §12.5.5), unless the headers say so."""
    said = ", ".join(value for name, value in headers if name.lower() == "vary")
    if {"*", field.lower()}.isdisjoint(one.strip().lower() for one in said.split(",")):
        headers[:] = [pair for pair in headers if pair[0].lower() != "vary"]
        headers.append(("Vary", f"{said}, {field}" if said else field))


def add_header(reply: Reply, name: str, value: str) -> None:
    """Add a header to a reply, whose list of them may be shared by now."""
    if type(reply.headers) is ReadyPairs:
        reply.headers = [*reply.headers]
    reply.headers.append((name, value))


async def close_unsent(body: Any) -> None:
    """Close a stream that nobody will read; what that raises is logged."""
    try:
        if hasattr(body, "aclose"):
            await body.aclose()
        elif hasattr(body, "close"):
            body.close()
    except FAILURES:
        log.exception("A stream that was not sent could not be closed")


def show_type(reply: Reply) -> None:
    """Show the type of a JSON body among the headers, to code that looks for it there."""
    if reply.content_type not in (JSON, PROBLEM):
        return
    if not reply.headers or not any(name.lower() == "content-type" for name, _ in reply.headers):
        reply.headers.append(JSON_HEADER if reply.content_type == JSON else PROBLEM_HEADER)


def hide_type(headers: HeaderPairs) -> HeaderPairs:
    """The headers, to which hooks may have appended anything, without what we named for them: it goes out by itself."""
    # PERF: mostly ours is all there is, if anything, 0.5 µs.
    if not headers or (len(headers) == 1 and headers[0] is JSON_HEADER):
        return []
    return header_pairs([pair for pair in headers if pair is not JSON_HEADER and pair is not PROBLEM_HEADER])
