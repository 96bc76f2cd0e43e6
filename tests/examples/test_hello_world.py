"""examples/hello_world."""

import pytest


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("/", "", "Hello, World!"),
        ("/greet", "", '{"greeting":"Hello, Guest!"}'),
        ("/greet/Alice", "", '{"greeting":"Hello, Alice!"}'),
        ("/greet", "name=Bob", '{"greeting":"Hello, Bob!"}'),
        ("/about-us", "", "A plain function works too; it runs in a worker thread."),
    ],
)
def test_address_answers(client, path, query, text):
    """Each address of the README answers."""
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, answer.text) == (200, text)


def test_a_form_binds_like_a_query(client):
    """POST name=Carol greets Carol."""
    assert client.post("/greet", data={"name": "Carol"}).json() == {"greeting": "Hello, Carol!"}
