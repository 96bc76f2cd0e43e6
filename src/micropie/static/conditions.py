"""The conditions of a request for a file, in the order of RFC 9110 §13.2.2."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_tz
from functools import lru_cache

from micropie.static.stored_file import StoredFile

CONDITIONS = frozenset(("if-match", "if-unmodified-since", "if-none-match", "if-modified-since"))
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"\x00-\x20\x7f]*"')  # §8.8.3
_LONGEST_DATE = 40


def failed_condition(headers: Mapping[str, str], file: StoredFile) -> int | None:
    """The status of the reply if the request is not to be carried out: 412, or 304; else None."""
    if (wanted := headers.get("if-match")) is not None:
        if not _is_in_list(wanted, file.etag, strongly=True):
            return 412
    elif (since := http_date(headers.get("if-unmodified-since"))) is not None and file.modified > since:
        return 412
    if (known := headers.get("if-none-match")) is not None:
        return 304 if _is_in_list(known, file.etag, strongly=False) else None
    since = http_date(headers.get("if-modified-since"))
    return 304 if since is not None and file.modified <= since else None


def is_same_for_range(condition: str | None, file: StoredFile, now: float) -> bool:
    """True if If-Range (§13.1.5) lets a part of the file be sent: it needs a strong validator."""
    if condition is None:
        return True
    condition = condition.strip()
    if condition.endswith('"'):
        return condition == file.etag and not condition.startswith("W/")
    # A date is strong if the file could not have changed twice in its second (§8.8.2.2).
    return condition == file.last_modified and now - file.modified >= 1


def _is_in_list(field: str, etag: str, *, strongly: bool) -> bool:
    if field.strip() == "*":
        return True
    tags = _ENTITY_TAG.findall(field)
    if strongly:
        return etag in tags and not etag.startswith("W/")
    return etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}


def http_date(field: str | None) -> float | None:
    """A date of any of the three forms (§5.6.7) in seconds of the epoch; None for what is none."""
    return None if field is None or len(field) > _LONGEST_DATE else _parsed_date(field)


@lru_cache(256)
def _parsed_date(field: str) -> float | None:
    try:
        parsed = parsedate_tz(field)
        return None if parsed is None else datetime(*parsed[:6], tzinfo=UTC).timestamp()
    except (ValueError, IndexError, OverflowError):  # the 99th of November, or worse
        return None
