"""CSRF: requests that another site's page makes a visitor's browser send, with the visitor's cookies.

Browsers tell where a request comes from, in headers that no page can set: `Sec-Fetch-Site` (all since 2023, over https
and to this machine), else `Origin`, else `Referer`. So forms need no token, and nothing but headers is looked at. The
reasoning is that of Go's `net/http.CrossOriginProtection` (1.25), and of OWASP's cheat sheet on the subject.
"""

import logging
from collections.abc import Iterable

from micropie import HTTPError, HttpMiddleware, Request, WebSocketMiddleware, WebSocketRequest
from micropie.middleware.origins import checked_origins, is_same_host

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")  # RFC 9110 §9.2.1, without TRACE
OWN_SITE = ("same-origin", "none")  # `none`: the visitor's own doing, a bookmark say (Fetch Metadata §2.3)
MAX_SHOWN = 200  # characters of a client's text in the log
log = logging.getLogger("micropie")


class CSRFMiddleware(HttpMiddleware, WebSocketMiddleware):
    """Refuse requests that change something, and WebSockets, if another site's page makes a browser send them: 403.

    `trusted_origins` are sites whose pages may. `exempt` are paths that anybody's browser may ask for, as a payment
    provider's call-back: whole ones, or beginnings that end in `/*`; below the application's `root_path`.

        app.middlewares.append(CSRFMiddleware())
    """

    def __init__(self, trusted_origins: Iterable[str] = (), *, exempt: Iterable[str] = ()) -> None:
        self._trusted = checked_origins(trusted_origins, "CSRFMiddleware(trusted_origins)")
        paths = [exempt] if isinstance(exempt, str) else [*exempt]
        if wrong := [path for path in paths if not path.startswith("/")]:
            raise ValueError(f"CSRFMiddleware(exempt={wrong!r}): a path begins with /")
        self._paths = frozenset(path for path in paths if not path.endswith("/*"))
        self._beginnings = tuple(path[:-1] for path in paths if path.endswith("/*"))

    def before_routing(self, request: Request) -> None:
        """Refuse the request, before anything of its body is taken."""
        if request.method in SAFE_METHODS and not isinstance(request, WebSocketRequest):
            return
        if self._is_own(request) or self._is_exempt(request):
            return
        log.warning(
            "%s %r from %r is refused, since another site's page sends it: if that site is yours, name it in "
            "CSRFMiddleware([...])",
            request.method if not isinstance(request, WebSocketRequest) else "WEBSOCKET",
            request.scope["path"][:MAX_SHOWN],
            (request.header("origin") or request.header("referer") or "unknown")[:MAX_SHOWN],
        )
        raise HTTPError(403, "Cross-site request refused")

    def _is_own(self, request: Request) -> bool:
        """True for a request of the site's own pages, or of a program that is no browser."""
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        if site in OWN_SITE or origin in self._trusted:
            return True
        if site is not None:
            return False
        # A program without cookies of its own accord is nobody's accomplice: no browser leaves out all three.
        told = origin or request.header("referer")
        return told is None or is_same_host(told, request.header("host", ""))

    def _is_exempt(self, request: Request) -> bool:
        scope = request.scope
        path = scope["path"].removeprefix(scope.get("root_path") or "")
        # What reads in two ways (`%2F`, `//`, `..`) might lead to another handler than to the exempt one.
        if b"%" in (scope.get("raw_path") or b"") or "//" in path or "/." in path:
            return False
        return path in self._paths or path.startswith(self._beginnings)
