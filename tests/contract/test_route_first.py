"""The route comes first: BEHAVIOUR.md, point 9; limits of a handler or a branch; what the scope says of the route."""

import asyncio

import pytest

from micropie import App, Controller, HttpMiddleware, Mount, Resource, WebSocketMiddleware, limits, methods
from tests.client import http, run
from tests.wire import websocket, wire

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BROKEN = b"{no json"


class Notes(Resource):
    async def get(self, id: int):
        return {"id": id}

    async def post(self):
        return 201, self.request.get_json


class Small(Controller):
    max_body_size = 10

    async def take(self):
        return f"{len(self.request.body)}"

    @limits(max_body_size=20)
    async def more(self):
        return f"{len(self.request.body)}"

    def body_timeout(self):
        return "a route that is called like a limit"


class Site(App):
    notes = Notes()
    small = Small()

    async def take(self, text="nothing"):
        return text

    @methods("GET")
    async def page(self):
        return "page"

    @limits(max_upload_size=10)
    async def upload(self, file):
        return f"{len(await file.read())}"

    async def ws_chat(self, ws):
        await ws.accept()


class Watching(HttpMiddleware):
    """Notes what a hook knows of the route."""

    def __init__(self, change=lambda request: None):
        self.seen = []
        self.change = change

    def before_request(self, request):
        scope = request.scope
        route = scope["route"]
        self.seen.append((route and route.path_format, route and route.name, list(request.path_params)))
        self.change(request)


def watched(change=lambda request: None):
    app, middleware = Site(), Watching(change)
    app.middlewares.append(middleware)
    return app, middleware.seen


@pytest.mark.parametrize("path", ["/nowhere", "/_take", "/notes/1/2/3/4", "//take"])
def test_no_route_is_404_before_a_broken_body(path):
    """What leads nowhere is a 404, whatever the body is."""
    method = {"/notes/1/2/3/4": "DELETE"}.get(path, "POST")
    answer = http(Site(), method, path, headers=JSON, content=BROKEN)
    assert answer.status_code == (405 if method == "DELETE" else 404)


def test_the_body_of_a_request_for_nothing_is_left_alone():
    """It is not even received."""
    asked = []

    async def receive():
        asked.append(1)
        return {"type": "http.request", "body": b"x" * 1000}

    async def main():
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/nowhere", "headers": [(b"content-length", b"1000")]}
        await Site()(scope, receive, send)
        return sent[0]["status"]

    assert (run(main()), asked) == (404, [])


def test_a_verb_that_is_not_answered_is_405_before_a_broken_body():
    """The verb is a part of the route."""
    answer = http(Site(), "POST", "/page", headers=JSON, content=BROKEN)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("method", "path", "seen"),
    [
        ("GET", "/take", ("/take", "take", [])),
        ("GET", "/take/7", ("/take", "take", ["7"])),
        ("GET", "/notes/7", ("/notes/{id}", "notes.get", ["7"])),
        ("POST", "/notes", ("/notes", "notes.post", [])),
        ("GET", "/small/take", ("/small/take", "small.take", [])),
        ("POST", "/page", (None, None, [])),
        ("GET", "/nowhere/x", (None, None, ["x"])),
    ],
)
def test_a_hook_knows_the_route(method, path, seen):
    """`scope["route"]` has the template and the name, `path_params` the path's parameters."""
    app, noted = watched()
    http(app, method, path)
    assert noted == [seen]


def test_the_endpoint_is_the_bound_method():
    """`scope["endpoint"]` is what error reporters name the request by."""
    found = []
    app, _ = watched(lambda request: found.append(request.scope["endpoint"]))
    http(app, path="/notes/7")
    http(app, path="/take")
    assert found == [app.notes.get, app.take]


def test_a_mount_is_an_endpoint_too():
    """Of another application the scope says where it is."""

    async def other(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr((scope.get("route"), scope.get("endpoint"))).encode()})

    class Outer(Site):
        files = Mount(other, path="/v1/files")

    app, middleware = Outer(), Watching()
    app.middlewares.append(middleware)
    assert http(app, path="/v1/files/a").text == "(None, None)"
    assert middleware.seen == [("/v1/files", "v1.files", ["a"])]


@pytest.mark.needs("multipart")
def test_a_body_is_read_once_for_the_handler_that_a_hook_chooses():
    """A path for which no body was read gets one when a hook leads it to a handler."""
    app, _ = watched(lambda request: setattr(request, "_route_handler", "take"))
    assert http(app, "POST", "/nowhere", headers=FORM, content=b"text=hello").text == "hello"
    assert http(app, "POST", "/page", headers=JSON, content=b'{"text":"hello"}').text == "hello"
    assert http(app, "POST", "/take", headers=FORM, content=b"text=hello").text == "hello"
    assert http(app, "POST", "/nowhere", data={"text": "hello"}, files={"x": b""}).text == "hello"
    assert http(app, "POST", "/nowhere", headers=JSON, content=BROKEN).status_code == 400


