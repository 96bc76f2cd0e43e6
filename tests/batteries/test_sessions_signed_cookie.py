"""SignedCookieSessionBackend: the session is in the visitor's cookie."""

import base64
import json
import time

import pytest

from micropie import App
from micropie.sessions import SignedCookieSessionBackend
from micropie.testing import TestClient
from tests.client import http, run
from tests.wire import websocket

SECRET, NEW_SECRET = "0123456789abcdef" * 2, "fedcba9876543210" * 2
DAY = 24 * 3600


class Site(App):
    async def put(self, name, value):
        self.request.session[name] = value
        return "stored"

    async def drop(self, name):
        del self.request.session[name]
        return "deleted"

    async def rotate(self):
        self.request.session.rotate()
        return "rotated"

    async def logout(self):
        self.request.session.clear()
        return "ended"

    async def show(self):
        return dict(self.request.session)

    async def idle(self):
        return "idle"

    async def devices(self):
        return await self.request.session.backend.sessions_of("ann")

    async def end(self):
        return await self.request.session.backend.end_sessions("ann")

    async def ws_look(self, ws):
        await ws.accept()
        await ws.send_json(dict(self.request.session))

    async def ws_change(self, ws):
        await ws.accept()
        self.request.session["seen"] = "yes"

    async def ws_rotate(self, ws):
        await ws.accept()
        self.request.session.rotate()


def site(*secrets, **settings):
    return Site(SignedCookieSessionBackend(*(secrets or (SECRET,))), **settings)


def shown(app, cookie):
    return http(app, path="/show", cookies={"session_id": cookie}).json()


def cookie_with(app=None, **values):
    """The cookie of a visitor who has stored these values."""
    cookies: dict[str, str] = {}
    for name, value in values.items():
        cookies = http(app or site(), path=f"/put/{name}/{value}", cookies=cookies).cookies
    return cookies["session_id"]


def test_a_visit():
    """Values are stored, changed and deleted, whichever worker is asked; a log-out ends the session."""
    with TestClient(site()) as client:
        client.get("/put/user/ann")
        client.get("/put/role/admin")
        client.get("/drop/role")
        assert client.get("/show").json() == {"user": "ann"}
        before = client.cookies["session_id"]
        client.get("/rotate")
        assert client.get("/show").json() == {"user": "ann"}
        assert client.cookies["session_id"].split(".")[:2] != before.split(".")[:2]
        assert shown(site(), client.cookies["session_id"]) == {"user": "ann"}
        client.get("/logout")
        assert "session_id" not in client.cookies
        assert client.get("/show").json() == {}


def test_the_cookie_is_as_the_documentation_says():
    """The id, the expiry, JSON in base64, the signature."""
    first, second, expires, data, signature = cookie_with(user="ann").split(".")
    assert (len(first), len(second), len(signature)) == (24, 8, 43)
    assert abs(int(second, 16) - time.time()) < 10
    assert abs(int(expires, 16) - time.time() - 8 * 3600) < 10
    assert json.loads(base64.urlsafe_b64decode(data + "==")) == {"user": "ann"}


def test_no_character_of_a_cookie_can_be_changed():
    """Nor left out, nor added: all of it is signed."""
    app, cookie = site(), cookie_with(user="ann")
    forged = [
        cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :] for place in range(len(cookie))
    ]
    forged += [cookie[:place] + cookie[place + 1 :] for place in range(len(cookie))]
    forged += [
        cookie + "A",
        cookie + ".",
        "." + cookie,
        cookie + "." + cookie,
        cookie.upper(),
        cookie + "=",
        cookie + "é",
    ]
    assert [shown(app, one) for one in forged] == [{}] * len(forged)
    assert shown(app, cookie) == {"user": "ann"}


@pytest.mark.parametrize("value", ["", ".", "....", "a", "a.b.c.d.e", "1" * 5000, "0123456789abcdef0123456789abcdef"])
def test_what_is_no_cookie_of_ours_is_a_stranger(value):
    """Whatever it is."""
    assert shown(site(), value) == {}


def test_another_secret_is_another_application():
    """Its cookies are worth nothing here."""
    assert shown(site(NEW_SECRET), cookie_with(user="ann")) == {}


def test_secrets_rotate():
    """Cookies that are signed with an old one are accepted, and signed anew with the next reply."""
    old = cookie_with(user="ann")
    app = site(NEW_SECRET, SECRET)
    answer = http(app, path="/idle", cookies={"session_id": old})
    assert shown(site(NEW_SECRET), answer.cookies["session_id"]) == {"user": "ann"}
    assert http(app, path="/idle", cookies=answer.cookies).cookies == {}


