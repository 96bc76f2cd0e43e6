"""The facts of a request on a debug page: groups of names and values, without secrets; a broken one says why."""

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

from micropie import Parameter, Request, Route, __version__
from micropie.debug.paths import short_path
from micropie.debug.redaction import MASK, is_a, is_secret, redacted, redacted_query, redacted_repr, truncated

_MAX_ROWS = 100
_MIN_SECRET = 6  # characters of a value that is hidden wherever it stands
_OF_NO_PATH = ("header", "cookie", "session", "file", "context")  # sources of parameters
Rows = list[tuple[str, str]]


class FactGroup(NamedTuple):
    """Facts that stand together under one title."""

    title: str
    rows: Rows

    def without_values(self, hide: Callable[[str], str]) -> "FactGroup":
        """The group, with each value as a function leaves it."""
        return self._replace(rows=[(name, hide(value)) for name, value in self.rows])


def request_facts(request: Request, route: Route | None) -> list[FactGroup]:
    """All groups of facts that are not empty."""
    readers: list[tuple[str, Callable[[], Iterable[tuple[Any, Any]]]]] = [
        ("Request", lambda: _request(request, route)),
        ("Route", lambda: _route(route)),
        ("Path", lambda: _path(request, route)),
        ("Query", lambda: _lists(request.query_params)),
        ("Form", lambda: _lists(request.body_params) if _is_form(request) else ()),
        ("JSON", lambda: _json(request)),
        ("Files", lambda: _files(request)),
        ("Session", lambda: ((name, _Text(MASK)) for name in request.session)),
        ("Cookies", lambda: ((name, _Text(MASK)) for name, _ in _cookies(request))),
        ("Headers", lambda: _headers(request)),
        ("Server", _server),
    ]
    groups = (FactGroup(title, list(_rows(read))) for title, read in readers)
    return [group for group in groups if group.rows]


def secret_values(request: Request, route: Route | None) -> set[str]:
    """The values that a request gives to names of secrets, and those of cookies; short ones occur by chance."""
    readers: list[Callable[[], Iterable[tuple[Any, Any]]]] = [
        lambda: _path(request, route),
        lambda: _lists(request.query_params),
        lambda: _lists(request.body_params),
        lambda: _json(request),
        lambda: (("cookie", value) for _, value in _cookies(request)),
        lambda: dict(request.headers).items(),
        lambda: dict(request.session).items(),
    ]
    found: set[str] = set()
    for read in readers:
        with suppress(Exception):  # what can't be read says so among the facts
            for name, value in islice(read(), _MAX_ROWS):
                found.update(_secrets_in(value, is_secret_value=is_secret(name)))
    return {value for text in found for value in (text, text.rpartition(" ")[2]) if len(value) >= _MIN_SECRET}


def _secrets_in(value: Any, *, is_secret_value: bool) -> Iterator[str]:
    """The texts of a value that is secret, or whose parts are."""
    if is_a(value, str) and is_secret_value:
        yield str.__str__(value)
    elif is_a(value, dict):
        for name, member in dict.items(value):
            yield from _secrets_in(member, is_secret_value=is_secret_value or is_secret(name))
    elif is_a(value, list):
        for member in list.__iter__(value):
            yield from _secrets_in(member, is_secret_value=is_secret_value)


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


def _request(request: Request, route: Route | None) -> Iterator[tuple[str, Any]]:
    scope = request.scope
    yield "method", _Text(redacted(request.method))
    yield "URL", _Text(redacted(url_of(request, route)))
    yield "client", _Text(":".join(map(str, scope.get("client") or ())))
    yield "HTTP version", _Text(scope.get("http_version", ""))
    if scope.get("root_path"):
        yield "root path", _Text(redacted(scope["root_path"]))


def url_of(request: Request, route: Route | None) -> str:
    """The URL of a request as it was asked for, without secrets; below another application with its path in front."""
    scope = request.scope
    path, root = (scope.get("raw_path") or b"").decode("latin-1") or scope["path"], scope.get("root_path") or ""
    path = path if f"{path}/".startswith(f"{root}/") else root + path
    segments, parameters = path.split("/"), _path(request, route)
    for at, (name, value) in enumerate(parameters, len(segments) - len(parameters)):
        if is_secret(name) and at > 0 and is_a(value, str) and unquote(segments[at]) == value:
            segments[at] = MASK
    query = redacted_query((scope.get("query_string") or b"").decode("latin-1"))
    site = f"{scope.get('scheme', 'http')}://{request.headers.get('host', '')}"
    return truncated([site, "/".join(segments), "?" * bool(query), query])


def _path(request: Request, route: Route | None) -> list[tuple[Any, Any]]:
    """The path's parameters by the names that the handler gives them; by their numbers where it gives none."""
    names = [one.name for one in (route.parameters if route is not None else ()) if _takes_segment(one)]
    numbered = range(len(names) + 1, len(request.path_params) + 1)
    return list(zip([*names, *numbered], request.path_params, strict=False))


def _takes_segment(parameter: Parameter) -> bool:
    return parameter.kind == "positional" and not parameter.is_body and parameter.source not in _OF_NO_PATH


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


def _cookies(request: Request) -> Iterator[tuple[str, str]]:
    for pair in request.headers.get("cookie", "").split(";"):
        name, _, value = pair.partition("=")
        if name.strip():
            yield name.strip(), value.strip()


def _headers(request: Request) -> Iterator[tuple[str, Any]]:
    for name, value in request.headers.items():
        yield name, _Text(MASK if is_secret(name) else redacted(truncated([value])))


def _server() -> Iterator[tuple[str, Any]]:
    yield "MicroPie", _Text(__version__)
    yield "Python", _Text(f"{platform.python_implementation()} {platform.python_version()}")
    yield "system", _Text(platform.platform())
