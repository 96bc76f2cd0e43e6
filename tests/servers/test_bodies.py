"""Forms, JSON, and bodies that are wrong, too large or too slow, through each server."""

import json
from collections.abc import Iterator

import pytest

from tests.servers.serving import Server, request

MULTIPART = "Content-Type: multipart/form-data; boundary=line"


def post(path: str, *headers: str, body: bytes) -> bytes:
    """A POST in bytes, with the length of its body."""
    return request(f"POST {path}", *headers, f"Content-Length: {len(body)}", body=body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_form_fills_parameters(server: Server, method: str):
    """The README's form handler."""
    with server.client() as client:
        reply = client.request(method, "/submit", data={"username": "Zoë & Co"})
    assert (reply.status_code, reply.text) == (200, "Form submitted by: Zoë & Co")


def test_a_form_is_in_body_params(server: Server):
    """The README's second form handler."""
    with server.client() as client:
        assert client.post("/catch_all", data={"username": "Alice"}).text == "Submitted by: Alice"
        assert client.post("/catch_all", data={}).text == "Submitted by: Anonymous"


@pytest.mark.parametrize("value", [{"name": "Zoë", "list": [1, 2.5, None, True]}, [1, "two"], "text", 7, None, {}])
def test_json_goes_in_and_out(server: Server, value: object):
    """A JSON body of any type reaches the handler as its value."""
    with server.client() as client:
        reply = client.post("/mirror", content=json.dumps(value), headers={"Content-Type": "application/json"})
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == {"json": value}


def test_json_fills_parameters(server: Server):
    """A member of a JSON object fills the parameter of its name."""
    with server.client() as client:
        assert client.post("/add/one", json={"right": [2]}).json() == {"left": "one", "right": [2]}


def test_a_chunked_body_is_whole(server: Server):
    """A body without a length, in several chunks, arrives as one."""

    def chunks() -> Iterator[bytes]:
        yield b'{"name": '
        yield b'"Al'
        yield b'ice"}'

    with server.client() as client:
        reply = client.post("/mirror", content=chunks(), headers={"Content-Type": "application/json"})
    assert reply.json() == {"json": {"name": "Alice"}}


def test_a_body_in_two_packets_is_whole(server: Server):
    """A body that follows its headers later arrives whole."""
    message = post("/submit", "Content-Type: application/x-www-form-urlencoded", body=b"username=Alice")
    with server.wire() as wire:
        wire.send(message[:-5])
        assert server.get("/").status_code == 200
        wire.send(message[-5:])
        assert wire.reply().body == b"Form submitted by: Alice"


@pytest.mark.parametrize(
    ("kind_of_body", "body", "answer"),
    [
        ("application/json", b"{", b"400 Bad Request: Bad JSON"),
        ("application/json", b'{"name": ', b"400 Bad Request: Bad JSON"),
        ("application/json", b'{"name": "\xff"}', b"400 Bad Request: Bad JSON"),
        ("application/json", b"NaN", b"400 Bad Request: Bad JSON"),
        ("application/problem+json; charset=utf-8", b"{]", b"400 Bad Request: Bad JSON"),
        ("application/json", b"[" * 100_000, b"400 Bad Request: Bad JSON"),
    ],
)
def test_a_malformed_body_is_refused(server: Server, kind_of_body: str, body: bytes, answer: bytes):
    """What cannot be read is the client's mistake, and the answer says which."""
    with server.wire() as wire:
        wire.send(post("/mirror", f"Content-Type: {kind_of_body}", "Accept: text/plain", body=body))
        reply = wire.reply()
    assert (reply.status, reply.body) == (400, answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"--other\r\n\r\n--other--\r\n",
        b"--line\r\nContent-Disposition: form-data; name=username\r\n\r\nAlice",
        b"--line\r\nno header at all\r\n\r\nAlice\r\n--line--\r\n",
        b"--line\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--line\r\n",
    ],
)
def test_malformed_multipart_is_refused(server: Server, body: bytes):
    """A form that breaks off or never begins is the client's mistake."""
    with server.wire() as wire:
        wire.send(post("/submit", MULTIPART, body=body))
        assert wire.reply().status == 400


def test_multipart_without_a_boundary_is_refused(server: Server):
    """Nothing can be found in such a form; Daphne refuses it before the application is asked."""
    with server.wire() as wire:
        wire.send(post("/submit", "Content-Type: multipart/form-data", body=b"--line--\r\n"))
        reply = wire.reply()
    assert reply.status == 400
    assert reply.body == (b"400 Bad Request: Missing boundary" if server.kind.streams_bodies else b"")


def test_too_long_a_body_is_refused_on_its_length(server: Server):
    """A `Content-Length` over the limit is refused before the body is read, where the server asks that early."""
    body = b"username=" + b"x" * (1024 * 1024)
    message = post("/submit", "Content-Type: application/x-www-form-urlencoded", body=body)
    with server.wire() as wire:
        wire.send(message[: -len(body)] if server.kind.streams_bodies else message)
        reply = wire.reply()
    assert (reply.status, reply.body) == (413, b"413 Payload Too Large")
    assert server.get("/").status_code == 200


def test_too_long_a_body_is_refused_without_a_length(server: Server):
    """A chunked body is refused at the first byte over the limit, where the server passes it on that early."""
    with server.wire() as wire:
        fields = "Content-Type: application/json", "Accept: text/plain", "Transfer-Encoding: chunked"
        wire.send(request("POST /mirror", *fields))
        for _ in range(16):
            wire.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        wire.send(b"1\r\nx\r\n" if server.kind.streams_bodies else b"1\r\nx\r\n0\r\n\r\n")
        reply = wire.reply()
    assert (reply.status, reply.body) == (413, b"413 Payload Too Large")
    assert server.get("/").status_code == 200


@pytest.mark.parametrize(
    "message",
    [
        post("/mirror", "Content-Type: application/json", "Accept: text/plain", body=b'{"name": "Alice"}'),
        post("/submit", "Content-Type: application/x-www-form-urlencoded", body=b"username=Alice"),
        post(
            "/submit", MULTIPART, body=b"--line\r\nContent-Disposition: form-data; name=username\r\n\r\nA\r\n--line--"
        ),
    ],
    ids=["json", "form", "multipart"],
)
def test_a_body_that_stalls_is_given_up(server: Server, message: bytes):
    """A client that sends half a body and no more gets a 408; Daphne itself waits for the rest."""
    with server.wire() as wire:
        wire.send(message[:-8])
        if server.kind.streams_bodies:
            reply = wire.reply()
            assert (reply.status, reply.body) == (408, b"408 Request Timeout: Failed to receive body")
        else:
            wire.send(message[-8:])
            assert wire.reply().status == 200
    assert server.get("/").status_code == 200


def test_a_client_that_leaves_mid_body_runs_no_handler(server: Server, key: str):
    """No handler sees a partial body, and nothing is logged as an error."""
    before = len(server.log())
    with server.wire() as wire:
        wire.send(post(f"/nap/{key}", "Content-Type: application/json", body=b"{}" * 500)[:-1])
        server.get("/")
    assert server.get("/").text == "Welcome to MicroPie ASGI."
    assert server.get(f"/look/{key}").text == "nothing"
    assert "Traceback" not in server.log()[before:]
