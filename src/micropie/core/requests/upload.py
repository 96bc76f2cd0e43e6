"""A multipart form as an upload: read by a task of its own, beside the handler that takes its files."""

import asyncio

from micropie.core.basics.errors import ClientGone
from micropie.core.requests.body_stream import BodyStream, announced_size
from micropie.core.requests.limits import Limits
from micropie.core.requests.multipart import MultipartForm
from micropie.core.requests.request import Request


class Upload:
    """A multipart form: known by its header first, then read by a task of its own while the handler runs."""

    def __init__(self, request: Request, boundary: str, limits: Limits) -> None:
        self._request = request
        self._boundary = boundary
        self._limits = limits
        self._reading: tuple[MultipartForm, asyncio.Task[None]] | None = None

    def start(self, *, blocking: bool) -> MultipartForm:
        """Begin to read; the form fills from now on. `HTTPError` 413 if it says itself that it is too large."""
        request, limits = self._request, self._limits
        announced = announced_size(request, limits.multipart_size)
        body = BodyStream(request._receive, announced, limits.multipart_size, limits.body_timeout)
        form = MultipartForm(limits, blocking=blocking)
        self._reading = form, asyncio.create_task(form.read(body.chunks(), self._boundary))
        return form

    async def finished(self) -> bool:
        """Wait until all is read that is being read; whether the client is still there."""
        if self._reading is None:
            return True
        form, task = self._reading
        if not task.done():  # PERF: `wait` takes two rounds of the event loop even then, 20 µs
            await asyncio.wait([task])
        return not isinstance(form.error, ClientGone)

    async def discard(self) -> None:
        """Read the rest, within the limits, and keep nothing: a client that is still sending hears no answer."""
        assert self._reading is not None  # noqa: S101 - for the type checker: only what is read can be discarded
        self._reading[0].discard()
        await self.finished()

    async def close(self) -> None:
        """Stop reading; what nobody has read is gone."""
        if self._reading is not None:
            form, task = self._reading
            form.discard()
            task.cancel()
            await self.finished()
            form.let_go()
