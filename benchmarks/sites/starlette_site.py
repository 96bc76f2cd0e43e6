"""The site in Starlette; sessions on a server are those of starsessions, as Starlette has none."""

import asyncio
import base64
import binascii
import time

import aiosqlite
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starsessions import SessionAutoloadMiddleware, SessionStore
from starsessions import SessionMiddleware as StoredSessionMiddleware
from starsessions.stores.redis import RedisStore

from sites.content import CHUNKS, FRIEND, HOST, MEMBER, PAGE, PASSWORD, SECRET, TAG, filled

TWO_WEEKS = 14 * 24 * 3600
SCHEMA = "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, data BLOB NOT NULL, expires REAL NOT NULL)"


class SQLiteStore(SessionStore):
    """A store for starsessions by aiosqlite, in WAL mode, as its documentation says how to write one."""

    def __init__(self, path):
        self.path, self.database = path, None

    async def connected(self):
        if self.database is None:
            self.database = await aiosqlite.connect(self.path, isolation_level=None)
            await self.database.execute("PRAGMA journal_mode = WAL")
            await self.database.execute("PRAGMA synchronous = NORMAL")
            await self.database.execute(SCHEMA)
        return self.database

    async def read(self, session_id, lifetime):
        database = await self.connected()
        query = "SELECT data FROM sessions WHERE id = ? AND expires > ?"
        rows = list(await database.execute_fetchall(query, (session_id, time.time())))
        return rows[0][0] if rows else b""

    async def write(self, session_id, data, lifetime, ttl):
        database = await self.connected()
        values = session_id, data, time.time() + ttl
        await database.execute_fetchall("REPLACE INTO sessions (id, data, expires) VALUES (?, ?, ?)", values)
        return session_id

    async def remove(self, session_id):
        database = await self.connected()
        await database.execute_fetchall("DELETE FROM sessions WHERE id = ?", (session_id,))


class Names(AuthenticationBackend):
    """The backend that Starlette's documentation shows, with the look at name and password that it leaves to you."""

    async def authenticate(self, conn):
        if "Authorization" not in conn.headers:
            return None
        try:
            scheme, credentials = conn.headers["Authorization"].split()
            if scheme.lower() != "basic":
                return None
            decoded = base64.b64decode(credentials).decode("ascii")
        except (ValueError, UnicodeDecodeError, binascii.Error):
            raise AuthenticationError("Invalid basic auth credentials") from None
        name, _, password = decoded.partition(":")
        if (name, password) != (MEMBER, PASSWORD):
            raise AuthenticationError("Invalid basic auth credentials")
        return AuthCredentials(["authenticated"]), SimpleUser(name)


def stored(store):
    kept = Middleware(StoredSessionMiddleware, store=store, lifetime=TWO_WEEKS, rolling=True)
    return [kept, Middleware(SessionAutoloadMiddleware)]


MIDDLEWARES = {
    "cors": lambda _place: [Middleware(CORSMiddleware, allow_origins=[FRIEND])],
    "cors *": lambda _place: [Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)],
    "hosts": lambda _place: [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST])],
    "compression": lambda _place: [Middleware(GZipMiddleware)],
    "basic": lambda _place: [Middleware(AuthenticationMiddleware, backend=Names())],
    "sessions": lambda _place: [Middleware(SessionMiddleware, secret_key=SECRET)],
    "cookie": lambda _place: [Middleware(SessionMiddleware, secret_key=SECRET)],
    "sqlite": lambda place: stored(SQLiteStore(place)),
    "redis": lambda place: stored(RedisStore(connection=Redis.from_url(place))),
}


async def index(request):
    return PlainTextResponse("Hello")


async def page(request):
    return PlainTextResponse(PAGE)


async def tagged(request):
    return PlainTextResponse(PAGE, headers={"ETag": TAG})


async def post(request):
    return PlainTextResponse("done")


async def fail(request):
    raise RuntimeError


async def chunks(form="{}"):
    for chunk in CHUNKS:
        yield form.format(chunk)
        await asyncio.sleep(0.05)


async def stream(request):
    return StreamingResponse(chunks(), media_type="text/plain")


async def events(request):
    return StreamingResponse(chunks("data: {}\r\n\r\n"), media_type="text/event-stream")


async def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return PlainTextResponse(str(request.session["visits"]))


async def write(request):
    request.session[request.path_params["name"]] = 1
    await asyncio.sleep(0.02)
    return PlainTextResponse("done")


async def read(request):
    return JSONResponse(sorted(request.session))


async def login(request):
    request.session.clear()  # it has no id to rotate
    request.session["user"] = "ada"
    return PlainTextResponse("done")


async def logout(request):
    request.session.clear()
    return PlainTextResponse("done")


async def socket(websocket):
    await websocket.accept()


@requires("authenticated")
async def members(request):
    return PlainTextResponse(request.user.display_name)


@requires("authenticated")
async def members_socket(websocket):
    await websocket.accept()


async def link(request):
    return PlainTextResponse(str(request.url_for("static", path="site.css")))


BATTERIES = frozenset({*MIDDLEWARES, "static"})


def made(battery, place=""):
    handlers = (index, page, tagged, fail, stream, events, visits, read, login, logout)
    routes = [Route("/" if one is index else f"/{one.__name__}", one) for one in handlers]
    routes += [Route("/write/{name}", write), Route("/post", post, methods=["POST"]), WebSocketRoute("/socket", socket)]
    if battery == "basic":
        routes += [Route("/members", members), WebSocketRoute("/members/socket", members_socket)]
    if battery == "static":
        routes += [Route("/link", link), Mount("/static", StaticFiles(directory=filled(place)), name="static")]
    middleware = MIDDLEWARES[battery](place) if battery in MIDDLEWARES else []
    return Starlette(routes=routes, middleware=middleware)
