"""Sessions that last: in a SQLite file, on Redis, or in the visitor's own cookie.

from micropie.sessions import SQLiteSessionBackend

app = MyApp(SQLiteSessionBackend("sessions.db"))     # or MyApp("sqlite:///sessions.db")
"""

from micropie import flash, flashes
from micropie.sessions.development import development_backend
from micropie.sessions.redis import RedisSessionBackend
from micropie.sessions.signed_cookie import SignedCookieSessionBackend
from micropie.sessions.sqlite import SQLiteSessionBackend
from micropie.sessions.urls import backend_from_url

__all__ = [
    "RedisSessionBackend",
    "SQLiteSessionBackend",
    "SignedCookieSessionBackend",
    "backend_from_url",
    "development_backend",
    "flash",
    "flashes",
]
