"""Emmett55 (its router is in Rust), with orjson and its encrypted cookie sessions.

Its WebSockets work over RSGI only: over ASGI a connection is a KeyError, since it looks for its handler by "ws".
"""

import tempfile

from emmett55 import App, Pipe, request, session
from emmett55.sessions import SessionManager
from emmett55.tools import service


class Nothing(Pipe):
    """Sees every request and its reply."""

    async def pipe_request(self, next_pipe, **kwargs):
        return await next_pipe(**kwargs)


def application(*pipes):
    # It makes the folders `logs` and `static` in its root.
    app = App("emmett_app", root_path=tempfile.mkdtemp())
    app.pipeline = list(pipes)

    @app.route("/json", methods="get")
    @service.json
    async def json():
        return {"message": "Hello, World!"}

    @app.route("/text", methods="get", output="str")
    async def text():
        return "Hello, World!"

    @app.route("/greet/<str:name>", methods="get", output="str")
    async def greet(name):
        return f"Hello, {name}!"

    @app.route("/greet", methods="get", output="str")
    async def greet_by_query():
        return f"Hello, {request.query_params.name}!"

    @app.route("/echo", methods="post")
    @service.json
    async def echo():
        return await request.body_params

    @app.route("/form", methods="post", output="str")
    async def form():
        return (await request.body_params).email

    @app.route("/visits", methods="get", output="str")
    async def visits():
        session.visits = (session.visits or 0) + 1
        return str(session.visits)

    @app.route("/stream", methods="get", output="aiter")
    async def stream():
        async def chunks():
            for number in range(1, 6):
                yield f"Chunk {number}\n".encode()

        return chunks()

    @app.route("/upload", methods="post", output="str")
    async def upload():
        return str(len((await request.files).file.read()))

    @app.route("/sync", methods="get", output="str")
    def sync():
        return "Hello, World!"

    return app


APPS = {
    "default": application(),
    "mw": application(Nothing(), Nothing(), Nothing()),
    "visits": application(SessionManager.cookies("secret")),
}
MISSING = ("typed", "fortunes", "ws")
NOTES = {"visits": "the session is in an encrypted cookie", "sync": "on the loop, where it blocks everybody else"}
