"""examples/htmx, in a browser with and without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting

pytestmark = pytest.mark.needs("jinja2")

FROM_HTMX = {"HX-Request": "true"}


def test_the_list_in_a_browser(tmp_path):
    """Items are added, found, ticked off and removed without a page being loaded; without JavaScript they are added."""
    with served("htmx", tmp_path) as server, launched() as browser:
        with visiting(browser, server) as page:
            page.evaluate("document.body.dataset.kept = 'yes'")
            for text in ("Apples", "<b>Butter"):
                page.get_by_label("What is missing?").fill(text)
                page.keyboard.press("Enter")
                expect(page.locator(".item").last).to_contain_text(text)
            expect(page.locator("#count")).to_have_text("2 to buy")
            page.get_by_label("Search").press_sequentially("butt")
            expect(page.locator(".item")).to_have_count(1)
            page.get_by_role("checkbox").check()
            expect(page.locator("#count")).to_have_text("1 to buy")
            expect(page.locator(".item")).to_have_class("item done")
            page.get_by_role("button", name="Remove <b>Butter").click()
            expect(page.locator(".item")).to_have_count(0)
            page.get_by_label("Search").fill("")
            expect(page.locator(".item")).to_have_count(1)
            assert page.evaluate("document.body.dataset.kept") == "yes"
        context = browser.new_context(base_url=server.url, java_script_enabled=False)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("What is missing?").fill("Flour")
        page.keyboard.press("Enter")
        expect(page.locator(".item")).to_have_count(2)
        page.get_by_label("Search").fill("fl")
        page.keyboard.press("Enter")
        expect(page.locator(".item")).to_have_count(1)
        context.close()


def test_a_fault_is_shown_in_the_page(tmp_path):
    """Beside the field, with what was typed; the browser's console complains of the status, and of nothing else."""
    with served("htmx", tmp_path) as server, launched() as browser:
        page = browser.new_page(base_url=server.url)
        page.goto("/")
        page.get_by_label("What is missing?").fill("x" * 61)
        page.keyboard.press("Enter")
        expect(page.locator("#wrong")).to_have_text("expected at most 60 characters")
        expect(page.get_by_label("What is missing?")).to_have_value("x" * 61)


@pytest.mark.parametrize(("headers", "begins"), [(FROM_HTMX, '<section id="items">'), ({}, "<!doctype html>")])
def test_a_part_or_the_whole(client, headers, begins):
    """As the client asks, of the list and of a refused form."""
    for answer in (client.get("/items", headers=headers), client.post("/items", data={}, headers=headers)):
        assert answer.text.startswith(begins)


def test_what_is_not_there_is_not_found(client):
    """Neither to be ticked off nor to be removed."""
    for method in ("PATCH", "DELETE"):
        assert client.request(method, "/items/9").status_code == 404


def test_another_sites_form_is_refused(client):
    """By the headers that browsers send with it."""
    answer = client.post("/items", data={"text": "Mud"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
