"""The workloads: what is requested, and which reply is right.

A request is what Uvicorn would hand over for a browser's: ten headers, and a body (the upload excepted) in one message.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

UPLOAD_SIZE = 1024 * 1024
CHUNK_SIZE = 64 * 1024  # what a server reads from its socket at once

BROWSER_HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"connection", b"keep-alive"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-GB,en;q=0.8,de;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"upgrade-insecure-requests", b"1"),
    (b"sec-fetch-dest", b"document"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-site", b"none"),
]

FORTUNES = [
    (1, "fortune: No such file or directory"),
    (2, "A computer scientist is someone who fixes things that aren't broken."),
    (3, "After enough decimal places, nobody gives a damn."),
    (4, "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1"),
    (5, "A computer program does what you tell it to do, not what you want it to do."),
    (6, "Emacs is a nice operating system, but I prefer UNIX."),
    (7, "Any program that runs right is obsolete."),
    (8, "A list is only as strong as its weakest link."),
    (9, "Feature: A bug with seniority."),
    (10, "Computers make very fast, very accurate mistakes."),
    (11, '<script>alert("This should not be displayed.");</script>'),
    (12, "フレームワークのベンチマーク"),
]


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    check: Callable[[bytes], bool]
    path: str = ""
    method: str = "GET"
    query: bytes = b""
    content_type: bytes = b""
    body: list[bytes] = field(default_factory=lambda: [b""])

    def scope(self) -> dict:
        """Return the scope of a fresh request, as Uvicorn makes it."""
        path = self.path or f"/{self.name}"
        headers = list(BROWSER_HEADERS)
        if self.content_type:
            length = str(sum(map(len, self.body))).encode()
            headers += [(b"content-type", self.content_type), (b"content-length", length)]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "headers": headers,
            "state": {},
            "method": self.method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": self.query,
        }

    def messages(self) -> list[dict]:
        """Return the request's messages, the last one first: they are popped from the end."""
        parts = [{"type": "http.request", "body": part, "more_body": True} for part in self.body]
        parts[-1]["more_body"] = False
        return parts[::-1]


def _is(expected: bytes) -> Callable[[bytes], bool]:
    return lambda body: body == expected


def _is_json(expected: object) -> Callable[[bytes], bool]:
    return lambda body: json.loads(body) == expected


def _has_all_fortunes(body: bytes) -> bool:
    rows = re.findall(r"<tr><td>(\d+)</td><td>(.*?)</td></tr>", body.decode())
    return len(rows) == len(FORTUNES) and rows[10][1].startswith("&lt;script&gt;alert(&#34;") and "フ" in rows[11][1]


def _multipart(boundary: bytes, content: bytes) -> list[bytes]:
    """Return the messages of an upload: a text field, and a file."""
    body = (
        b'--%b\r\ncontent-disposition: form-data; name="title"\r\n\r\nNotes\r\n'
        b'--%b\r\ncontent-disposition: form-data; name="file"; filename="notes.bin"\r\n'
        b"content-type: application/octet-stream\r\n\r\n%b\r\n--%b--\r\n"
    ) % (boundary, boundary, content, boundary)
    return [body[start : start + CHUNK_SIZE] for start in range(0, len(body), CHUNK_SIZE)]


_ORDER = {"item": "Pie", "price": 12.5, "tags": ["apple", "cinnamon"], "customer": {"name": "Alice", "vip": True}}
_BOUNDARY = b"----geckoformboundary4d1f6cba2bf81f1c"
# Every byte value, line breaks included, and no run that compresses the parser's work away.
_FILE = (bytes(range(256)) * (UPLOAD_SIZE // 256))[:UPLOAD_SIZE]

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("json", _is_json({"message": "Hello, World!"})),
        Workload("text", _is(b"Hello, World!")),
        Workload("path", _is(b"Hello, Alice!"), path="/greet/Alice"),
        Workload("query", _is(b"Hello, Alice!"), path="/greet", query=b"name=Alice"),
        Workload(
            "echo",
            _is_json(_ORDER),
            method="POST",
            content_type=b"application/json",
            body=[json.dumps(_ORDER).encode()],
        ),
        Workload(
            "form",
            _is(b"alice@example.com"),
            method="POST",
            content_type=b"application/x-www-form-urlencoded",
            body=[b"name=Alice+Liddell&email=alice%40example.com&message=Hello%2C+World%21"],
        ),
        Workload(
            "typed",
            _is_json({"id": 7, "limit": 20, "active": True, "total": 25.0}),
            path="/typed/7",
            query=b"limit=20&active=true",
            method="POST",
            content_type=b"application/json",
            body=[b'{"item": "Pie", "price": 12.5, "quantity": 2}'],
        ),
        Workload("visits", lambda body: body.isdigit()),
        Workload("mw", _is_json({"message": "Hello, World!"}), path="/json"),
        Workload("stream", _is(b"Chunk 1\nChunk 2\nChunk 3\nChunk 4\nChunk 5\n")),
        Workload("fortunes", _has_all_fortunes),
        Workload(
            "upload",
            _is(str(UPLOAD_SIZE).encode()),
            method="POST",
            content_type=b"multipart/form-data; boundary=" + _BOUNDARY,
            body=_multipart(_BOUNDARY, _FILE),
        ),
        Workload("sync", _is(b"Hello, World!")),
        Workload("ws", _is(b"Hello, World!"), path="/chat"),
    )
}
