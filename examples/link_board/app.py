"""A link board: links with votes and comments, members with pictures, an API for others; on several workers."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Le

from accounts import AVATARS, SHORTEST, Account, Join, KnowMember, Login
from database import DATA, create_tables, query
from links import SHOWN, Id, Links, channels, link_of, page_of_links
from micropie import App, HTTPError, Resource, configuration, flash, methods
from micropie.health import Health
from micropie.middleware import (
    CORSMiddleware,
    CSRFMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
    client_address,
)
from micropie.sessions import SQLiteSessionBackend
from micropie.static import StaticFiles

HERE = Path(__file__).parent
HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()  # the names that this site answers to
SHARED = os.environ.get("REDIS_URL", "memory:")  # where all workers of the site count together
POLICY = "default-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
DAY = 24 * 3600

Order = Literal["hot", "new", "best"]
Page = Annotated[int, Ge(1), Le(100)]


@dataclass
class Link:
    """A link as other sites see it."""

    id: int
    title: str
    url: str
    score: int
    comments: int
    by: str
    at: datetime

    @classmethod
    def of(cls, row):
        """A link of a row."""
        at = datetime.fromtimestamp(int(row["at"]), UTC)
        return cls(row["id"], row["title"], row["url"], row["score"], row["comments"], row["name"], at)


class ApiLinks(Resource):
    """``/api/links``."""

    async def index(self, order: Order = "hot", page: Page = 1) -> list[Link]:
        """A page of links."""
        return [Link.of(row) for row in page_of_links(order, page)]

    async def get(self, id: Id) -> Link:
        """One link."""
        return Link.of(link_of(id))


class Api(App):
    """``/api``: read by the scripts of any site, and without anybody's cookies."""

    links = ApiLinks()

    def __init__(self):
        super().__init__(errors="problem", surplus_path_status=404)
        self.middlewares.append(CORSMiddleware("*", allow_methods=["GET"]))


class LinkBoard(App):
    """The site."""

    channels = channels
    static = StaticFiles(HERE / "static")
    avatars = StaticFiles(AVATARS, max_age=DAY)
    health = Health(database=lambda: query("SELECT 1"))
    join = Join()
    login = Login()
    account = Account()
    links = Links()
    api = Api()

    def __init__(self):
        create_tables()
        super().__init__(
            SQLiteSessionBackend(DATA / "sessions.db"),
            templates=HERE / "templates",
            session_timeout=14 * DAY,
            session_lifetime=90 * DAY,
            max_body_size=32 * 1024,
            max_upload_size=0,  # but for pictures, whose handler says how much
            surplus_path_status=404,
        )
        configuration(self).templates.filters.update(when=when, host=lambda url: urlsplit(url).hostname)
        self.middlewares += [
            TrustedHostMiddleware(HOSTS),
            CSRFMiddleware(),
            RateLimitMiddleware("100/second", "3000/10 minutes", store=SHARED),
            SecurityHeadersMiddleware(csp=POLICY, referrer_policy="same-origin"),
            RateLimitMiddleware("10/minute", "60/hour", key=who_tries, name="passwords", store=SHARED),
            RateLimitMiddleware("30/minute", "500/day", key=who_writes, name="writing", store=SHARED),
            KnowMember(),
        ]

    def _template_context(self):
        return {
            "site": self,
            "me": getattr(self.request.state, "me", None),
            "path": self.request.scope["path"],
            "shortest": SHORTEST,
        }

    async def _on_error(self, error):
        """A page of ours for browsers; what others get is the framework's."""
        if isinstance(error, HTTPError) and "text/html" in self.request.header("accept", ""):
            page = await self._render_template("error.html", error=error, phrase=HTTPStatus(error.status).phrase)
            return error.status, page, {"Vary": "Accept"}
        return None

    async def index(self, *, order: Order = "hot", page: Page = 1):
        rows = page_of_links(order, page, self.request.state.me)
        return await self._render_template("board.html", links=rows, order=order, page=page, is_last=len(rows) < SHOWN)

    async def live(self):
        """Stream the numbers of links as they change."""
        return self.channels.stream("board")

    @methods("POST")
    async def logout(self):
        self.request.session.clear()
        self.request.session.rotate()
        flash(self.request, "You are logged out.")
        return self._redirect("/", status=303)


def when(at):
    """How long ago it was, in words."""
    seconds = max(0, time.time() - at)
    for length, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def who_tries(request):
    """Whose attempts are counted: those to guess a password, or to have one hashed."""
    is_try = request.scope["endpoint"] in (LinkBoard.join.post, LinkBoard.login.post)
    return client_address(request) if is_try else None


def who_writes(request):
    """Whose links, votes, comments and pictures are counted: each member's."""
    return request.session.user_id if request.method == "POST" else None


app = LinkBoard()
