"""Films that browsers can wind forward: by ranges from files, by links that expire, and what a plain stream lacks."""

import os
import secrets
from html import escape
from pathlib import Path

from micropie import App, HTTPError, url_for
from micropie.auth import Signer
from micropie.static import FileReply

FILMS = Path(__file__).parent / "films"
PIECE = 64 * 1024
# Without a secret of its own a restart makes all links invalid.
links = Signer(os.environ.get("SECRET") or secrets.token_hex(32), purpose="film")
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Films</title>
<link rel="icon" href="data:,">
<style>
  :root {{ color-scheme: light dark; font: 1.05rem/1.6 system-ui, sans-serif; }}
  body {{ margin: 2rem auto; max-width: 40rem; padding: 0 1rem; }}
  video {{ width: 100%; border-radius: .6rem; background: #222; }}
</style>
<h1>Films</h1>
{films}
</html>
"""
FILM = """
<h2>{name}</h2>
<video controls muted preload="metadata" src="{film}"></video>
<p><a href="{link}">Share it for an hour</a>
"""


class Films(App):
    """``/film/<name>`` is a film, ``/share/<name>`` a link to it, ``/stream/<name>`` the film without ranges."""

    def index(self):
        names = sorted(path.stem for path in FILMS.glob("*.webm"))
        shown = [
            FILM.format(name=escape(name), film=url_for(self.film, name), link=url_for(self.share, name))
            for name in names
        ]
        return PAGE.format(films="\n".join(shown))

    def film(self, name):
        """Send what the player asks for: the beginning, the index at the end, what is around the place it goes to.

        `FileReply` answers `Range`, `If-Range` and the conditions; `directory` keeps every name inside of the folder.
        """
        return FileReply(f"{name}.webm", directory=FILMS, headers={"Cache-Control": "private, max-age=3600"})

    def share(self, name):
        """Make a link for somebody who can't log in. A `<video>` sends no header of ours, but it has a URL."""
        return self._redirect(url_for(self.shared, links.sign(name, max_age=3600)))

    def shared(self, token):
        # 400 if nobody has signed it, or its hour is over. The player comes back with it for each range.
        return FileReply(f"{links.unsign(token)}.webm", directory=FILMS, headers={"Cache-Control": "private"})

    async def stream(self, name):
        """Send what comes piece by piece from somewhere else. A browser plays it, but can't wind: it has no ranges."""
        path = FILMS / f"{name}.webm"
        if name not in {film.stem for film in FILMS.glob("*.webm")}:
            raise HTTPError(404)
        return 200, pieces(path), [("Content-Type", "video/webm"), ("Accept-Ranges", "none")]


def pieces(path):
    """A plain generator runs in a thread, so reading holds up nobody; it is closed when the player has enough."""
    with path.open("rb") as film:
        while piece := film.read(PIECE):
            yield piece


app = Films(surplus_path_status=404)
