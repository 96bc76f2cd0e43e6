"""Redirects to where a client wants, and not to where an attacker does."""

import pytest

from micropie import App, Controller, safe_redirect
from tests.client import http


class Login(App):
    """Sends whoever has logged in on to where they came from."""

    async def index(self, next="/"):
        return safe_redirect(next, allowed_hosts=["shop.example", "localhost:8000"], fallback="/home")


def target(location: str) -> str | None:
    """Where a client that asks for `location` is sent."""
    answer = http(Login(), "POST", data={"next": location})
    assert answer.status_code == 302
    return answer.headers.get("location")


@pytest.mark.parametrize(
    "location",
    [
        "/",
        "/cart",
        "/cart?item=7#top",
        "/a//b",
        "/a:b",
        "https://shop.example/cart",
        "HTTP://SHOP.example",
        "http://localhost:8000/",
    ],
)
def test_a_target_on_an_allowed_host_is_taken(location):
    """A path of this site, or a URL whose host is named."""
    assert target(location) == location


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "https://user@shop.example/",
        "https:shop.example",
        "//shop.example",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "cart",
        "http://localhost/",
    ],
)
def test_any_other_target_is_the_fallback(location):
    """Another host, another scheme, or what a browser may take for one."""
    assert target(location) == "/home"


@pytest.mark.parametrize("location", [None, 5, b"/x", ["/x"], {"next": "/x"}])
def test_what_is_no_text_is_the_fallback(location):
    """JSON may have anything in the target's place."""

    class Next(App):
        async def index(self):
            return safe_redirect(location, fallback="/home")

    assert http(Next()).headers["location"] == "/home"


@pytest.mark.parametrize("hosts", ["Shop.Example", ["Shop.Example"], ("other.example", "SHOP.EXAMPLE")])
@pytest.mark.parametrize("location", ["https://shop.example/x", "https://SHOP.example/x"])
def test_allowed_hosts_are_compared_without_case(hosts, location):
    """Hosts have none (RFC 3986 §3.2.2); a single one may be given as it is."""

    class Next(App):
        async def index(self):
            return safe_redirect(location, allowed_hosts=hosts)

    assert http(Next()).headers["location"] == location


def test_the_status_can_be_chosen():
    """303 makes a GET of whatever the request was."""

    class See(App):
        async def index(self):
            return safe_redirect("/x", status=303)

    assert http(See()).status_code == 303


# -- for good -------------------------------------------------------------------------------------------


class Moved(Controller):
    async def index(self, **keywords):
        return self._redirect("/new", [("X-Moved", "yes")], **keywords_of(keywords))


class Moving(App):
    branch = Moved()

    async def index(self, **keywords):
        return self._redirect("/new", **keywords_of(keywords))

    async def safe(self, **keywords):
        return safe_redirect("/new", **keywords_of(keywords))


def keywords_of(query):
    """Give the keywords that the query names."""
    return {name: int(value) if name == "status" else value == "yes" for name, value in query.items()}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 302),
        ("status=303", 303),
        ("status=307", 307),
        ("permanent=yes", 301),
        ("permanent=no&status=303", 303),
        ("permanent=yes&status=302", 301),
        ("permanent=yes&status=307", 308),
        ("permanent=yes&status=308", 308),
        ("permanent=yes&status=301", 301),
    ],
)
@pytest.mark.parametrize("path", ["/", "/branch", "/safe"])
def test_a_redirect_may_be_permanent(path, query, status):
    """301 for 302, and 308, which keeps the method and the body, for 307 (RFC 9110 §15.4)."""
    answer = http(Moving(), path=path, query=query)
    assert (answer.status_code, answer.headers["location"]) == (status, "/new")


def test_see_other_is_never_permanent(caplog):
    """The answer to a form is not for good."""
    assert http(Moving(), query="permanent=yes&status=303").status_code == 500
    assert "take 302, or 307 to keep the method" in caplog.text
