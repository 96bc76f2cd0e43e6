"""Forms: what does not fit is shown again, with what was typed and what is wrong with it. No JavaScript."""

import tempfile
from datetime import date
from pathlib import Path
from typing import Literal

from micropie import App, Faults, Resource, UploadedFile

KINDS = ("apple", "cherry", "plum")


class Entry(Resource):
    """One address: GET shows the form, POST takes it."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._names = set()

    async def get(self):
        return await self._form(Faults())

    async def post(
        self,
        faults: Faults,
        name: str,
        baked: date,
        slices: int,
        photo: UploadedFile,
        kinds: tuple[Literal["apple", "cherry", "plum"], ...] = (),
    ):
        if name in self._names:
            faults.add("name", "has entered already")
        if photo is not None and not photo["content_type"].startswith("image/"):
            faults.add("photo", "expected a picture")
        if faults:
            return 422, await self._form(faults)
        self._names.add(name)
        await photo.save(self._folder / f"{len(self._names)}.upload")
        return self._redirect("/", status=303)  # so that a reload sends nothing twice

    async def _form(self, faults):
        return await self._render_template("form.html", faults=faults, kinds=KINDS)


class Competition(App):
    """The form at ``/entry``, and a page that thanks at ``/``."""

    entry = Entry(tempfile.gettempdir())

    def __init__(self):
        super().__init__(templates=Path(__file__).with_name("templates"), max_upload_size=5 * 1024 * 1024)

    async def index(self):
        return "<!doctype html><title>Pies</title><h1>Thank you</h1><a href='/entry'>Enter a pie</a>"


app = Competition()
