"""The explorer: a page that shows an application's handlers and calls them, and the document that it reads.

The page is the plain files in the folder `page`. It loads nothing from elsewhere, and its policy lets it talk to its
own site only.
"""

import re
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from micropie import App, HTTPError, Request, Route, methods
from micropie.openapi.document import openapi
from micropie.openapi.marks import unlisted
from micropie.openapi.settings import Documentation, Settings, documentation

DOCUMENT = "openapi.json"

PAGE = "index.html"
PLACE = re.compile(r"{{(\w+)}}")
SCRIPTS = ("explorer.js", "handler.js", "form.js", "call.js", "reply.js", "socket.js", "schema.js", "dom.js")
TYPES = {"style.css": "text/css; charset=utf-8", **dict.fromkeys(SCRIPTS, "text/javascript; charset=utf-8")}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache")]


class Docs(Documentation):
    """The documentation of an application: in its class body `docs = Docs()` serves `/docs` and `/openapi.json`.

    `title`, `version`, `description` and `select` are those of `openapi`, which takes them from here. A subclass with a
    `_before` guards both, and both are gone where a subclass of the application says `docs = None`. TypeError in the
    body of what is no `App`, and for a second one (RuntimeError from it on Python 3.11).

        class Site(App):
            docs = Docs(title="Todo", version="2.1")
    """

    def __init__(
        self,
        *,
        title: str | None = None,
        version: str | None = None,
        description: str | None = None,
        select: Callable[[Route], bool] | None = None,
    ) -> None:
        self.settings = Settings(title, version, description, select)
        self._documents: WeakKeyDictionary[App, dict[str, Any]] = WeakKeyDictionary()

    def __set_name__(self, owner: type, name: str) -> None:
        """Raise TypeError where no application is, or where one has its documentation already."""
        if not issubclass(owner, App):
            raise TypeError(f"{owner.__name__}.{name}: {type(self).__name__}() belongs in the body of an App")
        if next(iter(documentation(owner)), name) != name:
            raise TypeError(f"{owner.__name__}.{name}: there is a {type(self).__name__}() already, and one {DOCUMENT}")

    @unlisted
    @methods("GET")
    async def index(self, file: str = PAGE) -> tuple[int, str, list[tuple[str, str]]]:
        """The page, or one of its files."""
        if file == PAGE:
            headers = [("Content-Security-Policy", POLICY), *HEADERS]
            return 200, filled(read(PAGE), self.request, self.settings.title or "API"), headers
        if file not in TYPES:
            raise HTTPError(404)
        return 200, read(file), [("Content-Type", TYPES[file]), *HEADERS]

    def _beside(self, owner: Any) -> dict[str, Callable[[], Any]]:
        """The document, beside the page: a handler without parameters."""

        @unlisted
        @methods("GET")
        async def document() -> Any:
            """The OpenAPI document."""
            root_path = self.request.scope.get("root_path", "")
            servers = {"servers": [{"url": root_path}]} if root_path else {}
            return 200, {**self._document(owner), **servers}, HEADERS

        return {DOCUMENT: document}

    def _document(self, app: App) -> dict[str, Any]:
        """The application's document, made when it is asked for first."""
        if app not in self._documents:
            self._documents[app] = openapi(app)
        return self._documents[app]


@cache
def read(name: str) -> str:
    """A file of the page."""
    return files("micropie.openapi").joinpath("page", name).read_text("utf-8")


def filled(page: str, request: Request, title: str) -> str:
    """The page with its title, and with the ways to its files and to the application as it was reached, relative.

    So no proxy needs to say under which prefix it serves.
    """
    path, root_path = request.scope["path"], request.scope.get("root_path", "")
    inside = path.removeprefix(root_path) if path.startswith(f"{root_path}/") else path
    last = path.rpartition("/")[2]
    values = {
        "title": escape(title),
        "here": f"{quote(last)}/" if last else "./",
        "root": "../" * (inside.count("/") - 1) or "./",
    }
    return PLACE.sub(lambda place: values[place[1]], page)
