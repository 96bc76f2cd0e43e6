"""Work behind the reply, in three grades: a moment later, beside the requests, and so that no crash loses it."""

import asyncio
import logging
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from micropie import App, Service, after_reply, methods, spawn
from micropie.health import Health

FILE = Path(__file__).with_name("outbox.db")
TRIES, FIRST_WAIT = 5, 0.5  # seconds, which double from try to try
SCHEMA = "CREATE TABLE IF NOT EXISTS mails (id INTEGER PRIMARY KEY, text TEXT, tries INTEGER, due REAL)"
# One statement, so that of several workers one gets the mail; and it is nobody else's until its next try is due.
CLAIM = """
UPDATE mails SET tries = tries + 1, due = :now + :wait * (1 << tries)
WHERE id = (SELECT id FROM mails WHERE due <= :now AND tries < :tries ORDER BY due LIMIT 1) RETURNING *
"""
log = logging.getLogger("shop")


class Outbox(Service):
    """Mails that were promised: they are on disk before the reply is sent, and go on after a crash.

    A service lives as long as the application.
    """

    def __init__(self, file, send):
        self._file, self._send = file, send

    async def start(self, app):
        self._query(SCHEMA)
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._work())

    async def stop(self):
        self._task.cancel()  # in the middle of a mail, perhaps: better twice than never

    async def check(self):
        """Say whether it works, for ``/health/ready``."""
        return not self._task.done()

    def add(self, text):
        self._query("INSERT INTO mails (text, tries, due) VALUES (?, 0, ?)", (text, time.time()))
        self._news.set()

    async def _work(self):
        while True:
            self._news.clear()
            claimed = self._query(CLAIM, {"now": time.time(), "wait": FIRST_WAIT, "tries": TRIES})
            if claimed:
                await self._deliver(*claimed[0])
            else:  # until there is a new one, or one whose next try is due
                with suppress(TimeoutError):
                    async with asyncio.timeout(FIRST_WAIT):
                        await self._news.wait()

    async def _deliver(self, number, text, tries, due):
        try:
            await self._send(text)
        except Exception as error:
            log.warning("mail %d failed, try %d: %s", number, tries, error)
        else:
            self._query("DELETE FROM mails WHERE id = ?", (number,))

    def _query(self, sql, values=()):
        with closing(sqlite3.connect(self._file, isolation_level=None)) as db:
            return db.execute(sql, values).fetchall()


async def send_mail(text):
    """Print it; a real one speaks SMTP, and fails now and then, as this does for whoever is called Murphy."""
    await asyncio.sleep(0.05)
    if "Murphy" in text:
        raise ConnectionError("the server does not answer")
    log.info("mail sent: %s", text)


class Shop(App):
    """Each handler answers at once."""

    outbox = Outbox(FILE, send_mail)
    health = Health()

    def __init__(self):
        super().__init__()
        self._orders = 0

    async def index(self):
        return {"orders": self._orders}

    @methods("POST")
    async def visit(self, name):
        """Grade one: after this reply, or not at all if the process ends before. For what nobody misses."""
        after_reply(self._note, name)
        return 204, None

    @methods("POST")
    async def report(self):
        """Grade two: a task beside the requests, for which a stop waits as long as it may. For what can be asked again.

        What goes on for ever is a service, as the outbox is: the stop tells a service, and for a task it would wait.
        """
        task = spawn(self._bake_report(), name="report")
        return 202, {"task": task.get_name()}

    @methods("POST")
    async def order(self, name):
        """Grade three: on disk first. For what was promised."""
        self._orders += 1
        self.outbox.add(f"Thank you, {name}")
        return 202, {"order": self._orders}

    def _note(self, name):
        log.info("%s was here", name)  # a plain function is called in a thread, so it may block

    async def _bake_report(self):
        await asyncio.sleep(0.5)
        log.info("the report is ready: %d orders", self._orders)


logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
app = Shop()
