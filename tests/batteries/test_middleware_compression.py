"""CompressionMiddleware: what is compressed, by which coding, and what is left alone."""

import asyncio
import gzip
import zlib
from importlib import import_module
from importlib.util import find_spec

import brotli
import brotlicffi
import pytest

from micropie import App, HttpMiddleware, Mount, Reply
from micropie.middleware import CompressionMiddleware, ETagMiddleware
from micropie.middleware.coded_bodies import IN_THREAD
from micropie.middleware.encoders import first_installed
from tests.client import ahttp, http, run, visitor
from tests.integrations.serving import output_of

PAGE = "<p>Grüße an alle!</p>" * 100
DATA = PAGE.encode()
zstd = import_module("compression.zstd" if find_spec("compression") else "backports.zstd")  # Python 3.14's own
DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}


class Site(App):
    closed: tuple[str, ...] = ()

    async def index(self):
        return PAGE

    async def typed(self, kind, size: int = 1000):
        return 200, b"a" * size, {"Content-Type": kind}

    async def json(self):
        return [{"name": "pie"}] * 100

    async def with_headers(self, name, value):
        return 200, PAGE, {name: value}

    async def status(self, code: int):
        return code, PAGE

    async def large(self):
        return b"x" * (IN_THREAD + 1)

    async def empty(self):
        return ""

    async def nothing(self):
        return 200, None

    async def broken(self):
        return "\ud800" * 1000

    async def reply(self):
        return Reply(200, PAGE, [("ETag", '"v1"'), ("Accept-Ranges", "bytes"), ("Content-Length", "7")], "text/plain")

    async def weak(self):
        return 200, PAGE, {"ETag": 'W/"v1"'}

    async def parts(self, kind: str = "text/plain"):
        async def chunks():
            try:
                yield "first "
                yield b""
                yield bytearray(b"second ")
                yield memoryview(b"third ")
                yield b"x" * (IN_THREAD + 1)
            finally:
                self.closed = (*self.closed, "async")

        return 200, chunks(), {"Content-Type": kind, "Content-Length": str(len("first second third ") + IN_THREAD + 1)}

    def sync_parts(self):
        def chunks():
            try:
                yield "first "
                yield ""
                yield b"second"
            finally:
                self.closed = (*self.closed, "sync")

        return chunks()

    async def iterator(self):
        return iter(["first ", b"second"])

    async def iterable(self):
        return Several()

    async def wrong_chunk(self):
        async def chunks():
            yield None

        return chunks()

    async def objects(self):
        yield {"pie": 1}
        yield [2]

    async def silent(self):
        yield 1
        await asyncio.sleep(0.1)
        yield 2

    async def cut(self):
        async def chunks():
            yield "half"
            raise RuntimeError("broken")

        return chunks()

    async def endless(self):
        async def chunks():
            try:
                while True:
                    yield "data: tick\n\n"
                    await asyncio.sleep(0.01)
            finally:
                self.closed = (*self.closed, "endless")

        return 200, chunks(), {"Content-Type": "text/event-stream"}


class Several:
    """An async iterable that is no iterator, and has nothing to close."""

    def __aiter__(self):
        return self.chunks()

    async def chunks(self):
        yield "first "
        yield "second"


def site(**options):
    app = Site()
    app.middlewares.append(CompressionMiddleware(**options))
    return app


def asked(path="/", accept="gzip", method="GET", app=None, **options):
    headers = [] if accept is None else [("Accept-Encoding", accept)]
    return http(app or site(), method, path, headers=headers, **options)


def plain(reply):
    """The body as the handler made it; the length on the wire is right."""
    coding = reply.headers.get("content-encoding")
    if "content-length" in reply.headers:
        assert int(reply.headers["content-length"]) == len(reply.content)
    return DECODERS[coding](reply.content) if coding else reply.content


