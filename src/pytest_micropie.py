"""The plug-in for pytest: a fixture `client`, made of your fixture `app`.

pytest imports this at every start, hence nothing of MicroPie before a test asks for the fixture.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def client(app: Any) -> Iterator[Any]:
    """A `micropie.testing.BlockingClient` of the application; it is started before the test, and stopped after it."""
    with importlib.import_module("micropie.testing").TestClient(app) as client:
        yield client
