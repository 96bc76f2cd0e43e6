"""A handler's signature as data: what its parameters are called, what type they have, where they come from.

Annotations may be text (`from __future__ import annotations`), and may name what only a type checker imports. What
cannot be resolved counts as no annotation, and as a problem.
"""

import inspect
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any

from micropie.core import late
from micropie.core.basics.optional import lazy_import
from micropie.core.handlers.parameter import AUTO, KINDS, POSITIONAL, REQUIRED, Parameter

# From Python 3.14 on annotations are evaluated when they are asked for, and may name what is not there.
_LENIENT: Any = (
    {"annotation_format": lazy_import("annotationlib").Format.FORWARDREF} if sys.version_info >= (3, 14) else {}
)


class Signature:
    """A handler's parameters but for those that are filled already, its return annotation, and what is wrong.

    `taken` are the names that no keyword may fill again.
    """

    __slots__ = ("parameters", "problems", "returns", "taken")

    def __init__(
        self, parameters: tuple[Parameter, ...], returns: Any, problems: tuple[str, ...], taken: frozenset[str]
    ) -> None:
        self.parameters = parameters
        self.returns = returns
        self.problems = problems
        self.taken = taken


def read_signature(handler: Callable[..., Any], skip: int) -> Signature:
    """Read it; `skip` positional parameters are filled by other means. TypeError if it has none, or no `self`."""
    try:
        signature = inspect.signature(handler, **_LENIENT)
    except ValueError:
        raise TypeError(_unreadable(handler)) from None
    found, returns = list(signature.parameters.values()), signature.return_annotation
    skipped = [one for one in found if KINDS[one.kind] == POSITIONAL][:skip]
    found = [one for one in found if one not in skipped]
    taken = frozenset((*signature.parameters, *_implicit(handler)))
    if returns is not REQUIRED or any(one.annotation is not REQUIRED for one in found):
        return Signature(*late.read_annotations(handler, found, returns), taken)
    return Signature(tuple(map(_untyped, found)), Any, (), taken)


def _untyped(found: inspect.Parameter) -> Parameter:
    """A parameter without an annotation."""
    name = found.name
    return Parameter(name, Any, (), AUTO, name, found.default, KINDS[found.kind], is_body=False)


def _unreadable(handler: Callable[..., Any]) -> str:
    """A sentence on a handler whose signature can't be read: mostly it does not take what it is bound to."""
    method = inspect.unwrap(handler)
    code = getattr(method, "__code__", None)
    if code is None:
        return f"{method!r} does not tell its parameters: call it in a method of its own"
    wanted = "cls" if isinstance(getattr(handler, "__self__", None), type) else "self"
    return (
        f"{method.__qualname__} takes no {wanted} ({code.co_filename}, line {code.co_firstlineno}): "
        f"write def {method.__name__}({wanted}), or make it a @staticmethod"
    )


def _implicit(handler: Callable[..., Any]) -> list[str]:
    """The name of the parameter that a bound method fills by itself."""
    if not isinstance(handler, MethodType):
        return []
    return list(inspect.signature(handler.__func__, **_LENIENT).parameters)[:1]
