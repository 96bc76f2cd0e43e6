"""Compressed replies through real servers: streams arrive as they are made, and end when the client leaves."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import brotli
import pytest

from tests.servers.serving import GRANIAN, GRANIAN_RSGI, UVICORN, Kind, Server, on, serving

zstd = import_module("compression.zstd" if find_spec("compression") else "backports.zstd")  # Python 3.14's own
DECOMPRESSORS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
}
with_codings = pytest.mark.parametrize("coding", DECOMPRESSORS)


def compressed(kind: Kind) -> Kind:
    """The server with the application behind the middlewares."""
    options = tuple(option.replace("application:", "compressed:") for option in kind.options)
    return replace(kind, name=f"{kind.name}-compressed", module=kind.module or kind.name, options=options)


pytestmark = on(*map(compressed, (UVICORN, GRANIAN, GRANIAN_RSGI)))


@pytest.fixture(scope="module")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the tests of its kind share."""
    with serving(kind, tmp_path_factory.mktemp(kind.name)) as running:
        yield running


@with_codings
@pytest.mark.parametrize("path", ["parts", "sync_parts"])
def test_chunks_arrive_as_they_are_made(server: Server, path: str, key: str, coding: str):
    """What is there of the first chunk can be read to its end before the second is made."""
    decompress = DECOMPRESSORS[coding]()
    with (
        server.client() as client,
        client.stream("GET", f"/{path}/{key}", headers={"Accept-Encoding": coding}) as reply,
    ):
        assert reply.headers["content-encoding"] == coding
        parts = reply.iter_raw()
        assert decompress(next(parts)) == b"first\n"
        assert server.get(f"/release/{key}").text == "released"
        assert b"".join(map(decompress, parts)) == b"second\n"


@with_codings
@pytest.mark.parametrize("path", ["events", "idle_events", "sync_events"])
def test_the_generator_is_closed_when_the_client_leaves(server: Server, path: str, key: str, coding: str):
    """An event can be read when it is there; the stream's `finally` runs once nobody listens."""
    before = len(server.log())
    decompress = DECOMPRESSORS[coding]()
    with (
        server.client() as client,
        client.stream("GET", f"/{path}/{key}", headers={"Accept-Encoding": coding}) as reply,
    ):
        assert reply.headers["content-type"] == "text/event-stream"
        assert decompress(next(reply.iter_raw())).startswith(b"data: ")
    assert server.saw(key, "closed") == "closed"
    assert "Traceback" not in server.log()[before:]


def test_head_of_a_stream_has_its_headers_and_no_body(server: Server, key: str):
    """The connection is free for the next request."""
    with server.client() as client:
        reply = client.head(f"/events/{key}", headers={"Accept-Encoding": "gzip"})
        assert (reply.status_code, reply.headers["content-encoding"], reply.content) == (200, "gzip", b"")
        assert client.get("/greet").text == "Hello, Guest!"


def test_a_client_that_has_the_page_is_told_so(server: Server):
    """304 on the wire, on a connection that goes on."""
    with server.client() as client:
        tag = client.get("/greet").headers["etag"]
        reply = client.get("/greet", headers={"If-None-Match": tag})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
        assert client.get("/greet").status_code == 200
    assert server.logs('GET "/greet" 304 0 ')
