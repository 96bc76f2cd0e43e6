"""A small application that tells what of MicroPie is in its process's memory."""

import gc
import os
import sysconfig
import tracemalloc
from collections import Counter
from pathlib import Path
from types import CodeType

import micropie
from micropie import App, ConnectionClosed

DEPTH = 8  # frames that are kept of each allocation
OURS = str(Path(micropie.__file__).parent) + os.sep
STANDARD = sysconfig.get_path("stdlib") + os.sep
PACKAGES = sysconfig.get_path("purelib") + os.sep


def code_of(thing) -> CodeType | None:
    """Return the code of a coroutine, a generator, a frame or a function."""
    names = ("cr_code", "gi_code", "ag_code", "f_code", "__code__")
    return next((code for name in names if isinstance(code := getattr(thing, name, None), CodeType)), None)


def kind_of(thing) -> str | None:
    """Return what an object is called, if it is of MicroPie: of one of its classes, or running its code."""
    kind = type(thing)
    if str(kind.__module__).partition(".")[0] == "micropie":
        return kind.__name__
    if kind.__name__ in {"coroutine", "generator", "async_generator", "frame", "function"}:
        code = code_of(thing)
        return f"{kind.__name__} {code.co_name}" if code and code.co_filename.startswith(OURS) else None
    return None


def owner_of(trace: tracemalloc.Trace) -> str:
    """Return who asked for memory: the last frame that is not of the standard library."""
    for frame in reversed(trace.traceback):
        if frame.filename.startswith(OURS):
            return "micropie"
        if frame.filename.startswith(PACKAGES):
            return "server"
        if not frame.filename.startswith((STANDARD, "<")):
            return "application"
    return "server"


class Census(App):
    async def index(self):
        return "Hello"

    async def echo(self):
        return self.request.json()

    async def visits(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    async def ws_chat(self, ws):
        await ws.accept()
        try:
            while True:
                await ws.send_text(await ws.receive_text())
        except ConnectionClosed:
            pass

    async def objects(self):
        gc.collect()
        found = gc.get_objects()
        # What makes this reply is there each time.
        count = Counter(filter(None, map(kind_of, found)))
        scopes = sum(type(thing) is dict and "asgi" in thing and "path" in thing for thing in found)
        return {"objects": dict(count), "scopes": scopes}

    async def trace(self):
        tracemalloc.start(DEPTH)
        return {}

    async def bytes(self):
        gc.collect()
        sizes = Counter()
        for trace in tracemalloc.take_snapshot().traces:
            sizes[owner_of(trace)] += trace.size
        return dict(sizes)


app = Census()
