"""A small site as it goes into production: settings from the environment, health, guards, a stop that cuts nobody off.

The same file runs on a laptop, in a container and under systemd; `compose.yaml` and `shop.service` say what differs.
"""

import os

from micropie import App, ServerSentEvent
from micropie.channels import Channels
from micropie.health import Health
from micropie.middleware import (
    AccessLogMiddleware,
    CSRFMiddleware,
    RateLimitMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
)

# What several workers share: a Redis, or on one machine a file for the sessions. Without either it is one process.
SESSIONS = os.environ.get("SESSIONS", "memory:")
REDIS = os.environ.get("REDIS_URL", "memory:")
HOSTS = os.environ.get("HOSTS", "localhost 127.0.0.1").split()


class Shop(App):
    """``/`` counts your visits, ``/orders`` tells of new ones; ``/health`` is for who looks after it."""

    health = Health()  # with the checks of the session backend and of the channels
    channels = Channels(REDIS)

    async def index(self):
        session = self.request.session
        session["visits"] = session.get("visits", 0) + 1
        await self.channels.publish("visits", {"visit": session["visits"]})
        return {
            "visits": session["visits"],
            "worker": os.getpid(),
            "client": self.request.scope["client"][0],  # the visitor's, if the proxy is one of those that are trusted
            "scheme": self.request.scope["scheme"],
        }

    async def visits(self):
        """Stream visits. At a stop the stream ends as a whole reply; browsers come back by themselves."""
        yield ServerSentEvent("hello", event="hello")  # so that a proxy has something to pass on
        async with self.channels.subscribe("visits") as messages:
            async for message in messages:
                yield message.event


app = Shop(SESSIONS, surplus_path_status=404, max_upload_size=10 * 1024**2)
app.middlewares += [
    AccessLogMiddleware(),
    TrustedHostMiddleware(HOSTS),
    RateLimitMiddleware("50/second", store=REDIS),
    CSRFMiddleware(),
    SecurityHeadersMiddleware(csp="default-src 'self'; base-uri 'none'; form-action 'self'"),
]
