"""What all pages of the tour have in common."""

from micropie import Controller


class Page(Controller):
    """A page of the tour: something to do, and beside it the handlers that do it."""

    template = ""
    title = ""
    lead = ""

    async def index(self):
        return await self._page()

    async def _page(self, **values):
        return await self._render_template(self.template, page=self, **values)
