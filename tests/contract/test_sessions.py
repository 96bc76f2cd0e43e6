"""Sessions: BEHAVIOUR.md, points 29 to 33, and "Session Backend Abstraction" of the README."""

import inspect
import logging
import re

import pytest

from micropie import (
    SESSION_TIMEOUT,
    App,
    HTTPError,
    HttpMiddleware,
    InMemorySessionBackend,
    Session,
    SessionBackend,
)
from tests.client import http, run
from tests.wire import awire, wire

FAILED = (500, b"500 Internal Server Error")
LOCAL = {"host": "localhost:8000", "client": ("127.0.0.1", 5000)}


class Site(App):
    async def index(self):
        return "index"

    async def look(self):
        return dict(self.request.session)

    async def put(self, key, value):
        self.request.session[key] = value
        return "ok"

    async def drop(self, key):
        del self.request.session[key]
        return "ok"

    async def clear(self):
        self.request.session.clear()
        return "ok"

    async def assign(self, key, value):
        self.request.session = {key: value}
        return "ok"

    async def assign_empty(self):
        self.request.session = {}
        return "ok"

    async def push(self, value):
        self.request.session.setdefault("list", []).append(value)
        return "ok"

    async def deep(self, value):
        self.request.session["deep"]["x"]["y"] = value
        return "ok"

    async def make_deep(self):
        self.request.session["deep"] = {"x": {"y": 0}}
        return "ok"

    async def same(self):
        self.request.session["user"] = self.request.session["user"]
        return "ok"

    async def login(self):
        self.request.session["user"] = "alice"
        self.request.session.rotate()  # type: ignore[attr-defined, unused-ignore]
        return "ok"

    async def regenerate(self):
        self.request.regenerate_session()
        return "ok"

    async def fails(self):
        self.request.session["failed"] = True
        raise RuntimeError("secret")

    async def refuses(self):
        self.request.session["refused"] = True
        raise HTTPError(403)

    async def stream(self):
        yield "a"
        self.request.session["late"] = True
        yield "b"

    async def cached(self):
        self.request.session["x"] = 1
        return 200, "ok", [("Cache-Control", "no-store"), ("Vary", "Accept")]


class Recorder(SessionBackend):
    """A backend that notes its calls."""

    def __init__(self, **sessions):
        self.stored = dict(sessions)
        self.calls = []

    async def load(self, session_id):
        self.calls.append(("load", session_id))
        return dict(self.stored.get(session_id) or {})

    async def save(self, session_id, data, timeout):
        self.calls.append(("save", session_id, data, timeout))
        self.stored[session_id] = data


class Toucher(Recorder):
    """One that can push the expiry."""

    async def touch(self, session_id, timeout):
        self.calls.append(("touch", session_id, timeout))


def cookie(answer):
    """The session id that a reply sets."""
    return answer.cookies["session_id"]


def with_id(session_id):
    return {"cookies": {"session_id": session_id}}


def visited(**keywords):
    """An application, its backend, and the id of a session with `{"user": "alice"}`."""
    backend = InMemorySessionBackend()
    app = Site(backend, **keywords)
    return app, backend, cookie(http(app, path="/put/user/alice"))


def stored(app, session_id):
    """What the next request of this client sees."""
    return wire(app, path="/look", **with_id(session_id)).json()


# 29. Loading and saving.


def test_29_the_cookie_is_session_id():
    """A changed session sets the cookie `session_id`, and the next request has the data."""
    app, _, session_id = visited()
    assert stored(app, session_id) == {"user": "alice"}


def test_29_the_readmes_example():
    """Visits are counted for each client."""

    class Visits(App):
        async def index(self):
            if "visits" not in self.request.session:
                self.request.session["visits"] = 1
            else:
                self.request.session["visits"] += 1
            return f"You have visited {self.request.session['visits']} times."

    app = Visits()
    first = http(app)
    assert first.text == "You have visited 1 times."
    again = wire(app, **with_id(cookie(first)))
    assert again.text == "You have visited 2 times."
    assert wire(app, **with_id(cookie(first))).text == "You have visited 3 times."
    assert http(app).text == "You have visited 1 times."


