"""A request that nobody looks at goes a short way, and one whose plain reply no hook changes another; else it goes the
general one, which an onlooker before sending takes every reply to.

The ways are driven with the same generated applications, requests and failures, and must not differ by a byte.
"""

import asyncio
import logging
import time
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from micropie import App, HTTPError, HttpMiddleware, InMemorySessionBackend, Reply, ReplyHeaders


class Onlooker(HttpMiddleware):
    """Defines all hooks, and does nothing in any."""

    def before_routing(self, request):
        return None

    async def before_request(self, request):
        return None

    async def after_request(self, request, status_code, response_body, extra_headers):
        return None

    def before_sending(self, request, status_code, response_body, headers):
        return None


class Around(HttpMiddleware):
    """Sees a request and its reply, and changes nothing."""

    def before_request(self, request):
        return None

    def after_request(self, request, status_code, response_body, extra_headers):
        return None


class Changing(HttpMiddleware):
    """Changes a reply as it is told to, and keeps what it was shown."""

    def __init__(self, change):
        self.change = change
        self.shown: list[Any] = []

    async def after_request(self, request, status_code, response_body, extra_headers):
        text = response_body if isinstance(response_body, str | bytes) else None
        self.shown.append((status_code, text, list(extra_headers)))
        return self.change(request, extra_headers)


def drop_headers(request, headers):
    headers.clear()


def use_session(request, headers):
    request.session["seen"] = ["by a hook"]


def fail(request, headers):
    raise ValueError("in a hook")


CHANGES: dict[str, Any] = {
    "none": lambda request, headers: None,
    "a header": lambda request, headers: headers.append(("X-Hook", "1")),
    "type": lambda request, headers: headers.append(("Content-Type", "text/plain")),
    "no headers": drop_headers,
    "no name": lambda request, headers: headers.append("X"),
    "status": lambda request, headers: {"status_code": 203},
    "body": lambda request, headers: {"body": "changed"},
    "json": lambda request, headers: {"body": {"changed": True}},
    "headers": lambda request, headers: {"headers": [*headers, ("X-Hook", "1")]},
    "stream": lambda request, headers: {"body": chunks("c", "d")},
    "wrong": lambda request, headers: 7,
    "session": use_session,
    "failure": fail,
}


class Inheriting(HttpMiddleware):
    """Defines none of the hooks."""


ADDED = [("X-Made", "added"), ("Vary", "Origin"), ("X-Frame-Options", "DENY"), ("Cache-Control", "no-store")]


class AddingOnce(HttpMiddleware):
    """Adds headers that were made once."""

    headers = ReplyHeaders(ADDED)

    def reply_headers(self, request):
        return self.headers


class AddingEach(HttpMiddleware):
    """Adds the headers to each reply by hand."""

    def after_request(self, request, status_code, response_body, extra_headers):
        names = {name.lower() for name, _ in extra_headers} - {"vary"}
        extra_headers += [pair for pair in ADDED if pair[0].lower() not in names]


class ShortCut(HttpMiddleware):
    """Answers some requests in the handler's place."""

    def before_request(self, request):
        return {"body": "short"} if request.query_params else None


class Unencodable:
    """No JSON value."""

    def __repr__(self):
        return "<unencodable>"


class Unsaveable:
    """A value that no session can keep."""

    def __deepcopy__(self, memo):
        raise ValueError("not to be copied")

    def __repr__(self):
        return "<unsaveable>"


async def chunks(*parts):
    for part in parts:
        yield part


RESULTS: dict[str, Any] = {
    "dict": lambda: {"a": [1, None, "ü"]},
    "list": lambda: [1, {"b": 2.5}],
    "text": lambda: "plain",
    "empty": lambda: "",
    "wide": lambda: "gr\u00fc\u00df",
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"raw",
    "none": lambda: None,
    "tuple": lambda: (201, {"made": True}, [("X-Made", "yes")]),
    "no content": lambda: (204, None),
    "wrong tuple": lambda: (1, 2, 3, 4),
    "reply": lambda: Reply(202, "later", [("X-Reply", "1")]),
    "unusable": lambda: {"x": Unencodable()},
    "nested unusable": lambda: [Unencodable()],
    "set": lambda: {1, 2},
    "stream": lambda: chunks("a", "b"),
    "empty stream": chunks,
    "objects": lambda: chunks({"n": 1}, {"n": 2}),
    "broken stream": lambda: chunks("a", Unencodable()),
}
ERRORS: dict[str, Any] = {
    "refused": lambda: HTTPError(403, "No"),
    "failed": lambda: ValueError("inside"),
    "key": lambda: KeyError("x"),
}


