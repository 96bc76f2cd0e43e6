"""Muffin (Cython in parts), with orjson and its plug-ins for Jinja2 and signed cookie sessions."""

import muffin_jinja2
import muffin_session
from asgi_tools.errors import ASGIConnectionClosedError
from muffin import Application, ResponseHTML, ResponseStream, ResponseText, ResponseWebSocket
from workloads import FORTUNES


def application():
    app = Application()
    templates = muffin_jinja2.Plugin(app, template_folders=["templates"])

    @app.route("/json")
    async def json(_request):
        return {"message": "Hello, World!"}

    @app.route("/text")
    async def text(_request):
        return ResponseText("Hello, World!")

    @app.route("/greet/{name}")
    async def greet(request):
        return ResponseText(f"Hello, {request.path_params['name']}!")

    @app.route("/greet")
    async def greet_by_query(request):
        return ResponseText(f"Hello, {request.query['name']}!")

    @app.route("/echo", methods=["POST"])
    async def echo(request):
        return await request.json()

    @app.route("/form", methods=["POST"])
    async def form(request):
        return ResponseText((await request.form())["email"])

    @app.route("/stream")
    async def stream(_request):
        async def chunks():
            for number in range(1, 6):
                yield f"Chunk {number}\n"

        return ResponseStream(chunks(), content_type="text/plain")

    @app.route("/fortunes")
    async def fortunes(_request):
        return ResponseHTML(await templates.render("fortunes.html", fortunes=FORTUNES))

    @app.route("/upload", methods=["POST"])
    async def upload(request):
        file = (await request.form())["file"]
        return ResponseText(str(len(file.read())))

    @app.route("/sync")
    def sync(_request):
        return ResponseText("Hello, World!")

    @app.route("/chat")
    async def chat(request):
        async with ResponseWebSocket(request) as ws:
            try:
                while True:
                    await ws.send(await ws.receive())
            except ASGIConnectionClosedError:
                pass

    return app


def nothing():
    """Return a new function each time: Muffin takes the same one only once."""

    async def middleware(handler, request, receive, send):
        return await handler(request, receive, send)

    return middleware


def app_with_middlewares():
    app = application()
    for _ in range(3):
        app.middleware(nothing())
    return app


def app_with_sessions():
    app = application()
    sessions = muffin_session.Plugin(app, secret_key="a secret that is as long as SHA-256 wants", auto_manage=True)

    @app.route("/visits")
    async def visits(request):
        session = sessions.load_from_request(request)
        session["visits"] = session.get("visits", 0) + 1
        return ResponseText(str(session["visits"]))

    return app


APPS = {"default": application(), "mw": app_with_middlewares(), "visits": app_with_sessions()}
MISSING = ("typed",)
NOTES = {
    "sync": "on the loop, where it blocks everybody else",
    "visits": "the session is in a signed cookie",
}
