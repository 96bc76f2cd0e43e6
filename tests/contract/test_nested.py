"""Identities between names, `/users/7/posts/3`: `Nested`, and the guards that take what stands in the path."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import pytest

from micropie import (
    App,
    Controller,
    Cookie,
    FromBody,
    FromPath,
    FromQuery,
    Header,
    HTTPError,
    HttpMiddleware,
    Mount,
    Nested,
    Request,
    Resource,
    Session,
    configuration,
    methods,
    routes,
    url_for,
)
from tests.wire import websocket, wire

ANN = UUID(int=7)


class Comments(Resource):
    async def index(self, user_id: int, post_id: int, page: int = 1):
        return ["comments", user_id, post_id, page]

    async def get(self, user_id: int, post_id: int, id: int):
        return ["comment", user_id, post_id, id]

    async def ws_live(self, ws, user_id: int, post_id: int, room: str = "all"):
        await ws.accept()
        await ws.send_json([user_id, post_id, room])


async def raw(scope, receive, send):
    """An ASGI application that says where it is."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['root_path']} {scope['path']}".encode()})


class Pages(Controller):
    files = Mount(raw)

    async def index(self, user_id: int, *rest):
        return ["pages", user_id, *rest]

    async def about_us(self, user_id: int):
        return ["about", user_id]


class Posts(Resource):
    comments = Nested("post_id", Comments())
    pages = Pages()

    async def _before(self, user_id: int):
        if user_id == 13:
            raise HTTPError(403)

    async def index(self, user_id: int):
        return ["posts", user_id]

    async def get(self, user_id: int, id: int):
        return ["post", user_id, id]

    async def post(self, user_id: int, text: str):
        return ["new", user_id, text]

    async def put(self, user_id: int, id: int, text: str):
        return ["changed", user_id, id, text]

    async def search(self, user_id: int, q: str = ""):
        return ["search", user_id, q]

    async def ws_live(self, ws, user_id: int, room: str = "all"):
        await ws.accept()
        await ws.send_json([user_id, room])


class Orders(Resource):
    async def get(self, user_id: str, id: date):
        return ["order", user_id, id]


class Inner(App):
    async def where(self, n: int):
        return [n, url_for(self.where, 5), url_for(SITE.home), self.request.scope["root_path"]]


class Users(Resource):
    posts = Nested("user_id", Posts())
    past_orders = Nested("user_id", Orders())
    files = Nested("user_id", Mount(raw))
    inner = Nested("user_id", Inner())

    async def index(self):
        return ["users"]

    async def get(self, id: int):
        return ["user", id]

    async def find(self, text, more=""):
        return ["find", text, more]


class Site(App):
    users = Users()

    async def home(self):
        return "home"


SITE = Site()


def answer(path, method="GET", *, app=None, **keywords):
    """The status, and the value of a JSON reply or the text of another."""
    reply = wire(SITE if app is None else app, method, path, **keywords)
    is_json = reply.headers.get("content-type") == "application/json"
    return reply.status_code, reply.json() if is_json else reply.text


# What a path leads to.


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/users", ["users"]),
        ("/users/7", ["user", 7]),
        ("/users/7/posts", ["posts", 7]),
        ("/users/7/posts/", ["posts", 7]),
        ("/users/7/posts/3", ["post", 7, 3]),
        ("/users/7/posts/3/", ["post", 7, 3]),
        ("/users/7/posts/search", ["search", 7, ""]),
        ("/users/7/posts/4/comments", ["comments", 7, 4, 1]),
        ("/users/7/posts/4/comments/9", ["comment", 7, 4, 9]),
        ("/users/7/posts/pages", ["pages", 7]),
        ("/users/7/posts/pages/a/b", ["pages", 7, "a", "b"]),
        ("/users/7/posts/pages/about-us", ["about", 7]),
        ("/users/ann/past_orders/2026-11-28", ["order", "ann", "2026-11-28"]),
        ("/users/ann/past-orders/2026-11-28", ["order", "ann", "2026-11-28"]),
        ("/users/a%2Fb/past-orders/2026-11-28", ["order", "a/b", "2026-11-28"]),
        ("/users/a-b/past-orders/2026-11-28", ["order", "a-b", "2026-11-28"]),
        ("/users/_a/past-orders/2026-11-28", ["order", "_a", "2026-11-28"]),
        ("/users/ws_a/past-orders/2026-11-28", ["order", "ws_a", "2026-11-28"]),
        ("/users/past_orders/past_orders/2026-11-28", ["order", "past_orders", "2026-11-28"]),
    ],
)
def test_the_segment_before_the_name_is_the_first_argument(path, wanted):
    """Identities come in the order of the path, before the path parameters of the handler's own, at any depth."""
    assert answer(path) == (200, wanted)


