"""A synchronous Jinja2 environment that gives up before it does anything that can't be done twice.

Jinja2's async mode awaits what calls and filters return and reads async iterables; it doubles the price of a loop.
Few templates need it, but which ones is only known once they run. So a template is rendered synchronously at
first. When it is about to call the application's code or to use up an iterator, or when it meets something to await,
`NeedsAsyncError` ends the attempt: nothing has happened yet but reading (attributes, items, lists, which may be read
twice), and async mode can begin at the beginning.

Why not call the application's functions too, and replay their results in async mode if one turns out to be awaitable?
Because values that the template has changed meanwhile (a namespace, a list that it appends to) would come changed.
"""

import functools
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any

from micropie.core.basics.optional import lazy_import

_READS = {
    "Assign": "node",
    "Call": "dyn_args",
    "Extends": "template",
    "Filter": "node",
    "For": "iter",
    "FromImport": "template",
    "Import": "template",
    "Include": "template",
    "Operand": "expr",
    "Test": "args",
    "With": "values",
}
"""The nodes of a template that may read through an iterable or run a template, with the field that holds it."""
_GUARD = "settled"
_LAZY = {"batch", "items", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "unique"}
"""Filters that make an iterator of their own, which the next attempt makes again."""
_PLAIN = {str, int, float, bool, type(None), list, dict, tuple}
_LOOKUPS = {"copy", "get", "items", "keys", "values"}


class NeedsAsyncError(Exception):
    """This template has to be rendered in async mode."""


def settled(value: Any) -> Any:
    """The value. NeedsAsyncError if async mode might await it, or if reading uses it up."""
    kind = type(value)
    if kind in _PLAIN:  # PERF: 0.05 µs instead of 0.2 with the questions below
        return value
    asynchronous = hasattr(value, "__await__") or hasattr(value, "__aiter__")
    one_shot = hasattr(kind, "__iter__") and not hasattr(kind, "__len__")  # what has a length can be read again
    foreign = hasattr(kind, "render_async") and not hasattr(kind, "needs_async")  # another environment's template
    if asynchronous or one_shot or foreign:
        raise NeedsAsyncError
    return value


def sync_environment(jinja2: Any, base: Any, *, repeatable: frozenset[Any] = frozenset(), **options: Any) -> Any:
    """An environment derived from the class `base`; its templates render synchronously or raise NeedsAsyncError.

    `repeatable` are functions of ours that may be called for an attempt.
    """

    class SyncTemplate(jinja2.Template):  # type: ignore[misc]
        needs_async = False  # set by whom NeedsAsyncError reaches; a file that changes becomes another template

    class SyncEnvironment(base):  # type: ignore[misc]
        context_class = _context_class(jinja2, repeatable)
        template_class = SyncTemplate

        def _generate(self, source: Any, *args: Any, **kwargs: Any) -> Any:
            """Jinja2's hook between a template's parser and its compiler."""
            return super()._generate(guards.visit(source), *args, **kwargs)

    guards = _guards(jinja2)
    environment = SyncEnvironment(**options)
    environment.filters[_GUARD] = settled
    environment.filters["map"] = _settled_map(environment.filters["map"])
    return environment


def _guards(jinja2: Any) -> Any:
    """The visitor that puts `settled` round whatever a template reads through, and round the results of filters."""
    nodes = jinja2.nodes

    class Guards(jinja2.visitor.NodeTransformer):  # type: ignore[misc]
        def generic_visit(self, node: Any) -> Any:
            super().generic_visit(node)
            if field := _READS.get(type(node).__name__):
                setattr(node, field, guarded(getattr(node, field)))
            return guarded(node) if isinstance(node, nodes.Filter) else node

    def guarded(node: Any) -> Any:
        if isinstance(node, list):
            return [guarded(one) for one in node]
        if isinstance(node, nodes.List | nodes.Tuple):
            node.items = guarded(node.items)
            return node
        if node is None or isinstance(node, nodes.Const):
            return node
        if isinstance(node, nodes.Filter) and node.name in {*_LAZY, _GUARD}:
            return node
        return nodes.Filter(node, _GUARD, [], [], None, None, lineno=node.lineno, environment=node.environment)

    return Guards()


def _settled_map(plain_map: Any) -> Any:
    """The filter `map`, whose single results async mode awaits too."""

    @functools.wraps(plain_map)  # it is marked as a filter that wants the context
    def settled_map(*args: Any, **kwargs: Any) -> Any:
        return map(settled, plain_map(*args, **kwargs))

    return settled_map


def _context_class(jinja2: Any, repeatable: frozenset[Any]) -> Any:
    """What a template's variables live in, and its calls go through."""
    runtime, utils = jinja2.runtime, jinja2.utils
    ours = {runtime.LoopContext, utils.Cycler, utils.Joiner}  # made by the template, and made anew next time
    time = lazy_import("datetime")
    # Immutable types: their own methods change nothing.
    values = (
        str,
        bytes,
        int,
        float,
        tuple,
        frozenset,
        lazy_import("decimal").Decimal,
        time.date,
        time.time,
        time.timedelta,
    )
    functions = {dict, range, utils.Cycler, utils.Joiner, utils.Namespace, *repeatable}

    def is_repeatable(function: Any) -> bool:
        kind = type(function)
        if kind is BuiltinMethodType:
            owner = function.__self__
            return isinstance(owner, values) or (isinstance(owner, dict) and function.__name__ in _LOOKUPS)
        if kind is MethodType:
            return type(function.__self__) in ours
        return kind in ours or (kind in (type, FunctionType) and function in functions)

    class SyncContext(jinja2.runtime.Context):  # type: ignore[misc]
        def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if self._is_template_code(function):  # what it reads and calls is guarded in its place
                return super().call(function, *args, **kwargs)
            if not is_repeatable(function):
                raise NeedsAsyncError
            for argument in args:  # a recursive loop and `str.join` read through theirs
                settled(argument)
            return settled(super().call(function, *args, **kwargs))

        def _is_template_code(self, function: Any) -> bool:
            kind = type(function)
            if kind is runtime.Macro:
                return function._environment is self.environment
            return kind is runtime.BlockReference

    utils.internalcode(SyncContext.call)  # leaves its frame out of a template's traceback
    return SyncContext
