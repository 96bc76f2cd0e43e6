"""FileReply: one file from any handler; and files as bodies."""

import os
from pathlib import Path
from typing import Any

import pytest

from micropie import App, FileBody, HttpMiddleware, Reply
from micropie.openapi import openapi
from micropie.static import FileReply
from micropie.testing import TestClient
from tests.client import http

CONTENT = b"%PDF" * 100
LARGE = b"film" * 100_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A report and a film."""
    (tmp_path / "report.pdf").write_bytes(CONTENT)
    (tmp_path / "film.mp4").write_bytes(LARGE)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.txt").write_text("a")
    return tmp_path


def asked(path: Any, sent: Any = None, method: str = "GET", **options: Any) -> Any:
    """The reply of a handler that returns a file."""

    class Site(App):
        async def index(self) -> FileReply:
            return FileReply(path, **options)

    return http(Site(), method, "/", headers=sent or {})


def test_a_file(folder):
    """A file goes out with its type and validators, and is shown."""
    reply = asked(folder / "report.pdf")
    assert (reply.status_code, reply.content) == (200, CONTENT)
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in reply.headers
    assert asked(str(folder / "film.mp4")).content == LARGE


def test_conditions_and_ranges(folder):
    """The request may ask for a part, and know the file already."""
    etag = asked(folder / "report.pdf").headers["etag"]
    assert asked(folder / "report.pdf", {"if-none-match": etag}).status_code == 304
    part = asked(folder / "film.mp4", {"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"film")


def test_head(folder):
    """HEAD has the length of the file."""
    assert asked(folder / "film.mp4", method="HEAD").headers["content-length"] == str(len(LARGE))


def test_what_the_handler_says(folder):
    """Type, status and headers may be the handler's own."""
    reply = asked(folder / "report.pdf", content_type="text/plain", status=201, headers={"X-Own": "1"})
    assert (reply.status_code, reply.headers["content-type"], reply.headers["x-own"]) == (201, "text/plain", "1")
    assert asked(folder / "report.pdf", headers=None).status_code == 200


def test_headers_as_pairs(folder):
    """Headers may be pairs, as those of other results."""

    class Site(App):
        def index(self):
            return FileReply(folder / "report.pdf", headers=[("Cache-Control", "private")])

    assert http(Site()).headers["cache-control"] == "private"


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (None, 'attachment; filename="report.pdf"'),
        ("a b.pdf", 'attachment; filename="a b.pdf"'),
        (
            "Bericht für März.pdf",
            "attachment; filename=\"Bericht f_r M_rz.pdf\"; filename*=UTF-8''Bericht%20f%C3%BCr%20M%C3%A4rz.pdf",
        ),
        ('"x"; y=\\.pdf', "attachment; filename=\"_x_; y=_.pdf\"; filename*=UTF-8''%22x%22%3B%20y%3D_.pdf"),
        ("../a/b\r\nX: y", 'attachment; filename=".._a_b__X: y"'),
        ("50%.pdf", "attachment; filename=\"50_.pdf\"; filename*=UTF-8''50%25.pdf"),
        ("🥧", "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%A5%A7"),
        ("\udcff", "attachment; filename=\"_\"; filename*=UTF-8''%3F"),
    ],
)
def test_names_to_save_by(folder, filename, expected):
    """A download has a name that no client can misread (RFC 6266, RFC 8187)."""
    reply = asked(folder / "report.pdf", download=True, filename=filename)
    assert reply.headers["content-disposition"] == expected


def test_a_name_for_what_is_shown(folder):
    """A file that is shown may have a name to be saved by."""
    assert asked(folder / "report.pdf", filename="a.pdf").headers["content-disposition"] == 'inline; filename="a.pdf"'


@pytest.mark.parametrize("path", ["nothing.pdf", "below", "a\0b", "x" * 5000])
def test_what_is_no_file(folder, path):
    """What is not there is a 404, also a folder."""
    assert asked(f"{folder}/{path}").status_code == 404


