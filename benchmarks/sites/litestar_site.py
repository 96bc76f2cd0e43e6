"""The site in Litestar."""

import asyncio
from pathlib import Path

from litestar import Litestar, MediaType, Request, Response, WebSocket, get, post, websocket
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.config.csrf import CSRFConfig
from litestar.logging import LoggingConfig
from litestar.middleware.logging import LoggingMiddlewareConfig
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.openapi import OpenAPIConfig
from litestar.response import ServerSentEvent, Stream
from litestar.security.jwt import JWTAuth
from litestar.static_files import create_static_files_router
from litestar.stores.file import FileStore
from litestar.stores.memory import MemoryStore
from litestar.stores.redis import RedisStore

from sites.content import CHUNKS, FRIEND, HOST, MEMBER, PAGE, SECRET, TAG, filled


@get("/", media_type=MediaType.TEXT)
async def index() -> str:
    return "Hello"


@get("/page", media_type=MediaType.TEXT)
async def page() -> str:
    return PAGE


@get("/tagged")
async def tagged() -> Response[str]:
    return Response(PAGE, media_type=MediaType.TEXT, headers={"ETag": TAG})


@post("/post", media_type=MediaType.TEXT, status_code=200)
async def posted() -> str:
    return "done"


@get("/fail")
async def fail() -> None:
    raise RuntimeError


async def chunks():
    for chunk in CHUNKS:
        yield chunk
        await asyncio.sleep(0.05)


@get("/stream")
async def stream() -> Stream:
    return Stream(chunks(), media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    return ServerSentEvent(chunks())


@get("/visits", media_type=MediaType.TEXT)
async def visits(request: Request) -> str:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return str(request.session["visits"])


@get("/write/{name:str}", media_type=MediaType.TEXT)
async def write(request: Request, name: str) -> str:
    request.session[name] = 1
    await asyncio.sleep(0.02)
    return "done"


@get("/read")
async def read(request: Request) -> list[str]:
    return sorted(request.session)


@get("/login", media_type=MediaType.TEXT)
async def login(request: Request) -> str:
    request.clear_session()  # nothing gives it another id
    request.set_session({"user": "ada"})
    return "done"


@get("/logout", media_type=MediaType.TEXT)
async def logout(request: Request) -> str:
    request.clear_session()
    return "done"


@websocket("/socket")
async def socket(socket: WebSocket) -> None:
    await socket.accept()


async def user_of(token, connection):
    return token.sub if token.sub == MEMBER else None


MEMBERS = JWTAuth(retrieve_user_handler=user_of, token_secret=SECRET, exclude=["^/$", "^/schema"])


@get("/members", media_type=MediaType.TEXT)
async def members(request: Request) -> str:
    return str(request.user)


@websocket("/members/socket")
async def members_socket(socket: WebSocket) -> None:
    await socket.accept()


@get("/link", media_type=MediaType.TEXT)
async def link(request: Request) -> str:
    return request.app.route_reverse("static", file_path="/site.css")


def stored(store):
    return {"middleware": [ServerSideSessionConfig().middleware], "stores": {"sessions": store}}


SETTINGS = {
    "cors": lambda _place: {"cors_config": CORSConfig(allow_origins=[FRIEND])},
    "cors *": lambda _place: {"cors_config": CORSConfig(allow_origins=["*"], allow_credentials=True)},
    "csrf": lambda _place: {"csrf_config": CSRFConfig(secret=SECRET)},
    "hosts": lambda _place: {"allowed_hosts": AllowedHostsConfig(allowed_hosts=[HOST])},
    "compression": lambda _place: {"compression_config": CompressionConfig(backend="gzip")},
    "rate": lambda _place: {"middleware": [RateLimitConfig(rate_limit=("minute", 10)).middleware]},
    "log": lambda _place: {"middleware": [LoggingMiddlewareConfig().middleware], "logging_config": LoggingConfig()},
    "sessions": lambda _place: stored(MemoryStore()),
    "cookie": lambda _place: {"middleware": [CookieBackendConfig(secret=SECRET.encode()).middleware]},
    "sqlite": lambda place: stored(FileStore(Path(place), create_directories=True)),
    "redis": lambda place: stored(RedisStore.with_client(place)),
}

HANDLERS = {
    "bearer": lambda _place: [members, members_socket],
    "static": lambda place: [link, create_static_files_router(path="/static", directories=[filled(place)])],
}


DOCUMENT = "/schema/openapi.json"
BATTERIES = frozenset({*SETTINGS, *HANDLERS})


def token():
    return MEMBERS.create_token(MEMBER)


def made(battery, place=""):
    handlers = [index, page, tagged, posted, fail, stream, events, visits, write, read, login, logout, socket]
    handlers += HANDLERS[battery](place) if battery in HANDLERS else []
    settings = SETTINGS[battery](place) if battery in SETTINGS else {}
    if battery == "bearer":
        settings = {"on_app_init": [MEMBERS.on_app_init], "openapi_config": OpenAPIConfig("A site", "1.0")}
    return Litestar(handlers, **{"openapi_config": None, **settings})
