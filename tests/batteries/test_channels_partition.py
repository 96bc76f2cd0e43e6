"""Channels on three hosts, two with applications and one with Redis, where the network is cut and heals."""

import asyncio

import httpx
import pytest

from tests.batteries.channel_listeners import listeners, publish, until_heard
from tests.batteries.hosts import WAYS, hosts
from tests.client import run

NUMBERS = 100  # that are published before the network is cut, while it is, and behind that
TIMES = {"BEAT": "0.4", "SILENCE": "1.5"}  # seconds, in place of 5 and 10


def partitioned(way, folder, history):
    """Cut one host from Redis while the other one publishes: what each host's clients heard, and what was seen."""

    async def main():
        async with (
            hosts(way, folder, HISTORY=history, **TIMES) as three,
            listeners(three.one.workers.port, 10, 10, host=three.one.workers.host) as here,
            listeners(three.two.workers.port, 10, 10, host=three.two.workers.host) as there,
        ):
            await say(three.two, 0)
            await until_heard([*here, *there], "a", NUMBERS - 1)
            before = files_and_connections(three)
            three.one.cut()
            await say(three.two, NUMBERS)
            await until_heard(there, "a", 2 * NUMBERS - 1)
            await until_told(here, "lost")
            status = await status_of_publishing(three.one)
            three.one.heal()
            await until_told(here, "back")
            await say(three.two, 2 * NUMBERS)
            await until_heard([*here, *there], "a", 3 * NUMBERS - 1)
            async with asyncio.timeout(20):
                while await status_of_publishing(three.one) != 204:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            after = files_and_connections(three)
            logs = three.one.log.read_text(), three.two.log.read_text()
            return here, there, status, [now - then for then, now in zip(before, after, strict=True)], logs

    return run(main())


async def say(host, start):
    """Publish some numbers on a host."""
    numbers = range(start, start + NUMBERS)
    assert await publish(host.workers.port, "a", numbers, host=host.workers.host) == list(numbers)


async def status_of_publishing(host):
    """What a publisher on a host gets, on a channel that nobody hears."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return (await client.post(f"{host.workers.url}/publish/c/0/1")).status_code


async def until_told(clients, kind):
    """Wait until those with event streams are told something."""
    async with asyncio.timeout(30):
        for one in clients[10:]:
            while kind not in [told for told, _ in one.notices]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


def files_and_connections(three):
    """What may leak: the open files of the applications, and the clients of Redis."""
    clients = three.redis.ask("CLIENT", "LIST").count(b"id=")
    return three.one.open_files(), three.two.open_files(), clients


@pytest.mark.parametrize("history", ["1000", "0"])
@pytest.mark.parametrize("way", WAYS)
def test_a_partition_that_heals(tmp_path, way, history):
    """Nobody is cut off, nothing crashes or leaks; with a history nothing is missing, else the gap is told."""
    here, there, status, more, logs = partitioned(way, tmp_path, history)
    assert status == 503
    everything = list(range(3 * NUMBERS))
    for one in here:
        heard = one.heard["a"].tolist()
        assert heard == sorted(set(heard))
        missing = 3 * NUMBERS - len(heard)
        assert missing == (0 if history == "1000" else NUMBERS)
        gaps = [missed for kind, missed in one.notices if kind == "gap"]
        assert one in here[:10] or gaps == ([missing] if missing else [])
    assert [one.heard["a"].tolist() for one in there] == [everything] * len(there)
    assert {one.connections for one in [*here, *there]} == {1}
    assert max(more) <= 3  # connections that are kept for the next command
    assert not any("Traceback" in log for log in logs)
