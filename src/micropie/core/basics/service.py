"""Service: what an application has beside its routes, and is started and stopped with it."""

from typing import Any

from micropie.core.basics.types import async_or_plain


class Service:
    """Something in the class body of an `App` or a `Controller` that lives as long as the application: no route.

    `start` runs behind the startup handlers, in the order of definition; `stop` before the shutdown handlers, in the
    reverse order. Where a server tells no lifespan neither runs.

        class Poller(Service):
            async def start(self, app):
                self.task = asyncio.create_task(self.poll(app))

            async def stop(self):
                self.task.cancel()

        class Site(App):
            poller = Poller()
    """

    of_one_process: str | None = None
    """Where several workers would each have their own of it: what to do about that, for `micropie check`."""

    async def start(self, app: Any) -> None:
        """Begin with the application `app`; what this raises, the startup fails of."""

    def begin_stop(self) -> None:
        """Learn that the server's stop has begun: the requests in flight still run, and those that wait here end."""

    async def stop(self) -> None:
        """End."""

    @async_or_plain
    async def check(self) -> None:
        """Raise if it does not work now, for checks of health."""
