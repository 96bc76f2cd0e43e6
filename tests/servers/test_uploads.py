"""Multipart uploads through each server: streamed, unread, broken off."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.serving import Server, request

MIB = 1024 * 1024
TYPE = "multipart/form-data; boundary=line"
FIELD = b'--line\r\nContent-Disposition: form-data; name="title"\r\n\r\nA report\r\n'
FILE = (
    b'--line\r\nContent-Disposition: form-data; name="document"; filename="report.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\n"
)
LAST = b"\r\n--line--\r\n"


def memory(pid: int, field: str) -> int:
    """A figure of the process, in bytes, as the kernel keeps it: `VmRSS` is now, `VmHWM` the most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(rf"{field}:\s+(\d+) kB", status)[0]) * 1024


def forget_peak(pid: int) -> None:
    """Let `VmHWM` begin again at what the process has now (proc(5), `clear_refs`)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.parametrize("field_first", [True, False], ids=["field first", "file first"])
def test_a_file_and_a_field_in_any_order(server: Server, field_first: bool):
    """Both parameters are bound whichever part comes first."""
    file = FILE + b"x" * 100_000 + b"the last\r\n"
    body = (FIELD + file if field_first else file + FIELD) + b"--line--\r\n"
    with server.client() as client:
        reply = client.post("/upload", content=body, headers={"Content-Type": TYPE})
    assert reply.json() == {
        "title": "A report",
        "filename": "report.txt",
        "type": "text/plain",
        "size": 100_008,
        "last": "the last",
    }


def test_what_httpx_sends_as_a_file(server: Server):
    """A client library's own multipart arrives whole."""
    with server.client() as client:
        reply = client.post("/upload", data={"title": "Zoë"}, files={"document": ("a b.bin", b"12345678")})
    assert reply.json() == {
        "title": "Zoë",
        "filename": "a b.bin",
        "type": "application/octet-stream",
        "size": 8,
        "last": "12345678",
    }


@pytest.mark.parametrize("field_first", [True, False], ids=["field first", "file first"])
def test_a_large_upload_costs_little_memory(server: Server, field_first: bool):
    """64 MB streamed by the client pass through the process without being kept in it, unless the server keeps them."""
    size = 64 * 1000 * 1000
    chunk = b"x" * 64_000

    def parts() -> Iterator[bytes]:
        yield FIELD + FILE if field_first else FILE
        for _ in range(size // len(chunk)):
            yield chunk
        yield LAST if field_first else b"\r\n" + FIELD + b"--line--\r\n"

    pid = server.get("/pid").json()["pid"]
    length = sum(map(len, (FIELD, FILE, LAST))) + size
    forget_peak(pid)
    before = memory(pid, "VmRSS")
    with server.client() as client:
        reply = client.post(
            "/upload", content=parts(), headers={"Content-Type": TYPE, "Content-Length": str(length)}
        ).json()
    assert (reply["title"], reply["size"]) == ("A report", size)
    if server.kind.streams_bodies:
        assert memory(pid, "VmHWM") - before < 48 * MIB


def test_an_upload_that_nobody_reads_is_answered(server: Server):
    """A handler that leaves its file unread still answers."""
    with server.client() as client:
        reply = client.post("/unread", files={"document": ("big.bin", b"x" * (8 * MIB))})
    assert (reply.status_code, reply.text) == (200, "did not read big.bin")
    assert server.get("/").status_code == 200


def test_an_upload_without_the_field_names_it(server: Server):
    """A form that ends without a named parameter is the client's mistake."""
    with server.client() as client:
        reply = client.post("/upload", files={"document": ("a.bin", b"x")})
    assert (reply.status_code, reply.text) == (400, "400 Bad Request: Missing required parameter 'title'")


def test_an_upload_broken_off_is_an_exception_for_its_reader(server: Server, key: str):
    """The reader of a file never takes a part of it for the whole; Daphne calls no handler at all."""
    before = len(server.log())
    with server.wire() as wire:
        wire.send(request(f"POST /watched/{key}", f"Content-Type: {TYPE}", "Content-Length: 10000000") + FILE)
        wire.send(b"x" * 500_000)
        if server.kind.streams_bodies:
            assert server.saw(key, "reading") == "reading"
    expected = "ClientGone" if server.kind.streams_bodies else "nothing"
    assert server.saw(key, expected) == expected
    assert server.get("/").text == "Welcome to MicroPie ASGI."
    assert "Traceback" not in server.log()[before:]


def test_an_upload_that_stalls_is_an_exception_for_its_reader(server: Server, key: str):
    """The reader gets the 408 that the client gets; Daphne itself waits for the rest."""
    whole = FILE + b"x" * 500_000 + LAST
    with server.wire() as wire:
        wire.send(request(f"POST /watched/{key}", f"Content-Type: {TYPE}", f"Content-Length: {len(whole)}"))
        wire.send(whole[:-10])
        if not server.kind.streams_bodies:
            wire.send(whole[-10:])
        reply = wire.reply()
    if server.kind.streams_bodies:
        assert (reply.status, reply.body) == (408, b"408 Request Timeout: Failed to receive body")
        assert server.saw(key, "HTTPError") == "HTTPError"
    else:
        assert (reply.status, reply.body) == (200, b"whole")


def test_a_malformed_upload_is_an_exception_for_its_reader(server: Server, key: str):
    """A file that is never ended by its boundary is no file; Daphne refuses the form itself."""
    expected = "HTTPError" if server.kind.streams_bodies else "nothing"
    with server.client() as client:
        reply = client.post(f"/watched/{key}", content=FILE + b"x" * 500_000, headers={"Content-Type": TYPE})
    assert reply.status_code == 400
    assert server.saw(key, expected) == expected
