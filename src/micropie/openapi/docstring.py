"""A handler's docstring, taken apart into a summary, a description and the meaning of its statuses.

A line such as `404: There is no such note.` is about a status.
"""

import re
from typing import NamedTuple

STATUS_LINE = re.compile(r"^\s*([1-5]\d\d): *(\S.*)$", re.MULTILINE)


class Told(NamedTuple):
    """The summary, the description, and the meaning of each status in a docstring."""

    summary: str
    description: str
    statuses: dict[int, str]


def read_docstring(doc: str) -> Told:
    """Take a docstring apart: its first paragraph is the summary, the lines about statuses are no part of the rest."""
    statuses = {int(status): text.strip() for status, text in STATUS_LINE.findall(doc)}
    summary, _, description = STATUS_LINE.sub("", doc).strip().partition("\n\n")
    return Told(" ".join(summary.split()), description.strip(), statuses)
