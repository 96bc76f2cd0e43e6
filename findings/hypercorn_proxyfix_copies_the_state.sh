#!/usr/bin/env bash
# Hypercorn's own ProxyFixMiddleware around an application whose lifespan puts things into `scope["state"]`, as ASGI offers.
#
# Guess: the middleware changes client, scheme and host, and leaves the rest alone.
# Seen: it makes a deep copy of the whole scope for each request. What the startup has made is copied too: a cache is filled in vain,
# a counter stays where it was; and if there is a lock, a socket or a connection in it, every request fails.
source "$(dirname "$0")/_setup.sh"
packages hypercorn==0.18.0

cat >app.py <<'END'
import os, threading
from hypercorn.middleware import ProxyFixMiddleware

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["cache"] = []
        if "LOCK" in os.environ:
            scope["state"]["lock"] = threading.Lock()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        scope["state"]["cache"].append("a page")
        body = b"%d in the cache" % len(scope["state"]["cache"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

if "FIX" in os.environ:
    app = ProxyFixMiddleware(app)
END
cat >try.py <<'END'
import os
from _servers import ask, log, serving

for variables in (), ("FIX",), ("FIX", "LOCK"):
    os.environ.update(dict.fromkeys(variables, "1"))
    with serving("hypercorn") as (port, _):
        replies = [ask(port) for _ in range(2)]
        said = [reply.split(b" ")[1].decode() + " " + reply.rpartition(b"\r\n")[2].decode() for reply in replies]
        errors = {line for line in log("hypercorn", port) if "cannot pickle" in line}
    print(variables, [text.strip() for text in said], *errors)
END
seen python try.py <<'END'
() ['200 1 in the cache', '200 2 in the cache']
('FIX',) ['200 1 in the cache', '200 1 in the cache']
('FIX', 'LOCK') ['500', '500'] TypeError: cannot pickle '_thread.lock' object
END
