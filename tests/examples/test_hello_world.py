"""examples/hello_world."""

import pytest

from tests.client import http


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
def test_address_answers(app, path, query, text):
    """Each address of the README answers."""
    answer = http(app, "GET", path, query=query)
    assert (answer.status_code, answer.text) == (200, text)


def test_a_form_binds_like_a_query(app):
    """POST name=Carol greets Carol."""
    assert http(app, "POST", "/greet", data={"name": "Carol"}).json() == {"greeting": "Hello, Carol!"}
