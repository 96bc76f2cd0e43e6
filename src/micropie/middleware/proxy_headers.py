"""Who the client is, where a proxy stands between: by the same rules on every server."""

from collections.abc import Iterable

from micropie import HttpMiddleware, Request, TrustedProxies, WebSocketMiddleware


class ProxyHeadersMiddleware(HttpMiddleware, WebSocketMiddleware):
    """Put into `request.scope` the client, scheme and host that known proxies tell.

    `proxies` are their addresses and networks, those on this machine if none are named. `count` is how many of them
    stand in front of the application: where their addresses are not known, it is enough. Put it first in the list.
    `host` believes `X-Forwarded-Host`, and `forwarded` reads `Forwarded` (RFC 7239) in place of `X-Forwarded-For`,
    `-Proto` and `-Host`: each only if the proxy overwrites it, since it passes on what clients send.

        app.middlewares.insert(0, ProxyHeadersMiddleware(["10.0.0.0/8"]))
    """

    def __init__(
        self,
        proxies: str | Iterable[str] | None = None,
        *,
        count: int | None = None,
        host: bool = False,
        forwarded: bool = False,
    ) -> None:
        if proxies is not None:
            self._proxies = TrustedProxies(proxies, count=count, host=host, standard=forwarded)
        elif count is not None:
            self._proxies = TrustedProxies("*", count=count, host=host, standard=forwarded)
        else:
            self._proxies = TrustedProxies(host=host, standard=forwarded)

    def before_routing(self, request: Request) -> None:
        """Reveal the client."""
        self._proxies.reveal(request)
