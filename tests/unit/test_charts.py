"""The page docs/performance.md and its pictures are what the saved results give."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "charts.py"
IMAGES = sorted((ROOT / "docs" / "images").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def charts(root, *arguments):
    """Run the script on a checkout; give its exit status and its lines."""
    command = [sys.executable, SCRIPT, "--root", root, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


@pytest.fixture
def checkout(tmp_path):
    """Give a copy of what the script reads and writes."""
    for folder in ("benchmarks/results", "docs/images"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in ("benchmarks/instructions.json", "docs/performance.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def change(file, function):
    """Rewrite a JSON file by a function that changes what is in it."""
    content = json.loads(file.read_text())
    function(content)
    file.write_text(json.dumps(content))


def test_page_and_pictures_are_up_to_date():
    """What is committed is what the committed results give, to the byte."""
    assert charts(ROOT, "--check") == (0, [])


def test_another_result_changes_what_shows_it(checkout):
    """A changed result makes page and pictures stale; the check names them, and drawing them mends it."""
    results = checkout / "benchmarks" / "results" / "inprocess.json"
    change(results, lambda report: report["results"]["json"]["micropie"].update(overhead=123.4))
    stale = ["docs/images/overhead.svg", "docs/performance.md"]
    advice = "is not what the results give: run scripts/bench charts"
    assert charts(checkout, "--check") == (1, [f"{file} {advice}" for file in stale])
    assert charts(checkout) == (0, [f"wrote {file}" for file in stale])
    assert charts(checkout, "--check") == (0, [])
    assert all("123" in (checkout / file).read_text("utf-8") for file in stale)


def test_turns_that_were_disturbed_are_marked(checkout):
    """The figure of a server that had to wait for its core has a star, and the page says why."""

    def disturb(report):
        for by_workload in report["results"].values():
            for by_peer in by_workload.values():
                for result in by_peer.values():
                    result.update(waited=0.25, repeated=0, given_up=0)
        report["results"]["uvicorn"]["json"]["micropie"].update(share=0.77, cpu=44.25, repeated=8, given_up=2)

    change(checkout / "benchmarks" / "results" / "server.json", disturb)
    charts(checkout)
    page = (checkout / "docs" / "performance.md").read_text("utf-8")
    assert "| 0.77 (44.2 + 0.25 µs)\\* |" in page
    assert "8 turns were repeated" in page
    assert "2 such turns are counted all the same" in page


def test_other_pythons_have_a_row_each(checkout):
    """A run with another Python is a row, whose build its file names; the smaller overhead is bold."""
    found: dict[str, Any] = {"results": {}}
    for name in json.loads((checkout / "benchmarks/results/inprocess.json").read_text())["results"]:
        found["results"][name] = {
            "micropie": {"overhead": 1.25, "note": None},
            "blacksheep": {"overhead": 2.5 if name == "json" else 1.0, "note": None},
        }
    found["results"]["sync"]["blacksheep"]["note"] = "on the loop"
    folder = checkout / "benchmarks" / "results" / "pythons"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "3.11-debian.json").write_text(json.dumps({"python": "3.11.99", **found}))
    charts(checkout)
    page = (checkout / "docs" / "performance.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if "3.11.99" in line)
    assert row.startswith("| 3.11.99 (Debian) | **1.2**, 2.5 | 1.2, **1.0** |")
    assert "| 1.2, 1.0\\* |" in row


def test_figures_on_the_page_are_not_typed(checkout):
    """A table that somebody edits is stale."""
    page = checkout / "docs" / "performance.md"
    page.write_text(page.read_text("utf-8").replace("| MicroPie |", "| MicroPie | 0.1 |", 1), "utf-8")
    assert charts(checkout, "--check")[0] == 1


def test_who_is_ahead_is_named(checkout):
    """The page says where a peer's request costs clearly less than ours, and only there."""

    def rewrite(report):
        for by_peer in report["results"].values():
            for result in by_peer.values():
                if "overhead" in result:
                    result.update(cost=10.0, overhead=8.0, quartiles=[9.5, 10.5], note=None)
        report["results"]["json"]["falcon"].update(cost=5.0, overhead=3.0)
        report["results"]["path"]["falcon"].update(cost=9.8, overhead=7.8)

    change(checkout / "benchmarks" / "results" / "inprocess.json", rewrite)
    charts(checkout)
    page = (checkout / "docs" / "performance.md").read_text("utf-8")
    assert "<!-- figures: behind -->\n- `json`: 8.0 µs here; Falcon 3.0\n<!-- end -->" in page


@pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.stem)
def test_pictures_can_be_read_aloud(file):
    """A picture has a title, and a description that holds every text in it."""
    picture = ElementTree.parse(file).getroot()
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title")
    description = picture.findtext(f"{SVG}desc") or ""
    texts = [piece.strip() for text in picture.iter(f"{SVG}text") for piece in text.itertext()]
    assert [text for text in texts if text not in description] == []


def test_pictures_are_those_of_the_page():
    """Every picture is shown on the page, and every picture on it is there."""
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert {f"(images/{file.name})" for file in IMAGES} == {
        f"({part.partition(')')[0]})" for part in page.split("](")[1:] if part.startswith("images/")
    }
