"""`url_for`: the URL of a handler."""

import enum
import gc
import json
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import pytest

from micropie import (
    App,
    Controller,
    FromPath,
    FromQuery,
    FromSession,
    Header,
    HttpMiddleware,
    Mount,
    Resource,
    form_action,
    methods,
    url_for,
)
from tests.client import http
from tests.wire import websocket, wire


class Color(enum.Enum):
    RED = "red hot"


@dataclass
class Note:
    text: str


async def raw(scope, receive, send):
    """An ASGI application."""


class Posts(Resource):
    async def index(self):
        return "posts"

    async def get(self, id):
        return ["post", id]

    async def delete(self, id): ...

    async def search(self, q="", tags=()): ...


class Shelf(Resource):
    async def get(self, id=None):
        return ["shelf", id]

    async def sizes(self): ...


class Blog(Controller):
    posts = Posts()
    shelf = Shelf()

    async def index(self, *path):
        return ["blog", *path]

    async def post(self, id, page=1):
        return ["blog post", id, page]

    async def rest(self, *path):
        return ["rest", *path]

    async def about_us(self): ...

    async def ws_chat(self, ws, room="lobby"):
        await ws.accept()
        await ws.send_text(room)

    async def ws_index(self, ws, room="lobby"):
        await ws.accept()
        await ws.send_text(room)

    async def _hidden(self): ...

    @staticmethod
    async def static(name): ...


class Site(App):
    blog = Blog()
    files = Mount(raw)
    old = Mount(raw, path="/v1/old files")

    async def index(self, *path):
        return ["site", *path]

    async def greet(self, name="Guest"):
        return ["greet", name]

    async def pair(self, first, second):
        return ["pair", first, second]

    async def keywords(self, *, a, b=1, **rest): ...

    async def everything(self, one, *more, **rest): ...

    @methods("POST")
    async def save(self, text): ...

    async def sources(
        self,
        note: Note,
        token: Annotated[str, Header()],
        user: Annotated[str, FromSession()],
        page: Annotated[int, FromQuery("p")] = 1,
    ): ...

    async def ws_index(self, ws): ...


@pytest.fixture(scope="module")
def site():
    """The application under test."""
    return Site()


# Every kind of handler.


@pytest.mark.parametrize(
    ("handler", "args", "query", "url"),
    [
        ("index", (), {}, "/"),
        ("index", ("a", "b"), {}, "/a/b"),
        ("greet", (), {}, "/greet"),
        ("greet", ("Ann",), {}, "/greet/Ann"),
        ("blog", (), {}, "/blog"),
        ("blog.index", (), {}, "/blog"),
        ("blog.index", ("a",), {}, "/blog/a"),
        ("blog.post", (7,), {}, "/blog/post/7"),
        ("blog.post", (7,), {"page": 2}, "/blog/post/7?page=2"),
        ("blog.post", (7, 2), {}, "/blog/post/7/2"),
        ("blog.post", (), {"id": 7}, "/blog/post/7"),
        ("blog.post", (), {"id": 7, "page": 2}, "/blog/post/7?page=2"),
        ("blog.about_us", (), {}, "/blog/about_us"),
        ("blog.posts.index", (), {}, "/blog/posts"),
        ("blog.posts", (), {}, "/blog/posts"),
        ("blog.posts.get", (7,), {}, "/blog/posts/7"),
        ("blog.posts.delete", (7,), {}, "/blog/posts/7"),
        ("blog.posts.search", (), {"q": "x"}, "/blog/posts/search?q=x"),
        ("blog.shelf.get", (), {}, "/blog/shelf"),
        ("blog.ws_chat", (), {}, "/blog/chat"),
        ("blog.ws_chat", ("red",), {}, "/blog/chat/red"),
        ("blog.ws_index", (), {}, "/blog"),
        ("blog.ws_index", ("red",), {}, "/blog/index/red"),
        ("ws_index", (), {}, "/"),
        ("files", (), {}, "/files"),
        ("files", ("css/a.css",), {}, "/files/css/a.css"),
        ("files", ("/css/", "a.css"), {"v": 3}, "/files/css//a.css?v=3"),
        ("files", ("",), {}, "/files/"),
        ("files", ("a b?#%.css",), {}, "/files/a%20b%3F%23%25.css"),
        ("old", ("x",), {}, "/v1/old%20files/x"),
        ("blog.static", ("x",), {}, "/blog/static/x"),
        ("save", (), {}, "/save"),
        ("sources", (), {"page": 3}, "/sources?p=3"),
        ("keywords", (), {"a": 1, "c": 2}, "/keywords?a=1&c=2"),
        ("everything", (1, 2, 3), {"x": "y"}, "/everything/1/2/3?x=y"),
    ],
)
def test_the_url_of_a_handler(site, handler, args, query, url):
    """The method itself is the name."""
    for name in handler.split("."):
        site = getattr(site, name)
    assert url_for(site, *args, **query) == url


