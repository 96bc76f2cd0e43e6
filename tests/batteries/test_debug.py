"""The debug pages: what they show, to whom, and what they keep to themselves."""

import re
import sys
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote

import attrs
import msgspec
import pydantic
import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, MissingDependency, Mount, Resource, Session, methods
from micropie.core.basics.optional import lazy_import
from micropie.debug import Debugger
from micropie.debug.access import may_see
from micropie.debug.paths import short_path
from micropie.debug.redaction import LIMIT, MASK, is_secret, redacted_repr
from micropie.debug.source_redaction import redacted_line, redacted_python
from micropie.debug.traces import traces_of
from micropie.testing import TestClient

HTML, JSON, TEXT = "text/html,*/*;q=0.8", "application/json", "*/*"
BARE = "500 Internal Server Error"


class Notes(Resource):
    async def get(self, id: int):
        password = "hunter2"
        raise LookupError(f"no note {id} for {len(password)}")

    async def post(self, title: str):
        return title

    @methods("GET")
    async def old(self): ...


class Shop(App):
    notes = Notes()

    async def index(self):
        return "page"

    async def greet(self, name="Guest"):
        return name

    async def fail(self, *rest):
        raise RuntimeError("<script>alert(1)</script>")

    async def login(self, user, password):
        self.request.session["user"] = user
        raise RuntimeError("broken")

    async def api(self):
        raise RuntimeError("broken")

    async def lost(self):
        self.request._route_handler = None
        raise LookupError

    async def ws_chat(self, ws): ...


def client_of(app, **options):
    return TestClient(app, raise_exceptions=False, **options)


def asked(path="/fail", *, app=None, accept=TEXT, headers=(), method="GET", **options):
    """The reply of an application in development mode."""
    with client_of(app or Shop(debug=True)) as client:
        return client.request(method, path, headers=[("Accept", accept), *headers], **options)


# -- who may see it -------------------------------------------------------------------------------------


def scope(client=("127.0.0.1", 5), host="localhost", **headers):
    pairs = [(b"host", host.encode("latin-1"))] if host is not None else []
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": client, "headers": pairs, "http_version": "1.1"}


@pytest.mark.parametrize(
    "client", [("127.0.0.1", 5), ("127.8.9.1", 5), ("::1", 5), ("::ffff:127.0.0.1", 5), ["::1", 5]]
)
@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST",
        "shop.localhost:1",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:80",
    ],
)
def test_programs_on_this_machine_may(client, host):
    """By every name and address of it."""
    assert may_see(scope(client, host))


@pytest.mark.parametrize(
    "client",
    [
        None, (), ("", 0), ("10.0.0.1", 5), ("128.0.0.1", 5), ("::2", 5), ("fe80::1", 5), ("localhost", 5),
        ("testclient", 5), ("0.0.0.0", 5), ("::ffff:10.0.0.1", 5), ("/run/app.sock", None), (None, 5),
    ],
)  # fmt: skip
def test_peers_elsewhere_may_not(client):
    """Nor may whoever comes over a Unix socket."""
    assert not may_see(scope(client))


@pytest.mark.parametrize(
    "host",
    [
        None, "", "example.com", "localhost.evil.com", "evil-localhost", "evillocalhost", "127.0.0.1.evil.com",
        "0x7f.1", "2130706433", "localhost@evil.com", "evil.com#localhost", "localhost/x", "localhost:80:80",
        "localhost:", "localhost:x", "local\u0131host", "localhost evil.com", "evil.com\tlocalhost", "[::2]", "[::1",
        "::1", "127.1", "0.0.0.0", "192.168.0.2:80", "localhost.", "[localhost]", "localhost,evil.com",
    ],
)  # fmt: skip
def test_other_hosts_may_not(host):
    """A name that leads here is not enough: its page runs in the developer's browser (DNS rebinding)."""
    raw = None if host is None else host.encode("utf-8").decode("latin-1")
    assert not may_see(scope(host=raw))


def test_two_hosts_may_not():
    """One of them is somebody else's."""
    twice = scope()
    twice["headers"].append((b"Host", b"localhost"))
    assert not may_see(twice)


@pytest.mark.parametrize(
    "name",
    [
        "forwarded", "via", "x_forwarded_for", "x_forwarded_host", "x_forwarded_proto", "x_forwarded", "x_real_ip",
        "x_client_ip", "x_cluster_client_ip", "x_original_host", "x_original_forwarded_for", "cf_connecting_ip",
        "true_client_ip", "cdn_loop", "fastly_client_ip", "fly_client_ip", "x_envoy_external_address",
        "x_amzn_trace_id", "x_azure_clientip", "X_Forwarded_For", "x_vercel_forwarded_for", "do_connecting_ip",
        "x_proxyuser_ip", "x_appengine_user_ip", "x_remote_addr",
    ],
)  # fmt: skip
def test_forwarded_requests_may_not(name):
    """Whatever the header says."""
    assert not may_see(scope(**{name: ""}))


