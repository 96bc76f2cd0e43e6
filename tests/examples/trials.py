"""What the tests of the larger examples share: their own tests in a copy of the folder, a server, looks at pages.

The examples that come with tests of their own have them in `test_app.py`, as their users would.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.batteries.browsing import DESK, PHONE, READABLE
from tests.batteries.worker_processes import Workers, workers_of
from tests.examples.conftest import EXAMPLES
from tests.integrations.serving import SECONDS, environment

PALETTES: Any = ("light", "dark")

LOOKS = Path(__file__).with_name("looks.js").read_text(encoding="utf-8")


def copy_of(name: str, folder: Path) -> Path:
    """A copy of an example's folder, without what it has stored."""
    ignored = shutil.ignore_patterns("__pycache__", "*.db*", "data")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored))


def passed_in(folder: Path) -> int:
    """How many tests of an example pass, run in its folder as its README says; one that fails is a failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder)]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=2 * SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (count,) = re.findall(r"^(\d+) passed in", ended.stdout, re.MULTILINE)
    return int(count)


@contextmanager
def served(folder: Path, **variables: str) -> Iterator[Workers]:
    """Serve the example of a folder by Uvicorn; a line of its log that tells of a failure is one."""
    log = folder.with_suffix(".log")
    with workers_of("uvicorn", "app:app", log, count=1, folder=folder, port=None, **variables) as server:
        yield server
    failures = [line for line in log.read_text().splitlines() if re.search("ERROR|Traceback|CRITICAL", line)]
    assert failures == []


def is_complaint(message: ConsoleMessage) -> bool:
    """True for an error in a browser's console, but for an answer that says that a form does not fit, or not yet."""
    return message.type == "error" and not re.search(r"the server responded with a status of (400|422)", message.text)


@contextmanager
def watched_page(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page of a visitor of its own; what the browser complains of is a failure."""
    context: BrowserContext = browser.new_context(base_url=url, **options)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert complaints == []


def assert_looks_good(page: Page, pictures: Path | None = None) -> None:
    """Check the looks of a page in both palettes, on a phone and on a desk; keep pictures of it in a folder."""
    for palette in PALETTES:
        page.emulate_media(color_scheme=palette)
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            if pictures is not None:
                name = re.sub(r"\W+", "-", page.url.split("/", 3)[3]) or "index"
                page.screenshot(path=pictures / f"{name}-{palette}-{size['width']}.png", full_page=True)
            assert page.evaluate(LOOKS, READABLE) == [], (page.url, palette, size["width"])
