"""Hostile multipart forms: broken, split at every byte, bombs, in every order, and handlers that read as they like."""

import asyncio
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from micropie import App, HTTPError
from tests.client import run
from tests.wire import awire, wire

pytestmark = pytest.mark.needs("multipart")

MALFORMED = "400 Bad Request: Malformed multipart body"
BOUNDARY = "bound"
HEADERS = [("content-type", f"multipart/form-data; boundary={BOUNDARY}")]
BIG = 3 << 20  # more than waits in memory


def form(*parts, boundary=BOUNDARY):
    """Encode fields `(name, text)` and files `(name, filename, content)`."""
    body = b""
    for name, *filename, content in parts:
        disposition = f'form-data; name="{name}"' + "".join(f'; filename="{each}"' for each in filename)
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        body += (content if isinstance(content, bytes) else content.encode()) + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def pieces(body, size=65536):
    """Split a body into messages of that size."""
    return [body[index : index + size] for index in range(0, len(body), size)]


class Site(App):
    """Reads uploads in every way that there is."""

    def __init__(self, **limits):
        super().__init__(**limits)
        self.outcomes: list[str] = []

    async def whole(self):
        files = self.request.files
        return {
            "fields": self.request.body_params,
            "files": {name: [each["filename"], await size(each)] for name, each in files.items()},
        }

    async def one(self, file):
        try:
            return await size(file)
        except HTTPError as error:
            self.outcomes.append(f"{type(error).__name__} {error.status}")
            raise

    async def none(self, file):
        return "not read"

    async def some(self, file):
        return len(await file["content"].get() or b"")

    async def both(self, a, b):
        return [await size(a), await size(b)]

    async def reverse(self, a, b):
        return [await size(b), await size(a)]

    async def text_and_file(self, text, file):
        return [text, await size(file)]

    async def three(self, a, text, b):
        return [await size(b), text, await size(a)]

    async def at_once(self, a, b):
        return await asyncio.gather(size(a), size(b))

    async def missing(self, never):
        raise AssertionError("the handler ran without its parameter")

    async def failing(self, file):
        raise RuntimeError("internal-marker")

    async def refusing(self, file):
        raise HTTPError(403, "No uploads today")

    def sync(self, file, text="none"):
        return [len(file.read()), text]

    def sync_unread(self, file):
        return "not read"

    def sync_stream(self, file):
        while (chunk := file["content"].get_nowait()) is not None:
            yield str(len(chunk))

    async def stream(self, file):
        async for chunk in file:
            yield chunk

    async def stream_unread(self, file):
        yield "not "
        yield "read"

    async def names(self):
        return [file["filename"] for file in self.request.files.values()]


async def size(file):
    """Give the length of a file, read chunk by chunk; of a text, its own."""
    return len(file) if isinstance(file, str) else sum([len(chunk) async for chunk in file])


def post(app, path, body, *, headers=HEADERS, **keywords):
    """Post a multipart body."""
    return wire(app, "POST", path, body=body, headers=headers, **keywords)


# Boundaries.


@pytest.mark.parametrize(
    "parameters",
    ["", ";", "; charset=utf-8", "; boundary", "; boundary=", '; boundary=""', "; boundary= ", "; xboundary=bound"],
)
def test_a_form_without_a_boundary_is_400(parameters):
    """Nothing that is empty or only looks like a boundary is one."""
    answer = post(Site(), "/whole", form(("a", "1")), headers=[("content-type", f"multipart/form-data{parameters}")])
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Missing boundary")


@pytest.mark.parametrize(
    ("parameters", "boundary"),
    [
        ("; boundary=bound", "bound"),
        (";boundary=bound", "bound"),
        ("; BOUNDARY=bound", "bound"),
        ('; boundary="bound"', "bound"),
        ('; boundary="a b"', "a b"),
        ('; boundary="a;b=c"', "a;b=c"),
        (r'; boundary="a\"b\\c"', 'a"b\\c'),
        ("; boundary=bound; charset=utf-8", "bound"),
        ('; x="; boundary=wrong"; boundary=bound', "bound"),
        ("; boundary='()+_,-./:=?", "'()+_,-./:=?"),
        ("; boundary=" + "x" * 70, "x" * 70),
        ("; boundary=--", "--"),
        ("; boundary=-", "-"),
    ],
)
def test_a_boundary_in_any_spelling_is_read(parameters, boundary):
    """Quoted, upper-case, with other parameters around it, of any characters that it may have."""
    body = form(("a", "1"), boundary=boundary)
    answer = post(Site(), "/whole", body, headers=[("content-type", f"Multipart/Form-Data{parameters}")])
    assert answer.json() == {"fields": {"a": ["1"]}, "files": {}}


