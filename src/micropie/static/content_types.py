"""The media type of a file, by its name: the same on every machine, whatever its own table says."""

import mimetypes
from collections.abc import Mapping

_TYPES = {
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".flac": "audio/flac",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".rss": "application/rss+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
# A compressed file that is asked for by its own name is that, not its content.
_COMPRESSED = {
    "br": "application/octet-stream",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
_KNOWN = mimetypes.MimeTypes()  # Python's own table


def content_type_of(name: str, own: Mapping[str, str] | None = None) -> str:
    """The media type by the last extension of the name, with the charset of text; `own` types come first."""
    stem, dot, extension = name.rpartition(".")
    suffix = f".{extension.lower()}" if dot and stem else ""
    if own is not None and suffix in own:
        return own[suffix]
    if suffix == ".zst":
        return "application/zstd"
    found = _TYPES.get(suffix)
    if found is None:
        found, encoding = _KNOWN.guess_type(f"file{suffix}")
        found = _COMPRESSED.get(encoding, "application/octet-stream") if encoding else found
    if found is None:
        return "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found
