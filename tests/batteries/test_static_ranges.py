"""Conditions and ranges of a request for a file (RFC 9110 §13 and §14)."""

import os
import re
import time

import pytest

from micropie import App, methods
from micropie.static import FileReply, StaticFiles
from tests.client import http

CONTENT = bytes(range(100))
LARGE = 200_000
DATE, LATER, EARLIER = (f"Tue, 14 Nov 2023 22:13:{second} GMT" for second in ("20", "21", "19"))


@pytest.fixture(params=["small", "large"])
def app(request, tmp_path):
    """Hundred bytes that are kept in memory, or the beginning of a file that is not."""
    content = CONTENT if request.param == "small" else CONTENT + bytes(LARGE - 100)
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "empty").touch()
    os.utime(tmp_path / "file", (1_700_000_000, 1_700_000_000))

    class Site(App):
        files = StaticFiles(tmp_path)
        size = len(content)

        @methods("POST")
        async def post(self):
            return FileReply(tmp_path / "file")

        async def status(self, code: int):
            return FileReply(tmp_path / "file", status=code)

    return Site()


def get(app, method="GET", path="/files/file", **headers):
    """The reply to a request with these headers, whose names are written with `_`."""
    return http(app, method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def etag_of(app):
    """The file's ETag."""
    return get(app).headers["etag"]


# -- conditions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["{}", '"x", {}', '"x,y" , {} ,', "W/{}", "*", '"x",W/{}'])
def test_a_client_that_has_the_file(app, method, form):
    """If-None-Match compares weakly, with each of a list; the 304 says what is needed to keep it."""
    etag = etag_of(app).removeprefix("W/")
    reply = get(app, method, if_none_match=form.format(etag))
    assert (reply.status_code, reply.content) == (304, b"")
    assert dict(reply.headers) == {"etag": etag_of(app), "last-modified": DATE, "cache-control": "no-cache"}


@pytest.mark.parametrize("field", ['"x"', 'W/"x"', "", '"', "x", "'*'"])
def test_a_client_that_has_another_file(app, field):
    """Another ETag, and what is none, is no reason for a 304; the date does not count beside it."""
    assert get(app, if_none_match=field, if_modified_since=LATER).status_code == 200


@pytest.mark.parametrize(
    ("date", "status"),
    [
        (DATE, 304),
        (LATER, 304),
        (EARLIER, 200),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", 304),
        ("Tue Nov 14 22:13:20 2023", 304),
        ("yesterday", 200),
        ("Tue, 99 Nov 2023 99:99:99 GMT", 200),
        ("Tue, 14 Nov 99999999 22:13:20 GMT", 200),
        ("", 200),
        ("9" * 5000, 200),
    ],
)
def test_modified_since(app, date, status):
    """A date of any of the three forms makes a 304 if the file is not younger; what is none counts for nothing."""
    assert get(app, if_modified_since=date).status_code == status


def test_preconditions(app):
    """If-Match compares strongly, If-Unmodified-Since counts without it; both come before the others."""
    etag = etag_of(app)
    strong = 412 if etag.startswith("W/") else 200
    assert get(app, if_match=f'"x", {etag}').status_code == strong
    assert get(app, if_match="*").status_code == 200
    assert get(app, if_match='"x"', if_none_match=etag).status_code == 412
    assert get(app, if_match=f"W/{etag.removeprefix('W/')}").status_code == 412
    assert get(app, if_unmodified_since=DATE).status_code == 200
    assert get(app, if_unmodified_since=EARLIER).status_code == 412
    assert get(app, if_unmodified_since=EARLIER, if_match="*").status_code == 200
    assert get(app, if_unmodified_since=LATER, if_none_match=etag).status_code == 304


def test_other_methods_and_statuses(app):
    """What is no plain answer to a GET is whole, whatever the request asks for."""
    for method, path, status in [("POST", "/post", 200), ("GET", "/status/404", 404)]:
        reply = get(app, method, path, if_none_match="*", range="bytes=0-1", content_length="0")
        assert (reply.status_code, len(reply.content)) == (status, app.size)


# -- one range ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-10", 10, 11),
        ("bytes=90-", 90, None),
        ("bytes=-10", -10, None),
        ("BYTES=5-6", 5, 7),
        ("bytes= 5 - 6 ", 5, 7),
        ("bytes=5-999999999999999999999", 5, None),
        ("bytes=-999999999999999999999", 0, None),
        ("bytes=,5-6,", 5, 7),
        ("bytes=5-6,9999999-", 5, 7),
        ("bytes=0-", 0, None),
    ],
)
def test_a_range(app, field, start, end):
    """The part that is asked for, as far as it is there."""
    whole = get(app).content
    reply = get(app, range=field)
    assert (reply.status_code, reply.content) == (206, whole[start:end])
    first = start % len(whole)
    assert reply.headers["content-range"] == f"bytes {first}-{first + len(reply.content) - 1}/{len(whole)}"
    assert reply.headers["content-length"] == str(len(reply.content))
    assert reply.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("field", ["bytes=200000-", "bytes=999999-9999999", "bytes=-0", "bytes=200000-,-0"])
