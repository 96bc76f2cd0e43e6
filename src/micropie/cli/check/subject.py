"""The subject of a check, and its findings: the applications, their classes, and the source of these."""

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from micropie import App, Controller, Nested, Route, configuration, routes
from micropie.cli.output import printable
from micropie.cli.route_names import method_name
from micropie.cli.target import UNREADABLE, is_user_file, short_path


class Finding(NamedTuple):
    """Something to mend: where it is, and what to do."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return printable(f"{short_path(self.file)}:{self.line}: {self.message}")


class ClassSource(NamedTuple):
    """One class of the user's, and its statement in the source."""

    cls: type
    file: str
    node: ast.ClassDef

    def finding(self, node: ast.AST, message: str) -> Finding:
        """A finding at a node of the class."""
        return Finding(self.file, getattr(node, "lineno", self.node.lineno), message)

    def member(self, name: str) -> ast.AST:
        """The statement that defines a name in the class; the class itself if there is none."""
        return next((node for node in self.node.body if name in names_of(node)), self.node)


def names_of(statement: ast.AST) -> set[str]:
    """Names that a statement in a class body defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


class Subject:
    """One application: its own routes, without those of the applications below it, and the classes that have them."""

    def __init__(self, app: App, above: "Subject | None" = None) -> None:
        self.app = app
        self.listed: list[Route] = routes(app) if above is None else above.listed
        self.configuration = configuration(app)
        self.below = [Subject(below, self) for below in self.configuration.applications]
        theirs = {id(route.owner) for subject in self.below for route in routes(subject.app)}
        ours = {id(route.owner) for route in routes(app)} - theirs
        self.routes = [route for route in self.listed if id(route.owner) in ours]
        self.owners = list({id(owner): owner for owner in branches_of(app)}.values())
        self.sources = list({source.cls: source for owner in self.owners for source in sources_of(owner)}.values())

    def all(self) -> Iterator["Subject"]:
        """Yield this subject and all those below it."""
        yield self
        for subject in self.below:
            yield from subject.all()

    def source_of(self, route: Route) -> ClassSource | None:
        """The source of the class that defines a handler."""
        cls = defining_class(route)
        return next((source for source in self.sources if source.cls is cls), None)


def branches_of(owner: object) -> Iterator[object]:
    """Yield an application or a controller, and all controllers below it that are its own."""
    yield owner
    for name, attribute in inspect.getmembers_static(type(owner)):
        value = attribute.below if isinstance(attribute, Nested) else attribute
        if isinstance(value, Controller) and not name.startswith("_"):
            yield from branches_of(value)


def defining_class(route: Route) -> type | None:
    """The class whose body has a handler."""
    name = method_name(route)
    return next((cls for cls in type(route.owner).__mro__ if name in vars(cls)), None)


def sources_of(owner: Any) -> Iterator[ClassSource]:
    """Yield the source of the user's classes that an application or a controller is made of."""
    for cls in type(owner).__mro__:
        try:
            file, line = inspect.getsourcefile(cls), inspect.getsourcelines(cls)[1]
            node = class_at(file, line) if file is not None and is_user_file(file) else None
        except (*UNREADABLE, TypeError):  # made by a program, built in, changed since, or too deep for `ast`
            continue
        if node is not None:
            yield ClassSource(cls, str(file), node)


def class_at(file: str, line: int) -> ast.ClassDef | None:
    """The class statement that begins on a line, or whose decorators do."""
    classes = (node for node in ast.walk(tree_of(file)) if isinstance(node, ast.ClassDef))
    first_lines = ((node, {node.lineno, *(one.lineno for one in node.decorator_list)}) for node in classes)
    return next((node for node, lines in first_lines if line in lines), None)


@functools.cache
def tree_of(file: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(Path(file).read_bytes())


def methods_in(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the methods that a class statement defines."""
    return (found for found in node.body if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef))


def calls_on_self(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of methods of `self` in a piece of source."""
    for found in ast.walk(node):
        if isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute) and is_self(found.func.value):
            yield found


def method_called(call: ast.Call) -> str:
    """The name of the method that a call is of."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def is_self(node: ast.AST) -> bool:
    """Tell whether an expression is `self`."""
    return isinstance(node, ast.Name) and node.id == "self"


def is_of_request(node: ast.AST, name: str) -> bool:
    """Tell whether an expression is the attribute of that name of a request."""
    if not (isinstance(node, ast.Attribute) and node.attr == name):
        return False
    owner = node.value
    return (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")) == "request"


def finding_at(route: Route, message: str) -> Finding:
    """A finding at the first line of a handler."""
    return Finding(route.file or "?", route.line or 0, message)
