"""examples/websockets."""


def test_echo(client):
    """Each message comes back."""
    with client.websocket("/echo") as ws:
        for text in ("one", "two"):
            ws.send_text(text)
            assert ws.receive_text() == f"Echo: {text}"


def test_everybody_in_the_room_hears_everybody(app, client):
    """Coming, talking and leaving is told to all who are there."""
    said = "Bob: " + "x" * 500
    with client.websocket("/chat?name=Ann") as ann:
        assert ann.receive_text() == "Ann came in"
        with client.websocket("/chat?name=Bob") as bob:
            assert (ann.receive_text(), bob.receive_text()) == ("Bob came in", "Bob came in")
            bob.send_text("x" * 600)
            assert (ann.receive_text(), bob.receive_text()) == (said, said)
        assert ann.receive_text() == "Bob left"
    assert app._room == set()


def test_a_guest_needs_no_name(client):
    """Without a name one is a guest."""
    with client.websocket("/chat") as ws:
        ws.send_text("hi")
        assert (ws.receive_text(), ws.receive_text()) == ("Guest came in", "Guest: hi")


def test_the_page_connects_to_the_chat(client):
    """The page is HTML, and shows messages as text."""
    page = client.get("/").text
    assert '"/chat?name="' in page
    assert "textContent = event.data" in page
