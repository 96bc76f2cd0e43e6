"""MicroPie: a class is the whole web application.

from micropie import App

class MyApp(App):
    async def index(self):
        return "Hello"

app = MyApp()
"""

from micropie.core.app import App
from micropie.core.backends import SESSION_TIMEOUT, InMemorySessionBackend, SessionBackend
from micropie.core.controller import Controller, Mount, Resource, methods
from micropie.core.errors import ClientGone, ConnectionClosed, Fault, HTTPError, InvalidInput, MissingDependency
from micropie.core.listing import Configuration, Route, configuration, routes
from micropie.core.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.multipart import UploadedFile
from micropie.core.reply import Reply, safe_redirect
from micropie.core.request import Request, WebSocketRequest, current_request
from micropie.core.rsgi import RSGI
from micropie.core.serving import run
from micropie.core.session import Session
from micropie.core.signature import Cookie, FromBody, FromQuery, FromSession, Header, Parameter
from micropie.core.urls import url_for
from micropie.core.websocket import WebSocket

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
    "FromBody",
    "FromQuery",
    "FromSession",
    "HTTPError",
    "Header",
    "HttpMiddleware",
    "InMemorySessionBackend",
    "InvalidInput",
    "MissingDependency",
    "Mount",
    "Parameter",
    "Reply",
    "Request",
    "Resource",
    "Route",
    "Session",
    "SessionBackend",
    "UploadedFile",
    "WebSocket",
    "WebSocketMiddleware",
    "WebSocketRequest",
    "configuration",
    "current_request",
    "methods",
    "routes",
    "run",
    "safe_redirect",
    "url_for",
]
