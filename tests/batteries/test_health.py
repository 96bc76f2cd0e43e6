"""`micropie.health`: whether a process lives, and is to be given requests."""

import asyncio
import os
import signal
import time
from typing import Any

import pytest

from micropie import App, Service, SessionBackend, routes
from micropie.channels import Channels
from micropie.health import Health
from micropie.openapi import openapi
from micropie.testing import TestClient
from tests.client import http, run, visitor

LOCAL = {"headers": {"Host": "localhost"}}


async def passes():
    return None


def passes_in_a_thread():
    time.sleep(0.01)


def passes_later():
    return passes()


def says_no():
    return False


async def fails():
    raise OSError("no route to 10.0.0.7")


async def exits():
    raise SystemExit(3)


async def hangs():
    await asyncio.sleep(60)


def site_with(**options):
    class Site(App):
        health = Health(**options)
        channels = Channels()

    return Site()


async def asked_here(app):
    """What a program on this machine is told."""
    async with TestClient(app) as client:
        return await client.get("/health/ready")


def test_a_process_that_answers_lives():
    """`live` asks nobody else, and is kept by no cache."""
    reply = http(site_with(database=fails), "GET", "/health/live")
    assert (reply.status_code, reply.json(), reply.headers["cache-control"]) == (200, {"status": "ok"}, "no-store")
    assert http(site_with(), "POST", "/health/live").status_code == 405


def test_a_process_is_ready_if_all_checks_pass():
    """The session backend and services are checked, and what is given by name."""
    reply = http(
        site_with(details=True, database=passes, disk=passes_in_a_thread, lazy=passes_later), path="/health/ready"
    )
    checks = dict.fromkeys(["sessions", "channels", "database", "disk", "lazy"], "ok")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok", "checks": checks})
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (fails, "OSError: no route to 10.0.0.7"),
        (exits, "SystemExit: 3"),
        (says_no, "it returned False"),
        (hangs, "no answer within 0.05 s"),
    ],
)
def test_a_check_that_fails_is_told_to_whom_it_concerns(check, told, caplog):
    """The log and a client on this machine learn which one, and why; others learn that something is wrong."""
    app = site_with(timeout=0.05, database=check, other=passes)
    reply = http(app, path="/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "failed"})
    assert f"the check 'database' failed: {told}" in caplog.text
    here = asyncio.run(asked_here(app)).json()
    assert (here["status"], here["checks"]["database"], here["checks"]["other"]) == ("failed", told, "ok")


def test_checks_run_at_the_same_time():
    """Slow checks don't wait for each other."""

    async def slow():
        await asyncio.sleep(0.2)

    begun = time.monotonic()
    assert http(site_with(a=slow, b=slow, c=slow, d=slow), path="/health/ready").status_code == 200
    assert time.monotonic() - begun < 0.6


def test_checks_run_once_for_all_who_ask_meanwhile():
    """Many who ask are no load on what is checked."""

    async def main():
        calls = []

        async def counted():
            calls.append(1)
            await asyncio.sleep(0.05)

        async with visitor(site_with(database=counted)) as client:
            replies = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))
            assert {reply.status_code for reply in replies} == {200}
            assert len(calls) == 1
            await client.get("/health/ready")
            assert len(calls) == 2

    run(main())


def test_backends_and_services_that_fail():
    """A session store that can't be read, and each service that says so, make it unready."""

    async def main():
        class Lost(SessionBackend):
            async def load(self, session_id):
                raise ConnectionError("refused")

            async def save(self, session_id, data, timeout): ...

        class Poller(Service):
            def __init__(self, error=None):
                self.error = error

            async def check(self):
                if self.error:
                    raise self.error

        class Site(App):
            health = Health()
            first = Poller()
            second = Poller(RuntimeError("stuck"))

        checks = (await asked_here(Site(Lost()))).json()["checks"]
        assert checks == {"sessions": "ConnectionError: refused", "poller": "ok", "poller2": "RuntimeError: stuck"}

    run(main())


def test_no_check_takes_the_place_of_another():
    """Services of one class are counted; one of another class may be called like that."""

    class Cache(Service):
        def __init__(self, error=None):
            self._error = error

        async def check(self):
            if self._error is not None:
                raise self._error

    class Cache2(Cache):
        pass

    class Site(App):
        first = Cache()
        second = Cache(OSError("away"))
        third = Cache2()
        sessions = Cache2(OSError("gone"))
        health = Health()

    checks = run(asked_here(Site())).json()["checks"]
    assert checks == {
        "sessions": "ok",
        "cache": "ok",
        "cache2": "OSError: away",
        "cache22": "ok",
        "cache23": "OSError: gone",
    }


def test_a_process_that_stops_is_not_ready():
    """While the server stops, it is to get no more requests."""

    async def main():
        class Site(App):
            health = Health()

            async def index(self):
                await self.request.stopping

        before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)  # as servers have one
        async with visitor(Site()) as client:
            asking = asyncio.create_task(client.get("/"))
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            await asking
            answers = [await client.get("/health/ready"), await client.get("/health/live")]
        signal.signal(signal.SIGTERM, before)
        assert [(reply.status_code, reply.json()["status"]) for reply in answers] == [(503, "stopping"), (200, "ok")]

    run(main())


def test_health_is_no_part_of_the_document():
    """The pages are routes, which an OpenAPI document leaves out."""
    app = site_with()
    assert {route.path for route in routes(app)} == {"/health/live", "/health/ready"}
    assert openapi(app, title="Site", version="1")["paths"] == {}


def test_a_check_is_a_function():
    """What can't be called is told at once."""
    called: Any = True
    with pytest.raises(TypeError, match="a function is wanted, without its call"):
        Health(database=called)
