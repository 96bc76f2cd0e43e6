"""A call of the application with one scope, as servers make them: the base of the calls for each kind of scope.

An exception of a handler never leaves MicroPie: the client of a server sees a 500, and the traceback is in the log of
the logger `micropie`. There it is found: the context variable says which call a record belongs to.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from micropie.testing.asgi_rules import HttpRules, LifespanRules, ProtocolError, WebSocketRules
from micropie.testing.asgi_types import ASGIApp, Message

_current: ContextVar["AppCall | None"] = ContextVar("micropie.testing", default=None)


class ClientLeftError(OSError):
    """Raised where the application sends to a client that has left (ASGI 2.4), as servers do or may do."""


class AppCall(ABC):
    """A task that runs the application, and the exceptions and violations that it has caused."""

    def __init__(
        self,
        app: ASGIApp,
        scope: dict[str, Any],
        rules: HttpRules | WebSocketRules | LifespanRules,
        *,
        timeout: float | None,
        raising: bool,
    ) -> None:
        self.scope = scope
        self.timeout = timeout
        self.raising = raising
        self.error: Exception | None = None  # that the application raised
        self.logged: Exception | None = None  # that the application logged
        self.outcome: BaseException | None = None  # that no client would get, such as pytest.fail() raises
        self.done = False
        self.left = self.gone = False  # the client has left; the application knows it
        self._app = app
        self._rules = rules
        self.violation: ProtocolError | None = None
        self._told = False
        self._news = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @abstractmethod
    async def receive(self) -> Message:
        """The next event for the application."""

    @abstractmethod
    async def take(self, message: Message) -> None:
        """Keep a message of the application, which has passed the check."""

    async def send(self, message: Message) -> None:
        """Check a message and take it. ClientLeftError once the client is gone."""
        if self.gone:
            raise ClientLeftError("The client has left")
        try:
            self._rules.check(message)
        except ProtocolError as violation:
            self.violation = self.violation or violation
            self.notify()
            raise
        await self.take(message)
        self.notify()

    def notify(self) -> None:
        """Wake everybody who waits in `until`."""
        self._news.set()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds. If that takes too long, end the call, and raise TimeoutError."""
        if condition():
            return
        try:
            async with asyncio.timeout(self.timeout):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            await self.cancel()
            raise TimeoutError(f"{what} within {self.timeout} s: timeout=… gives it longer") from self.logged

    def raise_failure(self) -> None:
        """Raise an illegal message's error, or else the application's exception if that is wanted; only once.

        What is no `Exception`, the outcome of a test say, goes before all and is always wanted.
        """
        failure = self.outcome or self.violation or (self.raising and (self.logged or self.error)) or None
        if failure is not None and not self._told:
            self._told = True
            raise failure

    async def cancel(self) -> None:
        """End the call, whatever the application does."""
        self.left = True
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        _current.set(self)
        try:
            await self._app(self.scope, self.receive, self.send)
        except Exception as error:
            self.error = None if _is_due_to_leaving(error) else error
        except asyncio.CancelledError:
            self._check_end(ProtocolError("The application was cancelled before it was done"))
        except (KeyboardInterrupt, SystemExit):  # which come out of the event loop themselves
            self._check_end(ProtocolError("The application was interrupted before it was done"))
            raise
        except BaseException as outcome:
            self.outcome = outcome
        else:
            self._check_end()
        finally:
            self.done = True
            self.notify()

    def _check_end(self, violation: ProtocolError | None = None) -> None:
        if self.left:
            return
        try:
            self._rules.check_end()
        except ProtocolError as unfinished:
            self.violation = self.violation or violation or unfinished


class Listener(logging.Handler):
    """Hands each exception in the log of MicroPie to the call in which it happened."""

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the first error of a call."""
        call = _current.get()
        is_failure = record.name == "micropie" and record.levelno >= logging.ERROR
        if is_failure and call is not None and call.logged is None:
            call.logged = _exception(record)


def _exception(record: logging.LogRecord) -> Exception | None:
    """The exception of a record: its traceback's, or one of its arguments (a package that is not installed)."""
    raised = record.exc_info[1:2] if record.exc_info else ()
    arguments = record.args if isinstance(record.args, tuple) else ()
    return next((found for found in (*raised, *arguments) if isinstance(found, Exception)), None)


def _is_due_to_leaving(error: BaseException | None) -> bool:
    """True for an error that comes of sending to a client that has left, whatever the application has made of it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BaseExceptionGroup):
            return all(map(_is_due_to_leaving, error.exceptions))
        if isinstance(error, ClientLeftError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
