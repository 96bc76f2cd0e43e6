"""Proxy headers: who the client is, by whose word."""

import pytest

from micropie import App, InMemorySessionBackend, url_for
from micropie.middleware import ProxyHeadersMiddleware, TrustedHostMiddleware
from tests.wire import websocket, wire

PEER, VISITOR = ("203.0.113.7", 4711), ("198.51.100.1", 0)  # the peer is what tests.wire has
TRUSTED = ["203.0.113.7"]


class Inner(App):
    async def index(self):
        return {"client": self.request.scope["client"], "headers": dict(self.request.headers)}


class Site(App):
    inner = Inner()

    async def index(self):
        scope, request = self.request.scope, self.request
        return {
            "client": list(scope["client"]),
            "scheme": scope["scheme"],
            "host": [request.header("host"), request.headers.get("host")],
            "url": url_for(self.index, external=True),
        }

    async def visit(self):
        self.request.session["a"] = 1
        return ""

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_json([*self.request.scope["client"], self.request.scope["scheme"]])


def site(*arguments, **keywords):
    app = Site()
    app.middlewares.append(ProxyHeadersMiddleware(*arguments, **keywords))
    return app


def seen(app, *headers, **keywords):
    """What the handler sees."""
    return wire(app, headers=headers, **keywords).json()


def client(app, *headers, **keywords):
    return tuple(seen(app, *headers, **keywords)["client"])


def forwarded_for(value):
    return ("x-forwarded-for", value)


def test_the_proxy_tells_client_and_scheme():
    """A known proxy is believed who the client is and how it came; what the client is told to be called is its own."""
    headers = [forwarded_for("198.51.100.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")]
    assert seen(site(TRUSTED), *headers) == {
        "client": list(VISITOR),
        "scheme": "https",
        "host": ["testserver", "testserver"],
        "url": "https://testserver/",
    }


@pytest.mark.parametrize("proxies", [None, [], ["10.0.0.0/8"], "203.0.113.8"])
def test_nobody_else_is_believed(proxies):
    """Anybody else's headers change nothing."""
    headers = [forwarded_for("198.51.100.1"), ("x-forwarded-proto", "https"), ("forwarded", "for=198.51.100.1")]
    found = seen(site(proxies), *headers)
    assert (tuple(found["client"]), found["scheme"]) == (PEER, "http")


