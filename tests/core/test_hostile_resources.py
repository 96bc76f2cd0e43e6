"""Bounds: whatever is sent and however often, memory, descriptors and work stay within them."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import time
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import pytest

from micropie import App, HttpMiddleware, InMemorySessionBackend
from tests.client import http, run
from tests.wire import wire

MiB = 1 << 20


def in_a_process_of_its_own(program, *, seconds=60):
    """Run a program with our import path, and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


PRELUDE = '''
import asyncio, os, resource, sys
from micropie import App

MiB = 1 << 20
HEAD = b'--b\\r\\nContent-Disposition: form-data; name="%s"; filename="n"\\r\\n\\r\\n'

def peak():
    """The most memory that this process ever had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

def post(app, path, pieces, content_type="multipart/form-data; boundary=b"):
    """Post the pieces, one a message, and give the status and the body."""
    sent = []
    pieces = iter(pieces)

    async def receive():
        await asyncio.sleep(0)
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode()
'''


@pytest.mark.needs("multipart")
@pytest.mark.parametrize(
    "reads",
    [
        "async for chunk in file: seen += len(chunk); await asyncio.sleep(0)",
        "while (chunk := await file['content'].get()) is not None: seen += len(chunk)",
        "await asyncio.sleep(0.05)",
        "await file['content'].get()",
    ],
)
def test_a_large_upload_costs_little_memory(reads):
    """256 MiB pass a slow handler, or one that reads nothing, in less than 16 MiB."""
    status, grown = in_a_process_of_its_own(f"""
        class Site(App):
            async def upload(self, file):
                seen = 0
                {reads}
                return "done"

        def form(size):
            yield HEAD % b"file"
            for _ in range(size // 65536):
                yield b"x" * 65536
            yield b"\\r\\n--b--"

        app = Site()
        post(app, "/upload", form(MiB))  # all is imported and warm
        before = peak()
        print(post(app, "/upload", form(256 * MiB))[0], peak() - before)
    """)
    assert status == "200"
    assert int(grown) < 16 * MiB


@pytest.mark.needs("multipart")
@pytest.mark.parametrize("handler", ["async def index(self)", "def index(self)", "async def index(self, last)"])
def test_many_files_share_memory(handler):
    """What a request keeps in memory while nobody reads is bounded as a whole, not file by file."""
    status, grown = in_a_process_of_its_own(f"""
        class Site(App):
            {handler}:
                return "done"

        def form(files):
            for number in range(files):
                yield HEAD % (b"f%d" % number)
                for _ in range(15):
                    yield os.urandom(65536)
                yield b"\\r\\n"
            yield HEAD % b"last" + b"\\r\\n--b--"

        app = Site()
        post(app, "/", form(2))
        before = peak()
        print(post(app, "/", form(64))[0], peak() - before)
    """)
    assert status == "200"
    assert int(grown) < 16 * MiB


@pytest.mark.needs("multipart")
def test_many_files_share_descriptors():
    """A form of many large files does not take the server's file descriptors, one each."""
    status, opened = in_a_process_of_its_own("""
        class Site(App):
            async def index(self):
                return str(descriptors())

        def form(files):
            for number in range(files):
                yield HEAD % (b"f%d" % number)
                for _ in range(17):
                    yield b"x" * 65536
                yield b"\\r\\n"
            yield b"--b--"

        app = Site()
        before = int(post(app, "/", form(1))[1])
        status, after = post(app, "/", form(64))
        print(status, int(after) - before)
    """)
    assert status == "200"
    assert int(opened) < 16


def test_small_pieces_cost_no_more_than_large_ones():
    """A body of half a MiB in messages of two bytes takes a few MiB, not a hundred times that."""
    status, grown = in_a_process_of_its_own("""
        class Site(App):
            async def index(self):
                return len(self.request.body)

        def pieces(size):
            for number in range(size // 2):
                yield b"%02d" % (number % 100)

        app = Site()
        post(app, "/", pieces(2000), "text/plain")
        before = peak()
        print(post(app, "/", pieces(MiB // 2), "text/plain")[0], peak() - before)
    """)
    assert status == "200"
    assert int(grown) < 4 * MiB


