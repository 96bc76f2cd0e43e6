"""The site in MicroPie."""

import asyncio

from micropie import App, Controller, ServerSentEvent, url_for
from micropie.auth import BasicAuth, BearerAuth, Signer, hash_password, needs_rehash, same_secret, verify_password
from micropie.middleware import (
    AccessLogMiddleware,
    CompressionMiddleware,
    CORSMiddleware,
    CSRFMiddleware,
    ETagMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
)
from micropie.openapi import Docs
from micropie.sessions import RedisSessionBackend, SignedCookieSessionBackend, SQLiteSessionBackend
from micropie.static import StaticFiles
from sites.content import (
    CHUNKS,
    FRIEND,
    HOST,
    HOUR,
    MEMBER,
    OLD_SECRET,
    PAGE,
    PASSWORD,
    SECRET,
    SHORT_SECRET,
    TAG,
    TOKEN,
    filled,
)

MIDDLEWARES = {
    "cors": lambda: CORSMiddleware([FRIEND]),
    "cors *": lambda: CORSMiddleware("*", allow_credentials=True),
    "csrf": CSRFMiddleware,
    "hosts": lambda: TrustedHostMiddleware([HOST]),
    "headers": SecurityHeadersMiddleware,
    "compression": CompressionMiddleware,
    "rate": lambda: RateLimitMiddleware("10/minute"),
    "etag": ETagMiddleware,
    "log": AccessLogMiddleware,
}
SESSIONS = {
    "sessions": SQLiteSessionBackend,
    "redis": RedisSessionBackend,
    "cookie": lambda _place: SignedCookieSessionBackend(SECRET),
}

SIGNERS = {
    "signing": lambda: Signer(SECRET, purpose="mail"),
    "signing, other purpose": lambda: Signer(SECRET, purpose="password"),
    "signing, old secret": lambda: Signer(OLD_SECRET, purpose="mail"),
    "signing, rotated": lambda: Signer(SECRET, OLD_SECRET, purpose="mail"),
    "signing, short secret": lambda: Signer(SHORT_SECRET, purpose="mail"),
    "signing, no purpose": lambda: Signer(SECRET),
}


class Site(App):
    signer = None

    async def index(self):
        return "Hello"

    async def page(self):
        return PAGE

    async def tagged(self):
        return 200, PAGE, {"ETag": TAG}

    async def post(self):
        return "done"

    async def fail(self):
        raise RuntimeError

    async def stream(self):
        async def chunks():
            for chunk in CHUNKS:
                yield chunk
                await asyncio.sleep(0.05)

        return 200, chunks(), {"Content-Type": "text/plain"}

    async def events(self):
        async def events():
            for chunk in CHUNKS:
                yield ServerSentEvent(chunk)
                await asyncio.sleep(0.05)

        return events()

    async def visits(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    async def write(self, name):
        self.request.session[name] = 1
        await asyncio.sleep(0.02)
        return "done"

    async def read(self):
        return sorted(self.request.session)

    async def login(self):
        self.request.session.rotate()
        self.request.session.bind("ada")
        self.request.session["user"] = "ada"
        return "done"

    async def logout(self):
        self.request.session.clear()
        return "done"

    async def ws_socket(self, ws):
        await ws.accept()

    async def hash(self, password):
        return await hash_password(password)

    async def verify(self, password, stored=None):
        right = await verify_password(password, stored)
        return {"right": right, "renew": stored is not None and needs_rehash(stored)}

    async def sign(self, value):
        return self.signer.sign(value, max_age=HOUR)

    async def sign_for_ever(self, value):
        return self.signer.sign(value)

    async def unsign(self, token):
        return self.signer.unsign(token)

    async def link(self):
        return url_for(self.static, "site.css")


async def named(name, password):
    return name if name == MEMBER and same_secret(password, PASSWORD) else None


async def with_token(token):
    return MEMBER if same_secret(token, TOKEN) else None


class Members(Controller):
    async def index(self):
        return f"{self.request.state.user}"

    async def ws_socket(self, ws):
        await ws.accept()


class ByName(Members):
    _before = BasicAuth(named)


class ByToken(Members):
    _before = BearerAuth(with_token)


class ForMembers(Site):
    docs = Docs()


class Basic(ForMembers):
    members = ByName()


class Bearer(ForMembers):
    members = ByToken()


DOCUMENT = "/openapi.json"
GUARDED = {"basic": Basic, "bearer": Bearer}
BATTERIES = frozenset({*MIDDLEWARES, *SESSIONS, *SIGNERS, *GUARDED, "passwords", "static"})


def token():
    return TOKEN


def made(battery, place=""):
    if battery in SESSIONS:
        return Site(SESSIONS[battery](place))
    if battery == "static":
        return type("Files", (Site,), {"static": StaticFiles(filled(place))})()
    app = GUARDED.get(battery, Site)()
    if battery in SIGNERS:
        app.signer = SIGNERS[battery]()
    if battery in MIDDLEWARES:
        app.middlewares.append(MIDDLEWARES[battery]())
    return app


async def end_all(app, user):
    """Log a user out everywhere; the number of sessions that ended."""
    return await app.session_backend.end_sessions(user)
