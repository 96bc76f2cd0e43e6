"""26: the form in which a client is told of an error."""

import copy
import pickle
from html.parser import HTMLParser
from typing import Any

import pytest

from micropie import (
    App,
    ClientGone,
    ConnectionClosed,
    Controller,
    Fault,
    HTTPError,
    HttpMiddleware,
    InvalidInput,
    InvalidMessage,
    Mount,
)
from tests.client import http
from tests.wire import wire

HTML, PROBLEM = "text/html; charset=utf-8", "application/problem+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
AXIOS = "application/json, text/plain, */*"
JSON = ("Content-Type", "application/json")
LINE = "404 Not Found"


class Site(App):
    async def index(self):
        return "Hello"

    async def shop(self, n: int):
        return n

    async def forbidden(self):
        raise HTTPError(403, "<b>Members</b> only & friends")

    async def broken(self):
        raise LookupError("secret")


def form(answer):
    """The form of an error: `problem`, `page` or `line`."""
    if answer.headers["content-type"] == PROBLEM:
        return "problem"
    assert answer.headers["content-type"] == HTML
    return "page" if answer.text.startswith("<!DOCTYPE html>") else "line"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "line"),
        ("", "line"),
        ("*/*", "line"),
        ("text/plain", "line"),
        ("text/*", "line"),
        ("image/png", "line"),
        ("*/*;q=0", "line"),
        ("application/json;q=0", "line"),
        ("application/json;q=0, */*", "line"),
        ("application/json;q=0.000", "line"),
        ("nonsense", "line"),
        (",,;q=1,", "line"),
        ("text/html;q=0", "line"),
        (BROWSER, "page"),
        ("text/html", "page"),
        ("TEXT/HTML", "page"),
        ("text/html;level=1", "page"),
        ("text/html;q=0.5, application/json;q=0.4", "page"),
        ("text/html, application/json;q=0.9", "page"),
        ("application/json, text/html", "page"),
        ("text/html, */*", "page"),
        ("*/*, text/html", "page"),
        ("application/json;q=0, text/html;q=0.001", "page"),
        ("application/*;q=0.5, text/html", "page"),
        ("application/json", "problem"),
        ("Application/JSON", "problem"),
        ("application/problem+json", "problem"),
        ("application/vnd.api+json", "problem"),
        ("application/*+json", "problem"),
        ("application/*", "problem"),
        ("application/*, */*", "problem"),
        (AXIOS, "problem"),
        ("application/json, text/javascript, */*; q=0.01", "problem"),
        ("text/html;q=0.4, application/json;q=0.5", "problem"),
        ("text/html;q=0.5, */*", "problem"),
        ("text/html;q=0, */*", "problem"),
        ("application/json;q=0.1, application/problem+json, text/html;q=0.5", "problem"),
        ("application/json;q=x, text/html;q=0.5", "problem"),
        ('application/json; profile="a;b", text/html;q=0.9', "problem"),
    ],
)
def test_26_the_form_is_what_the_client_prefers(accept, expected):
    """By weights, then by how closely a range describes it; who prefers nothing gets one line of text."""
    answer = wire(Site(), path="/nothing", headers=[] if accept is None else [("Accept", accept)])
    assert (answer.status_code, form(answer)) == (404, expected)
    assert (answer.headers["vary"], answer.headers["x-content-type-options"]) == ("Accept", "nosniff")


def test_26_several_accept_fields_are_one():
    """As any repeated field."""
    answer = wire(Site(), path="/nothing", headers=[("Accept", "text/html;q=0.1"), ("Accept", "application/json")])
    assert form(answer) == "problem"


def test_26_of_a_very_long_accept_the_beginning_counts():
    """A hundred ranges are more than anybody has."""
    answer = wire(Site(), path="/nothing", headers=[("Accept", "a/b," * 100 + "application/json")])
    assert form(answer) == "line"


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("POST", [JSON], "problem"),
        ("PUT", [("Content-Type", "application/vnd.api+json; charset=utf-8")], "problem"),
        ("DELETE", [JSON], "problem"),
        ("POST", [JSON, ("Accept", "*/*")], "problem"),
        ("POST", [JSON, ("Accept", "*/*;q=0.8")], "problem"),
        ("POST", [JSON, ("Accept", BROWSER)], "page"),
        ("POST", [JSON, ("Accept", "text/plain")], "line"),
        ("POST", [JSON, ("Accept", "text/plain, */*;q=0.5")], "problem"),
        ("POST", [JSON, ("Accept", "*/*;q=0")], "line"),
        ("POST", [("Content-Type", "text/plain")], "line"),
    ],
)
def test_26_who_sends_json_is_told_in_json(method, headers, expected):
    """If it takes anything."""
    assert form(wire(Site(), method, "/nothing", body=b"{}", headers=headers)) == expected


