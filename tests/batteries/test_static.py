"""StaticFiles: what of a folder is served, how, and what never is."""

import gzip
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Nested, Resource, routes, url_for
from micropie.middleware import CompressionMiddleware, ETagMiddleware
from micropie.openapi import openapi
from micropie.static import StaticFiles
from micropie.testing import TestClient
from tests.client import http

STYLE = b"body { color: teal }\n" * 50
PAGE = b"<!doctype html><title>Pie</title>"
SECRET = b"the recipe"
AN_HOUR_AGO = 1_700_000_000
LARGE = 200_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


def write(path: Path, content: bytes, when: float = AN_HOUR_AGO) -> Path:
    """A file with its folders, and a date of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (when, when))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files as a site has them, in a folder beside a secret."""
    root = tmp_path / "files"
    write(root / "css" / "site.css", STYLE)
    write(root / "index.html", PAGE)
    write(root / "docs" / "index.html", b"<p>docs")
    write(root / "app-Bx3_9dQz.js", b"let pie")
    write(root / "_app" / "index" / "get.js", b"_app")
    write(root / "grüße & küsse.txt", "Grüße".encode())
    write(root / "empty.txt", b"")
    write(root / "large.bin", bytes(range(250)) * (LARGE // 250))
    write(root / ".env", SECRET)
    write(root / ".git" / "config", SECRET)
    write(tmp_path / "secret.txt", SECRET)
    write(tmp_path / "files-too" / "secret.txt", SECRET)
    return root


def site(folder: Path, **options):
    """An application with the folder at `/static`."""

    class Site(App):
        static = StaticFiles(folder, **options)

    return Site()


def get(folder: Path, path: str, headers=None, **options):
    """The reply to a GET below `/static`."""
    return http(site(folder, **options), "GET", f"/static{path}", headers=headers or {})


# -- a file ---------------------------------------------------------------------------------------------


def test_a_file(folder):
    """A file goes out whole with all that a client needs to know of it."""
    reply = get(folder, "/css/site.css")
    assert (reply.status_code, reply.content) == (200, STYLE)
    etag = reply.headers["etag"]
    assert dict(reply.headers) == {
        "content-type": "text/css; charset=utf-8",
        "etag": etag,
        "last-modified": DATE,
        "cache-control": "no-cache",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "content-length": str(len(STYLE)),
    }
    assert etag.startswith('"')
    assert len(etag) == 22


def test_a_large_file(folder):
    """A file that is not kept in memory is streamed, with its length announced."""
    reply = get(folder, "/large.bin")
    assert reply.content == (folder / "large.bin").read_bytes()
    assert reply.headers["content-length"] == str(LARGE)
    assert reply.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("path", ["/css/site.css", "/large.bin", "/empty.txt"])
def test_head(folder, path):
    """HEAD has the headers of GET, and no body."""
    app = site(folder)
    reply = http(app, "HEAD", f"/static{path}")
    assert reply.content == b""
    assert dict(reply.headers) == dict(http(app, "GET", f"/static{path}").headers)


def test_other_methods(folder):
    """Files can be read only; OPTIONS says so."""
    app = site(folder)
    assert http(app, "POST", "/static/css/site.css").status_code == 405
    options = http(app, "OPTIONS", "/static/css/site.css")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/gzip"),
        ("a.css.br", "application/octet-stream"),
        ("a.zst", "application/zstd"),
        ("a.pie", "application/x-pie"),
        ("a.unheard", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_content_types(folder, name, expected):
    """The type goes by the last extension, the same on every machine; text has a charset."""
    write(folder / name, b"...")
    reply = get(folder, f"/{name}", content_types={".pie": "application/x-pie"})
    assert reply.headers["content-type"] == expected
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize("path", ["/gr%C3%BC%C3%9Fe%20%26%20k%C3%BCsse.txt", "/_app/index/get.js", "/empty.txt"])
def test_unusual_names(folder, path):
    """Names that are not ASCII, that begin with an underscore, and those of our own methods are names as others."""
    assert get(folder, path).status_code == 200


# -- never --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/css/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%2e%2e%5c%2e%2e%5csecret.txt",
        "/....//secret.txt",
        "/../files-too/secret.txt",
        "//secret.txt",
        "/%2Fetc%2Fpasswd",
        "//etc/passwd",
        "/css%2fsite.css",
        "/css\\site.css",
        "/css//site.css",
        "/css/./site.css",
        "/css/site.css%00",
        "/css/site.css%00.png",
        "/css/site.css/",
        "/css/site.css/x",
        "/css/site.css.",
        "/css/site.css%20",
        "/css/site.css::$DATA",
        "/css/site.css:stream",
        "/C:/secret.txt",
        "/C:secret.txt",
        "/con",
        "/NUL.txt",
        "/aux.css",
        "/COM1",
        "/lpt%C2%B9.txt",
        "/CONIN$",
        "/SECRET~1.TXT",
        "/GIT~1/config",
        "/.env",
        "/.git/config",
        "/%2egit/config",
        "/css/%0d%0aX: y",
        "/css",
        "/css/",
        "/" + "x" * 5000,
        "/" + "x/" * 3000,
    ],
)
def test_what_is_not_served(folder, path):
    """Nothing but the plain name of a file below the folder leads to a file."""
    for name in ("con", "NUL.txt", "aux.css", "COM1", "CONIN$", "SECRET~1.TXT"):
        write(folder / name, SECRET)
    reply = get(folder, path)
    assert (reply.status_code, reply.content) == (404, b"404 Not Found")


def test_a_path_that_is_no_text(folder):
    """Bytes that are no UTF-8 are refused before any file is looked for."""
    assert get(folder, "/%ff.txt").status_code == 400


def test_links(folder, tmp_path):
    """A symbolic link may lead to a file below the folder; none leads out, and none in a circle."""
    (folder / "inside.css").symlink_to("css/site.css")
    (folder / "outside.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to("..")
    (folder / "circle").symlink_to("circle")
    (folder / "dangling").symlink_to("nowhere")
    assert get(folder, "/inside.css").content == STYLE
    for path in ("/outside.txt", "/up/secret.txt", "/circle", "/dangling"):
        assert get(folder, path).status_code == 404


def test_a_link_that_is_led_out_later(folder, tmp_path):
    """What was served once is looked at again: a link that leads elsewhere by now is another file."""
    link = folder / "link.css"
    link.symlink_to("css/site.css")
    app = site(folder)
    assert http(app, "GET", "/static/link.css").content == STYLE
    link.unlink()
    link.symlink_to(tmp_path / "secret.txt")
    assert http(app, "GET", "/static/link.css").status_code == 404


def test_a_folder_that_is_a_link(folder, tmp_path):
    """The folder itself may be a link that each deployment leads elsewhere."""
    current = tmp_path / "current"
    current.symlink_to(folder)
    app = site(current)
    assert http(app, "GET", "/static/css/site.css").content == STYLE
    write(tmp_path / "next" / "css" / "site.css", b"next")
    current.unlink()
    current.symlink_to(tmp_path / "next")
    assert http(app, "GET", "/static/css/site.css").content == b"next"


def test_dotfiles_that_are_wanted(folder):
    """Dotfiles are served where the application says so; the way up is none."""
    assert get(folder, "/.env", dotfiles=True).content == SECRET
    assert get(folder, "/../secret.txt", dotfiles=True).status_code == 404
    assert get(folder, "/.", dotfiles=True).status_code == 404


def test_what_is_no_file(folder):
    """A pipe is no file, and nobody waits for what comes out of it."""
    os.mkfifo(folder / "pipe")
    assert get(folder, "/pipe").status_code == 404


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody to whom something is forbidden, if we may be whom we like."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_file_that_must_not_be_read():
    """What the server may not read is 403."""
    with TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        write(root / "private.txt", SECRET).chmod(0)
        app = site(root)
        with as_nobody():
            assert http(app, "GET", "/static/private.txt").status_code == 403


def test_a_folder_that_there_is_not(tmp_path):
    """A folder that is missing is told when the application is made."""
    with pytest.raises(NotADirectoryError, match=r"nowhere.* is no folder"):
        StaticFiles(tmp_path / "nowhere")


# -- folders and pages ----------------------------------------------------------------------------------


def test_the_index_of_a_folder(folder):
    """A folder is its index, at the path that relative links expect."""
    app = site(folder)
    assert http(app, "GET", "/static/").content == PAGE
    assert http(app, "GET", "/static/docs/").content == b"<p>docs"
    for path, location in [("/static", "./static/"), ("/static/docs", "./docs/"), ("/static/docs?a=b", "./docs/?a=b")]:
        reply = http(app, "GET", path)
        assert (reply.status_code, reply.headers["location"]) == (307, location)


def test_without_an_index(folder):
    """A folder is nothing without one."""
    assert get(folder, "/docs/", index=None).status_code == 404
    assert get(folder, "/docs", index=None).status_code == 404
    assert get(folder, "/docs/index.html", index=None).status_code == 200


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_the_fallback_of_a_page(folder):
    """A browser that goes to a page which only its own routes know gets the fallback."""
    reply = get(folder, "/users/7", BROWSER, fallback="index.html")
    assert (reply.status_code, reply.content) == (200, PAGE)
    assert reply.headers["vary"] == "Accept"
    write(folder / "index.html.gz", gzip.compress(PAGE))
    reply = get(folder, "/users/7", {**BROWSER, "accept-encoding": "gzip"}, fallback="index.html")
    assert reply.headers["vary"] == "Accept-Encoding, Accept"


def test_no_fallback_for_what_a_page_loads(folder):
    """A script or a picture that is not there is a 404, not a page; and so is all if the fallback itself is missing."""
    assert get(folder, "/assets/old.js", {"accept": "*/*"}, fallback="index.html").status_code == 404
    assert get(folder, "/users/7", BROWSER).status_code == 404
    assert get(folder, "/users/7", BROWSER, fallback="nothing.html").status_code == 404


def test_files_at_the_root(folder):
    """A handler may ask for the files itself, for a site that consists of them."""

    class Site(App):
        _dist = StaticFiles(folder, fallback="index.html")

        async def api(self):
            return "api"

        async def index(self, *path):
            return await self._dist.get(*path)

    app = Site()
    assert http(app, "GET", "/").content == PAGE
    assert http(app, "GET", "/css/site.css").content == STYLE
    assert http(app, "GET", "/docs").headers["location"] == "./docs/"
    assert http(app, "GET", "/api").text == "api"
    assert http(app, "GET", "/users", headers=BROWSER).content == PAGE


# -- caching --------------------------------------------------------------------------------------------


def test_max_age(folder):
    """Clients keep files as long as they are told."""
    assert get(folder, "/css/site.css", max_age=60).headers["cache-control"] == "max-age=60"
    assert "cache-control" not in get(folder, "/css/site.css", max_age=None).headers


def test_immutable_names(folder):
    """Names in which a hash is found are kept for ever."""
    pattern = r"-[\w-]{8}\.(js|css)$"
    reply = get(folder, "/app-Bx3_9dQz.js", immutable=pattern)
    assert reply.headers["cache-control"] == "max-age=31536000, immutable"
    assert get(folder, "/css/site.css", immutable=pattern).headers["cache-control"] == "no-cache"
    app = site(folder, immutable=pattern)
    assert url_for(type(app).static, "app-Bx3_9dQz.js") == "/static/app-Bx3_9dQz.js"


def test_headers_of_the_application(folder):
    """Headers of one's own go out with every file, with 304 too, and win over ours."""
    own = {"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=5"}
    app = site(folder, headers=own)
    reply = http(app, "GET", "/static/css/site.css")
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["cache-control"] == "max-age=5"
    known = http(app, "GET", "/static/css/site.css", headers={"if-none-match": reply.headers["etag"]})
    assert (known.status_code, known.headers["access-control-allow-origin"]) == (304, "*")


def test_url_for(folder):
    """The URL of a file names the version of its content, and what is asked for by that is kept for ever."""
    app = site(folder)
    static = type(app).static
    url = url_for(static, "css/site.css")
    path, _, version = url.partition("?v=")
    assert path == "/static/css/site.css"
    assert f'"{version}"' == http(app, "GET", path).headers["etag"]
    assert http(app, "GET", url).headers["cache-control"] == "max-age=31536000, immutable"
    assert http(app, "GET", f"{path}?v=old").headers["cache-control"] == "no-cache"
    assert url_for(static, "css", "/site.css") == url
    write(folder / "css" / "site.css", b"new")
    assert url_for(static, "css/site.css") not in (url, path)


@pytest.mark.parametrize("size", [LARGE, 2 << 20])
def test_the_version_of_a_large_file(folder, size):
    """A large file has a version, too; that of a very large one goes by its date."""
    write(folder / "film.bin", b"x" * size)
    app = site(folder)
    url = url_for(type(app).static, "film.bin")
    assert http(app, "HEAD", url).headers["cache-control"] == "max-age=31536000, immutable"


def test_url_for_without_a_version(folder):
    """What is not there has no version, nor has a folder's page, nor has anything if the application wants none."""
    assert url_for(type(site(folder)).static, "docs/") == "/static/docs/"
    assert url_for(type(site(folder)).static, "") == "/static/"
    assert url_for(type(site(folder)).static, "nothing.css") == "/static/nothing.css"
    assert url_for(type(site(folder)).static) == "/static"
    assert url_for(type(site(folder, version=None)).static, "css/site.css") == "/static/css/site.css"
    assert get(folder, "/css/site.css?v=x", version=None).headers["cache-control"] == "no-cache"


def test_url_for_in_a_template(folder, tmp_path):
    """Templates name files as handlers do."""
    write(tmp_path / "templates" / "page.html", b"{{ url_for(files, 'gr\xc3\xbc\xc3\x9fe & k\xc3\xbcsse.txt') }}")

    class Site(App):
        static = StaticFiles(folder)

        async def index(self):
            return await self._render_template("page.html", files=self.static)

    text = http(Site(templates=tmp_path / "templates"), "GET", "/").text
    assert text.startswith("/static/gr%C3%BC%C3%9Fe%20%26%20k%C3%BCsse.txt?v=")


def test_url_for_of_other_controllers():
    """A controller that has no paths below it names none, and neither does an application."""

    class Api(Controller):
        async def index(self):
            return "api"

    class Site(App):
        api = Api()

    app = Site()
    for what in (Site.api, app):
        with pytest.raises(TypeError, match="of a controller takes no path, it got \\('css',\\)"):
            url_for(what, "css")


@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_file_that_changes(folder, size):
    """A file is served as it is now, also in the moment of its change, and under another ETag."""
    app, path = site(folder), write(folder / "live.bin", b"a" * size)
    seen = set()
    for letter in (b"a", b"b", b"c"):
        path.write_bytes(letter * size)
        os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))
        reply = http(app, "GET", "/static/live.bin")
        assert reply.content == letter * size
        seen.add((reply.headers["etag"], letter if size == LARGE else b""))
    assert len(seen) == 3


