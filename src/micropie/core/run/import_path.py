"""The name by which another process imports an object."""

import sys
from typing import Any, NamedTuple

from micropie.core.basics.optional import lazy_import


class ImportPath(NamedTuple):
    """How another process imports an object: `module:name`, with `folder` first on its path."""

    module: str
    name: str
    folder: str


def import_path_of(value: Any) -> ImportPath | None:
    """The import path of an object that is in the program itself, or in a module; None if it is in neither."""
    for key, module in list(sys.modules.items()):  # `__main__` is among the first
        values = getattr(module, "__dict__", {})
        name = next((name for name, other in list(values.items()) if other is value), None)
        if name is not None and values.get("__file__"):
            return _in_module(key, module, values["__file__"], name)
    return None


def _in_module(key: str, module: Any, file: str, name: str) -> ImportPath:
    path = path_of(file).resolve()
    if key == "__main__":
        spec = getattr(module, "__spec__", None)  # of `python -m package.app`
        key = path.stem if spec is None else spec.name
    depth = key.count(".") + (path.stem == "__init__")
    return ImportPath(key, name, str(path.parents[depth]))


def path_of(file: str) -> Any:
    """A path as an object."""
    return lazy_import("pathlib").Path(file)
