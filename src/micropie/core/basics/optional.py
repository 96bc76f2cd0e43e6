"""Modules and packages that are imported when they are first needed, and may be missing."""

import functools
import importlib
import re
from types import ModuleType


class MissingDependency(RuntimeError):  # noqa: N818 - says what is wrong better than MissingDependencyError
    """An optional package is needed and not installed; the message says what to install.

    try:
        page = await self._render_template("index.html")
    except MissingDependency as error:
        page = str(error)       # … pip install 'micropie[standard]'
    """


@functools.cache
def lazy_import(module: str) -> ModuleType:
    """A module that few requests need, so that `import micropie` does not wait for it."""
    return importlib.import_module(module)


@functools.cache
def lazy_pattern(text: str) -> re.Pattern[str]:
    """A regular expression that few requests need, compiled when the first of them comes."""
    return re.compile(text)


def require(package: str, purpose: str, extra: str = "standard") -> ModuleType:
    """The optional package, or `MissingDependency` that says how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        remedy = f"pip install 'micropie[{extra}]', or {package} alone"
        raise MissingDependency(f"{purpose} need the package {package!r}: {remedy}") from error


def is_installed(package: str) -> bool:
    """Tell whether a package could be imported, without importing it."""
    return lazy_import("importlib.util").find_spec(package) is not None
