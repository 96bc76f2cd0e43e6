"""Serves a framework on its own server, for `server.py`: `own_server.py HOST PORT [OPTIONS OF ROBYN]`.

The framework is in the environment.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE), *(folder for folder in sys.path if folder not in {"", "."})]

if __name__ == "__main__":
    host, port = sys.argv[1:3]
    del sys.argv[1:3]  # Robyn reads the rest
    os.chdir(HERE / "apps")
    import_module(f"apps.{os.environ['BENCH_APP']}").serve(host, int(port))