@pytest.mark.needs("multipart")
@pytest.mark.parametrize("handler", ["async def index(self, file, last)", "async def index(self, file)"])
def test_small_pieces_of_a_file_cost_no_more_than_large_ones(handler):
    """What waits for its reader is bounded by what it takes, in memory and in writes to disk, however it is cut."""
    status, grown, writes = in_a_process_of_its_own(f"""
        threads = 0
        to_thread = asyncio.to_thread

        async def counted(*arguments):
            global threads
            threads += 1
            return await to_thread(*arguments)

        asyncio.to_thread = counted

        class Site(App):
            {handler}:
                return "done"

        def form(size):
            yield HEAD % b"file"
            for number in range(size // 2):
                yield b"%02d" % (number % 100)
            yield b"\\r\\n" + HEAD % b"last" + b"\\r\\n--b--"

        post(Site(), "/", form(2000))
        before = peak()
        print(post(Site(), "/", form(MiB // 8))[0], peak() - before, threads)
    """)
    assert status == "200"
    assert int(grown) < 4 * MiB
    assert int(writes) < 100


# Growth.


class Site(App):
    async def index(self):
        return "index"

    async def visit(self):
        self.request.session["seen"] = self.request.query("n")
        return "noted"

    async def leave(self):
        self.request.session.clear()
        return "gone"

    async def rotate(self):
        self.request.session["n"] = self.request.query("n")
        self.request.regenerate_session()
        return "rotated"


def grown(app, requests):
    """Give the bytes by which memory has grown after so many requests, once all that is cached is cached."""

    async def serve(number):
        method, path, query, headers = requests(number)
        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": headers}

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            pass

        await app(scope, receive, send)

    async def measure():
        for number in range(500):
            await serve(number)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(500, 2000):
            await serve(number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        return after - before

    tracemalloc.start()
    try:
        return run(measure())
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "requests",
    [
        lambda number: ("GET", f"/{number}", b"", []),
        lambda number: ("GET", f"/a-{number}", b"", []),
        lambda number: (f"M{number}", "/", b"", []),
        lambda number: ("GET", "/", b"a%d=1" % number, []),
        lambda number: ("GET", "/", b"", [(b"x-%d" % number, b"x" * 1000)]),
        lambda number: ("GET", "/", b"", [(b"cookie", b"session_id=%032d" % number)]),
        lambda number: ("GET", "/index/" + "x" * number, b"", []),
        lambda number: ("GET", "/leave", b"", [(b"cookie", b"session_id=%032d" % number)]),
        lambda number: ("GET", f"/{number}", b"", [(b"host", b"h%d" % number)]),
    ],
    ids=["path", "dashed path", "method", "query", "header", "id", "segment", "left id", "host"],
)
def test_nothing_that_a_client_makes_up_is_kept(requests, caplog):
    """Fifteen hundred different requests leave no trace."""
    caplog.set_level("CRITICAL", "micropie")
    assert grown(Site(), requests) < 50_000


def test_routes_that_are_replaced_are_forgotten():
    """Binding another method to the same name again and again keeps the last one only."""
    app: Any = Site()

    def requests(number):
        async def handler(self):
            return number

        app.changing = handler.__get__(app)
        return "GET", "/changing", b"", []

    assert grown(app, requests) < 50_000


class Counting(dict[str, Any]):
    """A dict that counts how often it is asked or walked through."""

    touched = 0

    def __getitem__(self, key):
        self.touched += 1
        return super().__getitem__(key)

    def __iter__(self):
        for key in super().__iter__():
            self.touched += 1
            yield key

    def get(self, key, default=None):
        self.touched += 1
        return super().get(key, default)

    def items(self):
        self.touched += len(self)
        return super().items()

    def values(self):
        self.touched += len(self)
        return super().values()

    def keys(self):
        self.touched += len(self)
        return super().keys()

    def copy(self):
        self.touched += len(self)
        return super().copy()


