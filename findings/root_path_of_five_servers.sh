#!/usr/bin/env bash
# `--root-path /api`, behind a proxy that keeps the prefix, and behind one that removes it.
#
# Guess: one option of one name in one protocol, so one meaning.
# Seen: Uvicorn puts the prefix in front of whatever comes (a proxy that keeps it makes /api/api/x); the others tell it and leave the path
# alone, so that behind a proxy that removes it `path` does not begin with `root_path`. No way of the proxy gives all five the same. Granian calls it `--url-path-prefix`.
source "$(dirname "$0")/_setup.sh"
packages gunicorn==27.0.1 uvicorn==0.54.0 hypercorn==0.18.0 granian==2.8.9 daphne==4.2.3

cat >app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    body = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
END
cat >try.py <<'END'
from _servers import ask, serving

for name in "uvicorn", "hypercorn", "granian", "gunicorn", "daphne":
    with serving(name, "--url-path-prefix" if name == "granian" else "--root-path", "/api") as (port, _):
        kept, removed = (ask(port, path).rpartition(b"\r\n")[2].decode() for path in ("/api/x", "/x"))
        print(f"{name}: root_path and path are {kept!r} if the proxy keeps the prefix, {removed!r} if not")
END
seen python try.py <<'END'
uvicorn: root_path and path are '/api /api/api/x' if the proxy keeps the prefix, '/api /api/x' if not
hypercorn: root_path and path are '/api /api/x' if the proxy keeps the prefix, '/api /x' if not
granian: root_path and path are '/api /api/x' if the proxy keeps the prefix, '/api /x' if not
gunicorn: root_path and path are '/api /api/x' if the proxy keeps the prefix, '/api /x' if not
daphne: root_path and path are '/api /api/x' if the proxy keeps the prefix, '/api /x' if not
END
