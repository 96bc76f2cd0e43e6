"""The framework in one file, `micropie standalone`, made of the modules of the core.

The modules follow each other so that each stands below those that it imports. Their imports of each other fall away,
the imports of the standard library are merged at the top, docstrings and comments stay. That is only right if a name
means one thing in the whole core and no code depends on its module's name or file: what breaks this is refused.
`scripts/standalone` runs this module by its path, so it needs nothing else of the package, which may be broken.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeGuard

CORE = "micropie.core"
LATE = "late"  # the module that has names of other modules, which it imports when they are asked for
WIDTH = 120
CHAPTER = "#" * (WIDTH - 2)

DEPENDS_ON_THE_MODULE = {"__file__", "__name__", "__package__", "__path__", "__spec__"}
"""Names that mean something else in the one file."""

MADE_HERE = ("__all__", "__version__")
"""Names that the one file takes from the package's `__init__`."""


class RefusedError(Exception):
    """The core is written in a way that does not fit into one file."""


@dataclass(frozen=True, order=True)
class Import:
    """One name imported from outside: `import module` without a `name`, else `from module import name`."""

    module: str
    name: str | None
    alias: str | None

    @property
    def binds(self) -> str:
        """The name that the import makes."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def means(self) -> tuple[str, str | None]:
        """The module and name that are bound: `import a.b` binds `a`, and so does `import a.c`."""
        plain = self.name is None and self.alias is None
        return (self.binds if plain else self.module, self.name)


@dataclass
class Module:
    """A module of the core, taken apart."""

    name: str
    docstring: str = ""
    body: str = ""
    needs: set[str] = field(default_factory=set)
    outer: set[Import] = field(default_factory=set)
    outer_for_types: set[Import] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        """Where a reader finds it."""
        return f"core/{self.name.replace('.', '/')}.py"

    @property
    def folder(self) -> str:
        """The folder that it stands in, by its name; that of a module beside the folders is the module's own."""
        return self.name.rpartition(".")[0] or self.name

    @property
    def future(self) -> set[Import]:
        """The compiler's switches that it sets."""
        return {found for found in self.outer if found.module == "__future__"}


# Taking a module apart.


def read_module(name: str, source: str, late: Mapping[str, str]) -> Module:
    """Take a module apart, or refuse it; `late` are the modules of names that the core imports late."""
    module = Module(name)
    tree = ast.parse(source, module.path)
    module.needs = {late_module(module, use, late) for use in late_uses(tree)}
    source = with_plain_names(source, tree)
    refuse_shared_lines(module, tree)
    refuse_dependence_on_module(module, tree)
    refuse_hidden_imports(module, tree)
    module.docstring = ast.get_docstring(tree) or ""
    dropped = [statement for statement in tree.body if drop(module, statement)]
    module.body = without(source, dropped + tree.body[: bool(module.docstring)])
    module.defines = set(defined([statement for statement in tree.body if statement not in dropped]))
    return module


def drop(module: Module, statement: ast.stmt) -> bool:
    """Note the imports that a statement makes; tell whether the statement falls away."""
    if is_late(statement):
        return True
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        module.needs |= core_modules(module, statement)
        module.outer |= outer_imports(statement)
        return True
    if is_for_types(statement):
        for inner in type_imports(module, statement):
            core_modules(module, inner)
            module.outer_for_types |= outer_imports(inner)
        return True
    return False


def core_modules(module: Module, statement: ast.Import | ast.ImportFrom) -> set[str]:
    """Give the core module that a statement imports from, if it is one; any other form of it is refused."""
    if not is_internal(statement):
        return set()
    where = f"{module.path}:{statement.lineno}"
    if not isinstance(statement, ast.ImportFrom) or not (statement.module or "").startswith(f"{CORE}."):
        raise RefusedError(f"{where}: import from the core as 'from {CORE}.x import name'")
    for alias in statement.names:
        if alias.asname is not None or alias.name == "*":
            raise RefusedError(
                f"{where}: {alias.name!r} must keep its name: neither 'as' nor '*' in an import of the core"
            )
    return {str(statement.module).removeprefix(f"{CORE}.")}


