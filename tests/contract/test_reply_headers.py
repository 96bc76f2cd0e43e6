"""`reply_headers`: headers that a middleware adds to every reply, made once."""

from typing import Any

import pytest

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, Mount, Reply, ReplyHeaders
from tests.client import http
from tests.wire import wire

SERVED_BY = ReplyHeaders({"X-Served-By": "us"})


async def foreign(scope, receive, send):
    """Another ASGI application."""
    own = [(b"x-served-by", b"them"), (b"vary", b"Accept")] if scope["path"].endswith("/own") else []
    await send({"type": "http.response.start", "status": 200, "headers": own})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"foreign"})


class Site(App):
    files = Mount(foreign)

    async def index(self):
        return "index"

    async def json(self):
        return {"a": 1}

    async def visit(self):
        self.request.session["visited"] = True
        return "visited"

    async def own(self):
        return 200, "own", [("x-served-by", "me"), ("Vary", "Accept")]

    async def made(self):
        return Reply(201, "made", [("X-Made", "1")])

    async def refused(self):
        raise HTTPError(403)

    async def fails(self):
        raise RuntimeError("secret")

    async def half(self):
        return "half a character: \ud83d"

    async def stream(self):
        yield "a"
        yield "b"


class Adds(HttpMiddleware):
    """Adds these headers."""

    def __init__(self, headers: ReplyHeaders | None = SERVED_BY) -> None:
        self.headers = headers

    def reply_headers(self, request):
        return self.headers


class Looks(HttpMiddleware):
    """Keeps the headers that its hooks have seen."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def after_request(self, request, status_code, response_body, extra_headers):
        self.seen.append([name for name, _ in extra_headers if name != "Content-Type"])


class Sees(HttpMiddleware):
    """Keeps the headers of replies as they go out."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def before_sending(self, request, status_code, response_body, headers):
        self.seen.append([name for name, _ in headers])


class Answers(HttpMiddleware):
    """Answers in the handler's place."""

    def before_request(self, request):
        return {"body": "short"}


def site(*middlewares):
    app = Site(debug=False)
    app.middlewares += middlewares
    return app


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200), ("/json", 200), ("/visit", 200), ("/made", 201), ("/stream", 200),
        ("/refused", 403), ("/fails", 500), ("/nowhere", 404), ("/files/x", 200),
    ],
)  # fmt: skip
def test_every_reply_has_them(path, status, method):
    """Texts, JSON, pages with a session, streams, errors and mounted applications' replies have them, once."""
    answer = http(site(Adds()), method, path)
    assert (answer.status_code, answer.headers.get_list("x-served-by")) == (status, ["us"])


@pytest.mark.parametrize("path", ["/own", "/files/own"])
def test_a_replys_own_header_wins_and_vary_says_both(path):
    """What the reply says itself goes out once, and `Vary` names all that the reply depends on."""
    answer = http(site(Adds(ReplyHeaders([*SERVED_BY.pairs, ("vary", "Origin"), ("X-More", "1")]))), path=path)
    assert answer.headers["x-served-by"] in ("me", "them")
    assert len(answer.headers.get_list("x-served-by")) == 1
    assert (answer.headers.get_list("vary"), answer.headers["x-more"]) == (["Accept", "Origin"], "1")


@pytest.mark.parametrize("path", ["/own", "/files/own"])
def test_none_goes_out_unless(path):
    """A reply that has the header of `unless` gets none of the others."""
    app = site(Adds(ReplyHeaders({"X-More": "1"}, unless="X-Served-By")))
    assert "x-more" not in http(app, path=path).headers
    assert http(app).headers["x-more"] == "1"


def test_the_first_of_several_wins():
    """Of middlewares that add the same header the first in the list counts; others of theirs are added up."""
    app = site(Adds(), Adds(None), Adds(ReplyHeaders([("X-Served-By", "others"), ("X-More", "1")])))
    for path in ("/", "/", "/made"):
        headers = http(app, path=path).headers
        assert (headers["x-served-by"], headers["x-more"]) == ("us", "1")


def test_a_middleware_may_have_none_for_a_request():
    """None adds nothing."""
    app = site(Adds(None), Looks(), Adds(None))
    assert [http(app, path=path).text for path in ("/", "/made", "/files/x")] == ["index", "made", "foreign"]


