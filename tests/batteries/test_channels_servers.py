"""Channels on real servers with several workers and a Redis: what is published on any worker reaches all, once.

Under load a worker is killed, all are replaced, Redis is frozen and is killed; clients come back, and say where they
were. `scripts/bench proof` runs this in its full size: 400 clients, 10,000 messages.
"""

import asyncio
import os
import re

import pytest

from tests.batteries.channel_listeners import TOGETHER, Listener, listeners, publish, until_heard
from tests.batteries.redis_server import running_redis
from tests.batteries.worker_processes import wait_until_gone, workers_of
from tests.client import run

IS_FULL = os.environ.get("CHANNELS_PROOF") == "full"
SOCKETS, STREAMS = (200, 200) if IS_FULL else (40, 40)
MESSAGES = 5000 if IS_FULL else 500  # for each of two channels
PATIENCE = 1200 if IS_FULL else 100  # seconds
SERVERS = ("uvicorn", "granian")
# An exception's last line, but for that of streams which Uvicorn cancels when its time to stop is over.
COMPLAINT = re.compile(r"(?m)^(?!asyncio\.exceptions\.Cancelled)[\w.]+(?:Error|Exception)\b.*|never retrieved")
SITE = "tests.batteries.channel_site:app"


@pytest.fixture
def redis(tmp_path):
    """A Redis server, with room for what workers have not read yet."""
    with running_redis(tmp_path) as running:
        yield running


def hear(redis, tmp_path, kind, count, meanwhile, *, clients=(SOCKETS, STREAMS), messages=MESSAGES, pause=0.0):
    """Let clients hear what is published, while something happens: they, and what is known to be published."""

    async def main(workers):
        await asyncio.to_thread(workers.wait_until_all_are_up, count)
        async with listeners(workers.port, *clients) as found:
            publishing = [
                asyncio.create_task(publish(workers.port, channel, range(messages), pause)) for channel in ("a", "b")
            ]
            await meanwhile(workers)
            known = await asyncio.wait_for(asyncio.gather(*publishing), PATIENCE)
            last = await asyncio.gather(*(publish_last(workers.port, channel, messages) for channel in ("a", "b")))
            for channel, number in zip(("a", "b"), last, strict=True):
                await until_heard(found, channel, number, PATIENCE)
            return found, dict(zip(("a", "b"), known, strict=True))

    with workers_of(kind, SITE, tmp_path / "log", count=count, REDIS_URL=redis.url) as workers:
        found, known = run(main(workers))
    log = (tmp_path / "log").read_text()
    assert COMPLAINT.findall(log) == []
    return found, known


async def publish_last(port, channel, number):
    """Publish one number more, which succeeds in the end."""
    while not await publish(port, channel, range(number, number + 1)):
        number += 1
        await asyncio.sleep(0.2)
    return number


def check_all_heard(found, known):
    """Each client has heard all that is known to be published, once and in one order."""
    for channel, numbers in known.items():
        first = found[0].heard[channel].tolist()
        assert first == sorted(set(first))  # one publisher for each channel
        assert set(numbers) <= set(first)
        assert [one.heard[channel].tolist() == first for one in found] == [True] * len(found)


async def in_the_middle(pause):
    """Wait for a good part of what is published with such pauses."""
    await asyncio.sleep(0.3 * pause * MESSAGES / TOGETHER)


async def nothing(_workers):
    """Nothing happens."""


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("kind", SERVERS)
def test_every_subscriber_gets_each_message_once_and_in_order(redis, tmp_path, kind, count):
    """WebSockets and event streams over all workers."""
    found, known = hear(redis, tmp_path, kind, count, nothing)
    assert [len(numbers) for numbers in known.values()] == [MESSAGES] * 2
    check_all_heard(found, known)
    assert {one.connections for one in found} == {1}


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_worker_that_is_killed(redis, tmp_path, kind):
    """Its clients come back, and miss nothing."""

    async def kill(workers):
        await in_the_middle(0.05)
        await asyncio.to_thread(workers.kill_one)

    found, known = hear(redis, tmp_path, kind, 2, kill, pause=0.05)
    check_all_heard(found, known)
    assert {one.connections for one in found} == {1, 2}


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_rolling_restart(redis, tmp_path, kind):
    """All workers are replaced under load; nobody misses anything."""

    async def restart(workers):
        await in_the_middle(0.1)
        before = await asyncio.to_thread(workers.pids)
        workers.restart(kind)
        async with asyncio.timeout(40):
            while len(set(await asyncio.to_thread(workers.pids_if_up)) - set(before)) < len(before):
                pass
            await asyncio.to_thread(wait_until_gone, before)  # they let go of their clients last

    found, known = hear(redis, tmp_path, kind, 2, restart, pause=0.1)
    check_all_heard(found, known)
    assert min(one.connections for one in found) >= 2


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("kind", SERVERS)
def test_redis_frozen(redis, tmp_path, kind):
    """For five seconds nothing comes, then all of it; no client has to come back."""

    async def freeze(_workers):
        await in_the_middle(0.05)
        redis.freeze()
        await asyncio.sleep(5)
        redis.thaw()

    found, known = hear(redis, tmp_path, kind, 2, freeze, pause=0.05)
    check_all_heard(found, known)
    assert {one.connections for one in found} == {1}


@pytest.mark.timeout(2 * PATIENCE)
@pytest.mark.parametrize("kind", SERVERS)
def test_redis_killed(redis, tmp_path, kind):
    """What it has forgotten is told as a gap; all stay connected, and hear what is published then, once."""

    async def kill(_workers):
        await in_the_middle(0.05)
        redis.kill()
        await asyncio.sleep(1)
        redis.start()

    found, known = hear(redis, tmp_path, kind, 2, kill, pause=0.05)
    assert {one.connections for one in found} == {1}
    for channel, numbers in known.items():
        for one in found:
            heard = one.heard[channel].tolist()
            assert heard == sorted(set(heard))
            assert len(set(numbers) - set(heard)) < MESSAGES / 4  # those on their way, and before workers are back
    assert all(told_of_loss(one) for one in found[SOCKETS:])


def told_of_loss(listener: Listener) -> bool:
    """True if a client knows that something may be missing."""
    kinds = [kind for kind, _ in listener.notices]
    return kinds.count("lost") >= 2 and kinds.count("back") >= 2 and ("gap", None) in listener.notices