def test_26_a_get_sends_no_json():
    """Whatever it calls the body that it has not."""
    assert form(wire(Site(), path="/nothing", headers=[JSON])) == "line"


class Refuses(App):
    async def index(self):
        return "Hello"


class Raises(HttpMiddleware):
    def __init__(self, name):
        setattr(self, name, self._fail)

    async def _fail(self, *args):
        raise HTTPError(429, "Later") if len(args) == 1 else LookupError("secret")


def hooked(name):
    app = Site()
    app.middlewares.append(Raises(name))
    return app


class Stops(Controller):
    async def _before(self):
        raise HTTPError(401)

    async def index(self):
        return "in"


class Below(App):
    guarded = Stops()

    async def _nobody(self):
        return None


class Starlettes(Exception):  # noqa: N818
    status_code = 405
    headers = {"Allow": "GET"}


async def foreign(scope, receive, send):
    raise Starlettes


class Mounting(App):
    part = Mount(foreign)


MADE_BY: dict[str, Any] = {
    "a handler": (Site, "/forbidden", {}, 403),
    "a failure": (Site, "/broken", {}, 500),
    "a value": (Site, "/shop/x", {}, 400),
    "a path": (Site, "/%FF", {}, 400),
    "a surplus segment": (Site, "/shop/1/2", {}, 500),
    "a body too large": (lambda: Site(max_body_size=1), "/", {"method": "POST", "body": b"12"}, 413),
    "broken JSON": (Site, "/", {"method": "POST", "body": b"{", "headers": [JSON]}, 400),
    "a before hook": (lambda: hooked("before_request"), "/", {}, 429),
    "an after hook": (lambda: hooked("after_request"), "/", {}, 500),
    "a guard": (Below, "/guarded", {}, 401),
    "a mount": (Mounting, "/part", {}, 405),
}


@pytest.mark.parametrize("maker", MADE_BY)
def test_26_every_error_has_these_forms(maker):
    """Whoever makes it: handlers, hooks, guards, mounts, and what is refused before any of them."""
    make, path, options, status = MADE_BY[maker]
    headers = options.get("headers", [])
    options = {name: value for name, value in options.items() if name != "headers"}
    for accept, expected in ((BROWSER, "page"), (AXIOS, "problem"), ("text/plain", "line")):
        answer = wire(make(), path=path, headers=[*headers, ("Accept", accept)], **options)
        assert (answer.status_code, form(answer)) == (status, expected)
        assert "secret" not in answer.text
        if expected == "problem":
            assert (answer.json()["status"], answer.json()["type"]) == (status, "about:blank")


def test_26_a_refused_upload_has_these_forms():
    """What breaks inside of a multipart form, too."""
    body = b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"x" * 99
    for accept, expected in ((BROWSER, "page"), (AXIOS, "problem")):
        headers = [("Content-Type", "multipart/form-data"), ("Accept", accept)]
        answer = wire(Site(), "POST", "/", body=body, headers=headers)
        assert (answer.status_code, form(answer)) == (400, expected)


# Problem details.


def problem(app, path="/", method="GET", **options):
    answer = wire(app, method, path, headers=[("Accept", AXIOS)], **options)
    assert answer.headers["content-type"] == PROBLEM
    return answer.json()


class Failing(App):
    def __init__(self, error):
        super().__init__()
        self._error = error

    async def index(self):
        raise self._error


def test_26_the_members_of_a_problem():
    """As RFC 9457 has them."""
    assert problem(Site(), "/forbidden") == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "<b>Members</b> only & friends",
        "instance": "/forbidden",
    }


def test_26_a_problem_of_a_failure_says_nothing_of_it():
    """Its path may be one that a hook has made."""
    assert problem(Site(), "/broken") == {"type": "about:blank", "title": "Internal Server Error", "status": 500}


def test_26_the_faults_are_members_of_a_problem():
    """Place, name and message of each."""
    error = InvalidInput([Fault("query", "a", "required"), Fault("body", "b.c", "expected an integer")])
    assert problem(Failing(error))["errors"] == [
        {"in": "query", "name": "a", "message": "required"},
        {"in": "body", "name": "b.c", "message": "expected an integer"},
    ]


