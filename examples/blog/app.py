"""A blog: Markdown, drafts behind a guard, an Atom feed, pictures, and replies that say "you have it already"."""

import os
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le

from database import COUNT, DATA, PUBLISHED, Db, Post, opened
from desk import MEDIA, PASSWORD, Desk
from micropie import App, HTTPError, Resource, configuration
from micropie.middleware import (
    CompressionMiddleware,
    CSRFMiddleware,
    ETagMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
    client_address,
)
from micropie.static import StaticFiles
from texts import html_of

HERE = Path(__file__).parent
HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()  # the names that this site answers to
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
SHOWN = 5  # posts of a page


class Posts(Resource):
    """``/posts``: what is published."""

    async def get(self, slug: str, db: Db):
        post = await db.scalar(PUBLISHED.where(Post.slug == slug))
        if post is None:
            raise HTTPError(404)
        return await self._render_template("post.html", post=post)


class Blog(App):
    """The site."""

    desk = Desk()
    posts = Posts()
    static = StaticFiles(HERE / "static")
    media = StaticFiles(MEDIA, immutable="")  # each file has a name of its own for ever

    def __init__(self):
        super().__init__(
            templates=HERE / "templates", max_body_size=512 * 1024, max_upload_size=0, surplus_path_status=404
        )
        configuration(self).templates.filters.update(markdown=html_of, date=lambda at: f"{at:%-d %B %Y}")
        self.startup_handlers.append(self._database)
        self.middlewares += [
            TrustedHostMiddleware(HOSTS),  # the feed has whole addresses
            CSRFMiddleware(),  # browsers send the author's password by themselves
            SecurityHeadersMiddleware(csp=POLICY),
            ETagMiddleware(),
            CompressionMiddleware(),
            RateLimitMiddleware("60/minute", key=who_is_at_the_desk, name="desk"),
        ]

    async def _database(self):
        if "PASSWORD" not in os.environ:
            print(f"The desk, /desk, is for the name author and the password {PASSWORD}")
        async with opened(DATA / "blog.db") as self.new_session:
            yield

    def _template_context(self):
        return {"site": self}

    async def _on_error(self, error):
        if isinstance(error, HTTPError) and error.status == 404:
            return 404, await self._render_template("missing.html")
        return None

    async def index(self, db: Db, *, page: Annotated[int, Ge(1), Le(1000)] = 1):
        posts = (await db.scalars(PUBLISHED.offset((page - 1) * SHOWN).limit(SHOWN))).all()
        if page > 1 and not posts:
            raise HTTPError(404)
        last = max(1, -(-(await db.scalar(COUNT) or 0) // SHOWN))
        return await self._render_template("index.html", posts=posts, page=page, last=last)

    async def feed(self, db: Db):
        """The latest posts as an Atom feed (RFC 4287)."""
        posts = (await db.scalars(PUBLISHED.limit(20))).all()
        feed = await self._render_template("feed.xml", posts=posts)
        return 200, feed, [("Content-Type", "application/atom+xml; charset=utf-8")]


def who_is_at_the_desk(request):
    """Whose requests are counted: those that may be guesses of the password."""
    route = request.scope["route"]
    return client_address(request) if route is not None and route.path_format.startswith("/desk") else None


app = Blog()
