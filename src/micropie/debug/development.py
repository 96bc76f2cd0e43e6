"""Development mode of an application: `App(debug=True)` turns it on, and `micropie run --dev` for all of them."""

import json
from collections.abc import Callable
from typing import Any

from micropie import App, HTTPError, Request, Route, routes
from micropie.debug.access import may_see
from micropie.debug.html_page import failure_page, policy, unrouted_page
from micropie.debug.redaction import hiding, redacted
from micropie.debug.request_facts import request_facts, secret_values, url_of
from micropie.debug.suggestions import suggestions
from micropie.debug.text_page import failure_problem, failure_text, phrase_of, unrouted_problem, unrouted_text
from micropie.debug.traces import traces_of, without_values
from micropie.debug.watchdog import Watchdog

Answer = tuple[int, str | bytes, list[tuple[str, str]]]


class Debugger:
    """Shows failures to clients on this machine, and watches the event loop.

    app = Site(debug=True)          # makes one, as `micropie run --dev` does for every application
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._watchdog = Watchdog(app)

    def start(self) -> None:
        """Watch the event loop that runs now."""
        self._watchdog.start()

    def stop(self) -> None:
        """Watch no more."""
        self._watchdog.stop()

    def explain(self, request: Request, error: BaseException, handler: Callable[..., Any] | None) -> Answer | None:
        """The reply to `request`, whose `handler` has raised `error`: a page for browsers, else JSON or text.

        None for clients elsewhere.
        """
        if not may_see(request.scope):
            return None
        route = next((one for one in routes(self._app) if one.handler == handler), None)
        facts = request_facts(request, route)
        hide = hiding(secret_values(request, route))
        groups, traces = [group.without_values(hide) for group in facts], without_values(traces_of(error), hide)
        headline = hide(headline_of(request, route))
        text = failure_text(headline, traces, groups)
        return answer(
            request,
            500,
            page=lambda: failure_page(headline, traces, groups, text),
            problem=lambda: failure_problem(headline, traces, groups),
            text=lambda: text,
        )

    def guide(self, request: Request, error: HTTPError) -> Answer | None:
        """The reply to a `request` that has no route, as `error` says, with the nearest; None for clients elsewhere."""
        if not may_see(request.scope):
            return None
        scope, listed = request.scope, routes(self._app)
        found = suggestions(listed, request.method, scope["path"].strip("/").split("/"))
        headline, refusal = headline_of(request, None), f"{error.status} {phrase_of(error.status)}".strip()
        status, body, headers = answer(
            request,
            error.status,
            page=lambda: unrouted_page(headline, refusal, found, listed, scope.get("root_path") or ""),
            problem=lambda: unrouted_problem(headline, error, found),
            text=lambda: unrouted_text(headline, refusal, found),
        )
        return status, body, [*headers, *(error.headers or ())]


def headline_of(request: Request, route: Route | None) -> str:
    """The method and the URL of a request, redacted, in one line."""
    return redacted(f"{request.method} {url_of(request, route)}")


def answer(
    request: Request,
    status: int,
    *,
    page: Callable[[], str],
    problem: Callable[[], Any],
    text: Callable[[], str],
) -> Answer:
    """A reply in the form that the client accepts; no cache keeps it, no other site frames it."""
    accept = request.headers.get("accept", "")
    if "html" in accept:
        body, kind = page(), "text/html"
    elif "json" in accept:
        body, kind = json.dumps(problem(), ensure_ascii=False), "application/problem+json"
    else:
        body, kind = text(), "text/plain"
    headers = [
        ("Content-Type", f"{kind}; charset=utf-8" if kind != "application/problem+json" else kind),
        ("Content-Security-Policy", policy()),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    return status, body, headers