def test_29_no_cookie_no_load():
    """Without a cookie the session is empty and the backend is not asked."""
    backend = Recorder()
    assert http(Site(backend), path="/look").json() == {}
    assert backend.calls == []


def test_29_an_unused_session_sets_no_cookie():
    """Nothing in the session, no cookie, nothing saved."""
    backend = Recorder()
    answer = http(Site(backend), path="/look")
    assert (answer.headers.get("set-cookie"), backend.calls) == (None, [])


def test_29_a_known_session_sets_no_new_cookie():
    """The client has it already."""
    app, _, session_id = visited()
    assert wire(app, path="/put/a/1", **with_id(session_id)).headers.get("set-cookie") is None
    assert stored(app, session_id) == {"user": "alice", "a": "1"}


def test_29_the_backend_sees_plain_dicts():
    """`save(id, data, timeout)` gets a dict, not our subclass."""
    backend = Recorder()
    session_id = cookie(http(Site(backend), path="/put/user/alice"))
    assert backend.calls == [("save", session_id, {"user": "alice"}, 28800)]
    assert type(backend.calls[0][2]) is dict


def test_29_load_gets_the_cookies_id():
    """`load(id)` gets the id."""
    backend = Recorder(known={"a": 1})
    assert wire(Site(backend), path="/look", **with_id("known")).json() == {"a": 1}
    assert backend.calls[0] == ("load", "known")


@pytest.mark.parametrize("nothing", [None, {}])
def test_29_empty_or_none_from_load_means_unknown(nothing):
    """The session is empty, and a change gets a fresh id."""

    class Empty(Recorder):
        async def load(self, session_id):
            return nothing

    answer = wire(Site(Empty()), path="/put/a/1", **with_id("gone"))
    assert (answer.status_code, cookie(answer) != "gone") == (200, True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/put/a/1", {"user": "alice", "a": "1"}),
        ("/put/user/bob", {"user": "bob"}),
        ("/assign/b/2", {"b": "2"}),
        ("/push/x", {"user": "alice", "list": ["x"]}),
    ],
)
def test_29_a_changed_session_is_saved(path, expected):
    """Setting, replacing and nesting are saved."""
    app, _, session_id = visited()
    wire(app, path=path, **with_id(session_id))
    assert stored(app, session_id) == expected


def test_29_a_removed_key_is_saved():
    """Removing one of two is a change."""
    app, _, session_id = visited()
    wire(app, path="/put/a/1", **with_id(session_id))
    wire(app, path="/drop/user", **with_id(session_id))
    assert stored(app, session_id) == {"a": "1"}


def test_29_values_mutated_in_place_are_saved():
    """Appending to a list of the session is a change."""
    app, _, session_id = visited()
    for value in "xyz":
        wire(app, path=f"/push/{value}", **with_id(session_id))
    assert stored(app, session_id) == {"user": "alice", "list": ["x", "y", "z"]}


def test_29_deep_changes_are_saved():
    """However deep the change is."""
    app, _, session_id = visited()
    wire(app, path="/make_deep", **with_id(session_id))
    wire(app, path="/deep/9", **with_id(session_id))
    assert stored(app, session_id)["deep"] == {"x": {"y": "9"}}


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ("1", 1), ([1], [True]), ([1], (1,))])
def test_29_a_change_of_type_is_a_change(before, after):
    """Values that compare equal may still differ."""
    backend = Toucher(known={"v": before})

    class Changing(App):
        async def index(self):
            self.request.session["v"] = after
            return "ok"

    wire(Changing(backend), **with_id("known"))
    assert [type(call[2]["v"]) for call in backend.calls if call[0] == "save"] == [type(after)]


@pytest.mark.parametrize("path", ["/look", "/index", "/same", "/nothing"])
def test_29_an_unchanged_session_is_touched(path):
    """Its expiry is pushed by `touch(id, timeout)`, and nothing is written."""
    backend = Toucher(known={"user": "alice"})
    wire(Site(backend), path=path, **with_id("known"))
    assert backend.calls == [("load", "known"), ("touch", "known", 28800)]


