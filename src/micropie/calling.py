"""A user's function that may be plain, `async`, or anything that is called like one."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any


async def result_of(function: Callable[..., Any], *args: Any) -> Any:
    """Its result: of a coroutine function on the loop, of any other in a thread; what can be awaited is awaited."""
    # A lambda, or an object with an async `__call__`, is no coroutine function, and returns a coroutine all the same.
    is_async = inspect.iscoroutinefunction(function)
    result = function(*args) if is_async else await asyncio.to_thread(function, *args)
    return await result if isinstance(result, Awaitable) else result
