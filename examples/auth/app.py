"""Accounts: sign-up, log-in, devices, log-out here and everywhere, a new password, a link for who forgot theirs."""

import logging
import os
import re
import secrets
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from micropie import App, Controller, Faults, FromPath, Resource, flash, methods, safe_redirect, url_for
from micropie.auth import InvalidToken, Signer, hash_password, needs_rehash, same_secret, verify_password
from micropie.middleware import (
    CSRFMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
    client_address,
)
from micropie.sessions import SQLiteSessionBackend

HERE = Path(__file__).parent
HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()  # the names that this site answers to
SECRET = os.environ.get("SECRET") or secrets.token_hex(32)  # without one, a restart makes all links invalid
POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,29}")
SHORTEST = 15  # characters of a password: NIST SP 800-63B-4 for one that is all there is
DAY = 24 * 3600
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac", "Linux")

log = logging.getLogger("accounts")
resets = Signer(SECRET, purpose="password reset")
Token = Annotated[str, FromPath()]  # from nowhere else


# Who has an account. Each call opens the file: the shortest that is right in every thread and process.


def query(sql, *values):
    """The rows of a statement."""
    with closing(sqlite3.connect(HERE / "users.db", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(sql, values).fetchall()


def find_user(name):
    """The account of that name, or None."""
    return next(iter(query("SELECT * FROM users WHERE name = ?", (name or "").strip().lower())), None)


async def store_password(user_id, password):
    """Give an account another password."""
    query("UPDATE users SET password = ? WHERE id = ?", await hash_password(password), user_id)


query(
    "CREATE TABLE IF NOT EXISTS users"
    " (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, email TEXT NOT NULL, password TEXT NOT NULL)"
)


def send_mail(to, text):
    """Print it. A real site sends it, and not before it has answered, or the time tells whether there is an account."""
    print(f"\nTo: {to}\n{text}\n")


# Sessions.


def begin_session(request, user_id):
    """Let the visitor be this user, by a fresh id: one that somebody else has planted is worth nothing."""
    session = request.session
    session.clear()
    session.rotate()
    session.bind(user_id)
    session["device"] = device_of(request.headers.get("user-agent", "A program"))
    session["since"] = int(time.time())


def device_of(agent):
    """A browser's name and system, as far as it tells; the beginning of what others say."""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), agent[:60])
    system = next((name for name in SYSTEMS if name in agent), None)
    return browser if system is None else f"{browser} on {system}"


def fingerprint(user):
    """What of an account is in its link: with the next password that is another, so a link can be used once."""
    return sha256(user["password"].encode()).hexdigest()[:16]


def check_password(faults, password, field="password"):
    """Note what is wrong with a new password."""
    if password is not None and len(password) < SHORTEST:
        faults.add(field, f"has {SHORTEST} characters or more; a few words are best")
    elif password is not None and len(password.encode("utf-8", "surrogatepass")) > 1000:
        faults.add(field, "is too long")


# Pages.


class SignUp(Resource):
    """``/sign_up``."""

    async def get(self):
        return await self._render_template("sign_up.html", faults=Faults(), shortest=SHORTEST)

    async def post(self, faults: Faults, name: str, email: str, password: str):
        name = (name or "").strip().lower()
        if "name" not in faults and NAME.fullmatch(name) is None:
            faults.add("name", "has 2 to 30 small letters, digits, dots, dashes")
        if "email" not in faults and (not re.fullmatch(r"[^@\s]+@[^@\s]+", email) or len(email) > 254):
            faults.add("email", "is no e-mail address")
        check_password(faults, password)
        if not faults:
            hashed = await hash_password(password)
            try:
                query("INSERT INTO users (name, email, password) VALUES (?, ?, ?)", name, email, hashed)
            except sqlite3.IntegrityError:
                faults.add("name", "has an account already")
        if faults:
            return 422, await self._render_template("sign_up.html", faults=faults, shortest=SHORTEST)
        begin_session(self.request, find_user(name)["id"])
        flash(self.request, "Welcome! This is your account.")
        return self._redirect("/account", status=303)


class Login(Resource):
    """``/login``; ``?next=`` says where to go from there."""

    async def get(self, next=""):
        return await self._render_template("login.html", faults=Faults(), next=next)

    async def post(self, faults: Faults, name: str, password: str, next: str = "/account"):
        user = find_user(name)
        # Without an account it takes as long, and the answer is the same.
        if not await verify_password(password or "", user and user["password"]) or user is None:
            log.warning("Log-in refused: %r from %s", (name or "")[:50], client_address(self.request))
            faults.add("password", "does not belong to that name")
            return 403, await self._render_template("login.html", faults=faults, next="")
        if needs_rehash(user["password"]):
            await store_password(user["id"], password)
        begin_session(self.request, user["id"])
        return safe_redirect(next, fallback="/account", status=303)


