#!/usr/bin/env bash
# Django's `acheck_password` is the asynchronous form of `check_password`, for views that are `async def`.
#
# Guess: the hash, which takes a tenth of a second by design, is computed in a thread, as Django's other asynchronous forms do what blocks.
# Seen: it is computed on the event loop; while one visitor logs in, all others wait.
source "$(dirname "$0")/_setup.sh"
packages django==5.2.19

cat >try.py <<'END'
import asyncio
import time

from django.conf import settings

settings.configure()
from django.contrib.auth.hashers import acheck_password, check_password, make_password

stored = make_password("the cat sat on it")


async def longest_wait(work):
    """The longest that a task which wants to run each millisecond is kept waiting, as a share of the work's time."""
    longest, done = 0.0, asyncio.Event()

    async def beat():
        nonlocal longest
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    assert await work
    took = time.perf_counter() - began
    done.set()
    await beating
    return "the loop stands still" if longest > 0.8 * took else "the loop goes on"


async def main():
    print("acheck_password:", await longest_wait(acheck_password("the cat sat on it", stored)))
    print("check_password in a thread:", await longest_wait(asyncio.to_thread(check_password, "the cat sat on it", stored)))


asyncio.run(main())
END
seen python try.py <<'END'
acheck_password: the loop stands still
check_password in a thread: the loop goes on
END
