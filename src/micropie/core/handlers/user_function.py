"""A function of the application: how a class has it, how it must be called, and what it is called in the log."""

import inspect
from collections.abc import Callable
from functools import partial, partialmethod, singledispatchmethod, wraps
from types import CodeType, FunctionType, MethodType
from typing import Any


def is_method(attribute: Any) -> bool:
    """True if an instance makes a bound callable of this class attribute, without running a property of the user's."""
    if isinstance(attribute, FunctionType | staticmethod | classmethod | partialmethod | singledispatchmethod):
        return True
    # What decorators make, such as functools.cache; no properties, nested classes or callable data. A `partial` is
    # data, though from Python 3.14 on it binds itself.
    is_data = isinstance(attribute, type | partial)
    return callable(attribute) and not is_data and hasattr(type(attribute), "__get__")


def bound_method(attribute: Any, owner: object) -> Callable[..., Any]:
    """The method that an instance makes of a class attribute; it tells its parameters, whatever it is made of."""
    if not isinstance(attribute, singledispatchmethod):
        method: Callable[..., Any] = attribute.__get__(owner, type(owner))
        return method

    @wraps(attribute.func)
    def dispatched(self: object, *args: Any, **kwargs: Any) -> Any:
        return attribute.__get__(self, type(self))(*args, **kwargs)

    dispatched.register = attribute.register  # type: ignore[attr-defined]
    return MethodType(dispatched, owner)


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