def test_a_name_wins_over_an_identity():
    """A method of the owner answers where the identity is its name."""
    assert answer("/users/find/posts") == (200, ["find", "posts", ""])
    assert answer("/users/index/posts")[0] == 500  # surplus, as everywhere


@pytest.mark.parametrize("path", ["/users//posts", "/users//posts/3", "/users//files/x", "/users/7/posts//comments"])
def test_nothing_is_no_identity(path):
    """An empty segment identifies nothing."""
    assert answer(path) == (404, "404 Not Found")


def test_what_is_no_identity_is_a_400():
    """As any path parameter that does not fit its annotation."""
    wanted = "400 Bad Request: Invalid value for parameter 'user_id': expected an integer"
    assert answer("/users/abc/posts/3") == (400, wanted)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/users/7/posts", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/users/7/posts", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/users/7/posts/3", "GET, HEAD, OPTIONS, POST, PUT"),
        ("POST", "/users/7/posts/4/comments", "GET, HEAD, OPTIONS"),
        ("POST", "/users/7/posts/4/comments/9", "GET, HEAD, OPTIONS"),
        ("POST", "/users/7/past-orders/1", "GET, HEAD, OPTIONS"),
    ],
)
def test_verbs_as_on_any_resource(method, path, allow):
    """405 and OPTIONS name the verbs that the two paths of a resource have, whatever is above it."""
    reply = wire(SITE, method, path)
    assert (reply.status_code, reply.headers["allow"]) == (405, allow)
    assert wire(SITE, "OPTIONS", path).headers["allow"] == allow


def test_head_goes_through_get():
    """Without a body."""
    reply = wire(SITE, "HEAD", "/users/7/posts/3")
    assert (reply.status_code, reply.headers["content-length"], reply.text) == (200, "12", "")


def test_the_query_may_name_what_the_path_lacks():
    """A verb method that needs a segment answers on the resource's path where the query has it."""
    assert answer("/users/ann/past-orders", query="id=2026-11-28") == (200, ["order", "ann", "2026-11-28"])
    assert answer("/users/ann/past-orders", query="user_id=bob")[0] == 404


def test_a_body_fills_no_identity():
    """What is in the path is not asked of the query nor of the body."""
    sent = {"text": "hi", "user_id": 8, "id": 9}
    assert answer("/users/7/posts", "POST", json=sent) == (200, ["new", 7, "hi"])
    assert answer("/users/7/posts/3", "PUT", json=sent, query="user_id=8") == (200, ["changed", 7, 3, "hi"])


def test_hooks_see_all_segments():
    """`request.path_params` has the identities first; what a hook changes in it counts."""

    class Other(HttpMiddleware):
        seen: list[Any] = []

        async def before_request(self, request):
            self.seen.append((list(request.path_params), request.scope["route"].path_format))
            request.path_params[0] = "8"

    app = Site()
    app.middlewares.append(Other())
    assert answer("/users/7/posts/3", app=app) == (200, ["post", 8, 3])
    assert Other.seen == [(["7", "3"], "/users/{user_id}/posts/{id}")]


def test_several_names_behind_one_class_or_none():
    """`Nested` works on a plain controller, and on an `App`, where names that look private are a 404 as ever."""

    class Settings(Controller):
        async def index(self, tenant):
            return ["settings", tenant]

        async def theme(self, tenant, name="light"):
            return [tenant, name]

    class Tenants(App):
        settings = Nested("tenant", Settings())

        async def index(self):
            return "home"

        async def help(self, topic):
            return ["help", topic]

    app = Tenants()
    assert answer("/acme/settings", app=app) == (200, ["settings", "acme"])
    assert answer("/acme/settings/theme/dark", app=app) == (200, ["acme", "dark"])
    assert answer("/help/settings", app=app) == (200, ["help", "settings"])
    for path in ("/_acme/settings", "/ws_acme/settings", "/settings", "//settings", "/acme/other", "/acme"):
        assert answer(path, app=app) == (404, "404 Not Found")
    assert url_for(app.settings.theme, "acme", "dark") == "/acme/settings/theme/dark"


