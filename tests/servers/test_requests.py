"""Plain requests and replies, through each server."""

import json

import pytest

from tests.servers.serving import Server, request


def test_plain_text(server: Server):
    """The README's first application answers as it says."""
    reply = server.get("/")
    assert (reply.status_code, reply.text) == (200, "Welcome to MicroPie ASGI.")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-length"] == "25"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/greet", "Hello, Guest!"),
        ("/greet/Alice", "Hello, Alice!"),
        ("/greet/Alice/", "Hello, Alice!"),
        ("/greet?name=Alice", "Hello, Alice!"),
        ("/greet/Alice?name=Bob", "Hello, Alice!"),
        ("/greet?name=J%C3%BCrgen+%26+Zo%C3%AB", "Hello, Jürgen & Zoë!"),
        ("/greet/J%C3%BCrgen%20%26%20Zo%C3%AB", "Hello, Jürgen & Zoë!"),
        ("/greet/100%2525", "Hello, 100%25!"),
    ],
)
def test_parameters_come_from_the_path_and_the_query(server: Server, path: str, expected: str):
    """A parameter takes the path's segment, else the query's value, else its default."""
    reply = server.get(path)
    assert (reply.status_code, reply.text) == (200, expected)


def test_path_and_query_fill_one_signature(server: Server):
    """A signature may be filled from both."""
    assert server.get("/add/one?right=two").json() == {"left": "one", "right": "two"}


def test_an_escaped_slash_does_not_split_a_segment(server: Server):
    """`%2F` is a character of its segment; over RSGI nobody knows that it was one."""
    segments = ["a/b", "c"] if server.kind.keeps_raw_paths else ["a", "b", "c"]
    with server.wire() as wire:
        wire.send(request("GET /segments/a%2Fb/c"))
        assert json.loads(wire.reply().body) == {"segments": segments}


def test_a_target_that_is_a_whole_url_is_its_path(server: Server):
    """As clients of a proxy send it (RFC 9112 §3.2.2), whoever splits it; the scope says what is routed."""
    with server.wire() as wire:
        wire.send(request("GET http://pies.example/greet/Alice?name=Bob"))
        assert wire.reply().body == b"Hello, Alice!"
        wire.send(request("GET http://pies.example/path"))
        assert wire.reply().body == b"/path"


def test_white_space_around_a_header_value_is_no_part_of_it(server: Server):
    """Not all servers leave it out."""
    with server.wire() as wire:
        wire.send(request("GET /asked", "X-Asked: \t yes \t "))
        assert wire.reply().body == b"yes"


def test_a_path_that_is_not_utf_8_is_refused(server: Server):
    """Bytes that decode to nothing are refused, not replaced."""
    with server.wire() as wire:
        wire.send(request("GET /greet/%FF"))
        assert wire.reply().status == 400


def test_a_missing_parameter_is_named(server: Server):
    """A parameter that nothing fills is the client's mistake."""
    reply = server.get("/add/one")
    assert (reply.status_code, reply.text) == (400, "400 Bad Request: Missing required parameter 'right'")


def test_too_many_query_fields_are_refused(server: Server):
    """A query of 1,001 fields is more than anybody needs; they are short, gunicorn takes a line of 4,094 bytes."""
    assert server.get("/greet?" + "&".join(["n=x"] * 1001)).status_code == 400


@pytest.mark.parametrize("path", ["/nowhere", "/_gate/x", "/%5Fgate/x", "/ws_echo", "/seen", "/startup_handlers"])
def test_what_is_no_handler_is_not_found(server: Server, path: str):
    """Only handlers answer."""
    reply = server.get(path)
    assert (reply.status_code, reply.text) == (404, "404 Not Found")


def test_an_exception_shows_no_internals(server: Server):
    """The client learns that it failed, the log learns why."""
    reply = server.get("/broken")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")
    assert "hunter2" not in str(reply.headers)
    assert server.logs("RuntimeError: the password is hunter2")


def test_surplus_segments_are_an_error(server: Server):
    """The README's `/hello/Alice`: a path that the handler cannot take is a 500."""
    reply = server.get("/nothing/Alice")
    assert (reply.status_code, reply.text) == (500, "500 Internal Server Error")


def test_head_has_the_headers_of_get_and_no_body(server: Server):
    """A HEAD's reply ends with its headers, so that the next reply follows on the connection."""
    with server.wire() as wire:
        wire.send(request("HEAD /greet/Alice") + request("GET /greet/Bob"))
        head = wire.reply("HEAD")
        assert (head.status, head.headers["content-length"]) == (200, "13")
        assert wire.reply().body == b"Hello, Bob!"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_handler_takes_every_method(server: Server, method: str):
    """It is up to the handler what to do with a method."""
    with server.client() as client:
        assert client.request(method, "/method").text == method


