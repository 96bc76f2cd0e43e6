"""The order of the house, held by reading the sources.

Each rule is a function from sources to complaints; the made-up sources at the end show that each of them can fail.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"

ORDER = (
    "late",
    "basics",
    "conversion",
    "replies",
    "requests",
    "websockets",
    "templates",
    "handlers",
    "sessions",
    "routing",
    "engine",
    "failures",
    "hooks",
    "lifespan",
    "pipeline",
    "app",
    "inspection",
    "rsgi",
    "run",
)
"""The folders of the core, and the modules beside them: each imports from those above it only, and from itself."""

IMPORTERS = {"late", "basics.optional", "basics.json_codec"}
"""The modules that import by a name: what the core imports late, and packages which may be missing."""

OPTIONAL = {"jinja2", "multipart", "orjson"}

SHARED = {"stores", "calling", "codings", "signing"}
"""What beside the core several batteries use."""

FRONTS = {"__main__": {"cli"}, "cli": {"openapi"}}
"""The batteries that bring another one to the command line."""

LATE = "micropie.core.late"
"""The module that imports the names of others when they are asked for: `late.name` counts as an import."""

Sources = Mapping[str, str]
Imported = ast.Import | ast.ImportFrom


def read_sources() -> dict[str, str]:
    """Give every module of the package by its dotted name (a package by that of its `__init__`)."""
    paths = sorted(SOURCE.glob("micropie/**/*.py"))
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts): path.read_text("utf-8") for path in paths}


def imports(source: str) -> Iterator[tuple[Imported, bool]]:
    """Yield each import with whether it stands inside a function."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {inner for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, node in inside


def modules_of(node: Imported) -> list[str]:
    """Give the dotted names that an import reads from; a relative one begins with a dot."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.module == "micropie.core" and [alias.name for alias in node.names] == ["late"]:
        return [LATE]
    return ["." * node.level + (node.module or "")]


def imported(source: str) -> set[str]:
    """Give all modules that a source imports when it runs; a type checker may look further."""
    for_types = {inner for node in ast.walk(ast.parse(source)) if is_for_types(node) for inner in lines_of(node)}
    return {module for node, _ in imports(source) if node.lineno not in for_types for module in modules_of(node)}


def late_names(sources: Sources) -> dict[str, str]:
    """Give the names that the core imports late, each with its module."""
    return next(
        (
            ast.literal_eval(statement.value)
            for statement in ast.parse(sources.get(LATE, "")).body
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "_MODULES"
        ),
        {},
    )


def used_late(source: str) -> set[str]:
    """Give the names that a source uses by `late.name`."""
    attributes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "late"}


def needed(source: str, sources: Sources) -> set[str]:
    """Give all modules that a source imports when it runs, be it late."""
    known = late_names(sources)
    return imported(source) | {known[name] for name in used_late(source) if name in known}


def is_for_types(node: ast.AST) -> bool:
    """Tell whether a statement is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def lines_of(node: Any) -> range:
    """Give the line numbers of a statement."""
    return range(node.lineno, node.end_lineno + 1)


def root(module: str) -> str:
    """Give the top-level package of a dotted name."""
    return module.partition(".")[0]


def is_core(name: str) -> bool:
    """Tell whether a dotted name is in the core."""
    return name == "micropie.core" or name.startswith("micropie.core.")


def core(sources: Sources) -> dict[str, str]:
    """Give the core's modules by their short names."""
    return {name.removeprefix("micropie.core."): source for name, source in sources.items() if is_core(name)}


def batteries(sources: Sources) -> dict[str, str]:
    """Give what stands beside the core."""
    return {name: source for name, source in sources.items() if not is_core(name) and name != "micropie.__init__"}


# The rules.


def against_the_order(sources: Sources) -> list[str]:
    """A core module imports from its own folder and those above it only, by their full names."""
    complaints = []
    for name, source in core(sources).items():
        if name == "__init__":
            continue
        if root(name) not in ORDER:
            complaints.append(f"{path_of(name)} has no place in ORDER: add its folder there and in core/__init__.py")
            continue
        allowed = ORDER[: ORDER.index(root(name)) + 1]
        ours = (module for module in sorted(needed(source, sources)) if root(module) in {"micropie", ""})
        complaints += [f"{path_of(name)} imports {module}" for module in ours if folder_of(module) not in allowed]
    return complaints


def folder_of(module: str) -> str:
    """Give the folder of the core that a dotted name is in; nothing if it is not in the core."""
    return root(module.removeprefix("micropie.core.")) if module.startswith("micropie.core.") else ""


