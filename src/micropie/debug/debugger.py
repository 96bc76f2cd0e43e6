"""What an application in development mode has: `App(debug=True)` makes it, and `micropie run --dev` for all of them."""

import json
from collections.abc import Callable
from typing import Any

from micropie import App, HTTPError, Request, routes
from micropie.debug.facts import facts_of, url_of
from micropie.debug.gate import may_see
from micropie.debug.masking import cut, printable
from micropie.debug.near import near
from micropie.debug.page import failure_page, nowhere_page, policy
from micropie.debug.text import failure_problem, failure_text, nowhere_problem, nowhere_text, phrase_of
from micropie.debug.traces import traces_of
from micropie.debug.watchdog import Watchdog

Answer = tuple[int, str | bytes, list[tuple[str, str]]]


class Debugger:
    """Shows failures to who is on this machine, and watches the event loop."""

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
        """A failure: a page for browsers, JSON or text for other programs; None for clients elsewhere."""
        if not may_see(request.scope):
            return None
        traces, groups = traces_of(error), facts_of(self._app, request, handler)
        headline = headline_of(request)
        text = failure_text(headline, traces, groups)
        return answer(
            request,
            500,
            page=lambda: failure_page(headline, traces, groups, text),
            problem=lambda: failure_problem(headline, traces, groups),
            text=lambda: text,
        )

    def guide(self, request: Request, error: HTTPError) -> Answer | None:
        """The routes near a request that leads nowhere, likewise."""
        if not may_see(request.scope):
            return None
        scope, listed = request.scope, routes(self._app)
        found = near(listed, request.method, scope["path"].strip("/").split("/"))
        headline, refusal = headline_of(request), f"{error.status} {phrase_of(error.status)}".strip()
        status, body, headers = answer(
            request,
            error.status,
            page=lambda: nowhere_page(headline, refusal, found, listed, scope.get("root_path") or ""),
            problem=lambda: nowhere_problem(headline, error, found),
            text=lambda: nowhere_text(headline, refusal, found),
        )
        return status, body, [*headers, *(error.headers or ())]


def headline_of(request: Request) -> str:
    """The request in a line."""
    return printable(cut([f"{request.method} {url_of(request)}"]))


def answer(
    request: Request,
    status: int,
    *,
    page: Callable[[], str],
    problem: Callable[[], Any],
    text: Callable[[], str],
) -> Answer:
    """The form that the client takes; no cache keeps it, no other site frames it."""
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
