"""The charsets in which clients may send text: those of the web, each by the names that it goes by there."""

import codecs
import functools

from micropie.core.basics.errors import HTTPError
from micropie.core.basics.optional import lazy_pattern

# Not all that Python decodes: some of it is no charset, some takes quadratic time, and unknown names are kept for ever.
_NAMES = (
    r"(?i)(us-)?ascii|utf-?8|utf-16(le|be)?|utf-32(le|be)?"
    r"|iso[-_]?8859[-_][0-9]{1,2}|latin-?1|latin[0-9]{1,2}|windows-(874|125[0-8])|cp(437|85[0-9]|866|874|932|949|950|125[0-8])"
    r"|koi8-[rtu]|tis-620|macintosh|gb(k|2312|18030)|big5(-hkscs)?|euc-(jp|kr)|shift[-_]jis|iso-2022-(jp|kr)"
)
_SINGLE_BYTE = r"iso8859-[0-9]+|cp(?!932|949|950)[0-9]+|koi8-.|tis-620|mac-roman"
_ENDIAN_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
TEXT_PIECE = 1 << 16  # bytes that are decoded at once: milliseconds


def codec_of(charset: str | None) -> str:
    """Python's name of the charset; UTF-8 if it is None. `HTTPError` 400 if it is not known."""
    if charset is None or charset.lower() == "utf-8":
        return "utf-8"
    try:
        if lazy_pattern(_NAMES).fullmatch(charset):
            return codecs.lookup(charset.lower().replace("windows-", "cp")).name
    except LookupError:  # ISO-8859-12
        pass
    raise HTTPError(400, "Unknown charset")


def decoded(raw: bytes, codec: str) -> str:
    """The text in a codec of `codec_of`, what is wrong in it replaced; a long one in pieces, so that others run."""
    # PERF: an error takes 0.1 µs, a table that has none nothing; the usual codec is not looked up, 0.2 µs.
    if codec != "utf-8" and lazy_pattern(_SINGLE_BYTE).fullmatch(codec):
        return codecs.charmap_decode(raw, "strict", _table(codec))[0]
    if codec in _ENDIAN_MARKS and not raw.startswith(_ENDIAN_MARKS[codec]):
        codec += "-le"  # as browsers have it; a decoder of pieces refuses what has no mark
    if len(raw) <= TEXT_PIECE:
        return raw.decode(codec, "replace")
    decoder = codecs.getincrementaldecoder(codec)("replace")
    pieces = [raw[at : at + TEXT_PIECE] for at in range(0, len(raw), TEXT_PIECE)]
    try:
        return "".join(map(decoder.decode, pieces)) + decoder.decode(b"", final=True)
    except UnicodeError:  # ISO-2022: escape sequences without an end have filled its buffer
        return "".join(piece.decode(codec, "replace") for piece in pieces)


@functools.cache
def _table(codec: str) -> str:
    return bytes(range(256)).decode(codec, "replace")
