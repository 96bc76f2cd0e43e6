"""What `run` reads of a proxy's headers; servers are asked in tests/batteries/test_cli_run.py."""

import asyncio
from typing import Any

import pytest

from micropie.core.requests.proxies import TrustedProxies
from micropie.core.run.proxies import BehindProxy


def seen(*headers, client=("127.0.0.1", 1), trusted="127.0.0.1,::1", root_path="", **scope):
    """The scope that the application gets."""
    found: dict[str, Any] = {}
    nobody: Any = None

    async def app(scope, _receive, _send):
        found.update(scope)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "scheme": "http", "path": "/a", "headers": raw, "client": client, **scope}
    asyncio.run(BehindProxy(app, TrustedProxies(trusted), root_path)(scope, nobody, nobody))
    return found


@pytest.mark.parametrize(
    ("trusted", "client", "chain", "told"),
    [
        # who is believed
        ("127.0.0.1", "127.0.0.1", "9.9.9.9", ("9.9.9.9", 0)),
        ("127.0.0.1", "10.0.0.1", "9.9.9.9", ("10.0.0.1", 1)),
        ("", "127.0.0.1", "9.9.9.9", ("127.0.0.1", 1)),
        ("*", "10.0.0.1", "9.9.9.9", ("9.9.9.9", 0)),
        ("10.0.0.0/8", "10.1.2.3", "9.9.9.9", ("9.9.9.9", 0)),
        ("10.0.0.0/8", "11.1.2.3", "9.9.9.9", ("11.1.2.3", 1)),
        ("2001:db8::/32", "2001:db8::7", "9.9.9.9", ("9.9.9.9", 0)),
        ("127.0.0.1", "::ffff:127.0.0.1", "9.9.9.9", ("9.9.9.9", 0)),
        ("127.0.0.1", "testclient", "9.9.9.9", ("testclient", 1)),
        # who it is, in a chain of proxies
        ("127.0.0.1", "127.0.0.1", "1.1.1.1, 9.9.9.9", ("9.9.9.9", 0)),
        ("127.0.0.1, 10.0.0.0/8", "127.0.0.1", "1.1.1.1, 9.9.9.9, 10.0.0.2", ("9.9.9.9", 0)),
        ("127.0.0.1, 10.0.0.0/8", "127.0.0.1", "10.0.0.3,10.0.0.2", ("10.0.0.3", 0)),
        ("*", "127.0.0.1", "1.1.1.1, 9.9.9.9", ("1.1.1.1", 0)),
        # as it is written
        ("127.0.0.1", "127.0.0.1", "9.9.9.9:1234", ("9.9.9.9", 1234)),
        ("127.0.0.1", "127.0.0.1", "2001:db8::1", ("2001:db8::1", 0)),
        ("127.0.0.1", "127.0.0.1", "[2001:db8::1]", ("2001:db8::1", 0)),
        ("127.0.0.1", "127.0.0.1", "[2001:db8::1]:1234", ("2001:db8::1", 1234)),
        # what is no address is nobody, and what stands before it was made by nobody knows whom
        ("127.0.0.1", "127.0.0.1", "", ("127.0.0.1", 1)),
        ("127.0.0.1", "127.0.0.1", "unknown", ("127.0.0.1", 1)),
        ("127.0.0.1", "127.0.0.1", "9.9.9.9:x", ("127.0.0.1", 1)),
        ("127.0.0.1,10.0.0.2", "127.0.0.1", "9.9.9.9, _hidden, 10.0.0.2", ("10.0.0.2", 0)),
        ("*", "127.0.0.1", "<script>, 9.9.9.9", ("9.9.9.9", 0)),
    ],
)
def test_client(trusted, client, chain, told):
    """The client is the last address of the chain that no trusted proxy stands behind."""
    assert seen(("x-forwarded-for", chain), client=(client, 1), trusted=trusted)["client"] == told


@pytest.mark.parametrize("client", [None, ("", "0")])
@pytest.mark.parametrize(("trusted", "told"), [("127.0.0.1", ("9.9.9.9", 0)), ("10.0.0.1", None)])
def test_unix_socket(client, trusted, told):
    """Who comes through a Unix socket is on this machine, whatever the server calls it."""
    assert seen(("x-forwarded-for", "9.9.9.9"), client=client, trusted=trusted)["client"] == (told or client)


def test_several_fields():
    """A chain may be in several fields."""
    chain = [("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "127.0.0.1")]
    assert seen(*chain)["client"] == ("9.9.9.9", 0)


@pytest.mark.parametrize(
    ("kind", "value", "scheme"),
    [
        ("http", "https", "https"),
        ("http", " HTTPS ", "https"),
        ("http", "ftp", "http"),
        ("http", "https, http", "http"),
        ("websocket", "https", "wss"),
        ("websocket", "wss", "wss"),
        ("websocket", "http", "ws"),
    ],
)
def test_scheme(kind, value, scheme):
    """The scheme is believed with and without a client, as the protocol calls it."""
    before = "ws" if kind == "websocket" else "http"
    assert seen(("x-forwarded-proto", value), type=kind, scheme=before)["scheme"] == scheme
    forged = seen(("x-forwarded-proto", value), type=kind, scheme=before, client=("9.9.9.9", 1))
    assert forged["scheme"] == before


@pytest.mark.parametrize(
    ("path", "raw_path", "told", "raw_told"),
    [
        ("/a", b"/a", "/ü/a", b"/%C3%BC/a"),
        ("/ü/a", b"/%C3%BC/a", "/ü/a", b"/%C3%BC/a"),
        ("/ü", b"/%c3%bc", "/ü", b"/%c3%bc"),
        ("/üa", None, "/ü/üa", None),
    ],
)
def test_root_path(path, raw_path, told, raw_told):
    """The prefix is part of the path, whether or not the proxy has taken it off."""
    scope = seen(root_path="/ü", path=path, raw_path=raw_path)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/ü", told, raw_told)


def test_lifespan():
    """A lifespan has no client and no path."""
    assert seen(type="lifespan", root_path="/x")["path"] == "/a"
