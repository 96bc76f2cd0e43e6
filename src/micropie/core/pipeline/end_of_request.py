"""The end of a request: what it has opened is closed, and the calls are made that were left for it."""

import asyncio
from contextlib import AsyncExitStack

from micropie.core.basics.errors import log, shortened
from micropie.core.engine import Engine, call
from micropie.core.failures.error_replies import CAUGHT, endpoint_of, path_of_request, reraise_cancellation
from micropie.core.handlers.user_function import UserFunction, function_name
from micropie.core.requests.request import Request, current_request


async def end_request(engine: Engine, request: Request) -> None:
    """Close what is to be closed, and make the calls that were left for the time after the reply, if all went well."""
    is_broken = request._failure or isinstance(request._raised, asyncio.CancelledError)
    calls: asyncio.Task[None] | None = None
    try:
        await close_all(request)
    finally:
        request._upload = None  # no circle is left, which would keep the form until the garbage collector comes by
        if request._after_reply is not None and not is_broken:
            calls = begin_calls(engine, request)
    if calls is not None:
        await asyncio.wait({calls})


def note_exception(request: Request, error: BaseException | None) -> None:
    """Keep what has ended the handler for what has to be closed; an exception must not find itself in its frames."""
    if request._closers is not None:
        request._raised = error


async def close_all(request: Request) -> None:
    """Close all that has to be closed with the request, the last one first, whatever they raise."""
    try:
        async with AsyncExitStack() as stack:
            for close in request._closers or ():
                stack.push_async_callback(close)
    finally:
        request._closers = request._raised = None


def begin_calls(engine: Engine, request: Request) -> asyncio.Task[None]:
    """Make the calls of a request in a task of the application: if the server cancels the request, they go on."""
    token = current_request.set(request)
    try:
        return engine.router.background.spawn(make_calls(engine, request), f"after_reply of {title(request)}")
    finally:
        current_request.reset(token)


async def make_calls(engine: Engine, request: Request) -> None:
    """Call them in order, also those that come to it meanwhile; each that fails is logged."""
    calls = request._after_reply or []
    while calls:
        callback, args = calls.pop(0)
        try:
            await call(engine, UserFunction(callback), args, {})
        except CAUGHT as error:
            reraise_cancellation(error)
            name = function_name(callback) or repr(callback)
            log.error("%s, called after the reply to %s, failed", name, title(request), exc_info=error)


def title(request: Request) -> str:
    """The request, and its handler, for the log."""
    endpoint = endpoint_of(request)
    where = "" if endpoint is None else f" in {function_name(endpoint.handler) or endpoint.name}"
    return f"{request.method} {shortened(path_of_request(request))!r}{where}"
