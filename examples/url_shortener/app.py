"""A URL shortener: a typed API with its explorer, a page that speaks to it, redirects that are counted."""

import re
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import MaxLen

from addresses import HOSTS, faults_of_url
from database import count_click, create_tables, query
from micropie import App, Controller, Fault, HTTPError, InvalidInput, Resource, after_reply, methods, routes, url_for
from micropie.auth import BearerAuth
from micropie.middleware import RateLimitMiddleware, SecurityHeadersMiddleware, TrustedHostMiddleware, client_address
from micropie.openapi import Docs, unlisted
from micropie.static import StaticFiles

HERE = Path(__file__).parent
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'"
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


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
            SecurityHeadersMiddleware(csp=POLICY),
            RateLimitMiddleware("10/minute", "100/day", key=who_makes, name="links"),
        ]

    def _template_context(self):
        return {"site": self}

    async def _on_error(self, error):
        """A page of ours for browsers; what others get is the framework's."""
        if isinstance(error, HTTPError) and "text/html" in self.request.header("accept", ""):
            page = await self._render_template("error.html", error=error, phrase=HTTPStatus(error.status).phrase)
            return error.status, page, {"Vary": "Accept"}
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
