"""Messages for a visitor's next page, such as "Saved" behind a redirect: they are shown once.

Each is an item of the session of its own, so that parallel requests lose none of each other's.
"""

import time
from typing import NamedTuple

from micropie.core.basics.optional import lazy_import
from micropie.core.requests.request import Request, current_request

FLASH = "_flash."  # how the names of those items begin
MAX_FLASHES = 20  # that wait for a page; of a client that never shows any the oldest go


class Flash(NamedTuple):
    """A message: its `text`, which is also what `str` makes of it, and its `category`.

    for message in flashes():
        print(message.category, message)
    """

    text: str
    category: str

    def __str__(self) -> str:
        return self.text


def flash(request: Request, text: str, category: str = "info") -> None:
    """Leave a message for the visitor's next page, which shows it by `flashes()`, and may do so by its `category`.

    async def save(self, text):
        ...
        flash(self.request, "Saved")
        return self._redirect("/", status=303)
    """
    session = request.session
    waiting = sorted(name for name in session if name.startswith(FLASH))
    for name in waiting[: max(0, len(waiting) + 1 - MAX_FLASHES)]:
        del session[name]
    session[f"{FLASH}{time.time_ns():016x}.{lazy_import('secrets').token_hex(4)}"] = [str(text), category]


def flashes(request: Request | None = None) -> list[Flash]:
    """The messages for this page, in the order in which they were left; they are shown once.

    Templates have it as a function: `{% for message in flashes() %}<p class="{{ message.category }}">{{ message }}</p>
    {% endfor %}`. Without a `request` that is the one that is being served.

        async def index(self):
            return "".join(f"<p>{escape(str(message))}</p>" for message in flashes())
    """
    session = (request or current_request.get()).session
    return [Flash(*session.pop(name)) for name in sorted(name for name in session if name.startswith(FLASH))]
