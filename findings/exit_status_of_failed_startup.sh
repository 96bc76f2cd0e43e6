#!/usr/bin/env bash
# An application says `lifespan.startup.failed`: the database is not there.
#
# Guess: the server ends with a status that is not 0, so that systemd's Restart=on-failure, a container's restart policy and a deploy
# script see it.
# Seen: Hypercorn always, and Uvicorn as soon as it has more than one worker, end with 0, "success".
source "$(dirname "$0")/_setup.sh"
packages gunicorn==27.0.1 uvicorn==0.54.0 hypercorn==0.18.0 granian==2.8.9

cat >app.py <<'END'
async def app(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.failed", "message": "no database"})
END
cat >try.py <<'END'
from _servers import free_port, start

for name in "uvicorn", "hypercorn", "granian", "gunicorn":
    statuses = [start(name, "--workers", str(workers), port=free_port()).wait(30) for workers in (1, 2)]
    print(f"{name}:", *("success" if status == 0 else "failure" for status in statuses))
END
seen python try.py <<'END'
uvicorn: failure success
hypercorn: success success
granian: failure failure
gunicorn: failure failure
END