def test_a_hook_may_change_the_path():
    """The handler of the new path answers, with the parameters of that path."""
    app, _ = watched(lambda request: request.scope.update(path="/notes/9"))
    assert http(app, path="/take/1").json() == {"id": 9}
    assert http(app, path="/nowhere").json() == {"id": 9}


def test_a_hook_may_change_the_method():
    """The verb that counts is the one behind the hooks."""
    app, _ = watched(lambda request: setattr(request, "method", "GET"))
    assert http(app, "POST", "/page").text == "page"


def test_a_hook_of_a_websocket_knows_the_route():
    """The scope of a handshake says what answers it."""
    seen = []

    class Noting(WebSocketMiddleware):
        def before_websocket(self, request):
            seen.append((request.scope["route"].path_format, request.scope["endpoint"]))

    app = Site()
    app.ws_middlewares.append(Noting())
    websocket(app, "/chat")
    assert seen == [("/chat", app.ws_chat)]


def test_a_failure_changes_no_parameters():
    """What a hook has set is still there for the after hooks when it fails then."""
    seen = []

    class Failing(HttpMiddleware):
        def before_request(self, request):
            request.path_params = ["mine"]
            raise RuntimeError("no")

        def after_request(self, request, *_reply):
            seen.append(request.path_params)

    app = Site()
    app.middlewares.append(Failing())
    assert http(app, path="/notes/7").status_code == 500
    assert seen == [["mine"]]


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/small/take", 10, 200),
        ("/small/take", 11, 413),
        ("/small/more", 20, 200),
        ("/small/more", 21, 413),
        ("/take", 1000, 200),
        ("/small/body_timeout", 11, 413),
    ],
)
def test_a_branch_and_a_handler_have_limits_of_their_own(path, size, status):
    """The attributes of a controller count for its branch, `@limits` for a handler, before the whole application's."""
    assert http(Site(), "POST", path, headers={"Content-Type": "text/plain"}, content=b"x" * size).status_code == status


def test_a_limit_of_a_handler_may_be_wider():
    """What the application refuses elsewhere is taken here."""
    app = Site(max_body_size=5)
    assert http(app, "POST", "/take", headers=FORM, content=b"123456").status_code == 413
    assert http(app, "POST", "/small/more", headers=FORM, content=b"x=3456").status_code == 200


@pytest.mark.needs("multipart")
def test_an_upload_has_the_limits_of_its_handler():
    """`max_upload_size` of a handler."""
    app = Site()
    assert http(app, "POST", "/upload", files={"file": b"x" * 10}).text == "10"
    assert http(app, "POST", "/upload", files={"file": b"x" * 11}).status_code == 413


def test_a_handler_has_a_body_timeout_of_its_own():
    """`body_timeout` of a handler."""

    class Hasty(App):
        @limits(body_timeout=0.05)
        async def take(self):
            return "taken"

    async def slow():
        yield b"x"
        await asyncio.sleep(5)
        yield b"y"

    answer = wire(Hasty(), "POST", "/take", headers=[("content-type", "text/plain")], body=slow())
    assert answer.status_code == 408


def test_limits_says_which_there_are():
    """Neither none nor unknown ones are taken."""
    with pytest.raises(TypeError, match=r"@limits takes some of max_body_size, .*; it got none of them"):
        limits()
    with pytest.raises(TypeError, match=r"it got \['max_size'\]"):
        limits(max_size=1)  # type: ignore[call-arg]


def test_a_refused_body_passes_the_after_of_its_branch():
    """`_after` of a controller sees every reply of its branch."""

    class Branch(Controller):
        max_body_size = 5

        async def _after(self, reply):
            reply.headers.append(("X-Branch", str(reply.status)))

        async def take(self):
            return "taken"

    class Guarded(App):
        branch = Branch()

    assert http(Guarded(), "POST", "/branch/take", headers=JSON, content=BROKEN).headers["x-branch"] == "413"
    answer = http(Guarded(), "POST", "/branch/take", headers=JSON, content=b"{")
    assert answer.headers["x-branch"] == "400"


@pytest.mark.parametrize("path", ["//greet/X", "//_hidden", "//", "//take"])
def test_an_empty_first_segment_is_no_name(path):
    """`//x` is never what `/x` is, or a hook that guards by path would be passed by."""

    class Greeter(App):
        async def index(self):
            return "home"

        async def greet(self, name):
            return name

    assert http(Greeter(), path=path).status_code == 404


def test_a_catch_all_takes_an_empty_first_segment():
    """All segments are its, the empty one included."""

    class All(App):
        async def index(self, *rest):
            return [*rest]

    assert http(All(), path="//greet/X").json() == ["", "greet", "X"]
