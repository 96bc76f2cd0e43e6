"""CORS: what preflights and replies say to browsers that ask for a page of another site."""

from typing import Any

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Mount, methods
from micropie.middleware import CORSMiddleware
from tests.client import http
from tests.wire import websocket, wire

FRIEND, STRANGER = "https://friend.example", "https://stranger.example"
VARY_PREFLIGHT = ["Access-Control-Request-Method, Access-Control-Request-Headers", "Origin"]


async def foreign(scope, receive, send):
    """Another ASGI application."""
    if scope["path"].endswith("/own"):
        headers = [(b"access-control-allow-origin", b"https://own.example")]
    else:
        headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"foreign"})


class Members(Controller):
    async def _before(self):
        raise HTTPError(401)

    async def index(self):
        return "members"


class Site(App):
    members = Members()
    files = Mount(foreign)

    async def index(self):
        return "index"

    async def json(self):
        return {"a": 1}

    @methods("POST")
    async def post(self):
        return "posted"

    async def number(self, n: int):
        return n

    async def fails(self):
        raise RuntimeError("secret")

    async def stream(self):
        yield "a"
        yield "b"

    async def broken_stream(self):
        raise HTTPError(410)
        yield "a"

    async def own(self):
        return 200, "own", [("access-control-allow-origin", "https://own.example")]

    async def ws_index(self, ws):
        await ws.accept()


def site(*arguments, **keywords):
    app = Site()
    app.middlewares.append(CORSMiddleware(*arguments, **keywords))
    return app


def cors(answer):
    """What a reply says of CORS, and on what it depends; that an error's form depends on `Accept` is another matter."""
    names = {"vary", *(name for name in answer.headers if name.startswith("access-control-"))}
    found = {name: [value for value in answer.headers.get_list(name) if value != "Accept"] for name in sorted(names)}
    return {name: values for name, values in found.items() if values}


def ask(app, path="/", origin=FRIEND, method="GET", **keywords):
    return http(app, method, path, headers=[("Origin", origin)] if origin else [], **keywords)


def preflight(app, path="/", origin=FRIEND, method="GET", headers=(), **more):
    asked = [("Origin", origin), ("Access-Control-Request-Method", method), *headers]
    return http(app, "OPTIONS", path, headers=asked, **more)


# Replies


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/json", 200),
        ("/nowhere", 404),
        ("/post", 405),
        ("/number/x", 400),
        ("/fails", 500),
        ("/members", 401),
        ("/stream", 200),
        ("/broken_stream", 410),
        ("/files/x", 200),
    ],
)
def test_every_reply_says_who_may_read_it(path, status):
    """Pages, errors, streams and mounted applications' replies name the site that asks, and depend on it."""
    answer = ask(site([FRIEND]), path)
    assert (answer.status_code, cors(answer)) == (status, {"access-control-allow-origin": [FRIEND], "vary": ["Origin"]})


@pytest.mark.parametrize(
    "origin", [STRANGER, None, "null", "https://friend.example.evil.example", "http://friend.example"]
)
@pytest.mark.parametrize("path", ["/", "/files/x"])
def test_nobody_else_may(path, origin):
    """For others, and for those who name no origin, a reply only says that it depends on that."""
    assert cors(ask(site([FRIEND]), path, origin)) == {"vary": ["Origin"]}


@pytest.mark.parametrize("path", ["/", "/files/x"])
def test_an_origin_that_no_reply_could_repeat(path):
    """What is not printable no browser sends: it is nobody's friend, whatever the expression matches."""
    app = site(allow_origin_regex="https://.*")
    assert cors(wire(app, path=path, headers=[("origin", "https://a\x01.example")])) == {"vary": ["Origin"]}


def test_all_sites():
    """With `*` every reply says so, also to those who name no origin, and depends on nothing."""
    app = site("*", expose_headers=["X-Total"])
    expected = {"access-control-allow-origin": ["*"], "access-control-expose-headers": ["X-Total"]}
    assert [cors(ask(app, origin=origin)) for origin in (STRANGER, None)] == [expected, expected]


def test_credentials_and_exposed_headers():
    """Who may ask with cookies is told so, and what scripts may read."""
    app = site([FRIEND], allow_credentials=True, expose_headers=["X-Total", "ETag"])
    assert cors(ask(app)) == {
        "access-control-allow-credentials": ["true"],
        "access-control-allow-origin": [FRIEND],
        "access-control-expose-headers": ["X-Total, ETag"],
        "vary": ["Origin"],
    }
    assert cors(ask(app, origin=STRANGER)) == {"vary": ["Origin"]}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.friend.example", True),
        ("https://a.friend.example.evil.example", False),
        ("xhttps://a.friend.example", False),
        ("https://friend.example", False),
        ("https://other.example", True),
    ],
)
def test_a_pattern_has_to_match_the_whole_origin(origin, allowed):
    """`allow_origin_regex` is beside the list, and matches from the beginning to the end."""
    app = site(["https://other.example"], allow_origin_regex=r"https://[a-z]+\.friend\.example")
    assert cors(ask(app, origin=origin)).get("access-control-allow-origin") == ([origin] if allowed else None)


