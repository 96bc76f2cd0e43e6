"""The facts of a request on a debug page: groups of names and values, without secrets; a broken one says why."""

import platform
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from micropie import App, Request, Route, __version__, routes
from micropie.debug.paths import short_path
from micropie.debug.redaction import MASK, is_secret, redacted, redacted_repr, truncated

_MAX_ROWS = 100
Rows = list[tuple[str, str]]


class FactGroup(NamedTuple):
    """Facts that stand together under one title."""

    title: str
    rows: Rows


def request_facts(app: App, request: Request, handler: Callable[..., Any] | None) -> list[FactGroup]:
    """All groups of facts that are not empty."""
    route = next((one for one in routes(app) if one.handler == handler), None)
    readers: list[tuple[str, Callable[[], Iterable[tuple[Any, Any]]]]] = [
        ("Request", lambda: _request(request)),
        ("Route", lambda: _route(route)),
        ("Path", lambda: enumerate(request.path_params, 1)),
        ("Query", lambda: _lists(request.query_params)),
        ("Form", lambda: _lists(request.body_params) if _is_form(request) else ()),
        ("JSON", lambda: _json(request)),
        ("Files", lambda: _files(request)),
        ("Session", lambda: _session(request)),
        ("Cookies", lambda: _cookies(request)),
        ("Headers", lambda: _headers(request)),
        ("Server", _server),
    ]
    groups = (FactGroup(title, list(_rows(read))) for title, read in readers)
    return [group for group in groups if group.rows]


def _rows(read: Callable[[], Iterable[tuple[Any, Any]]]) -> Iterator[tuple[str, str]]:
    """The rows of a group, as text; one that can't be read says why."""
    try:
        for name, value in islice(read(), _MAX_ROWS):
            text = value if isinstance(value, _Text) else redacted_repr(value, name)
            yield redacted(truncated([str(name)], 200)), text
    except Exception as error:  # a refused query, a body that is no JSON
        yield "", f"<{type(error).__name__}: {redacted(truncated([str(error)], 200))}>"


class _Text(str):
    """A value that is shown as it is, redacted already."""

    __slots__ = ()


def _request(request: Request) -> Iterator[tuple[str, Any]]:
    scope = request.scope
    yield "method", _Text(redacted(request.method))
    yield "URL", _Text(redacted(truncated([url_of(request)])))
    yield "client", _Text(":".join(map(str, scope.get("client") or ())))
    yield "HTTP version", _Text(scope.get("http_version", ""))
    if scope.get("root_path"):
        yield "root path", _Text(redacted(scope["root_path"]))


def url_of(request: Request) -> str:
    """The URL of a request as the client wrote it; below another application with that one's path in front."""
    scope = request.scope
    path, root = (scope.get("raw_path") or b"").decode("latin-1") or scope["path"], scope.get("root_path") or ""
    path = path if f"{path}/".startswith(f"{root}/") else root + path
    query = (scope.get("query_string") or b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{request.headers.get('host', '')}{path}{'?' * bool(query)}{query}"


def _route(route: Route | None) -> Iterator[tuple[str, Any]]:
    if route is not None:
        yield "path", _Text(route.path)
        yield "verbs", _Text(", ".join(route.verbs) or "all")
        yield "handler", _Text(handler_name(route))
        yield "parameters", _Text(", ".join(f"{one.name} ({one.source})" for one in route.parameters) or "none")
        yield "file", _Text(handler_location(route))


def handler_location(route: Route) -> str:
    """The file and the line of a route's handler."""
    return f"{short_path(route.file)}:{route.line}" if route.file is not None else ""


def handler_name(route: Route) -> str:
    """The class and the method of a route's handler."""
    return f"{type(route.owner).__name__}.{route.name.rpartition('.')[2]}"


def _lists(fields: dict[str, list[str]]) -> Iterator[tuple[str, Any]]:
    for name, values in fields.items():
        for value in values:
            yield name, value


def _is_form(request: Request) -> bool:
    return "json" not in request.headers.get("content-type", "")


def _json(request: Request) -> Iterable[tuple[str, Any]]:
    if not request.body or _is_form(request):
        return ()
    value = request.get_json
    return value.items() if isinstance(value, dict) else [("", value)]


def _files(request: Request) -> Iterator[tuple[str, Any]]:
    for name, first in request.files.items():
        for file in (first, *first.others):
            yield name, _Text(redacted(truncated([f"{file['filename']!r}, {file['content_type']}"])))


def _session(request: Request) -> Iterable[tuple[str, Any]]:
    return ((name, _Text(MASK)) for name in request.session)


def _cookies(request: Request) -> Iterator[tuple[str, Any]]:
    for pair in request.headers.get("cookie", "").split(";"):
        if name := pair.partition("=")[0].strip():
            yield name, _Text(MASK)


def _headers(request: Request) -> Iterator[tuple[str, Any]]:
    for name, value in request.headers.items():
        yield name, _Text(MASK if is_secret(name) else redacted(truncated([value])))


def _server() -> Iterator[tuple[str, Any]]:
    yield "MicroPie", _Text(__version__)
    yield "Python", _Text(f"{platform.python_implementation()} {platform.python_version()}")
    yield "system", _Text(platform.platform())