@pytest.mark.parametrize(
    "parameters",
    [
        "; boundary=other",
        "; boundary=bou",
        "; boundary=bounds",
        "; boundary=BOUND",
        "; boundary=bound; boundary=other",
        "; boundary=\xff",
        "; boundary=\0",
    ],
)
def test_a_wrong_boundary_is_400(parameters):
    """A form that does not have the boundary which it announces is malformed."""
    answer = post(Site(), "/whole", form(("a", "1")), headers=[("content-type", f"multipart/form-data{parameters}")])
    assert (answer.status_code, answer.text) == (400, MALFORMED)


@pytest.mark.parametrize("length", [201, 60_000])
def test_a_huge_boundary_is_400(length):
    """Looking for a boundary takes time for each of its characters, so it has a limit far above RFC 2046's."""
    boundary = "x" * length
    headers = [("content-type", f"multipart/form-data; boundary={boundary}")]
    answer = post(Site(), "/whole", form(("a", "1"), boundary=boundary), headers=headers)
    assert (answer.status_code, answer.text) == (400, MALFORMED)


# Malformed forms.

DISPOSITION = b'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"\r\n",
        b"--",
        b"--bound",
        b"--bound\r\n",
        b"--bound\n" + DISPOSITION + b"\n\n1\n--bound--",
        b"--bound\r\n\r\n1\r\n--bound--",
        b"--bound\r\nX: y\r\n\r\n1\r\n--bound--",
        b"--bound\r\nContent-Disposition: attachment\r\n\r\n1\r\n--bound--",
        b"--bound\r\nno colon\r\n\r\n1\r\n--bound--",
        b"--bound\r\n: nameless\r\n\r\n1\r\n--bound--",
        b"--bound\r\n" + DISPOSITION + b"\r\n\r\n1",
        b"--bound\r\n" + DISPOSITION + b"\r\n\r\n1\r\n--bound",
        b"--bound\r\n" + DISPOSITION + b"\r\n\r\n1\r\n--bound-",
        b"--bound\r\n" + DISPOSITION + b"\r\n\r\n1\r\n--boundX",
        b"--bound\r\n" + DISPOSITION + b"\r\n1\r\n--bound--",
        b"--bound\r\nContent-Disposition: form-data; name=\xff\r\n\r\n1\r\n--bound--",
        b"--boundX\r\n" + DISPOSITION + b"\r\n\r\n1\r\n--bound--",
        b"{}",
        b"a=1",
    ],
    ids=lambda body: repr(body[-40:]),
)
@pytest.mark.parametrize("split", [1, 2, 1000])
def test_a_malformed_form_is_400(body, split):
    """However it arrives, what is no multipart form is one constant answer."""
    answer = post(Site(), "/whole", pieces(body, split) or [b""])
    assert (answer.status_code, answer.text) == (400, MALFORMED)


TRICKY = b"\r\n--boun\r\n\r--bound\n\r\n--\0\xff"  # nearly boundaries
WHOLE = form(("a", "text ä"), ("f", "n.txt", TRICKY), ("b", ""), ("a", "\r\n"))
EXPECTED = {"fields": {"a": ["text ä", "\r\n"], "b": [""]}, "files": {"f": ["n.txt", len(TRICKY)]}}


def test_a_form_is_read_wherever_it_is_split():
    """Two messages may meet inside a boundary, a header, a character or a line end."""
    for index in range(len(WHOLE) + 1):
        assert post(Site(), "/whole", [WHOLE[:index], WHOLE[index:]]).json() == EXPECTED


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 11])
def test_a_form_is_read_in_small_pieces(length):
    """Down to one byte a message."""
    assert post(Site(), "/whole", pieces(WHOLE, length)).json() == EXPECTED


