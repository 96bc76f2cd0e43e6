"""Robyn, on its own server."""

import asyncio
import sys
import time

from robyn import Request, Robyn, StreamingResponse

app = Robyn(__file__)


@app.startup_handler
async def started():
    print("STARTED", flush=True)


@app.shutdown_handler
def stopped():
    print("STOPPED", flush=True)


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


@app.get("/number/:n")
async def number(n: int):
    return str(n + 1)


@app.get("/field")
async def field(name: str):
    return name


@app.post("/post")
async def post(request: Request):
    return {"count": request.json()["count"]}


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
async def ws(socket):
    await socket.send_text(await socket.receive_text())


if __name__ == "__main__":
    port = int(sys.argv.pop())
    app.start("127.0.0.1", port, _check_port=False)
