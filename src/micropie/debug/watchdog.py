"""A watch over the event loop: the log names the handler that holds it up, and the line where it stands.

The loop has a timer that beats a hundred times a second. A thread looks after it: when a beat is overdue, it reads the
stack of the loop's thread, waits for the next beat, and writes one record. Neither costs a request anything.
"""

import asyncio
import inspect
import linecache
import logging
import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import NamedTuple

from micropie import App, routes
from micropie.debug.paths import is_application_code, short_path

BEAT = 0.01  # seconds
LIMIT = 0.1  # seconds that the loop may be held without a word
PATIENCE = 2.0  # seconds after which a loop that is still held is told of
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
        return location_of(stack[: len(stack) - self._depth + 1], handlers_of(self.apps))


class CodeLocation(NamedTuple):
    """A place in running code: the handler, the line of the application, and the package's function called there."""

    handler: str | None
    file: str
    line: int
    function: str
    called: str | None


def log_hold(location: CodeLocation, seconds: float, *, so_far: bool = False) -> None:
    """Write the log record of a held loop."""
    who = location.handler or location.function
    try:
        source = linecache.getline(location.file, location.line).strip()
    except KeyError:  # the loop's thread is just emptying the cache
        source = ""
    called = f" (in {location.called})" if location.called else ""
    where = f"{short_path(location.file)}:{location.line}: {source}{called}"
    _log.warning(
        "%s held the event loop for %.0f ms%s, at %s",
        who,
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


def location_of(stack: list[FrameType], handlers: dict[CodeType, str]) -> CodeLocation:
    """The location of a stack, whose innermost frame is the first."""
    handler = next((handlers[frame.f_code] for frame in stack if frame.f_code in handlers), None)
    codes = [frame.f_code for frame in stack]
    at = next((at for at, code in enumerate(codes) if code in handlers or is_application_code(code.co_filename)), 0)
    frame, called = stack[at], stack[:at][-1:]
    return CodeLocation(
        handler,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_code.co_qualname,
        name_of(called[0]) if called else None,
    )


def name_of(frame: FrameType) -> str:
    """The name of a frame's function, with its module."""
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def handlers_of(apps: list[App]) -> dict[CodeType, str]:
    """The names of all handlers, by their code."""
    found = {}
    for app in apps:
        for route in routes(app):
            code = getattr(inspect.unwrap(route.handler), "__code__", None)
            if code is not None:
                found[code] = f"{type(route.owner).__name__}.{route.name.rpartition('.')[2]}"
    return found
