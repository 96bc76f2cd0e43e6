"""The exceptions, by name, and the one logger.

An `HTTPError` is an answer: its status and detail reach the client. Everything else that a handler
raises is a fault of the application: it reaches the log, and the client sees a bare 500.
"""

import copyreg
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, overload

log = logging.getLogger("micropie")
MAX_FAULTS = 50  # that a client is told of at once
FAILURES = (Exception, SystemExit)  # what a user's code may raise; `sys.exit()` there must not end the server
MAX_SHOWN = 200  # characters of a text in the log
MISSING = "required"  # what is wrong with a value that is not there
INVALID_DATA = 1007  # the close code of a message whose data are not what they should be (RFC 6455 §7.4.1)
_UNSAID: Any = object()


def shortened(text: str) -> str:
    """A text for the log, which may be a client's: not more than 200 characters of it."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def counted(number: int, unit: str) -> str:
    """A number of things: `1 item`, `2 items`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def is_status(value: Any) -> bool:
    """True if it is the status of a reply. A lower one has another reply behind it (RFC 9110 §15.2)."""
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599  # noqa: PLR2004


class Portable(Exception):  # noqa: N818 - no error by itself
    """An exception that can be copied and pickled, another process may raise it say, whatever its constructor takes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class HTTPError(Portable):
    """Answer the request with `status` (400 to 599, or any final one) and a short text.

    `detail` is shown to the client behind the status and its phrase, or `title` in place of the phrase; `headers` are
    added to the reply, in any shape that a handler may return. Programs get problem details (RFC 9457): their `type` is
    a URI for this kind of problem, `extensions` are members beside the standard ones. Changes to the session are kept.

        raise HTTPError(403, "Members only")

    A subclass may declare `status`, `title`, `type` and `detail`; its constructor begins with the detail then.

        class OutOfStock(HTTPError):
            status = 409
            title = "Out of stock"

        raise OutOfStock("Only 2 left", extensions={"left": 2})
    """

    status: int
    detail: str | None = None
    type: str | None = None
    title: str | None = None

    @overload
    def __init__(
        self,
        status: int,
        detail: str | None = None,
        headers: Iterable[Any] | None = None,
        *,
        type: str | None = None,
        title: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        detail: str | None = None,
        headers: Iterable[Any] | None = None,
        *,
        type: str | None = None,
        title: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None: ...

    # Of a class with a status, the first argument is the detail unless it is an int.
    def __init__(  # type: ignore[misc]
        self,
        status: Any = _UNSAID,
        detail: Any = None,
        headers: Any = None,
        *,
        type: str | None = None,
        title: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        declared = getattr(self.__class__, "status", _UNSAID)
        if declared is not _UNSAID and not isinstance(status, int):
            if status is not _UNSAID:  # it is the detail, and what follows it are the headers
                detail, headers = status, detail if headers is None else headers
            status = declared
        if status is _UNSAID:
            name = self.__class__.__name__
            raise TypeError(f"{name} declares no status: write {name}(404, ...), or status = 404 in the class")
        self.status = status
        self.headers = headers
        self.extensions: dict[str, Any] = dict(extensions or {})
        # What is not said is as the class declares it.
        self.detail = self.detail if detail is None else detail
        self.type = self.type if type is None else type
        self.title = self.title if title is None else title
        super().__init__(status, self.detail)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        declared = vars(cls).get("status", 200)
        if not is_status(declared):
            raise TypeError(f"{cls.__name__}.status is {declared!r}, which is none: an int from 200 to 599 is")


class Unrouted(HTTPError):  # noqa: N818 - says what is wrong better than UnroutedError
    """Nothing answers a request with this path and this verb: 404, or 405 with the verbs that are answered."""


class SurplusSegments(Exception):  # noqa: N818 - no error of the application's
    """The path has more segments than the handler has parameters."""


class UnusableResult(TypeError):  # noqa: N818 - says what is wrong better than UnusableResultError
    """A handler's, a guard's or a hook's result that means no reply. The log says which `function` it was, and where.

    The traceback would only show how far we got with it.
    """

    function: Callable[..., Any] | None = None  # None: the handler


@contextmanager
def blaming(function: Callable[..., Any]) -> Iterator[None]:
    """Let the log name the function whose result is unusable, where that is not the handler."""
    try:
        yield
    except UnusableResult as error:
        error.function = function
        raise


class Fault(NamedTuple):
    """One value of a request that is wrong: where it was looked for, its name, and what was expected.

    `place` is `path`, `query`, `body`, `header`, `cookie`, `session`, `file` or, of WebSockets, `message`; `name` may
    lead into a value: `address.zip`, `tags[3]`. `message` says what was expected. The value itself is not in it.

        raise InvalidInput([Fault("body", "email", "has an account already")])
    """

    place: str
    name: str
    message: str

    def __str__(self) -> str:
        if self.message == MISSING:
            return f"Missing required parameter {self.name!r}"
        return f"Invalid value for parameter {self.name!r}: {self.message}"


class InvalidInput(HTTPError):  # noqa: N818 - says what is wrong better than InvalidInputError
    """A 400: values of the request do not fit the handler's signature. `faults` are all of them, up to 50.

    async def _on_error(self, error):
        if isinstance(error, InvalidInput):
            return 400, {fault.name: fault.message for fault in error.faults}
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: list[Fault] = list(faults)[:MAX_FAULTS]
        super().__init__(400, "; ".join(map(str, self.faults)))


