"""`micropie.auth`: guards that ask for the header `Authorization`."""

import base64
import logging
import threading
from functools import partial
from typing import Annotated, Any, get_args

import pytest

from micropie import App, Controller, HTTPError, Mount
from micropie.auth import BasicAuth, BearerAuth, same_secret
from micropie.testing import TestClient, WebSocketRefused
from tests.batteries.documented import document
from tests.client import http

BASIC = 'Basic realm="Members only", charset="UTF-8"'
BEARER = 'Bearer realm="Members only"'


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def check_password(name, password):
    return {"name": name} if (name, password) in {("ann", "pie"), ("änn", "p:ï🥧"), ("", "")} else None


def check_token(token):
    return token if token in ("abc.DEF-1_~+/==", "other") else None


class Admin(Controller):
    _before = BasicAuth(check_password)

    async def index(self):
        return self.request.state.user

    async def save(self, text):
        return text

    async def ws_log(self, ws):
        await ws.accept()
        await ws.send_json(self.request.state.user)


class Api(Controller):
    def __init__(self, tokens):
        self._tokens = tokens

    async def _check(self, token):
        return self._tokens.get(token)

    _before = BearerAuth(_check, realm='the "pie" \\ api')

    async def index(self):
        return self.request.state.user


async def other(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"mounted"})


class Deep(Admin):
    files = Mount(other)
    below = Controller()


class Site(App):
    admin = Admin()
    api = Api({"abc": "ann"})
    deep = Deep()

    async def index(self):
        return "open"


def test_a_controller_is_guarded():
    """All of it, its mounts and 404s too, and nothing else."""
    for path in ("/admin", "/admin/save?text=x", "/admin/nothing", "/deep/files/x", "/deep/below"):
        answer = http(Site(), path=path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, BASIC)
        assert answer.text == "401 Unauthorized"
    assert http(Site()).text == "open"
    assert http(Site(), path="/admin", headers=basic("ann", "pie")).json() == {"name": "ann"}
    assert http(Site(), path="/deep/files/x", headers=basic("ann", "pie")).text == "mounted"


@pytest.mark.parametrize(("name", "password"), [("änn", "p:ï🥧"), ("", "")])
def test_names_and_passwords_are_utf_8(name, password):
    """RFC 7617 §2.1: the password may have colons; both may be empty, if the check says so."""
    assert http(Site(), path="/admin", headers=basic(name, password)).json() == {"name": name}


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YW5uOnBpZQ",  # without its padding
        "Basic YW5uOnBpZQ== x",
        "Basic YW5uOnBpZQ==, Basic YW5uOnBpZQ==",
        "Basic " + base64.b64encode(b"annpie").decode(),
        "Basic " + base64.b64encode("änn:p:ï".encode("latin-1")).decode(),
        "Basic " + base64.b64encode(b"ann:pie\0").decode(),
        "Basic " + base64.b64encode(b"ann\r\nfake log line:pie").decode(),
        "Basic " + base64.b64encode(b"ann:wrong").decode(),
        "Bearer YW5uOnBpZQ==",
        "BasicYW5uOnBpZQ==",
        "Digest username=ann",
        "",
    ],
)
def test_what_are_no_credentials_is_refused(value):
    """Whatever is wrong with them."""
    answer = http(Site(), path="/admin", headers={"Authorization": value})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, BASIC)


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
def test_the_scheme_is_written_as_one_likes(scheme):
    """RFC 9110 §11.1; several spaces may follow it."""
    assert http(Site(), path="/admin", headers={"Authorization": f"{scheme} YW5uOnBpZQ=="}).status_code == 200


def test_a_method_can_be_the_check():
    """It has the controller, and so what that was made with; the challenge says what is wrong (RFC 6750 §3)."""
    realm = r'Bearer realm="the \"pie\" \\ api"'
    assert http(Site(), path="/api", headers=bearer("abc")).text == "ann"
    assert http(Site(), path="/api").headers["www-authenticate"] == realm
    for wrong in ("abcd", "", "a b", "é", "abc,", 'abc"', "abc=x"):
        answer = http(Site(), path="/api", headers=bearer(wrong))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, f'{realm}, error="invalid_token"')


