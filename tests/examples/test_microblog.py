"""examples/microblog: its own tests, and a run on a server, where one browser sees what another posts."""

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting
from tests.examples.trials import assert_looks_good, copy_of, passed_in

pytestmark = [pytest.mark.needs("jinja2"), pytest.mark.needs("multipart")]


def test_its_own_tests_pass(tmp_path):
    """As the README says that they are run."""
    assert passed_in(copy_of("microblog", tmp_path)) >= 44


def join(page, name):
    page.goto("/join")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("four words are enough")
    page.get_by_role("main").get_by_role("button", name="Join").click()
    expect(page.get_by_role("status").first).to_contain_text(f"Welcome, {name}!")


def test_in_two_browsers(tmp_path):
    """Two join, one follows the other and sees posts come and go without a reload; all pages look good."""
    with (
        served("microblog", tmp_path) as site,
        launched() as browser,
        visiting(browser, site) as ann,
        visiting(browser, site) as bob,
    ):
        assert_looks_good(ann)
        ann.goto("/join")
        assert_looks_good(ann)
        join(ann, "ann")
        join(bob, "christopher_columbus")
        bob.get_by_role("link", name="People").click()
        assert_looks_good(bob)
        bob.get_by_role("button", name="Follow ann").click()
        expect(bob.get_by_role("status")).to_have_text("You follow ann.")
        assert_looks_good(bob)
        bob.goto("/")
        ann.get_by_label("What is new?").fill("<b>Hot pies</b> for @christopher_columbus")
        expect(ann.locator("#left")).to_have_text("239 characters left")
        ann.keyboard.press("Control+Enter")
        expect(bob.locator(".post .text")).to_have_text(["<b>Hot pies</b> for @christopher_columbus"])
        expect(bob.locator("#live")).to_have_text("New: ann")
        assert_looks_good(ann)
        assert_looks_good(bob)
        ann.get_by_role("button", name="Delete").click()
        expect(bob.locator(".post")).to_have_count(0)
        bob.goto("/login")
        assert_looks_good(bob)
        assert "Traceback" not in site.log()