@pytest.mark.parametrize("secret", ["", "secret", b"x" * 31])
def test_a_secret_that_can_be_guessed_is_refused(secret):
    """With a command that makes a better one."""
    with pytest.raises(ValueError, match=r"can be guessed, at least 32 are wanted.*secrets\.token_hex"):
        SignedCookieSessionBackend(secret)
    with pytest.raises(ValueError, match="can be guessed"):
        SignedCookieSessionBackend(SECRET, secret)


def test_a_cookie_expires():
    """Its expiry is inside, where the visitor can't change it; emptied ones are none."""

    async def main():
        backend = SignedCookieSessionBackend(SECRET)
        cookies = [await backend.save("a" * 24 + ".ffffffff", {"n": 1}, seconds) for seconds in (0, 60)]
        assert await backend.save("a" * 24 + ".ffffffff", {}, 0) is None
        return [await backend.load(cookie or "") for cookie in cookies]

    assert run(main()) == [{}, {"n": 1}]


@pytest.mark.parametrize(
    ("timeout", "path", "is_set"),
    [(DAY, "/idle", False), (DAY, "/show", False), (10 * DAY, "/idle", True), (DAY // 10, "/idle", True)],
)
def test_the_expiry_is_pushed_when_it_is_worth_it(timeout, path, is_set):
    """By the cookie of any reply, once a twentieth of the time has passed: replies that set one can't be cached.

    Or the application has another timeout by now.
    """
    cookie = cookie_with(site(session_timeout=DAY), user="ann")
    answer = http(site(session_timeout=timeout), path=path, cookies={"session_id": cookie})
    assert ("session_id" in answer.cookies) is is_set


def test_a_session_ends_with_its_lifetime_however_busy_it_is():
    """The id says when it began, also in a cookie that has been renewed since."""

    async def aged(seconds):
        made_at = f"{int(time.time()) - seconds:08x}"
        return await SignedCookieSessionBackend(SECRET).save(f"{'a' * 24}.{made_at}", {"user": "ann"}, 3600)

    old, young = run(aged(2 * DAY)), run(aged(DAY // 2))
    app = site(session_lifetime=DAY)
    young = http(app, path="/put/role/admin", cookies={"session_id": young}).cookies["session_id"]
    assert shown(app, old) == {}
    assert shown(app, young) == {"user": "ann", "role": "admin"}
    assert young.startswith("a" * 24)


def test_a_cookie_that_browsers_would_not_keep_is_a_clear_error(caplog):
    """In the log, with what to do; what was stored before stays."""
    cookie = cookie_with(user="ann")
    answer = http(site(), path="/put/text/" + "x" * 4000, cookies={"session_id": cookie})
    assert answer.status_code == 500
    assert "bytes, browsers keep 4,096: store less in the session" in caplog.text
    assert answer.cookies == {}
    assert (
        len(http(site(), path="/put/text/" + "x" * 2800, cookies={"session_id": cookie}).headers["set-cookie"]) < 4096
    )


def test_sessions_in_cookies_are_not_listed():
    """It is said where they would be."""
    with TestClient(site()) as client:
        for path in ("/devices", "/end"):
            with pytest.raises(NotImplementedError, match="keep them on a server"):
                client.get(path)


def test_a_socket_can_read_the_session():
    """It has no reply that could change it."""
    sent = websocket(site(), "/look", cookies={"session_id": cookie_with(user="ann")})
    assert sent.sent == ['{"user":"ann"}']
    assert sent.close == (1000, "")


@pytest.mark.parametrize(("path", "known"), [("/change", True), ("/change", False), ("/rotate", True)])
def test_a_socket_that_changes_the_session_is_told(path, known, caplog):
    """It closes with a failure, and the log says why."""
    sent = websocket(site(), path, cookies={"session_id": cookie_with(user="ann")} if known else None)
    assert sent.close == (1011, "Internal server error")
    assert "A WebSocket can't change a session that is kept in its cookie" in caplog.text


def test_an_update_of_a_cookie_that_is_not_ours():
    """It makes no session of what somebody has made up."""
    backend = SignedCookieSessionBackend(SECRET)
    assert run(backend.update("1.2.ffffffff.e30.signature", {"user": "ann"}, [], DAY)) is None


def test_an_update_that_leaves_nothing():
    """There is no cookie for an empty session."""
    cookie = cookie_with(user="ann")
    assert run(SignedCookieSessionBackend(SECRET).update(cookie, {}, ["user"], DAY)) is None
