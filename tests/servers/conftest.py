"""One server of each kind for the whole run, and fresh ones for the tests that end them."""

import uuid
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.servers.serving import KINDS, Kind, Server, serving


@pytest.fixture(scope="session", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server in turn."""
    found: Kind = request.param
    return found


@pytest.fixture(scope="session")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the tests of its kind share; no test may end it."""
    with serving(kind, tmp_path_factory.mktemp(kind.name)) as running:
        yield running


@pytest.fixture
def fresh_server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the test's own, to end as it likes."""
    with serving(kind, tmp_path_factory.mktemp(f"fresh-{kind.name}")) as running:
        yield running


@pytest.fixture
def key() -> str:
    """A name under which the application notes what it sees for this test alone."""
    return uuid.uuid4().hex


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the server's log beside a failure."""
    report = yield
    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed:
        for running in (value for value in arguments.values() if isinstance(value, Server)):
            lines = [line for line in running.log().splitlines() if "GET /look/" not in line]
            report.sections.append((f"{running.kind.name}'s log", "\n".join(lines[-40:])))
    return report