@pytest.mark.parametrize("name", ["x_requested_with", "x_token", "x_request_id", "x_api_key", "user_agent", "viable"])
def test_headers_of_programs_say_nothing(name):
    """They are no proxy's."""
    assert may_see(scope(**{name: "1"}))


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://127.0.0.1"}, True),
        ({"origin": "https://evil.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "localhost"}, False),
        ({"referer": "http://localhost:8000/shop?next=//evil.com"}, True),
        ({"referer": "http://127.0.0.1/"}, True),
        ({"referer": "http://[::1]:8000"}, True),
        ({"referer": "https://shop.example/localhost"}, False),
        ({"referer": "https://localhost@evil.com/"}, False),
        ({"referer": "https://evil.com#localhost"}, False),
        ({"referer": "about:blank"}, False),
        ({"referer": ""}, False),
        ({"sec_fetch_site": "none", "sec_fetch_dest": "document"}, True),
        ({"sec_fetch_site": "same-origin", "sec_fetch_dest": "empty"}, True),
        ({"sec_fetch_site": "cross-site", "sec_fetch_dest": "document"}, True),
        ({"sec_fetch_site": "cross-site", "sec_fetch_dest": "iframe"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_dest": "empty"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
    ],
)
def test_pages_of_other_sites_may_not(headers, seen):
    """A link to here may be followed, but nothing be read."""
    assert may_see(scope(**headers)) is seen


@pytest.mark.parametrize(
    ("version", "seen"), [("1.0", False), ("1", False), (None, False), ("1.1", True), ("2", True), ("3", True)]
)
def test_an_old_protocol_may_not(version, seen):
    """By HTTP/1.0 speak proxies that were told nothing, and no browser."""
    asked = scope()
    del asked["http_version"]
    assert may_see(asked if version is None else {**asked, "http_version": version}) is seen


def test_a_scope_with_the_necessary_only_may_not():
    """Neither client nor headers."""
    assert not may_see({})


@pytest.mark.parametrize("path", ["/fail", "/nowhere"])
@pytest.mark.parametrize("accept", [HTML, JSON, TEXT])
@pytest.mark.parametrize(
    "options",
    [{"client": ("203.0.113.7", 5)}, {"base_url": "http://example.com"}, {"headers": {"X-Forwarded-For": "127.0.0.1"}}],
)
def test_others_get_what_everybody_gets(path, accept, options):
    """Byte for byte."""
    with client_of(Shop(debug=True), **options) as client, client_of(Shop(), **options) as plain:
        replies = [one.get(path, headers={"Accept": accept}) for one in (client, plain)]
    assert len({(reply.status_code, reply.content, tuple(reply.headers.multi_items())) for reply in replies}) == 1


# -- when it is on --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "environment", "on"),
    [
        (None, None, False),
        (None, "1", True),
        (True, None, True),
        (False, "1", False),
        (False, None, False),
        (None, "", False),
        (None, "0", False),
        (None, "False", False),
        (None, " off ", False),
        (None, "yes", True),
    ],
)
def test_it_is_on_where_that_is_said(wanted, environment, on, monkeypatch):
    """By the keyword, else by the environment, as `micropie run --dev` sets it; 0, false, no and off turn it off."""
    monkeypatch.delenv("MICROPIE_DEV", raising=False)
    if environment is not None:
        monkeypatch.setenv("MICROPIE_DEV", environment)
    assert (asked(app=Shop(debug=wanted)).text != BARE) is on


def test_without_the_pages_it_says_so(monkeypatch):
    """As in the one-file form."""
    monkeypatch.setitem(sys.modules, "micropie.debug", None)
    lazy_import.cache_clear()
    with pytest.raises(MissingDependency, match="pip install micropie"):
        Shop(debug=True)


def test_it_watches_the_loop_while_the_application_runs(monkeypatch):
    """From startup to shutdown."""
    calls = []
    for name in ("start", "stop"):
        monkeypatch.setattr(Debugger, name, lambda _self, name=name: calls.append(name))
    with client_of(Shop(debug=True)):
        assert calls == ["start"]
    assert calls == ["start", "stop"]


# -- the forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (HTML, "text/html; charset=utf-8"),
        ("application/xhtml+xml", "text/html; charset=utf-8"),
        (JSON, "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        (TEXT, "text/plain; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize(("path", "status"), [("/fail", 500), ("/nowhere", 404)])
def test_the_form_is_what_the_client_takes(path, status, accept, kind):
    """The status stays; no cache keeps it, no other page frames it, nothing in it runs or loads."""
    reply = asked(path, accept=accept)
    assert (reply.status_code, reply.headers["content-type"]) == (status, kind)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("accept", ["*/*", HTML])
def test_surplus_segments_lead_to_the_setting(accept):
    """That they are a 500 surprises; what makes them a 404 is said, and said of no other refusal."""
    hint = "nothing answers this: App(surplus_path_status=404) makes it a 404"
    assert hint in asked("/greet/a/b", accept=accept).text
    assert "surplus_path_status" not in asked("/quite/another", accept=accept).text


def test_head_has_no_body():
    """As for any reply."""
    reply = asked(method="HEAD", accept=HTML)
    assert (reply.status_code, reply.content) == (500, b"")


def test_the_text_is_a_traceback_with_variables_and_the_request():
    """In the order in which one reads it."""
    text = asked("/notes/7?page=2&token=abc").text
    assert text.startswith(
        f"GET http://localhost/notes/7?page=2&token={MASK}\n\nLookupError: no note 7 for 7\nTraceback (most"
    )
    assert '  File "tests/batteries/test_debug.py", line ' in text
    assert '    raise LookupError(f"no note {id} for {len(password)}")\n      self = <' in text
    assert f"      id = 7\n      password = {MASK}\n" in text
    assert "hunter2" not in text
    assert (
        "Route\n  path: /notes/{id}\n  verbs: GET, HEAD\n  handler: Notes.get\n  parameters: id (path)\n  file: tests/"
        in text
    )
    assert f"Query\n  page: '2'\n  token: {MASK}\n" in text
    assert "abc" not in text


def test_the_json_has_the_same():
    """As problem details."""
    problem = asked("/notes/7", accept=JSON).json()
    assert (problem["title"], problem["status"]) == ("Internal Server Error", 500)
    assert (problem["detail"], problem["instance"]) == ("LookupError: no note 7 for 7", "GET http://localhost/notes/7")
    frames = problem["exceptions"][0]["frames"]
    assert frames[-1]["function"] == "Notes.get"
    assert frames[-1]["variables"]["password"] == MASK
    assert "variables" not in frames[0]
    assert problem["request"]["route"]["handler"] == "Notes.get"


def test_the_page_has_the_same():
    """Escaped; the application's frames are told from those of packages."""
    page = asked("/notes/7", accept=HTML).text
    words = unescape(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]))
    assert "LookupError no note 7 for 7" in re.sub(r"\s+", " ", words)
    assert "<details class='frame' open><summary><code class='function'>Notes.get</code>" in page
    assert re.search(r"<summary>\d+ frames? of packages</summary>", page)
    assert "hunter2" not in page
    assert "{{" not in page


