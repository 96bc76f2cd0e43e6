"""A handler's docstring, taken apart into a summary, a description and the meaning of its statuses.

A line such as `404: There is no such note.` is about a status, and so is `OutOfStock: There are too few.` where that is
a subclass of `HTTPError` with a status of its own.
"""

import re
from collections.abc import Mapping
from inspect import cleandoc, unwrap
from typing import Any, NamedTuple

from micropie import HTTPError, Route

MEANING = re.compile(r"^[ \t]*(?::raises +)?([1-5]\d\d|[^\W\d]\w*): *(\S.*)\n?", re.MULTILINE)
DEPRECATED = re.compile(r"^[ \t]*(\.\. deprecated::|Deprecated[.:])", re.MULTILINE)
HEADING = re.compile(r"^[ \t]*Raises:[ \t]*\n(?=[ \t]*$|\Z)", re.MULTILINE)
"""A heading that has nothing below it any more."""


class Told(NamedTuple):
    """The summary, the description, the meaning of each status in a docstring, and whether it says `Deprecated:`."""

    summary: str
    description: str
    statuses: dict[int, str]
    is_deprecated: bool


def own_docstring(cls: Any) -> str:
    """The docstring of a class, without its indentation; "" if it has none, whatever its bases have.

    Not from `cls.__dict__`: the one that `dataclass` writes is a descriptor there from Python 3.15 on.
    """
    return cleandoc(cls.__doc__) if isinstance(cls.__doc__, str) else ""


def told_by(route: Route) -> Told:
    """What the docstring of a handler tells; the names of exceptions in it are those of the handler's module."""
    return read_docstring(route.doc, getattr(unwrap(route.handler), "__globals__", {}))


def read_docstring(doc: str, names: Mapping[str, Any]) -> Told:
    """Take a docstring apart: its first paragraph is the summary, the lines about statuses are no part of the rest."""
    meanings: dict[int, list[str]] = {}

    def taken(line: re.Match[str]) -> str:
        status = status_of(line[1], names)
        if status is None:
            return line[0]
        meanings.setdefault(status, []).append(line[2].strip())
        return ""

    rest = HEADING.sub("", MEANING.sub(taken, doc))
    summary, _, description = rest.strip().partition("\n\n")
    statuses = {status: " ".join(texts) for status, texts in meanings.items()}
    shown = re.sub(r"\n(\s*\n){2,}", "\n\n", description.strip())
    return Told(" ".join(summary.split()), shown, statuses, DEPRECATED.search(rest) is not None)


def status_of(word: str, names: Mapping[str, Any]) -> int | None:
    """The status that a word means: a number, or the name of an `HTTPError` that declares one."""
    if word.isdecimal():
        return int(word)
    named = names.get(word)
    is_error = isinstance(named, type) and issubclass(named, HTTPError)
    return getattr(named, "status", None) if is_error else None
