"""The showcase: a site about the framework, made with it. Each page shows the handlers that make it."""

import os
import time
from functools import cache
from typing import Literal

import store
from micropie import App, HTTPError, HttpMiddleware, configuration, methods, safe_redirect
from micropie.health import Health
from micropie.middleware import (
    CompressionMiddleware,
    CSRFMiddleware,
    ETagMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    client_address,
)
from micropie.openapi import Docs
from micropie.static import StaticFiles
from pages.figures import Figures, measured
from pages.forms import Forms
from pages.guards import Guards
from pages.live import Live
from pages.page import Page
from pages.sessions import Sessions
from pages.streams import Streams
from pages.typed import Api, Typed
from pages.uploads import Uploads
from settings import DATA, HERE, REDIS_URL, WORKERS, channels
from source import source_of

POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}'; font-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'"
)


def is_for_programs(route):
    """Say whether a route is part of the API, which is documented."""
    return route.path.startswith("/api/")


class Showcase(App):
    """This site: its attributes are branches, its methods pages."""

    live = Live()
    typed = Typed()
    uploads = Uploads()
    sessions = Sessions()
    forms = Forms()
    guards = Guards()
    streams = Streams()
    figures = Figures()

    api = Api()
    docs = Docs(
        title="The pie shop",
        description="Bake pies, and eat them.",
        select=is_for_programs,
    )
    static = StaticFiles(HERE / "static", immutable=r"\.woff2$")
    health = Health()
    channels = channels

    async def index(self):
        """Show the front page."""
        return await self._render_template("home.html", facts=facts())

    @methods("POST")
    async def theme(self, theme: Literal["auto", "light", "dark"], back: str = "/"):
        """Remember light or dark, in the session."""
        self.request.session["theme"] = theme
        return safe_redirect(back, status=303)

    def _template_context(self):
        pages = [one for one in vars(Showcase).values() if isinstance(one, Page)]
        return {
            "site": self,
            "pages": pages,
            "theme": self.request.session.get("theme", "auto"),
            "worker": os.getpid(),
            "workers": WORKERS,
        }

    async def _on_error(self, error):
        """Show browsers a page; programs get problem details, as ever."""
        wants_page = "text/html" in self.request.headers.get("accept", "")
        if wants_page and isinstance(error, HTTPError):
            page = await self._render_template("error.html", error=error)
            return error.status, page, {"Vary": "Accept"}
        return None


class Timing(HttpMiddleware):
    """Tells how long a reply took, and which worker made it."""

    def before_routing(self, request):
        request.state.began = time.perf_counter()

    def after_request(self, request, status_code, response_body, extra_headers):
        took = (time.perf_counter() - request.state.began) * 1000
        extra_headers.append(("Server-Timing", f'app;dur={took:.2f}, worker;desc="{os.getpid()}"'))


def who_unlocks(request):
    """Whose attempts are counted: those at the kitchen's door."""
    return client_address(request) if request.scope["endpoint"] == app.guards.unlock else None


@cache
def facts():
    """What the front page boasts of: measured figures, and the length of this site."""
    added = measured("inprocess")["results"]["json"]
    began = measured("startup")["results"]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in HERE.rglob("*.py"))
    return {"added": added, "began": began, "lines": lines}


app = Showcase(f"sqlite:///{DATA / 'sessions.db'}", templates=HERE / "templates", surplus_path_status=404)
app.startup_handlers.append(store.create)
app.middlewares += [
    Timing(),
    CSRFMiddleware(),
    SecurityHeadersMiddleware(csp=POLICY),
    ETagMiddleware(),
    CompressionMiddleware(),
    RateLimitMiddleware("30/minute", key=who_unlocks, name="unlock", store=REDIS_URL),
]
configuration(app).templates.filters["source"] = source_of