@pytest.mark.parametrize("path", ["/whole", "/one", "/none", "/sync"])
def test_a_truncated_form_is_400_at_every_byte(path):
    """A form that ends early is never taken for whole, unless the handler did not want the rest."""
    body = form(("file", "n", b"0123456789"))
    end = body.rindex(b"--bound--") + len(b"--bound--")
    for index in range(end):
        status = post(Site(), path, body[:index]).status_code
        assert status == 400 or (path == "/none" and status == 200 and b"\r\n\r\n" in body[:index]), index


@pytest.mark.parametrize("path", ["/whole", "/one", "/both", "/sync", "/missing"])
def test_a_client_that_leaves_midway_reaches_no_end(path):
    """At no byte does a client that leaves look like one that has sent its form."""
    body = form(("file", "n", b"0123456789"))
    for index in range(0, len(body) - len(b"--\r\n"), 3):
        app = Site()
        answer = post(app, path, [body[:index]], disconnect=True)
        assert answer.status_code == 400
        assert app.outcomes in ([], ["ClientGone 400"])


# Bombs.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(*[("a", "")] * 1000), 200),
        (form(*[("a", "")] * 1001), 413),
        (form(*[("a", "n", "")] * 1001), 413),
        (form(*[(f"a{number}", "n", "") for number in range(1000)]), 200),
        (b"--bound\r\n" + b"X: y\r\n" * 9 + DISPOSITION + b"\r\n\r\n\r\n--bound--", 413),
        (b"--bound\r\n" + b"X: y\r\n" * 100_000, 413),
        (b"--bound\r\n" + b"X" * 100_000, 413),
        (b"--bound\r\nX: " + b"y" * 100_000 + b"\r\n", 413),
        (b"--bound\r\n" + DISPOSITION + b"x" * 100_000 + b'"\r\n\r\n\r\n--bound--', 413),
        (form(("a", "x" * ((1 << 20) + 1))), 413),
        (form(("a", "x" * (1 << 20))), 200),
        (form(("a" * 3000, "1")), 200),
        (form(*[("a", "x" * (1 << 20))] * 17), 413),
    ],
    ids=list(map(str, range(13))),
)
@pytest.mark.parametrize("path", ["/whole", "/names"])
def test_bombs_are_413(path, body, status):
    """Too many parts, too many or too long headers, too much text."""
    assert post(Site(), path, pieces(body)).status_code == status


@pytest.mark.parametrize("path", ["/whole", "/one", "/none", "/some", "/sync", "/stream_unread", "/missing"])
@pytest.mark.parametrize("head", [b"", b"--bound\r\nContent-Disposition: form-data; name=file; filename=n\r\n\r\n"])
def test_an_endless_form_ends(path, head):
    """Neither a file nor what stands before the first boundary is read without end."""

    async def endless():
        yield head
        while True:
            yield b"x" * 65536

    app = Site(max_upload_size=1 << 20, max_body_size=1 << 20)
    answer = post(app, path, endless(), timeout=30)
    runs = {"/none", "/some", "/stream_unread"}
    assert answer.status_code == (400 if not head else 200 if path in runs else 413)


def test_an_announced_upload_over_the_limit_is_refused_unread():
    """A form that is too large by its own word is not read at all."""
    headers = [*HEADERS, ("content-length", str(3 << 20))]
    app = Site(max_upload_size=1 << 20, max_body_size=1 << 20)
    assert post(app, "/whole", [b"x"], headers=headers, disconnect=True).status_code == 413


def test_what_follows_the_last_boundary_is_ignored():
    """An epilogue is read within the limits, and means nothing."""
    assert post(Site(), "/whole", [WHOLE, *[b"junk --bound\r\n" * 1000] * 10]).json() == EXPECTED


# Names.


