"""How a WebSocket closes on which something has gone wrong, and how that is sent.

The peer is told a close code and a reason, and nothing of our insides. Before the handshake is accepted it is a whole
HTTP reply, where the server can send one.
"""

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any

from micropie.core.basics.errors import (
    INVALID_DATA,
    BadMessage,
    ConnectionClosed,
    HTTPError,
    log,
    shortened,
    sole_error,
)
from micropie.core.basics.settings import is_whole
from micropie.core.basics.types import Message, Send
from micropie.core.engine import Engine
from micropie.core.failures.error_handlers import SERVER_ERRORS, first_answer
from micropie.core.failures.error_replies import (
    note_failure,
    path_of_request,
    reply_to_unhandled,
    reraise_cancellation,
)
from micropie.core.pipeline.end_of_request import note_exception
from micropie.core.pipeline.whole_reply import with_encoded_text
from micropie.core.replies.asgi import send_messages, whole_messages
from micropie.core.replies.error_forms import status_line
from micropie.core.replies.reply import Reply, close_unsent, is_stream, to_reply
from micropie.core.requests.request import Request
from micropie.core.websockets.closing import (
    BROKEN,
    ENDED,
    FAILED,
    NORMAL,
    REFUSED,
    TOO_BIG,
    UNSUPPORTED,
    Closing,
    checked_code,
    close_or_private,
)

PROTOCOL_CODES = (REFUSED, UNSUPPORTED, INVALID_DATA, TOO_BIG)  # that not all servers send
DENIAL = "websocket.http.response"  # the ASGI extension "Websocket Denial Response"


async def closing_after(engine: Engine, request: Request, error: BaseException) -> Closing:
    """How to close after what the conversation, or a step before it, has raised."""
    note_exception(request, error)
    reraise_cancellation(error)
    told = sole_error(error)
    if isinstance(told, ConnectionClosed):  # as conversations end
        note_exception(request, None)
        return ENDED
    answer, told = await first_answer(engine, request, told, close_in_place)
    return closing_for_error(request, told) if answer is None else await closing_by(request, told, answer)


def close_in_place(result: Any, _: Exception) -> Closing | Reply:
    """The code and reason of an `_on_error`'s result; or a reply, as for HTTP, which says as much."""
    if isinstance(result, Mapping) and "code" in result and result.keys() <= {"code", "reason"}:
        return Closing(checked_code(result["code"]), str(result.get("reason") or ""))
    if isinstance(result, tuple) and is_whole(result[0], NORMAL):
        code, reason = result
        return Closing(checked_code(code), str(reason))
    return to_reply(result)


async def closing_by(request: Request, error: BaseException, answer: Closing | Reply) -> Closing:
    """How to close with what an `_on_error` has answered; the log is told of a failure that it closes with 1011."""
    if isinstance(answer, Reply):
        answer = await closing_with(answer, BROKEN if answer.status in SERVER_ERRORS else REFUSED)
    if answer.code == BROKEN and not isinstance(error, HTTPError):
        note_failure(request, error)
    return answer


async def closing_with(reply: Reply, code: int) -> Closing:
    """How to close with a reply in the place of an open connection."""
    await close_unsent(reply.body)
    return Closing(code, status_line(reply.status), reply)


def closing_for_error(request: Request, error: BaseException) -> Closing:
    """The close code and reason that an exception stands for; what the peer must not know goes to the log."""
    if isinstance(error, HTTPError):
        return Closing(REFUSED, status_line(error.status) if error.detail is None else str(error.detail), error)
    if isinstance(error, BadMessage):  # whoever connects can send one: no failure of ours
        log.info("WEBSOCKET %r is closed with %d: %s", shortened(path_of_request(request)), error.code, error)
        return Closing(error.code, error.reason)
    note_failure(request, error)
    return FAILED


async def send_denial(engine: Engine, request: Request, send: Send, denial: Reply | HTTPError) -> None:
    """Refuse the handshake by a reply; a stream, which servers would collect, is not sent but for its status."""
    if isinstance(denial, Reply) and is_stream(denial.body):
        denial = HTTPError(denial.status, headers=denial.headers)
    reply = reply_to_unhandled(engine, request, denial) if isinstance(denial, HTTPError) else denial
    if isinstance(reply.body, str):
        reply = with_encoded_text(engine, request, reply)

    def send_part(message: Message) -> Awaitable[None]:
        return send({**message, "type": f"websocket.{message['type']}"})

    await send_messages(send_part, whole_messages(reply, reply.body or b"", request.method))


async def send_close(engine: Engine, send: Send, closing: Closing) -> None:
    """Close the connection, if the peer has not left by now.

    Where the server refuses a code of the protocol, a private one is sent; 1011 Daphne makes of what is raised here.
    """

    async def close(code: int) -> None:
        await engine.app._send_websocket_close(send, code, closing.reason)

    with suppress(OSError):
        await (close_or_private(close, closing.code) if closing.code in PROTOCOL_CODES else close(closing.code))
