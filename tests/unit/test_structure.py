"""scripts/structure: what it counts, and what it draws."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRUCTURE = runpy.run_path(str(ROOT / "scripts" / "structure"))

SOURCES = {
    "__init__": "from micropie_like.low.a import a",
    "low/__init__": "",
    "low/a": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from micropie_like.top import top\n\na = 1\n",
    "low/b": "from .a import a\n\n\ndef used():\n    return a\n\n\ndef twice():\n    return used()\n",
    "top": "try:\n    from micropie_like.low import b\nexcept ImportError:\n    b = None\n\n\ndef top(x):\n"
    "    b.twice(), b.twice()\n    return x._y, self._y, x.__z__\n",
}


@pytest.fixture
def package(tmp_path):
    """A package with two folders' worth of modules."""
    for name, source in SOURCES.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return tmp_path


def test_the_figures_of_a_package(package):
    """Chains do not count what is imported for type checkers; private looks are those at other objects."""
    figures = STRUCTURE["figures"](package, "micropie_like")
    assert figures["modules"] == "5"
    assert figures["modules in a folder, at most"] == "2"
    assert figures["longest import chain"] == "3"
    assert figures["private looks, per 1,000 lines"] == f"{1000 / 25:.1f}"
    assert figures["functions with one caller"] == "33%"


def test_a_circle_is_as_long_as_the_package():
    """There is no chain, but the figure says that something is wrong."""
    assert STRUCTURE["longest_chain"]({"a": {"b"}, "b": {"a"}, "c": set()}) == 3


def test_the_drawing_has_every_folder_above_what_it_imports():
    """The order is that of the architecture test, read upwards."""
    drawing = STRUCTURE["drawing"]()
    heights = [
        drawing.index(f">{name}<") for name in ("basics/", "requests/", "handlers/", "routing/", "pipeline/", "app")
    ]
    assert heights == sorted(heights)