def test_29_a_backend_without_touch_saves():
    """Without `touch` an unchanged session is saved as it is stored by then."""
    backend = Recorder(known={"user": "alice"})
    wire(Site(backend), path="/look", **with_id("known"))
    assert backend.calls == [("load", "known"), ("load", "known"), ("save", "known", {"user": "alice"}, 28800)]


def test_29_a_changed_session_is_not_touched():
    """One call is enough."""
    backend = Toucher(known={"user": "alice"})
    wire(Site(backend), path="/put/a/1", **with_id("known"))
    assert [call[0] for call in backend.calls] == ["load", "load", "save"]


@pytest.mark.parametrize("path", ["/clear", "/drop/user", "/assign_empty"])
def test_29_an_emptied_session_is_deleted(path):
    """`save(id, {}, 0)` deletes it, and the cookie expires."""
    backend = Recorder(known={"user": "alice"})
    answer = wire(Site(backend), path=path, **with_id("known"))
    assert backend.calls[1:] == [("save", "known", {}, 0)]
    assert answer.headers["set-cookie"] == "session_id=; Path=/; SameSite=Lax; HttpOnly; Secure; Max-Age=0"


def test_29_a_deleted_session_is_gone():
    """The old cookie is worth nothing."""
    app, backend, session_id = visited()
    wire(app, path="/clear", **with_id(session_id))
    assert (stored(app, session_id), backend.sessions) == ({}, {})


