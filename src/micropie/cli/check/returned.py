"""Rules on what handlers return: what is forgotten, thrown away, not awaited, or no reply."""

import ast
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple, Never, NoReturn, TypeAlias

from micropie import App, Route
from micropie.cli.check.subject import ClassSource, Finding, Subject, is_self, method_called
from micropie.cli.route_names import handler_name, method_name
from micropie.cli.routes import type_text

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_REPLIES = ("_render_template", "_redirect")  # methods of an App that are called for their result only
_NO_RESULTS = (None, type(None), Any, Never, NoReturn)
_BODIES = (ast.JoinedStr, ast.Dict, ast.List, ast.Tuple, ast.ListComp, ast.DictComp, ast.BinOp)
_SETS = (ast.Set, ast.SetComp)
_MIN_STATUS, _MAX_STATUS = 200, 599


class Handler(NamedTuple):
    """A handler of HTTP requests, and the source of it."""

    route: Route
    source: ClassSource
    function: Function

    def finding(self, node: ast.AST, message: str) -> Finding:
        """A finding at a node of it."""
        return self.source.finding(node, f"{handler_name(self.route)} {message}")

    def answers(self) -> list[ast.expr]:
        """The values that it returns, but for None."""
        found = (node.value for node in own_nodes(self.function) if isinstance(node, ast.Return))
        return [value for value in found if value is not None]


def handlers(subject: Subject) -> Iterator[Handler]:
    """Yield the handlers of HTTP requests whose source is seen."""
    for route in subject.routes:
        source = subject.source_of(route)
        function = None if source is None else source.member(method_name(route))
        if source is not None and route.kind == "http" and isinstance(function, Function):
            yield Handler(route, source, function)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions and classes inside it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from own_nodes(child)


def reply_call(node: ast.AST) -> str | None:
    """The method of `App` that an expression calls for a reply, awaited or not; None for any other expression."""
    call = node.value if isinstance(node, ast.Await) else node
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and is_self(call.func.value):
        return method_called(call) if method_called(call) in _REPLIES else None
    return None


# -- nothing is returned --------------------------------------------------------------------------------


def forgotten_returns(subject: Subject) -> Iterator[Finding]:
    """Handlers that make a reply and do not return it: they answer 204 without a body."""
    for handler in handlers(subject):
        node = thrown_away(handler.function)
        if node is not None:
            yield handler.finding(node, "makes a reply here and does not return it: write return before it")
        elif returns_nothing(handler):
            said = type_text(handler.route.returns)
            yield handler.finding(handler.function, f"says that it returns {said}, and returns nothing: write a return")


def thrown_away(function: Function) -> ast.AST | None:
    """The node of a reply that is made for nothing; None if there is none."""
    for node in own_nodes(function):
        if isinstance(node, ast.Expr) and reply_call(node.value):
            return node
    elsewhere = ast.Return | ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal
    if any(isinstance(node, elsewhere) for node in own_nodes(function)):
        return None
    last = function.body[-1]
    is_docstring = last is function.body[0] and is_constant(last)
    return last if is_reply(last) and not is_docstring else None


def is_reply(statement: ast.stmt) -> bool:
    """Tell whether a function's last statement makes a value that nothing but a `return` could use."""
    if isinstance(statement, ast.Assign):
        is_local = all(isinstance(target, ast.Name) and not target.id.startswith("_") for target in statement.targets)
        return is_local and (is_body(statement.value) or reply_call(statement.value) is not None)
    return isinstance(statement, ast.Expr) and is_body(statement.value)


def is_body(value: ast.expr) -> bool:
    """Tell whether an expression is a text, a dict, a list or the like."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str | bytes)
    return isinstance(value, _BODIES)


def returns_nothing(handler: Handler) -> bool:
    """Tell whether a handler promises a result by its annotation and has no `return` for it, but is no stub."""
    ends = ast.Return | ast.Yield | ast.YieldFrom | ast.Raise
    has_end = any(isinstance(node, ends) for node in own_nodes(handler.function))
    is_stub = all(isinstance(one, ast.Pass) or is_constant(one) for one in handler.function.body)
    return not (handler.route.returns in _NO_RESULTS or has_end or is_stub)


def is_constant(statement: ast.stmt) -> bool:
    """Tell whether a statement is a docstring or `...`."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# -- what is returned is no reply -----------------------------------------------------------------------


def wrong_results(subject: Subject) -> Iterator[Finding]:
    """Values that can't be a reply: coroutines, sets, a body before its status."""
    for handler in handlers(subject):
        for answer in handler.answers():
            for value, is_part in parts_of_result(answer):
                message = _wrong(handler, value, is_part=is_part)
                if message is not None:
                    yield handler.finding(value, message)


def parts_of_result(value: ast.expr, *, is_part: bool = False) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the values that a result may be, each with whether it is part of a tuple; the tuple comes before them."""
    if isinstance(value, ast.IfExp):
        for case in (value.body, value.orelse):
            yield from parts_of_result(case, is_part=is_part)
        return
    yield value, is_part
    if isinstance(value, ast.Tuple) and not is_part:
        for element in value.elts:
            yield from parts_of_result(element, is_part=True)


def _wrong(handler: Handler, value: ast.expr, *, is_part: bool) -> str | None:
    if isinstance(value, _SETS) and handler.route.returns is Any:  # an annotation says what is to become of it
        return "returns a set, which has no order and is no JSON: return a list"
    if isinstance(value, ast.Tuple) and is_swapped(value):
        body, status, *headers = map(ast.unparse, value.elts)
        return f"returns the body before the status: write return {', '.join((status, body, *headers))}"
    is_async = isinstance(handler.function, ast.AsyncFunctionDef)
    if (is_async or is_part) and (name := unawaited(handler.route.owner, value)) is not None:
        return f"returns a coroutine: write await self.{name}(…)" + ("" if is_async else ", in an async def")
    return None


def is_swapped(value: ast.Tuple) -> bool:
    """Tell whether a tuple is `body, status`, as Flask has it."""
    if len(value.elts) not in (2, 3):
        return False
    first, second = value.elts[:2]
    is_status = isinstance(second, ast.Constant) and type(second.value) is int
    return is_body(first) and is_status and _MIN_STATUS <= ast.literal_eval(second) <= _MAX_STATUS


def unawaited(owner: Any, value: ast.expr) -> str | None:
    """The coroutine method of `self` that an expression calls without `await`; None for any other expression."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and is_self(value.func.value):
        name = method_called(value)
        method = getattr(type(owner), name, None) or getattr(App, name, None)
        return name if inspect.iscoroutinefunction(method) else None
    return None
