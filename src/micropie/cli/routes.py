"""`micropie routes`: prints the URL map of an application, for eyes and for programs."""

import argparse
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from micropie import Parameter, Route, routes
from micropie.cli.arguments import Commands, add_command_with_target
from micropie.cli.colours import Colours
from micropie.cli.output import print_json, print_lines, printable, text_of
from micropie.cli.route_names import handler_name
from micropie.cli.target import is_framework_file, load_app, short_path

_PLACEHOLDER = re.compile(r"\{(\w+)(\*?)\}")
_KINDS = {"websocket": "WS", "mount": "MOUNT"}
_VERB_COLOURS = {"WS": "cyan", "MOUNT": "yellow"}
_GAP = "  "

Row = tuple[str, str, str, str]


def add_routes(commands: Commands) -> None:
    """Declare `micropie routes`."""
    command = add_command_with_target(commands, print_routes, "routes", "list what an application answers")
    command.add_argument("--json", action="store_true", help="for programs")


def print_routes(options: argparse.Namespace) -> int:
    """Print the routes of the application, as a table or as JSON."""
    app = load_app(options.target)
    found = routes(app)
    if options.json:
        print_json([record(route) for route in found])
    else:
        print_lines(table([row(route) for route in found], Colours(sys.stdout)))
    return 0


# -- for eyes -------------------------------------------------------------------------------------------


def row(route: Route) -> Row:
    """Verbs, path, handler and location of a route, as they are shown."""
    # Where GET is answered, HEAD is.
    verbs = [verb for verb in route.verbs if verb != "HEAD" or "GET" not in route.verbs]
    kind = _KINDS.get(route.kind) or ",".join(verbs) or "*"
    return kind, printable(typed_path(route)), printable(handler_name(route)), printable(location(route))


def typed_path(route: Route) -> str:
    """The path's template with the types of its parameters, `/notes/{id:int}`."""
    types = {parameter.name: type_text(parameter.annotation) for parameter in route.parameters}

    def typed(found: re.Match[str]) -> str:
        kind = types.get(found[1], "")
        return f"{{{found[1]}{found[2]}{kind and ':'}{kind}}}"

    return _PLACEHOLDER.sub(typed, route.path)


def location(route: Route) -> str:
    """The file and the line of a handler, as editors take them; `""` for the framework's own, such as `Docs`."""
    return "" if route.file is None or is_framework_file(route.file) else f"{short_path(route.file)}:{route.line}"


def type_text(annotation: Any) -> str:
    """A type as one writes it, `""` for `Any`."""
    if annotation is Any:
        return ""
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        return annotation.__name__
    return re.sub(r"(?:\w+\.)+(?=\w)", "", text_of(annotation))


def table(rows: Sequence[Row], colours: Colours) -> Iterator[str]:
    """The rows in columns, a line each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for verbs, path, handler, where in rows:
        cells = [verbs.ljust(widths[0]), path.ljust(widths[1]), handler.ljust(widths[2]), where]
        wanted = [_VERB_COLOURS.get(verbs, "green"), "bold", "", "dim"]
        yield _GAP.join(colours(cell, colour) for cell, colour in zip(cells, wanted, strict=True)).rstrip()


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
