#!/usr/bin/env bash
# redis-py's asyncio `PubSub`, `Retry(NoBackoff(), 0)`, and a server that closes the connection.
#
# Guess: without retries the error that `listen()` raises means that the connection is gone, and its subscriptions with it.
# Seen: it connects and subscribes anew first, and raises then: whoever makes another connection now has two, and the first one stays open, subscribed, until
# it is closed too. So does any command on a `PubSub` whose connection is lost, in whichever task, also while another task is closing it. Of no retries but for
# some errors, `Retry(NoBackoff(), 0, supported_errors=())`, it only raises.
source "$(dirname "$0")/_setup.sh"
program redis-server # 7.0.15
packages redis==8.1.0
redis-server --version | cut -d ' ' -f 1-3

cat >try.py <<'END'
import asyncio

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError

from _servers import serving_redis

async def behind_the_error(port, retry):
    other = Redis(port=port)
    async with Redis(port=port, retry=retry) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe("news")
        await anext(pubsub.listen())
        await other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        try:
            await anext(pubsub.listen())
        except ConnectionError as error:
            said = type(error).__name__
        await asyncio.sleep(0.2)
        ((_, subscribers),) = await other.pubsub_numsub("news")
    await other.aclose()
    return f"{said}, and {subscribers} subscribed"

with serving_redis() as port:
    print("no retries:", asyncio.run(behind_the_error(port, Retry(NoBackoff(), 0))))
    print("and no errors:", asyncio.run(behind_the_error(port, Retry(NoBackoff(), 0, supported_errors=()))))
END
seen python try.py <<'END'
no retries: ConnectionError, and 1 subscribed
and no errors: ConnectionError, and 0 subscribed
END
