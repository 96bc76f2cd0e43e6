"""The proxies' configurations of docs/production.md do what the page says."""

import re
import time
from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.servers.proxies import PROXIES, Proxied, applications, proxying, trusting
from tests.servers.serving import PATIENCE

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The applications behind the proxies."""
    with applications(tmp_path_factory.mktemp("upstream")) as ports:
        yield ports


@pytest.fixture(scope="module", params=PROXIES, ids=lambda make: make.__name__)
def proxy(
    request: pytest.FixtureRequest, upstream: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    """Each proxy in turn."""
    with proxying(request.param, tmp_path_factory.mktemp(request.param.__name__), upstream) as running:
        yield running


def open_socket(proxy: Proxied, path: str, **options: str) -> ClientConnection:
    """A WebSocket through the proxy, from a page of the site itself."""
    return connect(
        proxy.ws_url + path, ssl=trusting(), proxy=None, origin=Origin(proxy.url), additional_headers=options
    )


def test_a_page_comes_through(proxy: Proxied):
    """The first thing that anybody tries."""
    assert proxy.get("/").text == "Welcome to MicroPie ASGI."


def test_the_application_knows_the_visitor(proxy: Proxied):
    """Scheme, host and client are the visitor's, whatever forwarding header he made up."""
    with proxy.client() as client:
        visitor = client.get("/visitor", headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http"}).json()
    assert (visitor["scheme"], visitor["client"][0]) == ("https", "127.0.0.1")
    assert visitor["host"] == f"127.0.0.1:{proxy.port}"
    assert visitor["x-forwarded-for"] == "127.0.0.1"


@pytest.mark.parametrize("prefix", ["", "/pies"])
@pytest.mark.parametrize(
    ("sent", "segments"),
    [
        ("a%2Fb/c", ["a/b", "c"]),
        ("a%2fb/c%20d?e=f", ["a/b", "c d"]),
        ("J%C3%BCrgen/100%2525", ["Jürgen", "100%25"]),
    ],
)
def test_a_path_arrives_as_it_was_sent(proxy: Proxied, prefix: str, sent: str, segments: list[str]):
    """An escaped slash is no separator, and nothing is decoded twice, below a prefix too."""
    assert proxy.get(f"{prefix}/segments/{sent}").json() == {"segments": segments}


@pytest.mark.parametrize("prefix", ["", "/pies"])
def test_a_query_comes_through(proxy: Proxied, prefix: str):
    """The query stays behind the path, once."""
    assert proxy.get(f"{prefix}/add?left=a%26b&right=%2F").json() == {"left": "a&b", "right": "/"}


@pytest.mark.parametrize("prefix", ["", "/pies"])
def test_a_websocket_comes_through(proxy: Proxied, prefix: str):
    """Messages go both ways, and the handler's close arrives."""
    with open_socket(proxy, f"{prefix}/echo") as socket:
        for message in ("Hello", "x" * 200_000):
            socket.send(message)
            assert socket.recv(timeout=PATIENCE) == message


def test_a_websocket_shares_the_session(proxy: Proxied):
    """A socket from a page of the site itself is no foreign one, so it gets the visitor's session."""
    with proxy.client() as client:
        assert client.get("/visit").text == "You have visited 1 times."
        cookie = f"session_id={client.cookies['session_id']}"
    with open_socket(proxy, "/visit", Cookie=cookie) as socket:
        assert socket.recv(timeout=PATIENCE) == "You have visited 2 times."


def test_events_come_at_once(proxy: Proxied, key: str):
    """Each event arrives before the next one is asked for, and soon after it was sent."""
    delays: list[float] = []
    with proxy.client() as client, client.stream("GET", f"/answered_events/{key}") as reply:
        lines = (line for line in reply.iter_lines() if line)
        for _ in range(5):
            assert proxy.get(f"/ask_for_event/{key}").text == "asked"
            delays.append(-float(next(lines).removeprefix("data: ")) + time.monotonic())
    assert min(delays) < 0.15


def test_an_upload_comes_through_as_it_is_sent(proxy: Proxied, key: str):
    """The handler reads the file while the client still has a part of it."""
    boundary = "--line\r\nContent-Disposition: form-data; name=document; filename=a.txt\r\n\r\n"

    def body() -> Iterator[bytes]:
        yield boundary.encode() + b"x" * 2 * MIB
        assert proxy.saw(key, "reading") == "reading"
        yield b"\r\n--line--\r\n"

    with proxy.client() as client:
        reply = client.post(
            f"/watched/{key}", content=body(), headers={"Content-Type": "multipart/form-data; boundary=line"}
        )
    assert reply.text == "whole"


def test_a_prefix_is_known_to_the_application_and_no_part_of_its_routes(proxy: Proxied):
    """The application below the prefix answers as at its own root, and knows where it is."""
    assert proxy.get("/pies/greet/Alice").text == "Hello, Alice!"
    assert proxy.get("/pies/visitor").json()["root_path"] == "/pies"


def test_a_request_has_an_id(proxy: Proxied):
    """nginx and HAProxy give each request an id, by which the log names it; Caddy 2.6 has none to give."""
    expected = "" if proxy.kind.name == "caddy" else "[0-9a-f-]{32,36}"
    assert re.fullmatch(expected, proxy.get("/visitor").json()["x-request-id"] or "")
