"""Litestar (msgspec writes its JSON), with its in-memory sessions."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Litestar, MediaType, Request, WebSocket, get, post, websocket
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import WebSocketDisconnect
from litestar.middleware import ASGIMiddleware
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import Body
from litestar.response import Stream, Template
from litestar.template.config import TemplateConfig
from workloads import FORTUNES


class Nothing(ASGIMiddleware):
    """Sees every request and, like the other frameworks' middlewares, its reply."""

    async def handle(self, scope, receive, send, next_app):
        async def send_on(message):
            await send(message)

        await next_app(scope, receive, send_on)


@get("/json")
async def json() -> dict[str, str]:
    return {"message": "Hello, World!"}


@get("/text", media_type=MediaType.TEXT)
async def text() -> str:
    return "Hello, World!"


@get("/greet/{name:str}", media_type=MediaType.TEXT)
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@get("/greet", media_type=MediaType.TEXT)
async def greet_by_query(name: str) -> str:
    return f"Hello, {name}!"


@post("/echo", status_code=200)
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@dataclass
class Order:
    item: str
    price: float
    quantity: int


@post("/typed/{id:int}", status_code=200)
async def typed(id: int, limit: int, active: bool, data: Order) -> dict[str, Any]:
    return {"id": id, "limit": limit, "active": active, "total": data.price * data.quantity}


@post("/form", status_code=200, media_type=MediaType.TEXT)
async def form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
    return data["email"]


@get("/visits", media_type=MediaType.TEXT)
async def visits(request: Request) -> str:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return str(request.session["visits"])


@get("/stream")
async def stream() -> Stream:
    async def chunks():
        for number in range(1, 6):
            yield f"Chunk {number}\n"

    return Stream(chunks(), media_type="text/plain")


@get("/fortunes")
async def fortunes() -> Template:
    return Template("fortunes.html", context={"fortunes": FORTUNES})


@post("/upload", status_code=200, media_type=MediaType.TEXT)
async def upload(data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]) -> str:
    file: UploadFile = data["file"]
    return str(len(await file.read()))


@get("/sync", media_type=MediaType.TEXT, sync_to_thread=True)
def sync() -> str:
    return "Hello, World!"


@websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


def application(*middleware):
    return Litestar(
        [json, text, greet, greet_by_query, echo, typed, form, visits, stream, fortunes, upload, sync, chat],
        middleware=middleware,
        template_config=TemplateConfig(directory="templates", engine=JinjaTemplateEngine),
        openapi_config=None,
    )


APPS = {
    "default": application(),
    "mw": application(Nothing(), Nothing(), Nothing()),
    "visits": application(ServerSideSessionConfig().middleware),
}
MISSING = ()
NOTES = {}
