"""Annotations of a module that postpones them (PEP 563), and imports some for the type checker only."""

from __future__ import annotations

import datetime as dt
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Annotated, NotRequired, TypedDict

from micropie import App, FromSession, Header, Request
from tests.client import http

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID


@dataclass
class Note:
    title: str
    scale: InitVar[int] = 1
    due: dt.date | None = None
    children: list[Note] = field(default_factory=list)

    def __post_init__(self, scale: int):
        self.title *= scale


class Tag(TypedDict):
    name: str
    weight: NotRequired[int]


class Site(App):
    async def number(self, n: int, token: Annotated[str, Header("X-Token")] = "none"):
        return [n, token]

    async def note(self, note: Note) -> Note:
        return note

    async def tag(self, tag: Tag) -> Tag:
        return {**tag, "secret": "s"}  # type: ignore[typeddict-unknown-key]

    async def method(self, request: Request, key: UUID):
        return [request.method, key]

    async def mine(self, key: Annotated[UUID, FromSession()]):
        return key

    def later(self) -> Awaitable[str]:
        async def answer():
            return "later"

        return answer()


def test_13_postponed_annotations_convert():
    """As if they stood there at once."""
    app = Site()
    assert http(app, path="/number/5", headers=[("X-Token", "t")]).json() == [5, "t"]
    assert http(app, path="/number/x").status_code == 400


def test_13_postponed_annotations_of_records_convert():
    """Those of dataclasses and TypedDicts, recursive ones too; and replies are shaped."""
    body = {"title": "ab", "scale": 2, "due": "2024-02-29", "children": [{"title": "c", "x": 1}]}
    assert http(Site(), "POST", "/note", json=body).json() == {
        "title": "abab",
        "due": "2024-02-29",
        "children": [{"title": "c", "due": None, "children": []}],
    }
    assert http(Site(), "POST", "/tag", json={"name": "a", "x": 1}).json() == {"name": "a"}
    assert http(Site(), "POST", "/tag", json={"weight": 1}).status_code == 400


def test_13_what_only_the_type_checker_imports(caplog):
    """Leaves the value as it comes, but from where it is declared to come; a warning for each says so."""
    app = Site()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "Site.method", "Site.mine", "Site.later",
    ]  # fmt: skip
    assert http(app, path="/method/k").json() == ["GET", "k"]
    assert http(app, path="/mine", query="key=k").status_code == 400
    assert http(app, path="/later").text == "later"
