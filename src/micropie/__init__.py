"""MicroPie: a class is the whole web application.

from micropie import App

class MyApp(App):
    async def index(self):
        return "Hello"

app = MyApp()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from micropie.core.app import App
from micropie.core.basics.background import Stopping
from micropie.core.basics.errors import ClientGone, ConnectionClosed, Fault, HTTPError, InvalidInput, InvalidMessage
from micropie.core.basics.json_codec import dumps, loads
from micropie.core.basics.optional import MissingDependency
from micropie.core.handlers.parameter import Parameter
from micropie.core.hooks.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.replies.ready_headers import ReplyHeaders
from micropie.core.replies.reply import Reply
from micropie.core.requests.request import Request, WebSocketRequest, current_request
from micropie.core.requests.session import Session
from micropie.core.requests.state import State
from micropie.core.routing.controller import Controller, Mount, Nested, Resource, limits, methods
from micropie.core.sessions.backends import SESSION_TIMEOUT, InMemorySessionBackend, SessionBackend

if TYPE_CHECKING:
    from micropie.core.basics.service import Service
    from micropie.core.handlers.annotations import Cookie, FromBody, FromPath, FromQuery, FromSession, Header
    from micropie.core.handlers.faults import Faults
    from micropie.core.inspection import Configuration, Route, configuration, routes
    from micropie.core.replies.events import ServerSentEvent, ServerSentEvents
    from micropie.core.replies.file_body import FileBody
    from micropie.core.replies.redirects import ascii_host, safe_redirect
    from micropie.core.requests.after_reply import after_reply, spawn, stopping
    from micropie.core.requests.locality import is_local, is_loopback_host
    from micropie.core.requests.proxies import TrustedProxies
    from micropie.core.requests.uploaded_file import UploadedFile
    from micropie.core.routing.url_for import form_action, url_for
    from micropie.core.rsgi import RSGI
    from micropie.core.run.run import run
    from micropie.core.sessions.flash import Flash, flash, flashes
    from micropie.core.websockets.websocket import WebSocket

__version__ = "1.0.0a1"

__all__ = [
    "RSGI",
    "SESSION_TIMEOUT",
    "App",
    "ClientGone",
    "Configuration",
    "ConnectionClosed",
    "Controller",
    "Cookie",
    "Fault",
    "Faults",
    "FileBody",
    "Flash",
    "FromBody",
    "FromPath",
    "FromQuery",
    "FromSession",
    "HTTPError",
    "Header",
    "HttpMiddleware",
    "InMemorySessionBackend",
    "InvalidInput",
    "InvalidMessage",
    "MissingDependency",
    "Mount",
    "Nested",
    "Parameter",
    "Reply",
    "ReplyHeaders",
    "Request",
    "Resource",
    "Route",
    "ServerSentEvent",
    "ServerSentEvents",
    "Service",
    "Session",
    "SessionBackend",
    "State",
    "Stopping",
    "TrustedProxies",
    "UploadedFile",
    "WebSocket",
    "WebSocketMiddleware",
    "WebSocketRequest",
    "after_reply",
    "ascii_host",
    "configuration",
    "current_request",
    "dumps",
    "flash",
    "flashes",
    "form_action",
    "is_local",
    "is_loopback_host",
    "limits",
    "loads",
    "methods",
    "routes",
    "run",
    "safe_redirect",
    "spawn",
    "stopping",
    "url_for",
]

_LATE = {
    "Configuration": "micropie.core.inspection",
    "Cookie": "micropie.core.handlers.annotations",
    "Faults": "micropie.core.handlers.faults",
    "FileBody": "micropie.core.replies.file_body",
    "Flash": "micropie.core.sessions.flash",
    "FromBody": "micropie.core.handlers.annotations",
    "FromPath": "micropie.core.handlers.annotations",
    "FromQuery": "micropie.core.handlers.annotations",
    "FromSession": "micropie.core.handlers.annotations",
    "Header": "micropie.core.handlers.annotations",
    "RSGI": "micropie.core.rsgi",
    "Route": "micropie.core.inspection",
    "ServerSentEvent": "micropie.core.replies.events",
    "ServerSentEvents": "micropie.core.replies.events",
    "Service": "micropie.core.basics.service",
    "TrustedProxies": "micropie.core.requests.proxies",
    "UploadedFile": "micropie.core.requests.uploaded_file",
    "WebSocket": "micropie.core.websockets.websocket",
    "after_reply": "micropie.core.requests.after_reply",
    "ascii_host": "micropie.core.replies.redirects",
    "configuration": "micropie.core.inspection",
    "flash": "micropie.core.sessions.flash",
    "flashes": "micropie.core.sessions.flash",
    "form_action": "micropie.core.routing.url_for",
    "is_local": "micropie.core.requests.locality",
    "is_loopback_host": "micropie.core.requests.locality",
    "routes": "micropie.core.inspection",
    "run": "micropie.core.run.run",
    "safe_redirect": "micropie.core.replies.redirects",
    "spawn": "micropie.core.requests.after_reply",
    "stopping": "micropie.core.requests.after_reply",
    "url_for": "micropie.core.routing.url_for",
}


if not TYPE_CHECKING:  # to a type checker it would mean that any name may be there

    def __getattr__(name: str) -> Any:
        """A name that many applications do without, imported at its first use, which keeps `import micropie` quick."""
        if name not in _LATE:
            raise AttributeError(f"module 'micropie' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATE[name]), name)
        return value


def __dir__() -> list[str]:
    """All names, those too that are not imported yet."""
    return sorted({*globals(), *__all__})
