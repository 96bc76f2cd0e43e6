"""The watchdog: who holds the event loop is named in the log, and nobody else."""

import asyncio
import functools
import importlib.abc
import importlib.util
import logging
import re
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from micropie import App, Controller
from micropie.debug import watchdog
from micropie.debug.watchdog import Watchdog
from micropie.testing import TestClient

HELD = 0.25  # seconds, more than twice what is allowed
PATIENCE = 20  # seconds; a bound on hangs, never a measure


def hold(seconds=HELD):
    time.sleep(seconds)


class Reports(Controller):
    async def yearly(self):
        hold()

    async def stream(self):
        yield "one"
        hold()


class Site(App):
    reports = Reports()

    async def direct(self):
        time.sleep(HELD)  # noqa: ASYNC251  that is what is told of

    async def outside(self):
        subprocess.run([sys.executable, "-c", f"import time; time.sleep({HELD})"], check=True)  # noqa: ASYNC221

    async def later(self):
        asyncio.get_running_loop().call_soon(hold)
        await asyncio.sleep(0)

    async def long(self):
        while not self.seen:  # until it was told of
            hold(0.01)
        hold(0.05)

    async def importing(self):
        import slow_report  # type: ignore[import-not-found]

        return slow_report.rows()

    async def upload(self, file):
        return file["filename"]

    nameless = functools.partialmethod(upload)  # a handler without code of its own
    partly = functools.partialmethod(hold)  # a handler without code of its own

    async def waiting(self):
        await asyncio.sleep(HELD)

    def blocking(self):
        hold()

    seen: list[logging.LogRecord] = []


@pytest.fixture
def records():
    """What the watchdog writes."""
    found: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record):
            found.append(record)

    logger, listener = logging.getLogger("micropie.watchdog"), Listener()
    logger.addHandler(listener)
    yield found
    logger.removeHandler(listener)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  it is another thread's doing
            await asyncio.sleep(0.01)


def watched(app, path, *, records, handler, count=1):
    """Ask for a path, and give so many records of its handler; a busy machine may have others."""

    def found():
        return [record for record in records if record.handler == handler]

    async def main():
        dog = Watchdog(app)
        async with TestClient(app) as client:
            dog.start()
            await until(lambda: dog._watch is not None and dog._watch._depth)
            await client.get(path)
            await until(lambda: len(found()) >= count)
            dog.stop()

    asyncio.run(main())
    return found()


@pytest.mark.parametrize(
    ("path", "handler", "source", "called"),
    [
        ("/direct", "Site.direct", "time.sleep(HELD)", ""),
        ("/outside", "Site.outside", "subprocess.run([sys.executable", " (in subprocess.run)"),
        ("/reports/yearly", "Reports.yearly", "time.sleep(seconds)", ""),
        ("/reports/stream", "Reports.stream", "time.sleep(seconds)", ""),
    ],
)
def test_who_holds_the_loop_is_named(path, handler, source, called, records):
    """The handler, how long, and the line of the application where it stood."""
    (record,) = watched(Site(), path, records=records, handler=handler)
    text = record.getMessage()
    assert text.startswith(f"{handler} held the event loop for ")
    assert f"tests/batteries/test_watchdog.py:{record.line}: {source}" in text
    assert text.endswith(called)
    assert (record.name, record.levelname, record.handler) == ("micropie.watchdog", "WARNING", handler)
    assert record.seconds >= HELD - 2 * watchdog.BEAT


