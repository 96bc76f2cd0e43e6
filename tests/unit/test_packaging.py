"""What `pip install 'micropie[all]'` brings is what the pages take for granted."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
SNIPPET = re.compile(r"```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
OF_THEIR_PAGES = {
    "pytest",
    "httpx",
    "structlog",
    "opentelemetry",
    "prometheus_client",
    "sentry_sdk",
    "authlib",
    "jwt",
}  # which these pages are about


def imported(page):
    """Give the packages that the snippets of a page import."""
    for snippet in SNIPPET.findall(page.read_text("utf-8")):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_all_has_what_the_pages_use():
    """A package that a snippet imports is in `all`, unless the page is about that package."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    used = {name for page in pages for name in imported(page)} - sys.stdlib_module_names - {"micropie", "app"}
    brought = {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in EXTRAS["all"]}
    assert "annotated_types" in used
    assert used - brought == OF_THEIR_PAGES


def test_all_has_what_standard_has():
    """`standard` is part of `all`."""
    assert set(EXTRAS["standard"]) <= set(EXTRAS["all"])