def test_29_saved_after_the_after_hooks():
    """A change of an after hook is saved."""

    class Late(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            request.session["late"] = True

    backend = Recorder()
    app = Site(backend)
    app.middlewares.append(Late())
    assert "session_id" in http(app, path="/nothing").cookies
    assert backend.calls[0][2] == {"late": True}


def test_29_saved_before_the_reply_starts():
    """When the client has the reply, the session is there."""
    order = []

    class Slow(Recorder):
        async def save(self, session_id, data, timeout):
            order.append("save")

    class Sending(Site):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            order.append("send")
            await super()._send_response(send, status_code, body, extra_headers)

    http(Sending(Slow()), path="/put/a/1")
    assert order == ["save", "send"]


def test_29_changes_made_while_streaming_are_not_saved():
    """The head is on the wire by then."""
    backend = Recorder(known={"user": "alice"})
    assert wire(Site(backend), path="/stream", **with_id("known")).content == b"ab"
    assert backend.stored == {"known": {"user": "alice"}}


def test_29_an_exception_saves_nothing():
    """A failed handler's changes are lost, and the expiry stays."""
    backend = Toucher(known={"user": "alice"})
    wire(Site(backend), path="/fails", **with_id("known"))
    assert backend.calls == [("load", "known")]


def test_29_http_error_saves():
    """A refusal's changes are kept."""
    backend = Toucher(known={"user": "alice"})
    wire(Site(backend), path="/refuses", **with_id("known"))
    assert backend.stored["known"] == {"user": "alice", "refused": True}


def test_29_session_timeout_reaches_the_backend():
    """`session_timeout=` is what `save` gets."""
    backend = Recorder()
    http(Site(backend, session_timeout=60), path="/put/a/1")
    assert backend.calls[0][3] == 60


def test_29_assigning_the_session_keeps_its_id():
    """`request.session = {…}` replaces the data, not the session."""
    app, backend, session_id = visited()
    wire(app, path="/assign/b/2", **with_id(session_id))
    assert list(backend.sessions) == [session_id]


def test_29_a_session_that_is_assigned_to_itself_keeps_its_data():
    """`request.session = request.session` changes nothing."""

    class Same(App):
        async def index(self):
            self.request.session = self.request.session
            return dict(self.request.session)

    assert wire(Same(Recorder(known={"a": 1})), **with_id("known")).json() == {"a": 1}


# 30. Ids.


def test_30_ids_are_long_and_fresh():
    """Each client gets another id with at least 128 bits, 22 characters of base64."""
    app = Site()
    ids = {cookie(http(app, path="/put/a/1")) for _ in range(50)}
    assert len(ids) == 50
    assert min(map(len, ids)) >= 22
    assert all(re.fullmatch(r"[\w.~-]+", session_id) for session_id in ids)


def test_30_an_unknown_id_is_never_adopted():
    """A planted id is not used for the client's data."""
    app = Site()
    answer = wire(app, path="/put/user/alice", **with_id("planted-by-somebody-else"))
    assert cookie(answer) != "planted-by-somebody-else"
    assert stored(app, "planted-by-somebody-else") == {}


def test_30_an_expired_id_is_not_adopted():
    """Nor an expired one."""
    app, backend, session_id = visited()
    backend.last_access[session_id] = 0
    assert cookie(wire(app, path="/put/a/1", **with_id(session_id))) != session_id


def test_30_a_logged_out_id_is_not_adopted():
    """Nor one whose session was emptied."""
    app, _, session_id = visited()
    wire(app, path="/clear", **with_id(session_id))
    assert cookie(wire(app, path="/put/a/1", **with_id(session_id))) != session_id


@pytest.mark.parametrize(
    "session_id", ["", "a b", "x" * 129, "x" * 100_000, "../etc/passwd", "a\\b", "é", '"', "a,b", "<x>", "{}", "a%00"]
)
def test_30_an_impossible_id_never_reaches_the_backend(session_id):
    """The backend is not asked for an id that none would make."""
    backend = Recorder()
    http(Site(backend), path="/look", headers=[("Cookie", f"session_id={session_id}")])
    assert backend.calls == []


def test_30_rotate_gives_a_fresh_id_and_drops_the_old_one():
    """After `rotate()` the client has another id; the old one is worthless, the data are kept."""
    app, backend, session_id = visited()
    fresh = cookie(wire(app, path="/login", **with_id(session_id)))
    assert fresh != session_id
    assert (stored(app, fresh), stored(app, session_id)) == ({"user": "alice"}, {})
    assert list(backend.sessions) == [fresh]


def test_30_rotate_saves_an_unchanged_session():
    """Rotating alone is a change."""
    app, _, session_id = visited()
    fresh = cookie(wire(app, path="/regenerate", **with_id(session_id)))
    assert (fresh != session_id, stored(app, fresh)) == (True, {"user": "alice"})


def test_30_regenerate_session_is_an_alias():
    """`request.regenerate_session()` deletes the old id from the backend too."""
    backend = Recorder(known={"user": "alice"})
    fresh = cookie(wire(Site(backend), path="/regenerate", **with_id("known")))
    assert ("save", "known", {}, 0) in backend.calls
    assert ("save", fresh, {"user": "alice"}, 28800) in backend.calls


def test_30_rotate_of_a_new_session():
    """A session without an id yet just gets one."""
    app = Site()
    session_id = cookie(http(app, path="/login"))
    assert stored(app, session_id) == {"user": "alice"}


def test_30_rotate_of_an_empty_session_sets_no_cookie():
    """There is nothing to keep."""
    backend = Recorder()
    answer = http(Site(backend), path="/regenerate")
    assert (answer.status_code, answer.headers.get("set-cookie"), backend.calls) == (200, None, [])


# 31. The cookie.


def test_31_the_cookies_attributes():
    """`Path=/; SameSite=Lax; HttpOnly; Secure`, in this order."""
    answer = http(Site(), path="/put/a/1")
    assert answer.headers["set-cookie"] == f"session_id={cookie(answer)}; Path=/; SameSite=Lax; HttpOnly; Secure"


def is_secure(secure="auto", scheme="http", **keywords):
    line = wire(Site(session_cookie_secure=secure), path="/put/a/1", scope={"scheme": scheme}, **keywords).headers.get(
        "set-cookie"
    )
    assert line is not None
    return "Secure" in line.split("; ")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_31_secure_is_left_out_for_loopback(host, peer):
    """Plain HTTP where both peer and `Host` are loopback: development works."""
    assert not is_secure(host=host, client=(peer, 5000))


@pytest.mark.parametrize(
    "keywords",
    [
        {"host": "example.org", "client": ("127.0.0.1", 5000)},
        {"host": "localhost", "client": ("203.0.113.7", 5000)},
        {"host": "localhost.example.org", "client": ("127.0.0.1", 5000)},
        {"host": "127.0.0.1.example.org", "client": ("127.0.0.1", 5000)},
        {"host": "localhost", "client": None},
        {"host": None, "client": ("127.0.0.1", 5000)},
        {"host": "", "client": ("127.0.0.1", 5000)},
        {"host": "example.org:8000", "client": ("203.0.113.7", 5000)},
    ],
)
def test_31_secure_stays_for_everything_else(keywords):
    """Either of the two elsewhere, and the cookie is Secure."""
    assert is_secure(**keywords)


def test_31_secure_stays_for_a_host_that_only_begins_like_loopback():
    """`127.evil.example` is a name, no loopback address."""
    assert is_secure(host="127.evil.example", client=("127.0.0.1", 5000))


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"]
)
def test_31_secure_stays_behind_a_proxy(header):
    """A forwarding header means that the client is elsewhere."""
    assert is_secure(headers=[(header, "x")], **LOCAL)


