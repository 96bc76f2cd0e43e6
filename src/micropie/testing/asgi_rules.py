"""The rules of the ASGI specification for an application, checked message by message.

Each kind of scope has a class that knows how far its conversation has come. `check` looks at the next message,
`check_end` for one that is missing when the application returns. Section names are those of the ASGI specification,
https://asgi.readthedocs.io/en/latest/specs/
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from micropie.testing.asgi_types import Message

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9110 §5.6.2, in lower case as ASGI wants it
_SPLITTING = re.compile(rb"[\r\n\0]")
_DIGITS = re.compile(rb"[0-9]+")
_MAX_REASON = 123  # bytes: a close frame has 125, two of them the code (RFC 6455 §5.5)
_FIRST_STATUS, _LAST_STATUS = 100, 599
_FIRST_CODE, _LAST_CODE = 1000, 4999
_UNSENDABLE: Final = {1004, 1005, 1006, 1015}  # close codes that never go over the wire (RFC 6455 §7.4.1)
_OK, _NO_CONTENT, _NOT_MODIFIED = 200, 204, 304  # those below the first are interim


class ProtocolError(AssertionError):
    """The application has sent a message that no server takes, or has left out one that it must send.

    with pytest.raises(ProtocolError, match="http.response.start"):
        client.get("/broken")
    """


def _fields(kind: str, message: Message) -> list[tuple[bytes, bytes]]:
    """The headers of a message. ProtocolError unless they are pairs of bytes that make a header each."""
    pairs = [tuple(pair) for pair in message.get("headers") or ()]
    for pair in pairs:
        _check_field(kind, pair)
    return pairs


def _check_field(kind: str, pair: tuple[Any, ...]) -> None:
    if len(pair) != 2 or not all(isinstance(part, bytes) for part in pair):  # noqa: PLR2004
        raise ProtocolError(f"{kind} has the header {pair!r}: a header is a pair of bytes, (b'x-name', b'value')")
    name, value = pair
    if not _TOKEN.fullmatch(name):
        raise ProtocolError(f"{kind} has a header named {name!r}: a name is a token in lower case, such as b'x-name'")
    if _SPLITTING.search(value):
        raise ProtocolError(f"{kind} has the header {name!r} with {value!r}: CR, LF and NUL would split the header")


def _unknown(message: Message, expected: str) -> ProtocolError:
    return ProtocolError(f"The application sent {message!r}, where {expected} is expected")


class HttpRules:
    """The rules of a reply: a start, then bodies, the last without `more_body` ("Response Start", "Response Body")."""

    def __init__(self, method: str, prefix: str = "") -> None:
        self.status = 0  # of the start, when that is there
        self.ended = False
        self._start, self._body = f"{prefix}http.response.start", f"{prefix}http.response.body"
        self._method = method
        self._promised: int | None = None  # bytes
        self._sent = 0

    def check(self, message: Message) -> None:
        """Raise ProtocolError if this message may not come now."""
        kind = message.get("type")
        if self.ended:
            raise ProtocolError(f"The application sent {message!r} after the reply's last {self._body}")
        if kind == self._start:
            self._check_start(message)
        elif kind == self._body:
            self._check_body(message)
        else:
            raise _unknown(message, self._body if self.status else self._start)

    def check_end(self) -> None:
        """Raise ProtocolError if the reply is not complete."""
        if not self.status:
            raise ProtocolError("The application returned and sent no reply")
        if not self.ended:
            raise ProtocolError(
                "The application returned before its reply was complete: the last body has more_body=False"
            )

    def _check_start(self, message: Message) -> None:
        status = message.get("status")
        if self.status:
            raise ProtocolError(f"The application sent {self._start} twice: a request has one reply")
        if type(status) is not int or not _FIRST_STATUS <= status <= _LAST_STATUS:
            raise ProtocolError(f"{self._start} has the status {status!r}: it is an int from 100 to 599")
        fields = _fields(self._start, message)
        self._promised = self._length([value for name, value in fields if name == b"content-length"], status)
        self.status = status

    def _length(self, values: list[bytes], status: int) -> int | None:
        """The length of the body that a content-length promises, in bytes; None without one."""
        if not values:
            return None
        if len(values) > 1 or not _DIGITS.fullmatch(values[0]):
            raise ProtocolError(f"{self._start} has the content-length {values!r}: it is one number")
        if status == _NO_CONTENT or status < _OK:  # RFC 9110 §8.6
            raise ProtocolError(f"{self._start} has a content-length, which a reply {status} never has")
        return int(values[0])

    def _check_body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self.status:
            raise ProtocolError(f"The application sent {self._body} before {self._start}")
        if not isinstance(body, bytes) or not isinstance(more, bool):
            raise ProtocolError(f"{self._body} is {message!r}: body is bytes, more_body is a bool")
        self._sent += len(body)
        self._check_length(is_last=not more)
        self.ended = not more

    def _check_length(self, *, is_last: bool) -> None:
        # RFC 9110 §6.4.1; the content-length of such a reply is that of a GET.
        if self._method == "HEAD" or self.status in (_NO_CONTENT, _NOT_MODIFIED) or self.status < _OK:
            if self._sent:
                what = "HEAD" if self._method == "HEAD" else self.status
                raise ProtocolError(f"The reply to {what} has no body, the application sent {self._sent} bytes")
        elif self._promised is not None and (self._sent > self._promised or (is_last and self._sent != self._promised)):
            raise ProtocolError(f"content-length promises {self._promised} bytes, the application sent {self._sent}")


class WebSocketRules:
    """The rules of a WebSocket: an accept, messages, a close; or a close at once ("Accept", "Send", "Close").

    In place of the close at once there may be a whole HTTP reply, where the server has the extension "WebSocket Denial
    Response".
    """

    def __init__(self, offered: list[str], *, may_deny: bool = False) -> None:
        self.accepted = self.closed = False
        self._may_deny = may_deny
        self._offered = offered
        self._denial: HttpRules | None = None

    def check(self, message: Message) -> None:
        """Raise ProtocolError if this message may not come now."""
        kind = message.get("type")
        if self.closed:
            last = "websocket.close" if self._denial is None else "the last websocket.http.response.body"
            raise ProtocolError(f"The application sent {message!r} after {last}")
        is_denial = kind == "websocket.http.response.start" and self._may_deny and not self.accepted
        if self._denial is not None or is_denial:
            self._check_denial(message)
        elif kind == "websocket.close":
            self._check_close(message)
        elif kind == "websocket.accept" and not self.accepted:
            self._check_accept(message)
        elif kind == "websocket.send" and self.accepted:
            self._check_send(message)
        else:
            raise _unknown(message, f"websocket.{'send' if self.accepted else 'accept'} or websocket.close")

    def check_end(self) -> None:
        """Raise ProtocolError if the connection is neither refused nor closed."""
        if self._denial is not None:
            self._denial.check_end()
        elif not self.closed:
            state = "open" if self.accepted else "unanswered"
            raise ProtocolError(f"The application returned and left the WebSocket {state}: websocket.close is missing")

    def _check_denial(self, message: Message) -> None:
        self._denial = self._denial or HttpRules("GET", "websocket.")
        self._denial.check(message)
        self.closed = self._denial.ended

    def _check_accept(self, message: Message) -> None:
        chosen = message.get("subprotocol")
        if chosen is not None and chosen not in self._offered:
            raise ProtocolError(f"websocket.accept has the subprotocol {chosen!r}, the client offers {self._offered!r}")
        if any(name == b"sec-websocket-protocol" for name, _ in _fields("websocket.accept", message)):
            raise ProtocolError("websocket.accept names the subprotocol in its key 'subprotocol', not in a header")
        self.accepted = True

    @staticmethod
    def _check_send(message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None) or not isinstance(text, str | None) or not isinstance(data, bytes | None):
            raise ProtocolError(f"The application sent {message!r}: it has either 'text', a str, or 'bytes'")

    def _check_close(self, message: Message) -> None:
        code, reason = message.get("code", 1000), message.get("reason")
        if type(code) is not int or not _FIRST_CODE <= code <= _LAST_CODE or code in _UNSENDABLE:
            raise ProtocolError(f"websocket.close has the code {code!r}: it is one that may be sent, such as 1000")
        if not isinstance(reason, str | None) or len((reason or "").encode()) > _MAX_REASON:
            raise ProtocolError(
                f"websocket.close has the reason {reason!r}: it is a str of {_MAX_REASON} bytes at most"
            )
        self.closed = True


class LifespanRules:
    """The rules of the lifespan: one answer to each event, in order ("Lifespan")."""

    def __init__(self) -> None:
        self.asked = ""  # the event that waits for its answer
        self.answers: Mapping[str, Message] = {}

    def check(self, message: Message) -> None:
        """Raise ProtocolError unless this message answers the last event."""
        kind = message.get("type")
        if not self.asked or kind not in (f"{self.asked}.complete", f"{self.asked}.failed"):
            expected = f"{self.asked}.complete or {self.asked}.failed" if self.asked else "nothing"
            raise _unknown(message, expected)
        self.answers = {**self.answers, self.asked: message}
        self.asked = ""

    def check_end(self) -> None:
        """Never raises: an application may end whenever it likes, and one that knows no lifespan does so at once."""
