"""Whatever records a handler takes and returns: no client sets what is not for it, no reply has what is not declared.

And both are what the OpenAPI document of the application says.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from micropie import App, FromBody, methods
from micropie.openapi import openapi
from tests.batteries.records import LEFT_OUT, NOT_SHOWN, NOT_TAKEN, SET, Value, bodies
from tests.client import ahttp
from tests.core.test_convert_properties import some

JSON = "application/json"


class Site(App):
    """Takes a record and returns it; returns the row of another."""

    got: Any = None
    row: Any = None


def site(annotation: Any) -> Site:
    """An application whose handlers take and return this type."""

    @methods("POST")
    async def take(self, it):
        self.got = it
        return it

    async def show(self):
        return self.row

    async def bare(self):
        return self.got

    take.__annotations__ = {"it": Annotated[annotation, FromBody()], "return": annotation}
    show.__annotations__ = {"return": annotation}
    cls: type[Site] = type("Made", (Site,), {"take": take, "show": show, "bare": bare})
    return cls()


def content(document: Any, path: str, method: str, *, taken: bool) -> Any:
    """The schema of what a handler takes, or of what it answers, with the components that it refers to."""
    described = document["paths"][path][method]
    body = described["requestBody"] if taken else described["responses"]["200"]
    return {**body["content"][JSON]["schema"], "components": document["components"]}


def check(schema: Any, value: Any) -> None:
    """The value is as the schema says."""
    OAS31Validator(schema, format_checker=oas31_format_checker).validate(value)


def closed(schema: Any) -> Any:
    """The schema, by which an object has no other members than those that are described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(part) for name, part in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return {**found, "additionalProperties": False} if is_object else found


def keys(value: Any) -> Iterator[str]:
    """The names of all members in a JSON value."""
    if isinstance(value, dict):
        yield from value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(one)


def members(schema: Any, document: Any, seen: set[str]) -> Iterator[str]:
    """The names of all members that are described in a schema, or in what it refers to."""
    if isinstance(schema, list):
        for one in schema:
            yield from members(one, document, seen)
    elif isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            yield from members(document["components"]["schemas"][reference.rpartition("/")[2]], document, seen)
        properties = schema.get("properties", {})
        yield from properties if isinstance(properties, dict) else ()
        yield from members([part for name, part in schema.items() if name != "components"], document, seen)


@some(200)
@given(bodies(), st.data())
def test_records_keep_their_promises(kind, data):
    """What is sent, taken, returned and documented agree, whichever library made the classes."""
    app, value = site(kind.annotation), data.draw(kind.values)
    document = openapi(app)
    asyncio.run(taken_and_shown(app, value, document))


async def taken_and_shown(app: Site, value: Value, document: Any) -> None:
    """A client sends the value and gets what it made, then without an annotation; another one asks for the row."""
    taken = content(document, "/take", "post", taken=True)
    check(taken, value.sent)
    assert not [name for name in members(taken, document, set()) if name.startswith(NOT_TAKEN)]
    answer = await ahttp(app, "POST", "/take", json=value.sent)
    assert answer.status_code == 200, answer.text
    assert SET not in repr(app.got)
    bare = await ahttp(app, path="/bare")
    assert not [name for name in keys(bare.json()) if name.startswith(NOT_SHOWN)]
    app.row = value.row
    for reply, path, method in [(answer, "/take", "post"), (await ahttp(app, path="/show"), "/show", "get")]:
        assert LEFT_OUT not in reply.text
        assert reply.json() == value.shown
        shown = content(document, path, method, taken=False)
        check(closed(shown), json.loads(reply.text))
        assert not [name for name in members(shown, document, set()) if name.startswith(NOT_SHOWN)]
