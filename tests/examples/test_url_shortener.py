"""examples/url_shortener: its own tests, and a run on a server with a browser and many clicks at a time."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from openapi_spec_validator import validate
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.client import wait_for
from tests.examples.served import served, visiting
from tests.examples.trials import assert_looks_good, copy_of, passed_in

pytestmark = [pytest.mark.needs("jinja2"), pytest.mark.needs("multipart")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The example on a server."""
    with served("url_shortener", tmp_path_factory.mktemp("site")) as server:
        yield server
        assert "Traceback" not in server.log()


def test_its_own_tests_pass(tmp_path):
    """As the README says that they are run."""
    assert passed_in(copy_of("url_shortener", tmp_path)) >= 51


def test_no_click_is_lost(site):
    """Though many come at the same time; and the document is valid."""
    link = httpx.post(f"{site.url}/api/links", json={"url": "https://example.com/"}).json()
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(httpx.get, [link["short"]] * 12))
    assert {reply.headers["location"] for reply in replies} == {"https://example.com/"}
    key = {"Authorization": f"Bearer {link['key']}"}
    wait_for(lambda: httpx.get(f"{site.url}/api/links/{link['name']}", headers=key).json()["clicks"] == 12)
    validate(httpx.get(f"{site.url}/openapi.json").json())


def test_in_a_browser(site):
    """A link is made, after a fault, remembered, looked at and deleted; all pages look good."""
    with launched() as browser, visiting(browser, site, but=("status of 400",)) as page:
        page.get_by_label("Address").fill("pies")
        page.get_by_role("button", name="Shorten").click()
        expect(page.locator("#url-wrong")).to_contain_text("an address that begins with https://")
        assert_looks_good(page)
        page.get_by_label("Address").fill("https://example.com/<b>pies</b>")
        page.get_by_label("Name").fill("pies")
        page.keyboard.press("Enter")
        expect(page.locator("#yours li")).to_contain_text(["https://example.com/<b>pies</b>"])
        page.reload()
        expect(page.locator("#yours .clicks")).to_have_text("0 clicks")
        assert_looks_good(page)
        page.goto("/pies+")
        expect(page.get_by_role("main")).to_contain_text("<b>pies</b>")
        assert_looks_good(page)
        page.goto("/")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("status")).to_contain_text("is deleted.")
        page.goto("/docs")
        expect(page.get_by_text("/api/links/{name}").first).to_be_visible()
