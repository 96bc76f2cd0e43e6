"""The rules of `micropie check`. A rule is a function from a `Subject` to findings.

A rule must be right nearly always: whoever must read past false alarms stops reading.
"""

import ast
import inspect
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import FunctionType
from typing import Any

from micropie import App, Controller, HttpMiddleware, InMemorySessionBackend, Mount, Nested, Route, Service
from micropie.cli.check.subject import (
    ClassSource,
    Finding,
    Subject,
    calls_on_self,
    finding_at,
    is_of_request,
    method_called,
    methods_in,
)
from micropie.cli.route_names import handler_name, method_name

_HELPER = re.compile(r"(get|load|save|fetch|parse|validate|compute|is|has)_\w+|(\w+_)?helpers?")


# -- what the application itself noticed when it was made -----------------------------------------------


def class_oversights(subject: Subject) -> Iterator[Finding]:
    """Sentences that the application has on its own classes, at the member that each is about."""
    for message in subject.configuration.oversights:
        title, _, rest = message.partition(".")
        source = next((one for one in subject.sources if one.cls.__name__ == title), None)
        if source is not None:
            yield source.finding(source.member(re.split(r"\W", rest, maxsplit=1)[0]), message)


def unserved_signatures(subject: Subject) -> Iterator[Finding]:
    """Annotations that don't resolve, and those that nothing can be converted to."""
    for route in subject.routes:
        for problem in route.problems:
            yield finding_at(route, f"{handler_name(route)}: {problem}")


# -- routes that are none, and what is no route ---------------------------------------------------------


def exposed_helpers(subject: Subject) -> Iterator[Finding]:
    """Public methods that other methods use, or whose names say that they are no pages."""
    for route in subject.routes:
        if route.kind != "http" or route.verbs or route.doc:
            continue  # whoever declares verbs, or describes it, means it
        name = method_name(route)
        caller = caller_of(subject, route, name)
        why = (
            f"{caller} calls it" if caller else "its name is that of a helper" if is_like_helper(route, name) else None
        )
        if why is not None:
            yield finding_at(
                route,
                f"anyone can call {handler_name(route)} at {route.path}, and {why}: begin its name with _, "
                "or give it a docstring if it is a page",
            )


def caller_of(subject: Subject, route: Route, name: str) -> str | None:
    """The method that calls a handler for its result, not to answer with it; None if there is none."""
    source = subject.source_of(route)
    for method in methods_in(source.node) if source else ():
        answers = {id(answer) for node in ast.walk(method) for answer in answers_in(node)}
        for call in calls_on_self(method):
            if method_called(call) == name != method.name and id(call) not in answers:
                return f"{type(route.owner).__name__}.{method.name}"
    return None


def answers_in(node: ast.AST) -> Iterator[ast.AST]:
    """The calls whose results a `return` statement answers with."""
    if isinstance(node, ast.Return) and node.value is not None:
        yield from parts_of(node.value)


def parts_of(value: ast.expr) -> Iterator[ast.AST]:
    """The calls that an expression's value is made of: of either case of a condition, of all members of a tuple."""
    if isinstance(value, ast.IfExp):
        yield from (part for case in (value.body, value.orelse) for part in parts_of(case))
    elif isinstance(value, ast.Tuple):
        yield from (part for element in value.elts for part in parts_of(element))
    else:
        yield value.value if isinstance(value, ast.Await) else value


def is_like_helper(route: Route, name: str) -> bool:
    """Tell whether a handler is named and written like a helper: a plain function without annotations."""
    function = inspect.unwrap(route.handler)
    is_plain = not inspect.iscoroutinefunction(function) and not inspect.isasyncgenfunction(function)
    return is_plain and not getattr(function, "__annotations__", {}) and _HELPER.fullmatch(name) is not None


def exposed_hooks(subject: Subject) -> Iterator[Finding]:
    """Startup and shutdown handlers that are routes as well."""
    hooks = [*subject.app.startup_handlers, *subject.app.shutdown_handlers]
    for route in subject.routes:
        if any(hook == route.handler for hook in hooks):
            yield finding_at(
                route,
                f"anyone can call {handler_name(route)} at {route.path}, a startup or shutdown handler: "
                "begin its name with _",
            )


def names_of_app(subject: Subject) -> Iterator[Finding]:
    """Members of the user's classes that mean nothing under their name."""
    for source in subject.sources:
        if isinstance(vars(source.cls).get("request"), FunctionType):
            title = f"{source.cls.__name__}.request"
            message = f"{title} answers nothing, since self.request is the request: give it another name"
            yield source.finding(source.member("request"), message)


def branches_on_instances(subject: Subject) -> Iterator[Finding]:
    """Controllers and mounts that a constructor has set: only those in the body of a class answer."""
    served = {id(owner) for owner in subject.owners}
    for owner in subject.owners:
        for name, value in vars(owner).items():
            is_branch = isinstance(value, Mount | Nested) or (isinstance(value, Controller) and id(value) not in served)
            if is_branch and not name.startswith("_"):
                title = f"{type(owner).__name__}.{name}"
                made = f"{name} = {type(value).__name__}(…)"
                message = f"{title} is set on the instance, where it answers nothing: write {made} in the class body"
                source, node = next(assignments(owner, name, subject), (None, None))
                if source is not None and node is not None:
                    yield source.finding(node, message)