@pytest.mark.parametrize(
    ("filename", "bare"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..", ""),
        (".", ""),
        ("./", ""),
        ("../", ""),
        ("a/..", ""),
        ("a/b/", ""),
        ("..\0", ""),
        (".\0.", ""),
        (" .. ", ""),
        ("x\0.txt", "x.txt"),
        ("\\\\server\\share\\x.txt", "x.txt"),
        ("C:/x/y.txt", "y.txt"),
        ("..\\\\..\\\\x", "x"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("~root", "~root"),
        ("🥧.txt", "🥧.txt"),
        ("", ""),
        ("con\u202etxt.exe", "con\u202etxt.exe"),
    ],
)
def test_a_filename_names_no_directory(filename, bare):
    """Of no system, and in no encoding."""
    assert post(Site(), "/names", form(("f", filename, b"x"))).json() == [bare]


@pytest.mark.parametrize("name", ["self", "__class__", "content", "", "a]['b", "..", "\u202e", "'; --", "%00", "file"])
def test_any_field_name_is_only_a_name(name):
    """Field names address nothing but the form itself."""
    answer = post(Site(), "/whole", form((name, "1"), (name, "n", b"2")))
    fields = answer.json()
    assert len(fields["fields"]) == len(fields["files"]) == 1


@pytest.mark.parametrize(
    ("disposition", "found"),
    [
        ('form-data; name="file"; filename="n"', 200),
        ("form-data; name=file; filename=n", 200),
        ('FORM-DATA; NAME="file"; FILENAME="n"', 200),
        ('form-data; filename="n"; name="file"', 200),
        (r'form-data; name="fi\le"; filename="n"', 400),
        ('form-data; name="other"; filename="; name=file"', 400),
        ('form-data; name="other; name=file"; filename="n"', 400),
        ("form-data; filename=n", 400),
    ],
)
def test_nested_quotes_confuse_nobody(disposition, found):
    """What stands inside of quotes is no parameter."""
    body = f"--bound\r\nContent-Disposition: {disposition}\r\n\r\nxyz\r\n--bound--\r\n".encode()
    assert post(Site(), "/one", body).status_code == found


# Orders.

PARTS = {
    "a": ("a", "a.bin", b"a" * (1 << 20) + b"a" * 100_000),
    "b": ("b", "b.bin", b"b" * 1000),
    "text": ("text", "hello"),
    "other": ("other", "o.bin", b"o" * (2 << 20)),
}


@pytest.mark.parametrize("order", list(itertools.permutations(PARTS)), ids="-".join)
@pytest.mark.parametrize("path", ["/three", "/both", "/reverse", "/at_once"])
def test_parts_in_every_order_bind(path, order):
    """Large and small files and fields, wanted and unwanted: no order makes anybody wait for ever."""
    expected: list[Any] = [1000, "hello", (1 << 20) + 100_000] if path == "/three" else [(1 << 20) + 100_000, 1000]
    answer = post(Site(), path, pieces(form(*[PARTS[name] for name in order])))
    assert answer.json() == (expected[::-1] if path == "/reverse" else expected)


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, BIG])
@pytest.mark.parametrize("path", ["/one", "/whole", "/sync"])
@pytest.mark.parametrize("piece", [4099, 65536])
def test_a_file_of_any_size_is_whole(path, length, piece):
    """Around each boundary of memory and disk no byte is lost or doubled."""
    content = bytes(range(251)) * (length // 251 + 1)
    answer = post(Site(), path, pieces(form(("file", "n", content[:length])), piece))
    result = answer.json()
    assert (result["files"]["file"][1] if path == "/whole" else result[0] if path == "/sync" else result) == length


@pytest.mark.parametrize("path", ["/stream", "/sync_stream"])
def test_a_stream_reads_the_upload_that_feeds_it(path):
    """What comes in goes out, both at once, and is all there."""
    content = bytes(range(256)) * (BIG // 256)
    answer = post(Site(), path, pieces(form(("file", "n", content))), timeout=30)
    assert (
        answer.content == content if path == "/stream" else sum(map(int, map(bytes.decode, answer.chunks[:-1]))) == BIG
    )


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/none", 200, b"not read"),
        ("/sync_unread", 200, b"not read"),
        ("/stream_unread", 200, b"not read"),
        ("/failing", 500, b"500 Internal Server Error"),
        ("/refusing", 403, b"403 Forbidden: No uploads today"),
        ("/missing", 400, b"400 Bad Request: Missing required parameter 'never'"),
        ("/nowhere", 404, b"404 Not Found"),
        ("/_private", 404, b"404 Not Found"),
    ],
)
def test_a_handler_that_reads_nothing_still_answers(path, status, body):
    """Whatever a handler does instead of reading, the rest is discarded."""
    answer = post(Site(), path, pieces(form(("file", "n", b"x" * BIG), ("g", "n", b"x" * BIG))))
    assert (answer.status_code, answer.content) == (status, body)


