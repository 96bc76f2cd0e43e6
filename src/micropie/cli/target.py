"""The application that a command is about: from the words on the command line to the object.

A target is `app:app`, `package.module:site`, `app.py`, `folder/app.py:app`, a folder, or nothing at all, which is the
working directory. Whatever is wrong with it is a `CommandError` of one line, with the file and the line where it is.
"""

import ast
import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from micropie import RSGI, App
from micropie.cli.errors import CommandError
from micropie.cli.output import text_of

_TARGET = re.compile(r"(.*?)(?::([\w.]*))?", re.DOTALL)
_USUAL = ("app.py", "main.py")  # what a folder's application is called, if it has several
_NEVER = ("test_*.py", "*_test.py", "conftest.py", "setup.py")
_INSTALLED = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib"))
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)
"""What reading and parsing a file may raise; the last two are about its depth."""
_FRAMEWORK = str(Path(__file__).resolve().parents[1])


class Target(NamedTuple):
    """A module, its file if that was named, and the attribute that is the application, `""` for the only one."""

    folder: Path
    module: str
    attribute: str = ""
    file: Path | None = None


class LoadedApp(NamedTuple):
    """A loaded application, and the module and name where it was found."""

    value: Any
    module: ModuleType
    name: str


def load_app(text: str | None) -> App:
    """The `App` that a target names. `CommandError` if there is none, or it is something else."""
    found = load(text)
    value: App = found.value
    if not is_app(value):
        raise CommandError(f"{found.module.__name__}:{found.name} is no micropie.App, but {_kind(value)}")
    return value


def load(text: str | None) -> LoadedApp:
    """The application that a target names: an `App`, or any other ASGI application. `CommandError` if there is none."""
    refuse_missing_folder()
    target = read_target(text)
    module = import_target(target)
    name = target.attribute or the_only_name(module)
    return LoadedApp(attribute_of(module, name), module, name)


def refuse_missing_folder() -> None:
    """`CommandError` if the working directory has been removed: no path means anything there."""
    try:
        Path.cwd()
    except OSError as error:
        raise CommandError(f"the working directory is not there: {error.strerror}") from None


# -- what is meant --------------------------------------------------------------------------------------


def read_target(text: str | None) -> Target:
    """The target that a word on the command line names, None for the working directory."""
    matched = _TARGET.fullmatch(text or ".")
    name, attribute = (matched[1], matched[2] or "") if matched else ("", "")
    path = Path(name)
    if is_folder(path):
        return target_of_file(application_file(path), attribute)
    if name.endswith(".py"):
        return target_of_file(path, attribute)
    if not all(part.isidentifier() for part in name.split(".")):
        raise CommandError(
            f"{text!r} names no application: write module:name, such as app:app, or a file, such as app.py"
        )
    return Target(Path.cwd(), name, attribute)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that is too long for the system is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_plain_file(path: Path) -> bool:
    """Tell whether a path is a file, or leads to one: no folder, no pipe, no dangling link."""
    try:
        return path.is_file()
    except OSError:
        return False


def target_of_file(path: Path, attribute: str) -> Target:
    """The target in a file, as a module of the packages around it."""
    if not is_plain_file(path):
        raise CommandError(f"there is no file {path}")
    file = path.resolve()
    names, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return Target(folder, ".".join(names), attribute, file)


def application_file(folder: Path) -> Path:
    """The file of a folder that makes an application. `CommandError` if there is none, or no telling which."""
    found = [path for path in sorted(folder.glob("*.py")) if _makes_application(path)]
    usual = [path for name in _USUAL for path in found if path.name == name]
    if not found:
        raise CommandError(f"no file in {folder.resolve()} makes an application: name one, such as app:app")
    if len(found) > 1 and not usual:
        raise CommandError(f"several files make applications: name one of {', '.join(path.name for path in found)}")
    return (usual or found)[0]


def _makes_application(path: Path) -> bool:
    """Tell whether a file imports micropie and gives a call's result a name at its top level; it is read, not run."""
    if not is_plain_file(path) or any(path.match(pattern) for pattern in _NEVER):
        return False
    try:
        body = ast.parse(path.read_bytes()).body
    except UNREADABLE:
        return path.name in _USUAL  # to be told of it
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    made = (node.value for node in body if isinstance(node, ast.Assign | ast.AnnAssign))
    return any(map(_is_of_micropie, imports)) and any(isinstance(value, ast.Call) for value in made)


