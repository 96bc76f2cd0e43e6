#!/usr/bin/env bash
# An application closes a WebSocket with a code: 1008 (policy), 1011 (internal error), 1012 (restart), 4001 (its own).
#
# Guess: the client gets that code; all of them may be sent by a server (RFC 6455 §7.4).
# Seen: Daphne sends 1000 and those from 3000 on. For the others `send` raises, and the client, who gets no close frame of the application's,
# is told 1011.
source "$(dirname "$0")/_setup.sh"
packages uvicorn==0.54.0 hypercorn==0.18.0 granian==2.8.9 daphne==4.2.3 websockets==17.4

cat >app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": int(scope["path"][1:]), "reason": "as you wish"})
END
cat >try.py <<'END'
import asyncio

import websockets
from _servers import serving


async def code_of(port, code):
    async with websockets.connect(f"ws://127.0.0.1:{port}/{code}") as ws:
        await ws.wait_closed()
        return ws.close_code


for name in "uvicorn", "hypercorn", "granian", "daphne":
    with serving(name) as (port, _):
        print(f"{name}:", *(f"{code}->{asyncio.run(code_of(port, code))}" for code in (1000, 1008, 1011, 1012, 4001)))
END
seen python try.py <<'END'
uvicorn: 1000->1000 1008->1008 1011->1011 1012->1012 4001->4001
hypercorn: 1000->1000 1008->1008 1011->1011 1012->1012 4001->4001
granian: 1000->1000 1008->1008 1011->1011 1012->1012 4001->4001
daphne: 1000->1000 1008->1011 1011->1011 1012->1011 4001->4001
END
