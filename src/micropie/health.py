"""Health: what a load balancer or an orchestrator asks to know whether this process lives, and takes requests.

from micropie import App
from micropie.health import Health

class Site(App):
    health = Health()
"""

import asyncio
import logging
from collections.abc import Callable
from itertools import chain, count
from typing import Any
from weakref import WeakKeyDictionary

from micropie import App, Controller, configuration, is_local, methods
from micropie.calling import result_of

log = logging.getLogger("micropie")
Check = Callable[[], Any]
Answer = tuple[int, dict[str, Any], list[tuple[str, str]]]
NOT_STORED = [("Cache-Control", "no-store")]
OK = "ok"


class Health(Controller):
    """Two pages: `live` says that this process answers, `ready` that it should be given requests, else it is a 503.

    It is not ready while the server stops, and when a check fails: that of the session backend, those of the services
    (a `Channels`, say), and your own, `checks`, which are given by name, `async def` or plain. One fails if it raises,
    returns False, or takes more than `timeout` seconds. All run at the same time, and once for all who ask meanwhile.

    What has failed, and why, is logged; a client is told if it is on this machine, or with `details=True`.

        class Site(App):
            health = Health(database=ping)      # /health/live and /health/ready
    """

    __micropie_unlisted__ = True  # what `unlisted` leaves: nobody's business in an OpenAPI document

    def __init__(self, *, timeout: float = 2, details: bool = False, **checks: Check) -> None:
        given: dict[str, Any] = {**checks}
        for name, check in given.items():
            if not callable(check):
                raise TypeError(f"Health({name}={check!r}): a function is wanted, without its call")
        self._timeout = timeout
        self._details = details
        self._own_checks = checks
        self._checks: WeakKeyDictionary[App, dict[str, Check]] = WeakKeyDictionary()
        self._asked: dict[tuple[int, asyncio.AbstractEventLoop], asyncio.Task[dict[str, str]]] = {}

    @methods("GET")
    async def live(self) -> Answer:
        """Answer."""
        return 200, {"status": OK}, NOT_STORED

    @methods("GET")
    async def ready(self) -> Answer:
        """Answer with 200 if all checks pass, with 503 if one does not, or the server stops."""
        if self.request.stopping:
            return 503, {"status": "stopping"}, NOT_STORED
        outcomes = await asyncio.shield(self._outcomes(self.request.app))
        failed = any(outcome != OK for outcome in outcomes.values())
        body: dict[str, Any] = {"status": "failed" if failed else OK}
        if self._details or is_local(self.request.scope):
            body["checks"] = outcomes
        return 503 if failed else 200, body, NOT_STORED

    def _outcomes(self, app: App) -> asyncio.Task[dict[str, str]]:
        """The task that makes the checks of an application; one for all who ask meanwhile."""
        key = id(app), asyncio.get_running_loop()
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._make_checks(app))
            task.add_done_callback(lambda _task: self._asked.pop(key, None))
        return task

    async def _make_checks(self, app: App) -> dict[str, str]:
        checks = self._checks.get(app)
        if checks is None:
            checks = self._checks[app] = checks_of(app) | self._own_checks
        outcomes = await asyncio.gather(*(outcome(check, self._timeout) for check in checks.values()))
        for name, told in zip(checks, outcomes, strict=True):
            if told != OK:
                log.warning("Not ready: the check %r failed: %s", name, told)
        return dict(zip(checks, outcomes, strict=True))


def checks_of(app: App) -> dict[str, Check]:
    """The checks of an application's own parts, by name."""
    parts = configuration(app)
    checks: dict[str, Check] = {"sessions": parts.session_backend.check}
    for service in parts.services:
        name = type(service).__name__.lower()
        names = chain((name,), (f"{name}{number}" for number in count(2)))
        checks[next(one for one in names if one not in checks)] = service.check
    return checks


async def outcome(check: Check, timeout: float) -> str:
    """`ok`, or what is wrong."""
    try:
        async with asyncio.timeout(timeout):
            result = await result_of(check)
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return "it returned False" if result is False else OK