def test_31_secure_stays_for_https():
    """HTTPS is secure, on loopback too."""
    assert is_secure(scheme="https", **LOCAL)


def test_31_true_and_false_force_it():
    """`session_cookie_secure=True` and `False` decide alone."""
    assert is_secure(True, **LOCAL)
    assert not is_secure(False)
    assert not is_secure(False, scheme="https")


def test_31_a_reply_with_the_cookie_is_private():
    """It says `Cache-Control: private` and `Vary: Cookie`."""
    answer = http(Site(), path="/put/a/1")
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private", "Cookie")


def test_31_a_reply_without_the_cookie_says_nothing():
    """Other replies are left alone."""
    answer = http(Site())
    assert (answer.headers.get("cache-control"), answer.headers.get("vary")) == (None, None)


def test_31_the_handlers_cache_control_stays():
    """A handler's own Cache-Control wins; Cookie is added to its Vary."""
    answer = http(Site(), path="/cached")
    assert answer.headers["cache-control"] == "no-store"
    vary = {field.strip() for line in answer.headers.get_list("vary") for field in line.split(",")}
    assert vary == {"Accept", "Cookie"}


def test_31_a_handlers_own_cookies_stay():
    """Ours is one more."""

    class Own(App):
        async def index(self):
            self.request.session["x"] = 1
            return 200, "ok", [("Set-Cookie", "theme=dark"), ("Set-Cookie", "lang=en")]

    answer = http(Own())
    assert answer.headers.get_list("set-cookie")[:2] == ["theme=dark", "lang=en"]
    assert list(answer.cookies) == ["theme", "lang", "session_id"]


@pytest.mark.parametrize("vary", ["Cookie", "accept, cookie", "*"])
def test_31_vary_that_says_so_already_stays(vary):
    """`Cookie` does not stand twice, and `*` says everything."""

    class Varying(App):
        async def index(self):
            self.request.session["x"] = 1
            return 200, "ok", [("Vary", vary)]

    assert http(Varying()).headers["vary"] == vary


def test_31_the_expired_cookie_is_private_too():
    """A reply that deletes the cookie sets it as well."""
    app, _, session_id = visited()
    assert wire(app, path="/clear", **with_id(session_id)).headers["cache-control"] == "private"


def test_31_a_stream_may_set_the_cookie():
    """Changes made before the stream starts are saved and set."""

    class Streaming(App):
        async def index(self):
            self.request.session["x"] = 1

            async def chunks():
                yield "a"

            return chunks()

    assert "session_id" in http(Streaming()).cookies


# 32. InMemorySessionBackend and cookies.


def test_32_attributes():
    """`sessions` and `last_access` start empty."""
    backend = InMemorySessionBackend()
    assert (backend.sessions, backend.last_access) == ({}, {})


def test_32_save_and_load():
    """What is saved is loaded."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save("a", {"x": [1]}, 60)
        return await backend.load("a"), await backend.load("b"), backend.sessions

    assert run(main()) == ({"x": [1]}, {}, {"a": {"x": [1]}})


def test_32_save_of_nothing_deletes():
    """`save(id, {}, 0)` deletes."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save("a", {"x": 1}, 60)
        await backend.save("a", {}, 0)
        return dict(backend.sessions), dict(backend.last_access), await backend.load("a")

    assert run(main()) == ({}, {}, {})


def test_32_last_access_0_expires():
    """`last_access[id] = 0` expires a session."""
    app, backend, session_id = visited()
    backend.last_access[session_id] = 0
    assert stored(app, session_id) == {}
    assert session_id not in backend.sessions


