"""Sanic, with orjson; over ASGI in process, on its own server where servers are compared."""

import orjson
from jinja2 import Environment, FileSystemLoader
from sanic import Request, Sanic, Websocket
from sanic import html as html_response
from sanic import json as json_response
from sanic import text as text_response
from workloads import FORTUNES

fortunes_template = Environment(loader=FileSystemLoader("templates"), autoescape=True).get_template("fortunes.html")


async def json(request: Request):
    return json_response({"message": "Hello, World!"})


async def text(request: Request):
    return text_response("Hello, World!")


async def greet(request: Request, name: str):
    return text_response(f"Hello, {name}!")


async def greet_by_query(request: Request):
    return text_response(f"Hello, {request.args.get('name')}!")


async def echo(request: Request):
    return json_response(request.json)


async def form(request: Request):
    return text_response(request.form.get("email"))


async def stream(request: Request):
    response = await request.respond(content_type="text/plain")
    for number in range(1, 6):
        await response.send(f"Chunk {number}\n")
    await response.eof()


async def fortunes(request: Request):
    return html_response(fortunes_template.render(fortunes=FORTUNES))


async def upload(request: Request):
    return text_response(str(len(request.files.get("file").body)))


def sync(request: Request):
    return text_response("Hello, World!")


async def chat(request: Request, ws: Websocket):
    while (message := await ws.recv()) is not None:  # None: the client has left
        await ws.send(message)


async def before(request: Request):
    pass


async def after(request: Request, response):
    pass


def application(name: str, middlewares: int = 0) -> Sanic:
    app = Sanic(name, dumps=orjson.dumps, loads=orjson.loads, configure_logging=False)
    app.config.TOUCHUP = not middlewares  # it rewrites methods of its server, of which a process has one
    for handler in (json, text, stream, fortunes, sync):
        app.add_route(handler, f"/{handler.__name__}")
    for handler in (echo, form, upload):
        app.add_route(handler, f"/{handler.__name__}", methods=["POST"])
    app.add_route(greet, "/greet/<name:str>")
    app.add_route(greet_by_query, "/greet")
    app.add_websocket_route(chat, "/chat")
    for _ in range(middlewares):
        app.register_middleware(before, "request")
        app.register_middleware(after, "response")
    return app


APPS = {"default": application("plain"), "mw": application("middlewares", 3)}
MISSING = ("typed", "visits")
NOTES = {"sync": "on the loop, where it blocks everybody else", "fortunes": "rendered by hand, with Jinja2 alone"}


def serve(host: str, port: int) -> None:
    """Run it on its own server, in this process."""
    APPS["default"].run(host, port, single_process=True, access_log=False, motd=False)
