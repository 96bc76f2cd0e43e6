"""What is in the log: one record for each failure, that says which request it was and whose handler failed."""

import functools
import logging.config
import logging.handlers

import pytest

from micropie import App, Controller, HttpMiddleware, Resource, WebSocketMiddleware
from tests.client import http
from tests.wire import websocket, wire

FORMAT = {
    "version": 1,
    "disable_existing_loggers": True,
    "formatters": {"line": {"format": "%(name)s %(levelname)s %(method)s %(path)s %(handler)s %(request_id)s"}},
    "handlers": {"memory": {"class": "logging.handlers.MemoryHandler", "capacity": 100, "formatter": "line"}},
    "loggers": {"micropie": {"handlers": ["memory"], "level": "INFO", "propagate": False}},
}


def fail(*_args):
    raise RuntimeError("broken")


class Notes(Resource):
    async def get(self, id: int):
        fail()


class Shop(Controller):
    notes = Notes()

    async def cart(self):
        fail()


class Below(App):
    async def page(self, name):
        fail()


class Site(App):
    shop = Shop()
    below = Below()
    partly = functools.partialmethod(fail)

    async def page(self, name):
        fail()

    async def words(self):
        yield "one"
        fail()

    def blocking(self):
        fail()

    async def lost(self):
        yield "x"
        self.request.session["seen"] = True

    async def ws_chat(self, ws):
        fail()


def facts(record):
    return record.method, record.path, record.handler, record.request_id


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("/page/a%20b", "Site.page"),
        ("/blocking", "Site.blocking"),
        ("/shop/cart", "Shop.cart"),
        ("/shop/notes/3", "Notes.get"),
        ("/below/page/x", "Below.page"),
    ],
)
def test_a_failure_is_one_record_that_names_the_handler(path, handler, caplog):
    """Method, whole path and handler are in its text, and attributes of it."""
    assert http(Site(), "GET", path).status_code == 500
    (record,) = caplog.records
    told = path.replace("%20", " ")
    assert record.getMessage() == f"GET {told!r} failed in {handler}"
    assert (record.name, record.levelname, *facts(record)) == ("micropie", "ERROR", "GET", told, handler, None)
    assert isinstance(record.exc_info[1], RuntimeError)


def test_a_stream_that_breaks_is_one_record(caplog):
    """Its server is told by the same exception."""
    wire(Site(), "GET", "/words", raises=RuntimeError)
    assert [record.getMessage() for record in caplog.records] == ["GET '/words' failed in Site.words"]


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("BREW", "BREW"),
        ("GET\x1b[31m", "'GET\\x1b[31m'"),
        ("GET\nERROR forged", "'GET\\nERROR forged'"),
        ("G" * 60_000, f"{200 * 'G'}…"),
        ("", "''"),
    ],
)
@pytest.mark.parametrize("path", ["/page/x", "/lost"])
def test_a_method_forges_no_record(method, told, path, caplog):
    """Hypercorn hands on what an HTTP/2 client calls one: escape sequences, and thousands of letters."""
    wire(Site(), "GET", path, scope={"method": method})
    (record,) = caplog.records
    assert record.getMessage().partition(" '/")[0] == told


def test_a_websocket_that_fails_is_one_record(caplog):
    """The handshake is a GET."""
    assert websocket(Site(), "/chat").close == (1011, "Internal server error")
    assert [record.getMessage() for record in caplog.records] == ["GET '/chat' failed in Site.ws_chat"]


@pytest.mark.parametrize(("path", "handler"), [("/page/x", "Site.page"), ("/nowhere", None)])
def test_a_hook_that_fails_names_the_handler_that_was_meant(path, handler, caplog):
    """None if the path leads to none."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            fail()

    site = Site()
    site.middlewares.append(Hook())
    assert http(site, "POST", path).status_code == 500
    (record,) = caplog.records
    assert facts(record)[2:] == (handler, None)
    assert record.getMessage().endswith(f"failed in {handler}" if handler else "failed")


def test_a_websocket_hook_that_fails_is_one_record(caplog):
    """The handler that was meant is named."""

    class Hook(WebSocketMiddleware):
        async def before_websocket(self, request):
            fail()

    site = Site()
    site.ws_middlewares.append(Hook())
    assert websocket(site, "/chat").close == (1011, "Internal server error")
    assert [record.handler for record in caplog.records] == ["Site.ws_chat"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("7f3a-99", "7f3a-99"),
        ("7f3a-99 ", "7f3a-99"),
        ("x" * 200, "x" * 200),
        ("x" * 201, None),
        ("two words", None),
        ("\x1b[31m", None),
        ("ü", None),
        ("", None),
    ],
)
def test_the_request_id_is_the_proxys(sent, kept, caplog):
    """X-Request-ID, where it is visible ASCII of at most 200 characters."""
    http(Site(), "GET", "/page/x", headers=[("X-Request-ID", sent)])
    (record,) = caplog.records
    assert record.request_id == kept
    assert record.getMessage().endswith(f" (request id {kept})") is (kept is not None)


def test_a_handler_without_a_name_of_its_own_has_that_of_the_route(caplog):
    """A partial of a method is one."""
    assert http(Site(), "GET", "/partly").status_code == 500
    assert [record.handler for record in caplog.records] == ["partly"]


def test_an_application_that_fails_below_a_part_of_its_path_says_the_whole(caplog):
    """A server may strip the path that it is mounted at."""
    wire(Site(), "GET", "/page/x", scope={"root_path": "/api", "path": "/api/page/x"})
    assert [record.path for record in caplog.records] == ["/api/page/x"]


def test_logging_config_takes_it(caplog):
    """A format may name the attributes; nothing else is printed."""
    logger = logging.getLogger("micropie")
    before = logger.handlers[:], logger.level, logger.propagate
    others = {
        name: one.disabled for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)
    }
    try:
        logging.config.dictConfig(FORMAT)
        http(Site(), "GET", "/page/x", headers=[("X-Request-ID", "r1")])
        (memory,) = logger.handlers
        assert isinstance(memory, logging.handlers.MemoryHandler)
        (record,) = memory.buffer
        assert memory.format(record).splitlines()[0] == "micropie ERROR GET /page/x Site.page r1"
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
        for name, disabled in others.items():
            logging.getLogger(name).disabled = disabled


def test_nothing_is_printed(capfd, caplog):
    """What is logged goes to the handlers of the log."""
    http(Site(), "GET", "/page/x")
    assert capfd.readouterr().out == ""
