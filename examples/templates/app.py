"""Templates: a layout that pages extend, and a form that keeps what was typed and says what is wrong."""

from pathlib import Path

from micropie import App

KINDS = ["apple", "cherry", "plum"]


class Orders(App):
    """A form at ``/``, and the list of orders at ``/orders``."""

    def __init__(self):
        super().__init__(templates=Path(__file__).with_name("templates"))
        self._orders = []

    async def index(self):
        return await self._form({}, {})

    async def order(self):
        if self.request.method != "POST":
            return self._redirect("/", status=303)
        typed = {"name": self.request.form("name", "").strip(), "kind": self.request.form("kind", "")}
        wrong = self._wrong(typed)
        if wrong:
            return 422, await self._form(typed, wrong)
        self._orders.append(typed)
        return self._redirect("/orders", status=303)  # so that a reload sends nothing twice

    async def orders(self):
        return await self._render_template("orders.html", orders=self._orders)

    def _template_context(self):
        menu = {"Order": self.index, "Orders": self.orders}
        return {"shop": "Pies", "menu": menu}

    async def _form(self, typed, wrong):
        return await self._render_template("form.html", kinds=KINDS, typed=typed, wrong=wrong)

    def _wrong(self, typed):
        wrong = {}
        if not typed["name"]:
            wrong["name"] = "Who is it for?"
        if typed["kind"] not in KINDS:
            wrong["kind"] = "Choose a pie that we have."
        return wrong


app = Orders()