class SlowPackage(importlib.abc.SourceLoader):
    """A package, as far as its path tells, that takes long to import."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def get_filename(self, name):
        return str(Path(sysconfig.get_path("purelib"), f"{name}.py"))

    def get_data(self, path):
        if not path.endswith(".py"):
            raise OSError
        return SLOW.encode()


SLOW = f"import time\ntime.sleep({HELD})\nraise ImportError\n"


def asked(records, method, path):
    """Ask once, a POST with a file, and give the first record of an import."""

    async def main():
        site = Site()
        dog = Watchdog(site)
        async with TestClient(site, raise_exceptions=False) as client:
            dog.start()
            await until(lambda: dog._watch is not None and dog._watch._depth)
            await (client.post(path, files={"file": b"x"}) if method == "POST" else client.get(path))
            await until(lambda: any("import" in record.getMessage() for record in records))
            dog.stop()

    asyncio.run(main())
    return next(record for record in records if "import" in record.getMessage())


HERE, CORE = (
    r"tests/batteries/test_watchdog.py:\d+: import",
    r"\S+/optional.py:\d+: return importlib.import_module\(package\)",
)


@pytest.mark.parametrize(
    ("method", "path", "who", "handler", "where", "name"),
    [
        ("GET", "/importing", "Site.importing", "Site.importing", f"{HERE} slow_report .*", "slow_report"),
        ("POST", "/upload", "Site.upload", "Site.upload", CORE, "multipart"),
        ("POST", "/nameless", "POST '/nameless'", None, CORE, "multipart"),
    ],
)
def test_a_package_that_is_imported(method, path, who, handler, where, name, records, monkeypatch):
    """It is blamed on the handler that needs it, even if the framework imports it; without one on the request."""
    monkeypatch.setattr(sys, "meta_path", [SlowPackage(name), *sys.meta_path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    record = asked(records, method, path)
    assert re.fullmatch(
        rf"{who} held the event loop for \d+ ms, at {where} \(in the import of {name}\)", record.getMessage()
    )
    assert record.handler == handler


@pytest.mark.parametrize(
    ("method", "path", "handler", "name"),
    [("GET", "/importing", "Site.importing", "slow_report"), ("POST", "/upload", "Site.upload", "multipart")],
)
def test_a_module_of_the_application_that_is_imported(method, path, handler, name, records, tmp_path, monkeypatch):
    """The handler is named, and the line of the module."""
    (tmp_path / f"{name}.py").write_text(SLOW.replace(f"({HELD})", f"({HELD})  # while it is imported"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    record = asked(records, method, path)
    assert f"{name}.py:2: time.sleep({HELD})" in record.getMessage()
    assert record.handler == handler


def test_the_source_may_be_out_of_reach(records, monkeypatch):
    """Another thread may empty the cache of source lines at any time."""

    def vanished(*_args):
        raise KeyError

    monkeypatch.setattr("linecache.getline", vanished)
    (record,) = watched(Site(), "/direct", records=records, handler="Site.direct")
    assert re.fullmatch(r"Site.direct held .* at tests/batteries/test_watchdog.py:\d+: ", record.getMessage())


def test_what_is_no_handler_is_named_by_its_function(records):
    """A callback, say."""
    found = watched(Site(), "/later", records=records, handler=None)
    assert any(record.getMessage().startswith("hold held the event loop") for record in found)


def test_who_does_not_stop_is_told_of_before(records, monkeypatch):
    """The first record comes while the loop is held, the second has the whole time."""
    monkeypatch.setattr(watchdog, "PATIENCE", 0.3)
    site = Site()
    site.seen = records
    first, second = watched(site, "/long", records=records, handler="Site.long", count=2)
    assert " ms so far, at " in first.getMessage()
    assert " so far" not in second.getMessage()
    assert second.seconds > first.seconds


def test_a_loop_that_waits_is_not_held(records):
    """Not even if its timer is late, as on a machine that was asleep."""

    async def main():
        site = Site()
        dog = Watchdog(site)
        async with TestClient(site) as client:
            dog.start()
            watch = dog._watch
            assert watch is not None
            await until(lambda: watch._depth)
            watch._timer.cancel()
            late = watch._last + 3 * watchdog.LIMIT
            await client.get("/waiting")
            await client.get("/blocking")
            await until(lambda: time.monotonic() > late)
            dog.stop()

    asyncio.run(main())
    assert [record for record in records if record.handler is not None] == []


def test_applications_share_the_watch_of_their_loop(records):
    """It ends with the last of them."""

    async def main():
        first, second = Watchdog(Site()), Watchdog(Site())
        first.start()
        second.start()
        assert [one.name for one in threading.enumerate()].count("micropie-watchdog") == 1
        first.stop()
        assert [one.name for one in threading.enumerate()].count("micropie-watchdog") == 1
        second.stop()
        second.stop()
        assert watchdog._watches == {}

    asyncio.run(main())
    assert "micropie-watchdog" not in [one.name for one in threading.enumerate()]


def test_a_loop_that_is_closed_is_let_go():
    """Whoever forgets to stop leaves no thread behind."""

    async def main():
        dog = Watchdog(Site())
        dog.start()
        assert dog._watch is not None
        return dog._watch._thread

    thread = asyncio.run(main())
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert watchdog._watches == {}


def test_a_watch_that_ends_while_the_loop_is_held_says_nothing_more(records):
    """The thread is not left behind."""

    async def main():
        dog = Watchdog(Site())
        dog.start()
        await until(lambda: dog._watch is not None and dog._watch._depth)
        hold()
        dog.stop()

    asyncio.run(main())
    assert "micropie-watchdog" not in [one.name for one in threading.enumerate()]
