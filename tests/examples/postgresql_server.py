"""A PostgreSQL server of a test's own."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.serving import PATIENCE, free_port


def program(name: str) -> str:
    """One of the server's programs, which Debian keeps apart by version."""
    folders = [*sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True), os.environ["PATH"]]
    found = shutil.which(name, path=os.pathsep.join(folders))
    assert found, "PostgreSQL is not installed: scripts/test installs it, or apt-get install postgresql"
    return found


@contextmanager
def running_postgresql() -> Iterator[str]:
    """The URL of a server that runs, without a driver's name; what is stored goes with it."""
    # It refuses to run as root, and Debian has a user for it.
    as_user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    name = "postgres" if as_user else pwd.getpwuid(os.geteuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        if as_user:
            shutil.chown(folder, "postgres")
        options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_user}
        data = f"{folder}/data"
        made = [
            program("initdb"),
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            f"--username={name}",
            data,
        ]
        subprocess.run(made, check=True, timeout=6 * PATIENCE, **options)
        port = free_port()
        command = [program("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        with subprocess.Popen(command, **options) as process:
            try:
                wait_until_ready(port, name)
                yield f"//{name}@127.0.0.1:{port}/postgres"
            finally:
                process.terminate()  # by SIGTERM it waits for its clients, of which there are none by now
                process.wait(PATIENCE)


def wait_until_ready(port: int, name: str) -> None:
    """Return when it takes connections."""
    deadline = time.monotonic() + PATIENCE
    ask = [program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}", f"--username={name}"]
    while subprocess.run(ask, check=False, timeout=PATIENCE).returncode != 0:
        assert time.monotonic() < deadline, "PostgreSQL does not start"
        time.sleep(0.05)