def _is_of_micropie(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return any(name.partition(".")[0] == "micropie" for name in names)


# -- the module -----------------------------------------------------------------------------------------


def import_target(target: Target) -> ModuleType:
    """Import the module of a target. `CommandError` that says where the import failed."""
    if str(target.folder) not in sys.path[:1]:
        sys.path.insert(0, str(target.folder))
    try:
        module = importlib.import_module(target.module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CommandError(_import_failure(error, target)) from error
    if target.file is not None and Path(module.__file__ or "").resolve() != target.file:
        raise CommandError(f"{target.file.name} has the name of another module, {module.__name__}: rename it")
    return module


def _import_failure(error: BaseException, target: Target) -> str:
    if isinstance(error, ModuleNotFoundError) and f"{target.module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r} in {target.folder}"
    where = f"{error_location(error, target)}: "
    if isinstance(error, SystemExit):
        return f"{where}the module ends the program when it is imported: do so under if __name__ == '__main__'"
    what = error.msg if isinstance(error, SyntaxError) else error
    return f"{where}{type(error).__name__}: {text_of(what)}"


def error_location(error: BaseException, target: Target) -> str:
    """The file and line in the user's code that an exception comes from; the module if it never got that far."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{short_path(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if is_user_file(frame.filename)]
    return f"{short_path(users[-1].filename)}:{users[-1].lineno}" if users else target.module


def is_user_file(file: str) -> bool:
    """Tell whether a file belongs to the user: neither to Python, nor to a package, nor to this framework."""
    try:
        path = os.path.realpath(file)  # Path.resolve raises at a circle of links, below Python 3.13 only
    except (OSError, ValueError):  # no path at all, or in a working directory that is gone
        return False
    return not file.startswith("<") and not path.startswith((*_INSTALLED, _FRAMEWORK))


def is_framework_file(file: str) -> bool:
    """Tell whether a file belongs to this framework."""
    return file.startswith(_FRAMEWORK)


def short_path(file: str | Path) -> str:
    """A file's path, relative to the working directory if it is in there."""
    path = Path(file)
    try:
        here = Path.cwd()
    except OSError:  # the user's code has removed it
        return str(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


# -- the object -----------------------------------------------------------------------------------------


def the_only_name(module: ModuleType) -> str:
    """The name of a module's application: `app`, or that of its only `App`."""
    apps = {id(value): name for name, value in reversed(vars(module).items()) if is_app(value)}
    names = sorted(apps.values())
    if "app" in vars(module) and (len(names) != 1 or "app" in names):
        return "app"
    if len(names) == 1:
        return names[0]
    file = short_path(module.__file__ or module.__name__)
    if not names:
        raise CommandError(f"{file} makes no application: it needs a line such as app = Site()")
    raise CommandError(f"{file} makes several applications, {', '.join(names)}: name one, {module.__name__}:{names[0]}")


def is_app(value: object) -> bool:
    """Tell whether an object is an `App`, by its type alone: a proxy may raise when it is asked for its class."""
    return issubclass(type(value), App)


def attribute_of(module: ModuleType, name: str) -> Any:
    """The application of a name in a module. `CommandError` if it is not there, or nothing that could be served."""
    value: Any = module
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            there = [other for other, made in vars(module).items() if is_app(made)]
            hint = f": its applications are {', '.join(there)}" if there else ""
            raise CommandError(f"{short_path(module.__file__ or module.__name__)} has no {name!r}{hint}") from None
        except Exception as error:
            what = f"{type(error).__name__}: {text_of(error)}"
            raise CommandError(f"{module.__name__}:{name} can't be had: {what}") from error
    kind = type(value)  # the object itself may be a proxy of what is not there yet, and raise when it is asked
    if is_app(value) and "middlewares" not in vars(value):
        raise CommandError(f"{constructor_location(kind)} does not call super().__init__(): call it first")
    if issubclass(kind, type):
        raise CommandError(f"{module.__name__}:{name} is a class: make an application of it, app = {value.__name__}()")
    if not (callable(value) or issubclass(kind, RSGI)):
        raise CommandError(f"{module.__name__}:{name} is no application, but {_kind(value)}")
    if kind is FunctionType and not _takes_three(value):
        raise CommandError(f"{module.__name__}:{name} is a function: give a name to the application that it makes")
    return value


def constructor_location(cls: type) -> str:
    """The file, the line and the name of a class's constructor."""
    constructor: Any = inspect.unwrap(cls.__init__)  # type: ignore[misc]
    code = constructor.__code__
    return f"{short_path(code.co_filename)}:{code.co_firstlineno}: {constructor.__qualname__}"


def _takes_three(function: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with scope, receive and send."""
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        return False
    return True


def _kind(value: Any) -> str:
    return f"of the type {type(value).__name__}"