class Two(App):
    """Answers with what the test wants, once it has done to the session what the test wants."""

    wanted: Any = None
    session_use: str = "none"

    def _use_session(self):
        if self.session_use == "none":
            return
        session = self.request.session
        if self.session_use == "write":
            session["count"] = session.get("count", 0) + 1
        elif self.session_use == "end":
            session.clear()
        elif self.session_use == "rotate":
            session["kept"] = 1
            session.rotate()
        elif self.session_use == "spoil":
            session["bad"] = Unsaveable()

    async def _answer(self):
        self._use_session()
        made = self.wanted()
        if isinstance(made, Exception):
            raise made
        return made

    async def index(self):
        return await self._answer()

    async def given(self, name, number: int = 1):
        return await self._answer()

    async def post_body(self):
        return {"json": self.request.get_json, "fields": self.request.body_params, "answer": repr(self.wanted)[:3]}


class Log(logging.Handler):
    """Keeps what records say, and of what kind their exceptions are."""

    def __init__(self):
        super().__init__()
        self.kept: list[Any] = []

    def emit(self, record):
        kind = record.exc_info[0] if record.exc_info else None
        self.kept.append((record.levelname, record.getMessage(), kind))


SESSION = "A" * 24 + ".7fffffff"

requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
        "path": st.sampled_from(
            ["/", "/given/x", "/given", "/given/x/7", "/given/x/y", "/body", "/nowhere", "/_answer"]
        ),
        "query": st.sampled_from([b"", b"name=n", b"number=z", b"a=1&b=2"]),
        "body": st.sampled_from([b"", b'{"a": 1}', b"{", b"a=b&c=d", b"[" * 5]),
        "type": st.sampled_from([b"application/json", b"application/x-www-form-urlencoded", b"text/plain"]),
        "accept": st.sampled_from([b"", b"text/plain", b"application/json", b"text/event-stream", b"text/html"]),
        "cookie": st.sampled_from([b"", b"session_id=" + SESSION.encode(), b"session_id=unknown", b"a=b"]),
        "pieces": st.integers(1, 3),
        "gone": st.sampled_from([None, None, None, 0, 1]),
    }
)


VISIT = {
    "method": "GET", "path": "/", "query": b"", "body": b"", "type": b"text/plain", "accept": b"",
    "cookie": b"session_id=" + SESSION.encode(), "pieces": 1, "gone": None,
}  # fmt: skip
NEWCOMER = {**VISIT, "cookie": b""}


async def messages_of(app: App, asked: dict[str, Any]) -> Any:
    """Give what the application sends, and the exception that it ends with, if any."""
    headers = [(b"accept", asked["accept"]), (b"cookie", asked["cookie"])]
    body, count = asked["body"], asked["pieces"]
    if asked["method"] not in ("GET", "HEAD"):
        headers += [(b"content-type", asked["type"]), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "scheme": "http",
        "method": asked["method"], "path": asked["path"], "raw_path": asked["path"].encode(), "root_path": "",
        "query_string": asked["query"], "headers": headers, "client": ("203.0.113.7", 1), "server": ("localhost", 80),
    }  # fmt: skip
    size = max(1, -(-len(body) // count))
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    incoming = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, 1)
    ]
    sent: list[Any] = []

    async def receive():
        if incoming:
            if count == 2:
                await asyncio.sleep(0)
            return incoming.pop(0)
        return await asyncio.get_running_loop().create_future()

    async def send(message):
        if asked["gone"] is not None and len(sent) >= asked["gone"]:
            raise OSError("gone")
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception as error:
        return sent, type(error), str(error)
    return sent, None, None


def outcome(
    wanted: Any,
    session_use: str,
    middlewares: list[Any],
    asked: dict[str, Any],
    kind: Any = InMemorySessionBackend,
    shown_as: Any = lambda message: message,
) -> Any:
    """Give all that can be seen of one request: messages, log records and what is in the sessions afterwards."""
    backend = kind()
    app = Two(backend, debug=False)
    app.middlewares += middlewares
    app.wanted, app.session_use = wanted, session_use
    log = Log()
    logger = logging.getLogger("micropie")
    logger.addHandler(log)
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False

    async def main():
        if asked["cookie"]:
            await backend.save(SESSION, {"count": 1, "seen": ["a"]}, 1000)
            backend.last_access[SESSION] -= 500
        return await messages_of(app, asked)

    try:
        sent, *error = asyncio.run(main())
    finally:
        logger.removeHandler(log)
        logger.setLevel(level)
        logger.propagate = propagates
    drawn = [key for key in backend.sessions if key != SESSION]
    shown = [anonymous(shown_as(message), drawn) for message in sent]
    sessions = [("drawn" if key in drawn else key, data) for key, data in backend.sessions.items()]
    is_pushed = time.time() - backend.last_access.get(SESSION, 0) < 400
    return shown, error, log.kept, sessions, is_pushed


