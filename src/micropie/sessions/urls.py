"""Session backends by their URLs, as `App(session_backend=…)` takes them, from an environment variable say."""

from micropie import InMemorySessionBackend, SessionBackend
from micropie.sessions.redis import RedisSessionBackend
from micropie.sessions.sqlite import SQLiteSessionBackend
from micropie.stores.redis_client import SCHEMES

ACCEPTED = "'sqlite:///sessions.db', 'redis://localhost:6379/0' and 'memory:' are accepted"
SQLITE = "sqlite:///"


def backend_from_url(url: str) -> SessionBackend:
    """The session backend that `url` names. ValueError for others.

    `sqlite:///sessions.db` is relative to the working directory, `sqlite:////var/lib/app/sessions.db` is absolute;
    `redis://[user:password@]host:port/database`, `rediss://…` and `unix://…` are a Redis or Valkey server; `memory:` is
    this process.

        app = MyApp(backend_from_url(os.environ["SESSIONS"]))
    """
    if url == "memory:":
        return InMemorySessionBackend()
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return SQLiteSessionBackend(url.removeprefix(SQLITE))
    if url.startswith(SCHEMES):
        return RedisSessionBackend(url)
    # Not the URL itself, which may have a password in it.
    raise ValueError(f"session_backend is a URL of no kind that is known: {ACCEPTED}")
