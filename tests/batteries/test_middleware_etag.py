"""ETagMiddleware: validators of whole replies, and what a client that has one is answered."""

from hashlib import sha256

import pytest

from micropie import App, methods
from micropie.middleware import CompressionMiddleware, ETagMiddleware
from micropie.middleware.etag import IN_THREAD
from tests.client import http

PAGE = "Grüße, " * 200
TAG = f'"{sha256(PAGE.encode()).hexdigest()[:32]}"'


class Site(App):
    async def index(self):
        return PAGE

    @methods("GET", "HEAD", "POST")
    async def data(self):
        return {"a": 1}

    async def described(self):
        return (
            200,
            PAGE,
            {
                "Cache-Control": "max-age=60",
                "Content-Language": "de",
                "Content-Location": "/de",
                "Content-Security-Policy": "default-src 'self'",
                "Expires": "Thu, 01 Jan 2032 00:00:00 GMT",
                "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
                "Set-Cookie": "seen=1",
                "Vary": "Accept-Language",
            },
        )

    async def own(self, tag):
        return 200, PAGE, {"ETag": tag}

    async def private(self):
        return 200, PAGE, {"Cache-Control": "private, No-Store"}

    async def stream(self):
        async def chunks():
            yield PAGE

        return chunks()

    async def missing(self):
        return 404, PAGE

    async def large(self):
        return b"x" * (IN_THREAD + 1)

    async def broken(self):
        return "\ud800"

    async def visited(self):
        self.request.session["seen"] = True
        return PAGE


def site(*middlewares):
    app = Site()
    app.middlewares += middlewares or [ETagMiddleware()]
    return app


def asked(path="/", *known, method="GET", **options):
    headers = [("If-None-Match", tag) for tag in known]
    return http(
        options.pop("app", None) or site(), method, path, headers=headers + options.pop("headers", []), **options
    )


def test_a_reply_has_the_hash_of_its_body():
    """The strong ETag is the beginning of the SHA-256 of what goes out."""
    reply = asked()
    assert (reply.status_code, reply.headers["etag"], reply.text) == (200, TAG, PAGE)


def test_json_has_one_too():
    """JSON is hashed as it is sent."""
    assert asked("/data").headers["etag"] == '"' + sha256(b'{"a":1}').hexdigest()[:32] + '"'


def test_a_large_body_is_hashed_in_a_thread():
    """It has the hash that it would have here."""
    assert asked("/large").headers["etag"] == '"' + sha256(b"x" * (IN_THREAD + 1)).hexdigest()[:32] + '"'


def test_head_has_the_etag_of_get():
    """A HEAD says what a GET would."""
    reply = asked(method="HEAD")
    assert (reply.status_code, reply.headers["etag"], reply.headers["content-length"]) == (
        200,
        TAG,
        str(len(PAGE.encode())),
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "field",
    [TAG, f"W/{TAG}", f'"other", {TAG}', f'"with,comma",W/{TAG}', "*", " * ", f'"", {TAG}, "x"'],
)
def test_a_client_that_has_it_is_told_so(field, method):
    """304 without a body, by weak comparison of each ETag in the list."""
    reply = asked("/", field, method=method)
    assert (reply.status_code, reply.content) == (304, b"")
    assert "content-type" not in reply.headers
    assert "content-length" not in reply.headers


def test_the_list_may_be_of_several_fields():
    """Fields of one name are one list."""
    assert asked("/", '"other"', TAG).status_code == 304


@pytest.mark.parametrize("field", ['"other"', "", TAG.strip('"'), f"w/{TAG[:-2]}", f'"x{TAG[1:]}', "**"])
def test_a_client_that_has_another_gets_the_reply(field):
    """What is no ETag of this reply changes nothing."""
    reply = asked("/", field)
    assert (reply.status_code, reply.text) == (200, PAGE)


def test_a_304_has_what_caches_need():
    """Fields that are not about the content stay, the others go (RFC 9110 §15.4.5)."""
    reply = asked("/described", TAG)
    assert reply.status_code == 304
    assert sorted(reply.headers.multi_items()) == [
        ("cache-control", "max-age=60"),
        ("content-location", "/de"),
        ("content-security-policy", "default-src 'self'"),
        ("etag", TAG),
        ("expires", "Thu, 01 Jan 2032 00:00:00 GMT"),
        ("set-cookie", "seen=1"),
        ("vary", "Accept-Language"),
    ]


@pytest.mark.parametrize("tag", ['"v1"', 'W/"v1"'])
def test_an_etag_of_the_handlers_own_counts(tag):
    """It is sent, and compared, as it is."""
    assert asked("/own", params={"tag": tag}).headers.get_list("etag") == [tag]
    reply = asked("/own", '"v1"', params={"tag": tag})
    assert (reply.status_code, reply.headers["etag"]) == (304, '"v1"')


@pytest.mark.parametrize("path", ["/private", "/stream", "/missing", "/nowhere"])
def test_what_has_no_etag(path):
    """Streams, what nobody may store, and other statuses than 200."""
    reply = asked(path, "*")
    assert reply.status_code != 304
    assert "etag" not in reply.headers


def test_a_post_has_none():
    """Only GET and HEAD ask for what may be stored."""
    reply = asked("/data", "*", method="POST")
    assert (reply.status_code, "etag" in reply.headers) == (200, False)


def test_text_that_can_not_be_sent_is_the_500_that_it_was():
    """A hash of half a surrogate pair is no failure of its own."""
    assert asked("/broken").status_code == 500


def test_a_304_keeps_the_session():
    """A visit that changed the session is stored, and its cookie sent."""
    reply = asked("/visited", TAG)
    assert reply.status_code == 304
    assert reply.headers["set-cookie"].startswith("session_id=")


def both():
    return site(ETagMiddleware(), CompressionMiddleware(codings=["gzip"]))


GZIP = [("Accept-Encoding", "gzip")]


def test_compressed_the_etag_is_weak():
    """Of the recommended order: the hash is that of the bare body, the compressed one has other bytes."""
    reply = asked(app=both(), headers=GZIP)
    assert (reply.headers["etag"], reply.headers["content-encoding"]) == (f"W/{TAG}", "gzip")
    assert asked(app=both()).headers["etag"] == TAG


@pytest.mark.parametrize("tag", [TAG, f"W/{TAG}"])
def test_the_304_names_the_etag_of_what_the_client_has(tag):
    """A cache finds the reply that it has stored, compressed or not, by it."""
    reply = asked("/", tag, app=both(), headers=GZIP)
    assert (reply.status_code, reply.headers["etag"], reply.headers["vary"]) == (304, tag, "Accept-Encoding")


def test_the_other_order_gives_each_coding_an_etag():
    """Behind the compression the hash is of the compressed bytes, which are the same each time."""
    app = site(CompressionMiddleware(codings=["gzip"]), ETagMiddleware())
    tag = asked(app=app, headers=GZIP).headers["etag"]
    assert tag not in (TAG, f"W/{TAG}")
    assert tag.startswith('"')
    assert asked("/", tag, app=app, headers=GZIP).status_code == 304
    assert asked("/", tag, app=app).status_code == 200