def test_26_an_http_error_names_its_problem():
    """Type and title in place of the usual ones, members of its own beside them."""
    error = HTTPError(
        409, "Only 2 left", type="https://pies.example/stock", title="Out of stock", extensions={"left": 2, "of": ["a"]}
    )
    assert problem(Failing(error)) == {
        "type": "https://pies.example/stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "Only 2 left",
        "instance": "/",
        "left": 2,
        "of": ["a"],
    }


def test_26_extensions_never_replace_standard_members():
    """They would lie about the reply."""
    error = HTTPError(409, extensions={"status": 200, "title": "x", "instance": "y", "detail": "of mine"})
    found = problem(Failing(error))
    assert (found["status"], found["title"], found["instance"], found["detail"]) == (409, "Conflict", "/", "of mine")


def test_26_extensions_that_are_no_json_are_a_500(caplog):
    """The log says of what."""
    assert problem(Failing(HTTPError(409, extensions={"x": {1, 2}})))["status"] == 500
    assert "HTTPError(409, None)" in caplog.text


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/a/b", "/a/b"),
        ("/%3Cscript%3E", "/%3Cscript%3E"),
        ("/%22%0d%0a", "/%22%0D%0A"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/%2525", "/%2525"),
        ("//evil.example/x", "/evil.example/x"),
        ("///evil.example", "/evil.example"),
    ],
)
def test_26_the_instance_is_the_path(path, instance):
    """Percent-encoded, and never a reference to another host."""
    assert problem(Site(), path)["instance"] == instance


def test_26_the_instance_of_a_whole_url_is_no_other_host():
    """A target may be one (RFC 9112 §3.2.2)."""
    found = problem(Site(), scope={"path": "http://evil.example/nothing", "raw_path": b"http://evil.example/nothing"})
    assert found["instance"] == "/nothing"


def test_26_the_instance_below_a_mount_is_the_whole_path():
    """As the client knows it."""

    class Above(App):
        below = Site()

    assert problem(Above(), "/below/nothing")["instance"] == "/below/nothing"


def test_26_a_status_without_a_phrase_has_a_title():
    """It is shown to people."""
    assert problem(Failing(HTTPError(599)))["title"] == "Error"


def test_26_a_head_reply_has_the_problems_length():
    """And no body, as GET's."""
    get = wire(Site(), path="/nothing", headers=[("Accept", AXIOS)])
    head = wire(Site(), "HEAD", "/nothing", headers=[("Accept", AXIOS)])
    assert (head.headers["content-length"], head.content) == (get.headers["content-length"], b"")


# The page.


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def page(app, path="/"):
    answer = wire(app, path=path, headers=[("Accept", BROWSER)])
    assert form(answer) == "page"
    return Page(answer.text)


def test_26_the_page_loads_nothing():
    """It fits small screens, follows light and dark, and needs no other file and no script."""
    found = page(Site(), "/nothing")
    names = {tag for tag, _ in found.tags}
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in found.tags
    assert "prefers-color-scheme: dark" in found.text
    assert names.isdisjoint({"script", "link", "img", "iframe"})
    assert not any({"src", "href"} & attributes.keys() for _, attributes in found.tags)
    assert "404 Not Found" in found.text


def test_26_the_page_shows_the_detail_as_text():
    """Escaped, not as markup."""
    found = page(Site(), "/forbidden")
    assert "<b>Members</b> only & friends" in found.text
    assert "b" not in {tag for tag, _ in found.tags}


def test_26_the_page_escapes_the_title():
    """The application's own, too."""
    found = page(Failing(HTTPError(409, title="<i>Out</i>")))
    assert "409 <i>Out</i>" in found.text
    assert "i" not in {tag for tag, _ in found.tags}


def test_26_the_page_lists_several_faults():
    """One below the other."""
    found = page(Failing(InvalidInput([Fault("query", "a", "required"), Fault("query", "<b>", "required")])))
    assert [tag for tag, _ in found.tags].count("li") == 2
    assert "Missing required parameter '<b>'" in found.text


def test_26_the_page_has_nothing_of_the_client():
    """No path, no value."""
    assert "marker" not in page(Site(), "/evil-marker").text
    assert "marker" not in page(Site(), "/shop/marker").text


def test_26_the_line_has_the_title_in_place_of_the_phrase():
    """As the page has."""
    assert http(Failing(HTTPError(409, "Only 2", title="Out of <b>"))).text == "409 Out of &lt;b&gt;: Only 2"


