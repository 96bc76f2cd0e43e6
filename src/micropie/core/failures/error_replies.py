"""An exception becomes a reply that tells the client what it may know; a failure also a record in the log.

A branch's `_on_error` may answer before: error_handlers.py. In development mode the debug pages may put a reply of
theirs in place of this one.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from micropie.core.basics.errors import (
    FAILURES,
    HTTPError,
    SurplusSegments,
    Unrouted,
    UnusableResult,
    log,
    shortened,
    sole_error,
)
from micropie.core.basics.headers import is_token, media_type
from micropie.core.basics.optional import MissingDependency, lazy_import, lazy_pattern
from micropie.core.engine import PROBLEMS, Engine
from micropie.core.handlers.user_function import UserFunction, code_of, function_name, place_of
from micropie.core.replies.error_forms import error_line, error_page, error_problem
from micropie.core.replies.reply import Reply, add_to_vary, header_pairs, to_reply
from micropie.core.requests.accept import NAMED, accepted
from micropie.core.requests.body import has_body
from micropie.core.requests.request import RELATIVE_PATH, Request

if TYPE_CHECKING:
    from micropie.core.handlers.endpoint import Endpoint

# What must not end the server: SystemExit too, which would, and cancellations where `reraise_cancellation` lets them.
CAUGHT = (*FAILURES, asyncio.CancelledError)


def reraise_cancellation(error: BaseException) -> None:
    """Raise a cancellation of the current task again; if only what it waited for was cancelled, that is a failure."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error


def spare_server(error: BaseException) -> None:
    """Raise a RuntimeError for a SystemExit, behind the start of a reply: the server is to cut it off, not to end."""
    if not isinstance(error, Exception):
        raise RuntimeError(f"The application raised {error!r}") from error  # noqa: TRY004 - no type is wrong


def told_error(engine: Engine, error: BaseException) -> BaseException:
    """The exception that an application is told of: an `HTTPError` for what stands for one."""
    if isinstance(error, SurplusSegments):
        return Unrouted(engine.surplus_path_status)
    return sole_error(error) if isinstance(error, BaseExceptionGroup) else error


def reply_to_unhandled(engine: Engine, request: Request, error: BaseException) -> Reply:
    """The reply to an exception that no `_on_error` has answered; what the client must not know goes to the log."""
    error = told_error(engine, error)
    if isinstance(error, HTTPError):
        try:
            return reply_to_refusal(engine, request, error)
        except UnusableResult as wrong:
            error = ValueError(f"Of {error!r} {wrong}").with_traceback(error.__traceback__)
    return server_error(engine, request, error)


def reply_to_refusal(engine: Engine, request: Request, error: HTTPError) -> Reply:
    """The answer that an `HTTPError` is. `UnusableResult` if it makes none."""
    reply = negotiated(engine, request, error)
    if isinstance(error, Unrouted):
        note_debug_page(engine, request, error, reply)
    return reply


def server_error(engine: Engine, request: Request, error: BaseException) -> Reply:
    """A bare 500, after which the session is not saved."""
    note_failure(request, error)
    reply = negotiated(engine, request, HTTPError(500))
    note_debug_page(engine, request, error, reply)
    return reply


def note_failure(request: Request, error: BaseException) -> None:
    """Tell the log, once, and keep the session from being saved."""
    request._failure = True
    if request._closers is not None:
        request._raised = error  # for what has to be closed
    log_failure(request, error)


def negotiated(engine: Engine, request: Request, error: HTTPError) -> Reply:
    """The form of an error that the client would rather have; problem details for all where the application says so."""
    if engine.errors == PROBLEMS:
        return error_problem(error, instance_of(request, error))
    html, json = accepted(request.headers.get("accept", ""))
    if json and (json > html or (json == html and has_json_body(request))):
        reply = error_problem(error, instance_of(request, error))
    elif html and html.closeness == NAMED:
        reply = error_page(error)
    else:
        reply = error_line(error)
    add_to_vary(reply.headers, "Accept")
    return reply


def has_json_body(request: Request) -> bool:
    """True if the client has sent JSON."""
    return has_body(request) and media_type(request._header_bytes(b"content-type", b"")).is_json


