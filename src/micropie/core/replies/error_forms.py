"""An `HTTPError` as a reply, in three forms: a line of text, a page for browsers, problem details for programs."""

from collections.abc import Iterator
from typing import Any

from micropie.core.basics.errors import HTTPError, InvalidInput
from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import HeaderPairs
from micropie.core.replies.reply import HTML, PROBLEM, Reply, checked_status, encoded, header_pairs

# What http.HTTPStatus calls these depends on the version of Python.
_PHRASES = {413: "Payload Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem; overflow-wrap: anywhere;
  font: 1.0625rem/1.5 system-ui, sans-serif; color: #222; background: #fff }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #161616 }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{detail}</main>
</body>
</html>
"""


def error_line(error: HTTPError) -> Reply:
    """`404 Not Found`, or `403 Forbidden: the detail`, HTML-escaped."""
    text = _escaped(_headline(error))
    if error.detail is not None:
        text = f"{text}: {_escaped(error.detail)}"
    return Reply(checked_status(error.status), text, _headers(error), HTML)


def error_page(error: HTTPError) -> Reply:
    """A small page in light and dark, which loads nothing."""
    faults = error.faults if isinstance(error, InvalidInput) else []
    if len(faults) > 1:
        items = "\n".join(f"<li>{_escaped(fault)}</li>" for fault in faults)
        detail = f"<ul>\n{items}\n</ul>\n"
    else:
        detail = "" if error.detail is None else f"<p>{_escaped(error.detail)}</p>\n"
    page = _PAGE.format(title=_escaped(_headline(error)), detail=detail)
    return Reply(checked_status(error.status), page, _headers_but_type(error), HTML)


def error_problem(error: HTTPError, instance: str | None) -> Reply:
    """Problem details (RFC 9457); `instance` is a URI of this occurrence. `UnusableResult` if they make no JSON."""
    status = checked_status(error.status)
    members = {name: value for name, value in _members(error, status, instance) if value is not None}
    body, _ = encoded({**members, **{name: value for name, value in error.extensions.items() if name not in members}})
    return Reply(status, body, _headers_but_type(error), PROBLEM)


def _members(error: HTTPError, status: int, instance: str | None) -> Iterator[tuple[str, Any]]:
    yield "type", error.type or "about:blank"  # §4.2.1: the status says it all
    yield "title", error.title or phrase_of(status) or "Error"
    yield "status", status
    yield "detail", None if error.detail is None else str(error.detail)
    yield "instance", instance
    if isinstance(error, InvalidInput):  # our extension member
        yield "errors", [{"in": one.place, "name": one.name, "message": one.message} for one in error.faults]


def _headline(error: HTTPError) -> str:
    return status_line(error.status) if error.title is None else f"{error.status} {error.title}"


def _escaped(text: object) -> str:
    return str(lazy_import("html").escape(str(text), quote=False))


def _headers(error: HTTPError) -> HeaderPairs:
    return [*header_pairs(error.headers), ("X-Content-Type-Options", "nosniff")]


def _headers_but_type(error: HTTPError) -> HeaderPairs:
    """The headers of a form that has a type of its own: the error's would be about the line."""
    return [pair for pair in _headers(error) if pair[0].lower() != "content-type"]


def status_line(status: int) -> str:
    """The status with its phrase, if it has one."""
    return f"{status} {phrase_of(status)}".rstrip()


def phrase_of(status: int) -> str:
    """The phrase of a status (RFC 9110 §15); empty if it has none."""
    known = lazy_import("http").HTTPStatus._value2member_map_.get(status)
    return _PHRASES.get(status) or (known.phrase if known else "")