def test_a_catch_all_keeps_what_is_not_nested():
    """An `index` that takes all segments gets the others, and those behind an empty one."""

    class Site(App):
        posts = Nested("user_id", Orders())

        async def index(self, *path):
            return ["all", *path]

    app = Site()
    assert answer("/7/posts/2026-11-28", app=app) == (200, ["order", "7", "2026-11-28"])
    assert answer("/7/other", app=app) == (200, ["all", "7", "other"])
    assert answer("//posts", app=app) == (200, ["all", "", "posts"])


def test_a_path_of_its_own_wins():
    """A mount at a path of its own hides the identity that its path begins with, and `url_for` knows."""

    class Site(App):
        posts = Nested("user_id", Orders())
        me = Mount(raw, path="me/posts")

    app = Site()
    assert answer("/me/posts/x", app=app) == (200, "/me/posts /me/posts/x")
    with pytest.raises(ValueError, match="No URL leads to"):
        url_for(app.posts.get, "me", "2026-11-28")


def test_other_spellings():
    """`-` stands for `_` in the names of branches and methods on the way, behind whatever identity."""

    class Part(Controller):
        async def front_page(self, a, b="-"):
            return [a, b]

    class Owner(Resource):
        the_parts = Nested("a", Part())
        a_part = Inner()

        async def look_up(self, *rest):
            return ["look up", *rest]

    class Site(App):
        owner = Owner()

    for path, wanted in (
        ("/owner/x/the-parts/front-page", ["x", "-"]),
        ("/owner/x-y/the-parts/front-page/z", ["x-y", "z"]),
        ("/owner/x-y/the_parts/front_page", ["x-y", "-"]),
        ("/owner/look-up/the-parts/front-page", ["look up", "the-parts", "front-page"]),
        ("/owner/ws-x/the-parts/front-page", ["ws-x", "-"]),
        ("/owner/-x/the-parts/front-page", ["-x", "-"]),
    ):
        assert answer(path, app=Site()) == (200, wanted)
    assert answer("/owner/a-part/where/4", app=Site())[1][0] == 4


# Other applications below.


def test_a_mount_behind_an_identity():
    """It finds the identity in its `root_path`."""
    assert answer("/users/7/files/a/b") == (200, "/users/7/files /users/7/files/a/b")
    assert answer("/users/7/posts/pages/files/a") == (200, "/users/7/posts/pages/files /users/7/posts/pages/files/a")


def test_an_app_behind_an_identity():
    """It gets the path below, and `url_for` inside of it the identity that the request has."""
    wanted = [4, "/users/7/inner/where/5", "/home", "/users/7/inner"]
    assert answer("/users/7/inner/where/4") == (200, wanted)


# WebSockets.


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/users/7/posts/live", b'[7,"all"]'),
        ("/users/7/posts/live/red", b'[7,"red"]'),
        ("/users/7/posts/4/comments/live", b'[7,4,"all"]'),
    ],
)
def test_websockets(path, wanted):
    """A `ws_` method takes the identities behind the socket."""
    assert websocket(SITE, path).sent == [wanted.decode()]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/users/13/posts/live", "403 Forbidden"),
        ("/users/abc/posts/live", "Invalid value for parameter 'user_id': expected an integer"),
        ("/users/7/posts/other", "No matching WebSocket route"),
        ("/users//posts/live", "No matching WebSocket route"),
        ("/users/7", "No matching WebSocket route"),
    ],
)
def test_websockets_that_are_refused(path, reason):
    """By the guard, by the conversion, or because nothing is there."""
    dialogue = websocket(SITE, path)
    assert dialogue.close == (1008, reason)


def test_a_websocket_below_a_mount():
    """The other application gets it with the identity in its `root_path`."""
    seen = []

    async def socket(scope, receive, send):
        seen.append((scope["type"], scope["root_path"]))
        await receive()
        await send({"type": "websocket.close", "code": 1000, "reason": ""})

    class Site(App):
        live = Nested("room", Mount(socket))

    websocket(Site(), "/red/live/x")
    assert seen == [("websocket", "/red/live")]


