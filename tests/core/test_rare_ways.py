"""Ways through the core that few requests go."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import pytest

from micropie import RSGI, App, HttpMiddleware, InMemorySessionBackend, Mount, limits
from micropie.testing import WebSocketRefused
from tests.client import http, run, visitor
from tests.core.test_rsgi import Scope, serve
from tests.wire import wire


class Site(App):
    async def index(self):
        self.request.session["n"] = self.request.session.get("n", 0) + 1
        return f"{self.request.session['n']}"

    async def take(self):
        return f"{len(self.request.body)}"


def test_a_hook_that_streams_leaves_a_form_alone():
    """Its stream is watched, and nobody has begun to read the form."""

    async def letters():
        yield "a"
        await asyncio.sleep(0.01)  # until then somebody listens for the client's leaving

    class Streaming(HttpMiddleware):
        def before_request(self, request):
            return {"body": letters()}

    app = Site()
    app.middlewares.append(Streaming())
    headers = [("content-type", "multipart/form-data; boundary=x")]
    assert wire(app, "POST", "/take", headers=headers, body=b"--x--").text == "a"


def test_a_hook_of_rsgi_may_look_at_the_scope_of_a_broken_path():
    """Nothing is known of a route then."""
    seen = []

    class Looking(HttpMiddleware):
        def after_request(self, request, *_reply):
            seen.append(request.scope.get("route"))

    app = Site()
    app.middlewares.append(Looking())
    assert serve(app, Scope("/\ufffd")).status == 400
    assert seen == [None]


def test_rsgi_without_a_cookie_while_there_are_sessions():
    """A visitor without a cookie gets a session of their own."""
    app = Site()
    assert [serve(app, Scope("/")).body for _ in range(2)] == [[b"1"], [b"1"]]
    assert isinstance(RSGI(app), RSGI)


def test_a_method_that_is_replaced_at_run_time_may_have_limits_of_its_own():
    """Its own mark goes before that of the one in the class."""

    @limits(max_body_size=3)
    async def take(self):
        return f"{len(self.request.body)}"

    app = Site()
    app.take = take.__get__(app)  # type: ignore[method-assign]
    assert http(app, "POST", "/take", headers={"Content-Type": "text/plain"}, content=b"1234").status_code == 413


def test_a_mounted_application_may_refuse_a_websocket_by_a_reply():
    """The connection is over then, and nothing more is sent."""

    async def other(scope, receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    class Outer(App):
        below = Mount(other)

    async def main():
        async with visitor(Outer()) as client:
            with pytest.raises(WebSocketRefused) as caught:
                async with client.websocket("/below"):
                    pass
        return caught.value.response

    answer = run(main())
    assert answer is not None
    assert answer.status_code == 403


def test_a_member_of_a_union_may_be_annotated():
    """What is said beside a type does not hide it."""

    @dataclass
    class Cat:
        name: str

    @dataclass
    class Dog:
        name: str
        age: int

    class Pets(App):
        async def index(self) -> Annotated[Cat, "purrs"] | Dog:
            return Cat("Tom")

    assert http(Pets()).json() == {"name": "Tom"}


def test_a_backend_that_is_a_dict_too_has_no_update():
    """A plain method called `update` is none of ours."""

    class Shelf(dict):  # type: ignore[type-arg]
        pass

    class Backend(Shelf, InMemorySessionBackend):  # type: ignore[misc]
        def __init__(self):
            InMemorySessionBackend.__init__(self)

        __hash__ = object.__hash__  # type: ignore[assignment]

    app = Site(Backend())
    cookies = http(app).cookies
    assert http(app, cookies=cookies).text == "2"