def test_a_pipe(folder):
    """A pipe is no file, and nobody waits for what comes out of it."""
    os.mkfifo(folder / "pipe")
    assert asked(folder / "pipe").status_code == 404


def test_names_from_outside(folder):
    """A path that comes from the client stays below the folder that is named."""
    wanted = {
        "a.txt": 200,
        "b.txt": 404,
        "../report.pdf": 404,
        "/etc/passwd": 404,
        "..\\report.pdf": 404,
        ".a": 404,
        "": 404,
    }
    found = {path: asked(path, directory=folder / "below").status_code for path in wanted}
    assert found == wanted
    (folder / "below" / "link").symlink_to("../report.pdf")
    assert asked("link", directory=folder / "below").status_code == 404


def test_without_a_request(folder):
    """Outside of a request it is the whole file."""
    reply = FileReply(folder / "report.pdf")
    assert (reply.status, reply.body) == (200, CONTENT)


def test_a_path_is_no_reply(folder, caplog):
    """A path may lead anywhere, so a handler says that it means the file."""

    class Site(App):
        async def index(self):
            return folder / "report.pdf"

    assert http(Site()).status_code == 500
    assert "return FileReply(path), from micropie.static" in caplog.text


def test_the_document(folder):
    """A handler that returns a file is documented as one that returns any reply."""

    class Site(App):
        async def report(self) -> FileReply:
            return FileReply(folder / "report.pdf")

        async def other(self) -> Reply:
            return Reply(200, "", [])

    paths = openapi(Site())["paths"]
    assert paths["/report"]["get"]["responses"] == paths["/other"]["get"]["responses"]


# -- files as bodies ------------------------------------------------------------------------------------


def body_of(path: Path, *part: int) -> FileBody:
    """A file as a body."""
    return FileBody(str(path), path.stat(), *part)


def test_a_part_of_a_file_as_body(folder):
    """Any handler may return a part of a file as the body of its reply."""

    class Site(App):
        async def index(self):
            return 200, body_of(folder / "film.mp4", 4, 8), {"Content-Type": "video/mp4"}

    reply = http(Site())
    assert (reply.content, reply.headers["content-type"]) == (b"filmfilm", "video/mp4")


def test_a_body_is_read_in_chunks(folder):
    """A file is read piece by piece, and its end comes once."""
    body = body_of(folder / "film.mp4")
    chunks = [*body]
    assert b"".join(chunks) == LARGE
    assert max(map(len, chunks)) <= 1 << 17
    assert next(body, None) is None


def test_a_body_that_is_closed(folder):
    """Nothing comes of a body that was closed, and closing it twice is no fault."""
    body = body_of(folder / "film.mp4")
    next(body)
    body.close()
    body.close()
    assert next(body, None) is None


def test_a_file_that_is_replaced_before_it_is_read(folder):
    """Another file under the name is not sent under the headers of the first one; the client may ask again."""
    found = body_of(folder / "film.mp4")
    (folder / "report.pdf").replace(folder / "film.mp4")

    class Site(App):
        async def index(self):
            return 200, found, {"ETag": '"film"'}

    reply = http(Site())
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "0")
    assert "etag" not in reply.headers


def test_a_file_that_is_cut_while_it_is_sent(folder):
    """A body that became shorter is no whole one, and the file is closed."""
    body = body_of(folder / "film.mp4")
    next(body)
    os.truncate(folder / "film.mp4", 10)
    with pytest.raises(OSError, match="has become shorter"):
        list(body)
    assert next(body, None) is None


def test_a_file_that_is_gone(folder):
    """A file that is not there any more when it is to be read is a failure of the server."""
    body = body_of(folder / "film.mp4")
    (folder / "film.mp4").unlink()

    class Site(App):
        async def index(self):
            return body

    assert http(Site()).status_code == 500


