"""examples/blog: its own tests, and a run on a server with an author and a reader at browsers."""

from xml.etree import ElementTree

import httpx
import pytest
from playwright.sync_api import expect

from tests.batteries.browsing import launched
from tests.examples.served import served, visiting
from tests.examples.trials import assert_looks_good, copy_of, passed_in

pytestmark = [pytest.mark.needs("jinja2"), pytest.mark.needs("multipart")]

PASSWORD = "four words are enough"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)
TEXT = """Hot, **hot** -- "and" `cold`. ![A pie]({picture})

# A heading

> A quotation

| Pie | Minutes |
|---|---|
| apple | 45 |

<script>document.title = "smuggled"</script>
"""


def test_its_own_tests_pass(tmp_path):
    """As the README says that they are run."""
    assert passed_in(copy_of("blog", tmp_path)) >= 50


def test_in_two_browsers(tmp_path):
    """The author uploads a picture and writes; readers see what is published, in a feed too; all pages look good."""
    with (
        served("blog", tmp_path, PASSWORD=PASSWORD) as site,
        launched() as browser,
        visiting(browser, site, http_credentials={"username": "author", "password": PASSWORD}) as author,
        visiting(browser, site) as reader,
    ):
        assert_looks_good(reader)
        author.goto("/desk/pictures")
        author.get_by_label("A new one").set_input_files({"name": "pie.png", "mimeType": "image/png", "buffer": PNG})
        author.get_by_role("button", name="Upload").click()
        picture = author.get_by_label("In a text it is").input_value().partition("(")[2].removesuffix(")")
        assert_looks_good(author)
        author.goto("/desk")
        author.get_by_role("link", name="Write", exact=True).click()
        author.get_by_label("Title").fill("Pies <b>that</b> hold")
        author.get_by_label("Text").fill(TEXT.format(picture=picture))
        author.get_by_role("button", name="Save").click()
        expect(author.get_by_label("Preview").locator("strong")).to_have_text("hot")
        assert_looks_good(author)
        reader.reload()
        expect(reader.get_by_role("main")).to_contain_text("Nothing is written yet")
        author.get_by_label("published").check()
        author.get_by_role("button", name="Save").click()
        author.goto("/desk")
        assert_looks_good(author)
        reader.reload()
        assert_looks_good(reader)
        reader.get_by_role("link", name="Pies <b>that</b> hold").click()
        expect(reader.get_by_role("img")).to_have_js_property("naturalWidth", 1)
        expect(reader).to_have_title("Pies <b>that</b> hold · Crumbs")
        assert_looks_good(reader)
        feed = httpx.get(f"{site.url}/feed")
        assert ElementTree.fromstring(feed.text).tag == "{http://www.w3.org/2005/Atom}feed"
        assert httpx.get(f"{site.url}/feed", headers={"If-None-Match": feed.headers["etag"]}).status_code == 304
        assert httpx.get(f"{site.url}/desk").status_code == 401
        assert "Traceback" not in site.log()
