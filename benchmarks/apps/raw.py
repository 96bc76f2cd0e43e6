"""The hand-written ASGI application: what each workload costs without a framework."""

import asyncio
import secrets
from urllib.parse import parse_qs

import orjson
from jinja2 import Environment, FileSystemLoader
from workloads import FORTUNES

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
HTML = (b"content-type", b"text/html; charset=utf-8")

fortunes_template = Environment(loader=FileSystemLoader("templates"), autoescape=True).get_template("fortunes.html")
sessions = {}


async def reply(send, body, content_type, *headers):
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [content_type, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def read(receive):
    message = await receive()
    if not message["more_body"]:
        return message["body"]
    parts = [message["body"]]
    while message["more_body"]:
        message = await receive()
        parts.append(message["body"])
    return b"".join(parts)


def header(scope, wanted):
    for name, value in scope["headers"]:
        if name == wanted:
            return value
    return b""


async def json(_scope, _receive, send):
    await reply(send, orjson.dumps({"message": "Hello, World!"}), JSON)


async def text(_scope, _receive, send):
    await reply(send, b"Hello, World!", TEXT)


async def greet(scope, _receive, send):
    name = scope["path"][len("/greet/") :] or parse_qs(scope["query_string"].decode())["name"][0]
    await reply(send, f"Hello, {name}!".encode(), TEXT)


async def echo(_scope, receive, send):
    await reply(send, orjson.dumps(orjson.loads(await read(receive))), JSON)


async def typed(scope, receive, send):
    query = parse_qs(scope["query_string"].decode())
    order = orjson.loads(await read(receive))
    answer = {
        "id": int(scope["path"][len("/typed/") :]),
        "limit": int(query["limit"][0]),
        "active": query["active"][0] == "true",
        "total": order["price"] * order["quantity"],
    }
    await reply(send, orjson.dumps(answer), JSON)


async def form(_scope, receive, send):
    fields = parse_qs((await read(receive)).decode())
    await reply(send, fields["email"][0].encode(), TEXT)


async def visits(scope, _receive, send):
    session_id = header(scope, b"cookie").partition(b"session_id=")[2]
    cookie = []
    if session_id not in sessions:
        session_id = secrets.token_urlsafe(24).encode()
        cookie = [(b"set-cookie", b"session_id=%b; Path=/; SameSite=Lax; HttpOnly; Secure" % session_id)]
        sessions[session_id] = {"visits": 0}
    session = sessions[session_id]
    session["visits"] += 1
    await reply(send, str(session["visits"]).encode(), TEXT, *cookie)


async def stream(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    for number in range(1, 6):
        await send({"type": "http.response.body", "body": f"Chunk {number}\n".encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def fortunes(_scope, _receive, send):
    await reply(send, fortunes_template.render(fortunes=FORTUNES).encode(), HTML)


async def upload(scope, receive, send):
    boundary = b"\r\n--" + header(scope, b"content-type").partition(b"boundary=")[2]
    first = (await receive())["body"]
    content = first[first.find(b"\r\n\r\n", first.find(b'name="file"')) + len(b"\r\n\r\n") :]
    size = 0
    while (end := content.find(boundary)) < 0:
        size += len(content) - len(boundary)
        content = content[-len(boundary) :] + (await receive())["body"]
    await reply(send, str(size + end).encode(), TEXT)


def sync_handler():
    return b"Hello, World!"


async def sync(_scope, _receive, send):
    body = await asyncio.get_running_loop().run_in_executor(None, sync_handler)
    await reply(send, body, TEXT)


async def chat(_scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


ROUTES = {
    "json": json,
    "text": text,
    "greet": greet,
    "echo": echo,
    "typed": typed,
    "form": form,
    "visits": visits,
    "stream": stream,
    "fortunes": fortunes,
    "upload": upload,
    "sync": sync,
    "chat": chat,
}


async def app(scope, receive, send):
    if scope["type"] != "lifespan":
        await ROUTES[scope["path"].split("/", 2)[1]](scope, receive, send)


APPS = {"default": app}
MISSING = ()
NOTES = {"mw": "the same as json, no middleware: the row is what having three costs"}
