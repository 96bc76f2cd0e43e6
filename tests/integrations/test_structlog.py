"""structlog beside us, as docs/production.md configures it."""

import json
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "production.md"
FAILING = """
from micropie import App
from micropie.testing import TestClient

class Shop(App):
    async def order(self, number: int):
        raise LookupError("no such order")

with TestClient(Shop(), raise_exceptions=False) as client:
    client.get("/order/7", headers={"X-Request-ID": "r-1"})
"""


def test_a_failure_is_one_event_with_its_fields():
    """A line of JSON; the traceback is in it."""
    (configuration,) = re.findall(
        r"^```python\n(import logging\nimport structlog\n.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    command = [sys.executable, "-W", "error", "-c", configuration + FAILING]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    event = json.loads(ran.stderr)
    assert event.pop("exception").splitlines()[-1] == "LookupError: no such order"
    assert ran.stdout == ""
    assert event == {
        "event": "GET '/order/7' failed in Shop.order (request id r-1)",
        "level": "error",
        "method": "GET",
        "path": "/order/7",
        "handler": "Shop.order",
        "request_id": "r-1",
    }