def test_those_on_this_machine_are_believed_unless_others_are_named():
    """The usual proxy is on this machine."""
    assert client(site(), forwarded_for("198.51.100.1"), client=("127.0.0.1", 1)) == VISITOR
    assert client(site(TRUSTED), forwarded_for("198.51.100.1"), client=("127.0.0.1", 1)) == ("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("proxies", "count", "chain", "told"),
    [
        # networks: the last address that no trusted proxy stands behind
        ("203.0.113.0/24", None, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("203.0.113.0/24,10.0.0.0/8", None, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (["203.0.113.0/24", "10.0.0.0/8"], None, "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # a count: as many entries from the end as there are proxies
        (None, 1, "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (None, 2, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (None, 2, "198.51.100.1", "198.51.100.1"),
        (None, 2, "6.6.6.6, garbage, 10.0.0.2", "10.0.0.2"),
        # both: whichever ends first
        ("203.0.113.0/24,10.0.0.0/8", 1, "198.51.100.1, 10.0.0.2", "10.0.0.2"),
        ("203.0.113.0/24,10.0.0.0/8", 3, "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    ],
)
@pytest.mark.parametrize("standard", [False, True])
def test_chains(proxies, count, chain, told, standard):
    """What a client has written before the first trusted proxy is never believed, by either kind of header."""
    header = forwarded_for(chain)
    if standard:
        header = ("forwarded", ", ".join(f"for={one.strip()}" for one in chain.split(",")))
    assert client(site(proxies, count=count, forwarded=standard), header) == (told, 0)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("for=198.51.100.1", ("198.51.100.1", 0)),
        ("For=198.51.100.1;proto=HTTPS;by=10.0.0.1", ("198.51.100.1", 0)),
        ('for="198.51.100.1:4711"', ("198.51.100.1", 4711)),
        ("for=198.51.100.1:4711", ("198.51.100.1", 4711)),
        ('for="[2001:db8::1]"', ("2001:db8::1", 0)),
        ('for="[2001:db8::1]:4711"', ("2001:db8::1", 4711)),
        (r'for="\1\9\8.51.100.1"', ("198.51.100.1", 0)),
        ('by="a,b;for=6.6.6.6";for=198.51.100.1', ("198.51.100.1", 0)),
        (" ; for=198.51.100.1 ;; ", ("198.51.100.1", 0)),
        (", ,for=198.51.100.1", ("198.51.100.1", 0)),
        # not told
        ("for=unknown", PEER),
        ("for=_hidden", PEER),
        ("proto=https", PEER),
        ("", PEER),
        # malformed
        ('for="198.51.100.1', PEER),
        ('for=6.6.6.6;x=", for=198.51.100.1', PEER),
        ('for=6.6.6.6;x=", for="[2001:db8::1]"', PEER),
        ("for=6.6.6.6 for=198.51.100.1", PEER),
        ("for", PEER),
    ],
)
def test_the_standard_header(value, told):
    """`Forwarded` is read as RFC 7239 has it; what is malformed tells nothing."""
    assert client(site(TRUSTED, forwarded=True), ("forwarded", value)) == told


@pytest.mark.parametrize("fields", [["for=6.6.6.6", "for=198.51.100.1"], ['for="6.6.6.6', "for=198.51.100.1"]])
def test_several_standard_fields(fields):
    """The last field is that of the nearest proxy, whatever the client has sent before."""
    app = site(TRUSTED, forwarded=True)
    assert client(app, *(("forwarded", field) for field in fields)) == VISITOR


def test_a_malformed_field_hides_what_stands_before_it():
    """Of a chain with a field that can't be read only the end is known."""
    fields = [("forwarded", value) for value in ("for=6.6.6.6", "for=", "for=unknown,", 'x="')]
    assert client(site("*", forwarded=True), *fields) == PEER


def test_the_standard_header_tells_scheme_and_host_of_the_same_hop():
    """Scheme and host come from the proxy that tells the client, since it is the one that the client spoke to."""
    app = site(["203.0.113.7", "10.0.0.2"], forwarded=True, host=True)
    chain = [
        "for=6.6.6.6;host=evil.example",
        "for=198.51.100.1;proto=https;host=Shop.example",
        "for=10.0.0.2;host=inner;proto=http",
    ]
    assert seen(app, ("forwarded", ", ".join(chain))) == {
        "client": list(VISITOR),
        "scheme": "https",
        "host": ["shop.example", "shop.example"],
        "url": "https://shop.example/",
    }


def test_only_one_kind_of_header_is_read():
    """A proxy that writes one kind passes the other on, which may be its client's lie."""
    both = [forwarded_for("198.51.100.1"), ("forwarded", "for=6.6.6.6;proto=https")]
    found = seen(site(TRUSTED), *both)
    assert (tuple(found["client"]), found["scheme"]) == (VISITOR, "http")
    assert client(site(TRUSTED, forwarded=True), *both) == ("6.6.6.6", 0)


@pytest.mark.parametrize(
    ("told", "host"),
    [
        ("shop.example", "shop.example"),
        ("Shop.example:8443", "shop.example:8443"),
        ("evil.example, shop.example", "shop.example"),
        ("", "testserver"),
        ("shop example", "testserver"),
        ("shop.example/path", "testserver"),
    ],
)
def test_the_host_is_believed_if_that_is_asked_for(told, host):
    """With `host=True` the host is that of `X-Forwarded-Host`, of several the nearest proxy's, if it is one."""
    assert seen(site(TRUSTED, host=True), ("x-forwarded-host", told))["host"] == [host, host]


def test_hooks_behind_it_see_the_host():
    """A check of the host behind it sees what the visitor asked for, WebSockets too."""
    app = site(TRUSTED, host=True)
    app.middlewares.append(TrustedHostMiddleware(["shop.example"]))
    headers = [("x-forwarded-host", "shop.example")]
    assert wire(app, headers=headers).status_code == 200
    assert wire(app).status_code == 400
    assert websocket(app, headers=headers).accepted


def test_what_is_below_sees_the_client():
    """An application below this one gets the same client."""
    assert tuple(seen(site(TRUSTED), forwarded_for("198.51.100.1"), path="/inner")["client"]) == VISITOR


@pytest.mark.parametrize(("proto", "scheme"), [("https", "wss"), ("wss", "wss"), ("http", "ws"), ("ftp", "ws")])
def test_websockets(proto, scheme):
    """A handshake says who its client is, too."""
    headers = [forwarded_for("198.51.100.1"), ("x-forwarded-proto", proto)]
    assert websocket(site(TRUSTED), headers=headers).sent == [f'["198.51.100.1",0,"{scheme}"]']


@pytest.mark.parametrize(
    ("proto", "scheme"), [("https", "https"), ("wss", "https"), ("ws", "http"), ("a, https", "https")]
)
def test_schemes(proto, scheme):
    """The scheme is that of HTTP, whatever the proxy calls it."""
    assert seen(site(TRUSTED), ("x-forwarded-proto", proto))["scheme"] == scheme


def test_the_origin_of_a_websocket_is_compared_with_the_told_host():
    """The check of a handshake's origin comes behind it."""
    app = Site(InMemorySessionBackend())
    app.middlewares.append(ProxyHeadersMiddleware(TRUSTED, host=True))
    cookies = wire(app, path="/visit").cookies
    headers = [("origin", "https://shop.example"), ("x-forwarded-host", "shop.example")]
    assert websocket(app, headers=headers, cookies=cookies).accepted
    assert not websocket(app, headers=headers[:1], cookies=cookies).accepted


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_is_at_least_one(count):
    """No proxy at all is no count."""
    with pytest.raises(ValueError, match="at least one proxy stands in front"):
        ProxyHeadersMiddleware(count=count)


def test_what_is_no_network_is_refused():
    """A proxy is an address or a network."""
    with pytest.raises(ValueError, match=r"proxy\.example"):
        ProxyHeadersMiddleware(["proxy.example"])
