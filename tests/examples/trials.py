"""What the tests of the larger examples share: a run of their own tests, in a copy of the folder, and looks at pages.

The examples that come with tests of their own have them in `test_app.py`, as their users would.
"""

import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as TooLateError

from tests.batteries.browsing import DESK, PHONE, READABLE
from tests.examples.conftest import EXAMPLES
from tests.examples.served import STORED
from tests.integrations.serving import SECONDS, environment

PALETTES: Any = ("light", "dark")

AXE = Path(sys.prefix) / "node" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = Path(__file__).with_name("looks.js").read_text(encoding="utf-8")


def copy_of(name: str, folder: Path) -> Path:
    """A copy of an example's folder, without what it has stored."""
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=STORED))


def passed_in(folder: Path) -> int:
    """How many tests of an example pass, run in its folder as its README says; one that fails is a failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder)]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=2 * SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (count,) = re.findall(r"^(\d+) passed in", ended.stdout, re.MULTILINE)
    return int(count)


def assert_looks_good(page: Page, pictures: Path | None = None) -> None:
    """Check a page in both palettes, on a phone and on a desk, and by axe-core; keep pictures of it in a folder."""
    for palette in PALETTES:
        page.emulate_media(color_scheme=palette)
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            if pictures is not None:
                name = re.sub(r"\W+", "-", page.url.split("/", 3)[3]) or "index"
                page.screenshot(path=pictures / f"{name}-{palette}-{size['width']}.png", full_page=True)
            with suppress(TooLateError):  # a picture may still be on its way
                page.wait_for_function(f"(least) => ({LOOKS})(least).length === 0", arg=READABLE, timeout=3_000)
            faults = page.evaluate(LOOKS, READABLE)
            assert not faults, (faults, page.url, palette, size["width"])
    assert AXE.is_file(), "run scripts/test once: it installs the packages that these tests need"
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    faults = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert not faults, (faults, page.url)