def as_it_was(reply):
    return "content-encoding" not in reply.headers and "vary" not in reply.headers


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZip;Q=1.0", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.9, zstd;q=0.8", "gzip"),
        ("zstd;q=0, br;q=0.001, gzip;q=0.000", "br"),
        ("*", "zstd"),
        ("*;q=0.5, gzip", "gzip"),
        ("zstd;q=0, *", "br"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip, identity;q=0", "gzip"),
        ("gzip\t;\tq=0.3 ,", "gzip"),
        ("gzip;q=nonsense, br", "br"),
        ("compress, br;q=0.2", "br"),
        ("br;q=0.1" + ", x" * 100, "br"),
        ("", None),
        (None, None),
        ("deflate", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.8", None),
        ("identity;q=0", None),
        ("gzip;q=2", None),
        ("gzip;level=9", None),
    ],
)
def test_the_client_chooses(accept, coding):
    """The best weight wins, then our order; every reply says that it depends on the field."""
    reply = asked(accept=accept)
    assert reply.status_code == 200
    assert reply.headers.get("content-encoding") == coding
    assert reply.headers["vary"] == "Accept-Encoding"
    assert plain(reply) == DATA


def test_codings_may_be_left_out():
    """The order of the argument is the order of preference."""
    app = site(codings=["gzip", "br"])
    assert asked(accept="br, gzip, zstd", app=app).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in asked(accept="zstd", app=app).headers


@pytest.mark.parametrize("accept", ["gzip", "*", "br, *;q=0.1", "identity;q=0, *"])
@pytest.mark.parametrize("path", ["/", "/parts"])
def test_no_coding_is_no_compression(path, accept):
    """An empty list leaves all replies as they are, for those who take any coding, too."""
    reply = asked(path, accept, app=site(codings=[]))
    assert (reply.status_code, reply.headers.get("content-encoding")) == (200, None)
    assert reply.content == asked(path, "identity").content


@pytest.mark.parametrize("accept", ["gzip", "gzip, identity;q=0"])
def test_a_reset_has_nothing_to_compress(accept):
    """A 205 has no body, as a page or as a stream (RFC 9110 §15.3.6)."""

    class Form(App):
        async def page(self):
            return 205, PAGE

        async def stream(self):
            return 205, iter([PAGE])

    app = Form()
    app.middlewares.append(CompressionMiddleware())
    for path in ("/page", "/stream"):
        reply = asked(path, accept, app=app)
        assert (reply.content, reply.headers["content-length"], reply.headers.get("content-encoding")) == (
            b"",
            "0",
            None,
        )


def test_an_unknown_coding_is_a_mistake():
    """It is told when the application is made."""
    with pytest.raises(ValueError, match="knows no coding 'deflate': 'zstd', 'br' and 'gzip' are known"):
        CompressionMiddleware(codings=["deflate"])


def test_either_package_will_do():
    """The first of the modules that is installed; brotlicffi answers as brotli does."""
    assert first_installed(["compression.missing", "missing", "brotlicffi", "brotli"]) is brotlicffi
    assert first_installed(["missing.module"]) is None


@pytest.mark.parametrize(
    ("without", "coding"),
    [
        ((), "zstd"),
        (("backports",), "br"),
        (("backports", "brotli"), "br"),
        (("backports", "brotli", "brotlicffi"), "gzip"),
    ],
)
def test_what_is_not_installed_is_not_used(without, coding):
    """There is always gzip; on Python 3.14 always zstd too."""
    expected = "zstd" if find_spec("compression") else coding
    assert output_of("tests.batteries.codings_probe", without=without) == f"{expected}\n"


@pytest.mark.parametrize(
    "kind",
    [
        "text/html; charset=utf-8",
        "TEXT/CSS",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "application/javascript",
        "application/wasm",
        "application/x-ndjson",
        "font/ttf",
    ],
)
def test_types_that_compress_well(kind):
    """Text, JSON and the like."""
    reply = asked("/typed", params={"kind": kind})
    assert (reply.headers["content-encoding"], reply.headers["content-type"]) == ("gzip", kind)


