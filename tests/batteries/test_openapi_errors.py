"""What the OpenAPI document says of errors is what is sent."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from micropie import App, Controller, HTTPError, Reply, routes
from micropie.openapi import openapi
from micropie.testing import TestClient

TEXT = {"schema": {"type": "string"}}
PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
NEGOTIATED = {"application/problem+json": PROBLEM, "text/html": TEXT}


@dataclass
class Conflict:
    error: str


CONFLICT = {"schema": {"$ref": "#/components/schemas/Conflict"}}


class Site(App):
    async def shop(self, n: int) -> str:
        raise HTTPError(409)


def responses(app, path="/shop/{n}"):
    return openapi(app)["paths"][path]["get"]["responses"]


def answering(annotation):
    """An application whose `_on_error` has this return annotation."""

    class Answers(Site):
        def _on_error(self, error):
            return None

    Answers._on_error.__annotations__["return"] = annotation
    return Answers()


@pytest.mark.parametrize(
    ("keywords", "names", "content"),
    [
        ({}, ("Invalid", "Error"), NEGOTIATED),
        ({"errors": "problem"}, ("InvalidProblem", "ErrorProblem"), {"application/problem+json": PROBLEM}),
    ],
)
def test_errors_have_the_types_that_are_sent(keywords, names, content):
    """Problem details and HTML, or problem details alone."""
    app = Site(**keywords)
    document = openapi(app)
    assert {name: one["content"] for name, one in document["components"]["responses"].items()} == dict.fromkeys(
        names, content
    )
    found = document["paths"]["/shop/{n}"]["get"]["responses"]
    assert [found[status]["$ref"].rpartition("/")[2] for status in ("400", "default")] == [*names]
    with TestClient(app) as client:
        for accept in ("*/*", "text/html", "application/json"):
            for path in ("/shop/x", "/shop/1"):
                kind = client.get(path, headers={"Accept": accept}).headers["content-type"]
                assert kind.partition(";")[0] in content


def test_a_problem_has_the_members_that_are_sent():
    """All of them, and those that are always there."""
    schema = openapi(Site())["components"]["schemas"]["Problem"]
    with TestClient(Site()) as client:
        sent = client.get("/shop/x", headers={"Accept": "application/json"}).json()
    assert sent.keys() == schema["properties"].keys()
    assert schema["required"] == ["type", "title", "status"]


def test_an_application_below_has_errors_of_its_own_form():
    """Each route's are those of the application that serves it."""

    class Above(Site):
        below = Site(errors="problem")

    document = openapi(Above())
    assert document["components"]["responses"].keys() == {"Invalid", "Error", "InvalidProblem", "ErrorProblem"}
    assert responses(Above(), "/below/shop/{n}")["default"] == {"$ref": "#/components/responses/ErrorProblem"}
    assert responses(Above())["default"] == {"$ref": "#/components/responses/Error"}


def test_an_on_error_with_a_status_is_a_response():
    """Beside the framework's, which is sent where the method returns None."""
    found = responses(answering(tuple[Literal[409], Conflict] | None))
    assert found["409"]["content"] == {**NEGOTIATED, "application/json": CONFLICT}
    assert found["default"] == {"$ref": "#/components/responses/Error"}


def test_an_on_error_of_any_status_is_in_the_default():
    """`tuple[int, Conflict]` says no more."""
    found = responses(answering(tuple[int, Conflict] | None))
    assert found["default"] == {
        "description": "Any other error.",
        "content": {**NEGOTIATED, "application/json": CONFLICT},
    }


def test_an_on_error_without_a_status_is_a_200():
    """As it is sent."""
    found = responses(answering(Conflict | None))
    assert found["200"]["content"] == {"text/html": TEXT, "application/json": CONFLICT}


@pytest.mark.parametrize("annotation", [Any, Reply, Reply | None])
def test_an_on_error_that_may_return_anything(annotation):
    """Nobody knows its type."""
    assert responses(answering(annotation))["default"]["content"] == {**NEGOTIATED, "*/*": {}}


def test_an_on_error_that_answers_nothing_adds_nothing():
    """It is there for the log, say."""
    assert responses(answering(None)) == responses(Site())


def test_a_400_of_an_on_error_stands_beside_wrong_input():
    """It has one status."""
    found = responses(answering(tuple[Literal[400], Conflict] | None))
    assert found["400"]["content"] == {**NEGOTIATED, "application/json": CONFLICT}


def test_on_errors_are_those_of_the_branch():
    """Of the controllers on the way, innermost first, and of the application; a route says so."""

    class Inner(Controller):
        def _on_error(self, error) -> tuple[Literal[409], Conflict] | None: ...

        async def shop(self): ...

    class Outer(App):
        inner = Inner()

        def _on_error(self, error) -> tuple[Literal[418], str] | None: ...

        async def shop(self): ...

    assert responses(Outer(), "/inner/shop").keys() == {"200", "409", "418", "default"}
    assert responses(Outer(), "/shop").keys() == {"200", "418", "default"}
    below = next(route for route in routes(Outer()) if route.path == "/inner/shop")
    assert below.error_results == (tuple[Literal[409], Conflict] | None, tuple[Literal[418], str] | None)
    assert below.errors == "negotiated"


class OutOfStockError(HTTPError):
    status = 409


class ReservedError(OutOfStockError): ...


class StocklessError(HTTPError):
    """It declares no status."""


class Store(App):
    async def plain(self):
        """Take one.

        It is yours.

        OutOfStockError: There is none left.
        ReservedError: Somebody else has it.
        410: It is gone for good.
        """

    async def google(self):
        """Take one.

        Note: it is yours.

        Raises:
            OutOfStockError: There is none left.

        StocklessError: not told.
        """

    async def sphinx(self):
        """Take one.

        :raises OutOfStockError: There is none left.
        """


@pytest.mark.parametrize(
    ("path", "description", "told"),
    [
        (
            "/plain",
            "It is yours.",
            {"409": "There is none left. Somebody else has it.", "410": "It is gone for good."},
        ),
        ("/google", "Note: it is yours.\n\nStocklessError: not told.", {"409": "There is none left."}),
        ("/sphinx", None, {"409": "There is none left."}),
    ],
)
def test_a_docstring_names_errors_by_their_classes(path, description, told):
    """A subclass of `HTTPError` that declares its status stands for that; other words are part of the description."""
    found = openapi(Store())["paths"][path]["get"]
    shown = {status: one for status, one in found["responses"].items() if status.startswith("4")}
    assert found.get("description") == description
    assert {status: one["description"] for status, one in shown.items()} == told
    assert all(one["content"] == NEGOTIATED for one in shown.values())