def in_any_order(message: dict[str, Any]) -> dict[str, Any]:
    """Give a message whose fields of different names stand in the order of the names."""
    if "headers" not in message:
        return message
    return {**message, "headers": sorted(message["headers"], key=lambda field: field[0])}


def anonymous(message: dict[str, Any], drawn: list[str]) -> Any:
    """Give a message in which ids that were just drawn stand as such."""
    text = repr(message)
    for session_id in drawn:
        text = text.replace(session_id, "drawn")
    return text


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*RESULTS.values(), *ERRORS.values()]),
    st.sampled_from(["none", "none", "read", "write", "end", "rotate", "spoil"]),
    requests,
)
@example(RESULTS["dict"], "none", VISIT)
@example(RESULTS["dict"], "write", VISIT)
@example(RESULTS["dict"], "spoil", VISIT)
def test_both_ways_give_the_same(wanted, session_use, asked):
    """Messages, log records and sessions are the same whether hooks look on or not, and whether they are inherited."""
    short = outcome(wanted, session_use, [], asked)
    assert outcome(wanted, session_use, [Onlooker(), Inheriting()], asked) == short
    assert outcome(wanted, session_use, [Inheriting()], asked) == short
    assert outcome(wanted, session_use, [Around(), Inheriting(), Around()], asked) == short


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*RESULTS.values(), *ERRORS.values()]),
    st.sampled_from(["none", "none", "none", "write", "rotate"]),
    st.lists(st.sampled_from([*CHANGES.values()]), min_size=1, max_size=3),
    requests,
)
@example(RESULTS["dict"], "none", [CHANGES["session"]], NEWCOMER)
@example(RESULTS["text"], "none", [CHANGES["a header"], CHANGES["json"]], NEWCOMER)
@example(RESULTS["dict"], "none", [CHANGES["no headers"], CHANGES["status"]], NEWCOMER)
@example(RESULTS["dict"], "none", [CHANGES["none"], CHANGES["failure"]], NEWCOMER)
def test_hooks_that_change_a_reply_are_shown_the_same(wanted, session_use, changes, asked):
    """What after hooks see, and what becomes of it, does not depend on whether somebody looks on before sending."""

    def seen(*others):
        hooks = [Changing(change) for change in changes]
        return outcome(wanted, session_use, [*hooks, *others], asked), [hook.shown for hook in hooks]

    assert seen() == seen(Onlooker())


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*RESULTS.values(), *ERRORS.values()]),
    st.sampled_from(["none", "none", "read", "write", "end", "rotate", "spoil"]),
    requests,
    st.lists(st.sampled_from([Onlooker, Inheriting, ShortCut, AddingOnce]), max_size=3),
)
@example(RESULTS["dict"], "none", VISIT, [])
@example(RESULTS["dict"], "read", VISIT, [Onlooker])
@example(RESULTS["surrogate"], "none", VISIT, [AddingOnce])
@example(RESULTS["dict"], "spoil", VISIT, [])
@example(RESULTS["tuple"], "none", VISIT, [ShortCut])
def test_headers_made_once_are_those_added_to_each_reply(wanted, session_use, asked, others):
    """A reply has the headers of `reply_headers` as if an after hook had added them, whatever stands around it.

    Only a bare 500, for what went wrong behind the hooks, has none of an after hook's.
    """
    once = [kind() for kind in [*others, AddingOnce]]
    each = [AddingEach() if isinstance(one, AddingOnce) else one for one in once]
    adding = [one for one in each if isinstance(one, AddingEach)]

    def with_added_headers(message):
        if message.get("status") == 500 and b"x-made" not in dict(message["headers"]):
            headers: list[Any] = [(name.decode().title(), value.decode()) for name, value in message["headers"]]
            for one in adding:
                one.after_request(None, 500, None, headers)
            raw = [(name.lower().encode(), value.encode()) for name, value in headers]
            message = {**message, "headers": raw}
        return in_any_order(message)

    expected = outcome(wanted, session_use, each, asked, shown_as=with_added_headers)
    assert outcome(wanted, session_use, once, asked, shown_as=in_any_order) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*RESULTS.values(), *ERRORS.values()]),
    st.sampled_from(["none", "read", "write", "end", "rotate", "spoil"]),
    requests,
)
def test_a_backend_in_memory_is_like_any_other(wanted, session_use, asked):
    """The memory, which is asked without a wait, gives what a backend gives that must be waited for."""

    class Waiting(InMemorySessionBackend):
        async def load(self, session_id):
            await asyncio.sleep(0)
            return await super().load(session_id)

        async def save(self, session_id, data, timeout):
            await asyncio.sleep(0)
            return await super().save(session_id, data, timeout)

    short = outcome(wanted, session_use, [], asked)
    assert outcome(wanted, session_use, [], asked, Waiting) == short
