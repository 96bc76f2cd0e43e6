"""Which form of micropie is under test, and with what beside it.

MICROPIE_FORM=package (the default) or standalone: the form that must have been imported; the run fails if another one
was. MICROPIE_BARE=1: the optional packages are absent, and must be. In the standalone form and in a bare environment
only tests/core and tests/contract are run.

The tests ask by `micropie.testing`, which the one file does not have; there the package's own is put beside it.

`@pytest.mark.needs("jinja2")` on a test that uses an optional package: the test is deselected in a bare environment,
and fails in any other one where the package is missing. Nothing is ever skipped for want of an install.
"""

import os
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import hypothesis
import pytest

import micropie

# A busy machine is no fault of ours, and a run finds what the last one found.
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ours")

TESTS = Path(__file__).resolve().parent
STANDALONE = TESTS.parent / "standalone" / "micropie.py"
CLIENT = TESTS.parent / "src" / "micropie" / "testing"
EVERYWHERE = {"core", "contract"}
"""The folders that use public names of the core only."""

OPTIONAL = ("jinja2", "multipart", "orjson")
FORM = os.environ.get("MICROPIE_FORM", "package")
# pytest-asyncio is there for our plug-in's tests alone; it would warn in the other runs of pytest that tests start.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:asyncio")
BARE = os.environ.get("MICROPIE_BARE") == "1"


def pytest_configure(config: pytest.Config) -> None:
    """Declare our marker, and refuse to test anything but what the environment says."""
    config.addinivalue_line("markers", "needs(*packages): the optional packages without which the test has no sense")
    if form(Path(micropie.__file__).resolve()) != FORM:
        raise pytest.UsageError(f"MICROPIE_FORM is {FORM!r}, but micropie was imported from {micropie.__file__}")
    if FORM == "standalone":
        put_client_beside()
    present = [package for package in OPTIONAL if find_spec(package)]
    if BARE and present:
        raise pytest.UsageError(f"MICROPIE_BARE is 1, but there are {', '.join(present)}")


def form(file: Path) -> str:
    """Give the form that this file is: `package`, `standalone`, or something else."""
    if file == STANDALONE:
        return "standalone"
    is_package = file.name == "__init__.py" and file.parent.joinpath("core", "__init__.py").is_file()
    return "package" if is_package else "neither package nor standalone"


def put_client_beside() -> None:
    """Let the tests import `micropie.testing`: it takes public names of `micropie` only, whichever form that is."""
    spec = spec_from_file_location("micropie.testing", CLIENT / "__init__.py", submodule_search_locations=[str(CLIENT)])
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["micropie.testing"] = module_from_spec(spec)
    spec.loader.exec_module(module)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what only the package with everything beside it can run."""
    if FORM == "package" and not BARE:
        return None
    inside = collection_path.relative_to(TESTS).parts if collection_path.is_relative_to(TESTS) else ()
    return True if inside and inside[0] not in {*EVERYWHERE, "__init__.py"} else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what a bare environment has no packages for."""
    if not BARE:
        return
    dropped = [item for item in items if needs(item)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if not needs(item)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose packages are missing: scripts/test installs them."""
    missing = [package for package in needs(item) if find_spec(package) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} not installed: run scripts/test, which installs everything", pytrace=False)


def needs(item: pytest.Item) -> list[str]:
    """Give the packages that a test needs."""
    return [str(package) for marker in item.iter_markers("needs") for package in marker.args]
