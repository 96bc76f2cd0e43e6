"""The site in a real browser: nothing leaves, nothing complains, everything is found and fits."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.batteries.browsing import DESK, PHONE, watched

AXE = Path(sys.prefix) / "node" / "node_modules" / "axe-core" / "axe.min.js"
FAILED = 400
PAGES = ("index", "guide", "api/websocket", "comparison", "findings")


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose every complaint, and every request to another host, is a failure."""
    with watched(browser) as (page, complaints):
        page.on(
            "request", lambda sent: None if sent.url.startswith((address, "data:")) else complaints.append(sent.url)
        )
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= FAILED else None)
        yield page
    assert complaints == []


def test_the_search_finds_a_public_name(page, address):
    """Without a server's help: what is typed at the side leads to the class and to the guide."""
    page.goto(address + "/index.html")
    field = page.get_by_role("textbox", name="Search").first
    field.fill("StaticFiles")
    field.press("Enter")
    results = page.locator("#search-results ul.search li a")
    expect(results.first).to_contain_text("StaticFiles")
    found = results.evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert [href for href in found if href.startswith("api/static.html#micropie.static.StaticFiles")] != []


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_pages_are_as_wide_as_the_window(page, address, viewport):
    """Tables and code scroll within themselves."""
    page.set_viewport_size(viewport)
    for name in PAGES:
        page.goto(f"{address}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name


def test_there_is_a_dark_and_a_light_scheme(page, address):
    """That of the system, until the reader chooses."""
    seen = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(address + "/index.html")
        seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen == ["rgb(255, 255, 255)", "rgb(19, 20, 22)"]


def test_everybody_can_read_the_pages(page, address):
    """axe-core finds nothing serious, on a phone, where code and tables scroll; in the dark colours differ, no more."""
    page.set_viewport_size(PHONE)
    axe = AXE.read_text("utf-8")
    for name in PAGES:
        page.emulate_media(color_scheme="light")
        page.goto(f"{address}/{name}.html")
        page.evaluate(axe)
        assert serious(page, {}) == [], name
        page.emulate_media(color_scheme="dark")
        assert serious(page, {"runOnly": ["color-contrast"]}) == [], name


def serious(page: Page, options: dict[str, Any]) -> list[str]:
    """What axe-core finds that keeps somebody from reading the page."""
    found = page.evaluate("options => axe.run({...options, resultTypes: ['violations']})", options)["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]