# Values.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a/b", "a%2Fb"),
        ("a b+c", "a%20b%2Bc"),
        ("é€", "%C3%A9%E2%82%AC"),
        ("?#%&=;", "%3F%23%25%26%3D%3B"),
        ("100%", "100%25"),
        ("~-._", "~-._"),
        ("...", "..."),
        ("\r\n", "%0D%0A"),
        ("//evil.example", "%2F%2Fevil.example"),
        (7, "7"),
        (True, "true"),
        (1.5, "1.5"),
        (1e-7, "0.0000001"),
        (2.5e17, "250000000000000000"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (timedelta(days=1, minutes=90), "P1DT5400S"),
        (timedelta(0), "P0DT0S"),
        (-timedelta(seconds=0.25), "-P0DT0.25S"),
        (Color.RED, "red%20hot"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2024, 5, 6), "2024-05-06"),
        (datetime(2024, 5, 6, 7, tzinfo=UTC), "2024-05-06T07%3A00%3A00%2B00%3A00"),
        (time(7, 8), "07%3A08%3A00"),
    ],
)
def test_path_arguments_are_percent_encoded(site, value, text):
    """Segment by segment, as UTF-8, so that no value is more than one segment."""
    assert url_for(site.greet, value) == f"/greet/{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b&c=d/é", "a+b%26c%3Dd%2F%C3%A9"),
        (False, "false"),
        ([1, 2], "1&name=2"),
        (("a", None, "b"), "a&name=b"),
        ({7}, "7"),
        (Color.RED, "red+hot"),
    ],
)
def test_query_values_are_urlencoded(site, value, text):
    """Lists repeat their field; booleans are true and false."""
    assert url_for(site.keywords, a=1, name=value) == f"/keywords?a=1&name={text}"


def test_none_leaves_a_keyword_out(site):
    """So does an empty list."""
    assert url_for(site.blog.posts.search, q=None, tags=[]) == "/blog/posts/search"


@pytest.mark.parametrize(
    ("handler", "args"),
    [
        ("greet", ("a/b é?#%2F+",)),
        ("greet", ("",)),
        ("greet", ("a ",)),
        ("greet", (".",)),
        ("greet", ("..",)),
        ("greet", ("...",)),
        ("pair", ("", "x")),
        ("pair", ("x", "")),
        ("pair", ("x", "..")),
        ("pair", ("..", "x")),
        ("pair", ("a", "b/c")),
        ("index", ("greet",)),
        ("index", ("greet", "x")),
        ("index", ("",)),
        ("index", ("", "x")),
        ("index", ("blog",)),
        ("index", ("files", "x")),
        ("index", ("_x",)),
        ("index", ("ws_x",)),
        ("index", ("index",)),
        ("index", ("a", "")),
        ("index", ("v1", "old files")),
        ("blog.index", ("post",)),
        ("blog.index", ("nothing", "x")),
        ("blog.index", ("_x",)),
        ("blog.rest", ("a", "", "b/c", "")),
        ("blog.posts.get", ("_x",)),
        ("blog.posts.get", ("get",)),
        ("blog.posts.get", ("a/b",)),
        ("blog.shelf.get", ("sizes",)),
    ],
)
def test_the_url_leads_back_to_the_handler(site, handler, args):
    """Whatever the arguments are, the handler that is named gets them."""
    target = site
    for name in handler.split("."):
        target = getattr(target, name)
    path, _, query = url_for(target, *args).partition("?")
    name, *values = http(site, path=path, query=query).json()
    names = {"blog.posts.get": "post", "blog.shelf.get": "shelf", "index": "site", "blog.index": "blog"}
    assert name == names.get(handler, handler.rpartition(".")[2])
    assert values == list(args)
    assert not path.startswith("//")
    assert not {".", ".."} & set(path.split("/"))


