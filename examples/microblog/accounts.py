"""Who is who: joining, logging in, and `Member`, which a handler asks for."""

import re
import time
from dataclasses import dataclass
from typing import Annotated

from annotated_types import MaxLen

from database import posts_where, query
from micropie import Faults, Request, Resource, flash, safe_redirect
from micropie.auth import hash_password, verify_password

SHORTEST = 15  # characters of a password: NIST SP 800-63B-4 for one that is all there is

Password = Annotated[str, MaxLen(200)]


class StrangerError(Exception):
    """Nobody has logged in, where somebody should have."""


@dataclass
class Member:
    """Who has logged in: a handler with a parameter of this type is for members."""

    id: int
    name: str

    @classmethod
    async def __provide__(cls, request: Request) -> "Member":
        member = cls.of(request)
        if member is None:
            raise StrangerError
        return member

    @classmethod
    def of(cls, request):
        """The member, or None for a stranger."""
        rows = query("SELECT id, name FROM users WHERE id = ?", request.session.user_id)
        return cls(*rows[0]) if rows else None

    def followed(self):
        """The ids of those whose posts the member reads, first of all the member's own."""
        rows = query("SELECT followed FROM follows WHERE follower = ?", self.id)
        return [self.id, *(row["followed"] for row in rows)]

    def timeline(self, before=None):
        """A page of what they have posted."""
        condition = "user_id = ? OR user_id IN (SELECT followed FROM follows WHERE follower = ?)"
        return posts_where(condition, self.id, self.id, before=before)


def begin_session(request, user_id):
    """Let the visitor be this user, by a fresh id: one that somebody else has planted is worth nothing."""
    request.session.clear()
    request.session.rotate()
    request.session.bind(user_id)
    request.session["since"] = int(time.time())


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
            hashed = await hash_password(password)
            insert = "INSERT INTO users (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id"
            for row in query(insert, name, hashed):
                begin_session(self.request, row["id"])
                flash(self.request, f"Welcome, {name}! Say something, or look whom to follow.")
                return self._redirect("/", status=303)
            faults.add("name", "is somebody else's")
        return 422, await self._render_template("join.html", faults=faults)


class Login(Resource):
    """``/login``; ``?next=`` says where to go from there."""

    async def get(self, next=""):
        return await self._render_template("login.html", faults=Faults(), next=next)

    async def post(self, faults: Faults, name: str, password: Password, next: str = "/"):
        rows = query("SELECT * FROM users WHERE name = ?", (name or "").strip().lower())
        user = rows[0] if rows else None
        # Without an account it takes as long, and the answer is the same.
        if not await verify_password(password or "", user and user["password"]) or user is None:
            faults.add("password", "does not belong to that name")
            return 403, await self._render_template("login.html", faults=faults, next=next)
        begin_session(self.request, user["id"])
        return safe_redirect(next, status=303)