# Guards.


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users/13/posts", 403),
        ("/users/13/posts/3", 403),
        ("/users/13/posts/4/comments/9", 403),
        ("/users/13/posts/nothing/there", 403),
        ("/users/13/past-orders/2026-11-28", 200),
        ("/users/abc/posts/nothing/there", 400),
    ],
)
def test_a_guard_refuses_for_its_whole_branch(path, status):
    """`_before(self, user_id: int)` gets the identity for whatever is below, 404s included, and not elsewhere."""
    assert answer(path)[0] == status


def test_a_guard_takes_what_it_names():
    """Identities above it by name, in any order, converted; and what a marker or a type names."""
    seen: list[Any] = []

    class Guarded(Controller):
        async def _before(
            self,
            b: int,
            request: Request,
            unused="kept",
            a: Annotated[str, FromPath()] = "",
            /,
            *rest,
            token: Annotated[str, Header("x-token")],
            c: UUID,
            kind: Annotated[str, Cookie()] = "plain",
            page: Annotated[int, FromQuery()] = 1,
            session: Session,
            other=(),
            **more,
        ):
            assert request is self.request
            seen.append((a, b, c, unused, rest, token, kind, page, dict(session), other, more))

        async def show(self, a, b, c):
            return [a, b, c]

    class Middle(Controller):
        guarded = Nested("c", Guarded())

    class Upper(Controller):
        middle = Nested("b", Middle())

    class Site(App):
        upper = Nested("a", Upper())

    path = f"/x/upper/2/middle/{ANN}/guarded/show"
    headers = [("X-Token", "t"), ("Cookie", "kind=fancy")]
    query = "unused=1&rest=2&other=3&more=4&page=5&a=6"
    assert answer(path, app=Site(), headers=headers, query=query) == (200, ["x", "2", str(ANN)])
    assert seen == [("x", 2, ANN, "kept", (), "t", "fancy", 5, {}, (), {})]
    reply = wire(Site(), "GET", "/x/upper/b/middle/c/guarded/show", headers=[("Accept", "application/json")])
    assert reply.status_code == 400
    assert [(fault["in"], fault["name"]) for fault in reply.json()["errors"]] == [
        ("path", "b"), ("header", "x-token"), ("path", "c"),
    ]  # fmt: skip


def test_a_plain_guard_in_a_thread():
    """A guard that is no coroutine takes the identity too; what it returns answers."""

    class Branch(Controller):
        def _before(self, user_id: int = 0):
            return (402, "pay") if user_id == 7 else None

        async def _after(self, reply):
            reply.headers.append(("X-After", "1"))

        def index(self, user_id):
            return user_id

    class Site(App):
        branch = Nested("user_id", Branch())

    assert answer("/8/branch", app=Site()) == (200, "8")
    reply = wire(Site(), path="/7/branch")
    assert (reply.status_code, reply.text, reply.headers["x-after"]) == (402, "pay", "1")


def test_a_guard_of_a_base_class():
    """Several branches of one owner share it by inheritance."""

    class OfUser(Controller):
        async def _before(self, user_id: int):
            if user_id > 9:
                raise HTTPError(404)

    class One(OfUser):
        async def index(self, user_id: int):
            return ["one", user_id]

    class Two(OfUser):
        async def _before(self, user_id: int):
            await super()._before(user_id)

        async def index(self, user_id: int):
            return ["two", user_id]

    class Site(App):
        one = Nested("user_id", One())
        two = Nested("user_id", Two())

    assert answer("/7/one", app=Site()) == (200, ["one", 7])
    assert answer("/7/two", app=Site()) == (200, ["two", 7])
    assert answer("/10/one", app=Site()) == answer("/10/two", app=Site()) == (404, "404 Not Found")


def test_a_guard_is_mixed_in_behind_the_controller():
    """What `super()._before()` is given goes to the next class in line."""

    class Loads:
        async def _before(self, user_id):
            raise HTTPError(403, f"not {user_id}")

    class Branch(Controller, Loads):
        async def _before(self, user_id: int):
            await super()._before(user_id)

    class Site(App):
        branch = Nested("user_id", Branch())

    assert answer("/7/branch", app=Site()) == (403, "403 Forbidden: not 7")


