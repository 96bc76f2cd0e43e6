"""What guards remember of headers, to be quicker next time: nothing that is large because a client wants so."""

import gc
import tracemalloc

import pytest

from micropie import App
from micropie.middleware import CORSMiddleware, ProxyHeadersMiddleware, SecurityHeadersMiddleware, TrustedHostMiddleware
from tests.wire import wire

LONG, TIMES = 30_000, 100  # characters, as servers let pass, and requests


class Site(App):
    async def index(self):
        return self.request.scope["client"][0]


def number(count):
    """Give a long text that no other number has."""
    return f"{count:0{LONG}}"


CASES = {
    "chain": (ProxyHeadersMiddleware("*"), "GET", lambda text: {"x-forwarded-for": f"{text}, 198.51.100.1"}),
    "chain of short ones": (
        ProxyHeadersMiddleware("*"),
        "GET",
        lambda text: {"x-forwarded-for": f"{text[-4:]}, " * 6000 + "198.51.100.1"},
    ),
    "scope of an address": (ProxyHeadersMiddleware("*"), "GET", lambda text: {"x-forwarded-for": f"fe80::1%{text}"}),
    "told host": (ProxyHeadersMiddleware("*", host=True), "GET", lambda text: {"x-forwarded-host": f"{text}.example"}),
    "Host over https": (SecurityHeadersMiddleware(), "GET", lambda text: {"host": f"{text}.example"}),
    "trusted host": (TrustedHostMiddleware(["*.example"]), "GET", lambda text: {"host": f"{text}.example"}),
    "preflight": (
        CORSMiddleware("*", allow_headers="*"),
        "OPTIONS",
        lambda text: {
            "origin": "https://friend.example",
            "access-control-request-method": "GET",
            "access-control-request-headers": f"x-{text}",
        },
    ),
}


@pytest.mark.parametrize(("guard", "method", "headers"), CASES.values(), ids=CASES)
def test_long_headers_are_not_remembered(guard, method, headers):
    """A hundred requests with as many long headers leave less behind than one of them was long."""
    app = Site()
    app.middlewares.append(guard)

    def ask(count):
        fields = headers(number(count))
        host = fields.pop("host", "shop.example")
        return wire(app, method=method, host=host, headers=[*fields.items()], scope={"scheme": "https"}).status_code

    assert ask(0) in (200, 204)
    tracemalloc.start()
    try:
        for count in range(1, TIMES):
            ask(count)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < LONG
    finally:
        tracemalloc.stop()


def test_what_is_long_counts_all_the_same():
    """The client at the end of a long chain, one with a long scope, and a policy in a long header are as they were."""
    app = Site()
    app.middlewares += [ProxyHeadersMiddleware("*", count=1), SecurityHeadersMiddleware(csp=f"img-src {number(1)}")]
    for _ in range(2):
        answer = wire(app, headers=[("x-forwarded-for", f"{number(1)}, 198.51.100.1")])
        assert (answer.text, len(answer.headers["content-security-policy"]) > LONG) == ("198.51.100.1", True)
        assert wire(app, headers=[("x-forwarded-for", f"fe80::1%{number(1)}")]).text == f"fe80::1%{number(1)}"
