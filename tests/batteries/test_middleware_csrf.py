"""CSRF: which requests are refused by what browsers say of their origin."""

import logging

import pytest

from micropie import App, Mount
from micropie.middleware import CSRFMiddleware, ProxyHeadersMiddleware
from tests.client import http
from tests.wire import websocket, wire

REFUSED = (403, "403 Forbidden: Cross-site request refused")
OWN, FRIEND, EVIL = "https://testserver", "https://friend.example", "https://evil.example"


async def foreign(scope, receive, send):
    """Another ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"foreign"})


class Hooks(App):
    async def stripe(self):
        return "paid"


class Site(App):
    files = Mount(foreign)
    hooks = Hooks()

    async def index(self, *rest):
        return f"index {'/'.join(rest)}".strip()

    async def upload(self, text, file):
        return f"{text} {len(await file.read())}"

    async def ws_index(self, ws):
        await ws.accept()


def site(*arguments, **keywords):
    app = Site()
    app.middlewares.append(CSRFMiddleware(*arguments, **keywords))
    return app


def post(app, path="/", method="POST", **told):
    headers = [(name.replace("_", "-"), value) for name, value in told.items() if value is not None]
    answer = http(app, method, path, headers=headers)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        # Fetch Metadata says it all
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "null"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": OWN}, False),
        ({"sec_fetch_site": ""}, False),
        ({"sec_fetch_site": "Same-Origin"}, False),
        # else the origin
        ({"origin": OWN}, True),
        ({"origin": "http://testserver"}, True),
        ({"origin": "HTTPS://TESTSERVER"}, True),
        ({"origin": EVIL}, False),
        ({"origin": "https://testserver.evil.example"}, False),
        ({"origin": "https://testserver:8443"}, False),
        ({"origin": "null"}, False),
        ({"origin": "testserver"}, False),
        ({"origin": EVIL, "referer": f"{OWN}/page"}, False),
        # else the page
        ({"referer": f"{OWN}/page?a=b"}, True),
        ({"referer": f"{OWN}@evil.example/"}, False),
        ({"referer": f"{EVIL}/{OWN}/"}, False),
        ({"referer": "about:blank"}, False),
        # a program
        ({}, True),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_who_may_change_something(method, told, passes):
    """What changes something passes from the site's own pages, and from programs that are no browsers."""
    assert post(site(), method=method, **told) == ((200, "index") if passes else REFUSED)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_passes(method):
    """Links from other sites lead in."""
    assert post(site(), method=method, sec_fetch_site="cross-site", origin=EVIL)[0] == 200


@pytest.mark.parametrize(
    ("host", "origin", "passes"),
    [
        ("shop.example:443", "https://shop.example", True),
        ("shop.example:80", "http://shop.example", True),
        ("shop.example", "https://shop.example:443", True),
        ("shop.example:80", "https://shop.example", False),
        ("shop.example:8000", "http://shop.example:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("", EVIL, False),
    ],
)
def test_the_port_of_the_scheme_may_be_named(host, origin, passes):
    """A proxy may write the port of the scheme into `Host`, where browsers leave it out of the origin."""
    answer = wire(site(), "POST", host=host, headers=[("origin", origin)])
    assert answer.status_code == (200 if passes else 403)


def test_the_host_that_the_proxy_tells_counts():
    """Behind a proxy that changes `Host`, the origin is compared with what the visitor asked for."""
    app = site()
    app.middlewares.insert(0, ProxyHeadersMiddleware(["203.0.113.7"], host=True))
    headers = {"origin": "https://shop.example", "x_forwarded_host": "shop.example"}
    assert post(app, **headers) == (200, "index")
    assert post(app, **{**headers, "origin": OWN}) == REFUSED


def test_trusted_origins():
    """Pages of trusted origins may change something, whatever the browser calls them."""
    app = site([FRIEND])
    assert post(app, sec_fetch_site="cross-site", origin=FRIEND) == (200, "index")
    assert post(app, origin=FRIEND) == (200, "index")
    assert post(app, sec_fetch_site="cross-site", origin=EVIL) == REFUSED


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/hooks/stripe", True),
        ("/hooks/stripe/", False),
        ("/hooks/strip", False),
        ("/hooks", False),
        ("/api/a/b", True),
        ("/api/", True),
        ("/api", False),
        ("/apiary", False),
        ("/hooks%2Fstripe", False),
        ("/api/%61", False),
        ("/api//a", False),
        ("/api/../a", False),
    ],
)
def test_exempt_paths(path, passes):
    """Exempt are the paths that are named, to the letter, and what is below those that end in `/*`."""
    app = site(exempt=["/hooks/stripe", "/api/*"])
    assert (post(app, path, origin=EVIL) != REFUSED) is passes


