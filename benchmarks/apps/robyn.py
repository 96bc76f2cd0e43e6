"""Robyn: its server is its own, in Rust, and it has no ASGI; with orjson and its sessions in signed cookies."""

import orjson
from robyn import Request, Response, Robyn

app = Robyn(__file__)
app.configure_sessions(secret_key="secret")
JSON = {"content-type": "application/json"}


@app.get("/json")
async def json():
    return Response(200, JSON, orjson.dumps({"message": "Hello, World!"}))


@app.get("/greet/:name")
async def greet(request: Request):
    return f"Hello, {request.path_params['name']}!"


@app.post("/echo")
async def echo(request: Request):
    return Response(200, JSON, orjson.dumps(orjson.loads(request.body)))


@app.get("/visits")
async def visits(request: Request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return str(request.session["visits"])


def serve(host: str, port: int) -> None:
    """Run it on its own server."""
    app.start(host, port, _check_port=False)


MISSING = ()
