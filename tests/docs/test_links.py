"""Every link of the built site leads somewhere, and no page asks another host for anything."""

import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

ANCHOR = re.compile(r'\s(?:id|name)="([^"]+)"')
LINK = re.compile(r'<a\s[^>]*?href="([^"]+)"')
LOADED = re.compile(r'<(?:link|script|img|source|iframe|object)\s[^>]*?(?:href|src|data)="([^"]+)"')
EXTERNAL = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d+)?(?:[/?#][!-~]*)?")


class Page:
    """The links and anchors of a page."""

    def __init__(self, text: str) -> None:
        self.links = {unescape(link) for link in LINK.findall(text)}
        self.loaded = {unescape(link) for link in LOADED.findall(text)}
        self.anchors = {unescape(anchor) for anchor in ANCHOR.findall(text)}


@cache
def page_of(path: Path) -> Page:
    """A page, read once."""
    return Page(path.read_text("utf-8"))


def pages(site: Path) -> Iterator[tuple[Path, Page]]:
    """All pages of the site."""
    for path in sorted(site.rglob("*.html")):
        yield path, page_of(path)


def is_external(link: str) -> bool:
    """True for what has a scheme or a host."""
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def is_dead(path: Path, link: str) -> bool:
    """True if there is no such page, or none with such an anchor."""
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return True
    return bool(parts.fragment) and target.suffix == ".html" and unquote(parts.fragment) not in page_of(target).anchors


def test_no_link_of_the_site_is_dead(site):
    """Pages, their anchors, styles, scripts and pictures."""
    inside = [
        (path.relative_to(site).as_posix(), link)
        for path, page in pages(site)
        for link in page.links | page.loaded
        if not is_external(link) and is_dead(path, link)
    ]
    assert inside == []


def test_links_to_other_sites_are_well_formed(site):
    """They have a scheme that is safe, a host, and nothing that would have to be encoded."""
    links = {link for _, page in pages(site) for link in page.links if is_external(link)}
    assert links
    assert [link for link in links if not EXTERNAL.fullmatch(link)] == []


def test_nothing_is_loaded_from_another_host(site):
    """Neither by a page nor by a style."""
    assert [(path.name, link) for path, page in pages(site) for link in page.loaded if is_external(link)] == []
    for style in site.rglob("*.css"):
        assert re.findall(r"@import|url\(\s*['\"]?(?:https?:)?//[^)]*", style.read_text("utf-8")) == []


def test_every_page_of_the_repository_has_one_on_the_site(site):
    """So that nothing is written for the site alone, or forgotten by it."""
    sources = site.parents[2] / "docs"
    names = [path.relative_to(sources).with_suffix(".html") for path in sources.rglob("*.md")]
    assert [name for name in names if not (site / name).is_file()] == []
