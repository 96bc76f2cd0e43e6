"""The application that the browser's tests explore."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from annotated_types import Ge

from micropie import App, Cookie, FromBody, FromQuery, Header, Mount, Request, UploadedFile, WebSocket, methods
from micropie.openapi import Docs, form

HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"


class Kind(Enum):
    APPLE = "apple"
    PLUM = "plum"


@dataclass
class Pie:
    name: str = field(metadata={"example": "apple"})
    slices: int = 8


@dataclass
class Cake:
    layers: int = 3


class Customer:
    security = {"bearer": {"type": "http", "scheme": "bearer"}}

    def __init__(self, token: str) -> None:
        self.token = token

    @classmethod
    async def __provide__(cls, request: Request, authorization: Annotated[str, Header()]) -> "Customer":
        return cls(authorization)


class Site(App):
    """A shop."""

    docs = Docs(title=f"Pies {HOSTILE}")

    @methods("GET")
    async def price(self, kind: Kind, count: Annotated[int, Ge(1)] = 1, note: list[str] = []) -> dict[str, object]:  # noqa: B006
        """What pies cost."""
        return {"kind": kind.value, "count": count, "note": note}

    @form
    @methods("POST")
    async def order(self, name: str, count: Annotated[int, Ge(1)] = 1):
        """Order pies."""
        return {"name": name, "count": count}

    @methods("PUT")
    async def bake(self, oven: str, pie: Pie) -> Pie:
        """Bake a pie."""
        return pie

    @form
    @methods("POST")
    async def stock(self, pie: Pie, kind: Kind | None = None) -> Pie:
        """Put a pie on the shelf."""
        return pie

    async def seen(self, *rest, authorization: Annotated[str, Header()] = "", theme: Annotated[str, Cookie()] = ""):
        """Say what arrived."""
        return {"rest": rest, "authorization": authorization, "theme": theme}

    @methods("GET")
    async def customer(self, customer: Customer):
        """Say who asks."""
        return {"token": customer.token}

    @methods("POST")
    async def upload(self, picture: UploadedFile, title: str = ""):
        """Send a picture."""
        return {"title": title, "size": len(await picture.read())}

    @methods("POST")
    async def write(self, text: Annotated[str, FromBody()]):
        """Write a line."""
        return {"text": text}

    @methods("POST")
    async def store(self, data: Annotated[bytes, FromBody()]):
        """Store bytes."""
        return {"size": len(data)}

    @methods("GET")
    async def find(self, wanted: Annotated[Pie, FromQuery()]):
        """Find a pie."""
        return {"name": wanted.name, "slices": wanted.slices}

    @methods("GET")
    async def choose(self, wanted: Annotated[Cake | Pie, FromQuery()]):
        """Choose a cake, or a pie."""
        return {"chosen": wanted.layers if isinstance(wanted, Cake) else wanted.name}

    async def count(self) -> AsyncIterator[str]:
        """Count without an end."""

        async def numbers() -> AsyncIterator[str]:
            yield "zero\n"
            yield "one\n"
            await asyncio.sleep(60)

        return numbers()

    async def hostile(self):
        return 200, HOSTILE, {"X-Hostile": HOSTILE}

    async def picture(self):
        """Draw."""
        return 200, b"\x89PNG\x00", {"Content-Type": "image/png"}

    async def ws_echo(self, ws: WebSocket, room: str, name: str = "Guest"):
        """Talk."""
        await ws.accept()
        async for message in ws:
            if message == "bye":
                await ws.close(4001, "Good bye")
            else:
                await ws.send_text(f"{room}, {name}: {message!s}")


Site.hostile.__doc__ = f"Say {HOSTILE}."

app = Site()


class Host(App):
    site = Mount(app)


host = Host()
