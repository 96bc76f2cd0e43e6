"""Emmett55, on the server that it brings, Granian over RSGI."""

import asyncio
import tempfile
import time

from emmett55 import App, request, session, websocket
from emmett55.sessions import SessionManager

app = App(__name__, root_path=tempfile.mkdtemp())
app.pipeline = [SessionManager.cookies("secret")]


@app.route("/text", output="str")
async def text():
    return "Hello"


@app.route("/returns_none")
async def returns_none():
    return None


@app.route("/returns_int")
async def returns_int():
    return 7


@app.route("/returns_list")
async def returns_list():
    return [1, 2]


@app.route("/returns_set")
async def returns_set():
    return {1}


@app.route("/returns_dict")
async def returns_dict():
    return {"n": 1}


@app.route("/only", methods="get", output="str")
async def only():
    return "only GET"


@app.route("/number/<int:n>", output="str")
async def number(n):
    return str(n + 1)


@app.route("/field", output="str")
async def field():
    return request.query_params.name


@app.route("/post", methods="post")
async def post():
    return {"count": (await request.body_params).count}


@app.route("/fail", output="str")
async def fail():
    raise RuntimeError("secret words")


@app.route("/sleep", output="str")
async def sleep():
    await asyncio.sleep(0.4)
    return "slept"


@app.route("/block", output="str")
def block():
    time.sleep(0.4)
    return "blocked"


@app.route("/stream", output="aiter")
async def stream():
    async def chunks():
        for n in range(2):
            yield f"{n}\n".encode()
            await asyncio.sleep(0.4)

    return chunks()


@app.route("/visits", output="str")
async def visits():
    session.n = (session.n or 0) + 1
    return str(session.n)


@app.websocket("/ws")
async def ws():
    await websocket.accept()
    await websocket.send(await websocket.receive())
