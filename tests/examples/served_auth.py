"""examples/auth from the copy in the folder `EXAMPLE`, for a browser; what it refuses there is meant to be refused."""

import importlib.util
import logging
import os
from pathlib import Path

spec = importlib.util.spec_from_file_location("example_auth", Path(os.environ["EXAMPLE"]) / "app.py")
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
logging.disable(logging.WARNING)
app = module.app
