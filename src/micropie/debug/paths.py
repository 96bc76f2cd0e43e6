"""The paths of source files: the application's or a package's, and as short as they can be written."""

import sysconfig
from pathlib import Path

_PACKAGES = tuple(
    dict.fromkeys(str(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib"))
)
_FRAMEWORK = str(Path(__file__).resolve().parents[1])
_OTHERS = ("<", _FRAMEWORK, *_PACKAGES)  # how the names of their files begin


def is_application_code(file: str) -> bool:
    """True for a file of the application, false for one of a package, of Python or of MicroPie."""
    return not file.startswith(_OTHERS)


def is_framework_code(file: str) -> bool:
    """True for a file of MicroPie."""
    return file.startswith(_FRAMEWORK)


def short_path(file: str) -> str:
    """A path relative to the folder of packages, even one inside the project, or to the working directory."""
    path = Path(file)
    base = next((base for base in (*map(Path, _PACKAGES), Path.cwd()) if path.is_relative_to(base)), None)
    return file if base is None else str(path.relative_to(base))