def test_what_comes_from_outside_is_escaped():
    """In the message, the path, the query, the headers, the variables."""
    evil = "<script>alert(1)</script>'\"&"
    for path in ("/fail/%3Cscript%3E?%3Cscript%3E=%3Cscript%3E", "/%3Cscript%3E"):
        page = asked(path, accept=HTML, headers=[("X-Evil", evil), ("User-Agent", evil), ("Cookie", "<script>=1")]).text
        assert page.count("<script>") == 1  # ours
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in asked(accept=HTML).text


def test_markers_of_the_page_in_values_stay_what_they_are():
    """They are filled in once."""

    class Site(App):
        async def index(self):
            raise RuntimeError("{{style}}{{script}}")

    assert "{{style}}{{script}}</h1>" in asked("/", app=Site(debug=True), accept=HTML).text


# -- the request ----------------------------------------------------------------------------------------


def test_the_form_the_files_and_the_session_are_shown():
    """Names of sessions and cookies without their values."""
    with client_of(Shop(debug=True)) as client:
        client.session({"cart": ["apple"]})
        text = client.post("/login", data={"user": "ann", "password": "hunter2"}, cookies={"theme": "dark"}).text
    assert f"Form\n  user: 'ann'\n  password: {MASK}\n" in text
    assert f"Session\n  cart: {MASK}\n  user: {MASK}\n" in text
    assert "Cookies\n" in text
    assert f"  theme: {MASK}\n" in text
    assert "apple" not in text
    assert "dark" not in text


@pytest.mark.parametrize(
    ("body", "shown_as"),
    [
        ({"name": "ann", "api_key": "k"}, f"JSON\n  name: 'ann'\n  api_key: {MASK}\n"),
        ([1, {"token": 2}], f"JSON\n  [1, {{'token': {MASK}}}]\n"),
    ],
)
def test_the_json_body_is_shown(body, shown_as):
    """Members of an object one by one."""
    assert shown_as in asked("/api", method="POST", json=body).text


@pytest.mark.needs("multipart")
def test_files_are_shown_by_their_names():
    """One or several of a field."""

    class Site(App):
        async def index(self):
            raise RuntimeError

    files = [("one", ("a.txt", b"x")), ("some", ("b.txt", b"y")), ("some", ("c.txt", b"z"))]
    text = asked("/", app=Site(debug=True), method="POST", files=files).text
    assert "Files\n  one: 'a.txt', text/plain\n  some: 'b.txt', text/plain\n  some: 'c.txt', text/plain\n" in text


