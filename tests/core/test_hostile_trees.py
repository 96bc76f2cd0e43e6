"""Paths, verbs and bodies that are meant to get past a tree's guards, or to break it."""

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Mount, Resource
from tests.client import http
from tests.wire import websocket, wire

REFUSED = "401 Unauthorized"


class Secrets(Resource):
    async def get(self, id="all"):
        return f"SECRET {id}"

    async def list_all(self):
        return "SECRET list"

    async def _internal(self):
        return "SECRET internal"

    async def ws_watch(self, ws):
        await ws.accept()
        await ws.send_text("SECRET")


async def teller(scope, receive, send):
    """Tell a secret."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"SECRET"})


class Inner(App):
    async def index(self, *path):
        return "SECRET inner"


class Vault(Controller):
    secrets = Secrets()
    raw = Mount(teller)
    old_raw = Mount(teller, path="/a/b")
    inner = Inner()
    _hidden = Secrets()

    async def _before(self):
        raise HTTPError(401)

    async def index(self, *path):
        return "SECRET index"

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text("SECRET")


class Site(App):
    vault = Vault()

    async def public(self, *path):
        return list(path)


BELOW = [
    "",
    "/",
    "//",
    "/index",
    "/secrets",
    "/secrets/",
    "/secrets//",
    "/secrets/1",
    "/secrets/list-all",
    "/secrets/list_all",
    "/secrets/_internal",
    "/secrets/get",
    "/-hidden/x",
    "/_hidden",
    "/raw",
    "/raw/x",
    "/a/b",
    "/a/b/c",
    "/inner",
    "/inner/x",
    "/nothing/at/all",
    "/..",
    "/../public",
    "/%2e%2e/public",
    "/secrets%2F1",
    "/%2Fsecrets",
    "/%00",
    "/__class__",
    "/ws_index",
]


@pytest.mark.parametrize("path", BELOW)
@pytest.mark.parametrize("verb", ["GET", "HEAD", "OPTIONS", "POST", "BREW"])
def test_nothing_gets_past_a_guard(path, verb):
    """Whatever stands below, or does not, is refused alike."""
    answer = http(Site(), verb, f"/vault{path}")
    assert (answer.status_code, answer.text) == (401, "" if verb == "HEAD" else REFUSED)
    assert answer.headers.get("allow") is None


@pytest.mark.parametrize("path", BELOW)
def test_no_websocket_gets_past_a_guard(path):
    """The same for WebSockets."""
    dialogue = websocket(Site(), f"/vault{path}")
    assert (dialogue.accepted, dialogue.close) == (False, (1008, REFUSED))


@pytest.mark.parametrize(
    "path",
    [
        "//vault/secrets",
        "/vault%2Fsecrets",
        "/vault%2fsecrets",
        "/%2Fvault/secrets",
        "/./vault/secrets",
        "/../vault/secrets",
        "/Vault/secrets",
        "/vault;x/secrets",
        "/vault%00/secrets",
        "/vault%20/secrets",
        "/vault\\secrets",
        "/index/vault/secrets",
        "/_vault/secrets",
    ],
)
def test_no_other_spelling_leads_in(path):
    """What is not the branch's name, segment by segment, is not the branch."""
    answer = http(Site(), path=path)
    assert answer.status_code == 404
    assert "SECRET" not in answer.text


def test_encoded_names_are_the_names():
    """A percent-encoded name is the same name, guard included."""
    assert http(Site(), path="/%76ault/secrets").text == REFUSED
    assert http(Site(), path="/vault/%73ecrets").text == REFUSED


@pytest.mark.parametrize("path", ["/public/../vault/secrets", "/public/%2e%2e/vault/secrets", "/public/..%2fvault"])
def test_dot_segments_are_no_way_around(path):
    """They are text, as everywhere in a path: nothing is resolved."""
    answer = http(Site(), path=path)
    assert answer.status_code == 200
    assert ".." in answer.json()[0]


def test_invalid_utf8_below_a_branch():
    """It is a 400 as everywhere, and nothing is called."""
    assert http(Site(), path="/vault/%FF").status_code == 400


def test_a_changed_path_is_guarded():
    """A before hook that changes the path leads into the guard, not around it."""

    class Rewriting(HttpMiddleware):
        async def before_request(self, request):
            request.scope["path"] = "/vault/secrets/1"

    app = Site()
    app.middlewares.append(Rewriting())
    assert http(app, path="/public").text == REFUSED


def test_a_very_long_path():
    """Ten thousand segments cost no stack."""
    assert http(Site(), path="/vault" + "/secrets" * 10_000).text == REFUSED
    assert http(Site(), path="/public" + "/x" * 10_000).status_code == 200


def test_a_stale_raw_path_is_no_way_in():
    """When `path` is another one than `raw_path`, it alone counts."""
    scope = {"path": "/vault/secrets", "raw_path": b"/public"}
    assert wire(Site(), scope=scope).text == REFUSED
    scope = {"path": "/public", "raw_path": b"/vault/secrets"}
    assert wire(Site(), scope=scope).json() == []


@pytest.mark.parametrize("method", ["get", "GeT", "GET ", "__init__", "\u0130", ""])
def test_odd_verbs_of_a_resource(method):
    """A verb is looked up as it is, in a dict that the class made."""

    class Open(App):
        secrets = Secrets()

    answer = wire(Open(), "GET", "/secrets/1", scope={"method": method})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_deep_tree():
    """Fifty levels are found."""
    branch: Controller = Secrets()
    for _ in range(50):
        branch = type("Level", (Controller,), {"down": branch})()
    app = type("Deep", (App,), {"down": branch})()
    assert http(app, path="/down" * 51 + "/7").text == "SECRET 7"
    assert http(app, path="/down" * 40).status_code == 404


def test_a_body_for_a_mount_is_not_kept():
    """What is sent to a mount that reads nothing is not read at all."""
    read = []

    def parts():
        for number in range(1000):
            read.append(number)
            yield b"x" * 65536

    class Open(App):
        raw = Mount(teller)

    assert wire(Open(), "POST", "/raw", body=parts()).text == "SECRET"
    assert len(read) <= 2
