"""The public names of the package as the reference shows them: signatures, docstrings, members, read from the sources.

Docstrings are Markdown. What in them is code, indented or not, is an example.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = (
    "micropie",
    "micropie.auth",
    "micropie.channels",
    "micropie.cli",
    "micropie.debug",
    "micropie.health",
    "micropie.middleware",
    "micropie.openapi",
    "micropie.sessions",
    "micropie.static",
    "micropie.testing",
)

MADE_BY_US = {
    "BlockingClient",
    "BlockingWebSocket",
    "ClientGone",
    "ClientWebSocket",
    "Configuration",
    "Debugger",
    "Headers",
    "Message",
    "Notice",
    "Parameter",
    "Request",
    "Response",
    "Route",
    "Session",
    "State",
    "Stopping",
    "Subscription",
    "Unimportable",
    "UploadedFile",
    "URL",
    "WebSocket",
    "WebSocketRefused",
    "WebSocketRequest",
}
"""Classes whose instances the framework makes: their constructors are no part of the interface."""

OURS = {
    "AccessLogMiddleware.add_headers",
    "RateLimitMiddleware.add_headers",
    "BasicAuth.count",
    "BasicAuth.credentials",
    "BasicAuth.scheme",
    "BearerAuth.count",
    "BearerAuth.credentials",
    "BearerAuth.scheme",
    "Cookie.key",
    "FromBody.key",
    "FromPath.key",
    "FromQuery.key",
    "FromSession.key",
    "Header.key",
    "Cookie.place",
    "FromBody.place",
    "FromPath.place",
    "FromQuery.place",
    "FromSession.place",
    "Header.place",
    "Channels.of_one_process",
    "Cookies.header",
    "Docs.index",
    "Docs.settings",
    "FileBody.as_message",
    "FromBody.name",
    "FromPath.name",
    "HttpMiddleware.of_one_process",
    "Service.of_one_process",
    "InMemorySessionBackend.change",
    "InMemorySessionBackend.push",
    "InMemorySessionBackend.stored",
    "InMemorySessionBackend.touch",  # described with the base, which has none
    "InMemorySessionBackend.update",
    "RedisSessionBackend.touch",
    "RedisSessionBackend.update",
    "SQLiteSessionBackend.touch",
    "SQLiteSessionBackend.update",
    "SignedCookieSessionBackend.touch",
    "SignedCookieSessionBackend.update",
    "Mount.segments",
    "RateLimitMiddleware.of_one_process",
    "Reply.content_type",
    "Request.body_parsed",
    "Response.read_by",
    "Response.whole",
    "Session.USER",
    "Session.id",
    "Session.changes",
    "Session.retired",
    "Session.settle",
    "Stopping.begin",
    "Stopping.tell",
    "Subscription.begin",
    "Subscription.give_up",
    "Subscription.on_give_up",
    "Subscription.put",
    "Subscription.put_when_there_is_room",
    "Subscription.tell",
    "TrustedProxies.client_in",
    "Unimportable.index",
    "UploadedFile.queue",
    "WebSocket.end",
    "WebSocket.gave_cookie",
    "WebSocket.interruption",
    "WebSocket.limit",
    "WebSocket.note_closed",
    "WebSocket.settle",
    "WebSocket.until_answered",
}
"""Members that only our own parts use, though their names have no underscore."""

TO_OVERRIDE = {
    "App": [
        "_redirect",
        "_render_template",
        "_template_context",
        "_parse_cookies",
        "_parse_multipart",
        "_send_response",
        "_send_websocket_close",
        "_on_error",
        "__call__",
        "_started",
        "_asgi_app_http",
        "_asgi_app_websocket",
        "_asgi_app_lifespan",
    ],
    "Controller": [
        "_before",
        "_after",
        "_on_error",
        "_template_context",
        "_redirect",
        "_render_template",
        "_takes_identities",
        "_url_below",
    ],
}
"""Members that are documented though they begin with an underscore: all other names are the users'."""

LONG_NUMBER = re.compile(r"'[^']*'|\b(\d{5,})\b")
"""A number that is easier to read with `_` in it, outside of texts."""

SHORT = 8
"""So many items of a tuple are shown as they are."""

