"""The README: what it shows runs, and answers what it says; its links lead somewhere."""

import asyncio
import re
from pathlib import Path

import pytest

from micropie import App
from micropie.testing import TestClient

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def app() -> App:
    """The application on the page; there is only one."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    names = {"__name__": "app"}
    exec(compile(code, "README.md", "exec"), names)
    made = names["app"]
    assert isinstance(made, App)
    return made


def test_the_links_lead_somewhere():
    """Every relative link names a file or folder that exists."""
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_it_is_one_screen():
    """What does not fit belongs in the guide."""
    assert len(README.splitlines()) <= 80


@pytest.mark.needs("micropie.channels", "micropie.openapi")
def test_its_pages(app):
    """Visits are counted, a price comes by path, query, form and JSON, and what is no number is told."""

    async def visit():
        async with TestClient(app) as client:
            await client.get("/")
            again = await client.get("/")
            prices = [
                await client.get("/price/apple/3"),
                await client.get("/price", params={"pie": "apple", "slices": "3"}),
                await client.post("/price", data={"pie": "apple", "slices": "3"}),
                await client.post("/price", json={"pie": "apple", "slices": 3}),
            ]
            return again.text, [price.json() for price in prices], await client.get("/price/apple/x")

    again, prices, wrong = asyncio.run(visit())
    assert again == "<h1>Welcome, visit number 2</h1>"
    assert prices == [{"pie": "apple", "price": 9}] * 4
    assert (wrong.status_code, wrong.text) == (
        400,
        "400 Bad Request: Invalid value for parameter 'slices': expected an integer",
    )


@pytest.mark.needs("micropie.channels", "micropie.openapi")
def test_its_chat_and_its_document(app):
    """What one says all hear; the document has the typed handler."""

    async def visit():
        async with (
            TestClient(app) as client,
            client.websocket("/chat") as ann,
            client.websocket("/chat") as bob,
        ):
            await ann.send_text("hello")
            heard = await ann.receive_text(), await bob.receive_text()
            return heard, (await client.get("/openapi.json")).json(), await client.get("/docs")

    heard, document, page = asyncio.run(visit())
    assert heard == ("hello", "hello")
    assert {"/price/{pie}", "/price/{pie}/{slices}"} & set(document["paths"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
