"""Who is who: joining, logging in, a picture of oneself, and the guard of what is for members."""

import re
import secrets
import time
from typing import Annotated

from annotated_types import MaxLen

from database import DATA, query
from micropie import Faults, HttpMiddleware, Resource, UploadedFile, flash, limits, safe_redirect, url_for
from micropie.auth import hash_password, verify_password

SHORTEST = 15  # characters of a password: NIST SP 800-63B-4 for one that is all there is
AVATARS = DATA / "avatars"
AVATARS.mkdir(parents=True, exist_ok=True)
# By what a file begins with, not by what its sender calls it. No SVG: it may have scripts.
PICTURES = {"png": rb"\x89PNG\r\n\x1a\n", "jpg": rb"\xff\xd8\xff", "gif": rb"GIF8[79]a", "webp": rb"RIFF....WEBP"}

Password = Annotated[str, MaxLen(200)]


class KnowMember(HttpMiddleware):
    """Puts the member who asks, or None, where handlers, guards and templates look."""

    async def before_request(self, request):
        found = query("SELECT id, name, avatar FROM users WHERE id = :id", id=request.session.user_id)
        request.state.me = found[0] if found else None


class ForMembers(Resource):
    """A resource, and all below it, whose pages anybody may look at, and which members alone may change."""

    async def _before(self):
        if self.request.method in ("GET", "HEAD", "OPTIONS") or self.request.state.me:
            return None
        flash(self.request, "Log in first.")
        return self._redirect("/login", status=303)


class Join(Resource):
    """``/join``."""

    async def get(self):
        return await self._render_template("join.html", faults=Faults())

    async def post(self, faults: Faults, name: str, password: Password):
        name = (name or "").strip().lower()
        if "name" not in faults and not re.fullmatch(r"[a-z0-9_]{2,20}", name):
            faults.add("name", "has 2 to 20 small letters, digits and _")
        if "password" not in faults and len(password) < SHORTEST:
            faults.add("password", f"has {SHORTEST} characters or more")
        if not faults:
            insert = "INSERT INTO users (name, password) VALUES (:name, :password) ON CONFLICT DO NOTHING RETURNING id"
            for user in query(insert, name=name, password=await hash_password(password)):
                begin_session(self.request, user["id"])
                flash(self.request, f"Welcome, {name}!")
                return self._redirect("/", status=303)
            faults.add("name", "is somebody else's")
        return 422, await self._render_template("join.html", faults=faults)


class Login(Resource):
    """``/login``."""

    async def get(self):
        return await self._render_template("login.html", faults=Faults())

    async def post(self, faults: Faults, name: str, password: Password, next: str = "/"):
        found = query("SELECT * FROM users WHERE name = :name", name=(name or "").strip().lower())
        # Without an account it takes as long, and the answer is the same.
        if not await verify_password(password or "", found[0]["password"] if found else None):
            faults.add("password", "does not belong to that name")
            return 403, await self._render_template("login.html", faults=faults)
        begin_session(self.request, found[0]["id"])
        return safe_redirect(next, status=303)


def begin_session(request, user_id):
    """Let the visitor be this user, by a fresh id: one that somebody else has planted is worth nothing."""
    request.session.clear()
    request.session.rotate()
    request.session.bind(user_id)
    request.session["since"] = int(time.time())


class Account(ForMembers):
    """``/account``: the member's picture."""

    async def get(self):
        if self.request.state.me is None:
            return self._redirect("/login", status=303)
        return await self._render_template("account.html", faults=Faults())

    @limits(max_upload_size=512 * 1024)
    async def post(self, faults: Faults, picture: UploadedFile):
        content = b"" if picture is None else await picture.read()
        kind = next((kind for kind, begin in PICTURES.items() if re.match(begin, content, re.DOTALL)), None)
        if kind is None and not faults:
            faults.add("picture", "is no PNG, JPEG, GIF or WebP")
        if faults:
            return 422, await self._render_template("account.html", faults=faults)
        name = f"{secrets.token_hex(16)}.{kind}"  # nothing of the sender's name
        (AVATARS / name).write_bytes(content)
        self._replace(name)
        flash(self.request, "That is how others see you now.")
        return self._redirect(url_for(self.get), status=303)

    def _replace(self, name):
        me = self.request.state.me
        query("UPDATE users SET avatar = :name WHERE id = :id", name=name, id=me["id"])
        if me["avatar"]:
            (AVATARS / me["avatar"]).unlink(missing_ok=True)
