"""Colours for a terminal, and for nothing else (https://no-color.org)."""

import os
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Colours:
    """Colours text if the stream that it is for is a terminal that wants it.

    colours = Colours(sys.stderr)
    sys.stderr.write(colours("wrong", "red"))
    """

    def __init__(self, stream: TextIO) -> None:
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._on = wanted and stream.isatty()

    def __call__(self, text: str, colour: str) -> str:
        """The text in a colour, `""` for none."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._on and colour else text
