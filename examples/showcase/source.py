"""The source of what runs, as HTML: read from the class itself, so that a page can't show anything else."""

import inspect
import io
import keyword
import textwrap
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from settings import HERE

KINDS = {tokenize.COMMENT: "c", tokenize.NUMBER: "n"}
TEXTS = {tokenize.STRING, *(value for name, value in vars(tokenize).items() if name.startswith("FSTRING_"))}
BEFORE_NAMES = {"def": "f", "class": "f", "@": "d"}


@dataclass
class Source:
    """The text of a function or a class: where it stands, and as HTML."""

    file: str
    line: int
    name: str
    html: Markup


@cache
def source_of(thing):
    """The source of a handler, a function or a class."""
    thing = inspect.unwrap(thing)
    lines, line = inspect.getsourcelines(thing)
    file = Path(inspect.getsourcefile(thing)).relative_to(HERE)
    return Source(str(file), line, thing.__qualname__, highlighted(textwrap.dedent("".join(lines)).rstrip()))


def highlighted(text):
    """Python as HTML, a span round each token that has a colour."""
    lines = text.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line))
    pieces, done, previous = [], 0, ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start, end = (begins[row - 1] + column for row, column in (token.start, token.end))
        kind = kind_of(token, previous)
        if kind and end > done:
            pieces += [escape(text[done:start]), Markup("<span class={}>{}</span>").format(kind, text[start:end])]
            done = end
        previous = token.string
    return Markup("").join([*pieces, escape(text[done:])])


def kind_of(token, previous):
    """The class of a token's span, a letter; nothing for what has no colour."""
    if token.type == tokenize.NAME:
        return name_kind(token.string, previous)
    if token.string == "@" and token.line.lstrip().startswith("@"):
        return "d"
    return "s" if token.type in TEXTS else KINDS.get(token.type, "")


def name_kind(name, previous):
    """The class of a name, by itself and by what stands before it."""
    if previous in BEFORE_NAMES:
        return BEFORE_NAMES[previous]
    if keyword.iskeyword(name):
        return "k"
    return "v" if name == "self" else ""