ATTRIBUTES = {"property", "cached_property", "lazy"}
"""Decorators that make an attribute of a function."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Member:
    """A method or an attribute of a public class."""

    name: str
    doc: str
    signature: str | None
    """None for an attribute."""
    parameters: list[str] = field(default_factory=list)
    annotation: str = ""
    is_async: bool = False
    prefix: str = ""


@dataclass
class Public(Member):
    """A name in the `__all__` of a module."""

    module: str = ""
    kind: str = "function"
    canonical: str = ""
    members: list[Member] = field(default_factory=list)


def names_of(module: str) -> list[str]:
    """The public names of a module, in alphabetical order."""
    found = import_module(module)
    return sorted(getattr(found, "__all__", ["Health"]), key=str.casefold)


def home_of(name: str) -> str:
    """The module that a public name is described with: the first that has it."""
    return next(module for module in MODULES if name in names_of(module))


@cache
def read(module: str, name: str) -> Public:
    """All that the reference shows of a public name."""
    value = getattr(import_module(module), name)
    if inspect.isclass(value):
        return _class(module, name, value)
    if inspect.isfunction(value):
        node = _node(value.__module__, value.__qualname__)
        function = _method(node, value)
        return Public(
            name, function.doc, function.signature, function.parameters, function.annotation, function.is_async,
            module=module, canonical=f"{value.__module__}.{name}",
        )  # fmt: skip
    home = _source_of(module, name)
    annotation, doc = next((annotation, doc) for found, annotation, doc in _assigned(_tree(home).body) if found == name)
    return Public(name, doc, None, annotation=annotation or type(value).__name__, module=module, kind="data")


def _source_of(module: str, name: str) -> str:
    """The module in which a value that has no `__module__` is defined: the one that it is imported from."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return str(node.module)
    return module


def _class(module: str, name: str, value: type) -> Public:
    node = _node(value.__module__, value.__qualname__)
    doc = inspect.cleandoc(ast.get_docstring(node) or "")
    maker = _maker(value)
    signature, parameters = None, []
    if maker is not None and name not in MADE_BY_US:
        made = _method(maker, value.__init__ if maker.name == "__init__" else value.__new__, of_instance=True)  # type: ignore[misc]
        doc = f"{doc}\n\n{made.doc}".strip()
        signature, parameters = f"({made.signature.partition('(')[2].rpartition(')')[0]})", made.parameters  # type: ignore[union-attr]
    kind = "exception" if issubclass(value, BaseException) else "class"
    members = list(_members(name, value))
    return Public(
        name,
        doc,
        signature,
        parameters,
        module=module,
        kind=kind,
        canonical=f"{value.__module__}.{value.__qualname__}",
        members=members,
    )


def _maker(value: type) -> Function | None:
    """The constructor of a class, its own or that of a base of ours."""
    for owner in value.__mro__:
        if owner.__module__.startswith("micropie"):
            for node in _node(owner.__module__, owner.__qualname__).body:
                if isinstance(node, Function) and node.name in ("__init__", "__new__"):
                    return node
    return None


def _members(name: str, value: type) -> Iterator[Member]:
    """The members that a class has beyond those of its public bases."""
    known = {member.name for base in value.__mro__[1:] if _is_public(base) for member in _members(base.__name__, base)}
    for member in all_members(value):
        hidden = member.name.startswith("_") and member.name not in TO_OVERRIDE.get(name, ())
        if not (hidden or member.name in known or f"{name}.{member.name}" in OURS):
            yield member


def all_members(value: type) -> Iterator[Member]:
    """The members of a class and of its bases that are not public, each once, for whomever they are."""
    seen: set[str] = set()
    for owner in value.__mro__:
        if not owner.__module__.startswith("micropie") or (owner is not value and _is_public(owner)):
            continue
        for member in _own_members(owner):
            if member.name not in seen:
                seen.add(member.name)
                yield member


def _own_members(owner: type) -> Iterator[Member]:
    body = [node for node in _node(owner.__module__, owner.__qualname__).body if not _is_setter(node)]
    assigned = {name: (annotation, doc) for name, annotation, doc in _assigned(body)}
    functions = {node.name: node for node in body if isinstance(node, Function)}  # the last one: overloads come before
    for node in body:
        for name in _targets(node):
            annotation, doc = assigned[name]
            yield Member(name, doc, None, annotation=annotation)
        if isinstance(node, Function) and functions[node.name] is node:
            yield _method(node, inspect.getattr_static(owner, node.name))
            if node.name == "__init__":
                yield from _set_by(node)


def _set_by(constructor: Function) -> Iterator[Member]:
    """The attributes that a constructor gives an instance, which the docstring of the class tells of."""
    for node in constructor.body:
        for target in _assigned_to(node):
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield Member(target.attr, "", None)


def _is_setter(node: ast.stmt) -> bool:
    return isinstance(node, Function) and any(ast.unparse(one).endswith(".setter") for one in node.decorator_list)


def _is_public(owner: type) -> bool:
    return any(
        getattr(import_module(module), owner.__name__, None) is owner
        for module in MODULES
        if owner.__name__ in names_of(module)
    )