@pytest.mark.parametrize(
    "kind", ["image/png", "video/mp4", "application/zip", "application/octet-stream", "font/woff2", "text", "x-text/a"]
)
def test_types_that_do_not(kind):
    """Compressed already, or unknown."""
    assert as_it_was(asked("/typed", params={"kind": kind}))


def test_json_is_json_still():
    """The type that goes out by itself goes out once."""
    reply = asked("/json")
    assert reply.headers.get_list("content-type") == ["application/json"]
    assert plain(reply) == b"[" + b",".join([b'{"name":"pie"}'] * 100) + b"]"


def test_short_replies_stay():
    """Below the minimum nothing is done."""
    assert as_it_was(asked("/typed", params={"kind": "text/plain", "size": 499}))
    assert not as_it_was(asked("/typed", params={"kind": "text/plain", "size": 500}))
    assert not as_it_was(asked("/typed", params={"kind": "text/plain", "size": 50}, app=site(minimum_size=50)))


def test_a_client_that_refuses_the_bare_body_gets_none():
    """`identity;q=0` counts for short bodies too."""
    reply = asked("/typed", accept="gzip, identity;q=0", params={"kind": "text/plain", "size": 3})
    assert (reply.headers["content-encoding"], plain(reply)) == ("gzip", b"aaa")


def test_what_would_grow_stays():
    """Noise is sent as it is, but depends on the field all the same."""
    app = site(minimum_size=1)
    reply = asked("/typed", params={"kind": "text/plain", "size": 5}, app=app)
    assert ("content-encoding" in reply.headers, reply.headers["vary"], reply.content) == (
        False,
        "Accept-Encoding",
        b"aaaaa",
    )


@pytest.mark.parametrize("path", ["/empty", "/nothing", "/status?code=204", "/status?code=304", "/nowhere"])
def test_there_is_nothing_to_compress(path):
    """Replies without a body, or with hardly any."""
    path, _, query = path.partition("?")
    assert "content-encoding" not in asked(path, query=query).headers


@pytest.mark.parametrize("accept", ["gzip", "gzip, identity;q=0"])
def test_text_that_can_not_be_sent_is_the_500_that_it_was(accept):
    """Half a surrogate pair is no failure of ours."""
    assert asked("/broken", accept).status_code == 500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Encoding", "br"),
        ("Content-Range", "bytes 0-99/200"),
        ("Cache-Control", "public, No-Transform"),
        ("Content-Digest", "sha-256=:AAAA:"),
        ("Repr-Digest", "sha-256=:AAAA:"),
    ],
)
def test_replies_that_say_so_stay(name, value):
    """What is coded already, a part of something, not to be transformed, or named by its digest."""
    reply = asked("/with_headers", params={"name": name, "value": value})
    assert (reply.headers[name], reply.content, "vary" in reply.headers) == (value, DATA, False)


def test_a_partial_reply_stays():
    """Its bytes were asked for by their places."""
    assert as_it_was(asked("/status", params={"code": "206"}))


@pytest.mark.parametrize("code", ["400", "404", "500"])
def test_errors_are_compressed(code):
    """Of a status that has a body."""
    assert plain(asked("/status", params={"code": code})) == DATA


@pytest.mark.parametrize("value", ["identity", " Identity "])
def test_a_reply_may_switch_it_off(value):
    """`Content-Encoding: identity` does not go out, and says that the body is to stay."""
    reply = asked("/with_headers", params={"name": "content-Encoding", "value": value})
    assert as_it_was(reply)
    assert reply.content == DATA


def test_the_switch_does_not_go_out_of_a_204():
    """A reply without a body has no coding either."""
    reply = asked("/status", params={"code": "204"})
    assert (reply.status_code, as_it_was(reply)) == (204, True)


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        ("Cookie", ["Cookie", "Accept-Encoding"]),
        ("cookie,ACCEPT-encoding", ["cookie,ACCEPT-encoding"]),
        ("*", ["*"]),
    ],
)
def test_vary_is_added_once(vary, expected):
    """Beside what the reply depends on anyway."""
    assert asked("/with_headers", params={"name": "Vary", "value": vary}).headers.get_list("vary") == expected


