"""`micropie routes`: the URL map of an application, for eyes and for programs."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from micropie import Parameter, Route, routes
from micropie.cli.ink import Ink
from micropie.cli.loading import load_app, shown

_PLACEHOLDER = re.compile(r"\{(\w+)(\*?)\}")
_KINDS = {"websocket": "WS", "mount": "MOUNT"}
_COLOURS = {"WS": "cyan", "MOUNT": "yellow"}
_GAP = "  "

Row = tuple[str, str, str, str]


def url_map(target: str | None, *, as_json: bool, ink: Ink) -> Iterator[str]:
    """The lines that the command prints."""
    app, _ = load_app(target)
    found = routes(app)
    if as_json:
        yield json.dumps([record(route) for route in found], indent=2, ensure_ascii=False)
    else:
        yield from table([row(route) for route in found], ink)


# -- for eyes -------------------------------------------------------------------------------------------


def row(route: Route) -> Row:
    """Verbs, path, handler and place."""
    # Where GET is answered, HEAD is.
    verbs = [verb for verb in route.verbs if verb != "HEAD" or "GET" not in route.verbs]
    return _KINDS.get(route.kind) or ",".join(verbs) or "*", typed_path(route), handler_name(route), place(route)


def typed_path(route: Route) -> str:
    """The path's template with the types of its parameters: `/notes/{id:int}`."""
    types = {parameter.name: type_text(parameter.annotation) for parameter in route.parameters}

    def typed(found: re.Match[str]) -> str:
        kind = types.get(found[1], "")
        return f"{{{found[1]}{found[2]}{kind and ':'}{kind}}}"

    return _PLACEHOLDER.sub(typed, route.path)


def handler_name(route: Route) -> str:
    """The class and the method; of a mount what is mounted."""
    if route.kind == "mount":
        return getattr(route.handler, "__name__", type(route.handler).__name__)
    return f"{type(route.owner).__name__}.{route.name.rpartition('.')[2]}"


def place(route: Route) -> str:
    """The file and the line, as editors take them."""
    return "" if route.file is None else f"{shown(route.file)}:{route.line}"


def type_text(annotation: Any) -> str:
    """A type as one writes it; nothing for any."""
    if annotation is Any:
        return ""
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        return annotation.__name__
    return re.sub(r"(?:\w+\.)+(?=\w)", "", str(annotation))


def table(rows: Sequence[Row], ink: Ink) -> Iterator[str]:
    """The rows in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for verbs, path, handler, where in rows:
        cells = [verbs.ljust(widths[0]), path.ljust(widths[1]), handler.ljust(widths[2]), where]
        colours = [_COLOURS.get(verbs, "green"), "bold", "", "dim"]
        yield _GAP.join(ink(cell, colour) for cell, colour in zip(cells, colours, strict=True)).rstrip()


# -- for programs ---------------------------------------------------------------------------------------


def record(route: Route) -> dict[str, Any]:
    """A route as JSON."""
    return {
        "kind": route.kind,
        "path": route.path,
        "verbs": list(route.verbs),
        "name": route.name,
        "handler": handler_name(route),
        "parameters": list(_parameter_records(route.parameters)),
        "returns": type_text(route.returns) or None,
        "file": route.file,
        "line": route.line,
        "doc": route.doc,
    }


def _parameter_records(parameters: Iterable[Parameter]) -> Iterator[dict[str, Any]]:
    for one in parameters:
        yield {
            "name": one.name,
            "in": one.source,
            "type": type_text(one.annotation) or None,
            "required": one.default is inspect.Parameter.empty and one.kind in ("positional", "keyword"),
        }
