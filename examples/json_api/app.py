"""A JSON API over one collection: list, read, add, change and remove."""

import itertools

from micropie import App, HTTPError


class Pies(App):
    """Serves ``/pies`` and ``/pies/NUMBER``; the pies live in memory."""

    def __init__(self):
        super().__init__(surplus_path_status=404)
        self._pies = {}
        self._numbers = itertools.count(1)

    async def pies(self, number=None):
        answers = self._one(number) if number else self._all()
        answer = answers.get(self.request.method)
        if answer is None:
            raise HTTPError(405, headers=[("Allow", ", ".join(answers))])
        return answer(number) if number else answer()

    def _all(self):
        return {"GET": self._list, "POST": self._add}

    def _one(self, number):
        if number not in self._pies:
            raise HTTPError(404, "No such pie")
        return {"GET": self._pies.get, "PUT": self._change, "DELETE": self._remove}

    def _list(self):
        return list(self._pies.values())

    def _add(self):
        name = self._given_name()
        number = str(next(self._numbers))
        self._pies[number] = {"number": number, "name": name}
        return 201, self._pies[number], [("Location", f"/pies/{number}")]

    def _change(self, number):
        self._pies[number]["name"] = self._given_name()
        return self._pies[number]

    def _remove(self, number):
        del self._pies[number]

    def _given_name(self):
        """Whatever JSON arrived: the name in it, or a 400."""
        name = self.request.json("name")
        if not isinstance(name, str) or not name.strip():
            raise HTTPError(400, 'Send a JSON object with a "name"')
        return name.strip()


app = Pies()
