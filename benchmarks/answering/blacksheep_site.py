"""BlackSheep."""

import asyncio
import time

from blacksheep import Application, FromJSON, Request, Response, WebSocket, get, post, ws
from blacksheep.server.openapi.v3 import OpenAPIHandler
from openapidocs.v3 import Info

app = Application()
app.use_sessions("secret")
OpenAPIHandler(info=Info("Site", "1")).bind_app(app)


@app.on_start
async def started(_app):
    print("STARTED", flush=True)


@app.on_stop
async def stopped(_app):
    print("STOPPED", flush=True)


@get("/text")
async def text():
    return "Hello"


@get("/returns_none")
async def returns_none():
    return None


@get("/returns_int")
async def returns_int():
    return 7


@get("/returns_list")
async def returns_list():
    return [1, 2]


@get("/returns_set")
async def returns_set():
    return {1}


@get("/returns_dict")
async def returns_dict():
    return {"n": 1}


@get("/only")
async def only():
    return "only GET"


@get("/number/{n}")
async def number(n: int):
    return n + 1


@get("/field")
async def field(name: str):
    return name


@post("/post")
async def post_(data: FromJSON[dict]):
    return {"count": data.value["count"]}


@get("/fail")
async def fail():
    raise RuntimeError("secret words")


@get("/sleep")
async def sleep():
    await asyncio.sleep(0.4)
    return "slept"


@get("/block")
def block():
    time.sleep(0.4)
    return "blocked"


@get("/stream")
async def stream():
    async def chunks():
        for n in range(2):
            yield f"{n}\n".encode()
            await asyncio.sleep(0.4)

    from blacksheep.contents import StreamedContent

    return Response(200, content=StreamedContent(b"text/plain", chunks))


@get("/visits")
async def visits(request: Request):
    n = request.session.get("n", 0) + 1
    request.session["n"] = n
    return str(n)


@ws("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())