def test_a_middleware_may_leave_it_to_its_base():
    """The base adds nothing."""

    class AddsToJSON(HttpMiddleware):
        def reply_headers(self, request):
            return SERVED_BY if request.scope["path"] == "/json" else super().reply_headers(request)

    app = site(AddsToJSON())
    assert ["x-served-by" in http(app, path=path).headers for path in ("/json", "/", "/made")] == [True, False, False]


def test_hooks_behind_it_see_the_headers():
    """They are there for the after hooks that come later in the list, and for the hooks that see what goes out."""
    before, behind, sees = Looks(), Looks(), Sees()
    http(site(before, Adds(), behind, sees))
    assert (before.seen, behind.seen, sees.seen) == ([[]], [["X-Served-By"]], [["X-Served-By"]])


def test_a_middleware_that_is_not_reached_adds_nothing():
    """As its after hook, so its headers: who answers in front of it answers alone."""
    assert "x-served-by" not in http(site(Answers(), Adds())).headers
    assert http(site(Adds(), Answers())).headers["x-served-by"] == "us"


def test_headers_of_a_cached_reply_stay_private():
    """A session's cookie and `Cache-Control` stand beside them, and the next visitor has none of that."""
    app = site(Adds())
    visited = http(app, path="/visit").headers
    assert visited["set-cookie"].startswith("session_id=")
    assert (visited["cache-control"], visited["x-served-by"]) == ("private", "us")
    assert {"set-cookie", "cache-control"}.isdisjoint(http(app).headers)
    assert [*SERVED_BY.pairs] == [("X-Served-By", "us")]


def test_cache_control_of_a_middleware_counts():
    """A page with a session has the `Cache-Control` that a middleware adds."""
    assert http(site(Adds(ReplyHeaders({"Cache-Control": "no-store"}))), path="/visit").headers["cache-control"] == (
        "no-store"
    )


@pytest.mark.parametrize("path", ["/", "/made", "/stream"])
def test_a_hook_that_fails_is_a_bare_500(path, caplog):
    """As when an after hook fails: one log record, and nothing of the reply."""

    class Fails(HttpMiddleware):
        def reply_headers(self, request):
            raise RuntimeError("in the hook")

    answer = http(site(Fails()), path=path)
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error")
    assert [str(record.exc_info[1]) for record in caplog.records] == ["in the hook"]


class Broken(InMemorySessionBackend):
    """Saves nothing."""

    async def save(self, session_id, data, timeout):
        raise ConnectionError("secret")


class FailsAfter(HttpMiddleware):
    """Fails with the reply."""

    def after_request(self, request, status_code, response_body, extra_headers):
        raise RuntimeError("in the hook")


class FailsToAdd(HttpMiddleware):
    """Has no headers, and says so by failing."""

    def reply_headers(self, request):
        raise RuntimeError("in the hook")


class SendsNothing(Site):
    """Has a way of its own to send replies, which fails."""

    async def _send_response(self, send, status_code, body, extra_headers=None):
        raise RuntimeError("not sent")


@pytest.mark.parametrize(
    ("app", "path"),
    [
        (Site(debug=False), "/half"),
        (Site(Broken(), debug=False), "/visit"),
        (SendsNothing(debug=False), "/"),
        (SendsNothing(debug=False), "/stream"),
    ],
    ids=["half a character", "an unsaved session", "a way of its own", "a stream in its own way"],
)
def test_a_reply_that_fails_behind_the_hooks_has_them(app, path):
    """Whatever goes wrong with it at last: a bare 500 is a reply, too."""
    app.middlewares += [Adds(), Adds(ReplyHeaders([("X-Served-By", "others"), ("Vary", "Origin")]))]
    for method in ("GET", "HEAD"):
        answer = http(app, method, path)
        assert (answer.status_code, answer.headers.get_list("x-served-by")) == (500, ["us"])
        assert "Origin" in answer.headers.get_list("vary")


@pytest.mark.parametrize("path", ["/", "/made", "/json", "/stream", "/visit", "/fails"])
@pytest.mark.parametrize("fails", [FailsAfter(), FailsToAdd()])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_hook_that_fails_costs_nobody_elses_headers(path, fails, is_first):
    """A bare 500 has those of the other middlewares, whether they stand before the one that fails or behind it."""
    app = site(*([fails, Adds()] if is_first else [Adds(), fails]))
    answer = http(app, path=path)
    assert (answer.status_code, answer.headers.get_list("x-served-by")) == (500, ["us"])