def test_a_tuple_gives_status_and_headers(server: Server):
    """`(status, body, headers)` goes out as it says."""
    reply = server.get("/teapot")
    assert (reply.status_code, reply.text, reply.headers["x-pot"]) == (418, "short and stout", "tea")


def test_bytes_keep_their_value_and_type(server: Server):
    """Bytes pass as they are under the handler's own type."""
    reply = server.get("/picture")
    assert (reply.content, reply.headers.get_list("content-type")) == (bytes(range(256)), ["image/x-test"])


def test_none_is_no_content(server: Server):
    """A handler that returns nothing answers 204, and the connection goes on."""
    with server.wire() as wire:
        wire.send(request("GET /nothing") + request("GET /greet"))
        nothing = wire.reply("HEAD")
        assert (nothing.status, nothing.headers.get("transfer-encoding")) == (204, None)
        assert wire.reply().body == b"Hello, Guest!"


INJECTIONS = [
    "/next%0d%0aX-Evil:%20yes",
    "/next%0aX-Evil:%20yes",
    "/next%0dX-Evil:%20yes",
    "/next%0d%0a%0d%0a%3Cscript%3E",
    "/next%E5%98%8A%E5%98%8DX-Evil:%20yes",
    "/next%00X-Evil:%20yes",
    "/next%E2%80%A8X-Evil:%20yes",
]


@pytest.mark.parametrize("target", INJECTIONS)
def test_a_redirect_cannot_split_the_headers(server: Server, target: str):
    """Whatever a client smuggles into a redirect's target stays in `Location`, as ASCII."""
    with server.wire() as wire:
        wire.send(request(f"GET /go?to={target}"))
        reply = wire.reply()
    assert (reply.status, reply.body) == (302, b"")
    assert len(reply.headers.get_all("location", [])) == 1
    assert reply.headers["location"].startswith("/next")
    assert reply.headers["location"].isascii()
    assert reply.headers["location"].isprintable()
    assert "x-evil" not in reply.headers


def test_a_redirect_is_made_ascii(server: Server):
    """Letters beyond ASCII are escaped, escapes that are there stay."""
    reply = server.get("/go?to=/caf%C3%A9/a%2520b?q=%C3%BC%23top")
    assert (reply.status_code, reply.headers["location"]) == (302, "/caf%C3%A9/a%20b?q=%C3%BC#top")


@pytest.mark.parametrize("value", ["a%0d%0aX-Evil:%20yes", "a%0aX-Evil:%20yes", "a%0dX-Evil:%20yes", "a%00b"])
def test_a_header_that_would_split_is_dropped(server: Server, value: str):
    """The reply goes out without the header, and the log says so."""
    with server.wire() as wire:
        wire.send(request(f"GET /tag?value={value}"))
        reply = wire.reply()
    assert (reply.status, reply.body) == (200, b"tagged")
    assert "x-tag" not in reply.headers
    assert "x-evil" not in reply.headers


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (request("GET /nowhere"), 404),
        (request("GET /broken"), 500),
        (request("GET /add/one"), 400),
        (request("POST /submit", "Content-Type: application/json", "Content-Length: 2", body=b"{]"), 400),
        (request("POST /nowhere", "Content-Length: 30", body=b"GET /smuggled HTTP/1.1\r\nA: b\r\n"), 404),
    ],
)
def test_pipelined_requests_are_answered_after_an_error(server: Server, first: bytes, status: int):
    """An error ends one request, not the connection, and its body is never taken for a request."""
    with server.wire() as wire:
        wire.send(first + request("GET /greet/Alice") + request("GET /greet/Bob"))
        assert [wire.reply().status] == [status]
        assert [wire.reply().body, wire.reply().body] == [b"Hello, Alice!", b"Hello, Bob!"]


def test_a_handler_outlives_its_client(server: Server, key: str):
    """A handler whose client has left finishes its work; gunicorn cancels it after a while of its own."""
    with server.wire() as wire:
        wire.send(request(f"GET /work/{key}"))
        assert server.saw(key, "at work") == "at work"
    expected = "done" if server.kind.finishes_abandoned_requests else "cancelled"
    assert server.saw(key, expected) == expected


def test_a_slow_sync_handler_does_not_hold_up_the_loop(server: Server, key: str):
    """While a plain function blocks its thread, the server answers the request that lets it go."""
    with server.wire() as wire:
        wire.send(request(f"GET /hold/{key}"))
        assert server.saw(key, "held") == "held"
        assert server.get(f"/release/{key}").text == "released"
        assert wire.reply().body == b"let go"


def test_each_request_has_a_state_of_its_own(server: Server):
    """It begins with what the startup has put there, where the server has a lifespan; nothing of it stays."""
    expected = {"shelves": ["pies"], "asked": 1} if server.kind.lifespan else {"asked": 1}
    assert [server.get("/state").json() for _ in range(2)] == [expected] * 2