# Headers.


@pytest.mark.parametrize(
    ("vary", "merged"),
    [
        ("Origin", ["Origin, Accept"]),
        ("accept", ["accept"]),
        ("Origin, ACCEPT", ["Origin, ACCEPT"]),
        ("*", ["*"]),
        ("Accept-Language", ["Accept-Language, Accept"]),
    ],
)
def test_26_vary_is_merged(vary, merged):
    """An error's own stands beside ours, in one field."""
    assert http(Failing(HTTPError(403, headers=[("Vary", vary)]))).headers.get_list("vary") == merged


def test_26_two_vary_fields_are_one():
    """None of them is lost."""
    error = HTTPError(403, headers=[("Vary", "Origin"), ("X-A", "1"), ("vary", "Cookie")])
    assert http(Failing(error)).headers.get_list("vary") == ["Origin, Cookie, Accept"]


def test_26_an_errors_content_type_is_that_of_its_line():
    """A page and problem details have their own."""
    app = Failing(HTTPError(403, headers={"Content-Type": "text/plain"}))
    kinds = [wire(app, headers=[("Accept", one)]).headers["content-type"] for one in ("*/*", BROWSER, AXIOS)]
    assert kinds == ["text/plain", HTML, PROBLEM]


def test_26_a_redirect_by_http_error_is_a_redirect_in_any_form():
    """`HTTPError` may have any final status."""
    app = Failing(HTTPError(303, headers={"Location": "/x"}))
    for accept in ("*/*", BROWSER, AXIOS):
        answer = wire(app, headers=[("Accept", accept)])
        assert (answer.status_code, answer.headers["location"]) == (303, "/x")


# Hooks.


class Replaces(HttpMiddleware):
    def __init__(self, change):
        self.change = change
        self.seen = []

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.seen.append((response_body, [pair for pair in extra_headers if pair[0] == "Content-Type"]))
        return self.change


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"body": "<h1>We dropped it</h1>"}, HTML),
        ({"body": {"error": "dropped"}}, "application/json"),
        ({"body": "{}", "headers": {"Content-Type": PROBLEM}}, PROBLEM),
        ({"status_code": 418}, PROBLEM),
    ],
)
def test_26_a_hooks_body_in_place_of_a_problem_has_its_own_type(change, kind):
    """A page is no problem; whoever comes next sees the same."""
    app = Site()
    first, second = Replaces(change), Replaces(None)
    app.middlewares += [first, second]
    answer = wire(app, path="/nothing", headers=[("Accept", AXIOS)])
    assert answer.headers.get_list("content-type") == [kind]
    assert first.seen[0][1] == [("Content-Type", PROBLEM)]
    if kind == HTML:
        assert second.seen == [("<h1>We dropped it</h1>", [])]


class Guarding(Controller):
    def __init__(self, **content):
        self._content = content

    async def _after(self, reply):
        for name, value in self._content.items():
            setattr(reply, name, value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"body": "Nothing here"}, HTML),
        ({"body": {"error": 1}}, "application/json"),
        ({"body": "{}", "content_type": "application/json"}, "application/json"),
        ({"status": 410}, PROBLEM),
    ],
)
def test_26_a_guards_body_in_place_of_a_problem_has_its_own_type(content, kind):
    """So what a guard says to all is HTML for all."""

    class Guarded(App):
        part = Guarding(**content)

    answer = wire(Guarded(), path="/part/nothing", headers=[("Accept", AXIOS)])
    assert answer.headers.get_list("content-type") == [kind]


def test_26_a_guard_may_make_problem_details_itself():
    """By naming their type."""

    class Guarded(App):
        part = Guarding(body='{"title": "x"}', content_type=PROBLEM)

    answer = wire(Guarded(), path="/part/nothing")
    assert (answer.headers.get_list("content-type"), answer.json()) == ([PROBLEM], {"title": "x"})


def test_26_an_own_send_response_is_told_the_type():
    """Among the headers, as of any JSON."""
    seen = []

    class Sends(Site):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            seen.append(extra_headers)
            await super()._send_response(send, status_code, body, extra_headers)

    answer = wire(Sends(), path="/nothing", headers=[("Accept", AXIOS)])
    assert answer.headers.get_list("content-type") == [PROBLEM]
    assert ("Content-Type", PROBLEM) in seen[0]


# App(errors="problem").


