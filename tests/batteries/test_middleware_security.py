"""Security headers: what goes out with which reply."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from micropie import App, HTTPError, Mount
from micropie.middleware import ProxyHeadersMiddleware, SecurityHeadersMiddleware
from tests.client import http
from tests.wire import websocket, wire

DEFAULTS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "frame-ancestors 'none'",
}
HSTS = {"strict-transport-security": "max-age=31536000"}
NAMES = {*DEFAULTS, *HSTS}


async def foreign(scope, receive, send):
    """Another ASGI application."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]})
    await send({"type": "http.response.body", "body": b"foreign"})


class Inner(App):
    async def index(self):
        return await self._render_template("page.html")


class Site(App):
    files = Mount(foreign)

    async def index(self):
        return "index"

    async def json(self):
        return {"a": 1}

    async def fails(self):
        raise RuntimeError("secret")

    async def refused(self):
        raise HTTPError(403)

    async def stream(self):
        yield "a"
        yield "b"

    async def breaks(self):
        raise RuntimeError("secret")
        yield "a"

    async def framed(self):
        return 200, "framed", {"X-FRAME-OPTIONS": "SAMEORIGIN", "content-security-policy": "default-src 'self'"}

    async def nonce(self):
        return self.request.template_context["csp_nonce"]

    async def page(self):
        return await self._render_template("page.html")

    async def ws_index(self, ws):
        await ws.accept()


def site(cls=Site, templates="templates", **keywords):
    app = cls(templates=templates)
    app.middlewares.append(SecurityHeadersMiddleware(**keywords))
    return app


def sent(answer):
    return {name: answer.headers[name] for name in answer.headers if name in NAMES}


def over_https(app, path="/", host="shop.example", **keywords):
    return wire(app, path=path, host=host, scope={"scheme": "https"}, **keywords)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200), ("/json", 200), ("/stream", 200), ("/refused", 403), ("/nowhere", 404), ("/fails", 500),
        ("/breaks", 500),
    ],
)  # fmt: skip
def test_every_reply_has_them(path, status):
    """Pages, JSON, errors and streams go out with the defaults, each once."""
    answer = http(site(), path=path)
    assert (answer.status_code, sent(answer)) == (status, DEFAULTS)
    assert all(len(answer.headers.get_list(name)) == 1 for name in DEFAULTS)


def test_a_mounted_reply_has_them():
    """So do a mounted application's replies, but for what they say themselves."""
    assert sent(http(site(), path="/files/x")) == {**DEFAULTS, "x-frame-options": "SAMEORIGIN"}


def test_a_reply_may_have_its_own():
    """A header that the handler has set wins."""
    own = {"x-frame-options": "SAMEORIGIN", "content-security-policy": "default-src 'self'"}
    assert sent(http(site(), path="/framed")) == {**DEFAULTS, **own}


@pytest.mark.parametrize("host", ["shop.example", "shop.example:8443", "SHOP.example"])
def test_hsts_over_https(host):
    """Over https browsers are told to come back that way."""
    assert sent(over_https(site(), host=host)) == {**DEFAULTS, **HSTS}


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "a.localhost", "127.0.0.1:8443", "192.0.2.7", "192.0.2.7:443", "[2001:db8::1]", ""],
)
def test_no_hsts_for_this_machine_and_addresses(host):
    """A browser would pin every other server on this machine, and doesn't take it for addresses."""
    assert sent(over_https(site(), host=host)) == DEFAULTS


