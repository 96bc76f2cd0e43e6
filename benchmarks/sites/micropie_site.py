"""The site in MicroPie."""

import asyncio

from micropie import App, ServerSentEvent
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
from micropie.sessions import RedisSessionBackend, SignedCookieSessionBackend, SQLiteSessionBackend
from sites.content import CHUNKS, FRIEND, HOST, PAGE, SECRET, TAG

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


class Site(App):
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


BATTERIES = frozenset(MIDDLEWARES) | frozenset(SESSIONS)


def made(battery, place=""):
    app = Site(SESSIONS[battery](place)) if battery in SESSIONS else Site()
    if battery in MIDDLEWARES:
        app.middlewares.append(MIDDLEWARES[battery]())
    return app


async def end_all(app, user):
    """Log a user out everywhere; the number of sessions that ended."""
    return await app.session_backend.end_sessions(user)
