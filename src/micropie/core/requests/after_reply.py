"""Work that no reply waits for: `after_reply` and `spawn`, and the `stopping` that ends it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVarTuple

from micropie.core.basics.background import Background, Outcome, Stopping, current_background
from micropie.core.requests.request import Request, current_request

Args = TypeVarTuple("Args")


def after_reply(callback: Callable[[*Args], Any], *args: *Args) -> None:
    """Call something when the reply to the current request was sent, a stream's end included; of a WebSocket, closed.

    `callback` gets the `args`. It is `async def` or plain; a plain function runs in a worker thread. Several are called
    in order, one after the other, each whether or not the one before has failed, which is logged. None is called if the
    handler has failed, as a 500, a broken stream or a WebSocket's 1011, or was cancelled. LookupError outside of a
    request.

        async def order(self, item: str):
            number = await self.shop.order(item)
            after_reply(self.mails.confirm, number)
            return {"number": number}
    """
    if not callable(callback):
        raise TypeError(f"after_reply() takes a function and its arguments, {callback!r} is none: leave the call out")
    request = current_request.get()
    if request._after_reply is None:
        request._after_reply = []
        request._closers = request._closers or []  # there is something to do when all is over
    request._after_reply.append((callback, args))


def spawn(coroutine: Coroutine[Any, Any, Outcome], *, name: str | None = None) -> asyncio.Task[Outcome]:
    """Run a `coroutine` beside the requests, as a task of the application that serves the current one, or starts.

    The application holds it, logs it by its `name` if it fails, waits for it in the end as long as the stop allows, and
    cancels it then. In it `self.request` is the request that spawned it. RuntimeError in a thread, and where there is
    neither a request nor a startup.

        async def index(self):
            spawn(self.refresh())
            return self.latest
    """
    background = background_here()
    if not asyncio.iscoroutine(coroutine):
        raise TypeError(f"spawn() takes a coroutine, as in spawn(refresh()), {coroutine!r} is none")
    if background is None:
        coroutine.close()
        raise RuntimeError("spawn() is for handlers and startup handlers: elsewhere no application owns the task")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        coroutine.close()
        raise RuntimeError("spawn() is for async def: in a thread, after_reply() takes calls") from None
    return background.spawn(coroutine, name)


def stopping() -> Stopping:
    """The stop of the application that serves the current request, or starts, for the tasks that it has spawned.

    RuntimeError where there is neither. A handler asks `self.request.stopping`, which also says that it ends by itself.

        async def tidy_up(self):
            while await stopping().sleep(60):
                await self.store.delete_old()
    """
    background = background_here()
    if background is None:
        raise RuntimeError(
            "stopping() is for what is spawned by handlers and startup handlers: nothing stops elsewhere"
        )
    return background.stopping


def background_here() -> Background | None:
    """The background of the application that serves the current request, or is being started."""
    request = current_request.get(None)
    if request is not None and request._router is not None:
        return request._router.background
    return current_background.get(None)


class AtStop:
    """Has its `stop` called when the server stops; shortly before the stop's end if the handler has asked for the stop.

    `forget` it when there is nothing to end any more.
    """

    # PERF: slots, and an object that is called, not closures: 0.9 kB less of each WebSocket and each stream.
    __slots__ = ("_request", "_stopping", "_timer", "background")

    def __init__(self, background: Background, request: Request) -> None:
        self.background = background
        self._request = request
        self._stopping = background.stopping
        self._timer: asyncio.TimerHandle | None = None
        self._stopping.tell(self)

    def __call__(self) -> None:
        """The stop has begun."""
        if self._request._stopping is not None:
            self._timer = asyncio.get_running_loop().call_later(self.background.until_last_word, self.stop)
        else:
            self.stop()

    def stop(self) -> None:
        """End what would keep the server from its stop; for subclasses to define."""

    def forget(self) -> None:
        """Call nothing any more."""
        self._stopping.forget(self)
        if self._timer is not None:
            self._timer.cancel()
