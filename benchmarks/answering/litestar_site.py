"""Litestar, with its sessions on the server."""

import asyncio
import time
from typing import Any

from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.response import Stream


@get("/text")
async def text() -> str:
    return "Hello"


@get("/returns_none")
async def returns_none() -> None:
    return None


@get("/returns_int")
async def returns_int() -> int:
    return 7


@get("/returns_list")
async def returns_list() -> list[int]:
    return [1, 2]


@get("/returns_set")
async def returns_set() -> set[int]:
    return {1}


@get("/returns_dict")
async def returns_dict() -> dict[str, int]:
    return {"n": 1}


@get("/only")
async def only() -> str:
    return "only GET"


@get("/number/{n:int}")
async def number(n: int) -> int:
    return n + 1


@get("/field")
async def field(name: str) -> str:
    return name


@post("/post")
async def post_(data: dict[str, int]) -> dict[str, int]:
    return {"count": data["count"]}


@get("/fail")
async def fail() -> None:
    raise RuntimeError("secret words")


@get("/sleep")
async def sleep() -> str:
    await asyncio.sleep(0.4)
    return "slept"


@get("/block", sync_to_thread=True)
def block() -> str:
    time.sleep(0.4)
    return "blocked"


@get("/stream")
async def stream() -> Stream:
    async def chunks():
        for n in range(2):
            yield f"{n}\n"
            await asyncio.sleep(0.4)

    return Stream(chunks())


@get("/visits")
async def visits(request: Request[Any, Any, Any]) -> str:
    n = request.session.get("n", 0) + 1
    request.set_session({"n": n})
    return str(n)


@websocket("/ws")
async def ws(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


async def started() -> None:
    print("STARTED", flush=True)


async def stopped() -> None:
    print("STOPPED", flush=True)


app = Litestar(
    [
        text,
        returns_none,
        returns_int,
        returns_list,
        returns_set,
        returns_dict,
        only,
        number,
        field,
        post_,
        fail,
        sleep,
        block,
        stream,
        visits,
        ws,
    ],
    middleware=[ServerSideSessionConfig().middleware],
    on_startup=[started],
    on_shutdown=[stopped],
)