@pytest.mark.parametrize("query", ["&".join(["a=1"] * 1500), "%ff=%ff"])
def test_a_query_that_cannot_be_read_hides_nothing_else(query):
    """It says why."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            raise RuntimeError("in a hook")

    site = Shop(debug=True)
    site.middlewares.append(Hook())
    text = asked(f"/greet?{query}", app=site).text
    assert "RuntimeError: in a hook" in text
    assert "handler: Shop.greet" in text
    assert ("Too many query fields" in text) is query.startswith("a=1")


def test_a_failure_on_the_way_to_nowhere_has_no_route():
    """There is none."""

    class Hook(HttpMiddleware):
        async def before_request(self, request):
            raise RuntimeError("in a hook")

    site = Shop(debug=True)
    site.middlewares.append(Hook())
    text = asked("/nowhere", app=site).text
    assert "RuntimeError: in a hook" in text
    assert "\nRoute\n" not in text


def test_the_root_path_is_shown():
    """Where a server has one."""

    async def below(scope, receive, send):
        await site({**scope, "root_path": "/api", "path": "/api" + scope["path"]}, receive, send)

    site = Shop(debug=True)
    assert "  root path: /api\n" in asked(app=below).text


# -- exceptions -----------------------------------------------------------------------------------------


def raised(function):
    """The traces of what a function raises."""
    try:
        function()
    except BaseException as error:
        return traces_of(error)
    raise AssertionError


def described(function):
    return [(trace.how, trace.kind, trace.message) for trace in raised(function)]


def fail(error, *, cause=None):
    raise error from cause


def chained(inner, *, cause=None, suppress=False):
    try:
        fail(inner)
    except ValueError as handled:
        outer = TypeError("outer")
        outer.__context__, outer.__cause__, outer.__suppress_context__ = handled, cause, suppress
        raise outer  # noqa: B904  that is what is shown


def test_the_chain_of_causes():
    """Causes before contexts, and what is suppressed not at all."""
    outer, inner = ("", "TypeError", "outer"), ValueError("inner")
    assert described(lambda: chained(inner)) == [outer, ("Raised while handling", "ValueError", "inner")]
    assert described(lambda: chained(inner, suppress=True)) == [outer]
    assert described(lambda: chained(inner, cause=KeyError("k"))) == [outer, ("Raised because of", "KeyError", "'k'")]


@pytest.mark.parametrize(
    ("accept", "told"), [(TEXT, "Raised because of:\n\nKeyError: 'k'\n\nRequest\n"), (HTML, "KeyError")]
)
def test_a_cause_that_was_never_raised(accept, told):
    """It has no frames."""

    class Site(App):
        async def index(self):
            raise TypeError("outer") from KeyError("k")

    assert told in asked("/", app=Site(debug=True), accept=accept).text


def test_a_circle_of_causes_ends():
    """Each is told once."""

    def circle():
        first, second = ValueError("1"), ValueError("2")
        first.__cause__, second.__cause__ = second, first
        raise first

    assert [message for _, _, message in described(circle)] == ["1", "2"]


def test_an_endless_chain_is_cut():
    """After twenty."""

    def chain():
        error = ValueError("0")
        for number in range(1, 5000):
            following = ValueError(str(number))
            following.__cause__ = error
            error = following
        raise error

    assert len(raised(chain)) == 20


def test_members_of_a_group():
    """They follow it, with their own causes."""

    def group():
        first = KeyError("a")
        first.__cause__ = OSError("disk")
        raise ExceptionGroup("two", [first, ValueError("b")])

    assert described(group) == [
        ("", "ExceptionGroup", "two (2 sub-exceptions)"),
        ("Member 1 of 2 of the group", "KeyError", "'a'"),
        ("Raised because of", "OSError", "disk"),
        ("Member 2 of 2 of the group", "ValueError", "b"),
    ]


def test_notes_and_secrets_in_messages():
    """Notes are shown; passwords in URLs and named values are not."""

    def noted():
        error = ValueError("postgres://ann:pw@db/x failed, password='hunter2', token=abc")
        error.add_note("see https://user:secret@example.com")
        raise error

    (trace,) = raised(noted)
    assert trace.message == f"postgres://ann:{MASK}@db/x failed, password={MASK}, token={MASK}"
    assert trace.notes == [f"see https://user:{MASK}@example.com"]


@pytest.mark.parametrize("notes", [5, None, "text"])
def test_notes_that_are_none(notes):
    """Anybody may set them, to anything."""
    error = ValueError("x")
    error.__notes__ = notes
    assert raised(lambda: fail(error))[0].notes == []


def test_a_terminal_is_given_no_commands():
    """Control characters are written as Python does; lines and tabs stay."""
    error = ValueError("a\x00\x1b[31m\x7f\x9b\r\n\té\ud800")
    assert raised(lambda: fail(error))[0].message == "a\\x00\\x1b[31m\\x7f\\x9b\\x0d\n\té\\ud800"


def test_a_syntax_error_shows_the_line(tmp_path):
    """It has no frame of its own."""
    file = tmp_path / "broken.py"
    file.write_text("def f(:\n")
    (trace,) = raised(lambda: compile(file.read_text(), str(file), "exec"))
    last = trace.frames[-1]
    assert (last.file, last.line, [line.text for line in last.source]) == (str(file), 1, ["def f(:"])
    (without,) = raised(lambda: fail(SyntaxError("x")))
    assert [frame.function for frame in without.frames][-1] == "fail"


def test_where_in_the_line():
    """The part that failed is marked, unless that is all of it; in characters, not bytes."""

    def partly():
        return "é", 1 / 0

    (trace,) = raised(partly)
    (here,) = [line for line in trace.frames[-1].source if line.columns]
    assert here.columns is not None
    assert here.text[slice(*here.columns)] == "1 / 0"


def test_one_frame_that_is_left_out_is_one():
    """It is not called frames."""

    def fail(depth):
        return fail(depth - 1) if depth else 1 / 0

    (deep,) = raised(lambda: fail(300))
    (trace,) = raised(lambda: fail(301 - deep.left_out))
    assert (trace.left_out, trace.omission) == (1, "1 frame")


def test_a_deep_recursion_is_cut_in_the_middle():
    """Both ends are shown, in all forms."""

    class Site(App):
        async def index(self, n=0):
            return await self.index(n + 1)

    site = Site(debug=True)
    text, page = asked("/", app=site).text, asked("/", app=site, accept=HTML).text
    assert re.search(r"^  … \d{3,} frames …$", text, re.MULTILINE)
    assert re.search(r"… \d{3,} frames …</li>", page)
    assert text.count("in test_a_deep") < 30


def test_everything_together_is_bounded():
    """Many large variables in many frames of many exceptions."""

    def deep(n, error):
        text = "x" * 100_000
        if n:
            deep(n - 1, dict.fromkeys(range(1000), text) and error)
        raise ValueError(text) from error

    class Site(App):
        async def index(self):
            error = None
            for _ in range(30):
                try:
                    deep(100, error)
                except ValueError as raised_:
                    error = raised_
            raise RuntimeError("last") from error

    site = Site(debug=True)
    for accept in (HTML, JSON, TEXT):
        assert len(asked("/", app=site, accept=accept).content) < 2_000_000


def test_source_that_cannot_be_read():
    """The frame is there, without it."""

    class Site(App):
        async def index(self):
            exec("1 / 0")

    page = asked("/", app=Site(debug=True), accept=HTML).text
    assert "&lt;string&gt;:1" in page
    assert "ZeroDivisionError" in page


def test_literals_of_secret_names_in_the_source_are_masked():
    """As many bullets as there were characters."""
    page = asked("/notes/7", accept=HTML).text
    assert "password = •••••••••" in page


def test_an_exception_that_cannot_be_told():
    """Its text raises."""

    class OddError(Exception):
        def __str__(self):
            raise ValueError

    class Site(App):
        async def index(self):
            raise OddError

    assert "<its __str__ raises ValueError>" in asked("/", app=Site(debug=True)).text


@pytest.mark.parametrize("accept", [TEXT, HTML, JSON])
def test_variables_that_raise_whatever_is_asked_of_them(accept):
    """They cost neither the page nor the server: not by their class, not by leaving the process."""

    class Site(App):
        async def index(self):
            pretender, leaver, odd, anonymous = Pretender(), Leaver(), Odd(), Anonymous()
            error: Any = RuntimeError(leaver, id(pretender), id(odd), id(anonymous))
            error.__notes__ = ["a note", leaver]
            raise error

    with client_of(Site(debug=True)) as client:
        text = unescape(client.get("/", headers={"Accept": accept}).text)
        assert "<its __str__ raises SystemExit>" in text
        assert "<Leaver, whose repr raises SystemExit>" in text
        assert "a note" in text
        assert client.get("/nowhere").status_code == 404


def test_names_of_python_are_no_variables():
    """A module that fails while it is imported has a dozen of them, and a class body two; they hide its own."""
    code = "__version__ = '1'\nslices = 8\nclass Pie:\n    kind = 'apple'\n    1 / 0"
    (trace,) = raised(lambda: exec(code, {"__name__": "bakery"}))
    module, body = trace.frames[-2:]
    assert (module.variables, body.variables) == ([("slices", "8")], [("kind", "'apple'")])


def test_variables_of_a_mapping_that_raises():
    """A frame's own mapping is the application's code too."""

    class Evil(dict[str, Any]):
        def items(self):
            raise SystemExit

    (trace,) = raised(lambda: exec("raise ValueError", {}, Evil()))
    assert trace.frames[-1].variables == [("…", "<variables, whose reading raises SystemExit>")]


@pytest.mark.needs("jinja2")
def test_a_template_that_fails_shows_its_line(tmp_path):
    """And its variables."""
    (tmp_path / "page.html").write_text("<p>\n{{ 1 / number }}\n</p>")

    class Site(App):
        async def index(self):
            return await self._render_template("page.html", number=0)

    text = asked("/", app=Site(debug=True, templates=tmp_path)).text
    assert 'page.html", line 2' in text
    assert "    {{ 1 / number }}\n" in text
    assert "      number = 0\n" in text


def test_without_a_package_the_remedy_is_shown(monkeypatch):
    """As in the log."""
    monkeypatch.setitem(sys.modules, "jinja2", None)

    class Site(App):
        async def index(self):
            return await self._render_template("x.html")

    assert (
        "MissingDependency: Templates need the package 'jinja2': pip install" in asked("/", app=Site(debug=True)).text
    )


def test_a_page_that_cannot_be_made_hides_nothing(monkeypatch, caplog):
    """Both failures are logged, and the client gets the bare 500."""

    def fail(*_args):
        raise RuntimeError("in the page")

    monkeypatch.setattr("micropie.debug.development.request_facts", fail)
    assert asked().text == BARE
    first, second = [record for record in caplog.records if record.name == "micropie"]
    assert first.getMessage() == "GET '/fail' failed in Shop.fail"
    assert second.getMessage() == "The debug page can't be made"


def test_a_failure_below_another_application():
    """Each has its own pages; the whole path is shown."""

    class Site(App):
        below = Shop(debug=True)

    text = asked("/below/notes/3", app=Site(debug=True)).text
    assert text.startswith("GET http://localhost/below/notes/3\n\nLookupError: no note 3")


# -- values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "password2", "db_password", "userPassword", "mypassword", "passwd", "pwd", "secret",
        "client_secret", "token", "authToken", "X-Token", "api_key", "apiKey", "X-API-Key", "secret_key",
        "private_key", "auth", "Authorization", "proxy-authorization", "cookie", "Set-Cookie", "session",
        "session_id", "sessionid", "credentials", "csrf", "dsn", "pin", "otp", b"token", "creds", "dbCreds", "passcode",
        "mfa_code", "verificationCode", "backup-codes", "smtp_pass", "totp", "card_number", "user[password]", "oauth",
    ],
)  # fmt: skip
def test_names_that_say_secret(name):
    """In snake, camel and kebab case."""
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "author", "authors", "keyboard", "spinner", "pinned", "key", "keys", "primary_key", "public_key",
        "cache_key", "passage", "compass", "user", "id", "", 5, None, ("password",), "cookbook", "assess", "code",
        "status_code", "zipCode", "credit", "side",
    ],
)  # fmt: skip
def test_names_that_do_not(name):
    """Whole words count."""
    assert not is_secret(name)


@dataclass
class Account:
    name: str
    password: str
    inside: Any = None
    hidden: str = field(default="not told", repr=False)


@attrs.define
class AttrsAccount:
    name: str
    password: str


class StructAccount(msgspec.Struct):
    name: str
    password: str


class ModelAccount(pydantic.BaseModel):
    name: str
    password: str
    key: pydantic.SecretStr = pydantic.SecretStr("s3cr3t")


class Liar:
    def __repr__(self):
        raise ValueError


class Number:
    def __repr__(self):
        return 5


class Long:
    def __repr__(self):
        return "x" * 10**7


class Pretender:
    def __getattribute__(self, name):
        raise ValueError


class Named(NamedTuple):
    name: str
    password: str


class Leaver:
    def __repr__(self):
        raise SystemExit


class Odd(list[int]):
    def __len__(self):
        raise KeyboardInterrupt


class Nameless(type):
    @property
    def __name__(cls):  # type: ignore[override]
        raise SystemExit


class Anonymous(metaclass=Nameless):
    def __repr__(self):
        raise GeneratorExit


circle: list[Any] = [1]
circle.append(circle)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (b"a", "b'a'"),
        ([], "[]"),
        ((), "()"),
        (set(), "set()"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, "{'a': 1}"),
        ({1}, "{1}"),
        (frozenset({1}), "frozenset({1})"),
        (deque([1]), "deque([1])"),
        (defaultdict(list, {"token": [1]}), f"defaultdict({{'token': {MASK}}})"),
        (OrderedDict(a=1), "OrderedDict({'a': 1})"),
        ({"a": [{"password": "x"}]}, f"{{'a': [{{'password': {MASK}}}]}}"),
        ([("authorization", "Bearer x")], f"[('authorization', {MASK})]"),
        ([(b"cookie", b"x")], f"[(b'cookie', {MASK})]"),
        (("a", "b", "c"), "('a', 'b', 'c')"),
        (("token",), "('token',)"),
        ([("a",)], "[('a',)]"),
        (Account("a", "b", {"pin": 1}), f"Account(name='a', password={MASK}, inside={{'pin': {MASK}}})"),
        (AttrsAccount("a", "b"), f"AttrsAccount(name='a', password={MASK})"),
        (StructAccount("a", "b"), f"StructAccount(name='a', password={MASK})"),
        (ModelAccount(name="a", password="b"), f"ModelAccount(name='a', password={MASK}, key=SecretStr('**********'))"),
        (Named("a", "b"), f"Named(name='a', password={MASK})"),
        (SimpleNamespace(name="a", password="b"), f"SimpleNamespace(name='a', password={MASK})"),
        ("postgres://ann:pw@db/x", f"'postgres://ann:{MASK}@db/x'"),
        ("a=1&password=hunter2&b=2", f"'a=1&password={MASK}&b=2'"),
        (b'{"password": "x", "a": 1}', f"b'{{\"password\": {MASK}, \"a\": 1}}'"),
        (circle, "[1, [1, [1, [1, [1, [1, […]]]]]]]"),
        ("\ud800", "'\\ud800'"),
        (10**6000, "<int, whose repr raises ValueError>"),
        (Liar(), "<Liar, whose repr raises ValueError>"),
        (Leaver(), "<Leaver, whose repr raises SystemExit>"),
        ({"a": Leaver()}, "{'a': <Leaver, whose repr raises SystemExit>}"),
        (Number(), "<Number, whose repr raises TypeError>"),
        (Long(), "x" * LIMIT + "…"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values(value, text):
    """As Python writes them, without secrets; whatever a value does, it is told."""
    assert redacted_repr(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://TOKEN@host/x", f"see https://{MASK}@host/x"),
        ("postgres://ann:p@ss@w0rd@db/x", f"postgres://ann:{MASK}@db/x"),
        ("redis://:p#ss/w?rd@db", f"redis://:{MASK}@db"),
        ("http://localhost:8000/a?mail=ann@example.com", "http://localhost:8000/a?mail=ann@example.com"),
        ("https://host/ann@example.com", "https://host/ann@example.com"),
        ("/login?user[password]=a&x=1", f"/login?user[password]={MASK}&x=1"),
        ("/login?pass%77ord=a", f"/login?pass%77ord={MASK}"),
        ("/login?x=1&password=a;REST,(more)&y", f"/login?x=1&password={MASK}&y"),
        ("user%5Bpassword%5D=a;b&x=1", f"user%5Bpassword%5D={MASK}&x=1"),
        ("password=a;REST", f"password={MASK}"),
        ("password == a=b", f"password == {MASK}"),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {MASK}"),
        ("basic YW5uOnB3cHc=", f"basic {MASK}"),
        ("got eyJhbGciOi.eyJzdWIi.c2ln!", f"got {MASK}!"),
        ('{"pin": 1234, "a": 1}', f'{{"pin": {MASK}, "a": 1}}'),
        ('{"tokens": ["a", "b"], "secret": {"a": 1}}', f'{{"tokens": {MASK}, "secret": {MASK}}}'),
        ("data['password'] = 'x'", f"data['password'] = {MASK}"),
        ("password: Field required", "password: Field required"),
    ],
)
def test_texts(text, shown):
    """A message, a note or a string names its secrets in many ways."""
    error = ValueError(text)
    error.add_note(text)
    (trace,) = raised(lambda: fail(error))
    assert (trace.message, trace.notes) == (shown, [shown])


def test_values_by_their_type():
    """A session and cookies tell their names only, a partial function what it is called with by name."""
    cookies = SimpleCookie("theme=darkest")
    bound = partial(print, "apple-pie", sep="-", token="abc")
    assert redacted_repr(Session({"user": "ann", "cart": ["apple"]})) == f"Session({{'user': {MASK}, 'cart': {MASK}}})"
    assert redacted_repr([cookies]) == f"[SimpleCookie({{'theme': {MASK}}})]"
    assert redacted_repr(bound) == f"partial(func=<built-in function print>, args=…, sep='-', token={MASK})"
    assert redacted_repr(partial(print)) == "partial(func=<built-in function print>)"


SOURCE = """
password = "hunter2"  # or hunter3
user, host = "ann", "db"
TOKEN: bytes = (
    b"first"
    'second'
)
if given == "hunter2" and password is not None:
    raise ValueError("wrong")
