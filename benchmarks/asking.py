"""Requests to an ASGI application, in process: no server, no socket, and nothing between the messages and us."""

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import unquote

Headers = list[tuple[str, str]]


@dataclass
class Answer:
    """What an application has sent."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each chunk came, in seconds since the request."""

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (value.partition(";")[0].partition("=") for value in self.all("set-cookie"))
        return {name: value for name, _, value in pairs}


def scope_of(path: str, headers: Headers, *, method: str, scheme: str, host: str | None, client: str) -> dict:
    """Return the scope of a request as servers make it: the path is decoded, and `?` begins the query."""
    target, _, query = path.partition("?")
    named = [] if host is None else [("host", host)]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": unquote(target),
        "raw_path": target.encode("ascii", "backslashreplace"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in [*named, *headers]],
        "client": (client, 4711),
        "server": ("127.0.0.1", 443 if scheme == "https" else 80),
        "extensions": {},
        "state": {},
    }


async def ask(
    app,
    path: str = "/",
    headers: Headers | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    scheme: str = "https",
    host: str | None = "shop.example",
    client: str = "203.0.113.7",
    cookies: dict[str, str] | None = None,
) -> Answer:
    """Return what the application answers; an exception that it lets out after its answer is the server's to log."""
    if cookies:
        headers = [*(headers or []), ("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))]
    scope = scope_of(path, headers or [], method=method, scheme=scheme, host=host, client=client)
    answer, began, complete = Answer(), time.perf_counter(), asyncio.Event()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await complete.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            if chunk := bytes(message.get("body", b"")):
                answer.chunks.append(chunk)
                answer.times.append(time.perf_counter() - began)
            if not message.get("more_body"):
                complete.set()

    try:
        await app(scope, receive, send)
    except Exception:
        if not answer.status:
            raise
    return answer


async def handshake(app, path: str, headers: Headers) -> str:
    """Return what becomes of a WebSocket's handshake: the type of the application's first message."""
    scope = scope_of(path, headers, method="GET", scheme="wss", host="shop.example", client="203.0.113.7")
    scope |= {"type": "websocket", "subprotocols": []}
    del scope["method"]
    messages, sent = [{"type": "websocket.connect"}], []

    async def receive():
        return messages.pop() if messages else {"type": "websocket.disconnect", "code": 1001}

    async def send(message):
        sent.append(message["type"])

    await app(scope, receive, send)
    return sent[0]
