"""The application that `server.py` serves: that of the peer and the workload in the environment."""

import os
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The working folder is where `templates` is; on the path, its modules would hide the frameworks of the same names.
sys.path[:] = [str(HERE), *(folder for folder in sys.path if folder not in {"", "."})]
os.chdir(HERE / "apps")

_module = import_module(f"apps.{os.environ['BENCH_APP']}")
app = _module.APPS.get(os.environ["BENCH_WORKLOAD"]) or _module.APPS["default"]
if os.environ["BENCH_INTERFACE"] == "rsgi" and os.environ["BENCH_APP"] == "micropie":
    from micropie import RSGI

    app = RSGI(app)
