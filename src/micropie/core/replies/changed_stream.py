"""Streams each of whose chunks is changed on its way out."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any


class Shaped(Iterator[Any]):
    """A stream, each of its chunks changed."""

    def __init__(self, stream: Iterator[Any], change: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._change = change

    def __next__(self) -> Any:
        return self._change(next(self._stream))

    def close(self) -> None:
        """Close the stream, if it can be."""
        if (close := getattr(self._stream, "close", None)) is not None:
            close()


class LaterShaped(AsyncIterator[Any]):
    """An async stream, each of its chunks changed."""

    def __init__(self, stream: AsyncIterable[Any], change: Callable[[Any], Any]) -> None:
        self._stream = aiter(stream)
        self._change = change

    async def __anext__(self) -> Any:
        return self._change(await anext(self._stream))

    async def aclose(self) -> None:
        """Close the stream, if it can be."""
        if (aclose := getattr(self._stream, "aclose", None)) is not None:
            await aclose()
