"""A generator is a stream: events for a browser, lines of JSON for a program."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID, uuid4

from annotated_types import Ge, Le

from pages.page import Page
from settings import Flavour, channels

RECIPE = """Rub the cold butter into the flour until it looks like crumbs, add just enough water to hold it
together, and let the dough rest while you think of something else. Fill it with more {flavour} than seems
reasonable, a little sugar and a pinch of salt. Put the lid on, cut a hole for the steam, and bake it until
the whole house knows. Then wait. Nobody ever waits, but you should."""


Pace = Annotated[float, Ge(0), Le(1)]  # seconds for a word


@dataclass
class Word:
    """One word of a recipe."""

    number: int
    text: str


class Streams(Page):
    """Told word by word, to whoever listens, until they leave."""

    template = "streams.html"
    title = "Streams"
    lead = (
        "Return a generator. Browsers get events, programs get lines; whoever leaves closes it, and its finally runs."
    )

    async def index(self):
        return await self._page(ticket=uuid4())

    async def recipe(
        self, flavour: Flavour = "apple", ticket: UUID | None = None, pace: Pace = 0.1
    ) -> AsyncIterator[Word]:
        """Tell a recipe, as fast as a baker talks."""
        number = 0
        try:
            words = RECIPE.format(flavour=flavour).split()
            for number, text in enumerate(words, 1):
                yield Word(number, text)
                await asyncio.sleep(pace)
        finally:
            ending = {"words": number, "worker": os.getpid()}
            await channels.publish(f"recipe-{ticket}", ending)

    async def endings(self, ticket: UUID):
        """Stream how each telling to this window has ended."""
        return channels.stream(f"recipe-{ticket}")
