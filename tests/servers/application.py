"""The application that every server serves: written as a user writes one, from the README."""

import asyncio
import os
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from micropie import RSGI, App, ConnectionClosed, HTTPError, Request, WebSocket, limits

THREADS = 32
ROW, ROWS = 64 << 10, 40


@dataclass
class Move:
    """A step on a board."""

    x: int
    y: int


class Till:
    """What a provider opens, and closes when the reply was sent."""

    @classmethod
    async def __provide__(cls, request: Request) -> AsyncIterator["Till"]:
        key = request.query("key", "nothing")
        app.seen[key] = "open"
        try:
            yield cls()
        except BaseException as error:
            app.seen[key] = type(error).__name__
            raise
        app.seen[key] = "closed"


class Application(App):
    """Handlers leave what only they can see in `seen`, where the tests ask for it through `/seen/KEY`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: dict[str, str] = {}
        self.released: dict[str, threading.Event] = {}
        self.crowd = threading.Barrier(THREADS)

    async def index(self):
        return "Welcome to MicroPie ASGI."

    # What the tests know about the process, and how they hold it and let it go.

    async def pid(self):
        return {"pid": os.getpid()}

    async def look(self, key):
        return self.seen.get(key, "nothing")

    async def release(self, key):
        self._gate(key).set()
        return "released"

    def _gate(self, key: str) -> threading.Event:
        return self.released.setdefault(key, threading.Event())

    # Parameters.

    async def greet(self, name="Guest"):
        return f"Hello, {name}!"

    async def add(self, left, right):
        return {"left": left, "right": right}

    async def segments(self, *args):
        return {"segments": args}

    async def method(self):
        return self.request.method

    async def scope(self):
        scope = self.request.scope
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        scope = {key: value for key, value in scope.items() if key not in {"endpoint", "route"}}
        return {**scope, "query_string": scope["query_string"].decode(), "headers": headers}

    async def path(self):
        return self.request.scope["path"]

    async def pay(self, till: Till, key):
        return self.seen[key]

    async def pay_in_pieces(self, till: Till, key):
        yield self.seen[key]
        yield f" {self.seen[key]}"

    async def pay_for_ever(self, till: Till, key):
        while True:
            yield "pie " * 1000
            await asyncio.sleep(0.01)

    async def ws_pay(self, ws, till: Till, key):
        await ws.accept()
        while True:
            await ws.send_text(f"{self.seen[key]} {await ws.receive_text()}")

    async def state(self):
        state = self.request.state
        state.asked = getattr(state, "asked", 0) + 1
        return vars(state)

    async def asked(self):
        return self.request.headers["x-asked"]

    async def visitor(self):
        scope = self.request.scope
        names = ("host", "x-forwarded-for", "x-request-id")
        headers = {name: self.request.headers.get(name) for name in names}
        return {key: scope[key] for key in ("scheme", "client", "root_path")} | headers

    # Bodies.

    async def submit(self, username="Anonymous"):
        return f"Form submitted by: {username}"

    async def catch_all(self):
        username = self.request.body_params.get("username", ["Anonymous"])[0]
        return f"Submitted by: {username}"

    async def mirror(self):
        return {"json": self.request.get_json}

    # Replies.

    async def teapot(self):
        return 418, "short and stout", [("X-Pot", "tea")]

    async def nothing(self):
        return None

    async def picture(self):
        return 200, bytes(range(256)), [("Content-Type", "image/x-test")]

    async def broken(self):
        raise RuntimeError("the password is hunter2")

    async def go(self, to):
        return self._redirect(to)

    async def tag(self, value):
        return 200, "tagged", [("X-Tag", value)]

    # Uploads.

    async def upload(self, title, document):
        size, last = 0, b""
        while (chunk := await document["content"].get()) is not None:
            size, last = size + len(chunk), (last + chunk)[-8:]
        return {
            "title": title,
            "filename": document["filename"],
            "type": document["content_type"],
            "size": size,
            "last": last.decode(),
        }

    async def unread(self, document):
        return f"did not read {document['filename']}"

    async def watched(self, key, document):
        self.seen[key] = "reading"
        try:
            while await document["content"].get() is not None:
                pass
        except Exception as error:
            self.seen[key] = type(error).__name__
            raise
        self.seen[key] = "whole"
        return "whole"

    # Streams.

    async def count(self):
        async def numbers() -> AsyncIterator[str]:
            for number in range(1, 6):
                yield f"Chunk {number}\n"

        return numbers()

    async def parts(self, key):
        async def two() -> AsyncIterator[str]:
            yield "first\n"
            while not self._gate(key).is_set():  # noqa: ASYNC110 - the gate belongs to threads
                await asyncio.sleep(0.01)
            yield "second\n"

        return two()

    def sync_parts(self, key):
        def two() -> Iterator[bytes]:
            yield b"first\n"
            yield b"second\n" if self._gate(key).wait(10) else b"the loop was held up\n"

        return two()

    async def events(self, key):
        async def ticks() -> AsyncIterator[str]:
            try:
                while True:
                    yield "data: tick\n\n"
                    await asyncio.sleep(0.02)
            finally:
                self.seen[key] = "closed"

        return 200, ticks(), [("Content-Type", "text/event-stream")]

    async def ask_for_event(self, key):
        self.seen[key] = str(int(self.seen.get(key, "0")) + 1)
        return "asked"

    async def answered_events(self, key):
        async def answers() -> AsyncIterator[str]:
            for number in range(1, 6):
                while self.seen.get(key) != str(number):  # noqa: ASYNC110 - as plain as a test may be
                    await asyncio.sleep(0.01)
                yield f"data: {time.monotonic()}\n\n"

        return 200, answers(), [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]

    async def idle_events(self, key):
        async def once() -> AsyncIterator[str]:
            try:
                yield "data: only\n\n"
                await asyncio.Event().wait()
            finally:
                self.seen[key] = "closed"

        return 200, once(), [("Content-Type", "text/event-stream")]

    def sync_events(self, key):
        def ticks() -> Iterator[str]:
            try:
                while True:
                    yield "data: tick\n\n"
                    time.sleep(0.02)
            finally:
                self.seen[key] = "closed"

        return 200, ticks(), [("Content-Type", "text/event-stream")]

    def rows(self):
        """More than sockets hold, from a database that refuses any other thread than its own."""
        database = sqlite3.connect(":memory:")
        database.executescript("create table t (n integer)")
        database.executemany("insert into t values (?)", ((number,) for number in range(ROWS)))
        try:
            for (number,) in database.execute("select n from t"):
                yield str(number).ljust(ROW)
        finally:
            database.close()

    def together(self):
        """Waits until as many are in it as there are threads."""
        self.crowd.wait(10)
        return "all here"

    async def cut(self):
        async def half() -> AsyncIterator[str]:
            yield "half"
            raise RuntimeError("the password is hunter2")

        return half()

    async def cut_short(self):
        async def half() -> AsyncIterator[str]:
            yield "half"
            raise RuntimeError("the password is hunter2")

        return 200, half(), [("Content-Length", "9")]

    # Time.

    def hold(self, key):
        """Blocks its thread until `/release/KEY`, which can be answered only while the loop is free."""
        self.seen[key] = "held"
        return "let go" if self._gate(key).wait(10) else "the loop was held up"

    async def nap(self, key):
        self.seen[key] = "asleep"
        print(f"{key} is asleep", flush=True)  # noqa: T201 - where several processes serve, only the log tells
        await asyncio.sleep(0.5)
        return f"{key} slept well"

    async def work(self, key):
        self.seen[key] = "at work"
        try:
            await asyncio.sleep(2)
            self.seen[key] = "done"
        except asyncio.CancelledError:
            self.seen[key] = "cancelled"
            raise

    # Sessions.

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return f"You have visited {self.request.session['visits']} times."

    async def leave(self):
        self.request.session.clear()
        return "Goodbye."

    # WebSockets.

    async def ws_echo(self, ws):
        await ws.accept()
        while True:
            await ws.send_text(await ws.receive_text())

    async def ws_echo_bytes(self, ws):
        await ws.accept()
        while True:
            await ws.send_bytes(await ws.receive_bytes())

    async def ws_echo_json(self, ws):
        await ws.accept()
        while True:
            await ws.send_json(await ws.receive_json())

    async def ws_echo_any(self, ws):
        await ws.accept()
        async for message in ws:
            await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))

    async def ws_greet(self, ws, name, greeting="Hello"):
        await ws.accept()
        await ws.send_text(f"{greeting}, {name}!")

    async def ws_negotiate(self, ws):
        offered = self.request.scope["subprotocols"]
        await ws.accept(subprotocol="chat.v2" if "chat.v2" in offered else None)
        await ws.send_json(offered)

    async def ws_watched(self, ws, key):
        await ws.accept()
        self.seen[key] = "open"
        await self._watch(ws, key)

    async def _watch(self, ws: WebSocket, key: str) -> None:
        try:
            while True:
                await ws.receive_text()
        except ConnectionClosed as closed:
            self.seen[key] = f"closed with {closed.code}"

    async def ws_ticks(self, ws, key, pause: float = 0.02):
        """Only sends; without a pause it is up to the server when others get their turn."""
        await ws.accept()
        self._count(key, 1)
        try:
            while True:
                await ws.send_text("tick")
                if pause:
                    await asyncio.sleep(pause)
        finally:
            self._count(key, -1)

    def _count(self, key: str, change: int) -> None:
        self.seen[key] = str(int(self.seen.get(key, "0")) + change)

    async def ws_waits(self, ws, key, way="queue"):
        """Waits for what never comes, and cleans up in its time."""
        await ws.accept()
        self._count(key, 1)
        try:
            if way == "queue":
                await asyncio.Queue().get()
            elif way == "shield":
                await asyncio.shield(asyncio.Event().wait())
            elif way == "group":
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(asyncio.Event().wait())
            else:
                for _ in range(10_000):
                    await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0.05)
            self._count(key, -1)

    @limits(max_message_size=100)
    async def ws_short(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send(message)

    @limits(idle_timeout=0.3)
    async def ws_idle(self, ws, key):
        await ws.accept()
        try:
            async for message in ws:
                await ws.send(message)
        finally:
            self.seen[key] = f"closed with {ws.close_code} {ws.close_reason}"

    async def ws_moves(self, ws):
        await ws.accept(headers={"X-Game": "chess"})
        async for move in ws.messages(Move):
            await ws.send(Move(move.x + 1, move.y))

    async def ws_login(self, ws):
        raise HTTPError(401, "Who are you?", {"WWW-Authenticate": "Basic"})

    async def ws_slow_down(self, ws):
        raise HTTPError(429)

    async def ws_forbid(self, ws):
        await ws.accept()
        raise HTTPError(403, "not you")

    async def ws_insist(self, ws):
        await ws.accept(subprotocol="chat.v9")

    async def ws_bye(self, ws):
        await ws.accept()
        await ws.close(4001, "that was all")

    async def ws_dismiss(self, ws):
        await ws.accept()
        await ws.close(1008, "not you")

    async def ws_broken(self, ws):
        await ws.accept()
        raise RuntimeError("the password is hunter2")

    async def ws_state(self, ws):
        state = self.request.state
        state.asked = getattr(state, "asked", 0) + 1
        await ws.accept()
        await ws.send_json(vars(state))

    async def ws_refuse(self, ws):
        await ws.close(1008, "not you")

    async def ws_visit(self, ws):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        await ws.accept(session_id=ws.session_id)
        await ws.send_text(f"You have visited {self.request.session['visits']} times.")


async def open_shop(state):
    state["shelves"] = ["pies"]
    state["asked"] = 0
    if os.environ.get("SHOP") == "burnt down":
        raise RuntimeError("no shop to open")
    if os.environ.get("SHOP") == "let":
        sys.exit("no shop to open")
    app.seen["shop"] = "open"
    print("the shop is open", flush=True)  # noqa: T201 - as the README's handlers do


async def keep_till():
    print("the till is open", flush=True)  # noqa: T201 - as the README's handlers do
    yield
    print("the till is closed", flush=True)  # noqa: T201 - as the README's handlers do


async def close_shop():
    print("the shop is closed", flush=True)  # noqa: T201 - as the README's handlers do


app = Application(body_timeout=1, max_body_size=1024 * 1024, sync_threads=THREADS)
app.startup_handlers.extend([open_shop, keep_till])
app.shutdown_handlers.append(close_shop)
rsgi_app = RSGI(app)
