"""Headers that a middleware adds to every reply, those of mounted applications included."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from micropie import HttpMiddleware, Request

HeaderPairs = list[tuple[str, str]]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class ReplyHeadersMiddleware(HttpMiddleware):
    """A middleware that adds headers to every reply; a subclass says which."""

    def add_headers(self, request: Request, headers: HeaderPairs) -> None:
        """Append to the headers of a reply; what they are a subclass says."""

    def after_request(self, request: Request, status_code: int, response_body: Any, extra_headers: HeaderPairs) -> Any:
        """Add the headers to the reply."""
        self.add_headers(request, extra_headers)

    def mounted_send(self, request: Request, send: Send) -> Send:
        """Add the headers to the reply of a mounted application."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
                pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
                self.add_headers(request, pairs)
                added = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs[len(raw) :]]
                message = {**message, "headers": [*raw, *added]}
            await send(message)

        return send_with_headers


def as_texts(headers: HeaderPairs) -> None:
    """Make texts, in place, of what hooks may have appended in any shape."""
    if any(type(part) is not str for pair in headers for part in pair):
        headers[:] = [(_text(name), _text(value)) for name, value in headers]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def names_in(headers: Iterable[Any]) -> set[str]:
    """The names in lower case of what hooks may have appended in any shape."""
    names = [pair[0] for pair in headers]
    return {name.lower() if isinstance(name, str) else name.decode("latin-1").lower() for name in names}
