"""The start, held by counting: what `import micropie` and an application import, and what is left for requests."""

import json
import subprocess
import sys

import pytest

import micropie
from micropie.core import late

BEFORE = """
import asyncio
import json
import sys
import typing  # from Python 3.14 on, asyncio does without

known = set(sys.modules)


def imported():
    global known
    found, known = sorted(set(sys.modules) - known), set(sys.modules)
    return found


async def receive():
    return {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request", "body": b""}


async def send(message):
    pass


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class It:
    @classmethod
    def __provide__(cls, request):
        return cls()


"""

AFTER = """

app = Root()
at_start = imported()
scope = {{"method": "GET", "query_string": b"", "headers": [], "root_path": "", "type": {kind!r}, "path": {path!r}}}
asyncio.run(app(scope, receive, send))
print(json.dumps([at_start, imported()]))
"""

UNTYPED = """
async def index(self):
    return "Hello"

async def greet(self, name="you", *, loud=False):
    return {"hello": name}
"""

NEEDS_MORE = ("conversion", "websockets", "handlers.annotations", "requests.multipart", "replies.streaming", "run")


def modules_of(handlers, names="App", kind="http", path="/"):
    """Give what an application imports until it is made, and what its first request imports."""
    body = handlers.strip().replace("\n", "\n    ")
    script = f"{BEFORE}from micropie import {names}\n\nclass Root(App):\n    {body}{AFTER.format(kind=kind, path=path)}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(ran.stdout)


def ours(modules):
    """Give the modules of the core among these, by their short names."""
    return [name.removeprefix("micropie.core.") for name in modules if name.startswith("micropie.core.")]


def test_an_untyped_application_imports_little():
    """It takes two thirds of the core, and of the standard library no more than asyncio, json and typing do."""
    at_start, by_request = modules_of(UNTYPED)
    assert len(ours(at_start)) <= 60
    assert [name for name in ours(at_start) if name.startswith(NEEDS_MORE)] == []
    assert [name for name in at_start if name.partition(".")[0] != "micropie"] == []
    assert ours(by_request) == []


SHOWN = {
    "typed": ["async def index(self, number: int = 1) -> dict[str, int]:\n    return {'number': number}"],
    "stream": ["def index(self):\n    yield 'a'"],
    "async stream": ["async def index(self):\n    yield 'a'"],
    "provider": ["def index(self, it: It):\n    return 'a'"],
    "mount": ["files = Mount(answer)", "App, Mount", "http", "/files"],
    "WebSocket": ["async def ws_index(self, ws):\n    await ws.accept()", "App", "websocket"],
    "upload": ["def index(self, file: UploadedFile | None = None):\n    return 'a'", "App, UploadedFile"],
}
"""A handler that shows what it needs, the names that it takes, and what it is asked by."""


@pytest.mark.parametrize("case", SHOWN.values(), ids=SHOWN)
def test_no_request_waits_for_an_import_that_the_handlers_show(case):
    """What they will surely need is imported when the application is made."""
    _, by_request = modules_of(*case)
    assert ours(by_request) == []


def test_all_names_can_be_imported():
    """`from micropie import *` brings each name of `__all__`, imported by then or not."""
    script = "from micropie import *\nimport micropie\nprint(sorted(set(micropie.__all__) - set(dir())))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"


def test_dir_shows_all_names():
    """Those too that nobody has asked for yet."""
    assert set(dir(micropie)) > set(micropie.__all__)


def test_a_name_that_is_not_late_is_refused():
    """The core's late names are those of its table, and no others; type checkers refuse them too."""
    with pytest.raises(AttributeError, match=r"'micropie\.core\.late' has no attribute 'later'"):
        late.later  # type: ignore[attr-defined]  # noqa: B018
