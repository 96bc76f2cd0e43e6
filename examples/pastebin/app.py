"""A pastebin: texts that expire, highlighted for browsers, plain for programs."""

import os
import secrets
import sqlite3
import time
from asyncio import create_task, sleep, to_thread
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MaxLen

from highlighting import LANGUAGES, coloured
from micropie import App, Faults, HTTPError, InvalidInput, Resource, flash, methods, url_for
from micropie.middleware import CSRFMiddleware, RateLimitMiddleware, SecurityHeadersMiddleware, client_address
from micropie.sessions import SignedCookieSessionBackend
from micropie.static import StaticFiles

HERE = Path(__file__).parent
DATABASE = HERE / "pastes.db"
SECRET = os.environ.get("SECRET") or secrets.token_hex(32)  # without one, a restart makes every paste a stranger's
POLICY = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'"
LIVES = {"hour": 3600, "day": 24 * 3600, "week": 7 * 24 * 3600, "month": 30 * 24 * 3600}
LONGEST = 200_000  # characters
MOST = 20_000  # pastes at a time
REMEMBERED = 20  # pastes in a visitor's cookie
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"

Text = Annotated[str, MaxLen(LONGEST)]


def query(sql, *values):
    """The rows of a statement, which is a transaction of its own."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(sql, values).fetchall()


def create_tables():
    """Begin with none."""
    query(
        "CREATE TABLE IF NOT EXISTS pastes"
        " (id TEXT PRIMARY KEY, text TEXT, language TEXT, expires REAL, once INTEGER) WITHOUT ROWID"
    )


def find(id):
    """A paste that has not expired, whether or not it was deleted yet; else 404."""
    for paste in query("SELECT * FROM pastes WHERE id = ? AND expires > ?", id, time.time()):
        return paste
    raise HTTPError(404, "There is no such paste, or no more")


class Pastes(Resource):
    """``/p``."""

    async def post(
        self,
        faults: Faults,
        text: Text,
        language: Literal[tuple(LANGUAGES)] = "text",
        life: Literal[tuple(LIVES)] = "day",
        once: bool = False,
    ):
        """Keep a text. A browser is sent to it, a program is told where it is."""
        text = (text or "").replace("\r\n", "\n")
        if "text" not in faults and not text.strip():
            faults.add("text", "is empty")
        if faults and not self._is_browser():
            raise InvalidInput(faults)
        if faults:
            return 422, await self._render_template("new.html", faults=faults)
        if query("SELECT count(*) FROM pastes")[0][0] >= MOST:
            raise HTTPError(503, "All shelves are full", [("Retry-After", "3600")])
        key = "".join(secrets.choice(ALPHABET) for _ in range(16))  # 80 bits: nobody finds one by trying
        query("INSERT INTO pastes VALUES (?, ?, ?, ?, ?)", key, text, language, time.time() + LIVES[life], once)
        session = self.request.session
        session["mine"] = [*session.get("mine", []), key][-REMEMBERED:]
        if self._is_browser():
            return self._redirect(url_for(self.get, key), status=303)
        url = url_for(self.get, key, external=True)
        return 201, f"{url}\n", [("Location", url), ("Content-Type", "text/plain; charset=utf-8")]

    async def get(self, id: str):
        """A page for who accepts HTML, the text for all others."""
        paste = find(id)
        if not self._is_browser():
            return await self.raw(id)
        if paste["once"]:
            return await self._render_template("once.html", paste=paste, is_mine=self._is_mine(id))
        return await self._page(paste)

    async def raw(self, id: str):
        """The text, and never as anything that a browser would run."""
        paste = find(id)
        if paste["once"]:
            raise HTTPError(409, f"It can be read once: POST {url_for(self.open, id)}")
        return self._plain(paste)

    @methods("POST")
    async def open(self, id: str):
        """Show a text that can be read once; of two who come at the same time one gets it."""
        find(id)
        for paste in query("DELETE FROM pastes WHERE id = ? AND once RETURNING *", id):
            return await self._page(paste) if self._is_browser() else self._plain(paste)
        raise HTTPError(410, "Somebody has read it")

    @methods("POST")
    async def remove(self, id: str):
        """Delete a paste of one's own."""
        if not self._is_mine(id):
            raise HTTPError(403, "It is not yours")
        query("DELETE FROM pastes WHERE id = ?", id)
        flash(self.request, "It is deleted.")
        return self._redirect("/", status=303)

    def _after(self, reply):
        reply.headers += [("Vary", "Accept"), ("Cache-Control", "private, no-store")]

    def _is_browser(self):
        return "text/html" in self.request.header("accept", "")

    def _is_mine(self, id):
        return id in self.request.session.get("mine", [])

    def _plain(self, paste):
        return 200, paste["text"], [("Content-Type", "text/plain; charset=utf-8")]

    async def _page(self, paste):
        code = await to_thread(coloured, paste["language"], paste["text"])
        return await self._render_template("paste.html", paste=paste, code=code, is_mine=self._is_mine(paste["id"]))


class Pastebin(App):
    """The form at ``/``, and the pastes."""

    p = Pastes()
    static = StaticFiles(HERE / "static")

    def __init__(self):
        create_tables()
        super().__init__(
            SignedCookieSessionBackend(SECRET),
            templates=HERE / "templates",
            max_body_size=6 * LONGEST,  # a character may be six bytes of a form, or more: then it is 413
            session_timeout=LIVES["month"],
            session_lifetime=None,
            session_cookie_max_age=LIVES["month"],
            surplus_path_status=404,
        )
        self.middlewares += [
            CSRFMiddleware(),
            SecurityHeadersMiddleware(
                csp=POLICY, referrer_policy="same-origin"
            ),  # the address is all that guards a paste
            RateLimitMiddleware("10/minute", "100/hour", key=who_writes, name="pastes"),
        ]
        self.startup_handlers.append(self._tidying)

    async def _tidying(self):
        task = create_task(self._tidy_up())
        yield
        task.cancel()

    async def _tidy_up(self):
        while True:
            query("DELETE FROM pastes WHERE expires <= ?", time.time())
            await sleep(60)

    def _template_context(self):
        ids = self.request.session.get("mine", [])
        marks = ",".join("?" * len(ids))
        mine = query(f"SELECT * FROM pastes WHERE id IN ({marks}) AND expires > ?", *ids, time.time())  # noqa: S608
        return {"site": self, "languages": LANGUAGES, "lives": LIVES, "longest": LONGEST, "mine": mine, "left": left}

    async def _on_error(self, error):
        """A page of ours for browsers; what others get is the framework's."""
        if isinstance(error, HTTPError) and "text/html" in self.request.header("accept", ""):
            page = await self._render_template("error.html", error=error, phrase=HTTPStatus(error.status).phrase)
            return error.status, page, {"Vary": "Accept"}
        return None

    async def index(self):
        return await self._render_template("new.html", faults=Faults())


def left(expires):
    """How long a paste has to live, in words."""
    minutes = max(1, round((expires - time.time()) / 60))
    counts = {"day": minutes // (24 * 60), "hour": minutes // 60, "minute": minutes}
    unit = next(unit for unit, count in counts.items() if count)
    return f"{counts[unit]} {unit}{'s' if counts[unit] > 1 else ''}"


def who_writes(request):
    """Whose pastes are counted."""
    return client_address(request) if request.scope["endpoint"] == Pastebin.p.post else None


app = Pastebin()
