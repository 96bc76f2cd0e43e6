"""An application behind a proxy: who the client is, and the prefix under which the proxy serves.

Both servers have options for it, with two meanings; so it is done here, in one way for both.
"""

from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import ASGIApp, Receive, Scope, Send
from micropie.core.requests.proxies import TrustedProxies


class BehindProxy:
    """An ASGI application whose scopes say who the client of a trusted proxy is, and under which prefix it is served.

    The prefix is part of `path`, as the ASGI specification has it, whether or not the proxy has left it there.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies, root_path: str = "") -> None:
        self._app = app
        self._trusted = trusted
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        if scope["type"] != "lifespan":
            self._trusted.reveal_scope(scope)
            if self._root_path:
                set_root_path(scope, self._root_path)
        await self._app(scope, receive, send)


def set_root_path(scope: Scope, root_path: str) -> None:
    """Set the prefix of a scope, and put it before the path if the proxy has taken it off."""
    scope["root_path"] = root_path
    if f"{scope['path']}/".startswith(f"{root_path}/"):
        return
    scope["path"] = root_path + scope["path"]
    if scope.get("raw_path") is not None:
        scope["raw_path"] = lazy_import("urllib.parse").quote(root_path).encode() + scope["raw_path"]
