"""CSRF, CORS and a policy with a nonce in a real browser; the application is `guarded.py`, served by Uvicorn twice."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integrations.serving import Server, serving

REFUSED = re.compile("403 Forbidden.*Cross-site request refused", re.DOTALL)
ASK = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options);
        return [answer.status, await answer.text()];
    } catch (error) {
        return [error.name, ""];
    }
}"""
TALK = """(url) => new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onmessage = (message) => done(message.data);
    socket.onerror = () => done("refused");
})"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The application, and a neighbour on another port."""
    folder = tmp_path_factory.mktemp("guarded")
    app = "tests.batteries.guarded:app"
    with serving(app, folder / "log") as site, serving(app, folder / "other") as neighbour:
        yield site, neighbour


@pytest.fixture
def site(servers: tuple[Server, Server]) -> str:
    """The site's origin."""
    return servers[0].url


@pytest.fixture
def neighbour(servers: tuple[Server, Server]) -> str:
    """An origin on the same host: the same site, by the browser's rules."""
    return servers[1].url


@pytest.fixture
def stranger(servers: tuple[Server, Server]) -> str:
    """An origin of another site."""
    return servers[1].url.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


ENCTYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]


def submit(page: Page, origin: str, action: str, enctype: str) -> None:
    """Open a form, and send it."""
    page.goto(f"{origin}/form?{urlencode({'action': action, 'enctype': enctype})}")
    page.get_by_role("button").click()


def changes(page: Page, site: str) -> str:
    """How often something was changed."""
    page.goto(f"{site}/changed")
    return page.inner_text("body")


@pytest.mark.parametrize("enctype", ENCTYPES)
def test_the_sites_own_forms_pass(page, site, enctype):
    """A form of the site's own needs nothing in it."""
    submit(page, site, "/change", enctype)
    expect(page.locator("body")).to_have_text("changed")


@pytest.mark.parametrize("enctype", ENCTYPES)
@pytest.mark.parametrize("attacker", ["stranger", "neighbour"])
def test_forms_of_others_are_refused(page, site, attacker, enctype, request):
    """A form on another site's page, or a neighbour's, changes nothing."""
    before = changes(page, site)
    submit(page, request.getfixturevalue(attacker), f"{site}/change", enctype)
    expect(page.locator("body")).to_have_text(REFUSED)
    assert changes(page, site) == before


@pytest.mark.parametrize("attacker", ["stranger", "neighbour"])
def test_scripts_of_others_change_nothing(page, site, attacker, request):
    """A script that does not even want to read the reply is refused too, with the visitor's cookies or without."""
    before = changes(page, site)
    page.goto(request.getfixturevalue(attacker))
    for credentials in ("include", "omit"):
        options = {"method": "POST", "mode": "no-cors", "credentials": credentials, "body": "a=1"}
        assert page.evaluate(ASK, [f"{site}/change", options]) == [0, ""]
    assert changes(page, site) == before


@pytest.mark.parametrize(
    ("method", "number", "answer"),
    [
        ("GET", 7, [200, '{"number":7,"method":"GET"}']),
        ("PUT", 7, [200, '{"number":7,"method":"PUT"}']),
        ("PUT", "x", [400, "Invalid value for parameter 'number': expected an integer"]),
    ],
)
def test_a_friends_scripts_read_replies_and_errors(page, site, neighbour, method, number, answer):
    """A script of an allowed origin passes the browser's preflight, and reads errors too."""
    page.goto(neighbour)
    headers = {} if method == "GET" else {"content-type": "application/json"}
    options = {"method": method, "credentials": "include", "headers": headers}
    status, text = page.evaluate(ASK, [f"{site}/api/{number}", options])
    assert [status, json.loads(text)["detail"] if status >= 400 else text] == answer


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_strangers_scripts_read_nothing(page, site, stranger, method):
    """The browser keeps replies from everybody else."""
    page.goto(stranger)
    assert page.evaluate(ASK, [f"{site}/api/7", {"method": method}]) == ["TypeError", ""]


def test_a_friend_without_the_header_that_it_needs(page, site, neighbour):
    """A request header that is not allowed stops the request in the browser."""
    page.goto(neighbour)
    assert page.evaluate(ASK, [f"{site}/api/7", {"headers": {"x-secret": "1"}}]) == ["TypeError", ""]


def test_websockets(page, site, stranger):
    """A page of the site's own may open a WebSocket, one of another site's may not."""
    socket = site.replace("http", "ws") + "/echo"
    page.goto(site)
    assert page.evaluate(TALK, socket) == "welcome"
    page.goto(stranger)
    assert page.evaluate(TALK, socket) == "refused"


def test_only_scripts_with_the_nonce_run(page, site):
    """The policy lets the page's own script run, and no other."""
    page.goto(f"{site}/scripts")
    expect(page).to_have_title("none own")


def test_nobody_frames_the_page(page, site, neighbour):
    """A page of the site is not shown in another one's frame."""
    page.goto(neighbour)
    page.evaluate(
        """(url) => new Promise((done) => {
            const frame = document.createElement("iframe");
            frame.onload = done;
            frame.src = url;
            document.body.append(frame);
        })""",
        site,
    )
    assert [frame.title() for frame in page.frames[1:]] != ["Home"]
