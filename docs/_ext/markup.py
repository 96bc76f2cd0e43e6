"""What the pages' HTML lacks for those who read it by keyboard or by ear, mended before it is written."""

import re
from typing import Any

from sphinx.application import Sphinx

AFTER_THE_THEME = 900
SIGNATURE = re.compile(r'<dt class="sig.*?</dt>', re.DOTALL)
EMPTY_HEAD = re.compile(r'<thead>\s*<tr class="row-odd">(?:<th class="head"><p></p></th>\s*)+</tr>\s*</thead>')
SPANS = {
    "<dl>": '<span class="sig-lines">',
    "</dl>": "</span>",
    "<dd>": '<span class="sig-line">',
    "</dd>": "</span>",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("html-page-context", mend, priority=AFTER_THE_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mend(_app: Sphinx, _name: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Mend the body of a page, and the list of pages beside it."""
    context["body"] = mended(context.get("body") or "")
    if "furo_navigation_tree" in context:
        context["furo_navigation_tree"] = with_levels(context["furo_navigation_tree"])


def mended(body: str) -> str:
    """Signatures of many lines without lists that have no terms, and tables without headers that say nothing."""
    body = SIGNATURE.sub(lambda signature: without_lists(signature[0]), body)
    body = EMPTY_HEAD.sub("", body)
    return body.replace('<th class="head"><p></p></th>', "<td></td>")


def without_lists(signature: str) -> str:
    """A signature whose parameters are lines, and not descriptions of nothing."""
    for tag, span in SPANS.items():
        signature = signature.replace(tag, span)
    return signature


def with_levels(navigation: str) -> str:
    """The captions as headings that have a level."""
    return navigation.replace('role="heading"', 'role="heading" aria-level="2"')
