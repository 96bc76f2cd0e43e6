"""socketify: its server is its own, uWebSockets in C++, and it has its own handlers beside ASGI; with orjson."""

import orjson
from socketify import App, AppListenOptions

app = App()


def json(response, request):
    response.write_header("content-type", "application/json").end(orjson.dumps({"message": "Hello, World!"}))


def greet(response, request):
    response.write_header("content-type", "text/plain").end(f"Hello, {request.get_parameter(0)}!")


def echo(response, request):
    # `await response.get_json()` crashes the process under 64 connections (socketify 0.0.31, CPython 3.11).
    parts = []

    def received(response, part, is_last):
        parts.append(part)
        if is_last:
            value = orjson.loads(b"".join(parts))
            response.write_header("content-type", "application/json").end(orjson.dumps(value))

    response.on_data(received)


app.get("/json", json)
app.get("/greet/:name", greet)
app.post("/echo", echo)


def serve(host: str, port: int) -> None:
    """Run it on its own server, in this process."""
    app.listen(AppListenOptions(port=port, host=host), lambda _config: None)
    app.run()


MISSING = ("visits",)
