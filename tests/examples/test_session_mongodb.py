"""examples/session_mongodb, on a server that speaks MongoDB's protocol."""

import gc
import importlib.util
from itertools import count

import pytest

from micropie.testing.sessions import AtomicSuite, ListingSuite
from tests.client import http
from tests.examples.conftest import EXAMPLES
from tests.examples.mongodb_server import running_mongodb
from tests.servers.serving import free_port

# The driver drops the socket of a request that is cancelled while it connects, for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

DATABASES = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server's URL."""
    with running_mongodb(tmp_path_factory.mktemp("mongodb")) as url:
        yield url


@pytest.fixture
def url(server):
    """That of a database of the test's own."""
    return f"{server}/test{next(DATABASES)}"


@pytest.fixture(scope="module")
def module():
    """The example's module."""
    spec = importlib.util.spec_from_file_location("example_session_mongodb", EXAMPLES / "session_mongodb" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestMongoSessionBackend(AtomicSuite, ListingSuite):
    """Every promise that a backend can make."""

    @pytest.fixture(autouse=True)
    def database(self, url, module):
        self.url, self.kind = url, module.MongoSessionBackend
        yield
        gc.collect()

    def backend(self):
        return self.kind(self.url)


def test_visits_are_counted_and_ended_everywhere(url, module):
    """The cookie is enough for another worker, which has a backend of its own."""
    first = http(module.Members(module.MongoSessionBackend(url)))
    assert first.json() == {"user": None, "visits": 1}
    app = module.Members(module.MongoSessionBackend(url))
    member = http(app, "POST", "/login", cookies=first.cookies, data={"user": "ann"}).cookies
    assert http(app, cookies=member).json() == {"user": "ann", "visits": 2}
    assert http(app, "POST", "/everywhere", cookies=member).json() == {"ended": 1}
    assert http(app, "POST", "/everywhere").json() == {"ended": 0}


def test_a_server_that_is_away(module):
    """Who has a session is asked to come back; who has none sees the page."""
    app = module.Members(module.MongoSessionBackend(f"mongodb://127.0.0.1:{free_port()}/shop", timeout=0.3))
    answer = http(app, cookies={"session_id": "a" * 32})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
