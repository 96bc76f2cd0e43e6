"""Trusted hosts: which names the application answers to."""

import pytest

from micropie import App, Mount
from micropie.middleware import TrustedHostMiddleware
from micropie.testing import TestClient, WebSocketRefused
from tests.client import http
from tests.wire import websocket, wire


async def foreign(scope, receive, send):
    """Another ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"foreign"})


class Site(App):
    files = Mount(foreign)

    async def index(self):
        return "index"

    async def ws_index(self, ws):
        await ws.accept()


HOSTS = [
    "shop.example",
    "*.sub.example",
    "Bücher.example",
    "*.straße.example",
    "192.0.2.7",
    "::1",
    "[2001:db8:0:0::7]",
    "web_1",
]


def site(hosts=HOSTS):
    app = Site()
    app.middlewares.append(TrustedHostMiddleware(hosts))
    return app


@pytest.mark.parametrize(
    "host",
    [
        "shop.example",
        "shop.example:8443",
        "shop.example:",
        "SHOP.Example",
        "shop.example.",
        "shop.example.:443",
        "a.sub.example",
        "a.b.SUB.example.:1",
        "xn--bcher-kva.example",
        "a.xn--strae-oqa.example",
        "192.0.2.7",
        "192.0.2.7:80",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[2001:DB8::7]:443",
        "web_1:8000",
    ],
)
def test_trusted_hosts(host):
    """Ports, capitals, a dot at the end and the script that a name is written in make no difference."""
    assert wire(site(), host=host).text == "index"
    assert websocket(site(), host=host).close == (1000, "")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "shop.example.evil.example",
        "evilshop.example",
        "sub.example",
        "evilsub.example",
        ".sub.example",
        "shop.example..",
        "shop.example:80:80",
        "shop.example:x",
        "shop.example@evil.example",
        "shop.example/",
        "shop.example, evil.example",
        "192.0.2.8",
        "[::2]",
        "[::1",
        "[.]",
        "::1",
        "strasse.example",
        "b\xfccher.example",
    ],
)
def test_other_hosts(host):
    """Whatever else stands in `Host`, or nothing, is refused."""
    headers = [] if host is None else [("host", host.encode("latin-1"))]
    answer = wire(site(), host=None, headers=headers)
    assert (answer.status_code, answer.text) == (400, "400 Bad Request: Unknown host")
    assert websocket(site(), host=None, headers=headers).close == (1008, "Unknown host")


def test_a_handshake_for_another_host_is_refused_with_400():
    """Where the server can send a reply."""
    foreign_host = {"Host": "evil.example"}
    with (
        TestClient(site()) as client,
        pytest.raises(WebSocketRefused) as refused,
        client.websocket("/", headers=foreign_host),
    ):
        pass
    assert refused.value.response is not None
    assert (refused.value.response.status_code, refused.value.response.text) == (400, "400 Bad Request: Unknown host")


def test_two_hosts():
    """Two fields are refused even if both are good: who reads the other one?"""
    assert wire(site(), host=None, headers=[("host", "shop.example"), ("host", "shop.example")]).status_code == 400


def test_any_number_of_hosts_below_a_domain():
    """They are answered, however many there have been before, and long ones too."""
    app = site(["*.shop.example"])
    hosts = [f"{number}.shop.example" for number in range(300)] * 2 + [f"{'a' * 63}." * 4 + "shop.example"]
    assert {wire(app, host=host).status_code for host in hosts} == {200}
    assert wire(app, host="300.shop.example.evil").status_code == 400


@pytest.mark.parametrize("path", ["/nowhere", "/files/x", "/_private"])
def test_everything_is_behind_it(path):
    """Mounted applications, and paths that lead nowhere, are refused too."""
    assert http(site(), path=path).status_code == 400


def test_the_refusal_is_an_error_like_others():
    """Programs get it as they get other errors."""
    assert wire(site(), host="evil.example").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        ("shop.example", r"a list of hosts is wanted, as \['shop.example'\]"),
        ([], "would refuse everything: name the hosts"),
        (["*"], r"'\*' is no host"),
        (["*example"], r"'\*example' is no host"),
        (["a.*.example"], r"'a.\*.example' is no host"),
        (["shop.example:80"], "'shop.example:80' is no host"),
        (["http://shop.example"], "'http://shop.example' is no host"),
        (["shop.example/x"], "'shop.example/x' is no host"),
        (["::x"], "'::x' is no host"),
        ([""], "'' is no host"),
        (["*."], r"'\*.' is no host"),
    ],
)
def test_settings_that_are_none(hosts, message):
    """What could never be a host is refused when the middleware is made."""
    with pytest.raises(ValueError, match=message):
        TrustedHostMiddleware(hosts)
