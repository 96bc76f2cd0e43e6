"""The reply to a request, with the names that httpx gives its parts."""

import codecs
import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from micropie.testing.asgi_types import Message
from micropie.testing.http_call import HttpCall

_SUCCESS, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 2, 3, 4, 5  # the hundreds
_REDIRECTS = {301, 302, 303, 307, 308}
T = TypeVar("T")


class URL(str):
    """A URL that knows its parts.

    assert client.get("/pies?page=2").url.query == "page=2"
    """

    __slots__ = ("_parts",)
    _parts: SplitResult

    def __new__(cls, url: str) -> Self:
        """A URL, taken apart once."""
        made = super().__new__(cls, url)
        made._parts = urlsplit(url)
        return made

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self._parts.scheme

    @property
    def host(self) -> str:
        """The name of the host, without the port."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int | None:
        """The port, if the URL names one."""
        return self._parts.port

    @property
    def netloc(self) -> str:
        """Host and port, as they stand in the URL."""
        return self._parts.netloc.rpartition("@")[2]

    @property
    def path(self) -> str:
        """The path, percent-encoded."""
        return self._parts.path

    @property
    def query(self) -> str:
        """The query, without its question mark."""
        return self._parts.query


class Headers(Mapping[str, str]):
    """Header fields: a mapping whose names have no case; values of a repeated one are joined by commas.

    assert client.get("/").headers["Content-Type"] == "text/html; charset=utf-8"
    """

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]

    def get_list(self, name: str) -> list[str]:
        """All values of the field `name`, in order."""
        return [value for key, value in self._pairs if key == name.lower()]

    def multi_items(self) -> list[tuple[str, str]]:
        """All fields in order, repeated ones too."""
        return list(self._pairs)

    def __getitem__(self, name: str) -> str:
        if values := self.get_list(name):
            return ", ".join(values)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name for name, _ in self._pairs})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_list(name))

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"


class StatusError(AssertionError):
    """`raise_for_status()` found a reply that is no success; `response` is that.

    with pytest.raises(StatusError) as failed:
        client.get("/nowhere").raise_for_status()
    assert failed.value.response.status_code == 404
    """

    def __init__(self, response: "Response") -> None:
        start = response.text[:200] if response.is_complete else "(its body was not read)"
        super().__init__(f"{response.method} {response.url} answered {response.status_line}: {start}")
        self.response = response


class Response:
    """The reply to a request: its `status_code`, its `headers`, and the `cookies` that it sets.

    `url` and `method` are those of the request, `history` the redirects before it. `content`, `text` and `json()` of a
    stream are there when it was read to its end.

        response = client.get("/pies")
        assert response.is_success
        assert response.json() == ["apple", "cherry"]
    """

    def __init__(
        self,
        start: Message,
        method: str,
        url: URL,
        *,
        history: "Iterable[Response]" = (),
        call: HttpCall | None = None,
        chunks: Iterable[bytes] = (),
    ) -> None:
        self.status_code: int = start["status"]
        self.headers: Headers = Headers(start.get("headers") or [])
        self.cookies: dict[str, str] = {}  # that this reply has set
        self.url = url
        self.method = method
        self.history: list[Response] = list(history)  # the redirects that led here
        self._call = call  # that sends the rest of the body
        self._chunks = list(chunks)
        self._run: Callable[[Coroutine[Any, Any, Any]], Any] | None = None

    # -- what it says

    @property
    def is_complete(self) -> bool:
        """True when the whole body is there."""
        return self._call is None

    @property
    def reason_phrase(self) -> str:
        """The phrase of the status, such as `Not Found`."""
        return HTTPStatus(self.status_code).phrase if self.status_code in set(HTTPStatus) else ""

    @property
    def status_line(self) -> str:
        """Status and phrase, such as `404 Not Found`."""
        return f"{self.status_code} {self.reason_phrase}".rstrip()

    @property
    def is_success(self) -> bool:
        """A status 2xx."""
        return self.status_code // 100 == _SUCCESS

    @property
    def is_redirect(self) -> bool:
        """A status 3xx that says where to go."""
        return self.status_code in _REDIRECTS and "location" in self.headers

    @property
    def is_client_error(self) -> bool:
        """A status 4xx."""
        return self.status_code // 100 == _CLIENT_ERROR

    @property
    def is_server_error(self) -> bool:
        """A status 5xx."""
        return self.status_code // 100 == _SERVER_ERROR

    @property
    def is_error(self) -> bool:
        """A status 4xx or 5xx."""
        return self.is_client_error or self.is_server_error

    def raise_for_status(self) -> "Response":
        """The response itself if it is a success, else StatusError."""
        if not self.is_success:
            raise StatusError(self)
        return self

    # -- its content

    @property
    def content(self) -> bytes:
        """The body. RuntimeError if that is a stream which was not read to its end."""
        if not self.is_complete:
            raise RuntimeError("The body is a stream: read it by `await response.aread()`, or chunk by chunk")
        return b"".join(self._chunks)

    @property
    def encoding(self) -> str:
        """The charset that the content type names; UTF-8 without one, or with one that nobody knows."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                try:
                    return codecs.lookup(value.strip().strip('"')).name
                except LookupError:
                    break
        return "utf-8"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(self.encoding, "replace")

    def json(self) -> Any:
        """The JSON value of the body."""
        return json.loads(self.content)

    async def aread(self) -> bytes:
        """The whole body, when it is there."""
        async for _ in self.aiter_bytes():
            pass
        return self.content

    # -- chunk by chunk

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The chunks of the body, as the application has sent them; each as soon as it is there."""
        for chunk in list(self._chunks):
            yield chunk
        while self._call is not None:
            found = await self._call.next_chunk()
            if found is None:
                self._call = None
            else:
                self._chunks.append(found)
                yield found

    async def aiter_text(self) -> AsyncIterator[str]:
        """The chunks as text; a character that is not complete waits for the next chunk."""
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        async for chunk in self.aiter_bytes():
            if text := decoder.decode(chunk):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """The lines, without their ends; each as soon as it is complete."""
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        line = ""
        async for text in self.aiter_text():
            *lines, line = (line + newlines.decode(text)).split("\n")
            for complete in lines:
                yield complete
        *lines, line = (line + newlines.decode("", final=True)).split("\n")
        for complete in (*lines, line) if line else lines:
            yield complete

    # -- for plain code

    def read(self) -> bytes:
        """The whole body, when it is there; plain code's `aread`."""
        return self._wait(self.aread())

    def iter_bytes(self) -> Iterator[bytes]:
        """The chunks of the body, each as soon as it is there; plain code's `aiter_bytes`."""
        return self._each(self.aiter_bytes())

    def iter_text(self) -> Iterator[str]:
        """The chunks as text, each as soon as it is there; plain code's `aiter_text`."""
        return self._each(self.aiter_text())

    def iter_lines(self) -> Iterator[str]:
        """The lines, each as soon as it is complete; plain code's `aiter_lines`."""
        return self._each(self.aiter_lines())

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        while (item := self._wait(_next(items))) is not None:
            yield item

    def _wait(self, waiting: Coroutine[Any, Any, T]) -> T:
        if self._run is None:
            waiting.close()
            raise RuntimeError(
                "This response belongs to an event loop: use aread, aiter_bytes, aiter_text, aiter_lines"
            )
        result: T = self._run(waiting)
        return result

    # -- for the client

    async def whole(self, call: HttpCall) -> None:
        """Wait for the end of the application, and take all chunks that it has sent."""
        await call.until_complete()
        self._chunks.extend(call.chunks)
        self._call = None

    def read_by(self, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        """Let plain code read the body, by a function that runs a coroutine."""
        self._run = run

    def __repr__(self) -> str:
        return f"<Response [{self.status_line}]>"


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)
