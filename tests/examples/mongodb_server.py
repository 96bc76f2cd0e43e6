"""NX-27017, which speaks MongoDB's protocol and keeps SQLite tables: no registry that we can reach has MongoDB."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo import MongoClient

from tests.servers.serving import PATIENCE, free_port


@contextmanager
def running_mongodb(folder: Path) -> Iterator[str]:
    """The URL of a server, without a database's name; it keeps nothing."""
    port = free_port()
    program = Path(sys.executable).with_name("nx-27017")
    files = ("--data-dir", "memory", "--log-file", str(folder / "log"), "--pid-file", str(folder / "pid"))
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen([program, "--port", str(port), *files], stdout=output, stderr=output) as process,
    ):
        try:
            url = f"mongodb://127.0.0.1:{port}"
            client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=PATIENCE * 1000)
            with client:
                client.admin.command("ping")
            yield url
        finally:
            process.kill()