class ConversionError(Exception):
    """A value does not fit its type: pairs of where inside the value (`.zip`, `[3]`, or nothing) and what is wrong.

    The value itself is in none of them.
    """

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__(*faults)
        self.faults = faults

    def below(self, where: str) -> list[tuple[str, str]]:
        """The faults as seen from further out."""
        return [(where + inner, message) for inner, message in self.faults]


class ClientGone(HTTPError):  # noqa: N818 - what happened, not an error
    """The client left before its request was complete; nobody is there to read the answer.

    try:
        await file.save(path)
    except ClientGone:
        log.info("nobody waits for %s", path)
        raise
    """

    def __init__(self) -> None:
        super().__init__(400, "Client disconnected")


class ConnectionClosed(Exception):  # noqa: N818 - the documented name
    """The WebSocket is closed; `code` and `reason` are the peer's (RFC 6455 §7.4).

    try:
        await ws.send("news")
    except ConnectionClosed as closed:
        log.info("left with %s", closed.code)
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class BadMessage(Portable, ValueError):  # noqa: N818 - the peer's mistake, not an error of ours
    """A WebSocket message is not what the handler asked for; who does not catch it closes with `code` and `reason`."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class InvalidMessage(BadMessage):
    """A WebSocket message does not fit the type that was asked for. `faults` are all that is wrong, up to 50.

    Who does not catch it closes with `code`, 1007, and `reason`, the first of them.

        try:
            move = await ws.receive(Move)
        except InvalidMessage as error:
            await ws.send({"faults": [fault.name for fault in error.faults]})
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: list[Fault] = list(faults)[:MAX_FAULTS]
        said = [f"{fault.name}: {fault.message}" if fault.name else fault.message for fault in self.faults]
        super().__init__(
            INVALID_DATA, f"Invalid message: {said[0]}", f"The message does not fit its type: {'; '.join(said)}"
        )


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, at any depth; of others themselves."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def sole_error(error: BaseException) -> BaseException:
    """The `HTTPError`, `BadMessage` or `ConnectionClosed` of one kind that a TaskGroup, or another group, stands for.

    A `ConnectionClosed` beside others doesn't count: tasks of a WebSocket may notice the end one after the other.
    """
    found = [*leaves(error)]
    told = [one for one in found if not isinstance(one, ConnectionClosed)] or found[:1]
    is_one = all(type(one) is type(told[0]) and one.args[:1] == told[0].args[:1] for one in told)
    return told[0] if is_one and isinstance(told[0], HTTPError | BadMessage | ConnectionClosed) else error
