"""WebSocket messages as values: typed, checked, of a size; and what an accept says besides."""

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, TypedDict

import pytest

from micropie import App, Controller, Fault, InvalidMessage, WebSocket, limits
from micropie.testing import TestClient
from tests.client import run
from tests.wire import websocket


@dataclass
class Chat:
    text: str
    kind: Literal["chat"] = "chat"


@dataclass
class Typing:
    kind: Literal["typing"]
    seconds: int = 1


class Point(TypedDict):
    x: int
    y: float


def by_hand():
    """A socket without a server."""

    async def receive():
        raise AssertionError

    async def send(message):
        raise AssertionError(message)

    return WebSocket(receive, send)


class Reading(App):
    """Reads messages of a type, and answers with what it got."""

    def __init__(self, kind, **options):
        super().__init__()
        self.got = []
        self._kind, self._options = kind, options

    async def ws_messages(self, ws):
        await ws.accept()
        async for message in ws.messages(self._kind, **self._options):
            self.got.append(message)

    async def ws_one(self, ws):
        await ws.accept()
        self.got.append(await ws.receive(self._kind))


def read(kind, *messages, path="/messages", **options):
    """What a handler has got, and what it has closed with."""
    app = Reading(kind, **options)
    dialogue = websocket(app, path, send=list(messages))
    return app.got, dialogue.close


@pytest.mark.parametrize("path", ["/messages", "/one"])
@pytest.mark.parametrize(
    ("kind", "message", "value"),
    [
        (Chat, '{"text": "hi"}', Chat("hi")),
        (Chat | Typing, '{"kind": "typing", "seconds": 3}', Typing("typing", 3)),
        (Chat | Typing, b'{"text": "hi"}', Chat("hi")),
        (Point, '{"x": 1, "y": 2}', {"x": 1, "y": 2.0}),
        (list[int], "[1, 2]", [1, 2]),
        (int | None, "null", None),
        (str, '"text"', "text"),
        (Annotated[list[int], {"unhashable": []}], "[1]", [1]),
        (Decimal, "0.10000000000000000000000001", Decimal("0.10000000000000000000000001")),
        (Decimal, "0.5", Decimal("0.5")),
    ],
)
def test_a_message_becomes_a_value_of_the_type(path, kind, message, value):
    """By the rules of parameters, text or binary."""
    got, _ = read(kind, message, path=path)
    assert got == [value]
    assert type(got[0]) is type(value)


@pytest.mark.parametrize("path", ["/messages", "/one"])
@pytest.mark.parametrize(
    ("kind", "message", "reason"),
    [
        (Chat, "{no json", "Invalid message: expected JSON"),
        (Chat, b"\xff", "Invalid message: expected JSON"),
        (Chat, "[1]", "Invalid message: expected an object"),
        (Chat, "{}", "Invalid message: text: required"),
        (Typing, '{"kind": "typing", "seconds": "x"}', "Invalid message: seconds: expected an integer"),
        (list[int], '[1, "x"]', "Invalid message: [1]: expected an integer"),
        (list[Point], '[{"x": 1, "y": "z"}]', "Invalid message: [0].y: expected a number"),
    ],
)
def test_a_bad_message_closes_with_1007_and_says_why(path, kind, message, reason, caplog):
    """The value is not told, and the log keeps quiet: whoever connects can send one."""
    assert read(kind, message, path=path) == ([], (1007, reason))
    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"] == []


def test_good_messages_before_a_bad_one_are_read():
    """One after the other."""
    assert read(int, "1", "2", "x", "4") == ([1, 2], (1007, "Invalid message: expected JSON"))


def test_the_order_of_a_union_counts():
    """As for parameters the first member that fits does, though the unions are equal."""

    @dataclass
    class Narrow:
        a: int

    @dataclass
    class Wide:
        a: int
        b: int = 0

    assert Narrow | Wide == Wide | Narrow
    assert read(Narrow | Wide, '{"a": 1}')[0] == [Narrow(1)]
    assert read(Wide | Narrow, '{"a": 1}')[0] == [Wide(1)]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_bad_message_may_go_to_a_handler(is_async):
    """With all that is wrong with it; the next ones follow."""
    seen = []

    async def wrong(faults):
        await asyncio.sleep(0)
        seen.append(faults)

    got, close = read(Point, "{}", '{"x": 1, "y": 2}', "?", on_invalid=wrong if is_async else seen.append)
    assert (got, close) == ([{"x": 1, "y": 2.0}], None)  # the client has closed
    assert seen == [
        [Fault("message", "x", "required"), Fault("message", "y", "required")],
        [Fault("message", "", "expected JSON")],
    ]


