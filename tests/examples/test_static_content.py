"""examples/static_content."""

import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting

STYLE = ":root { color-scheme"
PLACES = ["/static/style.css", "/starlette/style.css", "/servestatic/style.css"]


@pytest.mark.parametrize("path", PLACES)
def test_a_file_in_each_place(client, path):
    """Whole, in part, and not again."""
    whole = client.get(path)
    assert (whole.status_code, whole.text[: len(STYLE)]) == (200, STYLE)
    assert client.get(path, headers={"Range": "bytes=0-4"}).text == STYLE[:5]
    assert client.get(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("place", ["/static", "/starlette", "/servestatic"])
@pytest.mark.parametrize("name", ["/nowhere.css", "/../app.py", "/..%2Fapp.py"])
def test_nothing_else_in_any_place(client, place, name):
    """Neither what is not there nor what is beside it."""
    assert client.get(place + name).status_code == 404


def test_a_report_for_who_may_have_it(client):
    """As a download, under a name for people; only what is in its folder."""
    assert client.get("/report/2030").status_code == 403
    report = client.get("/report/2030?key=let-me-in")
    assert (report.text, report.headers["content-disposition"]) == (
        "Pies baked: 2030\n",
        'attachment; filename="Report 2030.txt"',
    )
    assert client.get("/report/2031?key=let-me-in").status_code == 404


def test_the_page_has_its_files(tmp_path):
    """In a browser, by URLs that change with the files."""
    with served("static_content", tmp_path) as server, launched() as browser, visiting(browser, server) as page:
        expect(page.locator("#script")).to_have_class("ran")
        assert page.locator("img").evaluate("image => image.naturalWidth") > 0
        assert "/static/style.css?v=" in (page.locator("link[rel=stylesheet]").get_attribute("href") or "")
