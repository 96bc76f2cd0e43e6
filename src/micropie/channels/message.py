"""Message: what was published to a channel, with its place in the channel's sequence; and notices of what was lost."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from micropie import HTTPError, ServerSentEvent, dumps, loads

MAX_POSITION = 64  # characters
TEXT, BYTES, JSON = b"t", b"b", b"j"  # how a published value goes over the wire: its first byte


class Position(NamedTuple):
    """A place in a channel's sequence: messages are numbered from 1 within an epoch, which a lost count ends."""

    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"


START = Position("", 0)  # of a channel that nothing was published to


def before(position: Position) -> Position:
    """The place before a message."""
    return Position(position.epoch, position.number - 1)


def is_behind(place: Position, other: Position) -> bool:
    """True of a place that comes after the other one, or of another count."""
    return place.epoch != other.epoch or place.number > other.number


def position_from(text: str) -> Position | None:
    """The position that a text names, which may come from a client; None if it is none."""
    epoch, _, number = text.partition("-")
    if not (number.isascii() and number.isdigit() and len(text) <= MAX_POSITION):
        return None
    return Position(epoch, int(number))


def behind(since: Position, position: Position, kept: Sequence["Message"]) -> tuple[Sequence["Message"], int | None]:
    """The messages behind a place in a channel that stands at `position`, and how many of those are lost.

    None: nobody knows, since the count has begun anew.
    """
    if since == START:
        since = Position(position.epoch, 0)
    places = [message.position for message in kept]
    newer: Sequence[Message]
    if since in places:
        newer = kept[places.index(since) + 1 :]
    else:
        newer = [one for one in kept if is_behind(one.position, since)]
    if since.epoch != position.epoch or since.number > position.number:
        return newer, None
    first = newer[0].position.number if newer else position.number + 1
    return newer, first - since.number - 1


class Message:
    """A published value, `data`: text, bytes, or any JSON value, as it was given to `publish`.

    `channel` is where it came from; `position` is `(epoch, number)`, counted for each channel. `payload` is the value
    as one WebSocket message: bytes if bytes were published, else text, which may be JSON. One object is given to all
    subscribers: JSON data is decoded anew at each look, so nobody sees another one's changes.

        async for message in messages:
            await ws.send({"from": message.channel, "said": message.data})
    """

    __slots__ = ("_event", "_is_json", "channel", "payload", "position")

    def __init__(self, channel: str, position: Position, wire: bytes) -> None:
        self.channel: str = channel
        self.position: Position = position
        kind, content = wire[:1], wire[1:]
        self._is_json = kind == JSON
        # PERF: made once for all subscribers, 1 µs for each.
        self.payload: Any = content if kind == BYTES else content.decode()
        self._event: ServerSentEvent | None = None

    def __repr__(self) -> str:
        return f"<Message {self.channel!r} {self.position}>"

    @property
    def data(self) -> Any:
        """The value that was published."""
        return loads(self.payload.encode()) if self._is_json else self.payload

    @property
    def event(self) -> ServerSentEvent:
        """The value as a server-sent event, whose id is the position; bytes are text there, in Base64."""
        if self._event is None:
            data = b64encode(self.payload).decode() if isinstance(self.payload, bytes) else self.data
            self._event = ServerSentEvent(data, id=str(self.position))
        return self._event


class Notice(NamedTuple):
    """What a subscriber of `channel` should know beside the messages: `kind` is `gap`, `lost` or `back`.

    After a `gap` messages of the channel are missing, `missed` of them, or None if nobody knows how many. `lost` and
    `back` say that the engine does not answer, and answers again; what was missed meanwhile comes before `back`, or is
    a gap.

        async with self.channels.subscribe("lobby") as messages:
            item = await messages.next()
            if isinstance(item, Notice) and item.kind == "gap":
                await ws.send({"missed": item.missed})
    """

    kind: str
    channel: str
    missed: int | None = None


def to_wire(value: Any, max_size: int) -> bytes:
    """A value as it goes over the wire. ValueError beyond `max_size` bytes, TypeError for what is no JSON."""
    if isinstance(value, str):
        wire = TEXT + value.encode()
    elif isinstance(value, bytes | bytearray | memoryview):
        wire = BYTES + bytes(value)
    else:
        wire = JSON + dumps(value)
    if len(wire) > max_size:
        raise ValueError(f"a message of {len(wire):,} bytes can't be published: max_message_size is {max_size:,}")
    return wire


def unavailable() -> HTTPError:
    """The answer to a client while the engine does not answer."""
    return HTTPError(503, "Channels are not available at the moment", [("Retry-After", "1")])
