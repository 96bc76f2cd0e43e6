"""Sessions in SQLite: they are there after a restart, and after kill -9."""

import os
import signal
import time
from datetime import UTC, datetime
from typing import Annotated

from annotated_types import MaxLen

from micropie import HTTPError, after_reply, flash, is_local, methods, url_for
from pages.page import Page
from settings import WORKERS

STARTED = time.monotonic()


class Sessions(Page):
    """A session is a dict that belongs to the visitor."""

    template = "sessions.html"
    title = "Sessions"
    lead = "A session is a dict. What you change in it is kept in SQLite, and outlives the process that wrote it."

    async def index(self):
        """Count the visit: what changes in the dict is saved."""
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        session.setdefault("since", f"{datetime.now(UTC):%d %B, %H:%M} UTC")
        age = int(time.monotonic() - STARTED)
        return await self._page(session=session, age=age, can_end=self._can_end())

    @methods("POST")
    async def note(self, text: Annotated[str, MaxLen(200)] = ""):
        """Keep a note; an empty one is none."""
        self.request.session["note"] = text
        flash(self.request, "Noted.")
        return self._redirect(url_for(self.index), status=303)

    @methods("POST")
    async def forget(self):
        """Empty the session: it is deleted, and its cookie expires."""
        self.request.session.clear()
        return self._redirect(url_for(self.index), status=303)

    @methods("POST")
    async def end_worker(self):
        """Kill the worker that answers this; the server starts another."""
        if not self._can_end():
            raise HTTPError(403, "There is one worker, or you are elsewhere")
        flash(self.request, f"Worker {os.getpid()} is no more. You are not forgotten.")
        after_reply(os.kill, os.getpid(), signal.SIGKILL)
        return self._redirect(url_for(self.index), status=303)

    def _can_end(self):
        return WORKERS > 1 and is_local(self.request.scope)