def test_the_url_of_a_websocket_leads_back(site):
    """The same for WebSockets."""
    assert websocket(site, url_for(site.blog.ws_chat, "a/b")).sent == ["a/b"]
    assert websocket(site, url_for(site.blog.ws_index, "chat")).sent == ["chat"]
    assert websocket(site, url_for(site.blog.ws_index)).sent == ["lobby"]


@pytest.mark.parametrize(
    ("handler", "args"),
    [
        ("index", ("..",)),
        ("blog.rest", ("a", ".")),
        ("everything", ("a", "..")),
        ("blog.posts.get", ("search",)),
        ("files", ("../x",)),
        ("files", ("a", ".")),
    ],
)
def test_arguments_that_no_url_can_have(site, handler, args):
    """Dot segments are resolved by clients, a resource's other methods win over a parameter: a ValueError says so."""
    for name in handler.split("."):
        site = getattr(site, name)
    with pytest.raises(ValueError, match=r"No URL leads to|dot segments"):
        url_for(site, *args)


# The action of a form.


class Searching(App):
    class Pies(Resource):
        async def get(self, id: int): ...

        async def put(self, id: int, name: str): ...

    pies = Pies()

    async def index(self, q): ...

    async def search(self, q, page=1, *, sort):
        return [q, page, sort]

    async def below(self, shelf: Annotated[str, FromPath()], q): ...

    async def page(self):
        return self._redirect(form_action(self.search))

    @methods("POST")
    async def add(self, name): ...


@pytest.mark.parametrize(
    ("handler", "args", "action"),
    [
        (lambda app: app.search, (), "/search"),
        (lambda app: app.search, ("pie",), "/search/pie"),
        (lambda app: app.index, (), "/"),
        (lambda app: app.below, ("a/b",), "/below/a%2Fb"),
        (lambda app: app.add, (), "/add"),
        (lambda app: app.pies.get, (), "/pies"),
        (lambda app: app.pies.put, (7,), "/pies/7"),
        (lambda app: app.pies, (), "/pies"),
    ],
)
def test_the_action_of_a_form(handler, args, action):
    """Its fields are the parameters that are left out."""
    assert form_action(handler(Searching()), *args) == action


def test_a_form_is_answered_at_its_action():
    """The browser puts its fields into the query; the root path stands in front."""
    app = Searching()
    assert http(app, path=form_action(app.search), query="q=pie&sort=name").json() == ["pie", 1, "name"]
    assert wire(app, path="/site/page", scope={"root_path": "/site"}).headers["location"] == "/site/search"


@pytest.mark.parametrize(
    ("handler", "keywords", "message"),
    [
        (lambda app: app.below, {}, r"below needs 'shelf'"),
        (lambda app: app.search, {"page": 2}, "has 'page' in the query: put it into a hidden field"),
        (lambda app: app.search, {"nmae": 2}, "has no parameter 'nmae'"),
    ],
)
def test_what_no_action_can_have(handler, keywords, message):
    """A TypeError that says what is wrong."""
    with pytest.raises(TypeError, match=message):
        form_action(handler(Searching()), **keywords)


# Arguments are checked against the signature.


