"""What the environment says, and what all pages share."""

import os
from pathlib import Path
from typing import Literal, get_args

from micropie.channels import Channels

HERE = Path(__file__).parent
DATA = Path(os.environ.get("SHOWCASE_DATA", HERE))  # the folder of the two databases
REDIS_URL = os.environ.get("REDIS_URL", "memory:")
WORKERS = int(os.environ.get("WEB_CONCURRENCY", "1"))

Flavour = Literal["apple", "cherry", "plum", "pumpkin", "blueberry"]
FLAVOURS: tuple[str, ...] = get_args(Flavour)

channels = Channels(REDIS_URL)
