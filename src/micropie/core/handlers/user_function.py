"""A function of the application: how it must be called, and what it is called in the log."""

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """The code of a function, or of what it wraps; None if that is not Python's."""
    code: CodeType | None = getattr(inspect.unwrap(function), "__code__", None)
    return code


def place_of(function: Callable[..., Any]) -> tuple[str, int] | None:
    """The file and the line where a function begins, or what it wraps; None if that is not Python's."""
    code = code_of(function)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def function_name(function: Callable[..., Any]) -> str:
    """The class and the method, as far as the function knows them; `""` if it has no name."""
    name: str = getattr(function, "__qualname__", "")
    return name.rpartition("<locals>.")[2]


class UserFunction:
    """A function of the application, and how it must be called."""

    __slots__ = ("blocking", "call", "handler", "in_thread", "is_coroutine")

    def __init__(self, handler: Callable[..., Any]) -> None:
        self.handler = handler
        self.call = handler
        innermost = inspect.unwrap(handler)
        self.is_coroutine = inspect.iscoroutinefunction(handler)
        self.blocking = not (inspect.iscoroutinefunction(innermost) or inspect.isasyncgenfunction(innermost))
        # Calling a generator function runs nothing of it yet.
        self.in_thread = self.blocking and not inspect.isgeneratorfunction(innermost)