def test_the_etag_is_weakened():
    """Other bytes have no strong validator in common; ranges of them are not offered; the length is theirs."""
    reply = asked("/reply")
    assert (reply.headers["etag"], "accept-ranges" in reply.headers, plain(reply)) == ('W/"v1"', False, DATA)
    assert asked("/weak").headers["etag"] == 'W/"v1"'
    bare = asked("/reply", accept=None)
    assert (bare.headers["etag"], bare.headers["accept-ranges"]) == ('"v1"', "bytes")


@pytest.mark.parametrize("path", ["/", "/large", "/json"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_head_is_as_get(path, coding):
    """The same headers, the length included."""
    assert asked(path, coding, "HEAD").headers.multi_items() == asked(path, coding).headers.multi_items()


class Shapes(HttpMiddleware):
    """Appends headers as hooks may: in any shape."""

    def after_request(self, request, status_code, response_body, extra_headers):
        extra_headers += [(b"Cache-Control", b"max-age=5"), ["X-Number", 7], ("ETag", '"v1"')]


@pytest.mark.parametrize("accept", ["gzip", None])
def test_headers_may_have_any_shape(accept):
    """What hooks in front have appended goes out as it would."""
    app = site()
    app.middlewares.insert(0, Shapes())
    app.middlewares.insert(1, ETagMiddleware())
    reply = asked(accept=accept, app=app)
    assert plain(reply) == DATA
    assert (reply.headers["cache-control"], reply.headers["x-number"]) == ("max-age=5", "7")
    assert reply.headers["etag"] == ('W/"v1"' if accept else '"v1"')


def test_equal_bodies_are_equal_bytes():
    """No time goes into gzip's header: caches and validators may compare."""
    assert asked().content == asked().content


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_large_body(coding):
    """Compressed in a thread, it is what it was."""
    assert plain(asked("/large", coding)) == b"x" * (IN_THREAD + 1)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/parts", b"first second third " + b"x" * (IN_THREAD + 1)),
        ("/sync_parts", b"first second"),
        ("/iterator", b"first second"),
        ("/iterable", b"first second"),
    ],
)
def test_streams(path, text, coding):
    """All kinds of streams, without the length that they announced of the bare body."""
    reply = asked(path, coding)
    assert (reply.headers["content-encoding"], reply.headers["vary"]) == (coding, "Accept-Encoding")
    assert "content-length" not in reply.headers
    assert plain(reply) == text


def test_a_stream_without_threads():
    """Sync streams run on the event loop there."""
    app = Site(sync_threads=0)
    app.middlewares.append(CompressionMiddleware())
    assert plain(asked("/sync_parts", app=app)) == b"first second"


def test_streams_that_stay():
    """For a client that accepts nothing, and of types that do not compress."""
    assert asked("/iterator", accept=None).content == b"first second"
    reply = asked("/parts", params={"kind": "image/png"})
    assert (reply.content[:6], as_it_was(reply)) == (b"first ", True)


@pytest.mark.parametrize(("path", "name"), [("/parts", "async"), ("/sync_parts", "sync"), ("/iterator", None)])
def test_streams_are_closed(path, name):
    """Once, when they are read."""
    app = site()
    asked(path, app=app)
    assert app.closed == ((name,) if name else ())


@pytest.mark.parametrize("path", ["/parts", "/sync_parts", "/iterator", "/iterable"])
def test_head_of_a_stream(path):
    """It has the headers of the GET, and reads nothing."""
    app = site()
    reply = asked(path, "br", "HEAD", app=app)
    assert (reply.headers["content-encoding"], reply.content, app.closed) == ("br", b"", ())


