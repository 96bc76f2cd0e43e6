"""What connections hold on Uvicorn while nothing happens on them, counted by benchmarks/idle.py."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "idle.py"
CONNECTIONS, SOCKETS = 200, 50
MAX_BYTES = 2400 if sys.version_info < (3, 14) else 2500  # where an object with slots and a __dict__ is larger


@pytest.fixture(scope="module")
def held() -> dict[str, Any]:
    """What the script has counted, once for all tests."""
    command = [sys.executable, str(SCRIPT), "--here", "--connections", str(CONNECTIONS), "--sockets", str(SOCKETS)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=180)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_idle_connections_hold_nothing(held: dict[str, Any]) -> None:
    """Connections that were answered, and are kept alive, hold no object of the framework."""
    assert held["http"]["connections"] == held["http"]["scopes_of_the_server"] == CONNECTIONS
    assert held["http"]["objects"] == {}


def test_a_live_websocket_is_small(held: dict[str, Any]) -> None:
    """A WebSocket that waits for a message holds less than 2.4 kB of the framework, and less than of the server."""
    each = held["websocket"]["bytes_each"]
    assert 0 < each["micropie"] < MAX_BYTES
    assert each["micropie"] < each["server"]