def test_what_the_handler_of_bad_messages_raises_is_the_handlers():
    """It ends the loop."""

    def strict(faults):
        raise LookupError(faults)

    app = Reading(int, on_invalid=strict)
    with pytest.raises(LookupError), TestClient(app) as client, client.websocket("/messages") as ws:
        ws.send_text("x")


def test_a_bad_message_may_be_caught():
    """It is a ValueError with the faults, and the next message can be received."""

    class Patient(App):
        async def ws_index(self, ws):
            await ws.accept()
            with pytest.raises(ValueError, match="text: required") as caught:
                await ws.receive(Chat)
            assert isinstance(caught.value, InvalidMessage)
            await ws.send(caught.value.faults)
            await ws.send(await ws.receive(Chat))

    dialogue = websocket(Patient(), send=["{}", '{"text": "hi"}'])
    assert dialogue.sent == ['[["message","text","required"]]', '{"text":"hi","kind":"chat"}']


class Joined(TypedDict):
    kind: Annotated[Literal["joined"], "of a channel"]
    seats: int


@dataclass
class Moved:
    kind: Literal["up", "down"]


@dataclass
class Jumped:
    kind: Literal["up"]
    height: int


@dataclass
class Climbed:
    kind: Literal["up"]
    steps: int


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"kind": "chat"}', "text: required"),
        ('{"text": 5}', "text: expected a string"),
        ('{"kind": "typing", "seconds": "x"}', "seconds: expected an integer"),
        ('{"kind": "joined"}', "seats: required"),
        ('{"kind": "cow"}', "kind: expected one of: chat, typing, joined, up, down"),
        ("[]", "expected an object"),
    ],
)
def test_a_record_that_its_tag_tells_apart_says_what_it_lacks(message, reason):
    """Of several records with a `Literal` of one name it is the one whose tag came, or whose tag has a default."""
    assert read(Chat | Typing | Joined | Moved, message)[1] == (1007, f"Invalid message: {reason}")


def test_a_tag_that_is_missing_is_required():
    """None of the records has a default for it."""
    assert read(Typing | Moved, "{}")[1] == (1007, "Invalid message: kind: required")


@pytest.mark.parametrize(("kind", "message"), [(Chat | Point, '{"kind": "cow"}'), (Jumped | Climbed, '{"kind": "up"}')])
def test_records_that_no_tag_tells_apart_say_nothing_of_their_members(kind, message):
    """One of them has no such member; or the tag is none, since two have its value."""
    assert read(kind, message)[1] == (1007, "Invalid message: expected a valid object")


@pytest.mark.parametrize("kind", [object(), lambda: None, 5])
def test_a_type_that_no_message_can_become_is_a_type_error(kind):
    """At once, not with the first message."""

    async def main():
        ws = by_hand()
        with pytest.raises(TypeError, match="No message can become"):
            ws.messages(kind)
        with pytest.raises(TypeError, match="No message can become"):
            await ws.receive(kind)

    run(main())


@pytest.mark.needs("msgspec")
def test_a_message_becomes_one_of_several_structs():
    """By their tags."""
    import msgspec

    class Cat(msgspec.Struct, tag="cat"):
        lives: int

    class Dog(msgspec.Struct, tag="dog"):
        name: str

    assert read(Cat | Dog, '{"type": "dog", "name": "Rex"}', '{"type": "cat", "lives": 9}')[0] == [Dog("Rex"), Cat(9)]
    assert read(Cat | Dog, '{"type": "cow"}')[1] == (1007, "Invalid message: expected a valid object")


