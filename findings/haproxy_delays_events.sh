#!/usr/bin/env bash
# Server-sent events through HAProxy.
#
# Guess: HAProxy does not buffer replies, so an event is passed on when it comes.
# Seen: each event comes 200 ms late, unless there is `option http-no-delay`; but only over plain HTTP. Over TLS, where one mostly
# measures it, they come at once with and without, so nobody misses the option until TLS ends in front of HAProxy.
source "$(dirname "$0")/_setup.sh"
program haproxy # 2.6.12
program openssl
packages uvicorn==0.54.0
echo "$(haproxy -v | head -n 1 | cut -d ' ' -f 1-3)"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=shop -keyout key -out certificate 2>/dev/null
cat key certificate >shop.pem
cat >app.py <<'END'
import asyncio, time

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(5):
        await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b"data: %.6f\n\n" % time.monotonic(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})
END
cat >try.py <<'END'
import re, socket, ssl, statistics, subprocess, time
from _servers import free_port, serving

CONFIGURATION = """
defaults
    mode http
    {option}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend www
    bind 127.0.0.1:{port} {tls}
    default_backend shop
backend shop
    server one 127.0.0.1:{shop}
"""

def delays(port, tls):
    connection = socket.create_connection(("127.0.0.1", port), 10)
    if tls:
        connection = ssl._create_unverified_context().wrap_socket(connection)
    with connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        while received := connection.recv(65536):
            for sent in re.findall(rb"data: (\S+)", received):
                yield time.monotonic() - float(sent)

with serving("uvicorn") as (shop, _):
    for tls in "", "ssl crt shop.pem":
        for option in "", "option http-no-delay":
            port = free_port()
            with open("haproxy.cfg", "w") as file:
                file.write(CONFIGURATION.format(option=option, tls=tls, port=port, shop=shop))
            proxy = subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"])
            time.sleep(1)
            delay = statistics.median(delays(port, tls))
            proxy.terminate()
            proxy.wait(10)
            print("TLS," if tls else "plain,", option or "no option", "->", "late" if delay > 0.1 else "at once")
END
seen python try.py <<'END'
plain, no option -> late
plain, option http-no-delay -> at once
TLS, no option -> at once
TLS, option http-no-delay -> at once
END
