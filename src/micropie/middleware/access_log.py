"""AccessLogMiddleware: a line for each request, as text or as JSON, on the logger `micropie.access`.

All that a client chooses is quoted, with what is not printable ASCII escaped, and cut: a line is one line.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from micropie import Request, WebSocketMiddleware, WebSocketRequest
from micropie.middleware.reply_headers import HeaderPairs, Message, ReplyHeadersMiddleware, Send, names_in

log = logging.getLogger("micropie.access")
LONGEST_PATH, LONGEST_AGENT = 1000, 200  # characters
ID_BYTES = 16
_GOOD_ID = re.compile(r"[!-~]{1,200}")  # what the framework's own log takes for one
_PLAIN = re.compile(r"[!#-~]+")  # visible, without the quote


class AccessLogMiddleware(ReplyHeadersMiddleware, WebSocketMiddleware):
    """Logs each request when its reply is made, and each WebSocket when it comes and when it is closed.

    The request's `X-Request-ID` is kept, or a new one made: it is `request.request_id`, in the log of failures and in
    the reply. With `json` a line is an object; every record has the facts as attributes too. The query, which may have
    secrets in it, is left out unless `query` asks for it. First in the list it sees all requests and names all replies.

        app.middlewares.insert(0, AccessLogMiddleware())
    """

    def __init__(self, *, json: bool = False, query: bool = False) -> None:
        self._is_json = json
        self._with_query = query
        show_by_default(log)

    def before_routing(self, request: Request) -> None:
        """Take the time, and the request's id; log a WebSocket's handshake."""
        begin(request)
        if isinstance(request, WebSocketRequest):
            self._log(request, "WEBSOCKET", event="connect")

    def add_headers(self, request: Request, headers: HeaderPairs) -> None:
        """Name the request's id, unless the handler has."""
        if "x-request-id" not in names_in(headers):
            headers.append(("X-Request-ID", begin(request)))

    def before_sending(
        self, request: Request, status_code: int, response_body: Any, headers: Sequence[tuple[str, str]]
    ) -> None:
        """Log the reply; the length of a stream is not known."""
        size = 0 if request.method == "HEAD" else size_of(response_body)
        self._log(request, request.method, status=status_code, bytes=size)

    def mounted_send(self, request: Request, send: Send) -> Send:
        """Log the reply of a mounted application when it starts, and name the request's id in it."""

        async def send_logged(message: Message) -> None:
            if message["type"] == "http.response.start":
                length = b"0" if request.method == "HEAD" else dict(message["headers"]).get(b"content-length", b"")
                size = int(length) if length.isdigit() else None
                self._log(request, request.method, status=message["status"], bytes=size)
            await send(message)

        return super().mounted_send(request, send_logged)

    async def after_websocket(self, request: WebSocketRequest) -> None:
        """Log that a WebSocket is closed, or was refused behind its route."""
        self._log(request, "WEBSOCKET", event="close")

    def _log(self, request: Request, method: str, **outcome: Any) -> None:
        if log.isEnabledFor(logging.INFO):
            facts = {"method": method, **dict(self._facts(request)), **outcome}
            log.info("%s", json_line(facts) if self._is_json else text_line(facts), extra=facts)

    def _facts(self, request: Request) -> Iterator[tuple[str, Any]]:
        scope, request_id = request.scope, begin(request)
        query = f"?{scope.get('query_string', b'').decode('latin-1')}" if self._with_query else ""
        route, client = scope.get("route"), scope.get("client")
        yield "path", cut(scope["path"] + query, LONGEST_PATH)
        yield "route", None if route is None else route.path_format
        yield "client", client[0] if client else None
        yield "user_agent", cut(request.header("user-agent", ""), LONGEST_AGENT) or None
        yield "request_id", request_id
        yield "duration_ms", round((time.perf_counter() - vars(request)["began"]) * 1000, 2)


def begin(request: Request) -> str:
    """The request's id. At the first call it is made, and the time taken: mostly as soon as the request is there."""
    vars(request).setdefault("began", time.perf_counter())
    if request.request_id is None:
        given = request.header("x-request-id", "")
        request.request_id = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(ID_BYTES)
    return request.request_id


def size_of(body: Any) -> int | None:
    """The bytes of a body; None of a stream."""
    if isinstance(body, str):
        return len(body) if body.isascii() else len(body.encode("utf-8", "replace"))
    return len(body) if isinstance(body, bytes) else 0 if body is None else None


def cut(text: str, longest: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def json_line(facts: dict[str, Any]) -> str:
    """The facts that are known, as an object on one line."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, **{name: value for name, value in facts.items() if value is not None}})


def text_line(facts: dict[str, Any]) -> str:
    """The facts in a fixed order, `-` for those that are not known."""
    what = facts["event"] if "event" in facts else f"{facts['status']} {word(facts['bytes'])}"
    return (
        f"{word(facts['client'])} {word(facts['method'])} {json.dumps(facts['path'])} {what} {facts['duration_ms']}ms"
        f" route={word(facts['route'])} id={word(facts['request_id'])} agent={word(facts['user_agent'])}"
    )


def word(value: Any) -> str:
    """A value as one word, quoted if it is none."""
    text = "-" if value is None else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def show_by_default(logger: logging.Logger) -> None:
    """Let the lines be seen: on stderr, as long as nobody has said where the log goes."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.addFilter(lambda _record: logger.handlers == [handler] and not above(logger).hasHandlers())
        logger.addHandler(handler)


def above(logger: logging.Logger) -> logging.Logger:
    """The logger that takes what this one hands on."""
    return logger.parent or logger