@pytest.mark.parametrize(
    ("handler", "args", "query", "message"),
    [
        ("pair", ("a",), {}, r"Site.pair needs 'second'. If that is not in the URL"),
        ("pair", (), {}, "needs 'first'"),
        ("keywords", (), {}, "needs 'a'"),
        ("keywords", (), {"a": None}, "needs 'a'"),
        ("greet", ("a", "b"), {}, "takes 1 path segment, 2 arguments were given"),
        ("greet", ("a",), {"name": "b"}, "got several values for 'name'"),
        ("greet", (), {"nmae": "b"}, "has no parameter 'nmae': declare it, or append the query yourself"),
        ("greet", (None,), {}, "can't have None in its path"),
        ("greet", (["a"],), {}, r"can't have \['a'\] in its path"),
        ("greet", (b"a",), {}, "are bytes: decode them first"),
        ("sources", (), {"token": "x"}, "takes 'token' from the header, which is no part of a URL"),
        ("sources", (), {"note": "x"}, "takes 'note' from the body"),
        ("sources", (), {"user": "x"}, "takes 'user' from the session"),
        ("blog", ("x",), {}, "of a controller takes no path"),
    ],
)
def test_arguments_that_the_handler_does_not_take(site, handler, args, query, message):
    """A TypeError that says what is wrong."""
    for name in handler.split("."):
        site = getattr(site, name)
    with pytest.raises(TypeError, match=message):
        url_for(site, *args, **query)


def test_what_comes_in_the_body_may_come_in_the_query(site):
    """A form's field binds from the query too."""
    assert url_for(site.save, text="x") == "/save?text=x"


# What is in no application.


async def lonely(name): ...


@pytest.mark.parametrize(
    "handler",
    [Blog().post, lonely, "blog.post", None, Blog, Site.greet, Mount(raw), Site.blog._hidden, raw],
    ids=str,
)
def test_what_no_application_has(handler):
    """A LookupError that says what to do."""
    with pytest.raises(LookupError, match=r"finds .* in no application.*class attribute of an App"):
        url_for(handler, 7)


def test_an_application_that_is_gone():
    """An application that nobody has any more has no URLs."""
    posts = Posts()

    class Gone(App):
        pass

    Gone.posts = posts  # type: ignore[attr-defined]
    app = Gone()
    assert url_for(posts.get, 7) == "/posts/7"
    del app
    gc.collect()
    with pytest.raises(LookupError):
        url_for(posts.get, 7)


def test_a_method_bound_at_run_time():
    """It has the URL of its name, unless that is private."""
    app = Site()

    async def hello(self, name): ...

    app.hello = app._hello = hello.__get__(app)  # type: ignore[attr-defined]
    assert url_for(app.hello, "x") == "/hello/x"  # type: ignore[attr-defined]
    app.other = app.hello  # type: ignore[attr-defined]
    del app.hello  # type: ignore[attr-defined]
    del app.other  # type: ignore[attr-defined]
    with pytest.raises(LookupError):
        url_for(app._hello, "x")  # type: ignore[attr-defined]


# Where the request is.


class Plain(Controller):
    """A controller of no other application here."""

    async def post(self, id, page=1): ...


class Answering(App):
    """Its handlers answer with URLs."""

    blog = Plain()
    files = Mount(raw)

    async def urls(self):
        return [url_for(self.urls), url_for(self.blog.post, 7), url_for(self.files, "x")]


@pytest.mark.parametrize(
    ("root", "path", "prefix"),
    [
        ("", "/urls", ""),
        ("/app", "/app/urls", "/app"),
        ("/app", "/urls", "/app"),
        ("/app/v1/", "/app/v1/urls", "/app/v1"),
        ("/a é", "/urls", "/a%20%C3%A9"),
        ("//evil.example", "/urls", "/evil.example"),
    ],
)
def test_the_root_path_stands_in_front(root, path, prefix):
    """The `root_path` of the current request, percent-encoded, never a host."""
    urls = wire(Answering(), path="/urls", scope={"root_path": root, "path": path}).json()
    assert urls == [f"{prefix}/urls", f"{prefix}/blog/post/7", f"{prefix}/files/x"]


