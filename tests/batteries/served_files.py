"""Files on a real server, in the folder that `FILES` names, with a look at the process that serves them."""

import os
from pathlib import Path
from typing import Any

from micropie import RSGI, App, Controller, HTTPError
from micropie.static import FileReply, StaticFiles

FOLDER = Path(os.environ["FILES"])


class Members(Controller):
    """Files behind a guard."""

    files = StaticFiles(FOLDER)

    async def _before(self) -> None:
        if self.request.headers.get("authorization") != "me":
            raise HTTPError(401)


class Site(App):
    """Files, and what the process has open."""

    files = StaticFiles(FOLDER)
    members = Members()

    async def reply(self, name: str) -> Any:
        """One of the files."""
        return FileReply(name, directory=FOLDER, download=True)

    def open(self, name: str) -> int:
        """How often this process has the file open."""
        links = (Path("/proc/self/fd") / one for one in os.listdir("/proc/self/fd"))  # noqa: PTH208
        return sum(os.path.realpath(link).endswith(f"/{name}") for link in links)

    def peak(self) -> int:
        """The most memory that the process has had, in KiB."""
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


app = Site()
rsgi_app = RSGI(app)
