"""What conftest.py promises: the right form is tested, and nothing is skipped in silence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

TESTS = """
import pytest

def test_plain():
    import micropie.testing  # beside the one file too

@pytest.mark.needs("json", "no_such_package")
def test_needing():
    pass
"""


@pytest.fixture
def project(tmp_path):
    """Give a project with both forms, a test folder for each, and a plugin that hides the optional packages."""
    package = tmp_path / "src" / "micropie" / "core"
    package.mkdir(parents=True)
    for file in (package / "__init__.py", package.parent / "__init__.py"):
        file.touch()
    (package.parent / "testing").mkdir()
    (package.parent / "testing" / "__init__.py").write_text("CLIENT = True\n")
    (tmp_path / "standalone").mkdir()
    (tmp_path / "standalone" / "micropie.py").touch()
    for folder in ("core", "unit"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
        (tmp_path / "tests" / folder / f"test_{folder}.py").write_text(TESTS)
    shutil.copy(CONFTEST, tmp_path / "tests")
    (tmp_path / "hide.py").write_text(
        "import sys\nsys.modules.update(dict.fromkeys(['jinja2', 'multipart', 'orjson']))\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio\n")
    return tmp_path


def outcome(project, *arguments, form="package", path="src", bare="0"):
    """Run the project's tests; give the exit code and pytest's last line, or its complaint."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"MICROPIE_FORM": form, "MICROPIE_BARE": bare, "PYTHONPATH": f"{project / path}:{project}"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests", *arguments],
        cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return ran.returncode, (ran.stdout + ran.stderr).strip().splitlines()[-1].partition(" in ")[0]


def test_missing_package_is_a_failure(project):
    """Outside a bare environment a test that needs a package fails without it."""
    assert outcome(project) == (1, "2 passed, 2 errors")


def test_bare_run_deselects(project):
    """A bare run has the core's tests, less those that need a package."""
    assert outcome(project, "-p", "hide", bare="1") == (0, "1 passed, 1 deselected")


def test_standalone_run_has_the_core_only(project):
    """The standalone form runs the core's tests."""
    assert outcome(project, form="standalone", path="standalone") == (1, "1 passed, 1 error")


@pytest.mark.parametrize(("form", "path"), [("standalone", "src"), ("package", "standalone"), ("both", "src")])
def test_wrong_form_is_refused(project, form, path):
    """A run that would test another form than it says does not start."""
    code, line = outcome(project, form=form, path=path)
    assert (code, line.startswith(f"ERROR: MICROPIE_FORM is {form!r}, but micropie was imported from ")) == (4, True)


def test_bare_run_with_packages_is_refused(project):
    """A bare run that is not bare does not start."""
    assert outcome(project, bare="1") == (4, "ERROR: MICROPIE_BARE is 1, but there are jinja2, multipart, orjson")
