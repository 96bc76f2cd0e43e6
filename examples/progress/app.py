"""A long job whose progress is watched live, by any number of pages and from the command line."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

from micropie import App, HTTPError
from micropie.channels import Channels

PAGE = Path(__file__).with_name("progress.html")
STEPS = ["kneading", "resting", "rolling", "filling", "baking", "cooling"]
PARTS = 5  # of each step
SECONDS = float(os.environ.get("JOB_SECONDS", "6"))
MOST_JOBS = 20  # at a time


class Bakery(App):
    """``POST /jobs`` starts a job, ``/jobs/<id>`` streams its progress; ``/`` is the page."""

    channels = Channels(os.environ.get("REDIS_URL", "memory:"), history=len(STEPS) * PARTS + 1, history_ttl=600)

    def __init__(self):
        super().__init__()
        self._jobs = set()

    def index(self):
        return PAGE.read_text(encoding="utf-8")

    async def start(self):
        """Start a job, which goes on though nobody watches it; its id."""
        if len(self._jobs) >= MOST_JOBS:
            raise HTTPError(503, "The oven is full", [("Retry-After", "5")])
        job = uuid4().hex
        task = asyncio.create_task(self._bake(job))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return 202, {"id": job}

    async def jobs(self, job: str):
        """Stream the progress from its beginning, or from where the browser was: events, or lines of JSON for curl."""
        since = self.request.headers.get("last-event-id")
        async with self.channels.subscribe(job, since=since, replay=0 if since else len(STEPS) * PARTS + 1) as messages:
            async for message in messages:
                yield message.event
                if message.data["percent"] == 100:
                    return

    async def _bake(self, job):
        total = len(STEPS) * PARTS
        for done in range(total + 1):
            doing = STEPS[done // PARTS] if done < total else "done"
            await self.channels.publish(job, {"percent": 100 * done // total, "doing": doing})
            await asyncio.sleep(SECONDS / total)


app = Bakery()