@pytest.mark.parametrize("accept", ["*/*", BROWSER, "text/plain", ""])
@pytest.mark.parametrize("path", ["/nothing", "/forbidden", "/broken", "/shop/x"])
def test_26_a_pure_api_always_sends_problems(accept, path):
    """Whatever the client prefers: nothing is negotiated."""
    answer = wire(Site(errors="problem"), path=path, headers=[("Accept", accept)])
    assert (answer.headers["content-type"], answer.json()["status"]) == (PROBLEM, answer.status_code)
    assert "vary" not in answer.headers


# HTTPError.


class OutOfStock(HTTPError):  # noqa: N818
    status = 409
    title = "Out of stock"
    type = "https://pies.example/stock"
    detail = "None left"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OutOfStock(), (409, "None left", None)),
        (OutOfStock("Only 2"), (409, "Only 2", None)),
        (OutOfStock("Only 2", {"X-A": "1"}), (409, "Only 2", {"X-A": "1"})),
        (OutOfStock("Only 2", headers={"X-A": "1"}), (409, "Only 2", {"X-A": "1"})),
        (OutOfStock(detail="Only 2", headers={"X-A": "1"}), (409, "Only 2", {"X-A": "1"})),
        (OutOfStock(None, {"X-A": "1"}), (409, "None left", {"X-A": "1"})),
        (OutOfStock(410, "Gone"), (410, "Gone", None)),
        (OutOfStock(status=410), (410, "None left", None)),
        (HTTPError(409, "Only 2", {"X-A": "1"}), (409, "Only 2", {"X-A": "1"})),
        (HTTPError(status=409, detail="Only 2"), (409, "Only 2", None)),
    ],
)
def test_26_a_declared_status_lets_the_detail_come_first(error, expected):
    """What is not said is as the class declares it."""
    assert (error.status, error.detail, error.headers) == expected


def test_26_a_subclass_declares_its_problem():
    """Each of its members can be said otherwise where it is raised."""
    assert problem(Failing(OutOfStock(extensions={"left": 0}))) == {
        "type": "https://pies.example/stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "None left",
        "instance": "/",
        "left": 0,
    }
    assert problem(Failing(OutOfStock(title="Sold", type="about:blank")))["title"] == "Sold"


def test_26_a_subclass_of_a_subclass_inherits():
    """As class attributes do."""

    class SoldOut(OutOfStock):
        status = 410

    assert (SoldOut("x").status, SoldOut().detail, SoldOut().title) == (410, "None left", "Out of stock")


def test_26_a_subclass_may_have_a_constructor_of_its_own():
    """It hands on the detail."""

    class Missing(HTTPError):  # noqa: N818
        status = 404

        def __init__(self, what):
            super().__init__(f"No {what}", extensions={"what": what})

    assert http(Failing(Missing("pie"))).text == "404 Not Found: No pie"


def test_26_an_http_error_needs_a_status():
    """The message says how."""
    with pytest.raises(TypeError, match=r"HTTPError declares no status: write HTTPError\(404, ...\), or status = 404"):
        HTTPError()


@pytest.mark.parametrize("status", ["409", 99, 600, None, True])
def test_26_a_declared_status_is_one(status):
    """Said when the class is made."""
    with pytest.raises(TypeError, match=r"Wrong.status is .*: an int from 200 to 599 is"):
        type("Wrong", (HTTPError,), {"status": status})


class NoSuchPie(HTTPError):  # noqa: N818
    """An error whose constructor takes something else."""

    status = 404

    def __init__(self, *, pie):
        super().__init__(f"No {pie}", extensions={"pie": pie})


@pytest.mark.parametrize(
    "error",
    [
        NoSuchPie(pie="apple"),
        InvalidInput([Fault("body", "email", "has an account already")]),
        InvalidMessage([Fault("message", "x", "expected int")]),
        ConnectionClosed(1001, "bye"),
        ClientGone(),
        HTTPError(403, "No", {"X-Why": "so"}, type="urn:no", title="No!"),
    ],
)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_26_errors_come_whole_from_another_process(error, copied):
    """Whatever their constructors take: a pool of processes would break else, for all that wait for it."""
    other = copied(error)
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


def test_26_an_http_error_can_be_pickled():
    """As it comes from another process."""
    other = pickle.loads(pickle.dumps(OutOfStock("Only 2", extensions={"left": 2})))
    assert (other.status, other.detail, other.title, other.extensions) == (409, "Only 2", "Out of stock", {"left": 2})