pin = 1234
value = os.environ.get("API_KEY", "fallback")
config = {
    "host": "db",
    "client-secret": "abc",
}
data["password"] = "secret"
secrets = ["secret"]
tokens = "secret", ) if x else ["secret"] or f()["k"]["token"]
for password in {"secret", "secret"}: x
session["user"] = "ann"
connect("postgres://ann:pw@db/x", f"{password}", "a")  # redis://:pw@db
note = "the password is long"
key = '''two
lines''' + secret
def login(user="ann", password="x"):
    pass
"""
SHOWN = """
password = •••••••••  ••••••••••••
user, host = "ann", "db"
TOKEN: bytes = (
    ••••••••
    ••••••••
)
if given == ••••••••• and password is not None:
    raise ValueError("wrong")
pin = ••••
value = os.environ.get(•••••••••, ••••••••••)
config = {
    "host": ••••,
    "client-secret": •••••,
}
data["password"] = ••••••••
secrets = [••••••••]
tokens = ••••••••, ) if x else [••••••••] or f()["k"]["token"]
for password in {••••••••, ••••••••}: x
session["user"] = "ann"
connect("postgres://ann:••@db/x", f"{password}", "a")  # redis://:••@db
note = "the password is long"
key = ••••••
•••••••• + secret
def login(user=•••••, password=•••):
    pass
