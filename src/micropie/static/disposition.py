"""Content-Disposition: the name under which a file is saved (RFC 6266, RFC 8187)."""

import re
from urllib.parse import quote

_NOT_FOR_QUOTES = re.compile(r"[^ !#$&-\[\]-~]")  # nor `%`, which some clients decode (RFC 6266 appendix D)
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 §3.2.1, beside letters and digits


def content_disposition(filename: str, *, download: bool) -> str:
    """The field's value: `attachment` if it is to be saved, else `inline`.

    A name that is not ASCII is given twice, for clients that know only the older form.
    """
    kind = "attachment" if download else "inline"
    name = _NO_NAME.sub("_", filename)
    plain = _NOT_FOR_QUOTES.sub("_", name)
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR, errors='replace')}"
    return value
