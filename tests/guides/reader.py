"""A reader at a terminal, who saves each block and types each command."""

import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import httpx

from tests.batteries.commands import free_port, wait_until
from tests.guides.pages import Block, blocks, typed
from tests.integrations.serving import environment, stop

PATIENCE = 60  # seconds; a bound on hangs, never a measure

SHELL = f"""
micropie() {{ '{sys.executable}' -m micropie "$@"; }}
python() {{ '{sys.executable}' "$@"; }}
curl() {{ command curl --silent --no-progress-meter --max-time {PATIENCE} "$@"; }}
"""
"""The programs of this very environment, whatever PATH says."""


SERVERS = ("micropie run", "uvicorn ", "granian ", "gunicorn ", "hypercorn ", "daphne ")
WORKERS = ("saq ",)
"""Commands that run beside those that follow: a server until the next one, a worker to the end of the page."""


class Reader:
    """Plays pages one after another in one folder, with one server at a time."""

    def __init__(self, folder: Path, excepted: Collection[str] = (), **variables: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._environment = environment() | variables
        self.excepted = dict.fromkeys(excepted, False)
        """The commands that are not run, and whether they were met."""
        self._command: str | None = None
        self._server: subprocess.Popen[str] | None = None
        self._workers: list[subprocess.Popen[str]] = []
        self._is_stale = False
        self._played: list[Path] = []

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    def play_to(self, pages: list[Path]) -> None:
        """Play those of the pages that were not played yet."""
        for page in pages[len(self._played) :]:
            self._played.append(page)
            self.play(page)
            self.check()

    def play(self, page: Path) -> None:
        """Save every block that is a file, run every command, and compare what it prints."""
        for block in blocks(page):
            if block.file is not None:
                self._save(block.file, block.text)
            self.type(block)

    def check(self) -> None:
        """Look for what should be mended in what was saved: there is nothing."""
        self._run("micropie check", "nothing found")

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            stop(self._server)
            self._server = None

    def leave(self) -> None:
        """End all that runs."""
        self.stop()
        for worker in self._workers:
            stop(worker)

    def start(self, command: str) -> None:
        """Start another server."""
        self._command = command
        self._is_stale = True
        self.serve()

    def serve(self) -> None:
        """Start the server as the page did; anew if files were saved since, as `--dev` does in its own time."""
        if self._command is None or (self._server is not None and not self._is_stale):
            return
        self.stop()
        self._server = self._start(self._command)
        wait_until(self._answers)
        self._is_stale = False

    def _start(self, command: str) -> subprocess.Popen[str]:
        """Start what does not end by itself, at the reader's port."""
        port = [] if "8000" in command or not command.startswith("micropie") else ["--port", "8000"]
        words = [word.replace("8000", str(self.port)) for word in [*command.split(), *port]]
        with (self.folder / "server.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                text=True,
            )

    def _answers(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, (self.folder / "server.log").read_text()
        try:
            httpx.get(self.url, timeout=PATIENCE)
        except httpx.TransportError:
            return False
        return True

    def _save(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        self._is_stale = True

    def type(self, block: Block) -> None:
        """Run each command of a block, and compare what it prints."""
        for command, printed in typed(block):
            if command in self.excepted:
                self.excepted[command] = True
            elif command.startswith(WORKERS):
                self._workers.append(self._start(command))
            elif command.startswith(SERVERS):
                self.start(command)
            else:
                if "localhost:8000" in command:
                    self.serve()
                self._run(command, printed)

    def _run(self, command: str, printed: str) -> None:
        place = self.folder.parent / "pwd"
        real = command.replace("localhost:8000", f"127.0.0.1:{self.port}")
        done = subprocess.run(
            ["bash", "-c", f"{SHELL}\n{real}\nstatus=$?; pwd >'{place}'; exit $status"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.folder = Path(place.read_text("utf-8").strip())
        assert fits(printed, done.stdout), f"$ {command}\n{done.stdout}"


def fits(printed: str, real: str) -> bool:
    """Whether a page shows what a command printed; `…` on the page stands for anything."""
    pattern = ".*".join(re.escape(part) for part in printed.strip().split("…"))
    lines = "\n".join(line.rstrip() for line in real.replace("\r\n", "\n").strip().splitlines())
    return re.fullmatch(pattern, lines, re.DOTALL) is not None
