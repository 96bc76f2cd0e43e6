"""The charsets in which clients may send text: those of the web, each by the names that it goes by there."""

import codecs
import re

from micropie.core.basics.errors import HTTPError

# Not all that Python decodes: some of it is no charset, some takes quadratic time, and unknown names are kept for ever.
_NAMES = re.compile(
    r"(us-)?ascii|utf-?8|utf-16(le|be)?|utf-32(le|be)?"
    r"|iso[-_]?8859[-_][0-9]{1,2}|latin-?1|latin[0-9]{1,2}|windows-(874|125[0-8])|cp(437|85[0-9]|866|874|932|949|950|125[0-8])"
    r"|koi8-[rtu]|tis-620|macintosh|gb(k|2312|18030)|big5(-hkscs)?|euc-(jp|kr)|shift[-_]jis|iso-2022-(jp|kr)",
    re.IGNORECASE,
)


def decoded(raw: bytes, charset: str | None) -> str:
    """The text, what can't be decoded replaced. `HTTPError` 400 for a charset that is not known."""
    return raw.decode(codec_of(charset), "replace")


def codec_of(charset: str | None) -> str:
    """What Python calls the charset; UTF-8 if it is None. `HTTPError` 400 if it is not known."""
    if charset is None or charset.lower() == "utf-8":
        return "utf-8"
    try:
        if _NAMES.fullmatch(charset):
            return codecs.lookup(charset.lower().replace("windows-", "cp")).name
    except LookupError:  # ISO-8859-12
        pass
    raise HTTPError(400, "Unknown charset")
