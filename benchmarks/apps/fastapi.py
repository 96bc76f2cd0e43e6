"""FastAPI, with Starlette's middlewares and signed cookie sessions; Pydantic writes the declared types as JSON."""

from typing import Annotated, Any

from fastapi import Body, FastAPI, Form, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware
from workloads import FORTUNES

templates = Jinja2Templates("templates")


class Order(BaseModel):
    item: str
    price: float
    quantity: int


class Nothing:
    """Sees every request and, like the other frameworks' middlewares, its reply."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_on(message):
            await send(message)

        await self.app(scope, receive, send_on)


def application():
    app = FastAPI(openapi_url=None)

    @app.get("/json")
    async def json() -> dict[str, str]:
        return {"message": "Hello, World!"}

    @app.get("/text", response_class=PlainTextResponse)
    async def text():
        return "Hello, World!"

    @app.get("/greet/{name}", response_class=PlainTextResponse)
    async def greet(name: str):
        return f"Hello, {name}!"

    @app.get("/greet", response_class=PlainTextResponse)
    async def greet_by_query(name: str):
        return f"Hello, {name}!"

    @app.post("/echo")
    async def echo(order: Annotated[dict, Body()]) -> dict:
        return order

    @app.post("/typed/{id}")
    async def typed(id: int, limit: int, active: bool, order: Order) -> dict[str, Any]:
        return {"id": id, "limit": limit, "active": active, "total": order.price * order.quantity}

    @app.post("/form", response_class=PlainTextResponse)
    async def form(email: Annotated[str, Form()]):
        return email

    @app.get("/visits", response_class=PlainTextResponse)
    async def visits(request: Request):
        request.session["visits"] = request.session.get("visits", 0) + 1
        return str(request.session["visits"])

    @app.get("/stream")
    async def stream():
        async def chunks():
            for number in range(1, 6):
                yield f"Chunk {number}\n"

        return StreamingResponse(chunks(), media_type="text/plain")

    @app.get("/fortunes")
    async def fortunes(request: Request):
        return templates.TemplateResponse(request, "fortunes.html", {"fortunes": FORTUNES})

    @app.post("/upload", response_class=PlainTextResponse)
    async def upload(file: UploadFile):
        return str(len(await file.read()))

    @app.get("/sync", response_class=PlainTextResponse)
    def sync():
        return "Hello, World!"

    @app.websocket("/chat")
    async def chat(websocket: WebSocket):
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect:
            pass

    return app


app_with_middlewares = application()
for _ in range(3):
    app_with_middlewares.add_middleware(Nothing)
app_with_sessions = application()
app_with_sessions.add_middleware(SessionMiddleware, secret_key="secret")

APPS = {"default": application(), "mw": app_with_middlewares, "visits": app_with_sessions}
MISSING = ()
NOTES = {"visits": "the session is in a signed cookie"}