@pytest.mark.parametrize(
    ("accept", "kind", "text"),
    [
        ("application/json", "application/x-ndjson", b'{"pie":1}\n[2]\n'),
        ("text/event-stream", "text/event-stream", b'data: {"pie":1}\n\ndata: [2]\n\n'),
    ],
)
def test_streams_of_objects(accept, kind, text):
    """They are compressed as what the client gets them as."""
    reply = http(site(), "GET", "/objects", headers={"Accept": accept, "Accept-Encoding": "br"})
    assert (reply.headers["content-type"].partition(";")[0], plain(reply)) == (kind, text)
    assert reply.headers["content-encoding"] == "br"


def test_what_keeps_a_silent_stream_alive_is_compressed_too(monkeypatch):
    """The comment that the framework sends between events does not break the coding."""
    monkeypatch.setattr("micropie.core.replies.events.KEEP_ALIVE", 0.02)
    reply = http(site(), "GET", "/silent", headers={"Accept": "text/event-stream", "Accept-Encoding": "gzip"})
    assert plain(reply).replace(b":\n\n", b"") == b"data: 1\n\ndata: 2\n\n"
    assert b":\n\n" in plain(reply)


def test_a_chunk_that_is_none_is_told():
    """The error is the one that there is without a middleware, and it is not compressed."""
    reply = asked("/wrong_chunk")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")
    assert "content-encoding" not in reply.headers


DECOMPRESSORS = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
}


@pytest.mark.parametrize("coding", DECOMPRESSORS)
def test_events_are_read_as_they_come_and_the_generator_is_closed(coding):
    """Each event can be read when it is there; who leaves ends the stream."""
    app = site()

    async def main():
        decompress = DECOMPRESSORS[coding]()
        async with (
            visitor(app) as client,
            client.stream("GET", "/endless", headers={"Accept-Encoding": coding}) as reply,
        ):
            assert reply.headers["content-encoding"] == coding
            chunks = reply.aiter_bytes()
            return [decompress(await anext(chunks)) for _ in range(3)]

    assert run(main()) == [b"data: tick\n\n"] * 3
    assert app.closed == ("endless",)


def test_a_stream_that_breaks_is_cut():
    """Half a reply does not end like a whole one."""

    async def main():
        async with (
            visitor(site()) as client,
            client.stream("GET", "/cut", headers={"Accept-Encoding": "gzip"}) as reply,
        ):
            return [chunk async for chunk in reply.aiter_bytes()]

    with pytest.raises(ConnectionResetError, match="broke off"):
        run(main())


class Foreign:
    """An application of another kind: it answers as the path says."""

    def __init__(self, *messages, **start):
        self.messages = messages
        self.start = {"type": "http.response.start", "status": 200, **start}

    async def __call__(self, scope, receive, send):
        await send({**self.start})
        for message in self.messages:
            await send({"type": "http.response.body", **message})


TEXT = (b"Content-Type", b"text/plain")


def announced(size):
    return (b"Content-Length", b"%d" % size)


def mounted(app, accept="gzip", method="GET", known=None):
    class Outer(App):
        below = Mount(app)

    outer = Outer()
    outer.middlewares.append(CompressionMiddleware())
    headers = [("Accept-Encoding", accept)] if accept else []
    headers += [("If-None-Match", known)] if known else []
    return http(outer, method, "/below/", headers=headers)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_whole_reply_of_a_mounted_application(coding):
    """It has the length of what goes out, and a weak ETag."""
    app = Foreign({"body": DATA}, headers=[TEXT, announced(len(DATA)), (b"etag", b'"v1"')])
    reply = mounted(app, coding)
    assert plain(reply) == DATA
    assert sorted(reply.headers.multi_items()) == [
        ("content-encoding", coding),
        ("content-length", str(len(reply.content))),
        ("content-type", "text/plain"),
        ("etag", 'W/"v1"'),
        ("vary", "Accept-Encoding"),
    ]


