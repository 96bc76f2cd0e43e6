"""The debug pages for browsers. They load nothing, and run no script but the one that copies."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby

from micropie import Route
from micropie.debug.paths import short_path
from micropie.debug.request_facts import FactGroup, handler_location, handler_name
from micropie.debug.suggestions import Suggestion
from micropie.debug.text_page import unanswered
from micropie.debug.traces import Frame, Line, Trace

_MAX_ROUTES = 200
_PART = re.compile(r"\{\{(\w+)\}\}")


@cache
def read(name: str) -> str:
    """A file of the folder `page`, as text."""
    return files("micropie.debug").joinpath("page", name).read_text("utf-8")


@cache
def policy() -> str:
    """The Content-Security-Policy of the pages: they have their own style and their own script, and nothing else."""
    style, script = (
        base64.b64encode(hashlib.sha256(read(name).encode()).digest()).decode() for name in ("style.css", "copy.js")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def failure_page(headline: str, traces: list[Trace], groups: list[FactGroup], text: str) -> str:
    """The page of a failure: its exceptions with their frames, and the request."""
    first = traces[0]
    header = (
        f"<p class='what'>{escape(headline)}</p><h1>{_name(first)}</h1>"
        "<p class='bar'><button id='copy' type='button' hidden>Copy as text</button>"
        "<span id='copied' role='status'></span></p>"
    )
    whole = f"<details class='text'><summary>As text</summary><pre id='text'>{escape(text)}</pre></details>"
    return _document(f"{first.kind}: {first.message}", header, [*map(_trace, traces), *map(_group, groups), whole])


def unrouted_page(headline: str, refusal: str, found: list[Suggestion], routes: list[Route], root: str) -> str:
    """The page of a request without a route: the routes that it could have meant, and all routes."""
    near = [_route(one.route, root, one.misfit) for one in found]
    listed = [_route(route, root) for route in routes[:_MAX_ROUTES]]
    if len(routes) > _MAX_ROUTES:
        listed.append(f"<li>… and {len(routes) - _MAX_ROUTES} more</li>")
    main = [_list("Did you mean", near), _list("What this application answers", listed)]
    name = f"<span class='kind'>{escape(refusal)}</span> {escape(unanswered(refusal))}"
    header = f"<p class='what'>{escape(headline)}</p><h1>{name}</h1>"
    return _document(f"{refusal}: {headline}", header, main)


def _document(title: str, header: str, main: list[str]) -> str:
    parts = {
        "title": escape(title[:200]),
        "style": read("style.css"),
        "header": header,
        "main": "".join(main),
        "script": read("copy.js"),
    }
    return _PART.sub(lambda part: parts[part[1]], read("page.html"))


# -- exceptions ---------------------------------------------------------------------------------------


def _name(trace: Trace) -> str:
    return f"<span class='kind'>{escape(trace.kind)}</span> {escape(trace.message)}"


def _trace(trace: Trace) -> str:
    """The section of an exception; the first one's name is the page's headline already."""
    heading = f"<h2><small>{escape(trace.how)}</small>{_name(trace)}</h2>" if trace.how else "<h2>Traceback</h2>"
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in trace.notes)
    return f"<section>{heading}{notes}<ol class='frames'>{''.join(_frames(trace))}</ol></section>"


def _frames(trace: Trace) -> Iterator[str]:
    """The frames, the innermost last; those of packages are folded together."""
    half = len(trace.frames) // 2 if trace.left_out else len(trace.frames)
    own = (number for number, frame in enumerate(trace.frames) if frame.is_application_code)
    last = max(own, default=len(trace.frames) - 1)
    yield from _folded(list(enumerate(trace.frames))[:half], last)
    if trace.left_out:
        yield f"<li class='note'>… {trace.omission} …</li>"
        yield from _folded(list(enumerate(trace.frames))[half:], last)


def _folded(frames: list[tuple[int, Frame]], last: int) -> Iterator[str]:
    for is_shown, group in groupby(frames, key=lambda pair: pair[1].is_application_code or pair[0] == last):
        members = [_frame(frame, is_open=number == last) for number, frame in group]
        if is_shown:
            yield "".join(members)
        else:
            count = f"{len(members)} frame{'' if len(members) == 1 else 's'} of packages"
            inside = f"<ol class='frames'>{''.join(members)}</ol>"
            yield f"<li><details class='others'><summary>{count}</summary>{inside}</details></li>"


def _frame(frame: Frame, *, is_open: bool) -> str:
    title = f"<code class='function'>{escape(frame.function)}</code> " if frame.function else ""
    place = f"<span class='place' title='{escape(frame.file)}'>{escape(short_path(frame.file))}:{frame.line}</span>"
    body = _source(frame) + _variables(frame)
    if not body:
        return f"<li class='frame bare'>{title}{place}</li>"
    return f"<li><details class='frame'{' open' * is_open}><summary>{title}{place}</summary>{body}</details></li>"


def _source(frame: Frame) -> str:
    if not frame.source:
        return ""
    lines = (_line(line, is_here=line.number == frame.line) for line in frame.source)
    return f"<pre class='source' tabindex='0'>{''.join(lines)}</pre>"


def _line(line: Line, *, is_here: bool) -> str:
    text = escape(line.text)
    if line.columns is not None:
        start, end = line.columns
        before, inside, after = line.text[:start], line.text[start:end], line.text[end:]
        text = f"{escape(before)}<mark>{escape(inside)}</mark>{escape(after)}"
    return f"<span class='line{' here' * is_here}'><span class='number'>{line.number}</span>{text}\n</span>"


def _variables(frame: Frame) -> str:
    return f"<div class='variables'>{_rows(frame.variables)}</div>" if frame.variables else ""


# -- facts and routes ---------------------------------------------------------------------------------


def _group(group: FactGroup) -> str:
    return f"<section><h2>{escape(group.title)}</h2>{_rows(group.rows)}</section>"


def _rows(rows: list[tuple[str, str]]) -> str:
    cells = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return f"<dl>{''.join(cells)}</dl>"


def _list(title: str, rows: list[str]) -> str:
    return f"<section><h2>{title}</h2><ul class='routes'>{''.join(rows)}</ul></section>" if rows else ""


def _route(route: Route, root: str, misfit: str = "") -> str:
    verbs = {"websocket": "WS", "mount": "MOUNT"}.get(route.kind) or ", ".join(route.verbs) or "*"
    path = f"<code>{escape(route.path)}</code>"
    if route.kind == "http" and "{" not in route.path and (not route.verbs or "GET" in route.verbs):
        path = f"<a href='{escape(root + route.path)}'>{path}</a>"
    told = f"<span class='why'>{escape(misfit)}</span>" if misfit else ""
    where = f"<span class='place'>{escape(handler_name(route))} {escape(handler_location(route))}</span>"
    return f"<li><span class='verbs'>{verbs}</span> {path} {told}{where}</li>"
