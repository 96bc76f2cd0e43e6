"""httpx in process: its own ASGI transport, nothing of ours in between."""

import asyncio
from typing import Any

import httpx


def client(app: Any, base_url: str = "http://127.0.0.1", **transport: Any) -> httpx.AsyncClient:
    """Give a client with a cookie jar, for an app in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, **transport), base_url=base_url)


def request(app: Any, method: str, url: str, *, root_path: str = "", **options: Any) -> httpx.Response:
    """Send one request and give the whole reply."""

    async def main() -> httpx.Response:
        async with client(app, root_path=root_path) as http:
            return await http.request(method, url, **options)

    return asyncio.run(main())


def get(app: Any, url: str, **options: Any) -> httpx.Response:
    """Send a GET."""
    return request(app, "GET", url, **options)
