"""`request.state`: what hooks, guards, handlers and mounted applications leave each other."""

from types import MappingProxyType

import pytest

from micropie import App, Controller, HttpMiddleware, Mount, State, WebSocketMiddleware
from micropie.testing import TestClient
from tests.client import http, run
from tests.wire import awire, websocket, wire


class Named(HttpMiddleware):
    """Says who asks, and hears what the handler has to say."""

    def __init__(self):
        self.heard = []

    async def before_request(self, request):
        request.state.user = request.query("user", "nobody")

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.heard.append(getattr(request.state, "done", None))


class Members(Controller):
    async def _before(self):
        self.request.state.user = self.request.query("user", "nobody").upper()

    async def page(self):
        self.request.state.done = "page"
        return f"for {self.request.state.user}"

    async def _after(self, reply):
        reply.headers.append(("X-For", self.request.state.user))

    async def ws_chat(self, ws):
        await ws.accept()
        await ws.send_text(self.request.state.user)


class Site(App):
    members = Members()

    async def plain(self):
        return self.request.state.user

    async def unknown(self):
        return str(hasattr(self.request.state, "user"))

    async def stream(self):
        self.request.state.words = ["a", "b"]
        for word in self.request.state.words:
            yield word


def test_a_guard_tells_its_branch():
    """What `_before` sets, the handler and `_after` read."""
    reply = http(Site(), path="/members/page", query="user=ann")
    assert (reply.text, reply.headers["x-for"]) == ("for ANN", "ANN")


def test_a_guard_tells_a_websocket():
    """A handshake's guard sets it for the socket's handler."""
    assert websocket(Site(), "/members/chat", query="user=ann", send=[]).sent == ["ANN"]


def test_a_hook_tells_a_handler_and_hears_from_it():
    """Both hooks and the handler have one state."""
    app, named = Site(), Named()
    app.middlewares.append(named)
    assert http(app, path="/plain", query="user=bob").text == "bob"
    assert http(app, path="/members/page", query="user=bob").text == "for BOB"
    assert named.heard == [None, "page"]


def test_a_websocket_hook_tells_a_handler():
    """`before_websocket` may set it too."""

    class Hook(WebSocketMiddleware):
        async def before_websocket(self, request):
            request.state.room = "kitchen"

    class Rooms(App):
        async def ws_index(self, ws):
            await ws.accept()
            await ws.send_text(self.request.state.room)

    app = Rooms()
    app.ws_middlewares.append(Hook())
    assert websocket(app, "/", send=[]).sent == ["kitchen"]


def test_a_stream_has_it():
    """It is there until the last chunk."""
    assert http(Site(), path="/stream").text == "ab"


def test_an_unknown_attribute_is_an_attribute_error():
    """What nobody has set is not None."""
    assert http(Site(), path="/unknown").text == "False"
    with pytest.raises(AttributeError, match="user"):
        _ = State({}).user


def test_requests_share_nothing():
    """Each request begins with nothing."""
    app = Site()
    assert http(app, path="/members/page", query="user=ann").text == "for ANN"
    assert http(app, path="/unknown").text == "False"


def test_an_attribute_can_be_deleted():
    """What is deleted is unknown again."""
    values = {"user": "ann"}
    del State(values).user
    assert values == {}


class Pies(App):
    def __init__(self):
        super().__init__()
        self.startup_handlers.append(self._fill)

    async def _fill(self, state):
        state["oven"] = ["hot"]
        state["count"] = 0

    async def oven(self):
        self.request.state.count += 1
        return {"oven": self.request.state.oven, "count": self.request.state.count}


def test_it_begins_with_the_lifespan_state():
    """What a startup handler has put there is read by attribute; what a request sets, the next one does not see."""
    with TestClient(Pies()) as client:
        assert [client.get("/oven").json() for _ in range(2)] == [{"oven": ["hot"], "count": 1}] * 2
        assert client.state == {"oven": ["hot"], "count": 0}


@pytest.mark.parametrize("state", [None, MappingProxyType({"user": "zoe"})])
def test_a_scope_with_something_else_as_its_state(state):
    """A server that has no state, or a mapping of its own kind, is no reason to fail."""
    expected = "False" if state is None else "True"
    assert wire(Site(), path="/unknown", scope={"state": state}).text == expected


def test_it_stands_in_the_scope():
    """Where ASGI has the lifespan's state, other frameworks look for it too."""

    class Reader(App):
        async def index(self):
            self.request.state.user = "ann"
            return self.request.scope["state"]

    assert http(Reader()).json() == {"user": "ann"}


class Below(App):
    async def index(self):
        self.request.state.answered = "below"
        return self.request.state.user


class Outer(Controller):
    def __init__(self):
        self.heard = []

    below = Below()

    async def _before(self):
        self.request.state.user = "outer"


class Tree(App):
    outer = Outer()


def test_an_application_of_ours_below_reads_it():
    """An `App` in the tree has what the guards on the way have set."""
    assert http(Tree(), path="/outer/below").text == "outer"


def test_a_foreign_application_below_reads_and_sets_it():
    """Any ASGI application below has it in its scope; what it sets there is ours too, though we set nothing."""
    seen = []

    async def foreign(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("none")
        scope["state"]["answered"] = "foreign"
        await send({"type": "websocket.close"})

    class Hook(WebSocketMiddleware):
        async def after_websocket(self, request):
            seen.append(request.state.answered)

    class Site(App):
        files = Mount(foreign)

    app = Site()
    app.ws_middlewares.append(Hook())
    websocket(app, "/files", send=[])
    assert seen == ["foreign"]


def test_an_application_around_ours_shares_it():
    """What stands around an application, and has a state for its request, reads what is set inside."""
    app, state = Site(), {"user": "zoe"}

    async def around():
        return await awire(app, path="/plain", scope={"state": state}), await awire(
            app, path="/stream", scope={"state": state}
        )

    plain, _ = run(around())
    assert plain.text == "zoe"
    assert state == {"user": "zoe", "words": ["a", "b"]}


@pytest.mark.needs("jinja2")
def test_a_template_reads_it(tmp_path):
    """A template that is given the request, or the state, has its attributes; an unknown one is undefined."""
    (tmp_path / "page.html").write_text("{{ request.state.user }}|{{ request.state.other }}", encoding="utf-8")

    class Pages(App):
        def _template_context(self):
            return {"request": self.request}

        async def index(self):
            self.request.state.user = "<ann>"
            return await self._render_template("page.html")

    assert http(Pages(templates=str(tmp_path))).text == "&lt;ann&gt;|"
