"""Falcon (Cython in parts), with orjson; it has no templates, so Jinja2 itself, and no sessions."""

import falcon
import falcon.asgi
import falcon.media
import orjson
from jinja2 import Environment, FileSystemLoader
from workloads import FORTUNES

fortunes_template = Environment(loader=FileSystemLoader("templates"), autoescape=True).get_template("fortunes.html")


class Json:
    async def on_get(self, req, resp):
        resp.media = {"message": "Hello, World!"}


class Text:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "Hello, World!"


class Greet:
    async def on_get(self, req, resp, name=None):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = f"Hello, {name or req.get_param('name')}!"


class Echo:
    async def on_post(self, req, resp):
        resp.media = await req.get_media()


class Form:
    async def on_post(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = (await req.get_media())["email"]


class Stream:
    async def on_get(self, req, resp):
        async def chunks():
            for number in range(1, 6):
                yield b"Chunk %d\n" % number

        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = chunks()


class Fortunes:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_HTML
        resp.text = fortunes_template.render(fortunes=FORTUNES)


class Upload:
    async def on_post(self, req, resp):
        async for part in await req.get_media():
            if part.name == "file":
                resp.content_type = falcon.MEDIA_TEXT
                resp.text = str(len(await part.stream.readall()))


class Sync:
    def answer(self, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "Hello, World!"

    async def on_get(self, req, resp):
        await falcon.sync_to_async(self.answer, resp)


class Chat:
    async def on_websocket(self, req, ws):
        await ws.accept()
        try:
            while True:
                await ws.send_text(await ws.receive_text())
        except falcon.WebSocketDisconnected:
            pass


class Nothing:
    async def process_request(self, req, resp):
        pass

    async def process_response(self, req, resp, resource, req_succeeded):
        pass


def application(*middleware):
    app = falcon.asgi.App(middleware=list(middleware))
    handler = falcon.media.JSONHandler(dumps=orjson.dumps, loads=orjson.loads)
    app.req_options.media_handlers[falcon.MEDIA_JSON] = handler
    app.resp_options.media_handlers[falcon.MEDIA_JSON] = handler
    app.req_options.media_handlers[falcon.MEDIA_MULTIPART] = falcon.media.MultipartFormHandler()
    greet = Greet()
    app.add_route("/json", Json())
    app.add_route("/text", Text())
    app.add_route("/greet", greet)
    app.add_route("/greet/{name}", greet)
    app.add_route("/echo", Echo())
    app.add_route("/form", Form())
    app.add_route("/stream", Stream())
    app.add_route("/fortunes", Fortunes())
    app.add_route("/upload", Upload())
    app.add_route("/sync", Sync())
    app.add_route("/chat", Chat())
    return app


APPS = {"default": application(), "mw": application(Nothing(), Nothing(), Nothing())}
MISSING = ("typed", "visits")
NOTES = {}
