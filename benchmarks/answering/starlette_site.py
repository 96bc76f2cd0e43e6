"""Starlette, with the sessions that it has (they want itsdangerous)."""

import asyncio
import contextlib
import time

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


@contextlib.asynccontextmanager
async def lifespan(_app):
    print("STARTED", flush=True)
    yield
    print("STOPPED", flush=True)


async def text(request):
    return PlainTextResponse("Hello")


async def returns_none(request):
    return None


async def returns_int(request):
    return 7


async def returns_list(request):
    return [1, 2]


async def returns_set(request):
    return {1}


async def returns_dict(request):
    return {"n": 1}


async def only(request):
    return PlainTextResponse("only GET")


async def number(request):
    return PlainTextResponse(str(request.path_params["n"] + 1))


async def field(request):
    return PlainTextResponse(request.query_params["name"])


async def post(request):
    return JSONResponse({"count": (await request.json())["count"]})


async def fail(request):
    raise RuntimeError("secret words")


async def sleep(request):
    await asyncio.sleep(0.4)
    return PlainTextResponse("slept")


def block(request):
    time.sleep(0.4)
    return PlainTextResponse("blocked")


async def stream(request):
    async def chunks():
        for n in range(2):
            yield f"{n}\n"
            await asyncio.sleep(0.4)

    return StreamingResponse(chunks())


async def visits(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


async def ws(socket):
    await socket.accept()
    await socket.send_text(await socket.receive_text())


app = Starlette(
    routes=[
        Route("/text", text),
        Route("/returns_none", returns_none),
        Route("/returns_int", returns_int),
        Route("/returns_list", returns_list),
        Route("/returns_set", returns_set),
        Route("/returns_dict", returns_dict),
        Route("/only", only),
        Route("/number/{n:int}", number),
        Route("/field", field),
        Route("/post", post, methods=["POST"]),
        Route("/fail", fail),
        Route("/sleep", sleep),
        Route("/block", block),
        Route("/stream", stream),
        Route("/visits", visits),
        WebSocketRoute("/ws", ws),
    ],
    middleware=[Middleware(SessionMiddleware, "secret")],
    lifespan=lifespan,
)
