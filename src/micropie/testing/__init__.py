"""Tests of an application, in its own process: a client for HTTP and WebSocket, and a check of all that it sends.

with TestClient(app) as client:
    assert client.get("/greet/Ann").json() == {"greeting": "Hello, Ann!"}
"""

from micropie.testing.asgi_rules import ProtocolError
from micropie.testing.client_websocket import ClientWebSocket, WebSocketRefused
from micropie.testing.cookies import Cookies
from micropie.testing.response import URL, Headers, Response, StatusError
from micropie.testing.sync_client import BlockingClient, BlockingWebSocket, TestClient

__all__ = [
    "URL",
    "BlockingClient",
    "BlockingWebSocket",
    "ClientWebSocket",
    "Cookies",
    "Headers",
    "ProtocolError",
    "Response",
    "StatusError",
    "TestClient",
    "WebSocketRefused",
]
