"""examples/pastebin: its own tests, and a run on a server with a browser and readers in a race."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting
from tests.examples.trials import assert_looks_good, copy_of, passed_in

pytestmark = [pytest.mark.needs("jinja2"), pytest.mark.needs("multipart")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The example on a server."""
    with served("pastebin", tmp_path_factory.mktemp("site")) as server:
        yield server
        assert "Traceback" not in server.log()


def test_its_own_tests_pass(tmp_path):
    """As the README says that they are run."""
    assert passed_in(copy_of("pastebin", tmp_path)) >= 43


def test_of_many_readers_one_gets_what_can_be_read_once(site):
    """Though all of them come at the same time."""
    url = httpx.post(f"{site.url}/p", data={"text": "the key", "once": "yes"}).text.strip()
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(httpx.post, [url.replace("/p/", "/p/open/")] * 8))
    assert [(reply.status_code, reply.text) for reply in replies if reply.status_code not in (404, 410)] == [
        (200, "the key")
    ]


def test_in_a_browser(site):
    """A text is pasted, looked at, shared to be read once, and deleted; all pages look good."""
    with launched() as browser, visiting(browser, site) as page:
        assert_looks_good(page)
        page.get_by_role("textbox", name="Text").fill("def bake(pie):\n    return f'<b>{pie}</b>'  # hot\n")
        page.get_by_label("Language").select_option("python")
        page.get_by_role("button", name="Paste").click()
        expect(page.locator(".code .k").first).to_have_text("def")
        assert page.locator(".code [id^=L-]").count() == 2
        assert_looks_good(page)
        address = page.url
        page.get_by_role("link", name="Plain").click()
        assert page.evaluate("document.contentType") == "text/plain"
        page.goto(address)
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("status")).to_have_text("It is deleted.")
        page.get_by_role("textbox", name="Text").fill("the key")
        page.get_by_label("can be read once").check()
        page.get_by_role("button", name="Paste").click()
        assert_looks_good(page)
        page.get_by_role("button", name="Open it").click()
        expect(page.locator(".code")).to_contain_text("the key")
        assert_looks_good(page)