@pytest.mark.parametrize("path", ["/one", "/whole", "/sync", "/missing"])
def test_an_upload_that_stops_is_408(path):
    """The reader of a file gets the error, not half of the file."""

    async def stops():
        yield b"--bound\r\nContent-Disposition: form-data; name=file; filename=n\r\n\r\nxxx"
        await asyncio.Event().wait()

    app = Site(body_timeout=0.05)
    assert post(app, path, stops()).status_code == 408
    assert app.outcomes == (["HTTPError 408"] if path == "/one" else [])


def test_a_handler_that_takes_its_time_costs_no_timeout():
    """The clock stands still while the parser waits for the handler."""

    class Slow(App):
        async def slow(self, file):
            await asyncio.sleep(0.5)
            return await size(file)

    answer = post(Slow(body_timeout=0.1), "/slow", pieces(form(("file", "n", b"x" * BIG))))
    assert (answer.status_code, answer.text) == (200, str(BIG))


def test_a_failed_upload_leaves_nothing_to_read():
    """Whoever reads on gets the same error again, and no reader hangs."""

    class Insisting(App):
        async def insist(self, file):
            seen = []
            for _ in range(3):
                try:
                    await file.read()
                except HTTPError as error:
                    seen.append(error.status)
            return seen

    body = form(("file", "n", b"x" * 1000))
    assert post(Insisting(), "/insist", pieces(body[:-200], 100)).json() == [400, 400, 400]


def test_reading_beyond_the_end_gives_the_end_again():
    """A queue that is used up neither hangs nor raises."""

    class Twice(App):
        async def twice(self, file):
            first, second = await file.read(), await file.read()
            return [len(first), len(second), await file["content"].get()]

    assert post(Twice(), "/twice", form(("file", "n", b"x"))).json() == [1, 0, None]


# Cancellation, and clients that leave while all is under way.


@pytest.mark.parametrize("path", ["/whole", "/one", "/none", "/both", "/sync", "/stream", "/missing", "/failing"])
@pytest.mark.parametrize("turns", [*range(8), 12, 20, 40, 100])
def test_a_request_can_be_cancelled_while_it_uploads(path, turns):
    """Whatever is under way ends: the handler, the parser, the temporary file."""

    async def cancelled():
        before = open_files()
        request = awire(Site(), "POST", path, body=iter(uploading()), headers=HEADERS, timeout=30)
        task = asyncio.create_task(request)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        for _ in range(100):  # a thread that writes to disk may have to end first
            if open_files() <= before:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("a temporary file is left open")

    def uploading():
        head, tail = form(("file", "n", b"|"), ("a", "x")).split(b"|")
        yield head
        for _ in range(200):
            yield b"x" * 65536
        yield tail

    run(cancelled())


@pytest.mark.parametrize("leave_after", [0, 1, 2, 5])
@pytest.mark.parametrize("send_fails", [True, False])
@pytest.mark.parametrize("path", ["/stream", "/stream_unread", "/sync_stream", "/none"])
def test_a_client_may_leave_during_the_reply(path, send_fails, leave_after):
    """Neither the stream nor the upload outlives the client."""
    before = open_files()
    body = pieces(form(("file", "n", b"x" * BIG)))
    post(Site(), path, body, leave_after=leave_after, send_fails=send_fails)
    assert open_files() == before


