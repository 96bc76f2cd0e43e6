"""The Python code that Jinja2 generates for a template in async mode, with the same result for less.

That code awaits a coroutine for each value that a template looks up and for each turn of a loop, and hands over each
piece of text as soon as it is there. `compile_lean` changes three things in its tree and nothing else:

    await auto_await(VALUE)                  awaits VALUE if it can be awaited; most values are known by type not to be
    async for TARGET in auto_aiter(ITEMS)    is a plain loop if ITEMS is no async iterable
    yield PIECE                              of a template or a block adds to a list, which is handed over at the end

Nothing is looked up twice, ahead or in another order. The third is for those who want a whole page: who streams one
needs Jinja2's own code. New statements stand on the line of those that they replace, by which Jinja2 finds the
template's line for a traceback.
"""

import ast
import threading
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from types import CodeType
from typing import Any, cast

_PLACED = (ast.stmt, ast.expr, ast.excepthandler)  # nodes that have a place
_PLACE = ("lineno", "col_offset", "end_lineno", "end_col_offset")

_PRELUDE = """
from inspect import isawaitable
from types import BuiltinMethodType, FunctionType, MethodType
plain_types = {
    bool, dict, float, int, list, str, tuple, type(None), Markup, BuiltinMethodType, FunctionType, MethodType
}
"""

# Nothing is evaluated between the writing and the reading of `value`, so nested ones may share it.
_VALUE = "value if type(value := VALUE) in plain_types or not isawaitable(value) else await value"

# The body stands there once, for either sort of iterable; `iter(int, 1)` has no end. A generator that a loop leaves
# early is closed when nothing refers to it any more, as in Jinja2's code.
_LOOP = """
items{n} = ITEMS
is_async{n} = hasattr(items{n}, '__aiter__')
items{n} = aiter(auto_aiter(items{n})) if is_async{n} else iter(items{n})
for item in iter(int, 1) if is_async{n} else items{n}:
    if is_async{n}:
        try:
            item = await anext(items{n})
        except StopAsyncIteration:
            break
    TARGET = item
items{n} = item = value = None
"""


# CPython 3.11 counts the depth of all threads' trees as one: two that make or compile one at the same time may get a
# SystemError, "AST constructor recursion depth mismatch".
_one_tree = threading.Lock()


def compile_lean(source: str, filename: str) -> CodeType:
    """The code of a template, for a `jinja2.Environment` to use as its `_compile`."""
    with _one_tree, suppress(RecursionError, SyntaxError):  # nested as deep as Python allows: we need a level more
        return compile(_lean_tree(source), filename, "exec")
    return compile(source, filename, "exec")


def _lean_tree(source: str) -> ast.Module:
    tree: ast.Module = _AwaitingLess().visit(ast.parse(source))
    for function in tree.body:
        if isinstance(function, ast.AsyncFunctionDef):  # the template itself, or a block
            body = _collecting(function.body)
            function.body = [
                *_statements("pieces = []", function),
                *body,
                *_statements("yield ''.join(pieces)", function),
            ]
    tree.body[1:1] = ast.parse(_PRELUDE).body  # below the import of what all of Jinja2's code needs
    return tree


class _AwaitingLess(ast.NodeTransformer):
    """Puts `_VALUE` and `_LOOP` where Jinja2 awaits without knowing whether it must."""

    def __init__(self) -> None:
        self._loops = 0

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """What a lookup, a call, a filter or a test gives."""
        self.generic_visit(node)
        match node.value:
            case ast.Call(func=ast.Name(id="auto_await"), args=[value]):
                (statement,) = _statements(_VALUE, node, VALUE=value)
                return cast("ast.AST", statement.value)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        """A loop in which the template does not look at `loop`."""
        self.generic_visit(node)
        match node.iter:
            case ast.Call(func=ast.Name(id="auto_aiter"), args=[items]):
                self._loops += 1
                *before, loop, after = _statements(_LOOP.format(n=self._loops), node, ITEMS=items, TARGET=node.target)
                loop.body += node.body
                return [*before, loop, after]
        return node


def _collecting(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, with what each row of `yield` would hand over added to `pieces` at once."""
    collecting: list[ast.stmt] = []
    for is_yield, row in groupby(statements, _is_yield):
        if is_yield:
            yields: list[Any] = [*row]
            pieces = ast.Tuple([statement.value.value for statement in yields], ast.Load())
            collecting += _statements("pieces += PIECES", yields[0], PIECES=ast.copy_location(pieces, yields[0]))
            continue
        for statement in row:
            if not isinstance(statement, ast.AsyncFunctionDef):  # a macro; what a filter of a loop yields are items
                for name in ("body", "handlers", "orelse", "finalbody"):
                    if inner := getattr(statement, name, None):
                        setattr(statement, name, _collecting(inner))
            collecting.append(statement)
    return collecting


def _is_yield(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)


def _statements(text: str, at: ast.AST, **parts: ast.AST) -> list[Any]:
    """The statements of a text, all of them on the line of a node, with parts in place of names."""
    place = {name: getattr(at, name) for name in _PLACE}
    return [_copied(statement, place, parts) for statement in _parsed(text).body]


@lru_cache(100)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _copied(node: Any, place: dict[str, int], parts: dict[str, ast.AST]) -> Any:
    """A copy of a node and of all below it."""
    if isinstance(node, list):
        return [_copied(item, place, parts) for item in node]
    if isinstance(node, ast.Name) and node.id in parts:
        return parts[node.id]
    if not isinstance(node, _PLACED):
        return node
    return type(node)(**{name: _copied(value, place, parts) for name, value in ast.iter_fields(node)}, **place)
