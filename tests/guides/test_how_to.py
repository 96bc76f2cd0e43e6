"""The how-to pages, each played in a folder of its own: servers started, the output of every command compared."""

import re
from collections.abc import Iterator

import pytest

from tests.batteries.browsing import launched
from tests.batteries.redis_server import RedisServer
from tests.guides.pages import DOCS, blocks, typed
from tests.guides.reader import Reader

FOLDER = DOCS / "how-to"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.stem != "index")
PLAYED = [page for page in PAGES if page.stem != "csp" and not page.stem.startswith("coming-from-")]
"""All but those that have a test of their own."""
INSTALLS = "pip install "
"""What pages begin with; the packages are those of the group `test` in pyproject.toml."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server for the pages that want one."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.stem)
def test_page(page, tmp_path, redis):
    """Each command of the page prints what stands below it, and its application has nothing to be mended."""
    folder = tmp_path / "home"
    folder.mkdir()
    installs = [command for block in blocks(page) for command, _ in typed(block) if command.startswith(INSTALLS)]
    reader = Reader(folder, installs, REDIS=redis.url)
    try:
        reader.play(page)
        reader.check()
    finally:
        reader.leave()


def test_the_index_lists_every_page():
    """Those of the folder, and those that the site has under "How to"."""
    index = FOLDER / "index.md"
    listed = {(FOLDER / link).resolve() for link in re.findall(r"\]\(([\w./-]+\.md)", index.read_text("utf-8"))}
    tree = (DOCS / "index.md").read_text("utf-8").partition(":caption: How to\n")[2].partition("```")[0]
    beside = [DOCS / f"{name}.md" for name in re.findall(r"^[\w-]+$", tree, re.MULTILINE)]
    assert DOCS / "sessions.md" in beside
    assert [page.stem for page in [*PAGES, *beside] if page not in listed] == []


def test_the_policy_lets_our_script_run_and_no_other(tmp_path):
    """The page's commands print what it says; the browser runs what has the nonce, and reports what has none."""
    reader = Reader(tmp_path)
    try:
        reader.play(FOLDER / "csp.md")
        with launched() as browser:
            page = browser.new_page()
            with page.expect_response("**/violations") as report:
                page.goto(reader.url)
            assert report.value.status == 204
            assert page.locator("#greeting").inner_text() == "by a script of ours"
            assert page.title() == "Pies"
    finally:
        reader.leave()
    assert "script-src-elem inline" in (tmp_path / "server.log").read_text("utf-8")
