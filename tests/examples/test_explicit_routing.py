"""examples/explicit_routing."""

import pytest


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", 200, "Try /pies/7.html"),
        ("GET", "/pies/7.html", 200, '{"pie":7}'),
        ("GET", "/pies/7xhtml", 404, "404 Not Found"),
        ("GET", "/pies/seven.html", 400, "400 Bad Request: Invalid value for parameter 'id': expected an integer"),
        ("GET", "/_show/7", 404, "404 Not Found"),
        ("GET", "/live/7", 405, "405 Method Not Allowed"),
        ("GET", "/.well-known/security.txt", 200, "Contact: mailto:oven@shop.example\n"),
        ("GET", "/south", 200, '{"tenant":"south","root_path":"/south"}'),
        ("GET", "/north/", 200, '{"tenant":"north","root_path":"/north"}'),
        ("GET", "/north/x", 404, "404 Not Found"),
    ],
)
def test_the_table_and_the_tree_answer(client, method, path, status, text):
    """Each its own paths; what is in neither is not found."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.text) == (status, text)


def test_a_row_has_verbs_and_typed_parameters(client):
    """The body fills what the path leaves open; a verb of no row is refused with those that there are."""
    answer = client.post("/pies/7/3-slices", data={"name": "Ann"})
    assert (answer.status_code, answer.json()) == (201, {"pie": 7, "slices": 3, "for": "Ann"})
    refused = client.get("/pies/7/3-slices")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_host_of_its_own(client):
    """The whole host is another application's."""
    answer = client.get("/", headers={"Host": "west.localhost:8000"})
    assert answer.json() == {"tenant": "west", "root_path": ""}


def test_a_websocket_in_the_table(client):
    """Its handler is private too."""
    with client.websocket("/live/7") as socket:
        assert socket.receive_json() == {"pie": 7, "state": "in the oven"}
