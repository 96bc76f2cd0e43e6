"""A URL shortener: a typed API with its explorer, a page that speaks to it, redirects that are counted."""

import os
import re
import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import MaxLen

from micropie import (
    App,
    Controller,
    Fault,
    HTTPError,
    InvalidInput,
    Resource,
    after_reply,
    ascii_host,
    methods,
    routes,
    url_for,
)
from micropie.auth import BearerAuth
from micropie.middleware import (
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
    client_address,
)
from micropie.openapi import Docs, unlisted
from micropie.static import StaticFiles

HERE = Path(__file__).parent
DATABASE = HERE / "links.db"
HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()  # the names that this site answers to
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'"
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def query(sql, *values):
    """The rows of a statement, which is a transaction of its own."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(sql, values).fetchall()


def create_tables():
    """Begin with none."""
    query(
        "CREATE TABLE IF NOT EXISTS links (name TEXT PRIMARY KEY, url TEXT, key TEXT,"
        " clicks INTEGER NOT NULL DEFAULT 0, last_click REAL) WITHOUT ROWID"
    )


def count_click(name):
    """Called when the visitor is on the way already; the database adds, so that none is lost."""
    query("UPDATE links SET clicks = clicks + 1, last_click = ? WHERE name = ?", time.time(), name)


def digest(key):
    """What is stored of a key: who reads the database can't use it."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


Key = Annotated[str, BearerAuth(digest, name="key")]


@dataclass
class Draft:
    """A link to be made."""

    url: Annotated[str, MaxLen(2000)]
    name: str = ""


@dataclass
class Link:
    """A link, as who made it sees it."""

    name: str
    short: str
    url: str
    clicks: int = 0
    last_click: datetime | None = None


@dataclass(kw_only=True)
class NewLink(Link):
    """A link, and the key that it is asked for and deleted with."""

    key: str


class NameTakenError(HTTPError):
    """Somebody has, or had, that name."""

    status = 409
    title = "Name taken"


class Links(Resource):
    """Short links."""

    async def post(self, draft: Draft) -> tuple[Literal[201], NewLink]:
        """Make a link.

        201: The link, and its key, which is never shown again.
        NameTakenError: Somebody has that name, or had it.
        """
        faults = [*faults_of_url(draft.url), *faults_of_name(draft.name)]
        if faults:
            raise InvalidInput(faults)
        name, key = draft.name or "".join(secrets.choice(ALPHABET) for _ in range(7)), secrets.token_urlsafe()
        try:
            query("INSERT INTO links (name, url, key) VALUES (?, ?, ?)", name, draft.url, digest(key))
        except sqlite3.IntegrityError:
            raise NameTakenError from None
        return 201, NewLink(name, short(name), draft.url, key=key)

    async def get(self, name: str, key: Key) -> Link:
        """How often a link was followed.

        404: There is no such link with that key.
        """
        for link in query("SELECT * FROM links WHERE name = ? AND key = ? AND url IS NOT NULL", name, key):
            last = link["last_click"] and datetime.fromtimestamp(int(link["last_click"]), UTC)
            return Link(name, short(name), link["url"], link["clicks"], last)
        raise HTTPError(404)

    async def delete(self, name: str, key: Key) -> None:
        """Delete a link. Its name stays taken: old mails must not lead to somebody else's page.

        404: There is no such link with that key.
        """
        if not query("UPDATE links SET url = NULL WHERE name = ? AND key = ? AND url NOTNULL RETURNING 1", name, key):
            raise HTTPError(404)


class Api(Controller):
    """``/api``."""

    links = Links()


class Shortener(App):
    """Short links."""

    api = Api()
    docs = Docs(title="URL shortener", version="1.0")
    static = StaticFiles(HERE / "static")

    def __init__(self):
        create_tables()
        super().__init__(templates=HERE / "templates", max_body_size=16 * 1024, surplus_path_status=404)
        self.middlewares += [
            TrustedHostMiddleware(HOSTS),
            RateLimitMiddleware("20/second"),
            RateLimitMiddleware("10/minute", "100/day", key=who_makes, name="links"),
            SecurityHeadersMiddleware(csp=POLICY),
        ]

    def _template_context(self):
        return {"site": self}

    async def _on_error(self, error):
        """A page of ours for browsers; what others get is the framework's."""
        if isinstance(error, HTTPError) and "text/html" in self.request.header("accept", ""):
            return error.status, await self._render_template(
                "error.html", error=error, phrase=HTTPStatus(error.status).phrase
            )
        return None

    @unlisted
    @methods("GET")
    async def index(self, name: str = ""):
        """The page at ``/``, where a link leads at ``/name``, and at ``/name+`` where it would."""
        if not name:
            return await self._render_template("index.html")
        wants_to_know = name.endswith("+")
        for link in query("SELECT * FROM links WHERE name = ?", name.removesuffix("+")):
            if link["url"] is None:
                raise HTTPError(410, "This link was deleted")
            if wants_to_know:
                return await self._render_template("preview.html", link=link)
            if self.request.method == "GET":  # HEAD comes here, too
                after_reply(count_click, name)
            return self._redirect(link["url"], [("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")])
        raise HTTPError(404, "There is no such link")


def short(name):
    """The address of a link."""
    return url_for(app.index, name, external=True)


def faults_of_url(url):
    """What is wrong with where a link is to lead; it is never fetched."""
    try:
        parts = urlsplit(url)
        host, is_web = ascii_host(parts.hostname or ""), parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        host, is_web = "", False
    if (
        not is_web
        or not re.fullmatch(r"[a-z0-9.:-]+", host)
        or re.search(r"[\s\\\x00-\x1f\x7f-\x9f\ud800-\udfff]", url)
    ):
        yield Fault("body", "url", "expected an address that begins with https:// or http://")
    elif "@" in parts.netloc:
        yield Fault("body", "url", "has a user name, by which it could look like another site's")
    elif host.rstrip(".") in HOSTS:
        yield Fault("body", "url", "leads to this site")


def faults_of_name(name):
    """What is wrong with a name that somebody wishes; the first segments of our own paths are not to be had."""
    if name and not re.fullmatch("[a-z0-9]{3,30}", name):
        yield Fault("body", "name", "expected 3 to 30 small letters and digits")
    elif name and name in {route.path.split("/")[1] for route in routes(app)}:
        yield Fault("body", "name", "is used by this site")


def who_makes(request):
    """Whose links are counted."""
    return client_address(request) if request.scope["endpoint"] == Shortener.api.links.post else None


app = Shortener()
