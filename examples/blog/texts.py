"""Texts: Markdown as HTML, titles as addresses."""

import re
import unicodedata
from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")  # what no feed may contain


def lower_headings(state):
    """The title of the page is its first heading; those of a text come below it."""
    for token in state.tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"


markdown = MarkdownIt("js-default", {"typographer": True})  # it lets no HTML through, and no javascript: links
markdown.core.ruler.push("lower_headings", lower_headings)


@lru_cache(100)
def html_of(text):
    """A text as HTML."""
    return Markup(markdown.render(text))  # noqa: S704 - see above


def cleaned(text):
    """A text of a form as it is kept."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n")).strip()


def slug_of(title):
    """What a title is in a URL: letters, digits, dashes."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))[:60].strip("-") or "post"