def test_a_young_file_has_a_weak_validator(folder):
    """A large file that has changed just now may change again unseen, so its ETag is a weak one."""
    assert get(folder, "/large.bin").headers["etag"].startswith('W/"')


def test_a_file_of_the_future(folder):
    """No file was changed later than now."""
    write(folder / "next.txt", b"next", when=4_000_000_000)
    assert get(folder, "/next.txt").headers["last-modified"] < "Z"
    assert "2096" not in get(folder, "/next.txt").headers["last-modified"]


def settle(monkeypatch):
    """Let some time pass since the files were written."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)


def test_a_file_that_is_remembered(folder, monkeypatch):
    """A file that was served before is not read again, until it has changed or is gone."""
    settle(monkeypatch)
    app = site(folder)
    path = folder / "css" / "site.css"
    etag = http(app, "GET", "/static/css/site.css").headers["etag"]
    reply = http(app, "GET", "/static/css/site.css")
    assert (reply.content, reply.headers["etag"]) == (STYLE, etag)
    write(path, STYLE.upper())
    assert http(app, "GET", "/static/css/site.css").content == STYLE.upper()
    path.unlink()
    assert http(app, "GET", "/static/css/site.css").status_code == 404


def test_an_old_large_file_has_a_strong_validator(folder, monkeypatch):
    """Whose bytes can be joined to those of an earlier reply."""
    settle(monkeypatch)
    assert get(folder, "/large.bin").headers["etag"].startswith('"')


def test_the_room_in_memory(folder, monkeypatch):
    """What has no room any more is read again."""
    settle(monkeypatch)
    app = site(folder, cache_size=5000)
    for number in range(5):
        write(folder / f"{number}.txt", b"x" * 1000)
    for _ in range(2):
        for number in range(5):
            assert http(app, "GET", f"/static/{number}.txt").content == b"x" * 1000
    assert http(site(folder, cache_size=0), "GET", "/static/css/site.css").content == STYLE


# -- precompressed --------------------------------------------------------------------------------------


@pytest.fixture
def packed(folder: Path) -> Path:
    """The folder, with compressed files beside the style. They only have to look like it."""
    for suffix in (".zst", ".br", ".gz"):
        write(folder / "css" / f"site.css{suffix}", suffix.encode())
    return folder


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br, zstd", "zstd", b".zst"),
        ("gzip, br", "br", b".br"),
        ("GZIP", "gzip", b".gz"),
        ("gzip;q=1.0, br;q=0.5", "gzip", b".gz"),
        ("br;q=0, *", "zstd", b".zst"),
        ("*;q=0.1", "zstd", b".zst"),
        ("gzip;q=0", None, STYLE),
        ("gzip;q=x", None, STYLE),
        ("gzip;x=1", None, STYLE),
        ("identity, gzip;q=0.5", None, STYLE),
        ("deflate", None, STYLE),
        ("", None, STYLE),
        ("gzip" + "," * 300, "gzip", b".gz"),
    ],
)
def test_precompressed(packed, accepted, encoding, content):
    """The file beside it that the client likes best goes out in place of a file, of the same type."""
    reply = get(packed, "/css/site.css", {"accept-encoding": accepted})
    assert reply.headers.get("content-encoding") == encoding
    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["content-length"] == str(len(content))


def test_precompressed_validators(packed):
    """Each encoding has an ETag of its own, and a 304 says what it depends on."""
    packages = [get(packed, "/css/site.css", {"accept-encoding": one}) for one in ("", "gzip", "br")]
    etags = [reply.headers["etag"] for reply in packages]
    assert len({*etags}) == 3
    same = get(packed, "/css/site.css", {"accept-encoding": "gzip", "if-none-match": etags[1]})
    other = get(packed, "/css/site.css", {"accept-encoding": "gzip", "if-none-match": etags[0]})
    assert (same.status_code, same.headers["vary"], other.status_code) == (304, "Accept-Encoding", 200)


def test_precompressed_files_that_are_not_meant(packed, tmp_path):
    """One that is older than the file, or leads out of the folder, stays where it is; so do all if that is said."""
    gz = {"accept-encoding": "gzip"}
    assert get(packed, "/css/site.css", gz, precompressed=False).content == STYLE
    write(packed / "css" / "site.css", STYLE, when=AN_HOUR_AGO + 60)
    assert get(packed, "/css/site.css", gz).content == STYLE
    (packed / "index.html.gz").symlink_to(tmp_path / "secret.txt")
    assert get(packed, "/index.html", gz).content == PAGE


def test_a_precompressed_file_that_comes_later(folder, monkeypatch):
    """One that appears beside a file that was served before is seen, and so is its change."""
    settle(monkeypatch)
    app = site(folder)
    gz = {"accept-encoding": "gzip", "accept": "*/*"}
    assert "vary" not in http(app, "GET", "/static/css/site.css", headers=gz).headers
    write(folder / "css" / "site.css.gz", b"one")
    assert http(app, "GET", "/static/css/site.css", headers=gz).headers["content-length"] == "3"
    write(folder / "css" / "site.css.gz", b"three")
    assert http(app, "GET", "/static/css/site.css", headers=gz).headers["content-length"] == "5"


# -- among the rest of an application ---------------------------------------------------------------------


def test_files_behind_a_guard(folder):
    """The guards of a branch protect the files in it, and its `_after` sees them."""

    class Branch(Controller):
        files = StaticFiles(folder)

        async def _before(self):
            if self.request.headers.get("authorization") != "me":
                raise HTTPError(401)

        async def _after(self, reply):
            reply.headers.append(("X-Guard", str(reply.status)))

    class Site(App):
        members = Branch()

    app = Site()
    assert http(app, "GET", "/members/files/css/site.css").status_code == 401
    assert http(app, "GET", "/members/files/nothing").status_code == 401
    reply = http(app, "GET", "/members/files/css/site.css", headers={"authorization": "me"})
    assert (reply.content, reply.headers["x-guard"]) == (STYLE, "200")
    assert url_for(Branch.files, "css/site.css").startswith("/members/files/css/site.css?v=")


def test_a_guard_of_its_own(folder):
    """A subclass may guard its files itself."""

    class Guarded(StaticFiles):
        async def _before(self):
            raise HTTPError(403)

    class Site(App):
        static = Guarded(folder)

    assert http(Site(), "GET", "/static/css/site.css").status_code == 403


def test_files_below_an_identity(folder):
    """Identities in the path to the files are no part of the path below the folder, and stay in their URLs."""

    class Posts(Resource):
        files = StaticFiles(folder)

        async def get(self, user_id: int, id: int):
            return f"{user_id} {id}"

    class Users(Resource):
        posts = Nested("user_id", Posts())
        avatars = Nested("user_id", StaticFiles(folder))

    class Site(App):
        users = Users()

    app = Site()
    assert http(app, "GET", "/users/7/posts/files/css/site.css").content == STYLE
    assert http(app, "GET", "/users/7/avatars/css/site.css").content == STYLE
    assert http(app, "GET", "/users/7/posts/3").text == "7 3"
    assert url_for(Users.avatars, 7, "css/site.css").startswith("/users/7/avatars/css/site.css?v=")


def test_files_in_the_lists_of_routes(folder):
    """Tools know the route; the OpenAPI document has no place for files."""
    app = site(folder)
    assert [(route.path, route.verbs, route.name) for route in routes(app)] == [
        ("/static/{path*}", ("GET", "HEAD"), "static.get")
    ]
    assert openapi(app)["paths"] == {}


class Seen(HttpMiddleware):
    """A middleware that looks at replies, and changes what it is told to."""

    def __init__(self, change=None):
        self.change = change

    async def after_request(self, request, status_code, response_body, extra_headers):
        extra_headers.append(("X-Seen", "yes"))
        return self.change


@pytest.mark.parametrize("path", ["css/site.css", "large.bin"])
def test_hooks_see_files(folder, path):
    """After hooks add headers to files as to other replies, and may replace them."""
    app = site(folder)
    app.middlewares.append(Seen())
    reply = http(app, "GET", f"/static/{path}")
    assert (reply.headers["x-seen"], reply.content) == ("yes", (folder / path).read_bytes())
    app.middlewares.append(Seen({"body": "other"}))
    assert http(app, "GET", f"/static/{path}").text == "other"


def test_compression_and_etags(packed):
    """Other batteries compress what is not compressed yet, and leave validators as they are."""
    app = site(packed)
    app.middlewares += [ETagMiddleware(), CompressionMiddleware()]
    write(packed / "large.css", STYLE * 1000)
    gz = {"accept-encoding": "gzip"}
    with TestClient(app) as client:
        done = client.get("/static/css/site.css", headers=gz)
        assert (done.headers["content-encoding"], done.headers["content-length"]) == ("gzip", "3")
        large = client.get("/static/large.css", headers=gz)
        assert large.headers["content-encoding"] == "gzip"
        assert large.headers["etag"].startswith('W/"')
        assert (
            client.get("/static/large.css", headers={**gz, "if-none-match": large.headers["etag"]}).status_code == 304
        )
        page = client.get("/static/index.html", headers=gz)
        assert page.content == PAGE
        part = client.get("/static/large.css", headers={**gz, "range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"body")


def test_many_threads_remember_files(folder, monkeypatch):
    """URLs are made in any thread, while files are forgotten in others."""
    settle(monkeypatch)
    app = site(folder, cache_size=7000)
    names = [f"{number}.txt" for number in range(10)]
    for name in names:
        write(folder / name, b"x" * 1000)
    found: list[str] = []

    def ask() -> None:
        found.extend(url_for(type(app).static, name) for _ in range(20) for name in names)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 800
    assert len({*found}) == 10
