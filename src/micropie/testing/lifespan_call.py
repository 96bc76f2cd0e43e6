"""The lifespan of the application: its startup and its shutdown, as a server asks for them."""

import asyncio
from typing import Any

from micropie.testing.app_call import AppCall
from micropie.testing.asgi_rules import LifespanRules
from micropie.testing.asgi_types import ASGIApp, Message

GRACE = 1.0  # seconds for an application's tasks to end, before it cancels them
_STARTUP, _SHUTDOWN = "lifespan.startup", "lifespan.shutdown"


class LifespanCall(AppCall):
    """The application's side of the lifespan: the two events that it receives, its answers."""

    def __init__(self, app: ASGIApp, *, timeout: float | None, raising: bool) -> None:
        self.state: dict[str, Any] = {}
        self.loop = asyncio.get_running_loop()
        self.clients = 0  # in its loop: the last one stops the application
        self.ended = asyncio.Event()
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._answers = LifespanRules()
        scope: dict[str, Any] = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        scope["micropie.graceful_timeout"] = GRACE
        super().__init__(app, scope, self._answers, timeout=timeout, raising=raising)

    def is_ending_here(self) -> bool:
        """True if the last client of this event loop stops the application."""
        return not self.clients and self.loop is asyncio.get_running_loop()

    async def receive(self) -> Message:
        """The startup event, and in the end the shutdown event."""
        self._answers.asked = await self._events.get()
        return {"type": self._answers.asked}

    async def take(self, message: Message) -> None:
        """Nothing: the rules keep the answers."""

    async def startup(self) -> None:
        """Start the application; raise the exception of a startup handler. One without a lifespan needs no start."""
        await self._phase(_STARTUP)
        if self.done and _STARTUP not in self._answers.answers:
            self.error = None  # ASGI, "Lifespan": such an application is served without it
            if self.outcome is not None:
                self.raise_failure()

    async def started(self) -> None:
        """Wait until somebody else has started the application. RuntimeError if that fails, which raises there."""
        await self.until(lambda: _STARTUP in self._answers.answers or self.done, "The application did not start")
        if (answer := self._answers.answers.get(_STARTUP, {})).get("type") == f"{_STARTUP}.failed":
            raise RuntimeError(answer.get("message") or "The application that another client starts has failed")

    async def shutdown(self) -> None:
        """Stop the application; raise the exception of a shutdown handler."""
        if not self.done:
            await self._phase(_SHUTDOWN)
            await self.until(lambda: self.done, "The application did not end after lifespan.shutdown")
            self.raise_failure()

    async def _phase(self, event: str) -> None:
        self.logged = None  # of a handler's background task, perhaps
        self._events.put_nowait(event)
        await self.until(lambda: event in self._answers.answers or self.done, f"The application did not answer {event}")
        answer = self._answers.answers.get(event, {})
        if answer.get("type") == f"{event}.failed":
            await self.until(lambda: self.done, f"The application did not end after {event}.failed")
            self.raise_failure()
            raise RuntimeError(answer.get("message") or f"The application answered {event} with its failure")
