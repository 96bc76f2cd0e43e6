"""The author's desk: writing, publishing, pictures."""

import os
import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MaxLen, MinLen
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from database import DATA, Db, Post, now
from micropie import Controller, Faults, HTTPError, Resource, UploadedFile, limits, methods, url_for
from micropie.auth import BasicAuth, same_secret
from texts import cleaned, slug_of

MEDIA = DATA / "media"
MEDIA.mkdir(exist_ok=True)
Id = Annotated[int, Ge(1), Le(2**63 - 1)]  # more is no number for SQLite
PASSWORD = os.environ.get("PASSWORD") or secrets.token_urlsafe()
# By what a file begins with, not by what its sender calls it. No SVG: it may have scripts.
PICTURES = {"png": rb"\x89PNG\r\n\x1a\n", "jpg": rb"\xff\xd8\xff", "gif": rb"GIF8[79]a", "webp": rb"RIFF....WEBP"}


def is_author(name, password):
    """There is one, who has the password of the environment."""
    return name if name == "author" and same_secret(password, PASSWORD) else None


@dataclass
class Draft:
    """What the author writes into the form."""

    title: Annotated[str, MinLen(1), MaxLen(120)]
    text: Annotated[str, MinLen(1), MaxLen(100_000)]
    summary: Annotated[str, MaxLen(300)] = ""
    publish: bool = False

    def write_to(self, post):
        """Let a post be like this."""
        for name in ("title", "summary", "text"):
            setattr(post, name, cleaned(getattr(self, name)))
        post.title = post.title or "Untitled"  # blanks alone
        post.published = (post.published or now()) if self.publish else None


class Writing(Resource):
    """``/desk/posts``."""

    async def new(self):
        return await self._render_template("edit.html", faults=Faults(), post=None)

    async def get(self, id: Id, db: Db):
        return await self._render_template("edit.html", faults=Faults(), post=await found(db, id))

    async def post(self, db: Db, draft: Draft, faults: Faults):
        if faults:
            return 422, await self._render_template("edit.html", faults=faults, post=None)
        post = Post(slug=slug_of(draft.title))
        draft.write_to(post)
        db.add(post)
        try:
            await db.commit()
        except IntegrityError:  # there is one of that title
            await db.rollback()
            post.slug = f"{post.slug}-{secrets.token_hex(3)}"
            db.add(post)
            await db.commit()
        return self._redirect(url_for(self.get, post.id), status=303)

    @methods("POST")
    async def save(self, id: Id, db: Db, draft: Draft, faults: Faults):
        post = await found(db, id)
        if faults:
            return 422, await self._render_template("edit.html", faults=faults, post=post)
        draft.write_to(post)  # its address stays, whatever its title
        await db.commit()
        return self._redirect(url_for(self.get, id), status=303)

    @methods("POST")
    async def remove(self, id: Id, db: Db):
        await db.delete(await found(db, id))
        await db.commit()
        return self._redirect(url_for(self.request.app.desk.index), status=303)


async def found(db, id):
    """A post or draft; else 404."""
    post = await db.get(Post, id)
    if post is None:
        raise HTTPError(404)
    return post


class Pictures(Resource):
    """``/desk/pictures``: files to be shown in posts."""

    async def get(self):
        return await self._page(Faults())

    @limits(max_upload_size=8 << 20)
    async def post(self, faults: Faults, picture: UploadedFile):
        content = b"" if picture is None else await picture.read()
        kind = next((kind for kind, begin in PICTURES.items() if re.match(begin, content, re.DOTALL)), None)
        if kind is None and not faults:
            faults.add("picture", "is no PNG, JPEG, GIF or WebP")
        if faults:
            return 422, await self._page(faults)
        (MEDIA / f"{secrets.token_hex(8)}.{kind}").write_bytes(content)  # nothing of the sender's name
        return self._redirect(url_for(self.get), status=303)

    async def _page(self, faults):
        files = sorted(MEDIA.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        return await self._render_template("pictures.html", faults=faults, files=[file.name for file in files])


class Desk(Controller):
    """``/desk``: all below it is the author's."""

    posts = Writing()
    pictures = Pictures()

    _before = BasicAuth(is_author, realm="The author's desk")

    def _after(self, reply):
        reply.headers.append(("Cache-Control", "no-store"))

    async def index(self, db: Db):
        posts = await db.scalars(select(Post).order_by(Post.published.is_not(None), Post.changed.desc()))
        return await self._render_template("desk.html", posts=posts.all())
