"""A form that comes back with what was typed, and with what is wrong beside each field. No JavaScript."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MaxLen

import store
from micropie import Faults, Resource, flash, url_for
from pages.page import Page
from settings import FLAVOURS, Flavour


@dataclass
class Entry:
    """What somebody enters."""

    baker: str
    flavour: Flavour
    slices: int
    words: str


class Forms(Page, Resource):
    """One address: GET shows the form, POST takes it."""

    template = "forms.html"
    title = "Forms"
    lead = (
        "Ask for the faults, and the handler runs whatever was sent. The form comes back as it was, with what to mend."
    )

    async def index(self):
        return await self._form(Faults())

    async def post(
        self,
        faults: Faults,
        baker: Annotated[str, MaxLen(30)],
        flavour: Flavour,
        slices: Annotated[int, Ge(2), Le(16)],
        words: Annotated[str, MaxLen(140)] = "",
    ):
        """Enter a pie in the competition, or say what does not fit."""
        if not faults and await asyncio.to_thread(self._has_entered, baker):
            faults.add("baker", "has entered already")
        if faults:
            return 422, await self._form(faults)
        entry = Entry(baker, flavour, slices, words)
        await asyncio.to_thread(store.add, "entries", entry)
        flash(self.request, f"Good luck, {baker}!")
        return self._redirect(url_for(self.index), status=303)

    async def _form(self, faults):
        entries = await asyncio.to_thread(store.records, "entries", 4)
        return await self._page(faults=faults, entries=entries, flavours=FLAVOURS)

    def _has_entered(self, baker):
        return any(entry["baker"].casefold() == baker.casefold() for entry in store.records("entries"))
