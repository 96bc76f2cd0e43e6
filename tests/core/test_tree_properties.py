"""`url_for` and routing are each other's inverse, whatever the arguments are."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from micropie import App, Controller, Resource, url_for
from tests.client import http

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
TRICKY = st.sampled_from(
    ["", ".", "..", "/", "%2F", "_x", "ws_x", "-", "index", "items", "get", "one", "a b", "?", "é"]
)
SEGMENT = TEXTS | TRICKY


class Items(Resource):
    async def get(self, one, two="default"):
        return ["get", one, two]

    async def one(self, *rest):
        return ["one", *rest]


class Branch(Controller):
    items = Items()

    async def index(self, *path):
        return ["index", *path]

    async def pair(self, one, two):
        return ["pair", one, two]

    async def any_number(self, *path):
        return ["any_number", *path]


class Site(App):
    branch = Branch()

    async def index(self, *path):
        return ["root", *path]


SITE = Site()


def followed(handler, *args):
    """Give what the URL of a handler answers."""
    path, _, query = url_for(handler, *args).partition("?")
    assert path.startswith("/")
    assert not path.startswith("//")
    assert path.isascii()
    assert not {".", ".."} & set(path.split("/"))
    answer = http(SITE, path=path, query=query)
    assert answer.status_code == 200, (path, query)
    return answer.json()


@given(st.lists(SEGMENT, max_size=4))
@example(["branch"])
@example(["", ""])
def test_any_number_of_segments(args):
    """A handler with `*args` gets them back; only dot segments have no URL."""
    branch = SITE.branch
    for handler, name in ((SITE.index, "root"), (branch.index, "index"), (branch.any_number, "any_number")):
        if {".", ".."} & set(args):
            with pytest.raises(ValueError, match="No URL leads to"):
                url_for(handler, *args)
        else:
            assert followed(handler, *args) == [name, *args]


@given(SEGMENT.filter(bool), SEGMENT.filter(bool))
def test_named_parameters(one, two):
    """A handler with names gets them back, dot segments through the query."""
    assert followed(SITE.branch.pair, one, two) == ["pair", one, two]


@given(SEGMENT.filter(bool))
@example("one")
@example("..")
def test_the_parameter_of_a_resource(one):
    """Also where another method has that name."""
    assert followed(SITE.branch.items.get, one) == ["get", one, "default"]


@given(SEGMENT, SEGMENT)
def test_empty_segments(one, two):
    """Empty segments stay where they are, if the path can have all of them."""
    if not {".", ".."} & {one, two}:
        assert followed(SITE.branch.pair, one, two) == ["pair", one, two]