"""


def test_source():
    """A statement that names a secret has bullets for its literals; its other lines are as they are."""
    assert "".join(redacted_python(SOURCE.splitlines(keepends=True))) == SHOWN


@pytest.mark.parametrize("end", ["x = (", "x = '''", "    x\n  y", "$"])
def test_source_that_is_no_python(end):
    """From where it cannot be read statement by statement it is read line by line."""
    broken = ['a = "b"\n', 'password = "b"\n', f"{end}\n", 'if password == "b" > 12: "c"\n']
    shown = redacted_python("".join(broken).splitlines(keepends=True))
    assert (shown[:2], shown[-1]) == (['a = "b"\n', "password = •••\n"], "if password == ••• > ••: •••\n")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('<input name="password" value="b" size="9">', '<input name="password" value=••• size=•••>'),
        (
            'if password == "hunter2": {"password": "x", "a": "b"}["a"]',
            'if password == •••••••••: {"password": •••, "a": •••}[•••]',
        ),
        ('<a href="https://ann:pw@host">', '<a href="https://ann:••@host">'),
        ("{{ login('ann') }}", "{{ login('ann') }}"),
    ],
)
def test_a_line_of_a_template(line, shown):
    """It is read by itself."""
    assert redacted_line(line) == shown


def test_what_is_given_to_a_handler_passes_frames_without_names():
    """The frames of the framework show no variables."""

    class Site(App):
        def index(self, user, password):
            raise RuntimeError

    word = "hun" + str(len("ab"))
    page = asked("/", app=Site(debug=True), accept=HTML, params={"user": "ann", "password": word}).text
    assert "threads.py" in page
    assert word not in page


class Vault(App):
    async def reset(self, token, page="1"):
        shadow = f"<{token}>"
        raise RuntimeError(f"no {token}", shadow, page)

    async def login(self):
        session, body, headers = self.request.session, self.request.body, dict(self.request.headers)
        raise RuntimeError(len(session) + len(body) + len(headers))

    async def everything(self, *rest):
        parts = [f"<{part}>" for part in rest]
        raise RuntimeError(parts)


@pytest.mark.parametrize("accept", [TEXT, HTML, JSON])
@pytest.mark.parametrize("token", ["s3cr3t-t0ken", "é/ %27'", "x" * 150])
def test_a_secret_segment_of_the_path(accept, token):
    """A parameter is called as the handler calls it; its value is hidden wherever it stands."""
    path, referer = f"/reset/{quote(token, safe='')}/7", [("Referer", f"http://localhost/{quote(token)}")]
    reply = asked(path, app=Vault(debug=True), accept=accept, headers=referer)
    text = reply.text if accept != JSON else str(reply.json())
    assert f"http://localhost/reset/{MASK}/7" in text
    assert f"http://localhost/{MASK}" in text
    assert f"no {MASK}" in text
    assert not any(form in unescape(text) for form in (token, quote(token), quote(token, safe=""), "xxxxxx"))


def test_a_short_secret_in_the_path():
    """It is hidden in the URL and by its name; what has few characters may stand elsewhere by chance."""
    text = asked("/reset/abc", app=Vault(debug=True)).text
    assert text.startswith(f"GET http://localhost/reset/{MASK}\n")
    assert f"Path\n  token: {MASK}\n" in text


def test_segments_without_a_name_have_numbers():
    """Those that `*args` take."""
    assert "Path\n  1: 'a'\n  2: 'b'\n" in asked("/everything/a/b", app=Vault(debug=True)).text


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("password=hunter2;REST&x=1", {}),
        ("user%5Bpass%77ord%5D=hunter2", {}),
        ("", {"data": {"password": "hunter2"}}),
        ("", {"json": {"user": {"password": ["hunter2"]}, "list": [{"token": "hunter2"}], "text": 5}}),
        ("", {"cookies": {"shop": "hunter2-hunter2"}}),
        ("", {"headers": [("X-Api-Key", "hunter2")]}),
        ("", {"headers": [("Authorization", "Custom hunter2")]}),
    ],
)
@pytest.mark.parametrize("accept", [TEXT, HTML])
def test_secrets_of_a_request(query, options, accept):
    """By the name of their field: in the facts, in the URL, and in variables with other names."""
    headers = [*options.get("headers", ()), ("Accept", accept)]
    with client_of(Vault(debug=True)) as client:
        client.session({"user": "session-ann"})
        text = client.request("POST", f"/login?{query}", **{**options, "headers": headers}).text
    assert "RuntimeError" in text
    assert not any(secret in text for secret in ("hunter2", "REST", "session-ann"))


def test_a_secret_of_a_form_wherever_it_stands():
    """Its value is known by its field, also where no name stands beside it."""

    class Site(App):
        async def index(self, **fields):
            values = list(fields.values())
            raise RuntimeError(f"wrong: {values}")

    text = asked("/", app=Site(debug=True), method="POST", data={"user": "ann", "password": "hunter2"}).text
    assert f"RuntimeError: wrong: ['ann', '{MASK}']" in text
    assert "hunter2" not in text


def test_a_value_that_lies_about_its_class():
    """It is told, whatever one asks of it."""
    assert redacted_repr(Pretender()).startswith("<tests.batteries.test_debug.Pretender object at 0x")
    assert redacted_repr(Odd()) == "<Odd, which raises KeyboardInterrupt>"
    assert redacted_repr(Anonymous()) == "<Anonymous, whose repr raises GeneratorExit>"


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 10**7,
        lambda: b"x" * 10**7,
        lambda: [["x" * 100] * 99] * 99,
        lambda: dict.fromkeys(range(10**5), "x"),
        lambda: list(range(10**6)),
    ],
)
def test_large_values_are_cut(make):
    """At a thousand characters."""
    text = redacted_repr(make())
    assert len(text) <= LIMIT + 1
    assert text.endswith("…")


def test_paths_are_short_where_they_can_be(tmp_path):
    """In the working directory, and where packages are."""
    assert short_path(str(Path.cwd() / "shop" / "app.py")) == "shop/app.py"
    assert short_path(pytest.__file__) == "pytest/__init__.py"
    assert short_path(str(tmp_path / "x.py")) == str(tmp_path / "x.py")


# -- paths that lead nowhere ----------------------------------------------------------------------------


def near(path, method="GET"):
    reply = asked(path, method=method, accept=JSON)
    return reply.status_code, [(one["path"], one["why"]) for one in reply.json()["near"]]


@pytest.mark.parametrize(
    ("method", "path", "status", "found"),
    [
        ("GET", "/gret/Ann", 404, [("/greet", "")]),
        ("GET", "/GREET", 404, [("/greet", "")]),
        ("GET", "/greet/a/b", 500, [("/greet", "1 segment too many")]),
        ("GET", "/index/x", 500, []),
        ("GET", "/note/3", 404, [("/notes/{id}", ""), ("/notes", "answers POST only"), ("/notes/old", "")]),
        ("PUT", "/notes/old", 405, [("/notes/old", "answers GET, HEAD only"), ("/notes/{id}", "answers GET, HEAD only"),
                                    ("/notes", "answers POST only")]),
        ("GET", "/notes", 405, [("/notes/{id}", "1 segment missing"), ("/notes", "answers POST only"),
                                ("/notes/old", "1 segment missing")]),
        ("GET", "/fial/1/2/3", 404, [("/fail/{rest*}", "")]),
        ("GET", "/quite/another", 404, []),
        ("GET", "/chat", 404, []),
    ],
)  # fmt: skip
def test_near_routes(method, path, status, found):
    """By the names in the path, the best first; what does not fit is said."""
    assert near(path, method) == (status, found)


def test_the_page_links_to_what_can_be_opened():
    """Routes without parameters that answer GET, at the path where the application is."""
    page = asked("/notse/old", accept=HTML).text
    assert "<a href='/notes/old'><code>/notes/old</code></a>" in page
    assert "<span class='verbs'>WS</span> <code>/chat</code>" in page
    assert "<code>/notes/{id}</code>" in page
    assert "tests/batteries/test_debug.py:" in page


def test_mounts_are_listed():
    """With all that is there, up to two hundred."""

    async def other(scope, receive, send): ...

    async def page(self): ...

    members: dict[str, Any] = {f"page{number}": page for number in range(250)}
    site = type("Many", (App,), {**members, "other": Mount(other)})(debug=True)
    html = asked("/nowhere", app=site, accept=HTML).text
    assert html.count("<li>") == 201
    assert "… and 51 more" in html


def test_text_for_others():
    """A line each."""
    assert asked("/note/3").text == (
        "GET http://localhost/note/3\n\n404 Not Found: nothing answers this\n\nNear:\n"
        "  GET,HEAD /notes/{id}\n  POST /notes  (answers POST only)\n  GET,HEAD /notes/old\n"
    )
    assert asked("/quite/another").text == "GET http://localhost/quite/another\n\n404 Not Found: nothing answers this\n"


def test_allow_stays():
    """405 names the verbs."""
    assert asked("/notes/old", method="PUT").headers["allow"] == "GET, HEAD, OPTIONS"


def test_an_answer_of_the_applications_own_stays():
    """A handler's 404 is no wrong path."""

    class Site(App):
        async def item(self, id: int):
            raise HTTPError(404, "No such item")

    assert asked("/item/3", app=Site(debug=True)).text == "404 Not Found: No such item"