class Below(App):
    shared = Plain()

    async def page(self): ...

    async def urls(self):
        return [url_for(self.page), url_for(self.shared.post, 7), url_for(Above.blog.post, 7), url_for(Site.files)]

    async def ws_urls(self, ws):
        await ws.accept()
        await ws.send_json(await self.urls())


class Above(App):
    below = Below()
    deeper = Below()
    blog = Plain()

    async def urls(self):
        below = type(self).below
        return [url_for(below), url_for(below, "a/b"), url_for(below.page), url_for(below.shared.post, 7)]


@pytest.mark.parametrize("root", ["", "/app"])
def test_urls_of_an_application_below(root):
    """From above its handlers are below its branch; from below they are too, and the handlers above are above."""
    app = Above()
    above = wire(app, path=f"{root}/urls", scope={"root_path": root}).json()
    assert above == [f"{root}/below", f"{root}/below/a/b", f"{root}/below/page", f"{root}/below/shared/post/7"]
    site = Site()
    below = wire(app, path=f"{root}/below/urls", scope={"root_path": root}).json()
    assert below[:3] == [f"{root}/below/page", f"{root}/below/shared/post/7", f"{root}/blog/post/7"]
    assert websocket(app, f"{root}/below/urls", scope={"root_path": root}).sent[0].count(f"{root}/below/") == 2  # type: ignore[arg-type]
    assert site is not None


class Sub(App):
    async def up(self):
        return [url_for(DEEP.first), url_for(DEEP.api.page), url_for(self.up)]


class DeepApi(Controller):
    sub = Sub()
    elsewhere = Mount(Sub(), path="v1/sub")

    async def page(self): ...


class Deep(App):
    api = DeepApi()

    async def first(self): ...


DEEP = Deep()


@pytest.mark.parametrize("root", ["", "/app"])
@pytest.mark.parametrize("path", ["/api/sub", "/api/v1/sub"])
def test_urls_of_an_application_below_a_controller(root, path):
    """From below the handlers above are where they are, however long the path is that leads to the application."""
    reply = wire(DEEP, path=f"{root}{path}/up", scope={"root_path": root})
    assert reply.json() == [f"{root}/first", f"{root}/api/page", f"{root}{path}/up"]


def test_outside_of_a_request_there_is_no_root_path():
    """The path alone; of an application that is a branch of another one, there."""
    app = Above()
    assert url_for(app.urls) == "/urls"
    assert url_for(Above.below.page) == "/below/page"


def test_a_controller_of_two_applications():
    """The URL is the one of the application that serves the request."""
    shared = Plain()

    async def urls(self):
        return url_for(shared.post, 7)

    async def ws_urls(self, ws):
        await ws.accept()
        await ws.send_text(url_for(shared.post, 7))

    first = type("First", (App,), {"one": shared, "urls": urls, "ws_urls": ws_urls})()
    second = type("Second", (App,), {"two": shared, "urls": urls, "ws_urls": ws_urls})()
    assert http(first, path="/urls").text == "/one/post/7"
    assert http(second, path="/urls").text == "/two/post/7"
    assert websocket(second, "/urls").sent == ["/two/post/7"]
    assert url_for(shared.post, 7) == "/one/post/7"


def test_a_controller_that_is_twice_in_one_application():
    """The first place counts."""
    twice = Plain()

    class Pages(App):
        one = twice
        two = twice

    app = Pages()
    assert url_for(Pages.two.post, 7) == "/one/post/7"
    assert app is not None


def test_in_a_hook():
    """Middleware may ask for URLs too."""

    class Login(HttpMiddleware):
        async def before_request(self, request):
            return {"status_code": 302, "body": "", "headers": [("Location", url_for(app.blog.post, 1))]}

    app = Answering()
    app.middlewares.append(Login())
    assert wire(app, path="/x/y", scope={"root_path": "/x"}).headers["location"] == "/x/blog/post/1"