def path_of(name: str) -> str:
    """Give the file of a core module."""
    return f"core/{name.replace('.', '/')}.py"


def beyond_the_standard_library(sources: Sources) -> list[str]:
    """The core is the standard library's own; only `basics` looks further, and when it is called."""
    complaints = []
    for name, source in core(sources).items():
        for node, in_function in imports(source):
            for module in modules_of(node):
                known = root(module) in sys.stdlib_module_names | {"micropie"}
                lazily = name in IMPORTERS and in_function and root(module) in OPTIONAL
                if not (known or lazily) or (root(module) == "importlib" and name not in IMPORTERS):
                    complaints.append(f"{path_of(name)}:{node.lineno} imports {module}")
    return complaints


def hidden(sources: Sources) -> list[str]:
    """An import stands at the top of its file, but for a battery's optional package."""
    complaints = []
    for name, source in sources.items():
        for node, in_function in imports(source):
            external = {root(module) for module in modules_of(node)} - sys.stdlib_module_names - {"micropie", ""}
            if in_function and not (external and (not is_core(name) or name == "micropie.core.basics.optional")):
                complaints.append(f"{name}:{node.lineno} imports inside a function")
    return complaints


def misnamed(sources: Sources) -> list[str]:
    """A name that the core imports late is used, and in the module that type checkers are told."""
    known, used = late_names(sources), {name for source in core(sources).values() for name in used_late(source)}
    told = {
        (alias.name, str(node.module))
        for node in ast.walk(ast.parse(sources.get(LATE, "")))
        if isinstance(node, ast.ImportFrom) and is_core(str(node.module))
        for alias in node.names
    }
    complaints = [f"late.{name} is used and not there, or the other way round" for name in sorted(known.keys() ^ used)]
    return complaints + [f"type checkers are told otherwise of late.{name}" for name, _ in sorted(known.items() ^ told)]


def behind_the_counter(sources: Sources) -> list[str]:
    """A battery takes from the core what `micropie` exports."""
    return [
        f"{name} imports {module}"
        for name, source in batteries(sources).items()
        for module in sorted(imported(source))
        if is_core(module) or "core" in module.lstrip(".").split(".")[:1] or core_by_name(source)
    ]


def from_another_battery(sources: Sources) -> list[str]:
    """A battery stands without the others: it imports from `micropie`, from itself, and from what they share."""
    complaints = []
    for name, source in batteries(sources).items():
        own = root(name.removeprefix("micropie."))
        allowed = {own, *SHARED, *FRONTS.get(own, ())}
        others = (
            module for module in sorted(imported(source)) if module.startswith("micropie.") and not is_core(module)
        )
        complaints += [
            f"{name} imports {module}" for module in others if root(module.removeprefix("micropie.")) not in allowed
        ]
    return complaints


def core_by_name(source: str) -> bool:
    """Tell whether a source says `from micropie import core`."""
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "micropie" and "core" in {one.name for one in node.names}
        for node, _ in imports(source)
    )


def cycles(sources: Sources) -> list[str]:
    """No module imports itself, over whatever detour."""
    known = {name.removesuffix(".__init__") for name in sources}
    graph = {name.removesuffix(".__init__"): needed(source, sources) & known for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" → ".join(error.args[1])]
    return []


def ambiguous(sources: Sources) -> list[str]:
    """A top-level name of the core is defined in one module."""
    owners: dict[str, str] = {}
    complaints = []
    for module, source in core(sources).items():
        for name in sorted({found for statement in ast.parse(source).body for found in defined(statement)}):
            first = owners.setdefault(name, module)
            if first != module:
                complaints.append(f"{name} is defined in {path_of(first)} and {path_of(module)}")
    return complaints


