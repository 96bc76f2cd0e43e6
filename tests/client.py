"""One request of a client of its own, by `micropie.testing`, and what each of our calls must not leave behind.

`http(app, "GET", "/path")` is short for a `TestClient` that asks once. Whoever needs more of a visit takes a
`TestClient`; whoever looks at the protocol itself takes `tests.wire`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack
from weakref import WeakKeyDictionary

from micropie.testing import Response, TestClient
from micropie.testing.asgi_types import ASGIApp
from micropie.testing.request_options import Options

TURNS_TO_END = 5
"""Turns of the loop that a task gets to end which its owner has cancelled."""

T = TypeVar("T")


def http(
    app: ASGIApp, method: str = "GET", path: str = "/", *, query: str = "", **options: Unpack[Options]
) -> Response:
    """The reply to one request; a failure is the 500 that clients see. `path` and `query` are as on the wire."""
    return run(ahttp(app, method, path, query=query, **options))


async def ahttp(
    app: ASGIApp, method: str = "GET", path: str = "/", *, query: str = "", **options: Unpack[Options]
) -> Response:
    """What `http` does, inside a running loop."""
    async with watching(), visitor(app) as client:
        response = await client.request(method, f"{path}?{query}" if query else path, **options)
    assert response.content != b"Internal Server Error", "an exception escaped the application"
    return response


def visitor(app: ASGIApp, **options: Any) -> TestClient:
    """A client from elsewhere, who sees failures as visitors do; by `Accept: text/plain` each of them in one line."""
    return TestClient(
        app,
        base_url="http://testserver",
        client=("203.0.113.7", 4711),
        raise_exceptions=False,
        **{"headers": {"Accept": "text/plain"}, **options},
    )


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in a new loop; what the loop complains of (a lost exception, say) is a failure."""
    complaints: list[dict[str, Any]] = []

    async def main() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        return await coroutine

    result = asyncio.run(main())
    assert not complaints, f"the event loop complains: {complaints!r}"
    return result


# -- tasks that are left behind -------------------------------------------------------------------------


@dataclass
class Watch:
    """Blocks that run on a loop at the same time: the tasks that were there before, and those that run the blocks."""

    before: set[asyncio.Task[Any]]
    callers: set[asyncio.Task[Any] | None]
    calls: int = 0


WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


@asynccontextmanager
async def watching() -> AsyncIterator[None]:
    """Check that no task of the block is left behind; of blocks that overlap the last to end checks for all."""
    loop = asyncio.get_running_loop()
    watch = WATCHES.setdefault(loop, Watch(asyncio.all_tasks(), set()))
    watch.calls += 1
    watch.callers.add(asyncio.current_task())
    try:
        yield
    finally:
        watch.calls -= 1
        if not watch.calls:
            del WATCHES[loop]
    if not watch.calls:
        await check_tasks(lambda: {task for task in asyncio.all_tasks() - watch.before if task not in watch.callers})


async def check_tasks(leavings: Callable[[], set[asyncio.Task[Any]]]) -> None:
    """Check that there are none: at once, and after the turns that cancelled tasks and finalisers need."""
    left = [task for task in leavings() if not task.cancelling()]
    for _ in range(TURNS_TO_END):
        await asyncio.sleep(0)
    left.extend(leavings().difference(left))
    assert not left, f"the application left tasks behind: {left!r}"


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a worker thread or a server has done something."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