def test_a_guard_keeps_the_default_that_no_client_may_fill():
    """A parameter that is no identity is not looked for in the query: it was never asked for."""
    seen: list[Any] = []

    class Branch(Controller):
        async def _before(self, retries=3, limit: Annotated[list[int], FromBody()] = ()):  # type: ignore[assignment]
            seen.append((retries, limit))

        async def index(self): ...

    class Site(App):
        branch = Branch()

    answer("/branch", app=Site(), query="retries=0&limit=1")
    assert seen == [(3, ())]


def test_what_a_hook_has_taken_away():
    """Without its segments a guard that needs one is a 400, and does not run."""

    class Empties(HttpMiddleware):
        async def before_request(self, request):
            request.path_params.clear()

    app = Site()
    app.middlewares.append(Empties())
    assert answer("/users/7/posts", app=app) == (400, "400 Bad Request: Missing required parameter 'user_id'")


# URLs.


@pytest.mark.parametrize(
    ("handler", "args", "keywords", "wanted"),
    [
        (SITE.users.posts.get, (7, 3), {}, "/users/7/posts/3"),
        (SITE.users.posts.get, (7,), {"id": 3}, "/users/7/posts/3"),
        (SITE.users.posts.get, (), {"id": 3, "user_id": 7}, "/users/7/posts/3"),
        (SITE.users.posts.index, (7,), {}, "/users/7/posts"),
        (SITE.users.posts.post, (7,), {}, "/users/7/posts"),
        (SITE.users.posts.search, (7,), {"q": "a b"}, "/users/7/posts/search?q=a+b"),
        (SITE.users.posts.comments.index, (7, 4), {"page": 2}, "/users/7/posts/4/comments?page=2"),
        (SITE.users.posts.comments.ws_live, (7, 4, "red"), {}, "/users/7/posts/4/comments/live/red"),
        (SITE.users.past_orders.get, ("a/b c", date(2026, 11, 28)), {}, "/users/a%2Fb%20c/past_orders/2026-11-28"),
        (SITE.users.past_orders.get, ("_a", ".."), {}, "/users/_a/past_orders?id=.."),
        (SITE.users.posts.pages.index, (7, "a", "b"), {}, "/users/7/posts/pages/a/b"),
        (SITE.users.posts, (7,), {}, "/users/7/posts"),
        (SITE.users.posts.comments, (7,), {"post_id": 4, "x": 1}, "/users/7/posts/4/comments?x=1"),
        (SITE.users.files, (7, "a/b.css"), {}, "/users/7/files/a/b.css"),
        (SITE.users.inner, (7,), {}, "/users/7/inner"),
        (SITE.users.inner.where, (7, 4), {}, "/users/7/inner/where/4"),
        (SITE.users.inner.where, (), {"user_id": 7, "n": 4}, "/users/7/inner/where/4"),
    ],
)
def test_urls(handler, args, keywords, wanted):
    """`url_for` takes the identities first, or by name, for handlers, controllers, mounts and what is in them."""
    assert url_for(handler, *args, **keywords) == wanted


@pytest.mark.parametrize("value", ["find", "index", "", ".", ".."])
def test_no_url_leads_there(value):
    """An identity that the path reads otherwise is a ValueError, not another page's URL."""
    with pytest.raises(ValueError, match=r"No URL leads to /users/\{user_id\}/posts/3 with "):
        url_for(SITE.users.posts.get, value, 3)
    assert url_for(SITE.users.posts.ws_live, "find") == "/users/find/posts/live"


@pytest.mark.parametrize(
    ("handler", "args", "message"),
    [
        (SITE.users.posts.get, (), "Posts.get needs 'user_id', which is in the path to it"),
        (SITE.users.posts.comments.get, (7,), "Comments.get needs 'post_id', which is in the path to it"),
        (SITE.users.posts, (), "/users/{user_id}/posts needs 'user_id', the arguments are ()"),
        (SITE.users.posts, (7, 8), "url_for() of a controller takes no path, it got ('8',): name the method"),
        (SITE.users.posts, (None,), "/users/{user_id}/posts can't have [None] in it: a segment is one value"),
        (SITE.users.posts, ([1],), "/users/{user_id}/posts can't have [[1]] in it: a segment is one value"),
        (SITE.users.inner.where, (), "/users/{user_id}/inner needs 'user_id', the arguments are ()"),
    ],
)
def test_urls_without_their_identities(handler, args, message):
    """What is missing is told by its name."""
    with pytest.raises(TypeError, match=re.escape(message)):
        url_for(handler, *args)