def test_a_status_without_a_name():
    """`surplus_path_status` may be any."""
    assert asked("/greet/a/b", app=Shop(debug=True, surplus_path_status=499)).status_code == 499
    assert "\n499: nothing answers" in asked("/greet/a/b", app=Shop(debug=True, surplus_path_status=499)).text


class Pages(HttpMiddleware):
    """Keeps what it sees, and answers what it is told to."""

    def __init__(self, change=None, header=None):
        self.seen = []
        self.change = change
        self.header = header

    async def after_request(self, request, status_code, response_body, extra_headers):
        self.seen.append((status_code, response_body, sorted(name for name, _ in extra_headers)))
        if self.header is not None:
            extra_headers.append(self.header)
        return self.change


def with_hook(**told):
    site = Shop(debug=True)
    site.middlewares.append(Pages(**told))
    return site


@pytest.mark.parametrize(
    ("path", "method", "seen"),
    [
        ("/fail", "GET", (500, BARE, ["Vary", "X-Content-Type-Options"])),
        ("/nowhere", "GET", (404, "404 Not Found", ["Vary", "X-Content-Type-Options"])),
        ("/notes/old", "PUT", (405, "405 Method Not Allowed", ["Allow", "Vary", "X-Content-Type-Options"])),
    ],
)
def test_hooks_see_what_visitors_see(path, method, seen):
    """The page takes its place when they have seen it, with the headers that they have added."""
    site = with_hook(header=("X-Own", "1"))
    reply = asked(path, app=site, method=method, accept=HTML)
    (status, body, names) = seen
    assert [(told[0], told[2]) for told in site.middlewares[0].seen] == [(status, names)]
    assert f"<h1>{body}</h1>" in site.middlewares[0].seen[0][1]
    assert reply.text.startswith("<!doctype html>")
    assert reply.headers["x-own"] == "1"
    assert len(reply.headers.get_list("content-type")) == len(reply.headers.get_list("x-content-type-options")) == 1


