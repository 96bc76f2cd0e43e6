#!/usr/bin/env bash
# Two gunicorns of one user on one machine, two sites.
#
# Guess: each has a control socket of its own, or the second says that the path is taken.
# Seen: both use ~/.gunicorn/gunicorn.ctl ($XDG_RUNTIME_DIR/gunicorn.ctl). The second takes it from the first without a word, so `gunicornc`
# looks at, and stops, the other site than it did a minute ago; when either ends, it removes the socket, and `gunicornc` finds none
# though the other still runs. `--control-socket PATH` gives each its own.
source "$(dirname "$0")/_setup.sh"
packages gunicorn==27.0.1

export HOME=$folder
unset XDG_RUNTIME_DIR
cat >app.py <<'END'
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
END
cat >try.py <<'END'
import subprocess, sys, time
from _servers import free_port

def gunicorn(name):
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--name", name, "--bind", f"127.0.0.1:{port}", "app:app"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(2)
    return process

def controlled():
    said = subprocess.run(["gunicornc", "-c", "show all"], capture_output=True, text=True, timeout=10)
    text = said.stdout + said.stderr
    return [name for name, process in sites.items() if str(process.pid) in text] or "nobody"

sites = {"one": gunicorn("one")}
print("one runs, gunicornc sees", controlled())
sites["two"] = gunicorn("two")
print("two starts, gunicornc sees", controlled())
sites["one"].terminate()
sites["one"].wait(10)
print("one ends, gunicornc sees", controlled(), "though two runs:", sites["two"].poll() is None)
sites["two"].terminate()
sites["two"].wait(10)
END
seen python try.py <<'END'
one runs, gunicornc sees ['one']
two starts, gunicornc sees ['two']
one ends, gunicornc sees nobody though two runs: True
END