def test_an_identity_without_those_before_it():
    """An identity given by name needs the ones before it: it is never a field of the query."""
    with pytest.raises(TypeError, match="takes 'post_id' from the path, behind others"):
        url_for(SITE.users.posts.comments.index, post_id=4)


# What tools see.


def test_the_routes():
    """Templates name the identities; parameters have them in the path, also above mounts and applications."""
    found = {route.name: (route.path, [(one.name, one.source) for one in route.parameters]) for route in routes(SITE)}
    assert found["users.posts.put"] == (
        "/users/{user_id}/posts/{id}",
        [("user_id", "path"), ("id", "path"), ("text", "body")],
    )
    assert found["users.posts.post"] == ("/users/{user_id}/posts", [("user_id", "path"), ("text", "body")])
    assert found["users.posts.comments.get"][0] == "/users/{user_id}/posts/{post_id}/comments/{id}"
    identities = {route.name: route.identities for route in routes(SITE)}
    assert identities["users.posts.comments.get"] == ("user_id", "post_id")
    assert identities["users.files"] == identities["users.inner.where"] == ("user_id",)
    assert identities["users.get"] == ()
    assert found["users.posts.pages.index"][0] == "/users/{user_id}/posts/pages/{rest*}"
    assert found["users.files"] == ("/users/{user_id}/files", [("user_id", "path")])
    assert found["users.inner.where"] == ("/users/{user_id}/inner/where/{n}", [("user_id", "path"), ("n", "path")])


def test_every_url_has_the_listed_path():
    """`url_for` makes what `routes` says, which answers, for every handler of the tree."""
    values = {"user_id": 7, "post_id": 4, "id": 3, "n": 2, "rest": 1, "text": "t", "room": "r", "q": "q"}
    for route in routes(SITE):
        if route.kind == "http" and "orders" not in route.path and route.owner is not SITE.users:
            in_path = [values[one.name] for one in route.parameters if one.source == "path"]
            path = url_for(route.handler, *in_path)
            assert re.fullmatch(re.sub(r"\\{\w+\\}|\\{\w+\\\*\\}", "[^/]+", re.escape(route.path)), path)
            assert answer(path, (route.verbs or ("GET",))[0], json={"text": "t"})[0] == 200


class Orders2(Controller):
    async def index(self, a): ...


def test_the_matched_route():
    """`scope["route"]` has the template, for tracers, also where another application answers."""

    class Site(App):
        files = Nested("user_id", Mount(raw))

    seen = []

    class Looks(HttpMiddleware):
        async def before_request(self, request):
            route = request.scope["route"]
            seen.append((route.path, route.path_format, route.name))

    for app, path in ((Site(), "/7/files/x"), (OtherSite(), "/users/7/posts/3/comments/1")):
        app.middlewares.append(Looks())
        answer(path, app=app)
    template = "/users/{user_id}/posts/{post_id}/comments/{id}"
    assert seen == [
        ("/{user_id}/files", "/{user_id}/files", "files"),
        (template, template, "users.posts.comments.get"),
    ]


class OtherSite(Site):
    """Another site of the same tree, whose name no test's own class hides."""


# What is wrong is said when the application is made.


def made(nested, name="part", base=App):
    """An application, or what `base` is, that has this as an attribute."""
    return type("Made", (base,), {name: nested})()


class Forgetful(Controller):
    async def show(self, id: int): ...


class Swapped(Controller):
    async def show(self, id: int, user_id: int): ...


class Elsewhere(Controller):
    async def show(self, user_id: Annotated[int, FromQuery()]): ...


class Socket(Controller):
    async def ws_live(self, ws): ...


class Rest(Controller):
    async def show(self, *path): ...


@dataclass
class User:
    name: str


class Wrong(Controller):
    async def show(self, user_id: User): ...


