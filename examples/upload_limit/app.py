"""Limits of uploads: by the framework for a site, a branch and a handler; by a middleware for each visitor."""

import time
from collections import Counter

from micropie import App, Controller, HTTPError, HttpMiddleware, limits, methods
from micropie.middleware import client_address

KB, MB = 1024, 1024 * 1024


class UploadQuota(HttpMiddleware):
    """Lets each address send so many bytes an hour.

    It counts what is announced, before anything is read, so a refused upload costs nothing. In the memory of one
    process: several would share it in Redis, as `RateLimitMiddleware` does for the number of requests.
    """

    def __init__(self, quota, *, seconds=3600):
        self._quota, self._seconds = quota, seconds
        self._hour, self._sent = 0, Counter()

    def before_routing(self, request):
        length = request.header("content-length")
        if length is None:
            if request.header("transfer-encoding"):
                raise HTTPError(411)  # who does not say how much it will be can't be counted before it is sent
            return
        hour, gone = divmod(time.monotonic(), self._seconds)
        if hour != self._hour:
            self._hour, self._sent = hour, Counter()  # and nobody's count is kept for longer
        address = client_address(request)
        if self._sent[address] + int(length) > self._quota:
            wait = str(round(self._seconds - gone) + 1)
            raise HTTPError(429, "You have sent enough for now", [("Retry-After", wait)])
        self._sent[address] += int(length)


class Avatars(Controller):
    """A branch with a limit of its own, for all that is below ``/avatars``."""

    max_upload_size = 64 * KB

    @methods("POST")
    async def upload(self, file):
        return {"bytes": len(await file.read())}


class Depot(App):
    """What is too much is a 413: by the announced length before a byte is read, else as soon as it is."""

    avatars = Avatars()

    async def index(self):
        return {"documents": "1 MB", "avatars": "64 KB", "films": "16 MB", "an hour": "20 MB"}

    @methods("POST")
    async def documents(self, file):
        return {"bytes": await self._measured(file)}

    @methods("POST")
    @limits(max_upload_size=16 * MB)  # wider than the site's: keep the site's small, and widen where it is meant
    async def films(self, file):
        return {"bytes": await self._measured(file)}

    async def _measured(self, file):
        if isinstance(file, str):  # a text field of that name
            raise HTTPError(400, "Send a multipart form with a file")
        return sum([len(chunk) async for chunk in file])


app = Depot(max_upload_size=1 * MB, max_body_size=64 * KB)
app.middlewares.append(UploadQuota(20 * MB))
