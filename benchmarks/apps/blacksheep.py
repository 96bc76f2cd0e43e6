"""BlackSheep (Cython), with orjson and its in-memory sessions."""

import os
from dataclasses import dataclass

import orjson

os.environ["APP_JINJA_EXTENSION"] = ".html"  # read when BlackSheep is imported

from blacksheep import (
    Application,
    FromJSON,
    Request,
    Response,
    Router,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
)
from blacksheep.server.rendering.jinja2 import JinjaRenderer
from blacksheep.server.responses import json as json_response
from blacksheep.server.responses import text as text_response
from blacksheep.server.responses import view
from blacksheep.sessions.memory import InMemorySessionStore
from blacksheep.settings.html import html_settings
from blacksheep.settings.json import json_settings
from jinja2 import FileSystemLoader
from workloads import FORTUNES

json_settings.use(loads=orjson.loads, dumps=lambda value: orjson.dumps(value).decode())
html_settings.use(JinjaRenderer(FileSystemLoader("templates")))


@dataclass
class Order:
    item: str
    price: float
    quantity: int


def application():
    app = Application(router=Router())
    get, post = app.router.get, app.router.post

    @get("/json")
    async def json(request: Request):
        return json_response({"message": "Hello, World!"})

    @get("/text")
    async def text(request: Request):
        return text_response("Hello, World!")

    @get("/greet/{name}")
    async def greet(name: str):
        return text_response(f"Hello, {name}!")

    @get("/greet")
    async def greet_by_query(name: str):
        return text_response(f"Hello, {name}!")

    @post("/echo")
    async def echo(request: Request):
        return json_response(await request.json())

    @post("/typed/{id}")
    async def typed(id: int, limit: int, active: bool, order: FromJSON[Order]):
        return json_response(
            {"id": id, "limit": limit, "active": active, "total": order.value.price * order.value.quantity}
        )

    @post("/form")
    async def form(request: Request):
        return text_response((await request.form())["email"])

    @get("/visits")
    async def visits(request: Request):
        request.session["visits"] = request.session.get("visits", 0) + 1
        return text_response(str(request.session["visits"]))

    @get("/stream")
    async def stream(request: Request):
        async def chunks():
            for number in range(1, 6):
                yield b"Chunk %d\n" % number

        return Response(200, content=StreamedContent(b"text/plain", chunks))

    @get("/fortunes")
    async def fortunes(request: Request):
        return view("fortunes", {"fortunes": FORTUNES})

    @post("/upload")
    async def upload(request: Request):
        (file,) = await request.files("file")
        return text_response(str(len(file.data)))

    @get("/sync")
    def sync(request: Request):
        return text_response("Hello, World!")

    @app.router.ws("/chat")
    async def chat(websocket: WebSocket):
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnectError:
            pass

    return app


async def nothing(request, handler):
    return await handler(request)


app_with_middlewares = application()
for _ in range(3):
    app_with_middlewares.middlewares.append(nothing)
app_with_sessions = application()
app_with_sessions.use_sessions(InMemorySessionStore())

APPS = {"default": application(), "mw": app_with_middlewares, "visits": app_with_sessions}
MISSING = ()
NOTES = {"sync": "on the loop, where it blocks everybody else"}
