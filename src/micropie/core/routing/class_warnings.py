"""Warnings of what in an application's classes is probably not meant as it stands, told when it is made."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from micropie.core.basics.errors import log
from micropie.core.handlers.endpoint import Endpoint
from micropie.core.routing.controller import GUARDS
from micropie.core.routing.path_templates import joined
from micropie.core.routing.targets import MountedApp
from micropie.core.routing.tree import Branch, branches

if TYPE_CHECKING:
    from micropie.core.routing.router import Router

_BODYLESS_VERBS = frozenset(("GET", "HEAD", "DELETE"))  # whose bodies mean nothing (RFC 9110 §9.3.1, §9.3.2, §9.3.5)

_SET_BY_APP = ("middlewares", "ws_middlewares", "startup_handlers", "shutdown_handlers")


def log_class_warnings(router: "Router") -> None:
    """Log what is wrong with an application's classes, and what stands on their instances where no path leads to it."""
    for warning in class_warnings(router.root):
        log.warning("%s", warning)
    for branch in branches(router.root):
        for name, value in getattr(branch.owner, "__dict__", {}).items():
            router.tell_if_stray(branch.owner, name, value)


def class_warnings(branch: Branch) -> Iterator[str]:
    """Sentences that say what is wrong, and what to write instead."""
    yield from branch.oversights
    yield from _guards_of_applications(branch)
    yield from _lists_that_are_set_anew(branch)
    yield from _hidden_by_mounts(branch)
    yield from _mounts_past_guards(branch)
    yield from _hidden_by_index(branch)
    for entry in branch.entries:
        if isinstance(entry, Branch):
            yield from class_warnings(entry)
        elif isinstance(entry, Endpoint):
            yield from _bodies_that_never_come(branch, entry)


def _guards_of_applications(branch: Branch) -> Iterator[str]:
    for name in GUARDS:
        if len(branch.owners) == 1 and inspect.getattr_static(branch.owner, name, None) is not None:
            title = f"{branch.title}.{name}"
            yield f"{title} is never called, since an App has no guards: put it on a Controller, or use middleware"


def _lists_that_are_set_anew(branch: Branch) -> Iterator[str]:
    for name in _SET_BY_APP if len(branch.owners) == 1 else ():
        cls = next(cls for cls in type(branch.owner).__mro__ if name in vars(cls))
        value = vars(cls)[name]
        if isinstance(value, list | tuple) and value:  # a property may do something, and an empty list hides nothing
            title = f"{cls.__name__}.{name}"
            yield f"{title} has no effect, since App.__init__ sets self.{name}: append to that after super().__init__()"


def _hidden_by_mounts(branch: Branch) -> Iterator[str]:
    seen: dict[tuple[str, ...], str] = {}
    for mount in branch.mounts:
        hidden = seen.setdefault(mount.segments, mount.name)
        found = hidden if hidden != mount.name else _answering(branch, mount.segments)
        if found is not None:
            yield (
                f"{branch.title}.{mount.name} is mounted at {joined(mount.path)}, where it hides {found}: "
                "give it a path of its own"
            )


def _mounts_past_guards(branch: Branch) -> Iterator[str]:
    for mount in branch.mounts:
        guarded = _guarded_on_the_way(branch, mount.segments)
        if guarded is not None:
            yield (
                f"{branch.title}.{mount.name} is mounted at {joined(mount.path)}, where {guarded.title}._before "
                f"does not guard it: make it an attribute of {guarded.title}, or give it another path"
            )


def _guarded_on_the_way(branch: Branch, segments: tuple[str, ...]) -> Branch | None:
    """The first branch below, on the way of a path, that has a guard; None if there is none."""
    below = branch.named_branch(segments[0]) if segments else None
    if not isinstance(below, Branch):
        return None
    if any(guard.before for guard in below.rules.guards[len(branch.rules.guards) :]):
        return below
    return _guarded_on_the_way(below, segments[1:])


def _answering(branch: Branch, segments: tuple[str, ...]) -> str | None:
    """The name of what takes this path but for the mounts with a path of their own; None if that is a catch-all."""
    first, *others = segments
    if (method := branch.named(first)) is not None:
        return f"{branch.title}.{method.name}"
    below = branch.named_branch(first)
    if isinstance(below, Branch):
        return _answering(below, tuple(others)) if others else below.title
    return f"{branch.title}.{below.name}" if isinstance(below, MountedApp) else None


def _hidden_by_index(branch: Branch) -> Iterator[str]:
    if branch.collection is None:
        return
    get, index = branch.verbs.get("GET"), branch.collection.verbs.get("GET")
    if get is not None and index is not None and get is not index and not get.takes_segments:
        names = f"{branch.title}.get never answers, since {branch.title}.index does"
        yield f"{names}: remove one of them, or let get take an id"


def _bodies_that_never_come(branch: Branch, endpoint: Endpoint) -> Iterator[str]:
    if not endpoint.verbs or not _BODYLESS_VERBS.issuperset(endpoint.verbs):
        return
    for parameter in endpoint.plan.parameters:
        if parameter.is_body:
            yield (
                f"{branch.title}.{endpoint.name} takes {parameter.name!r} from the body, but answers "
                f'{", ".join(endpoint.verbs)} only: declare @methods("POST"), or take its values one by one'
            )