def is_late(statement: ast.AST) -> bool:
    """Tell whether a statement is `from micropie.core import late`."""
    return ast.unparse(statement) == f"from {CORE} import {LATE}"


def late_uses(tree: ast.AST) -> list[ast.Attribute]:
    """Give what a module uses of `late`: each `late.name`."""
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return [node for node in attributes if isinstance(node.value, ast.Name) and node.value.id == LATE]


def late_module(module: Module, use: ast.Attribute, late: Mapping[str, str]) -> str:
    """Give the core module whose name a `late.name` is."""
    if use.attr not in late:
        raise RefusedError(f"{module.path}:{use.lineno}: {use.attr!r} is none of the names of {CORE}.{LATE}")
    return late[use.attr].removeprefix(f"{CORE}.")


def with_plain_names(source: str, tree: ast.AST) -> str:
    """Give a source with `name` for each `late.name`: in the one file all names are there."""
    lines = [line.encode() for line in source.split("\n")]
    for use in sorted(late_uses(tree), key=lambda use: (use.lineno, use.col_offset), reverse=True):
        line, start = lines[use.lineno - 1], use.col_offset
        lines[use.lineno - 1] = line[:start] + line[start:].removeprefix(f"{LATE}.".encode())
    return b"\n".join(lines).decode()


def outer_imports(statement: ast.Import | ast.ImportFrom) -> set[Import]:
    """Give what a statement imports from outside the core."""
    if is_internal(statement):
        return set()
    if isinstance(statement, ast.Import):
        return {Import(alias.name, None, alias.asname) for alias in statement.names}
    return {Import(str(statement.module), alias.name, alias.asname) for alias in statement.names}


def is_internal(statement: ast.Import | ast.ImportFrom) -> bool:
    """Tell whether a statement imports from this project, in whatever form."""
    if isinstance(statement, ast.Import):
        return any(is_ours(alias.name) for alias in statement.names)
    return statement.level > 0 or is_ours(statement.module or "")


def is_ours(module: str) -> bool:
    """Tell whether a dotted name is in our package."""
    return module.partition(".")[0] == "micropie"


def is_for_types(statement: ast.stmt) -> TypeGuard[ast.If]:
    """Tell whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(statement, ast.If) and ast.unparse(statement.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def type_imports(module: Module, block: ast.If) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of an `if TYPE_CHECKING:` block, which may hold nothing else."""
    for inner in block.body + block.orelse:
        if block.orelse or not isinstance(inner, (ast.Import, ast.ImportFrom)):
            raise RefusedError(
                f"{module.path}:{inner.lineno}: 'if TYPE_CHECKING:' may hold imports only, without 'else'"
            )
        yield inner


def without(source: str, statements: Sequence[ast.stmt]) -> str:
    """Give a source without the lines of these statements."""
    gone = {number for statement in statements for number in lines_of(statement)}
    kept = [line for number, line in enumerate(source.split("\n"), 1) if number not in gone]
    return "\n".join(kept).strip("\n")


