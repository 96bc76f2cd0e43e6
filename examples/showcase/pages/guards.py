"""A branch behind a door: one guard for its pages, its 404s and its WebSockets."""

from micropie import Controller, Faults, HTTPError, WebSocket, flash, methods, url_for
from micropie.auth import same_secret
from pages.page import Page

PASSWORD = "butter"  # noqa: S105 - the page tells it


class Kitchen(Controller):
    """Whatever is below asks the guard first, also what is not there."""

    async def _before(self):
        if not self.request.session.get("baker"):
            raise HTTPError(401, "The kitchen is for bakers")

    async def recipe(self):
        return {"butter": "250 g", "flour": "500 g", "secret": "salt"}

    async def ws_bell(self, ws: WebSocket):
        await ws.accept()
        await ws.send("ding")


class Guards(Page):
    """The door, and what is behind it."""

    template = "guards.html"
    title = "Guards"
    lead = "A guard stands before a whole branch: nothing behind it has to remember to ask, not even its 404s."
    kitchen = Kitchen()

    async def index(self):
        return await self._page(faults=Faults())

    @methods("POST")
    async def unlock(self, faults: Faults, password: str):
        """Let somebody in, by a fresh id: a planted one is worth nothing."""
        if not faults and not same_secret(password, PASSWORD):
            faults.add("password", "is another one")
        if faults:
            return 422, await self._page(faults=faults)
        self.request.session.rotate()
        self.request.session["baker"] = True
        flash(self.request, "The door is open. Knock again.")
        return self._redirect(url_for(self.index), status=303)

    @methods("POST")
    async def lock(self):
        self.request.session.rotate()
        self.request.session.pop("baker", None)
        return self._redirect(url_for(self.index), status=303)