def test_exempt_paths_are_below_the_root_path():
    """The prefix of a proxy is no part of an exempt path."""
    scope = {"root_path": "/shop"}
    answer = wire(site(exempt="/hooks/stripe"), "POST", "/shop/hooks/stripe", headers=[("origin", EVIL)], scope=scope)
    assert (answer.status_code, answer.text) == (200, "paid")


@pytest.mark.parametrize("path", ["/files/x", "/hooks/stripe", "/nowhere"])
def test_mounts_are_behind_it(path):
    """Mounted applications, and paths that lead nowhere, are refused too."""
    assert post(site(), path, origin=EVIL) == REFUSED


def test_forms_need_no_token():
    """Multipart forms pass as they are: only headers are looked at."""
    files, data = {"file": ("a.txt", b"12345")}, {"text": "t"}
    assert (
        http(site(), "POST", "/upload", data=data, files=files, headers=[("Sec-Fetch-Site", "same-origin")]).text
        == "t 5"
    )
    refused = http(site(), "POST", "/upload", data=data, files=files, headers=[("Sec-Fetch-Site", "cross-site")])
    assert (refused.status_code, refused.text) == REFUSED


def test_nothing_of_the_body_is_taken():
    """A refusal comes before the body."""
    taken = []

    async def body():
        taken.append(1)
        yield b"a=1"

    headers = [("origin", EVIL), ("content-length", "1000000000")]
    answer = wire(site(), "POST", body=body(), headers=headers)
    assert (answer.status_code, taken) == (403, [])


@pytest.mark.parametrize(
    ("origin", "closing"),
    [("http://testserver", (1000, "")), (None, (1000, "")), (EVIL, (1008, "Cross-site request refused"))],
)
def test_websockets(origin, closing):
    """A handshake is refused as what changes something: it has the visitor's cookies, and opens a conversation."""
    headers = [] if origin is None else [("origin", origin)]
    assert websocket(site(), headers=headers).close == closing


def test_the_log_says_what_to_do(caplog):
    """The developer is told who asked, and what to write if that is a friend; a client can't fill the log."""
    caplog.set_level(logging.WARNING)
    post(site(), "/" + "a" * 500, origin=EVIL)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"POST '/{'a' * 199}' from '{EVIL}' is refused, since another site's page sends it: if that site is yours, "
        "name it in CSRFMiddleware([...])"
    )


@pytest.mark.parametrize("told", [{"sec_fetch_site": "cross-site"}, {"referer": f"{EVIL}/"}])
def test_the_log_names_what_is_known(told, caplog):
    """Without an origin it names the page, or nothing."""
    caplog.set_level(logging.WARNING)
    post(site(), **told)
    assert f"from '{told.get('referer', 'unknown')}' is" in caplog.records[0].getMessage()


def test_settings_that_are_none():
    """A path begins with a slash, an origin has a scheme, and origins stand in a list."""
    with pytest.raises(ValueError, match="a path begins with /"):
        CSRFMiddleware(exempt=["hooks"])
    with pytest.raises(ValueError, match=r"'friend\.example' is no origin"):
        CSRFMiddleware(["friend.example"])
    with pytest.raises(ValueError, match=r"a list of origins is wanted, as \['https://friend.example'\]"):
        CSRFMiddleware(FRIEND)