def open_files():
    """Count the file descriptors that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


@pytest.mark.parametrize("boundary", [b"", b"\n", b"\r\n", b"x" * 100_000, b"\xff"])
@pytest.mark.parametrize("body", [b"", b"--", form(("a", "1"))])
def test_the_documented_parser_refuses_with_http_errors(boundary, body):
    """`_parse_multipart` by itself raises 400 for whatever is no form, and never hangs."""

    async def parsed():
        reader = asyncio.StreamReader()
        reader.feed_data(body)
        reader.feed_eof()
        with pytest.raises(HTTPError) as caught:
            await App()._parse_multipart(reader, boundary)
        return caught.value.status

    assert run(parsed()) == 400


# Wherever it is cut, a form has one verdict.

HEAD = b"Content-Disposition: form-data; name=a\r\n"
REST = b"\r\n1\r\n--bound--"
ODD = {
    "a preamble": b"preamble\r\n--bound\r\n" + HEAD + REST,
    "a boundary within a line": b"x--bound\r\n" + HEAD + REST,
    "two bytes before it": b"xy--bound\r\n" + HEAD + REST,
    "a line feed before it": b"\n--bound\r\n" + HEAD + REST,
    "a line feed in a header": b"--bound\r\nContent-Disposition: form-data;\n name=a\r\n" + REST,
    "a line feed in another header": b"--bound\r\nX: a\nb\r\n" + HEAD + REST,
    "a carriage return in a header": b"--bound\r\nX: a\rb\r\n" + HEAD + REST,
    "a longer boundary": b"--bound\r\n" + HEAD + b"\r\n1\r\n--boundless\r\n--bound--",
    "half a line break": b"--bound\r\n" + HEAD + b"\r\n1\r\r\n--bound--",
    "blanks behind the boundary": b"--bound  \r\n" + HEAD + REST,
    "a continued header": b"--bound\r\nContent-Disposition: form-data;\r\n name=a\r\n" + REST,
    "an unusual header": b"--bound\r\nX.Y: 1\r\n" + HEAD + REST,
    "an epilogue": b"--bound\r\n" + HEAD + REST + b"\r\nand\r\n--bound\r\n",
    "no part": b"--bound--",
    "an empty body": b"\r\n",
    "a length that lies": b"--bound\r\nContent-Length: 3\r\n" + HEAD + REST,
    "a line at its limit": b"--bound\r\n" + HEAD + b"X: " + b"x" * 4221 + b"\r\n" + REST,
    "a line over its limit": b"--bound\r\n" + HEAD + b"X: " + b"x" * 4222 + b"\r\n" + REST,
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_the_verdict_does_not_depend_on_the_pieces(body):
    """What is taken or refused as a whole is so in any two pieces, and byte by byte."""
    cuts = range(1, len(body)) if len(body) < 500 else [*range(40, 80), *range(len(body) - 40, len(body))]
    verdicts = {
        (answer.status_code, answer.text)
        for answer in (
            post(Site(), "/whole", [body]),
            post(Site(), "/whole", pieces(body, 1)),
            *(post(Site(), "/whole", [body[:cut], body[cut:]]) for cut in cuts),
        )
    }
    assert len(verdicts) == 1


# What is saved.


def names_in(folder: Path) -> list[str]:
    """Name the files of a folder."""
    return [each.name for each in folder.iterdir()]


class Saving(App):
    async def save(self, file, target):
        return str(await file.save(target))

    def sync(self, file, target):
        return str(file.save(target))


@pytest.mark.parametrize("path", ["/save", "/sync"])
def test_an_upload_that_breaks_off_leaves_the_old_file(path, tmp_path: Path):
    """Half a file never takes the place of a whole one, nor is anything of it left in the folder."""
    target = tmp_path / "kept"
    target.write_bytes(b"old")
    body = form(("target", str(target)), ("file", "f", b"x" * BIG))[:-3000]
    answer = post(Saving(), path, pieces(body), disconnect=True)
    assert (answer.status_code, target.read_bytes(), names_in(tmp_path)) == (400, b"old", ["kept"])


def test_a_request_that_is_cancelled_leaves_the_old_file(tmp_path: Path):
    """Also where the server gives up the request while the file is written."""
    target = tmp_path / "kept"
    target.write_bytes(b"old")

    async def cancelled(seconds):
        async def body():
            yield form(("target", str(target)), ("file", "f", b"x" * 100_000))[:-50]
            await asyncio.sleep(60)

        task = asyncio.create_task(awire(Saving(), "POST", "/save", body=body(), headers=HEADERS, timeout=30))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait({task})

    for seconds in (0.002, 0.01, 0.1):
        run(cancelled(seconds))
    assert (target.read_bytes(), names_in(tmp_path)) == (b"old", ["kept"])


@pytest.mark.parametrize("path", ["/save", "/sync"])
def test_a_saved_file_keeps_place_and_permissions(path, tmp_path: Path):
    """A link still leads to the file, the file has the permissions that it had, a new one those of any new file."""
    target, link, new = tmp_path / "kept", tmp_path / "link", tmp_path / "new"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    (plain := tmp_path / "plain").write_bytes(b"")
    assert post(Saving(), path, form(("target", str(link)), ("file", "f", b"content"))).text == "7"
    assert post(Saving(), path, form(("target", str(new)), ("file", "f", b"content"))).text == "7"
    assert (link.is_symlink(), target.read_bytes(), new.read_bytes()) == (True, b"content", b"content")
    assert (target.stat().st_mode & 0o777, new.stat().st_mode) == (0o640, plain.stat().st_mode)


@pytest.mark.parametrize("path", ["/save", "/sync"])
def test_what_is_no_regular_file_is_written_to_as_it_is(path, tmp_path: Path):
    """A pipe stays one, and so would a device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert post(Saving(), path, form(("target", str(pipe)), ("file", "f", b"content"))).text == "7"
        assert (os.read(reading, 100), pipe.is_fifo()) == (b"content", True)
        broken = form(("target", str(pipe)), ("file", "f", b"half of it"))[:-13]
        assert post(Saving(), path, [broken], disconnect=True).status_code == 400
        assert pipe.is_fifo()
    finally:
        os.close(reading)


