"""CORS: pages of other sites may read what the application answers (the Fetch standard, §3.3 "CORS protocol")."""

import re
from collections.abc import Iterable
from typing import Any

from micropie import HttpMiddleware, ReplyHeaders, Request
from micropie.middleware.origins import checked_origins
from micropie.middleware.reply_headers import HeaderPairs

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
SAFELISTED = ("Accept", "Accept-Language", "Content-Language", "Content-Type")  # §2.2.2; the last for JSON
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
VARY_ORIGIN = ("Vary", "Origin")
VARY_PREFLIGHT = ("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")


class CORSMiddleware(HttpMiddleware):
    """Let scripts of other sites read the replies, errors included, and answer the preflights that browsers send first.

    `allow_origins` are the sites, or `"*"` for all; `allow_origin_regex` has to match the whole origin. `allow_methods`
    are those that a preflight grants. `allow_headers` are request headers beyond those that any form can send, or
    `"*"`; `expose_headers` what scripts may read. With `allow_credentials` requests have the visitor's cookies: then
    every list names what is in it. `max_age` is how many seconds a browser may remember a preflight.
    `allow_private_network` lets public sites ask an application in a private network. ValueError for what no browser
    would accept.

        app.middlewares.append(CORSMiddleware(["https://friend.example"]))
    """

    def __init__(
        self,
        allow_origins: Iterable[str] = (),
        *,
        allow_origin_regex: str | None = None,
        allow_methods: Iterable[str] = METHODS,
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int = 600,
        allow_private_network: bool = False,
    ) -> None:
        origins, methods = _names(allow_origins), _names(allow_methods)
        headers, exposed = _names(allow_headers), _names(expose_headers)
        for setting, names in (("allow_origins", origins), ("allow_methods", methods), ("expose_headers", exposed)):
            if allow_credentials and "*" in names:
                raise ValueError(f"CORSMiddleware({setting}='*', allow_credentials=True): name them, * means none then")
        if not origins and allow_origin_regex is None:
            raise ValueError("CORSMiddleware(): name the sites, as CORSMiddleware(['https://friend.example'])")
        self._for_all = "*" in origins
        self._origins = checked_origins([one for one in origins if one != "*"], "CORSMiddleware(allow_origins)")
        self._regex = None if allow_origin_regex is None else re.compile(allow_origin_regex)
        self._allows_any_header = "*" in headers
        self._allow_headers = ", ".join(dict.fromkeys((*SAFELISTED, *(name for name in headers if name != "*"))))
        self._allows_private_network = allow_private_network
        self._shared: HeaderPairs = [("Access-Control-Allow-Credentials", "true")] if allow_credentials else []
        if exposed:
            self._shared.append(("Access-Control-Expose-Headers", ", ".join(exposed)))
        self._for_strangers = ReplyHeaders([VARY_ORIGIN], unless=ALLOW_ORIGIN)
        self._for_everybody = ReplyHeaders([(ALLOW_ORIGIN, "*"), *self._shared], unless=ALLOW_ORIGIN)
        self._for_friends = {origin: self._for_friend(origin) for origin in self._origins}
        self._of_preflights: HeaderPairs = [
            ("Access-Control-Allow-Methods", ", ".join(method.upper() for method in methods)),
            ("Access-Control-Max-Age", str(max_age)),
        ]

    def before_routing(self, request: Request) -> Any:
        """Answer a preflight, for any path, in front of everything that asks who the client is: it has no cookies."""
        if request.method != "OPTIONS" or request.header("access-control-request-method") is None:
            return None
        if (origin := request.header("origin")) is None:
            return None
        granted = [*self._of_preflights, *self._granted(request)] if self._allows(origin) else []
        return {"status_code": 204, "body": None, "headers": [VARY_PREFLIGHT, *granted]}

    def _granted(self, request: Request) -> HeaderPairs:
        """What of a preflight depends on what it asks for."""
        wanted = request.header("access-control-request-headers") if self._allows_any_header else None
        headers = [("Access-Control-Allow-Headers", wanted or self._allow_headers)]
        if self._allows_private_network and request.header("access-control-request-private-network") == "true":
            headers.append(("Access-Control-Allow-Private-Network", "true"))
        return headers

    def reply_headers(self, request: Request) -> ReplyHeaders:
        """Say that the asking site may read the reply, unless the reply has its own say on that."""
        if self._for_all:
            return self._for_everybody
        # Without an origin too: a cache must not give this reply to those who ask with one (§3.3.5).
        origin = request.header("origin")
        if origin is None:
            return self._for_strangers
        if origin in self._for_friends:
            return self._for_friends[origin]
        return self._for_friend(origin) if self._allows(origin) else self._for_strangers

    def _for_friend(self, origin: str) -> ReplyHeaders:
        return ReplyHeaders([VARY_ORIGIN, (ALLOW_ORIGIN, origin), *self._shared], unless=ALLOW_ORIGIN)

    def _allows(self, origin: str) -> bool:
        if self._for_all or origin in self._origins:
            return True
        # What is not printable no browser sends, and no reply could repeat.
        return self._regex is not None and origin.isprintable() and self._regex.fullmatch(origin) is not None


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """The names of a setting; one alone may stand by itself."""
    return (given,) if isinstance(given, str) else tuple(given)