def test_a_plain_check_runs_in_a_thread():
    """So that it may block; False refuses, and what it raises answers."""
    threads = []

    def check(token):
        threads.append(threading.current_thread())
        if token == "blocked":
            raise HTTPError(403, "Blocked")
        return token == "pie"

    class Guarded(Controller):
        _before = BearerAuth(check)

        async def index(self):
            return self.request.state.user

    class Pies(App):
        pies = Guarded()

    assert http(Pies(), path="/pies", headers=bearer("pie")).json() is True
    assert http(Pies(), path="/pies", headers=bearer("no")).status_code == 401
    assert http(Pies(), path="/pies", headers=bearer("blocked")).text == "403 Forbidden: Blocked"
    assert threading.main_thread() not in threads


def test_a_guard_of_ones_own_may_ask_for_more():
    """It calls the other."""
    members = BearerAuth(check_token)

    class Bakers(Controller):
        async def _before(self):
            await members()
            if self.request.state.user != "other":
                raise HTTPError(403)

        async def index(self):
            return "bakers"

    class Pies(App):
        bakers = Bakers()

    assert http(Pies(), path="/bakers").status_code == 401
    assert http(Pies(), path="/bakers", headers=bearer("abc.DEF-1_~+/==")).status_code == 403
    assert http(Pies(), path="/bakers", headers=bearer("other")).text == "bakers"


def test_a_subclass_may_ask_for_more():
    """It calls the guard that it inherits, which is an attribute of the class."""

    class Cooks(Api):
        async def _before(self):
            await super()._before()
            self.request.state.user += " the cook"

    class Pies(App):
        cooks = Cooks({"abc": "ann"})

    assert http(Pies(), path="/cooks").status_code == 401
    assert http(Pies(), path="/cooks", headers=bearer("abc")).text == "ann the cook"
    assert isinstance(Api._before, BearerAuth)


def guarded_app(**settings: Any) -> App:
    app = Site()
    app.middlewares.append(BearerAuth(check_token, **settings))
    return app


def test_a_whole_application_is_guarded():
    """As a middleware: before the route is known or a body is read."""
    answer = http(guarded_app(), path="/nothing", method="POST", json={})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, BEARER)
    assert http(guarded_app(), headers=bearer("other")).text == "open"
    assert http(guarded_app(), path="/nothing", headers=bearer("other")).status_code == 404


def test_a_stranger_may_come_where_it_is_optional():
    """As None; with wrong credentials nobody may."""

    class Shop(App):
        async def index(self):
            return str(self.request.state.user)

    shop = Shop()
    shop.middlewares.append(BearerAuth(check_token, optional=True))
    assert http(shop).text == "None"
    assert http(shop, headers=basic("ann", "pie")).text == "None"
    assert http(shop, headers=bearer("other")).text == "other"
    assert http(shop, headers=bearer("wrong")).status_code == 401


@pytest.mark.parametrize("realm", ["", "Café", "a\r\nSet-Cookie: x=y"])
def test_a_realm_is_ascii(realm):
    """What else it says would read in many ways, or as another header."""
    with pytest.raises(ValueError, match="printable ASCII"):
        BasicAuth(check_password, realm=realm)


@pytest.mark.parametrize("path", ["/admin/log", "/log"])
def test_a_websocket_is_guarded(path):
    """By the controller's guard and by a middleware: refused before it is accepted."""

    class Chat(Site):
        async def ws_log(self, ws):
            await ws.accept()
            await ws.send_json(self.request.state.user)

    app = Chat()
    if path == "/log":
        app.middlewares.append(BasicAuth(check_password))
    with TestClient(app) as client:
        with pytest.raises(WebSocketRefused, match="401 Unauthorized"), client.websocket(path):
            pass
        with client.websocket(path, headers=basic("ann", "pie")) as ws:
            assert ws.receive_json() == {"name": "ann"}


class User:
    def __init__(self, name: str) -> None:
        self.name = name


async def find_user(token: str) -> User | None:
    return User("ann") if same_secret(token, "abc") else None


CurrentUser = Annotated[User, BearerAuth(find_user)]
AnyUser = Annotated[User | None, BearerAuth(find_user, optional=True)]


class Typed(App):
    async def me(self, user: CurrentUser):
        return user.name

    async def maybe(self, user: AnyUser):
        return "stranger" if user is None else user.name

    async def ws_me(self, ws, user: CurrentUser):
        await ws.accept()
        await ws.send_text(user.name)


