#!/usr/bin/env bash
# A Flask application behind a2wsgi's WSGIMiddleware, as an ASGI framework mounts it, and a form sent in chunks, without a Content-Length
# (what `curl -T -`, streaming clients and some proxies do).
#
# Guess: Flask sees the form, as behind gunicorn or any WSGI server; at worst it is refused (411).
# Seen: the form is empty, the status 200. WSGI has no end of the input without CONTENT_LENGTH, so Werkzeug reads nothing unless the server
# says `wsgi.input_terminated`; a2wsgi's input ends, but a2wsgi does not say so.
source "$(dirname "$0")/_setup.sh"
packages a2wsgi==1.10.10 flask==3.1.2 uvicorn==0.54.0 gunicorn==27.0.1

cat >shop.py <<'END'
from flask import Flask, request

app = Flask(__name__)

@app.post("/")
def order():
    return {"form": request.form.to_dict()}
END
cat >app.py <<'END'
from a2wsgi import WSGIMiddleware
from shop import app as shop

app = WSGIMiddleware(shop)
END
cat >try.py <<'END'
import _servers, socket
from _servers import serving

_servers.COMMANDS["gunicorn"] = "gunicorn --bind 127.0.0.1:{port} --no-control-socket shop:app"
HEAD = b"POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
BODIES = {
    "with a length": b"Content-Length: 8\r\n\r\npie=plum",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n8\r\npie=plum\r\n0\r\n\r\n",
}
for server, label in (("gunicorn", "gunicorn's WSGI"), ("uvicorn", "a2wsgi on Uvicorn")):
    with serving(server) as (port, _):
        for name, body in BODIES.items():
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(HEAD + body)
                reply = b"".join(iter(lambda: connection.recv(65536), b""))
            print(f"{label}, {name}:", reply.split(b" ")[1].decode(), reply.rpartition(b"\r\n\r\n")[2].decode().strip())
END
seen python try.py <<'END'
gunicorn's WSGI, with a length: 200 {"form":{"pie":"plum"}}
gunicorn's WSGI, in chunks: 200 {"form":{"pie":"plum"}}
a2wsgi on Uvicorn, with a length: 200 {"form":{"pie":"plum"}}
a2wsgi on Uvicorn, in chunks: 200 {"form":{}}
END