# In templates.


@pytest.mark.needs("jinja2")
@pytest.mark.parametrize("wait", [False, True])
def test_in_a_template(tmp_path, wait):
    """`url_for` is a global of our environment, in both modes."""
    template = "{{ url_for(site.blog.post, 7, page=page) }}" + ("{{ later() }}" if wait else "")
    (tmp_path / "page.html").write_text(f'<a href="{template}">')

    class Pages(App):
        blog = Plain()

        async def index(self):
            async def later():
                return "&"

            return await self._render_template("page.html", site=self, page=2, later=later)

    text = wire(Pages(templates=str(tmp_path)), scope={"root_path": "/app"}).text
    assert text == '<a href="/app/blog/post/7?page=2{}">'.format("&amp;" if wait else "")


# Scheme and host.


class Mailing(App):
    below = Below()
    files = Mount(raw)

    async def urls(self, external: int = 1):
        return [
            url_for(one, external=bool(external))
            for one in (self.urls, type(self).below.page, type(self).below.shared, self.files, self.ws_chat)
        ]

    async def ws_chat(self, ws):
        await ws.accept()
        await ws.send_json(await self.urls())


PATHS = ["/urls", "/below/page", "/below/shared", "/files"]


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("http", "shop.example", "http://shop.example"),
        ("https", "Shop.Example:8443", "https://shop.example:8443"),
        ("https", "[::1]:8000", "https://[::1]:8000"),
        ("http", "xn--bcher-kva.example", "http://xn--bcher-kva.example"),
    ],
)
def test_an_external_url_has_scheme_and_host(scheme, host, origin):
    """Those of the current request; of a WebSocket's handler the scheme is that of WebSockets."""
    ws = origin.replace("http", "ws", 1)
    scope = {"scheme": scheme, "root_path": "/app", "path": "/app/urls"}
    reply = wire(Mailing(), path="/app/urls", scope=scope, headers=[("Host", host)])
    assert reply.json() == [*(f"{origin}/app{path}" for path in PATHS), f"{ws}/app/chat"]


def test_an_external_url_in_a_websocket():
    """Pages have the scheme of pages there."""
    session = websocket(Mailing(), "/chat", scope={"scheme": "wss"}, headers=[("Host", "shop.example")])
    assert json.loads(session.sent[0]) == [
        *(f"https://shop.example{path}" for path in PATHS),
        "wss://shop.example/chat",
    ]


def test_a_url_is_not_external_unless_it_is_to_be():
    """The keyword may say so."""
    assert wire(Mailing(), path="/urls", query="external=0").json() == [*PATHS, "/chat"]


@pytest.mark.parametrize(
    "host", ["", "evil.example/x", "user@evil.example", "a b", "evil.example#", "a:x", "b\xfccher.example"]
)
def test_a_host_that_is_none_makes_no_url(host):
    """The request is a bad one (RFC 9112 §3.2)."""
    reply = wire(Mailing(), path="/urls", headers=[("Host", host)])
    assert (reply.status_code, reply.text) == (400, "400 Bad Request: Bad Host")


def test_outside_of_a_request_there_is_no_host():
    """A LookupError says so."""
    with pytest.raises(LookupError, match="scheme and host from the current request, and there is none"):
        url_for(Mailing.files, external=True)


def test_applications_may_be_made_in_other_threads_meanwhile():
    """Outside of a request it looks through all applications, while others come."""

    class Site(App):
        async def page(self):
            return ""

    def make():
        while not is_over.is_set():
            sites.append(Site())

    sites, is_over, interval = [Site() for _ in range(50)], threading.Event(), sys.getswitchinterval()
    making = threading.Thread(target=make)
    sys.setswitchinterval(1e-6)
    try:
        making.start()
        assert {url_for(sites[0].page) for _ in range(200)} == {"/page"}
    finally:
        is_over.set()
        sys.setswitchinterval(interval)
        making.join()