@pytest.mark.needs("pydantic")
def test_a_message_becomes_one_of_several_models():
    """By the member that tells them apart."""
    import pydantic

    class Circle(pydantic.BaseModel):
        shape: Literal["circle"]
        radius: float

    class Square(pydantic.BaseModel):
        shape: Literal["square"]
        side: float

    circle = Circle(shape="circle", radius=2)
    assert read(Circle, '{"shape": "circle", "radius": 2}')[0] == [circle]
    shape = Annotated[Circle | Square, pydantic.Field(discriminator="shape")]
    assert read(shape, '{"shape": "circle", "radius": 2}')[0] == [circle]
    assert read(shape, '{"shape": "square", "side": "wide"}')[1][0] == 1007


@pytest.mark.needs("annotated_types")
def test_a_part_of_a_type_that_is_not_checked_is_told(caplog):
    """The log says it once."""

    import annotated_types as at

    kind = Annotated[int, at.Timezone("UTC")]
    read(kind, "1")
    read(kind, "2")
    assert caplog.text.count("is not checked") == 1


def test_a_large_message_is_converted_in_a_thread():
    """So that others are served meanwhile; the value is the same."""
    numbers = list(range(50_000))
    assert read(list[int], json.dumps(numbers))[0] == [numbers]
    assert read(list[int], json.dumps([*numbers, "x"]))[1] == (1007, "Invalid message: [50000]: expected an integer")


def test_receive_without_a_type_gives_what_came():
    """Text is `str`, binary is `bytes`."""

    class Any(App):
        async def ws_index(self, ws):
            await ws.accept()
            assert [await ws.receive(), await ws.receive()] == ["a", b"b"]
            await ws.send("fine")

    assert websocket(Any(), send=["a", b"b"]).sent == ["fine"]


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("text", "text"),
        (b"bytes", b"bytes"),
        (bytearray(b"bytes"), b"bytes"),
        (memoryview(b"bytes"), b"bytes"),
        ({"a": [1]}, '{"a":[1]}'),
        ([1], "[1]"),
        (None, "null"),
        (5, "5"),
        (Chat("hi"), '{"text":"hi","kind":"chat"}'),
    ],
)
def test_send_chooses_the_kind_of_the_message(data, sent):
    """Text, bytes, and JSON for all else."""

    class Sending(App):
        async def ws_index(self, ws):
            await ws.accept()
            await ws.send(data)

    assert websocket(Sending()).sent == [sent]


# Sizes.


class Sized(App):
    async def ws_index(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send(str(len(message)))

    @limits(max_message_size=3)
    async def ws_short(self, ws):
        await self.ws_index(ws)

    async def ws_catching(self, ws):
        await ws.accept()
        with pytest.raises(ValueError, match="more than 10 bytes"):
            await ws.receive_text()
        await ws.send("went on")


class Tiny(Controller):
    max_message_size = 1

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send(await ws.receive())


TOO_BIG = (1009, "Message too big")


@pytest.mark.parametrize(
    ("path", "message", "sent"),
    [
        ("/", "x" * 10, ["10"]),
        ("/", "x" * 11, []),
        ("/", b"x" * 10, ["10"]),
        ("/", b"x" * 11, []),
        ("/", "é" * 5, ["5"]),
        ("/", "é" * 6, []),
        ("/", "🥧" * 2, ["2"]),
        ("/", "🥧" * 3, []),
        ("/short", "xxx", ["3"]),
        ("/short", "xxxx", []),
        ("/tiny", "x", ["x"]),
        ("/tiny", "xx", []),
    ],
)
def test_a_message_over_the_limit_closes_with_1009(path, message, sent, caplog):
    """Counted in bytes; the handler, its branch and the application may each say how many. The log keeps quiet."""

    class Site(Sized):
        tiny = Tiny()

    dialogue = websocket(Site(max_message_size=10), path, send=[message])
    assert dialogue.sent == sent
    assert (dialogue.close == TOO_BIG) is not bool(sent)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_message_over_the_limit_may_be_caught():
    """It is a ValueError like that of a wrong one."""
    assert websocket(Sized(max_message_size=10), "/catching", send=["x" * 11]).sent == ["went on"]


def test_the_limit_is_16_mib_by_default():
    """None takes what the server takes."""
    message = "x" * ((16 << 20) + 1)
    assert websocket(Sized(), send=[message]).close == TOO_BIG
    assert websocket(Sized(max_message_size=None), send=[message]).sent == [str(len(message))]


@pytest.mark.parametrize("size", [-1, "5", 1.5, True])
def test_a_size_is_a_whole_number(size):
    """Anything else is refused when the application is made."""
    with pytest.raises(ValueError, match="max_message_size"):
        App(max_message_size=size)


# What an accept says besides.


def accept_of(app, **options):
    """The accept of an application."""
    accept = websocket(app, **options).accept
    assert accept is not None
    return accept


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Pie": "apple", "Set-Cookie": "a=1"},
        [("X-Pie", "apple"), ("Set-Cookie", "a=1")],
        [(b"X-Pie", b"apple"), ["Set-Cookie", "a=1"]],
        (pair for pair in [("X-Pie", "apple"), ("Set-Cookie", "a=1")]),
    ],
)
def test_accept_sends_headers_of_any_shape(headers):
    """Those that a handler may return; the session's cookie comes with them."""

    class Site(App):
        async def ws_index(self, ws):
            await ws.accept(session_id=ws.session_id, headers=headers)

    accept = accept_of(Site())
    assert accept["headers"][:2] == [(b"x-pie", b"apple"), (b"set-cookie", b"a=1")]
    assert accept["headers"][2][1].startswith(b"session_id=")


