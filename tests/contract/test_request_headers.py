"""What a request tells of its headers and of who stands between; what hooks give to templates."""

import pytest

from micropie import App, HttpMiddleware, Mount, TrustedProxies, ascii_host
from tests.client import http
from tests.wire import wire


class Site(App):
    async def index(self, name="host"):
        return {"one": self.request.header(name), "all": self.request.headers.get(name)}

    async def default(self):
        return self.request.header("x-none", "default")


@pytest.mark.parametrize(
    ("name", "pairs", "value"),
    [
        ("x-a", [("X-A", "1")], "1"),
        ("x-a", [("X-A", "1"), ("X-B", "2"), ("X-A", "3")], "1, 3"),
        ("x-a", [("X-A", ""), ("X-A", "3")], ", 3"),
        ("x-a", [("X-A", "")], ""),
        ("x-a", [(b"x-a", b" \xe9 \t")], "é"),
        ("cookie", [("Cookie", "a=1"), ("Cookie", "b=2")], "a=1; b=2"),
        ("x-a", [], None),
    ],
)
def test_one_header_is_what_all_headers_have(name, pairs, value):
    """`request.header(name)` is `request.headers.get(name)`."""
    assert wire(Site(), headers=pairs, path=f"/index/{name}").json() == {"one": value, "all": value}


def test_a_header_that_is_missing_has_a_default():
    """The default is None, or the one that is given."""
    assert http(Site(), path="/default").text == "default"


def test_trusted_proxies_reveal_the_client_of_a_request():
    """In a hook before routing, what known proxies tell counts for all that reads the request."""

    class Behind(HttpMiddleware):
        proxies = TrustedProxies("203.0.113.7", host=True)

        def before_routing(self, request):
            assert request.headers["host"] == "testserver"
            self.proxies.reveal(request)

    class Shows(App):
        async def index(self):
            scope, request = self.request.scope, self.request
            return [scope["client"][0], scope["scheme"], request.header("host"), request.headers["host"]]

    app = Shows()
    app.middlewares.append(Behind())
    headers = [("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "Shop.example")]
    assert wire(app, headers=headers).json() == ["9.9.9.9", "https", "shop.example", "shop.example"]


def test_trusted_proxies_contain_addresses():
    """An address is in it, or not."""
    proxies = TrustedProxies("127.0.0.1, 10.0.0.0/8")
    assert ("10.1.2.3" in proxies, "11.1.2.3" in proxies, "proxy" in proxies) == (True, False, False)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("shop.example", "shop.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("a☃.example", "a%E2%98%83.example"),
    ],
)
def test_hosts_in_ascii(host, known):
    """A host is written as IDNA 2008 has it; what no domain may have is percent-encoded, so that it is none."""
    assert ascii_host(host) == known


class Gives(HttpMiddleware):
    def before_routing(self, request):
        request.template_context["given"] = "hook"


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize(
    ("path", "text"), [("/plain", "hook"), ("/keyword", "keyword"), ("/inner", "hook"), ("/context", "context")]
)
def test_hooks_give_values_to_templates(tmp_path, path, text):
    """`request.template_context` is below `_template_context` and keywords, and reaches applications below this one."""
    (tmp_path / "page.html").write_text("{{ given }}")

    class Inner(App):
        async def index(self):
            return await self._render_template("page.html")

    class Context(Inner):
        def _template_context(self):
            return {"given": "context"}

    class Outer(App):
        inner = Inner(templates=tmp_path)
        context = Mount(Context(templates=tmp_path))

        async def plain(self):
            return await self._render_template("page.html")

        async def keyword(self):
            return await self._render_template("page.html", given="keyword")

    app = Outer(templates=tmp_path)
    app.middlewares.append(Gives())
    assert http(app, path=path).text == text