def test_a_middleware_that_is_not_reached_adds_nothing_to_a_failure():
    """Who answers in front of it, and fails with that, fails alone."""
    headers = http(site(FailsAfter(), Adds(), Answers(), Adds(ReplyHeaders({"X-More": "1"})))).headers
    assert (headers["x-served-by"], headers.get("x-more")) == ("us", None)


def test_two_middlewares_that_make_headers_for_each_request():
    """Headers that differ from request to request are added up anew, however many there are."""

    class Numbers(HttpMiddleware):
        count = 0

        def reply_headers(self, request):
            self.count += 1
            return SERVED_BY.with_header("X-Number", str(self.count))

    app = site(Adds(), Numbers())
    for number in range(1, 71):
        headers = http(app).headers
        assert (headers.get_list("x-served-by"), headers["x-number"]) == (["us"], str(number))


def test_one_more_header_is_like_the_others():
    """It keeps `unless`, gives way to a reply's own, and is checked."""
    more = ReplyHeaders({"X-More": "1"}, unless="X-Made").with_header("X-Served-By", "us")
    app = site(Adds(more))
    own, made = http(app, path="/own").headers, http(app, path="/made").headers
    assert (own["x-served-by"], own["x-more"]) == ("me", "1")
    assert {"x-served-by", "x-more"}.isdisjoint(made)
    with pytest.raises(ValueError, match="may not go out"):
        more.with_header("X-One", "\n")


def test_headers_are_encoded_as_those_of_a_reply():
    """Names go out in lower case, values without white space around, as ISO 8859-1 or else as UTF-8."""
    headers = ReplyHeaders([("X-One", " gr\u00fc\u00df\t"), ("X-Two", "\u2713")])
    sent = dict(wire(site(Adds(headers))).messages[0]["headers"])
    assert (sent[b"x-one"], sent[b"x-two"]) == (b"gr\xfc\xdf", "\u2713".encode())


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-One\r\n": "1"}, "may not go out"),
        ({"X One": "1"}, "may not go out"),
        ({"X-One": "1\r\nSet-Cookie: a=b"}, "may not go out"),
        ({"X-One": "\x00"}, "may not go out"),
        ({"Content-Type": "text/plain"}, "is for each reply to say"),
        ({"content-length": "1"}, "is for each reply to say"),
        ({"Transfer-Encoding": "chunked"}, "is for each reply to say"),
        ({"Set-Cookie": "a=b"}, "is for each reply to say"),
    ],
)
def test_what_may_not_go_out_is_refused_when_it_is_made(headers, message):
    """A header that could split a reply, or that is each reply's own, is a ValueError."""
    with pytest.raises(ValueError, match=message):
        ReplyHeaders(headers)


@pytest.mark.parametrize("pair", [("X-One", 1), (b"X-One", "1")])
def test_names_and_values_are_texts(pair):
    """Anything else is a TypeError."""
    with pytest.raises(TypeError, match="name and value are texts"):
        ReplyHeaders([pair])


def test_an_early_answer_has_them():
    """An answer from before the routing, and a refusal there, have the headers of all middlewares."""

    class Early(HttpMiddleware):
        async def before_routing(self, request):
            if request.scope["path"] == "/early":
                return {"body": "early"}
            raise HTTPError(403)

    app = site(Adds(), Early(), Adds(ReplyHeaders({"X-More": "1"})))
    for path, status in (("/early", 200), ("/", 403)):
        answer = http(app, path=path)
        assert (answer.status_code, answer.headers["x-served-by"], answer.headers["x-more"]) == (status, "us", "1")


@pytest.mark.parametrize("others", [[], [Looks()]])
def test_a_hook_that_looks_at_the_session_makes_the_reply_private(others):
    """As after hooks do: no cache may give to others what the visitor's session may have made of it."""

    class Greets(HttpMiddleware):
        def reply_headers(self, request):
            return SERVED_BY.with_header("X-Name", request.session.get("name", "stranger"))

    headers = http(site(*others, Greets())).headers
    assert (headers["x-name"], headers["x-served-by"], headers["cache-control"]) == ("stranger", "us", "private")
