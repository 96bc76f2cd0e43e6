#!/usr/bin/env bash
# redis-py's `Redis()` as it is made by default, an INCR, and a server that takes 6 seconds to answer.
#
# Guess: no time-out, or an error after one; a command that was sent is not sent again, since it may have been carried out.
# Seen: a time-out of 5 seconds, after which the command is sent again, up to ten times, whatever it is. One `incr()` counts twice, and returns
# 2. `Retry(NoBackoff(), 0)` is for everything that may not be done twice.
source "$(dirname "$0")/_setup.sh"
program redis-server # 7.0.15
packages redis==8.1.0
redis-server --version | cut -d ' ' -f 1-3

cat >try.py <<'END'
import threading
import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError
from redis.retry import Retry

from _servers import serving_redis

def counted(port, **options):
    other, redis = Redis(port=port, socket_timeout=30), Redis(port=port, **options)
    redis.ping()
    other.set("orders", 0)
    # A slow script or a large deletion of somebody else's holds up everybody just as this does.
    slow = threading.Thread(target=lambda: other.execute_command("DEBUG", "SLEEP", "6"))
    slow.start()
    time.sleep(0.2)
    try:
        said = redis.incr("orders")
    except TimeoutError:
        said = "TimeoutError"
    slow.join()
    return f"incr() gives {said}, the counter is {other.get('orders').decode()}"

with serving_redis("--enable-debug-command", "local") as port:
    print("Redis():", counted(port))
    print("without retries:", counted(port, retry=Retry(NoBackoff(), 0)))
END
seen python try.py <<'END'
Redis(): incr() gives 2, the counter is 2
without retries: incr() gives TimeoutError, the counter is 1
END
