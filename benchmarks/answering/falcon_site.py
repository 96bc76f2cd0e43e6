"""Falcon, over ASGI."""

import asyncio

from falcon import MEDIA_TEXT
from falcon.asgi import App


class Text:
    async def on_get(self, req, resp):
        resp.content_type = MEDIA_TEXT
        resp.text = "Hello"


class Returns:
    def __init__(self, value):
        self.value = value

    async def on_get(self, req, resp):
        resp.media = self.value


class Number:
    async def on_get(self, req, resp, n):
        resp.text = str(n + 1)


class Field:
    async def on_get(self, req, resp):
        resp.text = req.get_param("name", required=True)


class Post:
    async def on_post(self, req, resp):
        resp.media = {"count": (await req.get_media())["count"]}


class Fail:
    async def on_get(self, req, resp):
        raise RuntimeError("secret words")


class Sleep:
    async def on_get(self, req, resp):
        await asyncio.sleep(0.4)
        resp.text = "slept"


class Stream:
    async def on_get(self, req, resp):
        async def chunks():
            for n in range(2):
                yield f"{n}\n".encode()
                await asyncio.sleep(0.4)

        resp.stream = chunks()


class Socket:
    async def on_websocket(self, req, ws):
        await ws.accept()
        await ws.send_text(await ws.receive_text())


class Lifespan:
    async def process_startup(self, scope, event):
        print("STARTED", flush=True)

    async def process_shutdown(self, scope, event):
        print("STOPPED", flush=True)


app = App(middleware=[Lifespan()])
app.add_route("/text", Text())
app.add_route("/returns_none", Returns(None))
app.add_route("/returns_int", Returns(7))
app.add_route("/returns_list", Returns([1, 2]))
app.add_route("/returns_set", Returns({1}))
app.add_route("/returns_dict", Returns({"n": 1}))
app.add_route("/only", Text())
app.add_route("/number/{n:int}", Number())
app.add_route("/field", Field())
app.add_route("/post", Post())
app.add_route("/fail", Fail())
app.add_route("/sleep", Sleep())
app.add_route("/stream", Stream())
app.add_route("/ws", Socket())