def _assigned_to(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _targets(node: ast.stmt) -> list[str]:
    """The names that a statement of a class or a module assigns to."""
    return [target.id for target in _assigned_to(node) if isinstance(target, ast.Name)]


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Each attribute of a body with its annotation and the text below it."""
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        is_text = (
            isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
            and isinstance(following.value.value, str)
        )
        doc = inspect.cleandoc(following.value.value) if is_text else ""  # type: ignore[attr-defined]
        annotation = ast.unparse(node.annotation).strip("'") if isinstance(node, ast.AnnAssign) else ""
        for name in _targets(node):
            yield name, annotation, doc


def _method(node: Function, value: Any, *, of_instance: bool = False) -> Member:
    """A function, or a method of a class."""
    decorators = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
    doc = inspect.cleandoc(ast.get_docstring(node) or "")
    returns = ast.unparse(node.returns).replace('"', "").replace("'", "") if node.returns is not None else ""
    if decorators & ATTRIBUTES:
        return Member(node.name, doc, None, annotation=returns)
    arguments = node.args
    value = getattr(value, "__func__", value)
    parameters = [
        one.arg
        for one in (*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg)
        if one
    ]
    is_bound = parameters[:1] in (["self"], ["cls"])
    shown = _shown(arguments, value, drops_first=is_bound)
    parameters = parameters[is_bound:]
    prefix = "classmethod" if "classmethod" in decorators else "staticmethod" if "staticmethod" in decorators else ""
    awaited = re.fullmatch(r"(?:Coroutine\[Any, Any, |Awaitable\[)(.*)\]", returns)
    returns = awaited[1] if awaited is not None else returns
    arrow = f" -> {returns}" if returns and not of_instance else ""
    return Member(
        node.name,
        doc,
        f"({shown}){arrow}",
        parameters,
        is_async=isinstance(node, ast.AsyncFunctionDef) or awaited is not None,
        prefix=prefix,
    )


def _shown(arguments: ast.arguments, value: Any, *, drops_first: bool) -> str:
    """The parameters as they are written, but with what constants among the defaults stand for."""
    try:
        defaults = {name: one.default for name, one in inspect.signature(value).parameters.items()}
    except (TypeError, ValueError):
        defaults = {}
    shown = ast.parse(f"def f({ast.unparse(arguments)}): ...").body[0].args  # type: ignore[attr-defined]
    positional = [*shown.posonlyargs, *shown.args]
    for one, default in [
        *zip(positional[len(positional) - len(shown.defaults) :], shown.defaults, strict=True),
        *((one, default) for one, default in zip(shown.kwonlyargs, shown.kw_defaults, strict=True) if default),
    ]:
        real = defaults.get(one.arg)
        if not isinstance(default, ast.Constant) and _is_plain(real):
            shown.defaults = [ast.Constant(real) if have is default else have for have in shown.defaults]
            shown.kw_defaults = [ast.Constant(real) if have is default else have for have in shown.kw_defaults]
    if drops_first:
        (shown.posonlyargs or shown.args).pop(0)
    for one in ast.walk(shown):
        if isinstance(one, ast.arg) and isinstance(one.annotation, ast.Constant):
            one.annotation = ast.parse(str(one.annotation.value), mode="eval").body
    return LONG_NUMBER.sub(lambda found: found[0] if found[1] is None else f"{int(found[1]):_}", ast.unparse(shown))


def _is_plain(value: Any) -> bool:
    is_short = isinstance(value, tuple) and len(value) < SHORT
    return isinstance(value, (int, float, str)) or (is_short and all(map(_is_plain, value)))


@cache
def _tree(module: str) -> ast.Module:
    found: ModuleType = import_module(module)
    return ast.parse(Path(str(found.__file__)).read_text("utf-8"))


def _node(module: str, qualname: str) -> Any:
    """The class or function of a module that has this name; of several the last one."""
    node: Any = _tree(module)
    for part in qualname.split("."):
        node = [one for one in node.body if isinstance(one, (Function, ast.ClassDef)) and one.name == part][-1]
    return node


# Docstrings.


@dataclass
class Block:
    """A part of a docstring: prose, or code."""

    text: str
    is_code: bool


def blocks_of(doc: str) -> list[Block]:
    """Prose and code in the order of a docstring. Code is what is indented, or what Python would read."""
    blocks: list[Block] = []
    for paragraph in re.split(r"\n\s*\n", doc.strip("\n")):
        is_code = _is_code(paragraph)
        if is_code and blocks and blocks[-1].is_code:
            blocks[-1].text += "\n\n" + paragraph
        else:
            blocks.append(Block(paragraph, is_code))
    return [Block(textwrap.dedent(block.text), is_code=True) if block.is_code else block for block in blocks]


def _is_code(paragraph: str) -> bool:
    return paragraph.startswith("    ") or ((" " in paragraph or "(" in paragraph) and is_python(paragraph))


def is_python(text: str) -> bool:
    """True if Python reads it; a body that was left out is no mistake."""
    try:
        ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return False
    return True


def examples_of(doc: str) -> list[str]:
    """The code in a docstring."""
    return [block.text for block in blocks_of(doc) if block.is_code]


def prose_of(doc: str) -> str:
    """A docstring without its code."""
    return "\n\n".join(block.text for block in blocks_of(doc) if not block.is_code)
