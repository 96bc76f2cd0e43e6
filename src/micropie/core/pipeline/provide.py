"""What providers give a request: made before its handler is called, once, and closed when all is over."""

import inspect
from collections.abc import AsyncIterator, Collection, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from micropie.core.engine import Engine, call
from micropie.core.failures.error_replies import CAUGHT, log_failure, reraise_cancellation
from micropie.core.handlers.binding import bind
from micropie.core.handlers.user_function import UserFunction
from micropie.core.requests.request import Request, current_request

SUBSTITUTES = "micropie.provide"  # in a scope: what a test gives in place of providers, by their classes


async def provide(engine: Engine, request: Request, kinds: Collection[Any]) -> None:
    """Let providers give the request their values, unless it has them."""
    if not kinds:  # so that most have no dict for them
        return
    values = vars(request).setdefault("_provided", {})
    for kind in kinds:
        if kind not in values:
            made = await made_by(engine, request, kind)
            values[kind] = await entered(engine, request, made) if is_generator(made) else made


async def made_by(engine: Engine, request: Request, kind: Any) -> Any:
    """The value of a provider, or the generator that yields it, once what the provider asks for is there."""
    substitutes = request._preset.get(SUBSTITUTES, {})
    if kind in substitutes:
        given = substitutes[kind]
        return await call(engine, UserFunction(given), [request], {}) if inspect.isroutine(given) else given
    provider = engine.router.providers[kind]
    await provide(engine, request, provider.plan.provided)
    args, kwargs = bind(provider.plan, request, [])
    return await call(engine, provider.function, [request, *args], kwargs)


def is_generator(made: Any) -> bool:
    """True for what is to be resumed behind its `yield` when the request is over."""
    return inspect.isasyncgen(made) or inspect.isgenerator(made)


async def entered(engine: Engine, request: Request, generator: Any) -> Any:
    """The value that a generator yields; it is closed with the request."""
    steps = in_thread(engine, generator) if inspect.isgenerator(generator) else generator
    context = asynccontextmanager(lambda: steps)()
    value = await context.__aenter__()
    request._closers = [*(request._closers or ()), partial(leave, request, context)]
    return value


async def in_thread(engine: Engine, generator: Generator[Any, Any, Any]) -> AsyncIterator[Any]:
    """Yield what a sync generator yields, all of whose steps run in one of the threads."""
    raised: list[BaseException] = []

    def steps() -> Iterator[Any]:
        with contextmanager(lambda: generator)() as value:
            yield value
            for error in raised:
                raise error

    running = engine.threads.iterate(steps())
    value = await anext(running)
    try:
        yield value
    except BaseException as error:
        raised.append(error)
        raise
    finally:
        await anext(running, None)


async def leave(request: Request, context: AbstractAsyncContextManager[Any]) -> None:
    """Resume a generator behind its `yield`, or raise there what has ended the handler; the log is told of the rest."""
    token = current_request.set(request)
    try:
        await context.__aexit__(*exception_of(request))
    except CAUGHT as failure:
        reraise_cancellation(failure)
        log_failure(request, failure)
    finally:
        current_request.reset(token)


def exception_of(request: Request) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    """The exception that has ended the handler, as context managers are told of it."""
    error = request._raised
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)