@pytest.mark.parametrize("headers", [[TEXT], [TEXT, announced(len(DATA) * 2 + IN_THREAD + 1)]])
def test_a_stream_of_a_mounted_application(headers):
    """Message by message, without a length."""
    parts = [
        {"body": DATA, "more_body": True},
        {"body": b"", "more_body": True},
        {"body": b"x" * (IN_THREAD + 1), "more_body": True},
    ]
    reply = mounted(Foreign(*parts, {"body": DATA}, headers=headers))
    assert ("content-length" in reply.headers, plain(reply)) == (False, DATA + b"x" * (IN_THREAD + 1) + DATA)


def test_a_stream_of_a_mounted_application_begins_at_once():
    """Who listens for events learns that somebody is there, before the first one."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while (await receive())["type"] == "http.request":
            pass

    class Outer(App):
        below = Mount(app)

    outer = Outer()
    outer.middlewares.append(CompressionMiddleware())

    async def main():
        headers = {"Accept-Encoding": "gzip"}
        async with visitor(outer) as client, client.stream("GET", "/below/", headers=headers) as reply:
            return reply.headers["content-encoding"]

    assert run(main()) == "gzip"


@pytest.mark.parametrize(
    ("app", "body"),
    [
        (Foreign({"body": b"short"}, headers=[TEXT, announced(5)]), b"short"),
        (Foreign({"body": DATA}, headers=[(b"content-type", b"image/png")]), DATA),
        (Foreign({"body": DATA}, headers=[TEXT, (b"content-encoding", b"identity")]), DATA),
        (Foreign({"body": DATA}, headers=[TEXT], status=206), DATA),
        (Foreign({}, status=204), b""),
    ],
)
def test_replies_of_a_mounted_application_that_stay(app, body):
    """By the rules for all others."""
    reply = mounted(app)
    assert (as_it_was(reply), reply.content) == (True, body)


@pytest.mark.parametrize("known", ['"v1"', 'W/"v1"', '"v0", W/"v1"'])
def test_a_304_of_a_mounted_application(known):
    """It depends on what the client accepts, and names the ETag that the 200 in its place had for this client."""
    reply = mounted(Foreign({}, status=304, headers=[(b"etag", b'"v1"')]), known=known)
    assert (reply.status_code, reply.headers["vary"]) == (304, "Accept-Encoding")
    assert reply.headers["etag"] == ('W/"v1"' if "W/" in known else '"v1"')


def test_a_mounted_application_for_a_client_that_accepts_nothing():
    """It is told that this may differ."""
    reply = mounted(Foreign({"body": DATA}, headers=[TEXT, announced(len(DATA))]), accept=None)
    assert (reply.content, reply.headers["vary"]) == (DATA, "Accept-Encoding")


def test_head_of_a_mounted_application():
    """The headers are those of the GET, but for a length that nobody knows."""
    reply = mounted(Foreign({}, headers=[TEXT, announced(len(DATA))]), method="HEAD")
    assert (reply.headers["content-encoding"], reply.content, "content-length" in reply.headers) == ("gzip", b"", False)


def test_a_file_that_the_server_sends_stays():
    """What is no body message can't be compressed: its start goes out as it came."""

    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"2100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": "/srv/file.txt"})

    class Outer(App):
        below = Mount(app)

    outer = Outer()
    outer.middlewares.append(CompressionMiddleware())
    sent = []

    async def keep(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    headers = [(b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": "/below/", "headers": headers, "query_string": b""}
    run(outer(scope, receive, keep))
    assert sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2100")],
        },
        {"type": "http.response.pathsend", "path": "/srv/file.txt"},
    ]


def test_an_application_below_is_compressed_once():
    """With the middleware in both, the inner one does it."""

    class Outer(App):
        below = Mount(site())

    outer = Outer()
    outer.middlewares.append(CompressionMiddleware())
    assert plain(asked("/below/", app=outer)) == DATA


def test_many_at_once_are_right():
    """Nothing is shared between replies."""

    async def main():
        app = site()
        replies = [ahttp(app, "GET", "/large", headers={"Accept-Encoding": "br"}) for _ in range(20)]
        return await asyncio.gather(*replies)

    assert {plain(reply) for reply in run(main())} == {b"x" * (IN_THREAD + 1)}
