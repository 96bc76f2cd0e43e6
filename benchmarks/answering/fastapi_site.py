"""FastAPI."""

import asyncio
import contextlib
import time
from typing import Annotated

from fastapi import Body, FastAPI, WebSocket
from fastapi.responses import StreamingResponse


@contextlib.asynccontextmanager
async def lifespan(_app):
    print("STARTED", flush=True)
    yield
    print("STOPPED", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/text")
async def text():
    return "Hello"


@app.get("/returns_none")
async def returns_none():
    return None


@app.get("/returns_int")
async def returns_int():
    return 7


@app.get("/returns_list")
async def returns_list():
    return [1, 2]


@app.get("/returns_set")
async def returns_set():
    return {1}


@app.get("/returns_dict")
async def returns_dict():
    return {"n": 1}


@app.get("/only")
async def only():
    return "only GET"


@app.get("/number/{n}")
async def number(n: int):
    return n + 1


@app.get("/field")
async def field(name: str):
    return name


@app.post("/post")
async def post(count: Annotated[int, Body(embed=True)]):
    return {"count": count}


@app.get("/fail")
async def fail():
    raise RuntimeError("secret words")


@app.get("/sleep")
async def sleep():
    await asyncio.sleep(0.4)
    return "slept"


@app.get("/block")
def block():
    time.sleep(0.4)
    return "blocked"


@app.get("/stream")
async def stream():
    async def chunks():
        for n in range(2):
            yield f"{n}\n"
            await asyncio.sleep(0.4)

    return StreamingResponse(chunks())


@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())
