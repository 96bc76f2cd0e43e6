"""The application whose failures the browser's tests look at."""

import logging

from micropie import App, Resource

for name in ("micropie", "micropie.watchdog"):  # other tests look at what is said there, which here is noise
    logging.getLogger(name).disabled = True


class Orders(Resource):
    async def get(self, id: int):
        password, long = "hunter2", "<b>" * 500
        try:
            return self._find(id)
        except KeyError as error:
            raise LookupError(f"no <b>order</b> {id} {len(password + long)}") from error

    def _find(self, id):
        return {1: "apple"}[id]


class Shop(App):
    orders = Orders()

    async def greet(self, name="Guest"):
        return f"Hello, {name}!"


app = Shop(debug=True)
