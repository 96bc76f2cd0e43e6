"""examples/streaming."""

import re

import pytest

from tests.wire import Answer, wire


def chunks(answer: Answer) -> list[bytes]:
    """The chunks that are not empty."""
    return [chunk for chunk in answer.chunks if chunk]


def test_numbers_come_one_by_one(app):
    """Each number is a chunk."""
    answer = wire(app, "GET", "/count/3")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert chunks(answer) == [b"1\n", b"2\n", b"3\n"]


@pytest.mark.parametrize("to", ["many", "1001", "-1", "²"])
def test_an_impossible_number_is_refused(client, to):
    """Only numbers up to 1000 are counted to."""
    assert client.get(f"/count/{to}").status_code == 400


def test_a_sync_generator_streams(app):
    """Its chunks come one by one, too."""
    assert chunks(wire(app, "GET", "/slow")) == [b"Pastry ", b"filling ", b"lid\n"]


def test_the_clock_ticks_until_the_client_leaves(app, capsys):
    """An event has the time; the client's leaving stops the generator."""
    answer = wire(app, "GET", "/clock", leave_after=1)
    assert answer.headers["content-type"] == "text/event-stream"
    assert re.fullmatch(rb"event: tick\ndata: \d\d:\d\d:\d\d\n\n", chunks(answer)[0])
    assert capsys.readouterr().out == "The client left, the clock stops.\n"


def test_the_page_listens_to_the_clock(client):
    """The page is HTML and opens /clock."""
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'new EventSource("/clock")' in answer.text