def test_a_range_that_is_not_there(app, field):
    """What begins behind the end is 416, which says how long the file is."""
    reply = get(app, range=field)
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{app.size}"


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5",
        "bytes=9-5",
        "bytes=a-b",
        "bytes=0x1-5",
        "bytes=-5-9",
        "bytes=1-2-3",
        "bytes=0-1;2-3",
        "bytes=²-³",
        "bytes=٣-٤",
        "lines=0-5",
        "bytes=0-1,5",
        "bytes=0-5,3-9",
        "bytes=0-,0-",
        "bytes=50-60,0-99",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(17)),
        "bytes=" + "0-," * 2000,
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_that_is_ignored(app, field):
    """What is no range of bytes, asks twice for the same, or for too many parts, is answered with the whole file."""
    reply = get(app, range=field.encode("utf-8").decode("latin-1"))
    assert (reply.status_code, len(reply.content)) == (200, app.size)


def test_ranges_of_an_empty_file(app):
    """An empty file has no part; its last bytes are the whole of it."""
    assert get(app, path="/files/empty", range="bytes=0-").status_code == 416
    assert get(app, path="/files/empty", range="bytes=-5").status_code == 200


def test_a_range_of_head(app):
    """Ranges are for GET (§14.2)."""
    reply = get(app, "HEAD", range="bytes=0-1")
    assert (reply.status_code, reply.headers["content-length"]) == (200, str(app.size))


def test_if_range(app, monkeypatch):
    """A part only of the file that the client knows: by a strong ETag or by the exact date, else all of it."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)
    etag = etag_of(app)
    wanted = {etag: 206, f" {etag} ": 206, f"W/{etag}": 200, '"x"': 200, DATE: 206, LATER: 200, EARLIER: 200, "": 200}
    assert {field: get(app, range="bytes=0-1", if_range=field).status_code for field in wanted} == wanted


def test_if_range_of_a_young_file(app, tmp_path):
    """The date of a file that has changed within its second says nothing."""
    (tmp_path / "young").write_bytes(CONTENT)
    later = time.time() + 1000
    os.utime(tmp_path / "young", (later, later))
    date = get(app, path="/files/young").headers["last-modified"]
    assert get(app, path="/files/young", range="bytes=0-1", if_range=date).status_code == 200


# -- several ranges -------------------------------------------------------------------------------------


def test_several_ranges(app):
    """Each part has a head of its own, in the order in which they were asked for."""
    reply = get(app, range="bytes=90-91, 0-2,-1")
    whole = get(app).content
    assert reply.status_code == 206
    assert reply.headers["content-length"] == str(len(reply.content))
    assert "content-range" not in reply.headers
    kind, _, boundary = reply.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert re.fullmatch("[0-9a-f]{24}", boundary)
    size = len(whole)
    parts = [(f"90-91/{size}", whole[90:92]), (f"0-2/{size}", whole[:3]), (f"{size - 1}-{size - 1}/{size}", whole[-1:])]
    expected = b"".join(
        b"\r\n--%b\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %b\r\n\r\n%b"
        % (boundary.encode(), where.encode(), part)
        for where, part in parts
    )
    assert reply.content == expected + b"\r\n--%b--\r\n" % boundary.encode()
    assert get(app, range="bytes=0-0,2-2").headers["content-type"] != reply.headers["content-type"]


def test_as_many_ranges_as_there_may_be(app):
    """Sixteen parts are sent, each once."""
    reply = get(app, range="bytes=" + ",".join(f"{2 * n}-{2 * n}" for n in range(16)))
    assert reply.content.count(b"Content-Range: bytes") == 16