@pytest.mark.parametrize("header", [("X-Pie", "a\r\nSet-Cookie: b=1"), ("X Pie", "a"), ("X-Pie\r\nY", "a")])
def test_headers_of_an_accept_cannot_split_the_answer(header, caplog):
    """Such a one is dropped, and the log says so, as for replies."""

    class Site(App):
        async def ws_index(self, ws):
            await ws.accept(headers=[header, ("X-Good", "b")])

    assert accept_of(Site())["headers"] == [(b"x-good", b"b")]
    assert "is dropped" in caplog.text


@pytest.mark.parametrize(
    "name", ["Sec-WebSocket-Protocol", "sec-websocket-accept", "Upgrade", "Connection", "Content-Length"]
)
def test_accept_does_not_take_headers_of_the_handshake(name):
    """The server writes those; nothing was sent by then."""

    class Site(App):
        async def ws_index(self, ws):
            with pytest.raises(ValueError, match="is the server's"):
                await ws.accept(headers={name: "x"})
            await ws.accept()

    assert accept_of(Site())["headers"] == []


def test_accept_refuses_what_is_no_header():
    """A TypeError says what is."""

    class Site(App):
        async def ws_index(self, ws):
            with pytest.raises(TypeError, match="a dict is, or a list of pairs"):
                await ws.accept(headers="X-Pie: apple")
            await ws.accept()

    assert websocket(Site()).accepted


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["v1", "v2"], "v2"), (["v1"], "v1"), (["v3"], None), ([], None), (None, None)],
)
def test_a_subprotocol_that_both_know_is_chosen(offered, chosen):
    """The first of the handler's; without one the connection has none."""

    class Site(App):
        async def ws_index(self, ws):
            await ws.accept(ws.choose_subprotocol("v2", "v1"))
            await ws.send(ws.subprotocols)

    dialogue = websocket(Site(), scope={"subprotocols": offered})
    assert dialogue.accept is not None
    assert dialogue.accept["subprotocol"] == chosen
    assert dialogue.sent == [json.dumps(offered or [], separators=(",", ":"))]


def test_the_state_of_a_socket_is_that_of_its_request():
    """What a guard has left there is there."""

    class Members(Controller):
        async def _before(self):
            self.request.state.user = "ann"

        async def ws_index(self, ws):
            await ws.accept()
            ws.state.seen = True
            await ws.send([ws.state.user, self.request.state.seen])

    class Site(App):
        members = Members()

    assert websocket(Site(), "/members").sent == ['["ann",true]']


def test_a_socket_made_by_hand_has_a_state_of_its_own():
    """And offers no subprotocols, but takes any."""
    ws, other = by_hand(), by_hand()
    ws.state.user = "ann"
    assert (ws.state.user, hasattr(other.state, "user"), ws.subprotocols) == ("ann", False, ())