def test_32_each_sessions_own_timeout_is_honoured():
    """A session with a short timeout ends before one with a long one."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save("short", {"x": 1}, 10)
        await backend.save("long", {"x": 1}, 10_000)
        for session_id in ("short", "long"):
            backend.last_access[session_id] -= 100
        return await backend.load("short"), await backend.load("long")

    assert run(main()) == ({}, {"x": 1})


def test_32_the_clean_up_is_amortised():
    """Expired sessions go while others come; nobody has to ask for them."""

    async def main():
        backend = InMemorySessionBackend()
        for number in range(100):
            await backend.save(f"old{number}", {"x": 1}, 10)
            backend.last_access[f"old{number}"] = 0
        for number in range(100):
            await backend.save(f"new{number}", {"x": 1}, 10)
        return set(backend.sessions), set(backend.last_access)

    new = {f"new{number}" for number in range(100)}
    assert run(main()) == (new, new)


def test_32_a_request_keeps_a_session_alive():
    """Reading pushes the expiry."""
    app, backend, session_id = visited()
    backend.last_access[session_id] -= 1000
    before = backend.last_access[session_id]
    stored(app, session_id)
    assert backend.last_access[session_id] > before


def test_32_requests_never_share_a_dict():
    """What `load` gives and what `save` got are copies, deep ones."""

    async def main():
        backend = InMemorySessionBackend()
        data = {"list": [1]}
        await backend.save("a", data, 60)
        data["list"].append(2)
        first, second = await backend.load("a"), await backend.load("a")
        first["list"].append(3)
        return second, await backend.load("a")

    assert run(main()) == ({"list": [1]}, {"list": [1]})


def test_32_concurrent_requests_see_no_half_made_changes():
    """A request under way does not show its changes to another."""

    async def main():
        backend = InMemorySessionBackend()
        await backend.save("known", {"list": []}, 60)

        class Racing(App):
            async def change(self):
                self.request.session["list"].append("x")
                other = await awire(self, path="/look", **with_id("known"))
                return other.json()

            async def look(self):
                return dict(self.request.session)

        return (await awire(Racing(backend), path="/change", **with_id("known"))).json()

    assert run(main()) == {"list": []}


class Cookies(App):
    async def index(self):
        return self._parse_cookies(self.request.headers.get("cookie", ""))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ('a="quoted"', {"a": "quoted"}),
        ('a="with space"; b=1', {"a": "with space", "b": "1"}),
        ("a=", {"a": ""}),
        ("", {}),
        ("novalue", {}),
        ("novalue; a=1", {"a": "1"}),
        (" a = 1 ", {"a": "1"}),
        (";;a=1;;", {"a": "1"}),
        ('a="', {"a": '"'}),
        ("a=1,2", {"a": "1,2"}),
        ("a[b]=1", {"a[b]": "1"}),
    ],
)
def test_32_parse_cookies(header, expected):
    """Cookies are split at `;`, the first `=` splits, quotes are removed."""
    assert App()._parse_cookies(header) == expected


def test_32_several_cookie_headers_are_joined():
    """HTTP/2 splits cookies over headers; the session is found in any."""
    app, _, session_id = visited()
    headers = [("Cookie", "a=1"), ("Cookie", f"session_id={session_id}"), ("Cookie", "b=2")]
    assert http(app, path="/look", headers=headers).json() == {"user": "alice"}


def test_32_a_strange_cookie_beside_ours_does_not_hide_it():
    """A malformed cookie of somebody else costs nobody the session."""
    app, _, session_id = visited()
    headers = [("Cookie", f'weird[]={{"a":1}}; =; x; session_id="{session_id}"; é=ü')]
    assert http(app, path="/look", headers=headers).json() == {"user": "alice"}


def test_32_a_cookie_that_only_ends_in_our_name_is_not_ours():
    """`my_session_id` is another cookie."""
    app, _, session_id = visited()
    assert http(app, path="/look", headers=[("Cookie", f"my_session_id={session_id}")]).json() == {}


# 33. A backend that raises.


class Broken(Recorder):
    def __init__(self, where):
        super().__init__(known={"user": "alice"})
        self.where = where

    async def load(self, session_id):
        if self.where == "load":
            raise ConnectionError("secret")
        return await super().load(session_id)

    async def save(self, session_id, data, timeout):
        if self.where == "save":
            raise ConnectionError("secret")
        await super().save(session_id, data, timeout)


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("load", "/look"),
        ("load", "/index"),
        ("save", "/put/a/1"),
        ("save", "/clear"),
        ("save", "/stream"),
        ("save", "/look"),
    ],
)
def test_33_a_backend_that_raises_is_500(where, path, caplog):
    """Nothing hangs, nothing leaks; one log line."""
    answer = wire(Site(Broken(where)), path=path, **with_id("known"))
    assert (answer.status_code, answer.content, answer.headers.get("set-cookie")) == (*FAILED, None)
    assert "secret" not in str(answer.headers.multi_items())
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_33_a_stream_that_is_not_sent_is_closed():
    """When saving fails, the stream behind the reply is closed."""
    closed = []

    class Streaming(App):
        async def index(self):
            self.request.session["x"] = 1

            async def chunks():
                try:
                    yield "a"
                    yield "b"
                finally:
                    closed.append(True)

            stream = chunks()
            await anext(stream)
            return stream

    assert http(Streaming(Broken("save"))).status_code == 500
    assert closed == [True]


# README: the classes.


def test_session_timeout_is_eight_hours():
    """`SESSION_TIMEOUT` is 28800 seconds."""
    assert SESSION_TIMEOUT == 28800


@pytest.mark.parametrize("cls", [SessionBackend, InMemorySessionBackend])
@pytest.mark.parametrize(
    ("name", "parameters"), [("load", ["self", "session_id"]), ("save", ["self", "session_id", "data", "timeout"])]
)
def test_backends_keep_their_signatures(cls, name, parameters):
    """`load(session_id)` and `save(session_id, data, timeout)` are coroutine functions."""
    function = getattr(cls, name)
    assert list(inspect.signature(function).parameters) == parameters
    assert inspect.iscoroutinefunction(function)


def test_session_backend_is_abstract():
    """It cannot be used without its two methods."""
    with pytest.raises(TypeError):
        SessionBackend()  # type: ignore[abstract]


def test_in_memory_backend_is_a_session_backend():
    """The default is a `SessionBackend`."""
    assert issubclass(InMemorySessionBackend, SessionBackend)


def test_the_backend_is_the_first_argument():
    """`App(backend)` and `App(session_backend=backend)` are the same."""
    backends = [Recorder(), Recorder()]
    http(Site(backends[0]), path="/put/a/1")
    http(Site(session_backend=backends[1]), path="/put/a/1")
    assert [len(backend.calls) for backend in backends] == [1, 1]


def test_a_falsy_backend_is_used():
    """A backend with a length of 0 is a backend."""

    class Sized(Recorder):
        def __len__(self):
            return 0

    backend = Sized()
    http(Site(backend), path="/put/a/1")
    assert len(backend.calls) == 1


def test_applications_have_backends_of_their_own():
    """Two applications don't share sessions by default."""
    first, second = Site(), Site()
    session_id = cookie(http(first, path="/put/a/1"))
    assert stored(second, session_id) == {}


def test_session_is_a_dict():
    """A Session can be made, compared and copied like a dict."""
    session = Session({"a": 1})
    assert (session, dict(session), session | {"b": 2}) == ({"a": 1}, {"a": 1}, {"a": 1, "b": 2})


@pytest.mark.parametrize("stored", [{}, {"id-of-ann": {"user": "ann"}}])
def test_the_dict_of_the_memory_may_be_another_one(stored):
    """A test begins with none, or with sessions of its own: these are found, and so are those to come."""
    backend = InMemorySessionBackend()
    app = Site(backend)
    backend.sessions = stored
    first = dict(stored)
    known = http(app, path="/look", headers={"Cookie": "session_id=id-of-ann"}).json()
    given = cookie(http(app, path="/put/user/bob"))
    assert known == (first.get("id-of-ann", {}))
    assert http(app, path="/look", headers={"Cookie": f"session_id={given}"}).json() == {"user": "bob"}
