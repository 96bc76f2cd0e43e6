"""Files of 1 kB, 64 kB and 100 MB by StaticFiles, beside Starlette's, ServeStatic and nginx, on real servers.

    python benchmarks/static.py        in an environment with all of them: that of scripts/test; needs wrk, nginx, Linux

One worker process on one core, wrk with 64 connections (4 for 100 MB) on another. All are up at the same time and are
visited in turn, so what disturbs the machine disturbs all of them; the median counts. Requests per second and the
server's CPU time for each; of the largest file MB per second, and the CPU time for each.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median

from processes import HOST, free_port
from report import add_options, columns, machine, write
from server import PATIENCE, Server

HERE = Path(__file__).resolve().parent
SIZES = {"1 kB": 1000, "64 kB": 64_000, "100 MB": 100_000_000}
UNITS = {"": 1e-6, "K": 1024e-6, "M": 1.048576, "G": 1073.741824}  # in MB; wrk counts in KiB, MiB and GiB
UVICORN = ("-m", "uvicorn", "static_app:app", "--port", "{port}", "--loop", "uvloop", "--no-access-log")
GRANIAN = ("-m", "granian", "static_app:app", "--port", "{port}", "--loop", "uvloop", "--workers", "1", "--interface")
SERVED = {
    "micropie, Uvicorn": ("micropie", (*UVICORN, "--log-level", "warning")),
    "starlette, Uvicorn": ("starlette", (*UVICORN, "--log-level", "warning")),
    "servestatic, Uvicorn": ("servestatic", (*UVICORN, "--log-level", "warning")),
    "micropie, Granian": ("micropie", (*GRANIAN, "asgi", "--log-level", "warning")),
    "micropie, Granian (RSGI)": ("micropie-rsgi", (*GRANIAN, "rsgi", "--log-level", "warning")),
    "starlette, Granian": ("starlette", (*GRANIAN, "asgi", "--log-level", "warning")),
    "servestatic, Granian": ("servestatic", (*GRANIAN, "asgi", "--log-level", "warning")),
}
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{}}
http {{
  access_log off; sendfile on; tcp_nopush on; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen {host}:{port}; location /static/ {{ alias {files}/; }} }}
}}
"""


class FileServer(Server):
    """One of them, pinned to a core."""

    def __init__(self, name: str, files: Path, folder: Path, core: int) -> None:
        self.name = name
        self.port = free_port()
        environment = {**os.environ, "BENCH_FILES": str(files)}
        if name == "nginx":
            configuration = folder / "nginx.conf"
            configuration.write_text(NGINX.format(folder=folder, files=files, host=HOST, port=self.port))
            command = ["nginx", "-c", str(configuration)]
        else:
            environment["BENCH_APP"], options = SERVED[name]
            command = [sys.executable, *(option.format(port=self.port) for option in options)]
        self.process = subprocess.Popen(
            command,
            cwd=HERE,
            env=environment,
            stdout=sys.stderr,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 (there are no threads here)
        )

    def await_start(self) -> None:
        """Wait until the server answers, and see that each file is whole."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                sizes = {name: self.size(name) for name in SIZES}
            except ConnectionError:
                time.sleep(0.05)
            else:
                if sizes != SIZES:
                    raise SystemExit(f"{self.name}: {sizes}")
                return
        raise SystemExit(f"{self.name}: the server did not start; its error stands above")

    def size(self, name: str) -> int:
        """Return how many bytes of a file arrive."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"/static/{path_of(name)}")
            return len(connection.getresponse().read())
        finally:
            connection.close()

    def visit(self, name: str, seconds: int, core: int) -> tuple[float, float]:
        """Let wrk ask for a file for a while; return requests per second and CPU µs for each (or for a MB)."""
        is_large = SIZES[name] > 1_000_000  # noqa: PLR2004
        url = f"http://{HOST}:{self.port}/static/{path_of(name)}"
        before = self.cpu_seconds()
        ran = subprocess.run(
            ["wrk", "-t", "1", "-c", "4" if is_large else "64", "-d", f"{seconds}s", "--timeout", "30s", url],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        cpu = self.cpu_seconds() - before
        if trouble := re.search(r"Socket errors.*|Non-2xx.*", ran.stdout):
            raise SystemExit(f"{self.name}: {name}: {trouble[0]}")
        requests, spent = re.search(r"(\d+) requests in ([\d.]+)s", ran.stdout).groups()
        count = float(requests)
        if is_large:  # of which some are under way in the end
            amount, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", ran.stdout).groups()
            count = float(amount) * UNITS[unit] * float(spent)
        if not count:  # on a busy machine nothing may have come in time
            return self.visit(name, 2 * seconds, core)
        return count / float(spent), cpu / count * 1e6


def path_of(name: str) -> str:
    """Return the path of the file of that size."""
    return name.replace(" ", "") + ".txt"


def measure(options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return requests per second and CPU µs a request, by server and size; of the largest MB, and per MB."""
    samples = {name: {size: [] for size in SIZES} for name in (*SERVED, "nginx")}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = folder / "files"
        files.mkdir()
        for size, count in SIZES.items():
            (files / path_of(size)).write_bytes(b"x" * count)
        time.sleep(3)  # a younger file is read anew for each request
        up = [stack.enter_context(FileServer(name, files, folder, options.server_core)) for name in samples]
        for server in up:
            server.await_start()
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds} ...", file=sys.stderr)
            for size in SIZES:
                for server in up if number % 2 else reversed(up):
                    samples[server.name][size].append(server.visit(size, options.seconds, options.client_core))
    return {
        name: {size: [median(one) for one in zip(*found, strict=True)] for size, found in sizes.items()}
        for name, sizes in samples.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    add_options(parser, "static")
    options = parser.parse_args()
    if missing := [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]:
        raise SystemExit(f"{' and '.join(missing)} must be installed")
    found = measure(options)
    rows = [["", "1 kB: requests/s", "CPU µs", "64 kB: requests/s", "CPU µs", "100 MB: MB/s", "CPU µs per MB"]]
    rows += [[name, *(f"{value:,.0f}" for pair in sizes.values() for value in pair)] for name, sizes in found.items()]
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    packages = ("starlette", "servestatic", "uvicorn", "granian")
    versions = {**{name: version(name) for name in packages}, "nginx": nginx.partition("/")[2].strip()}
    print(columns(rows))
    print(json.dumps(versions))
    write(options.json, {"machine": machine(), "versions": versions, "found": found})


if __name__ == "__main__":
    main()
