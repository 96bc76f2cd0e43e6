"""A pie shop's wall: templates, sessions, uploads, live events, a chat, a JSON API and middleware, together."""

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from micropie import App, ConnectionClosed, HTTPError, HttpMiddleware
from micropie.sessions import SQLiteSessionBackend
from micropie.static import StaticFiles

HERE = Path(__file__).parent
KINDS = ("apple", "cherry", "peach", "blueberry")
LONGEST_NAME, LONGEST_MESSAGE, ON_THE_WALL = 30, 280, 30
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class Headers(HttpMiddleware):
    """Adds the time that a reply took, and what browsers should refuse on our pages."""

    async def before_request(self, request):
        request.started = time.perf_counter()

    async def after_request(self, request, status_code, response_body, extra_headers):
        extra_headers += [("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff")]
        started = getattr(request, "started", None)  # a broken body is refused before the first hook
        if started is not None:
            extra_headers.append(("Server-Timing", f"app;dur={(time.perf_counter() - started) * 1000:.2f}"))


class ErrorPages(HttpMiddleware):
    """Shows browsers a page for what is not there; programs get the plain text."""

    def __init__(self, app):
        self._app = app

    async def after_request(self, request, status_code, response_body, extra_headers):
        if status_code != 404 or "text/html" not in request.headers.get("accept", ""):
            return None
        return {"body": await self._app._render_template("missing.html")}


class Wall(App):
    """The shop: visitors sign the wall, watch it live, chat, and have their files weighed."""

    static = StaticFiles(HERE / "static")

    def __init__(self):
        super().__init__(
            SQLiteSessionBackend(HERE / "sessions.db"),
            templates=HERE / "templates",
            max_upload_size=64 * 1024 * 1024,
            surplus_path_status=404,
        )
        self.startup_handlers.append(self._open)
        self.shutdown_handlers.append(self._close)
        self.middlewares += [Headers(), ErrorPages(self)]
        self._db = None
        self._room = set()

    async def _open(self):
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("CREATE TABLE pies (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, message TEXT, at TEXT)")
        self._add("The baker", "apple", "The oven is warm. Leave a pie on the wall!")

    async def _close(self):
        self._db.close()
        self._db = None

    # Pages

    async def index(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return await self._page({}, {})

    async def sign(self):
        """Put a pie on the wall, or show the form again with what is wrong."""
        self._only("POST")
        typed = {part: self.request.form(part, "").strip() for part in ("name", "kind", "message")}
        wrong = check(typed)
        if wrong:
            return 422, await self._page(typed, wrong)
        self.request.session["name"] = typed["name"]
        self._add(**typed)
        return self._redirect("/#wall", status=303)  # so that a reload signs nothing twice

    async def leave(self):
        self._only("POST")
        self.request.session.clear()
        return self._redirect("/", status=303)

    async def _page(self, typed, wrong):
        session = self.request.session
        return await self._render_template(
            "wall.html",
            kinds=KINDS,
            pies=self._pies(),
            typed={"name": session.get("name", ""), "kind": "apple", **typed},
            wrong=wrong,
            visits=session.get("visits", 0),
            visitor=session.get("name"),
            host=self.request.headers.get("host", "127.0.0.1"),
        )

    def _template_context(self):
        return {"site": self}

    # For programs

    async def api(self, what, number=None):
        """Answer ``GET /api/pies``, ``GET /api/pies/7`` and ``POST /api/pies``."""
        if what != "pies":
            raise HTTPError(404)
        if number is not None:
            self._only("GET")
            return self._pie(number)
        self._only("GET", "POST")
        return self._pies() if self.request.method == "GET" else self._add_from_json()

    def _add_from_json(self):
        given = {part: self.request.json(part, "") for part in ("name", "kind", "message")}
        if any(not isinstance(value, str) for value in given.values()):
            raise HTTPError(400, "name, kind and message are strings")
        given = {part: value.strip() for part, value in given.items()}
        wrong = check(given)
        if wrong:
            return 422, {"wrong": wrong}
        pie = self._add(**given)
        return 201, pie, [("Location", f"/api/pies/{pie['id']}")]

    # Files, ovens, and what is live

    async def weigh(self, file):
        """Weigh a file while it arrives; nothing of it is kept."""
        self._only("POST")
        if isinstance(file, str):
            raise HTTPError(400, "Send a multipart form with a file")
        digest, size = hashlib.sha256(), 0
        async for chunk in file:
            digest.update(chunk)
            size += len(chunk)
        return {"filename": file["filename"], "bytes": size, "sha256": digest.hexdigest()}

    def bake(self, kind="apple"):
        """Block for a second in a worker thread: the clock on the page ticks on."""
        self._only("POST")
        if kind not in KINDS:
            raise HTTPError(400, "We have no such pie")
        time.sleep(1)
        return {"baked": f"{kind} pie", "minutes": 45}

    async def live(self):
        """Send the time, the pies on the wall and the people in the chat, every second."""
        return 200, self._ticks(), [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")]

    async def _ticks(self):
        # The browser left, or the server stops: an end like any other for a stream that has none of its own.
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                pies = self._db.execute("SELECT count(*) FROM pies").fetchone()[0]
                news = {"time": f"{datetime.now(UTC):%H:%M:%S}", "pies": pies, "chatting": len(self._room)}
                yield f"data: {json.dumps(news)}\n\n"
                await asyncio.sleep(1)

    async def ws_chat(self, ws):
        """Pass each message on to everybody in the room, under the name that the visitor signed with."""
        name = self.request.session.get("name", "A guest")
        await ws.accept()
        self._room.add(ws)
        try:
            async for text in ws:
                if isinstance(text, str) and text.strip():
                    await self._say({"name": name, "text": text.strip()[:LONGEST_MESSAGE]})
        finally:
            self._room.discard(ws)

    async def _say(self, message):
        for ws in list(self._room):
            # Somebody may have left a moment ago; their own handler takes them out of the room.
            with contextlib.suppress(ConnectionClosed, RuntimeError):
                await ws.send_json(message)

    # Below the counter

    def _only(self, *methods):
        if self.request.method not in methods:
            raise HTTPError(405, headers=[("Allow", ", ".join(methods))])

    def _pies(self):
        found = self._db.execute("SELECT * FROM pies ORDER BY id DESC LIMIT ?", (ON_THE_WALL,))
        return [dict(row) for row in found]

    def _pie(self, number):
        for pie in self._pies():
            if str(pie["id"]) == number:
                return pie
        raise HTTPError(404, "No such pie")

    def _add(self, name, kind, message):
        at = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
        values = {"name": name, "kind": kind, "message": message, "at": at}
        number = self._db.execute("INSERT INTO pies VALUES (NULL, :name, :kind, :message, :at)", values).lastrowid
        self._db.execute("DELETE FROM pies WHERE id <= ?", (number - 10 * ON_THE_WALL,))
        return {"id": number, **values}


def check(pie):
    """Return what is wrong with a pie, by field; nothing, if it may hang on the wall."""
    wrong = {}
    if not 0 < len(pie["name"]) <= LONGEST_NAME:
        wrong["name"] = f"A name has 1 to {LONGEST_NAME} characters."
    if pie["kind"] not in KINDS:
        wrong["kind"] = "Choose a pie that we have."
    if not 0 < len(pie["message"]) <= LONGEST_MESSAGE:
        wrong["message"] = f"A message has 1 to {LONGEST_MESSAGE} characters."
    return wrong


app = Wall()
