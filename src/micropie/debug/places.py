"""Whose a file is, and how its path is written."""

import sysconfig
from pathlib import Path

_PACKAGES = tuple(
    dict.fromkeys(str(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib"))
)
_OTHERS = ("<", str(Path(__file__).resolve().parents[1]), *_PACKAGES)  # how the names of their files begin


def is_ours(file: str) -> bool:
    """Whether a file is the application's, not that of a package."""
    return not file.startswith(_OTHERS)


def short(file: str) -> str:
    """A path as one reads it: relative to where packages are, even inside the project, or to the working directory."""
    path = Path(file)
    base = next((base for base in (*map(Path, _PACKAGES), Path.cwd()) if path.is_relative_to(base)), None)
    return file if base is None else str(path.relative_to(base))