class Account(Controller):
    """All below ``/account`` is for who has logged in."""

    async def _before(self):
        user_id = self.request.session.user_id
        found = query("SELECT * FROM users WHERE id = ?", user_id) if user_id else []
        if found:
            self.request.state.user = found[0]
            return None
        here = self.request.scope["path"] if self.request.method == "GET" else ""
        return self._redirect(f"/login?next={quote(here)}" if here else "/login", status=303)

    async def _after(self, reply):
        reply.headers.append(("Cache-Control", "no-store"))  # "Back" shows nothing once you have left

    async def index(self):
        return await self._page(Faults())

    async def _page(self, faults):
        session = self.request.session
        devices = [
            {
                "name": data["device"],
                "since": datetime.fromtimestamp(data["since"], UTC),
                "handle": handle,
                "here": handle == session.handle,
            }
            for handle, data in (await session.backend.sessions_of(session.user_id)).items()
        ]
        user = self.request.state.user
        return await self._render_template("account.html", faults=faults, account=user, devices=devices)

    @methods("POST")
    async def end(self, handle: str):
        """Log out one device; of nobody else's, whatever the handle."""
        session = self.request.session
        ended = await session.backend.end_sessions(session.user_id, handle)
        flash(self.request, "That device is logged out." if ended else "That device was logged out already.")
        return self._redirect("/account", status=303)

    @methods("POST")
    async def end_all(self):
        session = self.request.session
        await session.backend.end_sessions(session.user_id)
        session.clear()
        session.rotate()
        flash(self.request, "You are logged out everywhere.")
        return self._redirect("/", status=303)

    @methods("POST")
    async def password(self, faults: Faults, current: str, new: str):
        user, session = self.request.state.user, self.request.session
        check_password(faults, new, "new")
        if not faults and not await verify_password(current, user["password"]):
            faults.add("current", "is not your password")
        if faults:
            return 422, await self._page(faults)
        await store_password(user["id"], new)
        await session.backend.end_sessions(session.user_id, keep=session.handle)
        session.rotate()
        flash(self.request, "You have a new password, and are logged out everywhere else.")
        return self._redirect("/account", status=303)


class Forgot(Resource):
    """``/forgot``: sends a link, if there is such an account; nobody is told whether."""

    async def get(self):
        return await self._render_template("forgot.html")

    async def post(self, name: str):
        user = find_user(name)
        if user is not None:
            link = url_for(Accounts.reset.get, resets.sign([user["id"], fingerprint(user)], 3600), external=True)
            send_mail(user["email"], f"Choose a new password within an hour: {link}")
        flash(self.request, "If there is such an account, a link is on its way to its e-mail address.")
        return self._redirect("/login", status=303)


class Reset(Resource):
    """``/reset/TOKEN``: the link of the mail."""

    async def get(self, token: Token):
        user = self._user_of(token)
        if user is None:
            return self._begin_again()
        return await self._render_template("reset.html", faults=Faults(), account=user, shortest=SHORTEST)

    async def post(self, token: Token, password: str, faults: Faults):
        user = self._user_of(token)
        if user is None:
            return self._begin_again()
        check_password(faults, password)
        if faults:
            return 422, await self._render_template("reset.html", faults=faults, account=user, shortest=SHORTEST)
        await store_password(user["id"], password)
        session = self.request.session
        await session.backend.end_sessions(user["id"])
        session.clear()
        session.rotate()
        flash(self.request, "You have a new password. Log in with it.")
        return self._redirect("/login", status=303)

    def _user_of(self, token):
        """Whose link it is; None if it is none, has expired, or was used."""
        try:
            user_id, before = resets.unsign(token)
        except InvalidToken:
            return None
        user = next(iter(query("SELECT * FROM users WHERE id = ?", user_id)), None)
        return user if user is not None and same_secret(before, fingerprint(user)) else None

    def _begin_again(self):
        flash(self.request, "That link is not valid any more. Ask for another one.", "wrong")
        return self._redirect("/forgot", status=303)


class Accounts(App):
    """The site: what is public, and the branches above."""

    sign_up = SignUp()
    login = Login()
    account = Account()
    forgot = Forgot()
    reset = Reset()

    def __init__(self):
        super().__init__(
            SQLiteSessionBackend(HERE / "sessions.db"),
            templates=HERE / "templates",
            session_timeout=14 * DAY,
            session_lifetime=90 * DAY,
            max_body_size=64 * 1024,
            surplus_path_status=404,
        )
        self.middlewares += [
            TrustedHostMiddleware(HOSTS),
            CSRFMiddleware(),
            SecurityHeadersMiddleware(csp=POLICY, referrer_policy="same-origin"),
            RateLimitMiddleware("10/minute", "60/hour", key=who_tries, name="passwords"),
        ]

    def _template_context(self):
        return {"is_member": self.request.session.user_id is not None}

    async def index(self):
        return await self._render_template("index.html")

    @methods("POST")
    async def logout(self):
        self.request.session.clear()
        self.request.session.rotate()
        flash(self.request, "You are logged out.")
        return self._redirect("/", status=303)


TRIES = ("/login", "/sign_up", "/forgot", "/account/password", "/reset/{token}")


def who_tries(request):
    """Whose attempts are counted: those to guess a password, or to have one hashed."""
    route = request.scope.get("route")
    is_try = request.method == "POST" and route is not None and route.path_format in TRIES
    return client_address(request) if is_try else None


app = Accounts()
