"""What a page costs: by `_render_template`, by Jinja2's `render_async`, and by its `render`, which can await nothing.

    python benchmarks/templates.py        in an environment with micropie and jinja2: that of scripts/test

CPU time, µs. The rounds take turns, and the median counts. `_render_template` finds the template too, looks now and
then whether a file has changed, and asks for the `_template_context`; the other two are given a template that is ready.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jinja2

from micropie import App

Render = Callable[[str], Awaitable[str]]
PAGES = {
    "hello.html": "<!doctype html><title>Hello</title><h1>Hello, {{ name }}!</h1>",
    "rows.html": "{% for row in rows %}<tr><td>{{ row.id }}<td>{{ row.title }}<td>{{ row.price }}{% endfor %}",
    "layout.html": (
        "{% extends 'base.html' %}{% block title %}{{ title }}{% endblock %}{% block main %}<h1>{{ title|upper }}</h1>"
        "{% for row in rows %}{% include 'row.html' %}{% endfor %}{% endblock %}"
    ),
}
PARTS = {
    "base.html": (
        "<!doctype html><title>{% block title %}{% endblock %}</title>{% include 'menu.html' %}"
        "<main>{% block main %}{% endblock %}</main>{% include 'foot.html' %}"
    ),
    "menu.html": "<nav>{% for text, link in menu %}<a href='{{ link }}'>{{ text }}</a>{% endfor %}</nav>",
    "foot.html": "<footer>{{ year }} {{ site.name }}</footer>",
    "row.html": "<p>{{ row.title }}</p>",
}
VALUES: dict[str, Any] = {
    "name": "Ann",
    "title": "Page",
    "rows": [{"id": number, "title": f"<t{number}>", "price": number * 1.5} for number in range(10)],
    "menu": [("a", "/a"), ("b", "/b"), ("c", "/c")],
    "site": {"name": "Pies"},
    "year": 2026,
}


def write(folder: Path) -> None:
    """Make the templates."""
    for name, text in {**PAGES, **PARTS}.items():
        (folder / name).write_text(text)


def ways(folder: Path) -> dict[str, Render]:
    """The ways to render a page, by name."""
    loader = jinja2.FileSystemLoader(folder)
    plain = jinja2.Environment(loader=loader, autoescape=True)
    awaiting = jinja2.Environment(loader=loader, autoescape=True, enable_async=True)
    of_plain = {page: plain.get_template(page) for page in PAGES}
    of_awaiting = {page: awaiting.get_template(page) for page in PAGES}
    plain.auto_reload = awaiting.auto_reload = False
    app = App(templates=folder)

    async def render(page: str) -> str:
        return of_plain[page].render(VALUES)

    return {
        "render": render,
        "render_async": lambda page: of_awaiting[page].render_async(VALUES),
        "_render_template": lambda page: app._render_template(page, **VALUES),
    }


async def seconds(render: Render, page: str, count: int) -> float:
    """The CPU time of one page."""
    begin = time.process_time()
    for _ in range(count):
        await render(page)
    return (time.process_time() - begin) / count


async def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench templates", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--pages", type=int, default=200, help="how many in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        everything = ways(Path(folder))
        taken: dict[tuple[str, str], list[float]] = {(way, page): [] for way in everything for page in PAGES}
        for _ in range(options.rounds):
            for (way, page), times in taken.items():
                times.append(await seconds(everything[way], page, options.pages))
    print(f"{'µs':18}" + "".join(f"{page:>13}" for page in PAGES))
    for way in everything:
        print(f"{way:18}" + "".join(f"{statistics.median(taken[way, page]) * 1e6:13.1f}" for page in PAGES))


if __name__ == "__main__":
    asyncio.run(main())
