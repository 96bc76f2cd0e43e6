"""Quart, with orjson as its JSON provider and its signed cookie sessions."""

import orjson
from quart import Quart, Response, render_template, request, session, websocket
from quart.json.provider import JSONProvider
from workloads import FORTUNES


class OrjsonProvider(JSONProvider):
    def dumps(self, object_, **_options):
        return orjson.dumps(object_).decode()

    def loads(self, object_, **_options):
        return orjson.loads(object_)

    def response(self, *args, **kwargs):
        return self._app.response_class(
            orjson.dumps(self._prepare_response_obj(args, kwargs)), mimetype="application/json"
        )


def application():
    app = Quart(__name__)
    app.json = OrjsonProvider(app)
    app.secret_key = "secret"

    @app.get("/json")
    async def json():
        return {"message": "Hello, World!"}

    @app.get("/text")
    async def text():
        return "Hello, World!"

    @app.get("/greet/<name>")
    async def greet(name):
        return f"Hello, {name}!"

    @app.get("/greet")
    async def greet_by_query():
        return f"Hello, {request.args['name']}!"

    @app.post("/echo")
    async def echo():
        return await request.get_json()

    @app.post("/form")
    async def form():
        return (await request.form)["email"]

    @app.get("/visits")
    async def visits():
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    @app.get("/stream")
    async def stream():
        async def chunks():
            for number in range(1, 6):
                yield f"Chunk {number}\n"

        return Response(chunks(), mimetype="text/plain")

    @app.get("/fortunes")
    async def fortunes():
        return await render_template("fortunes.html", fortunes=FORTUNES)

    @app.post("/upload")
    async def upload():
        return str(len((await request.files)["file"].read()))

    @app.get("/sync")
    def sync():
        return "Hello, World!"

    @app.websocket("/chat")
    async def chat():
        while True:
            await websocket.send(await websocket.receive())

    return app


async def before():
    pass


async def after(response):
    return response


app_with_middlewares = application()
for _ in range(3):
    app_with_middlewares.before_request(before)
    app_with_middlewares.after_request(after)

APPS = {"default": application(), "mw": app_with_middlewares}
MISSING = ("typed",)
NOTES = {"visits": "the session is in a signed cookie"}