def open_files() -> int:
    """The number of files that this process has open."""
    return len([*Path("/proc/self/fd").iterdir()])


class Replacing(HttpMiddleware):
    """A middleware that replaces replies, or fails."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails

    async def after_request(self, request, status_code, response_body, extra_headers):
        next(response_body)
        if self.fails:
            raise RuntimeError("the hook")
        return {"body": "other"}


@pytest.mark.parametrize("fails", [False, True])
def test_a_file_that_a_hook_has_begun_to_read(folder, fails):
    """Whoever takes the body over, an open file is closed."""
    seen = []

    class Site(App):
        async def index(self):
            seen.append(body_of(folder / "film.mp4"))
            return seen[0]

    app = Site()
    app.middlewares.append(Replacing(fails=fails))
    before = open_files()
    with TestClient(app, raise_exceptions=False) as client:
        assert client.get("/").status_code == (500 if fails else 200)
    assert next(seen[0], None) is None
    assert open_files() == before


# -- servers that send files by themselves ----------------------------------------------------------------


def sent_by_server(app: App, extensions: Any, headers: Any = None, method: str = "GET") -> tuple[Any, list[Any]]:
    """The reply where a server offers these extensions, and what it was asked to send by itself."""
    messages: list[Any] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.pathsend":
                messages.append(message)
                message = {"type": "http.response.body", "body": b"?" * length[0]}
            elif message["type"] == "http.response.start":
                length.append(int(dict(message["headers"])[b"content-length"]))
            await send(message)

        length: list[int] = []
        await app({**scope, "extensions": extensions}, receive, sending)

    return http(server, method, "/", headers=headers or {}), messages


PATHSEND: dict[str, Any] = {"http.response.pathsend": {}}


class Films(App):
    """An application that returns a film."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def index(self):
        return FileReply(self.folder / "film.mp4")


def test_a_server_that_sends_files(folder):
    """A server that can is asked to send the file, by its absolute path."""
    app = Films(folder)
    reply, messages = sent_by_server(app, PATHSEND)
    assert messages == [{"type": "http.response.pathsend", "path": str(folder / "film.mp4")}]
    assert reply.headers["content-length"] == str(len(LARGE))
    assert sent_by_server(app, {})[1] == []


def test_a_server_that_sends_parts_of_files(folder):
    """A part is read by us, unless the server can send that, too."""
    app, part = Films(folder), {"range": "bytes=4-9"}
    reply, messages = sent_by_server(app, PATHSEND, part)
    assert (reply.content, messages) == (b"filmfi", [])
    reply, messages = sent_by_server(app, {**PATHSEND, "micropie.pathsend_range": {}}, part)
    assert messages[0] == {"type": "http.response.pathsend", "path": str(folder / "film.mp4"), "start": 4, "end": 10}
    assert reply.headers["content-range"] == f"bytes 4-9/{len(LARGE)}"


def test_a_server_sends_nothing_for_head(folder):
    """HEAD has no body, whoever sends it."""
    assert sent_by_server(Films(folder), PATHSEND, method="HEAD")[1] == []


def test_a_server_sends_no_file_past_a_middleware(folder):
    """What a middleware wants to see of a stream is read by us."""
    app, seen = Films(folder), []

    class Watching(HttpMiddleware):
        def streamed_send(self, request, send):
            async def watched(message):
                seen.append(message["type"])
                await send(message)

            return watched

    app.middlewares.append(Watching())
    reply, messages = sent_by_server(app, PATHSEND)
    assert (reply.content, messages) == (LARGE, [])
    assert seen[0] == "http.response.start"


def test_a_server_sends_no_file_that_was_begun(folder):
    """What a hook has read already is not sent again."""

    class Beginning(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            next(response_body)
            extra_headers[:] = [("Content-Length", "268928")]

    app = Films(folder)
    app.middlewares.append(Beginning())
    reply, messages = sent_by_server(app, PATHSEND)
    assert (len(reply.content), messages) == (268928, [])
