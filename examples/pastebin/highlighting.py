"""Texts in colours, by Pygments."""

from functools import lru_cache

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

ALIASES = ("text", "bash", "c", "css", "diff", "go", "html", "javascript", "json", "python", "rust", "sql", "yaml")
LANGUAGES = {alias: get_lexer_by_name(alias).name for alias in ALIASES}
COLOURED = 50_000  # characters; longer ones are shown plain, since colours take a second for 200,000


@lru_cache(32)
def coloured(language, text):
    """The text as HTML: each line a span, each token a span with a class that site.css knows."""
    lexer = get_lexer_by_name(language if len(text) <= COLOURED else "text", stripnl=False)
    return Markup(highlight(text, lexer, HtmlFormatter(cssclass="lines", linespans="L")))  # noqa: S704 - it escapes
