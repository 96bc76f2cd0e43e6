"""The debug pages for programs: a failure, or a request without a route, as plain text and as problem details."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from micropie import HTTPError
from micropie.debug.paths import short_path
from micropie.debug.request_facts import FactGroup
from micropie.debug.suggestions import Suggestion
from micropie.debug.traces import Frame, Trace


def failure_text(headline: str, traces: list[Trace], groups: list[FactGroup]) -> str:
    """A failure as text: the exceptions as Python writes them, with the variables; then the request."""
    return "\n".join([headline, *(line for trace in traces for line in _trace(trace)), *_groups(groups), ""])


def _trace(trace: Trace) -> Iterator[str]:
    yield ""
    if trace.how:
        yield f"{trace.how}:"
        yield ""
    yield f"{trace.kind}: {trace.message}"
    yield from trace.notes
    if trace.frames:
        yield "Traceback (most recent call last):"
    half = len(trace.frames) // 2
    for number, frame in enumerate(trace.frames):
        if trace.left_out and number == half:
            yield f"  … {trace.omission} …"
        yield from _frame(frame)


def _frame(frame: Frame) -> Iterator[str]:
    where = f" in {frame.function}" if frame.function else ""
    yield f'  File "{short_path(frame.file)}", line {frame.line},{where}'
    yield from (f"    {line.text.strip()}" for line in frame.source if line.number == frame.line)
    if frame.is_application_code:
        yield from (f"      {name} = {value}" for name, value in frame.variables)


def _groups(groups: list[FactGroup]) -> Iterator[str]:
    for group in groups:
        yield ""
        yield group.title
        yield from (f"  {name}: {value}" if name else f"  {value}" for name, value in group.rows)


def failure_problem(headline: str, traces: list[Trace], groups: list[FactGroup]) -> dict[str, Any]:
    """A failure as problem details (RFC 9457)."""
    return {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": f"{traces[0].kind}: {traces[0].message}",
        "instance": headline,
        "exceptions": [
            {
                "how": trace.how,
                "type": trace.kind,
                "message": trace.message,
                "notes": trace.notes,
                "frames": [_frame_problem(frame) for frame in trace.frames],
            }
            for trace in traces
        ],
        "request": {group.title.lower(): dict(group.rows) for group in groups},
    }


def _frame_problem(frame: Frame) -> dict[str, Any]:
    source = next((line.text.strip() for line in frame.source if line.number == frame.line), None)
    found = {"file": frame.file, "line": frame.line, "function": frame.function, "source": source}
    return {**found, "variables": dict(frame.variables)} if frame.is_application_code else found


def unrouted_text(headline: str, refusal: str, found: list[Suggestion]) -> str:
    """A request without a route as text, with the routes that it could have meant."""
    lines = [f"  {verbs_of(one)} {one.route.path}{f'  ({one.misfit})' if one.misfit else ''}" for one in found]
    return "\n".join([headline, "", f"{refusal}: {unanswered(refusal)}", *(["", "Near:", *lines] if lines else []), ""])


def unanswered(refusal: str) -> str:
    """What a refusal means; of surplus segments, for which the default is a 500, also how it becomes a 404."""
    setting = ": App(surplus_path_status=404) makes it a 404"
    return f"nothing answers this{setting if refusal.startswith('500') else ''}"


def unrouted_problem(headline: str, error: HTTPError, found: list[Suggestion]) -> dict[str, Any]:
    """A request without a route as problem details (RFC 9457), with the routes that it could have meant."""
    near = [{"verbs": list(one.route.verbs), "path": one.route.path, "why": one.misfit} for one in found]
    title = phrase_of(error.status)
    return {"type": "about:blank", "title": title, "status": error.status, "instance": headline, "near": near}


def phrase_of(status: int) -> str:
    """The phrase of a status, such as `Not Found`; empty for one without a name."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def verbs_of(one: Suggestion) -> str:
    """The verbs of a suggested route, `*` for all."""
    return ",".join(one.route.verbs) or "*"
