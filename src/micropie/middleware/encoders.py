"""The content codings of replies: zstd, brotli and gzip, as far as the interpreter or a package has them.

Each module that compresses has another interface; an `Encoder` is what they have in common.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

# Between speed and size: a page of 100 kB takes 0.1 ms (zstd), 0.6 ms (brotli), 7 ms (gzip).
ZSTD_LEVEL, BROTLI_QUALITY, GZIP_LEVEL = 3, 4, 5
# What a stream may refer back to, a power of two, and the table to find it by: for many streams at once they are small,
# so that each takes 0.3 MB (zstd, gzip) or 0.5 MB (brotli), rather than 1.5.
STREAM_WINDOW, STREAM_TABLE, STREAM_QUALITY = 16, 14, 3
BROTLI_WINDOW = 22  # the package's default
GZIP_WINDOW = 15  # the largest that the format has
GZIP_HEADER = 16  # for zlib, to be added: the format with gzip's header, whose time is 0: equal bodies, equal bytes
MODULES = {
    "zstd": ("compression.zstd", "backports.zstd"),  # Python 3.14's own, and what older ones can install
    "br": ("brotli", "brotlicffi"),
    "gzip": ("zlib",),
}


class Encoder(Protocol):
    """One body on its way through a coding."""

    def chunk(self, data: bytes) -> bytes:
        """A part of a stream, of which the client can read everything as soon as it is there."""
        ...

    def last(self, data: bytes) -> bytes:
        """The end of a stream, or a whole body."""
        ...


class ZstdEncoder:
    """Zstandard (RFC 8878), the fastest; its window is within the 8 MB that clients must have (RFC 9659)."""

    def __init__(self, module: Any, window: int | None) -> None:
        names = module.CompressionParameter
        table = STREAM_TABLE if window else 0  # 0: as the level has it
        sizes = {names.window_log: window or 0, names.hash_log: table, names.chain_log: table}
        self._zstd = module.ZstdCompressor(options={names.compression_level: ZSTD_LEVEL, **sizes})

    def chunk(self, data: bytes) -> bytes:
        """A part of a stream, to the end of a block."""
        return bytes(self._zstd.compress(data, mode=self._zstd.FLUSH_BLOCK))

    def last(self, data: bytes) -> bytes:
        """The end of a stream, or a whole body, to the end of the frame."""
        return bytes(self._zstd.compress(data, mode=self._zstd.FLUSH_FRAME))


class BrotliEncoder:
    """Brotli (RFC 7932), the smallest."""

    def __init__(self, module: Any, window: int | None) -> None:
        quality = STREAM_QUALITY if window else BROTLI_QUALITY
        self._brotli = module.Compressor(quality=quality, lgwin=window or BROTLI_WINDOW)

    def chunk(self, data: bytes) -> bytes:
        """A part of a stream, to the end of a metablock."""
        return bytes(self._brotli.process(data) + self._brotli.flush())

    def last(self, data: bytes) -> bytes:
        """The end of a stream, or a whole body, with the last metablock."""
        return bytes(self._brotli.process(data) + self._brotli.finish())


class GzipEncoder:
    """Gzip (RFC 1952), which every client can read."""

    def __init__(self, module: Any, window: int | None) -> None:
        self._sync_flush = module.Z_SYNC_FLUSH
        bits = GZIP_HEADER + min(window or GZIP_WINDOW, GZIP_WINDOW)
        self._gzip = module.compressobj(GZIP_LEVEL, module.DEFLATED, bits)

    def chunk(self, data: bytes) -> bytes:
        """A part of a stream, to the end of a block."""
        return bytes(self._gzip.compress(data) + self._gzip.flush(self._sync_flush))

    def last(self, data: bytes) -> bytes:
        """The end of a stream, or a whole body, with its check sum."""
        return bytes(self._gzip.compress(data) + self._gzip.flush())


EncoderOf = Callable[[int | None], Encoder]  # by the size of its window, None for that of a whole body
CLASSES: Mapping[str, Callable[..., Encoder]] = {"zstd": ZstdEncoder, "br": BrotliEncoder, "gzip": GzipEncoder}


def encoders(wanted: Sequence[str]) -> Mapping[str, EncoderOf]:
    """How each of the wanted codings is made, in their order; without those that nothing installed can make."""
    for coding in wanted:
        if coding not in CLASSES:
            raise ValueError(f"CompressionMiddleware knows no coding {coding!r}: 'zstd', 'br' and 'gzip' are known")
    found = {coding: first_installed(MODULES[coding]) for coding in wanted}
    return {coding: partial(CLASSES[coding], module) for coding, module in found.items() if module is not None}


def first_installed(names: Sequence[str]) -> Any:
    """The first module that is there; None if none is."""
    return next((import_module(name) for name in names if is_installed(name)), None)


def is_installed(name: str) -> bool:
    """True if a module can be found; false also where the package around it can't."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