def test_no_request_pays_for_all_sessions():
    """Among 100,000 sessions, each request looks at a handful."""
    backend = InMemorySessionBackend()

    async def fill():
        for number in range(100_000):
            await backend.save(f"{number:032d}", {"n": number}, 3600)

    run(fill())
    backend.sessions = sessions = Counting(backend.sessions)
    backend.last_access = accesses = Counting(backend.last_access)
    app = Site(backend)
    for number in range(200):
        sessions.touched = accesses.touched = 0
        assert http(app, path="/visit", query="n=1", cookies={"session_id": f"{number:032d}"}).text == "noted"
        assert http(app, path="/visit", query="n=1").text == "noted"
        assert sessions.touched + accesses.touched < 50


def test_expired_sessions_go_sooner_than_new_ones_come():
    """Sessions that nobody asks for again do not pile up."""
    backend = InMemorySessionBackend()

    async def come_and_go():
        for number in range(20_000):
            await backend.save(f"{number:032d}", {"n": number}, 3600)
            backend.last_access[f"{number:032d}"] = 0
        return len(backend.sessions), len(backend.last_access)

    assert max(run(come_and_go())) < 100


def test_deleted_sessions_leave_nothing():
    """Rotating and leaving give the memory back."""
    backend = InMemorySessionBackend()
    app = Site(backend)
    cookie = http(app, path="/visit", query="n=1").cookies["session_id"]
    for number in range(300):
        cookie = http(app, path="/rotate", query=f"n={number}", cookies={"session_id": cookie}).cookies["session_id"]
    assert list(backend.sessions) == list(backend.last_access) == [cookie]
    http(app, path="/leave", cookies={"session_id": cookie})
    assert not backend.sessions
    assert not backend.last_access


PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx\r\n'
TEXT, FILE = PART % b"text", PART % b'file"; filename="a'
UPLOAD = {"headers": [("content-type", "multipart/form-data; boundary=b")], "method": "POST"}


@pytest.mark.parametrize(
    ("path", "request_options"),
    [
        ("/page", {}),
        ("/failing", {}),
        ("/blocking", {}),
        ("/page", {"method": "POST", "body": b"{", "headers": [("content-type", "application/json")]}),
        ("/upload", {**UPLOAD, "body": TEXT + FILE + b"--b--\r\n"}),
        ("/upload", {**UPLOAD, "body": TEXT + b"--b--\r\n"}),
        ("/upload", {**UPLOAD, "body": TEXT + FILE}),
        ("/failing", {**UPLOAD, "body": TEXT + FILE + b"--b--\r\n"}),
    ],
)
def test_a_request_is_freed_when_it_is_over(path, request_options, caplog):
    """With all that its client has sent: who waits for the garbage collector gathers gigabytes."""
    caplog.set_level("CRITICAL", "micropie")  # a record keeps the traceback
    seen = []

    class Site(App):
        async def page(self):
            return "x"

        async def failing(self):
            raise RuntimeError

        def blocking(self):
            raise RuntimeError

        async def upload(self, file):
            return await file.read()

    class Noting(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            seen.append(weakref.ref(request))

    app = Site()
    app.middlewares.append(Noting())
    gc.disable()
    try:
        wire(app, path=path, **request_options)
        for _ in range(100):  # a thread may have to let go of it first
            if seen[0]() is None:
                break
            time.sleep(0.01)
        assert [reference() for reference in seen] == [None]
    finally:
        gc.enable()


def test_requests_that_break_leave_no_descriptor_and_no_cycle():
    """A hundred broken streams and failed handlers later, all is as before."""

    class Broken(App):
        async def raising(self):
            raise RuntimeError

        async def stream(self):
            yield "x"
            raise RuntimeError

        def file(self):
            return Path(__file__).open()

    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0

    app = Broken()

    async def round_trip():
        await asyncio.sleep(0)

    before = descriptors()
    for _ in range(100):
        http(app, path="/raising")
        wire(app, path="/stream", raises=RuntimeError)
        wire(app, path="/file", leave_after=1)
    run(round_trip())
    for _ in range(100):
        if descriptors() <= before:
            break
        run(asyncio.sleep(0.01))
    assert descriptors() <= before
