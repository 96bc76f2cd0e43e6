"""Middleware: a timing header, a guard that answers by itself, explicit routes, and error pages."""

import hmac
import os
import time

from micropie import App, HttpMiddleware

TOKEN = os.environ.get("TOKEN", "let-me-in")


class Timing(HttpMiddleware):
    """Says in a header how long the reply took."""

    async def before_request(self, request):
        request.state.started = time.perf_counter()

    async def after_request(self, request, status_code, response_body, extra_headers):
        started = getattr(request.state, "started", None)  # a broken body is refused before the first hook
        if started is not None:
            extra_headers.append(("Server-Timing", f"app;dur={(time.perf_counter() - started) * 1000:.2f}"))


class Guard(HttpMiddleware):
    """Lets nobody into ``/admin`` without the token."""

    async def before_request(self, request):
        if request.scope["path"].strip("/").split("/")[0] != "admin":
            return None
        given = request.headers.get("authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
            return None
        return {"status_code": 401, "body": "Who are you?", "headers": [("WWW-Authenticate", "Bearer")]}


class Routes(HttpMiddleware):
    """Names the handler by the method and the path, where the names of methods do not do."""

    table = {
        ("GET", "/v1/pies"): "_list_pies",
        ("POST", "/v1/pies"): "_add_pie",
    }

    async def before_request(self, request):
        handler = self.table.get((request.method, request.scope["path"]))
        if handler is not None:
            request._route_handler = handler
            request.path_params = []


class ErrorPages(HttpMiddleware):
    """Gives errors a page of their own."""

    pages = {404: "<h1>No pie here</h1>", 500: "<h1>We dropped it</h1>"}

    async def after_request(self, request, status_code, response_body, extra_headers):
        if status_code in self.pages:
            return {"body": self.pages[status_code]}
        return None


class Shop(App):
    """A shop with a back room."""

    def __init__(self):
        super().__init__(surplus_path_status=404)
        self.middlewares += [Timing(), Routes(), ErrorPages(), Guard()]
        self._pies = ["apple"]

    async def index(self):
        return "Welcome"

    async def admin(self):
        return "The back room"

    async def drop(self):
        raise RuntimeError("The pie is on the floor")

    async def _list_pies(self):
        return self._pies

    async def _add_pie(self, name):
        self._pies.append(name)
        return 201, self._pies


app = Shop()
