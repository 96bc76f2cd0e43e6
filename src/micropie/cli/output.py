"""Output of commands: text that a terminal shows as it stands, lines, and JSON."""

import io
import json
import sys
from collections.abc import Iterable
from typing import Any

from micropie.cli.colours import Colours

_MAX_TEXT = 1000  # characters of an exception's text, which is part of a line


def print_lines(lines: Iterable[str]) -> None:
    """Write lines on stdout. Characters that it can't encode are escaped."""
    _escape_what_it_cannot_encode()
    for line in lines:
        sys.stdout.write(f"{line}\n")


def print_json(value: Any) -> None:
    """Write JSON on stdout, in ASCII where it is not UTF-8."""
    is_utf8 = (sys.stdout.encoding or "utf-8").replace("-", "").lower() == "utf8"
    print_lines([json.dumps(value, indent=2, ensure_ascii=not is_utf8)])


def _escape_what_it_cannot_encode() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does


def tell(message: str) -> None:
    """Write one line on stderr."""
    sys.stderr.write(f"{Colours(sys.stderr)('micropie:', 'red')} {printable(message)}\n")


def printable(text: str) -> str:
    """The text in one line, with what would command a terminal written out: names may have any character."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def text_of(value: object) -> str:
    """The text of an object of the user's, in one line of a fair length; its type's name if it has no text."""
    try:
        text = str(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return " ".join(text[:_MAX_TEXT].split())
