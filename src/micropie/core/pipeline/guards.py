"""The guards of a branch: its controllers' `_before`, outermost first, and `_after`, innermost first."""

from collections.abc import Sequence

from micropie.core import late
from micropie.core.basics.errors import blaming
from micropie.core.engine import Engine, call_guard
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import CAUGHT, reraise_cancellation
from micropie.core.handlers.endpoint import Guard, Guards
from micropie.core.handlers.user_function import UserFunction
from micropie.core.replies.reply import Reply, close_unsent, is_stream, replacing_body, to_reply
from micropie.core.requests.request import Request


async def before_guards(
    engine: Engine, request: Request, guards: Guards, segments: list[str], entered: list[Guard]
) -> Reply | None:
    """Call the guards in order until one answers; `entered` tells how far it went, even if one raises."""
    for guard in guards:
        entered.append(guard)
        if guard.before is None:
            continue
        if guard.plan is None:
            result = await call_guard(engine, guard.before)
        else:
            if guard.plan.provided:
                await late.provide(engine, request, guard.plan.provided)
            args, kwargs = guard.plan.bind(request, segments)
            result = await call_guard(engine, guard.before, *args, **kwargs)
        if result is not None:
            with blaming(guard.before.handler):
                return to_reply(result)
    return None


async def after_guards(engine: Engine, request: Request, guards: Sequence[Guard], reply: Reply) -> Reply:
    """The reply, past the `_after` of each guard, innermost first."""
    for guard in reversed(guards):
        if guard.after is not None:
            reply = await after_guard(engine, request, guard.after, reply)
    return reply


async def after_guard(engine: Engine, request: Request, function: UserFunction, reply: Reply) -> Reply:
    """The reply, as the guard has changed it or what it has returned in its place; its error's if it raises."""
    body, content_type = reply.body, reply.content_type
    try:
        result = await call_guard(engine, function, reply)
        with blaming(function.handler):
            if result is None and reply.body is not body:
                is_named = reply.content_type != content_type
                reply.body, reply.content_type = replacing_body(reply.body, reply.content_type, is_named=is_named)
            changed = to_reply(reply if result is None else result)
    except CAUGHT as error:
        await close_unsent(body)
        reraise_cancellation(error)
        return await reply_to_error(engine, request, error)
    if is_stream(body) and not is_stream(changed.body):  # a stream may contain the other
        await close_unsent(body)
    return changed
