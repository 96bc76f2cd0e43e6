"""The page of findings is made of the scripts' heads: what was guessed, what is seen, and with which versions."""

import re
from pathlib import Path

import findings
import pytest

FOLDER = Path(__file__).parents[2] / "findings"
ROWS = dict(re.findall(r"^\| \[(\w+)\]\(\1\.sh\) \| (.*) \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("finding", findings.read(FOLDER), ids=lambda finding: finding.name)
def test_a_finding_says_what_it_was_seen_with(finding):
    """Its head has all parts; the row in the folder's README is there, and names no version that the script has not."""
    assert finding.subject
    assert finding.guess
    assert finding.seen
    assert finding.versions
    named = set(re.findall(r"\b\d+(?:\.\d+)+\b", ROWS[finding.name]))
    assert named <= {version for _, version in finding.versions}


def test_every_row_has_a_script():
    """The README lists nothing that is gone."""
    assert ROWS.keys() == {finding.name for finding in findings.read(FOLDER)}


def test_every_finding_is_on_the_site(site):
    """With its own heading, and the link to its script."""
    page = (site / "findings.html").read_text("utf-8")
    assert [
        finding.name for finding in findings.read(FOLDER) if f"files/findings/{finding.name}.sh.html" not in page
    ] == []


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("echo", "odd.sh has no comment at its top"),
        ("# One thing.\n#\n# Seen: another.\n", "odd.sh must say: what it is about, an empty line, Guess: …, Seen: …"),
    ],
)
def test_a_head_that_says_less_is_refused(tmp_path, head, message):
    """The site is not built without it."""
    (tmp_path / "odd.sh").write_text(f"#!/usr/bin/env bash\n{head}", "utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        findings.read(tmp_path)
