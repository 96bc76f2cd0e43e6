"""Starlette, with orjson, pure ASGI middlewares and its signed cookie sessions."""

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocketDisconnect
from workloads import FORTUNES

templates = Jinja2Templates("templates")


class OrjsonResponse(Response):
    media_type = "application/json"

    def render(self, content):
        return orjson.dumps(content)


class Nothing:
    """Sees every request and, like the other frameworks' middlewares, its reply."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_on(message):
            await send(message)

        await self.app(scope, receive, send_on)


async def json(_request):
    return OrjsonResponse({"message": "Hello, World!"})


async def text(_request):
    return PlainTextResponse("Hello, World!")


async def greet(request):
    return PlainTextResponse(f"Hello, {request.path_params['name']}!")


async def greet_by_query(request):
    return PlainTextResponse(f"Hello, {request.query_params['name']}!")


async def echo(request):
    return OrjsonResponse(orjson.loads(await request.body()))


async def form(request):
    async with request.form() as fields:
        return PlainTextResponse(fields["email"])


async def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return PlainTextResponse(str(request.session["visits"]))


async def stream(_request):
    async def chunks():
        for number in range(1, 6):
            yield f"Chunk {number}\n"

    return StreamingResponse(chunks(), media_type="text/plain")


async def fortunes(request):
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": FORTUNES})


async def upload(request):
    async with request.form() as fields:
        return PlainTextResponse(str(len(await fields["file"].read())))


def sync(_request):
    return PlainTextResponse("Hello, World!")


async def chat(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


ROUTES = [
    Route("/json", json),
    Route("/text", text),
    Route("/greet/{name}", greet),
    Route("/greet", greet_by_query),
    Route("/echo", echo, methods=["POST"]),
    Route("/form", form, methods=["POST"]),
    Route("/visits", visits),
    Route("/stream", stream),
    Route("/fortunes", fortunes),
    Route("/upload", upload, methods=["POST"]),
    Route("/sync", sync),
    WebSocketRoute("/chat", chat),
]

APPS = {
    "default": Starlette(routes=ROUTES),
    "mw": Starlette(routes=ROUTES, middleware=[Middleware(Nothing)] * 3),
    "visits": Starlette(routes=ROUTES, middleware=[Middleware(SessionMiddleware, secret_key="secret")]),
}
MISSING = ("typed",)
NOTES = {"visits": "the session is in a signed cookie"}
