"""Run as a program: by which coding a client that accepts all of them is answered."""

from micropie import App
from micropie.middleware import CompressionMiddleware
from tests.client import http


class Site(App):
    async def index(self):
        return "pie " * 1000


app = Site()
app.middlewares.append(CompressionMiddleware())
print(http(app, headers={"Accept-Encoding": "gzip, br, zstd"}).headers["content-encoding"])  # noqa: T201