def lines_of(statement: ast.stmt) -> range:
    """Give the line numbers of a statement."""
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def defined(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that statements bind in their module, in nested blocks too, but not in functions and classes."""
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from (found.binds for found in outer_imports(statement))
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass
            case _:
                yield from defined(ast.iter_child_nodes(statement))


# What does not fit into one file.


def refuse_shared_lines(module: Module, tree: ast.Module) -> None:
    """Refuse two statements on a line: they fall away by the line."""
    seen: set[int] = set()
    for statement in tree.body:
        if seen & set(lines_of(statement)):
            raise RefusedError(f"{module.path}:{statement.lineno}: give each statement a line of its own")
        seen |= set(lines_of(statement))


def refuse_dependence_on_module(module: Module, tree: ast.Module) -> None:
    """Refuse code that asks which file or module it is in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in DEPENDS_ON_THE_MODULE:
            raise RefusedError(f"{module.path}:{node.lineno}: {node.id} means something else in the one file")


def refuse_hidden_imports(module: Module, tree: ast.Module) -> None:
    """Refuse imports of the core that stand elsewhere than at the top level, or directly in `if TYPE_CHECKING:`."""
    blocks = [statement.body for statement in tree.body if is_for_types(statement)]
    in_sight = {*tree.body, *(inner for block in blocks for inner in block)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in in_sight and is_internal(node):
            raise RefusedError(f"{module.path}:{node.lineno}: import from the core at the top level only")


def refuse_double_meanings(modules: Sequence[Module]) -> None:
    """Refuse a name that means two things in the core, be it defined or imported, or that hides a builtin one."""
    owners = dict.fromkeys(dir(builtins), "Python itself") | dict.fromkeys(MADE_HERE, "the generated file")
    for module in modules:
        for name in sorted(module.defines):
            if name in owners:
                raise RefusedError(f"{module.path}: {name!r} is defined in {owners[name]} already")
            owners[name] = module.path
    meanings: dict[str, tuple[Import, str]] = {}
    for module in modules:
        for found in sorted(module.outer | module.outer_for_types, key=str):
            if found.binds in owners:
                raise RefusedError(f"{module.path}: imports {found.binds!r}, which {owners[found.binds]} defines")
            first, path = meanings.setdefault(found.binds, (found, module.path))
            if first.means != found.means:
                raise RefusedError(f"{module.path}: imports another {found.binds!r} than {path}")


def refuse_mixed_futures(modules: Sequence[Module]) -> None:
    """Refuse a `from __future__` import that not all modules have: it rules the whole file."""
    for module in modules:
        if module.future != modules[0].future:
            raise RefusedError(f"{module.path}: other 'from __future__' imports than {modules[0].path}")


def refuse_missing_names(modules: Sequence[Module], names: Iterable[str]) -> None:
    """Refuse exports of the package that do not come from the core."""
    there = {name for module in modules for name in module.defines}.union(MADE_HERE)
    for name in names:
        if name not in there:
            raise RefusedError(f"__init__.py: {name!r} stands in __all__, but no module of the core defines it")


# Putting the file together.


def generate(package: Path, licence: str) -> str:
    """Give the text of the one file for a package folder (the one with `core` in it)."""
    headings, modules = read_core(package / "core")
    modules = in_order(modules)
    init = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    version, exported = (literal(init, name, "__init__.py") for name in ("__version__", "__all__"))
    refuse_double_meanings(modules)
    refuse_mixed_futures(modules)
    refuse_missing_names(modules, exported)
    parts = [
        f"{header(str(version), ast.get_docstring(init) or '')}\n\n{imports(modules)}",
        exports(str(version), exported),
        *chapters(headings, modules),
        comment(licence),
    ]
    return "\n\n\n".join(part for part in parts if part) + "\n"


def read_core(folder: Path) -> tuple[dict[str, Module], list[Module]]:
    """Read a core: the `__init__` of each of its folders, which has nothing but a docstring, and all other modules."""
    headings, modules = {}, []
    late = late_names(folder / f"{LATE}.py")
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        if name == LATE:
            continue
        module = read_module(name, path.read_text(encoding="utf-8"), late)
        if path.stem != "__init__":
            modules.append(module)
        elif module.body or module.outer or module.needs:
            raise RefusedError(f"{module.path}: may hold a docstring only")
        else:
            headings[module.folder] = module
    return headings, modules


def late_names(path: Path) -> dict[str, str]:
    """Give the names that the core imports late, each with its module."""
    if not path.exists():
        return {}
    found = literal(ast.parse(path.read_text(encoding="utf-8")), "_MODULES", path.name)
    return dict(found)


def in_order(modules: Sequence[Module]) -> list[Module]:
    """Give the modules folder by folder, so that each stands below those that it imports; among equals by name."""
    by_name = {module.name: module for module in modules}
    folders: dict[str, set[str]] = {module.folder: set() for module in modules}
    for module in modules:
        for needed in sorted(module.needs - by_name.keys()):
            raise RefusedError(f"{module.path}: imports {CORE}.{needed}, which does not exist")
        folders[module.folder] |= {by_name[needed].folder for needed in module.needs} - {module.folder}
    names = [
        name
        for folder in sorted_by_needs(folders)
        for name in sorted_by_needs({one.name: inner_needs(one, by_name) for one in modules if one.folder == folder})
    ]
    return [by_name[name] for name in names]


def inner_needs(module: Module, by_name: Mapping[str, Module]) -> set[str]:
    """Give the modules of its own folder that a module imports."""
    return {needed for needed in module.needs if by_name[needed].folder == module.folder}


def sorted_by_needs(needs: Mapping[str, set[str]]) -> list[str]:
    """Give the names so that each stands below those that it needs; among equals by the alphabet."""
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as error:
        raise RefusedError(f"the core imports in a circle: {' → '.join(error.args[1])}") from error
    names: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        names.extend(ready)
        sorter.done(*ready)
    return names


def chapters(headings: Mapping[str, Module], modules: Sequence[Module]) -> Iterator[str]:
    """Yield the modules, each below its banner; the first of a folder also below that folder's heading."""
    last = ""
    for module in modules:
        heading = headings.get(module.folder)
        if heading is not None and module.folder != last:
            yield comment(f"{CHAPTER}\n{chapter_title(heading)}\n\n{heading.docstring}\n{CHAPTER}")
        last = module.folder
        yield f"{banner(module)}\n\n{module.body}"


def chapter_title(heading: Module) -> str:
    """Give the name of a folder as a chapter's title."""
    return heading.folder.upper()


def literal(tree: ast.Module, name: str, path: str) -> Any:
    """Give the literal that a module assigns to a name."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return ast.literal_eval(value)
    raise RefusedError(f"{path}: {name} = … is missing")


def header(version: str, docstring: str) -> str:
    """Say what the file is and where it comes from."""
    lines = [
        f"MicroPie {version} in one file, on the standard library alone.",
        "Generated by scripts/standalone from src/micropie/core: change it there, not here.",
        "SPDX-License-Identifier: BSD-3-Clause (the text is at the end)",
    ]
    return comment("\n".join(lines)) + f'\n"""{docstring}"""'


def imports(modules: Sequence[Module]) -> str:
    """Give the merged imports, those for type checkers only in their block."""
    always = {found for module in modules for found in module.outer}
    for_types = {found for module in modules for found in module.outer_for_types} - always
    future = {found for found in always if found.module == "__future__"}
    blocks = [import_lines(future), import_lines(always - future)]
    if for_types:
        blocks.append("if TYPE_CHECKING:\n" + import_lines(for_types, indent="    "))
    return "\n\n".join(block for block in blocks if block)


def import_lines(found: set[Import], indent: str = "") -> str:
    """Give import statements: whole modules first, then names, each in the order of the alphabet."""
    plain = [f"import {one.module}{alias(one)}" for one in sorted(found, key=str) if one.name is None]
    names: dict[str, list[str]] = {}
    for one in sorted(found, key=str):
        if one.name is not None:
            names.setdefault(one.module, []).append(f"{one.name}{alias(one)}")
    lines = sorted(plain) + [from_import(module, sorted(names[module]), indent) for module in sorted(names)]
    return "\n".join(indent + line for line in lines)


def from_import(module: str, names: Sequence[str], indent: str) -> str:
    """Give one statement, over several lines where it is too long."""
    line = f"from {module} import {', '.join(names)}"
    if len(indent + line) <= WIDTH:
        return line
    inner = "".join(f"{indent}    {name},\n" for name in names)
    return f"from {module} import (\n{inner}{indent})"


def alias(one: Import) -> str:
    """Give the ` as name` of an import that has one."""
    return f" as {one.alias}" if one.alias else ""


def exports(version: str, names: Iterable[str]) -> str:
    """Give the package's own names."""
    listed = "".join(f'    "{name}",\n' for name in names)
    return f'__version__ = "{version}"\n\n__all__ = [\n{listed}]'


def banner(module: Module) -> str:
    """Give the comment that stands above a module: its path and its docstring."""
    rule = "=" * (WIDTH - 2)
    return comment(f"{rule}\n{module.path}\n\n{module.docstring}\n{rule}")


def comment(text: str) -> str:
    """Give a text as comment lines."""
    return "\n".join(f"# {line}".rstrip() for line in text.strip().splitlines())
