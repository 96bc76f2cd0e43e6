"""Quart."""

import asyncio
import time

from quart import Quart, request, session, websocket

app = Quart(__name__)
app.secret_key = "secret"


@app.before_serving
async def started():
    print("STARTED", flush=True)


@app.after_serving
async def stopped():
    print("STOPPED", flush=True)


@app.route("/text")
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


@app.get("/only")
async def only():
    return "only GET"


@app.route("/number/<int:n>")
async def number(n):
    return str(n + 1)


@app.route("/field")
async def field():
    return request.args["name"]


@app.post("/post")
async def post():
    return {"count": (await request.get_json())["count"]}


@app.route("/fail")
async def fail():
    raise RuntimeError("secret words")


@app.route("/sleep")
async def sleep():
    await asyncio.sleep(0.4)
    return "slept"


@app.route("/block")
def block():
    time.sleep(0.4)
    return "blocked"


@app.route("/stream")
async def stream():
    async def chunks():
        for n in range(2):
            yield f"{n}\n".encode()
            await asyncio.sleep(0.4)

    return chunks()


@app.route("/visits")
async def visits():
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])


@app.websocket("/ws")
async def ws():
    await websocket.send(await websocket.receive())
