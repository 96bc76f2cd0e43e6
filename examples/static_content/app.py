"""Files in three ways: by our own `StaticFiles`, by Starlette's, and by ServeStatic around the whole application.

One of them will do. Ours needs no package, and its URLs change with the files; the others are for who has them already.
"""

from pathlib import Path

from servestatic import ServeStaticASGI
from starlette.staticfiles import StaticFiles as StarletteFiles

from micropie import App, HTTPError, Mount, methods, url_for
from micropie.static import FileReply, StaticFiles

HERE = Path(__file__).parent
PUBLIC = HERE / "public"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Files</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{style}">
<h1>Files</h1>
<p><img src="{icon}" alt="A pie" width="96" height="96"></p>
<ul>
  <li><a href="{style}">ours</a>: kept for a year, since its URL has a hash of what is in it
  <li><a href="/starlette/style.css">Starlette's</a>, as a mounted application
  <li><a href="/servestatic/style.css">ServeStatic's</a>, in front of the application
  <li><a href="/report/2030?key=let-me-in">a report</a>, which a handler sends to who may have it
</ul>
<p id="script">No script</p>
<script src="{script}"></script>
</html>
"""


class Site(App):
    """``/static`` is ours, ``/starlette`` Starlette's; ``/report`` sends one file."""

    static = StaticFiles(PUBLIC)
    # A mounted application has a name in the tree, and runs behind the application's hooks and guards.
    starlette = Mount(StarletteFiles(directory=PUBLIC))

    async def index(self):
        files = {"icon": "pie.svg", "style": "style.css", "script": "script.js"}
        return PAGE.format(**{name: url_for(self.static, file) for name, file in files.items()})

    @methods("GET")
    def report(self, year: int):
        """Send a file that not everybody may have. `directory` keeps whatever a client names inside of it.

        A plain `def` runs in a worker thread, where looking at a disk holds up nobody.
        """
        if self.request.query("key") != "let-me-in":
            raise HTTPError(403, "Ask for ?key=let-me-in")
        return FileReply(f"{year}.txt", directory=HERE / "reports", download=True, filename=f"Report {year}.txt")


# ServeStatic looks at each request first, and hands on what is none of its files. It looks for them once, at the start.
site = Site(surplus_path_status=404)  # it has a name of its own for `micropie routes app:site`
app = ServeStaticASGI(site, root=PUBLIC, prefix="servestatic")
