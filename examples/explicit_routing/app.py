"""Explicit routes: a table of paths, as other frameworks have it, and whole applications by host or by prefix.

Methods are URLs, so an application needs none of this. It is for URLs that were given away long ago, that are in a
database, or that have a shape which no name of a method can have.
"""

import re

from micropie import App, HttpMiddleware, WebSocketMiddleware


class RouteTable(HttpMiddleware, WebSocketMiddleware):
    """Names the handler of a path. What is in no row goes the usual way, by the names of methods."""

    def __init__(self):
        self._rows = []

    def add(self, pattern, handler, *verbs):
        """`/pies/{id}.html` leads to a private method, whose parameters `{id}` and others fill in their order."""
        # What stands between the braces is a parameter, all else stands for itself.
        parts = re.split(r"\{\w+\}", pattern)
        self._rows.append((re.compile("([^/]+)".join(map(re.escape, parts))), verbs, handler))

    async def before_request(self, request):
        allowed = set()
        for pattern, verbs, handler in self._rows:
            if (match := pattern.fullmatch(request.scope["path"])) is None:
                continue
            if not verbs or request.method in verbs:
                request._route_handler = handler
                request.path_params = list(match.groups())  # texts: the handler's annotations convert them
                return None
            allowed |= {*verbs}
        if allowed:
            return {
                "status_code": 405,
                "body": "405 Method Not Allowed",
                "headers": {"Allow": ", ".join(sorted(allowed))},
            }
        return None

    async def before_websocket(self, request):
        for pattern, verbs, handler in self._rows:
            if verbs == ("WEBSOCKET",) and (match := pattern.fullmatch(request.scope["path"])):
                request._ws_route_handler = handler
                request.path_params = list(match.groups())


class Branches(HttpMiddleware):
    """Hands a whole host, or a prefix that is known at run time only, to another application.

    A prefix that is known when the class is written needs no hook: `blog = Mount(other)` in the class body.
    """

    def __init__(self, *, hosts, tenants):
        self._hosts, self._tenants = hosts, tenants

    async def before_request(self, request):
        host = request.header("host", "").partition(":")[0]
        first, _, rest = request.scope["path"].removeprefix("/").partition("/")
        if host in self._hosts:
            request._subapp = self._hosts[host]
            request._subapp_path = request.scope["path"]
        elif first in self._tenants:
            request._subapp = self._tenants[first]
            request._subapp_path = f"/{rest}"
            request._subapp_mount_path = first  # which `url_for` puts in front


class Tenant(App):
    """An application of its own: any ASGI application would do."""

    def __init__(self, name):
        super().__init__()
        self._name = name

    async def index(self):
        return {"tenant": self._name, "root_path": self.request.scope["root_path"]}


class Shop(App):
    """Handlers that the table leads to are private, so that nobody gets there by another URL."""

    def __init__(self):
        super().__init__(surplus_path_status=404)
        table = RouteTable()
        table.add("/pies/{id}.html", "_show", "GET", "HEAD")
        table.add("/pies/{id}/{size}-slices", "_order", "POST")
        table.add("/.well-known/security.txt", "_security")
        table.add("/live/{id}", "_live", "WEBSOCKET")
        tenants = {"north": Tenant("north"), "south": Tenant("south")}
        self.middlewares += [table, Branches(hosts={"west.localhost": Tenant("west")}, tenants=tenants)]
        self.ws_middlewares.append(table)

    async def index(self):
        return "Try /pies/7.html"

    async def _show(self, id: int):
        return {"pie": id}

    async def _order(self, id: int, size: int, name="you"):
        return 201, {"pie": id, "slices": size, "for": name}

    async def _security(self):
        return 200, "Contact: mailto:oven@shop.example\n", [("Content-Type", "text/plain")]

    async def _live(self, ws, id: int):
        await ws.accept()
        await ws.send_json({"pie": id, "state": "in the oven"})


app = Shop()