def assignments(owner: object, name: str, subject: Subject) -> Iterator[tuple[ClassSource, ast.AST]]:
    """Yield the places in an object's classes where an attribute of `self` is set."""
    for source in subject.sources:
        if isinstance(owner, source.cls):
            for node in ast.walk(source.node):
                if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store):
                    yield source, node


# -- packages -------------------------------------------------------------------------------------------


def is_missing(package: str) -> bool:
    """Tell whether a package is not installed, or is too old a one.

    python-multipart, which has a `multipart` too, is another one.
    """
    if package != "multipart" or find_spec(package) is None:
        return find_spec(package) is None
    with warnings.catch_warnings(action="ignore"):
        parser = getattr(import_module(package), "PushMultipartParser", None)
    return not hasattr(parser, "_on_segment_headerline")


def missing_packages(subject: Subject) -> Iterator[Finding]:
    """Packages that the application will ask for and that are not installed."""
    if is_missing("multipart"):
        for finding in uploads(subject):
            yield finding._replace(message=f"{finding.message} needs multipart 2: pip install 'multipart>=2'")
    if is_missing("jinja2"):
        for source, call in renderings(subject):
            yield source.finding(call, "_render_template needs Jinja2: pip install jinja2")
    if is_missing("granian") and not is_missing("uvicorn") and is_missing("websockets") and is_missing("wsproto"):
        for route in subject.routes:
            if route.kind == "websocket":
                yield finding_at(
                    route, f"{handler_name(route)}: Uvicorn alone knows no WebSockets: pip install websockets"
                )


def uploads(subject: Subject) -> Iterator[Finding]:
    """Handlers and lines that take uploaded files."""
    for route in subject.routes:
        for parameter in route.parameters:
            if parameter.source == "file":
                yield finding_at(route, f"{handler_name(route)} takes a file in {parameter.name!r}, which")
    for source in subject.sources:
        for node in ast.walk(source.node):
            if is_of_request(node, "files"):
                yield source.finding(node, "request.files")


# -- templates ------------------------------------------------------------------------------------------


def missing_templates(subject: Subject) -> Iterator[Finding]:
    """Templates that are named and not there, and those that Jinja2 can't read."""
    if is_missing("jinja2"):
        return
    environment = subject.configuration.templates
    for source, call in renderings(subject):
        name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if isinstance(name, str) and environment.loader is not None:
            yield from (source.finding(call, fault) for fault in template_faults(environment, name))


def template_faults(environment: Any, name: str) -> Iterator[str]:
    """Yield the faults of a template, and of those that it names."""
    jinja2 = import_module("jinja2")
    find_named = import_module("jinja2.meta").find_referenced_templates
    pending, seen = [name], set()
    while pending:
        seen.add(name := pending.pop())
        try:
            text, _, _ = environment.loader.get_source(environment, name)
            named = list(find_named(environment.parse(text, name, name)))
            environment.get_template(name)
        except jinja2.TemplateNotFound:
            yield f"there is no template {name!r} in {template_folders(environment.loader)}"
        except jinja2.TemplateSyntaxError as error:
            yield f"the template {name!r} can't be read: line {error.lineno}, {error.message}"
        else:
            pending += [other for other in named if other is not None and other not in seen]


def renderings(subject: Subject) -> Iterator[tuple[ClassSource, ast.Call]]:
    """Calls of `_render_template`; none if that is the user's own."""
    if type(subject.app)._render_template is not App._render_template:
        return
    for source in subject.sources:
        for call in calls_on_self(source.node):
            if method_called(call) == "_render_template":
                yield source, call


def template_folders(loader: Any) -> str:
    """The folders in which a loader looks for templates, or its class."""
    return ", ".join(map(str, getattr(loader, "searchpath", ()))) or type(loader).__name__


# -- processes ------------------------------------------------------------------------------------------


def sessions_of_one_process(subject: Subject) -> Iterator[Finding]:
    """A use of sessions that are kept in memory, where several workers each have their own."""
    if not isinstance(subject.configuration.session_backend, InMemorySessionBackend):
        return
    first = next(session_uses(subject), None)
    if first is not None:
        yield first._replace(
            message="the session is kept in memory, where each worker has its own: give App a session backend "
            'that they share, such as "sqlite:///sessions.db", or run one worker'
        )


def services_of_one_process(subject: Subject) -> Iterator[Finding]:
    """Services in a class body, of which several workers would each have their own."""
    for source in subject.sources:
        for name, service in vars(source.cls).items():
            if isinstance(service, Service) and service.of_one_process is not None:
                yield source.finding(source.member(name), service.of_one_process)


def middlewares_of_one_process(subject: Subject) -> Iterator[Finding]:
    """Middlewares that count in memory, say, which several workers would each do for themselves."""
    middlewares: list[object] = [*subject.app.middlewares]  # any object with hooks is one
    for one in middlewares:
        if isinstance(one, HttpMiddleware) and one.of_one_process is not None:
            yield at_class(subject, one.of_one_process)


def at_class(subject: Subject, message: str) -> Finding:
    """A finding at the application's class, if that is in a file."""
    source = next((one for one in subject.sources if isinstance(subject.app, one.cls)), None)
    return Finding("?", 0, message) if source is None else source.finding(source.node, message)


def session_uses(subject: Subject) -> Iterator[Finding]:
    """Lines and handlers that use the session, without a message."""
    for one in subject.all():
        for source in one.sources:
            for node in ast.walk(source.node):
                if is_of_request(node, "session"):
                    yield source.finding(node, "")
        for route in one.routes:
            if any(parameter.source == "session" for parameter in route.parameters):
                yield finding_at(route, "")