@pytest.mark.parametrize(
    ("controller", "message"),
    [
        (
            Forgetful(),
            "Forgetful.show is nested in user_id, which it must take of the path before all else, but takes id: write",
        ),
        (Swapped(), "but takes id, user_id: write def show(self, user_id, ...)"),
        (Elsewhere(), "but takes nothing: write def show(self, user_id, ...)"),
        (Socket(), "Socket.ws_live is nested in user_id"),
        (Socket(), "write def ws_live(self, ws, user_id, ...)"),
        (Rest(), "Rest.show is nested in user_id"),
        (Wrong(), "Wrong.show is nested in user_id"),
        (made(Forgetful(), base=Controller), "Forgetful.show is nested in user_id"),
    ],
)
def test_a_handler_that_does_not_take_the_identity(controller, message):
    """It can't be called, so the application can't be made."""
    with pytest.raises(TypeError, match=re.escape(message)):
        made(Nested("user_id", controller))


def test_what_is_no_handler_need_not_take_it():
    """Private methods are none."""

    class Branch(Controller):
        async def index(self, user_id):
            return self._text()

        def _text(self):
            return "text"

        def ws__private(self): ...

    assert answer("/7/part", app=made(Nested("user_id", Branch()))) == (200, "text")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Nested(Orders(), "user_id"), TypeError, "takes a parameter's name first"),  # type: ignore[arg-type]
        (lambda: Nested("user-id", Orders()), TypeError, "not 'user-id'"),
        (lambda: Nested("class", Orders()), TypeError, "not 'class'"),
        (lambda: Nested("_id", Orders()), TypeError, "not '_id'"),
        (lambda: Nested("user_id", Orders), TypeError, "takes an instance: write Orders()"),
        (lambda: Nested("user_id", Mount(raw, path="/x")), TypeError, "leave the path of its Mount out"),
        (lambda: made(Nested("user_id", raw)), TypeError, "Made.part: Nested('user_id', ...) takes a controller"),
        (
            lambda: made(Nested("a", made(Nested("a", Orders2()), base=Controller))),
            ValueError,
            "Made.part is nested in 'a', and so is Made",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_nested(make, error, message):
    """It is told what to write."""
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_a_circle():
    """A controller below itself is refused, as it is without an identity between."""

    class Loop(Controller):
        again: Nested[Controller]

    loop = Loop()
    Loop.again = Nested("a", loop)
    with pytest.raises(ValueError, match="the tree would have no end"):
        made(loop)


@pytest.mark.parametrize("name", ["_part", "ws_part"])
def test_a_private_name_is_no_branch(name):
    """As for controllers without an identity."""
    assert answer(f"/7/{name}", app=made(Nested("a", Orders2()), name)) == (404, "404 Not Found")


@pytest.mark.parametrize(
    ("nested", "message"),
    [
        (True, "takes 'other', which nothing fills: a guard gets the identities of its path, which has 'a', and what"),
        (
            False,
            "takes 'other', which nothing fills: a guard gets the identities of its path, which has none, and what",
        ),
    ],
)
def test_a_guard_that_can_not_be_called(nested, message):
    """A parameter that nothing fills is told when the application is made, not to the first visitor."""

    class Branch(Controller):
        async def _before(self, other): ...

    with pytest.raises(TypeError, match=re.escape(message)):
        made(Nested("a", Branch()) if nested else Branch())


def test_an_unknown_type_of_a_guard():
    """The value comes as it is, and the application warns of it, for `micropie check` too."""
    seen = []

    class Branch(Controller):
        async def _before(self, a: "Unknown", b: bytearray | int = 1):  # type: ignore[name-defined]  # noqa: F821
            seen.append((a, b))

        async def index(self, a): ...

    app = made(Nested("a", Branch()))
    answer("/7/part", app=app)
    assert seen == [("7", 1)]
    (problem,) = configuration(app).oversights
    assert "Branch._before: the annotation of parameter 'a', 'Unknown', counts as none" in problem


def test_set_on_an_instance(caplog):
    """It answers nothing, of which the log warns."""
    app = made(Orders2(), "other")
    app.part = Nested("a", Orders2())
    assert "Made.part is set on the instance, where it answers nothing" in caplog.text


def test_verbs_of_plain_handlers_below():
    """`@methods` counts below an identity too."""

    class Branch(Controller):
        @methods("POST")
        async def save(self, user_id: int, text: str):
            return [user_id, text]

    app = made(Nested("user_id", Branch()))
    assert answer("/7/part/save", "POST", app=app, json={"text": "x"}) == (200, [7, "x"])
    reply = wire(app, path="/7/part/save")
    assert (reply.status_code, reply.headers["allow"]) == (405, "OPTIONS, POST")