def test_a_handler_asks_for_the_user():
    """By an annotation; a client can't be one by a value of that name."""
    assert http(Typed(), path="/me", headers=bearer("abc")).text == "ann"
    for path in ("/me", "/me?user=ann", "/me/ann"):
        assert http(Typed(), path=path).status_code in (401, 404, 500)
    assert http(Typed(), path="/me?user=ann").headers["www-authenticate"] == BEARER
    assert http(Typed(), path="/maybe").text == "stranger"
    assert http(Typed(), path="/maybe", headers=bearer("abc")).text == "ann"
    assert http(Typed(), path="/maybe", headers=bearer("x")).status_code == 401
    with TestClient(Typed()) as client, client.websocket("/me", headers=bearer("abc")) as ws:
        assert ws.receive_text() == "ann"


def test_a_test_says_who_the_user_is():
    """By the guard itself, which is the provider, or the annotation that it stands in."""
    _, auth = get_args(CurrentUser)
    for named in (auth, CurrentUser):
        with TestClient(Typed(), provide={named: User("bob")}) as client:
            assert client.get("/me").text == "bob"


def test_guards_are_in_the_document():
    """Those of controllers, of applications and of handlers; who may come as a stranger has an alternative."""
    made = document(Site())
    assert made["components"]["securitySchemes"] == {
        "basic": {"type": "http", "scheme": "basic"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    assert made["paths"]["/admin"]["get"]["security"] == [{"basic": []}]
    assert "401" in made["paths"]["/api"]["get"]["responses"]
    assert "security" not in made["paths"]["/"]["get"]
    assert made["x-websockets"][0]["security"] == [{"basic": []}]
    whole = document(guarded_app(name="token"))
    assert whole["paths"]["/"]["get"]["security"] == [{"token": []}]
    assert whole["paths"]["/admin"]["get"]["security"] == [{"token": [], "basic": []}]
    assert whole["x-websockets"][0]["security"] == [{"token": [], "basic": []}]
    typed = document(Typed())
    assert typed["paths"]["/me"]["get"]["security"] == [{"bearer": []}]
    assert typed["paths"]["/maybe"]["get"]["security"] == [{"bearer": []}, {}]


def test_credentials_are_in_no_log_and_on_no_page(caplog):
    """Neither when they are wrong, nor when the check fails, nor on the page of development mode."""

    async def failing(name, password):
        raise RuntimeError("the database is away")

    class Guarded(Controller):
        _before = BasicAuth(failing)

        async def index(self):
            return "never"

    class Pies(App):
        pies = Guarded()
        admin = Admin()

    app = Pies(debug=True)
    app.middlewares.append(BearerAuth(check_token, optional=True))
    caplog.set_level(logging.DEBUG)
    headers = {**basic("ann", "extraordinary"), "Accept": "text/html"}
    encoded = headers["Authorization"].split()[1]
    with TestClient(app, client=("127.0.0.1", 1), base_url="http://localhost", raise_exceptions=False) as c:
        failed, refused = c.get("/pies", headers=headers), c.get("/admin", headers=headers)
        token = c.get("/admin", headers=bearer("extraordinary"))
    assert (failed.status_code, refused.status_code, token.status_code) == (500, 401, 401)
    assert "the database is away" in failed.text
    for text in (failed.text, refused.text, token.text, caplog.text):
        assert "extraordinary" not in text
        assert encoded not in text


class Checking:
    """A check that is an object."""

    async def __call__(self, token):
        return await check_token_slowly(token)


async def check_token_slowly(token):
    return check_token(token)


@pytest.mark.parametrize(
    "check",
    [
        check_token_slowly,
        lambda token: check_token_slowly(str(token)),
        Checking(),
        partial(check_token_slowly),
        check_token,
    ],
    ids=["async", "lambda", "object", "partial", "plain"],
)
def test_a_check_is_asked_however_it_is_written(check):
    """What a lambda, or an object, has to await says who it is; a coroutine is nobody."""

    class Tokens(Controller):
        _before = BearerAuth(check)

        async def index(self):
            return self.request.state.user

    class Guarded(App):
        tokens = Tokens()

    assert http(Guarded(), path="/tokens", headers=bearer("other")).text == "other"
    assert http(Guarded(), path="/tokens", headers=bearer("wrong")).status_code == 401
