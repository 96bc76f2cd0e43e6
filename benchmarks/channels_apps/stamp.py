"""The messages of benchmarks/channels.py: 100 characters, one `^` in each, and the time of publication behind it."""

import asyncio
import time

LENGTH = 100


def stamped() -> str:
    return f"^{time.monotonic_ns():020d}".ljust(LENGTH, ".")


async def publish_all(publish, query: str) -> None:
    """Publish `count` messages, one each `every` seconds; with 0 as fast as the framework publishes."""
    options = dict(part.split("=") for part in query.split("&"))
    count, every = int(options["count"]), float(options["every"])
    due = time.monotonic()
    for _ in range(count):
        if every:
            due += every
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await publish(stamped())
