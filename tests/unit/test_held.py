"""The bytes of ours that a client holds while it waits, as `benchmarks/held.py` counts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "held.py"
# Some 6 % more than on Python 3.11.
MOST = {"socket": 2_000, "relay": 3_400, "messages": 2_950, "events": 5_000}
if sys.version_info >= (3, 14):  # where an object that has slots and a __dict__ has room for its attributes in both
    MOST["relay"] = 3_600


@pytest.fixture(scope="module")
def held() -> dict[str, int]:
    """What the script counts for each kind of client, once for all tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    command = [sys.executable, str(SCRIPT), "--count", "200", "--json"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120, env=environment)
    found: dict[str, int] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("client", MOST)
def test_a_client_that_waits_holds_little(held: dict[str, int], client: str) -> None:
    """A WebSocket, a reader of a channel and an event stream hold no more than their figures."""
    assert 0 < held[client] < MOST[client]
