"""The debug pages in a real browser; the application is `failing.py`, served by Uvicorn."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.batteries.browsing import DESK, PHONE, READABLE, contrast
from tests.integrations.serving import Server, serving

FAILURE, NOWHERE = "/orders/7?token=abc", "/gret/Ann"
PACKAGES = re.compile("frames? of packages")
TOLD = re.compile("the server responded with a status of (404|500)|frame-ancestors")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application."""
    with serving("tests.batteries.failing:app", tmp_path_factory.mktemp("failing") / "log") as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of the server; what the browser complains of is a failure, but for the status."""
    complaints: list[str] = []
    context = browser.new_context(viewport=DESK, base_url=server.url, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    assert [text for text in complaints if not TOLD.search(text)] == []


def test_a_failure_is_told_where_it_happened(page):
    """The headline, the open frame with its line, the variables, the cause below."""
    page.goto(FAILURE)
    expect(page.locator("h1")).to_have_text("LookupError no <b>order</b> 7 1507")
    here = page.locator("details[open] .here").first
    expect(here).to_contain_text("raise LookupError(")
    expect(page.locator("dd", has_text="hunter2")).to_have_count(0)
    expect(page.locator("h2", has_text="Raised because of")).to_contain_text("KeyError 7")
    expect(page.locator("b")).to_have_count(0)
    expect(page.get_by_text(PACKAGES).first).to_be_visible()


def test_copy_as_text(page):
    """The whole of it, as programs get it."""
    page.goto(FAILURE)
    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("GET http://127.0.0.1")
    assert "LookupError: no <b>order</b> 7 1507\nTraceback (most recent call last):\n" in copied
    assert "password = ••••••" in copied


def test_frames_open_by_keyboard(page):
    """And what has the focus is seen."""
    page.goto(FAILURE)
    page.get_by_role("button", name="Copy as text").focus()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_contain_text(PACKAGES)
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(".others .frame").first).to_be_visible()


def test_a_near_route_is_a_click_away(page):
    """From the page of a wrong path."""
    page.goto(NOWHERE)
    expect(page.locator("h1")).to_have_text("404 Not Found nothing answers this")
    page.locator("section", has_text="Did you mean").get_by_role("link", name="/greet").click()
    expect(page.locator("body")).to_have_text("Hello, Guest!")


def test_the_page_loads_nothing(page):
    """It is one reply."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(FAILURE)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [page.url]


def test_another_page_cannot_frame_it(page):
    """The browser refuses."""
    page.goto("/greet")
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {src: '/orders/7'}))")
    expect(page.frame_locator("iframe").get_by_text("LookupError")).to_have_count(0)


@pytest.mark.parametrize("path", [FAILURE, NOWHERE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(page, scheme, path):
    """Every kind of text."""
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
    shown = page.locator(
        "h1, h2, h2 small, .kind, .what, .place, .line, .number, mark, dt, dd, summary, button, a, .why, .verbs, footer"
    )
    contrasts = [(one.inner_text(), contrast(one)) for one in shown.all()[:150]]
    assert len(contrasts) > 10
    assert [(text, ratio) for text, ratio in contrasts if ratio < READABLE] == []


@pytest.mark.parametrize("path", [FAILURE, NOWHERE])
@pytest.mark.parametrize("size", [PHONE, DESK])
def test_no_sideways_scrolling(page, path, size):
    """With everything open; source scrolls by itself."""
    page.set_viewport_size(size)
    page.goto(path)
    page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
