"""Files on real servers: what arrives, in how much memory, and that nothing stays open."""

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.serving import (
    DAPHNE,
    GRANIAN,
    GRANIAN_RSGI,
    HYPERCORN,
    UVICORN,
    Kind,
    Server,
    eventually,
    started,
    wait_until_ready,
)

HERE = Path(__file__).parent
MODULE = "served_files"
SMALL = bytes(range(256)) * 4
GiB = 1 << 30
SIZE = 2 * GiB + 12345
MARK = b"near the end"
PLACE = SIZE - 1000
MOST_MEMORY = 40 << 10  # KiB; the film is fifty times as large
PATIENCE = 60


def kinds() -> Iterator[Kind]:
    """The servers, with both parsers of Uvicorn, that serve the files."""
    for kind in (UVICORN, HYPERCORN, DAPHNE, GRANIAN, GRANIAN_RSGI):
        options = tuple(option.replace("application:", f"{MODULE}:") for option in kind.options)
        changed = replace(kind, options=options, module=kind.module or kind.name)
        if kind is UVICORN:
            for parser in ("h11", "httptools"):
                yield replace(changed, name=f"uvicorn-{parser}", options=(*options, "--http", parser))
        else:
            yield changed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file, and a large one with hardly anything in it."""
    root = tmp_path_factory.mktemp("files")
    (root / "grüße.txt").write_bytes(SMALL)
    with (root / "film.bin").open("wb") as film:
        film.seek(PLACE)
        film.write(MARK)
        film.truncate(SIZE)
    (root / "song.bin").write_bytes(os.urandom(3 << 20))
    return root


KINDS = list(kinds())
WITH_BACKPRESSURE = [kind for kind in KINDS if kind.name != "daphne"]  # which keeps what a slow client does not read


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each server with the files."""
    kind: Kind = request.param
    with started(kind, tmp_path_factory.mktemp(kind.name), at=HERE, FILES=str(folder)) as running:
        wait_until_ready(running)
        yield running


def curl(server: Server, path: str, *options: str) -> bytes:
    """What curl prints."""
    command = ["curl", "--silent", "--path-as-is", "--max-time", str(PATIENCE), *options, server.url + path]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def test_a_file(server: Server):
    """A small file, whole and in parts, and for who has it."""
    path = "/files/gr%C3%BC%C3%9Fe.txt"
    with server.client() as client:
        reply = client.get(path)
        assert (reply.status_code, reply.content) == (200, SMALL)
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        known = client.get(path, headers={"if-none-match": reply.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        part = client.get(path, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, SMALL[10:20])
        head = client.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(SMALL)))
        assert client.get("/members" + path).status_code == 401


def test_a_large_file_and_its_parts(server: Server, folder: Path):
    """A file that is not kept in memory, from a handler too, and several parts of it."""
    song = (folder / "song.bin").read_bytes()
    with server.client() as client:
        assert client.get("/files/song.bin").content == song
        saved = client.get("/reply/song.bin")
        assert saved.content == song
        assert saved.headers["content-disposition"] == 'attachment; filename="song.bin"'
        part = client.get("/files/song.bin", headers={"range": "bytes=1000000-2999999"})
        assert (part.status_code, part.content) == (206, song[1_000_000:3_000_000])
        last = client.get("/files/song.bin", headers={"range": "bytes=-5"})
        assert (last.content, last.headers["content-length"]) == (song[-5:], "5")
        several = client.get("/files/song.bin", headers={"range": "bytes=0-3,-4"})
        assert several.status_code == 206
        assert song[:4] in several.content
        assert song[-4:] in several.content
        assert len(several.content) == int(several.headers["content-length"])


def test_curl_goes_on_with_a_download(server: Server, folder: Path, tmp_path: Path):
    """A download that broke off is completed."""
    song = (folder / "song.bin").read_bytes()
    target = tmp_path / "song.bin"
    target.write_bytes(song[:1_000_000])
    curl(server, "/files/song.bin", "--continue-at", "-", "--output", str(target))
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(song).digest()


@pytest.mark.parametrize(
    "path", ["/files/../served_files.py", "/files/%2e%2e/x", "/files/..%2fx", "/files//etc/passwd"]
)
def test_curl_does_not_get_out(server: Server, path: str):
    """Nothing outside the folder is found, however the way there is written."""
    status = curl(server, f"/files{path}", "--output", os.devnull, "--write-out", "%{http_code}")
    assert status == b"404"


@pytest.mark.parametrize("server", WITH_BACKPRESSURE, ids=lambda kind: kind.name, indirect=True)
def test_a_file_of_two_gigabytes(server: Server):
    """The largest files need no memory, whole or in part, and are closed in the end."""
    part = curl(server, "/files/film.bin", "--range", f"{PLACE}-{PLACE + len(MARK) - 1}")
    assert part == MARK
    before = int(server.get("/peak").text)
    told = curl(server, "/files/film.bin", "--output", os.devnull, "--write-out", "%{http_code} %{size_download}")
    assert told == f"200 {SIZE}".encode()
    assert int(server.get("/peak").text) - before < MOST_MEMORY
    assert eventually(lambda: server.get("/open/film.bin").text, "0") == "0"


@pytest.mark.parametrize("server", WITH_BACKPRESSURE, ids=lambda kind: kind.name, indirect=True)
def test_clients_that_leave(server: Server):
    """Clients that leave in the middle, or read nothing at all, leave no file open, nor does HEAD."""
    before = int(server.get("/peak").text)
    request = b"GET /files/film.bin HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as connections:
        for _ in range(10):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            connection.sendall(request)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert int(server.get("/peak").text) - before < MOST_MEMORY
    with server.client() as client:
        assert client.head("/files/film.bin").headers["content-length"] == str(SIZE)
        assert client.get("/files/film.bin", headers={"range": f"bytes={SIZE}-"}).status_code == 416
    assert eventually(lambda: server.get("/open/film.bin").text, "0") == "0"
