"""The pages for those who come from elsewhere: both applications are served, and asked the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.guides.pages import DOCS, blocks, write_files
from tests.guides.reader import PATIENCE, Reader

PAGES = sorted((DOCS / "how-to").glob("coming-from-*.md"))
ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \| (\d+) \| (\d+) \|", re.MULTILINE)
"""A request, the status that the other framework answers, and ours."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in an empty folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    reader = Reader(folder)
    yield reader
    reader.leave()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_both_applications_answer_alike(page, reader):
    """What stands below each command is what both answer, and the table has the statuses in which they differ."""
    write_files(page, reader.folder)
    for file in reader.folder.glob("*.py"):
        file.write_text(file.read_text("utf-8").replace("8000", str(reader.port)), "utf-8")
    commands = [line for block in blocks(page) if block.language == "bash" for line in block.text.splitlines()]
    rows = ROW.findall(page.read_text("utf-8"))
    assert len(commands) == 2
    assert rows
    for column, command in enumerate(commands, 2):
        reader.start(command)
        for block in blocks(page):
            if block.language == "console":
                reader.type(block)
        statuses = [(method, path, str(status(reader.url + path, method))) for method, path, *_ in rows]
        assert statuses == [(row[0], row[1], row[column]) for row in rows]


def status(url: str, method: str) -> int:
    """The status of a reply."""
    return httpx.request(method, url, timeout=PATIENCE).status_code
