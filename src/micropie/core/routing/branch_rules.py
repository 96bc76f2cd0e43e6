"""Rules that a class lays down for its whole branch: limits of requests, guards, and who is asked about errors.

A controller's come on top of those from above. They are methods and attributes of the user's own classes: what stands
on an instance is refused where it would guard nothing.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from micropie.core.handlers.binding import GuardPlan
from micropie.core.handlers.endpoint import ErrorHandler, ErrorHandlers, Guard, Guards
from micropie.core.handlers.user_function import UserFunction, bound_method, function_name, is_method
from micropie.core.requests.limits import Limits, check_limits
from micropie.core.routing.controller import FRAMEWORK_CLASSES, GUARDS, ON_ERROR


class BranchRules(NamedTuple):
    """The rules for all that a branch answers, its owner's and those from above.

    `guards` stand outermost first, `error_handlers` innermost first; `oversights` are sentences on the owner's own.
    """

    limits: Limits
    guards: Guards
    error_handlers: ErrorHandlers
    oversights: tuple[str, ...]


def application_rules(app: Any, framework: tuple[type, ...], limits: Limits) -> BranchRules:
    """The rules of an application, which has no guards; `framework` are the classes that are not the user's."""
    error_handlers, oversights = _own_error_handlers(app, framework)
    return BranchRules(limits, (), error_handlers, oversights)


def controller_rules(controller: Any, above: BranchRules, identities: tuple[str, ...]) -> BranchRules:
    """The rules of a controller below others, with these identities in its path.

    TypeError for a guard that would guard nothing, ValueError for what is no limit.
    """
    limits = _overridden_limits(above.limits, controller)
    guards = _own_guards(controller, identities)
    error_handlers, oversights = _own_error_handlers(controller, FRAMEWORK_CLASSES)
    return BranchRules(
        limits,
        above.guards + guards,
        error_handlers + above.error_handlers,
        (*_problems_of(guards), *oversights),
    )


def _overridden_limits(limits: Limits, owner: Any) -> Limits:
    """The limits with those in their place that a controller has as attributes of the same names."""
    attributes: dict[str, Any] = {}
    for cls in reversed(type(owner).__mro__):
        attributes.update(vars(cls))
    attributes.update(vars(owner) if hasattr(owner, "__dict__") else {})
    changes = {name: attributes[name] for name in limits._fields if name in attributes}
    changes = {name: value for name, value in changes.items() if not callable(value)}  # else they are routes
    check_limits(changes, f"{type(owner).__name__}.{{}}")
    return limits._replace(**changes)


def _own_guards(owner: Any, identities: tuple[str, ...]) -> Guards:
    """The guard that a controller's class defines, if it does; its parameters are filled from these identities."""
    before, after = (_guard_method(owner, name) for name in GUARDS)
    if not before and not after:
        return ()
    plan = GuardPlan(before.handler, identities) if before else None
    return (Guard(before, after, None if plan is None or plan.is_empty else plan),)


def _guard_method(owner: Any, name: str) -> UserFunction | None:
    """The method of that name, if the user's classes define it. TypeError for one that would guard nothing."""
    title = f"{type(owner).__name__}.{name}"
    if name in getattr(owner, "__dict__", ()):
        raise TypeError(f"{title} is set on the instance, where it guards nothing: make it a method of the class")
    nearest = _nearest_class(owner, name, FRAMEWORK_CLASSES)
    if nearest is None:
        return None
    attribute = vars(nearest)[name]
    if not is_method(attribute):
        raise TypeError(f"{title} is {attribute!r}, which guards nothing: make it a method")
    return UserFunction(bound_method(attribute, owner))


def _problems_of(guards: Guards) -> Iterator[str]:
    """Sentences on parameters of the guards that can't be filled as they read."""
    for guard in guards:
        if guard.before is not None and guard.plan is not None:
            yield from (f"{function_name(guard.before.handler)}: {problem}" for problem in guard.plan.problems)


def _own_error_handlers(owner: Any, framework: tuple[type, ...]) -> tuple[ErrorHandlers, tuple[str, ...]]:
    """The owner's `_on_error`, if it has one, or else a sentence on why that is never asked."""
    nearest = _nearest_class(owner, ON_ERROR, framework)
    is_on_instance = ON_ERROR in getattr(owner, "__dict__", ())
    if nearest is None and not is_on_instance:
        return (), ()
    if nearest is not None and not is_on_instance and is_method(vars(nearest)[ON_ERROR]):
        handler = bound_method(vars(nearest)[ON_ERROR], owner)
        if _takes_one_argument(handler):
            return (ErrorHandler(handler),), ()
    oversight = (
        f"{type(owner).__name__}.{ON_ERROR} is never asked: make it a method that takes the exception, "
        f"def {ON_ERROR}(self, error)"
    )
    return (), (oversight,)


def _nearest_class(owner: Any, name: str, framework: tuple[type, ...]) -> type | None:
    """The nearest of the user's classes that defines a name; None if none does."""
    return next((cls for cls in type(owner).__mro__ if cls not in framework and name in vars(cls)), None)


def _takes_one_argument(function: Callable[..., Any]) -> bool:
    """True if the function can be called with one positional argument."""
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return True
