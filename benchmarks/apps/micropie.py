"""MicroPie: this checkout, and the releases from the index. The same source runs on all of them."""

from dataclasses import dataclass

from workloads import FORTUNES

import micropie
from micropie import App, ConnectionClosed, HttpMiddleware


@dataclass
class Order:
    item: str
    price: float
    quantity: int


class Root(App):
    async def json(self):
        return {"message": "Hello, World!"}

    async def text(self):
        return "Hello, World!"

    async def greet(self, name):
        return f"Hello, {name}!"

    async def echo(self):
        # 0.29 has the attribute, 0.32 the method, and we have both.
        return self.request.get_json if hasattr(self.request, "get_json") else self.request.json()

    async def typed(self, id: int, limit: int, active: bool, order: Order):
        return {"id": id, "limit": limit, "active": active, "total": order.price * order.quantity}

    async def form(self, email):
        return email

    async def visits(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    async def stream(self):
        async def chunks():
            for number in range(1, 6):
                yield f"Chunk {number}\n"

        return chunks()

    async def fortunes(self):
        return await self._render_template("fortunes.html", fortunes=FORTUNES)

    async def upload(self, file):
        size = 0
        while (chunk := await file["content"].get()) is not None:
            size += len(chunk)
        return str(size)

    def sync(self):
        return "Hello, World!"

    async def ws_chat(self, ws):
        await ws.accept()
        try:
            while True:
                await ws.send_text(await ws.receive_text())
        except ConnectionClosed:
            pass


class Nothing(HttpMiddleware):
    async def before_request(self, request):
        pass

    async def after_request(self, request, status_code, response_body, extra_headers):
        pass


app = Root()
app_with_middlewares = Root()
app_with_middlewares.middlewares += [Nothing(), Nothing(), Nothing()]
app_with_sessions = Root()

# Sessions in an application of their own, as with the peers: once there are some, each request looks for its cookie.
APPS = {"default": app, "mw": app_with_middlewares, "visits": app_with_sessions}
IS_OURS = hasattr(micropie, "routes")
MISSING = () if IS_OURS else ("typed",)
NOTES = {} if IS_OURS else {"sync": "on the loop, where it blocks everybody else"}