def test_hsts_behind_a_proxy():
    """The scheme is what the proxy tells."""
    app = site()
    app.middlewares.insert(0, ProxyHeadersMiddleware(["203.0.113.7"]))
    assert sent(wire(app, host="shop.example", headers=[("x-forwarded-proto", "https")])) == {**DEFAULTS, **HSTS}


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        (
            {"frames": "SAMEORIGIN"},
            {"x-frame-options": "SAMEORIGIN", "content-security-policy": "frame-ancestors 'self'"},
        ),
        ({"frames": None}, {"x-frame-options": None, "content-security-policy": None}),
        ({"csp": "default-src 'self';"}, {"content-security-policy": "default-src 'self'; frame-ancestors 'none'"}),
        ({"csp": "frame-ancestors *"}, {"content-security-policy": "frame-ancestors *"}),
        ({"referrer_policy": "no-referrer"}, {"referrer-policy": "no-referrer"}),
        (
            {"permissions_policy": None, "opener_policy": None},
            {"permissions-policy": None, "cross-origin-opener-policy": None},
        ),
        ({"nosniff": False, "referrer_policy": None}, {"x-content-type-options": None, "referrer-policy": None}),
        ({"hsts": None}, {"strict-transport-security": None}),
        ({"hsts": "max-age=60; includeSubDomains"}, {"strict-transport-security": "max-age=60; includeSubDomains"}),
    ],
)
def test_settings(keywords, expected):
    """Each header is a setting; None sends none."""
    wanted = {name: value for name, value in {**DEFAULTS, **HSTS, **expected}.items() if value is not None}
    assert sent(over_https(site(**keywords))) == wanted


def test_frames_are_a_choice_of_two():
    """Anything else would mean nothing to a browser."""
    with pytest.raises(ValueError, match="'DENY', 'SAMEORIGIN' or None is accepted"):
        SecurityHeadersMiddleware(frames="deny")


@pytest.mark.parametrize("csp", ["default-src 'self';\nscript-src 'self'", "script-src\n'nonce-{nonce}'"])
def test_a_policy_is_one_line(csp):
    """A line break, with which no header goes out, is refused when the middleware is made."""
    with pytest.raises(ValueError, match=r"'Content-Security-Policy': .* may not go out"):
        SecurityHeadersMiddleware(csp=csp)


NONCED = "script-src 'nonce-{nonce}'"


def nonce_in(answer):
    """The nonce of a reply's policy."""
    found = re.fullmatch(
        "script-src 'nonce-([A-Za-z0-9_-]{22})'; frame-ancestors 'none'", answer.headers["content-security-policy"]
    )
    assert found is not None
    return found[1]


def test_each_reply_has_a_nonce_of_its_own():
    """The nonce in the policy is the one that the handler sees, and another one in each reply."""
    app = site(csp=NONCED)
    answers = [http(app, path="/nonce") for _ in range(3)]
    assert [answer.text for answer in answers] == [nonce_in(answer) for answer in answers]
    assert len({answer.text for answer in answers}) == 3


def test_a_reply_that_was_answered_before_has_one_too():
    """An answer of a hook in front has a nonce as well."""
    app = site(csp=NONCED)
    app.middlewares.insert(0, ProxyHeadersMiddleware())
    app.middlewares[0].before_routing = lambda request: {"body": "early"}
    answer = http(app)
    assert (answer.text, len(nonce_in(answer))) == ("early", 22)


@pytest.mark.needs("jinja2")
def test_templates_have_the_nonce(tmp_path):
    """In templates it is `csp_nonce`, in those of an application below this one too, and autoescape leaves it alone."""
    (tmp_path / "page.html").write_text("<script nonce='{{ csp_nonce }}'></script>")

    class Above(Site):
        inner = Inner(templates=tmp_path)

    app = site(Above, tmp_path, csp=NONCED)
    for path in ("/page", "/inner"):
        answer = http(app, path=path)
        assert answer.text == f"<script nonce='{nonce_in(answer)}'></script>"


@pytest.mark.needs("jinja2")
def test_templates_may_overrule_the_context_of_hooks(tmp_path):
    """What a hook gives to templates is below `_template_context` and the keywords of the call."""
    (tmp_path / "page.html").write_text("{{ csp_nonce }}")

    class Overrules(Site):
        def _template_context(self):
            return {"csp_nonce": "own"}

    assert http(site(Overrules, tmp_path, csp=NONCED), path="/page").text == "own"


def test_websockets_are_left_alone():
    """A handshake has no page."""
    assert websocket(site(csp=NONCED)).accepted


def test_the_docs_have_the_hash_of_the_style_of_error_pages():
    """A policy that names it (CSP §6.7.3.3) shows the framework's page as it is meant."""
    page = http(Site(), path="/missing", headers=[("Accept", "text/html")]).text
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    docs = Path(__file__).parents[2] / "docs" / "middleware.md"
    assert f"'sha256-{digest}'" in docs.read_text(encoding="utf-8")