def defined(statement: ast.stmt) -> set[str]:
    """Give the names that a top-level statement defines."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, ast.If):
        return set[str]().union(*map(defined, [*statement.body, *statement.orelse]))
    nodes = ast.walk(statement)
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def defining(sources: Sources) -> list[str]:
    """`micropie/__init__.py` has a docstring, imports, late ones too, `__all__`, `__version__`, and defines nothing."""
    return [
        f"micropie/__init__.py:{statement.lineno} defines something"
        for statement in ast.parse(sources.get("micropie.__init__", "")).body
        if not isinstance(statement, (ast.Import, ast.ImportFrom))
        and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        and not is_for_types(statement)
        and not defined(statement) <= {"__all__", "__version__", "_LATE", "__getattr__", "__dir__"}
    ]


RULES = [
    against_the_order,
    beyond_the_standard_library,
    hidden,
    misnamed,
    behind_the_counter,
    from_another_battery,
    cycles,
    ambiguous,
    defining,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_sources_keep_the_rule(rule):
    """Our sources give no cause for complaint."""
    sources = read_sources()
    assert "micropie.core.__init__" in sources
    assert rule(sources) == []


LAZY = "def f():\n    import {}\n"


LATE_APP = {
    LATE: "if TYPE_CHECKING:\n    from micropie.core.app import App\n_MODULES = {'App': 'micropie.core.app'}",
    "micropie.core.run.run": "from micropie.core import late\nlate.App",
}


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (against_the_order, "core.requests.request", "from micropie.core.routing.router import Router"),
        (against_the_order, "core.requests.request", "from micropie import App"),
        (against_the_order, "core.requests.request", "from .types import Scope"),
        (against_the_order, "core.pipeline.http", "from micropie.core.app import App"),
        (against_the_order, "core.app", "from micropie.core.rsgi import RSGI"),
        (against_the_order, "core.utils", ""),
        (against_the_order, "core.helpers.request", ""),
        (beyond_the_standard_library, "core.replies.reply", "import orjson"),
        (beyond_the_standard_library, "core.replies.reply", LAZY.format("orjson")),
        (beyond_the_standard_library, "core.basics.optional", "import orjson"),
        (beyond_the_standard_library, "core.replies.reply", "import importlib"),
        (hidden, "core.replies.reply", LAZY.format("json")),
        (hidden, "core.replies.reply", LAZY.format("micropie.core.basics.types")),
        (hidden, "static", LAZY.format("json")),
        (hidden, "static", LAZY.format("micropie")),
        (against_the_order, "core.requests.request", "from micropie.core import late\nlate.App"),
        (against_the_order, "core.late", "from micropie.core.basics.types import Scope"),
        (cycles, "core.app", "late.App"),
        (hidden, "core.replies.reply", LAZY.format("micropie.core.late")),
        (misnamed, "core.replies.reply", "late.Scope"),
        (misnamed, "core.late", "_MODULES = {'App': 'micropie.core.app'}"),
        (misnamed, "core.run.run", ""),
        (behind_the_counter, "static", "from micropie.core import late"),
        (behind_the_counter, "static", "from micropie.core.replies.reply import Reply"),
        (behind_the_counter, "static", "from micropie import core"),
        (behind_the_counter, "static", "from .core import reply"),
        (from_another_battery, "sessions.signed_cookie", "from micropie.auth import Signer"),
        (from_another_battery, "stores.redis_client", "import micropie.sessions"),
        (cycles, "static", "import micropie.static"),
        (ambiguous, "core.replies.reply", "Scope = 1"),
        (ambiguous, "core.replies.reply", "class Scope: pass"),
        (defining, "__init__", "def f(): pass"),
        (defining, "__init__", "name = 1"),
        (defining, "__init__", "if not TYPE_CHECKING:\n    def f(): pass"),
    ],
)
def test_rule_can_fail(rule, name, source):
    """A source that breaks a rule is complained of, once."""
    sources = {"micropie.core.basics.types": "Scope = dict", **LATE_APP, f"micropie.{name}": source}
    assert len(rule(sources)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("core.basics.optional", LAZY.format("orjson")),
        ("core.app", "from micropie.core.basics.types import Scope"),
        ("core.basics.json_codec", "if TYPE_CHECKING:\n    from micropie.core.app import App"),
        ("core.rsgi", "from micropie.core import late\n\ndef f():\n    return late.App"),
        ("sessions.redis", LAZY.format("redis")),
        ("sessions.signed_cookie", "from micropie.signing import Signatures"),
        ("cli.openapi", "from micropie.openapi import openapi"),
        ("rooms.redis", "from micropie import App\nfrom micropie.rooms.memory import Room"),
        (
            "__init__",
            '"""Doc."""\nfrom micropie.core.basics.types import Scope\n__all__ = ["Scope"]\n__version__ = "1"',
        ),
    ],
)
def test_rules_allow_what_is_right(name, source):
    """What is right is not complained of."""
    sources = {"micropie.core.basics.types": "Scope = dict", **LATE_APP, f"micropie.{name}": source}
    assert [complaint for rule in RULES for complaint in rule(sources)] == []
