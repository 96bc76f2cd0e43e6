"""Refusals of WebSockets by a whole HTTP reply: the ASGI extension "Websocket Denial Response"."""

import pytest

from micropie import App, Controller, HTTPError, HttpMiddleware, Mount, Reply, WebSocketMiddleware
from micropie.testing import TestClient, WebSocketRefused
from tests.client import run
from tests.wire import websocket


class TeapotError(Exception):
    """What an `_on_error` answers."""


class Members(Controller):
    def __init__(self, answer):
        self._answer = answer

    async def _before(self):
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def ws_index(self, ws):
        raise AssertionError("a guard lets nobody in")


class Site(App):
    banned = Members(HTTPError(401, "Log in first", {"WWW-Authenticate": "Basic"}))
    moved = Members((302, "", [("Location", "/login")]))
    silent = Members(Reply(429, None, [("Retry-After", "9")]))

    async def ws_number(self, ws, number: int):
        await ws.accept()

    async def ws_private(self, ws):
        raise HTTPError(403, "Members only")

    async def ws_fails(self, ws):
        raise RuntimeError("the password is hunter2")

    async def ws_late(self, ws):
        await ws.accept()
        raise HTTPError(403, "Too late")

    async def ws_closes(self, ws):
        await ws.close(4003, "not you")

    async def ws_returns(self, ws):
        return "nothing"

    async def ws_teapot(self, ws):
        raise TeapotError

    async def ws_stream(self, ws):
        raise LookupError

    async def ws_bad_headers(self, ws):
        raise HTTPError(403, headers="none")

    async def ws_odd(self, ws):
        raise ArithmeticError

    async def _on_error(self, error):
        if isinstance(error, TeapotError):
            return 418, {"kind": "teapot"}, {"X-Pot": "brown"}
        if isinstance(error, LookupError):
            return 404, (chunk for chunk in "ab"), {"X-Stream": "closed"}
        return (409, "\ud800") if isinstance(error, ArithmeticError) else None


def refused(app, path, **options):
    """The exception of a handshake that is refused."""
    with (
        TestClient(app, raise_exceptions=False) as client,
        pytest.raises(WebSocketRefused) as caught,
        client.websocket(path, **options),
    ):
        pass
    return caught.value


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nowhere", 404, "404 Not Found: No matching WebSocket route"),
        ("/_secret", 404, "404 Not Found: Private handler not allowed"),
        ("/number", 400, "400 Bad Request: Missing required parameter 'number'"),
        ("/number/x", 400, "400 Bad Request: Invalid value for parameter 'number': expected an integer"),
        ("/private", 403, "403 Forbidden: Members only"),
        ("/banned", 401, "401 Unauthorized: Log in first"),
        ("/fails", 500, "500 Internal Server Error"),
        ("/bad_headers", 500, "500 Internal Server Error"),
        ("/odd", 500, "500 Internal Server Error"),
    ],
)
def test_a_refusal_has_its_status_and_its_reason(path, status, text):
    """What HTTP would answer is what the client of a handshake gets."""
    response = refused(Site(), path).response
    assert (response.status_code, response.text) == (status, text)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("application/json", "application/problem+json"), ("text/html", "text/html; charset=utf-8")],
)
def test_a_refusal_has_the_form_that_the_client_prefers(accept, content_type):
    """As any error has."""
    response = refused(Site(), "/private", headers={"Accept": accept}).response
    assert (response.headers["content-type"], response.headers["vary"]) == (content_type, "Accept")
    assert "Members only" in response.text


def test_all_refusals_are_problem_details_where_the_application_says_so():
    """`App(errors="problem")` counts for handshakes too."""
    problem = refused(Site(errors="problem"), "/private").response.json()
    assert (problem["status"], problem["detail"]) == (403, "Members only")


def test_the_headers_of_an_error_go_out():
    """A client that gets 401 learns how to log in."""
    assert refused(Site(), "/banned").response.headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize(("path", "status", "field"), [("/moved", 302, "location"), ("/silent", 429, "retry-after")])
def test_what_a_guard_answers_refuses(path, status, field):
    """Its reply goes out as it is."""
    response = refused(Site(), path).response
    assert response.status_code == status
    assert field in response.headers
    assert response.content == b""


