"""A watch over the event loop: the log names the handler that holds it up, and the line where it stands.

The loop has a timer that beats a hundred times a second. A thread looks after it: when a beat is overdue, it reads the
stack of the loop's thread, waits for the next beat, and writes one record. Neither costs a request anything.
"""

import asyncio
import importlib
import inspect
import linecache
import logging
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from micropie import App, Request, current_request, routes
from micropie.debug.paths import is_application_code, is_framework_code, short_path

BEAT = 0.01  # seconds
LIMIT = 0.1  # seconds that the loop may be held without a word
PATIENCE = 2.0  # seconds after which a loop that is still held is told of
_MODULE = "<module>"  # what the code of a module is called
_IMPORT = "_find_and_load"  # the function of importlib that knows the name of the module
_IMPORT_FILES = ("<frozen importlib", importlib.__file__)
_RUN = asyncio.Handle._run.__code__  # of the loop's own: it has the context in which a task or a callback runs
_log = logging.getLogger("micropie.watchdog")
_watches: dict[int, "Watch"] = {}  # by the id of the loop, which its watch keeps alive


class Watchdog:
    """Watches the event loop for an application, from startup to shutdown."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._watch: Watch | None = None

    def start(self) -> None:
        """Watch the loop that runs now; applications that share it share the watch."""
        loop = asyncio.get_running_loop()
        self._watch = _watches.get(id(loop)) or Watch(loop)
        self._watch.apps.append(self._app)

    def stop(self) -> None:
        """Watch no more."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.apps.remove(self._app)
            if not watch.apps:
                watch.end()


class Watch:
    """The beating timer of a loop, and the thread that listens."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.apps: list[App] = []
        self._loop = loop
        self._ident = threading.get_ident()
        self._depth = 0  # of a stack on which the loop runs something
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="micropie-watchdog", daemon=True)
        self._last = time.monotonic()
        self._timer = loop.call_soon(self._beat)
        self._thread.start()
        _watches[id(loop)] = self

    def end(self) -> None:
        """Let the timer and the thread go."""
        _watches.pop(id(self._loop), None)
        self._timer.cancel()
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1)

    def _beat(self) -> None:
        self._depth = sum(1 for _ in frames_from(sys._getframe()))
        self._last = time.monotonic()
        self._timer = self._loop.call_later(BEAT, self._beat)

    def _listen(self) -> None:
        idle = 0.0  # when the loop was last seen to wait, be it that its timer is late because the machine is
        while not self._over.wait(BEAT):
            since = max(self._last, idle)
            if self._loop.is_closed():
                self.end()
            elif self._depth and time.monotonic() - since > BEAT + LIMIT:
                location = self._location()
                if location is None:
                    idle = time.monotonic()
                else:
                    self._report(location, since + BEAT)

    def _report(self, location: "CodeLocation", since: float) -> None:
        """One record when the loop is free again; one before, if that takes long."""
        if not self._is_free(since, PATIENCE):
            log_hold(location, time.monotonic() - since, so_far=True)
        if self._is_free(since, float("inf")):
            log_hold(location, self._last - since)

    def _is_free(self, since: float, patience: float) -> bool:
        """True as soon as there is another beat; false if there is none for so many seconds."""
        while self._last < since and time.monotonic() - since < patience and not self._loop.is_closed():
            if self._over.wait(BEAT):
                return False
        return self._last >= since

    def _location(self) -> "CodeLocation | None":
        """The location of the loop's thread; None if the loop waits."""
        stack = list(frames_from(sys._current_frames().get(self._ident)))
        if len(stack) < self._depth:
            return None
        working = len(stack) - self._depth + 1  # frames above the one in which the loop runs something
        return location_of(stack[:working], handlers_of(self.apps), request_of(stack[: working + 1]))


class CodeLocation(NamedTuple):
    """A place in running code: the handler, the line of the application, and the package's function called there.

    `who` is the handler, or else the request or the function.
    """

    who: str
    handler: str | None
    file: str
    line: int
    called: str | None


def log_hold(location: CodeLocation, seconds: float, *, so_far: bool = False) -> None:
    """Write the log record of a held loop."""
    try:
        source = linecache.getline(location.file, location.line).strip()
    except KeyError:  # the loop's thread is just emptying the cache
        source = ""
    called = f" (in {location.called})" if location.called else ""
    where = f"{short_path(location.file)}:{location.line}: {source}{called}"
    _log.warning(
        "%s held the event loop for %.0f ms%s, at %s",
        location.who,
        seconds * 1000,
        " so far" if so_far else "",
        where,
        extra={"handler": location.handler, "seconds": seconds, "file": location.file, "line": location.line},
    )


def frames_from(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of a stack, from the innermost outwards."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def location_of(stack: list[FrameType], handlers: dict[Any, str], request: Request | None) -> CodeLocation:
    """The location of a stack, whose innermost frame is the first.

    Where the framework works for a handler that is not on the stack (it reads a body, encodes a reply, imports a
    package for that), the request that it works for names the handler.
    """
    codes = [frame.f_code for frame in stack]
    handler = next((handlers[code] for code in codes if code in handlers), None)
    own = (at for at, code in enumerate(codes) if code in handlers or is_application_code(code.co_filename))
    ours = (at for at, code in enumerate(codes) if is_framework_code(code.co_filename))
    found = next(own, None)
    at = next(ours, 0) if found is None else found
    who = handler or codes[at].co_qualname
    is_foreign = found is None or codes[at].co_name == _MODULE
    if handler is None and is_foreign and request is not None:
        handler = handlers.get(code_of(request.scope.get("endpoint")))
        who = handler or f"{request.method} {request.scope['path']!r}"
    return CodeLocation(who, handler, codes[at].co_filename, stack[at].f_lineno, called_in(stack[:at]))


def request_of(stack: list[FrameType]) -> Request | None:
    """The request that a stack works for: a step of the framework has it, or else the context in which a task runs."""
    for frame in stack:
        known = frame.f_locals.get("request") if is_framework_code(frame.f_code.co_filename) else None
        found = frame.f_locals["self"]._context.get(current_request) if frame.f_code is _RUN else known
        if isinstance(found, Request):
            return found
    return None


def called_in(stack: list[FrameType]) -> str | None:
    """The function that code calls whose frames these are, the innermost first; of an import the module."""
    if not stack:
        return None
    name = next((frame.f_locals.get("name") for frame in reversed(stack) if frame.f_code.co_name == _IMPORT), None)
    caller = stack[-1]
    if name is not None and caller.f_code.co_filename.startswith(_IMPORT_FILES):
        return f"the import of {name}"
    return f"{caller.f_globals.get('__name__', '?')}.{caller.f_code.co_qualname}"


def handlers_of(apps: list[App]) -> dict[Any, str]:
    """The names of all handlers, by their code."""
    found = {
        code_of(route.handler): f"{type(route.owner).__name__}.{route.name.rpartition('.')[2]}"
        for app in apps
        for route in routes(app)
    }
    found.pop(None, None)
    return found


def code_of(handler: Any) -> Any:
    """The code of a handler; None if it has none of its own, as a partial method."""
    return getattr(inspect.unwrap(handler), "__code__", None) if callable(handler) else None
