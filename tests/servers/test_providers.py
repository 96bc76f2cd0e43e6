"""What a provider opens, through each server: closed when the reply was sent, however that ended."""

import pytest

from tests.servers.serving import PATIENCE, Server, eventually, with_websockets
from tests.servers.test_websockets import open_socket


@pytest.mark.parametrize(("path", "text"), [("/pay", "open"), ("/pay_in_pieces", "open open")])
def test_it_is_closed_behind_the_reply(server: Server, key: str, path: str, text: str):
    """A whole reply, and a stream."""
    assert server.get(f"{path}?key={key}").text == text
    assert eventually(lambda: server.get(f"/look/{key}").text, "closed") == "closed"


def test_it_is_closed_when_the_client_leaves(server: Server, key: str):
    """A stream that would never end."""
    with server.client() as client, client.stream("GET", f"/pay_for_ever?key={key}") as reply:
        assert next(reply.iter_bytes()).startswith(b"pie")
    assert eventually(lambda: server.get(f"/look/{key}").text, "closed") == "closed"


@with_websockets
def test_it_is_closed_when_a_websocket_ends(server: Server, key: str):
    """The peer's leaving is no failure."""
    with open_socket(server, f"/pay?key={key}") as socket:
        socket.send("a pie")
        assert socket.recv(timeout=PATIENCE) == "open a pie"
    assert eventually(lambda: server.get(f"/look/{key}").text, "closed") == "closed"