def instance_of(request: Request, error: HTTPError) -> str | None:
    """The path as a URI reference (RFC 3986 §4.2) that leads to no other host; None for a 500, which tells nothing."""
    if error.status == 500:  # noqa: PLR2004
        return None
    safe = "/:@!$&'()*+,;=~"
    return "/" + str(lazy_import("urllib.parse").quote(path_of_request(request).lstrip("/"), safe, errors="replace"))


def note_debug_page(engine: Engine, request: Request, error: BaseException, reply: Reply) -> None:
    """Keep the debug page of an exception, to be sent in place of the reply that guards and hooks get to see."""
    page = debug_page(engine, request, error)
    request._debug_page = None if page is None else (reply.body, page)


def with_debug_page(request: Request, reply: Reply) -> Reply:
    """The debug page, if there is one and no guard or hook has put a body of its own in its place; else the reply."""
    body, page = request._debug_page or (None, None)
    if page is None or reply.body is not body:
        return reply
    named = {name.lower() for name, _ in page.headers}
    added = [(name, value) for name, value in header_pairs(reply.headers) if name.lower() not in named]
    return Reply(reply.status, page.body, [*page.headers, *added], page.content_type)


def debug_page(engine: Engine, request: Request, error: BaseException) -> Reply | None:
    """The debug page of an exception, if there is one and this client may see it."""
    debug = engine.debug
    if debug is None:
        return None
    try:
        if isinstance(error, Unrouted):
            page = debug.guide(request, error)
        else:
            endpoint = endpoint_of(request)
            page = debug.explain(request, error, None if endpoint is None else endpoint.handler)
        return None if page is None else to_reply(page)
    except Exception:  # its own must not hide the application's
        log.exception("The debug page can't be made")
        return None


def log_failure(request: Request, error: BaseException) -> None:
    """One record, with the traceback unless the message says it all.

    It has the attributes `method`, `path`, `handler` and `request_id`; the last two may be None.
    """
    method, path, endpoint = method_of_request(request), shortened(path_of_request(request)), endpoint_of(request)
    handler, request_id = endpoint and (function_name(endpoint.handler) or endpoint.name), request_id_of(request)
    where = f" in {handler}" if handler else ""
    told = isinstance(error, MissingDependency)
    if isinstance(error, UnusableResult):
        handler_itself = None if endpoint is None else endpoint.handler
        if (function := error.function or handler_itself) is not None:
            where, told = f" in {title_of(function)}", not passes_through(error, function)
    where += f" (request id {request_id})" if request_id else ""
    facts = {"method": method, "path": path, "handler": handler, "request_id": request_id}
    if told:
        log.error("%s %r failed%s: %s", method, path, where, error, extra=facts)
    else:
        log.error("%s %r failed%s", method, path, where, exc_info=error, extra=facts)


def title_of(function: Callable[..., Any]) -> str:
    """The name of a function, and where it is defined."""
    name, place = function_name(function), place_of(function)
    return name if place is None else f"{name} ({place[0]}, line {place[1]})"


def passes_through(error: BaseException, function: Callable[..., Any]) -> bool:
    """True if the traceback of an error shows a line of the function, or of what it wraps."""
    code = code_of(function)
    return any(frame.f_code is code for frame, _ in lazy_import("traceback").walk_tb(error.__traceback__))


def method_of_request(request: Request) -> str:
    """The method, for the log: as it is if it is one, which not all servers see to, least of all over HTTP/2."""
    method = shortened(request.method)
    return method if is_token(request.method) else repr(method)


def path_of_request(request: Request) -> str:
    """The whole path, also where an application below another one is given a part of it."""
    scope = request.scope
    return f"{scope.get('root_path') or ''}{scope['path']}" if scope.get(RELATIVE_PATH) else str(scope["path"])


def endpoint_of(request: Request) -> "Endpoint | None":
    """The handler that the request is for, whether it got there or not; None if there is none."""
    return target if isinstance(target := request._target, UserFunction) else None


def request_id_of(request: Request) -> str | None:
    """The request's id: as a middleware has set it, else its `X-Request-ID`, if that is plain text of fair length."""
    if request.request_id is not None:
        return request.request_id
    text = request._header_bytes(b"x-request-id", b"").decode("latin-1").strip()
    return text if lazy_pattern("[!-~]{1,200}").fullmatch(text) else None
