"""A worker process of the tests of session backends: `python -m tests.batteries.session_worker WHAT URL ARGUMENTS`.

It begins when a line comes in, and says on a line of its own what it has done.
"""

import asyncio
import sys
import time

from micropie import App
from micropie.sessions import backend_from_url
from micropie.testing import TestClient


class Site(App):
    """Stores values of sessions."""

    async def put(self, name, value):
        self.request.session[name] = value
        return "stored"


async def update(url, session_id, *names):
    """Store these names in one session, by parallel requests."""
    async with TestClient(Site(url)) as client:
        say("ready")
        listen()
        cookies = {"session_id": session_id}
        replies = await asyncio.gather(*(client.get(f"/put/{name}/{name}", cookies=cookies) for name in names))
        assert [reply.text for reply in replies] == ["stored"] * len(names)


async def save(url, prefix, count):
    """Store sessions one after another, and say the number of each one that is stored."""
    backend = backend_from_url(url)
    say("ready")
    listen()
    for number in range(int(count)):
        await backend.save(f"{prefix}-{number}", {"number": number, "filling": "x" * 500}, 3600)
        say(number)


async def hurry(url, prefix, count):
    """Store sessions as fast as it goes, ten at a time; say how long the slowest took."""
    backend = backend_from_url(url)
    say("ready")
    listen()
    slowest = 0.0
    for number in range(0, int(count), 10):
        began = time.monotonic()
        saves = (backend.save(f"{prefix}-{number + more}", {"number": number + more}, 3600) for more in range(10))
        await asyncio.gather(*saves)
        slowest = max(slowest, time.monotonic() - began)
    say(slowest)


def say(what):
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def listen():
    sys.stdin.readline()


if __name__ == "__main__":
    todo = {"update": update, "save": save, "hurry": hurry}[sys.argv[1]]
    asyncio.run(todo(*sys.argv[2:]))