def test_what_on_error_answers_refuses():
    """An HTTP result of it is the reply."""
    response = refused(Site(), "/teapot").response
    assert (response.status_code, response.json(), response.headers["x-pot"]) == (418, {"kind": "teapot"}, "brown")


def test_a_stream_refuses_by_its_status():
    """Its chunks are not sent."""
    response = refused(Site(), "/stream").response
    assert (response.status_code, response.text) == (404, "404 Not Found")
    assert response.headers["x-stream"] == "closed"


def test_a_foreign_page_gets_403():
    """A handshake with our cookie from another origin."""
    app = Site()
    cookies = {"session_id": "0123456789abcdef0123456789abcdef"}
    response = refused(app, "/private", headers={"Origin": "http://evil.example"}, cookies=cookies).response
    assert (response.status_code, response.text) == (403, "403 Forbidden: Origin not allowed")


def test_the_dict_of_a_hook_closes():
    """Who names a code means a close, of which servers make 403."""

    class Closed(WebSocketMiddleware):
        async def before_websocket(self, request):
            return {"code": 4009, "reason": "closed today"}

    app = Site()
    app.ws_middlewares.append(Closed())
    error = refused(app, "/private")
    assert (error.code, error.reason, error.response) == (4009, "closed today", None)


@pytest.mark.parametrize(("path", "code", "reason"), [("/closes", 4003, "not you"), ("/returns", 1000, "")])
def test_a_handler_that_does_not_accept_closes(path, code, reason):
    """A close of its own before the handshake stays one."""
    error = refused(Site(), path)
    assert (error.code, error.reason, error.response) == (code, reason, None)


def test_an_accepted_connection_is_closed():
    """Behind the handshake there is no reply."""
    dialogue = websocket(Site(), "/late", scope={"extensions": {"websocket.http.response": {}}})
    assert dialogue.close == (1008, "Too late")


@pytest.mark.parametrize("extensions", [None, {}, {"other": {}}])
@pytest.mark.parametrize(
    ("path", "close"),
    [
        ("/nowhere", (1008, "No matching WebSocket route")),
        ("/private", (1008, "Members only")),
        ("/banned", (1008, "Log in first")),
        ("/moved", (1008, "302 Found")),
        ("/teapot", (1008, "418 I'm a Teapot")),
        ("/fails", (1011, "Internal server error")),
    ],
)
def test_a_server_without_the_extension_is_given_a_close(extensions, path, close):
    """It makes a 403 of it."""
    dialogue = websocket(Site(), path, scope={"extensions": extensions})
    assert dialogue.close is not None
    assert (dialogue.close[0], dialogue.close[1].lower()) == (close[0], close[1].lower())


def test_a_mounted_application_refuses_by_itself():
    """The reply is that of the inner one."""

    class Outer(App):
        inner = Mount(Site())

    assert refused(Outer(), "/inner/private").response.text == "403 Forbidden: Members only"


def test_a_client_that_has_left_is_no_error():
    """A refusal that nobody reads is over."""

    async def main(app):
        scope = {"type": "websocket", "path": "/x", "headers": [], "extensions": {"websocket.http.response": {}}}

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            raise OSError

        await app(scope, receive, send)
        return "done"

    assert run(main(Site())) == "done"


def test_a_refused_handshake_keeps_its_session():
    """What the session got before the error is stored, as for HTTP."""

    class Counting(App):
        async def index(self):
            self.request.session["tries"] = 0
            return "ok"

        async def ws_try(self, ws):
            self.request.session["tries"] += 1
            raise HTTPError(403)

        async def tries(self):
            return self.request.session["tries"]

    with TestClient(Counting()) as client:
        client.get("/")
        with pytest.raises(WebSocketRefused), client.websocket("/try"):
            pass
        assert client.get("/tries").json() == 1


def test_the_http_hooks_of_replies_do_not_see_it():
    """A handshake is no HTTP request to them."""
    seen = []

    class Seeing(HttpMiddleware):
        async def after_request(self, request, status_code, response_body, extra_headers):
            seen.append(status_code)

    app = Site()
    app.middlewares.append(Seeing())
    refused(app, "/private")
    assert seen == []