def test_a_file_can_be_saved_to_a_descriptor(tmp_path: Path):
    """As with `open`."""

    class ByNumber(App):
        async def index(self, file):
            return str(await file.save(os.open(tmp_path / "f", os.O_CREAT | os.O_WRONLY)))

    assert post(ByNumber(), "/", form(("file", "f", b"content"))).text == "7"
    assert (tmp_path / "f").read_bytes() == b"content"


@pytest.mark.parametrize("target", ["", "/missing/folder/f", "/missing/", "/."])
@pytest.mark.parametrize("path", ["/save", "/sync"])
def test_where_nothing_can_be_saved_it_is_an_error(path, target, tmp_path: Path):
    """What the system says reaches the log, and no file is left."""
    body = form(("target", f"{tmp_path}{target}"), ("file", "f", b"content"))
    assert post(Saving(), path, body).status_code == 500
    assert names_in(tmp_path) == []


class Typed(App):
    async def a(self, file: dict):  # type: ignore[type-arg]
        return file["filename"]

    async def b(self, file: dict[str, Any]):
        return file["filename"]

    async def c(self, file: Mapping[str, object]):
        return file["filename"]

    async def d(self, file: dict[str, int]):
        return file["filename"]

    async def e(self, file: Mapping[str, int]):
        return file["filename"]

    async def f(self, file: dict[str, str] | None = None):
        return "" if file is None else file["filename"]


@pytest.mark.parametrize(
    ("path", "status"), [("/a", 200), ("/b", 200), ("/c", 200), ("/d", 400), ("/e", 400), ("/f", 400)]
)
def test_a_file_is_no_dict_of_numbers(path, status):
    """Only where the values may be anything a file is what the annotation promises."""
    assert post(Typed(), path, form(("file", "f", b"content"))).status_code == status


@pytest.mark.parametrize("members", [{}, {"PushMultipartParser": type("PushMultipartParser", (), {})}])
def test_another_multipart_is_500_with_a_word_on_what_to_install(members, monkeypatch, caplog):
    """python-multipart has a module of that name too; and version 1 gives other events."""
    other = ModuleType("multipart")
    vars(other).update(members)
    monkeypatch.setitem(sys.modules, "multipart", other)

    class Site(App):
        async def index(self, text):
            return text

    headers = [("content-type", "multipart/form-data; boundary=b")]
    assert wire(Site(), "POST", "/", headers=headers, body=b"--b--\r\n").status_code == 500
    assert [record.exc_info for record in caplog.records] == [None]
    assert "pip install -U 'multipart>=2'" in caplog.text
