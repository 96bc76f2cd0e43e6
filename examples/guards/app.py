"""The guards of a public site, a line each: a log, hosts, CORS, CSRF, security headers, ETags, compression, rates.

They are middlewares as those of the example `middleware`. The order is that of the list: what writes the log sees also
what the others refuse, a preflight is answered before anything asks for cookies, and what is compressed has its hash by
then. The limit, whose key is one of ours, is the last, so that its 429 has the headers of all others.
"""

import os

from micropie import App, Controller, methods
from micropie.auth import BearerAuth, same_secret
from micropie.middleware import (
    AccessLogMiddleware,
    CompressionMiddleware,
    CORSMiddleware,
    CSRFMiddleware,
    ETagMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
    client_address,
)

FRIEND = "https://friend.example"
TOKEN = os.environ.get("TOKEN", "let-me-in")
POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Orders</title>
<style nonce="{nonce}">body {{ font: 1.05rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 36rem; }}</style>
<h1>Orders</h1>
<form method="post" action="/order"><button>Order a pie</button></form>
<p>{filler}</p>
</html>
"""


def who_orders(request):
    """Whose orders are counted; those who only look are not. A key of your own may as well be a user's id."""
    return client_address(request) if request.method == "POST" else None


class Staff(Controller):
    """A branch may have a guard of its own, behind those of the application."""

    _before = BearerAuth(lambda token: "staff" if same_secret(token, TOKEN) else None)

    async def index(self):
        return "The back room"


class Shop(App):
    """``/`` is a page with a form, ``/order`` takes it, ``/prices`` is for scripts of a friend's site."""

    staff = Staff()

    def __init__(self):
        super().__init__(surplus_path_status=404)
        self.middlewares += [
            AccessLogMiddleware(json=True),
            TrustedHostMiddleware(["localhost", "127.0.0.1"]),
            CORSMiddleware([FRIEND]),
            CSRFMiddleware(),
            SecurityHeadersMiddleware(csp=POLICY),
            ETagMiddleware(),
            CompressionMiddleware(),
            RateLimitMiddleware("5/minute", key=who_orders),  # in Redis for several workers: store="redis://…"
        ]

    async def index(self):
        # Each request has a nonce of its own, so this page is another one each time, and no cache may keep it.
        nonce = self.request.template_context["csp_nonce"]
        return 200, PAGE.format(nonce=nonce, filler="Pies. " * 300), [("Cache-Control", "no-store")]

    @methods("POST")
    async def order(self):
        return 201, {"ordered": "a pie"}

    async def prices(self):
        return {f"pie {number}": number * 2 for number in range(200)}


app = Shop()
