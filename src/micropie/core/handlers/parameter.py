"""One parameter of a handler: what it is called, what type it has, where its value comes from."""

import inspect
from typing import Any, NamedTuple

from micropie.core import late

REQUIRED: Any = inspect.Parameter.empty

AUTO, PATH, QUERY, BODY, HEADER, COOKIE_SOURCE, SESSION, FILE, CONTEXT, PROVIDER = (
    "auto", "path", "query", "body", "header", "cookie", "session", "file", "context", "provider"
)  # fmt: skip
PROVIDE = "__provide__"  # the function of a class that makes a provider of it
POSITIONAL, KEYWORD, VARIADIC, REST = "positional", "keyword", "variadic", "rest"
KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: POSITIONAL,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: KEYWORD,
    inspect.Parameter.VAR_POSITIONAL: VARIADIC,
    inspect.Parameter.VAR_KEYWORD: REST,
}


class Parameter(NamedTuple):
    """One parameter of a handler, as its signature says it.

    `name` is the parameter's. `annotation` is the type without `Annotated`, whose other contents are `metadata`;
    `source` is `auto` (a path segment, else by name), `context` (the request, the session, the faults), `provider`
    (what the type provides) or the one place to look in, `key` the name there. `is_body` is true of a record, which the
    whole body fills. `kind` is `positional`, `keyword`, `variadic` (`*args`) or `rest` (`**kwargs`); `default` is
    `inspect.Parameter.empty` for a required parameter.

        required = [one.name for one in routes(app)[0].parameters if one.default is inspect.Parameter.empty]
    """

    name: str
    annotation: Any
    metadata: tuple[Any, ...]
    source: str
    key: str
    default: Any
    kind: str
    is_body: bool


def takes_segment(parameter: Parameter) -> bool:
    """True if binding gives it the next segment of the path."""
    return parameter.kind == POSITIONAL and parameter.source in (AUTO, PATH) and not parameter.is_body


def is_hashable(default: Any) -> bool:
    """True if nothing that a call does to the default can be seen by another."""
    try:
        hash(default)
    except TypeError:
        return False
    return True


def takes_many(parameter: Parameter) -> bool:
    """True if its type is a collection, whose values a query has as repeated fields."""
    return parameter.annotation is not Any and late.is_collection(parameter.annotation)
