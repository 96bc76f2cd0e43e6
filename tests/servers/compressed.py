"""The servers' application behind the middlewares that touch a reply's body."""

from application import Application  # type: ignore[import-not-found] # beside this file, where servers start

from micropie import RSGI
from micropie.middleware import AccessLogMiddleware, CompressionMiddleware, ETagMiddleware

app = Application()
app.middlewares += [AccessLogMiddleware(), ETagMiddleware(), CompressionMiddleware()]
rsgi_app = RSGI(app)
