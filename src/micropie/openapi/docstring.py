"""What a handler's docstring tells: a summary, a description, and what its statuses mean.

A line such as `404: There is no such note.` is about a status.
"""

import re
from typing import NamedTuple

STATUS_LINE = re.compile(r"^\s*([1-5]\d\d): *(\S.*)$", re.MULTILINE)


class Told(NamedTuple):
    """A docstring, taken apart."""

    summary: str
    description: str
    statuses: dict[int, str]


def read_docstring(doc: str) -> Told:
    """The first paragraph is the summary; the lines about statuses stand by themselves."""
    statuses = {int(status): text.strip() for status, text in STATUS_LINE.findall(doc)}
    summary, _, description = STATUS_LINE.sub("", doc).strip().partition("\n\n")
    return Told(" ".join(summary.split()), description.strip(), statuses)