@pytest.mark.parametrize(
    ("named", "sent"),
    [
        ("HTTPS://Friend.Example", "https://friend.example"),
        ("https://friend.example:443", "https://friend.example"),
        ("http://friend.example:8080", "http://friend.example:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("null", "null"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins_as_browsers_send_them(named, sent):
    """However an origin is written, it is compared in the form that browsers send."""
    assert cors(ask(site([named]), origin=sent))["access-control-allow-origin"] == [sent]


@pytest.mark.parametrize("path", ["/own", "/files/own"])
def test_a_reply_may_have_its_own_say(path):
    """A reply that says itself who may read it is left alone: two such headers would be none."""
    assert cors(ask(site([FRIEND]), path)) == {"access-control-allow-origin": ["https://own.example"]}


def test_other_hooks_may_append_in_any_shape():
    """Headers that other hooks have appended as bytes or lists are understood."""

    class Appends(HttpMiddleware):
        def after_request(self, request, status_code, response_body, extra_headers):
            extra_headers += [[b"X-A", b"1"], (b"Access-Control-Allow-Origin", b"*")]

    app = site([FRIEND])
    app.middlewares.insert(0, Appends())
    assert cors(ask(app)) == {"access-control-allow-origin": ["*"]}


# Preflights


def test_a_preflight_is_answered():
    """A preflight is told the verbs, the headers and how long that holds."""
    answer = preflight(site([FRIEND]), method="PUT", headers=[("Access-Control-Request-Headers", "content-type")])
    assert (answer.status_code, answer.content) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-headers": ["Accept, Accept-Language, Content-Language, Content-Type"],
        "access-control-allow-methods": ["DELETE, GET, HEAD, PATCH, POST, PUT"],
        "access-control-allow-origin": [FRIEND],
        "access-control-max-age": ["600"],
        "vary": VARY_PREFLIGHT,
    }


@pytest.mark.parametrize("path", ["/", "/post", "/members", "/nowhere", "/files/x", "/number/x"])
def test_a_preflight_is_answered_in_front_of_everything(path):
    """Guards, verbs, mounts and paths that lead nowhere don't see it: it has no cookies, and must be answered well."""
    answer = preflight(site([FRIEND]), path, method="POST")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, FRIEND)


def test_a_stranger_is_told_nothing():
    """A preflight of another site is answered without any permission."""
    answer = preflight(site([FRIEND], allow_credentials=True), origin=STRANGER)
    assert (answer.status_code, cors(answer)) == (204, {"vary": VARY_PREFLIGHT})


def test_settings_of_a_preflight():
    """Verbs, headers and age are settings; a verb may be written small."""
    app = site(
        [FRIEND], allow_methods=["get", "QUERY"], allow_headers=["Authorization"], max_age=5, allow_credentials=True
    )
    found = cors(preflight(app))
    assert found["access-control-allow-methods"] == ["GET, QUERY"]
    assert found["access-control-allow-headers"] == [
        "Accept, Accept-Language, Content-Language, Content-Type, Authorization"
    ]
    assert (found["access-control-max-age"], found["access-control-allow-credentials"]) == (["5"], ["true"])


def test_any_header():
    """`allow_headers="*"` allows those that are asked for, by name, so with credentials too."""
    app = site([FRIEND], allow_headers="*", allow_credentials=True)
    asked = [("Access-Control-Request-Headers", "x-a,x-b")]
    assert cors(preflight(app, headers=asked))["access-control-allow-headers"] == ["x-a,x-b"]
    assert cors(preflight(app))["access-control-allow-headers"] == [
        "Accept, Accept-Language, Content-Language, Content-Type"
    ]


@pytest.mark.parametrize(
    ("allowed", "asked", "told"),
    [(True, "true", ["true"]), (True, "false", None), (True, None, None), (False, "true", None)],
)
def test_private_networks(allowed, asked, told):
    """A public site may ask an application in a private network if it is allowed, and asks for it."""
    headers = [] if asked is None else [("Access-Control-Request-Private-Network", asked)]
    answer = preflight(site([FRIEND], allow_private_network=allowed), headers=headers)
    assert cors(answer).get("access-control-allow-private-network") == told


@pytest.mark.parametrize(
    "headers", [[], [("Origin", FRIEND)], [("Access-Control-Request-Method", "POST")]], ids=["bare", "origin", "method"]
)
def test_other_options_requests_are_the_applications(headers):
    """OPTIONS is a preflight only with an origin and the verb that it is for."""
    answer = http(site([FRIEND]), "OPTIONS", "/post", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (204, "OPTIONS, POST")


def test_a_websocket_is_left_alone():
    """CORS is none of a WebSocket's business."""
    assert websocket(site([FRIEND]), headers=[("origin", STRANGER)]).accepted


# Settings


@pytest.mark.parametrize("setting", ["allow_origins", "allow_methods", "expose_headers"])
def test_all_with_credentials_is_refused(setting):
    """`*` is no wildcard where requests have credentials, and nobody wants every site to have the visitors' cookies."""
    settings: Any = {"allow_origins": [FRIEND], setting: "*", "allow_credentials": True}
    with pytest.raises(ValueError, match=f"{setting}='\\*', allow_credentials=True"):
        CORSMiddleware(**settings)


@pytest.mark.parametrize(
    "origins",
    [["friend.example"], ["https://friend.example/path"], ["https://"], ["https://a b"], ["https://*.friend.example"]],
)
def test_what_is_no_origin_is_refused(origins):
    """An origin is scheme and host, maybe a port."""
    with pytest.raises(ValueError, match="is no origin: scheme and host are"):
        CORSMiddleware(origins)


def test_no_sites_are_refused():
    """Who names no site gets told how."""
    with pytest.raises(ValueError, match="name the sites"):
        CORSMiddleware()