@pytest.mark.parametrize("path", ["/fail", "/nowhere"])
def test_a_page_of_the_applications_own(path):
    """A hook that puts a body in place of the error's has put all of the debug page's headers aside as well."""
    plain = Shop()
    plain.middlewares.append(Pages({"body": "<h1>own</h1>"}))
    replies = [asked(path, app=app, accept=HTML) for app in (with_hook(change={"body": "<h1>own</h1>"}), plain)]
    assert [reply.text for reply in replies] == ["<h1>own</h1>"] * 2
    assert replies[0].headers.multi_items() == replies[1].headers.multi_items()
    assert "content-security-policy" not in replies[0].headers


def test_a_status_or_headers_of_the_applications_own():
    """The page has them; what it says of its own content and of who may load it stands."""
    change = {"status_code": 410, "headers": [("X-Own", "1"), ("Content-Security-Policy", "default-src 'self'")]}
    reply = asked("/nowhere", app=with_hook(change=change), accept=HTML)
    assert (reply.status_code, reply.headers["x-own"]) == (410, "1")
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "404 Not Found" in reply.text


def test_a_guard_may_answer_too():
    """An `_after` that assigns a body is the application's own page."""

    class Branch(Controller):
        async def index(self):
            raise RuntimeError

        async def _after(self, reply):
            reply.body = f"own: {reply.body}"

    class Site(App):
        branch = Branch()

    assert asked("/branch", app=Site(debug=True)).text == f"own: {BARE}"


def test_an_own_send_response_gets_the_page():
    """It is the reply that goes out."""
    seen = []

    class Site(Shop):
        async def _send_response(self, send, status_code, body, extra_headers=None):
            seen.append((status_code, body))
            await super()._send_response(send, status_code, body, extra_headers)

    text = asked(app=Site(debug=True)).text
    assert "RuntimeError: <script>" in text
    assert [(status, body in text) for status, body in seen] == [(500, True)]


async def broken(scope, receive, send):
    raise RuntimeError("below")


class Unsendable(App):
    below = Mount(broken)

    async def text(self):
        return "\ud800"


class Unsending(App):
    async def index(self):
        return "page"

    async def _send_response(self, send, status_code, body, extra_headers=None):
        raise RuntimeError("in sending")


@pytest.mark.parametrize(
    ("app", "path", "told"),
    [
        (Unsendable, "/below/x", "RuntimeError: below"),
        (Unsendable, "/text", "UnicodeEncodeError: "),
        (Unsending, "/", "RuntimeError: in sending"),
    ],
)
def test_what_goes_wrong_behind_the_hooks(app, path, told):
    """It has its page too."""
    assert told in asked(path, app=app(debug=True)).text
