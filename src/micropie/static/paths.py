"""The way from the segments of a URL to a file that is really below a folder.

What is refused is the same on every system, so that an application does not change its meaning when it moves.
"""

import os
import re
from collections.abc import Iterable

# Separators, drive letters and alternate streams of Windows, and what no file name should contain.
_REFUSED = re.compile(r"[\x00-\x1f\x7f/\\:]|[. ]\Z")
# Devices of Windows in every folder, whatever the extension.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\.|\Z)", re.IGNORECASE)
# The second, short name that Windows gives to files: `GIT~1` is `.git`.
_SHORT_NAME = re.compile(r"[^.~]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?\Z")


def is_plain(name: str, *, dotfiles: bool = False) -> bool:
    """True if this can only be the name of a file or a folder, on any system; hidden ones are so if `dotfiles` says."""
    if not name or (name.startswith(".") and not dotfiles):
        return False
    return not (_REFUSED.search(name) or _DEVICE.match(name) or _SHORT_NAME.match(name))


def path_below(directory: str, segments: Iterable[str], *, dotfiles: bool) -> str | None:
    """The path of a file, by the segments of a URL; None if one of them is more than a plain name."""
    names = list(segments)
    if not all(is_plain(name, dotfiles=dotfiles) for name in names):
        return None
    return os.path.join(directory, *names)  # noqa: PTH118 - a text, as all below


def real_path_below(directory: str, path: str) -> str | None:
    """The path without symbolic links; None if they lead out of the folder, or in a circle."""
    try:
        root, real = os.path.realpath(directory), os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return None
    return real if real.startswith(os.path.join(root, "")) else None  # noqa: PTH118
