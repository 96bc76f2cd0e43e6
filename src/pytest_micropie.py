"""The plug-in for pytest: the fixtures `client` for plain tests and `async_client` for async ones, made of your `app`.

pytest imports this at every start, hence nothing of MicroPie before a test asks for a fixture.
"""

import importlib
import inspect
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest

_ANYIO, _ASYNCIO = "_micropie_client_by_anyio", "_micropie_client_by_asyncio"


def pytest_configure(config: pytest.Config) -> None:
    """Give pytest-asyncio, where it is, a fixture that is marked as its own: in its strict mode it takes no others."""
    if config.pluginmanager.has_plugin("asyncio"):
        plugin = ModuleType("pytest_micropie_asyncio")
        setattr(plugin, _ASYNCIO, importlib.import_module("pytest_asyncio").fixture(name=_ASYNCIO)(_by_asyncio))
        config.pluginmanager.register(plugin)


@pytest.fixture
def client(app: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `micropie.testing.BlockingClient` of the application; it is started before the test, and stopped after it."""
    test = request.function
    if inspect.iscoroutinefunction(test) and "client" in inspect.signature(test).parameters:
        pytest.fail(f"{test.__name__} is async: it takes `async_client`, `client` is for plain tests", pytrace=False)
    with _testing().TestClient(app) as client:
        yield client


@pytest.fixture
def async_client(request: pytest.FixtureRequest) -> Any:
    """A `micropie.testing.TestClient` in the event loop of an async test, by pytest-asyncio or by AnyIO's plug-in.

    The application is started before the test, and stopped after it.
    """
    if "anyio_backend" in request.fixturenames:
        return request.getfixturevalue(_ANYIO)
    if request.config.pluginmanager.has_plugin("asyncio"):
        return request.getfixturevalue(_ASYNCIO)
    return pytest.fail("`async_client` needs a plug-in for async tests: pip install pytest-asyncio", pytrace=False)


@pytest.fixture(name=_ANYIO)
async def _by_anyio(app: Any) -> AsyncIterator[Any]:
    async with _testing().TestClient(app) as client:
        yield client


async def _by_asyncio(app: Any) -> AsyncIterator[Any]:
    async with _testing().TestClient(app) as client:
        yield client


def _testing() -> ModuleType:
    return importlib.import_module("micropie.testing")
