"""Development mode in both forms: the package has debug pages, the one file says that it has none."""

from contextlib import nullcontext

import pytest

import micropie
from micropie import App, MissingDependency

IS_PACKAGE = hasattr(micropie, "__path__")


def outcome():
    return nullcontext() if IS_PACKAGE else pytest.raises(MissingDependency, match="needs the whole package")


def test_debug_needs_the_package():
    """By the keyword."""
    with outcome():
        App(debug=True)


def test_development_mode_needs_the_package(monkeypatch):
    """By the environment, unless the application will have none of it."""
    monkeypatch.setenv("MICROPIE_DEV", "1")
    with outcome():
        App()
    App(debug=False)
