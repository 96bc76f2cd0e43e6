"""Rules on what handlers take: from whom a parameter comes, and which paths it makes a handler answer."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Annotated, get_args, get_origin

from micropie import Cookie, FromBody, FromPath, FromQuery, FromSession, Header, Parameter, Route
from micropie.cli.check.subject import (
    Finding,
    Subject,
    finding_at,
    is_of_request,
)
from micropie.cli.route_names import handler_name, method_name

_IDENTITY = re.compile(
    r"(current_|my_|logged_in_)?(user|account|member|customer|owner|tenant|admin)(_?(id|name|email))?|uid|login|roles?|"
    r"permissions?|is_\w+|logged_in"
)
"""Names that say who somebody is, or what they may do: of these a client's word must not be taken."""

_SOURCES = (Cookie, FromBody, FromPath, FromQuery, FromSession, Header)


def overridable_session_values(subject: Subject) -> Iterator[Finding]:
    """Parameters that are called like an identity that the session keeps: what a client sends goes before it."""
    keys = ((key, source) for source in subject.sources for key in session_keys(source.node))
    kept = {key: source.cls.__name__ for key, source in keys if _IDENTITY.fullmatch(key)}
    for route in subject.routes:
        source = subject.source_of(route)
        if source is None or uses_session(source.member(method_name(route))):
            continue  # who looks at the session knows what is in it
        for parameter in (one for one in route.parameters if one.name not in route.identities):
            if parameter.name in kept and parameter.source != "session" and not names_its_source(route, parameter):
                yield finding_at(
                    route,
                    f"{handler_name(route)} takes {parameter.name!r} from whoever sends it, and from the session, "
                    f"where {kept[parameter.name]} keeps it, only if nobody does: write Annotated[…, FromSession()], "
                    "or give it another name",
                )


def comparisons_with_itself(subject: Subject) -> Iterator[Finding]:
    """Parameters that are compared with what the session keeps under their name, and so fills them with.

    As the `state` of a log-in by OAuth, or a code that was sent by mail: who leaves it out has the right one.
    """
    for route in subject.routes:
        source = subject.source_of(route)
        if source is None:
            continue
        method = source.member(method_name(route))
        compared = set(names_compared_with_session(method)) - set(session_keys(method))  # who sets it may see a change
        for parameter in route.parameters:
            named = parameter.name in route.identities or names_its_source(route, parameter)
            if parameter.name in compared and not named:
                yield finding_at(
                    route,
                    f"{handler_name(route)} compares {parameter.name!r} with the session's, by which it is filled if "
                    "no client sends it: write Annotated[str, FromQuery()], or give it another name",
                )


def names_compared_with_session(method: ast.AST) -> Iterator[str]:
    """Yield the names that are compared with what the session has under the same name."""
    kept: dict[str, set[str]] = {}  # variables, and the keys that they have been read from
    for node in ast.walk(method):
        if isinstance(node, ast.Assign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            kept.update((one.id, set(keys_read(node.value))) for one in targets if isinstance(one, ast.Name))
    for node in ast.walk(method):
        operands = operands_of(node)
        names = [{found.id for found in ast.walk(one) if isinstance(found, ast.Name)} for one in operands]
        keys = [
            {*keys_read(one)}.union(*(kept.get(name, ()) for name in of))
            for one, of in zip(operands, names, strict=True)
        ]
        for position, _ in enumerate(operands):
            others = set[str]().union(*names[:position], *names[position + 1 :])
            yield from keys[position] & others


def operands_of(node: ast.AST) -> list[ast.expr]:
    """What is compared with each other, by an operator or by `hmac.compare_digest`."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return node.args if called == "compare_digest" else []
    return []


def keys_read(node: ast.AST) -> Iterator[str]:
    """Yield the keys that are read from a session."""
    for found in ast.walk(node):
        if isinstance(found, ast.Subscript) and is_session(found.value):
            key: ast.AST = found.slice
        elif isinstance(found, ast.Call) and isinstance(found.func, ast.Attribute) and found.args:
            if found.func.attr not in ("get", "pop") or not is_session(found.func.value):
                continue
            key = found.args[0]
        else:
            continue
        if isinstance(key, ast.Constant):
            yield str(key.value)


def session_keys(node: ast.AST) -> Iterator[str]:
    """Yield the keys that are set in a session."""
    for found in ast.walk(node):
        is_set = isinstance(found, ast.Subscript) and isinstance(found.ctx, ast.Store) and is_session(found.value)
        if isinstance(found, ast.Subscript) and is_set and isinstance(found.slice, ast.Constant):
            yield str(found.slice.value)


def is_session(node: ast.AST) -> bool:
    """Tell whether an expression is the session of a request, or a parameter of that name."""
    return is_of_request(node, "session") or (isinstance(node, ast.Name) and node.id == "session")


def uses_session(node: ast.AST) -> bool:
    """Tell whether the session is used in a piece of source."""
    return any(map(is_session, ast.walk(node)))


def names_its_source(route: Route, parameter: Parameter) -> bool:
    """Tell whether a handler's signature says where a parameter comes from."""
    annotation = inspect.signature(route.handler).parameters[parameter.name].annotation
    if isinstance(annotation, str):  # from __future__ import annotations
        return any(source.__name__ in annotation for source in _SOURCES)
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return any(isinstance(one, _SOURCES) or one in _SOURCES for one in metadata)


def catching_index(subject: Subject) -> Iterator[Finding]:
    """An `index` of the application whose optional parameter takes any path that nothing else answers."""
    for route in subject.routes:
        if route.owner is not subject.app or method_name(route) != "index":
            continue
        found = next(optional_segments(route), None) if route.kind == "http" else None
        if found is not None:
            yield finding_at(
                route,
                f"{handler_name(route)} answers every path that nothing else does, as /x with {found.name}='x': "
                f"write *, {found.name}, or Annotated[…, FromQuery()], if it is to come from the query",
            )


def optional_segments(route: Route) -> Iterator[Parameter]:
    """Yield the optional parameters of a handler that would take the first segment of a path."""
    kinds = [parameter.kind for parameter in route.parameters]
    own = [parameter for parameter in route.parameters if parameter.name not in route.identities]
    if "variadic" in kinds or any(parameter.source == "path" for parameter in own):
        return  # it is written to take paths
    for parameter in route.parameters:
        is_free = parameter.kind == "positional" and parameter.source in ("query", "body") and not parameter.is_body
        is_segment = isinstance(parameter.default, str)  # index(self, name="Guest") may well be meant
        if is_free and not is_segment and not names_its_source(route, parameter):
            yield parameter
